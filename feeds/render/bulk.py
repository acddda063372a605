"""Lists and renders every document and page of a catalog, for an export. Entries are cached, documents are not."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from feeds.catalog import MAX_SMALL_FEED, Catalog, CatalogReader, EntryRecord, MovedPage, PageInFeed, names_by_feed
from feeds.core import paths, syndication
from feeds.core.feed_settings import limit_of
from feeds.core.formats import FORMATS
from feeds.core.model import Document, FeedState, Site
from feeds.core.text import digest_of
from feeds.render.document_path import DocumentPath
from feeds.render.export_queries import ExportQueries
from feeds.render.page_queries import FeedPage
from feeds.render.renderer import DocumentRenderer
from feeds.render.shared_entries import SharedEntries
from feeds.render.versions import DocumentVersions

_MAX_BYTES_TOGETHER = 8 << 20  # of packed articles
_BATCH = 5_000  # rows that are read from the catalog at a time


class ListedDocument(NamedTuple):
    """A document of the catalog, and a digest of its content that is known before it is rendered."""

    document_path: DocumentPath
    digest: str


class BulkDocument(NamedTuple):
    """A rendered document with its path."""

    document_path: DocumentPath
    document: Document


class ListedArticlePage(NamedTuple):
    """The page of an article.

    Attributes:
        path: the path of the page.
        source: the path of the article's file.
        digest: a digest of the page's content, without the sizes of its pictures.
        linked_files: the paths below the content folder to which the article links; not all of them exist.
    """

    path: str
    source: str
    digest: str
    linked_files: list[str]


class _Unchanging(NamedTuple):
    """Values that are the same for all documents of an export, since the catalog does not change during it."""

    began: datetime  # when the site's first revision was committed
    feeds_with_tombstones: set[str]


class BulkRenderer:
    """Lists and renders all documents of a catalog, which must not change meanwhile. Thread-safe."""

    def __init__(self, catalog: Catalog, site: Site, max_bytes: int = 40 << 20) -> None:
        """Cache up to `max_bytes` of entries, and up to `max_bytes` of entries in the syntax of a format."""
        self._catalog = catalog
        self._site = site
        self._states: dict[str, FeedState] = {}  # of the listed feeds
        self._small: dict[str, list[EntryRecord]] = {}  # all entries of small feeds, by path
        self._unchanging: _Unchanging | None = None
        self._versions = DocumentVersions(catalog, every=False)
        self._renderer = DocumentRenderer(site, max_bytes)
        self.page_queries = ExportQueries(self._read_transaction, site, self._renderer)
        self._open_reader: CatalogReader | None = None  # in `reading`

    def share_entries(self, entries: SharedEntries) -> None:
        """Share rendered entries with the processes that are forked from this one."""
        self._renderer.share(entries)

    def import_formats(self) -> None:
        """Import the modules of the formats."""
        self._renderer.import_formats()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read in one transaction within the block, from one thread. Otherwise, each method opens its own."""
        with self._catalog.read_transaction() as reader:
            self._open_reader = reader
            try:
                yield
            finally:
                self._open_reader = None

    def _read_transaction(self) -> AbstractContextManager[CatalogReader]:
        return nullcontext(self._open_reader) if self._open_reader else self._catalog.read_transaction()

    def list_documents(self, *, has_archives: Callable[[FeedState], bool]) -> Iterator[ListedDocument]:
        """Yield all documents, those of one feed together; archives only of feeds for which `has_archives` is true."""
        with self._read_transaction() as catalog:
            identity = f"{catalog.catalog_id()} {syndication.site_fingerprint(self._site)}"
            feeds = [state for state in catalog.feeds() if syndication.exists(state, self._site)]
            with_tombstones = catalog.feeds_with_tombstones()
        self._states, self._small, self._unchanging = {state.path: state for state in feeds}, {}, None
        self.page_queries.reset()
        for state in feeds:
            last = syndication.archive_count(state, self._site) if has_archives(state) else 0
            # a tombstone may disappear although the entries, and the digest of the state, stay the same
            live_digest = f"{state.digest} {last}" + (f" {state.revision}" if state.path in with_tombstones else "")
            for archive in range(last + 1):
                revision = syndication.document_revision(state, archive, self._site)
                # a plain tuple, because manifests of earlier versions contain its `repr`
                digest = f"{revision and tuple(revision)} {identity}" if archive else live_digest
                for summary in (False, True) if syndication.has_summary(state.path, self._site) else (False,):
                    for format_ in FORMATS:
                        yield ListedDocument(DocumentPath(state.path, format_, archive, summary=summary), digest)

    def read_small_feeds(self, feeds: Iterable[str]) -> None:
        """Read the entries of the small ones of some listed feeds together, for the next calls of `load_feed`."""
        small = [path for path in feeds if path in self._states and self._states[path].entries <= MAX_SMALL_FEED]
        with self._read_transaction() as catalog:
            self._small = catalog.entries_of_feeds(small, _MAX_BYTES_TOGETHER)

    def load_feed(self, path: str, archive: int) -> FeedPage:
        """Return the content of a feed that `list_documents` has listed, or of one of its archives."""
        with self._read_transaction() as catalog:
            state = self._states.get(path) or catalog.feed(path)  # another process may have listed it
            assert state is not None, "it was listed"
            if self._unchanging is None:
                self._unchanging = _Unchanging(catalog.first_committed_at(), catalog.feeds_with_tombstones())
            began, has_tombstones = self._unchanging.began, path in self._unchanging.feeds_with_tombstones
            records = None if archive else self._small.get(path)
            content = self._renderer.load_content(
                catalog, state, archive, began=began, has_tombstones=has_tombstones, records=records
            )
        return FeedPage(self._renderer.render_feed(state, content, archive), state, [], content.changed)

    def render_documents(
        self, content: FeedPage, document_paths: Sequence[DocumentPath], *, has_archives: Callable[[FeedState], bool]
    ) -> Iterator[BulkDocument]:
        """Render documents of a feed, or of one of its archives, from the content that `load_feed` returned.

        Documents of a feed for which `has_archives` is false don't link to an archive.
        """
        feed, state = content.feed, content.state
        if not has_archives(state):
            feed = replace(feed, prev_archive_url=None)
        for document_path in document_paths:
            rendered = self._renderer.render_document(document_path, feed, state, content.changed)
            self._versions.record(document_path, rendered, state, min(limit_of(state.path, self._site), state.entries))
            yield BulkDocument(document_path, rendered.document)

    def list_article_pages(self) -> Iterator[ListedArticlePage]:
        """Yield the pages of all published articles, by path."""
        after, fingerprint = "", syndication.site_fingerprint(self._site)
        # the title of a custom feed does not determine its path
        names = {
            state.path: (state.path, state.name) if state.kind == "custom" else state.name
            for state in self.page_queries.feeds().feeds
        }
        neighbours = self._neighbour_digests()
        has_linked_files = any(self.list_linked_files())
        while True:
            with self._read_transaction() as catalog:
                batch = catalog.published_pages(after, _BATCH)
                linked = catalog.linked_files_by_article(page.key for page in batch) if has_linked_files else {}
            for path, articles in groupby(batch, attrgetter("page")):
                after, article = path, next(articles)
                feed_names = [names.get(feed) for feed in names_by_feed(article.feeds)]  # the page links to these
                beside = neighbours[article.key] if article.key < len(neighbours) else 0  # the page links to these
                digest = digest_of(fingerprint, article.path, feed_names, article.content_hash, article.id, beside)
                linked_files = [target.removeprefix("/") for target in linked.get(article.key, ())]
                yield ListedArticlePage(path, article.path, digest, linked_files)
            if len(batch) < _BATCH:
                return

    def _neighbour_digests(self) -> "array[int]":
        """Return, by the keys of articles, digests of the articles beside each in the site's feed; 0: in no feed.

        In an array, a digest takes 8 bytes. A dictionary of a million digests would take 100 MB.
        """
        digests = array("Q")
        older = current = after = None
        while True:
            with self._read_transaction() as catalog:
                batch: list[PageInFeed | None] = [*catalog.pages_in_feed(after, _BATCH)]
            is_last = len(batch) < _BATCH
            for newer in [*batch, None] if is_last else batch:
                if current:
                    if current.key >= len(digests):
                        digests.frombytes(bytes(digests.itemsize * (current.key + _BATCH - len(digests))))
                    beside = [article and (article.page, article.content_hash) for article in (older, newer)]
                    digests[current.key] = int.from_bytes(blake2b(repr(beside).encode(), digest_size=8).digest())
                older, current = current, newer
            if is_last:
                return digests
            after = current

    def list_moved_pages(self) -> Iterator[MovedPage]:
        """Yield the former addresses of the pages of published articles, by path."""
        after = ""
        while True:
            with self._read_transaction() as catalog:
                batch = catalog.moved_pages(after, _BATCH)
            yield from (moved for moved in batch if paths.owner(moved.page, self._site) is None)
            if len(batch) < _BATCH:
                return
            after = batch[-1].page

    def list_linked_files(self) -> Iterator[str]:
        """Yield the paths below the content folder to which articles link; not all of them exist."""
        after = ""
        while True:
            with self._read_transaction() as catalog:
                targets = catalog.linked_files(after, _BATCH)
            yield from (target.removeprefix("/") for target in targets)
            if len(targets) < _BATCH:
                return
            after = targets[-1]

    def save_versions(self) -> None:
        """Write the versions of the rendered documents to the catalog. Raise `CatalogError` if it can't be written."""
        self._versions.save()
