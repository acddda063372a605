"""The walk through the content folder, which yields the article files in the order of their paths."""

import errno
import os
import re
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from feeds.core.article_files import DEFAULT_INCLUDE, DEFAULT_SUFFIXES, SUFFIXES
from feeds.core.errors import ConfigError
from feeds.core.text import clean

AUTHORS_FILES = frozenset({"authors.yml", "authors.yaml", ".authors.yml", ".authors.yaml"})  # Docusaurus, MkDocs
# errors of this process, not of the folder that it opens
_PROCESS_ERRORS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_INODE_MASK = (1 << 63) - 1  # some file systems use 64 bits, but a database's integer has 63
_IGNORED_PREFIXES = (".", "~$", "_index.")  # hidden files, Office's lock files, and Hugo's list pages


class ScannedFile(NamedTuple):
    """A file that should be an article. `problem` is the reason if the scan finds that the file can't be read."""

    path: str  # below the folder, with "/"; bytes that are not UTF-8 are escaped
    mtime_ns: int = 0
    size: int = 0
    inode: int = 0
    problem: str | None = None


class Walk:
    """Walks the content folder. An interrupted walk can resume after a path without listing open folders again."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str], secrets: Sequence[Path] = ()) -> None:
        """Walk files that match the patterns of gitignore. No symbolic link may lead to one of `secrets`."""
        self._secrets = secrets
        self._has_default_patterns = set(include) == set(DEFAULT_INCLUDE) and not exclude  # true for nearly all sites
        self._is_matched = _patterns("include", () if self._has_default_patterns else include)
        self._is_excluded = _patterns("exclude", exclude)
        self.authors_files: set[str] = set()  # the paths that the last full walk found
        self._unlisted: set[str] = set()  # printable paths of folders that could not be listed, ending in "/"
        self._open_dirs: dict[str, list[str]] = {}  # listings of the folders in which the last walk is, or stopped

    def __getstate__(self) -> dict[str, object]:
        """Return the attributes that another process needs, without the large listings of an interrupted walk."""
        return self.__dict__ | {"_open_dirs": {}}

    def walk(self, root: str, after: str = "") -> Iterator[ScannedFile]:
        """Yield all articles, or those after a path.

        If `after` is given, the walk continues where the previous one stopped, with its listings: it skips files that
        were deleted since, and misses files that were created. A subfolder that can't be listed is one `ScannedFile`
        with a problem, at the path of the subfolder with "/" at the end. Raise `OSError` if the folder itself can't be
        listed, and `FileNotFoundError` if a subfolder was deleted after its parent was listed.
        """
        if not after:
            self._open_dirs, self.authors_files, self._unlisted = {}, set(), set()
        return self._walk(root, "", after, self._open_dirs)

    def walk_below(self, root: str, path: str) -> Iterator[ScannedFile]:
        """Yield the articles at a path or below it. Raise the same errors as `walk`."""
        if not self.is_included(path):
            return
        folder = f"{printable_path(path)}/"
        self._unlisted = {
            other for other in self._unlisted if not (other.startswith(folder) or folder.startswith(other))
        }
        try:
            is_folder = stat.S_ISDIR(os.lstat(f"{root}/{path}").st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            yield from self._unlisted_above(root, path)
            return
        if is_folder:
            yield from self._walk(root, f"{path}/", "", {})
        elif self._wanted(path) and (file := self._scan_file(root, path)):
            yield file

    def _unlisted_above(self, root: str, path: str) -> Iterator[ScannedFile]:
        """Yield the topmost folder above a path that can't be listed, if there is one."""
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth]) + "/"
            try:
                _listed(f"{root}/{folder}")
            except OSError as error:
                yield self._not_listed(folder, error)
                return

    def _not_listed(self, folder: str, error: OSError) -> ScannedFile:
        """Record and return a folder that can't be listed. Raise the error if it concerns more than this folder."""
        if isinstance(error, FileNotFoundError) or error.errno in _PROCESS_ERRORS:
            raise error
        printable = printable_path(folder)
        self._unlisted.add(printable)
        return ScannedFile(printable, problem=f"can't be listed: {error.strerror}; its published articles stay up")

    def was_listed(self, path: str) -> bool:
        """Return whether the last walk could list all folders above a printable path."""
        return not any(path.startswith(folder) for folder in self._unlisted)

    def may_link_to(self, target: str) -> bool:
        """Return whether a symbolic link may lead to a path below the folder: nothing hidden, excluded or secret."""
        if not self.is_included(target) or self._is_excluded(target):
            return False
        return "_drafts" not in target.split("/")  # the files in Jekyll's folder of drafts

    def selects(self, path: str) -> bool:
        """Return whether a walk would yield a file at a path."""
        return self.is_included(path) and self._wanted(path)

    def is_included(self, path: str) -> bool:
        """Return whether a walk would reach a path."""
        parts = path.split("/")
        above = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return not any(map(_is_ignored, parts)) and not any(map(self._is_excluded, above))

    def _walk(self, root: str, prefix: str, after: str, open_dirs: dict[str, list[str]]) -> Iterator[ScannedFile]:
        """Yield the articles in a folder ("" or ending in "/") and below it, by printable path."""
        first = self._enter(root, prefix, after, open_dirs)
        if isinstance(first, ScannedFile):
            yield first
            return
        stack = [(prefix, first)]
        while stack:
            prefix, names = stack[-1]
            for name in names:
                path = prefix + name
                if name[-1] == "/":
                    if self._is_excluded(path):
                        continue
                    entered = self._enter(root, path, after, open_dirs)
                    if not isinstance(entered, ScannedFile):
                        stack.append((path, entered))
                        break
                    if entered.path > after:
                        yield entered
                elif name in AUTHORS_FILES:
                    self.authors_files.add(path)
                elif self._wanted(path) and (file := self._scan_file(root, path)):
                    yield file
            else:
                stack.pop()
                open_dirs.pop(f"{root}/{prefix}", None)

    def _scan_file(self, root: str, path: str) -> ScannedFile | None:
        """Return the stamp of a file or its problem; None if it was deleted.

        Raise `FileNotFoundError` if its folder was deleted too.
        """
        printable = printable_path(path)
        if printable != path:
            reason = "has a line break or a control character" if _is_utf8(path) else "is not UTF-8"
            return ScannedFile(printable, problem=f"the file name {reason}; rename it")
        full_path = f"{root}/{path}"
        try:
            status = os.lstat(full_path)
            if stat.S_ISLNK(status.st_mode):
                if problem := self._link_problem(root, path):
                    return ScannedFile(path, problem=problem)
                status = os.stat(full_path)  # noqa: PTH116  # creating a Path would cost more than the call
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
            if is_missing and not os.path.islink(full_path):  # noqa: PTH114
                os.stat(os.path.dirname(full_path))  # noqa: PTH116, PTH120
                return None
            return ScannedFile(path, problem=f"can't be read: {error.strerror}")
        if not stat.S_ISREG(status.st_mode):
            return ScannedFile(path, problem="not a regular file")
        return ScannedFile(path, status.st_mtime_ns, status.st_size, status.st_ino & _INODE_MASK)

    def _link_problem(self, root: str, path: str) -> str | None:
        """Return why a symbolic link is not followed; None if it leads to a file that may be published."""
        real = os.path.realpath(f"{root}/{path}")
        if not real.startswith(root + os.sep):
            return "a symbolic link that leads out of the content folder"
        target = real[len(root) + 1 :].replace(os.sep, "/")
        if not self.may_link_to(target):
            return "a symbolic link to a file that is not published: hidden, excluded or of a draft"
        if any(secret.exists() and secret.samefile(real) for secret in self._secrets):
            return "a symbolic link to the configuration or to a file of this program"
        if not target.lower().endswith(SUFFIXES) and _is_in_own_folder(root, target):
            return "a symbolic link to a file that belongs to another article"
        return None

    def _enter(
        self, root: str, prefix: str, after: str, open_dirs: dict[str, list[str]]
    ) -> Iterator[str] | ScannedFile:
        """Return the names in a folder, or its problem if it can't be listed. Raise `OSError` for the root."""
        try:
            return _names(root, prefix, after, open_dirs)
        except OSError as error:
            if not prefix:
                raise
            return self._not_listed(prefix, error)

    def _wanted(self, path: str) -> bool:
        if self._has_default_patterns:  # matching patterns would take a fifth of the time of a scan
            return path.endswith(DEFAULT_SUFFIXES)
        return self._is_matched(path) and not self._is_excluded(path)


