"""Renders the HTML page of the statistics, which only the owner can see."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from feeds.core.text import quote_path
from feeds.pages.appearance import Appearance
from feeds.pages.charts import NARROW_WIDTH, WIDTH, plot
from feeds.pages.environment import render
from feeds.pages.translations import interface_of

_MAX_FEEDS = 100


def stats_page(
    appearance: Appearance,
    today: str,
    day: str | None,
    days: int,
    by_feed: Mapping[str, Mapping[str, int]],
    by_reader: Mapping[str, Mapping[str, int]],
    feeds: list[Any],
    **variables: Any,
) -> str:
    """Return the page as HTML.

    Args:
        appearance: the look of the site's pages.
        today: the current day in UTC, in ISO 8601.
        day: the last day with counts; None if nothing was counted yet.
        days: the number of days up to `day`.
        by_feed: subscribers by day and feed.
        by_reader: subscribers by day and feed reader.
        feeds: reports of feeds, with the attributes `path`, `subscribers`, `readers` and `sums`.
        variables: other variables of the template.
    """
    feeds = sorted(feeds, key=lambda feed: (-feed.subscribers, feed.path))
    by_path = {day: {_public_path(feed): number for feed, number in counts.items()} for day, counts in by_feed.items()}
    charts = {}
    if day:
        # the counts of the current day are incomplete, and would look like a fall
        until = max((counted for counted in by_feed if counted < today), default=day)
        for name, counts in (("feed", by_path), ("reader", by_reader)):
            title = f"Subscribers per day, by {name}"
            charts[f"by_{name}"] = [plot(title, until, days, counts, width) for width in (WIDTH, NARROW_WIDTH)]
    return render(
        "stats.html",
        appearance,
        "./",
        "en",
        day=day,
        last_day=interface_of("en").long_date(datetime.fromisoformat(day)) if day else "",
        days=days,
        feeds=[(_public_path(feed.path), feed) for feed in feeds[:_MAX_FEEDS]],
        more_feeds=max(0, len(feeds) - _MAX_FEEDS),
        **variables,
        **charts,
    ).text


def _public_path(feed: str) -> str:
    return quote_path(f"/{feed}/") if feed else "/"
