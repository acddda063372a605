"""Parses `schedule.cron` as crontab(5) does.

There, weekdays count from Sunday, and a line with a day of the month and a weekday runs on either. In APScheduler,
weekdays count from Monday, and both days must match.
"""

import re
from datetime import tzinfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from feeds.core.errors import ConfigError

Trigger = BaseTrigger
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBERS = {day: number for number, day in enumerate(_DAYS)} | {str(number): number for number in range(8)}
_WEEKDAYS = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d?))?")


def parse_cron(cron: str | None, zone: tzinfo) -> BaseTrigger | None:
    """Return the trigger of `schedule.cron`, None if it is not set. Raise `ConfigError` if it is invalid."""
    if not cron:
        return None
    try:
        minute, hour, day, month, weekday = cron.split()
        either = not day.startswith("*") and not weekday.startswith("*")
        weekday = weekday if weekday == "*" else _weekday_names(weekday)
        triggers = [
            CronTrigger.from_crontab(f"{minute} {hour} {days} {month} {weekdays}", timezone=zone)
            for days, weekdays in ([(day, "*"), ("*", weekday)] if either else [(day, weekday)])
        ]
    except ValueError as error:
        raise ConfigError([f"schedule.cron: {cron!r}: {error}"]) from None
    return triggers[0] if len(triggers) == 1 else OrTrigger(triggers)


def _weekday_names(weekdays: str) -> str:
    """Return the names of weekdays, such as "sun,mon" for "0-1". Raise `ValueError` if they are invalid."""
    numbers: set[int] = set()
    for part in weekdays.lower().split(","):
        match = _WEEKDAYS.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no weekday")
        step = int(match["step"] or 1)
        first = _number(match["first"] or "0")
        last = _number(match["last"] or ("6" if match["first"] is None or match["step"] else match["first"]))
        last += 7 if last < first else 0  # fri-mon; 5-7 ends with Sunday
        numbers |= {number % 7 for number in range(first, last + 1, step)}
    return ",".join(_DAYS[number] for number in sorted(numbers))


def _number(day: str) -> int:
    if day not in _NUMBERS:
        raise ValueError(f"{day!r} is no weekday: 0 and 7 are Sunday, 1 is Monday")
    return _NUMBERS[day]
