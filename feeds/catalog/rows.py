"""What the catalog is given and gives, and how our words are kept in columns.

Moments are microseconds since 1970 in UTC, an article's facts JSON. No SQL here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from feeds.encoding import from_stored, stored
from feeds.errors import CatalogDamaged
from feeds.model import Article, Author, Enclosure, FeedState, Image, Warned
from feeds.parse.links import Links

Stamp = tuple[int, int, int]  # of a file: mtime in ns, size in bytes, inode
Place = tuple[str, int, str]  # of an entry: its feed, and its position there: when it was published, its id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reading(NamedTuple):
    """What was read of one file: an article, packed, or why there is none."""

    path: str
    stamp: Stamp
    hash: str | None = None
    article: bytes | None = None  # packed
    slug: str | None = None
    given: str | None = None
    minted: str | None = None
    feeds: str | None = None
    page: str | None = None
    published: int | None = None
    expires: int | None = None
    draft: bool = False
    live_from: int | None = None
    links_to: str | None = None  # JSON
    refused: str | None = None
    refused_line: int | None = None
    warnings: tuple[Warned, ...] = ()  # reported once, by the run that reads the file

    @classmethod
    def of(
        cls,
        article: Article,
        stamp: Stamp,
        hash_: str,
        minted: str,
        feeds: Iterable[FeedState],
        page: str | None,
        links_to: Sequence[str] = (),
    ) -> "Reading":
        """Pack an article, with the id, the feeds and the page that it would have, and the targets of its links."""
        return cls(
            path=article.path,
            stamp=stamp,
            hash=hash_,
            article=packed(article),
            slug=article.slug if article.slug_given else None,
            given=article.id,
            minted=minted,
            feeds=to_json({feed.path: feed.name for feed in feeds}).decode(),
            page=page,
            published=micros(article.published),
            expires=micros(article.expires) if article.expires else None,
            draft=article.draft,
            live_from=micros(article.live_from or article.published),
            links_to=to_json(links_to).decode() if links_to else None,
            warnings=article.warnings,
        )


class Known(NamedTuple):
    """What was last seen of a file, to compare a scan with."""

    path: str
    mtime_ns: int
    size: int
    inode: int
    key: int
    gone: bool
    hash: str | None  # of its last good version
    refused: bool


class Staged(NamedTuple):
    """What was read of a file and is not published yet, to compare a scan with."""

    path: str
    mtime_ns: int
    size: int
    inode: int
    refused: bool


class Record(NamedTuple):
    """What an entry shows: the article, and what the world knows of it."""

    text: int  # the key of the article's text
    packed: bytes
    path: str
    hash: str  # of what the article's text shows: its file, and the URLs of its links to other articles
    id: str
    published: datetime
    revision: int  # that last changed what the world knows of it
    link_urls: str | None = None  # of its links to other articles' files, as JSON

    @property
    def links(self) -> Links:
        """Return where the article's links to other articles' files lead."""
        return Links(self.path, from_json(self.link_urls) if self.link_urls else {})

    @property
    def article(self) -> Article:
        """Unpack the article, for who has not seen this path with this hash and id before."""
        return unpacked(self.packed)


@dataclass(frozen=True, slots=True)
class Rendition:
    """What a worker made of a live document."""

    path: str
    digest: str
    revision: int  # the stamp of the feed that it shows
    entries: int
    texts: int  # entries with their full text
    oldest: datetime  # when its last entry was published


class Pending(NamedTuple):
    """An article whose publication is to be decided: its last good version, and what the world knew until now."""

    key: int
    path: str
    gone: bool
    given: str | None
    minted: str
    feeds: str  # for `names_by_feed`
    published: int
    live_from: int
    expires: int | None
    draft: bool
    edited: bool
    id: str | None
    live: bool
    revision: int  # that last changed what the world knows
    shown_at: int  # when it was published, as the world knows if it is live
    shown_in: str  # the feeds that show it, if it is live
    links_to: str | None  # targets of links to other articles' files, as JSON
    link_urls: str | None  # where those of the version before led, as JSON


class Claim(NamedTuple):
    """An article that is published, or may be, and wants its page at a path."""

    key: int
    path: str
    page: str
    published: int
    live: bool
    live_from: int
    expires: int | None


class Shown(NamedTuple):
    """What the world knows of an article from now on."""

    key: int
    id: str | None
    live: bool
    waiting: bool  # for its hour
    revision: int  # that last changed this


class Linking(NamedTuple):
    """An article with links to other articles' files, and where they led until now."""

    key: int
    path: str
    id: str | None
    live: bool
    published: int
    feeds: str  # for `names_by_feed`
    revision: int  # that last changed what the world knows
    targets: tuple[str, ...]
    urls: dict[str, str] | None  # of the targets that are live articles; None: never looked up, or without links


