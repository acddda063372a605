"""Renders a feed as Atom 1.0 (RFC 4287) with feedgen."""

from collections.abc import Iterable

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree

from feeds.core.formats.elements import (
    XML,
    AtomNamespaces,
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
from feeds.core.formats.timestamps import rfc3339
from feeds.core.model import Author, Entry, Feed
from feeds.core.paths import ATOM as FILENAME


def render_entry(entry: Entry, feed: Feed) -> bytes:
    """Return an entry as an Atom element, as it stands in the documents of every feed of its site."""
    return serialize_fragment(_AtomEntry(entry, feed).atom_entry(), 1, AtomNamespaces().extend_ns())


def render_document(feed: Feed, entries: Iterable[bytes]) -> bytes:
    """Return a feed as an Atom document in UTF-8, with entries that `render_entry` returned."""
    root = FeedGenerator()
    root.register_extension("namespaces", AtomNamespaces, AtomNamespaces)
    root.id(feed.id)
    root.title(feed.title)
    root.subtitle(feed.description)
    root.updated(feed.updated)
    root.language(feed.language)
    root.generator("feeds")
    root.author([_person(author) for author in feed.authors])
    root.rights(feed.copyright)
    root.icon(feed.icon)
    root.link(href=feed.folder_url + FILENAME, rel="self", type="application/atom+xml")
    root.link(href=feed.home_url, rel="alternate", type="text/html")
    element, tree = root._create_atom()  # noqa: SLF001  # atom_str serialises before `updated` is corrected
    _child(element, "updated").text = rfc3339(feed.updated)
    own = element.findall("link")[-1]
    for link in reversed(archive_elements(feed, FILENAME, "link")):
        own.addnext(link)
    for link in translation_elements(feed, FILENAME, "application/atom+xml", "link"):
        own.addprevious(link)  # newsboat takes the last alternate for the feed's
    element.append(browser_hint(feed))
    for tombstone in feed.tombstones:  # RFC 6721 section 3; before the entries, as RFC 4287's schema requires
        add_element(element, "at:deleted-entry", ref=tombstone.id, when=rfc3339(tombstone.at))
    head, end, rest = serialize_document(tree, feed).rpartition(b"</feed>")
    return b"".join((head, *entries, end, rest))


def _child(element: etree._Element, name: str) -> etree._Element:
    child = element.find(name)
    assert child is not None, "feedgen always writes this element"
    return child


def _person(author: Author) -> dict[str, str]:
    person = {"name": author.name, "email": author.email, "uri": author.url}
    return {key: value for key, value in person.items() if value}


class _AtomEntry(FeedEntry):  # type: ignore[misc]  # feedgen has no types
    """Builds an entry whose links keep their rel, type and length, with dates in RFC 3339 with milliseconds."""

    def __init__(self, entry: Entry, feed: Feed) -> None:
        super().__init__()
        self._entry = entry
        self._feed = feed
        self.id(entry.id)
        self.title(entry.title or entry.display_title)  # RFC 4287 section 4.1.2: required
        self.updated(entry.updated)
        self.published(entry.published)
        self.link(href=title_url(entry, default=entry.url), rel="alternate")
        self.author([_person(author) for author in entry.authors])
        self.category([{"term": name, "scheme": feed.categories_scheme} for name in entry.categories])
        self.category([{"term": name, "scheme": feed.tags_scheme} for name in entry.tags])
        if entry.summary:
            self.summary(entry.summary)
        if entry.html is not None:
            self.content(entry.html, type="html")

    def atom_entry(self, extensions: bool = True) -> etree._Element:
        """Return feedgen's element with its dates and links corrected and the elements that feedgen lacks."""
        entry = self._entry
        element: etree._Element = super().atom_entry(extensions)
        _child(element, "updated").text = rfc3339(entry.updated)
        _child(element, "published").text = rfc3339(entry.published)
        _child(element, "link").attrib.update({"rel": "alternate", "type": "text/html"})
        url = title_url(entry, default=entry.url)
        if url == entry.url:
            element.extend(translation_links(entry, "link"))
        if related := related_url(entry, url):
            add_element(element, "link", href=related, rel="related", type="text/html")
        for enclosure in entry.enclosures:
            length = {"length": str(enclosure.length)} if enclosure.length else {}
            add_element(element, "link", href=enclosure.url, rel="enclosure", type=enclosure.type, **length)
        add_image(element, entry)
        if entry.language != self._feed.language:
            element.set(f"{{{XML}}}lang", entry.language)
        return element
