"""The files that belong to articles: those of the folder of `NAME/index.md`, and those that an article refers to.

Where articles have pages of ours, the former are at the page's address, and the latter at their path below the content
folder. Only kinds of files that we know by name, no hidden ones, and nothing that a link leads to from outside the
content folder.
"""

import os
from pathlib import Path

from feeds import syndicate
from feeds.article_files import has_own_folder, resolved, without_suffix
from feeds.encoding import SUFFIXES
from feeds.model import Article, Site
from feeds.parse.html import references
from feeds.parse.media import media_type
from feeds.text import on_site, scheme

_LONGEST_PATH = 2_000  # bytes below the content folder: an entry of PostgreSQL's indexes has 2,704


def names(root: Path, article: str) -> list[str]:
    """Give the files beside an article and below, by its path in the content folder; none if it has no folder."""
    if not has_own_folder(article):
        return []
    folder = article.rpartition("/")[0]
    found = []
    for place, folders, files in os.walk(root / folder):
        inside = os.path.relpath(place, root / folder)
        if inside != "." and any(has_own_folder(f"{inside}/{name}") for name in files):
            folders.clear()  # another article's
            continue
        folders.sort()
        found += [name if inside == "." else f"{inside}/{name}" for name in sorted(files)]
    return [name for name in found if find(root, article, name)]


def find(root: Path, article: str, name: str) -> Path | None:
    """Give where a file beside an article is; None if there is none that may be seen."""
    if not has_own_folder(article):
        return None
    folder = article.rpartition("/")[0]
    return file(root, f"{folder}/{name}")


def file(root: Path, path: str) -> Path | None:
    """Return where a file below the content folder is; None if there is none that may be seen."""
    if not _may_be_seen(path):
        return None
    name = path.rpartition("/")[2]
    if any(name.removesuffix(suffix) in syndicate.DOCUMENTS for suffix in ("", *SUFFIXES.values())):
        return None  # a feed would be there
    place = _place(root, path)
    return root / path if place and _may_be_seen(place) else None  # a link must not lead to what is hidden


def _may_be_seen(path: str) -> bool:
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


def is_missing(root: Path, site: Site, article: Article, reference: str) -> bool:
    """Return whether a reference of an image leads to a file that is not there.

    Where articles have pages of ours, every file of the site has to be below the content folder. Elsewhere only files
    beside the article can be judged, or in a folder of its name, as Hexo has them: the site's own may be anywhere.
    """
    files = syndicate.files(article, site)
    if files.site_url:
        path = files.path(reference)
        elsewhere = reference.lstrip().startswith("/") or scheme(reference)
        return file(root, path) is None if path else not elsewhere
    path = resolved(article.path, reference)
    if path is None or reference.lstrip().startswith(".."):
        return False
    in_folder = resolved(f"{without_suffix(article.path)}/index.md", reference)
    return not any(_place(root, one) for one in (path, in_folder) if one)


def _place(root: Path, path: str) -> str | None:
    """Return the path below the content folder of the file to which a path leads; None if there is none."""
    try:
        place = root / path
        return place.resolve().relative_to(root.resolve()).as_posix() if place.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name that can't be, links that lead out, or in a circle
        return None
