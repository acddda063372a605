"""Converts the configuration of another generator to settings that preserve the ids and the paths of feeds.

The input is the text of files, and the result is a `Migration`. No code of the other generator is run. The notes of the
migration state which settings could not be determined.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from feeds.migrate import eleventy, hugo, jekyll, pelican
from feeds.migrate.common import UNKNOWN_URL, ForeignConfigError, LegacyFeed, Migration
from feeds.migrate.resolve import resolve_migration, source_timezone

__all__ = [
    "CONFIG_FILES", "ForeignConfigError", "Generator", "LegacyFeed", "Migration", "read_configuration",
    "resolve_migration", "source_timezone",
]  # fmt: skip

Generator = Literal["hugo", "jekyll", "eleventy", "pelican"]
CONFIG_FILES = {  # glob patterns of configuration files, in order of precedence
    "hugo": hugo.FILES,
    "jekyll": jekyll.FILES,
    "eleventy": eleventy.FILES,
    "pelican": pelican.FILES,
}
_CONVERTERS: Mapping[Generator, Callable[[Mapping[str, str]], Migration]] = {
    "hugo": hugo.convert,
    "jekyll": jekyll.convert,
    "eleventy": eleventy.convert,
    "pelican": pelican.convert,
}


def read_configuration(generator: Generator, files: Mapping[str, str]) -> Migration:
    """Return the migration for configuration files, given their texts by name.

    Raise `ForeignConfigError` if a file can't be parsed.
    """
    migration = _CONVERTERS[generator](files)
    if migration.settings["site"]["url"].startswith(UNKNOWN_URL):
        note = "the configuration does not contain the site's URL: set site.url and content.id before you publish"
        return replace(migration, notes=(*migration.notes, note))
    return migration
