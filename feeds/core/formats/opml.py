"""Renders the list of a site's feeds as OPML 2.0 (opml.org/spec2.opml), for import into a feed reader."""

from collections.abc import Callable, Iterable

from lxml import etree

from feeds.core.feed_settings import language_of, title_of
from feeds.core.model import LISTED_KINDS, SUMMARIES, FeedState, Site
from feeds.core.paths import SUMMARY
from feeds.core.text import quote_path

MEDIA_TYPE = "text/x-opml; charset=utf-8"  # opml.org/spec2.opml, "What is an OPML document?"


def render(
    feeds: Iterable[FeedState],
    site: Site,
    filename: str,
    has_summary: Callable[[FeedState], bool] = lambda _feed: False,
) -> bytes:
    """Return an OPML document that lists `feeds` by kind, in their order, in UTF-8.

    Each feed is listed with its document named `filename`. If `has_summary` is true for a feed, its document with
    excerpts is listed too. The output doesn't depend on entries or dates of changes.
    """
    root = etree.Element("opml", version="2.0")
    head, body = etree.SubElement(root, "head"), etree.SubElement(root, "body")
    etree.SubElement(head, "title").text = site.title
    etree.SubElement(head, "docs").text = "http://opml.org/spec2.opml"
    groups = {"site": body} | {kind: etree.Element("outline", text=name) for kind, name in LISTED_KINDS.items()}
    for feed in feeds:
        folder = f"{site.feeds_url}/{quote_path(feed.path)}/" if feed.path else f"{site.feeds_url}/"
        title = title_of(feed, site)
        documents = [(title, folder + filename)]
        if has_summary(feed):
            documents.append((f"{title} ({SUMMARIES})", f"{folder}{SUMMARY}/{filename}"))
        for text, url in documents:
            etree.SubElement(
                groups[feed.kind], "outline", type="rss", text=text, title=text, xmlUrl=url, htmlUrl=folder,
                language=language_of(feed, site),
            )  # fmt: skip
    body.extend(group for kind, group in groups.items() if kind != "site" and len(group))
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return document
