"""Renders the list of a site's feeds as OPML 2.0 (opml.org/spec2.opml), for import into a feed reader."""

from collections.abc import Iterable

from lxml import etree

from feeds.core.model import GROUPED_KINDS, FeedState, Site
from feeds.core.text import quote_path

MEDIA_TYPE = "text/x-opml; charset=utf-8"  # opml.org/spec2.opml, "What is an OPML document?"


def render(feeds: Iterable[FeedState], site: Site, filename: str) -> bytes:
    """Return an OPML document that lists `feeds` by kind, in their order, in UTF-8.

    Each feed is listed with its document named `filename`. The output doesn't depend on entries or dates of changes.
    """
    root = etree.Element("opml", version="2.0")
    head, body = etree.SubElement(root, "head"), etree.SubElement(root, "body")
    etree.SubElement(head, "title").text = site.title
    etree.SubElement(head, "docs").text = "http://opml.org/spec2.opml"
    groups = {"site": body} | {kind: etree.Element("outline", text=name) for kind, name in GROUPED_KINDS.items()}
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
