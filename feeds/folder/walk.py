"""Which files should be articles, in the order of their paths, and what the file system says of each."""

import os
import re
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pathspec

from feeds.article_files import DEFAULT_INCLUDE, DEFAULT_SUFFIXES, SUFFIXES
from feeds.errors import ConfigError
from feeds.text import clean

AUTHORS_FILES = frozenset({"authors.yml", "authors.yaml", ".authors.yml", ".authors.yaml"})  # Docusaurus, MkDocs
_INODE = (1 << 63) - 1  # some file systems number with 64 bits, which no database's integer holds
_NEVER = (".", "~$", "_index.")  # hidden, Office's, and Hugo's list pages


class Found(NamedTuple):
    """A file that should be an article. `problem` says why it can't be read, if that shows already."""

    path: str  # below the folder, with "/"; bytes that are not UTF-8 are spelled out
    mtime_ns: int = 0
    size: int = 0
    inode: int = 0
    problem: str | None = None


class Walk:
    """Goes through a folder, again and again; one that was left in the middle goes on without listing it anew."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._include = _patterns("include", include)
        self._exclude = _patterns("exclude", exclude)
        self._every = set(include) == set(DEFAULT_INCLUDE) and not exclude  # as nearly always
        self.authors_files: set[str] = set()  # that the last walk through everything has come across
        self._open: dict[str, list[str]] = {}  # what is in the folders that the last walk is in, or was left in

    def __getstate__(self) -> dict[str, object]:
        """Give what another process needs of us: no walk that was begun here, nor the many names of one."""
        return self.__dict__ | {"_open": {}}

    def whole(self, root: str, after: str = "") -> Iterator[Found]:
        """Give all articles, or all those after a path.

        A walk that goes on after a path, where the one before it was left, has the names that were in the folders then:
        what is gone since is not given, and neither is what came since. Raises what the system does;
        `FileNotFoundError` if a folder went away after it was listed.
        """
        if not after:
            self._open, self.authors_files = {}, set()
        return self._walk(root, "", after, self._open)

    def below(self, root: str, path: str) -> Iterator[Found]:
        """Give the articles at a path or below it. Raises what the system does, as `whole`."""
        inner = Path(root, path)
        if not self.is_ours(path):
            return
        if inner.is_dir() and not inner.is_symlink():
            yield from self._walk(root, f"{path}/", "", {})
        elif self._wanted(path) and os.path.lexists(inner) and (found := _look(root, path)):
            yield found

    def is_ours(self, path: str) -> bool:
        """Tell whether a walk would come to a path."""
        parts = path.split("/")
        above = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return not any(map(_is_never, parts)) and not any(map(self._exclude.match_file, above))

    def _walk(self, root: str, prefix: str, after: str, open_: dict[str, list[str]]) -> Iterator[Found]:
        """Give the articles of a folder ("" or ending in "/") and of those in it, by path as it is shown."""
        ways = [(prefix, _names(root, prefix, after, open_))]
        while ways:
            prefix, names = ways[-1]
            for name in names:
                path = prefix + name
                if name[-1] == "/":
                    if not self._exclude.match_file(path):
                        ways.append((path, _names(root, path, after, open_)))
                        break
                elif name in AUTHORS_FILES:
                    self.authors_files.add(path)
                elif self._wanted(path) and (found := _look(root, path)):
                    yield found
            else:
                ways.pop()
                open_.pop(f"{root}/{prefix}", None)

    def _wanted(self, path: str) -> bool:
        if self._every:  # which costs a fifth of what looking at all files does
            return path.endswith(DEFAULT_SUFFIXES)
        return self._include.match_file(path) and not self._exclude.match_file(path)


def _names(root: str, prefix: str, after: str, open_: dict[str, list[str]]) -> Iterator[str]:
    """Give what is in a folder from after a path on, folders with a "/", as it was if that folder was left open."""
    folder, above = f"{root}/{prefix}", shown_path(prefix)
    if after and prefix and not _is_folder(folder[:-1]):
        return iter(())  # any more: it is gone since the one above was listed, or a link
    begun = after.startswith(above)
    names = open_.get(folder) if begun else None
    if names is None:
        names = open_[folder] = _listed(folder)
    begin = 0
    if after and begun:
        name, inside, _ = after[len(above) :].partition("/")
        begin = bisect_left(names, f"{name}/", key=_shown) if inside else bisect_right(names, name, key=_shown)
    return islice(names, begin, None)


def _listed(folder: str) -> list[str]:
    """Return the articles, authors.yml and the folders in a folder by name as it is shown, folders with a "/"."""
    names = []
    with os.scandir(folder) as items:
        for item in items:
            name = item.name
            if name in AUTHORS_FILES:
                names.append(name)
            elif not _is_never(name):
                if item.is_dir(follow_symlinks=False):
                    names.append(f"{name}/")
                elif name.lower().endswith(SUFFIXES):
                    names.append(name)
    names.sort(key=None if "".join(names).isprintable() else _shown)
    return names


def _is_folder(place: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except OSError:
        return False


def _look(root: str, path: str) -> Found | None:
    """See what a file is; None if it is gone. Raises `FileNotFoundError` if its folder is gone too."""
    shown = shown_path(path)
    if shown != path:
        kind = "holds a line break or a control character" if _is_utf8(path) else "is not UTF-8"
        return Found(shown, problem=f"the file name {kind}; rename it")
    place = f"{root}/{path}"
    try:
        facts = os.lstat(place)
        if stat.S_ISLNK(facts.st_mode):
            if not os.path.realpath(place).startswith(root + os.sep):
                return Found(path, problem="a symbolic link that leads out of the content folder")
            facts = os.stat(place)  # noqa: PTH116  # a Path for each would cost more than the look itself
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not os.path.islink(place):  # noqa: PTH114
            os.stat(os.path.dirname(place))  # noqa: PTH116, PTH120
            return None
        return Found(path, problem=f"can't be read: {error.strerror}")
    if not stat.S_ISREG(facts.st_mode):
        return Found(path, problem="not a regular file")
    return Found(path, facts.st_mtime_ns, facts.st_size, facts.st_ino & _INODE)


def _patterns(key: str, patterns: Sequence[str]) -> "pathspec.PathSpec[pathspec.Pattern]":
    try:
        return pathspec.PathSpec.from_lines("gitignore", patterns)
    except (ValueError, re.error) as error:
        raise ConfigError([f"content.{key}: {error}"]) from None


def _is_never(name: str) -> bool:
    return name.startswith(_NEVER) or name.endswith("~")


def _is_utf8(path: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in path)


def shown_path(path: str) -> str:
    """Spell out what names should not hold."""
    return path if path.isprintable() else "/".join(map(_shown, path.split("/")))


def _shown(name: str) -> str:
    """Spell out what a name should not hold."""
    if name.isprintable() or (_is_utf8(name) and clean(name) == name and "\n" not in name):
        return name
    if not _is_utf8(name):
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return repr(name)[1:-1]
