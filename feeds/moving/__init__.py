"""Another generator's configuration -> what of ours says the same, and what subscribers know: ids, feeds' paths.

Texts of files in, a `Move` out. It runs nothing of the other generator, and guesses nothing silently: what its
configuration can't tell is in the notes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from feeds.moving import eleventy, hugo, jekyll, pelican
from feeds.moving.settle import settled, zone
from feeds.moving.words import UNKNOWN, Move, OldFeed, Unreadable

__all__ = ["FILES", "Generator", "Move", "OldFeed", "Unreadable", "move", "settled", "zone"]

Generator = Literal["hugo", "jekyll", "eleventy", "pelican"]
FILES = {  # where each one's configuration may be, as glob patterns; the first that is there first
    "hugo": hugo.FILES,
    "jekyll": jekyll.FILES,
    "eleventy": eleventy.FILES,
    "pelican": pelican.FILES,
}
_READERS: Mapping[Generator, Callable[[Mapping[str, str]], Move]] = {
    "hugo": hugo.read,
    "jekyll": jekyll.read,
    "eleventy": eleventy.read,
    "pelican": pelican.read,
}


def move(generator: Generator, files: Mapping[str, str]) -> Move:
    """Read the texts of the old configuration, by file name as in `FILES`. Raises `Unreadable`."""
    found = _READERS[generator](files)
    if found.settings["site"]["url"].startswith(UNKNOWN):
        note = "the site's URL is not told: set site.url and content.id before anybody subscribes"
        return replace(found, notes=(*found.notes, note))
    return found
