"""Which feeds show something else after a run, live or in their archives, and the revision that says so.

A feed has three stamps, each the number of a revision. `revision` moves when its live documents show something else;
`history` when a full archive does; `shifted` when entries moved from one full archive to the next, because one was
taken out or put in below them. What an archive shows last changed at `shifted`, or when one of its entries last did.
"""

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

from feeds import syndicate
from feeds.catalog import Place, Writer
from feeds.model import FeedState, Kind, Site

_SECOND = timedelta(seconds=1)
MOST_FEEDS = 20_000  # of one site: each is a line of the first page and of the OPML file

Position = tuple[int, str]  # in a feed, from the oldest on: when an entry was published, its id


class Stamps:
    """Collects what a run changes, article by article, and stamps the feeds that show it."""

    def __init__(self, catalog: Writer, site: Site, *, anew: bool) -> None:
        self._catalog = catalog
        self._site = site
        self._anew = anew  # the site is another: every document shows something else
        self.revision = catalog.revision() + 1  # the next one, if there is one
        self._grown: defaultdict[str, int] = defaultdict(int)  # by how many entries each feed that was touched did
        self._edits: dict[str, Position] = {}  # the oldest entry of each feed that says something else
        self._withdrawn: defaultdict[str, set[str]] = defaultdict(set)  # ids of entries that left the world, by feed
        self._arrived = False  # whether any entry came to a place, or came back to it
        self.left_out: list[str] = []  # paths of feeds for which there is no room
        self._shifts: dict[str, Position] = {}  # the oldest that was put in or taken out

    def moved(self, before: AbstractSet[Place], after: AbstractSet[Place], *, edited: bool) -> bool:
        """Note that an article had these places in feeds and has those now, and whether it says something else.

        Tells whether the world knows something else of it.
        """
        for feed, *_ in before:
            self._grown[feed] -= 1
        for feed, *_ in after:
            self._grown[feed] += 1
        edited = edited or self._anew
        self._arrived |= not after <= before
        if before != after:
            _lower(self._shifts, before ^ after if before else after)
        if edited and before:
            _lower(self._edits, before & after)
        return edited or before != after

    def arrived(self, feeds: Iterable[str], position: Position) -> None:
        """Note that an article that was nowhere has come to these feeds: `moved`, for the many of a first run."""
        for feed in feeds:
            self._grown[feed] += 1
            if feed not in self._shifts or position < self._shifts[feed]:
                self._shifts[feed] = position
        self._arrived = True

    def withdrew(self, places: Iterable[Place]) -> None:
        """Note that an entry with these places left the world, or goes by another id."""
        for feed, _, id_ in places:
            self._withdrawn[feed].add(id_)

    def commit(self, now: datetime, *, every: bool) -> list[str]:
        """Stamp the feeds that show something else; `every` one is to be looked at, or those that were touched.

        Gives the paths of those whose live documents show something else.
        """
        feeds = set(self._grown) | ({feed.path for feed in self._catalog.feeds()} if every else set())
        if self._catalog.feed("") is None:
            feeds.add("")  # a site without articles has a feed too
        feeds -= self._beyond(feeds)
        returned = self._catalog.unbury(self._site.limit) - set(self.left_out) if self._arrived else set()
        states = [self._state(path, returned) for path in sorted(feeds | returned)]
        if not any(live or history for _, live, history, _ in states):
            self._catalog.stamp(state for state, *_ in states)
            return []
        # Last-Modified must not go back, whatever the clock does; and it has seconds only: other bytes, another second
        last = self._catalog.moment(self._catalog.revision()).replace(microsecond=0)
        at = max(now, last + _SECOND)
        number = self._catalog.commit_revision(at)
        assert number == self.revision, "there is one writer"
        since = at - timedelta(days=self._site.tombstones)
        changed = [state.path for state, live, *_ in states if live]
        # what else a document tells changes when its entries do, and at no other time
        told = self._withdrawn if self._site.tombstones else {}
        self._catalog.bury({path: told.get(path, set()) for path in changed}, at, since)
        self._catalog.stamp(
            replace(
                state,
                revision=number if live else state.revision,
                changed=at if live else state.changed,
                history=number if history else state.history,
                shifted=number if shifted else state.shifted,
            )
            for state, live, history, shifted in states
        )
        return changed

    def _beyond(self, feeds: set[str]) -> set[str]:
        """Return those of some feeds that are new and for which a site has no room: those with the fewest entries."""
        new = feeds - {state.path for state in self._catalog.feeds_at(sorted(feeds))}
        room = MOST_FEEDS - self._catalog.count_feeds() if new else 0
        if len(new) <= room:
            return set()
        by_size = sorted(new, key=lambda path: (path != "", -self._grown[path], path))  # the site's own is the first
        self.left_out = by_size[max(room, int("" in new)) :]
        return set(self.left_out)

    def _state(self, path: str, returned: AbstractSet[str]) -> tuple[FeedState, bool, bool, bool]:
        """Give a feed's state, and which of its three stamps must move: revision, history, shifted."""
        old = self._catalog.feed(path)
        # a feed that is new may have entries for which there was no room before
        entries = old.entries + self._grown[path] if old else self._catalog.count(path)
        name = self._catalog.name(path)
        kind: Kind = path.partition("/")[0] or "site"  # type: ignore[assignment]  # feeds_of made the path
        state = replace(old or FeedState(path, kind, name), entries=entries)
        state = replace(state, name=name or state.name)
        exists = syndicate.exists(state, self._site)
        shown = self._catalog.shown(path, self._site.limit)
        state = replace(state, digest=syndicate.digest(state, shown, self._site), published=exists or state.published)
        if old is None:
            return state, True, False, False
        renamed = self._anew or state.name != old.name or exists != syndicate.exists(old, self._site)
        shifted = renamed or self._is_archived(self._shifts, old, entries)
        history = shifted or self._is_archived(self._edits, old, entries)
        return state, state.digest != old.digest or path in returned, history, shifted

    def _is_archived(self, lowest: dict[str, Position], old: FeedState, entries: int) -> bool:
        """Tell whether the lowest change to a feed is in one of the archives that were full before."""
        if old.path not in lowest or not syndicate.archives(old, self._site):
            return False
        archived = old.entries // self._site.limit * self._site.limit
        newer = entries - archived + 1  # so many entries from the change on, and it is below the boundary
        return newer <= 0 or self._catalog.later(old.path, lowest[old.path], newer) >= newer


def _lower(lowest: dict[str, Position], places: Iterable[Place]) -> None:
    for feed, published, id_ in places:
        known = lowest.get(feed)
        if known is None or (published, id_) < known:
            lowest[feed] = published, id_
