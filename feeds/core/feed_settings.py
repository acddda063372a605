"""The settings of single feeds, and what follows from them: titles, names, languages and limits."""

from feeds.core.languages import language_name
from feeds.core.model import FeedKey, FeedSettings, Site
from feeds.core.text import digest_of, humanize

_NO_SETTINGS = FeedSettings()


def settings_of(path: str, site: Site) -> FeedSettings:
    """Return the settings of the feed at a path."""
    return site.feeds.get(path, _NO_SETTINGS)


def custom_feeds(site: Site) -> list[str]:
    """Return the paths of the custom feeds."""
    return [path for path in site.feeds if "/" not in path]


def limit_of(path: str, site: Site) -> int:
    """Return the maximum number of entries in the live document of the feed at a path."""
    return settings_of(path, site).limit or site.limit


def max_limit(site: Site) -> int:
    """Return the maximum number of entries in a live document of any feed."""
    return max(site.limit, *(limit_of(path, site) for path in site.feeds), 1)


def name_of(path: str, name: str, site: Site) -> str:
    """Return the name of a feed: the title of a custom feed, and `name` for any other feed."""
    if path and "/" not in path:
        return settings_of(path, site).title or humanize(path)
    return name


def title_of(feed: FeedKey, site: Site) -> str:
    """Return the title of a feed: its own, or the site's, followed by the feed's name."""
    own = settings_of(feed.path, site).title
    return own or (f"{site.title} – {_label(feed)}" if feed.name else site.title)


def heading_of(feed: FeedKey, site: Site) -> str:
    """Return the heading of a feed's page: its own title, its name, or the title of the site."""
    return settings_of(feed.path, site).title or _label(feed) or site.title


def _label(feed: FeedKey) -> str:
    return language_name(feed.name) if feed.kind == "language" else feed.name


def language_of(feed: FeedKey, site: Site) -> str:
    """Return the language of a feed: its own setting, the language of a feed `language/…`, or that of the site."""
    return settings_of(feed.path, site).language or (feed.name if feed.kind == "language" else "") or site.language


def settings_digests(site: Site) -> dict[str, str]:
    """Return a digest of the settings of each feed that has any, by the feed's path."""
    return {path: digest_of(settings) for path, settings in site.feeds.items()}
