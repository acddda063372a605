"""Identifies feed readers by User-Agent, and counts the subscribers of a day. All functions are pure.

To recognise another reader, add it to user_agents.toml; no code changes. The links to subscribe with a reader are
`READER_LINKS` in `feeds.config.values`.

A client may send any User-Agent, so the numbers in it are accepted only up to a limit. A service that polls for many
people states the number of its subscribers. A program of one person counts as one subscriber, and so does a client that
names no known reader. Robots and browsers have no subscribers.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from feeds.core.text import one_line

Kind = Literal["service", "person", "crawler", "browser", "unknown"]

# subscribers of one feed that a service may state: a larger number is a mistake, or invented
MAX_SUBSCRIBERS_OF_KNOWN = 1_000_000  # of a service in user_agents.toml
MAX_SUBSCRIBERS_OF_UNKNOWN = 10_000
_MAX_USER_AGENT_CHARS = 500  # that are read; the longest published ones have some 300
_MAX_NAME_CHARS = 40
UNNAMED = "unknown"  # the name of a client without one

_PROGRAMS: dict[Kind, dict[str, list[str]]] = tomllib.loads(  # kind -> name -> parts of a User-Agent, in lower case
    Path(__file__).with_name("user_agents.toml").read_text("utf-8")
)  # type: ignore[assignment]
_KNOWN: dict[str, tuple[str, Kind]] = {
    part: (name, kind)
    for kind, programs in _PROGRAMS.items()
    if kind != "browser"  # matched in order, not by the leftmost part
    for name, parts in programs.items()
    for part in parts
}
# Whole words outside of URLs; the longer one of two that start together. The leftmost word names the client; others
# name clients that it resembles ("like FeedFetcher-Google") or its libraries ("newsbeuter … libcurl").
_ANY_KNOWN = re.compile(rf"(?<![\w/.@-])(?:{'|'.join(map(re.escape, sorted(_KNOWN, reverse=True)))})(?![a-z])")
_BROWSER_PARTS = tuple((part, name) for name, parts in _PROGRAMS["browser"].items() for part in parts)
KNOWN_NAMES = frozenset(name for programs in _PROGRAMS.values() for name in programs)
# CUBOT is a brand of phones, not a robot.
_ROBOT = re.compile(
    r"(?<!cu)bot(?![a-z])|crawl|spider|scrap|archiv|headless|lighthouse|monitor|preview|validat|checklink|linkcheck"
)
_ROBOT_WORD = re.compile(r"(?:ro)?bot\b|crawl|spider")  # a word for a robot, not a name
_TOKEN = re.compile(r"[\w.-]+")
_SUBSCRIBERS = re.compile(
    r"(?<![\w.])([0-9]+) subscriber"  # nearly all services
    r"|\bsubscribers?(?: count)?[=:_ ]{1,2}([0-9]+)"  # Breaker, PlainFeeder
    r"|(?<![\w.])([0-9]+) readers?(?=[;),]|$)"  # LiveJournal, Dreamwidth
)
_FEED_ID = re.compile(r"(?:\bfeed-?id ?[=:] ?|newsblur\.com/site/)([\w-]{1,64})", re.ASCII | re.IGNORECASE)
_PRODUCT = re.compile(r"(?:mozilla/.{0,20}\(compatible; ?)?([^/(;,:@\[]+)", re.IGNORECASE)
_AFTER_NAME = re.compile(  # a remark, an address, a number, a version
    r"(?: -| \+|\bhttps?$| [0-9]+ subscriber| v?[0-9]+(?:\.[0-9]|$)).*", re.IGNORECASE
)
_NOT_IN_NAME = re.compile(r"[^\w .!&'-]+")
_IDENTIFIER = re.compile(r"[0-9a-f-]{32,}", re.IGNORECASE)  # sent by some programs instead of a name


@dataclass(frozen=True, slots=True)
class FeedReader:
    """A client that polls feeds, as its User-Agent describes it."""

    name: str  # as people know it, such as "Feedly"; else the product's name, at most 40 characters, or "unknown"
    kind: Kind  # service: polls for many people; person: a program of one person; crawler: a robot or library; browser
    subscribers: int | None  # the number for this feed that a service states, within bounds; None if it states none
    feed_id: str = ""  # a service's own id of this feed, at most 64 characters


def identify(user_agent: str) -> FeedReader:
    """Return the reader that a User-Agent names (RFC 9110 section 10.1.5), by its first 500 characters.

    Any string is valid. A client that states a number of subscribers is a service, whatever its name: robots and
    browsers with subscribers are hosted readers under such a name.
    """
    return _identify(user_agent[:_MAX_USER_AGENT_CHARS])  # keys of the cache are short


@lru_cache(maxsize=4096)
def _identify(user_agent: str) -> FeedReader:
    text = one_line(unquote(_utf8(user_agent)))
    # lower() can change the length of a text, so positions in one are never used in the other
    lower = text.lower()
    name, kind = _known(lower) or _robot(text) or _browser(lower) or (_product(text), "unknown")
    stated = _SUBSCRIBERS.search(lower)
    if stated is None and kind != "service":
        return FeedReader(name, kind, None)
    subscribers = min(int(next(filter(None, stated.groups()))), max_subscribers(name)) if stated else None
    feed_id = _FEED_ID.search(text)
    return FeedReader(name, "service", subscribers, feed_id[1] if feed_id else "")


def max_subscribers(name: str) -> int:
    """Return the largest number of subscribers of one feed that is accepted from a service."""
    return MAX_SUBSCRIBERS_OF_KNOWN if name in _PROGRAMS["service"] else MAX_SUBSCRIBERS_OF_UNKNOWN


def is_doubtful(name: str, kind: str, subscribers: int) -> bool:
    """Return whether a number of subscribers is the largest accepted one, so it is probably invented."""
    return kind == "service" and subscribers >= max_subscribers(name)


def count_subscribers(name: str, kind: str, sources: int, stated: int | None) -> int:
    """Return the number of subscribers of one feed that read it with one reader on one day.

    Robots and browsers have none. A service without a stated number counts as one: a person subscribed with it. Every
    source of other readers counts as one.

    Args:
        name: the reader's name.
        kind: the reader's kind.
        sources: the number of sources that polled. A source of a service is its id of the feed; without an id, the
            format, because a service counts the subscribers of RSS and Atom separately. A source of other readers is
            an address with a User-Agent.
        stated: the sum, over the sources of a service, of the largest number that it stated; None if it stated none.
            (After a feed has moved, a service has two ids for it.)
    """
    if kind in {"person", "unknown"}:
        return sources
    if kind == "service":
        return min(sources, 1) if stated is None else min(stated, max_subscribers(name))
    return 0


def _utf8(text: str) -> str:
    """Decode a header that WSGI has decoded as Latin-1 (PEP 3333): some programs have names in UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:  # not UTF-8, cut within a character, or decoded before
        return text


def _known(lower: str) -> tuple[str, Kind] | None:
    match = _ANY_KNOWN.search(lower)
    return _KNOWN[match[0]] if match else None


def _robot(text: str) -> tuple[str, Kind] | None:
    """Return a robot that is known by its name (`Googlebot`, `Baiduspider`) or by a word after it (`Krzana bot`)."""
    for token in _TOKEN.findall(text):
        if _ROBOT.search(token.lower()):
            return (_product(text) if _ROBOT_WORD.match(token.lower()) else _name(token)), "crawler"
    return None


def _browser(lower: str) -> tuple[str, Kind] | None:
    return next(((name, "browser") for part, name in _BROWSER_PARTS if part in lower), None)


def _product(text: str) -> str:
    """Return the name of the first product of a User-Agent, without its version and comment."""
    match = _PRODUCT.match(text)
    return _name(_AFTER_NAME.sub("", match[1])) if match else UNNAMED


def _name(text: str) -> str:
    """Return a safe name: letters, digits and a few signs, on one line, at most 40 characters."""
    name = one_line(_NOT_IN_NAME.sub(" ", text)).strip(" .-")[:_MAX_NAME_CHARS].strip(" .-")
    return UNNAMED if not name or _IDENTIFIER.fullmatch(name) else name
