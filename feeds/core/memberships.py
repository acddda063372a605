"""The memberships of articles: which feeds contain an article, by its groups and by the selections of the feeds.

The catalog stores the feeds of each article, and the article's groups that have no feed. So `choose_feeds` needs no
file when a selection changes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

from feeds.core.model import Article, Author, FeedKey, FeedKind, Site
from feeds.core.paths import kind_of_feed
from feeds.core.selection import Selection, group_path
from feeds.core.text import slugify

_NAMED = "feeds"  # the kind of a group for a custom feed that articles name


def group_names(article: Article, authors: Iterable[Author], language: str) -> dict[FeedKind, Iterable[str]]:
    """Return the names of an article's groups, by the kind of their feeds. `language` is that of the site."""
    folder = article.name.rpartition("/")[0]
    return {
        "category": article.categories,
        "tag": article.tags,
        "author": [author.name for author in authors],
        "language": (article.language or language,),
        "folder": _folders(folder),
    }


@lru_cache(maxsize=4096)
def _folders(folder: str) -> tuple[str, ...]:
    """Return a folder and those above it, the outermost first."""
    parts = folder.split("/") if folder else []
    return tuple("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def groups_of(article: Article, site: Site) -> dict[str, str]:
    """Return the groups of an article: the name of each group, spelled as in the article, by the group's path.

    The custom feeds that the article names are groups, too: `feeds/NAME`. Names without a slug are left out.
    """
    groups: dict[str, str] = {}
    for kind, names in group_names(article, authors_of(article, site), site.language).items():
        for name in names:
            if path := _group_path(kind, name):
                groups.setdefault(path, name)
    for name in article.feeds:
        groups[f"{_NAMED}/{name}"] = name
    return groups


_group_path = lru_cache(maxsize=4096)(group_path)


def choose_feeds(groups: Mapping[str, str], site: Site) -> dict[str, str]:
    """Return the feeds of a listed article with these groups: the name of each by its path, as the article spells it.

    These are the site's feed and the custom feeds that select the article, the custom feeds that it names, and a feed
    for each group whose kind is in `site.by`. Of folders, only the outermost has a feed.
    """
    paths = set(groups)
    feeds = {"": ""} if site.selection.selects(paths) else {}
    for path, name in groups.items():
        kind, _, rest = path.partition("/")
        if kind in site.by and not (kind == "folder" and "/" in rest):
            feeds[path] = name
        elif kind == _NAMED and rest in site.feeds:
            feeds[rest] = rest
    for path, settings in site.feeds.items():
        selection = settings.selection
        if selection is not None and selection.selects(paths):
            feeds[path] = path
    return feeds


def feeds_of(article: Article, site: Site) -> list[FeedKey]:
    """Return the feeds of an article. An unlisted article has none."""
    if not article.listed:
        return []
    feeds = choose_feeds(groups_of(article, site), site)
    return [FeedKey(path, kind_of_feed(path), name) for path, name in feeds.items()]


def other_groups(article: Article, groups: Mapping[str, str], feeds: Mapping[str, str]) -> dict[str, str]:
    """Return the groups that follow neither from an article's feeds nor from its path, nor from the site's language."""
    return {
        path: name
        for path, name in groups.items()
        if path not in feeds
        and not path.startswith("folder/")
        and (article.language is not None or not path.startswith("language/"))
    }


def restore_groups(name: str, feeds: Mapping[str, str], others: Mapping[str, str], site: Site) -> dict[str, str]:
    """Return all groups of an article, given its `Article.name`, its feeds and its `other_groups`."""
    groups = {path: group for path, group in feeds.items() if "/" in path}
    groups.update(others)
    for folder in _folders(name.rpartition("/")[0]):
        if path := _group_path("folder", folder):
            groups[path] = folder
    if not any(path.startswith("language/") for path in groups):
        groups[f"language/{slugify(site.language)}"] = site.language
    return groups


def selection_fingerprint(site: Site) -> str:
    """Return a digest of the selections that decide in which feeds articles are; "" without any."""
    custom = [
        (path, settings.selection and settings.selection.describe())
        for path, settings in sorted(site.feeds.items())
        if "/" not in path
    ]
    if site.selection == Selection() and not custom:
        return ""
    return hashlib.sha256(repr((site.selection.describe(), custom)).encode()).hexdigest()


def authors_of(article: Article, site: Site) -> tuple[Author, ...]:
    """Return the authors of an article: its own, or else the site's."""
    return article.authors or ((site.author,) if site.author else ())
