"""Every public path: what is published where, and which of two things has a path that both want.

A path belongs to the first of these that wants it:

1. what is always there: documents, addresses that the server answers, the files of pages, files for hosts and robots,
2. an alias (`feeds.aliases`),
3. the page of a feed,
4. the page of an article; of several articles the one that was published first,
5. a file of an article.

The same paths are served and exported, so two things also exclude each other if their files can't be in one folder:
`/x` and `/x.html` are one file, and `/x.html/y/` needs a folder where `/x.html` is a file. An article that loses is
refused when it is read (`owner`) or published (`pages_of_file`, `page_files_above`); a file is left out.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from feeds.model import Site

RSS, ATOM, JSON_FEED, OPML = "rss.xml", "atom.xml", "feed.json", "feeds.opml"
DOCUMENTS = frozenset({RSS, ATOM, JSON_FEED, OPML})  # names of files
SITE_DOCUMENTS = (f"/{RSS}", f"/{ATOM}", f"/{JSON_FEED}")
COMPRESSED = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}  # endings of files in a coding, as web servers look for them
STYLESHEET = "/static/feed.css"  # of documents that are opened in a browser
ASSETS = (STYLESHEET, "/static/page.css", "/static/page.js")  # of pages and feeds, below feeds.url
ENDPOINTS = ("/healthz", "/refresh", "/stats", "/hub", "/static", "/preview")  # which the server answers
HEADERS_FILE, HTACCESS, NGINX_FILE = HOST_FILES = ("/_headers", "/.htaccess", "/feeds.nginx.conf")
# names at the top of a site that hosts, browsers or robots read
_TOP_FILES = frozenset({
    "_headers", "_redirects", "_routes.json", "_worker.js", "feeds.nginx.conf", "web.config", "CNAME", "robots.txt",
    "sitemap.xml", "ads.txt", "app-ads.txt", "security.txt", "favicon.ico", "manifest.json", "manifest.webmanifest",
    "sw.js", "service-worker.js", "crossdomain.xml", "clientaccesspolicy.xml", "browserconfig.xml",
    "staticwebapp.config.json", "apple-app-site-association",
})  # fmt: skip
_LONGEST_SEGMENT = 200  # bytes of a part of a path: the name of a file has 255, and its temporary one is longer
_LONGEST_PATH = 2_000  # bytes: a path of the system has 4,096, with the folder that is exported to
_PAGE_FILES = (".html", ".htm")
_INDEX = "index.html"
_FEED_PAGE = re.compile(r"/(?:((?:category|tag|author)/[^/]+)/)?(?:archive/([1-9]\d{0,8})/)?", re.ASCII)
# archives that are reserved for feeds to come; with more digits it is a year, where a site has articles of its own
_MOST_ARCHIVES = 999


def feed_of_page(path: str) -> tuple[str, int] | None:
    """Return the feed whose page may be at a path, and the archive: `/category/x/archive/3/`; None if no feed's can."""
    match = _FEED_PAGE.fullmatch(path)
    return (match[1] or "", int(match[2] or 0)) if match else None


def folder_of_page(path: str) -> str:
    """Return where the files beside an article are, by the path of its page: `/a/` for `/a/`, `/a` and `/a.html`."""
    return path if path.endswith("/") else f"{path.removesuffix('.html').removesuffix('.htm')}/"


def file_of_page(page: str) -> str:
    """Return the file that static hosts send for a page's path."""
    if page.endswith("/"):
        return page + _INDEX
    return page if page.endswith(_PAGE_FILES) else f"{page}.html"


def pages_of_file(file: str) -> list[str]:
    """Return the paths of pages that have this file: `/x` and `/x.html` for `/x.html`; none if it can be no page's."""
    pages = [file] if file.endswith(_PAGE_FILES) else []
    if file.endswith(".html") and not file.endswith("/.html"):
        pages.append(file.removesuffix(".html"))
    if file.endswith(f"/{_INDEX}"):
        pages.append(file.removesuffix(_INDEX))
    return [page for page in pages if file_of_page(page) == file]


def page_files_above(page: str) -> list[str]:
    """Return the files, which pages may have, that a page excludes, because its own file needs folders there.

    That is `/x.html` for `/x.html/y/`, and also for `/x.html.gz/y/`, where the compressed page would be.
    """
    folders = file_of_page(page).split("/")[1:-1]
    above = (_uncompressed("/" + "/".join(folders[:depth])) for depth in range(1, len(folders) + 1))
    return [file for file in above if file.endswith(_PAGE_FILES)]


def is_publishable(path: str) -> bool:
    """Return whether a page or a file can be at a path: nothing on it is hidden or can be no name of a file."""
    segments = path.removesuffix("/").split("/")[1:]
    return len(path.encode()) <= _LONGEST_PATH and all(
        segment and not segment.startswith(".") and _is_name(segment) for segment in segments
    )


