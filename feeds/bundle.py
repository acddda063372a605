"""The files beside an article that has a folder of its own, `NAME/index.md`: pictures, sound, what it links to.

Where articles have pages of ours, these are at the page's address too. Only kinds of files that we know by name, no
hidden ones, and nothing that a link leads to from outside the content folder.
"""

import os
from pathlib import Path

from feeds.article_files import has_own_folder, resolved, without_suffix
from feeds.model import Article
from feeds.parse.media import media_type


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
    if not has_own_folder(article) or not media_type(name):
        return None
    if any(part.startswith(".") or not part for part in name.split("/")):
        return None
    place = root / article.rpartition("/")[0] / name
    try:
        inside = place.resolve().is_relative_to(root.resolve())
        return place if inside and place.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name that can't be, or links in a circle
        return None


def is_missing(root: Path, article: Article, reference: str) -> bool:
    """Return whether a reference of an image, relative to an article's file, leads to a file that is not there.

    Nothing is known of other references, since a site's own files may be elsewhere. Hexo has the files of `NAME.md` in
    a folder NAME.
    """
    path = resolved(article.path, reference)
    if path is None or reference.lstrip().startswith(".."):
        return False
    in_folder = resolved(f"{without_suffix(article.path)}/index.md", reference)
    return not any(_is_file(root, one) for one in (path, in_folder) if one)


def _is_file(root: Path, path: str) -> bool:
    try:
        place = root / path
        return place.is_file() and place.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that can't be, or links in a circle
        return False
