"""The log of `feeds serve`: one line per event on standard error, as text or as a JSON object.

Messages of the `logging` module become events too (`EventLog.capture_logging`), also in worker processes.
"""

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from feeds.core.text import escape_unprintable

LogFormat = Literal["text", "json"]
Level = Literal["info", "warning", "error"]

_EVENT_COLUMNS = 9  # the longest names: scheduled, published, withdrawn
_MAX_MESSAGE_CHARS = 1_000
_MAX_QUEUED_LINES = 10_000
_STOP_TIMEOUT_S = 2.0
_MIN_COLUMNS = 20  # of a message on a narrow terminal
_COLUMNS_WITH_DATE = 100  # of a terminal that has space for the date
_LEVELS: dict[Level, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_COLOURS = {"warning": "33", "error": "31"}  # by level (ECMA-48, SGR)
_EVENT_COLOURS = dict.fromkeys(("added", "published", "fixed", "recovered"), "32") | dict.fromkeys(
    ("edited", "renamed", "scheduled"), "36"
)
_EVENT_COLOURS["withdrawn"] = "33"
_DIM = "2"


class EventLog:
    """Writes events. A full disk or a closed pipe is ignored: it must not end the server."""

    def __init__(self, log_format: LogFormat = "text", *, quiet: bool = False) -> None:
        """If `quiet` is true, write errors only."""
        self.is_json = log_format == "json"
        self._min_level = logging.ERROR if quiet else logging.INFO
        self._writing = threading.Lock()
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # lines for `_thread`; None ends the thread
        self._dropped = 0  # lines
        self._thread: threading.Thread | None = None

    def start_thread(self) -> None:
        """Write from now on in a thread, so that no caller waits for a program that does not read the log.

        If the program does not read for a long time, lines are dropped, and a later line states their number. When this
        process ends, queued lines are written as in `stop_thread`. The same applies to a process of `multiprocessing`.
        """
        from multiprocessing.util import Finalize  # few commands need it

        self._thread = threading.Thread(target=self._write_queued, name="log", daemon=True)
        self._thread.start()
        self._stop_at_exit = Finalize(None, self.stop_thread, exitpriority=0)

    def stop_thread(self) -> None:
        """Write queued lines for at most two seconds, and end the thread."""
        if self._thread:
            self._stop_at_exit.cancel()
            self._queue.put(None)
            self._thread.join(_STOP_TIMEOUT_S)
            if not self._thread.is_alive():
                self._thread = None

    def write(
        self,
        event: str,
        message: str,
        *,
        level: Level = "info",
        layout: Callable[[int], str] | None = None,
        details: str = "",
        **fields: object,
    ) -> None:
        """Write an event as one line, with the time in UTC.

        Args:
            event: the kind of the event, one word.
            message: a text for people.
            level: the importance of the event.
            layout: returns the message for a terminal, given the number of columns that it may have. Without it, a
                long message takes several lines of the terminal.
            details: lines of text to follow the message, such as a traceback.
            fields: further values of the JSON object, of limited length; those that are None or empty are left out.
        """
        if _LEVELS[level] < self._min_level:
            return
        now = datetime.now(UTC)
        if self.is_json:
            values = {"message": _cut(message), **fields, "details": details}
            kept = {name: value for name, value in values.items() if value not in (None, "", [], ())}
            line = json.dumps({"time": now.isoformat(timespec="milliseconds"), "level": level, "event": event, **kept})
        else:
            line = self._text(now, event, message, level, layout)
            line += f"\n{details}" if details else ""
        self._write(line)

    def write_text(self, line: str) -> None:
        """Write a line as it is, in the text format only; unprintable characters become escapes."""
        if not self.is_json and self._min_level <= logging.INFO:
            self._write(escape_unprintable(line))

    def begin_line(self) -> None:
        """On a terminal, write the next line over the "^C" that the terminal shows when the user presses Ctrl-C."""
        if not self.is_json and _terminal_columns() is not None:
            self._write("\r", end="")

    def capture_logging(self) -> None:
        """Write all messages of the `logging` module to this log."""
        logging.basicConfig(level=logging.WARNING, handlers=[_Handler(self)], force=True)

    def _text(self, now: datetime, event: str, message: str, level: Level, layout: Callable[[int], str] | None) -> str:
        columns = _terminal_columns()
        is_narrow = columns is not None and columns < _COLUMNS_WITH_DATE
        time, label = f"{now:%H:%M:%SZ}" if is_narrow else f"{now:%Y-%m-%d %H:%M:%SZ}", f"{event:<{_EVENT_COLUMNS}}"
        if columns is None:
            return f"{time}  {label}  {_clean(message)}"
        if layout:
            message = layout(max(_MIN_COLUMNS, columns - len(time) - len(label) - len("    ")))
        if _has_colours():
            time, label = _coloured(time, _DIM), _coloured(label, _COLOURS.get(level) or _EVENT_COLOURS.get(event, ""))
        return f"{time}  {label}  {_clean(message)}"

    def _write(self, line: str, end: str = "\n") -> None:
        if self._thread is None:
            with self._writing, contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
                sys.stderr.write(f"{line}{end}")
                sys.stderr.flush()
        elif self._queue.qsize() < _MAX_QUEUED_LINES:
            self._queue.put(f"{line}{end}")
        else:
            self._dropped += 1

    def _write_queued(self) -> None:
        """Write queued lines to the descriptor of standard error: a blocked stream would block the process's end."""
        while (text := self._queue.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            with contextlib.suppress(OSError, ValueError):
                _write_all(sys.stderr.fileno(), text)
            if dropped:
                self.write("dropped", f"{dropped:,} lines, because the log was not read", level="warning")


class _Handler(logging.Handler):
    """Writes messages of the `logging` module as events named by their level."""

    def __init__(self, log: EventLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = "error" if record.levelno >= logging.ERROR else "info"
        level = "warning" if record.levelno == logging.WARNING else level
        details = "".join(traceback.format_exception(*record.exc_info)).rstrip() if record.exc_info else ""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that don't match the message
            message = str(record.msg)
        self._log.write(level, message, level=level, details=details, logger=record.name)


def _write_all(descriptor: int, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]


def _clean(message: str) -> str:
    return _cut(escape_unprintable(message))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE_CHARS else f"{text[:_MAX_MESSAGE_CHARS]}…"


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def _has_colours() -> bool:
    """Return whether a terminal shows colours, and its user wants them (no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _terminal_columns() -> int | None:
    """Return the width of the terminal to which standard error is connected; None without a terminal."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or None if sys.stderr.isatty() else None
    except (OSError, ValueError):
        return None
