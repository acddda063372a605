"""A document for a path at a revision: rendered when it is first asked for, kept while its feed's stamp stands.

What is kept is bounded in bytes. A catalog that can't be read for a while costs nothing that is kept already. While one
thread makes the next version of a document the others are given the last one; nobody waits long for a first one.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeGuard, TypeVar

from feeds import syndicate
from feeds.catalog import Catalog, Rendition
from feeds.documents.address import Address
from feeds.documents.everything import Everything
from feeds.documents.following import Following
from feeds.documents.kept import Kept
from feeds.documents.memory import Made, Memory
from feeds.documents.overviews import Overview, Overviews
from feeds.documents.render import Renderer
from feeds.documents.renditions import Renditions
from feeds.documents.waiting import MustWait, Patience
from feeds.documents.workshop import Busy, Urgency, Workshop
from feeds.errors import CatalogError, FeedsError
from feeds.model import Document, FeedState, Site

__all__ = ["Address", "Busy", "Documents", "Everything", "MustWait", "NothingYet", "Overview", "Patience"]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_MOST_FAILED = 10_000  # documents that are remembered
_OVERHEAD = 6_000  # bytes that one takes besides its body: headers of four variants, what leads to them


def _urgency(address: Address, last: Made[Any] | None) -> Urgency:
    if address.archive:
        return Urgency.ARCHIVE
    return Urgency.DOCUMENT if last is None else Urgency.POLLED


class NothingYet(CatalogError):
    """The first revision has not been committed; ask again soon."""


class Documents(Generic[T]):
    """All documents of a catalog, as what `made` makes of each when it is rendered. For any number of threads."""

    def __init__(
        self,
        catalog: Catalog,
        site: Site,
        made: Callable[[Document], T] = lambda document: document,  # type: ignore[assignment,return-value]
        *,
        room: int = 64 << 20,
        deltas: bool = False,
        timed: Callable[[float], Any] = lambda _seconds: None,
    ) -> None:
        """Keep so many bytes (`room`): half of documents with their encodings, half of rendered articles."""
        self.site = site
        self._make = made
        self.renditions = Renditions(catalog, every=deltas)
        self._timed = timed
        self._renderer = Renderer(site, room // 4)
        self._memory = Memory[T](site, room // 2)
        self.following = Following(catalog, self._memory, site.max_age)
        self._workshop = Workshop()
        self._failed = Kept[tuple[int, int] | None](_MOST_FAILED, lambda _: 1)  # stamps of what can't be rendered
        self.overviews = Overviews(self.following.reading, site, self._renderer, self._workshop)

    def prepare(self) -> None:
        """Start what rendering will need, so that the first request need not wait for it."""
        self._renderer.prepare()

    def get(self, path: str, *, newest: bool = False, patience: Patience = Patience.RENDER) -> T | None:
        """Return what was made of the document at a path; None if there is none.

        Who wants the `newest` is not given the last one while another is made. Raises `NothingYet`, `Busy` and
        `CatalogError`, if there is no earlier version that could be given, and `MustWait` for want of patience.
        """
        self.following.look(patience)
        made = self._memory.get(path)
        if made is not None and made.outdated is None:
            return made.what
        address = Address.of(path)
        if address is None:
            return None
        if self._memory.revision == 0:
            raise NothingYet("the first regeneration is still under way")
        if self.following.away:  # nobody waits for a network that does not answer
            if made is None:
                raise CatalogError(self.following.away)
            return made.what
        if patience < Patience.RENDER and not newest and made is not None and made.was_right_a_moment_ago:
            urgency = _urgency(address, made)
            with contextlib.suppress(Busy):
                self._workshop.begin(path, lambda: self._render(address, path, urgency), urgency)
            return made.what
        if patience < Patience.CATALOG:
            raise MustWait("catalog")
        if made is None and not self._exists(address):
            return None
        if patience < Patience.RENDER:
            raise MustWait(_urgency(address, made).name.lower())
        urgency = _urgency(address, made)
        return self._next(path, made, lambda: self._render(address, path, urgency), urgency, newest=newest)

    def known(self, path: str, patience: Patience = Patience.RENDER) -> T | None:
        """Give what was made of a document as it is now, if that is remembered; maybe of one without its body.

        A conditional request needs no more: most polls are answered so, also where there are more documents than room.
        Raises `MustWait` for want of patience.
        """
        self.following.look(patience)
        made = self._memory.get(path)
        if made is not None:
            return made.what if made.outdated is None else None
        address = Address.of(path)
        return self._memory.bodiless(address) if address else None

    def delta(self, path: str, digests: Sequence[str], patience: Patience = Patience.RENDER) -> T | None:
        """Give what was made of a live document less what a version of it had already (RFC 3229).

        That is the first of `digests` of a version that is known. None where there is none, or everything is new.
        """
        for digest in digests:
            made = self._memory.get(f"{digest} {path}")
            if made is not None and made.outdated is None:
                return made.what
        address = Address.of(path)
        if address is None or address.archive:
            return None
        if patience < Patience.RENDER:
            raise MustWait("document")
        with self.following.reading() as catalog:
            known = self.renditions.find(catalog, path, digests)
        if known is None:
            return None
        key = f"{known.digest} {path}"
        return self._next(key, None, lambda: self._render_delta(address, known, key), Urgency.DOCUMENT)

    def write(self) -> None:
        """Tell the catalog what was made of articles and documents. Raises `CatalogError`."""
        self.renditions.write()

    def revision(self, patience: Patience = Patience.RENDER) -> tuple[str, int]:
        """Return the catalog and its revision of a moment ago. Raises `NothingYet`; one that is away is no error."""
        self.following.look(patience)
        if self._memory.revision == 0:
            raise NothingYet("the first regeneration is still under way")
        return self.following.identity, self._memory.revision

    def _exists(self, address: Address) -> bool:
        with self.following.reading() as catalog:
            return self._has(catalog.feed(address.feed), address)

    def _has(self, state: FeedState | None, address: Address) -> TypeGuard[FeedState]:
        return state is not None and syndicate.stamp(state, address.archive, self.site) is not None

    def _next(
        self, key: str, last: Made[T] | None, render: Callable[[], T | None], urgency: Urgency, *, newest: bool = False
    ) -> T | None:
        """Have it rendered; meanwhile give the last version, if that was right a moment ago."""

        def job() -> T | None:
            made = self._memory.get(key)
            return made.what if made is not None and made.outdated is None else render()

        try:
            if newest or last is None or not last.was_right_a_moment_ago:
                what = self._workshop.do(key, job, urgency)
                made = self._memory.get(key)
                if newest and made is not None and made.outdated is not None:  # by a job that began before
                    what = self._workshop.do(key, job, urgency)
                return what
            self._workshop.begin(key, job, urgency)
        except Exception as error:  # what was right a while ago is better than nothing
            if last is None or (newest and not self.following.away):
                raise
            _LOG.log(logging.INFO if isinstance(error, FeedsError) else logging.ERROR, "%s: %s", key, error)
        return last.what

    def _render(self, address: Address, path: str, urgency: Urgency) -> T | None:
        began = time.perf_counter()
        with self.following.reading() as catalog:
            revision, state = catalog.revision(), catalog.feed(address.feed)
            if not self._has(state, address):
                self._memory.drop(path)
                return None
            shown = self._renderer.shown(catalog, state, address.archive)
        stamp = syndicate.stamp(state, address.archive, self.site)
        if self._failed.get(path) == stamp:
            raise FeedsError("this document can't be rendered")
        try:
            feed = self._renderer.feed(state, shown, address.archive, give_way=lambda: self._workshop.give_way(urgency))
            rendered = self._renderer.document(address, feed, state, shown.changed)
        except (FeedsError, MemoryError, OSError):  # the next time there may be enough of it
            raise
        except Exception:
            self._failed.put(path, stamp)  # it would fail again until its feed changes
            raise
        self.renditions.note(address, rendered, state, min(self.site.limit, state.entries))
        made = self._finish(address, rendered.document, state)
        self._memory.keep(path, made, revision, self._make(replace(rendered.document, body=b"")))
        self._timed(time.perf_counter() - began)
        return made.what

    def _render_delta(self, address: Address, known: Rendition, key: str) -> T | None:
        with self.following.reading() as catalog:
            revision, state = catalog.revision(), catalog.feed(address.feed)
            if not self._has(state, address):
                return None
            shown = self._renderer.shown(catalog, state)
        new = [one for one in shown.records if one.revision > known.revision or one.published < known.oldest]
        if len(new) == len(shown.records):
            return None
        feed = self._renderer.feed(state, shown._replace(records=new))
        made = self._finish(address, self._renderer.document(address, feed, state, shown.changed).document, state)
        self._memory.keep(key, made, revision)
        return made.what

    def _finish(self, address: Address, document: Document, state: FeedState) -> Made[T]:
        stamp = syndicate.stamp(state, address.archive, self.site)
        # the encodings that will be made of it are smaller than itself
        return Made(address, self._make(document), 2 * len(document.body) + _OVERHEAD, stamp)
