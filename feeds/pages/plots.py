"""Plots over time, as geometry: a template draws them in SVG. Without scripts, and without styles of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 28  # around the plot
_SERIES = 7  # that are told apart; the others are one
_OTHERS = "all others"
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Line:
    """One series."""

    name: str
    path: str  # of SVG; broken where nothing is known
    values: tuple[int | None, ...]
    last: int


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over days."""

    title: str
    said: str  # in a sentence, for who can't see it
    lines: tuple[Line, ...]
    days: tuple[str, ...]
    rows: tuple[tuple[float, str], ...]  # y of the lines behind, and what they stand for
    columns: tuple[tuple[float, str], ...]  # x, likewise
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def plot(title: str, until: str, length: int, known: Mapping[str, Mapping[str, int]]) -> Plot:
    """Plot `known`, (day -> name -> number), over so many days; the largest series by themselves, the others as one."""
    end = date.fromisoformat(until)
    days = tuple((end - timedelta(days=back)).isoformat() for back in range(length - 1, -1, -1))
    days = days[next((at for at, day in enumerate(days) if day in known), 0) :]  # from the first that is known
    weights: dict[str, int] = {}
    for day in days:
        for name, number in known.get(day, {}).items():
            weights[name] = weights.get(name, 0) + number
    names = sorted(weights, key=lambda name: (-weights[name], name))
    shown, others = names[:_SERIES], names[_SERIES:]
    values = {name: [known[day].get(name, 0) if day in known else None for day in days] for name in shown}
    if others:
        values[_OTHERS] = [sum(known[day].get(name, 0) for name in others) if day in known else None for day in days]
    most = max((number or 0 for series in values.values() for number in series), default=0)
    step = _step(most)
    top = step * max(1, -(-most // step))
    lines = tuple(_line(name, series, top) for name, series in values.items())
    rows = tuple((_y(at, top), f"{at:,.0f}") for at in _range(top, step))
    every = max(1, len(days) // 6)
    columns = tuple((_x(at, len(days)), days[at][5:]) for at in range(len(days) - 1, -1, -every))[::-1]
    now = ", ".join(f"{line.name} {line.last:,}" for line in lines) or "nobody yet"
    return Plot(title, f"{days[0]} to {days[-1]}; at the end: {now}.", lines, days, rows, columns)


def _line(name: str, values: Sequence[int | None], top: float) -> Line:
    parts: list[str] = []
    before = None
    for at, value in enumerate(values):
        if value is not None:
            begun = before is not None
            parts.append(
                f"{'L' if begun else 'M'}{_x(at, len(values)):.1f} {_y(value, top):.1f}{'' if begun else 'h0'}"
            )
        before = value
    last = next((value for value in reversed(values) if value is not None), 0)
    return Line(name, "".join(parts), tuple(values), last)


def _x(at: int, count: int) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * (at / (count - 1) if count > 1 else 0.5)


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top


def _step(most: int) -> int:
    """Give a round number of which some five make the largest value."""
    power = 1
    while power * 50 < most:
        power *= 10
    return int(
        next((power * step for step in _STEPS if power * step * 5 >= most and power * step == int(power * step)), 1)
    )


def _range(top: int, step: int) -> list[int]:
    return list(range(0, top + 1, step))
