"""`schedule.cron`, as crontab(5) has it: weekdays count from Sunday, and of two kinds of days either will do.

APScheduler counts them from Monday, and would want both.
"""

import re
from datetime import tzinfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from feeds.errors import ConfigError

Trigger = BaseTrigger
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBERS = {day: number for number, day in enumerate(_DAYS)} | {str(number): number for number in range(8)}
_SOME_DAYS = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d?))?")


def trigger(cron: str | None, zone: tzinfo) -> BaseTrigger | None:
    """Read `schedule.cron`. Raises `ConfigError` for what no clock can follow."""
    if not cron:
        return None
    try:
        minute, hour, day, month, weekday = cron.split()
        either = not day.startswith("*") and not weekday.startswith("*")
        weekday = weekday if weekday == "*" else _named(weekday)
        triggers = [
            CronTrigger.from_crontab(f"{minute} {hour} {one} {month} {other}", timezone=zone)
            for one, other in ([(day, "*"), ("*", weekday)] if either else [(day, weekday)])
        ]
    except ValueError as error:
        raise ConfigError([f"schedule.cron: {cron!r}: {error}"]) from None
    return triggers[0] if len(triggers) == 1 else OrTrigger(triggers)


def _named(weekdays: str) -> str:
    """Give the names of weekdays, which mean the same to everybody. Raises `ValueError`."""
    found: set[int] = set()
    for part in weekdays.lower().split(","):
        match = _SOME_DAYS.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no weekday")
        step = int(match["step"] or 1)
        first = _number(match["first"] or "0")
        last = _number(match["last"] or ("6" if match["first"] is None or match["step"] else match["first"]))
        last += 7 if last < first else 0  # fri-mon; and 5-7 ends with a Sunday
        found |= {number % 7 for number in range(first, last + 1, step)}
    return ",".join(_DAYS[number] for number in sorted(found))


def _number(day: str) -> int:
    if day not in _NUMBERS:
        raise ValueError(f"{day!r} is no weekday: 0 and 7 are Sunday, 1 is Monday")
    return _NUMBERS[day]
