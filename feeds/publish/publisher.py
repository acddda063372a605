"""One publish run: the content folder, as it is now, becomes one committed revision of the catalog.

    prepare ─► scan ──────────────────────────► commit, in one transaction
               compare files with the catalog,     which article, which id, live or not ─► entries in feeds
               load and stage those that differ    ─► links ─► feed versions ─► guard ─► one revision, or none

Staged files are committed in batches, so the next run continues a run that was cut short. Documents change only with
the final transaction: an exception leaves the last revision as it is. A run renders nothing, except for a trial of
articles that may be slow to render.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from feeds.catalog import Catalog, CatalogReader, CatalogWriter, LastRun
from feeds.content import Folder
from feeds.content.walk import AUTHORS_FILES
from feeds.core import memberships, syndication
from feeds.core.errors import CatalogDamaged, GuardStopped
from feeds.core.feed_settings import custom_feeds
from feeds.core.model import Site
from feeds.core.paths import kind_of_feed, pages_of_file
from feeds.publish.commit import RevisionBuilder
from feeds.publish.guard import Guard, start_accumulating
from feeds.publish.load_pool import LoadPool
from feeds.publish.observer import CancelToken, PublishObserver
from feeds.publish.outcome import MAX_REJECTED, Outcome
from feeds.publish.scan import FolderScan, ScanResult
from feeds.render.sandbox import Sandbox

_TRIAL_TIMEOUT_S = 1.0  # CPU time to render an article before it is published
_WHOLE_FOLDER = ("",)


class Publisher:
    """Publishes the content folder. Only one process at a time publishes: a run holds the catalog's lock."""

    def __init__(self, folder: Folder, catalog: Catalog, site: Site, max_changed_share: float) -> None:
        """`max_changed_share` (0 to 1) of the published entries may change before the guard stops a run."""
        self.folder = folder
        self._catalog = catalog
        self._site = site
        self._max_changed_share = max_changed_share
        self._fingerprint = syndication.site_fingerprint(site)
        self._selections = memberships.selection_fingerprint(site)
        self._aliases = "\n".join(site.aliases) if site.pages else ""  # articles can't have their paths
        self._pool = LoadPool(folder, site, Sandbox(_TRIAL_TIMEOUT_S), before_fork=catalog.prepare_for_fork)

    def run(
        self,
        now: datetime,
        *,
        only: Iterable[str] | None = None,
        after: str = "",
        cancel: CancelToken | None = None,
        read_all: bool = False,
        accept: bool = False,
        observer: PublishObserver | None = None,
    ) -> Outcome:
        """Publish the content folder as it is at `now`. Move a damaged catalog aside and create it again, once.

        Args:
            now: the time by which articles are live, scheduled or expired.
            only: paths of files and folders that may have changed; None: scan the whole folder.
            after: the path after which a full scan begins.
            cancel: asks a full scan to stop.
            read_all: whether to read every file, also those that did not change.
            accept: whether to publish changes that the republish guard would stop.
            observer: receives the events of the run.

        Raises:
            ScanInterrupted: the scan was asked to stop before it found a change; resume it with `after`.
            ContentFolderMissing, GuardStopped, CatalogLocked, CatalogError: the published revision did not change.
        """
        observer = observer or PublishObserver()
        with self._catalog.lock():
            try:
                scan = FolderScan(self.folder, self._catalog, self._pool, after=after, cancel=cancel, observer=observer)
                return self._run(now, only, scan, observer, read_all=read_all, accept=accept)
            except CatalogDamaged as damage:
                observer.on_recovered(damage, self._catalog.recover())
                scan = FolderScan(self.folder, self._catalog, self._pool, observer=observer)
                return self._run(now, None, scan, observer, read_all=False, accept=accept)

    def _run(
        self,
        now: datetime,
        only: Iterable[str] | None,
        scan: FolderScan,
        observer: PublishObserver,
        *,
        read_all: bool,
        accept: bool,
    ) -> Outcome:
        began = time.monotonic()
        read_all = self._prepare(read_all=read_all)
        paths = _WHOLE_FOLDER if only is None or read_all else self._paths_to_scan(only)
        result = self._scan(scan, paths, read_all=read_all)
        observer.on_commit()
        try:
            return self._commit(result, now, began, paths=paths, decide_all=read_all, accept=accept)
        except GuardStopped:
            with self._catalog.write_transaction() as catalog:
                start_accumulating(catalog, now)
            raise

    def _prepare(self, *, read_all: bool) -> bool:
        """Create a missing catalog, and discard files that were staged for other settings.

        Return whether to read every file.
        """
        if not self._catalog.is_created:  # its file was deleted
            self._catalog.create()
        with self._catalog.read_transaction() as catalog:
            state = catalog.state
            settings_changed = state.site_fingerprint != self._fingerprint or state.aliases != self._aliases
            must_read_all = settings_changed or state.must_read_again or self._concerns_pages(catalog)
            is_staging_current = state.staged_for == self._staged_for
            is_new = not catalog.has_articles() and catalog.revision() == 0
        if read_all or is_new or not is_staging_current:
            with self._catalog.write_transaction() as catalog:
                catalog.unstage_all()
                catalog.state.staged_for = self._staged_for
                if is_new:  # every file that is read from now on is read with these settings, also by the next run
                    self._record_settings(catalog)
        return read_all or (must_read_all and not is_new)

    def _concerns_pages(self, catalog: CatalogReader) -> bool:
        """Return whether a custom feed that is new or removed concerns the address of an article's page.

        Then the articles must be read again, because one whose address is a feed's is rejected when it is loaded.
        """
        if not self._site.pages:
            return False
        before = {feed for feed in catalog.state.feed_settings if kind_of_feed(feed) == "custom"}
        after = set(custom_feeds(self._site))
        if before - after and catalog.count_rejected():
            return True
        pages = [page for feed in after - before for page in pages_of_file(f"/{feed}/index.html")]
        return bool(catalog.paths_by_page(pages, live=False)) or any(
            catalog.has_pages_below(f"/{feed}/archive") for feed in after - before
        )

    def _paths_to_scan(self, only: Iterable[str]) -> Sequence[str]:
        """Return those of some paths that may hold articles, without paths below others; or the whole folder.

        While the guard stops a change, the whole folder is scanned: a scan of one file would publish part of it.
        """
        with self._catalog.read_transaction() as catalog:
            if catalog.state.guard_held_since is not None:
                return _WHOLE_FOLDER
            paths = sorted(
                path for path in only if self.folder.may_contain_articles(path) or catalog.has_files_below(path)
            )
            if any(path.rpartition("/")[2] in AUTHORS_FILES for path in paths):
                return _WHOLE_FOLDER
        return [path for path in paths if not any(path.startswith(f"{other}/") for other in paths)]

    def _scan(self, scan: FolderScan, paths: Sequence[str], *, read_all: bool) -> ScanResult:
        """Stage the files that changed; every file if an authors.yml has changed since articles were read."""
        result = scan.run(paths, read_all=read_all)
        if paths != _WHOLE_FOLDER:
            return result
        authors = self.folder.authors_stamp()
        with self._catalog.read_transaction() as catalog:
            if authors == catalog.state.authors_files:
                return result
        if not (read_all or result.initial_files):
            first, result = result, scan.run(_WHOLE_FOLDER, read_all=True)
            result.files_read += first.files_read
            result.warnings[:0] = first.warnings
            result.omitted_warnings += first.omitted_warnings
        with self._catalog.write_transaction() as catalog:
            catalog.state.authors_files = authors
        return result

    def _commit(
        self,
        scanned: ScanResult,
        now: datetime,
        began: float,
        *,
        paths: Sequence[str],
        decide_all: bool,
        accept: bool,
    ) -> Outcome:
        """Publish what is staged, in one transaction. Raise `GuardStopped` if too many entries would change."""
        with self._catalog.write_transaction(bulk=scanned.initial_files > 0) as catalog:
            guard = Guard(catalog, now, self._max_changed_share, accept=accept)
            builder = RevisionBuilder(catalog, self._site, self.folder, now, guard)
            is_full_scan = paths == _WHOLE_FOLDER
            changed = builder.build(scanned.deleted, decide_all=decide_all, is_full_scan=is_full_scan)
            guard.check()
            self._record_settings(catalog)
            catalog.state.must_read_again = False
            catalog.state.last_build = ""
            rejected = tuple(catalog.rejected_articles(MAX_REJECTED))
            events = builder.events.describe(catalog, self._site)
            seconds = time.monotonic() - began
            catalog.state.last_run = LastRun(now, seconds, "refused" if rejected else "ok")
            return Outcome(
                revision=catalog.revision(),
                changed=tuple(changed),
                articles=catalog.count_live(),
                files_read=scanned.files_read,
                events=events,
                event_counts=builder.events.counts,
                rejected=rejected,
                rejected_count=catalog.count_rejected() if len(rejected) == MAX_REJECTED else len(rejected),
                warnings=(*scanned.warnings, *builder.warnings),
                omitted_warnings=scanned.omitted_warnings,
                being_written=tuple(scanned.being_written),
                seconds=seconds,
                is_full_scan=is_full_scan,
                has_read_all=scanned.has_read_all,
            )

    @property
    def _staged_for(self) -> str:
        return f"{self._fingerprint} {self._selections} {self._aliases}".rstrip()

    def _record_settings(self, catalog: CatalogWriter) -> None:
        catalog.state.site_fingerprint = self._fingerprint
        catalog.state.selections = self._selections
        catalog.state.aliases = self._aliases
        if syndication.has_summaries(self._site):
            catalog.state.had_summaries = True
