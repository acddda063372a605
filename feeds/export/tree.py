"""The static tree in a folder. Each file is the old or the new one, never a part of one.

Every file is opened relative to the folder that it is in, and each folder relative to the one above, without following
symbolic links (openat, O_NOFOLLOW). So nothing outside the tree is written or removed, whatever is in the tree and
whatever its manifest says; the tree itself may be reached by a link.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from errno import EISDIR, ELOOP, ENOENT, ENOTDIR
from pathlib import Path
from typing import Any, BinaryIO

from feeds.errors import FeedsError
from feeds.export.target import HEAD, MANIFEST, NOTHING, Stamp, Target

_UNFINISHED = "/.feeds-unfinished"  # is there while a run is under way, and after one that was cut short
_MANIFEST = f"/{MANIFEST}"
_TEMPORARY, _TEMPORARY_END = ".feeds-", ".tmp"
_READABLE = 0o644
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TOUCHED = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_FILE = {ENOENT, ENOTDIR, EISDIR, ELOOP}  # the last one is of a symbolic link
_CHUNK = 1 << 20  # bytes that are compared at a time


class _SourceError(Exception):
    """The file that is copied can't be read, which is no failure of the export."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason)
        self.reason = reason


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file. Raise `_SourceError` if it can't be read."""
    while True:
        try:
            chunk = source.read(_CHUNK)
        except OSError as error:
            raise _SourceError(error) from error
        if not chunk:
            return
        yield chunk


