"""Chooses the feeds of all articles again after a selection in the configuration has changed. Reads no file."""

from functools import lru_cache

from feeds.catalog import (
    CatalogWriter,
    EntryKey,
    NewEntry,
    NewMembership,
    StoredMembership,
    groups_by_path,
    names_by_feed,
)
from feeds.core import memberships
from feeds.core.article_files import article_name
from feeds.core.model import Site
from feeds.publish.feed_versions import FeedVersions

_PAGE_ROWS = 5_000  # articles whose feeds are chosen together
_MAX_QUEUED_ENTRIES = 100_000  # sorted and added together: the more, the more of them are neighbours on disk
_names_by_feed = lru_cache(maxsize=4096)(names_by_feed)


class SelectionUpdate:
    """Changes the feeds of articles, and the entries of those that are published."""

    def __init__(self, catalog: CatalogWriter, site: Site, versions: FeedVersions) -> None:
        self._catalog = catalog
        self._site = site
        self._versions = versions
        self._added: list[NewEntry] = []
        self._removed: list[EntryKey] = []

    def run(self) -> None:
        """Choose the feeds of all articles again, unless the selections are those with which they were chosen.

        The feeds of a published article change at once, unless the run must decide about it for another reason. For
        other articles, only the future feeds are stored.
        """
        catalog, after = self._catalog, 0
        if catalog.state.selections == memberships.selection_fingerprint(self._site):
            return
        while stored := catalog.memberships(after, _PAGE_ROWS):
            after = stored[-1].key
            catalog.save_memberships(
                [change for article in stored if (change := self._choose_feeds(article))], self._versions.next_revision
            )
            if len(self._added) + len(self._removed) >= _MAX_QUEUED_ENTRIES:
                self._change_entries()
        self._change_entries()

    def _choose_feeds(self, article: StoredMembership) -> NewMembership | None:
        """Return the new feeds of an article, and change its entries; None if its feeds stay the same."""
        feeds, others = _names_by_feed(article.feeds), groups_by_path(article.other_groups)
        groups = memberships.restore_groups(article_name(article.path), feeds, others, self._site)
        chosen = memberships.choose_feeds(groups, self._site)
        if chosen == feeds:
            return None
        if article.live and article.id is not None and not article.pending:
            published, id_ = article.published, article.id
            added = {EntryKey(feed, published, id_) for feed in chosen if feed not in feeds}
            removed = {EntryKey(feed, published, id_) for feed in feeds if feed not in chosen}
            self._versions.record_change(removed, added, edited=False)
            self._added += (NewEntry(*entry, article.key, chosen[entry.feed]) for entry in added)
            self._removed += removed
        # of a kind that feeds.by no longer contains: in case the file has had a mistake since, and was not read again
        former = {path: name for path, name in feeds.items() if "/" in path and path not in chosen}
        return NewMembership(article.key, chosen, others | former, has_changed=not article.pending)

    def _change_entries(self) -> None:
        self._catalog.remove_entries(self._removed)
        self._catalog.insert_entries(sorted(self._added))
        self._added, self._removed = [], []
