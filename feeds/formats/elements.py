"""What RSS and Atom share of feedgen and XML: namespaces, serialisation, and elements that feedgen does not know.

feedgen's builders make the documents; where they err (docs/decisions/003-feedgen.md) the subclasses in `rss` and
`atom` mend the element before it is written. Elements are named as feedgen leaves them: its own without a namespace.
"""

from html import escape

from feedgen.ext.base import BaseExtension
from lxml import etree

from feeds.model import Entry, Feed

NAMESPACES = {
    "at": "http://purl.org/atompub/tombstones/1.0",  # declared where it is used: few feeds have tombstones
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "fh": "http://purl.org/syndication/history/1.0",
    "media": "http://search.yahoo.com/mrss/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}
XHTML = "http://www.w3.org/1999/xhtml"
XML = "http://www.w3.org/XML/1998/namespace"


class RssNamespaces(BaseExtension):  # type: ignore[misc]  # feedgen has no types
    """Declares on the root the prefixes that our RSS items use."""

    def extend_ns(self) -> dict[str, str]:
        """Give prefix -> namespace."""
        return {prefix: namespace for prefix, namespace in NAMESPACES.items() if prefix != "at"}


class AtomNamespaces(BaseExtension):  # type: ignore[misc]  # feedgen has no types
    """Declares on the root the prefix that our Atom entries use beyond Atom's own."""

    def extend_ns(self) -> dict[str, str]:
        """Give prefix -> namespace."""
        return {prefix: NAMESPACES[prefix] for prefix in ("fh", "media")}


def add(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    """Append an element; `name` may have one of our prefixes ("dc:creator")."""
    prefix, _, local = name.rpartition(":")
    tag = f"{{{NAMESPACES[prefix]}}}{local}" if prefix else local
    element = etree.SubElement(parent, tag, attributes, {prefix: NAMESPACES[prefix]} if prefix else None)
    element.text = text
    return element


def add_image(parent: etree._Element, entry: Entry) -> None:
    """Append the entry's image as Media RSS, which RSS and Atom readers both know (Media RSS 1.5.1, media:content).

    Without its alt text: feedparser, for one, takes a media:description for the summary of the entry.
    """
    if entry.image:
        known = {"type": entry.image.type} if entry.image.type else {}
        add(parent, "media:content", url=entry.image.url, medium="image", **known)


def history(feed: Feed, filename: str, link: str) -> list[etree._Element]:
    """Make what RFC 5005 section 4 wants of an archived feed, with `link` as the name of Atom's link element."""
    head = etree.Element("head", nsmap={prefix: NAMESPACES[prefix] for prefix in ("fh", "atom")})
    if feed.current:
        add(head, "fh:archive")
    for rel in ("current", "prev-archive", "next-archive"):
        if address := getattr(feed, rel.replace("-", "_")):
            add(head, link, rel=rel, href=address + filename)
    return list(head)


def for_people(feed: Feed) -> etree._Element:
    """Return the line for who opens the document in a browser, which leads to the feed's page.

    Readers ignore it. It is a `div`, the one XHTML element for which the W3C feed validator has no warning.
    """
    line = etree.Element(f"{{{XHTML}}}div", {f"{{{XML}}}lang": "en"}, nsmap={None: XHTML})  # type: ignore[dict-item]  # the stubs know no default
    line.text = "This is a feed, for feed readers. "
    link = etree.SubElement(line, f"{{{XHTML}}}a", href=feed.page)
    link.text = "What it brings, and how to subscribe"
    return line


def alone(element: etree._Element, depth: int, namespaces: dict[str, str]) -> bytes:
    """Write an element as it stands in a document: so deep, on its own lines, with the prefixes of the root there."""
    root = place = etree.Element("root", nsmap=dict[str | None, str](namespaces))
    for _ in range(1, depth):
        place = etree.SubElement(place, "above")
    place.append(element)
    text: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False, pretty_print=True)
    return text.split(b"\n", depth)[depth].rsplit(b"\n", depth + 1)[0] + b"\n"  # without the lines of what is above


def serialise(tree: etree._ElementTree, feed: Feed) -> bytes:
    """Write a document in UTF-8, with its prolog and stylesheet, indented so that people can read it."""
    tree.getroot().addprevious(
        etree.ProcessingInstruction("xml-stylesheet", f'href="{escape(feed.stylesheet)}" type="text/css"')
    )
    text: bytes = etree.tostring(tree, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return text