def _names(root: str, prefix: str, after: str, open_dirs: dict[str, list[str]]) -> Iterator[str]:
    """Return the names in a folder that sort after a path; names of folders end in "/".

    Use the listing of the previous walk if it stopped in this folder.
    """
    folder, above = f"{root}/{prefix}", printable_path(prefix)
    if after and prefix and not _is_folder(folder[:-1]):
        return iter(())  # deleted since its parent was listed, or replaced by a link
    is_continued = after.startswith(above)
    names = open_dirs.get(folder) if is_continued else None
    if names is None:
        names = open_dirs[folder] = _listed(folder)
    start = 0
    if after and is_continued:
        name, is_below, _ = after[len(above) :].partition("/")
        if is_below:
            start = bisect_left(names, f"{name}/", key=_printable_name)
        else:
            start = bisect_right(names, name, key=_printable_name)
    return islice(names, start, None)


def _listed(folder: str) -> list[str]:
    """Return the articles, authors.yml and folders in a folder, by printable name; names of folders end in "/"."""
    names = []
    with os.scandir(folder) as items:
        for item in items:
            name = item.name
            if name in AUTHORS_FILES:
                names.append(name)
            elif not _is_ignored(name):
                if item.is_dir(follow_symlinks=False):
                    names.append(f"{name}/")
                elif name.lower().endswith(SUFFIXES):
                    names.append(name)
    names.sort(key=None if "".join(names).isprintable() else _printable_name)
    return names


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # the call that lists it reports the error
        return True


