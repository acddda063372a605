"""The geometry of line charts over days, which a template draws in SVG, without scripts or inline styles.

In languages that are written from right to left, time runs from right to left too, and the y axis is on the right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from feeds.pages.translations import Interface, mark

WIDTH, HEIGHT = 720, 260  # in units of the SVG, as all coordinates
NARROW_WIDTH = 340  # for phones: the text of a wide chart would be too small there
_WIDTH_PER_LABEL = 120  # on the x axis
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 28  # margins
_MAX_SERIES = 7  # with a line of their own; the others share one
_OTHERS = mark("all others")
_NOTHING = mark("none yet")
_SUMMARY = mark("{first} to {last}; last values: {values}.")
_LABEL_GAP = 8  # between the y axis and its labels
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class ChartLine:
    """The line of one series."""

    name: str
    path: str  # SVG path data, with a gap for each day without a value
    values: tuple[int | None, ...]  # by day
    last: int


class Tick(NamedTuple):
    """A labelled position on an axis."""

    position: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart over days."""

    title: str
    summary: str  # the last values in a sentence, for screen readers
    lines: tuple[ChartLine, ...]
    days: tuple[str, ...]  # as dates in the language of the page
    rows: tuple[Tick, ...]  # on the y axis
    columns: tuple[Tick, ...]  # on the x axis
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    row_labels: int = _LEFT - _LABEL_GAP  # where the labels of the y axis end
    bottom: int = HEIGHT - _BOTTOM


def plot(
    title: str,
    until: str,
    length: int,
    counts: Mapping[str, Mapping[str, int]],
    interface: Interface,
    width: int = WIDTH,
) -> Chart:
    """Return a chart with a line for each of the largest series, and one line for all others.

    Args:
        title: the title.
        until: the last day, in ISO 8601.
        length: the number of days; the chart begins with the first of them that has counts.
        counts: the numbers by day and name.
        interface: the language and the direction of the chart.
        width: the width of the chart.
    """
    translate = interface.messages.gettext
    end = date.fromisoformat(until)
    days = tuple((end - timedelta(days=back)).isoformat() for back in range(length - 1, -1, -1))
    days = days[next((index for index, day in enumerate(days) if day in counts), 0) :]
    totals: dict[str, int] = {}
    for day in days:
        for name, number in counts.get(day, {}).items():
            totals[name] = totals.get(name, 0) + number
    names = sorted(totals, key=lambda name: (-totals[name], name))
    largest, others = names[:_MAX_SERIES], names[_MAX_SERIES:]
    values = {name: [counts[day].get(name, 0) if day in counts else None for day in days] for name in largest}
    if others:
        values[translate(_OTHERS)] = [
            sum(counts[day].get(name, 0) for name in others) if day in counts else None for day in days
        ]
    maximum = max((number or 0 for series in values.values() for number in series), default=0)
    step = _step(maximum)
    top = step * max(1, -(-maximum // step))
    axis = _TimeAxis(len(days), width, interface.direction == "rtl")
    lines = tuple(_line(name, series, top, axis) for name, series in values.items())
    rows = tuple(Tick(_y(value, top), interface.number(value)) for value in range(0, top + 1, step))
    interval = max(1, len(days) // (width // _WIDTH_PER_LABEL))
    dates = [date.fromisoformat(day) for day in days]
    columns = tuple(
        Tick(axis.x(index), interface.day_and_month(dates[index])) for index in range(len(days) - 1, -1, -interval)
    )[::-1]
    last_values = interface.list_separator.join(f"{line.name} {interface.number(line.last)}" for line in lines)
    labels = tuple(map(interface.short_date, dates))
    summary = translate(_SUMMARY).format(first=labels[0], last=labels[-1], values=last_values or translate(_NOTHING))
    return Chart(title, summary, lines, labels, rows, columns, width, left=axis.left, right=axis.right,
                 row_labels=axis.row_labels)  # fmt: skip


class _TimeAxis(NamedTuple):
    """The x axis, with a position for each day."""

    days: int
    width: int
    is_rtl: bool

    def x(self, index: int) -> float:
        """Return the position of a day."""
        share = index / (self.days - 1) if self.days > 1 else 0.5
        position = _LEFT + (self.width - _LEFT - _RIGHT) * share
        return self.width - position if self.is_rtl else position

    @property
    def left(self) -> int:
        """The left end."""
        return _RIGHT if self.is_rtl else _LEFT

    @property
    def right(self) -> int:
        """The right end."""
        return self.width - (_LEFT if self.is_rtl else _RIGHT)

    @property
    def row_labels(self) -> int:
        """The position at which the labels of the y axis end; they are outside of the chart."""
        return self.right + _LABEL_GAP if self.is_rtl else self.left - _LABEL_GAP


def _line(name: str, values: Sequence[int | None], top: float, axis: _TimeAxis) -> ChartLine:
    parts: list[str] = []
    previous = None
    for index, value in enumerate(values):
        if value is not None:
            continues = previous is not None
            x, y = axis.x(index), _y(value, top)
            parts.append(f"{'L' if continues else 'M'}{x:.1f} {y:.1f}{'' if continues else 'h0'}")
        previous = value
    last = next((value for value in reversed(values) if value is not None), 0)
    return ChartLine(name, "".join(parts), tuple(values), last)


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top


def _step(maximum: int) -> int:
    """Return the distance between two ticks of the y axis: a round number, about a fifth of the largest value."""
    power = 1
    while power * 50 < maximum:
        power *= 10
    steps = (power * step for step in _STEPS if power * step == int(power * step))
    return int(next((step for step in steps if step * 5 >= maximum), 1))
