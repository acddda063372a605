"""Converts Pelican's settings (docs.getpelican.com/en/latest/settings.html) without running them."""

import ast
import posixpath
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from feeds.core.permalinks import pelican_slugify
from feeds.migrate.common import (
    DOCUMENT_NAMES,
    ForeignConfigError,
    LegacyFeed,
    Migration,
    Settings,
    folder_or,
    site_section,
)

FILES = ["publishconf.py", "pelicanconf.py"]
_PLACEHOLDERS = {"slug": "{title:slugify}", "date:%Y": "{year}", "date:%m": "{month}", "date:%d": "{day}",
                  "category": "{category:slugify}"}  # fmt: skip

_IGNORED = ("SLUG_REGEX_SUBSTITUTIONS", "SLUGIFY_USE_UNICODE", "SLUGIFY_PRESERVE_CASE", "CATEGORY_REGEX_SUBSTITUTIONS")


def convert(files: Mapping[str, str]) -> Migration:
    """Return the migration for publishconf.py and pelicanconf.py. Raise `ForeignConfigError`."""
    values: Settings = {}
    for name, text in files.items():
        values = _literals(name, text) | values  # publishconf.py overrides pelicanconf.py
    notes: list[str] = []
    settings = site_section(
        values.get("SITENAME"),
        values.get("SITEURL"),
        description=values.get("SITESUBTITLE"),
        language=values.get("DEFAULT_LANG"),
        timezone=values.get("TIMEZONE"),
        author=values.get("AUTHOR"),
    )
    paths = values.get("ARTICLE_PATHS")
    paths = paths if isinstance(paths, list) and paths else [""]
    pattern = "/" + str(values.get("ARTICLE_URL") or "{slug}.html").lstrip("/")
    url = str(settings["site"]["url"])
    base = urlsplit(url).path.rstrip("/")
    settings["content"] = {
        "path": posixpath.normpath(posixpath.join(folder_or(values.get("PATH"), "content"), folder_or(paths[0], ""))),
        "permalink": _translate(pattern, notes),
        "markdown": "python-markdown",
        "id": f"tag:{urlsplit(url).hostname},{{year}}-{{month}}-{{day}}:{base}{{link}}",
    }
    defaults = {"FEED_ALL_ATOM": "feeds/all.atom.xml"}
    aliases = {}
    for key in ("FEED_ALL_ATOM", "FEED_ATOM", "FEED_ALL_RSS", "FEED_RSS"):
        if path := values.get(key, defaults.get(key)):
            aliases["/" + str(path).lstrip("/")] = "/atom.xml" if key.endswith("ATOM") else "/rss.xml"
    settings["feeds"] = {"aliases": aliases}
    feeds = []
    defaults = {"CATEGORY_FEED_ATOM": "feeds/{slug}.atom.xml", "AUTHOR_FEED_ATOM": "feeds/{slug}.atom.xml",
                "AUTHOR_FEED_RSS": "feeds/{slug}.rss.xml"}  # fmt: skip
    for kind in ("category", "tag", "author"):
        for form in ("ATOM", "RSS"):
            key = f"{kind.upper()}_FEED_{form}"
            if path := values.get(key, defaults.get(key)):
                path = "/" + str(path).lstrip("/").replace("%s", "{slug}").replace("{slug}", "{name}")
                feeds.append(LegacyFeed(kind, path, DOCUMENT_NAMES[form.lower()]))
    if str(values.get("SLUGIFY_SOURCE")) == "basename":
        settings["content"]["permalink"] = settings["content"]["permalink"].replace("{title:", "{file:")
    notes += [f"{key} is ignored; check content.permalink, and set the slugs of articles"
              for key in _IGNORED if values.get(key)]  # fmt: skip
    return Migration(settings, tuple(feeds), pelican_slugify, tuple(notes))


def _translate(pattern: str, notes: list[str]) -> str:
    """Return a Pelican pattern with placeholders of this program; add those without an equivalent to `notes`."""

    def placeholder(match: re.Match[str]) -> str:
        if match[1] not in _PLACEHOLDERS:
            notes.append(f"ARTICLE_URL {pattern}: {match[0]} has no equivalent; check content.permalink")
        return _PLACEHOLDERS.get(match[1], "")

    return re.sub(r"\{([^{}]*)\}", placeholder, pattern)


def _literals(name: str, text: str) -> Settings:
    """Return the literals that a Python file assigns to names. Raise `ForeignConfigError`."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise ForeignConfigError(f"{name}: {error}") from None
    literals = {}
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                literals[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue  # an expression
    return literals
