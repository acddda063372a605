"""Check documents against the schemas of their formats, and against rules of feed validators that schemas cannot express."""

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path

import jsonschema
import rnc2rng
from lxml import etree

SCHEMAS = Path(__file__).parent / "schemas"
ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}"
XHTML = "http://www.w3.org/1999/xhtml"
DC = "{http://purl.org/dc/elements/1.1/}"
RFC822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
)
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")


@cache
def _atom_schema():
    grammar = rnc2rng.dumps(rnc2rng.loads((SCHEMAS / "atom.rnc").read_text("utf-8")))
    return etree.RelaxNG(etree.fromstring(grammar.replace(' xmlns:local=""', "").encode()))


@cache
def _json_schema():
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / "jsonfeed.schema.json").read_bytes()))


def violations(filename, body, url):
    """Yield the violations in a document that is served at a URL."""
    return {"rss.xml": rss, "atom.xml": atom, "feed.json": jsonfeed}[filename](body, url)


def _html(text, where):
    """Yield the violations in the HTML of an element."""
    for attribute, value in re.findall(r'\s(href|src|poster|cite)="([^"]*)"', text):
        within = value.startswith("#") and f'id="{value[1:]}"' in text  # feed readers follow footnotes only this way
        if not within and not re.match(r"(https?|mailto|tel):|data:image/", value):
            yield f"{where}: relative {attribute}={value}"
    if re.search(r"<(script|iframe|object|embed|style)\b|\son\w+=", text):
        yield f"{where}: active content"


def _misplaced(feed):
    """Yield the XHTML elements that the W3C feed validator warns of: all but `div` and `meta`."""
    names = [etree.QName(child) for child in feed if isinstance(child.tag, str)]
    for name in names:
        if name.namespace == XHTML and name.localname not in {"div", "meta"}:
            yield f"misplaced XHTML content: {name.localname}"


def atom(body, url):
    """Yield violations of the schema of RFC 4287, and of rules that the schema cannot express."""
    root = etree.fromstring(body)
    yield from _misplaced(root)
    if root.findtext(f"{ATOM}updated") < "1990":
        yield "implausible date"
    schema = _atom_schema()
    if not schema.validate(root):
        yield from (f"line {error.line}: {error.message}" for error in schema.error_log)
    if [link.get("href") for link in root.findall(f"{ATOM}link[@rel='self']")] != [url]:
        yield "the self link is not the URL"
    if not root.findall(f"{ATOM}author"):
        yield "no author on the feed (4.1.1)"
    ids = [element.text for element in root.iter(f"{ATOM}id")]
    yield from (f"id {id_} twice" for id_ in set(ids) if ids.count(id_) > 1)
    yield from (f"id {id_} is not an absolute IRI (4.2.6)" for id_ in ids if not ABSOLUTE.fullmatch(id_))
    for name in ("updated", "published"):
        yield from (f"{name} {e.text} (3.3)" for e in root.iter(ATOM + name) if not RFC3339.fullmatch(e.text))
    for entry in root.iter(f"{ATOM}entry"):
        links = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in entry.findall(f"{ATOM}link")]
        if [(rel, language) for rel, _, language in links].count(("alternate", None)) != 1:
            yield "no alternate link without a language, or several (4.1.2)"
        alternates = [link for link in links if link[0] == "alternate"]
        if len(alternates) != len(set(alternates)):
            yield "alternate links with one type and language (4.1.2)"
        main, *others = [link.get("href") for link in entry.findall(f"{ATOM}link[@rel='alternate']")]
        if others and others[-1] != main:
            yield "the first alternate link is not the last, which some feed readers use"
        content = entry.find(f"{ATOM}content")
        if content is not None:
            if content.get("type") != "html":
                yield "content that is not html"
            yield from _html(content.text or "", "content")
        title = entry.find(f"{ATOM}title")
        if title.get("type", "text") != "text" or not (title.text or "").strip():
            yield "a title that is empty or not plain text"
    newest = [e.find(f"{ATOM}published").text for e in root.iter(f"{ATOM}entry")]
    if newest != sorted(newest, key=datetime.fromisoformat, reverse=True):
        yield "not newest first"


