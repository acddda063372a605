"""Tests of syncing many files with one call, which not every system does reliably."""

import ctypes
import errno
import os
from types import SimpleNamespace

import pytest

from feeds.export import disk

QUIET = "Dirty:              1000 kB\nWriteback:             0 kB\n"


@pytest.fixture
def sync(tmp_path, monkeypatch):
    """Return a function that syncs a number of files on a described system; `calls` has the descriptors of calls."""

    def run(count=40, system="linux", version="6.1.0-generic", dirty=QUIET, types=("ext4",), fails=False):
        calls = []

        def syncfs(descriptor):
            calls.append(descriptor)
            ctypes.set_errno(errno.EIO)
            return -1 if fails else 0

        memory, mounts = tmp_path / "meminfo", tmp_path / "mountinfo"
        if dirty is not None:
            memory.write_text(f"MemTotal:       24000000 kB\n{dirty}WritebackTmp:    9000000 kB\n")
        device = tmp_path.stat().st_dev
        mounts.write_text(
            "21 1 0:20 / /proc rw,nosuid - proc proc rw\n"
            + "".join(
                f"{30 + number} 21 {os.major(device)}:{os.minor(device)} / /a-b rw,relatime shared:{number} - {type_} /dev/x rw\n"
                for number, type_ in enumerate(types)
            )
        )
        monkeypatch.setattr(disk, "_MEMORY_USE", memory)
        monkeypatch.setattr(disk, "_MOUNTS", mounts)
        monkeypatch.setattr(disk.sys, "platform", system)
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=version))
        monkeypatch.setattr(disk.ctypes, "CDLL", lambda *_, **__: SimpleNamespace(syncfs=syncfs))
        disk._syncfs.cache_clear()
        disk._types.cache_clear()
        files = [(tmp_path / str(number)).open("wb") for number in range(count)]
        handles = [file.fileno() for file in files]
        try:
            return disk.sync_together(handles), [handles.index(call) for call in calls]
        finally:
            for file in files:
                file.close()

    yield run
    monkeypatch.undo()
    disk._syncfs.cache_clear()
    disk._types.cache_clear()


def test_one_call(sync):
    """Many files of a file system are synced with one call, by the descriptor that was opened first."""
    assert sync() == (True, [0])
    assert sync(version="5.8") == (True, [0])
    assert sync(types=["xfs"]) == (True, [0])


@pytest.mark.parametrize(
    "system",
    [
        {"count": 15},
        {"version": "5.7.19"},
        {"version": "unknown"},
        {"system": "darwin"},
        {"dirty": "Dirty:          15000000 kB\nWriteback:             0 kB\n"},
        {"dirty": "Dirty:                 0 kB\nWriteback:        200000 kB\n"},
        {"dirty": None},
        {"types": ["fuse.sshfs"]},
        {"types": ["overlay"]},
        {"types": []},
    ],
)
def test_no_call(sync, system):
    """A system on which the call is not reliable, or may take long, syncs nothing together."""
    assert sync(**system) == (False, [])


def test_an_error(sync):
    """An error of the call is raised."""
    with pytest.raises(OSError, match="Input/output error"):
        sync(fails=True)


def test_this_system():
    """The mounts of this system can be read."""
    assert not disk._MOUNTS.exists() or "proc" in disk._types().values()
