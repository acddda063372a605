"""URLs of a site in entries and HTML, replaced by others: the relative links of pages, and the links of a preview.

In a preview, documents and pages link to the server on this machine instead of site.url. The catalog, the ids and the
exported files are the same as without it.
"""

import re
from dataclasses import replace
from functools import lru_cache
from html import escape

from feeds.core.model import Author, Entry, Site, Translation

_TAG = re.compile(r'<[a-z][^<>"]*(?:"[^"]*"[^<>"]*)+>')  # sanitised HTML has all values in double quotes
_URLS = re.compile(r' (?:href|src|srcset|poster|cite|data)="[^"]*"')


def relocate_site(site: Site, address: str) -> Site:
    """Return a site that is served at another address, without a trailing slash.

    Without `site.pages`, another program serves the articles, so `site.url` stays.
    """
    if not site.pages:
        return replace(site, feeds_url=address)
    icon = site.icon and move_url(site.icon, site.url, address)
    author = site.author and _move_author(site.author, site.url, address)
    feeds = {
        path: replace(settings, image=move_url(settings.image, site.url, address)) if settings.image else settings
        for path, settings in site.feeds.items()
    }
    return replace(site, url=address, feeds_url=address, icon=icon, author=author, feeds=feeds)


def move_url(url: str, base: str, to: str) -> str:
    """Return a URL below `base` as the same URL below `to`, and any other unchanged. Neither of the two ends in "/"."""
    return to + url[len(base) :] if url == base or url.startswith((f"{base}/", f"{base}?", f"{base}#")) else url


def move_html(html: str, base: str, to: str) -> str:
    """Return sanitised HTML in which URLs below `base` are URLs below `to`; only attributes are changed."""
    base = escape(base)
    if base not in html:
        return html
    url, to = _url_below(base), escape(to)

    def move_tag(tag: re.Match[str]) -> str:
        if base not in tag[0]:
            return tag[0]
        return _URLS.sub(lambda attribute: url.sub(lambda _: to, attribute[0]), tag[0])

    return _TAG.sub(move_tag, html)


@lru_cache(maxsize=8)
def _url_below(base: str) -> re.Pattern[str]:
    """Return the pattern of `base` at the beginning of a value, or of a URL in a `srcset`."""
    return re.compile(rf'(?<=["\s,]){re.escape(base)}(?=[/?#"\s,])')


def move_entry(entry: Entry, base: str, to: str) -> Entry:
    """Return an entry in which URLs below `base` are URLs below `to`. Its id stays."""
    if base == to:
        return entry
    return replace(
        entry,
        url=move_url(entry.url, base, to),
        authors=tuple(_move_author(author, base, to) for author in entry.authors),
        html=entry.html and move_html(entry.html, base, to),
        image=entry.image and replace(entry.image, url=move_url(entry.image.url, base, to)),
        enclosures=tuple(replace(file, url=move_url(file.url, base, to)) for file in entry.enclosures),
        external_url=entry.external_url and move_url(entry.external_url, base, to),
        translations=tuple(Translation(language, move_url(url, base, to)) for language, url in entry.translations),
        excerpt=move_html(entry.excerpt, base, to),
    )


def _move_author(author: Author, base: str, to: str) -> Author:
    return replace(author, url=move_url(author.url, base, to)) if author.url else author
