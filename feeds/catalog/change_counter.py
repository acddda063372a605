"""Detects whether a SQLite catalog has changed, at an eightieth of the cost of a transaction."""

import sqlite3
import threading
from pathlib import Path
from typing import NamedTuple


class FileIdentity(NamedTuple):
    """The identity of a file, independent of its path."""

    device: int
    inode: int


class ChangeCount(NamedTuple):
    """A value of the counter; values of different connections can't be compared."""

    connection: int  # how many were opened before
    version: int


class ChangeCounter:
    """Reads SQLite's `data_version` of a file (sqlite.org/pragma.html), for any number of threads.

    `data_version` changes when another connection has committed, so the connection that reads it must stay open.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: FileIdentity | None = None  # the file that the connection has opened
        self._connections = 0  # number of those opened so far: each has a counter that starts at an arbitrary value
        self._lock = threading.Lock()

    def read(self) -> ChangeCount | None:
        """Return the counter; None without a file, or if it can't be read now."""
        if self._path is None:
            return None
        with self._lock:
            try:
                file = file_identity(self._path)
                if self._connection is None or file != self._file:
                    self._open(self._path, file)
                assert self._connection
                return ChangeCount(self._connections, self._connection.execute("PRAGMA data_version").fetchone()[0])
            except (OSError, sqlite3.Error):
                return None

    def _open(self, path: Path, file: FileIdentity) -> None:
        if self._connection:
            self._connection.close()
        uri = f"{path.absolute().as_uri()}?mode=rw"  # never create a file
        self._connection = sqlite3.connect(uri, timeout=0, uri=True, check_same_thread=False)
        self._file = file
        self._connections += 1

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None

    def forget(self) -> None:
        """Drop the connection in a forked process, which closes only that process's copy."""
        self._connection, self._lock = None, threading.Lock()


def file_identity(path: Path) -> FileIdentity:
    """Return the device and the inode of a file."""
    status = path.stat()
    return FileIdentity(status.st_dev, status.st_ino)