class Version(NamedTuple):
    """A good reading of a file, and the article that its path had until now."""

    path: str
    hash: str
    slug: str | None
    given: str | None
    minted: str
    draft: bool
    page: str | None
    key: int | None  # of the article at its path
    known: bool  # whether that ever had a good version
    gone: bool
    shown_page: str | None  # of that article, if it is live


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose an id is."""

    key: int
    path: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """An article that can't be read, and why."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """The last good regeneration: when it began, how long it took, and what came of it."""

    at: datetime
    seconds: float
    outcome: str


class Sums(NamedTuple):
    """What all polls of a feed by those of one name and kind came to, on a day that is not closed."""

    feed: str
    reader: str
    kind: str
    sources: int  # who asked for live documents
    subscribers: int | None  # the sum of what each of them said
    polls: int
    unchanged: int
    unconditional: int
    bytes: int
    saved: int


class Visit(NamedTuple):
    """What one source asked of one feed within a day that is not closed."""

    day: str  # in UTC: "2026-11-24"
    feed: str  # its path
    reader: str  # the name
    kind: str  # readers.Kind
    source: str  # a service's own id of the feed; of a person a hash that says nothing once the day is over; or ""
    subscribers: int | None  # the most that it said
    live: int  # polls of the feed's live documents
    polls: int  # all, archives too
    unchanged: int  # answered with a 304
    unconditional: int  # without a validator
    bytes: int  # of the bodies that were sent
    saved: int  # bytes of those that a 304 made needless


class Counted(NamedTuple):
    """What a day came to: of one reader and one feed."""

    day: str
    feed: str
    reader: str
    kind: str
    subscribers: int
    polls: int
    unchanged: int
    unconditional: int
    bytes: int
    saved: int


def record(row: Any) -> Record:
    published = moment(row.published)
    return Record(row.key, row.article, row.path, row.hash, row.id, published, row.revision, row.link_urls)


def feed_state(row: Any) -> FeedState:
    facts = row._asdict()
    return FeedState(**facts | {"changed": moment(row.changed)})


def names_by_feed(feeds: str) -> dict[str, str]:
    """Unpack the feeds of an article: each one's path, and its name as the article spells it."""
    return from_json(feeds)  # type: ignore[no-any-return]


def micros(when: datetime) -> int:
    since = when - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(since_epoch: int) -> datetime:
    return _EPOCH + timedelta(microseconds=since_epoch)


def packed(article: Article) -> bytes:
    facts = {name: value for name, value in zip(_FACTS, _facts_of(article), strict=True) if value}
    if article.listed:  # as nearly all are
        del facts["listed"]
    else:
        facts["listed"] = False
    for name in _DATES & facts.keys():
        facts[name] = facts[name].isoformat()
    return packed_as_text(to_json(facts).decode(), article.body)


def packed_as_text(facts: str, body: str) -> bytes:
    return stored(f"{facts}\n{body}")  # in JSON there is no line break


_FACTS = tuple(field.name for field in fields(Article) if field.name != "body")
_facts_of = attrgetter(*_FACTS)
_DATES = {"published", "updated", "expires", "live_from"}
_UNPACK: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_DATES, datetime.fromisoformat),
    "categories": tuple,
    "tags": tuple,
    "authors": lambda authors: tuple(Author(**author) for author in authors),
    "image": lambda image: Image(**image),
    "enclosures": lambda files: tuple(Enclosure(**file) for file in files),
    "warnings": lambda warnings: tuple(Warned(**warning) for warning in warnings),
}


def unpacked(article: bytes) -> Article:
    try:
        facts, _, body = from_stored(article).partition("\n")
    except ValueError as error:
        raise CatalogDamaged(f"the catalog is damaged: an article in it can't be read: {error}") from error
    values = {key: _UNPACK[key](value) if key in _UNPACK else value for key, value in from_json(facts).items()}
    return Article(body=body, **{"title": "", **values})  # what is empty is not stored
