"""The lock of the leader among several publishers of one catalog, on files or in memory.

It is a different lock from that of a run, which every publishing process acquires, including `feeds build`.
"""

import fcntl
import os
from pathlib import Path
from typing import IO

from feeds.catalog.backend import unusable_error


class NullLeaderLock:
    """The leader lock of a catalog in memory: always held."""

    def acquire(self) -> bool:
        """Return True."""
        return True

    def is_held(self) -> bool:
        """Return True."""
        return True

    def release(self) -> None:
        """Do nothing."""


class FileLeaderLock:
    """A lock on a file beside the catalog. The system releases it when the process ends, however that happens."""

    def __init__(self, catalog: Path) -> None:
        self._path = Path(f"{catalog}.leader")
        self._catalog = catalog
        self._handle: IO[str] | None = None

    def acquire(self) -> bool:
        """Acquire the lock if it is free. Return whether this process holds it. Raise `CatalogError`."""
        if self.is_held():
            return True
        self.release()  # an old handle would block the new one
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = open(self._path, "a", encoding="ascii", opener=open_private)  # noqa: SIM115  # `release` closes it
        except OSError as error:
            raise unusable_error(str(self._catalog), error.strerror) from error
        if not try_lock(handle.fileno()):
            handle.close()
            return False
        self._handle = handle
        return self.is_held()

    def is_held(self) -> bool:
        """Return whether this process still holds the lock.

        If the file was deleted, another process may hold a lock on a new file.
        """
        handle = self._handle
        try:
            return handle is not None and os.path.samestat(os.fstat(handle.fileno()), self._path.stat())
        except (OSError, ValueError):  # another thread closed it
            return False

    def release(self) -> None:
        """Release the lock."""
        handle, self._handle = self._handle, None
        if handle:
            handle.close()


def open_private(path: str, flags: int) -> int:
    """Open a file (`opener` of `open`); create it with mode 0600, whatever the umask."""
    return os.open(path, flags, 0o600)


def try_lock(handle: int) -> bool:
    """Acquire the lock of an open file if it is free. Return whether this process holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
