"""What a User-Agent says: which reader it is, and for how many subscribers it asks. And the counting of one day.

Nobody has to say who they are, so all this is a courtesy of those who ask: it is believed, within bounds, and never
checked. A service that polls for many says how many; a program of one person is one subscriber; who names no reader at
all is counted as one too. Robots and people with a browser have no subscription.

Pure: strings in, facts out. It knows no address and no feed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from feeds.text import one_line

Kind = Literal["service", "person", "crawler", "browser", "unknown"]

# subscribers of one feed that a service may say: what is said beyond is a mistake, or invented
MOST_OF_KNOWN = 1_000_000  # with a service that is known
MOST_OF_UNKNOWN = 10_000
_LONGEST = 500  # characters of a User-Agent that are looked at; the longest published ones have some 300
_LONGEST_NAME = 40  # characters
NAMELESS = "unknown"  # the name of who gives none

# Names as people know them, each with what a User-Agent has of them, in lower case, where that is something else.
# What polls for others is a service, whether it says for how many or not: hosted readers, podcast directories, relays.
_SERVICES = """
    Amazon Music=amazon music podcast, Apple Podcasts=itms, BazQux, Blogtrottr, Bloglines, Bloglovin, Breaker,
    Castro=tentacles=castro 2=castro, Digg Reader=digg feed fetcher, Downcast=downcast feed consumer,
    Dreamwidth=dreamwidth studios, Feed Wrangler, Feedbin, FeedBurner, Feeder.co, FeedHQ, Feedly=feedly=feedlyapp,
    Feedspot, Flipboard=flipboardrss, Google Feedfetcher=feedfetcher-google, HanRSS, IFTTT=ifttt-protocol=ifttt,
    Inoreader, LiveJournal=livejournal.com, livedoor Reader=livedoor feedfetcher, Micro.blog, MonitoRSS,
    Netvibes, NewsBlur, NewsGator Online=newsgatoronline, Newsify, Overcast, Player FM=playerfm, PlainFeeder,
    Pocket Casts=pocketcasts=pocket casts, Podbean=podbeanfeedreader, Podcast Index=podcastindex.org,
    Slack=slackbot 1, Spotify, Superfeedr, The Old Reader=theoldreader=the old reader, Zapier
