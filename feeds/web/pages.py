"""Pages for people, as they are served: of feeds, of articles, and all feeds as OPML; made once a revision."""

import hashlib
from collections.abc import Callable
from datetime import datetime

from feeds import paths
from feeds.documents import Busy, Documents, MustWait, Patience
from feeds.documents.kept import Kept
from feeds.errors import FeedsError
from feeds.formats import opml
from feeds.model import Document, Site
from feeds.pages import MEDIA_TYPE, Pages
from feeds.paths import OPML, RSS
from feeds.web.answer import Answer

_ROOM = 8 << 20  # bytes of pages
_OPML = f"/{OPML}"
_NOT_PAGES = {*paths.ENDPOINTS, *paths.ASSETS}  # which Flask has


class ServedPages:
    """All pages, as answers."""

    def __init__(
        self,
        documents: Documents[Answer],
        site: Site,
        pages: Pages,
        made: Callable[[Document], Answer],
    ) -> None:
        self._documents = documents
        self._site = site
        self._pages = pages
        self._make = made
        self._made = Kept[tuple[tuple[str, int], Answer]](_ROOM, lambda made: 2 * len(made[1].document.body))

    def get(self, path: str, newest: bool = False, patience: Patience = Patience.RENDER) -> Answer | None:
        """Return the page at a path; None if there is none. Raises `FeedsError`, and `MustWait` for want of patience.

        Who wants the `newest` is not given the last one while another takes long to make.
        """
        feed = paths.feed_of_page(path)
        if path != _OPML and feed is None and (not self._site.pages or path in _NOT_PAGES):
            return None
        revision = self._documents.revision(patience)
        made = self._made.get(path)
        if made and (made[0] == revision or self._documents.following.away):
            return made[1]
        if patience < Patience.RENDER:
            raise MustWait("page")
        try:
            answer = self._render(path, feed)
        except FeedsError as error:
            if made is None or (newest and isinstance(error, Busy)):
                raise
            return made[1]
        if answer:
            self._made.put(path, (revision, answer))
        return answer

    def _render(self, path: str, feed: tuple[str, int] | None) -> Answer | None:
        if path == _OPML:
            feeds, changed = self._documents.overviews.feeds()
            return self._answer(path, opml.MEDIA_TYPE, opml.render(feeds, self._site, RSS), changed)
        if feed is not None and (overview := self._documents.overviews.feed(*feed)):
            body = self._pages.feed(overview.feed, overview.state, overview.feeds)
            return self._answer(path, MEDIA_TYPE, body, overview.changed)
        is_free = self._site.pages and paths.owner(path, self._site) is None
        article = self._documents.overviews.article(path) if is_free else None
        if article is None:
            return None
        return self._answer(path, MEDIA_TYPE, self._pages.article(path, *article[:2]), article[2])

    def _answer(self, path: str, media_type: str, body: bytes, changed: datetime) -> Answer:
        return self._make(Document(path, media_type, body, hashlib.sha256(body).hexdigest()[:32], changed))
