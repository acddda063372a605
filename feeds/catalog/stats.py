"""Poll statistics: one row per source for open days, totals for closed days, and how far access logs were read.

No address is stored. The pollers of an open day are told apart by a keyed hash; the key and the hashes are deleted when
the day is closed, and then erased: `Database.erase_stats` rewrites the files that held them.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from feeds.catalog.engine import Database
from feeds.catalog.rows import Counted, Sums, Visit
from feeds.catalog.schema import audience, chunks, erasures, imports, salts, visits

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

_SALT = 32  # bytes
_SUMS = ("polls", "unchanged", "unconditional", "bytes", "saved")


class StatsReader:
    """Queries on poll statistics, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def open_days(self, *, imported: bool | None = None) -> list[str]:
        """Give the days that are not closed, the earliest first; only those that are (not) of logs."""
        chosen = sa.select(salts.c.day).order_by(salts.c.day)
        if imported is not None:
            chosen = chosen.where(salts.c.imported.is_(imported))
        return list(self._connection.scalars(chosen))

    def last_day(self) -> str | None:
        """Give the last day of which anything is known."""
        days = [self._connection.scalar(sa.select(sa.func.max(table.c.day))) for table in (salts, audience)]
        return max(filter(None, days), default=None)

    def sums(self, day: str) -> Iterator[Sums]:
        """Give what a day that is not closed has come to by now; nobody but the database looks at each visit."""
        same = [visits.c[name] for name in ("feed", "reader", "kind")]  # in the order in which they lie
        live = sa.case((visits.c.live > 0, 1))
        sources, said = sa.func.count(live), _sum(sa.case((visits.c.live > 0, visits.c.subscribers)))
        chosen = sa.select(*same, sources, said, *(_sum(visits.c[name]) for name in _SUMS))
        chosen = chosen.where(visits.c.day == day).group_by(*same).order_by(*same)
        yield from map(Sums._make, self._connection.execute(chosen))

    def worst(self, day: str, limit: int) -> list[Visit]:
        """Give who asked most without a validator on a day that is not closed: of all feeds together."""
        sums = {name: _sum(visits.c[name]).label(name) for name in ("live", *_SUMS)}
        same = [visits.c[name] for name in ("reader", "kind", "source")]
        chosen = sa.select(*same, *sums.values()).where(visits.c.day == day).group_by(*same)
        most = chosen.having(sums["unconditional"] > 1).order_by(sums["unconditional"].desc(), *same).limit(limit)
        return [Visit(day=day, feed="", subscribers=None, **row) for row in self._connection.execute(most).mappings()]

    def audience(self, since: str, until: str) -> Iterator[Counted]:
        """Give what closed days came to, by day and feed."""
        names = [audience.c[name] for name in Counted._fields]
        chosen = sa.select(*names).where(audience.c.day >= since, audience.c.day <= until)
        yield from map(Counted._make, self._connection.execute(chosen.order_by(audience.c.day, audience.c.feed)))

    def days_to_erase(self) -> list[str]:
        """Return the closed days whose deleted rows may still be in the database's files."""
        return list(self._connection.scalars(sa.select(erasures.c.day).order_by(erasures.c.day)))

    def read_so_far(self, logs: Sequence[str]) -> tuple[str, int] | None:
        """Give the first of some logs that was read, and how far."""
        found = sa.select(imports.c.log, imports.c.offset).where(imports.c.log.in_(logs))
        known = {row.log: row.offset for row in self._connection.execute(found)}
        return next(((log, known[log]) for log in logs if log in known), None)


