"""An export to a folder. At any time each file is complete: the old one or the new one.

Every file is opened relative to its folder, and each folder relative to its parent, without following symbolic links
(openat, O_NOFOLLOW). So nothing outside the export's folder is written or removed, whatever the folder contains and
whatever its manifest says. The path of the folder itself may contain links.

Files are written by `NewFiles`.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from errno import EISDIR, ELOOP, ENOENT, ENOTDIR
from pathlib import Path
from typing import BinaryIO

from feeds.core.errors import FeedsError
from feeds.export.new_files import (
    FILE_MODE,
    FOLDER_FLAGS,
    TEMPORARY_PREFIX,
    TEMPORARY_SUFFIX,
    NewFiles,
    SyncError,
    open_folder,
)
from feeds.export.target import HEAD_BYTES, MANIFEST, NO_FILE, ExportTarget, ManifestEntry, Stamp

_MAX_REAL_FOLDERS = 100_000
_UNFINISHED = "/.feeds-unfinished"  # exists while an export is running, and after one that was interrupted
_MANIFEST = f"/{MANIFEST}"
_TOUCH_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_FILE_ERRORS = {ENOENT, ENOTDIR, EISDIR, ELOOP}  # ELOOP: it is a symbolic link
_CHUNK_BYTES = 1 << 20


class _SourceError(Exception):
    """The source of a copy can't be read; the export continues."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason)
        self.reason = reason


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

    def __init__(self, root: Path) -> None:
        self._root = root
        self._new_files = NewFiles(root)
        self._real_folders = set[str]()  # without a symbolic link when they were checked
        super().__init__(str(root))
        self._was_interrupted = self._exists(_UNFINISHED)

    def write(self, path: str, body: bytes, digest: str, *, coding: str = "", force: bool = False) -> bool:  # noqa: ARG002  # web servers infer the coding from the name
        """Write a file, unless its bytes are already the same. Return whether it was written."""
        stamp = self._stamp(path)
        is_same = not force and stamp.size == len(body) and self._read(path) == body
        if not is_same:
            stamp = self._replace_later(path, [body])
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
                    stamp = self._replace_later(path, _chunks(stream))
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
                os.close(os.open(name, _TOUCH_FLAGS, FILE_MODE, dir_fd=handle))
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
        if self._was_interrupted:  # before folders are removed that become empty
            for folder in {path.rpartition("/")[0] for path in self._entries}:
                self._remove_leftovers(folder)
        stale_files = super().finish_export(published)
        self._remove([_UNFINISHED])
        return stale_files

    def _remove_leftovers(self, folder: str) -> None:
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            self._open_folder_of(f"{folder}/x") as (handle, _),
        ):
            for name in os.listdir(handle):  # noqa: PTH208  # the folder is an open descriptor
                if not (name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)):
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
    def _open_folder_of(self, path: str) -> Iterator[tuple[int, str]]:
        """Open the folder of a file; yield its descriptor and the file's name.

        Raise `OSError` if it can't be opened, which is `NotADirectoryError` if a folder of the path is a symbolic link.
        """
        self._file(path)
        *folders, name = [part for part in path.split("/") if part and part != "."]
        handle = os.open(self._root, FOLDER_FLAGS)
        try:
            for folder in folders:
                inner = open_folder(handle, folder)
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
        self._replace_later(path, [body])
        self.flush()

    def _replace_later(self, path: str, chunks: Iterable[bytes]) -> Stamp:
        """Write a file under a temporary name, which `flush` renames at the latest. Return its stamp."""
        self._name(path)
        with self._translate_errors(path):
            status = self._new_files.write(path, chunks)
        if self._new_files.is_full:
            self.flush()
        return Stamp(status.st_size, status.st_mtime_ns)

    def flush(self) -> None:
        """Wait until the disk has all written files, and rename them."""
        try:
            self._new_files.flush()
        except SyncError as error:
            with self._translate_errors(error.path):
                raise error.reason from None

    def discard(self) -> None:
        """Remove the files that are not renamed yet."""
        self._new_files.discard()

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


def _parents(path: str) -> list[str]:
    """Return the folders above a path within the export, the innermost first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts) - 1, 1, -1)]
