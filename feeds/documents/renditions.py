"""Which versions of live documents were made: for `feeds status`, what was too large; for deltas, what was in it."""

from collections import deque
from collections.abc import Sequence
from datetime import timedelta

from feeds.catalog import Catalog, Reader, Rendition
from feeds.documents.address import Address
from feeds.documents.render import Rendered
from feeds.model import FeedState

_REMEMBERED = 500  # versions: in memory of all documents, in the catalog of each


class Renditions:
    """Remembers in memory at once, and in the catalog when it is told to: never while a client waits."""

    def __init__(self, catalog: Catalog, *, every: bool) -> None:
        """Remember every version, or only those of documents that are or were too large."""
        self._catalog = catalog
        self._every = every
        self._ours: deque[Rendition] = deque(maxlen=_REMEMBERED)
        self._unwritten: deque[Rendition] = deque(maxlen=_REMEMBERED)
        self._noted: set[str] | None = None  # documents of which the catalog has one

    def note(self, address: Address, rendered: Rendered, state: FeedState, whole: int) -> None:
        """Note what was made of a feed's live document, which would have `whole` entries with their texts."""
        if self._noted is None:
            with self._catalog.reading() as catalog:
                self._noted = {rendition.path for rendition in catalog.shortened()}
        path = address.path
        if address.archive or not (self._every or rendered.texts < whole or path in self._noted):
            return
        self._noted.add(path)
        oldest = rendered.oldest or state.changed + timedelta(days=1)
        rendition = Rendition(path, rendered.document.digest, state.revision, whole, rendered.texts, oldest)
        self._ours.append(rendition)
        self._unwritten.append(rendition)

    def find(self, catalog: Reader, path: str, digests: Sequence[str]) -> Rendition | None:
        """Give what is known of the first known of some versions, made by us or by another process."""
        ours = [known for known in list(self._ours) if known.path == path and known.digest in digests]
        return ours[-1] if ours else catalog.rendition(path, digests)

    def write(self) -> None:
        """Tell the catalog. Raises `CatalogError`."""
        batch = list(self._unwritten)
        if batch:
            with self._catalog.writing() as catalog:
                catalog.remember_renditions(batch, keep=_REMEMBERED if self._every else 1)
            for _ in batch:
                self._unwritten.popleft()
