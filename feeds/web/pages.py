"""Serves HTML pages of feeds and articles, and the OPML of all feeds; each is rendered once per revision."""

import hashlib
from collections.abc import Callable

from feeds.core.errors import FeedsError
from feeds.core.model import Document
from feeds.pages import PageRenderer
from feeds.render import Documents, RenderQueueFull, WaitPolicy, WouldBlock
from feeds.render.lru import LRUCache
from feeds.web.cached_response import CachedResponse


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
        self._cache = LRUCache[tuple[tuple[str, int], CachedResponse]](
            max_bytes, lambda item: 2 * len(item[1].document.body)
        )

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
        cached_revision, cached = self._cache.get(path) or (None, None)
        if cached and (cached_revision == revision or self._documents.revision_watcher.unavailable_reason):
            return cached
        if wait_policy < WaitPolicy.RENDER:
            raise WouldBlock("page")
        try:
            response = self._render(path)
        except FeedsError as error:
            if cached is None or (newest and isinstance(error, RenderQueueFull)):
                raise
            return cached
        if response:
            self._cache.put(path, (revision, response))
        return response

    def _render(self, path: str) -> CachedResponse | None:
        page = self._pages.render(path)
        if page is None:
            return None
        digest = hashlib.sha256(page.body).hexdigest()[:32]
        return self._create_response(Document(path, page.media_type, page.body, digest, page.changed))
