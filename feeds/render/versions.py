"""The versions of live documents: `feeds status` lists those that were too large, and deltas need them."""

from collections import deque
from collections.abc import Sequence
from datetime import timedelta

from feeds.catalog import Catalog, CatalogReader, DocumentVersion
from feeds.core.model import FeedState
from feeds.render.document_path import DocumentPath
from feeds.render.renderer import RenderedDocument

_MAX_VERSIONS = 500  # of all documents together in memory; of each document in the catalog


class DocumentVersions:
    """Records versions in memory until `save` writes them to the catalog, so that no request waits for the catalog."""

    def __init__(self, catalog: Catalog, *, every: bool) -> None:
        """Record versions: all if `every` is true, else only those of documents that are or were too large."""
        self._catalog = catalog
        self._every = every
        self._recorded: deque[DocumentVersion] = deque(maxlen=_MAX_VERSIONS)
        self._unsaved: deque[DocumentVersion] = deque(maxlen=_MAX_VERSIONS)
        self._recorded_paths: set[str] | None = None  # documents of which the catalog has a version

    def record(
        self, document_path: DocumentPath, rendered: RenderedDocument, state: FeedState, max_entries: int
    ) -> None:
        """Record a version of a feed's live document, which has `max_entries` full entries unless it is too large."""
        if self._recorded_paths is None:
            with self._catalog.read_transaction() as catalog:
                self._recorded_paths = {version.path for version in catalog.oversized_documents()}
        path = document_path.path
        is_shortened = rendered.full_entries < max_entries
        if document_path.archive or not (self._every or is_shortened or path in self._recorded_paths):
            return
        self._recorded_paths.add(path)
        oldest = rendered.oldest or state.changed + timedelta(days=1)
        digest = rendered.document.digest
        version = DocumentVersion(path, digest, state.revision, max_entries, rendered.full_entries, oldest)
        self._recorded.append(version)
        self._unsaved.append(version)

    def find(self, catalog: CatalogReader, path: str, digests: Sequence[str]) -> DocumentVersion | None:
        """Return a version of a document with one of some digests, from any process; None if none is known."""
        recorded = [version for version in list(self._recorded) if version.path == path and version.digest in digests]
        return recorded[-1] if recorded else catalog.document_version(path, digests)

    def save(self) -> None:
        """Write the recorded versions to the catalog. Raise `CatalogError` if it can't be written."""
        batch = list(self._unsaved)
        if batch:
            with self._catalog.write_transaction() as catalog:
                catalog.save_document_versions(batch, keep=_MAX_VERSIONS if self._every else 1)
            for _ in batch:
                self._unsaved.popleft()
