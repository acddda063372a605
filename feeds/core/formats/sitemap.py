"""Renders sitemaps (sitemaps.org/protocol.html) and news sitemaps (Google Search Central, "News sitemaps")."""

from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import NamedTuple

from feeds.core.formats.timestamps import rfc3339

MEDIA_TYPE = "application/xml; charset=utf-8"
MAX_NEWS = 1_000  # entries of a news sitemap
_PROLOG = '<?xml version="1.0" encoding="UTF-8"?>'
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_NEWS_NAMESPACE = "http://www.google.com/schemas/sitemap-news/0.9"
_MAX_URL_CHARS = 2_048  # "The value must be less than 2,048 characters."
_TRADITIONAL = {"tw", "hk", "mo"}  # regions that write Chinese in traditional characters, unless the script is given


class SitemapUrl(NamedTuple):
    """The URL of a page, and when the page last changed; None if that is unknown."""

    url: str
    updated: datetime | None


class NewsUrl(NamedTuple):
    """The URL of an article, with the properties that a news sitemap states."""

    url: str
    title: str
    published: datetime
    language: str  # a language tag (BCP 47)


def render_sitemap(urls: Iterable[SitemapUrl]) -> bytes:
    """Return a sitemap of pages. URLs that are too long for the protocol are left out."""
    lines = [
        f"<url>{_location(url)}{_last_modified(updated)}</url>" for url, updated in urls if len(url) < _MAX_URL_CHARS
    ]
    return _document(f'urlset xmlns="{_NAMESPACE}"', lines)


def render_index(sitemaps: Iterable[SitemapUrl]) -> bytes:
    """Return an index of sitemaps."""
    lines = [f"<sitemap>{_location(url)}{_last_modified(updated)}</sitemap>" for url, updated in sitemaps]
    return _document(f'sitemapindex xmlns="{_NAMESPACE}"', lines)


def render_news(articles: Iterable[NewsUrl], publication: str) -> bytes:
    """Return a news sitemap of articles in a publication of this name; it may be empty."""
    lines = [
        f"<url>{_location(article.url)}<news:news><news:publication><news:name>{escape(publication, quote=False)}"
        f"</news:name><news:language>{news_language(article.language)}</news:language></news:publication>"
        f"<news:publication_date>{rfc3339(article.published)}</news:publication_date>"
        f"<news:title>{escape(article.title, quote=False)}</news:title></news:news></url>"
        for article in articles
        if len(article.url) < _MAX_URL_CHARS
    ]
    return _document(f'urlset xmlns="{_NAMESPACE}" xmlns:news="{_NEWS_NAMESPACE}"', lines)


def news_language(tag: str) -> str:
    """Return the language code of a news sitemap: two or three letters (ISO 639), or zh-cn or zh-tw for Chinese."""
    language, *subtags = tag.lower().replace("_", "-").split("-")
    if language == "zh":
        is_traditional = "hant" in subtags or ("hans" not in subtags and _TRADITIONAL.intersection(subtags))
        return "zh-tw" if is_traditional else "zh-cn"
    return language


def _location(url: str) -> str:
    return f"<loc>{escape(url)}</loc>"


def _last_modified(moment: datetime | None) -> str:
    return f"<lastmod>{rfc3339(moment)}</lastmod>" if moment else ""


def _document(root: str, lines: list[str]) -> bytes:
    name = root.partition(" ")[0]
    return "\n".join([_PROLOG, f"<{root}>", *lines, f"</{name}>", ""]).encode()
