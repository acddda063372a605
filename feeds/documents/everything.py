"""Every document of a catalog, one after the other, for who writes them all; nothing is kept but entries."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import heappush, heapreplace
from itertools import groupby
from operator import itemgetter

from feeds import syndicate
from feeds.catalog import Catalog, names_by_feed
from feeds.documents.address import Address
from feeds.documents.contents import Contents, KeptText
from feeds.documents.overviews import Overviews
from feeds.documents.render import Renderer
from feeds.documents.renditions import Renditions
from feeds.documents.workshop import AtOnce
from feeds.formats import FORMATS
from feeds.model import Document, FeedState, Site
from feeds.text import digest_of

_PAGE = 5_000  # articles that are listed at a time
_ROOM = 40 << 20  # bytes of entries, and of what formats wrote of them


class Everything:
    """All documents of a catalog: what there is, and their bytes. For one thread."""

    def __init__(self, catalog: Catalog, site: Site) -> None:
        self._catalog = catalog
        self._site = site
        self._contents = Contents(catalog)
        self._renditions = Renditions(catalog, every=False)
        self._renderer = Renderer(site, self._contents, _ROOM)
        self.overviews = Overviews(catalog.reading, site, self._renderer, AtOnce())  # for pages

    def listed(self, *, archives: Callable[[FeedState], bool]) -> Iterator[tuple[Address, str]]:
        """Give the addresses of all documents, of archives too for the feeds that the caller says.

        Each comes with a digest of what it shows, known before anything of it is rendered.
        """
        with self._catalog.reading() as catalog:
            identity = f"{catalog.identity()} {syndicate.fingerprint(self._site)}"
            feeds = [state for state in catalog.feeds() if syndicate.exists(state, self._site)]
        for state in feeds:
            last = syndicate.archives(state, self._site) if archives(state) else 0
            for archive in range(last + 1):
                digest = (
                    f"{syndicate.stamp(state, archive, self._site)} {identity}" if archive else f"{state.digest} {last}"
                )
                for format_ in FORMATS:
                    yield Address(state.path, format_, archive), digest

    def every(
        self, addresses: Iterable[Address], *, archives: Callable[[FeedState], bool]
    ) -> Iterator[tuple[Address, Document]]:
        """Render documents that are listed, in the order of the list; those without archives lead to none."""
        for (path, archive), formats in groupby(addresses, lambda address: (address.feed, address.archive)):
            with self._catalog.reading() as catalog:
                state = catalog.feed(path)
                assert state is not None, "it was listed"
                shown = self._renderer.shown(catalog, state, archive)
            feed = self._renderer.feed(state, shown, archive)
            if not archives(state):
                feed = replace(feed, prev_archive=None)
            for address in formats:
                rendered = self._renderer.document(address, feed, state, shown.changed)
                self._renditions.note(address, rendered, state, min(self._site.limit, state.entries))
                yield address, rendered.document

    def pages(self) -> Iterator[tuple[str, str, str]]:
        """Give the paths of articles' pages, each with the path of the article's file and a digest of what it shows."""
        after, identity = "", syndicate.fingerprint(self._site)
        names = {state.path: state.name for state in self.overviews.feeds()[0]}
        while True:
            with self._catalog.reading() as catalog:
                some = catalog.pages(after, _PAGE)
            for path, one in groupby(some, itemgetter(0)):
                after, (_, file, feeds, *state) = path, next(one)
                places = [names.get(feed) for feed in names_by_feed(feeds)]  # it links to those that there are
                yield path, file, digest_of(identity, file, places, *state)
            if len(some) < _PAGE:
                return

    def not_rendered(self, addresses: Iterable[Address]) -> list[int]:
        """Give the keys of the articles that live documents show and whose text nobody has rendered yet, each once."""
        feeds = dict.fromkeys(address.feed for address in addresses if not address.archive)
        with self._catalog.reading() as catalog:
            return list(dict.fromkeys(key for feed in feeds for key in catalog.not_rendered(feed, self._site.limit)))

    def likely(self, now: datetime) -> list[int]:
        """Give the keys of articles that documents will show when what was read is published, as far as is known.

        For a catalog of which nothing is published yet: of each feed the newest that would be live.
        """
        newest: defaultdict[str, list[tuple[int, str, int]]] = defaultdict(list)
        after, limit = 0, self._site.limit
        while True:
            with self._catalog.reading() as catalog:
                some = catalog.undecided(now, after, _PAGE)
            for after, feeds, published, id_ in some:
                place = (published, id_, after)
                for path in names_by_feed(feeds):
                    places = newest[path]
                    if len(places) < limit:
                        heappush(places, place)
                    elif place > places[0]:
                        heapreplace(places, place)
            if len(some) < _PAGE:
                return list(dict.fromkeys(key for places in newest.values() for *_, key in places))

    def rendered(self, keys: Sequence[int]) -> list[KeptText]:
        """Render articles' texts, by the articles' keys. Gives what they became, for `keep`."""
        with self._catalog.reading() as catalog:
            records = catalog.records(keys)
        self._renderer.render(records)
        return self._contents.take()

    def write_ahead(self, keys: Sequence[int]) -> None:
        """Write the entries of articles whose texts were rendered here, by the articles' keys, in every format."""
        with self._catalog.reading() as catalog:
            records = catalog.records(keys)
        self._renderer.write_ahead(records)

    def keep(self, made: Iterable[KeptText]) -> None:
        """Keep what texts became, for all who will show them. Raises `CatalogError`."""
        self._contents.keep(made)

    def write(self) -> None:
        """Tell the catalog what was made of articles and documents. Raises `CatalogError`."""
        self._contents.write()
        self._renditions.write()
