"""A feed that somebody else made -> the ids of its entries: all that tells readers what they have seen already."""

import json

from lxml import etree

_ATOM = "{http://www.w3.org/2005/Atom}"


def ids(data: bytes) -> list[str]:
    """Give the ids of a saved feed's entries, in their order: guid, or link, of RSS; id of Atom and JSON Feed.

    Raises `ValueError` for what is no feed.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        items = json.loads(data).get("items")
        if not isinstance(items, list):
            raise ValueError("has no items, as JSON Feed has")
        found = [str(item.get("id") or item.get("url") or "") for item in items if isinstance(item, dict)]
    else:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=True)
        try:
            root = etree.fromstring(data, parser)
        except etree.XMLSyntaxError:  # empty
            root = None
        if root is None:
            raise ValueError("is neither XML nor JSON")
        items = [*root.iter("item", f"{_ATOM}entry", "{http://purl.org/rss/1.0/}item")]
        if not items and root.tag not in ("rss", f"{_ATOM}feed"):
            raise ValueError("is no RSS, Atom or JSON Feed")
        found = [_id(item) for item in items]
    return [one for one in found if one]


def _id(item: etree._Element) -> str:
    about = item.get("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about")
    said = (item.findtext(name) for name in ("guid", f"{_ATOM}id", "link"))
    return next((one.strip() for one in said if one and one.strip()), about or "")
