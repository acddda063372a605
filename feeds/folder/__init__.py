"""The folder of articles: what is in it now, and a hint when it may have changed. It reads, and never writes.

`scan` is the truth and `watch` only a hint: events are lost when queues overflow, folders are moved in or roots are
replaced, and some file systems send none at all.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from feeds.article_files import SUFFIXES
from feeds.errors import FolderGone, Refused, Unreadable
from feeds.folder import watch as watching
from feeds.folder.walk import AUTHORS_FILES, Found, Walk
from feeds.folder.watch import How as Watch

__all__ = ["Folder", "Found", "Unsettled", "Watch"]

_TO_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO would block
_SAMPLE = 5  # one of so many files is tried: memory may have nearly all


class Folder:
    """The folder that holds the truth."""

    def __init__(
        self, root: Path, include: Sequence[str], exclude: Sequence[str], secrets: Sequence[Path] = ()
    ) -> None:
        """`secrets` are files to which no symbolic link may lead, such as the configuration."""
        self.root = root
        self._root = os.fspath(root)
        self._walk = Walk(include, exclude, secrets)
        self._scan_took = 0.0  # s, the last time

    def scan(self, below: str = "", after: str = "") -> Iterator[Found]:
        """Give all articles by path, or only that of a path or those below it, or of all those after a path.

        One after a path goes on where the one before was left, and may not know what came since: ask for that by its
        path. A folder below that can't be listed is a `Found` with a problem, and `could_look` knows what it may hold.
        Raises `FolderGone` if the folder, or one below it while it is listed, is away, or another by the end.
        """
        root = os.path.realpath(self.root)
        try:
            if not self.root.is_dir():
                raise FileNotFoundError  # noqa: TRY301  # the folder itself is gone
            if below:
                yield from self._walk.below(root, below)
            else:
                began = time.monotonic() - (self._scan_took if after else 0.0)
                try:
                    yield from self._walk.whole(root, after)
                finally:  # also if it is left, to go on later
                    self._scan_took = time.monotonic() - began
            if os.path.realpath(self.root) != root:  # another checkout: what went away with the one before is here
                raise FolderGone(f"{self.root}: was replaced while it was listed; trying again later")
            if not self.root.is_dir():
                raise FileNotFoundError  # noqa: TRY301
        except FileNotFoundError as error:
            if not self.root.is_dir():
                raise FolderGone(
                    f"{self.root}: the content folder (content.path) is not there; what is published stays up"
                ) from None
            raise FolderGone(f"{error.filename}: went away while it was listed; trying again later") from None
        except OSError as error:
            raise FolderGone(
                f"{error.filename or self.root}: can't be listed: {error.strerror}; nothing was changed, since its "
                "articles would vanish. Mend that, or name it in content.exclude"
            ) from None

    def may_hold(self, path: str) -> bool:
        """Tell whether a path may be an article, or is a folder and may hold some."""
        if path.rpartition("/")[2] in AUTHORS_FILES:
            return True
        return self._walk.is_ours(path) and (path.lower().endswith(SUFFIXES) or os.path.isdir(f"{self._root}/{path}"))  # noqa: PTH112  # raises nothing

    def could_look(self, path: str) -> bool:
        """Return whether the last scan could look at a path, which it would have given otherwise."""
        return self._walk.could_look(path)

    def may_lead_to(self, target: str) -> bool:
        """Return whether a symbolic link may lead to a path below the folder: nothing hidden or excluded."""
        return self._walk.may_lead_to(target)

    def authors_state(self) -> str:
        """Return a text that changes with every authors.yml that the last scan of everything has come across."""
        facts = []
        for path in sorted(self._walk.authors_files):
            with suppress(OSError):
                found = (self.root / path).stat()
                facts.append(f"{path} {found.st_mtime_ns} {found.st_size}")
        return "\n".join(facts)

    def has(self, path: str) -> bool:
        """Return whether there is a file at a path, or may be: where its folder can't be looked into."""
        try:
            os.lstat(f"{self._root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def count(self, *, enough: float = float("inf")) -> int:
        """Give about how many articles there are, without looking at each; of so many no more are counted."""
        found = 0
        for _, _, names in os.walk(os.path.realpath(self.root)):
            found += sum(name.lower().endswith(SUFFIXES) for name in names)
            if found >= enough:
                break
        return found

    def expect(self, files: Iterable[Found]) -> None:
        """Have the system fetch files that are read soon, all at once, where it does: a disk has many hands.

        If those that are tried are in memory, all are taken to be.
        """
        readable = [file.path for file in files if not file.problem]
        if not hasattr(os, "posix_fadvise") or all(map(self._is_in_memory, readable[::_SAMPLE])):
            return
        for path in readable:
            with suppress(OSError), self._opened(path) as handle:  # whoever reads it says what is wrong
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_WILLNEED)

    def _is_in_memory(self, path: str) -> bool:
        """Tell whether a file's beginning can be read without a disk that has to be waited for, as far as is known."""
        with suppress(OSError), self._opened(path) as handle:
            return hasattr(os, "RWF_NOWAIT") and os.preadv(handle, [bytearray(1)], 0, os.RWF_NOWAIT) >= 0
        return False

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        handle = os.open(f"{self._root}/{path}", _TO_READ)
        try:
            yield handle
        finally:
            os.close(handle)

    def read(self, file: Found, most: int) -> bytes:
        """Read a file whole, `most` bytes and one of it. Raises `Unreadable`, or `Unsettled` while it is written."""
        if file.problem:
            raise Unreadable(file.problem)
        try:
            handle = os.open(f"{self._root}/{file.path}", _TO_READ)
            try:
                data = _read(handle, min(file.size, most + 1))
                after = os.fstat(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise Unreadable(f"can't be read: {error.strerror}") from None
        if (after.st_mtime_ns, after.st_size) != (file.mtime_ns, file.size):
            raise Unsettled
        return data

    def watch(self, how: Watch, stop: threading.Event) -> Iterator[set[str] | None]:
        """Yield whenever the folder may have changed, until `stop` is set; the first time at once.

        What is yielded are the paths that may have changed, files or folders; None if any may have.
        """
        return watching.watch(self.root, how, stop, lambda: self._scan_took)


class Unsettled(Refused):
    """The file is being written right now; the next scan will see it whole."""

    def __init__(self) -> None:
        super().__init__("changed while it was read")


def _read(handle: int, most: int) -> bytes:
    """Read so many bytes; a system may give them in parts."""
    data = os.read(handle, most)
    while len(data) < most and (more := os.read(handle, most - len(data))):
        data += more
    return data