class StatsWriter(StatsReader):
    """Changes of poll statistics, within one transaction."""

    def __init__(self, connection: sa.Connection, database: Database) -> None:
        super().__init__(connection)
        self._database = database

    def salt(self, day: str, *, imported: bool = False) -> bytes:
        """Give a day's salt; the first who asks makes it."""
        salt = self._connection.scalar(sa.select(salts.c.salt).where(salts.c.day == day))
        if salt is None:
            salt = secrets.token_bytes(_SALT)
            self._connection.execute(salts.insert().values(day=day, salt=salt, imported=imported))
        return bytes(salt)

    def count(self, day: str, seen: Sequence[Visit], most: int) -> list[Visit]:
        """Add visits of a day to those that are kept; at most so many sources. Gives those that had no room."""
        here = sa.select(sa.func.count()).select_from(visits).where(visits.c.day == day)
        room = most - (self._connection.scalar(here) or 0)
        known, rest = (list(seen), []) if len(seen) <= room else self._split(seen, room)
        self.add(known)
        return rest

    def _split(self, seen: Sequence[Visit], room: int) -> tuple[list[Visit], list[Visit]]:
        """Part visits into those of sources that are kept, or may be, and the others."""
        fits: list[Visit] = []
        rest: list[Visit] = []
        for visit in seen:
            same = (visits.c[name] == getattr(visit, name) for name in ("day", "feed", "reader", "kind", "source"))
            if self._connection.execute(sa.select(visits.c.day).where(*same)).one_or_none():
                fits.append(visit)
            elif room > 0:
                room -= 1
                fits.append(visit)
            else:
                rest.append(visit)
        return fits, rest

    def add(self, seen: Iterable[Visit]) -> None:
        """Add visits to those that are kept, however many there are."""
        insert = self._database.insert(visits)
        more = {name: visits.c[name] + insert.excluded[name] for name in ("live", *_SUMS)}
        more["subscribers"] = _larger(insert, visits)
        self._upsert(insert, more, visits, seen)

    def close(self, day: str, counted: Iterable[Counted]) -> None:
        """Store the totals of a day and delete its sources and their key.

        Polls that arrive after a day was closed add to its totals; its subscribers change only if there are more.
        """
        insert = self._database.insert(audience)
        more: dict[str, Any] = {name: audience.c[name] + insert.excluded[name] for name in _SUMS}
        more["subscribers"] = _larger(insert, audience)
        self._upsert(insert, more, audience, counted)
        for table in (visits, salts):
            self._connection.execute(table.delete().where(table.c.day == day))
        insert = self._database.insert(erasures)
        self._connection.execute(insert.on_conflict_do_nothing(), {"day": day})

    def erased(self, days: Iterable[str]) -> None:
        """Record that nothing of these closed days is left in the database's files."""
        self._connection.execute(erasures.delete().where(erasures.c.day.in_(list(days))))

    def take_over(self, rows: Iterable[tuple[sa.Table, dict[str, Any]]]) -> None:
        """Insert the rows that could be read of a damaged file, leaving out incomplete ones."""
        for table, row in rows:
            values = {column.name: row.get(column.name) for column in table.c}
            if None not in values.values():
                self._connection.execute(self._database.insert(table).on_conflict_do_nothing(), values)

    def forget_before(self, day: str) -> None:
        """Forget what came of the days before one, and which logs were read before it."""
        for table in (audience, imports):
            self._connection.execute(table.delete().where(table.c.day < day))

    def remember_read(self, log: str, offset: int, day: str, *, instead: str | None = None) -> None:
        """Keep how far a log was read, which went by another name when it was shorter."""
        self._connection.execute(imports.delete().where(imports.c.log.in_([log, instead or log])))
        self._connection.execute(imports.insert().values(log=log, offset=offset, day=day))

    def _upsert(
        self, insert: "sqlite.Insert", more: dict[str, Any], table: sa.Table, rows: Iterable[Visit | Counted]
    ) -> None:
        statement = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=more)
        for some in chunks([row._asdict() for row in rows]):
            self._connection.execute(statement, some)


def _sum(number: sa.ColumnElement[int]) -> "sa.Cast[int]":
    """Say in SQL: the sum, as a whole number; PostgreSQL would make a decimal one of large ones."""
    return sa.cast(sa.func.sum(number), sa.BigInteger)


def _larger(insert: "sqlite.Insert", table: sa.Table) -> "sa.Case[Any]":
    """Say in SQL: the larger number of subscribers; of a nothing and a number, the number."""
    new, old = insert.excluded["subscribers"], table.c.subscribers
    return sa.case((new > sa.func.coalesce(old, -1), new), else_=old)
