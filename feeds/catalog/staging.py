"""What is kept of files while they are read, before anything of it is published.

Each batch is committed by itself, so that a run that is cut short goes on where it was. Nobody but the publisher sees
any of it.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from feeds.catalog.engine import Database, Statement
from feeds.catalog.reader import Reader
from feeds.catalog.rows import Reading, Stamp, Version
from feeds.catalog.schema import ARTICLES_BY_HASH, EDITED, articles, chunks, meta, readings, texts

_FILLING = "filling"  # said in `meta` until a new catalog was filled


class Staging(Reader):
    """What the one writer does while it looks at the folder."""

    _database: Database

    def begin_filling(self) -> None:
        """Note that a new catalog lacks the index of texts until it is filled, be it by a run or by one after that."""
        self.set_meta(_FILLING, "yes")

    def end_filling(self) -> None:
        """Make the index of texts, which is sorted once, if the catalog was new."""
        if self.meta(_FILLING):
            self._connection.execute(sa.schema.CreateIndex(ARTICLES_BY_HASH, if_not_exists=True))
            self.set_meta(_FILLING, "")

    def stage(self, batch: Iterable[Reading], *, first: bool) -> None:
        """Keep what was read of files of which nothing is staged.

        With `first`, in a catalog that has no articles yet, as articles at once: there is none that they could be.
        """
        rows: list[tuple[Any, ...]] = []
        bodies: list[tuple[Any, ...]] = []
        next_ = (self._connection.execute(sa.select(sa.func.max(texts.c.key))).scalar() or 0) + 1
        for key, reading in enumerate(batch, next_):
            text = key if reading.hash is not None else None
            if text:
                bodies.append((text, reading.article))
            as_article = (False, False, EDITED if text else 0) if first else ()
            rows.append((*_kept_of(reading), *reading.stamp, text, *as_article))
        self._add(texts, ("key", "article"), bodies)
        columns = (*_KEPT_OF_A_READING, "mtime_ns", "size", "inode", "text")
        if first:
            self._add(articles, (*columns, "gone", "live", "pending"), rows)
        else:
            self._add(readings, columns, rows)

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact about the catalog as a whole."""
        if self._connection.execute(meta.update().where(meta.c.key == key).values(value=value)).rowcount == 0:
            self._connection.execute(meta.insert().values(key=key, value=value))

    def _add(self, table: sa.Table, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Insert many rows of values, given in the order of their columns' names."""
        if rows:
            self._database.add(self._connection, table, names, rows)

    def _many(self, statement: Statement, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Carry out a statement for many rows of values, given in the order of their names."""
        if rows:
            self._database.many(self._connection, statement, names, rows)

    def unstage(self, paths: Iterable[str]) -> None:
        """Forget what was read of files."""
        for some in chunks(list(paths)):
            theirs = readings.c.path.in_(some)
            unused = sa.select(readings.c.text).where(theirs)
            self._connection.execute(texts.delete().where(texts.c.key.in_(unused)))
            self._connection.execute(readings.delete().where(theirs))

    def unstage_all(self) -> None:
        """Forget all that was read."""
        unused = sa.select(readings.c.text).where(readings.c.text.isnot(None))
        self._connection.execute(texts.delete().where(texts.c.key.in_(unused)))
        self.end_staging()

    def end_staging(self) -> None:
        """Clear what was read, all of which is published now."""
        self._connection.execute(readings.delete())

    def touch(self, batch: Iterable[tuple[int, Stamp]]) -> None:
        """Keep that files were seen with another stamp and the same text."""
        rows = [{"k": key, "m": stamp[0], "s": stamp[1], "i": stamp[2]} for key, stamp in batch]
        if rows:
            update = articles.update().where(articles.c.key == sa.bindparam("k"))
            stamp: dict[str, Any] = {
                "mtime_ns": sa.bindparam("m"),
                "size": sa.bindparam("s"),
                "inode": sa.bindparam("i"),
            }
            self._connection.execute(update.values(stamp), rows)

    def versions(self, after: str, limit: int) -> list[Version]:
        """Give what was read and is good, so many after a path, by path."""
        r, a = readings.c, articles.c
        known = [a.key, sa.func.coalesce(a.hash.isnot(None), sa.false()), sa.func.coalesce(a.gone, sa.false()),
                 sa.case((a.live.is_(True), a.page), else_=sa.null())]  # fmt: skip
        chosen = (
            sa.select(r.path, r.hash, r.slug, r.given, r.minted, r.draft, r.page, *known)
            .outerjoin(articles, a.path == r.path)
            .where(r.hash.isnot(None), r.path > after)
            .order_by(r.path)
            .limit(limit)
        )
        return list(map(Version._make, self._connection.execute(chosen).all()))

    def given_twice(self) -> dict[str, str]:
        """Give the ids that several of the files that were read give, drafts aside, with the path of the earliest."""
        r = readings.c
        mine = sa.and_(r.given.isnot(None), r.hash.isnot(None), r.draft.is_(False))
        several = sa.select(r.given).where(mine).group_by(r.given).having(sa.func.count() > 1)
        chosen = (
            sa.select(r.given, r.path).where(mine, r.given.in_(several)).order_by(r.published.desc(), r.path.desc())
        )
        return dict(tuple(row) for row in self._connection.execute(chosen))  # the last one is the earliest

    def giving(self, path: str) -> tuple[bool, str | None]:
        """Tell whether a good version of a path was read, and which id it gives."""
        chosen = sa.select(readings.c.given).where(readings.c.path == path, readings.c.hash.isnot(None))
        row = self._connection.execute(chosen).one_or_none()
        return row is not None, row.given if row else None

    def same_texts(self) -> list[tuple[str, str, int]]:
        """Give the files that hold the text of an article of another path, as (path, that path, its key)."""
        r, a = readings.c, articles.c
        chosen = sa.select(r.path, a.path, a.key).where(r.hash == a.hash, r.path != a.path)
        return [(here, there, key) for here, there, key in self._connection.execute(chosen)]


_KEPT_OF_A_READING = tuple(
    column.name for column in readings.c if column.name not in {"mtime_ns", "size", "inode", "text"}
)
_kept_of = attrgetter(*_KEPT_OF_A_READING)
