"""The exported files that caches in front of the export must still purge, kept in the catalog until they are purged."""

from collections.abc import Iterable

from feeds import config
from feeds.catalog import Catalog, Failures
from feeds.core.errors import ArticleError, TaskFailed


class PurgeBacklog:
    """Purges the files that an export has changed, after the export. Does nothing without `export.purge`."""

    def __init__(self, settings: config.Config, catalog: Catalog, failures: Failures) -> None:
        self._settings = settings
        self._failures = failures
        self._catalog = catalog
        self._pending = set[str]()  # paths that earlier exports changed and could not purge
        if settings.export.purge:
            with catalog.read_transaction() as reader:
                self._pending = set(reader.state.pending_purges)
        self._saved = self._pending

    def remember(self, planned: Iterable[str]) -> None:
        """Save the paths that an export is about to change: if it is interrupted, the next export purges them."""
        if self._settings.export.purge:
            self._save(self._pending | set(planned))

    def purge(self, changed: Iterable[str]) -> str:
        """Purge the changed and the pending paths; return the error as a message, empty if there is none."""
        settings = self._settings
        if not settings.export.purge:
            self._failures.clear("purge")  # a failure of an earlier configuration no longer matters
            return ""
        from feeds.export.purge import CachePurger, PurgeResult, drop_compressed_siblings  # most runs don't need it

        paths = drop_compressed_siblings(self._pending | set(changed))
        result = PurgeResult("", [])
        if paths:
            result = CachePurger(settings.export.purge, settings.site_model.feeds_url, settings.root).purge(paths)
        message = ""
        if result.error:
            files = f"{len(result.failed)} file{'' if len(result.failed) == 1 else 's'}"
            message = f"export.purge: {result.error}; the next run purges the remaining {files}"
            self._failures.record("purge", TaskFailed(message, "caches still have old files", ArticleError.exit_code))
        else:
            self._failures.clear("purge")
        self._pending = set(result.failed)
        self._save(self._pending)
        return message

    def _save(self, paths: set[str]) -> None:
        if paths == self._saved:
            return
        self._saved = paths
        with self._catalog.write_transaction() as catalog:
            catalog.state.pending_purges = sorted(paths)
