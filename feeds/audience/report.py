"""What is told of who reads: subscribers by feed and reader, and how well those behave who poll."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from feeds import readers
from feeds.audience.days import rows_of
from feeds.catalog import Counted, StatsReader

_ROBOTS = {"crawler", "browser"}  # who never subscribes


class Subscribers(NamedTuple):
    """One reader's of one feed."""

    name: str
    kind: str
    subscribers: int

    @property
    def is_doubtful(self) -> bool:
        """Whether the number is as large as it is allowed to be, and so is probably invented."""
        return readers.is_doubtful(self.name, self.kind, self.subscribers)


@dataclass(slots=True)
class Sums:
    """What was asked, and what it cost."""

    polls: int = 0
    unchanged: int = 0  # answered with a 304
    bytes: int = 0
    saved: int = 0  # bytes that a 304 made needless

    def add(self, row: Counted) -> None:
        """Add what a row says."""
        self.polls += row.polls
        self.unchanged += row.unchanged
        self.bytes += row.bytes
        self.saved += row.saved

    @property
    def share_unchanged(self) -> float:
        """The share of polls that were answered with a 304, from 0 to 1."""
        return self.unchanged / self.polls if self.polls else 0.0


@dataclass(slots=True)
class FeedReport:
    """One feed: its subscribers now, and its polls in the whole time that a report is of."""

    path: str  # as in the catalog: "", "tag/ai"
    readers: list[Subscribers] = field(default_factory=list)  # the largest first
    sums: Sums = field(default_factory=Sums)

    @property
    def subscribers(self) -> int:
        """All readers' together."""
        return sum(reader.subscribers for reader in self.readers)


@dataclass(slots=True)
class Report:
    """Who reads now, and how that came about."""

    day: str | None  # the last of which anything is known, in UTC; subscribers are of it or of the day before
    feeds: list[FeedReport]  # those that were polled, by path
    robots: list[tuple[str, Sums]]  # crawlers and browsers, the busiest first
    days: dict[str, Sums]
    by_feed: dict[str, Counter[str]]  # day -> feed -> subscribers
    by_reader: dict[str, Counter[str]]  # day -> reader -> subscribers

    @property
    def subscribers(self) -> int:
        """Those of all feeds together: who follows two feeds is two."""
        return sum(feed.subscribers for feed in self.feeds)

    @property
    def sums(self) -> Sums:
        """Of all days."""
        return Sums(*(sum(getattr(day, name) for day in self.days.values()) for name in Sums.__slots__))

    def subscribers_on(self, day: str) -> int:
        """Those of all feeds together on one day."""
        return sum(self.by_feed.get(day, {}).values())

    @classmethod
    def of(cls, catalog: StatsReader, now: datetime, days: int) -> "Report":
        """Make the report of so many days, today among them."""
        since = f"{now - timedelta(days=days - 1):%Y-%m-%d}"
        last = catalog.last_day()
        feeds: dict[str, FeedReport] = {}
        robots: dict[str, Sums] = {}
        report = cls(last, [], [], {}, {}, {})
        rows = rows_of(catalog, since, max(last or since, f"{now:%Y-%m-%d}"))
        for row in rows:
            feeds.setdefault(row.feed, FeedReport(row.feed)).sums.add(row)
            report.days.setdefault(row.day, Sums()).add(row)
            if row.kind in _ROBOTS:
                robots.setdefault(row.reader, Sums()).add(row)
            if row.subscribers:
                report.by_feed.setdefault(row.day, Counter())[row.feed] += row.subscribers
                report.by_reader.setdefault(row.day, Counter())[row.reader] += row.subscribers
        if last:
            first = _day_before(last)
            rows = (
                [row for row in rows if first <= row.day <= last] if first >= since else rows_of(catalog, first, last)
            )
            for path, readers in _latest(rows).items():
                feeds.setdefault(path, FeedReport(path)).readers = readers
        report.feeds = [feeds[path] for path in sorted(feeds)]
        report.robots = sorted(robots.items(), key=lambda one: (-one[1].polls, one[0]))
        return report


def subscribers(catalog: StatsReader) -> dict[str, int]:
    """Give each feed's subscribers now; nothing of one that has none."""
    last = catalog.last_day()
    rows = rows_of(catalog, _day_before(last), last) if last else []
    return {path: sum(reader.subscribers for reader in readers) for path, readers in _latest(rows).items()}


def _latest(rows: Iterable[Counted]) -> dict[str, list[Subscribers]]:
    """Give each feed's readers of the better one of two days: while a day is not over not everybody has polled."""
    found: dict[str, dict[str, list[Subscribers]]] = {}
    for row in rows:
        if row.subscribers:
            mine = Subscribers(row.reader, row.kind, row.subscribers)
            found.setdefault(row.feed, {}).setdefault(row.day, []).append(mine)
    latest = {}
    for path, days in found.items():
        day = max(days, key=lambda day: (sum(reader.subscribers for reader in days[day]), day))
        latest[path] = sorted(days[day], key=lambda reader: (-reader.subscribers, reader.name))
    return latest


def _day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def in_bytes(number: float) -> str:
    """Write a number of bytes for people."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 999.5:  # noqa: PLR2004
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} {unit}" if unit == "B" or number >= 99.95 else f"{number:.1f} {unit}"  # noqa: PLR2004
