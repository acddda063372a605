"""The texts of events in the log of `feeds serve`, shortened to the width of a terminal."""

import unicodedata
from collections.abc import Mapping, Sequence

from feeds.cli.common import page_path, plural
from feeds.core.text import escape_unprintable, truncate
from feeds.publish.events import EVENT_KINDS, ArticleEvent, EventKind

MAX_FEEDS = 20  # that an event names
MAX_TITLE_CHARS = 80
_MIN_TITLE_COLUMNS = 10
_ARROW = "→"


def article_text(event: ArticleEvent, content: str, columns: int | None = None) -> str:
    """Return the text of an article's event: path, title, and details.

    Args:
        event: the event.
        content: the path of the content folder in the configuration.
        columns: the number of columns that the text may have: paths of feeds are left out first, then the title is
            cut, then the path. None: any number.
    """
    path = f"{content}/{event.path}"
    if event.kind == "rejected":
        return f"{path}:{event.line}: {event.rejection}"
    if event.kind == "renamed":
        path = f"{content}/{event.old_path} {_ARROW} {path}"
    parts = [f'"{truncate(escape_unprintable(event.title), MAX_TITLE_CHARS)}"' if event.title else "", _state(event)]
    feeds = [page_path(feed) for feed in event.feeds[:MAX_FEEDS]]
    text = "  ".join(escape_unprintable(part) for part in (path, *parts) if part)
    if columns is None:
        return f"{text}  {_in_feeds(feeds, len(event.feeds))}" if feeds else text
    return _fit(escape_unprintable(path), list(map(escape_unprintable, parts)), feeds, len(event.feeds), columns)


def feeds_text(changed: Sequence[str], end: str, columns: int | None = None) -> str:
    """Return the number and the paths of changed feeds, and another text, as far as they fit into `columns`.

    If not everything fits, but all paths do, the other text is left out. Otherwise, paths are left out.
    """
    names = [escape_unprintable(page_path(feed)) for feed in changed[:MAX_FEEDS]]
    start = f"{plural(len(changed), 'feed')} changed"
    ends = [end, ""] if len(names) == len(changed) else [end]
    while names:
        for shown_end in ends:
            text = f"{start}: {_listed(names, len(changed))}{shown_end}"
            if columns is None or display_width(text) <= columns:
                return text
        del names[-1]
        ends = [end]
    return f"{start}{end}"


def missing_text(path: str, pictures: Sequence[str], content: str) -> str:
    """Return the text about the pictures to which the article at `path` links, and which do not exist."""
    first = escape_unprintable(f"{content}/{path}: there is no picture {content}/{pictures[0]}")
    return first + (f" and {len(pictures) - 1} more" if len(pictures) > 1 else "")


def counts_text(counts: Mapping[EventKind, int]) -> str:
    """Return numbers of articles by kind of event: "480 added, 12 edited"."""
    return ", ".join(f"{counts[kind]:,} {kind}" for kind in EVENT_KINDS if counts.get(kind))


def display_width(text: str) -> int:
    """Return the number of columns of a terminal that a text takes: East Asian wide characters take two (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def shorten(text: str, columns: int) -> str:
    """Return a text that is cut at its end, with "…", to fit into a number of columns."""
    if display_width(text) <= columns:
        return text
    width, kept = 1, []
    for character in text:
        width += _character_width(character)
        if width > columns:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def _state(event: ArticleEvent) -> str:
    """Return why an article is not published, or when it is."""
    if event.at:
        before = {"scheduled": "for", "withdrawn": "until"}.get(event.kind, "scheduled for")
        return f"{before} {event.at:%Y-%m-%d %H:%M:%SZ}"
    if event.kind == "published":
        return "on schedule"
    if event.reason == "draft":
        return "now a draft" if event.kind == "withdrawn" else "draft, not published"
    if event.reason == "expired":
        return "expired" if event.kind == "withdrawn" else "expired, not published"
    return event.reason


def _fit(path: str, parts: list[str], feeds: list[str], feed_count: int, columns: int) -> str:
    """Return the path, the title and the state, and the feeds, cut to fit into some columns."""
    title, state = parts
    fixed = f"  {state}" if state else ""
    title_columns = columns - display_width(path) - display_width(fixed) - 2
    if title and title_columns >= _MIN_TITLE_COLUMNS:
        text = f"{path}  {_quoted(title, title_columns)}{fixed}"
    else:
        text = _cut_path(path, columns - display_width(fixed)) + fixed
    while feed_count:
        full = f"{text}  {_in_feeds(feeds, feed_count)}"
        if display_width(full) <= columns:
            return full
        if not feeds:
            break
        del feeds[-1]
    return text


def _quoted(title: str, columns: int) -> str:
    return title if display_width(title) <= columns else f'{shorten(title[:-1], columns - 1)}"'


def _cut_path(path: str, columns: int) -> str:
    """Return a path whose middle is cut: its end names the file."""
    if display_width(path) <= columns:
        return path
    start = shorten(path, columns // 3)
    end, width = "", display_width(start)
    for character in reversed(path):
        width += _character_width(character)
        if width > columns:
            break
        end = character + end
    return start + end


def _in_feeds(names: list[str], count: int) -> str:
    """Return the number of the feeds that list an article, and the paths of some of them."""
    return f"in {plural(count, 'feed')}" + (f": {_listed(names, count)}" if names else "")


def _listed(names: list[str], count: int) -> str:
    more = count - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
