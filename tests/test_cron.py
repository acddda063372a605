"""schedule.cron: which expressions are valid, and when they fire."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from feeds.config.cron import parse_cron
from feeds.core.text import escape_unprintable
from feeds.publish.cron import create_trigger

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOW = datetime(2026, 6, 1, tzinfo=UTC)  # a Monday


def fire_times(trigger, count):
    """Return the first times after `NOW` at which a trigger fires."""
    times = [trigger.get_next_fire_time(None, NOW)]
    while len(times) < count and times[-1]:
        times.append(trigger.get_next_fire_time(times[-1], times[-1]))
    return times


def weekdays_of(expression, days):
    """Return the weekdays at which an expression fires within some days from a Monday."""
    times = fire_times(create_trigger(parse_cron(expression), UTC), days)
    return [WEEKDAYS[at.weekday()] for at in times if at < NOW + timedelta(days=days)]


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("*", "Mon Tue Wed Thu Fri Sat Sun"), ("1", "Mon"), ("0", "Sun"), ("7", "Sun"), ("1-5", "Mon Tue Wed Thu Fri"),
        ("5-7", "Fri Sat Sun"), ("0-2", "Mon Tue Sun"), ("0-7", "Mon Tue Wed Thu Fri Sat Sun"), ("7-2", "Mon Tue Sun"), ("*/2", "Tue Thu Sat Sun"),
        ("1-5/2", "Mon Wed Fri"), ("1,3", "Mon Wed"), ("1-2,SAT", "Mon Tue Sat"), ("mon", "Mon"), ("sun-tue", "Mon Tue Sun"),
        ("fri-mon", "Mon Fri Sat Sun"), ("2/3", "Tue Fri"),
    ],
)  # fmt: skip
def test_weekdays_count_from_sunday(weekdays, expected):
    """Weekdays count from Sunday, 0 or 7, as in crontab(5): alone, in ranges, steps and lists."""
    assert weekdays_of(f"0 9 * * {weekdays}", 7) == expected.split()


def test_a_day_or_a_weekday_suffices():
    """An expression with a day of the month and a weekday fires on both, as in crontab(5)."""
    assert weekdays_of("0 9 12 * 1", 14) == ["Mon", "Mon", "Fri"]
    assert weekdays_of("0 9 */11 * 1", 28) == ["Mon"]  # "*/11" begins with "*": both must match, on the 1st


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [
        ("59 23 last feb *", ["2027-02-28 23:59", "2028-02-29 23:59"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 30,LAST Jun *", ["2026-06-30 00:00", "2027-06-30 00:00"]),
        ("*/40 */13 2 6-7 *", ["2026-06-02 00:00", "2026-06-02 00:40", "2026-06-02 13:00", "2026-06-02 13:40", "2026-07-02 00:00"]),
        ("5,5,7-8 0 1 jun-dec/6 *", ["2026-06-01 00:05", "2026-06-01 00:07", "2026-06-01 00:08", "2026-12-01 00:05"]),
        ("050/09 0 1 1 *", ["2027-01-01 00:50", "2027-01-01 00:59"]),
        ("0 0 31 2 fri", ["2027-02-05 00:00"]),
    ],
)  # fmt: skip
def test_fire_times(expression, minutes):
    """Lists, ranges, steps and names select the minutes of crontab(5); `last` is the last day of the month."""
    times = fire_times(create_trigger(parse_cron(expression), UTC), len(minutes))
    assert [f"{at:%Y-%m-%d %H:%M}" for at in times] == minutes


def test_without_a_cron_there_is_no_trigger():
    """`schedule.cron: null` means no trigger."""
    assert create_trigger(None, UTC) is None


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "must have five fields"),
        ("* * * *", "must have five fields"),
        ("* * * * * *", "must have five fields"),
        ("60 * * * *", "minute: '60' is not a number from 0 to 59"),
        ("* 24 * * *", "hour: '24' is not a number from 0 to 23"),
        ("* * 0 * *", "day: '0' is not a number from 1 to 31"),
        ("* * * 13 *", "month: '13' is not a number from 1 to 12, or a name like jan"),
        ("* * * mon *", "month: 'mon' is not a number"),
        ("* * * * 8", "weekday: '8' is not a number from 0 to 7, or a name like sun"),
        ("* * * * x", "weekday: 'x' is not"),
        ("* * * * mon-x", "weekday: 'x' is not"),
        ("* * * * 1/0", "weekday: a step is a number from 1 to 6"),
        ("* * * * -1", "weekday: '-1' is not a number, a range like 1-5, or a step like */5"),
        ("* * * * 1--2", "weekday: '1--2' is not a number, a range"),
        ("* 5-3 * * *", "hour: '5-3' is a range that ends before it begins"),
        ("*/60 * * * *", "minute: a step is a number from 1 to 59"),
        ("*/٣ * * * *", "minute: '*/٣' is not"),
        ("٣ * * * *", "minute: '٣' is not"),
        (", * * * *", "minute: '' is not a number"),
        ("1, * * * *", "minute: '' is not a number"),
        ("* * lastx * *", "day: 'lastx' is not a number"),
        ("* * last-3 * *", "day: 'last' is not a number"),
        ("* * * janx *", "month: 'janx' is not a number"),
        ("@daily", "must have five fields"),
        ("* * 31 feb,apr *", "selects no day: none of its months has 31 days; use null for no schedule"),
        ("* * 30-31 2 */2", "selects no day: none of its months has 30 days; use null for no schedule"),
        ("9" * 5_000 + " * * * *", "minute: '" + "9" * 80 + "…' is not a number"),
        ("*/" + "9" * 5_000 + " * * * *", "minute: '*/" + "9" * 78 + "…' is not a number, a range"),
        ("*\u202e * * * *", r"minute: '*\u202e' is not a number"),
    ],
)  # fmt: skip
def test_mistakes(expression, reason):
    """A mistake is a sentence with the field and the part of it, of bounded length and without unprintable characters."""
    with pytest.raises(ValueError, match="^" + re.escape(reason)):
        parse_cron(expression)


NUMBERS = st.integers(0, 70).map(str) | st.sampled_from(["00", "007", "1000000000", "jan", "DEC", "last", "", "x"])


@st.composite
def parts(draw):
    """Return a part of a field: a valid one more often than not."""
    number = st.integers(1, 12).map(str) | NUMBERS
    part = draw(st.just("*") | number | st.tuples(number, number).map("-".join))
    part += draw(st.just("") | number.map("/{}".format))
    return draw(st.just(part) | st.just(part) | st.sampled_from([part + "*", "/" + part, part + "/2", "-" + part]))


FIELDS = st.lists(parts(), min_size=1, max_size=3).map(",".join)


@given(st.tuples(FIELDS, FIELDS, FIELDS, FIELDS).map(" ".join))
def test_expressions_mean_the_same_to_apscheduler(expression):
    """An expression without weekdays fires when APScheduler fires for it, and is invalid if APScheduler rejects it.

    Steps and names are exceptions: APScheduler rejects a step that is longer than its range, and steps of names. It
    ignores what follows a name.
    """
    is_exception = re.search("[a-zA-Z/]", expression)
    try:
        expected = fire_times(CronTrigger.from_crontab(f"{expression} *", UTC), 5)
    except ValueError:
        expected = None
    try:
        schedule = parse_cron(f"{expression} *")
    except ValueError:
        assert expected in (None, [None]) or is_exception
        return
    times = fire_times(create_trigger(schedule, UTC), 5)
    assert all(times)
    assert times == expected or (is_exception and (expected is None or re.search("[a-zA-Z]", expression)))


@given(st.lists(st.text() | FIELDS, min_size=5, max_size=5).map(" ".join) | st.text())
def test_any_text_is_an_expression_or_a_mistake(text):
    """Every text either fires at some time or is rejected with a reason."""
    try:
        schedule = parse_cron(text)
    except ValueError as error:
        assert str(error)
        assert str(error) == escape_unprintable(str(error))
        return
    assert all(fire_times(create_trigger(schedule, UTC), 2))
