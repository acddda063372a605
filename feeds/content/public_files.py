"""Finds the files of articles: those in the article's own folder (Hugo's page bundle), and other files it references.

`NAME/index.md` has a folder of its own, `NAME/`. On sites with pages, the files in it are published below the page's
path, and other referenced files at their path in the content folder. Only files with a known suffix are published. A
hidden file is not published, and a symbolic link is not followed out of the content folder.
"""

import os
from collections.abc import Callable, Collection, Iterator
from errno import ELOOP, ENOENT, ENOTDIR
from pathlib import Path
from typing import NamedTuple

from feeds.core import paths, syndication
from feeds.core.article_files import SUFFIXES, has_own_folder, resolve_path, without_suffix
from feeds.core.model import Article, Site
from feeds.core.parse.html import file_references
from feeds.core.parse.media import media_type
from feeds.core.text import resolve_on_site, url_scheme

_MAX_PATH_BYTES = 2_000  # below the content folder: an entry of PostgreSQL's indexes has 2,704
_MISSING = {ENOENT, ENOTDIR, ELOOP}


class OwnFolder(NamedTuple):
    """The files of an article in its own folder."""

    names: list[str]  # paths below the folder
    unreadable: list[str]  # folders in it that can't be listed


class PublicFiles:
    """Finds the files of the content folder that may be published."""

    def __init__(
        self,
        root: Path,
        *,
        may_link_to: Callable[[str], bool] = lambda _path: True,
        is_of_draft: Callable[[str], bool] = lambda _path: False,
        aliases: Collection[str] = (),
        secrets: Collection[Path] = (),
    ) -> None:
        """Find files below the content folder.

        Args:
            root: the content folder.
            may_link_to: returns whether a symbolic link may lead to a path below the content folder.
            is_of_draft: returns whether a file at a path below the content folder belongs to an article that is not
                live.
            aliases: paths of feed aliases, at which no file can be.
            secrets: files that are never published, such as the configuration.
        """
        self._root = root
        self._may_link_to = may_link_to
        self._is_of_draft = is_of_draft
        self._aliases = aliases
        self._secrets = secrets

    def list_own_folder(self, article: str) -> OwnFolder:
        """Return the files in an article's own folder and below, by the article's path in the content folder.

        There are none if the article has no folder of its own. Folders of other articles are left out.
        """
        if not has_own_folder(article):
            return OwnFolder([], [])
        folder = self._root / article.rpartition("/")[0]
        names, errors = list[str](), list[OSError]()
        for current, folders, files in os.walk(folder, onerror=errors.append):
            below = os.path.relpath(current, folder)
            if below != "." and any(map(_is_index, files)):
                folders.clear()  # they belong to another article
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            names += [name if below == "." else f"{below}/{name}" for name in sorted(files)]
        unreadable = [os.path.relpath(error.filename, folder) for error in errors if error.errno not in _MISSING]
        return OwnFolder(names, unreadable)

    def find_in_own_folder(self, article: str, name: str, public_path: str) -> Path | None:
        """Return the path of a file in an article's own folder, links resolved; None if it can't be published."""
        if not has_own_folder(article) or not paths.may_be_article_file(public_path, self._aliases):
            return None
        folder = article.rpartition("/")[0]
        return None if self._is_of_another(folder, name) else self._find(f"{folder}/{name}", f"{folder}/")

    def _is_of_another(self, folder: str, name: str) -> bool:
        """Return whether a file below an article's own folder is in the own folder of another article."""
        *folders, _ = name.split("/")
        for depth in range(1, len(folders) + 1):
            try:
                names = os.listdir(self._root / "/".join([folder, *folders[:depth]]))  # noqa: PTH208  # only names
            except (OSError, ValueError):
                return True
            if any(map(_is_index, names)):
                return True
        return False

    def find(self, path: str) -> Path | None:
        """Return the file with this path on the site, links resolved; None if no such file may be published."""
        return self._find(path) if paths.may_be_article_file(f"/{path}", self._aliases) else None

    def _find(self, path: str, own_folder: str = "") -> Path | None:
        """Return the file at a path below the content folder; the article of `own_folder` need not be live."""
        target = find_target(self._root, path) if _may_be_published(path) else None
        if target is None or not _may_be_published(target):
            return None
        if target != path:  # a link
            is_own = bool(own_folder) and target.startswith(own_folder)
            if is_own and self._is_of_another(own_folder.rstrip("/"), target.removeprefix(own_folder)):
                return None
            if not self._may_link_to(target) or (not is_own and self._is_of_draft(target)):
                return None
        file = self._root / target
        return None if is_one_of(file, self._secrets) else file

    def is_unreadable(self, path: str) -> bool:
        """Return whether a file may exist at a path in a folder that can't be searched."""
        try:
            (self._root / path).stat()
        except OSError as error:
            return error.errno not in _MISSING
        except ValueError:
            return False
        return False

    def is_missing(self, site: Site, article: Article, reference: str) -> bool:
        """Return whether a reference of an image leads to a file that does not exist.

        On sites with pages, all files of the site are below the content folder. On other sites, only files beside the
        article, and in a folder of its name (as in Hexo), can be checked.
        """
        files = syndication.files_of(article, site)
        if files.site_url:
            path = files.path(reference)
            elsewhere = reference.lstrip().startswith("/") or url_scheme(reference)
            if path is None:
                return not elsewhere
            folder = _folder(article)
            if files.own_url and path.startswith(folder):
                name = path.removeprefix(folder)
                page = syndication.page_path(article, site) or "/"
                return self.find_in_own_folder(article.path, name, paths.folder_of_page(page) + name) is None
            return self.find(path) is None
        path = resolve_path(article.path, reference)
        if path is None or reference.lstrip().startswith(".."):
            return False
        in_folder = resolve_path(f"{without_suffix(article.path)}/index.md", reference)
        return not any(find_target(self._root, candidate) for candidate in (path, in_folder) if candidate)


