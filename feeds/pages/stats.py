"""Renders the HTML page of the statistics, which only the owner can see."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from feeds.core.text import quote_path
from feeds.pages.appearance import Appearance
from feeds.pages.charts import NARROW_WIDTH, WIDTH, plot
from feeds.pages.environment import render
from feeds.pages.translations import Interface, interface_of, mark

if TYPE_CHECKING:
    from markupsafe import Markup

_MAX_FEEDS = 100
_MAX_READERS = 12  # of each feed
_NAME_AND_NUMBER = mark("{name} {number}")
_DOUBTFUL = mark("{name} {number} (doubtful)")
_UNNAMED = mark("unknown")
_CHART_TITLES = {
    "feed": mark("Subscribers per day, by feed"),
    "reader": mark("Subscribers per day, by reader"),
}


def stats_page(
    appearance: Appearance,
    today: str,
    day: str | None,
    days: int,
    by_feed: Mapping[str, Mapping[str, int]],
    by_reader: Mapping[str, Mapping[str, int]],
    feeds: list[Any],
    unnamed: str,
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
        unnamed: the name in `feeds` of feed readers that have no name; the page shows its translation.
        variables: other variables of the template.
    """
    language = appearance.site.language
    interface = interface_of(language)
    translate = interface.messages.gettext
    names = {unnamed: translate(_UNNAMED)}
    feeds = sorted(feeds, key=lambda feed: (-feed.subscribers, feed.path))
    by_path = {day: {_public_path(feed): number for feed, number in counts.items()} for day, counts in by_feed.items()}
    by_name = {
        day: {names.get(reader, reader): number for reader, number in counts.items()}
        for day, counts in by_reader.items()
    }
    charts = {}
    if day:
        # the counts of the current day are incomplete, and would look like a decrease
        until = max((counted for counted in by_feed if counted < today), default=day)
        for name, counts in (("feed", by_path), ("reader", by_name)):
            title = translate(_CHART_TITLES[name])
            charts[f"by_{name}"] = [
                plot(title, until, days, counts, interface, width) for width in (WIDTH, NARROW_WIDTH)
            ]
    return render(
        "stats.html",
        appearance,
        "./",
        language,
        day=day,
        last_day=interface.long_date(datetime.fromisoformat(day)) if day else "",
        days=days,
        feeds=[(_public_path(feed.path), feed, _readers(feed, names, interface)) for feed in feeds[:_MAX_FEEDS]],
        reader_names=names,
        more_feeds=max(0, len(feeds) - _MAX_FEEDS),
        **variables,
        **charts,
    ).text


def _readers(feed: Any, names: Mapping[str, str], interface: Interface) -> list["Markup"]:
    """Return the largest numbers of subscribers of a feed by reader, as HTML."""
    from markupsafe import Markup  # few processes need it

    readers = []
    for reader in feed.readers[:_MAX_READERS]:
        text = _DOUBTFUL if reader.is_doubtful else _NAME_AND_NUMBER
        name, number = names.get(reader.name, reader.name), interface.number(reader.subscribers)
        template = interface.messages.gettext(text).replace(" {", "\N{NO-BREAK SPACE}{")  # on one line
        shown = template.format(name=name, number=number)
        readers.append(Markup("<bdi>{}</bdi>").format(shown))
    return [*readers, Markup("…")] if len(feed.readers) > _MAX_READERS else readers


def _public_path(feed: str) -> str:
    return quote_path(f"/{feed}/") if feed else "/"
