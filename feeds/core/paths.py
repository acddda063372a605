"""The fixed public paths, and the rules that decide who owns a path.

`feeds.core.permalinks` builds the paths of pages, `feeds.render.document_path` parses those of documents.

If several items claim a path, it belongs to the first of:

1. fixed paths: documents, endpoints of the server, assets of pages, files that hosts and robots read,
2. an alias (`feeds.aliases`),
3. the page of a feed,
4. the page of an article; of several articles, the one published first,
5. a static file of the site (`site.static`),
6. a file of an article.

The same paths are served and exported. So two items also conflict if their files can't exist in one folder: `/x` and
`/x.html` have the same file, and `/x.html/y/` needs a folder at the path of the file `/x.html`. An article that loses
is rejected when it is loaded (`owner`) or published (`pages_of_file`, `page_files_above`); a file is left out.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from feeds.core.model import GROUPED_KINDS, FeedKind, Site
from feeds.core.text import quote_path, slugify

RSS, ATOM, JSON_FEED, OPML = "rss.xml", "atom.xml", "feed.json", "feeds.opml"
DOCUMENTS = frozenset({RSS, ATOM, JSON_FEED, OPML})  # file names; OPML too, although it is served as a page
SITE_DOCUMENTS = (f"/{RSS}", f"/{ATOM}", f"/{JSON_FEED}")
SITEMAP, NEWS_SITEMAP = "/sitemap.xml", "/news-sitemap.xml"  # of articles; the parts of a long one: `sitemap_part`
COMPRESSED = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}  # Content-Encoding -> suffix that web servers expect
_COMPRESSED_SUFFIXES = tuple(COMPRESSED.values())
STYLESHEET = "/static/feed.css"  # of documents in a browser
ASSETS = (STYLESHEET, "/static/feed.js", "/static/page.css", "/static/page.js")  # of pages and feeds, below feeds.url
THEME_STYLESHEET = "/static/theme.css"  # of site.theme
CUSTOM_STYLESHEET = "/static/custom.css"  # of the owner, in the folder site.static
_BUILT_IN = frozenset({*ASSETS, THEME_STYLESHEET, "/static/stats.css", "/static/reload.js"})
ENDPOINTS = ("/healthz", "/refresh", "/stats", "/hub", "/static", "/preview")  # answered by the server
NOT_FOUND = "/404.html"  # which hosts send for a path without a file
HEADERS_FILE, REDIRECTS_FILE, HTACCESS, NGINX_FILE = HOST_FILES = (
    "/_headers", "/_redirects", "/.htaccess", "/feeds.nginx.conf",
)  # fmt: skip
# file names at the root of a site that hosts, browsers or robots read
_TOP_FILES = frozenset({
    "_headers", "_redirects", "_routes.json", "_worker.js", "feeds.nginx.conf", "web.config", "CNAME", "robots.txt",
    "sitemap.xml", "news-sitemap.xml", "ads.txt", "app-ads.txt", "security.txt", "favicon.ico", "manifest.json",
    "manifest.webmanifest", "sw.js", "service-worker.js", "crossdomain.xml", "clientaccesspolicy.xml",
    "404.html", "browserconfig.xml", "staticwebapp.config.json", "apple-app-site-association",
})  # fmt: skip
_SITEMAP_PART = re.compile(r"/sitemap-(?P<number>[1-9]\d{0,8})\.xml", re.ASCII)
_MAX_SEGMENT_BYTES = 200  # a file name has at most 255, and the name of its temporary file is longer
_MAX_PATH_BYTES = 2_000  # a path of the system has at most 4,096, including the export folder
_PAGE_FILES = (".html", ".htm")
_INDEX = "index.html"
SUMMARY = "summary"  # the folder of a feed's documents with excerpts
_ARCHIVE = "archive"
_RESERVED_NAMES = frozenset({*GROUPED_KINDS, _ARCHIVE, SUMMARY, "site", "custom", "feeds"})  # no custom feeds' names
# any name may be that of a custom feed
_FEED = rf"/(?:(?P<feed>(?:{'|'.join(GROUPED_KINDS)})/[^/]+|(?!(?:{_ARCHIVE}|{SUMMARY})/)[^/]+)/)?"
_ARCHIVE_FOLDER = rf"(?:{_ARCHIVE}/(?P<archive>[1-9]\d{{0,8}})/)?"
DOCUMENT_FOLDER = rf"{_FEED}(?P<summary>{SUMMARY}/)?{_ARCHIVE_FOLDER}"
"""A regular expression of the folders of documents: of feeds, of their excerpts, and of the archives of both."""
_FEED_PAGE = re.compile(_FEED + _ARCHIVE_FOLDER, re.ASCII)
# archives of future feeds whose paths are reserved; larger numbers may be years in the paths of articles
_MAX_RESERVED_ARCHIVE = 999


class FeedPagePath(NamedTuple):
    """The feed and the archive that the path of a feed's page names."""

    feed: str  # "", "category/NAME" or, of a custom feed, "NAME"
    archive: int  # 0: the live feed


