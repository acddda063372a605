"""Converts Jekyll's configuration (jekyllrb.com/docs/permalinks) and preserves the ids of jekyll-feed."""

import posixpath
from collections.abc import Mapping

from feeds.core.article_files import DEFAULT_SUFFIXES
from feeds.migrate.common import (
    LegacyFeed,
    Migration,
    as_mapping,
    folder_or,
    parse_settings,
    site_section,
    translate_pattern,
)

FILES = ["_config.yml", "_config.yaml", "_config.toml"]
_PLACEHOLDERS = {
    "categories": "{categories:raw:lower}",
    "year": "{year:local}",
    "month": "{month:local}",
    "day": "{day:local}",
    "title": "{slug}",
    "slug": "{slug:lower}",
    "output_ext": ".html",
}
_STYLES = {
    "date": "/:categories/:year/:month/:day/:title:output_ext",
    "pretty": "/:categories/:year/:month/:day/:title/",
    "ordinal": "/:categories/:year/:y_day/:title:output_ext",
    "weekdate": "/:categories/:year/W:week/:short_day/:title:output_ext",
    "none": "/:categories/:title:output_ext",
}


def convert(files: Mapping[str, str]) -> Migration:
    """Return the migration for `_config.yml`. Raise `ForeignConfigError`."""
    values = parse_settings(*next(iter(files.items())))
    notes: list[str] = []
    style = str(values.get("permalink") or "date")
    permalink = translate_pattern(_STYLES.get(style, style), _PLACEHOLDERS, notes)
    base = "/" + str(values.get("baseurl") or "").strip("/")
    settings = site_section(
        values.get("title") or values.get("name"),
        str(values.get("url") or "") + base.rstrip("/"),
        description=values.get("description"),
        language=values.get("lang"),
        timezone=values.get("timezone"),
        author=values.get("author"),
    )
    posts = [f"{folder}_posts/**/*{suffix}" for folder in ("", "**/") for suffix in DEFAULT_SUFFIXES]
    settings["content"] = {
        "path": folder_or(values.get("collections_dir"), "."),
        "include": posts,
        "permalink": permalink,
        # jekyll-feed's id is `post.id`: the folder of the URL, and the slug
        "id": settings["site"]["url"] + posixpath.join(posixpath.dirname(permalink.rstrip("/")), "{slug}"),
    }
    feed = as_mapping(values.get("feed"))
    settings["feeds"] = {"aliases": {"/" + str(feed.get("path") or "feed.xml").lstrip("/"): "/atom.xml"}}
    feeds = []
    if feed.get("categories"):
        feeds.append(LegacyFeed("category", "/feed/{name}.xml", "atom.xml"))
    if feed.get("tags"):
        path = as_mapping(feed["tags"]).get("path") if isinstance(feed["tags"], dict) else None
        feeds.append(LegacyFeed("tag", f"/{str(path or 'feed/by_tag/').strip('/')}/{{name}}.xml", "atom.xml"))
    if settings["site"].get("timezone", "UTC") != "UTC":
        notes.append(
            "timezone: Jekyll reads dates that have a time but no zone as UTC; feeds reads them in site.timezone"
        )
    if values.get("defaults"):
        notes.append("defaults are ignored; write their values into the front matter of the articles")
    return Migration(settings, tuple(feeds), lambda name: name, tuple(notes))
