"""The checks by which `aggregators` decides whether a feed meets a requirement, and their types.

Each function returns what a feed or one of its entries lacks, as the rest of a sentence, or None if nothing is missing.
Settings that can change this are named in parentheses.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from feeds.core.lint.levels import Level
from feeds.core.model import Entry, Feed, Site
from feeds.core.syndication import entry_options
from feeds.core.wording import wording_of

MB = 1_000_000
_DORMANT_AFTER = timedelta(days=90)  # Feedly: "a few months"
_MAX_AGE = timedelta(days=365)
_PODCAST_EXTENSIONS = (".m4a", ".mp3", ".mov", ".mp4", ".m4v", ".pdf")
_MAX_PODCAST_TEXT_BYTES = 4_000


class Source(NamedTuple):
    """The document in which an aggregator publishes a rule."""

    title: str
    url: str


class CheckedEntry(NamedTuple):
    """An entry of the feed that is checked, and the path of its article's file."""

    path: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class CheckedFeed:
    """A feed that is checked: its live document, and the settings that it depends on."""

    feed: Feed
    entries: tuple[CheckedEntry, ...]
    rss_bytes: int  # size of its RSS document
    site: Site
    now: datetime


class Lack(NamedTuple):
    """A requirement that a feed does not meet.

    Attributes:
        message: what is missing.
        path: the path of the article's file; "" if the whole feed is affected.
        key: the key of its front matter that can change it.
    """

    message: str
    path: str = ""
    key: str = ""


Check = Callable[[CheckedFeed], Iterator[Lack]]


class Requirement(NamedTuple):
    """A rule of an aggregator.

    Attributes:
        level: "warning" for a requirement of the aggregator, "notice" for a recommendation.
        what: the property that a feed must have.
        why: the consequence for a feed without it.
        source: the document in which the aggregator publishes the rule.
        check: yields what a feed lacks.
    """

    level: Level
    what: str
    why: str
    source: Source
    check: Check


class Aggregator(NamedTuple):
    """An aggregator: its name, and its rules by name."""

    title: str
    rules: dict[str, Requirement]


def of_feed(problem: Callable[[CheckedFeed], str | None]) -> Check:
    """Return a check of the whole feed; `problem` returns what is missing."""

    def check(checked: CheckedFeed) -> Iterator[Lack]:
        if message := problem(checked):
            yield Lack(message)

    return check


def of_entries(problem: Callable[[Entry, CheckedFeed], str | None], key: str) -> Check:
    """Return a check of each entry; `problem` returns what an entry lacks."""

    def check(checked: CheckedFeed) -> Iterator[Lack]:
        for path, entry in checked.entries:
            if message := problem(entry, checked):
                yield Lack(message, path, key)

    return check


def never_written(element: str) -> Check:
    """Return a check that always fails, because no feed of this program contains an element."""
    return of_feed(lambda _checked: f"this program does not write {element}")


def full_text(entry: Entry, checked: CheckedFeed) -> str | None:
    text = entry_options(checked.feed.path, checked.site).text
    ending = f">{wording_of(entry.language).continue_reading}</a>"
    if entry.html is None or text == "summary" or (text == "excerpt" and ending in entry.html):
        return "the feed has only a summary of this entry (feeds.text, feeds.max_size)"
    return None


def image(entry: Entry, _checked: CheckedFeed) -> str | None:
    return None if entry.image or "<img" in (entry.html or "") else "no image, neither in the front matter nor the text"


def author(entry: Entry, _checked: CheckedFeed) -> str | None:
    return None if entry.authors else "no author"


def title_length(least: int, most: int, entry: Entry, _checked: CheckedFeed) -> str | None:
    length = len(entry.title)
    return None if least <= length <= most else f"the length of the title is {length}, not {least} to {most} characters"


def excerpt_length(least: int, entry: Entry, _checked: CheckedFeed) -> str | None:
    length = len(entry.summary)
    return None if length >= least else f"the length of the summary is {length}, not at least {least} characters"


def least_entries(least: int, checked: CheckedFeed) -> str | None:
    count = len(checked.entries)
    entries = "1 entry" if count == 1 else f"{count} entries"
    return None if count >= least else f"{entries}; there must be {least} or more (feeds.limit)"


