"""Converts values of front matter: to text, to a lower-case word, to a list, or to a value in a mapping."""

import re
from collections.abc import Mapping
from typing import Any

from feeds.core.parse.keys import canonical_key
from feeds.core.text import absolute_url, one_line, url_scheme

_MAX_QUOTED_LENGTH = 60  # characters of a value in a message
_WIKILINK = re.compile(r"!?\[\[(?P<note>[^\[\]|#]+)(?:#[^\[\]|]*)?(?:\|(?P<shown>[^\[\]]*))?\]\]")


def flatten(value: Any) -> list[Any]:
    """Return the items of a list and of the lists in it, or [value] for any other value."""
    if not isinstance(value, list):
        return [value]
    return [inner for item in value for inner in flatten(item)] if list in map(type, value) else value


def first_value(mapping: Mapping[str, Any], *keys: str) -> Any:
    """Return the value of the first of these canonical keys that has a value in a mapping, or None."""
    values = {canonical_key(str(key)): value for key, value in mapping.items() if not is_empty(value)}
    return next((values[key] for key in keys if key in values), None)


def require_url(url: str) -> str:
    """Return a URL unchanged. Raise `ValueError` if it is neither relative nor http(s)."""
    if url_scheme(url) not in ("", "http", "https") or absolute_url(url, "https://site.invalid/") is None:
        raise ValueError(f"{quoted(url)} is neither a path on the site nor an http(s) URL")
    return url


def as_text(value: Any) -> str:
    """Return a value as text on one line. Raise `ValueError` for a list, a mapping or None."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list | dict) or value is None:
        raise ValueError(f"must be text, not {describe(value)}")
    return str(value).lower() if isinstance(value, bool) else one_line(str(value))


def describe(value: Any) -> str:
    """Return a description of a value for a message: "a list", "a mapping", or the value in quotes.

    None is described as a mapping, because it stands for one that lacks the key for its text.
    """
    if value is None:
        return "a mapping"
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else quoted(value)


def quoted(value: Any) -> str:
    """Return a value in quotes for a message, at most 60 characters of it."""
    return repr(one_line(str(value).lower() if isinstance(value, bool) else str(value))[:_MAX_QUOTED_LENGTH])


def as_word(value: Any) -> str:
    """Return a bool, str or int as a word in lower case, and "" for any other value."""
    return str(value).strip().lower() if isinstance(value, bool | str | int) else ""


def is_empty(value: Any) -> bool:
    """Return whether a key with this value counts as absent."""
    return value is None or (isinstance(value, str) and not one_line(value))


def unwrap(value: Any) -> Any:
    """Return the item of a list with one item, or the value itself."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def looks_like_date(value: Any) -> bool:
    """Return whether a value is probably meant to be a date: a mapping, or text with a digit."""
    return isinstance(value, dict) or (isinstance(value, str) and any(map(str.isdecimal, value)))


def strip_wikilinks(text: str) -> str:
    """Return a text with Obsidian's links as their text: `[[People/Ann Bee]]` is "Ann Bee", `[[Note|Ann]]` is "Ann"."""
    if "[[" not in text:
        return text
    return _WIKILINK.sub(lambda link: (link["shown"] or link["note"].rpartition("/")[2]).strip(), text)


def wikilink_file(text: str) -> str:
    """Return the file name in an Obsidian link, such as `[[a.png]]` or `![[a.png|300]]`. Other text is unchanged."""
    link = _WIKILINK.fullmatch(text) if "[[" in text else None
    return link["note"].strip() if link else text


def split_hashtags(text: str) -> list[str]:
    """Return the tags in a text without "#": ["one", "two"] for "#one #two", ["one two"] for "one two"."""
    if not text.startswith("#"):
        return [text]
    words = text.split()
    several = all(word.startswith("#") for word in words)
    return [word.lstrip("# ") for word in (words if several else [text])]
