"""Which feeds there are, what each is called, and what an entry says: every rule of syndication that is no format's.

Pure: articles and facts in, entries and feeds out. Which articles a feed shows is asked of the catalog, which keeps the
memberships that `feeds_of` gives; what they become is decided here.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from html import escape, unescape
from urllib.parse import unquote

from feeds import __version__, paths
from feeds.article_files import Files, has_own_folder
from feeds.model import Article, Author, Content, Enclosure, Entry, Feed, FeedState, Image, Kind, Site, Tombstone
from feeds.patterns import filled
from feeds.text import absolute, beginning, in_words, on_site, quote_iri, quote_path, scheme, slugify

SITE = FeedState(path="", kind="site", name="")
_IMAGE_TAG = re.compile(r"<(?:img|source)\s[^<>]*>")
_IMAGE_SOURCE = re.compile(r'\s(?:src|srcset)="([^"]*)"')
_FEED_ID_YEAR = 2005  # of RFC 4151 and RFC 4287: feeds' ids need a year that never changes


def feeds_of(article: Article, site: Site) -> list[FeedState]:
    """Return the feeds of an article: the site's, and one for each category, tag and author with a slug.

    An unlisted article is in none.
    """
    if not article.listed:
        return []
    names: dict[Kind, Iterable[str]] = {
        "category": article.categories,
        "tag": article.tags,
        "author": [author.name for author in _authors(article, site)],
    }
    feeds = {"": SITE}
    for kind in site.by:
        for name in names[kind]:
            if feed := _feed(kind, name):
                feeds.setdefault(feed.path, feed)
    return list(feeds.values())


@lru_cache(maxsize=4096)
def _feed(kind: Kind, name: str) -> FeedState | None:
    slug = slugify(name)
    return FeedState(f"{kind}/{slug}", kind, name) if slug else None


def exists(feed: FeedState, site: Site) -> bool:
    """Tell whether a feed is published: the site's always, others from `min_entries` entries on."""
    return feed.kind == "site" or (feed.kind in site.by and feed.entries >= site.min_entries)


def mint(article: Article, site: Site) -> str:
    """Give the id of an article that is first published: `tag:AUTHORITY,YEAR:NAME` (RFC 4151), or as the site says."""
    if site.ids:
        path = article.link if article.link and article.link.startswith("/") else quote_path(_permalink(article, site))
        return quote_iri(filled(site.ids, article, site, link=path, quoted=True))
    name = article.slug if article.slug_given else article.name
    return f"tag:{site.authority},{article.published.year:04d}:{quote_path(name)}"


def apart(minted: str, path: str) -> str:
    """Give the id of an article whose minted one is taken: the same with its path appended."""
    return f"{minted}/{quote_path(path)}"


def is_iri(id_: str) -> bool:
    """Tell whether an id is an absolute IRI, as Atom wants it (RFC 4287 section 4.2.6)."""
    return bool(scheme(id_))


def link(article: Article, site: Site) -> str:
    """Give an article's absolute URL: what its front matter says, else the permalink pattern filled in."""
    if article.link and not article.link.startswith("/"):
        return absolute(article.link, site.url) or article.link
    if article.link:
        return absolute(site.url + article.link, site.url) or site.url
    return site.url + quote_path(_permalink(article, site))


def page(article: Article, site: Site) -> str | None:
    """Return the path of an article's page, not percent-encoded.

    None if articles have no pages, its link leads elsewhere, or something else is at its path.
    """
    path = _own_path(article, site)
    return path if path and paths.is_publishable(path) and paths.owner(path, site) is None else None


def taken_page(article: Article, site: Site) -> tuple[str, str] | None:
    """Return the path that an article's page would have, and what that belongs to; None if the article may have it."""
    path = _own_path(article, site)
    owner = paths.owner(path, site) if path else None
    return (path, owner) if path and owner else None


