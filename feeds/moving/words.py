"""What moving from any generator is told in, and how their files are read."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from feeds.parse import yaml

Settings = dict[str, Any]
UNKNOWN = "https://example.org"  # a site whose URL its configuration does not tell
DOCUMENT = {"rss": "rss.xml", "atom": "atom.xml", "json": "feed.json"}


@dataclass(frozen=True, slots=True)
class OldFeed:
    """The feeds of one kind that the old site had: `path` holds {name}, the name of the category, tag or author."""

    kind: Literal["category", "tag", "author"]
    path: str
    document: str  # ours that takes its place: rss.xml, atom.xml or feed.json


@dataclass(frozen=True, slots=True)
class Move:
    """What of ours says the same: the sections of config.yaml, the feeds there were, how they spelled a name."""

    settings: Settings
    feeds: tuple[OldFeed, ...]
    spelled: Callable[[str], str]  # a category, tag, author or folder as the old site's paths had it
    notes: tuple[str, ...]
    slashes: bool = False  # whether an article that says /x for its URL is at /x/


class Unreadable(ValueError):
    """A configuration that can't be read; says why."""


def site(title: Any, url: Any, **more: Any) -> Settings:
    """Give the section `site`, of what there is."""
    site: Settings = {"title": str(title or "My site"), "url": _url(str(url or "").strip().rstrip("/"))}
    if language := more.get("language"):
        more["language"] = str(language).replace("_", "-")
    author = more.pop("author", None)
    if isinstance(author, Mapping):
        author = {key: str(author[key]) for key in ("name", "email", "url") if author.get(key)}
        author = author if author.get("name") else None
    site |= {key: str(value) for key, value in more.items() if isinstance(value, str) and value.strip()}
    if author:
        site["author"] = author if isinstance(author, dict) else str(author)
    return {"site": site}


def _url(said: str) -> str:
    """Make a site's URL of what was said of it, which may be a host, or a path."""
    if said.startswith("//"):
        return f"https:{said}"
    if urlsplit(said).scheme in ("http", "https"):
        return said
    return f"{UNKNOWN}{said}" if not said or said.startswith("/") else f"https://{said}"


def translated(pattern: str, parts: Mapping[str, str], notes: list[str]) -> str:
    """Write a pattern with `:parts` in our words; note those that we don't have, and leave them out."""

    def part(match: re.Match[str]) -> str:
        ours = parts.get(match[0][1:].lower())
        if ours is None:
            notes.append(f"permalink {pattern}: there is no {match[0]} here; look at content.permalink")
        return ours or ""

    found = re.sub(r":\w+(?:\[[^\]]*\])?", part, pattern)
    if ":" in re.sub(r"\{[^{}]*\}", "", found) or "[" in found:
        notes.append(f"permalink {pattern}: not all of it could be read; look at content.permalink")
    return "/" + found.lstrip("/")


def parsed(name: str, text: str) -> Settings:
    try:
        if name.endswith(".toml"):
            return tomllib.loads(text)
        found = json.loads(text) if name.endswith(".json") else yaml.load(text).plain()
    except yaml.YamlError as error:
        raise Unreadable(f"{name}:{error.line}: {error.reason}") from None
    except ValueError as error:  # of TOML and JSON
        raise Unreadable(f"{name}: {error}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{name}: holds no settings")
    return found


def folder_of(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) and value.strip() else otherwise


def mapping(value: Any) -> Settings:
    return value if isinstance(value, dict) else {}
