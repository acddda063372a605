"""Stores poll statistics: one row per source for open days, totals for closed days, positions in imported logs.

No address is stored. Keyed hashes identify the pollers of an open day. The key and the hashes are deleted when the
day is closed, and then erased: `Database.erase_stats` rewrites the files that had them. To add a count of polls, add a
column (`_COUNTS`) and a migration in `schema.py`, extend `_SUMS` and the types here, and then change
`stats/counter.py`.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess, WriteAccess
from feeds.catalog.backend import SavedRow

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

_SALT_BYTES = 32
_SUMS = ("polls", "unchanged", "unconditional", "bytes", "saved")


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


class PollTotals(NamedTuple):
    """The totals of one feed and one kind of reader on an open day."""

    feed: str
    reader: str
    kind: str
    sources: int  # those that polled live documents
    subscribers: int | None  # the sum of the numbers that the sources report
    polls: int
    unchanged: int
    unconditional: int
    bytes: int
    saved: int


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


class StatsReader(ReadAccess):
    """Queries on poll statistics, within one transaction."""

    def open_days(self, *, imported: bool | None = None) -> list[str]:
        """Return the days that are not closed, earliest first.

        `imported`: True for days whose first polls came from access logs, False for other days, None for all.
        """
        chosen = sa.select(t.salts.c.day).order_by(t.salts.c.day)
        if imported is not None:
            chosen = chosen.where(t.salts.c.imported.is_(imported))
        return list(self._connection.scalars(chosen))

    def last_day(self) -> str | None:
        """Return the last day, open or closed; None without statistics."""
        days = [self._connection.scalar(sa.select(sa.func.max(table.c.day))) for table in (t.salts, t.daily_counts)]
        return max(filter(None, days), default=None)

    def poll_totals(self, day: str) -> Iterator[PollTotals]:
        """Yield the totals of an open day, which the database computes, by feed, reader and kind."""
        s = t.source_counts.c
        group = [s[name] for name in ("feed", "reader", "kind")]  # in the order of the primary key
        sources = sa.func.count(sa.case((s.live > 0, 1)))
        subscribers = _sum(sa.case((s.live > 0, s.subscribers)))
        chosen = sa.select(*group, sources, subscribers, *(_sum(s[name]) for name in _SUMS))
        chosen = chosen.where(s.day == day).group_by(*group).order_by(*group)
        yield from map(PollTotals._make, self._connection.execute(chosen))

    def top_unconditional(self, day: str, limit: int) -> list[SourceCounts]:
        """Return the sources with the most polls without a validator on an open day, in all feeds together."""
        s = t.source_counts.c
        sums = {name: _sum(s[name]).label(name) for name in ("live", *_SUMS)}
        group = [s[name] for name in ("reader", "kind", "source")]
        chosen = sa.select(*group, *sums.values()).where(s.day == day).group_by(*group)
        chosen = chosen.having(sums["unconditional"] > 1).order_by(sums["unconditional"].desc(), *group).limit(limit)
        rows = self._connection.execute(chosen).mappings()
        return [SourceCounts(day=day, feed="", subscribers=None, **row) for row in rows]

    def daily_counts(self, since: str, until: str) -> Iterator[DailyCounts]:
        """Yield the totals of closed days, both ends included, by day and feed."""
        d = t.daily_counts.c
        columns = [d[name] for name in DailyCounts._fields]
        chosen = sa.select(*columns).where(d.day >= since, d.day <= until).order_by(d.day, d.feed)
        yield from map(DailyCounts._make, self._connection.execute(chosen))

    def days_to_erase(self) -> list[str]:
        """Return the closed days whose deleted rows may still be in the database's files."""
        return list(self._connection.scalars(sa.select(t.erasures.c.day).order_by(t.erasures.c.day)))

    def log_position(self, logs: Sequence[str]) -> ImportedLog | None:
        """Return the first of these logs that was imported, and how far; None if none was."""
        i = t.imports.c
        rows = self._connection.execute(sa.select(i.log, i.offset).where(i.log.in_(logs)))
        offsets = {row.log: row.offset for row in rows}
        return next((ImportedLog(log, offsets[log]) for log in logs if log in offsets), None)


