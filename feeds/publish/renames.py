"""Finds renamed files: an article whose file moved keeps its id."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from feeds.catalog import SameText


class Rename(NamedTuple):
    """The article that moved to another path."""

    key: int
    old_path: str


def find_renames(same_texts: Iterable[SameText], exists: Callable[[str], bool]) -> dict[str, Rename]:
    """Return the renames among files whose text is that of an article at another path, by new path.

    An article moves only if its old path is free: no file exists there, or the file there is another article that
    moved. So chains (b to c, a to b) and swaps are found, and a copy is a new article.

    Args:
        same_texts: the staged files with the text of an article at another path.
        exists: returns whether a file exists at a path.
    """
    candidates: dict[str, list[Rename]] = {}
    for same in same_texts:
        candidates.setdefault(same.path, []).append(Rename(same.key, same.old_path))
    renames = {path: found[0] for path, found in candidates.items() if len(found) == 1}
    targets = Counter(rename.key for rename in renames.values())  # a text at two new paths is ambiguous
    renames = {path: rename for path, rename in renames.items() if targets[rename.key] == 1}
    while wrong := [
        path for path, rename in renames.items() if rename.old_path not in renames and exists(rename.old_path)
    ]:
        for path in wrong:
            del renames[path]
    return renames
