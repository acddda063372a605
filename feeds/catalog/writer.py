"""Writes of the one publisher, within one transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.addresses import AddressReader
from feeds.catalog.backend import Database
from feeds.catalog.types import (
    DocumentVersion,
    EntryKey,
    IdOwner,
    PendingArticle,
    PublishedState,
    RejectedArticle,
    names_by_feed,
    to_microseconds,
)
from feeds.core.model import FeedState

_FEED_COLUMNS = tuple(field.name for field in fields(FeedState))
_PUBLISHED_PARAMETERS = tuple(f"_{name}" for name in PublishedState._fields)
_OF_ENTRIES = (
    sa.func.coalesce(t.articles.c.entry_published, t.articles.c.published).label("entry_published"),
    sa.func.coalesce(t.articles.c.entry_feeds, t.articles.c.feeds, "{}").label("entry_feeds"),
)
_COMPUTED = {column.name: column for column in ((t.articles.c.pending == t.EDITED).label("edited"), *_OF_ENTRIES)}
_QUEUED = sa.case(  # the value of `pending` for an article that must be decided again
    (t.articles.c.hash.is_(None), 0), (t.articles.c.pending == 0, t.TO_DECIDE), else_=t.articles.c.pending
)


class CatalogWriter(AddressReader):
    """Writes what a run decides, within one transaction."""

    def __init__(self, connection: sa.Connection, database: Database) -> None:
        super().__init__(connection)
        self._database = database

    def deleted_by_slug(self, slugs: Iterable[str]) -> dict[str, int]:
        """Return by slug the key of the article that set it and whose file was deleted, if there is just one."""
        a = t.articles.c
        keys: dict[str, list[int]] = {}
        for chunk in t.chunks(list(slugs)):
            chosen = sa.select(a.slug, a.key).where(a.deleted.is_(True), a.hash.isnot(None), a.slug.in_(chunk))
            for slug, key in self._connection.execute(chosen):
                keys.setdefault(slug, []).append(key)
        return {slug: of_slug[0] for slug, of_slug in keys.items() if len(of_slug) == 1}

    def id_owners(self, ids: Iterable[str]) -> dict[str, IdOwner]:
        """Return the articles that have these ids, by id."""
        a = t.articles.c
        owners = {}
        for chunk in t.chunks(list(ids)):
            chosen = sa.select(a.id, a.key, a.path, a.deleted).where(a.id.in_(chunk))
            for row in self._connection.execute(chosen):
                owners[row.id] = IdOwner(row.key, row.path, row.deleted)
        return owners

    def save_versions(self, versions: Iterable[tuple[int | None, str]]) -> None:
        """Make staged files the good versions of articles, as (key of the article, or None for a new one; path)."""
        versions = list(versions)
        for chunk in t.chunks([path for key, path in versions if key is None]):
            r = t.readings.c
            staged = sa.select(t.readings, sa.literal(t.EDITED)).where(r.path.in_(chunk)).order_by(r.path)
            names = [column.name for column in r]
            self._connection.execute(t.articles.insert().from_select([*names, "pending"], staged))
        known = [(key, path) for key, path in versions if key is not None]
        a = t.articles.c
        for key, path in known:
            is_moved = sa.and_(a.key == key, a.path != path)
            self._connection.execute(t.articles.update().where(is_moved).values(path=path, hash=""))
        for keys in t.chunks([key for key, _ in known]):
            unused = sa.select(a.text).where(a.key.in_(keys), a.text.isnot(None))
            self._connection.execute(t.texts.delete().where(t.texts.c.key.in_(unused)))
            self._keep_entry_keys(keys)
            values = {column.name: column for column in t.readings.c}
            pending = sa.case((a.hash != t.readings.c.hash, t.EDITED), else_=t.TO_DECIDE)
            update = t.articles.update().where(a.key.in_(keys), a.path == t.readings.c.path)
            self._connection.execute(update.values(values | {"deleted": False, "pending": pending}))

    def _keep_entry_keys(self, keys: Iterable[int]) -> None:
        """Store the keys of the entries of live articles, before another version replaces the one that has them."""
        a = t.articles.c
        update = t.articles.update().where(a.key.in_(keys), a.live.is_(True), a.entry_feeds.is_(None))
        self._connection.execute(update.values(entry_published=a.published, entry_feeds=a.feeds))

    def reject(self, key: int | None, rejected: RejectedArticle) -> None:
        """Store why a file is rejected; the next run loads it again. An article (key) keeps its last good version."""
        a, r = t.articles.c, t.readings.c
        values = {"path": rejected.path, "rejection": rejected.reason, "rejection_line": rejected.line}
        unused = sa.select(r.text).where(r.path == rejected.path, r.text.isnot(None))
        is_used = sa.select(a.key).where(a.path == rejected.path, a.text == t.texts.c.key).exists()
        self._connection.execute(t.texts.delete().where(t.texts.c.key.in_(unused), ~is_used))
        if key is None:
            self._connection.execute(t.articles.insert().values(values))
        else:
            self._update(key, values | {"mtime_ns": 0, "size": 0, "inode": 0})

    def reject_staged(self) -> None:
        """Store the rejections of staged files. Articles keep their last good versions."""
        a, r = t.articles.c, t.readings.c
        columns = [r.path, r.mtime_ns, r.size, r.inode, r.rejection, r.rejection_line]
        is_rejected = r.rejection.isnot(None)
        update = t.articles.update().where(a.path == r.path, is_rejected)
        self._connection.execute(update.values({column.name: column for column in columns}))
        is_known = sa.select(a.key).where(a.path == r.path).exists()
        new = sa.select(*columns).where(is_rejected, ~is_known).order_by(r.path)
        self._connection.execute(t.articles.insert().from_select([column.name for column in columns], new))

    def mark_deleted(self, keys: Iterable[int]) -> None:
        """Record that files were deleted, and remove their rejections."""
        for chunk in t.chunks(list(keys)):
            update = t.articles.update().where(t.articles.c.key.in_(chunk))
            self._connection.execute(
                update.values(deleted=True, rejection=None, rejection_line=None, inode=0, mtime_ns=0, pending=_QUEUED)
            )

    def release_id(self, key: int) -> str | None:
        """Remove the id and the entries of an article, for another one that sets this id itself. Return the id."""
        chosen = sa.select(t.articles.c.id, t.articles.c.live, *_OF_ENTRIES).where(t.articles.c.key == key)
        old = self._connection.execute(chosen).one()
        if old.live:
            self.remove_entries(EntryKey(feed, old.entry_published, old.id) for feed in names_by_feed(old.entry_feeds))
        self._update(key, {"id": None, "pending": _QUEUED})
        return old.id  # type: ignore[no-any-return]

    def free_path(self, key: int) -> None:
        """Remove the path of an article, for another whose file is there now. Delete it if it never was good."""
        self._connection.execute(t.articles.delete().where(t.articles.c.key == key, t.articles.c.hash.is_(None)))
        self._update(key, {"path": f"/{key}", "deleted": True, "pending": _QUEUED})  # no file's path begins with "/"

    def queue_for_decision(self, now: datetime | None) -> None:
        """Queue the articles that go live or expire by `now` for the run to decide; all articles if it is None."""
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

    def contested_ids(self) -> list[int]:
        """Return the keys of pending articles of which several would get the same generated id, the earliest first."""
        a = t.articles.c
        # uses the index of pending articles; there may be many more without an id
        is_new = sa.and_(a.pending > 0, sa.func.coalesce(a.id, "") == "", a.draft.is_(False), a.deleted.is_(False))
        contested = sa.select(a.generated_id).where(is_new).group_by(a.generated_id).having(sa.func.count() > 1)
        chosen = sa.select(a.key).where(is_new, a.generated_id.in_(contested)).order_by(a.published, a.path)
        return list(self._connection.execute(chosen).scalars())

    def pending_articles(self, limit: int, among: Iterable[int] | None = None) -> list[PendingArticle]:
        """Return up to `limit` articles that the run must decide about, only `among` these keys if given."""
        columns = [_COMPUTED[name] if name in _COMPUTED else t.articles.c[name] for name in PendingArticle._fields]
        chosen = sa.select(*columns).where(t.articles.c.pending > 0).order_by(t.articles.c.key).limit(limit)
        if among is not None:
            chosen = chosen.where(t.articles.c.key.in_(among))
        return list(map(PendingArticle._make, self._connection.execute(chosen).all()))

    def save_published(self, states: Iterable[PublishedState]) -> None:
        """Store the published states of articles, which are then decided."""
        values: dict[str, Any] = {name: sa.bindparam(f"_{name}") for name in PublishedState._fields[1:]}
        decided = {"pending": sa.text("0"), "entry_published": sa.null(), "entry_feeds": sa.null()}
        update = t.articles.update().where(t.articles.c.key == sa.bindparam("_key")).values(values | decided)
        self._many(update, _PUBLISHED_PARAMETERS, list(states))

    def begin_recovery(self, rows: Callable[[str, str], Iterable[dict[str, Any]]]) -> None:
        """Store the ids, published articles and feeds of a damaged catalog, and begin recovery.

        Published articles stay live but have no entries until the next run decides about them; the guard compares
        that run with them (`end_recovery`).

        Args:
            rows: Returns the readable rows of a table, by its name and the name of its integer key.
        """
        for row in rows("meta", "rowid"):
            if row.get("key") == "fingerprint":
                self.state.site_fingerprint = str(row.get("value"))
        self.state.recovered_articles = self._save_articles_from(rows("articles", "key"))
        for table, key in ((t.revisions, "number"), (t.feeds, "rowid")):
            for row in rows(table.name, key):
                values = {column.name: row.get(column.name) for column in table.c}
                if None not in values.values():
                    empty = {"entries": 0} if table is t.feeds else {}  # until its articles have been read again
                    self._connection.execute(table.insert().values(values | empty))

    def _save_articles_from(self, rows: Iterable[dict[str, Any]]) -> int:
        """Store the articles of a damaged catalog. Return the number of live ones."""
        unique: set[tuple[str, object]] = set()
        live = 0
        for row in rows:
            identity = {"path": row.get("path"), "id": row.get("id")}
            if not all(identity.values()) or unique & set(identity.items()):
                continue
            unique |= set(identity.items())
            version = {name: row.get(name) for name in ("hash", "slug", "explicit_id", "generated_id", "published")}
            values = {**identity, **version, "deleted": True, "revision": row.get("revision") or 0}
            if row.get("live") and version["hash"] and version["published"] is not None:
                stored = row.get("entry_published")
                published = version["published"] if stored is None else stored
                values |= {"live": True, "entry_published": published, "entry_feeds": "{}", "pending": t.TO_DECIDE}
                live += 1
            self._connection.execute(t.articles.insert().values(values))
        return live

    def end_recovery(self) -> int | None:
        """End the recovery of a damaged catalog. Return the number of live articles in it; None without recovery."""
        live = self.state.recovered_articles
        self.state.recovered_articles = None
        return live

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

    def add_tombstones(self, withdrawn: Mapping[str, AbstractSet[str]], at: datetime, since: datetime) -> None:
        """Store tombstones of the ids withdrawn from feeds, and delete expired ones of the same feeds.

        Args:
            withdrawn: The ids by feed; those that live articles have are left out.
            at: When they were withdrawn.
            since: Tombstones of this moment or earlier are expired.
        """
        is_expired = t.tombstones.c.at <= to_microseconds(since)
        for chunk in t.chunks(list(withdrawn)):
            self._connection.execute(t.tombstones.delete().where(t.tombstones.c.feed.in_(chunk), is_expired))
        live = self.live_ids(list(set[str]().union(*withdrawn.values())))
        rows = [(feed, id_, to_microseconds(at)) for feed, ids in withdrawn.items() for id_ in sorted(ids - live)]
        self._upsert(t.tombstones, ("feed", "id", "at"), rows)

    def remove_tombstones(self, limit: int) -> set[str]:
        """Delete the tombstones of articles that are live again. Return the feeds that had one in the last `limit`."""
        a = t.articles.c
        is_live = sa.select(a.id).where(a.id == t.tombstones.c.id, a.live.is_(True)).exists()
        feeds = set(self._connection.scalars(sa.select(t.tombstones.c.feed).where(is_live)))
        before = {path: self.tombstones(path, limit) for path in feeds}
        if before:
            self._connection.execute(t.tombstones.delete().where(is_live))
        return {path for path, latest in before.items() if self.tombstones(path, limit) != latest}

    def save_feeds(self, states: Iterable[FeedState]) -> None:
        """Store the states of feeds."""
        rows = [tuple({**asdict(state), "changed": to_microseconds(state.changed)}.values()) for state in states]
        self._upsert(t.feeds, _FEED_COLUMNS, rows)

    def commit_revision(self, at: datetime) -> int:
        """Add the next revision, which readers see when the transaction is committed. Return its number."""
        number = self.revision() + 1
        self._connection.execute(t.revisions.insert().values(number=number, at=to_microseconds(at)))
        self._database.announce(self._connection)
        return number

    def save_document_versions(self, versions: Iterable[DocumentVersion], *, keep: int) -> None:
        """Store versions of live documents; keep the last `keep` versions of each document."""
        r = t.renditions.c
        for version in versions:
            same = sa.and_(r.path == version.path, r.digest == version.digest)
            self._connection.execute(t.renditions.delete().where(same))
            values = asdict(version) | {"oldest": to_microseconds(version.oldest)}
            self._connection.execute(t.renditions.insert().values(values))
            latest = sa.select(r.revision).where(r.path == version.path).order_by(r.revision.desc())
            outdated = self._connection.execute(latest.offset(keep).limit(1)).scalar()
            if outdated is not None:
                self._connection.execute(t.renditions.delete().where(r.path == version.path, r.revision <= outdated))

    def _upsert(self, table: sa.Table, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        """Insert rows, or update those with the same primary key."""
        insert = self._database.insert(table)
        values = {column.name: insert.excluded[column.name] for column in table.c if not column.primary_key}
        self._many(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=values), names, rows)

    def _update(self, key: int, values: dict[str, Any]) -> None:
        self._connection.execute(t.articles.update().where(t.articles.c.key == key).values(values))
