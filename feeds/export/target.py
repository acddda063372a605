"""What a folder and an object store have in common: the manifest, and the order in which a run goes about it.

The manifest says which files are ours and what each shows, so that only what changed is rendered and written, what is
no longer published goes, and nothing else is ever touched. It is written before anything else of a run is, and says
then what will be ours; deletions come last, and after them the manifest that forgets what is gone. So whenever a run
is cut short, each file is the old or the new one, and the next run knows all that is ours.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

MANIFEST = ".feeds-manifest.json"
HEAD = 200  # bytes that tell whose a file is: of a document, what stands before its entries
Stamp = tuple[
    int, int | str
]  # size in bytes, and the time in ns or the ETag: another one, if others write the file too
NOTHING: Stamp = (-1, -1)
Fact = tuple[Any, ...]  # of a file of ours: a digest of what it shows, its stamp, and what else its place wants to know


class Target(ABC):
    """Where the tree is."""

    at_once = 1  # files that may be written at a time

    def __init__(self, name: str) -> None:
        """Read the manifest. `name` is what the owner knows the place by."""
        self.name = name
        self._facts = load(self._read(MANIFEST))  # by path
        self._known = set(self._facts)

    def has(self, path: str, digest: str) -> bool:
        """Tell whether a file of ours is there and shows just that."""
        fact = self._facts.get(path)
        return fact is not None and fact[0] == self._mark(path, digest) and fact[1:3] == self._stamp(path) != NOTHING

    def is_foreign(self, path: str, body: bytes) -> bool:
        """Tell whether a file is there that is not ours, where we would write one. Raises `FeedsError`.

        One that begins as ours would is ours, though the manifest may have been lost.
        """
        return path not in self._known and self._is_there(path) and self._head(path) != body[:HEAD]

    def shown(self, path: str) -> bytes:
        """Give what is in a file of ours; nothing if there is none."""
        return self._read(path) if path in self._facts else b""

    def fact(self, path: str) -> Fact:
        """Give what is known of a file that was just written, for `note` in the process that keeps the manifest."""
        return self._facts[path]

    def note(self, path: str, fact: Fact) -> None:
        """Note what another process has written."""
        self._facts[path] = fact

    def stale(self, published: Iterable[str]) -> list[str]:
        """Give the paths of our files that are no longer published."""
        return sorted(set(self._facts) - set(published))

    def below(self, paths: Sequence[str]) -> list[str]:
        """Return our files at some paths, and in those that end in "/"."""
        folders = tuple(path for path in paths if path.endswith("/"))
        return [path for path in self._known if path in paths or path.startswith(folders)] if paths else []

    def plan(self, published: Iterable[str], changed: Iterable[str]) -> None:
        """Say in the manifest which files will be ours before any of them is there, in case the run is cut short.

        Of those that are to be written anew nobody could tell then what they show; so what they did is forgotten.
        """
        for path in changed:
            if path in self._facts:
                self._facts[path] = ("", *self._facts[path][1:])
        for path in published:
            if path not in self._facts and not self._is_there(path):
                self._facts[path] = ("", *NOTHING)
        self._keep(dump(self._facts))

    def finish(self, published: Iterable[str]) -> list[str]:
        """Remove our files that are no longer published, and keep the manifest. Gives the paths removed."""
        stale = self.stale(published)
        self._remove(stale)
        for path in stale:
            del self._facts[path]
        self._keep(dump(self._facts))
        return stale

    @abstractmethod
    def write(self, path: str, body: bytes, digest: str, *, coding: str = "", force: bool = False) -> bool:
        """Write a file, unless its bytes are these already. Tells whether it did. Raises `FeedsError`.

        `digest` is of what it shows, `coding` the content coding that it is in.
        """

    @abstractmethod
    def copy(self, path: str, source: Path, digest: str, *, force: bool = False) -> bool:
        """Write a file as another one is, however large, unless it is so already. Raises `OSError` for that one."""

    @abstractmethod
    def _stamp(self, path: str) -> Stamp: ...

    @abstractmethod
    def _is_there(self, path: str) -> bool: ...

    @abstractmethod
    def _read(self, path: str) -> bytes:
        """Give what is in a file; nothing if there is none."""

    @abstractmethod
    def _head(self, path: str) -> bytes | None:
        """Give how a file begins; None for what can't be read."""

    @abstractmethod
    def _remove(self, paths: Sequence[str]) -> None: ...

    @abstractmethod
    def _keep(self, manifest: bytes) -> None:
        """Write the manifest, unless it says that already."""

    def _mark(self, path: str, digest: str) -> str:  # noqa: ARG002  # a folder keeps no headers
        """Give what stands for the digest of what a file shows, where more than its bytes is kept."""
        return digest


def dump(facts: dict[str, Fact]) -> bytes:
    """Write a manifest. What nobody can tell the state of, while a run is under way, has its stamp alone."""
    facts = {path: fact if fact[0] else fact[:3] for path, fact in facts.items()}
    return json.dumps(facts, separators=(",", ":"), sort_keys=True).replace('],"', '],\n"').encode()


_LONGEST_NAME = 255  # bytes of a file's name


def load(manifest: bytes) -> dict[str, Fact]:
    """Read a manifest; nothing of one that is broken, or that names what no tree of ours can hold, is believed."""
    try:
        facts: Any = json.loads(manifest)
        "".join(facts).encode()  # no file name contains half a character
        read = {path: _fact(fact) for path, fact in facts.items()}
    except (ValueError, RecursionError, AttributeError, TypeError):
        return {}
    return read if all(map(_may_be_ours, read)) else {}


def _may_be_ours(path: str) -> bool:
    top, *parts = path.split("/")
    names = not top and all(0 < len(part.encode()) <= _LONGEST_NAME and part not in {".", ".."} for part in parts)
    return bool(parts) and names and "\0" not in path


def _fact(written: Any) -> Fact:
    if isinstance(written, str):  # earlier versions kept the digest alone
        return (written, *NOTHING)
    digest, size, stamp, *more = written
    return (str(digest), int(size), stamp if isinstance(stamp, str) else int(stamp), *map(str, more))
