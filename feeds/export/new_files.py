"""Writes many files so that each is complete at any time, even if the machine loses its power: the old or the new one.

A file is written under a temporary name, synced to the disk together with others, and renamed. The files are renamed in
the order in which they were written.
"""

import contextlib
import os
import resource
import secrets
import stat
from collections.abc import Iterable
from errno import ELOOP, ENOTDIR
from pathlib import Path
from typing import NamedTuple

from feeds.export.disk import sync_together

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".feeds-", ".tmp"
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE_MODE = 0o644
_MAX_DESCRIPTORS = 512  # and at most a quarter of those that the process may have
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class SyncError(Exception):
    """A written file can't be synced or renamed: its path, and the reason."""

    def __init__(self, path: str, reason: OSError) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


class _NewFile(NamedTuple):
    """A file with a temporary name, and the descriptors of its folder and of itself."""

    path: str
    folder: int
    handle: int
    temporary: str


class NewFiles:
    """The files in a folder that are written but not yet renamed."""

    def __init__(self, root: Path) -> None:
        """`root` is the folder, which need not exist yet."""
        self._root = root
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        is_limited = limit != resource.RLIM_INFINITY
        self._max_descriptors = min(_MAX_DESCRIPTORS, limit // 4) if is_limited else _MAX_DESCRIPTORS
        self._folders: dict[str, int] = {}  # descriptors of open folders, by path
        self._files: list[_NewFile] = []  # in the order in which they were written

    @property
    def is_full(self) -> bool:
        """Whether `flush` must be called before the next file is written, because of the open descriptors."""
        return len(self._folders) + len(self._files) >= self._max_descriptors

    def write(self, path: str, chunks: Iterable[bytes]) -> os.stat_result:
        """Write a file under a temporary name, which `flush` renames. Return the file's status.

        Missing folders are created. Raise `OSError` if the file can't be written, which is `NotADirectoryError` if a
        folder of the path is a symbolic link.
        """
        folder, _, _ = path.rpartition("/")
        temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
        descriptor = self._open_folder(folder)
        handle = os.open(temporary, _FILE_FLAGS, FILE_MODE, dir_fd=descriptor)
        new = _NewFile(path, descriptor, handle, temporary)
        try:
            for chunk in chunks:
                _write_all(handle, chunk)
            status = os.fstat(handle)
            if stat.S_IMODE(status.st_mode) != FILE_MODE:  # because of the umask
                os.fchmod(handle, FILE_MODE)
        except BaseException:
            _remove(new)
            raise
        self._files.append(new)
        return status

    def flush(self) -> None:
        """Wait until the disk has all files, and rename them. Raise `SyncError` if that fails for one."""
        done, path = 0, self._files[0].path if self._files else ""
        try:
            if not sync_together([new.handle for new in self._files]):
                for new in self._files:
                    path = new.path
                    os.fsync(new.handle)
            for new in self._files:
                path = new.path
                os.replace(new.temporary, path.rpartition("/")[2], src_dir_fd=new.folder, dst_dir_fd=new.folder)
                done += 1
        except OSError as error:
            raise SyncError(path, error) from error
        finally:
            renamed, self._files = self._files[:done], self._files[done:]
            for new in renamed:
                _close(new.handle)
            self.discard()

    def discard(self) -> None:
        """Remove the files that are not renamed."""
        while self._files:
            _remove(self._files.pop())
        while self._folders:
            _close(self._folders.popitem()[1])

    def _open_folder(self, path: str) -> int:
        """Return the descriptor of a folder, which is created if it does not exist."""
        descriptor = self._folders.get(path)
        if descriptor is None:
            descriptor = os.open(self._root, FOLDER_FLAGS)
            for name in filter(None, path.split("/")):
                parent = descriptor
                try:
                    descriptor = _open_or_create(parent, name)
                finally:
                    _close(parent)
            self._folders[path] = descriptor
        return descriptor


def open_folder(parent: int, name: str) -> int:
    """Open a folder in another one. Raise `NotADirectoryError` for a symbolic link."""
    try:
        return os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno == ELOOP:  # a symbolic link, for which Linux returns ENOTDIR
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR)) from error
        raise


def _open_or_create(parent: int, name: str) -> int:
    try:
        return open_folder(parent, name)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another process has created it meanwhile
            os.mkdir(name, dir_fd=parent)
        return open_folder(parent, name)


def _close(descriptor: int) -> None:
    """Close a descriptor. An error would be one of a file that is synced, or that is removed."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def _remove(new: _NewFile) -> None:
    _close(new.handle)
    with contextlib.suppress(OSError):
        os.unlink(new.temporary, dir_fd=new.folder)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