"""
# What one person runs, on a desk, a phone or a server of their own. A self-hosted reader may have more users than one,
# and the hosted Miniflux says the same as everybody's own: they say no number, so each is one. Libraries made for
# nothing but reading feeds are here too: whoever parses a feed again and again reads it.
_PERSONS = """
    Akregator, Antenna RSS, AntennaPod=antennapod=de.danoeh.antennapod, Apple Podcasts=podcasts/=podcaster/,
    Apple PubSub=apple-pubsub=applesyndication, Awasu, BeyondPod, Capy Reader=capyreader=capy reader, Castamatic,
    CommaFeed, Downcast, Elfeed=elfeed=emacs elfeed, FeedDemon, Feeddler=feeddlerrss=feeddlerpro,
    Feeder=spacecowboys android rss reader, FeedFlow, FeedMe, feedparser=feedparser=universalfeedparser, Fever,
    Fiery Feeds, Fluent Reader=fluent-reader=fluentreader=fluent reader, Flym=(compatible) applewebkit chrome safari,
    FreshRSS, gPodder, Instacast, iTunes=itunes/, Kasts, Leed=leed (lightfeed, Liferea, lire=lire/, MagpieRSS,
    Miniflux, NetNewsWire, News Explorer=news/explorer=news explorer, newsbeuter, newsboat,
    NewsFlash=news flash=newsflash, newsraft, Nextcloud News=nextcloud-news, Omea Reader=jetbrains omea,
    Podcast Addict=podcastaddict=podcast addict,
    Podcast Republic=podcastrepublic, Pulp=pulp/, QuiteRSS, Read You=readyou, ReadKit, Reeder, RSS Bandit=rssbandit,
    RSS Guard=rss guard=rssguard, RSSOwl=rssowl=rssowlnix, RSSRadio, rss2email, selfoss, sfeed, SimplePie,
    Thunderbird, Tiny Tiny RSS=tiny tiny rss=tt-rss, Unread=unread rss reader, Vienna=vienna/,
    Windows RSS Platform=windows-rss-platform, WordPress=wordpress/, Yarr=yarr/=yarr
"""
# Robots whose names don't give them away. Libraries that fetch anything stand here as well, though somebody's own
# script may be behind them: they name no reader, monitors and scrapers are many more, and too few beats too many.
_CRAWLERS = """
    aiohttp, Apache-HttpClient, axios, curl=curl=libcurl=pycurl, Deno, Embedly, facebookexternalhit, Faraday,
    Go-http-client=go-http-client=go 1.1 package http, got=got (https, GuzzleHttp, hackney, http.rb,
    httpx=httpx=python-httpx, HTTPie, Jakarta Commons-HttpClient, Java=java/, libwww-perl=libwww-perl=lwp,
    Mastodon=mastodon/, Mediapartners-Google, meta-externalagent, node=node=node-fetch=undici, okhttp, PHP=php/,
    PostmanRuntime, python-requests, Python-urllib, reqwest, rest-client, Ruby, Typhoeus,
    W3C Feed Validator=feedvalidator, W3C-checklink, Wget, WhatsApp, WinHTTP, Yahoo! Slurp=yahoo! slurp
"""
# In this order: most say that they are Chrome and Safari too. Vivaldi's own feed reader says no more than Vivaldi does.
_BROWSERS = """
    Edge=edg/=edge/=edga/=edgios/, Opera=opr/=opera, Vivaldi=vivaldi/, Samsung Internet=samsungbrowser/,
    Yandex Browser=yabrowser/, UC Browser=ucbrowser/, Firefox=firefox/=fxios/, Chrome=chrome/=crios/=chromium/,
    Safari=safari/, Internet Explorer=msie=trident/, Lynx=lynx/, w3m=w3m/
"""


def _names(block: str) -> Iterator[tuple[str, str]]:
    """Give (part of a User-Agent, in lower case; name) for each that a block tells of."""
    for one in re.split(r",\s+", block.strip()):
        name, *parts = one.split("=")
        yield from ((part, name) for part in parts or [name.lower()])


_KNOWN: dict[str, tuple[str, Kind]] = {
    **{part: (name, "crawler") for part, name in _names(_CRAWLERS)},
    **{part: (name, "person") for part, name in _names(_PERSONS)},
    **{part: (name, "service") for part, name in _names(_SERVICES)},
}
# Whole words, outside addresses, and of two that start together the longer. The leftmost is who asks: others are
# likened to ("like FeedFetcher-Google"), or built upon ("newsbeuter … libcurl").
_ANY_KNOWN = re.compile(rf"(?<![\w/.@-])(?:{'|'.join(map(re.escape, sorted(_KNOWN, reverse=True)))})(?![a-z])")
_SERVICE_NAMES = frozenset(name for _, name in _names(_SERVICES))
_BROWSER_PARTS = tuple(_names(_BROWSERS))
FAMILIAR = frozenset(name for block in (_SERVICES, _PERSONS, _CRAWLERS, _BROWSERS) for _, name in _names(block))
# CUBOT makes phones, whose browsers are people's.
_ROBOT = re.compile(
    r"(?<!cu)bot(?![a-z])|crawl|spider|scrap|archiv|headless|lighthouse|monitor|preview|validat|checklink|linkcheck"
)
_ROBOT_WORD = re.compile(r"(?:ro)?bot\b|crawl|spider")  # says what it is, not which
_TOKEN = re.compile(r"[\w.-]+")
_SAID = re.compile(
    r"(?<![\w.])([0-9]+) subscriber"  # nearly all
    r"|\bsubscribers?(?: count)?[=:_ ]{1,2}([0-9]+)"  # Breaker, PlainFeeder
    r"|(?<![\w.])([0-9]+) readers?(?=[;),]|$)"  # LiveJournal, Dreamwidth
)
_FEED_ID = re.compile(r"(?:\bfeed-?id ?[=:] ?|newsblur\.com/site/)([\w-]{1,64})", re.ASCII | re.IGNORECASE)
_PRODUCT = re.compile(r"(?:mozilla/.{0,20}\(compatible; ?)?([^/(;,:@\[]+)", re.IGNORECASE)
_AFTER_NAME = re.compile(  # a remark, an address, a number, a version
    r"(?: -| \+|\bhttps?$| [0-9]+ subscriber| v?[0-9]+(?:\.[0-9]|$)).*", re.IGNORECASE
)
_NOT_IN_NAME = re.compile(r"[^\w .!&'-]+")
_NO_NAME = re.compile(r"[0-9a-f-]{32,}", re.IGNORECASE)  # some programs have an identifier instead


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks for a feed, as far as its User-Agent says."""

    name: str  # as people know it: "Feedly"; of an unknown one the product's name, at most 40 characters, or "unknown"
    kind: Kind  # service: polls for many · person: a program of one · crawler: robot, library · browser: somebody looks
    subscribers: int | None  # of this feed, as a service says, within its ceiling. None where it says nothing
    feed_id: str = ""  # a service's own id of this feed, at most 64 characters; "" where it says none


def read(user_agent: str) -> Reader:
    """Tell which reader a User-Agent names (RFC 9110 section 10.1.5), from its first 500 characters.

    Never raises. Whoever says a number of subscribers is a service, whatever else the name tells: bots and browsers
    that have some are hosted readers which took such a name.
    """
    return _read(user_agent[:_LONGEST])  # what is remembered is short, whatever is sent


@lru_cache(maxsize=4096)
def _read(user_agent: str) -> Reader:
    text = one_line(unquote(_utf8(user_agent)))
    # lower() makes some letters two: names are looked for in the one, taken from the other, and places never shared
    lower = text.lower()
    name, kind = _known(lower) or _robot(text) or _browser(lower) or (_product(text), "unknown")
    said = _SAID.search(lower)
    if said is None and kind != "service":
        return Reader(name, kind, None)
    subscribers = min(int(next(filter(None, said.groups()))), most_subscribers(name)) if said else None
    feed_id = _FEED_ID.search(text)
    return Reader(name, "service", subscribers, feed_id[1] if feed_id else "")


def most_subscribers(name: str) -> int:
    """Return how many subscribers of one feed a service of a name is believed to have."""
    return MOST_OF_KNOWN if name in _SERVICE_NAMES else MOST_OF_UNKNOWN


def is_doubtful(name: str, kind: str, subscribers: int) -> bool:
    """Return whether a service said as many subscribers as it is believed to have, or more."""
    return kind == "service" and subscribers >= most_subscribers(name)


def subscribers(name: str, kind: str, sources: int, said: int | None) -> int:
    """Count a day's subscribers of one feed under one name: so many sources asked, be it once or a thousand times.

    A service's sources are its ids of the feed, from wherever it asks, and it has as many subscribers as it `said`: the
    sum of the largest number that it said with each, for a feed that moved is known to it under two. Where it gives no
    id, the formats are its sources: it counts those who follow RSS apart from those who follow Atom. One that never
    says a number is 1 for each feed, because somebody made it ask. A person's program, and who is unknown, is 1 for
    each source: an address with a User-Agent. Robots and browsers are none. However many ids a service says, it has no
    more subscribers than one of its name may have.
    """
    if kind in {"person", "unknown"}:
        return sources
    if kind == "service":
        return min(sources, 1) if said is None else min(said, most_subscribers(name))
    return 0


def _utf8(text: str) -> str:
    """Undo what WSGI does to a header in UTF-8 (PEP 3333): some programs write their name in their own script."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:  # it is no UTF-8, was cut within a character, or came as text
        return text


def _known(lower: str) -> tuple[str, Kind] | None:
    found = _ANY_KNOWN.search(lower)
    return _KNOWN[found[0]] if found else None


def _robot(text: str) -> tuple[str, Kind] | None:
    """Find a robot by its name: `Googlebot`, `Baiduspider`; or by a word beside it: `Krzana bot`."""
    for token in _TOKEN.findall(text):
        if _ROBOT.search(token.lower()):
            return (_product(text) if _ROBOT_WORD.match(token.lower()) else _name(token)), "crawler"
    return None


def _browser(lower: str) -> tuple[str, Kind] | None:
    return next(((name, "browser") for part, name in _BROWSER_PARTS if part in lower), None)


def _product(text: str) -> str:
    """Give the name of the product that a User-Agent begins with, without what follows: `Bifolia:0.1.1`."""
    found = _PRODUCT.match(text)
    return _name(_AFTER_NAME.sub("", found[1])) if found else NAMELESS


def _name(text: str) -> str:
    """Make a name of what anybody may have sent: letters, digits and few signs, on one line, bounded."""
    name = one_line(_NOT_IN_NAME.sub(" ", text)).strip(" .-")[:_LONGEST_NAME].strip(" .-")
    return NAMELESS if not name or _NO_NAME.fullmatch(name) else name
