"""Which of several publishers of one catalog leads: one lock, held for as long as its holder lives.

It is another lock than a run's, which everybody takes who regenerates, `feeds build` too: who stands by needs none.
"""

import fcntl
import os
from pathlib import Path
from typing import IO

from feeds.catalog.engine import unusable


class Alone:
    """Of a catalog that nobody shares."""

    def take(self) -> bool:
        """Take it."""
        return True

    def holds(self) -> bool:
        """Tell that it is ours."""
        return True

    def give_up(self) -> None:
        """Do nothing."""


class FileLeadership:
    """The lock of a file beside the catalog. The system lets go of it when its holder is gone, however that ended."""

    def __init__(self, catalog: Path) -> None:
        self._path = Path(f"{catalog}.leader")
        self._catalog = catalog
        self._handle: IO[str] | None = None

    def take(self) -> bool:
        """Take it if nobody has it. Raises `CatalogError`."""
        if self.holds():
            return True
        self.give_up()  # or we would stand in our own way
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = open(self._path, "a", encoding="ascii", opener=private)  # noqa: SIM115  # closed by who gives it up
        except OSError as error:
            raise unusable(str(self._catalog), error.strerror) from error
        if not try_lock(handle.fileno()):
            handle.close()
            return False
        self._handle = handle
        return self.holds()

    def holds(self) -> bool:
        """Tell whether it is ours still: with the file taken away, somebody may hold the next one's."""
        handle = self._handle
        try:
            return handle is not None and os.path.samestat(os.fstat(handle.fileno()), self._path.stat())
        except (OSError, ValueError):  # closed by another thread of ours
            return False

    def give_up(self) -> None:
        """Let others have it."""
        handle, self._handle = self._handle, None
        if handle:
            handle.close()


def private(path: str, flags: int) -> int:
    """Open a file (`opener` of `open`); one that is created is for its owner alone, whatever the umask."""
    return os.open(path, flags, 0o600)


def try_lock(handle: int) -> bool:
    """Take the lock of an open file if nobody has it. Tells whether it is ours."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
