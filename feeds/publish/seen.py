"""What a look at the folder found to differ from the catalog, and which of it only moved."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from feeds.catalog import Known, Refusal, Stamp
from feeds.model import Article

UNSEEN: Stamp = (0, 0, 0)  # no file has it, so that the next run reads the file again


@dataclass(frozen=True, slots=True)
class Version:
    """A file that was read, and the row that its path had until now."""

    row: Known | None
    stamp: Stamp
    article: Article
    hash: str

    @property
    def order(self) -> tuple[datetime, str]:
        """Which of two is first: the earlier, then by path."""
        return self.article.published, self.article.path


@dataclass(slots=True)
class Seen:
    """What a look at the folder found to differ from the catalog."""

    versions: list[Version] = field(default_factory=list)
    refusals: list[tuple[Known | None, Stamp, Refusal]] = field(default_factory=list)
    touched: list[tuple[int, Stamp]] = field(default_factory=list)  # same text, other stamp
    vanished: list[int] = field(default_factory=list)
    moves: dict[str, int] = field(default_factory=dict)  # path -> key of the article whose text is there now
    unsettled: bool = False


def moves(versions: list[Version], known: dict[str, Known], here: set[str]) -> dict[str, int]:
    """Find the files that hold the text of an article of another path: path -> that article's key.

    An article moves only if its own path is given up: no file is there, or the file there is another that moved.
    So chains (b to c, a to b) and swaps are followed, and of a copy and its edited original each stays what it was.
    """
    by_hash: dict[str, list[str]] = {}
    for path, row in known.items():
        if row.hash:
            by_hash.setdefault(row.hash, []).append(path)
    claims = {}
    for version in versions:
        holders = by_hash.get(version.hash, [])
        if len(holders) == 1 and holders[0] != version.article.path:
            claims[version.article.path] = holders[0]
    places = Counter(claims.values())  # one text in two new places: nobody can tell which is the article
    claims = {path: origin for path, origin in claims.items() if places[origin] == 1}
    while refuted := [path for path, origin in claims.items() if origin in here and origin not in claims]:
        for path in refuted:
            del claims[path]
    return {path: known[origin].key for path, origin in claims.items()}
