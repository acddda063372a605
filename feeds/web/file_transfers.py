"""How many files the server is sending, from the system's list of open files (Linux only).

granian reads a file in pieces while the client receives it, which takes a quarter of a megabyte per client, and does
not report the end. A client that reads slowly would keep that memory for as long as it likes.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

_OPEN_FILES = "/proc/self/fd"
_COUNT_INTERVAL_S = 0.05  # between two counts: one takes some 2 µs per open connection


class FileTransfers:
    """Limits the number of files that are sent at the same time. For one thread."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Allow `limit` files of a folder; any number if the system has no list of open files."""
        self._folder = f"{os.path.realpath(folder)}{os.sep}"
        self._limit = limit
        self._open = 0  # at the last count
        self._started = 0  # since the last count: the server may not have opened them when it was made
        self._requested = 0  # requests whose file is being looked for
        self._counted_at = float("-inf")  # by the monotonic clock

    @contextlib.contextmanager
    def request(self) -> Iterator[bool]:
        """Yield whether a file may be requested now; call `note_start` before the context ends if it is sent."""
        now = time.monotonic()
        if now - self._counted_at >= _COUNT_INTERVAL_S:
            self._open, self._started, self._counted_at = self._open_files(), 0, now
        may_start = self._open + self._started + self._requested < self._limit
        self._requested += may_start
        try:
            yield may_start
        finally:
            self._requested -= may_start

    def note_start(self) -> None:
        """Count a file that the server is about to open."""
        self._started += 1

    def _open_files(self) -> int:
        try:
            numbers = os.listdir(_OPEN_FILES)  # noqa: PTH208  # thousands of `Path` objects would take five times as long
        except OSError:
            return 0
        return sum(self._is_in_folder(f"{_OPEN_FILES}/{number}") for number in numbers)

    def _is_in_folder(self, descriptor: str) -> bool:
        try:
            return os.readlink(descriptor).startswith(self._folder)  # noqa: PTH115  # see above
        except OSError:  # closed meanwhile
            return False
