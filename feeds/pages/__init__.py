"""HTML pages for people: the page of each feed, with the ways to subscribe, and the page of each article.

`PageRenderer` renders the page at a path, for `feeds serve` and for the export. A page has the same bytes on any host,
port or path that it is served from: its links within the site are relative. Absolute are only the addresses for feed
readers, search engines and social media.

The wording is in `templates/`: `article.html` is the page of an article, `feed.html` that of a feed or an archive,
`moved.html` that at a former address, `error.html` the response to 404 and 410, `base.html` the frame of all others.
`preview_index.html` and `preview_article.html` are the preview's (`feeds.web`), `stats.html` is the page of the
statistics. The notes on the formats are `_FORMAT_NOTES` here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from feeds.core import paths, policy, syndication
from feeds.core.formats import FORMATS
from feeds.core.formats.sitemap import MEDIA_TYPE as SITEMAP_MEDIA_TYPE
from feeds.core.model import GROUPED_KINDS, SUMMARIES, FeedState, Site
from feeds.core.paths import OPML, RSS
from feeds.core.text import digest_of, quote_path
from feeds.render import FeedPage, PageQueries
from feeds.render.page_queries import ArticlePage
from feeds.render.relocation import move_html, move_url

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent
STATIC_FOLDER = _FOLDER / "static"
MEDIA_TYPE = "text/html; charset=utf-8"
OPML_PATH = f"/{OPML}"
_NOT_PAGES = {*paths.ENDPOINTS, *paths.ASSETS}
_MAX_ENTRIES = 10  # on the page of a feed, if the articles have no pages here
_MAX_FEEDS = 1_000  # of each kind, on the site's page
_FORMAT_NOTES = {
    "RSS": "Works with every feed reader and every podcast app.",
    "Atom": "Defined by a stricter standard. Also lists updates and removed entries.",
    "JSON Feed": "The same content as JSON, for programs and modern feed readers.",
}
_ALIGNMENT = re.compile(r' style="text-align: ?(left|right|center);?"')  # the only style in sanitised HTML
_RIGHT_TO_LEFT = {
    "ar",
    "arc",
    "ckb",
    "dv",
    "fa",
    "he",
    "ks",
    "ku",
    "ps",
    "sd",
    "ug",
    "ur",
    "yi",
}  # in their usual script


class RenderedPage(NamedTuple):
    """A page: its media type, its bytes, when its content last changed, and until when it is valid."""

    media_type: str
    body: bytes
    changed: datetime
    valid_until: float = float("inf")  # seconds since 1970; until the next revision at the latest


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
        site: Site,
        subscribe_links: Mapping[str, str],
        queries: PageQueries,
        *,
        has_archives: Callable[[FeedState], bool] = lambda _state: True,
        reloads: bool = False,
    ) -> None:
        """Prepare to render.

        Args:
            site: the site.
            subscribe_links: templates of the links that subscribe to a feed, by the name of the feed reader.
            queries: returns the content of pages.
            has_archives: whether a feed's page links to its archives.
            reloads: whether pages reload themselves when they have changed.
        """
        self._site = site
        self._subscribe_links = subscribe_links
        self._queries = queries
        self._has_archives = has_archives
        self._reloads = reloads

    def may_be_page(self, path: str) -> bool:
        """Return whether a page can be at a path; without I/O."""
        if path == OPML_PATH or paths.feed_of_page(path) is not None or self._queries.sitemaps.may_be_sitemap(path):
            return True
        return self._site.pages and path not in _NOT_PAGES

    def render(self, path: str) -> RenderedPage | None:
        """Return the page at a path; None if there is none. Raise `FeedsError` if it can't be rendered now."""
        if path == OPML_PATH:
            return self._list_of_feeds()
        if self._queries.sitemaps.may_be_sitemap(path):
            return self._sitemap(path)
        feed = paths.feed_of_page(path)
        if feed is not None and (feed_page := self._queries.feed(*feed)):
            return RenderedPage(MEDIA_TYPE, self.feed_page(feed_page), feed_page.changed)
        may_be_article = self._site.pages and paths.owner(path, self._site) is None
        article_page = self._queries.article(path) if may_be_article else None
        if article_page is None:
            return None
        return RenderedPage(MEDIA_TYPE, self._article_page(path, article_page), article_page.changed)

    def _list_of_feeds(self) -> RenderedPage:
        from feeds.core.formats import opml  # few processes need it

        feeds, changed = self._queries.feeds()
        body = opml.render(feeds, self._site, RSS, lambda feed: syndication.has_summary(feed.path, self._site))
        return RenderedPage(opml.MEDIA_TYPE, body, changed)

    def _sitemap(self, path: str) -> RenderedPage | None:
        rendered = self._queries.sitemaps.render(path)
        return RenderedPage(SITEMAP_MEDIA_TYPE, *rendered) if rendered else None

    def feed_page(self, page: FeedPage) -> bytes:
        """Return the page of a feed, or of one of its archives."""
        feed = page.feed if self._has_archives(page.state) else replace(page.feed, prev_archive_url=None)
        # an archive gets no new entries, so its page offers the live documents
        live_url = feed.current_url or feed.folder_url
        return self._render(
            "feed.html",
            feed.folder_url.removeprefix(self._site.feeds_url),
            feed=feed,
            state=page.state,
            entries=feed.entries if self._site.pages else feed.entries[:_MAX_ENTRIES],
            live=live_url,
            excerpts=f"{live_url}{paths.SUMMARY}/" if syndication.has_summary(feed.path, self._site) else None,
            older=feed.prev_archive_url if self._site.pages else None,
            newer=feed.next_archive_url or feed.current_url,
            home=self._site.pages and not feed.path,  # its visitors come to read, so the entries are first
            readers=[(name, expand_link(link, live_url + RSS)) for name, link in self._subscribe_links.items()],
            groups=list(_group_by_kind(page.feeds)),
            count=len(page.feeds),
            explained=_FORMAT_NOTES,
            summaries=SUMMARIES,
            direction=text_direction(feed.language),
        )

    def moved_page(self, path: str, target: str) -> bytes:
        """Return the page that leads from a former address of an article to its page, for hosts without redirects."""
        link, url = paths.relative_link(path, target), self._site.url + quote_path(target)
        return self._render("moved.html", path, link=link, url=url)

    def error_page(self, path: str, heading: str, text: str) -> bytes:
        """Return the page that says why there is no page at a path, with a link to the start page.

        Of the path, only the number of its slashes is used.
        """
        return self._render("error.html", path, heading=heading, text=text)

    def _article_page(self, path: str, page: ArticlePage) -> bytes:
        entry = page.entry
        body = align_cells(entry.html or "")
        return self._render(
            "article.html",
            path,
            entry=entry,
            body=move_html(body, self._site.url, root_of(path).removesuffix("/")),
            image=entry.image if entry.image and not syndication.shows_image(body, entry.image.url) else None,
            feeds=[feed for feed in page.feeds if feed.path],
            listed=bool(page.feeds),  # no feed contains an unlisted article, and search engines must not show it
            lang=entry.language,
            dir=text_direction(entry.language),
        )

    def _render(self, template: str, path: str, **variables: Any) -> bytes:
        root = root_of(path)
        articles_url = self._site.url if self._site.pages else None  # else another program serves the articles
        page = templates().get_template(template)
        return page.render(
            site=self._site,
            formats=FORMATS,
            root=root,
            articles_url=articles_url,
            reloads=self._reloads,
            **variables,
        ).encode()


