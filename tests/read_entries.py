"""Read the entries of RSS, Atom and JSON Feed documents with independent parsers, into one format."""

import json
from datetime import datetime
from email.utils import parsedate_to_datetime
from html import unescape

import feedparser
from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"


def read_entries(filename, body):
    """Return the entries of a document as dictionaries.

    Keys: id, url, title, published, updated, authors, categories, tags, summary, html, image, files, language.
    """
    return _jsonfeed(body) if filename == "feed.json" else _xml(filename, body)


def _xml(filename, body):
    parsed = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    assert not parsed.bozo, parsed.bozo_exception
    default = parsed.feed.language
    raw = etree.fromstring(body)
    languages = [
        element.get("{http://www.w3.org/XML/1998/namespace}lang")
        or element.findtext("{http://purl.org/dc/elements/1.1/}language")
        for element in raw.iter("item", f"{ATOM}entry")
    ]
    entries = []
    for entry, language in zip(parsed.entries, languages, strict=True):
        media = entry.get("media_content", [])
        files = [(file["href"], file["type"], int(file.get("length") or 0)) for file in entry.get("enclosures", [])]
        files += [(m["url"], m["type"], int(m.get("filesize") or 0)) for m in media if m.get("medium") != "image"]
        summary = entry.get("summary", "")
        entries.append(
            {
                "id": entry.id,
                "url": entry.link,
                "title": entry.get("title", ""),
                "published": datetime.fromisoformat(entry.published)
                if filename == "atom.xml"
                else parsedate_to_datetime(entry.published),
                "updated": datetime.fromisoformat(entry.updated),
                "authors": [author["name"] for author in entry.get("authors", [])],
                "categories": [tag.term for tag in entry.get("tags", []) if tag.scheme.endswith("/category/")],
                "tags": [tag.term for tag in entry.get("tags", []) if tag.scheme.endswith("/tag/")],
                "summary": unescape(summary) if filename == "rss.xml" else summary,
                "html": entry.content[0].value if "content" in entry else None,
                "image": next((m["url"] for m in media if m.get("medium") == "image"), None),
                "files": files,
                "language": language or default,
            }
        )
    return entries


def _jsonfeed(body):
    document = json.loads(body)
    return [
        {
            "id": item["id"],
            "url": item["url"],
            "title": item.get("title", ""),
            "published": datetime.fromisoformat(item["date_published"]),
            "updated": datetime.fromisoformat(item["date_modified"]),
            "authors": [author["name"] for author in item.get("authors", [])],
            "categories": item.get("_feeds", {}).get("categories", []),
            "tags": [tag for tag in item.get("tags", []) if tag not in item.get("_feeds", {}).get("categories", [])],
            "summary": item.get("summary", ""),
            "html": item.get("content_html"),
            "image": item.get("image"),
            "files": [(f["url"], f["mime_type"], f.get("size_in_bytes", 0)) for f in item.get("attachments", [])],
            "language": item.get("language", document["language"]),
        }
        for item in document["items"]
    ]
