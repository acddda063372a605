"""What the one writer does within one transaction."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feeds.catalog.addresses import AddressReader
from feeds.catalog.engine import Database
from feeds.catalog.reader import MENDED
from feeds.catalog.rows import Holder, Pending, Place, Refusal, Rendition, Run, Shown, micros, names_by_feed
from feeds.catalog.schema import (
    EDITED,
    TO_DECIDE,
    articles,
    chunks,
    entries,
    feeds,
    readings,
    renditions,
    revisions,
    texts,
    tombstones,
)
from feeds.model import FeedState

_STATE = tuple(field.name for field in fields(FeedState))
_SHOWN = tuple(f"_{name}" for name in Shown._fields)
_PLACES = (
    sa.func.coalesce(articles.c.shown_at, articles.c.published).label("shown_at"),
    sa.func.coalesce(articles.c.shown_in, articles.c.feeds, "{}").label("shown_in"),
)
_PENDING = {column.name: column for column in ((articles.c.pending == EDITED).label("edited"), *_PLACES)}
_DECIDE = sa.case(
    (articles.c.hash.is_(None), 0), (articles.c.pending == 0, TO_DECIDE), else_=articles.c.pending
)  # again, what the world knows of it


class Writer(AddressReader):
    """What the one writer does within one transaction, when it decides what the world knows."""

    def __init__(self, connection: sa.Connection, database: Database) -> None:
        super().__init__(connection)
        self._database = database

    def gone_with_slugs(self, slugs: Iterable[str]) -> dict[str, int]:
        """Give by slug the one article whose file is gone and that gave it; nothing where there are several."""
        found: dict[str, list[int]] = {}
        for some in chunks(list(slugs)):
            same = sa.and_(articles.c.gone.is_(True), articles.c.hash.isnot(None), articles.c.slug.in_(some))
            for slug, key in self._connection.execute(sa.select(articles.c.slug, articles.c.key).where(same)):
                found.setdefault(slug, []).append(key)
        return {slug: keys[0] for slug, keys in found.items() if len(keys) == 1}

    def holders(self, ids: Iterable[str]) -> dict[str, Holder]:
        """Give the articles that have these ids, by id."""
        found = {}
        for some in chunks(list(ids)):
            chosen = sa.select(articles.c.id, articles.c.key, articles.c.path, articles.c.gone)
            for row in self._connection.execute(chosen.where(articles.c.id.in_(some))):
                found[row.id] = Holder(row.key, row.path, row.gone)
        return found

    def save(self, kept: Iterable[tuple[int | None, str]]) -> None:
        """Make what was read of a file, told by its path, the good version of an article; of a new one (key None)."""
        kept = list(kept)
        for some in chunks([path for key, path in kept if key is None]):
            theirs = sa.select(readings, sa.literal(EDITED)).where(readings.c.path.in_(some)).order_by(readings.c.path)
            names = [column.name for column in readings.c]
            self._connection.execute(articles.insert().from_select([*names, "pending"], theirs))
        known = [(key, path) for key, path in kept if key is not None]
        for key, path in known:
            moved = sa.and_(articles.c.key == key, articles.c.path != path)
            self._connection.execute(articles.update().where(moved).values(path=path, hash=""))
        for keys in chunks([key for key, _ in known]):
            mine = articles.c.key.in_(keys)
            unused = sa.select(articles.c.text).where(mine, articles.c.text.isnot(None))
            self._connection.execute(texts.delete().where(texts.c.key.in_(unused)))
            self._remember_places(keys)
            version = {column.name: column for column in readings.c}
            pending = sa.case((articles.c.hash != readings.c.hash, EDITED), else_=TO_DECIDE)
            update = articles.update().where(mine, articles.c.path == readings.c.path)
            self._connection.execute(update.values(version | {"gone": False, "pending": pending}))

    def _remember_places(self, keys: Iterable[int]) -> None:
        """Keep where live articles are shown, which was what their versions said."""
        theirs = sa.and_(articles.c.key.in_(keys), articles.c.live.is_(True), articles.c.shown_in.is_(None))
        update = articles.update().where(theirs)
        self._connection.execute(update.values(shown_at=articles.c.published, shown_in=articles.c.feeds))

    def refuse(self, key: int | None, refusal: Refusal) -> None:
        """Keep that a file can't be an article, and the article's last good version as it was; read it again."""
        values = {"path": refusal.path, "refused": refusal.reason, "refused_line": refusal.line}
        unused = sa.select(readings.c.text).where(readings.c.path == refusal.path, readings.c.text.isnot(None))
        kept = sa.select(articles.c.key).where(articles.c.path == refusal.path, articles.c.text == texts.c.key).exists()
        self._connection.execute(texts.delete().where(texts.c.key.in_(unused), ~kept))
        if key is None:
            self._connection.execute(articles.insert().values(values))
        else:
            self._put(key, values | {"mtime_ns": 0, "size": 0, "inode": 0})

    def refuse_staged(self) -> None:
        """Keep of all files that were read and can't be articles why not, and articles' last good versions."""
        theirs = readings.c.refused.isnot(None)
        names = ["path", "mtime_ns", "size", "inode", "refused", "refused_line"]
        known = sa.select(articles.c.key).where(articles.c.path == readings.c.path).exists()
        new = sa.select(*(readings.c[name] for name in names)).where(theirs, ~known).order_by(readings.c.path)
        self._connection.execute(
            articles.update()
            .where(articles.c.path == readings.c.path, theirs)
            .values({name: readings.c[name] for name in names})
        )
        self._connection.execute(articles.insert().from_select(names, new))

    def vanish(self, keys: Iterable[int]) -> None:
        """Keep that files are no longer there; a refusal goes with the file."""
        for some in chunks(list(keys)):
            update = articles.update().where(articles.c.key.in_(some))
            self._connection.execute(
                update.values(gone=True, refused=None, refused_line=None, inode=0, mtime_ns=0, pending=_DECIDE)
            )

    def release(self, key: int) -> str | None:
        """Take its id from an article, and its entries out of the feeds, for one that gives that id itself.

        Gives the id.
        """
        chosen = sa.select(articles.c.id, articles.c.live, *_PLACES).where(articles.c.key == key)
        old = self._connection.execute(chosen).one()
        if old.live:
            self.take_out([(feed, old.shown_at, old.id) for feed in names_by_feed(old.shown_in)])
        self._put(key, {"id": None, "pending": _DECIDE})
        return old.id  # type: ignore[no-any-return]

    def displace(self, key: int) -> None:
        """Take its path from an article, for another whose file is there now; what was never good is forgotten."""
        self._connection.execute(articles.delete().where(articles.c.key == key, articles.c.hash.is_(None)))
        self._put(key, {"path": f"/{key}", "gone": True, "pending": _DECIDE})  # no file's path begins with "/"

    def reconsider(self, now: datetime | None) -> None:
        """Have it decided again of the articles whose hour has come, or that have expired; with None, of all."""
        settled, good = articles.c.pending == 0, articles.c.hash.isnot(None)
        if now is None:
            self._connection.execute(articles.update().where(settled, good).values(pending=TO_DECIDE))
            return
        moment = micros(now)
        for due in (
            sa.and_(articles.c.waiting.is_(True), articles.c.live_from <= moment),
            sa.and_(articles.c.expires.isnot(None), articles.c.expires <= moment, articles.c.live.is_(True)),
        ):
            self._connection.execute(articles.update().where(due, settled, good).values(pending=TO_DECIDE))

    def contested(self) -> list[int]:
        """Give the keys of the pending articles of which several would mint the same id, the earliest first."""
        a = articles.c
        # by the index of those that are pending: without an id there may be many more
        new = sa.and_(a.pending > 0, sa.func.coalesce(a.id, "") == "", a.draft.is_(False), a.gone.is_(False))
        several = sa.select(a.minted).where(new).group_by(a.minted).having(sa.func.count() > 1)
        chosen = sa.select(a.key).where(new, a.minted.in_(several)).order_by(a.published, a.path)
        return list(self._connection.execute(chosen).scalars())

    def pending(self, limit: int, among: Iterable[int] | None = None) -> list[Pending]:
        """Give so many of the articles of which it is to be decided what the world knows; or those of some keys."""
        columns = [_PENDING[name] if name in _PENDING else articles.c[name] for name in Pending._fields]
        chosen = sa.select(*columns).where(articles.c.pending > 0).order_by(articles.c.key).limit(limit)
        if among is not None:
            chosen = chosen.where(articles.c.key.in_(among))
        return list(map(Pending._make, self._connection.execute(chosen).all()))

    def publish(self, shown: Iterable[Shown]) -> None:
        """Keep what the world knows of articles from now on."""
        values: dict[str, Any] = {name: sa.bindparam(f"_{name}") for name in Shown._fields[1:]}
        settled = {"pending": sa.text("0"), "shown_at": sa.null(), "shown_in": sa.null()}
        update = articles.update().where(articles.c.key == sa.bindparam("_key")).values(values | settled)
        self._many(update, _SHOWN, list(shown))

    def save_from(self, rows: Callable[[str, str], Iterable[dict[str, Any]]]) -> None:
        """Take over what another catalog tells, by table and its key: ids of articles to come, and feeds.

        What was live is so still, though in no feed: the next run decides, and is held against it (`resume`).
        """
        for row in rows("meta", "rowid"):
            if row.get("key") == "fingerprint":
                self.set_meta("fingerprint", str(row.get("value")))
        taken: set[tuple[str, object]] = set()
        live = 0
        for row in rows("articles", "key"):
            facts = {"path": row.get("path"), "id": row.get("id")}
            if all(facts.values()) and not taken & set(facts.items()):
                taken |= set(facts.items())
                more = {name: row.get(name) for name in ("hash", "slug", "given", "minted", "published")}
                revision = row.get("revision") or 0
                values = {**facts, **more, "gone": True, "revision": revision}
                if row.get("live") and more["hash"] and more["published"] is not None:
                    shown_at = more["published"] if row.get("shown_at") is None else row["shown_at"]
                    values |= {"live": True, "shown_at": shown_at, "shown_in": "{}", "pending": TO_DECIDE}
                    live += 1
                self._connection.execute(articles.insert().values(values))
        for table, key in ((revisions, "number"), (feeds, "rowid")):
            for row in rows(table.name, key):
                values = {column.name: row.get(column.name) for column in table.c}
                if None not in values.values():
                    empty = {"entries": 0} if table is feeds else {}  # until its articles have been read again
                    self._connection.execute(table.insert().values(values | empty))
        self.set_meta(MENDED, str(live))

    def resume(self) -> int | None:
        """Go on after what was saved of a damaged catalog. Gives how many articles were live; None: there was none."""
        live = self.meta(MENDED)
        if live:
            self.set_meta(MENDED, "")
        return int(live) if live else None

    def put_in(self, keys: Sequence[int]) -> None:
        """Put articles that are live into all feeds that they name and are not in."""
        self._database.put_in(self._connection, keys)

    def take_out(self, places: Iterable[Place]) -> None:
        """Take entries out of feeds."""
        there = [entries.c.feed == sa.bindparam("f"), entries.c.published == sa.bindparam("p")]
        delete = entries.delete().where(*there, entries.c.id == sa.bindparam("i"))
        self._many(delete, ("f", "p", "i"), sorted(places))

    def bury(self, withdrawn: Mapping[str, AbstractSet[str]], at: datetime, since: datetime) -> None:
        """Keep tombstones of what was withdrawn from feeds, but for what is there again; forget theirs from before."""
        over = tombstones.c.at <= micros(since)
        for some in chunks(list(withdrawn)):
            self._connection.execute(tombstones.delete().where(tombstones.c.feed.in_(some), over))
        live = self.live_ids(list(set[str]().union(*withdrawn.values())))
        gone = [(feed, id_, micros(at)) for feed, ids in withdrawn.items() for id_ in sorted(ids - live)]
        self._put_over(tombstones, ("feed", "id", "at"), gone)

    def unbury(self, limit: int) -> set[str]:
        """Forget the tombstones of what is there again. Gives the feeds that told of one: of so many, the latest."""
        again = sa.select(articles.c.id).where(articles.c.id == tombstones.c.id, articles.c.live.is_(True)).exists()
        told = {path: self.withdrawn(path, limit)
                for path in set(self._connection.scalars(sa.select(tombstones.c.feed).where(again)))}  # fmt: skip
        if told:
            self._connection.execute(tombstones.delete().where(again))
        return {path for path, those in told.items() if self.withdrawn(path, limit) != those}

    def stamp(self, states: Iterable[FeedState]) -> None:
        """Keep feeds' states."""
        facts = ({**asdict(state), "changed": micros(state.changed)} for state in states)
        self._put_over(feeds, _STATE, [tuple(one.values()) for one in facts])

    def commit_revision(self, at: datetime) -> int:
        """Begin the next revision, which is there for readers when the transaction is committed. Gives its number."""
        self._connection.execute(revisions.insert().values(number=(number := self.revision() + 1), at=micros(at)))
        self._database.announce(self._connection)
        return number

    def remember_renditions(self, made: Iterable[Rendition], *, keep: int) -> None:
        """Keep what was made of live documents; of each, so many of the last versions."""
        for rendition in made:
            same = sa.and_(renditions.c.path == rendition.path, renditions.c.digest == rendition.digest)
            self._connection.execute(renditions.delete().where(same))
            values = asdict(rendition) | {"oldest": micros(rendition.oldest)}
            self._connection.execute(renditions.insert().values(values))
            mine = renditions.c.path == rendition.path
            last = sa.select(renditions.c.revision).where(mine).order_by(renditions.c.revision.desc()).offset(keep)
            oldest = self._connection.execute(last.limit(1)).scalar()
            if oldest is not None:
                self._connection.execute(renditions.delete().where(mine, renditions.c.revision <= oldest))

    def remember_run(self, run: Run) -> None:
        """Keep what came of a regeneration."""
        self.set_meta("run", json.dumps({"at": run.at.isoformat(), "seconds": run.seconds, "outcome": run.outcome}))

    def _put_over(self, table: sa.Table, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        """Insert rows, or put them over those that are there."""
        insert = self._database.insert(table)
        values = {column.name: insert.excluded[column.name] for column in table.c if not column.primary_key}
        self._many(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=values), names, rows)

    def _put(self, key: int, values: dict[str, Any]) -> None:
        self._connection.execute(articles.update().where(articles.c.key == key).values(values))