def _own_path(article: Article, site: Site) -> str | None:
    """Return the path to which an article's link leads, if that is on this site and articles have pages."""
    if not site.pages:
        return None
    url = link(article, site)
    path = url.removeprefix(site.url)
    if path == url or not path.startswith("/") or "?" in path or "#" in path:
        return None
    return unquote(path)


def base(article: Article, site: Site) -> str:
    """Give the URL that an article's relative references begin at: its link, or the folder of its own files."""
    at = page(article, site)
    if at is None or at.endswith("/") or not has_own_folder(article.path):
        return link(article, site)
    return site.url + quote_path(paths.folder_of_page(at))


def files(article: Article, site: Site) -> Files:
    """Return where the files are that an article refers to; nowhere if it has no page of ours."""
    at = page(article, site)
    if at is None:
        return Files(article.path)
    own_url = site.url + quote_path(paths.folder_of_page(at)) if has_own_folder(article.path) else ""
    return Files(article.path, site.url, own_url)


def anchor_prefix(id_: str) -> str:
    """Give what makes an article's HTML ids unique among the articles of a page."""
    return f"e{hashlib.sha256(id_.encode()).hexdigest()[:8]}-"


def fingerprint(site: Site) -> str:
    """Give a digest of all that an article's reading and a document's bytes depend on besides the articles."""
    return hashlib.sha256(f"{__version__} {site!r}".encode()).hexdigest()


def archives(feed: FeedState, site: Site) -> int:
    """Give how many archives a feed has (RFC 5005 section 4): none as long as its live documents show everything.

    They are counted from the oldest entry on, `limit` entries each. All but the last are full and stay as they are when
    something is published; the last holds what has come since, at times nothing: the one before it names it from its
    first day on, for adding that link later would change it.
    """
    return feed.entries // site.limit + 1 if site.archives and feed.entries > site.limit else 0


def is_full(feed: FeedState, archive: int, site: Site) -> bool:
    """Tell whether an archive has all the entries that it will ever have."""
    return archive * site.limit <= feed.entries


def stamp(feed: FeedState, archive: int, site: Site) -> tuple[int, int] | None:
    """Give the revisions that a live document (0) or an archive shows; with others it shows something else.

    The first is of what was published last, the second of the history; 0 where it does not matter. None if there is no
    such document.
    """
    if not exists(feed, site) or archive > archives(feed, site):
        return None
    newest = 0 if archive and is_full(feed, archive, site) else feed.revision
    return newest, feed.history if archive else 0


def digest(feed: FeedState, shown: Iterable[tuple[str, str, str]], site: Site) -> str:
    """Give a digest of what a feed's documents show: (id, path, content hash) of the entries, newest first."""
    facts_of_feed = (fingerprint(site), feed.path, feed.name, exists(feed, site), _before(feed, site.limit, site))
    state = hashlib.sha256(repr(facts_of_feed).encode())
    for facts in shown:
        state.update("\n".join(("", *facts)).encode())
    return state.hexdigest()


def shows_image(html: str, url: str) -> bool:
    """Return whether sanitised HTML shows the image at an absolute URL; another query is the same image."""
    sought = _without_query(url)
    return any(
        _without_query(candidate.rstrip(",")) == sought
        for tag in _IMAGE_TAG.findall(html)
        for value in _IMAGE_SOURCE.findall(tag)
        for candidate in unescape(value).split()
    )


def _without_query(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]


def entry(article: Article, id_: str, content: Content, site: Site) -> Entry:
    """Return the entry that represents an article in every format."""
    url, near = link(article, site), base(article, site)
    canonical = on_site(article.canonical, site.url, site.url + "/") if article.canonical else None
    beside = files(article, site)
    image = article.image and (beside.url(article.image.url) or on_site(article.image.url, site.url, near))
    html = content.html if site.text == "full" else None
    if html is not None and article.image and image and site.image_in_text and not shows_image(html, image):
        html = f'<p><img src="{escape(image)}" alt="{escape(article.image.alt)}"></p>\n{html}'
    enclosures = ((beside.url(file.url) or on_site(file.url, site.url, near), file) for file in article.enclosures)
    return Entry(
        id=id_,
        url=canonical or url,
        title=article.title,
        published=article.published,
        updated=article.updated,
        authors=tuple(
            Author(author.name, author.email, author.url and on_site(author.url, site.url, url))
            for author in _authors(article, site)
        ),
        categories=article.categories,
        tags=article.tags,
        summary=content.summary,
        html=html,
        image=Image(image, article.image.alt, article.image.type) if article.image and image else None,
        enclosures=tuple(Enclosure(at, file.type, file.length) for at, file in enclosures if at),
        language=article.language or site.language,
        label=article.title or beginning(content.summary) or in_words(article.slug),
        external_url=article.external_url and on_site(article.external_url, site.url, url),
    )


