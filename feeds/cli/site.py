"""What is exported besides the documents: the list of all feeds, pages for people, what these look like, hosts' files.

Every feed has its page there too, which its documents lead to. The first page, and those of articles, are exported
where the site has no other home (site.pages), or where export.pages says so: elsewhere `index.html` is another's.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from feeds import bundle, config, hosts, pages, syndicate
from feeds.documents import Everything, Overview
from feeds.formats.filenames import OPML, RSS
from feeds.model import FeedState
from feeds.text import digest_of


class File(NamedTuple):
    """A file of the tree: where it lies, a digest of what it shows, and what that is."""

    path: str
    digest: str
    kind: Literal["opml", "asset", "host", "feed", "archive", "article", "file"]
    of: str = ""  # the path of the page, or of the file on disk


class Files:
    """All files but documents."""

    def __init__(self, settings: config.Config, everything: Everything, archives: Callable[[FeedState], bool]) -> None:
        """Ask `archives` of which feeds the history is exported."""
        self._archives = archives
        self._site = settings.for_core
        self._everything = everything
        self._readers = settings.site.readers
        self._is_home = self._site.pages or self._site.feeds_url != self._site.url
        self._pages = pages.Pages(self._site, self._readers)
        self._look = pages.look()
        self._content = settings.content_root
        self._with_pages = settings.export.pages
        self._hosts = hosts.files(self._site, settings.export.hosts, settings.feeds.aliases)

    def listed(self) -> Iterator[File]:
        """Give what there is, the pages of articles last."""
        feeds = self._everything.overviews.feeds()[0]
        yield File(f"/{OPML}", digest_of(self._site, [(one.path, one.name) for one in feeds]), "opml")
        for path in pages.ASSETS:
            yield File(path, digest_of(pages.asset(path)), "asset")
        for path, text in self._hosts.items():
            yield File(path, digest_of(text), "host")
        taken = set[str]()
        for state in feeds if self._with_pages is not False else ():
            if not state.path and not self._with_pages and not self._is_home:
                continue  # the site's own first page is there
            told = [(one.path, one.name, one.entries) for one in feeds] if not state.path else []
            path = f"/{state.path}/index.html" if state.path else "/index.html"
            taken.add(path)
            yield File(
                path,
                digest_of(state.digest, self._site, self._readers, told, self._look),
                "feed",
                path.removesuffix("index.html"),
            )
            yield from self._archived(state)
        if self._site.pages and taken:
            yield from self._of_articles(taken)

    def _of_articles(self, taken: set[str]) -> Iterator[File]:
        """Give the pages of articles and the files that belong to them, but for paths that are taken."""
        for page, source, digest in self._everything.pages():
            path = _file(page)
            if path not in taken:  # else the page of a feed is there, or of an article that was published before
                taken.add(path)
                yield File(path, digest_of(digest, self._look), "article", page)
                for file in self._beside(page, source):
                    taken.add(file.path)
                    yield file
        for name in self._everything.files():
            place = bundle.file(self._content, name)
            if place and f"/{name}" not in taken:
                yield _on_disk(f"/{name}", place)

    def _archived(self, state: FeedState) -> Iterator[File]:
        """Give the pages on which the older entries of a feed are, where those of its documents are exported too."""
        last = syndicate.archives(state, self._site) if self._site.pages and self._archives(state) else 0
        for archive in range(1, last + 1):
            path = f"/{state.path}/archive/{archive}".replace("//", "/")
            stamp = syndicate.stamp(state, archive, self._site)
            yield File(
                f"{path}/index.html", digest_of(stamp, self._site, self._readers, self._look), "archive", f"{path}/"
            )

    def _beside(self, page: str, source: str) -> Iterator[File]:
        folder = syndicate.folder_of_page(page)
        for name in bundle.names(self._content, source):
            if place := bundle.find(self._content, source, name):
                yield _on_disk(folder + name, place)

    def body(self, file: File) -> bytes | None:
        """Make a file; None if what it shows is no more."""
        match file.kind:
            case "opml":
                from feeds.formats import opml  # which only a site whose feeds are others needs

                return opml.render(self._everything.overviews.feeds()[0], self._site, RSS)
            case "asset":
                return pages.asset(file.path)
            case "host":
                return self._hosts[file.path].encode()
            case "feed" | "archive":
                overview = self._everything.overviews.feed(*(syndicate.feed_of_page(file.of) or ("", 0)))
                return self._page_of(overview) if overview else None
        found = self._everything.overviews.article(file.of)
        return self._pages.article(file.of, *found[:2]) if found else None

    def _page_of(self, overview: Overview) -> bytes:
        feed = overview.feed
        if not self._archives(overview.state):
            feed = replace(feed, prev_archive=None)
        return self._pages.feed(feed, overview.state, overview.feeds)


def _on_disk(path: str, place: Path) -> File:
    facts = place.stat()
    return File(path, digest_of(facts.st_mtime_ns, facts.st_size), "file", str(place))


def _file(page: str) -> str:
    """Give the file that static hosts send for a page's path."""
    if page.endswith("/"):
        return f"{page}index.html"
    return page if page.endswith((".html", ".htm")) else f"{page}.html"
