"""The page of who reads, for the owner alone. What it says is counted elsewhere."""

from collections.abc import Mapping
from typing import Any

from feeds.pages import templates
from feeds.pages.plots import plot
from feeds.text import quote_path

_MOST = 100  # feeds that are listed


def stats_page(
    site: str,
    today: str,
    day: str | None,
    days: int,
    by_feed: Mapping[str, Mapping[str, int]],
    feeds: list[Any],
    **facts: Any,
) -> str:
    """Write it: of so many days until one, with `feeds` that have a `path`, `subscribers`, `readers` and `sums`."""
    feeds = sorted(feeds, key=lambda feed: (-feed.subscribers, feed.path))
    named = {day: {_path(feed): number for feed, number in known.items()} for day, known in by_feed.items()}
    plots = {}
    by_reader = facts.pop("by_reader")
    if day:
        # a day that is not over would look like a fall
        until = max((known for known in by_feed if known < today), default=day)
        plots["by_feed"] = plot("Subscribers by feed, day by day", until, days, named)
        plots["by_reader"] = plot("Subscribers by reader, day by day", until, days, by_reader)
    return (
        templates()
        .get_template("stats.html")
        .render(
            site=site,
            day=day,
            days=days,
            feeds=[(_path(feed.path), feed) for feed in feeds[:_MOST]],
            more_feeds=max(0, len(feeds) - _MOST),
            root="./",
            **{**facts, **plots},
        )
    )


def _path(feed: str) -> str:
    return quote_path(f"/{feed}/") if feed else "/"
