"""The format-neutral rules of syndication: feeds and their settings, ids, URLs, entries and archives.

The functions are pure: they turn articles into entries and feeds. `feeds.core.memberships` decides in which feeds an
article is; the catalog stores that, and selects the articles of each feed.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape, unescape
from typing import NamedTuple
from urllib.parse import unquote

from feeds import __version__
from feeds.core import paths
from feeds.core.article_files import ArticleFiles, has_own_folder
from feeds.core.feed_settings import language_of, limit_of, settings_of, title_of
from feeds.core.memberships import authors_of
from feeds.core.model import (
    Article,
    Author,
    Content,
    Enclosure,
    Entry,
    EntryOptions,
    EntryVersion,
    Feed,
    FeedKey,
    FeedState,
    FeedTranslation,
    Image,
    Site,
    Tombstone,
    Translation,
)
from feeds.core.permalinks import expand
from feeds.core.text import (
    absolute_url,
    excerpt,
    humanize,
    quote_iri,
    quote_path,
    resolve_on_site,
    url_scheme,
)

_IMAGE_TAG = re.compile(r"<(?:img|source)\s[^<>]*>")
_IMAGE_SOURCE = re.compile(r'\s(?:src|srcset)="([^"]*)"')
_FEED_ID_YEAR = 2005  # of RFC 4151 and RFC 4287: the ids of feeds need a year that never changes


class PathConflict(NamedTuple):
    """The path that an article's page would have, and a noun phrase for its owner, as `paths.owner` returns it."""

    path: str
    owner: str


class DocumentRevision(NamedTuple):
    """The revisions that determine a document: as long as both are equal, so is its content.

    A value is 0 if such changes don't affect the document.
    """

    entries: int  # the last revision that changed the feed's live documents
    archives: int  # the last revision that changed its full archives


def exists(feed: FeedState, site: Site) -> bool:
    """Return whether a feed is published.

    The site's and the custom feeds always are, the others if they have `site.min_entries` entries.
    """
    if feed.kind == "custom":
        return feed.path in site.feeds
    return feed.kind == "site" or (feed.kind in site.by and feed.entries >= site.min_entries)


def has_summary(path: str, site: Site) -> bool:
    """Return whether a feed also has documents with excerpts (`paths.SUMMARY`), by its path."""
    return (settings_of(path, site).text or site.text) == "both"


def has_summaries(site: Site) -> bool:
    """Return whether any feed of a site may have documents with excerpts."""
    return any(has_summary(path, site) for path in ("", *site.feeds))


def entry_options(path: str, site: Site, *, summary: bool = False) -> EntryOptions:
    """Return the options by which a feed shows its entries.

    Args:
        path: the path of the feed.
        site: the site.
        summary: whether the document is one of `has_summary`.
    """
    own = settings_of(path, site)
    text = own.text or site.text
    return EntryOptions(
        "excerpt" if summary else "full" if text == "both" else text,
        site.footer if own.footer is None else own.footer,
        site.link_query if own.link_query is None else own.link_query,
        own.link_blog or site.link_blog,
    )


def generate_id(article: Article, site: Site) -> str:
    """Return the id of a new article: `tag:AUTHORITY,YEAR:NAME` (RFC 4151), or `site.ids` expanded."""
    if site.ids:
        path = article.link if article.link and article.link.startswith("/") else quote_path(_permalink(article, site))
        return quote_iri(expand(site.ids, article, site, link=path, quoted=True))
    name = article.slug if article.slug_given else article.name
    return f"tag:{site.authority},{article.published.year:04d}:{quote_path(name)}"


def disambiguate_id(generated_id: str, path: str) -> str:
    """Return the id of an article whose generated id belongs to another: that id with the article's path appended."""
    return f"{generated_id}/{quote_path(path)}"


def is_iri(id_: str) -> bool:
    """Return whether an id is an absolute IRI, as Atom requires (RFC 4287 section 4.2.6)."""
    return bool(url_scheme(id_))


def article_url(article: Article, site: Site) -> str:
    """Return an article's absolute URL: the link of its front matter, else the expanded permalink pattern."""
    if article.link and not article.link.startswith("/"):
        return absolute_url(article.link, site.url) or article.link
    if article.link:
        return absolute_url(site.url + article.link, site.url) or site.url
    return site.url + quote_path(_permalink(article, site))


def entry_url(article: Article, site: Site) -> str:
    """Return the URL of an article's entry: that of the first publication, if that was elsewhere, else its own."""
    canonical = resolve_on_site(article.canonical, site.url, site.url + "/") if article.canonical else None
    return canonical or article_url(article, site)


def page_path(article: Article, site: Site) -> str | None:
    """Return the path of an article's page, not percent-encoded.

    None if articles have no pages, the article links to another site, or the path belongs to something else.
    """
    path = _own_path(article, site)
    return path if path and paths.is_publishable(path) and paths.owner(path, site) is None else None


def page_conflict(article: Article, site: Site) -> PathConflict | None:
    """Return the conflict if the path of an article's page belongs to something else, else None."""
    path = _own_path(article, site)
    owner = paths.owner(path, site) if path else None
    return PathConflict(path, owner) if path and owner else None