def size(most: int, checked: CheckedFeed) -> str | None:
    size = checked.rss_bytes
    return None if size <= most else f"{size / MB:.1f} MB; at most {most // MB} MB are read (feeds.max_size)"


def feed_description(most: int, checked: CheckedFeed) -> str | None:
    length = len(checked.feed.description or checked.feed.title)  # RSS has the title if there is no description
    return None if length <= most else f"the description of the feed has {length} characters, not at most {most}"


def enclosed_picture(entry: Entry, _checked: CheckedFeed) -> str | None:
    pictures = [file for file in entry.enclosures[:1] if file.type.startswith(("image/", "video/"))]
    return None if pictures else "no enclosure with a picture or a video"


def host(entry: Entry, checked: CheckedFeed) -> str | None:
    host, own = urlsplit(entry.external_url or entry.url).hostname, urlsplit(checked.feed.folder_url).hostname
    return None if host == own else f"links to {host}, but the feed is on {own}"


def https(checked: CheckedFeed) -> str | None:
    url = checked.feed.folder_url
    return None if url.startswith("https:") else f"the feed is at {url}, which is not https"


def age(entry: Entry, checked: CheckedFeed) -> str | None:
    if checked.now - entry.published < _MAX_AGE:
        return None
    return f"published on {entry.published.date()}, a year ago or more"


def one_language(entry: Entry, checked: CheckedFeed) -> str | None:
    if _main_language(entry.language) == _main_language(checked.feed.language):
        return None
    return f"the language is {entry.language}, but that of the feed is {checked.feed.language}"


def english(entry: Entry, _checked: CheckedFeed) -> str | None:
    return None if _main_language(entry.language) == "en" else f"the language is {entry.language}, not English"


def _main_language(tag: str) -> str:
    return tag.partition("-")[0].lower()


def sixth_heading(entry: Entry, _checked: CheckedFeed) -> str | None:
    return "a heading of the sixth level (h6), which is removed" if "<h6" in (entry.html or "") else None


def locale(checked: CheckedFeed) -> str | None:
    language = checked.feed.language
    return None if "-" in language else f"the language of the feed is {language}, which has no locale (site.language)"


def description(entry: Entry, _checked: CheckedFeed) -> str | None:
    return None if entry.summary else "no description"


def article_size(most: int, entry: Entry, _checked: CheckedFeed) -> str | None:
    size = len((entry.html or "").encode())
    return None if size <= most else f"the text has {size / MB:.1f} MB; at most {most // MB} MB are read"


def most_entries(most: int, checked: CheckedFeed) -> str | None:
    count = len(checked.entries)
    return None if count <= most else f"{count} entries; at most {most} new entries are read at a time (feeds.limit)"


def news_sitemap(checked: CheckedFeed) -> str | None:
    return None if checked.site.news_sitemap else "no news sitemap (site.news_sitemap)"


def recent(checked: CheckedFeed) -> str | None:
    if any(checked.now - entry.published < _DORMANT_AFTER for _, entry in checked.entries):
        return None
    return f"no entry within the last {_DORMANT_AFTER.days} days"


def podcast_file(entry: Entry, _checked: CheckedFeed) -> str | None:
    if not entry.enclosures:
        return "no enclosure"
    path = urlsplit(entry.enclosures[0].url).path
    if path.lower().endswith(_PODCAST_EXTENSIONS):
        return None
    return f"the enclosure {path.rpartition('/')[2]} has none of the extensions {', '.join(_PODCAST_EXTENSIONS)}"


def podcast_length(entry: Entry, _checked: CheckedFeed) -> str | None:
    file = next(iter(entry.enclosures), None)
    return f"the size of {file.url} is unknown" if file and not file.length else None


def podcast_description(checked: CheckedFeed) -> str | None:
    size = len(checked.feed.description.encode())
    if not size:
        return "the feed has no description (site.description)"
    return None if size <= _MAX_PODCAST_TEXT_BYTES else f"the description has {size} bytes, not at most 4,000"


def podcast_summary(entry: Entry, _checked: CheckedFeed) -> str | None:
    size = len(entry.summary.encode())
    return None if size <= _MAX_PODCAST_TEXT_BYTES else f"the description has {size} bytes, not at most 4,000"
