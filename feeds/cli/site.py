"""What is exported besides the documents: the list of all feeds, pages for people, what these look like, hosts' files.

Every feed has its page there too, which its documents lead to. The first page, and those of articles, are exported
where the site has no other home (site.pages), or where export.pages says so: elsewhere `index.html` is another's.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from feeds import config, hosts, pages, paths, syndicate
from feeds.article_files import has_own_folder
from feeds.bundle import PublicFiles
from feeds.catalog import Catalog
from feeds.documents import Everything, Overview
from feeds.folder import Folder
from feeds.model import FeedState
from feeds.paths import OPML, RSS
from feeds.text import digest_of


class File(NamedTuple):
    """A file of the tree: where it lies, a digest of what it shows, and what that is."""

    path: str
    digest: str
    kind: Literal["opml", "asset", "host", "feed", "archive", "article", "file"]
    of: str = ""  # the path of the page, or of the file on disk


class Files:
    """All files but documents."""

    def __init__(self, settings: config.Config, everything: Everything) -> None:
        self._settings = settings
        self._site = settings.for_core
        self._everything = everything
        self._readers = settings.site.readers
        self._is_home = self._site.pages or self._site.feeds_url != self._site.url
        self._pages = pages.Pages(self._site, self._readers)
        self._look = pages.look()
        self._content = PublicFiles(
            settings.content_root,
            may_lead_to=Folder(settings.content_root, settings.content.include, settings.content.exclude).may_lead_to,
            is_of_draft=everything.overviews.is_of_draft,
            aliases=self._site.aliases,
            secrets=settings.secrets,
        )
        self._places = paths.Places(self._site.aliases)
        self.unlisted: list[str] = []  # paths of files, and of folders with "/", of which nobody knows what is there
        self._with_pages = settings.export.pages
        self._hosts = hosts.files(self._site, settings.export.hosts, settings.feeds.aliases)

    def listed(self) -> Iterator[File]:
        """Give what there is, the pages of articles last."""
        feeds = self._everything.overviews.feeds()[0]
        self._places, self.unlisted = paths.Places(self._site.aliases), []
        self._places.take(self.variants(f"/{OPML}"))
        yield File(f"/{OPML}", digest_of(self._site, [(one.path, one.name) for one in feeds]), "opml")
        for path in paths.ASSETS:
            self._places.take(self.variants(path))
            yield File(path, digest_of(pages.asset(path)), "asset")
        for path, text in self._hosts.items():
            self._places.take([path])
            yield File(path, digest_of(text), "host")
        has_pages = False
        for state in feeds if self._with_pages is not False else ():
            if not state.path and not self._with_pages and not self._is_home:
                continue  # the site's own first page is there
            has_pages = True
            told = [(one.path, one.name, one.entries) for one in feeds] if not state.path else []
            path = f"/{state.path}/index.html" if state.path else "/index.html"
            self._places.take(self.variants(path))
            yield File(
                path,
                digest_of(state.digest, self._site, self._readers, told, self._look),
                "feed",
                path.removesuffix("index.html"),
            )
            yield from self._archived(state)
        if self._site.pages and has_pages:
            yield from self._of_articles()

    def _of_articles(self) -> Iterator[File]:
        """Yield the pages of articles, and the files of articles whose paths no page has."""
        own: list[tuple[str, str]] = []  # pages with a folder of files, and the articles' files
        for page, source, digest in self._everything.pages():
            path = paths.file_of_page(page)
            # else it is of an article that was published before its address was taken
            if paths.owner(page, self._site) is None and self._places.take(self.variants(path)):
                yield File(path, digest_of(digest, self._look), "article", page)
                if has_own_folder(source):
                    own.append((page, source))
        for page, source in own:
            yield from self._beside(page, source)
        for name in self._everything.files():
            yield from self._on_disk(f"/{name}", self._content.file(name))
            if self._content.is_unreadable(name):
                self.unlisted.append(f"/{name}")

    def _archived(self, state: FeedState) -> Iterator[File]:
        """Give the pages on which the older entries of a feed are, where those of its documents are exported too."""
        last = syndicate.archives(state, self._site) if self._site.pages and self.archives(state) else 0
        for archive in range(1, last + 1):
            path = f"/{state.path}/archive/{archive}".replace("//", "/")
            stamp = syndicate.stamp(state, archive, self._site)
            self._places.take(self.variants(f"{path}/index.html"))
            yield File(
                f"{path}/index.html", digest_of(stamp, self._site, self._readers, self._look), "archive", f"{path}/"
            )

    def _beside(self, page: str, source: str) -> Iterator[File]:
        folder = paths.folder_of_page(page)
        names, unlisted = self._content.names(source)
        self.unlisted += [folder if inside == "." else f"{folder}{inside}/" for inside in unlisted]
        for name in names:
            yield from self._on_disk(folder + name, self._content.find(source, name, folder + name))

    def _on_disk(self, path: str, place: Path | None) -> Iterator[File]:
        """Yield a file of the content folder, if it exists and its path in the export is free."""
        if place is None:
            return
        try:
            facts = place.stat()
        except OSError:  # it went away in between
            return
        if self._places.take([path]):
            yield File(path, digest_of(facts.st_mtime_ns, facts.st_size), "file", str(place))

    def aliases(self, documents: Collection[str]) -> tuple[dict[str, str], list[str]]:
        """Return the aliases that are files, with their documents' paths, and those for which there is no place.

        Once all other files are `listed`, of which no place is taken; `documents` are the paths of all documents.
        """
        aliases = {
            alias: path
            for alias, path in self._settings.feeds.aliases.items()
            if path in documents and alias not in documents and not alias.endswith("/")  # a folder is no file
        }
        for path in documents if aliases else ():
            self._places.take(self.variants(path))
        fitting = {alias: path for alias, path in aliases.items() if self._places.take(self.variants(alias))}
        return fitting, [alias for alias in aliases if alias not in fitting]

    def archives(self, state: FeedState) -> bool:
        """Return whether the history of a feed is exported."""
        return self._settings.feeds.archives == "all" or not state.path

    def variants(self, path: str) -> list[str]:
        """Return the files in which a document or a page at a path lies: itself, and what is compressed of it."""
        return [path, *(path + paths.COMPRESSED[coding] for coding in self._settings.export.precompressed)]

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
                overview = self._everything.overviews.feed(*(paths.feed_of_page(file.of) or ("", 0)))
                return self._page_of(overview) if overview else None
        found = self._everything.overviews.article(file.of)
        return self._pages.article(file.of, *found[:2]) if found else None

    def _page_of(self, overview: Overview) -> bytes:
        feed = overview.feed
        if not self.archives(overview.state):
            feed = replace(feed, prev_archive=None)
        return self._pages.feed(feed, overview.state, overview.feeds)


def left_out_aliases(settings: config.Config, catalog: Catalog) -> list[str]:
    """Return the aliases that are not exported, since a page, a file or a folder is at their path."""
    everything = Everything(catalog, settings.for_core)
    files = Files(settings, everything)
    if not settings.feeds.aliases:
        return []
    for _ in files.listed():
        pass
    return files.aliases({address.path for address, _ in everything.listed(archives=files.archives)})[1]