def _own_path(article: Article, site: Site) -> str | None:
    """Return the decoded path of an article's URL if it is on this site and articles have pages, else None."""
    if not site.pages:
        return None
    url = article_url(article, site)
    path = url.removeprefix(site.url)
    if path == url or not path.startswith("/") or "?" in path or "#" in path:
        return None
    return unquote(path)


def base_url(article: Article, site: Site) -> str:
    """Return the base URL of an article's relative references: its own URL, or the folder of its files."""
    page = page_path(article, site)
    if page is None or page.endswith("/") or not has_own_folder(article.path):
        return article_url(article, site)
    return site.url + quote_path(paths.folder_of_page(page))


def files_of(article: Article, site: Site) -> ArticleFiles:
    """Return the locations of the files that an article refers to; without a page here they have no URLs."""
    page = page_path(article, site)
    if page is None:
        return ArticleFiles(article.path)
    own_url = site.url + quote_path(paths.folder_of_page(page)) if has_own_folder(article.path) else ""
    return ArticleFiles(article.path, site.url, own_url)


def anchor_prefix(id_: str) -> str:
    """Return the prefix that makes an article's HTML ids unique on a page with several articles."""
    return f"e{hashlib.sha256(id_.encode()).hexdigest()[:8]}-"


def site_fingerprint(site: Site) -> str:
    """Return a digest of all settings that parsed articles and most documents depend on, and of the version.

    The selections of feeds and the settings of single feeds are not among them (`memberships.selection_fingerprint`,
    `feed_settings.settings_digests`).
    """
    return hashlib.sha256(f"{__version__} {site!r}".encode()).hexdigest()


def archive_count(feed: FeedState, site: Site) -> int:
    """Return how many archives a feed has (RFC 5005 section 4): 0 while its live documents contain every entry.

    Archives are numbered from the oldest entry on. Each has as many entries as the live documents have at most. All but
    the last are full and do not change when an article is published. The last contains all newer entries, and may be
    empty: the archive before it links to it from the start, because adding that link later would change a full archive.
    """
    limit = limit_of(feed.path, site)
    return feed.entries // limit + 1 if site.archives and feed.entries > limit else 0


def is_full_archive(feed: FeedState, archive: int, site: Site) -> bool:
    """Return whether an archive has all the entries that it will ever have."""
    return archive * limit_of(feed.path, site) <= feed.entries


def document_revision(feed: FeedState, archive: int, site: Site) -> DocumentRevision | None:
    """Return the revision of a live document (archive 0) or of an archive; None if the document does not exist."""
    if not exists(feed, site) or archive > archive_count(feed, site):
        return None
    entries = 0 if archive and is_full_archive(feed, archive, site) else feed.revision
    return DocumentRevision(entries, feed.archive_revision if archive else 0)


def feed_digest(
    feed: FeedState, entries: Iterable[EntryVersion], site: Site, translations: Sequence[FeedTranslation] = ()
) -> str:
    """Return a digest of the content of a feed's live documents, with these entries, newest first."""
    limit = limit_of(feed.path, site)
    metadata = (site_fingerprint(site), feed.path, feed.name, exists(feed, site), _prev_archive(feed, limit, site))
    state = hashlib.sha256(repr(metadata).encode())
    if feed.path in site.feeds or translations:
        state.update(repr((site.feeds.get(feed.path), translations)).encode())
    for values in entries:
        state.update("\n".join(("", *values)).encode())
    return state.hexdigest()


def shows_image(html: str, url: str) -> bool:
    """Return whether sanitised HTML contains the image with an absolute URL; queries are ignored."""
    wanted = _without_query(url)
    return any(
        _without_query(candidate.rstrip(",")) == wanted
        for tag in _IMAGE_TAG.findall(html)
        for value in _IMAGE_SOURCE.findall(tag)
        for candidate in unescape(value).split()
    )


def _without_query(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]


def build_entry(
    article: Article, id_: str, content: Content, site: Site, translations: Iterable[Translation] = ()
) -> Entry:
    """Return the entry that represents an article in every format, with every text that a feed of the site shows."""
    url, base = article_url(article, site), base_url(article, site)
    files = files_of(article, site)

    def resolve(reference: str) -> str | None:
        return files.url(reference) or resolve_on_site(reference, site.url, base)

    image_url = article.image and resolve(article.image.url)
    html = content.html if site.text != "summary" else None
    text = content.excerpt
    if html is not None and article.image and image_url and site.image_in_text:
        image = f'<p><img src="{escape(image_url)}" alt="{escape(article.image.alt)}"></p>\n'
        html = html if shows_image(html, image_url) else image + html
        text = text if shows_image(text, image_url) else image + text
    enclosures = ((resolve(file.url), file) for file in article.enclosures)
    return Entry(
        id=id_,
        url=entry_url(article, site),
        title=article.title,
        published=article.published,
        updated=article.updated,
        authors=tuple(
            Author(author.name, author.email, author.url and resolve_on_site(author.url, site.url, url))
            for author in authors_of(article, site)
        ),
        categories=article.categories,
        tags=article.tags,
        summary=content.summary,
        html=html,
        image=Image(image_url, article.image.alt, article.image.type) if article.image and image_url else None,
        enclosures=tuple(Enclosure(file_url, file.type, file.length) for file_url, file in enclosures if file_url),
        language=article.language or site.language,
        display_title=article.title or excerpt(content.summary) or humanize(article.slug),
        external_url=article.external_url and resolve_on_site(article.external_url, site.url, url),
        translations=tuple(translations),
        excerpt=text,
    )


