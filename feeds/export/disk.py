"""Waits until the disk has many files at once.

Each `fsync` waits for the disk, even if it has nothing left to write. Linux can sync a whole file system with one call
(`syncfs`), which also waits for the files of other programs.
"""

import ctypes
import functools
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

_MIN_FILES = 16
_MAX_DIRTY_KB = 128 << 10  # of all programs
_FILE_SYSTEMS = {"ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs"}  # others may ignore the call, or not report errors
_REPORTS_ERRORS = (5, 8)  # since this version of Linux
_MEMORY_USE = Path("/proc/meminfo")
_MOUNTS = Path("/proc/self/mountinfo")


def sync_together(handles: Sequence[int]) -> bool:
    """Wait until the disk has all files, if that is possible with few calls; return whether it is.

    It is not possible for few files, on some systems, and while the system has much to write.

    Args:
        handles: descriptors of the files, which were opened before they were written: the system reports errors since
            then.

    Raises:
        OSError: the disk has rejected one of the files, or one of another program.
    """
    sync_file_system = _syncfs()
    if sync_file_system is None or len(handles) < _MIN_FILES or not _has_little_to_write():
        return False
    devices: dict[int, int] = {}  # the first of the handles by file system
    for handle in handles:
        devices.setdefault(os.fstat(handle).st_dev, handle)
    if not all(_types().get(device) in _FILE_SYSTEMS for device in devices):
        return False
    for handle in devices.values():
        if sync_file_system(handle):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
    return True


def _has_little_to_write() -> bool:
    """Return whether the memory of the system has few bytes of files that the disk does not have yet."""
    try:
        memory = _MEMORY_USE.read_text("ascii")
    except OSError:
        return False
    return sum(map(int, re.findall(r"^(?:Dirty|Writeback): +(\d+) kB", memory, re.MULTILINE))) <= _MAX_DIRTY_KB


@functools.cache
def _types() -> dict[int, str]:
    """Return the types of the mounted file systems by device; see proc_pid_mountinfo(5)."""
    types: dict[int, str] = {}
    with suppress(OSError, ValueError, IndexError):
        for line in _MOUNTS.read_text("utf-8", "replace").splitlines():
            before, _, after = line.partition(" - ")
            major, _, minor = before.split(" ")[2].partition(":")
            types[os.makedev(int(major), int(minor))] = after.split(" ")[0]
    return types


@functools.cache
def _syncfs() -> Callable[[int], int] | None:
    """Return the function syncfs(2) of the C library; None if it doesn't exist or doesn't report errors."""
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if sys.platform != "linux" or not version or tuple(map(int, version.groups())) < _REPORTS_ERRORS:
        return None
    syncfs: Callable[[int], int] | None = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return syncfs