@cache
def templates() -> "Environment":
    """Return the environment of the templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # few processes need it

    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.globals["policy"] = policy.PAGE
    environment.filters |= {"direction": text_direction, "quoted": quote_path, "near": _relative_link}
    return environment


@cache
def templates_digest() -> str:
    """Return a digest of all templates: if it changes, every exported page is rendered again."""
    files = sorted((_FOLDER / "templates").iterdir())
    return digest_of(policy.PAGE, [(file.name, file.read_bytes()) for file in files if file.suffix == ".html"])


def root_of(path: str) -> str:
    """Return the relative link, with a trailing slash, from the page at a path to the top of the site."""
    return "../" * (path.count("/") - 1) or "./"


def _relative_link(url: str, root: str, base: str | None) -> str:
    """Return a URL below `base` as a link relative to a page, and any other URL, or all without `base`, as it is.

    `root`: the relative link from the page to `base`.
    """
    link = move_url(url, base, root.removesuffix("/")) if base else url
    return root if link == root.removesuffix("/") else link


def text_direction(language: str) -> str:
    """Return the direction of a language's script as the value of HTML's `dir`: "ltr" or "rtl"."""
    main, _, rest = language.lower().partition("-")
    scripts = set(rest.split("-"))
    is_rtl = scripts & {"arab", "hebr", "thaa", "syrc"} or (main in _RIGHT_TO_LEFT and "latn" not in scripts)
    return "rtl" if is_rtl else "ltr"


def align_cells(html: str) -> str:
    """Replace the style that aligns cells of tables by an attribute: the pages' policy allows no inline style."""
    return _ALIGNMENT.sub(r' align="\1"', html)


def expand_link(link: str, url: str) -> str:
    """Insert a feed's URL into the template of a subscribe link: `{url}` is percent-encoded, `{raw}` is not."""
    return link.replace("{url}", quote(url, safe="")).replace("{raw}", url)


def read_asset(path: str) -> bytes:
    """Return the content of a stylesheet or a script, by one of `paths.ASSETS`."""
    return (_FOLDER / path.lstrip("/")).read_bytes()


def _group_by_kind(feeds: Iterable[FeedState]) -> Iterator[FeedGroup]:
    """Yield the groups of feeds that a page lists, without kinds that have no feed."""
    by_kind: dict[str, list[FeedState]] = {}
    for state in feeds:
        by_kind.setdefault(state.kind, []).append(state)
    for kind, heading in GROUPED_KINDS.items():
        if states := by_kind.get(kind):
            largest = sorted(states, key=lambda state: (-state.entries, state.path))[:_MAX_FEEDS]
            by_name = sorted(largest, key=lambda state: state.name.casefold())
            yield FeedGroup(kind, heading, by_name, len(states) - len(largest))
