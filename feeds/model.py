"""The words of the house, as frozen dataclasses that every room shares.

An *article* is what the author wrote, an *entry* what the world is told of it, a *feed* the format-neutral list of
entries, newest first, and a *document* the bytes of one feed in one format. This room knows no file, no clock and no
library; it holds facts and never computes any.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Literal

_NEVER = datetime(1, 1, 1, tzinfo=UTC)

Kind = Literal["site", "category", "tag", "author"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote: a name, and where to reach them."""

    name: str
    email: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """The picture that stands for an article. The media type is "" where the URL does not tell."""

    url: str
    alt: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that belongs to an article: a podcast's episode, a video, a PDF. Length in bytes, 0 if unknown."""

    url: str
    type: str
    length: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """What the core must know of the site; made by `config` from config.yaml, whose keys these are."""

    title: str
    url: str  # without a slash at its end, as is feeds_url
    feeds_url: str
    authority: str  # RFC 4151 authorityName: whose ids these are
    description: str = ""
    language: str = "en"
    timezone: tzinfo = UTC  # of dates that name none
    author: Author | None = None
    icon: str | None = None  # absolute
    copyright: str | None = None
    permalink: str = "/{category}/{slug}/"
    permalinks: tuple[tuple[str, str], ...] = ()  # (folder, pattern), the deepest folder first; else permalink
    ids: str | None = None  # the pattern of the ids that are minted; None: RFC 4151's
    by: tuple[Kind, ...] = ("category", "tag", "author")
    limit: int = 50
    text: Literal["full", "summary"] = "full"
    image_in_text: bool = False  # whether a feed's texts begin with the article's image, unless they show it anyway
    min_entries: int = 1
    archives: bool = True  # whether the whole history is published (RFC 5005)
    max_size: int = 512 << 10  # bytes of a live document; 0: no limit
    max_age: int = 300  # seconds for which a document is fresh
    pages: bool = False  # whether we are the site's home: entries' links lead to pages of ours
    markdown: Literal["gfm", "obsidian", "python-markdown"] = "gfm"  # the dialect of the articles
    aliases: tuple[str, ...] = field(
        default=(), repr=False
    )  # paths of old feeds, which say nothing of what documents show
    tombstones: int = 30  # days for which a feed tells what was withdrawn from it; 0: it does not


@dataclass(frozen=True, slots=True)
class Warned:
    """A part of an article's file that is not used as its author may expect; the article is published without it."""

    line: int  # of the file, from 1
    rule: str  # one of `lint.RULES`
    message: str


@dataclass(frozen=True, slots=True)
class Article:
    """One file, read: its front matter in our words, and its body still in Markdown.

    Every string is free of characters that XML forbids; every date has a zone. URLs are as the author wrote them.
    """

    path: str  # below the content folder, with "/" between its parts
    name: str  # the path without suffix; of `NAME/index.md`, NAME
    title: str  # "" for a note without one
    published: datetime
    updated: datetime
    body: str
    slug: str  # what the permalink's {slug} says; may hold "/"
    slug_given: bool = False  # whether the front matter says the slug, so that it names the id
    id: str | None = None  # only if the front matter gives one
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
    live_from: datetime | None = None  # only if it is later than `published`
    listed: bool = True  # in feeds; an unlisted article has a page only
    canonical: str | None = None  # where the article was published first: the entry's URL, but not its page's
    external_url: str | None = None  # what the article is about, on another site
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """An article's body, fit for a reader: sanitised HTML with absolute URLs only, and a summary as plain text."""

    html: str
    summary: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the world is told of one article. The same facts in all three formats.

    Each field's comment names its element: RSS 2.0 | Atom 1.0 | JSON Feed 1.1.
    """

    id: str  # guid isPermaLink=false | id | id
    url: str  # link | link rel=alternate | url
    title: str  # title | title | title; "" for a note without one
    published: datetime  # pubDate | published | date_published
    updated: datetime  # atom:updated | updated | date_modified
    authors: tuple[Author, ...]  # dc:creator | author | authors
    categories: tuple[str, ...]  # category domain=…/category/ | category scheme=…/category/ | tags, _feeds.categories
    tags: tuple[str, ...]  # category domain=…/tag/ | category scheme=…/tag/ | tags
    summary: str  # description | summary | summary
    html: str | None  # content:encoded | content type=html | content_html; None: the feed carries summaries
    image: Image | None  # media:content medium=image | media:content medium=image | image
    enclosures: tuple[Enclosure, ...]  # enclosure, then media:content | link rel=enclosure | attachments
    language: str  # dc:language | xml:lang | language; only where it is not the feed's
    label: str = ""  # - | title | -; stands for a title that is missing: the beginning of the text
    external_url: str | None = None  # link | link rel=related | external_url


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of an entry that was withdrawn (RFC 6721 section 3)."""

    id: str  # - | at:deleted-entry ref | -
    at: datetime  # - | at:deleted-entry when | -


@dataclass(frozen=True, slots=True)
class Feed:
    """A list of entries, newest first, with what is said of it as a whole; format-neutral.

    Each field's comment names its element: RSS 2.0 | Atom 1.0 | JSON Feed 1.1.
    """

    path: str  # "" or "category/NAME": where its documents lie below feeds.url
    id: str  # - | id | -
    title: str  # title, image/title | title | title
    description: str  # description | subtitle | description
    home: str  # link, image/link | link rel=alternate | home_page_url
    page: str  # the line for who opens it in a browser | the same | -; where people read what it is
    stylesheet: str  # xml-stylesheet | xml-stylesheet | -
    address: str  # atom:link rel=self | link rel=self | feed_url; a format adds its file name
    updated: datetime  # lastBuildDate | updated | -
    language: str  # language | xml:lang | language
    authors: tuple[Author, ...]  # - | author | authors
    icon: str | None  # image/url | icon | icon
    copyright: str | None  # copyright | rights | _feeds.copyright
    categories_scheme: str  # the domain or scheme of entries' categories
    tags_scheme: str  # the domain or scheme of entries' tags
    entries: tuple[Entry, ...]  # item | entry | items
    withdrawn: tuple[Tombstone, ...] = ()  # - | at:deleted-entry | -; the latest first, in the live feed only
    ttl: int = 300  # seconds; ttl, sy:updatePeriod, sy:updateFrequency | - | -
    # RFC 5005; like `address`, to which a format adds its file name
    prev_archive: str | None = None  # atom:link rel=prev-archive | link rel=prev-archive | next_url
    next_archive: str | None = None  # atom:link rel=next-archive | link rel=next-archive | -
    current: str | None = None  # fh:archive, atom:link rel=current | the same | feed_url; None: this is the live feed


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed as the catalog knows it: which it is, how long, and when what it shows last changed."""

    path: str  # "" or "category/NAME"
    kind: Kind
    name: str  # as the earliest of its entries spells it; "" for the site
    entries: int = 0
    revision: int = 0  # the stamp: the revision that last changed what its live documents show
    changed: datetime = _NEVER  # when that revision was committed
    digest: str = ""  # of what its live documents show
    history: int = 0  # the revision that last changed anything in its full archives
    shifted: int = 0  # the revision that last moved entries from one full archive to another, or renamed them all
    published: bool = False  # whether the world has ever seen it


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of one feed in one format at one revision."""

    path: str  # below feeds.url, beginning with "/"
    media_type: str
    body: bytes
    digest: str  # of the body; what validators are made of
    changed: datetime  # when the publisher committed what it shows
    settled: bool = False  # a full archive: what is published from now on does not change it
