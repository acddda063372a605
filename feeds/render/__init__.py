"""The documents of a catalog, rendered on request and cached until their feed changes.

The cache is bounded in bytes. While the catalog can't be read, cached documents are still served. While a new version
of a document is rendered, requests get the last one; no request waits long for a first version.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeGuard, TypeVar

from feeds.catalog import Catalog, DocumentVersion
from feeds.core import syndication
from feeds.core.errors import CatalogError, FeedsError
from feeds.core.feed_settings import limit_of
from feeds.core.model import Document, FeedState, Site
from feeds.render.blocking import WaitPolicy, WouldBlock
from feeds.render.bulk import BulkRenderer
from feeds.render.cache import CacheEntry, DocumentCache
from feeds.render.document_path import DocumentPath
from feeds.render.lru import LRUCache
from feeds.render.page_queries import FeedPage, PageQueries
from feeds.render.queue import Priority, RenderQueue, RenderQueueFull
from feeds.render.relocation import relocate_site
from feeds.render.renderer import DocumentRenderer
from feeds.render.revision_watcher import RevisionWatcher
from feeds.render.versions import DocumentVersions

__all__ = [
    "BulkRenderer",
    "DocumentPath",
    "Documents",
    "FeedPage",
    "NotPublishedYet",
    "PageQueries",
    "RenderQueueFull",
    "ServedRevision",
    "WaitPolicy",
    "WouldBlock",
    "relocate_site",
]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_MAX_FAILED = 10_000  # documents whose failures are cached
_MAX_MISSING = 10_000  # paths of documents that don't exist
_OVERHEAD_BYTES = 6_000  # memory that a document takes besides its body, such as the headers of four encodings


def _priority(document_path: DocumentPath, cached: CacheEntry[Any] | None) -> Priority:
    if document_path.archive:
        return Priority.ARCHIVE
    return Priority.DOCUMENT if cached is None else Priority.POLLED


class NotPublishedYet(CatalogError):
    """The catalog has no revision yet; repeat the request soon."""


class ServedRevision(NamedTuple):
    """The catalog that is served, and the number of its revision."""

    catalog_id: str
    number: int


class Documents(Generic[T]):
    """All documents of a catalog, each as `transform` returns it. Thread-safe."""

    def __init__(
        self,
        catalog: Catalog,
        site: Site,
        transform: Callable[[Document], T] = lambda document: document,  # type: ignore[assignment,return-value]
        *,
        max_bytes: int = 64 << 20,
        served_site: Site | None = None,
        deltas: bool = False,
        on_rendered: Callable[[float], Any] = lambda _seconds: None,
    ) -> None:
        """Prepare to serve a catalog.

        Args:
            catalog: the catalog.
            site: the site.
            transform: converts a rendered document to the value that is cached and returned.
            max_bytes: the memory to use: three sevenths for documents with their encodings, two sevenths each for
                entries and for entries in a format.
            served_site: the site with the URLs to which documents and pages link, if they differ (`relocate_site`).
            deltas: whether to record versions, which `delta` needs.
            on_rendered: called after each render with its duration in seconds.
        """
        self.site = served_site or site
        self._transform = transform
        self._versions = DocumentVersions(catalog, every=deltas)
        self._on_rendered = on_rendered
        self._renderer = DocumentRenderer(site, max_bytes * 2 // 7, served_site)
        self._cache = DocumentCache[T](site, max_bytes * 3 // 7)
        self.revision_watcher = RevisionWatcher(catalog, self._cache, site.max_age)
        self._render_queue = RenderQueue()
        self._failed = LRUCache[syndication.DocumentRevision | None](
            _MAX_FAILED, lambda _: 1
        )  # the revisions that can't be rendered
        self._missing = LRUCache[ServedRevision](_MAX_MISSING, lambda _: 1)  # paths without a document at a revision
        self.page_queries = PageQueries(self.revision_watcher.reading, site, self._renderer, self._render_queue)

    @property
    def generation(self) -> int:
        """A number that changes whenever a document may have changed."""
        return self._cache.generation

    def prepare(self) -> None:
        """Import modules and start processes that rendering needs, so that the first request need not wait for them."""
        self._renderer.prepare()

    def close(self) -> None:
        """End the threads, which takes up to a second. The processes of the renderer end with this object."""
        self.revision_watcher.stop()
        self._render_queue.stop()

    def last_used(self, limit: int) -> list[str]:
        """Return the paths of up to `limit` live documents that are cached, the most recently used first."""
        document_paths = [entry.document_path for entry in self._cache.entries()]
        live = dict.fromkeys(path.path for path in reversed(document_paths) if not path.archive)
        return list(live)[:limit]

    def get(self, path: str, *, newest: bool = False, wait_policy: WaitPolicy = WaitPolicy.RENDER) -> T | None:
        """Return the document at a path; None if there is none.

        Args:
            path: the path below feeds.url, without percent-encoding.
            newest: whether to wait for a version that is being rendered instead of returning the last one.
            wait_policy: the operations that the call may wait for.

        Raises:
            NotPublishedYet: the catalog has no revision yet.
            RenderQueueFull: the document can't be rendered in time, and no earlier version is cached.
            CatalogError: the catalog can't be read, and no earlier version is cached.
            WouldBlock: the result takes longer than `wait_policy` allows.
        """
        self.revision_watcher.poll(wait_policy)
        cached = self._cache.get(path)
        if cached is not None and cached.outdated_since is None:
            return cached.value
        document_path = DocumentPath.parse(path, self.site.feeds)
        if document_path is None:
            return None
        if self._cache.revision == 0:
            raise NotPublishedYet("the first publish run has not finished")
        served = ServedRevision(self.revision_watcher.catalog_id, self._cache.revision)
        if cached is None and self._missing.get(path) == served:
            return None
        if reason := self.revision_watcher.unavailable_reason:  # a query could take until its timeout
            if cached is None:
                raise CatalogError(reason)
            return cached.value
        priority = _priority(document_path, cached)
        if wait_policy < WaitPolicy.RENDER and not newest and cached is not None and cached.is_recently_current:
            with contextlib.suppress(RenderQueueFull):
                self._render_queue.submit(path, lambda: self._render(document_path, path, priority), priority)
            return cached.value
        if wait_policy < WaitPolicy.RENDER:
            raise WouldBlock(priority.name.lower())
        if cached is None and not self._exists(document_path):  # the render queue is for documents that exist
            self._missing.put(path, served)
            return None
        return self._render_or_last(
            path, cached, lambda: self._render(document_path, path, priority), priority, newest=newest
        )

    def get_current(self, path: str, wait_policy: WaitPolicy = WaitPolicy.RENDER) -> T | None:
        """Return the current version of a document if it is cached, perhaps without its body; else None.

        A conditional request needs no body. Many more documents are cached without their bodies than with them, so this
        method answers most polls. Raise `WouldBlock` if the result takes longer than `wait_policy` allows.
        """
        self.revision_watcher.poll(wait_policy)
        cached = self._cache.get(path)
        if cached is not None:
            return cached.value if cached.outdated_since is None else None
        document_path = DocumentPath.parse(path, self.site.feeds)
        return self._cache.get_without_body(document_path) if document_path else None

    def delta(self, path: str, digests: Sequence[str], wait_policy: WaitPolicy = WaitPolicy.RENDER) -> T | None:
        """Return a live document without the entries that an earlier version of it has (RFC 3229).

        Args:
            path: the path of the document.
            digests: digests of versions that the client has.
            wait_policy: the operations that the call may wait for.

        Returns:
            The delta to a known version; None if none is known, or if all entries are new.

        Raises:
            WouldBlock: the result takes longer than `wait_policy` allows.
        """
        for digest in digests:
            cached = self._cache.get(f"{digest} {path}")
            if cached is not None and cached.outdated_since is None:
                return cached.value
        document_path = DocumentPath.parse(path, self.site.feeds)
        if document_path is None or document_path.archive:
            return None
        if wait_policy < WaitPolicy.RENDER:
            raise WouldBlock("document")
        with self.revision_watcher.reading() as catalog:
            version = self._versions.find(catalog, path, digests)
        if version is None:
            return None
        key = f"{version.digest} {path}"
        return self._render_or_last(
            key, None, lambda: self._render_delta(document_path, version, key), Priority.DOCUMENT
        )

    def save_versions(self) -> None:
        """Write the versions of the rendered documents to the catalog. Raise `CatalogError` if it can't be written."""
        self._versions.save()

    def revision(self, wait_policy: WaitPolicy = WaitPolicy.RENDER) -> ServedRevision:
        """Return the revision that is served, also while the catalog can't be read.

        Raise `NotPublishedYet` if there is none, and `WouldBlock` if the result takes longer than `wait_policy` allows.
        """
        self.revision_watcher.poll(wait_policy)
        if self._cache.revision == 0:
            raise NotPublishedYet("the first publish run has not finished")
        return ServedRevision(self.revision_watcher.catalog_id, self._cache.revision)

    def _exists(self, document_path: DocumentPath) -> bool:
        with self.revision_watcher.reading() as catalog:
            return self._has(catalog.feed(document_path.feed), document_path)

    def _has(self, state: FeedState | None, document_path: DocumentPath) -> TypeGuard[FeedState]:
        """Return whether a feed's state is not None and the feed has the document."""
        if state is None or (document_path.summary and not syndication.has_summary(state.path, self.site)):
            return False
        return syndication.document_revision(state, document_path.archive, self.site) is not None

    def _render_or_last(
        self,
        key: str,
        last: CacheEntry[T] | None,
        render: Callable[[], T | None],
        priority: Priority,
        *,
        newest: bool = False,
    ) -> T | None:
        """Queue a render. Return the last version if it was current a moment ago, else wait for the render.

        If `newest` is true, always wait.
        """

        def job() -> T | None:
            cached = self._cache.get(key)
            return cached.value if cached is not None and cached.outdated_since is None else render()

        try:
            if newest or last is None or not last.is_recently_current:
                value = self._render_queue.run(key, job, priority)
                if newest and (cached := self._cache.get(key)) and cached.outdated_since is not None:
                    value = self._render_queue.run(key, job, priority)  # waits for the job if it is queued already
                return value
            self._render_queue.submit(key, job, priority)
        except Exception as error:  # the last version is better than an error
            if last is None or (newest and not self.revision_watcher.unavailable_reason):
                raise
            _LOG.log(logging.INFO if isinstance(error, FeedsError) else logging.ERROR, "%s: %s", key, error)
        return last.value

    def _render(self, document_path: DocumentPath, path: str, priority: Priority) -> T | None:
        started = time.perf_counter()
        with self.revision_watcher.reading() as catalog:
            revision, state = catalog.revision(), catalog.feed(document_path.feed)
            if not self._has(state, document_path):
                self._cache.drop(path)
                return None
            content = self._renderer.load_content(catalog, state, document_path.archive)
        document_revision = syndication.document_revision(state, document_path.archive, self.site)
        if self._failed.get(path) == document_revision:
            raise FeedsError("this document can't be rendered")
        try:
            feed = self._renderer.render_feed(
                state,
                content,
                document_path.archive,
                after_each=lambda: self._render_queue.yield_to_more_urgent(priority),
            )
            rendered = self._renderer.render_document(document_path, feed, state, content.changed)
        except (FeedsError, MemoryError, OSError):  # the next attempt may succeed
            raise
        except Exception:
            self._failed.put(path, document_revision)  # every attempt fails until the feed changes
            raise
        self._versions.record(document_path, rendered, state, min(limit_of(state.path, self.site), state.entries))
        entry = self._cache_entry(document_path, rendered.document, state)
        without_body = self._transform(replace(rendered.document, body=b""))
        self._cache.put(path, entry, revision, without_body)
        self._on_rendered(time.perf_counter() - started)
        return entry.value

    def _render_delta(self, document_path: DocumentPath, version: DocumentVersion, key: str) -> T | None:
        with self.revision_watcher.reading() as catalog:
            revision, state = catalog.revision(), catalog.feed(document_path.feed)
            if not self._has(state, document_path):
                return None
            content = self._renderer.load_content(catalog, state)
        new = [
            record
            for record in content.records
            if record.revision > version.revision or record.published < version.oldest
        ]
        if len(new) == len(content.records):
            return None
        feed = self._renderer.render_feed(state, content._replace(records=new))
        rendered = self._renderer.render_document(document_path, feed, state, content.changed)
        entry = self._cache_entry(document_path, rendered.document, state)
        self._cache.put(key, entry, revision)
        return entry.value

    def _cache_entry(self, document_path: DocumentPath, document: Document, state: FeedState) -> CacheEntry[T]:
        document_revision = syndication.document_revision(state, document_path.archive, self.site)
        size = 2 * len(document.body) + _OVERHEAD_BYTES  # all encodings together are smaller than the body
        return CacheEntry(document_path, self._transform(document), size, document_revision)
