"""The command `study`; what it does is in `study.command.commands`, imported where Ctrl-C is caught already."""

import sys


def main() -> None:
    """Run the command line; exit status 0: done, 1: not done and the message says why, 130: stopped."""
    try:
        from study.command.commands import run

        run(sys.argv[1:])
    except KeyboardInterrupt as stop:
        print(f"study: stopped. {stop}".rstrip(". "), file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
