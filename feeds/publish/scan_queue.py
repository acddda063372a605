"""Decides what to scan next, for the publish loop: `ScanQueue`."""

import threading
from collections.abc import Collection
from typing import NamedTuple

_MAX_PATHS = 1_000  # if more paths may have changed, the whole folder is scanned


class ScanRequest(NamedTuple):
    """The files that a scan compares.

    Attributes:
        paths: files and folders that may have changed; None: the whole content folder.
        after: the path after which a scan of the whole folder begins, "" for the beginning.
    """

    paths: frozenset[str] | None = None
    after: str = ""


class ScanQueue:
    """Collects paths that may have changed, until they are scanned. Safe to use from several threads.

    Files that were saved come first. A full scan that they interrupt is resumed where it was, unless a new full scan
    was requested meanwhile. A new queue requests a full scan.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._full = True
        self._after = ""

    @property
    def has_paths(self) -> bool:
        """Whether paths are waiting, which interrupts a full scan."""
        return bool(self._paths)

    @property
    def is_urgent(self) -> bool:
        """Whether a scan should begin at once. False if only the rest of an interrupted full scan is waiting."""
        return bool(self._paths) or (self._full and not self._after)

    def add(self, paths: Collection[str] | None) -> None:
        """Request a scan of paths; None, or too many of them: a scan of the whole folder, from its beginning."""
        with self._lock:
            if paths is None or len(self._paths) + len(paths) > _MAX_PATHS:
                self._paths, self._full, self._after = set(), True, ""
            else:
                self._paths.update(paths)

    def take(self) -> ScanRequest:
        """Return what to scan now, and remove it; no paths if nothing was requested."""
        with self._lock:
            if self._paths or not self._full:
                paths, self._paths = self._paths, set()
                return ScanRequest(frozenset(paths))
            self._full = False
            return ScanRequest(None, self._after)

    def resume_after(self, path: str) -> None:
        """Request the rest of a full scan that was interrupted after a path."""
        with self._lock:
            if not self._full:  # otherwise it starts from the beginning anyway
                self._full, self._after = True, path
