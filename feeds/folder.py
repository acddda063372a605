"""The folder of articles: what is in it now, and a hint when it may have changed. It reads, and never writes.

`scan` is the truth and `watch` only a hint: events are lost when queues overflow, folders are moved in or roots are
replaced, and some file systems send none at all.
"""

import os
import re
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import pathspec

from feeds.errors import ConfigError, FolderGone, Refused, Unreadable
from feeds.text import clean

_INODE = (1 << 63) - 1  # some file systems number with 64 bits, which no database's integer holds
_SUFFIXES = (".md", ".markdown")
_NEVER = (".", "~$", "_index.")  # hidden, Office's, and Hugo's list pages
_TO_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO would block
_SILENT = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs",
           "fuse.sshfs", "fuse.grpcfuse", "fuse.osxfs", "vboxsf"}  # fmt: skip
_EXPORTED = (".xml", ".json")
_TICK = 500  # ms between two looks at whether the folder is still the same one
_QUIET = 20  # ms without an event after which a burst of them is over
_BURST = 300  # ms after which a burst is told of even if it goes on
_TRUTH_EVERY = 30.0  # s between two scans though no event came; more where a scan takes long
_TRUTH_AT_LEAST_EVERY = 600.0  # s
_POLL_EVERY = 1.0  # s between two scans where there are no events

Watch = Literal["auto", "events", "poll", "off"]


