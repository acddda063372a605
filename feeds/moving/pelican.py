"""Pelican's settings (docs.getpelican.com/en/latest/settings.html), read without running them."""

import ast
import posixpath
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from feeds.moving.words import DOCUMENT, Move, OldFeed, Settings, Unreadable, folder_of, site
from feeds.patterns import slugified

FILES = ["publishconf.py", "pelicanconf.py"]
_PARTS = {"slug": "{title:slugify}", "date:%Y": "{year}", "date:%m": "{month}", "date:%d": "{day}",
                  "category": "{category:slugify}"}  # fmt: skip

_NOT_READ = ("SLUG_REGEX_SUBSTITUTIONS", "SLUGIFY_USE_UNICODE", "SLUGIFY_PRESERVE_CASE", "CATEGORY_REGEX_SUBSTITUTIONS")


def read(files: Mapping[str, str]) -> Move:
    """Read what publishconf.py and pelicanconf.py assign. Raises `Unreadable`."""
    found: Settings = {}
    for name, text in files.items():
        found = _assigned(name, text) | found  # publishconf.py goes before pelicanconf.py
    notes: list[str] = []
    settings = site(
        found.get("SITENAME"),
        found.get("SITEURL"),
        description=found.get("SITESUBTITLE"),
        language=found.get("DEFAULT_LANG"),
        timezone=found.get("TIMEZONE"),
        author=found.get("AUTHOR"),
    )
    paths = found.get("ARTICLE_PATHS")
    paths = paths if isinstance(paths, list) and paths else [""]
    pattern = "/" + str(found.get("ARTICLE_URL") or "{slug}.html").lstrip("/")
    url = str(settings["site"]["url"])
    base = urlsplit(url).path.rstrip("/")
    settings["content"] = {
        "path": posixpath.normpath(posixpath.join(folder_of(found.get("PATH"), "content"), folder_of(paths[0], ""))),
        "permalink": _braced(pattern, notes),
        "markdown": "python-markdown",
        "id": f"tag:{urlsplit(url).hostname},{{year}}-{{month}}-{{day}}:{base}{{link}}",
    }
    defaults = {"FEED_ALL_ATOM": "feeds/all.atom.xml"}
    aliases = {}
    for key in ("FEED_ALL_ATOM", "FEED_ATOM", "FEED_ALL_RSS", "FEED_RSS"):
        if path := found.get(key, defaults.get(key)):
            aliases["/" + str(path).lstrip("/")] = "/atom.xml" if key.endswith("ATOM") else "/rss.xml"
    settings["feeds"] = {"aliases": aliases}
    old = []
    defaults = {"CATEGORY_FEED_ATOM": "feeds/{slug}.atom.xml", "AUTHOR_FEED_ATOM": "feeds/{slug}.atom.xml",
                "AUTHOR_FEED_RSS": "feeds/{slug}.rss.xml"}  # fmt: skip
    for kind in ("category", "tag", "author"):
        for form in ("ATOM", "RSS"):
            key = f"{kind.upper()}_FEED_{form}"
            if path := found.get(key, defaults.get(key)):
                path = "/" + str(path).lstrip("/").replace("%s", "{slug}").replace("{slug}", "{name}")
                old.append(OldFeed(kind, path, DOCUMENT[form.lower()]))
    if str(found.get("SLUGIFY_SOURCE")) == "basename":
        settings["content"]["permalink"] = settings["content"]["permalink"].replace("{title:", "{file:")
    notes += [f"{key} is not read; look at content.permalink, and give articles a slug"
              for key in _NOT_READ if found.get(key)]  # fmt: skip
    return Move(settings, tuple(old), slugified, tuple(notes))


def _braced(pattern: str, notes: list[str]) -> str:
    """Write one of Pelican's patterns, with `{parts}`, in our words."""

    def part(match: re.Match[str]) -> str:
        if match[1] not in _PARTS:
            notes.append(f"ARTICLE_URL {pattern}: there is no {match[0]} here; look at content.permalink")
        return _PARTS.get(match[1], "")

    return re.sub(r"\{([^{}]*)\}", part, pattern)


def _assigned(name: str, text: str) -> Settings:
    """Give what a Python file assigns to names in capitals as literals; it is not run."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f"{name}: {error}") from None
    found = {}
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue  # a calculation
    return found
