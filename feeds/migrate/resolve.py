"""Completes a migration with the articles: the names of their folders, and the old feeds that contained them."""

import zoneinfo
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo

from feeds.core.model import Article
from feeds.core.permalinks import ensure_trailing_slash
from feeds.core.text import slugify
from feeds.migrate.common import Migration

_FORMATS = {"rss.xml": "RSS", "atom.xml": "Atom", "feed.json": "JSON Feed"}


def source_timezone(migration: Migration) -> tzinfo:
    """Return the zone of the old site's dates without a zone."""
    try:
        return zoneinfo.ZoneInfo(migration.settings["site"].get("timezone", "UTC"))
    except (ValueError, OSError, KeyError):
        return UTC


def resolve_migration(migration: Migration, articles: Collection[Article]) -> Migration:
    """Return the migration for these articles, with aliases for the old feeds that contained them."""
    content, feeds = dict(migration.settings["content"]), migration.settings["feeds"]
    content["permalinks"] = _by_folder(migration, content.get("permalinks", {}), articles)
    links = [article.link for article in articles if article.link and article.link.startswith("/")]
    if migration.adds_slash and any(link != ensure_trailing_slash(link) for link in links):
        content["id"] = content["id"].replace("{link}", "{link:slash}")
    aliases, notes = _without_own_paths(feeds["aliases"] | _aliases(migration, articles))
    settings = migration.settings | {"content": content, "feeds": feeds | {"aliases": aliases}}
    return replace(migration, settings=settings, notes=(*migration.notes, *notes))


def _without_own_paths(aliases: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the aliases that are not paths of documents, and a note for each such path whose format changes."""
    own_paths = {f"/{document}" for document in _FORMATS} | set(aliases.values())
    kept = {alias: path for alias, path in aliases.items() if alias not in own_paths}
    notes = [f"the old {alias} was {_format(path)}, and is now {_format(alias)}"
             for alias, path in aliases.items() if alias in own_paths and alias != path]  # fmt: skip
    return kept, notes


def _format(path: str) -> str:
    return _FORMATS[path.rpartition("/")[2]]


def _by_folder(migration: Migration, permalinks: Mapping[str, str], articles: Collection[Article]) -> dict[str, str]:
    """Return the patterns by the name of the folder on disk; the old configuration names folders as in URLs."""
    by_folder = dict(permalinks)
    for folder in {article.path.partition("/")[0] for article in articles if "/" in article.path}:
        if pattern := permalinks.get(migration.spell(folder).lower()):
            by_folder[folder] = pattern
    return dict(sorted(by_folder.items()))


def _aliases(migration: Migration, articles: Collection[Article]) -> dict[str, str]:
    """Return the paths of the old feeds of categories, tags and authors, mapped to those of the new documents."""
    aliases: dict[str, str] = {}
    for feed in migration.feeds:
        for article in articles:
            names = {"category": article.categories, "tag": article.tags,
                     "author": tuple(author.name for author in article.authors)}[feed.kind]  # fmt: skip
            for name in names:
                spelled, slug = migration.spell(name), slugify(name)
                if spelled and slug and not {"?", "#"} & set(spelled):
                    aliases.setdefault(feed.path.replace("{name}", spelled), f"/{feed.kind}/{slug}/{feed.document}")
    return dict(sorted(aliases.items()))
