"""The data types of the domain: frozen dataclasses that every package shares.

An *article* is what an author wrote, an *entry* its public form, a *feed* a format-neutral list of entries, newest
first, and a *document* the bytes of one feed in one format. The types hold values and compute nothing.

A new kind of feed is added to `FeedKind` and `GROUPED_KINDS`, from which paths, lists and pages follow; to the headings
of lists in `feeds.core.wording`; to `group_names` in `feeds.core.memberships`, which names the groups of an article;
and to `feeds.by` and `GroupsSection` in `feeds.config.feed_sections`. A kind whose names are not in `Article` yet first
needs a field (core/parse/keys.py). Texts that list the kinds: `_too_many_feeds` in publish/commit.py, and two rules in
core/lint/rules.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Literal, NamedTuple

from feeds.core.selection import Selection

_NEVER = datetime(1, 1, 1, tzinfo=UTC)

FeedKind = Literal["site", "custom", "category", "tag", "author", "language", "folder"]
GROUPED_KINDS: tuple[FeedKind, ...] = ("category", "tag", "author", "language", "folder")
"""The kinds of feeds that articles name by their groups. A kind is also the first part of its feeds' paths."""
LISTED_KINDS: tuple[FeedKind, ...] = ("custom", *GROUPED_KINDS)
"""The kinds of feeds besides the site's, in the order of lists; `Wording.kinds` has the headings."""
DEFAULT_KINDS: tuple[FeedKind, ...] = ("category", "tag", "author")
TextMode = Literal["full", "summary", "excerpt"]  # the text of entries in a feed
LinkBlog = Literal["permalink", "external"]  # where the title of an entry with an external URL leads
FOOTER_PLACEHOLDERS = ("title", "url", "author", "reply_by_email")


@dataclass(frozen=True, slots=True)
class Author:
    """An author: a name and contact details."""

    name: str
    email: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """The image that represents an article. The media type is "" if the URL does not reveal it."""

    url: str
    alt: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file attached to an article: a podcast episode, a video, a PDF."""

    url: str
    type: str
    length: int = 0  # bytes; 0 if unknown


class Translation(NamedTuple):
    """An article in another language."""

    language: str
    url: str


class EntryOptions(NamedTuple):
    """The options by which a feed shows its entries. Ids and dates do not depend on them."""

    text: TextMode = "full"
    footer: str = ""  # Markdown with placeholders, below each text
    link_query: str = ""  # appended to the URLs of entries on the site
    link_blog: LinkBlog | None = None  # None: as each format defines it


class FolderPermalink(NamedTuple):
    """The permalink pattern of the articles in a folder."""

    folder: str  # below the content folder
    pattern: str


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """The settings of one feed (`feeds.custom` in the configuration). None means: as for the other feeds.

    The settings of a feed that exists because of `feeds.by`, such as `category/news`, have no selection.
    """

    title: str | None = None
    description: str | None = None
    language: str | None = None
    image: str | None = None  # absolute URL
    limit: int | None = None
    text: TextMode | Literal["both"] | None = None
    footer: str | None = None
    link_query: str | None = None
    link_blog: LinkBlog | None = None
    # which articles a custom feed contains, besides those that name it; None: no others
    selection: Selection | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Site:
    """The settings that the core needs; `Config.site_model` creates it. Most fields are named after their keys."""

    title: str
    url: str  # like feeds_url, without a trailing slash
    feeds_url: str
    authority: str  # the authorityName of tag URIs (RFC 4151)
    description: str = ""
    language: str = "en"
    timezone: tzinfo = UTC  # of dates without a zone
    author: Author | None = None
    icon: str | None = None  # absolute URL
    copyright: str | None = None
    permalink: str = "/{category}/{slug}/"
    permalinks: tuple[FolderPermalink, ...] = ()  # the deepest folder first; `permalink` for the rest
    ids: str | None = None  # the pattern of generated ids; None: tag URIs (RFC 4151)
    by: tuple[FeedKind, ...] = DEFAULT_KINDS
    # these two are no part of the `repr`, because most documents don't depend on them (`syndication`)
    selection: Selection = field(default=Selection(), repr=False)  # which articles the site's feed contains
    feeds: Mapping[str, FeedSettings] = field(default_factory=dict, repr=False, hash=False)  # by path
    limit: int = 50
    text: TextMode | Literal["both"] = "full"  # both: full feeds, and feeds of excerpts in the folder `summary`
    footer: str = ""  # as in `EntryOptions`, like the next two
    link_query: str = ""
    link_blog: LinkBlog | None = None
    image_in_text: bool = False  # whether an entry's HTML begins with the article's image, unless it contains it
    min_entries: int = 1
    archives: bool = True  # whether the whole history is published (RFC 5005)
    max_size: int = 512 << 10  # bytes of a live document; 0: no limit
    max_age: int = 300  # seconds for which a document is fresh
    pages: bool = False  # whether articles have pages here, so that entries link to them
    markdown: Literal["gfm", "obsidian", "python-markdown"] = "gfm"  # the dialect of the articles
    aliases: tuple[str, ...] = field(default=(), repr=False)  # paths of old feeds; no document depends on them
    tombstones: int = 30  # days for which a feed lists withdrawn entries; 0: never
    # no feed depends on these
    sitemap: bool = field(default=False, repr=False)  # whether /sitemap.xml lists the articles
    news_sitemap: bool = field(default=False, repr=False)  # whether /news-sitemap.xml lists those of the last two days


@dataclass(frozen=True, slots=True)
class ArticleWarning:
    """A part of an article's file that is ignored; the article is published without it."""

    line: int  # of the file, from 1
    rule: str  # a key of `lint.RULES`
    message: str


