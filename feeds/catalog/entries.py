"""Entries: the articles that each feed lists, in the table `entries`, whose primary key is their order in the feed.

The table has no texts: `RECORDS` joins those of the articles. To add a value of entries for documents, extend
`RECORDS`, `EntryRecord` and `entry_record` here, and then change `core/syndication.py`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import from_json

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess, WriteAccess
from feeds.catalog.encoding import from_microseconds, unpack_article
from feeds.core.model import Article, EntryVersion
from feeds.core.parse.links import Links

# an article without an id yet is shown with the one that it will get
_ID = sa.func.coalesce(t.articles.c.id, t.articles.c.explicit_id, t.articles.c.generated_id).label("id")
# changes with the article's file and with the URLs of its links to other articles
CONTENT_HASH = sa.func.coalesce(t.articles.c.hash + t.articles.c.link_urls, t.articles.c.hash).label("hash")
_COLUMNS = (*(t.articles.c[name] for name in ("path", "published", "revision", "link_urls")), CONTENT_HASH, _ID)
RECORDS = sa.select(t.texts, *_COLUMNS).join_from(t.articles, t.texts, t.texts.c.key == t.articles.c.text)
# Statements that are executed for each feed: building one takes four times as long as executing it.
_FEED_PATH, _LIMIT = sa.bindparam("feed", type_=sa.Text), sa.bindparam("limit", type_=sa.Integer)
_NAME = sa.select(t.entries.c.name).where(t.entries.c.feed == _FEED_PATH).order_by(*t.OLDEST_FIRST).limit(1)
_COUNT = sa.select(sa.func.count()).select_from(t.entries).where(t.entries.c.feed == _FEED_PATH)
_VERSIONS = (
    sa.select(t.entries.c.id, t.articles.c.path, CONTENT_HASH)
    .join(t.articles, t.entries.c.article == t.articles.c.key)
    .where(t.entries.c.feed == _FEED_PATH)
    .order_by(*t.NEWEST_FIRST)
    .limit(_LIMIT)
)
_FEED_PATHS = sa.bindparam("feeds", type_=sa.Text, expanding=True)
_CONTENTS = (
    sa.select(t.entries.c.feed, t.entries.c.name, t.entries.c.id, t.articles.c.path, CONTENT_HASH)
    .join(t.articles, t.entries.c.article == t.articles.c.key)
    .where(t.entries.c.feed.in_(_FEED_PATHS))
    .order_by(t.entries.c.feed, *t.NEWEST_FIRST)
)


def _records(order: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    """Return the statement that selects a slice of a feed in an order, and returns it newest first."""
    of_feed = sa.select(t.entries).where(t.entries.c.feed == _FEED_PATH)
    skip = sa.bindparam("skip", type_=sa.Integer)
    slice_ = of_feed.order_by(*order).limit(_LIMIT).offset(skip).subquery()  # skipped entries need no join
    chosen = RECORDS.join(slice_, slice_.c.article == t.articles.c.key)
    return chosen.order_by(slice_.c.published.desc(), slice_.c.id.desc())


_NEWEST, _OLDEST = _records(t.NEWEST_FIRST), _records(t.OLDEST_FIRST)


_RECORDS_OF_FEEDS = (
    RECORDS.add_columns(t.entries.c.feed)
    .join(t.entries, t.entries.c.article == t.articles.c.key)
    .where(t.entries.c.feed.in_(_FEED_PATHS))
    .order_by(t.entries.c.feed, *t.NEWEST_FIRST)
)


MAX_SMALL_FEED = 20  # entries of a feed that is read together with others


class EntryKey(NamedTuple):
    """The primary key of an entry."""

    feed: str  # its path
    published: int  # microseconds since 1970
    id: str


class EntryPosition(NamedTuple):
    """The position of an entry in a feed, the oldest first: positions are compared like tuples."""

    published: int  # microseconds since 1970
    id: str


class FeedContents(NamedTuple):
    """All entries of a small feed, the newest first, and its name as its earliest entry spells it."""

    name: str
    versions: list[EntryVersion]


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


class EntryReader(ReadAccess):
    """Queries on the entries of feeds."""

    def newest_entries(self, feed: str, limit: int) -> list[EntryRecord]:
        """Return the newest entries of a feed, by date, then by id."""
        return self._slice(feed, limit, newest=True)

    def oldest_entries(self, feed: str, count: int, limit: int, skip: int) -> list[EntryRecord]:
        """Return, newest first, the `limit` entries that follow the `skip` oldest of a feed with `count` entries."""
        newer = count - skip - limit  # rows are skipped from the nearer end of the feed
        if 0 <= newer < skip:
            return self._slice(feed, limit, newer, newest=True)
        return self._slice(feed, limit, skip, newest=False)

    def _slice(self, feed: str, limit: int, skip: int = 0, *, newest: bool) -> list[EntryRecord]:
        chosen = _NEWEST if newest else _OLDEST
        return list(map(entry_record, self._connection.execute(chosen, {"feed": feed, "limit": limit, "skip": skip})))

    def entries_of_feeds(self, feeds: list[str], max_bytes: int) -> dict[str, list[EntryRecord]]:
        """Return all entries of several small feeds, the newest first.

        Feeds without entries are left out, and so are the last feeds if the articles have more than `max_bytes`.
        """
        records: dict[str, list[EntryRecord]] = {}
        packed: dict[int, bytes] = {}  # by text: an article is in several feeds
        size = 0
        for chunk in t.chunks(feeds):
            for row in self._connection.execute(_RECORDS_OF_FEEDS, {"feeds": chunk}):
                if row.key not in packed:
                    size += len(row.article)
                    if size > max_bytes:
                        records.pop(row.feed, None)  # its other entries are not read
                        return records
                    packed[row.key] = row.article
                records.setdefault(row.feed, []).append(entry_record(row)._replace(packed=packed[row.key]))
        return records

    def newest_versions(self, feed: str, limit: int) -> list[EntryVersion]:
        """Return the identities of the newest entries of a feed and of their content."""
        rows = self._connection.execute(_VERSIONS, {"feed": feed, "limit": limit})
        return list(map(EntryVersion._make, rows))

    def contents_of_feeds(self, feeds: list[str]) -> dict[str, FeedContents]:
        """Return all entries of several feeds, for small ones; feeds without entries are left out."""
        contents: dict[str, FeedContents] = {}
        for chunk in t.chunks(feeds):
            rows = self._connection.execute(_CONTENTS, {"feeds": chunk})
            for feed, group in groupby(rows, itemgetter(0)):
                entries = list(group)
                contents[feed] = FeedContents(entries[-1].name, [EntryVersion(*entry[2:]) for entry in entries])
        return contents

    def feed_name(self, feed: str) -> str:
        """Return a feed's name as its earliest entry spells it; "" if it has none."""
        return self._connection.execute(_NAME, {"feed": feed}).scalar() or ""

    def count_entries(self, feed: str) -> int:
        """Return the number of entries of a feed, whether the feed is stored yet or not."""
        return self._connection.execute(_COUNT, {"feed": feed}).scalar_one()

    def count_from(self, feed: str, position: EntryPosition, limit: int) -> int:
        """Return the number of entries of a feed at or after a position, and at most `limit`."""
        later = sa.tuple_(t.entries.c.published, t.entries.c.id) >= sa.tuple_(*map(sa.literal, position))
        counted = sa.select(t.entries.c.id).where(t.entries.c.feed == feed, later).limit(limit).subquery()
        return self._connection.execute(sa.select(sa.func.count()).select_from(counted)).scalar_one()


class EntryWriter(EntryReader, WriteAccess):
    """Adds and deletes entries."""

    def add_entries(self, keys: Sequence[int]) -> None:
        """Add live articles to all their feeds; existing entries stay."""
        self._database.add_entries(self._connection, keys)

    def remove_entries(self, keys: Iterable[EntryKey]) -> None:
        """Delete entries."""
        e = t.entries.c
        delete = t.entries.delete().where(
            e.feed == sa.bindparam("_feed"), e.published == sa.bindparam("_published"), e.id == sa.bindparam("_id")
        )
        self._many(delete, ("_feed", "_published", "_id"), sorted(keys))


def entry_record(row: Any) -> EntryRecord:
    """Return the record of a row of `RECORDS`."""
    published = from_microseconds(row.published)
    return EntryRecord(row.key, row.article, row.path, row.hash, row.id, published, row.revision, row.link_urls)