def is_one_of(file: Path, files: Collection[Path]) -> bool:
    """Return whether a file is one of `files`, perhaps under another name; also True if it can't be read."""
    try:
        status = file.stat()
        return any(os.path.samestat(status, other) for other in _stats(files))
    except OSError:
        return True


def _stats(files: Collection[Path]) -> Iterator[os.stat_result]:
    for file in files:
        try:
            yield file.stat()
        except OSError:
            continue


def _is_index(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and has_own_folder(f"/{name}")


def _may_be_published(path: str) -> bool:
    """Return whether a path below the content folder has a known suffix and no hidden part."""
    return bool(media_type(path)) and not any(part.startswith(".") or not part for part in path.split("/"))


def referenced_files(article: Article, site: Site, html: str) -> list[str]:
    """Return the paths below the content folder of the files that an article references, except in its own folder.

    The files need not exist. There are none if the article has no page on this site.

    Args:
        article: the article.
        site: the site.
        html: the article's text before it is sanitised.
    """
    files = syndication.files_of(article, site)
    if not files.site_url:
        return []
    of_fields = [*(file.url for file in article.enclosures), *([article.image.url] if article.image else [])]
    urls = ((resolve_on_site(url, site.url, url) or "") if url.startswith("/") else url for url in of_fields)
    found: dict[str, None] = {}  # ordered and unique
    for reference in (*urls, *file_references(html)):
        path = files.path(reference)
        if path and media_type(path) and not (files.own_url and path.startswith(_folder(article))):
            found[path] = None
    return [path for path in found if len(path.encode()) <= _MAX_PATH_BYTES]


def _folder(article: Article) -> str:
    return article.path.rpartition("/")[0] + "/"


def find_target(root: Path, path: str) -> str | None:
    """Return the path below the content folder of the file to which a path leads; None if there is none."""
    try:
        file = root / path
        return file.resolve().relative_to(root.resolve()).as_posix() if file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # an invalid name, a link that leads out, or a loop of links
        return None
