"""The content folder: its articles, and hints when it may have changed. This package reads and never writes.

`scan` finds all changes. `watch` only gives hints, because events are lost when queues overflow, when folders are moved
into the content folder or when it is replaced, and some file systems send no events at all.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from feeds.content import watch as watching
from feeds.content.walk import AUTHORS_FILES, ScannedFile, Walk
from feeds.content.watch import WatchMode
from feeds.core.article_files import SUFFIXES
from feeds.core.errors import ArticleError, ArticleUnreadable, ContentFolderMissing
from feeds.core.text import slugify

__all__ = ["FileChanging", "Folder", "ScannedFile", "WatchMode"]

_OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO would block
_SAMPLE_EVERY = 20  # one file in twenty is tested; even if nearly all are in the page cache, some may not be


def has_folder(root: Path, folder: str) -> bool:
    """Return whether the content folder has a folder at a path; its names may differ if they have the same slugs."""
    found = [root]
    for part in folder.strip("/").split("/"):
        slug = slugify(part)
        try:
            found = [
                path for above in found for path in above.iterdir() if slugify(path.name) == slug and path.is_dir()
            ]
        except OSError:
            return False
    return bool(found)


class Folder:
    """The content folder."""

    def __init__(
        self, root: Path, include: Sequence[str], exclude: Sequence[str], secrets: Sequence[Path] = ()
    ) -> None:
        """Select files by patterns of gitignore. Raise `ConfigError` for an invalid pattern.

        Args:
            root: the path of the folder.
            include: patterns of article files.
            exclude: patterns of files and folders that are not scanned.
            secrets: files to which no symbolic link may lead, such as the configuration.
        """
        self.root = root
        self._root = os.fspath(root)
        self._walk = Walk(include, exclude, secrets)
        self._scan_duration = 0.0  # seconds, of the last full scan

    def scan(self, below: str = "", after: str = "") -> Iterator[ScannedFile]:
        """Yield the article files by path. A subfolder that can't be listed is a `ScannedFile` with a problem.

        Raise `ContentFolderMissing` if the folder, or a subfolder while it is listed, is missing or replaced.

        Args:
            below: only the file at this path, or the files below it.
            after: only files after this path. The scan continues the interrupted one and uses its listings of folders,
                so it may miss files that were created since; scan those by their paths.
        """
        root = os.path.realpath(self.root)
        try:
            if not self.root.is_dir():
                raise FileNotFoundError  # noqa: TRY301  # the folder itself is missing
            if below:
                yield from self._walk.walk_below(root, below)
            else:
                began = time.monotonic() - (self._scan_duration if after else 0.0)
                try:
                    yield from self._walk.walk(root, after)
                finally:  # also if the scan is interrupted, to continue later
                    self._scan_duration = time.monotonic() - began
            if os.path.realpath(self.root) != root:  # another checkout, which may have the files that were missing
                raise ContentFolderMissing(
                    f"{self.root}: was replaced while it was listed; the next run lists it again"
                )
            if not self.root.is_dir():
                raise FileNotFoundError  # noqa: TRY301
        except FileNotFoundError as error:
            if not self.root.is_dir():
                raise ContentFolderMissing(
                    f"{self.root}: the content folder (content.path) is missing; published articles stay published"
                ) from None
            raise ContentFolderMissing(
                f"{error.filename}: was deleted while it was listed; the next run lists the content folder again"
            ) from None
        except OSError as error:
            raise ContentFolderMissing(
                f"{error.filename or self.root}: can't be listed: {error.strerror}; nothing was published, because "
                "its articles would be removed; correct the cause, or exclude the folder with content.exclude"
            ) from None

    def may_contain_articles(self, path: str) -> bool:
        """Return whether a path may be an article, or is a folder that may contain articles."""
        if path.rpartition("/")[2] in AUTHORS_FILES:
            return True
        if not self._walk.is_included(path):
            return False
        return path.lower().endswith(SUFFIXES) or os.path.isdir(f"{self._root}/{path}")  # noqa: PTH112  # raises nothing

    def selects(self, path: str) -> bool:
        """Return whether a file at a path would be an article, by its name and the patterns."""
        return self._walk.selects(path)

    def was_scanned(self, path: str) -> bool:
        """Return whether the last scan could list the folder of a path, and so would have found a file there."""
        return self._walk.was_listed(path)

    def may_link_to(self, target: str) -> bool:
        """Return whether a symbolic link may lead to a path below the folder: nothing hidden or excluded."""
        return self._walk.may_link_to(target)

    def authors_stamp(self) -> str:
        """Return a text that changes with each authors.yml that the last full scan found."""
        stamps = []
        for path in sorted(self._walk.authors_files):
            with suppress(OSError):
                status = (self.root / path).stat()
                stamps.append(f"{path} {status.st_mtime_ns} {status.st_size}")
        return "\n".join(stamps)

    def has(self, path: str) -> bool:
        """Return whether a file exists at a path, or may exist because its folder can't be searched."""
        try:
            os.lstat(f"{self._root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def count(self, *, limit: float = float("inf")) -> int:
        """Return the approximate number of articles from names alone. Stop counting at `limit`."""
        count = 0
        for _, _, names in os.walk(os.path.realpath(self.root)):
            count += sum(name.lower().endswith(SUFFIXES) for name in names)
            if count >= limit:
                break
        return count

    def prefetch(self, files: Iterable[ScannedFile]) -> None:
        """Ask the system to load files into the page cache, in parallel, if it supports that.

        Do nothing if the files of a sample are in the page cache already.
        """
        readable = [file.path for file in files if not file.problem]
        if not hasattr(os, "posix_fadvise") or all(map(self._is_cached, readable[::_SAMPLE_EVERY])):
            return
        for path in readable:
            with suppress(OSError), self._opened(path) as handle:  # `read` reports errors
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_WILLNEED)

    def _is_cached(self, path: str) -> bool:
        """Return whether the first byte of a file is in the page cache, as far as the system reports it."""
        with suppress(OSError), self._opened(path) as handle:
            return hasattr(os, "RWF_NOWAIT") and os.preadv(handle, [bytearray(1)], 0, os.RWF_NOWAIT) >= 0
        return False

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        handle = os.open(f"{self._root}/{path}", _OPEN_FLAGS)
        try:
            yield handle
        finally:
            os.close(handle)

    def read(self, file: ScannedFile, max_bytes: int) -> bytes:
        """Return the content of a file; `max_bytes` + 1 bytes if it is longer.

        Raise `ArticleUnreadable`, or `FileChanging` if the file changed since it was scanned.
        """
        if file.problem:
            raise ArticleUnreadable(file.problem)
        try:
            handle = os.open(f"{self._root}/{file.path}", _OPEN_FLAGS)
            try:
                data = _read(handle, min(file.size, max_bytes + 1))
                after = os.fstat(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise ArticleUnreadable(f"can't be read: {error.strerror}") from None
        if (after.st_mtime_ns, after.st_size) != (file.mtime_ns, file.size):
            raise FileChanging
        return data

    def watch(self, mode: WatchMode, stop: threading.Event) -> Iterator[set[str] | None]:
        """Yield at once, and then whenever the folder may have changed, until `stop` is set.

        Each value is the set of paths that may have changed, files or folders; None if any path may have changed.
        """
        return watching.watch(self.root, mode, stop, lambda: self._scan_duration)


class FileChanging(ArticleError):
    """The file is being written; the next scan will see the complete file."""

    def __init__(self) -> None:
        super().__init__("changed while it was read")


def _read(handle: int, size: int) -> bytes:
    """Return up to `size` bytes, which the system may return in parts."""
    data = os.read(handle, size)
    while len(data) < size and (more := os.read(handle, size - len(data))):
        data += more
    return data
