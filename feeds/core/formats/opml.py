"""Renders the list of a site's feeds as OPML 2.0 (opml.org/spec2.opml), for import into a feed reader."""

from collections.abc import Callable, Iterable

from lxml import etree

from feeds.core.feed_settings import language_of, title_of
from feeds.core.model import LISTED_KINDS, FeedState, Site
from feeds.core.paths import SUMMARY
from feeds.core.text import quote_path
from feeds.core.wording import wording_of

MEDIA_TYPE = "text/x-opml; charset=utf-8"  # opml.org/spec2.opml, "What is an OPML document?"


def render(
    feeds: Iterable[FeedState],
    site: Site,
    filename: str,
    has_summary: Callable[[FeedState], bool] = lambda _feed: False,
) -> bytes:
    """Return an OPML document that lists `feeds` by kind, in their order, in UTF-8.

    The names of kinds are in the language of the site. Each feed is listed with its document named `filename`. If
    `has_summary` is true for a feed, its document with excerpts is listed too. The output doesn't depend on entries or
    dates of changes.
    """
    root = etree.Element("opml", version="2.0")
    head, body = etree.SubElement(root, "head"), etree.SubElement(root, "body")
    etree.SubElement(head, "title").text = site.title
    etree.SubElement(head, "docs").text = "http://opml.org/spec2.opml"
    headings = wording_of(site.language).kinds
    groups = {"site": body} | {kind: etree.Element("outline", text=headings[kind]) for kind in LISTED_KINDS}
    for feed in feeds:
        folder = f"{site.feeds_url}/{quote_path(feed.path)}/" if feed.path else f"{site.feeds_url}/"
        title, language = title_of(feed, site), language_of(feed, site)
        documents = [(title, folder + filename)]
        if has_summary(feed):
            documents.append((f"{title} ({wording_of(language).excerpts})", f"{folder}{SUMMARY}/{filename}"))
        for text, url in documents:
            etree.SubElement(
                groups[feed.kind], "outline", type="rss", text=text, title=text, xmlUrl=url, htmlUrl=folder,
                language=language,
            )  # fmt: skip
    body.extend(group for kind, group in groups.items() if kind != "site" and len(group))
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return document
