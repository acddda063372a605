"""`schedule.cron`: an expression of crontab(5) -> a `CronSchedule`, the numbers that each of its fields selects.

This module is the only one that knows the syntax. `feeds.publish.cron` builds a trigger from the numbers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from feeds.core.text import printable_excerpt

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST = dict(zip(range(1, 13), (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True))  # days by month
_LAST_DAY = "last"
_PART = re.compile(r"(?:\*|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]{1,9}))?")
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """The times of `schedule.cron`; each tuple is sorted and has at least one number, except `days` with `last_day`.

    Attributes:
        minutes: 0 to 59.
        hours: 0 to 23.
        days: days of the month, 1 to 31.
        last_day: whether the last day of the month is selected too.
        months: 1 to 12.
        weekdays: 0 (Sunday) to 6.
        on_either: whether it is enough that the day or the weekday matches, as in crontab(5) if neither field begins
            with "*". Otherwise, both must match.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    last_day: bool
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    on_either: bool


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    minimum: int
    maximum: int
    names: tuple[str, ...] = ()  # of the numbers from `minimum` on
    wraps: bool = False  # true for weekdays: a range may continue at the minimum (fri-mon), whose second number is 7

    def parse(self, text: str) -> tuple[int, ...]:
        """Return the numbers that a list selects, sorted. Raise `ValueError` for a mistake."""
        return tuple(sorted({number for part in text.split(",") for number in self._parse_part(part)}))

    def _parse_part(self, part: str) -> Iterator[int]:
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{self.name}: {_quoted(part)} is not a number, a range like 1-5, or a step like */5")
        step = self._parse_step(match["step"])
        first, last = self.minimum, self.maximum
        if match["first"]:
            first = self._parse_number(match["first"])
            if match["last"]:
                last = self._parse_number(match["last"])
            elif not match["step"]:
                last = first
        if last < first and not self.wraps:
            raise ValueError(f"{self.name}: {_quoted(part)} is a range that ends before it begins")
        span = self.maximum - self.minimum + 1
        for number in range(first, last + 1 if last >= first else last + span + 1, step):
            yield (number - self.minimum) % span + self.minimum

    def _parse_number(self, word: str) -> int:
        if word in self.names:
            return self.minimum + self.names.index(word)
        highest = self.maximum + self.wraps
        if _NUMBER.fullmatch(word) and self.minimum <= int(word) <= highest:
            return int(word)
        names = f", or a name like {self.names[0]}" if self.names else ""
        raise ValueError(f"{self.name}: {_quoted(word)} is not a number from {self.minimum} to {highest}{names}")

    def _parse_step(self, step: str | None) -> int:
        longest = self.maximum - self.minimum
        if step is not None and not 1 <= int(step) <= longest:
            raise ValueError(f"{self.name}: a step is a number from 1 to {longest}")
        return int(step or 1)


_MINUTE, _HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY, _MONTH = _Field("day", 1, 31), _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("weekday", 0, 6, WEEKDAYS, wraps=True)


def _quoted(text: str) -> str:
    return f"'{printable_excerpt(text)}'"


def parse_cron(expression: str) -> CronSchedule:
    """Return the schedule of an expression with five fields: minute, hour, day, month and weekday.

    Each field is a list of numbers, ranges and steps. Months and weekdays may be names, in any case. Weekdays are 0 to
    7 from Sunday to Sunday, and a range of them may continue after Saturday. The day `last` is the last one of the
    month.

    Raises:
        ValueError: the expression has a mistake, or selects no day of any year.
    """
    fields = expression.lower().split()
    if len(fields) != 5:  # noqa: PLR2004
        raise ValueError('must have five fields like "*/15 * * * *"')
    minute, hour, day, month, weekday = fields
    numbered_days = [part for part in day.split(",") if part != _LAST_DAY]
    schedule = CronSchedule(
        minutes=_MINUTE.parse(minute),
        hours=_HOUR.parse(hour),
        days=_DAY.parse(",".join(numbered_days)) if numbered_days else (),
        last_day=_LAST_DAY in day.split(","),
        months=_MONTH.parse(month),
        weekdays=_WEEKDAY.parse(weekday),
        on_either=not day.startswith("*") and not weekday.startswith("*"),
    )
    if not (schedule.on_either or schedule.last_day):
        first_day = schedule.days[0]
        if first_day > max(_LONGEST[number] for number in schedule.months):
            raise ValueError(f"selects no day: none of its months has {first_day} days; use null for no schedule")
    return schedule
