"""The types of values that the catalog stores and returns, and their encodings in columns.

A moment is stored as microseconds since 1970 in UTC, an article as compressed JSON and text. This module has no SQL.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from feeds.compression import compress_text, decompress_text
from feeds.core.errors import CatalogDamaged
from feeds.core.model import Article, ArticleWarning, Author, Enclosure, FeedKey, FeedState, Image
from feeds.core.parse.links import Links

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FileStamp(NamedTuple):
    """The attributes of a file that show whether it changed since it was scanned."""

    mtime_ns: int
    size: int  # bytes
    inode: int


class EntryKey(NamedTuple):
    """The primary key of an entry."""

    feed: str  # its path
    published: int  # microseconds since 1970
    id: str


class CurrentRevision(NamedTuple):
    """The last committed revision, and the catalog that counts it."""

    catalog_id: str
    number: int  # 0 before the first run


class LoadedArticle(NamedTuple):
    """The packed article of one file, or the reason why the file has none."""

    path: str
    stamp: FileStamp
    hash: str | None = None
    article: bytes | None = None  # packed
    slug: str | None = None
    explicit_id: str | None = None
    generated_id: str | None = None
    feeds: str | None = None
    page: str | None = None
    published: int | None = None
    expires: int | None = None
    draft: bool = False
    live_from: int | None = None
    links_to: str | None = None  # JSON
    rejection: str | None = None
    rejection_line: int | None = None
    warnings: tuple[ArticleWarning, ...] = ()  # reported once, by the run that loads the file

    @classmethod
    def of(
        cls,
        article: Article,
        stamp: FileStamp,
        hash_: str,
        generated_id: str,
        feeds: Iterable[FeedKey],
        page: str | None,
        links_to: Sequence[str] = (),
    ) -> "LoadedArticle":
        """Pack an article.

        Args:
            article: The article.
            stamp: The stamp of its file.
            hash_: The hash of its file.
            generated_id: The id that it gets if its front matter has none.
            feeds: The feeds that list it when it is live.
            page: The path of its page; None if this site publishes no pages.
            links_to: The targets of its links to other articles' files.
        """
        return cls(
            path=article.path,
            stamp=stamp,
            hash=hash_,
            article=pack_article(article),
            slug=article.slug if article.slug_given else None,
            explicit_id=article.id,
            generated_id=generated_id,
            feeds=to_json({feed.path: feed.name for feed in feeds}).decode(),
            page=page,
            published=to_microseconds(article.published),
            expires=to_microseconds(article.expires) if article.expires else None,
            draft=article.draft,
            live_from=to_microseconds(article.live_from or article.published),
            links_to=to_json(links_to).decode() if links_to else None,
            warnings=article.warnings,
        )


class KnownFile(NamedTuple):
    """A file as the last run saw it, to compare a scan with."""

    path: str
    mtime_ns: int
    size: int
    inode: int
    key: int
    deleted: bool
    hash: str | None  # of its last good version
    is_rejected: bool

    @property
    def stamp(self) -> FileStamp:
        """The stamp of the file when it was scanned."""
        return FileStamp(self.mtime_ns, self.size, self.inode)


class StagedFile(NamedTuple):
    """A file that was loaded and is not published yet, to compare a scan with."""

    path: str
    mtime_ns: int
    size: int
    inode: int
    is_rejected: bool

    @property
    def stamp(self) -> FileStamp:
        """The stamp of the file when it was scanned."""
        return FileStamp(self.mtime_ns, self.size, self.inode)


class EntryRecord(NamedTuple):
    """The row of an entry: the packed article and its published state."""

    text: int  # the key of the article's text
    packed: bytes
    path: str
    hash: str  # changes with the article's file and with the URLs of its links to other articles
    id: str
    published: datetime
    revision: int  # the last revision that changed the published state
    link_urls: str | None = None  # of its links to other articles' files, as JSON

    @property
    def links(self) -> Links:
        """The URLs of the article's links to other articles' files."""
        return Links(self.path, from_json(self.link_urls) if self.link_urls else {})

    @property
    def article(self) -> Article:
        """The unpacked article; callers cache it by path, hash and id."""
        return unpack_article(self.packed)


class EntryVersion(NamedTuple):
    """The identity of an entry, and its content."""

    id: str
    path: str
    content_hash: str


class ScheduledArticle(NamedTuple):
    """An article that a later run publishes."""

    path: str
    live_from: datetime


class UnpublishedEntry(NamedTuple):
    """A draft or a scheduled article."""

    record: EntryRecord
    is_draft: bool


class PublishedPage(NamedTuple):
    """The page of a live article."""

    page: str
    path: str  # of the article's file
    feeds: str  # for `names_by_feed`
    content_hash: str
    id: str


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """A version of a live document that a worker rendered."""

    path: str
    digest: str
    revision: int  # of the feed
    entries: int
    texts: int  # entries with their full text
    oldest: datetime  # when its last entry was published


class PendingArticle(NamedTuple):
    """An article that a run must decide about: its last good version and its published state."""

    key: int
    path: str
    deleted: bool
    explicit_id: str | None
    generated_id: str
    feeds: str  # for `names_by_feed`
    published: int
    live_from: int
    expires: int | None
    draft: bool
    edited: bool
    id: str | None
    live: bool
    revision: int  # the last revision that changed the published state
    entry_published: int  # `published` of its entries, if it is live
    entry_feeds: str  # the feeds of its entries, if it is live
    links_to: str | None  # targets of links to other articles' files, as JSON
    link_urls: str | None  # the URLs of the links of the version before, as JSON


class PageClaim(NamedTuple):
    """An article that may be published, and the path of its page."""

    key: int
    path: str
    page: str
    published: int
    live: bool
    live_from: int
    expires: int | None


class PublishedState(NamedTuple):
    """The state of an article that a run publishes."""

    key: int
    id: str | None
    live: bool
    scheduled: bool
    revision: int  # the last revision that changed this state


class LinkingArticle(NamedTuple):
    """An article with links to other articles' files, and the URLs of these links."""

    key: int
    path: str
    id: str | None
    live: bool
    published: int
    feeds: str  # for `names_by_feed`
    revision: int  # the last revision that changed the published state
    targets: tuple[str, ...]
    urls: dict[str, str] | None  # by target, of live articles; None: not resolved yet, or no links


