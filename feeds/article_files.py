"""The names of article files: their endings, and what a name says of the article.

Every part of the program that asks whether a file can be an article, or what it is called, asks here.
"""

import posixpath
import re
from urllib.parse import unquote

DEFAULT_SUFFIXES = (".md", ".markdown")
SUFFIXES = (*DEFAULT_SUFFIXES, ".mdx")  # .mdx only where content.include names it
DEFAULT_INCLUDE = tuple(f"**/*{suffix}" for suffix in DEFAULT_SUFFIXES)
SUFFIX_PATTERN = "|".join(re.escape(suffix) for suffix in SUFFIXES)
_SUFFIX = re.compile(rf"(?:{SUFFIX_PATTERN})$", re.IGNORECASE)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
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
    path = unquote(reference.strip().partition("?")[0].partition("#")[0])
    if not path or path.startswith("/") or _SCHEME.match(path):
        return None
    return _visible(posixpath.join(posixpath.dirname(article), path))


def _visible(path: str) -> str | None:
    path = posixpath.normpath(path)
    return None if any(part.startswith(".") for part in path.split("/")) else path


def may_match(pattern: str) -> bool:
    """Return whether a pattern of gitignore's may match an article file, by what the names of those end in.

    A last part without a wildcard may be a folder.
    """
    *wild, end = _WILDCARD.split(pattern.rpartition("/")[2].lower())
    return not wild or any(suffix.endswith(end) or end.endswith(suffix) for suffix in SUFFIXES)
