"""Renders a feed as RSS 2.0, by the RSS Advisory Board's Best Practices Profile ("RSS Profile"), with feedgen."""

import re
from collections.abc import Iterable
from html import escape
from urllib.parse import urlsplit

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree

from feeds.core.formats.elements import (
    NAMESPACES,
    RssNamespaces,
    add_element,
    add_image,
    archive_elements,
    browser_hint,
    related_url,
    serialize_document,
    serialize_fragment,
    title_url,
    translation_elements,
    translation_links,
)
from feeds.core.formats.timestamps import rfc822, rfc3339
from feeds.core.model import Entry, Feed
from feeds.core.paths import RSS as FILENAME

_PERIODS = (("hourly", 3600), ("daily", 86400), ("weekly", 604800))  # sy:updatePeriod and its seconds
_TITLE = re.compile(rb"<title>[^<]*</title>")


def render_entry(entry: Entry, feed: Feed) -> bytes:
    """Return an entry as an RSS item, as it stands in the documents of every feed of its site."""
    return escape_titles(serialize_fragment(_Item(entry, feed).rss_entry(), 2, RssNamespaces().extend_ns()))


def render_document(feed: Feed, entries: Iterable[bytes]) -> bytes:
    """Return a feed as an RSS document in UTF-8, with items that `render_entry` returned."""
    _, tree = _Channel(feed)._create_rss()  # noqa: SLF001  # rss_str serialises differently from Atom
    head, end, rest = escape_titles(serialize_document(tree, feed)).rpartition(b"  </channel>")
    return b"".join((head, *entries, end, rest))


def escape_titles(text: bytes) -> bytes:
    """Return XML with "&" and "<" in titles as &#x26; and &#x3C;, which every feed reader shows as text.

    Source: RSS Profile, "Character Data".
    """
    return _TITLE.sub(lambda title: title[0].replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;"), text)


class _Channel(FeedGenerator):  # type: ignore[misc]  # feedgen has no types
    """Builds a channel whose lastBuildDate is the feed's date, in English in any locale."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed
        # feedgen would write the current time, and switch the locale of the whole process for it
        self._FeedGenerator__rss_lastBuildDate = None
        self.register_extension("namespaces", RssNamespaces, RssNamespaces)
        self.title(feed.title)
        self.description(feed.description or feed.title)
        self.language(feed.language)
        self.generator("feeds")
        self.copyright(feed.copyright)
        self.link(href=feed.folder_url + FILENAME, rel="self", type="application/rss+xml")
        self.link(href=feed.home_url, rel="alternate")  # last, because feedgen takes the last link for the channel's
        if feed.icon and urlsplit(feed.icon).path.lower().endswith((".png", ".jpg", ".jpeg", ".gif")):
            self.image(feed.icon, title=feed.title, link=feed.home_url)  # RSS 2.0 allows GIF, JPEG and PNG

    def _create_rss(self, extensions: bool = True) -> tuple[etree._Element, etree._ElementTree]:
        root, tree = super()._create_rss(extensions)
        built = etree.Element("lastBuildDate")
        built.text = rfc822(self._feed.updated)
        root.find("channel/language").addnext(built)
        translations = translation_elements(self._feed, FILENAME, "application/rss+xml", "atom:link")
        for link in reversed([*archive_elements(self._feed, FILENAME, "atom:link"), *translations]):
            root.find("channel/link").addnext(link)
        for element in reversed(self._update_interval()):
            built.addnext(element)
        root.find("channel").append(browser_hint(self._feed))
        return root, tree

    def _update_interval(self) -> list[etree._Element]:
        """Return RSS 2.0's `ttl`, in minutes, and the syndication module's update period and frequency."""
        head = etree.Element("head", nsmap={"sy": NAMESPACES["sy"]})
        add_element(head, "ttl", str(max(1, self._feed.ttl_s // 60)))
        period, seconds = next(pair for pair in _PERIODS if self._feed.ttl_s <= pair[1] or pair is _PERIODS[-1])
        add_element(head, "sy:updatePeriod", period)
        add_element(head, "sy:updateFrequency", str(max(1, seconds // max(60, self._feed.ttl_s))))
        return list(head)


class _Item(FeedEntry):  # type: ignore[misc]  # feedgen has no types
    """Builds an item with its authors' names, all its enclosures and its dates."""

    def __init__(self, entry: Entry, feed: Feed) -> None:
        super().__init__()
        self._entry = entry
        self._feed = feed
        self.guid(entry.id, permalink=False)
        if entry.title or not (entry.summary or entry.html):
            self.title(entry.title or entry.display_title)  # RSS 2.0 requires a title or a description
        # RSS 2.0: an item of a link blog links to its subject
        self.link(href=title_url(entry, default=entry.external_url or entry.url))
        self.category([{"term": name, "scheme": feed.categories_scheme} for name in entry.categories])
        self.category([{"term": name, "scheme": feed.tags_scheme} for name in entry.tags])
        if entry.summary:
            self.description(escape(entry.summary, quote=False))  # RSS 2.0: a description is HTML; a summary is text
        if entry.html:
            self.content(entry.html)

    def rss_entry(self, extensions: bool = True) -> etree._Element:
        """Return feedgen's element with the elements that feedgen lacks."""
        entry = self._entry
        item: etree._Element = super().rss_entry(extensions)
        url = title_url(entry, default=entry.external_url or entry.url)
        if url == entry.url and entry.translations:
            *translations, own = translation_links(entry, "atom:link")
            place = [child.tag for child in item].index("link")  # the last link to the entry
            item[place:place] = [own, *translations]
        if entry.link_blog and (related := related_url(entry, url)):
            add_element(item, "atom:link", href=related, rel="related", type="text/html")
        # RSS Profile: `author` is one e-mail address, `dc:creator` a name. Only dc:creator is written: feedparser reads
        # "a@gazette.example (Desk)" as the name "ple (Desk", and addresses attract spam.
        for author in entry.authors:
            add_element(item, "dc:creator", author.name)
        add_element(item, "pubDate", rfc822(entry.published))
        add_element(item, "atom:updated", rfc3339(entry.updated))
        for enclosure in entry.enclosures[:1]:  # RSS Profile: at most one
            add_element(item, "enclosure", url=enclosure.url, length=str(enclosure.length), type=enclosure.type)
        for enclosure in entry.enclosures[1:]:
            length = {"fileSize": str(enclosure.length)} if enclosure.length else {}
            add_element(item, "media:content", url=enclosure.url, type=enclosure.type, **length)
        add_image(item, entry)
        if entry.language != self._feed.language:
            add_element(item, "dc:language", entry.language)
        return item
