"""The names of article files: their endings, what a name says of the article, and which files an article refers to.

Every part of the program that asks whether a file can be an article, or what it is called, asks here. What an article
refers to relative to its own file is a file below the content folder. Where articles have pages of ours, such a file is
at its path below the content folder on the site, or at the page's address if it is in the article's own folder.
"""

import posixpath
import re
from typing import NamedTuple
from urllib.parse import unquote

from feeds.text import absolute, quote_path, scheme

DEFAULT_SUFFIXES = (".md", ".markdown")
SUFFIXES = (*DEFAULT_SUFFIXES, ".mdx")  # .mdx only where content.include names it
DEFAULT_INCLUDE = tuple(f"**/*{suffix}" for suffix in DEFAULT_SUFFIXES)
SUFFIX_PATTERN = "|".join(re.escape(suffix) for suffix in SUFFIXES)
_SUFFIX = re.compile(rf"(?:{SUFFIX_PATTERN})$", re.IGNORECASE)
_WILDCARD = re.compile(r"[*?\]]")


def is_mdx(path: str) -> bool:
    """Return whether a file is written in MDX."""
    return path.lower().endswith(".mdx")


def without_suffix(path: str) -> str:
    """Return the path of an article file without its ending."""
    return path[:-3] if path.endswith(".md") else _SUFFIX.sub("", path)


def article_name(path: str) -> str:
    """Return the name of the article in a file: the path without its ending, and of `NAME/index.md`, NAME."""
    return without_suffix(path).removesuffix("/index")


def has_own_folder(path: str) -> bool:
    """Return whether an article file is `NAME/index.md`, so that the other files of its folder belong to it."""
    return without_suffix(path).endswith("/index")


def resolved(article: str, reference: str) -> str | None:
    """Return the path of the file that an article refers to relative to its own, both below the content folder.

    None for a URL, for a path from the root of the site, and for what leads out of the folder or to something hidden.
    """
    path = unquote(_path_of(reference))
    if not path or path.startswith("/") or scheme(path):
        return None
    return _visible(posixpath.join(posixpath.dirname(article), path))


def _path_of(reference: str) -> str:
    return reference.strip().partition("?")[0].partition("#")[0]


def _visible(path: str) -> str | None:
    path = posixpath.normpath(path)
    hidden = any(part.startswith(".") for part in path.split("/"))
    return None if hidden or path.startswith("/") else path  # "/%2fa" names a file by its absolute path


class Files(NamedTuple):
    """Where the files that an article refers to are on the site, if they are there at all."""

    article: str = ""  # the path of its own file
    site_url: str = ""  # where the content folder is; "" if articles have no pages of ours
    own_url: str = ""  # where the files of its own folder are, with a slash at its end; "" if it has none

    def url(self, reference: str) -> str | None:
        """Return the URL of a file that the article refers to relative to its own; None for any other reference."""
        path = resolved(self.article, reference) if self.site_url else None
        if path is None:
            return None
        folder = f"{posixpath.dirname(self.article)}/"
        is_own = bool(self.own_url) and path.startswith(folder)
        url = self.own_url + quote_path(path.removeprefix(folder)) if is_own else f"{self.site_url}/{quote_path(path)}"
        return absolute(url + reference.strip().removeprefix(_path_of(reference)), url)

    def path(self, reference: str) -> str | None:
        """Return the path below the content folder of the file that a reference means, however it is written.

        None if it is elsewhere: on another site, or out of the folder. Only where articles have pages of ours.
        """
        if not scheme(reference) and not reference.strip().startswith("/"):
            return resolved(self.article, reference)
        url = absolute(reference, self.site_url) or ""
        path = unquote(_path_of(url).removeprefix(f"{self.site_url}/"))
        return _visible(path) if url.startswith(f"{self.site_url}/") and path else None


def may_match(pattern: str) -> bool:
    """Return whether a pattern of gitignore's may match an article file, by what the names of those end in.

    A last part without a wildcard may be a folder.
    """
    *wild, end = _WILDCARD.split(pattern.rpartition("/")[2].lower())
    return not wild or any(suffix.endswith(end) or end.endswith(suffix) for suffix in SUFFIXES)
