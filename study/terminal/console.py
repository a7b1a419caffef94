"""The terminal: one console for log lines and progress bars, so that no line is written into a bar."""

import logging

from rich.console import Console
from rich.text import Text

CONSOLE = Console(stderr=True)
STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class LogLines(logging.Handler):
    """Writes records to the console: the time of day and the message, wrapped at words in a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; the level stands before it where it is a warning or worse."""
        try:
            line = Text(self.format(record))
            line.stylize(STYLES.get(record.levelno, ""))
            CONSOLE.print(line, soft_wrap=not CONSOLE.is_terminal, highlight=False)
        except Exception:  # noqa: BLE001 a log must not stop the work, as in every handler of logging
            self.handleError(record)


class ShortLines(logging.Formatter):
    """`14:03:59 message`, `14:03:59 warning: message`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 as logging calls it
        """The line of a record."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return f"{record.asctime} {level}{record.message}"
