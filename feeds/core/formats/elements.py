"""Builds and serialises the XML that RSS and Atom share: namespaces, and elements that feedgen lacks.

feedgen builds the documents. Where its output is wrong (docs/decisions/003-feedgen.md), the subclasses in `rss` and
`atom` correct the element before it is serialised. Elements of feedgen have no namespace.
"""

from html import escape

from feedgen.ext.base import BaseExtension
from lxml import etree

from feeds.core.model import Entry, Feed
from feeds.core.wording import wording_of

NAMESPACES = {
    "at": "http://purl.org/atompub/tombstones/1.0",  # declared on the element: few feeds have tombstones
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
    """Declares the prefixes that RSS items use on the root element."""

    def extend_ns(self) -> dict[str, str]:
        """Return the namespaces by prefix."""
        return {prefix: namespace for prefix, namespace in NAMESPACES.items() if prefix != "at"}


class AtomNamespaces(BaseExtension):  # type: ignore[misc]  # feedgen has no types
    """Declares the prefixes that Atom entries use, besides Atom's own, on the root element."""

    def extend_ns(self) -> dict[str, str]:
        """Return the namespaces by prefix."""
        return {prefix: NAMESPACES[prefix] for prefix in ("fh", "media")}


def add_element(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    """Append an element to `parent` and return it. `name` may begin with a prefix of `NAMESPACES` ("dc:creator")."""
    prefix, _, local = name.rpartition(":")
    tag = f"{{{NAMESPACES[prefix]}}}{local}" if prefix else local
    element = etree.SubElement(parent, tag, attributes, {prefix: NAMESPACES[prefix]} if prefix else None)
    element.text = text
    return element


def add_image(parent: etree._Element, entry: Entry) -> None:
    """Append the entry's image, if it has one, as media:content (Media RSS 1.5.1), for RSS and Atom alike.

    The alt text is omitted, because feedparser and others take a media:description for the summary of the entry.
    """
    if entry.image:
        media_type = {"type": entry.image.type} if entry.image.type else {}
        add_element(parent, "media:content", url=entry.image.url, medium="image", **media_type)


def title_url(entry: Entry, *, default: str) -> str:
    """Return the URL to which the title of an entry leads: its own, that of its subject, or the format's default."""
    if not (entry.external_url and entry.link_blog):
        return default
    return entry.url if entry.link_blog == "permalink" else entry.external_url


def related_url(entry: Entry, url: str) -> str | None:
    """Return the URL of an entry or of its subject, whichever is not `url`; None if the entry has no external URL."""
    return entry.external_url and (entry.external_url if url == entry.url else entry.url)


def translation_links(entry: Entry, link: str) -> list[etree._Element]:
    """Return the links to an entry in other languages, and then one to the entry itself; none without translations.

    Some feed readers (SimplePie) take the first alternate link of an entry as its URL, others (feedparser) the last.
    So links to the entry must be both the first and the last. The one returned here has a language, because no two
    links may have the same type and language (RFC 4287 section 4.1.2).

    Args:
        entry: the entry.
        link: the name of Atom's link element in the format.
    """
    if not entry.translations:
        return []
    parent = etree.Element("links", nsmap={"atom": NAMESPACES["atom"]})
    for language, url in (*entry.translations, (entry.language, entry.url)):
        add_element(parent, link, href=url, rel="alternate", type="text/html", hreflang=language)
    return list(parent)


def archive_elements(feed: Feed, filename: str, link: str) -> list[etree._Element]:
    """Return the elements of RFC 5005 section 4 that mark an archive and link the archives.

    Args:
        feed: the feed.
        filename: the file name of the format's documents.
        link: the name of Atom's link element in the format.
    """
    head = etree.Element("head", nsmap={prefix: NAMESPACES[prefix] for prefix in ("fh", "atom")})
    if feed.current_url:
        add_element(head, "fh:archive")
    for rel, folder_url in (
        ("current", feed.current_url),
        ("prev-archive", feed.prev_archive_url),
        ("next-archive", feed.next_archive_url),
    ):
        if folder_url:
            add_element(head, link, rel=rel, href=folder_url + filename)
    return list(head)


def translation_elements(feed: Feed, filename: str, media_type: str, link: str) -> list[etree._Element]:
    """Return the links to the same feed in other languages (RFC 4287 section 4.2.7).

    Args:
        feed: the feed.
        filename: the file name of the format's documents.
        media_type: their media type.
        link: the name of Atom's link element in the format.
    """
    head = etree.Element("head", nsmap={"atom": NAMESPACES["atom"]})
    for language, folder_url in feed.translations:
        add_element(head, link, rel="alternate", hreflang=language, type=media_type, href=folder_url + filename)
    return list(head)


def browser_hint(feed: Feed) -> etree._Element:
    """Return a line of XHTML for browsers: a link to the feed's page, and a script. Feed readers ignore it.

    The text is in the language of the feed, or in English.

    The script makes titles links and dates readable, which CSS can't. Script and link are in a `div`, the only XHTML
    element for which, and for whose content, the W3C feed validator has no warning.
    """
    wording = wording_of(feed.language)
    line = etree.Element(f"{{{XHTML}}}div", {f"{{{XML}}}lang": wording.language}, nsmap={None: XHTML})  # type: ignore[dict-item]  # the stubs lack the default namespace
    if wording.language == "ar":
        line.set("dir", "rtl")
    line.text = f"{wording.browser_hint} "
    link = etree.SubElement(line, f"{{{XHTML}}}a", href=feed.page_url)
    link.text = wording.browser_link
    etree.SubElement(line, f"{{{XHTML}}}script", src=feed.stylesheet_url.removesuffix(".css") + ".js")
    return line


def serialize_fragment(element: etree._Element, depth: int, namespaces: dict[str, str]) -> bytes:
    """Return an element as UTF-8 on its own lines, as it stands in a document.

    Args:
        element: the element.
        depth: the number of its ancestors, by which it is indented.
        namespaces: the namespaces by prefix that the document's root declares.
    """
    root = parent = etree.Element("root", nsmap=dict[str | None, str](namespaces))
    for _ in range(1, depth):
        parent = etree.SubElement(parent, "ancestor")
    parent.append(element)
    text: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False, pretty_print=True)
    return text.split(b"\n", depth)[depth].rsplit(b"\n", depth + 1)[0] + b"\n"  # without the tags of the ancestors


def serialize_document(tree: etree._ElementTree, feed: Feed) -> bytes:
    """Return a document as indented UTF-8, with the XML declaration and a reference to the feed's style sheet."""
    tree.getroot().addprevious(
        etree.ProcessingInstruction("xml-stylesheet", f'href="{escape(feed.stylesheet_url)}" type="text/css"')
    )
    text: bytes = etree.tostring(tree, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return text
