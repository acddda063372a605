"""HTML pages for people: the page of each feed, with the ways to subscribe, and the page of each article.

`PageRenderer` renders the page at a path, for `feeds serve` and for the export. A page has the same bytes on any host,
port or path that it is served from: its links within the site are relative. Only the addresses for feed readers, search
engines and social media are absolute.

The wording is in `templates/`: `article.html` is the page of an article, `feed.html` is the page of a feed or an
archive, `moved.html` is the page at a former address, `error.html` is the response to 404 and 410, and `base.html` is
the frame of all others. `preview_index.html` and `preview_article.html` are the pages of the preview (`feeds.web`),
`stats.html` is the page of the statistics. `body` and `pictures` change the HTML of an article for its page.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from feeds.content.pictures import Pictures, PictureSize
from feeds.core import paths, syndication
from feeds.core.errors import FeedsError
from feeds.core.feed_settings import heading_of, settings_of
from feeds.core.formats.sitemap import MEDIA_TYPE as SITEMAP_MEDIA_TYPE
from feeds.core.model import LISTED_KINDS, FeedState, Image, Site
from feeds.core.paths import OPML, RSS
from feeds.core.text import quote_path
from feeds.core.wording import wording_of
from feeds.pages.appearance import Appearance, page_key
from feeds.pages.body import format_body
from feeds.pages.environment import check_templates, compile_templates, render, templates_digest
from feeds.pages.pictures import complete_images
from feeds.pages.translations import interface_of, mark, text_direction
from feeds.render import FeedPage, PageQueries
from feeds.render.page_queries import ArticlePage
from feeds.render.relocation import move_html, move_url

__all__ = [
    "MAX_NEWEST",
    "MEDIA_TYPE",
    "OPML_PATH",
    "STATIC_FOLDER",
    "PageRenderer",
    "check_templates",
    "compile_templates",
    "expand_link",
    "format_body",
    "read_asset",
    "root_of",
    "templates_digest",
    "text_direction",
]

_FOLDER = Path(__file__).parent
STATIC_FOLDER = _FOLDER / "static"
MEDIA_TYPE = "text/html; charset=utf-8"
OPML_PATH = f"/{OPML}"
_NOT_PAGES = {*paths.ENDPOINTS, *paths.ASSETS}
_MAX_ENTRIES = 10  # on the page of a feed, if the articles have no pages here
MAX_NEWEST = 5  # articles on the page of an error
_MAX_FEEDS = 1_000  # of each kind, on the site's page
_PICTURES_VALID_S = 60.0  # for which a page is served before the sizes of its pictures are read again
_ERROR_MESSAGES = {
    404: (
        mark("Page not found"),
        mark("There is no page at this address. The link may be old, or the address mistyped."),
    ),
    410: (mark("Removed"), mark("The page at this address was removed.")),
}
_INSTALLED_READER = mark("your reader")  # a name in `READER_LINKS`


class RenderedPage(NamedTuple):
    """A page: its media type, its bytes, when its content last changed, and until when it is valid.

    `problem` is the mistake in a template of the site because of which the built-in page is shown; "" if there is none.
    """

    media_type: str
    body: bytes
    changed: datetime
    valid_until: float = float("inf")  # seconds since 1970; until the next revision at the latest
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PageImage(Image):
    """The picture of an article as templates see it: an `Image` with its size, which is None if it is unknown."""

    width: int | None = None
    height: int | None = None


class PageBody(NamedTuple):
    """The bytes of a page, and the problem as in `RenderedPage`."""

    body: bytes
    problem: str


class FeedGroup(NamedTuple):
    """The feeds of a kind as a page lists them: the largest ones by name, and the number of omitted smaller ones."""

    kind: str
    heading: str
    feeds: list[FeedState]
    omitted: int


class PageRenderer:
    """Renders the page at a path: the page of a feed, archive or article, the list of all feeds, or a sitemap."""

    def __init__(
        self,
        appearance: Appearance,
        subscribe_links: Mapping[str, str],
        queries: PageQueries,
        *,
        pictures: Pictures | None = None,
        has_archives: Callable[[FeedState], bool] = lambda _state: True,
        reloads: bool = False,
    ) -> None:
        """Prepare to render.

        Args:
            appearance: the look of the pages, with the site.
            subscribe_links: templates of the links that subscribe to a feed, by the name of the feed reader.
            queries: returns the content of pages.
            pictures: returns the sizes of the site's pictures; None: pages don't state them.
            has_archives: whether a feed's page links to its archives.
            reloads: whether pages reload themselves when they have changed.
        """
        self._site = appearance.site
        self._appearance = appearance
        self._subscribe_links = subscribe_links
        self._queries = queries
        self._pictures = pictures
        self._has_archives = has_archives
        self._reloads = reloads

    def may_be_page(self, path: str) -> bool:
        """Return whether a page can be at a path; without I/O."""
        if path == OPML_PATH or paths.feed_of_page(path, self._site.feeds) is not None:
            return True
        if self._queries.sitemaps.may_be_sitemap(path):
            return True
        return self._site.pages and path not in _NOT_PAGES

    def render(self, path: str) -> RenderedPage | None:
        """Return the page at a path; None if there is none. Raise `FeedsError` if it can't be rendered now."""
        if path == OPML_PATH:
            return self._list_of_feeds()
        if self._queries.sitemaps.may_be_sitemap(path):
            return self._sitemap(path)
        feed = paths.feed_of_page(path, self._site.feeds)
        if feed is not None and (feed_page := self._queries.feed(*feed)):
            body, problem = self.feed_page(feed_page)
            return RenderedPage(MEDIA_TYPE, body, feed_page.changed, problem=problem)
        may_be_article = self._site.pages and paths.owner(path, self._site) is None
        article_page = self._queries.article(path) if may_be_article else None
        if article_page is None:
            return None
        sizes = _PageSizes(path, article_page.article.path, self._site, self._pictures)
        body, problem = self._article_page(path, article_page, sizes)
        # a picture may be replaced without a new revision
        valid_until = time.time() + _PICTURES_VALID_S if sizes.has_pictures else float("inf")
        return RenderedPage(MEDIA_TYPE, body, article_page.changed, valid_until, problem)

    def _list_of_feeds(self) -> RenderedPage:
        from feeds.core.formats import opml  # few processes need it

        feeds, changed = self._queries.feeds()
        body = opml.render(feeds, self._site, RSS, lambda feed: syndication.has_summary(feed.path, self._site))
        return RenderedPage(opml.MEDIA_TYPE, body, changed)

    def _sitemap(self, path: str) -> RenderedPage | None:
        rendered = self._queries.sitemaps.render(path)
        return RenderedPage(SITEMAP_MEDIA_TYPE, *rendered) if rendered else None

    def feed_page(self, page: FeedPage) -> PageBody:
        """Return the page of a feed, or of one of its archives."""
        feed = page.feed if self._has_archives(page.state) else replace(page.feed, prev_archive_url=None)
        # an archive gets no new entries, so its page offers the live documents
        live_url = feed.current_url or feed.folder_url
        translate, wording = interface_of(feed.language).messages.gettext, wording_of(feed.language)
        return self._render(
            "feed.html",
            feed.folder_url.removeprefix(self._site.feeds_url),
            feed.language,
            feed=feed,
            state=page.state,
            name=heading_of(page.state, self._site),
            own_description=settings_of(feed.path, self._site).description,
            entries=feed.entries if self._site.pages else feed.entries[:_MAX_ENTRIES],
            live=live_url,
            excerpts=f"{live_url}{paths.SUMMARY}/" if syndication.has_summary(feed.path, self._site) else None,
            older=feed.prev_archive_url if self._site.pages else None,
            newer=feed.next_archive_url or feed.current_url,
            readers=[
                (translate(name) if name == _INSTALLED_READER else name, expand_link(link, live_url + RSS))
                for name, link in self._subscribe_links.items()
            ],
            groups=list(_group_by_kind(page.feeds, wording.kinds)),
            count=len(page.feeds),
            summaries=wording.excerpts,
        )

    def moved_page(self, path: str, target: str) -> PageBody:
        """Return the page that leads from a former address of an article to its page, for hosts without redirects."""
        link, url = paths.relative_link(path, target), self._site.url + quote_path(target)
        return self._render("moved.html", path, self._site.language, link=link, url=url)

    def error_page(self, path: str | None, status: int) -> PageBody:
        """Return the response to a request for a path without a page (status 404 or 410), with the newest articles.

        Only the number of slashes in the path matters. If it is None, a host shows the page at any path (`/404.html` of
        an export), so its links begin with the path of `site.url`.
        """
        language = self._site.language
        interface = interface_of(language)
        heading, text = (interface.messages.gettext(message) for message in _ERROR_MESSAGES[status])
        try:
            newest = self._queries.newest_pages(MAX_NEWEST) if self._site.pages else []
        except FeedsError:  # the catalog can't be read at the moment
            newest = []
        root = root_of(path) if path is not None else f"{urlsplit(self._site.url).path.rstrip('/')}/"
        values = {"status": status, "heading": heading, "text": text, "newest": newest}
        return self._render_at(root, "error.html", language, **values)

    def _article_page(self, path: str, page: ArticlePage, sizes: "_PageSizes") -> PageBody:
        entry = page.entry
        body = format_body(entry.html or "", entry.language, page.article.body)
        image = entry.image if entry.image and not syndication.shows_image(body, entry.image.url) else None
        body = complete_images(body, sizes.size_of, is_first=image is None)
        return self._render(
            "article.html",
            path,
            entry.language,
            entry=entry,
            body=self._appearance.colour_code(move_html(body, self._site.url, root_of(path).removesuffix("/"))),
            image=image and sizes.with_size(image),
            feeds=[feed for feed in page.feeds if feed.path],
            older=page.older,
            newer=page.newer,
            listed=page.article.listed,  # no feed contains an unlisted article, and search engines must not show it
            lang=entry.language,
            dir=text_direction(entry.language),
        )

    def _render(self, template: str, path: str, language: str, **variables: Any) -> PageBody:
        return self._render_at(root_of(path), template, language, page=page_key(unquote(path)), **variables)

    def _render_at(self, root: str, template: str, language: str, **variables: Any) -> PageBody:
        text, problem = render(template, self._appearance, root, language, reloads=self._reloads, **variables)
        return PageBody(text.encode(), problem)


