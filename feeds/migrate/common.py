"""The result of a migration, and functions that all generators share."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from feeds.core.parse import yaml

Settings = dict[str, Any]
UNKNOWN_URL = "https://example.org"  # used if the configuration does not contain the site's URL
DOCUMENT_NAMES = {"rss": "rss.xml", "atom": "atom.xml", "json": "feed.json"}


@dataclass(frozen=True, slots=True)
class LegacyFeed:
    """The feeds of one kind on the old site."""

    kind: Literal["category", "tag", "author"]
    path: str  # contains {name}, the spelled name of the category, tag or author
    document: str  # the file name of the document that replaces it: rss.xml, atom.xml or feed.json


@dataclass(frozen=True, slots=True)
class Migration:
    """The settings that preserve a site, and the conventions of its old generator."""

    settings: Settings  # the sections of config.yaml
    feeds: tuple[LegacyFeed, ...]
    spell: Callable[[str], str]  # return a category, tag, author or folder as in the paths of the old site
    notes: tuple[str, ...]  # sentences for the owner of the site
    adds_slash: bool = False  # whether the old site appended a slash to the URLs that articles set


class ForeignConfigError(ValueError):
    """A configuration can't be parsed; the message has the file and the reason."""


def site_section(title: Any, url: Any, **more: Any) -> Settings:
    """Return the section `site` with the values that are set. `more` are optional values by key, or None."""
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


def _url(value: str) -> str:
    """Return the URL of a site for a configured URL, host or path."""
    if value.startswith("//"):
        return f"https:{value}"
    if urlsplit(value).scheme in ("http", "https"):
        return value
    return f"{UNKNOWN_URL}{value}" if not value or value.startswith("/") else f"https://{value}"


def translate_pattern(pattern: str, placeholders: Mapping[str, str], notes: list[str]) -> str:
    """Return a permalink pattern with its `:tokens` replaced by placeholders.

    Tokens without a placeholder are left out, and added to `notes`.
    """

    def placeholder(match: re.Match[str]) -> str:
        found = placeholders.get(match[0][1:].lower())
        if found is None:
            notes.append(f"permalink {pattern}: {match[0]} has no equivalent; check content.permalink")
        return found or ""

    translated = re.sub(r":\w+(?:\[[^\]]*\])?", placeholder, pattern)
    if ":" in re.sub(r"\{[^{}]*\}", "", translated) or "[" in translated:
        notes.append(f"permalink {pattern}: only a part of it could be converted; check content.permalink")
    return "/" + translated.lstrip("/")


def parse_settings(name: str, text: str) -> Settings:
    """Return the settings of a TOML, JSON or YAML file. Raise `ForeignConfigError`."""
    try:
        if name.endswith(".toml"):
            return tomllib.loads(text)
        settings = json.loads(text) if name.endswith(".json") else yaml.load(text).to_value()
    except yaml.YamlError as error:
        raise ForeignConfigError(f"{name}:{error.line}: {error.reason}") from None
    except ValueError as error:  # of TOML and JSON
        raise ForeignConfigError(f"{name}: {error}") from None
    if not isinstance(settings, dict):
        raise ForeignConfigError(f"{name}: contains no settings")
    return settings


def folder_or(value: Any, default: str) -> str:
    """Return a configured folder, or the default if it is not a string."""
    return value if isinstance(value, str) and value.strip() else default


def as_mapping(value: Any) -> Settings:
    """Return a value that is a dict, else an empty dict."""
    return value if isinstance(value, dict) else {}
