"""An export to a folder. At any time each file is complete: the old one or the new one.

Every file is opened relative to its folder, and each folder relative to its parent, without following symbolic links
(openat, O_NOFOLLOW). So nothing outside the export's folder is written or removed, whatever the folder contains and
whatever its manifest says. The path of the folder itself may contain links.

A file is written under a temporary name, synced to the disk, and renamed. Threads sync the last files while the next
ones are rendered. The files are renamed in the order in which they were written.
"""

import contextlib
import os
import resource
import secrets
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from errno import EISDIR, ELOOP, ENOENT, ENOTDIR
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from feeds.core.errors import FeedsError
from feeds.export.target import HEAD_BYTES, MANIFEST, NO_FILE, ExportTarget, ManifestEntry, Stamp

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_MAX_REAL_FOLDERS = 100_000
_MAX_UNSYNCED = 16  # files, with two descriptors each, and at most a quarter of those that the process may have
_UNFINISHED = "/.feeds-unfinished"  # exists while an export is running, and after one that was interrupted
_MANIFEST = f"/{MANIFEST}"
_TEMPORARY_PREFIX, _TEMPORARY_SUFFIX = ".feeds-", ".tmp"
_FILE_MODE = 0o644
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TOUCH_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_FILE_ERRORS = {ENOENT, ENOTDIR, EISDIR, ELOOP}  # ELOOP: it is a symbolic link
_CHUNK_BYTES = 1 << 20


class _SourceError(Exception):
    """The source of a copy can't be read; the export continues."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason)
        self.reason = reason


class _NewFile:
    """A file with a temporary name that was written, and is not yet synced to the disk."""

    def __init__(self, path: str, folder: int, handle: int, temporary: str) -> None:
        """Own the descriptors of the folder and of the file. `path` is where the file will be in the export."""
        self.path = path
        self.synced: Future[None] | None = None  # None: not by a thread
        self._folder = folder
        self._handle = handle
        self._temporary = temporary

    def sync(self) -> None:
        """Wait until the disk has the file."""
        os.fsync(self._handle)

    def finish(self) -> None:
        """Rename the file as soon as it is synced, so that readers get the old bytes or the new ones."""
        try:
            if self.synced:
                self.synced.result()
            else:
                self.sync()
            handle, self._handle = self._handle, -1
            os.close(handle)
            name = self.path.rpartition("/")[2]
            os.replace(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except BaseException:
            self.discard()
            raise
        os.close(self._folder)

    def discard(self) -> None:
        """Remove the file."""
        with contextlib.suppress(BaseException):
            if self.synced and not self.synced.cancel():
                self.synced.result()  # its descriptor is in use
        if self._handle >= 0:
            os.close(self._handle)
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)
        os.close(self._folder)


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file. Raise `_SourceError` if it can't be read."""
    while True:
        try:
            chunk = source.read(_CHUNK_BYTES)
        except OSError as error:
            raise _SourceError(error) from error
        if not chunk:
            return
        yield chunk


