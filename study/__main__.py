"""`python -m study`; what it does is in `study.command.command_line`, imported where Ctrl-C is caught already."""

import sys

from study.terminal.interruption import until_interrupted


def main() -> int:
    """Run the command line; exit status 0: done, 1: not done and the message says why, 130: stopped."""

    def run() -> int:
        from study.command.command_line import run

        run(sys.argv[1:])
        return 0

    return until_interrupted(run)


if __name__ == "__main__":
    sys.exit(main())
