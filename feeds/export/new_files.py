"""Writes many files so that each is complete at any time, even if the machine loses its power: the old or the new one.

A file is written under a temporary name, synced to the disk together with others, and renamed. The files are renamed in
the order in which they were written.
"""

import contextlib
import ctypes
import functools
import os
import re
import resource
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from errno import ELOOP, ENOTDIR
from pathlib import Path
from typing import NamedTuple

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".feeds-", ".tmp"
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE_MODE = 0o644
_MAX_DESCRIPTORS = 512  # and at most a quarter of those that the process may have
_MIN_SYNCED_TOGETHER = 16  # files
_MAX_DIRTY_KB = 128 << 10  # of all programs; `syncfs` would wait until all are on the disk
_MEMORY_USE = "/proc/meminfo"
_SYNCFS_REPORTS_ERRORS = (5, 8)  # since this version of Linux
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
        renamed = 0
        try:
            _sync([new.handle for new in self._files])
            for new in self._files:
                os.replace(new.temporary, new.path.rpartition("/")[2], src_dir_fd=new.folder, dst_dir_fd=new.folder)
                renamed += 1
        except OSError as error:
            raise SyncError(self._files[renamed].path, error) from error
        finally:
            for new in self._files[:renamed]:
                os.close(new.handle)
            del self._files[:renamed]
            self.discard()

    def discard(self) -> None:
        """Remove the files that are not renamed."""
        while self._files:
            _remove(self._files.pop())
        while self._folders:
            os.close(self._folders.popitem()[1])

    def _open_folder(self, path: str) -> int:
        """Return the descriptor of a folder, which is created if it does not exist."""
        descriptor = self._folders.get(path)
        if descriptor is None:
            parent, _, name = path.rpartition("/")
            if not path:
                descriptor = os.open(self._root, FOLDER_FLAGS)
            else:
                descriptor = _open_or_create(self._open_folder(parent), name)
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


def _remove(new: _NewFile) -> None:
    os.close(new.handle)
    with contextlib.suppress(OSError):
        os.unlink(new.temporary, dir_fd=new.folder)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _sync(handles: Sequence[int]) -> None:
    """Wait until the disk has all files, which may be in several file systems. Raise `OSError` if it rejects one.

    The files must have been opened before they were written. Each `fsync` waits for the disk. Linux can sync a whole
    file system with one call, which also waits for the files of other programs.
    """
    sync_file_system = _syncfs()
    if sync_file_system is None or len(handles) < _MIN_SYNCED_TOGETHER or not _has_little_to_write():
        for handle in handles:
            os.fsync(handle)
        return
    for handle in {os.fstat(handle).st_dev: handle for handle in handles}.values():
        if sync_file_system(handle):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))


def _has_little_to_write() -> bool:
    """Return whether the memory of the system has few bytes of files that the disk does not have yet."""
    try:
        memory = Path(_MEMORY_USE).read_text("ascii")
    except OSError:
        return False
    return sum(map(int, re.findall(r"^(?:Dirty|Writeback): +(\d+) kB", memory, re.MULTILINE))) <= _MAX_DIRTY_KB


@functools.cache
def _syncfs() -> Callable[[int], int] | None:
    """Return the function syncfs(2) of the C library; None if it doesn't exist or doesn't report errors."""
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if sys.platform != "linux" or not version or tuple(map(int, version.groups())) < _SYNCFS_REPORTS_ERRORS:
        return None
    syncfs: Callable[[int], int] | None = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return syncfs
