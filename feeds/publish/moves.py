"""Which files hold an article that had another path: it moved, and keeps its id."""

from collections import Counter
from collections.abc import Callable, Iterable


def moves(same_texts: Iterable[tuple[str, str, int]], is_there: Callable[[str], bool]) -> dict[str, tuple[int, str]]:
    """Find the moves among files with the text of an article of another path: path -> that article's key and path.

    `same_texts` are (path, the article's path, its key). An article moves only if its own path is given up: no file is
    there, or the file there is another that moved. So chains (b to c, a to b) and swaps are followed, and of a copy and
    its edited original each stays what it was.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for path, origin, key in same_texts:
        found.setdefault(path, []).append((key, origin))
    claims = {path: origins[0] for path, origins in found.items() if len(origins) == 1}
    places = Counter(key for key, _ in claims.values())  # one text in two new places: nobody can tell which is the one
    claims = {path: claim for path, claim in claims.items() if places[claim[0]] == 1}
    while refuted := [path for path, (_, origin) in claims.items() if origin not in claims and is_there(origin)]:
        for path in refuted:
            del claims[path]
    return claims
