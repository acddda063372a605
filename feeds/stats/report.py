"""The report on subscribers by feed and reader, and on the polls of readers."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from feeds.catalog import DailyCounts, StatsReader
from feeds.stats import user_agents
from feeds.stats.rollup import daily_counts

_ROBOTS = {"crawler", "browser"}  # kinds without subscribers


class Subscribers(NamedTuple):
    """The subscribers of one feed that use one reader."""

    name: str
    kind: str
    subscribers: int

    @property
    def is_doubtful(self) -> bool:
        """Whether the number is the largest accepted one, so the service has probably invented it."""
        return user_agents.is_doubtful(self.name, self.kind, self.subscribers)


@dataclass(slots=True)
class ReportTotals:
    """Sums of polls and of the bytes that were sent."""

    polls: int = 0
    unchanged: int = 0  # answered with a 304
    bytes: int = 0
    saved: int = 0  # bytes that a 304 saved

    def add(self, row: DailyCounts) -> None:
        """Add the polls of a row."""
        self.polls += row.polls
        self.unchanged += row.unchanged
        self.bytes += row.bytes
        self.saved += row.saved

    @property
    def share_unchanged(self) -> float:
        """The share of polls that were answered with a 304, from 0 to 1."""
        return self.unchanged / self.polls if self.polls else 0.0


class RobotTotals(NamedTuple):
    """A crawler or browser, and its polls in the period of the report."""

    name: str
    totals: ReportTotals


@dataclass(slots=True)
class FeedReport:
    """One feed: its subscribers now, and its polls in the period of the report."""

    path: str  # as in the catalog: "", "tag/ai"
    readers: list[Subscribers] = field(default_factory=list)  # the largest first
    sums: ReportTotals = field(default_factory=ReportTotals)

    @property
    def subscribers(self) -> int:
        """The sum over all readers."""
        return sum(reader.subscribers for reader in self.readers)


@dataclass(slots=True)
class Report:
    """Subscribers now, and the polls and subscribers of each day of a period."""

    day: str | None  # the last day with counts, in UTC; subscribers are those of this day or of the day before
    feeds: list[FeedReport]  # with polls, by path
    robots: list[RobotTotals]  # crawlers and browsers, the busiest first
    days: dict[str, ReportTotals]
    by_feed: dict[str, Counter[str]]  # day -> feed -> subscribers
    by_reader: dict[str, Counter[str]]  # day -> reader -> subscribers

    @property
    def subscribers(self) -> int:
        """The sum over all feeds; a subscriber of two feeds counts twice."""
        return sum(feed.subscribers for feed in self.feeds)

    @property
    def sums(self) -> ReportTotals:
        """The sum over all days."""
        return ReportTotals(*(sum(getattr(day, name) for day in self.days.values()) for name in ReportTotals.__slots__))

    def subscribers_on(self, day: str) -> int:
        """Return the sum of subscribers of all feeds on one day."""
        return sum(self.by_feed.get(day, {}).values())

    @classmethod
    def of(cls, catalog: StatsReader, now: datetime, days: int) -> "Report":
        """Return the report on the last `days` days, including today."""
        since = f"{now - timedelta(days=days - 1):%Y-%m-%d}"
        last = catalog.last_day()
        feeds: dict[str, FeedReport] = {}
        robots: dict[str, ReportTotals] = {}
        report = cls(last, [], [], {}, {}, {})
        rows = daily_counts(catalog, since, max(last or since, f"{now:%Y-%m-%d}"))
        for row in rows:
            feeds.setdefault(row.feed, FeedReport(row.feed)).sums.add(row)
            report.days.setdefault(row.day, ReportTotals()).add(row)
            if row.kind in _ROBOTS:
                robots.setdefault(row.reader, ReportTotals()).add(row)
            if row.subscribers:
                report.by_feed.setdefault(row.day, Counter())[row.feed] += row.subscribers
                report.by_reader.setdefault(row.day, Counter())[row.reader] += row.subscribers
        if last:
            first = _day_before(last)
            rows = (
                [row for row in rows if first <= row.day <= last]
                if first >= since
                else daily_counts(catalog, first, last)
            )
            for path, readers in _latest(rows).items():
                feeds.setdefault(path, FeedReport(path)).readers = readers
        report.feeds = [feeds[path] for path in sorted(feeds)]
        by_polls = sorted(robots.items(), key=lambda robot: (-robot[1].polls, robot[0]))
        report.robots = [RobotTotals(name, totals) for name, totals in by_polls]
        return report


def subscribers_by_feed(catalog: StatsReader) -> dict[str, int]:
    """Return the subscribers of each feed by path, without feeds that have none."""
    last = catalog.last_day()
    rows = daily_counts(catalog, _day_before(last), last) if last else []
    return {path: sum(reader.subscribers for reader in readers) for path, readers in _latest(rows).items()}


def _latest(rows: Iterable[DailyCounts]) -> dict[str, list[Subscribers]]:
    """Return, by feed, the subscribers of the day with more of them: on the last day, some may not have polled yet."""
    by_day: dict[str, dict[str, list[Subscribers]]] = {}
    for row in rows:
        if row.subscribers:
            subscribers = Subscribers(row.reader, row.kind, row.subscribers)
            by_day.setdefault(row.feed, {}).setdefault(row.day, []).append(subscribers)
    latest = {}
    for path, days in by_day.items():
        day = max(days, key=lambda day: (sum(reader.subscribers for reader in days[day]), day))
        latest[path] = sorted(days[day], key=lambda reader: (-reader.subscribers, reader.name))
    return latest


def _day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def format_bytes(number: float) -> str:
    """Return a number of bytes as text with a unit, such as "1.2 MB"."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 999.5:  # noqa: PLR2004
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} {unit}" if unit == "B" or number >= 99.95 else f"{number:.1f} {unit}"  # noqa: PLR2004
