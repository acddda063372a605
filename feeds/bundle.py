"""The files beside an article that has a folder of its own, `NAME/index.md`: pictures, sound, what it links to.

Where articles have pages of ours, these are at the page's address too. Only kinds of files that we know by name, no
hidden ones, and nothing that a link leads to from outside the content folder.
"""

import os
from pathlib import Path

from feeds.parse.media import media_type

_ARTICLES = ("index.md", "index.markdown")


def names(root: Path, article: str) -> list[str]:
    """Give the names of the files beside an article, by its path in the content folder; none if it has no folder."""
    folder, _, file = article.rpartition("/")
    if not folder or file not in _ARTICLES:
        return []
    try:
        there = sorted(os.listdir(root / folder))  # noqa: PTH208  # names are all that is needed
    except OSError:
        return []
    return [name for name in there if find(root, article, name)]


def find(root: Path, article: str, name: str) -> Path | None:
    """Give where a file beside an article is; None if there is none that may be seen."""
    folder, _, file = article.rpartition("/")
    if not folder or file not in _ARTICLES or "/" in name or name.startswith(".") or not media_type(name):
        return None
    place = root / folder / name
    try:
        inside = place.resolve().is_relative_to(root.resolve())
        return place if inside and place.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name that can't be, or links in a circle
        return None