class Found(NamedTuple):
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
        self._root = os.fspath(root)
        self._scan_took = 0.0  # s, the last time
        self._include = _patterns("include", include)
        self._exclude = _patterns("exclude", exclude)
        self._every = set(include) == {f"**/*{suffix}" for suffix in _SUFFIXES} and not exclude  # as nearly always

    def scan(self, below: str = "", after: str = "") -> Iterator[Found]:
        """Give all articles by path, or only that of a path or those below it, or of all those after a path.

        Raises `FolderGone` if the folder, or one below it while it is listed, is away.
        """
        root = os.path.realpath(self.root)
        try:
            if not below:
                began = time.monotonic()
                yield from self._walk("", root, after)
                self._scan_took = time.monotonic() - began
            elif self.root.is_dir() and self._is_ours(below):
                inner = Path(root, below)
                if inner.is_dir() and not inner.is_symlink():
                    yield from self._walk(f"{below}/", root)
                elif os.path.lexists(inner):
                    yield self._look(str(inner), below, root)
            elif not self.root.is_dir():
                raise FileNotFoundError  # noqa: TRY301  # the folder itself is gone
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
        return self._is_ours(path) and (path.lower().endswith(_SUFFIXES) or (self.root / path).is_dir())

    def has(self, path: str) -> bool:
        """Tell whether there is a file at a path."""
        return os.path.lexists(self.root / path)

    def count(self) -> int:
        """Give about how many articles there are, without looking at each."""
        return sum(
            name.lower().endswith(_SUFFIXES) for _, _, names in os.walk(os.path.realpath(self.root)) for name in names
        )

    def _walk(self, prefix: str, root: str, after: str = "") -> Iterator[Found]:
        """Give the articles of a folder ("" or ending in "/") and of those in it, by path as it is shown."""
        open_ = [(prefix, iter(_listed(f"{root}/{prefix}")))]
        while open_:
            prefix, names = open_[-1]
            for shown, name in names:
                path = prefix + name
                if path <= after and not after.startswith(f"{path}/"):
                    continue
                if shown[-1] == "/":
                    if not self._exclude.match_file(path + "/"):
                        open_.append((path + "/", iter(_listed(f"{root}/{path}"))))
                        break
                elif self._wanted(path):
                    yield self._look(f"{root}/{path}", path, root)
            else:
                open_.pop()

    def _wanted(self, path: str) -> bool:
        if self._every:  # which costs a fifth of what looking at all files does
            return path.endswith(_SUFFIXES)
        return self._include.match_file(path) and not self._exclude.match_file(path)

    def _is_ours(self, path: str) -> bool:
        """Tell whether a scan would come to a path."""
        parts = path.split("/")
        above = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return not any(map(_is_never, parts)) and not any(map(self._exclude.match_file, above))

    @staticmethod
    def _look(place: str, path: str, root: str) -> Found:
        shown = "/".join(map(_shown, path.split("/")))
        if shown != path:
            kind = "holds a line break or a control character" if _is_utf8(path) else "is not UTF-8"
            return Found(shown, problem=f"the file name {kind}; rename it")
        try:
            facts = os.lstat(place)
            if stat.S_ISLNK(facts.st_mode):
                if not os.path.realpath(place).startswith(root + os.sep):
                    return Found(path, problem="a symbolic link that leads out of the content folder")
                facts = os.stat(place)  # noqa: PTH116  # a Path for each would cost more than the look itself
        except OSError as error:
            return Found(path, problem=f"can't be read: {error.strerror}")
        if not stat.S_ISREG(facts.st_mode):
            return Found(path, problem="not a regular file")
        return Found(path, facts.st_mtime_ns, facts.st_size, facts.st_ino & _INODE)

    def expect(self, files: Iterable[Found]) -> None:
        """Have the system fetch files that are read soon, all at once, where it does: a disk has many hands."""
        able = hasattr(os, "posix_fadvise")
        for file in (one for one in files if able and not one.problem):
            with suppress(OSError):  # whoever reads it says what is wrong
                handle = os.open(f"{self._root}/{file.path}", _TO_READ)
                try:
                    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_WILLNEED)
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
        if how == "auto" and _file_system(self.root) in _SILENT:
            how = "poll"
        while not stop.is_set():
            yield None
            if how == "off":
                stop.wait()
            elif how == "poll" or not self.root.is_dir():
                stop.wait(_POLL_EVERY)
            else:
                yield from self._events(stop)

    def _may_matter(self, _change: object, path: str) -> bool:
        """Tell whether an event may concern articles: not if it is hidden, as our own catalog may be, or exported."""
        inside = Path(os.path.relpath(path, os.path.realpath(self.root))).parts
        return not any(part.startswith(".") for part in inside) and not path.endswith(_EXPORTED)

    def _events(self, stop: threading.Event) -> Iterator[set[str] | None]:
        """Yield on events, and every so often without, for as long as the folder is the one we are watching.

        Once more in the first quiet moment after the start: something may have come before it was watched.
        """
        import watchfiles  # which only `serve` needs

        watched, scanned, again = _identity(self.root), time.monotonic(), True
        root = os.path.realpath(self.root)
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
                every = min(max(_TRUTH_EVERY, 20 * self._scan_took), _TRUTH_AT_LEAST_EVERY)
                if again or time.monotonic() - scanned > every:
                    scanned, again = time.monotonic(), bool(events and again)
                    yield None
                elif events:
                    yield {os.path.relpath(path, root).replace(os.sep, "/") for _, path in events}
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


def _read(handle: int, most: int) -> bytes:
    """Read so many bytes; a system may give them in parts."""
    data = os.read(handle, most)
    while len(data) < most and (more := os.read(handle, most - len(data))):
        data += more
    return data


def _listed(folder: str) -> list[tuple[str, str]]:
    """Give the articles and the folders in a folder, as (name as it is shown, name), folders shown with a "/"."""
    with os.scandir(folder) as items:
        return sorted(
            (_shown(item.name) + ("/" if is_folder else ""), item.name)
            for item in items
            if not _is_never(item.name)
            and ((is_folder := item.is_dir(follow_symlinks=False)) or item.name.lower().endswith(_SUFFIXES))
        )


def _is_never(name: str) -> bool:
    return name.startswith(_NEVER) or name.endswith("~")


def _is_utf8(path: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in path)


def _shown(name: str) -> str:
    """Spell out what a name should not hold."""
    if name.isprintable() or (_is_utf8(name) and clean(name) == name and "\n" not in name):
        return name
    if not _is_utf8(name):
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return repr(name)[1:-1]


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
