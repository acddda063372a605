"""The names of article files, and the paths and URLs of the files that an article refers to.

The only module that knows the suffixes of article files. A relative reference of an article leads to a file below the
content folder. If articles have pages here, the URL of such a file is its path below the site's URL or, if the file is
in the article's own folder, below the page's URL.
"""

import posixpath
import re
from typing import NamedTuple
from urllib.parse import unquote

from feeds.core.text import absolute_url, quote_path, url_scheme

DEFAULT_SUFFIXES = (".md", ".markdown")
SUFFIXES = (*DEFAULT_SUFFIXES, ".mdx")  # .mdx only if content.include names it
DEFAULT_INCLUDE = tuple(f"**/*{suffix}" for suffix in DEFAULT_SUFFIXES)
SUFFIX_PATTERN = "|".join(re.escape(suffix) for suffix in SUFFIXES)
_SUFFIX = re.compile(rf"(?:{SUFFIX_PATTERN})$", re.IGNORECASE)
_WILDCARD = re.compile(r"[*?\]]")


def is_mdx(path: str) -> bool:
    """Return whether a file is written in MDX."""
    return path.lower().endswith(".mdx")


def without_suffix(path: str) -> str:
    """Return the path of an article file without its suffix."""
    return path[:-3] if path.endswith(".md") else _SUFFIX.sub("", path)


def article_name(path: str) -> str:
    """Return the name of an article: its path without suffix; for `NAME/index.md`, NAME."""
    return without_suffix(path).removesuffix("/index")


def has_own_folder(path: str) -> bool:
    """Return whether an article file is `NAME/index.md`, which owns the other files of its folder."""
    return without_suffix(path).endswith("/index")


def resolve_path(article: str, reference: str) -> str | None:
    """Return the path, below the content folder, of a reference that is relative to an article's path.

    None for a URL, for a path from the root of the site, and for a path that leaves the folder or is hidden.
    """
    path = unquote(_path_of(reference))
    if not path or path.startswith("/") or url_scheme(path):
        return None
    return _visible(posixpath.join(posixpath.dirname(article), path))


def _path_of(reference: str) -> str:
    return reference.strip().partition("?")[0].partition("#")[0]


def _visible(path: str) -> str | None:
    path = posixpath.normpath(path)
    hidden = any(part.startswith(".") for part in path.split("/"))
    return None if hidden or path.startswith("/") else path  # "/%2fa" names a file by its absolute path


class ArticleFiles(NamedTuple):
    """Maps the references of one article to the URLs and paths of files."""

    article: str = ""  # the path of the article's file
    site_url: str = ""  # the URL of the content folder; "" if articles have no pages here
    own_url: str = ""  # the URL of the article's own folder, with a trailing slash; "" if it has none

    def url(self, reference: str) -> str | None:
        """Return the URL of the file that a relative reference leads to; None for any other reference."""
        path = resolve_path(self.article, reference) if self.site_url else None
        if path is None:
            return None
        folder = f"{posixpath.dirname(self.article)}/"
        is_own = bool(self.own_url) and path.startswith(folder)
        url = self.own_url + quote_path(path.removeprefix(folder)) if is_own else f"{self.site_url}/{quote_path(path)}"
        return absolute_url(url + reference.strip().removeprefix(_path_of(reference)), url)

    def path(self, reference: str) -> str | None:
        """Return the path, below the content folder, of the file that a relative or absolute reference leads to.

        None if the file is on another site or outside the folder. Call this only if articles have pages here.
        """
        if not url_scheme(reference) and not reference.strip().startswith("/"):
            return resolve_path(self.article, reference)
        url = absolute_url(reference, self.site_url) or ""
        path = unquote(_path_of(url).removeprefix(f"{self.site_url}/"))
        return _visible(path) if url.startswith(f"{self.site_url}/") and path else None


def may_match_articles(pattern: str) -> bool:
    """Return whether a gitignore pattern may match an article file, judging by its suffix.

    A last part without a wildcard may be a folder, and so may match.
    """
    *wildcards, end = _WILDCARD.split(pattern.rpartition("/")[2].lower())
    return not wildcards or any(suffix.endswith(end) or end.endswith(suffix) for suffix in SUFFIXES)