class FileVersion(NamedTuple):
    """A staged good version of a file, and the article that its path has so far."""

    path: str
    hash: str
    slug: str | None
    explicit_id: str | None
    generated_id: str
    draft: bool
    page: str | None
    key: int | None  # of the article at its path
    has_good_version: bool  # whether that article ever had one
    deleted: bool
    live_page: str | None  # of that article, if it is live


class StagedId(NamedTuple):
    """Whether a good version of a file is staged, and the id in its front matter."""

    is_staged: bool
    explicit_id: str | None


class SameText(NamedTuple):
    """A staged file with the text of an article whose file is at another path."""

    path: str
    old_path: str
    key: int  # of the article


@dataclass(frozen=True, slots=True)
class IdOwner:
    """The article that has an id."""

    key: int
    path: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class RejectedArticle:
    """A file that can't be published, and the reason."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run that succeeded: its start, its duration and its outcome."""

    at: datetime
    seconds: float
    outcome: str

    @classmethod
    def from_json(cls, stored: str) -> "LastRun":
        """Return the run that `to_json` wrote."""
        values = json.loads(stored)
        return cls(datetime.fromisoformat(values["at"]), values["seconds"], values["outcome"])

    def to_json(self) -> str:
        """Return the run as JSON."""
        return json.dumps({"at": self.at.isoformat(), "seconds": self.seconds, "outcome": self.outcome})


class PollTotals(NamedTuple):
    """The totals of one feed and one kind of reader on an open day."""

    feed: str
    reader: str
    kind: str
    sources: int  # those that polled live documents
    subscribers: int | None  # the sum of what the sources report
    polls: int
    unchanged: int
    unconditional: int
    bytes: int
    saved: int


class SourceCounts(NamedTuple):
    """The polls of one feed by one source on an open day."""

    day: str  # in UTC: "2026-11-24"
    feed: str  # its path
    reader: str  # the name
    kind: str  # `stats.user_agents.Kind`
    source: str  # a service's own id of the feed; for a person, a hash that is erased with the day; or ""
    subscribers: int | None  # the largest number that it reported
    live: int  # polls of the feed's live documents
    polls: int  # all, archives too
    unchanged: int  # answered with a 304
    unconditional: int  # without a validator
    bytes: int  # of the bodies that were sent
    saved: int  # bytes of the bodies that a 304 replaced


class DailyCounts(NamedTuple):
    """The totals of one feed and one reader on a closed day."""

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


class ImportedLog(NamedTuple):
    """An access log, and how far it was imported."""

    log: str
    offset: int  # bytes


def entry_record(row: Any) -> EntryRecord:
    """Return the record of a row of `pages.RECORDS`."""
    published = from_microseconds(row.published)
    return EntryRecord(row.key, row.article, row.path, row.hash, row.id, published, row.revision, row.link_urls)


def feed_state(row: Any) -> FeedState:
    """Return the state of a row of the table `feeds`."""
    values = row._asdict()
    return FeedState(**values | {"changed": from_microseconds(row.changed)})


def names_by_feed(feeds: str) -> dict[str, str]:
    """Return the feeds of an article: the name of each by its path, spelled as in the article."""
    return from_json(feeds)  # type: ignore[no-any-return]


def to_microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970 in UTC."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_microseconds(since_epoch: int) -> datetime:
    """Return the moment in UTC of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=since_epoch)


def pack_article(article: Article) -> bytes:
    """Return an article in the form in which it is stored."""
    values = {name: value for name, value in zip(_FIELDS, _field_values(article), strict=True) if value}
    if article.listed:  # as nearly all are
        del values["listed"]
    else:
        values["listed"] = False
    for name in _DATES & values.keys():
        values[name] = values[name].isoformat()
    return pack_text(to_json(values).decode(), article.body)


def pack_text(fields_json: str, body: str) -> bytes:
    """Return the fields of an article, as JSON, and its body in the form in which they are stored."""
    return compress_text(f"{fields_json}\n{body}")  # JSON has no line break


_FIELDS = tuple(field.name for field in fields(Article) if field.name != "body")
_field_values = attrgetter(*_FIELDS)
_DATES = {"published", "updated", "expires", "live_from"}
_UNPACK: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_DATES, datetime.fromisoformat),
    "categories": tuple,
    "tags": tuple,
    "authors": lambda authors: tuple(Author(**author) for author in authors),
    "image": lambda image: Image(**image),
    "enclosures": lambda files: tuple(Enclosure(**file) for file in files),
    "warnings": lambda warnings: tuple(ArticleWarning(**warning) for warning in warnings),
}


def unpack_article(packed: bytes) -> Article:
    """Return the article that `pack_article` packed. Raise `CatalogDamaged` if the bytes are no such article."""
    try:
        fields_json, _, body = decompress_text(packed).partition("\n")
    except ValueError as error:
        raise CatalogDamaged(f"the catalog is damaged: an article in it can't be read: {error}") from error
    values = {key: _UNPACK[key](value) if key in _UNPACK else value for key, value in from_json(fields_json).items()}
    return Article(body=body, **{"title": "", **values})  # empty values are not stored
