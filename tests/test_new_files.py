"""Tests of the files that an export writes together: whatever fails, each file is the old one or the new one."""

import ctypes
import errno
import itertools
import os
import resource
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from feeds.core.errors import FeedsError
from feeds.export import disk, new_files
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
        ctypes.set_errno(errno.ENOSPC)
        return -1

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(disk, "_syncfs", lambda: failing_syncfs)
    monkeypatch.setattr(disk, "_has_little_to_write", lambda: True)
    monkeypatch.setattr(disk, "_types", lambda: defaultdict(lambda: "ext4"))
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


def test_one_file_that_cannot_be_synced(tmp_path, monkeypatch):
    """If files are synced one by one, the error names the file that the disk has rejected."""
    fsync, calls = os.fsync, itertools.count()

    def full(handle):
        if next(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(new_files, "sync_together", lambda _: False)
    files = NewFiles(tmp_path)
    for number in range(5):
        files.write(f"/{number}", [b"1"])
    with pytest.raises(SyncError) as caught:
        files.flush()
    assert caught.value.path == "/3"
    assert names(tmp_path) == []


def test_descriptors_that_cannot_be_closed(tmp_path, monkeypatch):
    """An error when a synced file is closed has no effect, and no descriptor is closed twice."""
    close, closed = os.close, []

    def failing(descriptor):
        close(descriptor)
        closed.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    files, before = NewFiles(tmp_path), open_descriptors()
    for number in range(5):
        files.write(f"/{number}", [b"1"])
    monkeypatch.setattr(os, "close", failing)
    files.flush()
    files.discard()
    monkeypatch.undo()
    assert names(tmp_path) == ["0", "1", "2", "3", "4"]
    assert len(closed) == len(set(closed)) == 6
    assert open_descriptors() == before


@pytest.mark.parametrize("depth", [60, 250, 985])
def test_deep_paths(tmp_path, depth):
    """Folders may be nested as deep as paths may be long, although few descriptors may be open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        files = NewFiles(tmp_path)
        for number in range(20):
            files.write(f"{'/a' * depth}/{number}", [b"1"])
            if files.is_full:
                files.flush()
        files.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(names(Path(f"{tmp_path}{'/a' * depth}"))) == 20
    subprocess.run(["rm", "-r", f"{tmp_path}/a"], check=True)  # pytest can't remove as many levels


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
