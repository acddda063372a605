"""Every document of a catalog, for who writes them all; nothing is kept but entries."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from feeds import syndicate
from feeds.catalog import Catalog, names_by_feed
from feeds.documents.address import Address
from feeds.documents.overviews import Overviews
from feeds.documents.render import Renderer
from feeds.documents.renditions import Renditions
from feeds.documents.workshop import AtOnce
from feeds.formats import FORMATS
from feeds.model import Document, FeedState, Site
from feeds.text import digest_of

_PAGE = 5_000  # articles that are listed at a time


class Everything:
    """All documents of a catalog: what there is, and their bytes. For any number of threads."""

    def __init__(self, catalog: Catalog, site: Site, room: int = 40 << 20) -> None:
        """Keep up to `room` bytes of entries, and as many of what formats wrote of them."""
        self._catalog = catalog
        self._site = site
        self._renditions = Renditions(catalog, every=False)
        self._renderer = Renderer(site, room)
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

    def of_feed(
        self, addresses: Sequence[Address], *, archives: Callable[[FeedState], bool]
    ) -> Iterator[tuple[Address, Document]]:
        """Render listed documents of one feed, or of one of its archives.

        The documents of a feed whose archives are not exported lead to none.
        """
        path, archive = addresses[0].feed, addresses[0].archive
        with self._catalog.reading() as catalog:
            state = catalog.feed(path)
            assert state is not None, "it was listed"
            shown = self._renderer.shown(catalog, state, archive)
        feed = self._renderer.feed(state, shown, archive)
        if not archives(state):
            feed = replace(feed, prev_archive=None)
        for address in addresses:
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

    def files(self) -> Iterator[str]:
        """Yield the paths below the content folder of files to which articles refer, as they may be there."""
        after = ""
        while True:
            with self._catalog.reading() as catalog:
                some = catalog.linked_files(after, _PAGE)
            yield from (target.removeprefix("/") for target in some)
            if len(some) < _PAGE:
                return
            after = some[-1]

    def write(self) -> None:
        """Write the versions of the rendered documents to the catalog. Raises `CatalogError`."""
        self._renditions.write()
