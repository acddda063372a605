"""What articles' texts became, kept in the catalog, so that nobody renders again what anybody has rendered.

Kept are those of live feeds only: archives are seldom made, and would double the catalog.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterable

from feeds import __version__
from feeds.catalog import Catalog, Reader, Record
from feeds.encoding import from_stored, stored
from feeds.model import Content

KeptText = tuple[int, str, bytes]  # the key of a text, what else it depends on, what it became, packed
_UNWRITTEN = 5_000  # that may wait to be written; beyond that the first ones are not kept


class Contents:
    """Finds what was kept, and keeps more when it is told to: never while a client waits."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._unwritten: deque[KeptText] = deque(maxlen=_UNWRITTEN)

    @staticmethod
    def find(catalog: Reader, records: Iterable[Record]) -> dict[int, tuple[str, bytes]]:
        """Give what is kept of articles, by the keys of their texts; still packed."""
        return catalog.contents([record.text for record in records])

    @staticmethod
    def unpacked(kept: tuple[str, bytes] | None, record: Record, url: str) -> Content | None:
        """Give what is kept of an article with this address; None if that is nothing, or of another version."""
        if kept is None or kept[0] != _variant(record, url):
            return None
        try:
            html, summary = json.loads(from_stored(kept[1]))
        except (ValueError, TypeError):  # damaged: it is made again
            return None
        return Content(html, summary)

    def note(self, record: Record, url: str, content: Content) -> None:
        """Note what an article's text became."""
        packed = stored(json.dumps([content.html, content.summary], ensure_ascii=False))
        self._unwritten.append((record.text, _variant(record, url), packed))

    def take(self) -> list[KeptText]:
        """Give what was noted, for who keeps it in our place."""
        return [self._unwritten.popleft() for _ in range(len(self._unwritten))]

    def keep(self, made: Iterable[KeptText]) -> None:
        """Tell the catalog what texts became. Raises `CatalogError`."""
        if batch := list(made):
            with self._catalog.writing() as catalog:
                catalog.keep_contents(batch)

    def write(self) -> None:
        """Tell the catalog what was noted. Raises `CatalogError`."""
        self.keep(self.take())


def _variant(record: Record, url: str) -> str:
    return hashlib.sha256(repr((__version__, record.hash, record.id, url)).encode()).hexdigest()[:16]
