"""Decides which feeds a run changes, and which revision changed them last: `FeedVersions`.

A feed has three revision numbers. `revision` is the last one that changed its live documents, `archive_revision` the
last one that changed a full archive, and `renumbered_revision` the last one that moved entries from one full archive to
the next, because an older entry was added or removed. So a full archive last changed at the later of two revisions:
`renumbered_revision`, and the one that last changed one of its entries.
"""

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from feeds.catalog import MAX_SMALL_FEED, CatalogWriter, EntryKey, EntryPosition, FeedContents
from feeds.core import feed_settings, syndication
from feeds.core.model import FeedState, Site
from feeds.core.paths import kind_of_feed

_SECOND = timedelta(seconds=1)
MAX_FEEDS = 20_000  # of one site: the start page and the OPML file list them all


class _FeedChange(NamedTuple):
    """The new state of a feed, and which of its three revision numbers change."""

    state: FeedState
    live: bool
    archived: bool
    renumbered: bool
    visible: bool  # whether the feed is published now, or was until now


class FeedVersions:
    """Collects the changes of a run, article by article, and commits the new versions of the feeds."""

    def __init__(self, catalog: CatalogWriter, site: Site, *, settings_changed: bool) -> None:
        self._catalog = catalog
        self._site = site
        self._settings_changed = settings_changed  # which changes every document
        self.next_revision = catalog.revision() + 1
        self.omitted_feeds: list[str] = []  # paths of feeds beyond MAX_FEEDS
        self._growth: defaultdict[str, int] = defaultdict(int)  # feed -> entries added minus entries removed
        self._lowest_edit: dict[str, EntryPosition] = {}  # feed -> the oldest entry that was edited
        self._lowest_shift: dict[str, EntryPosition] = {}  # feed -> the oldest entry that was added or removed
        self._withdrawn: defaultdict[str, set[str]] = defaultdict(set)  # feed -> ids
        self._resettled: set[str] = set()  # feeds whose own settings changed
        self._removed: set[str] = set()  # custom feeds that the configuration no longer has
        self._languages: list[FeedState] = []  # the feeds of all languages after this run, if one of them changes
        self._any_added = False  # whether an entry was added to any feed

    def record_published(self, feeds: Iterable[str], position: EntryPosition) -> None:
        """Record that an article was added to feeds and was in none before. Faster than `record_change`."""
        for feed in feeds:
            self._growth[feed] += 1
            if feed not in self._lowest_shift or position < self._lowest_shift[feed]:
                self._lowest_shift[feed] = position
        self._any_added = True

    def record_change(self, before: AbstractSet[EntryKey], after: AbstractSet[EntryKey], *, edited: bool) -> bool:
        """Record the entries of an article before and after this run, and whether its content changed.

        Return whether any document changes.
        """
        for feed, *_ in before:
            self._growth[feed] -= 1
        for feed, *_ in after:
            self._growth[feed] += 1
        edited = edited or self._settings_changed
        self._any_added |= not after <= before
        if before != after:
            _lower(self._lowest_shift, before ^ after if before else after)
        if edited and before:
            _lower(self._lowest_edit, before & after)
        return edited or before != after

    def record_withdrawn(self, entries: Iterable[EntryKey]) -> None:
        """Record that an article with these entries is no longer published, or has another id."""
        for feed, _, id_ in entries:
            self._withdrawn[feed].add(id_)

    def commit(self, now: datetime, *, check_all: bool) -> list[str]:
        """Store the new feed versions and commit a revision, if any document changed.

        If `check_all` is true, compare every feed, else only those that a recorded change affects. Return the paths of
        the published feeds whose live documents changed.
        """
        feeds = set(self._growth) | ({feed.path for feed in self._catalog.feeds()} if check_all else set())
        if self._catalog.feed("") is None:
            feeds.add("")  # a site without articles has a feed too
        feeds |= self._find_changed_settings()
        # feeds whose tombstones change because an entry is published again
        limit = feed_settings.max_limit(self._site)
        returned = self._catalog.remove_tombstones(limit) if self._any_added else set()
        feeds |= self._find_translations(feeds | returned)
        feeds -= self._choose_omitted(feeds)
        returned -= set(self.omitted_feeds)
        paths = sorted(feeds | returned)
        before = {state.path: state for state in self._catalog.feeds_by_path(paths)}
        sizes = ((path, self._size_of(path, before.get(path))) for path in paths)
        small = [path for path, size in sizes if size is not None and size <= MAX_SMALL_FEED]
        contents = self._catalog.contents_of_feeds(small)
        changes = [self._change_of(path, before.get(path), contents.get(path), returned) for path in paths]
        if not any(change.live or change.archived for change in changes):
            self._catalog.save_feeds(change.state for change in changes)
            return []
        # Last-Modified must not go back, whatever the clock does; and it has seconds only: other bytes, another second
        last = self._catalog.committed_at(self._catalog.revision()).replace(microsecond=0)
        committed_at = max(now, last + _SECOND)
        number = self._catalog.commit_revision(committed_at)
        assert number == self.next_revision, "there is one writer"
        changed = [change.state.path for change in changes if change.live]
        # tombstones are part of a document, so they change only together with its entries
        withdrawn = self._withdrawn if self._site.tombstones else {}
        since = committed_at - timedelta(days=self._site.tombstones)
        self._catalog.add_tombstones({path: withdrawn.get(path, set()) for path in changed}, committed_at, since)
        self._catalog.save_feeds(
            replace(
                state,
                revision=number if live else state.revision,
                changed=committed_at if live else state.changed,
                archive_revision=number if archived else state.archive_revision,
                renumbered_revision=number if renumbered else state.renumbered_revision,
            )
            for state, live, archived, renumbered, _ in changes
        )
        return [change.state.path for change in changes if change.live and change.visible]

    def _find_changed_settings(self) -> set[str]:
        """Return the feeds whose own settings changed; custom feeds that are new or removed are among them."""
        state, digests = self._catalog.state, feed_settings.settings_digests(self._site)
        before = state.feed_settings
        if before != digests:
            state.feed_settings = digests
            self._removed = {path for path in before if path not in digests and kind_of_feed(path) == "custom"}
            changed = {path for path in {*before, *digests} if before.get(path) != digests.get(path)}
            known = {feed.path for feed in self._catalog.feeds_by_path(sorted(changed))}
            # a feed such as category/news has its state as soon as it has an entry
            self._resettled = {
                path for path in changed if path in known or path in feed_settings.custom_feeds(self._site)
            }
        return self._resettled

    def _find_translations(self, feeds: AbstractSet[str]) -> set[str]:
        """Return the feeds of all languages, which link each other, if the link to one of `feeds` changes."""
        changed = {path for path in feeds if kind_of_feed(path) == "language"}
        if not changed:
            return set()
        before = {feed.path: feed for feed in self._catalog.feeds_of_kind("language")}
        after = dict(before)
        for path in changed:
            old = before.get(path) or FeedState(path, "language", "")
            entries, name = self._catalog.count_entries(path), self._catalog.feed_name(path)
            after[path] = replace(old, name=name or old.name, entries=entries)
        self._languages = [after[path] for path in sorted(after)]
        links = [
            {(path, feed.name) for path, feed in feeds.items() if syndication.exists(feed, self._site)}
            for feeds in (before, after)
        ]
        return set(before) if links[0] != links[1] or changed & self._resettled else set()

    def _choose_omitted(self, feeds: set[str]) -> set[str]:
        """Return the new feeds that exceed MAX_FEEDS: those with the fewest entries."""
        new = feeds - {state.path for state in self._catalog.feeds_by_path(sorted(feeds))}
        capacity = MAX_FEEDS - self._catalog.count_feeds() if new else 0
        if len(new) <= capacity:
            return set()
        # the site's own feed and the custom ones first
        by_size = sorted(new, key=lambda path: ("/" in path, -self._growth[path], path))
        self.omitted_feeds = by_size[max(capacity, sum("/" not in path for path in new)) :]
        return set(self.omitted_feeds)

    def _size_of(self, path: str, old: FeedState | None) -> int | None:
        """Return the number of entries of a feed with an `old` state; None if they must be counted."""
        if old or self.next_revision == 1:
            return (old.entries if old else 0) + self._growth[path]
        return None  # it may have entries from before: it was omitted then

    def _change_of(
        self, path: str, old: FeedState | None, contents: FeedContents | None, returned: AbstractSet[str]
    ) -> _FeedChange:
        """Return the change of a feed.

        Args:
            path: the path of the feed.
            old: its state before; None: it is new.
            contents: its entries, if they were read; otherwise, the newest ones are read.
            returned: the feeds in which an article is published again.
        """
        size, limit = self._size_of(path, old), feed_settings.limit_of(path, self._site)
        entries = self._catalog.count_entries(path) if size is None else size
        spelled = contents.name if contents else self._catalog.feed_name(path)
        newest = contents.versions[:limit] if contents else self._catalog.newest_versions(path, limit)
        name = feed_settings.name_of(path, spelled, self._site)
        state = replace(old or FeedState(path, kind_of_feed(path), name), entries=entries)
        state = replace(state, name=name or state.name)
        exists = syndication.exists(state, self._site)
        languages = self._languages if state.kind == "language" else ()
        translations = syndication.feed_translations(state, languages, self._site)
        digest = syndication.feed_digest(state, newest, self._site, translations)
        state = replace(state, digest=digest, published=exists or state.published)
        if old is None:
            return _FeedChange(state, live=True, archived=False, renumbered=False, visible=exists)
        existed = path in self._removed or syndication.exists(old, self._site)
        renamed = self._settings_changed or path in self._resettled or state.name != old.name or exists != existed
        renumbered = renamed or self._is_archived(self._lowest_shift, old, entries)
        archived = renumbered or self._is_archived(self._lowest_edit, old, entries)
        is_changed = state.digest != old.digest or path in returned
        return _FeedChange(state, is_changed, archived, renumbered, exists or existed)

    def _is_archived(self, lowest: dict[str, EntryPosition], old: FeedState, entries: int) -> bool:
        """Return whether the lowest change of a feed is in an archive that was full before this run."""
        if old.path not in lowest or not syndication.archive_count(old, self._site):
            return False
        limit = feed_settings.limit_of(old.path, self._site)
        archived = old.entries // limit * limit
        newer = entries - archived + 1  # with this many entries from the change on, it is below the boundary
        return newer <= 0 or self._catalog.count_from(old.path, lowest[old.path], newer) >= newer


def _lower(lowest: dict[str, EntryPosition], entries: Iterable[EntryKey]) -> None:
    """Lower the position of each feed to that of the oldest of these entries."""
    for feed, published, id_ in entries:
        position = lowest.get(feed)
        if position is None or (published, id_) < position:
            lowest[feed] = EntryPosition(published, id_)
