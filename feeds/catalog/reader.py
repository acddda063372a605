"""Queries on one consistent revision of the catalog."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.pages import CONTENT_HASH, RECORDS, PageReader
from feeds.catalog.state import CatalogState
from feeds.catalog.types import (
    CurrentRevision,
    DocumentVersion,
    EntryRecord,
    EntryVersion,
    KnownFile,
    RejectedArticle,
    ScheduledArticle,
    StagedFile,
    entry_record,
    feed_state,
    from_microseconds,
    to_microseconds,
)
from feeds.core.errors import CatalogError
from feeds.core.model import FeedState, Tombstone

# Statements that are executed for each feed: building one takes four times as long as executing it.
_FEED_PATH, _LIMIT = sa.bindparam("feed", type_=sa.Text), sa.bindparam("limit", type_=sa.Integer)
_FIRST_COMMIT = sa.select(t.revisions.c.at).order_by(t.revisions.c.number).limit(1)
_FEED = sa.select(t.feeds).where(t.feeds.c.path == _FEED_PATH)
_NAME = sa.select(t.entries.c.name).where(t.entries.c.feed == _FEED_PATH).order_by(*t.OLDEST_FIRST).limit(1)
_COUNT = sa.select(sa.func.count()).select_from(t.entries).where(t.entries.c.feed == _FEED_PATH)
_VERSIONS = (
    sa.select(t.entries.c.id, t.articles.c.path, CONTENT_HASH)
    .join(t.articles, t.entries.c.article == t.articles.c.key)
    .where(t.entries.c.feed == _FEED_PATH)
    .order_by(*t.NEWEST_FIRST)
    .limit(_LIMIT)
)
_TOMBSTONES = (
    sa.select(t.tombstones.c.id, t.tombstones.c.at)
    .where(t.tombstones.c.feed == _FEED_PATH)
    .order_by(t.tombstones.c.at.desc(), t.tombstones.c.id)
    .limit(_LIMIT)
)


def _records(order: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    """Return the statement that selects a slice of a feed in an order, and returns it newest first."""
    of_feed = sa.select(t.entries).where(t.entries.c.feed == _FEED_PATH)
    skip = sa.bindparam("skip", type_=sa.Integer)
    slice_ = of_feed.order_by(*order).limit(_LIMIT).offset(skip).subquery()  # skipped entries need no join
    chosen = RECORDS.join(slice_, slice_.c.article == t.articles.c.key)
    return chosen.order_by(slice_.c.published.desc(), slice_.c.id.desc())


_NEWEST, _OLDEST = _records(t.NEWEST_FIRST), _records(t.OLDEST_FIRST)


class CatalogReader(PageReader):
    """Queries on one consistent revision, within one transaction."""

    def revision(self) -> int:
        """Return the number of the last committed revision; 0 in a new catalog and during recovery."""
        if self.state.recovered_articles is not None:
            return 0
        return self._connection.execute(sa.select(sa.func.max(t.revisions.c.number))).scalar() or 0

    def current_revision(self) -> CurrentRevision:
        """Return `catalog_id` and `revision`, with one query: it is asked constantly."""
        number = sa.select(sa.func.max(t.revisions.c.number)).scalar_subquery()
        values = [
            sa.select(t.meta.c.value).where(t.meta.c.key == key).scalar_subquery()
            for key in (CatalogState.CATALOG_ID, CatalogState.RECOVERED)
        ]
        row = self._connection.execute(sa.select(number.label("revision"), *values)).one()
        return CurrentRevision(row[1] or "", 0 if row[2] else row[0] or 0)

    def catalog_id(self) -> str:
        """Return the id of this catalog; one that is created again has another."""
        return self.state.catalog_id

    def feed(self, path: str) -> FeedState | None:
        """Return the feed at a path; None if there never was one. Raise `CatalogError` during recovery if it is empty.

        A recovered catalog lists no entries until a run has read the articles again.
        """
        row = self._connection.execute(_FEED, {"feed": path}).one_or_none()
        if row and not row.entries and self.state.recovered_articles is not None:
            raise CatalogError("the catalog is being rebuilt from the articles, and no run has finished yet")
        return feed_state(row) if row else None

    def feeds(self) -> list[FeedState]:
        """Return all feeds that ever existed, by path, including those without entries."""
        return [feed_state(row) for row in self._connection.execute(sa.select(t.feeds).order_by(t.feeds.c.path))]

    def feeds_by_path(self, paths: Sequence[str]) -> list[FeedState]:
        """Return the feeds at these paths, in their order; paths without a feed are left out."""
        statements = (sa.select(t.feeds).where(t.feeds.c.path.in_(chunk)) for chunk in t.chunks(list(paths)))
        states = {row.path: feed_state(row) for chosen in statements for row in self._connection.execute(chosen)}
        return [states[path] for path in paths if path in states]

    def changed_since(self, revision: int) -> dict[str, FeedState]:
        """Return by path the feeds whose live documents or archives changed after a revision."""
        later = sa.or_(t.feeds.c.revision > revision, t.feeds.c.archive_revision > revision)
        return {row.path: feed_state(row) for row in self._connection.execute(sa.select(t.feeds).where(later))}

    def count_feeds(self) -> int:
        """Return the number of feeds with entries."""
        return self._connection.execute(sa.select(sa.func.count()).where(t.feeds.c.entries > 0)).scalar_one()

    def feed_name(self, feed: str) -> str:
        """Return a feed's name as its earliest entry spells it; "" if it has none."""
        return self._connection.execute(_NAME, {"feed": feed}).scalar() or ""

    def tombstones(self, feed: str, limit: int) -> list[Tombstone]:
        """Return the latest tombstones of a feed, the latest first."""
        latest = self._connection.execute(_TOMBSTONES, {"feed": feed, "limit": limit})
        return [Tombstone(row.id, from_microseconds(row.at)) for row in latest]

    def committed_at(self, revision: int) -> datetime:
        """Return when a revision was committed. No two revisions share a second."""
        at = self._connection.execute(sa.select(t.revisions.c.at).where(t.revisions.c.number == revision)).scalar()
        return from_microseconds(at or 0)

    def first_committed_at(self) -> datetime:
        """Return when the first revision was committed."""
        return from_microseconds(self._connection.execute(_FIRST_COMMIT).scalar() or 0)

    def newest_entries(self, feed: str, limit: int) -> list[EntryRecord]:
        """Return the newest entries of a feed, by date, then by id."""
        return self._slice(feed, limit, newest=True)

    def oldest_entries(self, feed: str, count: int, limit: int, skip: int) -> list[EntryRecord]:
        """Return, newest first, the `limit` entries that follow the `skip` oldest of a feed with `count` entries."""
        newer = count - skip - limit  # the shorter of the two ways to count is taken
        if 0 <= newer < skip:
            return self._slice(feed, limit, newer, newest=True)
        return self._slice(feed, limit, skip, newest=False)

    def _slice(self, feed: str, limit: int, skip: int = 0, *, newest: bool) -> list[EntryRecord]:
        chosen = _NEWEST if newest else _OLDEST
        return list(map(entry_record, self._connection.execute(chosen, {"feed": feed, "limit": limit, "skip": skip})))

    def newest_versions(self, feed: str, limit: int) -> list[EntryVersion]:
        """Return the identities of the newest entries of a feed and of their content."""
        rows = self._connection.execute(_VERSIONS, {"feed": feed, "limit": limit})
        return list(map(EntryVersion._make, rows))

    def count_entries(self, feed: str) -> int:
        """Return the number of entries of a feed, whether the feed is stored yet or not."""
        return self._connection.execute(_COUNT, {"feed": feed}).scalar_one()

    def count_from(self, feed: str, position: tuple[int, str], limit: int) -> int:
        """Return the number of entries of a feed at or after a position, (published, id), and at most `limit`."""
        later = sa.tuple_(t.entries.c.published, t.entries.c.id) >= sa.tuple_(*map(sa.literal, position))
        counted = sa.select(t.entries.c.id).where(t.entries.c.feed == feed, later).limit(limit).subquery()
        return self._connection.execute(sa.select(sa.func.count()).select_from(counted)).scalar_one()

    def count_live(self) -> int:
        """Return the number of live articles: the entries of the site's feed."""
        return self._connection.execute(sa.select(t.feeds.c.entries).where(t.feeds.c.path == "")).scalar() or 0

    def live_ids(self, ids: Sequence[str]) -> set[str]:
        """Return the ids among these that live articles have."""
        of_live = sa.select(t.articles.c.id).where(t.articles.c.live.is_(True))
        statements = (of_live.where(t.articles.c.id.in_(chunk)) for chunk in t.chunks(list(ids)))
        return {id_ for chosen in statements for id_ in self._connection.scalars(chosen)}

    def document_version(self, path: str, digests: Sequence[str]) -> DocumentVersion | None:
        """Return the latest stored version of a live document that has one of these digests."""
        chosen = sa.select(t.renditions).where(t.renditions.c.path == path, t.renditions.c.digest.in_(digests))
        row = self._connection.execute(chosen.order_by(t.renditions.c.revision.desc()).limit(1)).one_or_none()
        return _document_version(row) if row else None

    def oversized_documents(self) -> list[DocumentVersion]:
        """Return by path the live documents whose last version left out texts to fit the size limit."""
        r = t.renditions.alias("r")
        last = sa.select(sa.func.max(t.renditions.c.revision)).where(t.renditions.c.path == sa.text("r.path"))
        chosen = sa.select(r).where(r.c.texts < r.c.entries, r.c.revision == last.scalar_subquery()).order_by(r.c.path)
        return [_document_version(row) for row in self._connection.execute(chosen)]

    def rejected_articles(self) -> list[RejectedArticle]:
        """Return the rejected articles, by path."""
        a = t.articles.c
        chosen = sa.select(a.path, a.rejection_line, a.rejection).where(a.rejection.isnot(None)).order_by(a.path)
        return [RejectedArticle(*row) for row in self._connection.execute(chosen)]

    def scheduled_articles(self, now: datetime, limit: int = 1000) -> list[ScheduledArticle]:
        """Return the articles that are published after `now`, the next first."""
        a = t.articles.c
        chosen = (
            sa.select(a.path, a.live_from)
            .where(a.scheduled.is_(True), a.live_from > to_microseconds(now))
            .order_by(a.live_from, a.path)
            .limit(limit)
        )
        return [
            ScheduledArticle(row.path, from_microseconds(row.live_from)) for row in self._connection.execute(chosen)
        ]

    def next_change(self, after: datetime | None = None) -> datetime | None:
        """Return the earliest moment at which a scheduled article goes live or a live one expires; None without any.

        It may be past if no run has published it since. With `after`, articles that go live earlier are left out.
        """
        a = t.articles.c
        next_scheduled = sa.select(sa.func.min(a.live_from)).where(a.scheduled.is_(True))
        if after:
            next_scheduled = next_scheduled.where(a.live_from > to_microseconds(after))
        next_expiring = sa.select(sa.func.min(a.expires)).where(a.live.is_(True), a.expires.isnot(None))
        moments = [self._connection.execute(chosen).scalar() for chosen in (next_scheduled, next_expiring)]
        return min((from_microseconds(moment) for moment in moments if moment is not None), default=None)

    def known_files(self, below: str, after: str, limit: int) -> list[KnownFile]:
        """Return by path the files of the last run: those at the path `below` or below it, and after a path.

        Args:
            below: A path; "" for all files.
            after: The path of the last file of the previous page; "" for the first page.
            limit: The maximum number of files.
        """
        a = t.articles.c
        columns = [a.path, a.mtime_ns, a.size, a.inode, a.key, a.deleted, a.hash, a.rejection.isnot(None)]
        chosen = sa.select(*columns).where(*_below(t.articles, below, after)).order_by(a.path).limit(limit)
        return list(map(KnownFile._make, self._connection.execute(chosen).all()))

    def staged_files(self, below: str, after: str, limit: int) -> list[StagedFile]:
        """Return by path the files that are staged, with the same arguments as `known_files`."""
        r = t.readings.c
        columns = [r.path, r.mtime_ns, r.size, r.inode, r.rejection.isnot(None)]
        chosen = sa.select(*columns).where(*_below(t.readings, below, after)).order_by(r.path).limit(limit)
        return list(map(StagedFile._make, self._connection.execute(chosen).all()))

    def has_articles(self) -> bool:
        """Return whether the catalog has any file."""
        return self._connection.execute(sa.select(t.articles.c.key).limit(1)).scalar() is not None

    def has_deleted(self) -> bool:
        """Return whether the catalog has an article whose file was deleted."""
        chosen = sa.select(t.articles.c.slug).where(t.articles.c.deleted.is_(True)).limit(1)  # uses the partial index
        return self._connection.execute(chosen).one_or_none() is not None

    def has_ids(self) -> bool:
        """Return whether any article ever got an id, that is, whether anything was ever published."""
        chosen = sa.select(t.articles.c.id).where(t.articles.c.id.isnot(None)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def has_files_below(self, path: str) -> bool:
        """Return whether the catalog has files below a path that were not deleted."""
        below = _below(t.articles, path, f"{path}/")
        chosen = sa.select(t.articles.c.key).where(*below, t.articles.c.deleted.is_(False)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    @property
    def state(self) -> CatalogState:
        """The values that belong to the catalog as a whole."""
        return CatalogState(self._connection)


def _below(table: sa.Table, path: str, after: str) -> list[sa.ColumnElement[bool]]:
    """Return the conditions: at a path or below it, and after another path. Text is ordered by code point."""
    later = table.c.path > after
    if not path:
        return [later]
    # one lower bound alone: SQLite begins its search at the first of two, even if that is the lower one
    begin = later if after >= path else table.c.path >= path
    inside = sa.or_(table.c.path == path, table.c.path >= f"{path}/")  # its own path if the folder can't be listed
    return [begin, table.c.path < f"{path}0", inside]  # "0" is the character after "/"


def _document_version(row: Any) -> DocumentVersion:
    oldest = from_microseconds(row.oldest)
    return DocumentVersion(row.path, row.digest, row.revision, row.entries, row.texts, oldest)
