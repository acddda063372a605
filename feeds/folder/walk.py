"""Which files should be articles, in the order of their paths, and what the file system says of each."""

import errno
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
# errors that say nothing of the folder that was to be opened
_OF_THE_PROCESS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
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

    def __init__(self, include: Sequence[str], exclude: Sequence[str], secrets: Sequence[Path] = ()) -> None:
        """`secrets` are files to which no symbolic link may lead, such as the configuration."""
        self._secrets = secrets
        self._include = _patterns("include", include)
        self._exclude = _patterns("exclude", exclude)
        self._every = set(include) == set(DEFAULT_INCLUDE) and not exclude  # as nearly always
        self.authors_files: set[str] = set()  # that the last walk through everything has come across
        self._unlisted: set[str] = set()  # folders that could not be listed, as they are shown, ending in "/"
        self._open: dict[str, list[str]] = {}  # what is in the folders that the last walk is in, or was left in

    def __getstate__(self) -> dict[str, object]:
        """Give what another process needs of us: no walk that was begun here, nor the many names of one."""
        return self.__dict__ | {"_open": {}}

    def whole(self, root: str, after: str = "") -> Iterator[Found]:
        """Give all articles, or all those after a path.

        A walk that goes on after a path, where the one before it was left, has the names that were in the folders then:
        what is gone since is not given, and neither is what came since. A folder in the folder that can't be listed is
        given as one `Found` with its problem, at its path with "/" at its end. Raises what the system does of the
        folder itself; `FileNotFoundError` if a folder went away after it was listed.
        """
        if not after:
            self._open, self.authors_files, self._unlisted = {}, set(), set()
        return self._walk(root, "", after, self._open)

    def below(self, root: str, path: str) -> Iterator[Found]:
        """Give the articles at a path or below it. Raises what the system does, as `whole`."""
        if not self.is_ours(path):
            return
        shown = f"{shown_path(path)}/"
        self._unlisted = {one for one in self._unlisted if not (one.startswith(shown) or shown.startswith(one))}
        try:
            is_folder = stat.S_ISDIR(os.lstat(f"{root}/{path}").st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            yield from self._unlisted_above(root, path)
            return
        if is_folder:
            yield from self._walk(root, f"{path}/", "", {})
        elif self._wanted(path) and (found := self._look(root, path)):
            yield found

    def _unlisted_above(self, root: str, path: str) -> Iterator[Found]:
        """Return the first of the folders above a path that can't be listed."""
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth]) + "/"
            try:
                _listed(f"{root}/{folder}")
            except OSError as error:
                yield self._not_listed(folder, error)
                return

    def _not_listed(self, folder: str, error: OSError) -> Found:
        """Note that a folder can't be listed. Raises the error if that is gone, or if it says nothing of the folder."""
        if isinstance(error, FileNotFoundError) or error.errno in _OF_THE_PROCESS:
            raise error
        shown = shown_path(folder)
        self._unlisted.add(shown)
        return Found(shown, problem=f"can't be listed: {error.strerror}; what was published of it stays up")

    def could_look(self, path: str) -> bool:
        """Return whether the last walk could look at a path, as it is shown: no folder above could not be listed."""
        return not any(path.startswith(folder) for folder in self._unlisted)

    def may_lead_to(self, target: str) -> bool:
        """Return whether a symbolic link may lead to a path below the folder: nothing hidden, excluded or secret."""
        if not self.is_ours(target) or self._exclude.match_file(target):
            return False
        return "_drafts" not in target.split("/")  # whose articles are drafts by their place (Jekyll)

    def is_ours(self, path: str) -> bool:
        """Tell whether a walk would come to a path."""
        parts = path.split("/")
        above = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return not any(map(_is_never, parts)) and not any(map(self._exclude.match_file, above))

    def _walk(self, root: str, prefix: str, after: str, open_: dict[str, list[str]]) -> Iterator[Found]:
        """Give the articles of a folder ("" or ending in "/") and of those in it, by path as it is shown."""
        first = self._entered(root, prefix, after, open_)
        if isinstance(first, Found):
            yield first
            return
        ways = [(prefix, first)]
        while ways:
            prefix, names = ways[-1]
            for name in names:
                path = prefix + name
                if name[-1] == "/":
                    if self._exclude.match_file(path):
                        continue
                    entered = self._entered(root, path, after, open_)
                    if not isinstance(entered, Found):
                        ways.append((path, entered))
                        break
                    if entered.path > after:
                        yield entered
                elif name in AUTHORS_FILES:
                    self.authors_files.add(path)
                elif self._wanted(path) and (found := self._look(root, path)):
                    yield found
            else:
                ways.pop()
                open_.pop(f"{root}/{prefix}", None)

    def _look(self, root: str, path: str) -> Found | None:
        """See what a file is; None if it is gone. Raises `FileNotFoundError` if its folder is gone too."""
        shown = shown_path(path)
        if shown != path:
            kind = "holds a line break or a control character" if _is_utf8(path) else "is not UTF-8"
            return Found(shown, problem=f"the file name {kind}; rename it")
        place = f"{root}/{path}"
        try:
            facts = os.lstat(place)
            if stat.S_ISLNK(facts.st_mode):
                if problem := self._problem_of_link(root, path):
                    return Found(path, problem=problem)
                facts = os.stat(place)  # noqa: PTH116  # a Path for each would cost more than the look itself
        except OSError as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError) and not os.path.islink(place):  # noqa: PTH114
                os.stat(os.path.dirname(place))  # noqa: PTH116, PTH120
                return None
            return Found(path, problem=f"can't be read: {error.strerror}")
        if not stat.S_ISREG(facts.st_mode):
            return Found(path, problem="not a regular file")
        return Found(path, facts.st_mtime_ns, facts.st_size, facts.st_ino & _INODE)

    def _problem_of_link(self, root: str, path: str) -> str | None:
        """Return why a symbolic link is not followed; None if it leads to a file that may be published."""
        real = os.path.realpath(f"{root}/{path}")
        if not real.startswith(root + os.sep):
            return "a symbolic link that leads out of the content folder"
        target = real[len(root) + 1 :].replace(os.sep, "/")
        if not self.may_lead_to(target):
            return "a symbolic link to what is not published: a hidden, an excluded or a draft's file"
        if any(one.exists() and one.samefile(real) for one in self._secrets):
            return "a symbolic link to the configuration or to a file of this program"
        if not target.lower().endswith(SUFFIXES) and _is_in_own_folder(root, target):
            return "a symbolic link to a file that belongs to another article"
        return None

    def _entered(self, root: str, prefix: str, after: str, open_: dict[str, list[str]]) -> Iterator[str] | Found:
        """Return what is in a folder, or that it can't be listed; raise the error if that is the root."""
        try:
            return _names(root, prefix, after, open_)
        except OSError as error:
            if not prefix:
                raise
            return self._not_listed(prefix, error)

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
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # who lists it says why that can't be told
        return True


def _is_in_own_folder(root: str, path: str) -> bool:
    """Return whether a file is in the folder of an article `NAME/index.md`, or below it."""
    parts = path.split("/")[:-1]
    folders = ("/".join([root, *parts[:depth]]) for depth in range(1, len(parts) + 1))
    return any(os.path.lexists(f"{folder}/index{suffix}") for folder in folders for suffix in SUFFIXES)


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
