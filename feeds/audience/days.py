"""What a day came to: counted of its visits, and kept in their place when it is over."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from operator import add, attrgetter

from feeds import readers
from feeds.audience.tally import OTHER
from feeds.catalog import Catalog, Counted, StatsReader

_GRACE = timedelta(minutes=2)  # in which the workers tell what they counted of the day before
_LOGS_GRACE = timedelta(days=8)  # in which the rest of a log's last day comes, when logs are rotated every week
_OPEN = timedelta(days=35)  # of logs that are just being read
_MOST = 2_000  # rows that are kept of a day; and one for each feed
_RANK: tuple[str, ...] = (
    "service",
    "person",
    "unknown",
    "crawler",
    "browser",
)  # which kind a reader is that is several


def count(catalog: StatsReader, day: str) -> list[Counted]:
    """Count a day that is not closed: the rows that say most, and one for each feed of the others."""
    rows: list[Counted] = []
    for row in catalog.sums(day):
        number = readers.subscribers(row.reader, row.kind, row.sources, row.subscribers)
        last = rows[-1] if rows else None
        if last and (last.feed, last.reader) == row[:2]:
            # one name may be of two kinds: Apple's directory polls, and so did its program
            kind, number = min(last.kind, row.kind, key=_RANK.index), last.subscribers + number
            rows[-1] = Counted(day, last.feed, last.reader, kind, number, *map(add, last[5:], row[5:]))
        else:
            rows.append(Counted(day, row.feed, row.reader, row.kind, number, *row[5:]))
    return _largest(rows)


def rows_of(catalog: StatsReader, since: str, until: str) -> list[Counted]:
    """Give what days came to, also those that are not over, from one to another."""
    rows = list(catalog.audience(since, until))
    for day in catalog.open_days():
        if since <= day <= until:
            rows += count(catalog, day)
    return merged(rows)


def merged(rows: Iterable[Counted]) -> list[Counted]:
    """Make one row of several of the same day, feed and reader: polls add up, of subscribers the most count."""
    found: dict[tuple[str, str, str], Counted] = {}
    for row in rows:
        key = row[:3]
        old = found.get(key)
        if old:
            sums = (mine + theirs for mine, theirs in zip(old[5:], row[5:], strict=True))
            row = Counted(*key, old.kind, max(old.subscribers, row.subscribers), *sums)  # noqa: PLW2901
        found[key] = row
    return [found[key] for key in sorted(found)]


def close_days(catalog: Catalog, now: datetime, keep: int, *, more_logs: bool = False) -> bool:
    """Close the days that are over and delete what is older than `keep` days. Return whether there was any.

    A day that came from logs stays open while its rest may come: until a later one was read, or eight days. With
    `more_logs`, logs are being read. The hashes of closed days are deleted; `Catalog.erase_closed_days` erases them.
    Safe for any number of processes. Raises `CatalogError`.
    """
    with catalog.read_stats() as reader:
        if not _over(reader, now, more_logs=more_logs):
            return False
    with catalog.write_stats() as writer:
        for day in _over(writer, now, more_logs=more_logs):  # by now
            writer.close(day, count(writer, day))
        writer.forget_before(f"{now - timedelta(days=keep):%Y-%m-%d}")
    return True


def _over(catalog: StatsReader, now: datetime, *, more_logs: bool) -> list[str]:
    today = f"{now - _GRACE:%Y-%m-%d}"
    over = [day for day in catalog.open_days(imported=False) if day < today]
    logged = catalog.open_days(imported=True)
    if logged:
        last = logged[-1] if logged[-1] >= f"{now - _LOGS_GRACE:%Y-%m-%d}" else today
        last = (date.fromisoformat(logged[-1]) - _OPEN).isoformat() if more_logs else last
        over += [day for day in logged if day < last]
    return over


def _largest(rows: list[Counted]) -> list[Counted]:
    """Keep the rows that say most, and make one for each feed of the others, with all their subscribers."""
    rows = sorted(rows, key=attrgetter("subscribers", "polls"), reverse=True)
    kept = [row for row in rows[:_MOST] if row.reader != OTHER]
    folded: dict[str, Counted] = {}
    for row in (row for at, row in enumerate(rows) if at >= _MOST or row.reader == OTHER):
        old = folded.get(row.feed) or Counted(row.day, row.feed, OTHER, "unknown", 0, 0, 0, 0, 0, 0)
        folded[row.feed] = Counted(*old[:4], *map(add, old[4:], row[4:]))
    return [*kept, *folded.values()]