def feed(
    state: FeedState,
    entries: Iterable[Entry],
    site: Site,
    archive: int = 0,
    withdrawn: Iterable[Tombstone] = (),
    *,
    began: datetime,
) -> Feed:
    """Return a feed of its entries, which come newest first; or one of its archives.

    A feed without entries is dated by when the site `began`.
    """
    listed, gone = tuple(entries), tuple(withdrawn)
    folder = f"/{quote_path(state.path)}/" if state.path else "/"
    live = f"{site.feeds_url}{folder}"
    before = archive - 1 if archive else _before(state, len(listed), site)
    return Feed(
        path=state.path,
        id=f"tag:{site.authority},{_FEED_ID_YEAR}:{folder}",
        title=f"{site.title} – {state.name}" if state.name else site.title,
        description=site.description,
        home=f"{site.feeds_url}{folder}" if state.path else f"{site.url}/",
        page=live,
        stylesheet=f"{site.feeds_url}{paths.STYLESHEET}",
        address=f"{live}archive/{archive}/" if archive else live,
        updated=max((*(item.updated for item in listed), *(one.at for one in gone)), default=began),  # never back
        language=site.language,
        # RFC 4287 4.1.1: without an author on the feed, every entry would need one
        authors=(site.author or Author(site.title),),
        icon=site.icon,
        copyright=site.copyright,
        categories_scheme=f"{site.feeds_url}/category/",
        tags_scheme=f"{site.feeds_url}/tag/",
        entries=listed,
        withdrawn=gone,
        ttl=site.max_age,
        prev_archive=f"{live}archive/{before}/" if before else None,
        next_archive=f"{live}archive/{archive + 1}/" if archive and is_full(state, archive, site) else None,
        current=live if archive else None,
    )


def shortened(entries: tuple[Entry, ...], excess: int, sizes: Sequence[int]) -> tuple[Entry, ...]:
    """Shorten the entries of a document that is too large by a number of bytes. Call again if it still is.

    `sizes` are those of the entries as they are written. Texts give way to summaries, the oldest first. Where there are
    none left the oldest entries go, down to one: the archives still have them.
    """
    if all(entry.html is None for entry in entries):
        return entries[: max(1, len(entries) * 3 // 4)]
    smaller = list(entries)
    for number in reversed(range(len(entries))):
        if excess <= 0:
            break
        if entries[number].html is not None:
            excess -= sizes[number]
            smaller[number] = replace(entries[number], html=None)
    return tuple(smaller)


def _before(state: FeedState, shown: int, site: Site) -> int:
    """Give the archive that goes on where a live document ends that shows so many entries; 0 for none.

    One that has no room for all that it should show leads to the newest that has any: so what it says changes with
    `digest` and at no other time.
    """
    older = state.entries - (shown if shown >= site.limit else 0)
    return -(-older // site.limit) if older > 0 and archives(state, site) else 0


def _authors(article: Article, site: Site) -> tuple[Author, ...]:
    return article.authors or ((site.author,) if site.author else ())


def _permalink(article: Article, site: Site) -> str:
    """Give the path that the site's patterns make of an article, not yet percent-encoded."""
    folders = (pattern for folder, pattern in site.permalinks if article.path.startswith(f"{folder}/"))
    return filled(next(folders, site.permalink), article, site) or "/"