@dataclass(frozen=True, slots=True)
class Article:
    """A parsed file: its front matter, and its body in Markdown.

    No string contains a character that XML forbids; every date has a zone. URLs are as the author wrote them.
    """

    path: str  # below the content folder, separated by "/"
    name: str  # the path without suffix; of `NAME/index.md`, NAME
    title: str  # "" for a note without a title
    published: datetime
    updated: datetime
    body: str
    slug: str  # the value of {slug} in permalinks; may contain "/"
    slug_given: bool = False  # whether the front matter sets the slug, which then determines the id
    id: str | None = None  # only if the front matter sets it
    link: str | None = None
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    authors: tuple[Author, ...] = ()
    summary: str | None = None
    image: Image | None = None
    enclosures: tuple[Enclosure, ...] = ()
    language: str | None = None
    draft: bool = False
    expires: datetime | None = None
    live_from: datetime | None = None  # only if later than `published`
    listed: bool = True  # whether feeds contain it; an unlisted article has a page only
    feeds: tuple[str, ...] = ()  # names of custom feeds that contain it, whatever they select
    canonical: str | None = None  # the URL of the first publication elsewhere: the entry's URL, but not its page's
    external_url: str | None = None  # the page on another site that the article is about
    warnings: tuple[ArticleWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """The rendered body of an article: sanitised HTML with absolute URLs only, and a plain-text summary."""

    html: str
    summary: str
    excerpt: str = ""  # the HTML of the beginning


@dataclass(frozen=True, slots=True)
class Entry:
    """The public, format-neutral form of one article.

    Each field's comment names its element: RSS 2.0 | Atom 1.0 | JSON Feed 1.1.
    """

    id: str  # guid isPermaLink=false | id | id
    url: str  # link | link rel=alternate | url
    title: str  # title | title | title; "" for a note without a title
    published: datetime  # pubDate | published | date_published
    updated: datetime  # atom:updated | updated | date_modified
    authors: tuple[Author, ...]  # dc:creator | author | authors
    categories: tuple[str, ...]  # category domain=…/category/ | category scheme=…/category/ | tags, _feeds.categories
    tags: tuple[str, ...]  # category domain=…/tag/ | category scheme=…/tag/ | tags
    summary: str  # description | summary | summary
    html: str | None  # content:encoded | content type=html | content_html; None: summary only
    image: Image | None  # media:content medium=image | media:content medium=image | image
    enclosures: tuple[Enclosure, ...]  # enclosure, then media:content | link rel=enclosure | attachments
    language: str  # dc:language | xml:lang | language; written only if it differs from the feed's
    display_title: str = ""  # - | title | -; the title or, without one, the beginning of the summary
    external_url: str | None = None  # link or atom:link | link rel=related or alternate | external_url
    link_blog: LinkBlog | None = None  # which of the two URLs is link | link rel=alternate | -
    translations: tuple[Translation, ...] = ()  # atom:link hreflang | link hreflang | _translations
    excerpt: str = ""  # replaces the HTML in a feed of excerpts


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The record of a withdrawn entry (RFC 6721 section 3)."""

    id: str  # - | at:deleted-entry ref | -
    at: datetime  # - | at:deleted-entry when | -


class FeedTranslation(NamedTuple):
    """The feed of the same site in another language."""

    language: str
    folder_url: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A format-neutral list of entries, newest first, with its metadata.

    Each field's comment names its element: RSS 2.0 | Atom 1.0 | JSON Feed 1.1.
    """

    path: str  # "", "category/NAME" or "NAME": the folder of its documents below feeds.url
    id: str  # - | id | -
    title: str  # title, image/title | title | title
    description: str  # description | subtitle | description
    home_url: str  # link, image/link | link rel=alternate | home_page_url
    page_url: str  # the hint for browsers | the same | -; the page that describes the feed
    stylesheet_url: str  # xml-stylesheet | xml-stylesheet | -; the script of the hint for browsers is beside it
    folder_url: str  # atom:link rel=self | link rel=self | feed_url; each format appends its file name
    updated: datetime  # lastBuildDate | updated | -
    language: str  # language | xml:lang | language
    authors: tuple[Author, ...]  # - | author | authors
    icon: str | None  # image/url | icon | icon
    copyright: str | None  # copyright | rights | _feeds.copyright
    categories_scheme: str  # category domain | category scheme | -; of entries' categories
    tags_scheme: str  # category domain | category scheme | -; of entries' tags
    entries: tuple[Entry, ...]  # item | entry | items
    tombstones: tuple[Tombstone, ...] = ()  # - | at:deleted-entry | -; latest first, in the live feed only
    ttl_s: int = 300  # ttl, sy:updatePeriod, sy:updateFrequency | - | -
    # the same feed in other languages; each format appends its file name
    translations: tuple[FeedTranslation, ...] = ()  # atom:link rel=alternate hreflang | the same | _translations
    # RFC 5005 section 4; each format appends its file name, as to `folder_url`
    prev_archive_url: str | None = None  # atom:link rel=prev-archive | link rel=prev-archive | next_url
    next_archive_url: str | None = None  # atom:link rel=next-archive | link rel=next-archive | -
    current_url: str | None = None  # fh:archive, atom:link rel=current | the same | feed_url; None in the live feed


@dataclass(frozen=True, slots=True)
class FeedKey:
    """The identity of a feed, and its name."""

    path: str  # "", "category/NAME" or, of a custom feed, "NAME"
    kind: FeedKind
    name: str  # as its earliest entry spells it; of a custom feed, its title; "" for the site's feed


class EntryVersion(NamedTuple):
    """The identity of an entry, and of its content."""

    id: str
    path: str  # of the article's file
    content_hash: str


@dataclass(frozen=True, slots=True)
class FeedState(FeedKey):
    """A feed as the catalog stores it."""

    entries: int = 0  # how many
    revision: int = 0  # the last revision that changed its live documents
    changed: datetime = _NEVER  # the time of that revision
    digest: str = ""  # of the content of its live documents
    archive_revision: int = 0  # the last revision that changed one of its full archives
    renumbered_revision: int = 0  # the last revision that moved entries between full archives, or renamed all archives
    published: bool = False  # whether it was ever public


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of one feed in one format at one revision."""

    path: str  # below feeds.url, beginning with "/"
    media_type: str
    body: bytes
    digest: str  # of the body; the source of validators
    changed: datetime  # when the publisher committed its content
    is_immutable: bool = False  # whether it is a full archive, which new articles do not change