def rss(body, url):
    """Yield violations of RSS 2.0 and of the RSS Advisory Board's profile: errors and warnings of validators."""
    root = etree.fromstring(body)
    channel = root.find("channel")
    yield from _misplaced(channel)
    if parsedate_to_datetime(channel.findtext("lastBuildDate")).year < 1990:
        yield "implausible date"
    if (root.tag, root.get("version")) != ("rss", "2.0"):
        yield "not RSS 2.0"
    for name in ("title", "link", "description"):
        if len(channel.findall(name)) != 1 or not (channel.findtext(name) or "").strip():
            yield f"channel: no {name}, or several"
    selves = channel.findall(f"{ATOM}link[@rel='self']")
    if [link.get("href") for link in selves] != [url] or selves[0].get("type") != "application/rss+xml":
        yield "no atom:link to itself"
    image = channel.find("image")
    if image is not None and (image.findtext("title"), image.findtext("link")) != (
        channel.findtext("title"),
        channel.findtext("link"),
    ):
        yield "the image's title and link are not the channel's"
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", channel.findtext("language")):
        yield "language"
    for element in [*channel.iter("pubDate"), *channel.iter("lastBuildDate")]:
        if not RFC822.fullmatch(element.text):
            yield f"{element.tag} {element.text}"
    guids = [guid.text for guid in channel.iter("guid")]
    yield from (f"guid {guid} twice" for guid in set(guids) if guids.count(guid) > 1)
    items = channel.findall("item")
    for item in items:
        names = [child.tag for child in item]
        title = item.findtext("title") or "?"
        for once in ("link", "guid", "pubDate"):
            if names.count(once) != 1:
                yield f"{title}: {once} {names.count(once)} times"
        if names.count("title") > 1 or not {"title", "description"} & set(names):
            yield f"{title}: neither title nor description, or several titles"
        for most in ("description", "author", "enclosure", f"{CONTENT}encoded"):
            if names.count(most) > 1:
                yield f"{title}: {most} more than once"
        if item.find("guid").get("isPermaLink") != "false":
            yield f"{title}: guid without isPermaLink=false"
        if not re.match(r"https?://", item.findtext("link")):
            yield f"{title}: link {item.findtext('link')}"
        if "author" in names and f"{DC}creator" in names:
            yield f"{title}: author and dc:creator together"
        author = item.findtext("author")
        if author is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+ \([^()]*\)", author):
            yield f"{title}: author {author} is not an e-mail address (name)"
        if f"{CONTENT}encoded" in names and (
            "description" not in names or names.index("description") > names.index(f"{CONTENT}encoded")
        ):
            yield f"{title}: content:encoded without a description before it"
        for enclosure in item.findall("enclosure"):
            if not (
                re.match(r"https?://", enclosure.get("url"))
                and enclosure.get("length").isdecimal()
                and enclosure.get("type")
            ):
                yield f"{title}: enclosure"
        yield from _html(item.findtext(f"{CONTENT}encoded") or item.findtext("description") or "", title)
    if [item.findtext("pubDate") for item in items] != [
        item.findtext("pubDate")
        for item in sorted(items, key=lambda i: parsedate_to_datetime(i.findtext("pubDate")), reverse=True)
    ]:
        yield "not newest first"
    if re.search(rb"<title>[^<]*(&amp;|&lt;)", body):
        yield "a title with &amp; or &lt;, which some feed readers interpret as markup"


def jsonfeed(body, url):
    """Yield violations of the schema of JSON Feed 1.1, and of rules that the schema cannot express."""
    document = json.loads(body)
    yield from (f"{error.json_path}: {error.message}" for error in _json_schema().iter_errors(document))
    if document.get("feed_url") != url:
        yield "feed_url is not the URL"
    ids = [item["id"] for item in document["items"]]
    yield from (f"id {id_} twice" for id_ in set(ids) if ids.count(id_) > 1)
    for item in document["items"]:
        yield from _html(item.get("content_html", ""), item.get("title", "?"))
    dates = [item["date_published"] for item in document["items"]]
    if dates != sorted(dates, key=datetime.fromisoformat, reverse=True):
        yield "not newest first"