def kind_of_feed(feed: str) -> FeedKind:
    """Return the kind of the feed at a path."""
    kind, _, name = feed.partition("/")
    return kind if name else "custom" if kind else "site"  # type: ignore[return-value]  # the caller has a feed's path


def feed_of_page(path: str, feeds: Collection[str]) -> FeedPagePath | None:
    """Return the feed and archive of a path such as `/category/x/archive/3/`; None if it is not a feed page's path.

    `feeds` contains the paths of all custom feeds.
    """
    match = _FEED_PAGE.fullmatch(path)
    if match is None or not may_be_feed(match["feed"] or "", feeds):
        return None
    return FeedPagePath(match["feed"] or "", int(match["archive"] or 0))


def may_be_feed(feed: str, feeds: Collection[str]) -> bool:
    """Return whether a path that matches `FEED_FOLDER` may be a feed's; `feeds` has the paths of all custom feeds."""
    return not feed or "/" in feed or feed in feeds


def custom_feed_conflict(name: str) -> str | None:
    """Return why a custom feed can't have a name, as the end of a sentence; None if it can."""
    if name != slugify(name) or not name:
        suggestion = slugify(name)
        return "must be written as in its address, in lower case and without spaces" + (
            f"; did you mean {suggestion}?" if suggestion else ""
        )
    if name in _RESERVED_NAMES or any(f"/{name}" == endpoint for endpoint in ENDPOINTS):
        return f"is reserved: /{name}/ has another meaning; choose another name"
    return None


def sitemap_part(path: str) -> int | None:
    """Return the number of the part of a sitemap at a path such as `/sitemap-3.xml`; None for any other path."""
    match = _SITEMAP_PART.fullmatch(path)
    return int(match["number"]) if match else None


def path_of_sitemap_part(number: int) -> str:
    """Return the path of a part of a sitemap; parts are numbered from 1."""
    return f"/sitemap-{number}.xml"


def sitemap_owner(path: str, site: Site) -> str | None:
    """Return the configuration key of the sitemap that a path belongs to; None if the site has no sitemap there."""
    if site.sitemap and (path == SITEMAP or sitemap_part(path)):
        return "site.sitemap"
    return "site.news_sitemap" if site.news_sitemap and path == NEWS_SITEMAP else None


def folder_of_page(path: str) -> str:
    """Return the folder in which an article's files are published, given the path of its page.

    It is `/a/` for `/a/`, `/a` and `/a.html`.
    """
    return path if path.endswith("/") else f"{path.removesuffix('.html').removesuffix('.htm')}/"


def relative_link(page: str, target: str) -> str:
    """Return a percent-encoded link from a page to another one, which works on any host, port and base path."""
    return ("../" * (page.count("/") - 1) or "./") + quote_path(target[1:])


def is_spelling_of(page: str, target: str) -> bool:
    """Return whether two paths differ only in case or in a slash at the end, which many hosts ignore."""
    return page.rstrip("/").casefold() == target.rstrip("/").casefold()


def file_of_page(page: str) -> str:
    """Return the file that static hosts serve for the path of a page."""
    if page.endswith("/"):
        return page + _INDEX
    return page if page.endswith(_PAGE_FILES) else f"{page}.html"


def pages_of_file(file: str) -> list[str]:
    """Return the paths of pages with this file: `/x` and `/x.html` for `/x.html`; none if no page can have it."""
    pages = [file] if file.endswith(_PAGE_FILES) else []
    if file.endswith(".html") and not file.endswith("/.html"):
        pages.append(file.removesuffix(".html"))
    if file.endswith(f"/{_INDEX}"):
        pages.append(file.removesuffix(_INDEX))
    return [page for page in pages if file_of_page(page) == file]


def page_files_above(page: str) -> list[str]:
    """Return the files of other pages that can't exist because this page's file needs folders at their paths.

    That is `/x.html` for `/x.html/y/`, and also for `/x.html.gz/y/`, the path of the compressed file.
    """
    folders = file_of_page(page).split("/")[1:-1]
    above = (_uncompressed("/" + "/".join(folders[:depth])) for depth in range(1, len(folders) + 1))
    return [file for file in above if file.endswith(_PAGE_FILES)]


def is_publishable(path: str) -> bool:
    """Return whether a page or a file can have a path: every part is a valid file name and none is hidden."""
    segments = path.removesuffix("/").split("/")[1:]
    return len(path.encode()) <= _MAX_PATH_BYTES and all(
        segment and not segment.startswith(".") and _is_name(segment) for segment in segments
    )


def _is_name(segment: str) -> bool:
    is_short = len(segment.encode("utf-8", "surrogatepass")) <= _MAX_SEGMENT_BYTES
    return is_short and segment.isprintable() and "\\" not in segment


