"""The files that belong to articles: those of the folder of `NAME/index.md`, and those that an article refers to.

Where articles have pages of ours, the former are at the page's address, and the latter at their path below the content
folder. Only kinds of files that we know by name, no hidden ones, and nothing that a link leads to from outside the
content folder.
"""

import os
from collections.abc import Callable, Collection, Iterator
from errno import ELOOP, ENOENT, ENOTDIR
from pathlib import Path

from feeds import paths, syndicate
from feeds.article_files import SUFFIXES, has_own_folder, resolved, without_suffix
from feeds.model import Article, Site
from feeds.parse.html import references
from feeds.parse.media import media_type
from feeds.text import on_site, scheme

_LONGEST_PATH = 2_000  # bytes below the content folder: an entry of PostgreSQL's indexes has 2,704
_NOT_THERE = {ENOENT, ENOTDIR, ELOOP}


class PublicFiles:
    """The files of the content folder that articles may show."""

    def __init__(
        self,
        root: Path,
        *,
        may_lead_to: Callable[[str], bool] = lambda _path: True,
        is_of_draft: Callable[[str], bool] = lambda _path: False,
        aliases: Collection[str] = (),
        secrets: Collection[Path] = (),
    ) -> None:
        """Find files below the content folder.

        Args:
            root: The content folder.
            may_lead_to: Return whether a symbolic link may lead to a path below the content folder.
            is_of_draft: Return whether a file at a path below the content folder is of an article that is not live.
            aliases: Paths of old feeds, at which no file can be.
            secrets: Files that are never shown, such as the configuration.
        """
        self._root = root
        self._may_lead_to = may_lead_to
        self._is_of_draft = is_of_draft
        self._aliases = aliases
        self._secrets = secrets

    def names(self, article: str) -> tuple[list[str], list[str]]:
        """Return the files beside an article and below, by its path in the content folder; none if it has no folder.

        And the folders among them that can't be listed.
        """
        if not has_own_folder(article):
            return [], []
        folder = self._root / article.rpartition("/")[0]
        found, failed = list[str](), list[OSError]()
        for place, folders, files in os.walk(folder, onerror=failed.append):
            inside = os.path.relpath(place, folder)
            if inside != "." and any(map(_is_index, files)):
                folders.clear()  # another article's
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [name if inside == "." else f"{inside}/{name}" for name in sorted(files)]
        unlisted = [os.path.relpath(error.filename, folder) for error in failed if error.errno not in _NOT_THERE]
        return found, unlisted

    def find(self, article: str, name: str, public_path: str) -> Path | None:
        """Return where a file beside an article is, links resolved; None if none may be at the public path."""
        if not has_own_folder(article) or not paths.may_be_file(public_path, self._aliases):
            return None
        folder = article.rpartition("/")[0]
        return None if self._is_of_another(folder, name) else self._found(f"{folder}/{name}", f"{folder}/")

    def _is_of_another(self, folder: str, name: str) -> bool:
        """Return whether a file below an article's folder is in the folder of another article within."""
        *inner, _ = name.split("/")
        for depth in range(1, len(inner) + 1):
            try:
                within = os.listdir(self._root / "/".join([folder, *inner[:depth]]))  # noqa: PTH208  # names alone
            except (OSError, ValueError):
                return True
            if any(map(_is_index, within)):
                return True
        return False

    def file(self, path: str) -> Path | None:
        """Return where a file is, links resolved, that has the same path on the site; None if none may be there."""
        return self._found(path) if paths.may_be_file(f"/{path}", self._aliases) else None

    def _found(self, path: str, own_folder: str = "") -> Path | None:
        """Return where a file is, also in the folder of an article that is not live if that is `own_folder`."""
        place = _place(self._root, path) if _is_of_known_kind(path) else None
        if place is None or not _is_of_known_kind(place):
            return None
        if place != path:
            is_own = bool(own_folder) and place.startswith(own_folder)
            if is_own and self._is_of_another(own_folder.rstrip("/"), place.removeprefix(own_folder)):
                return None
            if not self._may_lead_to(place) or (not is_own and self._is_of_draft(place)):
                return None
        found = self._root / place
        return None if self._is_secret(found) else found

    def is_unreadable(self, path: str) -> bool:
        """Return whether it can't be told if a file is there: its folder can't be looked into."""
        try:
            (self._root / path).stat()
        except OSError as error:
            return error.errno not in _NOT_THERE
        except ValueError:
            return False
        return False

    def _is_secret(self, place: Path) -> bool:
        try:
            mine = place.stat()
            return any(os.path.samestat(mine, facts) for facts in _stats(self._secrets))
        except OSError:
            return True

    def is_missing(self, site: Site, article: Article, reference: str) -> bool:
        """Return whether a reference of an image leads to a file that is not there.

        Where this program publishes the pages of articles, all files of the site are below the content folder. On other
        sites, only files beside the article, and in a folder of its name (as in Hexo), can be checked.
        """
        files = syndicate.files(article, site)
        if files.site_url:
            path = files.path(reference)
            elsewhere = reference.lstrip().startswith("/") or scheme(reference)
            if path is None:
                return not elsewhere
            folder = _folder(article)
            if files.own_url and path.startswith(folder):
                name = path.removeprefix(folder)
                page = syndicate.page(article, site) or "/"
                return self.find(article.path, name, paths.folder_of_page(page) + name) is None
            return self.file(path) is None
        path = resolved(article.path, reference)
        if path is None or reference.lstrip().startswith(".."):
            return False
        in_folder = resolved(f"{without_suffix(article.path)}/index.md", reference)
        return not any(_place(self._root, one) for one in (path, in_folder) if one)


def _stats(places: Collection[Path]) -> Iterator[os.stat_result]:
    for place in places:
        try:
            yield place.stat()
        except OSError:
            continue


def _is_index(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and has_own_folder(f"/{name}")


def _is_of_known_kind(path: str) -> bool:
    """Return whether a path below the content folder is of a kind that we know, and nothing on it is hidden."""
    return bool(media_type(path)) and not any(part.startswith(".") or not part for part in path.split("/"))


def referred(article: Article, site: Site, html: str) -> list[str]:
    """Return the paths below the content folder of files that an article refers to, but for its own folder's.

    `html` is the article's text before it is sanitised. None where the article has no page of ours. Whether the files
    are there is asked when somebody asks for them.
    """
    files = syndicate.files(article, site)
    if not files.site_url:
        return []
    of_fields = [*(one.url for one in article.enclosures), *([article.image.url] if article.image else [])]
    urls = ((on_site(one, site.url, one) or "") if one.startswith("/") else one for one in of_fields)
    found: dict[str, None] = {}
    for reference in (*urls, *references(html)):
        path = files.path(reference)
        if path and media_type(path) and not (files.own_url and path.startswith(_folder(article))):
            found[path] = None
    return [path for path in found if len(path.encode()) <= _LONGEST_PATH]


def _folder(article: Article) -> str:
    return article.path.rpartition("/")[0] + "/"


def _place(root: Path, path: str) -> str | None:
    """Return the path below the content folder of the file to which a path leads; None if there is none."""
    try:
        place = root / path
        return place.resolve().relative_to(root.resolve()).as_posix() if place.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name that can't be, links that lead out, or in a circle
        return None
