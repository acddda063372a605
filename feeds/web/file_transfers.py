"""Limits how many files the server sends at a time, with the system's list of open files (Linux only).

granian reads a file in pieces while the client receives it, which takes a quarter of a megabyte per client. It does not
report the end of a transfer, so open files are counted instead. Without a limit, clients that read slowly could occupy
any amount of memory.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

from feeds.core.parse.media import static_media_type

_OPEN_FILES = "/proc/self/fd"
_COUNT_INTERVAL_S = 0.05  # between two counts
_MAX_LOAD = 0.1  # the share of the event loop's time that counts may take; one takes some 2 µs per open connection
_MAX_WAIT_S = 2.0  # for the end of another transfer
_MAX_FOLDERS = 10  # current and former targets of symbolic links: files in a former one may still be sent
_DELETED = " (deleted)"  # the system appends it to the path of a deleted file


class FileTransfers:
    """Limits the number of files that are sent at the same time. For one event loop."""

    def __init__(self, folders: Sequence[Path], limit: int) -> None:
        """Allow `limit` files of all folders together; any number if the system has no list of open files."""
        self._current = folders  # they may be symbolic links that are replaced, as git-sync does
        self._folders: list[str] = []  # resolved, the latest last
        self._limit = limit
        self._open = 0  # number of open files at the last count
        self._started = 0  # transfers since the last count, whose files the server may not have opened at that time
        self._next_count_at = float("-inf")  # by the monotonic clock
        self._waiting = 0  # number of waiting requests

    def is_overloaded(self) -> bool:
        """Return whether another request for a file would be refused, because too many are waiting."""
        return self._waiting >= self._limit

    async def start(self) -> bool:
        """Wait until a file may be sent, and count it. Return False if that takes too long, or too many are waiting."""
        if self._has_room():
            self._started += 1
            return True
        if self.is_overloaded():
            return False
        self._waiting += 1
        try:
            until = time.monotonic() + _MAX_WAIT_S
            while time.monotonic() < until:
                await asyncio.sleep(_COUNT_INTERVAL_S)
                if self._has_room():
                    self._started += 1
                    return True
            return False
        finally:
            self._waiting -= 1

    def _has_room(self) -> bool:
        now = time.monotonic()
        if self._open + self._started >= self._limit and now >= self._next_count_at:
            self._open, self._started = self._open_files(), 0
            duration = time.monotonic() - now
            self._next_count_at = now + max(_COUNT_INTERVAL_S, duration / _MAX_LOAD)
        return self._open + self._started < self._limit

    def _open_files(self) -> int:
        for current in self._current:
            folder = f"{os.path.realpath(current)}{os.sep}"
            if folder not in self._folders:
                self._folders = [*self._folders[1 - _MAX_FOLDERS :], folder]
        folders = tuple(self._folders)
        try:
            numbers = os.listdir(_OPEN_FILES)  # noqa: PTH208  # `Path` objects would take five times as long
        except OSError:
            return 0
        targets = (_target(f"{_OPEN_FILES}/{number}") for number in numbers)
        # other files may be open in the folders, such as the catalog
        return sum(
            target.startswith(folders) and static_media_type(target.removesuffix(_DELETED)) != "" for target in targets
        )


def _target(descriptor: str) -> str:
    try:
        return os.readlink(descriptor)  # noqa: PTH115  # see above
    except OSError:  # closed meanwhile
        return ""
