"""Serves HTML pages of feeds and articles, the OPML of all feeds, and sitemaps; each is rendered once per revision.

The news sitemap is rendered again when an entry is too old for it.
"""

import hashlib
import time
from collections.abc import Callable
from typing import NamedTuple

from feeds.core.errors import FeedsError
from feeds.core.model import Document
from feeds.pages import PageRenderer
from feeds.render import Documents, RenderQueueFull, ServedRevision, WaitPolicy, WouldBlock
from feeds.render.lru import LRUCache
from feeds.web.cached_response import CachedResponse


class _CachedPage(NamedTuple):
    """The response for a page, the revision that it shows, and until when it is valid, in seconds since 1970."""

    revision: ServedRevision
    valid_until: float
    response: CachedResponse


class ServedPages:
    """Renders pages and keeps their responses."""

    def __init__(
        self,
        documents: Documents[CachedResponse],
        pages: PageRenderer,
        create_response: Callable[[Document], CachedResponse],
        max_bytes: int,
    ) -> None:
        """Keep pages and their encodings of at most `max_bytes` together."""
        self._documents = documents
        self._pages = pages
        self._create_response = create_response
        self._cache = LRUCache[_CachedPage](max_bytes, lambda page: 2 * len(page.response.document.body))

    def get(
        self, path: str, newest: bool = False, wait_policy: WaitPolicy = WaitPolicy.RENDER
    ) -> CachedResponse | None:
        """Return the page at a path, None if there is none.

        If the page can't be rendered, return the cached page of an earlier revision; but if `newest` is true and the
        render queue is full, raise `RenderQueueFull`. Raise `FeedsError` if no page is cached, and `WouldBlock` if the
        page must be rendered and `wait_policy` doesn't allow that.
        """
        if not self._pages.may_be_page(path):
            return None
        revision = self._documents.revision(wait_policy)
        page = self._cache.get(path)
        cached = page.response if page else None
        is_current = page is not None and page.revision == revision and time.time() < page.valid_until
        if cached and (is_current or self._documents.revision_watcher.unavailable_reason):
            return cached
        if wait_policy < WaitPolicy.RENDER:
            raise WouldBlock("page")
        try:
            rendered = self._render(path, revision)
        except FeedsError as error:
            if cached is None or (newest and isinstance(error, RenderQueueFull)):
                raise
            return cached
        if rendered:
            self._cache.put(path, rendered)
        return rendered.response if rendered else None

    def _render(self, path: str, revision: ServedRevision) -> _CachedPage | None:
        page = self._pages.render(path)
        if page is None:
            return None
        digest = hashlib.sha256(page.body).hexdigest()[:32]
        response = self._create_response(Document(path, page.media_type, page.body, digest, page.changed))
        return _CachedPage(revision, page.valid_until, response)
