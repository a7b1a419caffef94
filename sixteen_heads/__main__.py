"""The console script `study`: finds the command and hands the arguments on."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Returns:
        The exit status: 0 done; 1 or 2 not done, the message says why; 3 under way (`status`, `wait`); 130 interrupted.
    """
    from sixteen_heads.commands import entry

    words = list(sys.argv[1:] if arguments is None else arguments)
    until_interrupted = entry("study.terminal.interruption:until_interrupted")
    try:
        return until_interrupted(lambda: _run(words))
    except BrokenPipeError:  # `study list | head`
        sys.stderr.close()
        return 0


def _run(words: list[str]) -> int:
    from sixteen_heads.commands import COMMANDS, STUDY, entry, overview, unknown

    first = words[0] if words else "help"
    if first in ("-h", "--help", "help") and words[1:2] and words[1] in COMMANDS:
        return COMMANDS[words[1]].run(["--help"])
    if first in ("-h", "--help", "help"):
        print(f"{overview()}\n\n`study help COMMAND` says more.\n")
        entry(STUDY)(["--help"])
        return 0
    if first == "--version":
        from sixteen_heads import __version__

        print(f"sixteen-heads {__version__}")
        return 0
    if first in COMMANDS:
        return COMMANDS[first].run(words[1:])
    if first.isalpha():
        print(f"study: {unknown(first)}", file=sys.stderr)
        return 2
    return COMMANDS["run"].run(words)


if __name__ == "__main__":
    sys.exit(main())
