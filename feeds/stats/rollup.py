"""Computes the counts of a day from those of its sources, and stores them when the day is finished."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from operator import attrgetter

from feeds.catalog import Catalog, DailyCounts, PollTotals, StatsReader
from feeds.stats import user_agents
from feeds.stats.counter import OTHER

_GRACE = timedelta(minutes=2)  # after midnight, until all workers have written their counts of the day before
_LOGS_GRACE = timedelta(days=8)  # after a log's last day: with weekly rotation, the rest of the day is imported later
_IMPORT_GRACE = timedelta(days=35)  # before the newest day of the logs that are being read, since more may follow
_MAX_ROWS_A_DAY = 2_000  # beyond this number, rows are added up to one for each feed
_KIND_ORDER: tuple[str, ...] = ("service", "person", "unknown", "crawler", "browser")  # for a reader with several kinds
_SUMS = ("polls", "unchanged", "unconditional", "bytes", "saved")


def count_day(catalog: StatsReader, day: str) -> list[DailyCounts]:
    """Return the counts of a day that is not closed: the largest rows, and for each feed the sums of the others."""
    rows: list[DailyCounts] = []
    for totals in catalog.poll_totals(day):
        subscribers = user_agents.count_subscribers(totals.reader, totals.kind, totals.sources, totals.subscribers)
        last = rows[-1] if rows else None
        if last and (last.feed, last.reader) == (totals.feed, totals.reader):
            # one name may have two kinds: Apple's directory polls, and its program does
            kind = min(last.kind, totals.kind, key=_KIND_ORDER.index)
            rows[-1] = _add(last, totals, kind=kind, subscribers=last.subscribers + subscribers)
        else:
            sums = {name: getattr(totals, name) for name in _SUMS}
            rows.append(DailyCounts(day, totals.feed, totals.reader, totals.kind, subscribers, **sums))
    return _keep_largest(rows)


def daily_counts(catalog: StatsReader, since: str, until: str) -> list[DailyCounts]:
    """Return the counts of the days from `since` to `until`, closed or not, by day, feed and reader."""
    rows = list(catalog.daily_counts(since, until))
    for day in catalog.open_days():
        if since <= day <= until:
            rows += count_day(catalog, day)
    return merge(rows)


def merge(rows: Iterable[DailyCounts]) -> list[DailyCounts]:
    """Return one row for each day, feed and reader: with the sum of all polls and the largest number of subscribers."""
    merged: dict[tuple[str, str, str], DailyCounts] = {}
    for row in rows:
        key = (row.day, row.feed, row.reader)
        old = merged.get(key)
        merged[key] = _add(old, row, subscribers=max(old.subscribers, row.subscribers)) if old else row
    return [merged[key] for key in sorted(merged)]


def roll_up_finished_days(catalog: Catalog, now: datetime, keep: int, *, more_logs: bool = False) -> bool:
    """Close finished days, and delete days that are older than `keep` days. Return whether there were finished days.

    A day that was imported from logs stays open as long as more of its polls may follow: until a later day is read, or
    for eight days. The hashes of closed days are deleted; `Catalog.erase_closed_days` erases them. Several processes
    may call this at the same time. Raise `CatalogError` if the catalog can't be written.

    Args:
        catalog: the catalog.
        now: the time.
        keep: how many days of counts are kept.
        more_logs: whether more logs are being read.
    """
    with catalog.read_stats() as reader:
        if not _finished_days(reader, now, more_logs=more_logs):
            return False
    with catalog.write_stats() as writer:
        for day in _finished_days(writer, now, more_logs=more_logs):  # another process may have closed some
            writer.close_day(day, count_day(writer, day))
        writer.delete_before(f"{now - timedelta(days=keep):%Y-%m-%d}")
    return True


def _finished_days(catalog: StatsReader, now: datetime, *, more_logs: bool) -> list[str]:
    today = f"{now - _GRACE:%Y-%m-%d}"
    finished = [day for day in catalog.open_days(imported=False) if day < today]
    imported = catalog.open_days(imported=True)
    if imported:
        newest = imported[-1]
        until = newest if newest >= f"{now - _LOGS_GRACE:%Y-%m-%d}" else today
        if more_logs:
            until = (date.fromisoformat(newest) - _IMPORT_GRACE).isoformat()
        finished += [day for day in imported if day < until]
    return finished


def _keep_largest(rows: list[DailyCounts]) -> list[DailyCounts]:
    """Return the largest rows, and one for each feed with the sums of the others, subscribers included."""
    rows = sorted(rows, key=attrgetter("subscribers", "polls"), reverse=True)
    kept = [row for row in rows[:_MAX_ROWS_A_DAY] if row.reader != OTHER]
    folded: dict[str, DailyCounts] = {}
    for row in (row for number, row in enumerate(rows) if number >= _MAX_ROWS_A_DAY or row.reader == OTHER):
        total = folded.get(row.feed) or DailyCounts(row.day, row.feed, OTHER, "unknown", 0, 0, 0, 0, 0, 0)
        folded[row.feed] = _add(total, row, subscribers=total.subscribers + row.subscribers)
    return [*kept, *folded.values()]


def _add(
    row: DailyCounts, added: DailyCounts | PollTotals, *, subscribers: int, kind: str | None = None
) -> DailyCounts:
    """Return a row with the polls of another one added."""
    sums = {name: getattr(row, name) + getattr(added, name) for name in _SUMS}
    return row._replace(kind=kind or row.kind, subscribers=subscribers, **sums)
