"""Entries that forked processes share during an export, so that only one of them renders each article.

The entries are in a file in memory (memfd_create(2)), to which each process appends records. A process that needs an
entry first indexes the records that the others have appended since. A record consists of the sizes of a key and a
value, the key, the pickled value, and an end mark. The mark is missing while the record is being written, or if the
memory was not sufficient for the whole record.
"""

import os
import pickle
import struct
import threading
from contextlib import suppress
from typing import Any, Self

_MAX_BYTES = 192 << 20  # of a file; entries that are rendered later are not shared
_HEAD = struct.Struct("<II")  # the sizes of a key and a value in bytes
_MARK = b"\xffend"


class SharedEntries:
    """A dictionary of pickled values that forked processes share. Create it before the processes are forked."""

    def __init__(self, file: int) -> None:
        """`file` is the descriptor of an empty file that is open for reading and appending."""
        self._file = file
        self._indexed = 0  # bytes of the file
        self._positions: dict[bytes, tuple[int, int]] = {}  # of values: the offset and the size, by key
        self._lock = threading.Lock()

    @classmethod
    def create(cls) -> Self | None:
        """Return an empty dictionary; None if the system has no files in memory."""
        if not hasattr(os, "memfd_create"):
            return None
        import fcntl

        file = os.memfd_create("feeds", os.MFD_CLOEXEC)
        fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
        return cls(file)

    def get(self, key: str) -> Any | None:
        """Return the value of a key; None if no process has stored one."""
        name = key.encode()
        with self._lock:
            if name not in self._positions:
                self._index()
            position = self._positions.get(name)
        if position is None:
            return None
        offset, size = position
        return pickle.loads(os.pread(self._file, size, offset))  # noqa: S301  # only these processes have the file

    def put(self, key: str, value: object) -> None:
        """Store a value, unless the file is full."""
        if os.fstat(self._file).st_size > _MAX_BYTES:
            return
        name, data = key.encode(), pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        with suppress(OSError):  # no memory is left; this process still has the value
            # one call, so that no other process writes in between
            os.write(self._file, _HEAD.pack(len(name), len(data)) + name + data + _MARK)

    def _index(self) -> None:
        """Add the positions of the records that were appended since the last call."""
        end = os.fstat(self._file).st_size
        while self._indexed + _HEAD.size <= end:
            key_size, size = _HEAD.unpack(os.pread(self._file, _HEAD.size, self._indexed))
            key = self._indexed + _HEAD.size
            value = key + key_size
            if os.pread(self._file, len(_MARK), value + size) != _MARK:
                return  # the next call tries again
            self._positions[os.pread(self._file, key_size, key)] = value, size
            self._indexed = value + size + len(_MARK)