def build_feed(
    state: FeedState,
    entries: Iterable[Entry],
    site: Site,
    archive: int = 0,
    tombstones: Iterable[Tombstone] = (),
    *,
    began: datetime,
    translations: Iterable[FeedTranslation] = (),
) -> Feed:
    """Return the feed of a live document, or of an archive.

    Args:
        state: the feed.
        entries: the entries of the document, newest first.
        site: the site.
        archive: the number of the archive; 0: the live document.
        tombstones: the withdrawn entries.
        began: the time of the site's first revision, with which a feed without entries is dated.
        translations: the same feed in other languages.
    """
    listed, withdrawn, settings = tuple(entries), tuple(tombstones), settings_of(state.path, site)
    folder = f"/{quote_path(state.path)}/" if state.path else "/"
    live = f"{site.feeds_url}{folder}"
    previous_archive = archive - 1 if archive else _prev_archive(state, len(listed), site)
    # with tombstones, so that withdrawing the newest entry does not move it back
    updated = max((*(entry.updated for entry in listed), *(tombstone.at for tombstone in withdrawn)), default=began)
    return Feed(
        path=state.path,
        id=f"tag:{site.authority},{_FEED_ID_YEAR}:{folder}",
        title=title_of(state, site),
        description=settings.description or site.description,
        home_url=f"{site.feeds_url}{folder}" if state.path else f"{site.url}/",
        page_url=live,
        stylesheet_url=f"{site.feeds_url}{paths.STYLESHEET}",
        folder_url=f"{live}archive/{archive}/" if archive else live,
        updated=updated,
        language=language_of(state, site),
        # RFC 4287 4.1.1: without an author on the feed, every entry would need one
        authors=(site.author or Author(site.title),),
        icon=settings.image or site.icon,
        copyright=site.copyright,
        categories_scheme=f"{site.feeds_url}/category/",
        tags_scheme=f"{site.feeds_url}/tag/",
        entries=listed,
        tombstones=withdrawn,
        ttl_s=site.max_age,
        prev_archive_url=f"{live}archive/{previous_archive}/" if previous_archive else None,
        next_archive_url=f"{live}archive/{archive + 1}/" if archive and is_full_archive(state, archive, site) else None,
        current_url=live if archive else None,
        translations=tuple(translations),
    )


def feed_translations(feed: FeedKey, others: Iterable[FeedState], site: Site) -> tuple[FeedTranslation, ...]:
    """Return the feeds of other languages, for the feed of one language, given all feeds of languages."""
    return tuple(
        FeedTranslation(language_of(other, site), f"{site.feeds_url}/{quote_path(other.path)}/")
        for other in others
        if other.path != feed.path and exists(other, site)
    )


def summary_feed(feed: Feed) -> Feed:
    """Return a feed as its documents with excerpts describe it: with another id, and at other URLs."""

    def move(url: str | None) -> str | None:
        return url and f"{feed.page_url}{paths.SUMMARY}/{url.removeprefix(feed.page_url)}"

    return replace(
        feed,
        id=f"{feed.id}{paths.SUMMARY}/",
        folder_url=move(feed.folder_url) or "",
        prev_archive_url=move(feed.prev_archive_url),
        next_archive_url=move(feed.next_archive_url),
        current_url=move(feed.current_url),
    )


def shrink_to_fit(entries: tuple[Entry, ...], excess: int, sizes: Sequence[int]) -> tuple[Entry, ...]:
    """Return shorter entries for a document that is `excess` bytes too large. Call again if it is still too large.

    `sizes` are the serialised sizes of the entries in bytes. The oldest entries lose their HTML first. If none has any,
    drop the oldest entries, down to one: the archives still contain them.
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


def _prev_archive(state: FeedState, shown: int, site: Site) -> int:
    """Return the archive that continues a live document with `shown` entries; 0 for none.

    A document that was shrunk to fewer entries than its limit links to the newest archive that has any, so that its
    link changes only together with `feed_digest`.
    """
    limit = limit_of(state.path, site)
    older = state.entries - (shown if shown >= limit else 0)
    return -(-older // limit) if older > 0 and archive_count(state, site) else 0


def _permalink(article: Article, site: Site) -> str:
    """Return the expanded permalink pattern of an article, not percent-encoded."""
    patterns = (rule.pattern for rule in site.permalinks if article.path.startswith(f"{rule.folder}/"))
    return expand(next(patterns, site.permalink), article, site) or "/"