def _is_in_own_folder(root: str, path: str) -> bool:
    """Return whether a file is in the folder of an article `NAME/index.md`, or below."""
    parts = path.split("/")[:-1]
    folders = ("/".join([root, *parts[:depth]]) for depth in range(1, len(parts) + 1))
    return any(os.path.lexists(f"{folder}/index{suffix}") for folder in folders for suffix in SUFFIXES)


def _patterns(key: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that returns whether a path matches patterns of gitignore. Raise `ConfigError`."""
    if not patterns:
        return _matches_nothing
    import pathspec  # not needed by most sites

    try:
        return pathspec.PathSpec.from_lines("gitignore", patterns).match_file
    except (ValueError, re.error) as error:
        raise ConfigError([f"content.{key}: {error}"]) from None


def _matches_nothing(_path: str) -> bool:
    return False


def _is_ignored(name: str) -> bool:
    return name.startswith(_IGNORED_PREFIXES) or name.endswith("~")


def _is_utf8(path: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in path)


def printable_path(path: str) -> str:
    """Return a path with escapes for line breaks, control characters and bytes that are not UTF-8."""
    return path if path.isprintable() else "/".join(map(_printable_name, path.split("/")))


def _printable_name(name: str) -> str:
    """Return a name with escapes for line breaks, control characters and bytes that are not UTF-8."""
    if name.isprintable() or (_is_utf8(name) and clean(name) == name and "\n" not in name):
        return name
    if not _is_utf8(name):
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return repr(name)[1:-1]