class _PageSizes:
    """The sizes of the pictures on the page of an article."""

    def __init__(self, page: str, article: str, site: Site, pictures: Pictures | None) -> None:
        """Find pictures by their URLs.

        Args:
            page: the path of the page.
            article: the path of the article in the content folder.
            site: the site.
            pictures: returns the sizes.
        """
        self._page = page
        self._article = article
        self._site = site
        self._pictures = pictures
        self.has_pictures = False  # whether the size of a picture of the site was requested

    def size_of(self, url: str) -> PictureSize | None:
        """Return the size of the picture at a URL; None if it is on another site, or if its size is unknown."""
        path = move_url(url, self._site.url, "")
        if self._pictures is None or path == url or not path.startswith("/"):
            return None
        self.has_pictures = True
        path = unquote(path.partition("?")[0].partition("#")[0])
        size = self._pictures.size(path, self._page, self._article)
        return size if size and not size.is_scalable else None

    def with_size(self, image: Image) -> PageImage:
        """Return an image with its size."""
        size = self.size_of(image.url)
        width, height = (size.width, size.height) if size else (None, None)
        return PageImage(image.url, image.alt, image.type, width, height)


def root_of(path: str) -> str:
    """Return the relative link, with a trailing slash, from the page at a path to the top of the site."""
    return "../" * (path.count("/") - 1) or "./"


def expand_link(link: str, url: str) -> str:
    """Insert a feed's URL into the template of a subscribe link: `{url}` is percent-encoded, `{raw}` is not."""
    return link.replace("{url}", quote(url, safe="")).replace("{raw}", url)


def read_asset(path: str) -> bytes:
    """Return the content of a stylesheet or a script, by one of `paths.ASSETS`."""
    return (_FOLDER / path.lstrip("/")).read_bytes()


def _group_by_kind(feeds: Iterable[FeedState], headings: Mapping[str, str]) -> Iterator[FeedGroup]:
    """Yield the groups of feeds that a page lists, without kinds that have no feed."""
    by_kind: dict[str, list[FeedState]] = {}
    for state in feeds:
        by_kind.setdefault(state.kind, []).append(state)
    for kind in LISTED_KINDS:
        if states := by_kind.get(kind):
            largest = sorted(states, key=lambda state: (-state.entries, state.path))[:_MAX_FEEDS]
            by_name = sorted(largest, key=lambda state: state.name.casefold())
            yield FeedGroup(kind, headings[kind], by_name, len(states) - len(largest))