class Tree(Target):
    """A folder that we write documents to."""

    at_once = 4  # a disk takes milliseconds to promise that it keeps a file, in which the next can be rendered

    def __init__(self, root: Path) -> None:
        self._root = root
        super().__init__(str(root))
        self._was_cut_short = self._is_there(_UNFINISHED)

    def write(self, path: str, body: bytes, digest: str, *, coding: str = "", force: bool = False) -> bool:  # noqa: ARG002  # who serves files tells it by the name
        """Write a file, unless its bytes are these already. Tells whether it did. Raises `FeedsError`."""
        same = not force and self._stamp(path)[0] == len(body) and self._read(path) == body
        if not same:
            self._replace(path, body)
        self._facts[path] = (digest, *self._stamp(path))
        return not same

    def copy(self, path: str, source: Path, digest: str, *, force: bool = False) -> bool:
        """Write a copy of a file, unless the bytes are the same already. Return whether it was written.

        Raises:
            OSError: the source can't be read.
            FeedsError: the copy can't be written.
        """
        with source.open("rb") as stream:
            same = not force and self._is_same(path, stream)
            if not same:
                stream.seek(0)
                try:
                    self._replace(path, stream)
                except _SourceError as error:
                    raise error.reason from None
        self._facts[path] = (digest, *self._stamp(path))
        return not same

    def is_foreign(self, path: str, body: bytes) -> bool:
        """Return whether a file is there that is not ours, or a symbolic link in the place of a folder."""
        return self._is_behind_link(path) or super().is_foreign(path, body)

    def _stamp(self, path: str) -> Stamp:
        try:
            facts = self._place(path).lstat()
        except OSError:
            return NOTHING
        return (facts.st_size, facts.st_mtime_ns) if stat.S_ISREG(facts.st_mode) else NOTHING

    def _is_there(self, path: str) -> bool:
        return os.path.lexists(self._place(path))

    def _read(self, path: str) -> bytes:
        try:
            with self._opened(path) as stream:
                return stream.read()
        except OSError as error:
            if error.errno in _NO_FILE:
                return b""
            # with a manifest that is taken for missing, what was withdrawn would stay
            raise FeedsError(
                f"{self._place(path)}: can't be read: {error.strerror or error}; nothing was written"
            ) from error

    def _head(self, path: str) -> bytes | None:
        try:
            with self._opened(path) as stream:
                return stream.read(HEAD)
        except OSError:
            return None

    def plan(self, published: Iterable[str], changed: Iterable[str]) -> None:
        """Say in the manifest what will be ours, and beside it that a run is under way."""
        published = set(published)
        with self._translated(_UNFINISHED):
            self._root.mkdir(parents=True, exist_ok=True)
            with self._folder_of(_UNFINISHED) as (handle, name):
                os.close(os.open(name, _TOUCHED, _READABLE, dir_fd=handle))
        super().plan(published, changed)
        self._make_way(published)

    def _make_way(self, published: set[str]) -> None:
        """Remove our files that are no longer published where a folder is needed, or in a folder where a file is."""
        stale = set(self.stale(published))
        if stale:
            needed = {above for path in published for above in _above(path) if above in stale}
            self._remove([path for path in stale if path in needed or not published.isdisjoint(_above(path))])

    def finish(self, published: Iterable[str]) -> list[str]:
        """Remove our files that are no longer published, and what a run that was cut short has left."""
        stale = super().finish(published)
        if self._was_cut_short:
            for folder in {path.rpartition("/")[0] for path in self._facts}:
                self._remove_leftovers(folder)
        self._remove([_UNFINISHED])
        return stale

    def _remove_leftovers(self, folder: str) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._folder_of(f"{folder}/x") as (handle, _):
            for name in os.listdir(handle):  # noqa: PTH208  # by its descriptor
                if not (name.startswith(_TEMPORARY) and name.endswith(_TEMPORARY_END)):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=handle)

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            with self._translated(path):
                try:
                    with self._folder_of(path) as (handle, name):
                        os.unlink(name, dir_fd=handle)
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    continue  # it is gone, or somebody else's is in its place, or in that of its folder
            for folder in _above(path):
                try:
                    with self._folder_of(folder) as (handle, name):
                        os.rmdir(name, dir_fd=handle)
                except OSError:
                    break

    def _keep(self, manifest: bytes) -> None:
        with self._translated(_MANIFEST):
            self._root.mkdir(parents=True, exist_ok=True)
        if self._read(_MANIFEST) != manifest:
            self._replace(_MANIFEST, manifest)

    def _place(self, path: str) -> Path:
        """Return where a file is, to look at it; what is written or removed is opened folder by folder."""
        if ".." in path.split("/"):
            raise FeedsError(f"{path}: leads out of {self._root}")
        return self._root / path.lstrip("/")

    @contextlib.contextmanager
    def _folder_of(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder that a file is in; yield its descriptor and the file's name.

        Raises `OSError`, `NotADirectoryError` too where a symbolic link is in the place of a folder.
        """
        self._place(path)
        *folders, name = [part for part in path.split("/") if part and part != "."]
        handle = os.open(self._root, _FOLDER)
        try:
            for folder in folders:
                inner = _open_folder(handle, folder, make=make)
                os.close(handle)
                handle = inner
            yield handle, name
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _opened(self, path: str) -> Iterator[BinaryIO]:
        with self._folder_of(path) as (handle, name):
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
        with os.fdopen(file, "rb") as stream:
            yield stream

    def _is_same(self, path: str, source: BinaryIO) -> bool:
        try:
            with self._opened(path) as stream:
                while (some := source.read(_CHUNK)) == stream.read(_CHUNK):
                    if not some:
                        return True
        except OSError:
            return False
        return False

    def _is_behind_link(self, path: str) -> bool:
        try:
            with self._folder_of(path):
                return False
        except NotADirectoryError:
            return any(self._place(folder).is_symlink() for folder in _above(path))
        except OSError:
            return False

    def _replace(self, path: str, body: bytes | BinaryIO) -> None:
        """Write beside the file and put it in its place, so that a reader sees the old bytes or the new ones."""
        with self._translated(path), self._folder_of(path, make=True) as (folder, name):
            temporary = f"{_TEMPORARY}{secrets.token_hex(8)}{_TEMPORARY_END}"
            handle = os.open(temporary, _NEW, _READABLE, dir_fd=folder)
            try:
                with os.fdopen(handle, "wb") as stream:
                    if isinstance(body, bytes):
                        stream.write(body)
                    else:
                        stream.writelines(_chunks(body))
                    stream.flush()
                    os.fchmod(stream.fileno(), _READABLE)
                    os.fsync(stream.fileno())
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise

    @contextlib.contextmanager
    def _translated(self, path: str) -> Any:
        try:
            yield
        except NotADirectoryError as error:
            said = "a file or a symbolic link is where a folder is needed; remove it"
            raise FeedsError(f"{self._root}{path}: can't be written: {said}") from error
        except OSError as error:
            said = f"{self._root}{path}: can't be written: {error.strerror or error}; what was there is untouched"
            raise FeedsError(said) from error


def _open_folder(above: int, name: str, *, make: bool) -> int:
    """Open a folder in another one, or `make` it. Raises `NotADirectoryError` for a symbolic link."""
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
    except FileNotFoundError:
        if not make:
            raise
    except OSError as error:
        if error.errno == ELOOP:  # what some systems say of a link, where Linux says that it is no folder
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR)) from error
        raise
    with contextlib.suppress(FileExistsError):  # another thread has made it
        os.mkdir(name, dir_fd=above)
    return _open_folder(above, name, make=False)


def _above(path: str) -> list[str]:
    """Return the folders that a file is in, but for the tree itself, the innermost first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts) - 1, 1, -1)]
