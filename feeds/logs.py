"""How messages are logged: a line each, of bounded length, whatever text of others they quote."""

import logging
import sys

from feeds.text import printable, shortened

_LONGEST = 1_000  # characters


class OneLine(logging.Formatter):
    """Writes a message without control characters, and shortens a long one. The traceback of an error stands below."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # its name in logging
        """Return the line of a record."""
        return shortened(printable(super().formatMessage(record)), _LONGEST)


def set_up() -> None:
    """Log warnings and errors to standard error, unless logging is configured already."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
