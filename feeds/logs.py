"""Logging: each message is one line of bounded length, even if it quotes foreign text."""

import logging
import sys

from feeds.core.text import escape_unprintable, truncate

_MAX_LENGTH = 1_000  # characters


class SingleLineFormatter(logging.Formatter):
    """Escapes control characters in a message and truncates a long one. The traceback of an error follows below."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # overrides logging's method
        """Return the line of a record."""
        return truncate(escape_unprintable(super().formatMessage(record)), _MAX_LENGTH)


def configure() -> None:
    """Log warnings and errors to standard error, unless logging is configured already."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SingleLineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
