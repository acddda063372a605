"""The charts of `/stats` in the language and the direction of the page."""

import re
from datetime import date

import pytest

from feeds.pages.charts import NARROW_WIDTH, WIDTH, plot
from feeds.pages.translations import interface_of, languages

COUNTS = {f"2026-05-{day:02}": {"/": 1200 + day, **{f"/tag/{n}/": n for n in range(9)}} for day in range(1, 31)}


def chart(language, width=WIDTH):
    """Return a chart of 30 days."""
    return plot("Title", "2026-05-30", 90, COUNTS, interface_of(language), width)


def points(line):
    """Return the coordinates of a line."""
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", line.path)]


@pytest.mark.parametrize("width", [WIDTH, NARROW_WIDTH])
def test_the_direction_of_time(width):
    """In Arabic, a chart is the mirror image of the English one: time runs from right to left."""
    english, arabic = chart("en", width), chart("ar", width)
    for one, other in zip(english.lines, arabic.lines, strict=True):
        assert points(other) == [(pytest.approx(width - x, abs=0.2), y) for x, y in points(one)]
    assert [width - tick.position for tick in arabic.columns] == [tick.position for tick in english.columns]
    assert (arabic.left, arabic.right, arabic.row_labels) == (
        width - english.right, width - english.left, width - english.row_labels,
    )  # fmt: skip
    assert arabic.rows == english.rows


@pytest.mark.parametrize(
    ("language", "day", "number", "others"),
    [("en", "30 May", "1,250", "all others"), ("de-AT", "30. Mai", "1.250", "alle übrigen"),
     ("ja", "5月30日", "1,250", "その他すべて"), ("sw", "30 May", "1,250", "all others")],
)  # fmt: skip
def test_labels(language, day, number, others):
    """Days, numbers and the line of all other series are named in the language of the page."""
    shown = chart(language)
    assert shown.columns[-1].label == day
    assert shown.rows[-1].label == number
    assert shown.lines[-1].name == others
    assert shown.days[-1] == interface_of(language).short_date(date(2026, 5, 30))


@pytest.mark.parametrize("language", languages())
def test_summaries(language):
    """The summary for screen readers has the first and the last day, and the last values."""
    shown = chart(language)
    assert all(text in shown.summary for text in (shown.days[0], shown.days[-1], interface_of(language).number(1230)))
    assert plot("T", "2026-05-30", 2, {}, interface_of(language)).lines == ()
