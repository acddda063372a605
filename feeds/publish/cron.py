"""Builds the trigger of `schedule.cron`.

If an expression of crontab(5) has a day of the month and a weekday, it selects the days that match either of them. A
trigger of APScheduler selects only days that match both, so two triggers are combined.
"""

from collections.abc import Sequence
from datetime import tzinfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from feeds.config.cron import WEEKDAYS, CronSchedule

Trigger = BaseTrigger
_ANY = "*"


def create_trigger(cron: CronSchedule | None, zone: tzinfo) -> BaseTrigger | None:
    """Return the trigger of `schedule.cron` in a time zone, None if it is not set."""
    if cron is None:
        return None
    days = _list([*cron.days, *(["last"] if cron.last_day else [])])
    weekdays = _list([WEEKDAYS[number] for number in cron.weekdays])
    triggers = [
        CronTrigger(
            minute=_list(cron.minutes),
            hour=_list(cron.hours),
            day=day,
            month=_list(cron.months),
            day_of_week=weekday,
            timezone=zone,
        )
        for day, weekday in ([(days, _ANY), (_ANY, weekdays)] if cron.on_either else [(days, weekdays)])
    ]
    return triggers[0] if len(triggers) == 1 else OrTrigger(triggers)


def _list(values: Sequence[int | str]) -> str:
    return ",".join(map(str, values))
