"""How many files the server is sending, from the system's list of open files (Linux only).

granian reads a file in pieces while the client receives it, which takes a quarter of a megabyte per client, and does
not report the end. A client that reads slowly would keep that memory for as long as it likes.
"""

import os
import time
from pathlib import Path

_OPEN_FILES = "/proc/self/fd"
_COUNT_INTERVAL_S = 0.2  # between two counts: one takes some 2 µs per open connection


class FileTransfers:
    """Limits the number of files that are sent at the same time."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Allow `limit` files of a folder; any number if the system has no list of open files."""
        self._folder = f"{os.path.realpath(folder)}{os.sep}"
        self._limit = limit
        self._count = 0  # at the last count, and those that were started since then
        self._counted_at = float("-inf")  # by the monotonic clock

    def is_full(self) -> bool:
        """Return whether the limit is reached."""
        now = time.monotonic()
        if now - self._counted_at >= _COUNT_INTERVAL_S:
            self._count, self._counted_at = self._open_files(), now
        return self._count >= self._limit

    def note_start(self) -> None:
        """Count a file that the server is about to open."""
        self._count += 1

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
