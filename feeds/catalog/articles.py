"""Articles: their ids, published states, and the decisions that are pending; rows of the table `articles`.

The files of articles are in `files.py`, their pages in `pages.py`, their links in `links.py`. To add a value that a run
decides about, add a column and a migration in `schema.py`, extend `PendingArticle` or `PublishedState` here, and then
change `publish/commit.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess
from feeds.catalog.encoding import from_microseconds, names_by_feed, to_microseconds, unpack_article
from feeds.catalog.entries import RECORDS, EntryKey, EntryRecord, EntryWriter, entry_record
from feeds.catalog.files import QUEUED
from feeds.core.model import Article

_OF_ENTRIES = (
    sa.func.coalesce(t.articles.c.entry_published, t.articles.c.published).label("entry_published"),
    sa.func.coalesce(t.articles.c.entry_feeds, t.articles.c.feeds, "{}").label("entry_feeds"),
)
_COMPUTED = {column.name: column for column in ((t.articles.c.pending == t.EDITED).label("edited"), *_OF_ENTRIES)}


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
    scheduled: bool
    revision: int  # the last revision that changed the published state
    entry_published: int  # `published` of its entries, if it is live
    entry_feeds: str  # the feeds of its entries, if it is live
    links_to: str | None  # targets of links to other articles' files, as JSON
    link_urls: str | None  # the URLs of the previous version's links, as JSON


class PublishedState(NamedTuple):
    """The state of an article that a run publishes."""

    key: int
    id: str | None
    live: bool
    scheduled: bool
    revision: int  # the last revision that changed this state


_PUBLISHED_PARAMETERS = tuple(f"_{name}" for name in PublishedState._fields)


@dataclass(frozen=True, slots=True)
class IdOwner:
    """The article that has an id or a slug."""

    key: int
    path: str
    deleted: bool


class StoredArticle(NamedTuple):
    """An article with its key."""

    key: int
    article: Article


class LiveArticle(NamedTuple):
    """The path and the key of a live article."""

    path: str
    key: int


class ScheduledArticle(NamedTuple):
    """An article that a later run publishes."""

    path: str
    live_from: datetime


class UnpublishedCounts(NamedTuple):
    """The numbers of articles whose files exist and that are not published, by the reason."""

    drafts: int
    scheduled: int
    expired: int


class UnpublishedEntry(NamedTuple):
    """A draft or a scheduled article."""

    record: EntryRecord
    is_draft: bool


class ArticleReader(ReadAccess):
    """Queries on articles."""

    def stored_articles(self, keys: Iterable[int]) -> Iterator[StoredArticle]:
        """Yield the articles with these keys, in any order."""
        articles = sa.select(t.articles.c.key, t.texts.c.article)
        articles = articles.join_from(t.articles, t.texts, t.texts.c.key == t.articles.c.text)
        for chunk in t.chunks(list(keys)):
            for key, packed in self._connection.execute(articles.where(t.articles.c.key.in_(chunk))):
                yield StoredArticle(key, unpack_article(packed))

    def entry_of_file(self, path: str) -> EntryRecord | None:
        """Return the last good version of a file's article, whether it is published or not."""
        chosen = RECORDS.where(t.articles.c.path == path, t.articles.c.deleted.is_(False))
        row = self._connection.execute(chosen).one_or_none()
        return entry_record(row) if row else None

    def live_keys(self, paths: Iterable[str]) -> dict[str, int]:
        """Return the keys of the live articles whose files are at these paths, by path."""
        keys: dict[str, int] = {}
        for chunk in t.chunks(list(paths)):
            chosen = sa.select(t.articles.c.path, t.articles.c.key).where(t.articles.c.path.in_(chunk))
            keys |= map(tuple, self._connection.execute(chosen.where(t.articles.c.live.is_(True))))
        return keys

    def live_articles(self) -> Iterator[LiveArticle]:
        """Yield all live articles, in any order."""
        chosen = sa.select(t.articles.c.path, t.articles.c.key).where(t.articles.c.live.is_(True))
        yield from map(LiveArticle._make, self._connection.execute(chosen))

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

    def count_unpublished(self, now: datetime) -> UnpublishedCounts:
        """Return how many articles are drafts, are scheduled, and have expired. This reads the row of every article."""
        a, moment = t.articles.c, to_microseconds(now)
        conditions = (
            a.draft.is_(True),
            sa.and_(a.scheduled.is_(True), a.live_from > moment),
            sa.and_(a.draft.is_(False), a.expires <= moment),
        )
        counts = [sa.func.sum(sa.case((condition, 1), else_=0)) for condition in conditions]
        row = self._connection.execute(sa.select(*counts).where(a.deleted.is_(False))).one()
        return UnpublishedCounts(*(count or 0 for count in row))

    def unpublished_entries(self, now: datetime, limit: int = 200) -> list[UnpublishedEntry]:
        """Return drafts and scheduled articles, the latest first."""
        a = t.articles.c
        is_hidden = sa.or_(a.draft.is_(True), sa.and_(a.scheduled.is_(True), a.live_from > to_microseconds(now)))
        conditions = [a.deleted.is_(False), a.live.is_(False), is_hidden]
        chosen = RECORDS.add_columns(a.draft).where(*conditions).order_by(a.published.desc(), a.path).limit(limit)
        return [UnpublishedEntry(entry_record(row), row.draft) for row in self._connection.execute(chosen)]

    def next_change(self, after: datetime | None = None) -> datetime | None:
        """Return the earliest moment at which a scheduled article goes live or a live article expires, or None.

        The moment may be past if no run has acted on it since. If `after` is given, articles that go live earlier are
        left out.
        """
        a = t.articles.c
        next_scheduled = sa.select(sa.func.min(a.live_from)).where(a.scheduled.is_(True))
        if after:
            next_scheduled = next_scheduled.where(a.live_from > to_microseconds(after))
        next_expiring = sa.select(sa.func.min(a.expires)).where(a.live.is_(True), a.expires.isnot(None))
        moments = [self._connection.execute(chosen).scalar() for chosen in (next_scheduled, next_expiring)]
        return min((from_microseconds(moment) for moment in moments if moment is not None), default=None)

    def has_ids(self) -> bool:
        """Return whether any article ever got an id, that is, whether anything was ever published."""
        chosen = sa.select(t.articles.c.id).where(t.articles.c.id.isnot(None)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def live_ids(self, ids: Sequence[str]) -> set[str]:
        """Return those of the given ids that belong to live articles."""
        of_live = sa.select(t.articles.c.id).where(t.articles.c.live.is_(True))
        statements = (of_live.where(t.articles.c.id.in_(chunk)) for chunk in t.chunks(list(ids)))
        return {id_ for chosen in statements for id_ in self._connection.scalars(chosen)}

    def id_owners(self, ids: Iterable[str]) -> dict[str, IdOwner]:
        """Return the articles that have these ids, by id."""
        a = t.articles.c
        owners = {}
        for chunk in t.chunks(list(ids)):
            chosen = sa.select(a.id, a.key, a.path, a.deleted).where(a.id.in_(chunk))
            for row in self._connection.execute(chosen):
                owners[row.id] = IdOwner(row.key, row.path, row.deleted)
        return owners

    def contested_ids(self) -> list[int]:
        """Return the keys of pending articles that would get the same generated id as another, the earliest first."""
        a = t.articles.c
        # uses the index of pending articles; there may be many more without an id
        is_new = sa.and_(a.pending > 0, sa.func.coalesce(a.id, "") == "", a.draft.is_(False), a.deleted.is_(False))
        contested = sa.select(a.generated_id).where(is_new).group_by(a.generated_id).having(sa.func.count() > 1)
        chosen = sa.select(a.key).where(is_new, a.generated_id.in_(contested)).order_by(a.published, a.path)
        return list(self._connection.execute(chosen).scalars())

    def deleted_by_slug(self, slugs: Iterable[str]) -> dict[str, IdOwner]:
        """Return, by slug, the deleted article whose front matter set the slug; omit slugs of several articles."""
        a = t.articles.c
        articles: dict[str, list[IdOwner]] = {}
        for chunk in t.chunks(list(slugs)):
            chosen = sa.select(a.slug, a.key, a.path).where(a.deleted.is_(True), a.hash.isnot(None), a.slug.in_(chunk))
            for row in self._connection.execute(chosen):
                articles.setdefault(row.slug, []).append(IdOwner(row.key, row.path, deleted=True))
        return {slug: of_slug[0] for slug, of_slug in articles.items() if len(of_slug) == 1}

    def pending_articles(self, limit: int, among: Iterable[int] | None = None) -> list[PendingArticle]:
        """Return up to `limit` articles that the run must decide about.

        If `among` is given, return only articles with these keys.
        """
        columns = [_COMPUTED[name] if name in _COMPUTED else t.articles.c[name] for name in PendingArticle._fields]
        chosen = sa.select(*columns).where(t.articles.c.pending > 0).order_by(t.articles.c.key).limit(limit)
        if among is not None:
            chosen = chosen.where(t.articles.c.key.in_(among))
        return list(map(PendingArticle._make, self._connection.execute(chosen).all()))


class ArticleWriter(ArticleReader, EntryWriter):
    """Stores the decisions of a run about articles."""

    def queue_for_decision(self, now: datetime | None) -> None:
        """Queue the articles that go live or expire by `now` for the run to decide; all articles if `now` is None."""
        a = t.articles.c
        conditions: list[sa.ColumnElement[bool]] = [sa.true()]
        if now is not None:
            moment = to_microseconds(now)
            conditions = [
                sa.and_(a.scheduled.is_(True), a.live_from <= moment),
                sa.and_(a.expires.isnot(None), a.expires <= moment, a.live.is_(True)),
            ]
        for condition in conditions:
            update = t.articles.update().where(condition, a.pending == 0, a.hash.isnot(None))
            self._connection.execute(update.values(pending=t.TO_DECIDE))

    def save_published(self, states: Iterable[PublishedState]) -> None:
        """Store the published states of articles, which are then no longer pending."""
        values: dict[str, Any] = {name: sa.bindparam(f"_{name}") for name in PublishedState._fields[1:]}
        decided = {"pending": sa.text("0"), "entry_published": sa.null(), "entry_feeds": sa.null()}
        update = t.articles.update().where(t.articles.c.key == sa.bindparam("_key")).values(values | decided)
        self._many(update, _PUBLISHED_PARAMETERS, list(states))

    def release_id(self, key: int) -> str | None:
        """Remove the id and the entries of an article, because another article sets the id itself. Return the id."""
        chosen = sa.select(t.articles.c.id, t.articles.c.live, *_OF_ENTRIES).where(t.articles.c.key == key)
        old = self._connection.execute(chosen).one()
        if old.live:
            self.remove_entries(EntryKey(feed, old.entry_published, old.id) for feed in names_by_feed(old.entry_feeds))
        update = t.articles.update().where(t.articles.c.key == key)
        self._connection.execute(update.values(id=None, pending=QUEUED))
        return old.id  # type: ignore[no-any-return]


def is_live_or_has_file(*, live: bool) -> sa.ColumnElement[bool]:
    """Return the SQL condition for live articles or, if `live` is false, for all articles whose file exists."""
    return t.articles.c.live.is_(True) if live else t.articles.c.deleted.is_(False)
