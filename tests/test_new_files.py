"""Tests of the files that an export writes together: whatever fails, each file is the old one or the new one."""

import errno
import os
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from feeds.core.errors import FeedsError
from feeds.export import new_files
from feeds.export.new_files import NewFiles, SyncError
from feeds.export.tree import FolderTarget


def names(folder):
    """Return the names of the files in a folder."""
    return sorted(file.name for file in folder.iterdir())


def test_files_appear_when_all_are_synced(tmp_path):
    """No file has its name before all are synced, and each then has its bytes and can be read by everyone."""
    files, paths = NewFiles(tmp_path), [f"/{number % 3}/{number}.xml" for number in range(40)]
    for path in paths:
        files.write(path, [path.encode(), b"!"])
    assert all(file.name.startswith(".feeds-") for file in tmp_path.rglob("*") if file.is_file())
    files.flush()
    written = {f"/{file.relative_to(tmp_path)}": file for file in tmp_path.rglob("*") if file.is_file()}
    assert {path: file.read_bytes() for path, file in written.items()} == {path: f"{path}!".encode() for path in paths}
    assert {file.stat().st_mode & 0o777 for file in written.values()} == {0o644}


def test_files_appear_in_order(tmp_path, monkeypatch):
    """Files are renamed in the order in which they were written, so none appears before a file that it lists."""
    replace, renamed = os.replace, []

    def record(source, target, **folders):
        renamed.append(target)
        replace(source, target, **folders)

    monkeypatch.setattr(os, "replace", record)
    files, paths = NewFiles(tmp_path), [f"{number}.xml" for number in range(30)]
    for path in paths:
        files.write(f"/{path}", [b"1"])
    files.flush()
    assert renamed == paths


def open_descriptors():
    """Return the number of descriptors that this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.parametrize("count", [1, 5, 40])
def test_files_that_cannot_be_synced(tmp_path, monkeypatch, count):
    """If the disk rejects a file after it was written, an error names one of the files, and none of them appears."""
    (tmp_path / "0.xml").write_bytes(b"old")
    failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full(_):
        raise failure

    def failing_syncfs(_):
        new_files.ctypes.set_errno(errno.ENOSPC)
        return -1

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(new_files, "_syncfs", lambda: failing_syncfs)
    monkeypatch.setattr(new_files, "_has_little_to_write", lambda: True)
    target = FolderTarget(tmp_path)
    with pytest.raises(FeedsError, match=r"/0\.xml: can't be written: No space left on device"), target.flushed():
        for number in range(count):
            target.write(f"/{number}.xml", b"new", "d")
    assert names(tmp_path) == ["0.xml"]
    assert (tmp_path / "0.xml").read_bytes() == b"old"


def test_a_file_that_cannot_be_renamed(tmp_path):
    """If a file can't be renamed, the error names it, earlier files appear, and later ones are removed."""
    (tmp_path / "2").mkdir()
    files, before = NewFiles(tmp_path), open_descriptors()
    for number in range(5):
        files.write(f"/{number}", [b"1"])
    with pytest.raises(SyncError) as caught:
        files.flush()
    assert (caught.value.path, type(caught.value.reason)) == ("/2", IsADirectoryError)
    assert names(tmp_path) == ["0", "1", "2"]
    assert open_descriptors() == before
    files.write("/3", [b"1"])
    files.flush()
    assert names(tmp_path) == ["0", "1", "2", "3"]


def test_a_source_that_fails(tmp_path):
    """If the bytes of a file can't be read to their end, it does not appear, and the other files do."""

    def chunks():
        yield b"1"
        raise ValueError("no")

    files = NewFiles(tmp_path)
    files.write("/a", [b"1"])
    with pytest.raises(ValueError, match="no"):
        files.write("/b", chunks())
    files.write("/c", [b"1"])
    files.flush()
    assert names(tmp_path) == ["a", "c"]


@pytest.mark.parametrize(
    ("system", "version", "dirty", "is_together"),
    [
        ("linux", "6.1.0-generic", "Dirty:              1000 kB\nWriteback:             0 kB\n", True),
        ("linux", "6.1.0-generic", "Dirty:          15000000 kB\nWriteback:             0 kB\n", False),
        ("linux", "6.1.0-generic", "Dirty:                 0 kB\nWriteback:        200000 kB\n", False),
        ("linux", "6.1.0-generic", None, False),
        ("linux", "5.7.19", "Dirty: 0 kB\nWriteback: 0 kB\n", False),
        ("linux", "unknown", "Dirty: 0 kB\nWriteback: 0 kB\n", False),
        ("darwin", "24.6.0", None, False),
    ],
)
def test_systems(tmp_path, monkeypatch, system, version, dirty, is_together):
    """Many files are synced with one call if that reports errors, and does not wait long for other programs' files."""
    memory = tmp_path / "meminfo"
    if dirty is not None:
        memory.write_text(f"MemTotal:       24000000 kB\n{dirty}WritebackTmp:    9000000 kB\n")
    monkeypatch.setattr(new_files, "_MEMORY_USE", str(memory))
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(new_files.sys, "platform", system)
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=version))
    fsync, synced = os.fsync, []

    def record(handle):
        synced.append(handle)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    new_files._syncfs.cache_clear()
    try:
        files = NewFiles(root)
        for number in range(40):
            files.write(f"/{number}", [b"1"])
        files.flush()
    finally:
        new_files._syncfs.cache_clear()
    assert len(synced) == (0 if is_together else 40)
    assert len(names(root)) == 40


def test_few_descriptors(tmp_path):
    """Files that are not yet renamed use at most a quarter of the descriptors that the process may have."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, limits[1]))
    try:
        target = FolderTarget(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    before = open_descriptors()
    with target.flushed():
        for number in range(20):
            target.write(f"/{number}.xml", b"1", "d")
            assert open_descriptors() <= before + 8
    assert len(names(tmp_path)) == 20


def test_after_an_error_nothing_is_renamed(tmp_path):
    """If an export fails, files that were written but not yet renamed are removed, and their descriptors are closed."""
    target, before = FolderTarget(tmp_path), open_descriptors()
    (tmp_path / "a.xml").write_text("old")
    with pytest.raises(ValueError, match="no"), target.flushed():
        target.write("/a.xml", b"new", "d")
        raise ValueError("no")
    assert (tmp_path / "a.xml").read_text() == "old"
    assert names(tmp_path) == ["a.xml"]
    assert open_descriptors() == before
