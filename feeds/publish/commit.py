"""Decides, in one transaction, which article a file is a version of, its id, and whether it is live.

`feeds.core.memberships` decides about the feeds of an article when its file is read.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from feeds.catalog import (
    AcceptedVersion,
    CatalogWriter,
    EntryKey,
    EntryPosition,
    FileVersion,
    IdOwner,
    PendingArticle,
    PublishedState,
    RejectedArticle,
    names_by_feed,
    to_microseconds,
)
from feeds.content import Folder
from feeds.core import syndication
from feeds.core.model import Site
from feeds.publish.events import MAX_EVENTS, ArticleEvents
from feeds.publish.feed_versions import MAX_FEEDS, FeedVersions
from feeds.publish.guard import Guard
from feeds.publish.ids import IdRegistry
from feeds.publish.links import Linker
from feeds.publish.page_conflicts import PageConflicts
from feeds.publish.renames import Rename, find_renames
from feeds.publish.selections import SelectionUpdate

if TYPE_CHECKING:
    from feeds.core.lint import Problem

_PAGE_ROWS = 5_000  # articles that are decided together
_MAX_QUEUED_ENTRIES = 100_000  # sorted in memory and added together: the more, the more are neighbours on disk


class _Decision(NamedTuple):
    """The decisions about an article."""

    id: str | None
    live: bool
    scheduled: bool


class RevisionBuilder:
    """Makes all decisions of one transaction, in their order."""

    def __init__(self, catalog: CatalogWriter, site: Site, folder: Folder, now: datetime, guard: Guard) -> None:
        self.warnings: list[Problem] = []
        self.events = ArticleEvents(to_microseconds(now))
        self._catalog = catalog
        self._site = site
        self._folder = folder
        self._now = now
        self._moment = to_microseconds(now)
        self._ids = IdRegistry(catalog)
        self._guard = guard
        self._renames: dict[str, Rename] = {}  # by new path
        self._linker = Linker(catalog, site)
        self._page_conflicts = PageConflicts(catalog, site, self._moment)
        self._conflicts: dict[int, str] = {}  # key of an article that is rejected for its address -> the reason
        self._has_moved_pages = False  # whether any article has a former address
        self._deleted_by_slug: dict[str, IdOwner] = {}  # slug -> the article that set it and whose file is deleted
        self._old_paths: dict[int, str] = {}  # key of an article whose file moved and changed -> the path until now
        self._lost_paths: dict[int, str] = {}  # key of an article whose path another article has now -> the path
        self._old_rejections: dict[str, str] = {}  # path of a file that is no longer rejected -> why it was
        self._rejected: set[int] = set()  # keys of articles that this run rejects when it decides about them
        self._is_full_scan = True
        self._live_growth = 0  # articles published minus articles withdrawn
        self._queued: list[int] = []  # keys of articles whose entries are still to be added to feeds
        self._queued_entries = 0

    def build(self, deleted: list[int], *, decide_all: bool, is_full_scan: bool) -> list[str]:
        """Publish what is staged. Return the paths of the feeds whose live documents changed.

        Args:
            deleted: keys of the articles whose files no longer exist.
            decide_all: whether to decide about every article, also those that did not change.
            is_full_scan: whether the whole folder was scanned, not only files that were saved.
        """
        catalog = self._catalog
        self._is_full_scan = is_full_scan
        catalog.create_hash_index()
        self.events.record_deleted(catalog.rejected_only(deleted))
        catalog.mark_deleted(deleted)
        self._reject_staged(changed_only=decide_all)
        self._save_versions()
        catalog.queue_for_decision(None if decide_all else self._now)
        settings_changed = catalog.state.site_fingerprint != syndication.site_fingerprint(self._site)
        versions = FeedVersions(catalog, self._site, settings_changed=settings_changed)
        SelectionUpdate(catalog, self._site, versions).run()
        live_before = catalog.count_live()
        self._decide_pending(versions)
        catalog.state.live_count = live_before + self._live_growth
        self._linker.update(versions, every=decide_all)
        catalog.clear_staging()
        changed = versions.commit(self._now, check_all=decide_all)
        if versions.omitted_feeds:
            self.warnings.append(_too_many_feeds(versions.omitted_feeds))
        return changed

    def _reject_staged(self, *, changed_only: bool) -> None:
        """Store the rejections of staged files. The first run stages files as articles, with their rejections."""
        catalog = self._catalog
        if catalog.revision() == 0:
            self.events.record_rejections(catalog.rejected_articles(MAX_EVENTS), catalog.count_rejected())
        if catalog.has_staged_rejections():
            self.events.record_rejections(*catalog.new_rejections(MAX_EVENTS, changed_only=changed_only))
            catalog.reject_staged()

    def _reject(self, key: int | None, rejected: RejectedArticle) -> None:
        """Reject a file because of another article. Every full scan does it again, until the conflict is resolved."""
        self._catalog.reject(key, rejected)
        if self._old_rejections.pop(rejected.path, None) != rejected.reason or not self._is_full_scan:
            self.events.record_rejected(rejected)

    def _save_versions(self) -> None:
        """Save each staged version under its article; reject versions whose id or address another article has."""
        catalog = self._catalog
        self._renames = find_renames(catalog.same_texts(), self._folder.has)
        keys, id_conflicts = self._find_articles()
        moved = {rename.key: path for path, rename in self._renames.items()}
        conflicts = self._page_conflicts.find_edit_conflicts(moved, id_conflicts)
        for versions in self._staged_versions():
            accepted = []
            for version in versions:
                if version.rejection is not None:
                    self._old_rejections[version.path] = version.rejection
                key = keys.get(version.path, version.key)
                if version.key is not None and version.key != key:
                    catalog.give_up_path(version.key)  # another article has its path now
                    self._lost_paths[version.key] = version.path
                if version.path in conflicts:
                    self._reject(key, RejectedArticle(version.path, 1, conflicts[version.path]))
                else:
                    accepted.append(AcceptedVersion(key, version.path))
            catalog.save_versions(accepted)

    def _find_articles(self) -> tuple[dict[str, int | None], dict[str, str]]:
        """Return which article each staged version belongs to, and why versions are rejected because of their ids.

        Both are by path. The first contains only versions that do not belong to the article at their path so far; None
        stands for a new article.
        """
        catalog, others, conflicts = self._catalog, dict[str, int | None](), dict[str, str]()
        first_paths = catalog.duplicate_explicit_ids()
        freed_paths = {rename.old_path for rename in self._renames.values()}
        taken = {rename.key for rename in self._renames.values()}
        any_deleted = catalog.has_deleted()
        for versions in self._staged_versions():
            self._ids.prefetch(version.explicit_id for version in versions if version.explicit_id)
            if any_deleted:
                self._ids.prefetch(version.generated_id for version in versions if not version.has_good_version)
                self._deleted_by_slug = catalog.deleted_by_slug({version.slug for version in versions if version.slug})
            keys = {version.path: self._find_article(version, freed_paths, taken) for version in versions}
            others |= {version.path: keys[version.path] for version in versions if keys[version.path] != version.key}
            self._page_conflicts.add_versions(versions, keys)
            for version in versions:
                if version.explicit_id and not version.draft:
                    first = first_paths.get(version.explicit_id, version.path)
                    key = keys[version.path]
                    other = first if first != version.path else self._find_other_owner(version.explicit_id, key)
                    if other:
                        conflicts[version.path] = _id_taken(version.path, version.explicit_id, other).reason
            self._ids.forget()
        return others, conflicts

    def _staged_versions(self) -> Iterator[list[FileVersion]]:
        after = ""
        while versions := self._catalog.staged_versions(after, _PAGE_ROWS):
            yield versions
            after = versions[-1].path

    def _find_article(self, version: FileVersion, freed_paths: set[str], taken: set[int]) -> int | None:
        """Return the key of the article that a file is a version of; None for a new article."""
        if version.path in self._renames:
            return self._renames[version.path].key
        if version.path in freed_paths:
            return None
        if version.has_good_version and not version.deleted:
            return version.key
        deleted = None if version.has_good_version else self._find_deleted_article(version)
        key = deleted.key if deleted else version.key if version.has_good_version else None
        if key is None or key in taken:
            return None
        taken.add(key)
        if deleted:
            self._old_paths[key] = deleted.path
        return key

    def _find_deleted_article(self, version: FileVersion) -> IdOwner | None:
        """Return the deleted article that a new file continues: it has the same id, or the same slug."""
        for id_ in (version.explicit_id, version.generated_id):
            owner = self._ids.cached_owner(id_)
            if owner and owner.deleted:
                return owner
        return self._deleted_by_slug.get(version.slug) if version.slug else None

    def _find_other_owner(self, id_: str, key: int | None) -> str | None:
        """Return the path of another article that keeps this id; None if the id is free, or becomes free in this run.

        An article gives up its id if its new version sets another one that is free, or becomes free in the same way.
        """
        owner = first = self._ids.owner(id_)
        if first is None or first.key == key:
            return None
        visited = {key}
        new_paths = {rename.key: path for path, rename in self._renames.items()}
        while owner and not owner.deleted and owner.key not in visited:
            visited.add(owner.key)
            staged = self._catalog.staged_id(new_paths.get(owner.key, owner.path))
            next_id = staged.explicit_id
            if not staged.is_staged or next_id is None or next_id == id_:
                return first.path
            id_, owner = next_id, self._ids.owner(next_id)
        self._ids.release(first)
        return None

    def _decide_pending(self, versions: FeedVersions) -> None:
        """Decide about all pending articles; first about those for which the same id would be generated."""
        self._has_moved_pages = self._catalog.has_moved_pages()
        self._conflicts = self._page_conflicts.find_conflicts()
        contested = self._catalog.contested_ids()
        for start in range(0, len(contested), _PAGE_ROWS):
            keys = contested[start : start + _PAGE_ROWS]
            by_key = {article.key: article for article in self._catalog.pending_articles(_PAGE_ROWS, keys)}
            self._publish([by_key[key] for key in keys], versions)
        while pending := self._catalog.pending_articles(_PAGE_ROWS):
            self._publish(pending, versions)
        self._add_queued_entries()

    def _publish(self, articles: list[PendingArticle], versions: FeedVersions) -> None:
        """Decide about articles, and update their published state and their entries in feeds."""
        self._ids.prefetch(
            id_ for article in articles for id_ in (article.explicit_id, article.id or article.generated_id) if id_
        )
        states, removed = [], set[EntryKey]()
        for article in articles:
            old_id = self._ids.previous_id(article)
            id_, live, scheduled = self._decide(article, old_id)
            self._record_event(article, live=live, scheduled=scheduled)
            self._live_growth += live - article.live
            if live and id_ and not article.live:
                feeds = _names_by_feed(article.feeds)
                versions.record_published(feeds, EntryPosition(article.published, id_))
                self._queue_entries(article, len(feeds))
                changed = True
            else:
                before = _entries(article.entry_feeds, article.entry_published, old_id) if article.live else {}
                after = _entries(article.feeds, article.published, id_) if live else {}
                if before != after:
                    self._queue_entries(article, len(after))
                    # an article whose id another one took has no entries any more, and the other may have their keys
                    removed |= {key for key, name in before.items() if article.id and after.get(key) != name}
                if not (live and id_ == old_id):
                    versions.record_withdrawn(before)
                changed = versions.record_change(before.keys(), after.keys(), edited=article.edited)
            self._linker.add(article, changed=changed or live != article.live)
            was_changed = changed and (live or article.live)  # an edit of a draft changes nothing that is published
            revision = versions.next_revision if was_changed else article.revision
            states.append(PublishedState(article.key, id_, live, scheduled, revision))
        self._catalog.save_published(states)
        if self._has_moved_pages:
            self._catalog.delete_moved_pages(state.key for state in states if state.live)
        if removed:
            self._catalog.remove_entries(removed)
        if self._queued_entries >= _MAX_QUEUED_ENTRIES:
            self._add_queued_entries()
        self._ids.forget()

    def _record_event(self, article: PendingArticle, *, live: bool, scheduled: bool) -> None:
        if article.key in self._rejected:
            return
        rename = self._renames.get(article.path)
        old_path = rename.old_path if rename else self._old_paths.get(article.key)
        if article.path.startswith("/"):  # of an article that gave up its path, which no file has
            article = article._replace(path=self._lost_paths.get(article.key, article.path))
        was_rejected = self._old_rejections.pop(article.path, None) is not None
        self.events.record(article, live=live, scheduled=scheduled, old_path=old_path, was_rejected=was_rejected)

    def _queue_entries(self, article: PendingArticle, count: int) -> None:
        """Queue an article to be added to its feeds, after its published state was stored."""
        if count:
            self._queued.append(article.key)
            self._queued_entries += count

    def _add_queued_entries(self) -> None:
        if self._queued:
            self._catalog.add_entries(self._queued)
        self._queued, self._queued_entries = [], 0

    def _decide(self, article: PendingArticle, old_id: str | None) -> _Decision:
        """Decide which id an article has from now on, whether it is live, and whether it is scheduled."""
        expired = article.expires is not None and article.expires <= self._moment
        is_publishable = not article.deleted and not article.draft and not expired
        if is_publishable and (reason := self._conflicts.get(article.key)):
            self._reject(article.key, RejectedArticle(article.path, 1, reason))
            self._rejected.add(article.key)
            is_publishable = article.live  # the published version stays
        live = is_publishable and article.live_from <= self._moment
        id_ = self._choose_id(article, old_id) if live else article.id
        if id_ is None:
            live = False
        # a draft and an expiry are set article by article, so the guard does not stop them
        is_intended = not article.deleted and (article.draft or expired)
        self._guard.record(article, old_id, id_, live=live, is_intended=is_intended)
        self._ids.assign(article, id_)
        return _Decision(id_, live, is_publishable and article.live_from > self._moment)

    def _choose_id(self, article: PendingArticle, old_id: str | None) -> str | None:
        """Return the explicit id of an article, else its old id, else a new one; None if the article is rejected."""
        ids = self._ids
        if article.explicit_id and not syndication.is_iri(article.explicit_id):
            self._warn(
                article, f"its id {article.explicit_id!r} is not an absolute IRI, which Atom requires (RFC 4287)"
            )
        if article.explicit_id and article.explicit_id != old_id:
            owner = ids.owner(article.explicit_id)
            if owner is None or owner.key == article.key:
                return article.explicit_id
            self._reject(article.key, _id_taken(article.path, article.explicit_id, owner.path))
            self._rejected.add(article.key)
            if old_id is None or ids.is_available(old_id, article.key):
                return old_id
        if old_id and ids.is_available(old_id, article.key):
            return old_id
        owner = ids.owner(article.generated_id)
        if owner is None:
            return article.generated_id
        unique = base = syndication.disambiguate_id(article.generated_id, article.path)
        number = 2
        while not ids.is_available(unique, article.key):  # of an article that had this path before it moved
            unique, number = f"{base}-{number}", number + 1
        self._warn(article, f"its generated id is already used by {owner.path}, so it gets the id {unique}")
        return unique

    def _warn(self, article: PendingArticle, message: str) -> None:
        from feeds.core.lint import Problem  # most runs have no warning

        self.warnings.append(Problem(article.path, 1, "doubtful-id", message))


def _entries(feeds: str, published: int, id_: str | None) -> dict[EntryKey, str]:
    """Return the keys of an article's entries, each with the feed's name as the article spells it."""
    assert id_ is not None, "a live article has an id"
    return {EntryKey(feed, published, id_): name for feed, name in _names_by_feed(feeds).items()}


_names_by_feed = lru_cache(maxsize=4096)(names_by_feed)


def _id_taken(path: str, id_: str | None, owner: str) -> RejectedArticle:
    return RejectedArticle(path, 1, f"id: {id_!r} is also the id of {owner}; give one of the articles another id")


def _too_many_feeds(omitted: list[str]) -> "Problem":
    from feeds.core.lint import Problem

    return Problem(
        "config.yaml",
        1,
        "too-many-feeds",
        f"feeds.by: {len(omitted)} categories, tags, authors or folders have no feed, such as {omitted[0]}:"
        f" a site can have at most {MAX_FEEDS:,} feeds; use fewer names, or change feeds.by",
    )
