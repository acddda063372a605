"""Shows entries by the options of a feed: texts, excerpts, footers and links. Ids and dates never depend on them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from html import escape
from urllib.parse import quote

from feeds.core.model import FOOTER_PLACEHOLDERS, Entry, EntryOptions, Site
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.wording import wording_of

_DEFAULT = EntryOptions()
_FRAGMENT_LINK = re.compile(r'(<a [^<>]*?href=")#')  # in sanitised HTML, where "<" and ">" only delimit tags
_URLS = {"url", "reply_by_email"}  # placeholders whose values are URLs
# Placeholders while the footer is Markdown: URLs where a value is one, so that they can be the targets of links
_MARKERS = {
    name: f"https://placeholder-{name.replace('_', '-')}.invalid/" if name in _URLS else f"placeholder{name}"
    for name in FOOTER_PLACEHOLDERS
}
_NAMES = {marker: name for name, marker in _MARKERS.items()}
_MARKER = re.compile("|".join(map(re.escape, _NAMES)))
_TAG_OR_MARKER = re.compile(rf"<[^<>]*>|{_MARKER.pattern}")
_ATTRIBUTE = re.compile(r' (?P<name>[a-z-]+)="(?P<value>[^"]*)"')
_URL_ATTRIBUTES = {"href", "src", "srcset", "poster", "cite", "data"}


def present(entry: Entry, options: EntryOptions, site: Site) -> Entry:
    """Return an entry as a feed with these options shows it. An entry that was shortened to its summary stays short."""
    if options == _DEFAULT:
        return entry
    url = _with_query(entry.url, options.link_query, site.url)
    html = entry.html
    if options.text == "excerpt":
        html = None if html is None and not entry.excerpt else _excerpt(entry, url)
    elif options.text == "summary":
        html = f"<p>{escape(entry.summary, quote=False)}</p>" if options.footer and entry.summary else None
    if html is not None and options.footer:
        html = f"{html}\n{_footer(entry, options.footer, url, site)}".lstrip()
    return replace(entry, url=url, html=html, link_blog=options.link_blog)


def _with_query(url: str, query: str, site_url: str) -> str:
    """Return the URL of a page of the site with a query; other sites would not understand it."""
    if not query or not (url == site_url or url.startswith((f"{site_url}/", f"{site_url}?", f"{site_url}#"))):
        return url
    address, mark, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{query}{mark}{fragment}"


def _excerpt(entry: Entry, url: str) -> str:
    """Return the HTML of an excerpt, with a link to the rest of the text if there is one."""
    link = escape(url)
    excerpt = (
        _FRAGMENT_LINK.sub(lambda tag: f"{tag[1]}{link}#", entry.excerpt) if '"#' in entry.excerpt else entry.excerpt
    )
    if entry.excerpt == entry.html:
        return excerpt
    return f'{excerpt}\n<p><a href="{link}">{wording_of(entry.language).continue_reading}</a></p>'.lstrip()


def _footer(entry: Entry, footer: str, url: str, site: Site) -> str:
    """Return the HTML of a footer, with an entry's values in its placeholders."""
    authors = [author.name for author in entry.authors] or [site.author.name if site.author else site.title]
    email = next((author.email for author in entry.authors if author.email), site.author and site.author.email) or ""
    title = entry.display_title
    reply = f"mailto:{quote(email, safe='@+')}?subject={quote(f'Re: {title}', safe='')}"
    values = {"title": title, "url": url, "author": ", ".join(authors), "reply_by_email": reply}
    texts = values | {"url": entry.url, "reply_by_email": email}

    def fill(match: re.Match[str]) -> str:
        if match[0].startswith("<"):
            return _ATTRIBUTE.sub(lambda attribute: _fill_attribute(attribute, values), match[0])
        return escape(texts[_NAMES[match[0]]], quote=False)

    return _TAG_OR_MARKER.sub(fill, _footer_html(footer, site.url))


def _fill_attribute(attribute: re.Match[str], values: Mapping[str, str]) -> str:
    """Return an attribute with values in its placeholders: percent-encoded within a URL, unless they begin the URL."""
    is_url = attribute["name"] in _URL_ATTRIBUTES

    def fill(marker: re.Match[str]) -> str:
        name = _NAMES[marker[0]]
        is_beginning = marker.start() == 0 and name in _URLS
        return quote(values[name], safe="") if is_url and not is_beginning else escape(values[name])

    return f' {attribute["name"]}="{_MARKER.sub(fill, attribute["value"])}"'


@lru_cache(maxsize=64)
def _footer_html(footer: str, site_url: str) -> str:
    """Return the HTML of a footer in Markdown, with a marker for each placeholder."""
    for name, marker in _MARKERS.items():
        footer = footer.replace(f"{{{name}}}", marker)
    return MarkdownRenderer().render(footer, None, f"{site_url}/", "footer-").html
