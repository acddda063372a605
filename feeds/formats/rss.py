"""Feed -> RSS 2.0 as the RSS Advisory Board's profile wants it, through feedgen."""

import re
from collections.abc import Iterable
from html import escape
from urllib.parse import urlsplit

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree

from feeds.formats.dates import rfc822, rfc3339
from feeds.formats.elements import NAMESPACES, RssNamespaces, add, add_image, alone, for_people, history, serialise
from feeds.model import Entry, Feed
from feeds.paths import RSS as FILENAME

_PERIODS = (("hourly", 3600), ("daily", 86400), ("weekly", 604800))
_TITLE = re.compile(rb"<title>[^<]*</title>")  # begins with what is found fast


def entry(told: Entry, feed: Feed) -> bytes:
    """Write an entry as an RSS item, as it stands in the documents of any feed of its site."""
    return _titled(alone(_Item(told, feed).rss_entry(), 2, RssNamespaces().extend_ns()))


def document(feed: Feed, entries: Iterable[bytes]) -> bytes:
    """Write a feed as an RSS document in UTF-8, with items that `entry` wrote."""
    _, tree = _Channel(feed)._create_rss()  # noqa: SLF001  # rss_str would serialise for us, in another way than atom's
    head, end, rest = _titled(serialise(tree, feed)).rpartition(b"  </channel>")
    return b"".join((head, *entries, end, rest))


def _titled(text: bytes) -> bytes:
    """Write titles as RSS Profile, "Character Data", wants it: only &#x26; and &#x3C; are plain text to all readers."""
    return _TITLE.sub(lambda title: title[0].replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;"), text)


class _Channel(FeedGenerator):  # type: ignore[misc]  # feedgen has no types
    """A channel that says the feed's date and not the clock's, in English whatever the locale."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed
        # feedgen would say "now", and write it by switching the locale of the whole process
        self._FeedGenerator__rss_lastBuildDate = None
        self.register_extension("namespaces", RssNamespaces, RssNamespaces)
        self.title(feed.title)
        self.description(feed.description or feed.title)
        self.language(feed.language)
        self.generator("feeds")
        self.copyright(feed.copyright)
        self.link(href=feed.address + FILENAME, rel="self", type="application/rss+xml")
        self.link(href=feed.home, rel="alternate")  # last: the channel's link is whichever came last
        if feed.icon and urlsplit(feed.icon).path.lower().endswith((".png", ".jpg", ".jpeg", ".gif")):
            self.image(feed.icon, title=feed.title, link=feed.home)  # RSS 2.0 allows GIF, JPEG and PNG

    def _create_rss(self, extensions: bool = True) -> tuple[etree._Element, etree._ElementTree]:
        root, tree = super()._create_rss(extensions)
        built = etree.Element("lastBuildDate")
        built.text = rfc822(self._feed.updated)
        root.find("channel/language").addnext(built)
        for link in reversed(history(self._feed, FILENAME, "atom:link")):
            root.find("channel/link").addnext(link)
        for element in reversed(self._how_often()):
            built.addnext(element)
        root.find("channel").append(for_people(self._feed))
        return root, tree

    def _how_often(self) -> list[etree._Element]:
        """Say when to ask again: RSS 2.0's `ttl`, in minutes, and the syndication module's period and frequency."""
        head = etree.Element("head", nsmap={"sy": NAMESPACES["sy"]})
        add(head, "ttl", str(max(1, self._feed.ttl // 60)))
        period, seconds = next(pair for pair in _PERIODS if self._feed.ttl <= pair[1] or pair is _PERIODS[-1])
        add(head, "sy:updatePeriod", period)
        add(head, "sy:updateFrequency", str(max(1, seconds // max(60, self._feed.ttl))))
        return list(head)


class _Item(FeedEntry):  # type: ignore[misc]  # feedgen has no types
    """An item with its authors' names, all its enclosures and its dates."""

    def __init__(self, entry: Entry, feed: Feed) -> None:
        super().__init__()
        self._entry = entry
        self._feed = feed
        self.guid(entry.id, permalink=False)
        if entry.title or not entry.summary:
            self.title(entry.title or entry.label)  # RSS 2.0 requires a title or a description
        self.link(href=entry.external_url or entry.url)  # RSS 2.0: a link blog's items link to what they are about
        self.category([{"term": name, "scheme": feed.categories_scheme} for name in entry.categories])
        self.category([{"term": name, "scheme": feed.tags_scheme} for name in entry.tags])
        if entry.summary:
            self.description(escape(entry.summary, quote=False))  # RSS 2.0: a description is HTML, a summary text
        if entry.html:
            self.content(entry.html)

    def rss_entry(self, extensions: bool = True) -> etree._Element:
        """Build the element: feedgen's, and what it leaves out."""
        entry = self._entry
        item: etree._Element = super().rss_entry(extensions)
        # RSS Profile: `author` is an e-mail address, and there is one at most; `dc:creator` is a name. Always the
        # latter: feedparser makes "ple (Desk" of "a@gazette.example (Desk)", and addresses draw spam.
        for author in entry.authors:
            add(item, "dc:creator", author.name)
        add(item, "pubDate", rfc822(entry.published))
        add(item, "atom:updated", rfc3339(entry.updated))
        for enclosure in entry.enclosures[:1]:  # RSS Profile: one at most
            add(item, "enclosure", url=enclosure.url, length=str(enclosure.length), type=enclosure.type)
        for enclosure in entry.enclosures[1:]:
            length = {"fileSize": str(enclosure.length)} if enclosure.length else {}
            add(item, "media:content", url=enclosure.url, type=enclosure.type, **length)
        add_image(item, entry)
        if entry.language != self._feed.language:
            add(item, "dc:language", entry.language)
        return item