def owner(page: str, site: Site) -> str | None:
    """Return a noun phrase for the owner of the path of an article's page; None if the path is free."""
    if fixed := _fixed_owner(page) or _fixed_owner(file_of_page(page)):  # `/404` has the file `/404.html`
        return fixed
    files = [file_of_page(page), *page_files_above(page)]
    if page in site.aliases or not {files[0], *pages_of_file(files[0])}.isdisjoint(site.aliases):
        return "an alias of a feed (feeds.aliases)"
    if any(_is_feed_page(file, site) for file in files):
        return "reserved for the page of a feed"
    return None


def _fixed_owner(path: str) -> str | None:
    """Return a noun phrase for the owner of a path that is reserved on every site; None if the path is free."""
    bare = path.removesuffix("/")
    segments = bare.split("/")[1:]
    if bare in ENDPOINTS or bare.startswith("/preview/"):
        return "an address that the server answers"
    if segments and (_uncompressed(segments[0]) in _TOP_FILES or sitemap_part(f"/{_uncompressed(segments[0])}")):
        return "reserved for a file that hosts, browsers or robots read"
    if any(_uncompressed(segment) in DOCUMENTS for segment in segments):
        return "reserved for the documents of feeds"
    if is_asset("/" + "/".join(segments[:2])):
        return "a file that all pages need"
    return None


def is_asset(path: str) -> bool:
    """Return whether a path is that of a built-in file that pages need, or of its compressed copy."""
    return _uncompressed(path) in _BUILT_IN


def _is_feed_page(file: str, site: Site) -> bool:
    page = feed_of_page(file.removesuffix(_INDEX), site.feeds) if file.endswith(f"/{_INDEX}") else None
    if page is None:
        return False
    is_reserved = not page.archive or (site.archives and page.archive <= _MAX_RESERVED_ARCHIVE)
    return is_reserved and (kind_of_feed(page.feed) in {"site", "custom", *site.by})


def may_be_article_file(path: str, aliases: Collection[str] = ()) -> bool:
    """Return whether a file of an article may have a path such as `/notes/lamp.png`, regardless of pages.

    A suffix such as .gz is ignored, because servers look for compressed files under such names.
    """
    uncompressed = _uncompressed(path)
    if not is_publishable(path) or _fixed_owner(path) or uncompressed.endswith(_PAGE_FILES):
        return False
    return not any(f"{path}/".startswith((f"{alias}/", f"{_uncompressed(alias)}/")) or uncompressed == alias
                   for alias in aliases)  # fmt: skip


def alias_conflict(alias: str) -> str | None:
    """Return a noun phrase for the owner of an alias's path on every site; None if the path is free."""
    *folders, name = alias.split("/")[1:]
    if any(part in {".", ".."} or "\0" in part or len(part.encode()) > _MAX_SEGMENT_BYTES for part in (*folders, name)):
        return "no path that a file can have"
    if alias in SITE_DOCUMENTS:
        return "the site's own feed"
    if alias == "/" or alias.startswith(("/static/", "/.feeds-")) or alias in {f"/{OPML}", NOT_FOUND, *HOST_FILES}:
        return "a page or a file of this program"
    if alias.removesuffix("/") in ENDPOINTS or alias.startswith("/preview/"):
        return "an address that the server answers"
    is_below_document = any(_uncompressed(folder) in DOCUMENTS for folder in folders)
    if is_below_document or (_uncompressed(name) in DOCUMENTS and name not in DOCUMENTS):
        return "reserved for the documents of feeds"
    return None


def _uncompressed(path: str) -> str:
    if not path.endswith(_COMPRESSED_SUFFIXES):
        return path
    return next(path.removesuffix(suffix) for suffix in _COMPRESSED_SUFFIXES if path.endswith(suffix))


class PathRegistry:
    """The files of one tree; rejects a file that exists already, or that conflicts with a folder of another file.

    Records only folders whose names may also be files: those that contain a dot, and those in `watched`.
    """

    def __init__(self, watched: Iterable[str] = ()) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._watched = {_normalised(path) for path in watched}

    def claim(self, files: Sequence[str]) -> bool:
        """Claim the paths of the files of one item. Return False, and claim none, if one of them is not free."""
        paths = [_normalised(file) for file in files]
        if not all(map(self._is_free, paths)):
            return False
        self._files.update(paths)
        for path in paths:
            self._folders.update(folder for folder in _parents(path) if self._may_be_file(folder))
        return True

    def _is_free(self, path: str) -> bool:
        return bool(path) and not (
            path in self._files or path in self._folders or any(map(self._files.__contains__, _parents(path)))
        )

    def _may_be_file(self, folder: str) -> bool:
        return "." in folder.rpartition("/")[2] or folder in self._watched


def _parents(path: str) -> Iterable[str]:
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def _normalised(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part) if path.strip("/") else ""