def _is_name(segment: str) -> bool:
    fits = len(segment.encode("utf-8", "surrogatepass")) <= _LONGEST_SEGMENT
    return fits and segment.isprintable() and "\\" not in segment


def owner(page: str, site: Site) -> str | None:
    """Return what the path of an article's page belongs to already, as words of a sentence; None if it is free."""
    if fixed := _fixed_owner(page):
        return fixed
    files = [file_of_page(page), *page_files_above(page)]
    if page in site.aliases or not {files[0], *pages_of_file(files[0])}.isdisjoint(site.aliases):
        return "an alias of a feed (feeds.aliases)"
    if any(_is_feed_page(file, site) for file in files):
        return "reserved for the page of a feed"
    return None


def _fixed_owner(path: str) -> str | None:
    """Return what a path belongs to on every site; None if it is free."""
    bare = path.removesuffix("/")
    segments = bare.split("/")[1:]
    if bare in ENDPOINTS or bare.startswith("/preview/"):
        return "an address that the server answers"
    if segments and _uncompressed(segments[0]) in _TOP_FILES:
        return "reserved for a file that hosts, browsers or robots read"
    if any(_uncompressed(segment) in DOCUMENTS for segment in segments):
        return "reserved for the documents of feeds"
    if _uncompressed("/" + "/".join(segments[:2])) in ASSETS:
        return "a file that all pages need"
    return None


def _is_feed_page(file: str, site: Site) -> bool:
    found = feed_of_page(file.removesuffix(_INDEX)) if file.endswith(f"/{_INDEX}") else None
    if found is None:
        return False
    feed, archive = found
    exists = not archive or (site.archives and archive <= _MOST_ARCHIVES)
    return exists and (not feed or feed.partition("/")[0] in site.by)


def may_be_file(path: str, aliases: Collection[str] = ()) -> bool:
    """Return whether a file of an article may be at a path, such as `/notes/lamp.png`, whatever pages there are.

    A name that ends in .gz or .br is that of the compressed file where a server looks for one.
    """
    plain = _uncompressed(path)
    if not is_publishable(path) or _fixed_owner(path) or plain.endswith(_PAGE_FILES):
        return False
    return not aliases or not any(f"{path}/".startswith((f"{one}/", f"{_uncompressed(one)}/")) or plain == one
                                  for one in aliases)  # fmt: skip


def alias_conflict(alias: str) -> str | None:
    """Return what the path of an alias belongs to on every site, as words of a sentence; None if it is free."""
    *folders, name = alias.split("/")[1:]
    if any(part in {".", ".."} or "\0" in part or len(part.encode()) > _LONGEST_SEGMENT for part in (*folders, name)):
        return "no path that a file can have"
    if alias in SITE_DOCUMENTS:
        return "the site's own feed"
    if alias == "/" or alias.startswith(("/static/", "/.feeds-")) or alias in {f"/{OPML}", *HOST_FILES}:
        return "a page or a file of this program"
    if alias.removesuffix("/") in ENDPOINTS or alias.startswith("/preview/"):
        return "an address that the server answers"
    above = any(_uncompressed(folder) in DOCUMENTS for folder in folders)
    if above or (_uncompressed(name) in DOCUMENTS and name not in DOCUMENTS):
        return "reserved for the documents of feeds"
    return None


def _uncompressed(path: str) -> str:
    return next((path.removesuffix(ending) for ending in COMPRESSED.values() if path.endswith(ending)), path)


class Places:
    """The files of one tree: each belongs to one thing, and none is where another file needs a folder.

    Only folders are remembered whose names may be those of files: with a dot in them, or one of `watched`.
    """

    def __init__(self, watched: Iterable[str] = ()) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._watched = {_normal(path) for path in watched}

    def take(self, files: Sequence[str]) -> bool:
        """Take the places of the files of one thing; False, and none is taken, if one is not free."""
        places = [_normal(file) for file in files]
        if not all(map(self._is_free, places)):
            return False
        self._files.update(places)
        for place in places:
            self._folders.update(above for above in _above(place) if self._may_be_file(above))
        return True

    def _is_free(self, place: str) -> bool:
        return not (
            not place
            or place in self._files
            or place in self._folders
            or any(map(self._files.__contains__, _above(place)))
        )

    def _may_be_file(self, folder: str) -> bool:
        return "." in folder.rpartition("/")[2] or folder in self._watched


def _above(place: str) -> Iterable[str]:
    end = place.rfind("/")
    while end > 0:
        yield place[:end]
        end = place.rfind("/", 0, end)


def _normal(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part) if path.strip("/") else ""