class FolderTarget(ExportTarget):
    """The target of an export: a folder."""

    sync_threads = 4  # 1: each file is synced before the next one is rendered

    def __init__(self, root: Path) -> None:
        self._root = root
        self._unsynced = deque[_NewFile]()  # in the order in which they were written
        self._threads: ThreadPoolExecutor | None = None
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # may be infinite, which is -1
        self._max_unsynced = min(_MAX_UNSYNCED, descriptors // 8) if descriptors >= 0 else _MAX_UNSYNCED
        self._real_folders = set[str]()  # without a symbolic link when they were checked
        super().__init__(str(root))
        self._was_interrupted = self._exists(_UNFINISHED)

    def write(self, path: str, body: bytes, digest: str, *, coding: str = "", force: bool = False) -> bool:  # noqa: ARG002  # web servers infer the coding from the name
        """Write a file, unless its bytes are already the same. Return whether it was written."""
        stamp = self._stamp(path)
        is_same = not force and stamp.size == len(body) and self._read(path) == body
        if not is_same:
            stamp = self._replace_later(path, body)
        self._entries[path] = ManifestEntry(digest, stamp)
        return not is_same

    def copy(self, path: str, source: Path, digest: str, *, force: bool = False) -> bool:
        """Write a copy of a file, unless the bytes are already the same. Return whether it was written.

        Raises:
            OSError: the source can't be read.
            FeedsError: the copy can't be written.
        """
        with source.open("rb") as stream:
            is_same = not force and self._is_same(path, stream)
            if is_same:
                stamp = self._stamp(path)
            else:
                stream.seek(0)
                try:
                    stamp = self._replace_later(path, stream)
                except _SourceError as error:
                    raise error.reason from None
        self._entries[path] = ManifestEntry(digest, stamp)
        return not is_same

    def is_foreign(self, path: str, body: bytes) -> bool:
        """Return whether a file at the path isn't part of the export, or a folder of the path is a symbolic link."""
        folder = path.rpartition("/")[0]
        if folder not in self._real_folders:
            if self._is_behind_link(path):
                return True
            if len(self._real_folders) < _MAX_REAL_FOLDERS:
                self._real_folders.add(folder)
        return super().is_foreign(path, body)

    def _stamp(self, path: str) -> Stamp:
        try:
            status = os.lstat(self._name(path))
        except OSError:
            return NO_FILE
        return Stamp(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else NO_FILE

    def _exists(self, path: str) -> bool:
        return os.path.lexists(self._name(path))

    def _read(self, path: str) -> bytes:
        try:
            with self._open(path) as stream:
                return stream.read()
        except OSError as error:
            if error.errno in _NO_FILE_ERRORS:
                return b""
            # if the manifest seemed to be missing, withdrawn articles would stay in the export
            raise FeedsError(
                f"{self._file(path)}: can't be read: {error.strerror or error}; nothing was written"
            ) from error

    def _head(self, path: str) -> bytes | None:
        try:
            with self._open(path) as stream:
                return stream.read(HEAD_BYTES)
        except OSError:
            return None

    def begin_export(self, published: Iterable[str], changed: Iterable[str]) -> None:
        """Write a manifest that includes the files to come, and a file that marks the export as unfinished."""
        published = set(published)
        with self._translate_errors(_UNFINISHED):
            self._root.mkdir(parents=True, exist_ok=True)
            with self._open_folder_of(_UNFINISHED) as (handle, name):
                os.close(os.open(name, _TOUCH_FLAGS, _FILE_MODE, dir_fd=handle))
        super().begin_export(published, changed)
        self._remove_obstacles(published)

    def _remove_obstacles(self, published: set[str]) -> None:
        """Remove stale files whose paths must become folders, or whose folders must become files."""
        stale_files = set(self.stale_files(published))
        if stale_files:
            needed = {folder for path in published for folder in _parents(path) if folder in stale_files}
            self._remove([path for path in stale_files if path in needed or not published.isdisjoint(_parents(path))])

    def finish_export(self, published: Iterable[str]) -> list[str]:
        """Remove files that are no longer published, and the temporary files of an interrupted export."""
        stale_files = super().finish_export(published)
        if self._was_interrupted:
            for folder in {path.rpartition("/")[0] for path in self._entries}:
                self._remove_leftovers(folder)
        self._remove([_UNFINISHED])
        return stale_files

    def _remove_leftovers(self, folder: str) -> None:
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            self._open_folder_of(f"{folder}/x") as (handle, _),
        ):
            for name in os.listdir(handle):  # noqa: PTH208  # the folder is an open descriptor
                if not (name.startswith(_TEMPORARY_PREFIX) and name.endswith(_TEMPORARY_SUFFIX)):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=handle)

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            with self._translate_errors(path):
                try:
                    with self._open_folder_of(path) as (handle, name):
                        os.unlink(name, dir_fd=handle)
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    continue  # it was removed, or replaced by a foreign file or folder
            for folder in _parents(path):
                try:
                    with self._open_folder_of(folder) as (handle, name):
                        os.rmdir(name, dir_fd=handle)
                except OSError:
                    break

    def _write_manifest(self, manifest: bytes) -> None:
        with self._translate_errors(_MANIFEST):
            self._root.mkdir(parents=True, exist_ok=True)
        if self._read(_MANIFEST) != manifest:
            self._replace(_MANIFEST, manifest)

    def _file(self, path: str) -> Path:
        """Return the path on disk of a file, for reading its status; writes and removals open folder by folder."""
        return Path(self._name(path))

    def _name(self, path: str) -> str:
        """Return the path on disk of a file as a string: creating a `Path` takes longer than reading the status."""
        if ".." in path.split("/"):
            raise FeedsError(f"{path}: is outside {self._root}")
        return f"{self._root}/{path.lstrip('/')}"

    @contextlib.contextmanager
    def _open_folder_of(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder of a file; yield its descriptor and the file's name.

        Raise `OSError` if it can't be opened, which is `NotADirectoryError` if a folder of the path is a symbolic link.
        """
        self._file(path)
        *folders, name = [part for part in path.split("/") if part and part != "."]
        handle = os.open(self._root, _FOLDER_FLAGS)
        try:
            for folder in folders:
                inner = _open_folder(handle, folder, create=create)
                os.close(handle)
                handle = inner
            yield handle, name
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _open(self, path: str) -> Iterator[BinaryIO]:
        with self._open_folder_of(path) as (handle, name):
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
        with os.fdopen(file, "rb") as stream:
            yield stream

    def _is_same(self, path: str, source: BinaryIO) -> bool:
        try:
            with self._open(path) as stream:
                while (chunk := source.read(_CHUNK_BYTES)) == stream.read(_CHUNK_BYTES):
                    if not chunk:
                        return True
        except OSError:
            return False
        return False

    def _is_behind_link(self, path: str) -> bool:
        try:
            with self._open_folder_of(path):
                return False
        except NotADirectoryError:
            return any(self._file(folder).is_symlink() for folder in _parents(path))
        except OSError:
            return False

    def _replace(self, path: str, body: bytes) -> None:
        """Write a file, and return when the disk has it."""
        with self._translate_errors(path):
            new, _ = self._create(path, body)
            new.finish()

    def _replace_later(self, path: str, body: bytes | BinaryIO) -> Stamp:
        """Write a file under a temporary name, which `flush` renames at the latest. Return its stamp."""
        with self._translate_errors(path):
            new, stamp = self._create(path, body)
        self._unsynced.append(new)
        if self.sync_threads > 1:
            new.synced = self._started_threads().submit(new.sync)
        while len(self._unsynced) > (self._max_unsynced if self.sync_threads > 1 else 0):
            self._finish_first()
        return stamp

    def flush(self) -> None:
        """Wait until the disk has all written files, and rename them."""
        try:
            while self._unsynced:
                self._finish_first()
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove the files that are not renamed yet. End the threads, because a process with threads can't fork."""
        while self._unsynced:
            self._unsynced.popleft().discard()
        threads, self._threads = self._threads, None
        if threads:
            threads.shutdown()

    def _finish_first(self) -> None:
        new = self._unsynced.popleft()
        with self._translate_errors(new.path):
            new.finish()

    def _started_threads(self) -> "ThreadPoolExecutor":
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(self.sync_threads, "sync")
        return self._threads

    def _create(self, path: str, body: bytes | BinaryIO) -> tuple[_NewFile, Stamp]:
        """Write a file under a temporary name, and return it and its stamp. Raise `OSError` if it can't be written."""
        temporary = f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}{_TEMPORARY_SUFFIX}"
        with self._open_folder_of(path, create=True) as (folder, _), contextlib.ExitStack() as descriptors:
            own_folder = os.dup(folder)
            descriptors.callback(os.close, own_folder)
            handle = os.open(temporary, _NEW_FILE_FLAGS, _FILE_MODE, dir_fd=folder)
            descriptors.pop_all()  # the new file has both
        new = _NewFile(path, own_folder, handle, temporary)
        try:
            for chunk in [body] if isinstance(body, bytes) else _chunks(body):
                _write_all(handle, chunk)
            status = os.fstat(handle)
            if stat.S_IMODE(status.st_mode) != _FILE_MODE:  # because of the umask
                os.fchmod(handle, _FILE_MODE)
        except BaseException:
            new.discard()
            raise
        return new, Stamp(status.st_size, status.st_mtime_ns)

    @contextlib.contextmanager
    def _translate_errors(self, path: str) -> Iterator[None]:
        """Raise `FeedsError` instead of `OSError`."""
        try:
            yield
        except NotADirectoryError as error:
            reason = "a file or a symbolic link is where a folder is needed; remove it"
            raise FeedsError(f"{self._root}{path}: can't be written: {reason}") from error
        except OSError as error:
            reason = error.strerror or str(error)
            if os.path.lexists(self._file(path)):
                reason += "; the existing file is unchanged"
            raise FeedsError(f"{self._root}{path}: can't be written: {reason}") from error


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _open_folder(parent: int, name: str, *, create: bool) -> int:
    """Open a folder in another one. If `create` is true, create a missing folder.

    Raise `NotADirectoryError` for a symbolic link.
    """
    try:
        return os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    except OSError as error:
        if error.errno == ELOOP:  # a symbolic link, for which Linux returns ENOTDIR
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR)) from error
        raise
    with contextlib.suppress(FileExistsError):  # another thread created it
        os.mkdir(name, dir_fd=parent)
    return _open_folder(parent, name, create=False)


def _parents(path: str) -> list[str]:
    """Return the folders above a path within the export, the innermost first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts) - 1, 1, -1)]
