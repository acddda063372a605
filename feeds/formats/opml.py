"""A site's feeds -> OPML 2.0 (opml.org/spec2.opml): what one imports into a reader to have them all."""

from collections.abc import Iterable

from lxml import etree

from feeds.model import FeedState, Kind, Site
from feeds.text import quote_path

MEDIA_TYPE = "text/x-opml; charset=utf-8"  # opml.org/spec2.opml, "What is an OPML document?"
_GROUPS: dict[Kind, str] = {"category": "Categories", "tag": "Tags", "author": "Authors"}


def render(feeds: Iterable[FeedState], site: Site, filename: str) -> bytes:
    """Render a list of the site's feeds, by kind and in their order, each by its document of that file name.

    The same list gives the same bytes: how many entries a feed has, and when it changed, is not in it.
    """
    root = etree.Element("opml", version="2.0")
    head, body = etree.SubElement(root, "head"), etree.SubElement(root, "body")
    etree.SubElement(head, "title").text = site.title
    etree.SubElement(head, "docs").text = "http://opml.org/spec2.opml"
    groups = {"site": body} | {kind: etree.Element("outline", text=name) for kind, name in _GROUPS.items()}
    for feed in feeds:
        folder = f"{site.feeds_url}/{quote_path(feed.path)}/" if feed.path else f"{site.feeds_url}/"
        title = f"{site.title} – {feed.name}" if feed.name else site.title
        etree.SubElement(
            groups[feed.kind], "outline", type="rss", text=title, title=title, xmlUrl=folder + filename, htmlUrl=folder,
            language=site.language,
        )  # fmt: skip
    body.extend(group for kind, group in groups.items() if kind != "site" and len(group))
    text: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return text
