"""The folder of articles: what is in it now, and a hint when it may have changed. It reads, and never writes.

`scan` is the truth and `watch` only a hint: events are lost when queues overflow, folders are moved in or roots are
replaced, and some file systems send none at all.
"""

import os
import re
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pathspec
import watchfiles

from feeds.errors import ConfigError, FolderGone, Refused, Unreadable
from feeds.text import clean

_SUFFIXES = (".md", ".markdown")
_NEVER = (".", "~$", "_index.")  # hidden, Office's, and Hugo's list pages
_SILENT = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "fuse.sshfs",
    "fuse.grpcfuse",
    "fuse.osxfs",
    "vboxsf",
}
_EXPORTED = (".xml", ".json")
_TICK = 500  # ms between two looks at whether the folder is still the same one
_QUIET = 50  # ms without an event after which a burst of them is over
_BURST = 300  # ms after which a burst is told of even if it goes on
_TRUTH_EVERY = 30.0  # s between two scans though no event came
_POLL_EVERY = 1.0  # s between two scans where there are no events

Watch = Literal["auto", "events", "poll", "off"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that should be an article. `problem` says why it can't be read, if that shows already."""

    path: str  # below the folder, with "/"; bytes that are not UTF-8 are spelled out
    mtime_ns: int = 0
    size: int = 0
    inode: int = 0
    problem: str | None = None


class Folder:
    """The folder that holds the truth."""

    def __init__(self, root: Path, include: Sequence[str], exclude: Sequence[str]) -> None:
        self.root = root
        self._include = _patterns("include", include)
        self._exclude = _patterns("exclude", exclude)

    def scan(self) -> list[Found]:
        """List all articles by path. Raises `FolderGone` if the folder, or one below it while it is listed, is away."""
        found: list[Found] = []
        root = os.path.realpath(self.root)
        folders = [(root, "")]
        try:
            while folders:
                folders += self._list(*folders.pop(), root, found)
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
        return sorted(found, key=lambda file: file.path)

    def _list(self, folder: str, prefix: str, root: str, found: list[Found]) -> list[tuple[str, str]]:
        """Add a folder's articles to `found`, and give the folders in it, each with its prefix."""
        inner = []
        with os.scandir(folder) as items:
            for item in items:
                if item.name.startswith(_NEVER) or item.name.endswith("~"):
                    continue
                path = prefix + item.name
                if item.is_dir(follow_symlinks=False):
                    if not self._exclude.match_file(path + "/"):
                        inner.append((item.path, path + "/"))
                elif item.name.lower().endswith(_SUFFIXES) and self._wanted(path):
                    found.append(self._look(item, path, root))
        return inner

    def _wanted(self, path: str) -> bool:
        return self._include.match_file(path) and not self._exclude.match_file(path)

    @staticmethod
    def _look(item: os.DirEntry[str], path: str, root: str) -> Found:
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if shown != path:
            return Found(shown, problem="the file name is not UTF-8; rename it")
        if clean(path) != path or "\n" in path:
            return Found(repr(path)[1:-1], problem="the file name holds a line break or a control character; rename it")
        try:
            if item.is_symlink() and not os.path.realpath(item.path).startswith(root + os.sep):
                return Found(path, problem="a symbolic link that leads out of the content folder")
            facts = item.stat()
        except OSError as error:
            return Found(path, problem=f"can't be read: {error.strerror}")
        if not stat.S_ISREG(facts.st_mode):
            return Found(path, problem="not a regular file")
        return Found(path, facts.st_mtime_ns, facts.st_size, facts.st_ino)

    def read(self, file: Found, most: int) -> bytes:
        """Read a file whole, `most` bytes and one of it. Raises `Unreadable`, or `Unsettled` while it is written."""
        if file.problem:
            raise Unreadable(file.problem)
        try:
            handle = os.open(self.root / file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would block
            with os.fdopen(handle, "rb") as stream:
                data = stream.read(most + 1)
                after = os.fstat(handle)
        except OSError as error:
            raise Unreadable(f"can't be read: {error.strerror}") from None
        if (after.st_mtime_ns, after.st_size) != (file.mtime_ns, file.size):
            raise Unsettled
        return data

    def watch(self, how: Watch, stop: threading.Event) -> Iterator[None]:
        """Yield whenever the folder may have changed, until `stop` is set; the first time at once."""
        if how == "auto" and _file_system(self.root) in _SILENT:
            how = "poll"
        while not stop.is_set():
            yield
            if how == "off":
                stop.wait()
            elif how == "poll" or not self.root.is_dir():
                stop.wait(_POLL_EVERY)
            else:
                yield from self._events(stop)

    def _may_matter(self, _change: watchfiles.Change, path: str) -> bool:
        """Tell whether an event may concern articles: not if it is hidden, as our own catalog may be, or exported."""
        inside = Path(os.path.relpath(path, os.path.realpath(self.root))).parts
        return not any(part.startswith(".") for part in inside) and not path.endswith(_EXPORTED)

    def _events(self, stop: threading.Event) -> Iterator[None]:
        """Yield on events, and every so often without, for as long as the folder is the one we are watching.

        Once more in the first quiet moment after that: something may have come while the scan was under way.
        """
        watched, scanned, again = _identity(self.root), time.monotonic(), True
        try:
            for events in watchfiles.watch(
                self.root,
                watch_filter=self._may_matter,
                debounce=_BURST,
                step=_QUIET,
                rust_timeout=_TICK,
                yield_on_timeout=True,
                stop_event=stop,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                if _identity(self.root) != watched:
                    return
                if events or again or time.monotonic() - scanned > _TRUTH_EVERY:
                    scanned, again = time.monotonic(), bool(events)
                    yield
        except (OSError, RuntimeError):
            stop.wait(_POLL_EVERY)  # the folder went away in between, or the system has no watches left


class Unsettled(Refused):
    """The file is being written right now; the next scan will see it whole."""

    def __init__(self) -> None:
        super().__init__("changed while it was read")


def _patterns(key: str, patterns: Sequence[str]) -> "pathspec.PathSpec[pathspec.Pattern]":
    try:
        return pathspec.PathSpec.from_lines("gitignore", patterns)
    except (ValueError, re.error) as error:
        raise ConfigError([f"content.{key}: {error}"]) from None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _file_system(path: Path) -> str:
    """Name the type of the file system that holds a path, "" where the system doesn't tell (only Linux does)."""
    try:
        mounts = [line.split(" ")[1:3] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    except OSError:
        return ""
    real = os.path.realpath(path) + "/"
    holders = [(point, kind) for point, kind in mounts if real.startswith(point.rstrip("/") + "/")]
    return max(holders, key=lambda mount: len(mount[0]), default=("", ""))[1]