class StatsWriter(StatsReader, WriteAccess):
    """Changes of poll statistics, within one transaction."""

    def salt(self, day: str, *, imported: bool = False) -> bytes:
        """Return a day's key for the hashes of pollers; the first call for a day creates it."""
        salt = self._connection.scalar(sa.select(t.salts.c.salt).where(t.salts.c.day == day))
        if salt is None:
            salt = secrets.token_bytes(_SALT_BYTES)
            self._connection.execute(t.salts.insert().values(day=day, salt=salt, imported=imported))
        return bytes(salt)

    def count(self, day: str, counts: Sequence[SourceCounts], max_sources: int) -> list[SourceCounts]:
        """Add counts of a day that has at most `max_sources` sources. Return the counts of sources beyond that."""
        stored = sa.select(sa.func.count()).select_from(t.source_counts).where(t.source_counts.c.day == day)
        free = max_sources - (self._connection.scalar(stored) or 0)
        fitting, rest = (list(counts), []) if len(counts) <= free else self._split(counts, free)
        self.add(fitting)
        return rest

    def _split(self, counts: Sequence[SourceCounts], free: int) -> tuple[list[SourceCounts], list[SourceCounts]]:
        """Return the counts of stored sources and of up to `free` new ones, and the other counts."""
        fitting: list[SourceCounts] = []
        rest: list[SourceCounts] = []
        s = t.source_counts.c
        for count in counts:
            same = (s[name] == getattr(count, name) for name in ("day", "feed", "reader", "kind", "source"))
            if self._connection.execute(sa.select(s.day).where(*same)).one_or_none():
                fitting.append(count)
            elif free > 0:
                free -= 1
                fitting.append(count)
            else:
                rest.append(count)
        return fitting, rest

    def add(self, counts: Iterable[SourceCounts]) -> None:
        """Add counts, for any number of sources."""
        insert = self._database.insert(t.source_counts)
        sums = {name: t.source_counts.c[name] + insert.excluded[name] for name in ("live", *_SUMS)}
        sums["subscribers"] = _larger_subscribers(insert, t.source_counts)
        self._add_up(insert, sums, t.source_counts, counts)

    def close_day(self, day: str, counts: Iterable[DailyCounts]) -> None:
        """Store the totals of a day and delete its sources and their key.

        Polls that arrive after a day was closed add to its totals; its subscribers change only if there are more.
        """
        insert = self._database.insert(t.daily_counts)
        sums: dict[str, Any] = {name: t.daily_counts.c[name] + insert.excluded[name] for name in _SUMS}
        sums["subscribers"] = _larger_subscribers(insert, t.daily_counts)
        self._add_up(insert, sums, t.daily_counts, counts)
        for table in (t.source_counts, t.salts):
            self._connection.execute(table.delete().where(table.c.day == day))
        insert = self._database.insert(t.erasures)
        self._connection.execute(insert.on_conflict_do_nothing(), {"day": day})

    def mark_erased(self, days: Iterable[str]) -> None:
        """Record that nothing of these closed days is left in the database's files."""
        self._connection.execute(t.erasures.delete().where(t.erasures.c.day.in_(list(days))))

    def restore(self, rows: Iterable[SavedRow]) -> None:
        """Insert the rows that could be read from a damaged file, except for incomplete ones."""
        for row in rows:
            values = {column.name: row.values.get(column.name) for column in row.table.c}
            if None not in values.values():
                self._connection.execute(self._database.insert(row.table).on_conflict_do_nothing(), values)

    def delete_before(self, day: str) -> None:
        """Delete the totals of the days before a day, and the logs that were imported before it."""
        for table in (t.daily_counts, t.imports):
            self._connection.execute(table.delete().where(table.c.day < day))

    def save_log_position(self, log: str, offset: int, day: str, *, instead: str | None = None) -> None:
        """Store how far a log was imported.

        Args:
            log: the digest of the first polls in the log.
            offset: the position in bytes.
            day: the day of the import, in UTC.
            instead: the digest that the log had when it was shorter.
        """
        self._connection.execute(t.imports.delete().where(t.imports.c.log.in_([log, instead or log])))
        self._connection.execute(t.imports.insert().values(log=log, offset=offset, day=day))

    def _add_up(
        self, insert: "sqlite.Insert", sums: dict[str, Any], table: sa.Table, rows: Iterable[SourceCounts | DailyCounts]
    ) -> None:
        statement = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=sums)
        for chunk in t.chunks([row._asdict() for row in rows]):
            self._connection.execute(statement, chunk)


def _sum(number: sa.ColumnElement[int]) -> "sa.Cast[int]":
    """Return the expression for the sum as an integer; PostgreSQL returns a decimal for large ones."""
    return sa.cast(sa.func.sum(number), sa.BigInteger)


def _larger_subscribers(insert: "sqlite.Insert", table: sa.Table) -> "sa.Case[Any]":
    """Return the expression for the larger number of subscribers; a number is larger than null."""
    new, old = insert.excluded["subscribers"], table.c.subscribers
    return sa.case((new > sa.func.coalesce(old, -1), new), else_=old)
