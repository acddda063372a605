"""What the caches in front of a tree are still to be told, remembered in the catalog until they were."""

import json
from collections.abc import Iterable

from feeds import config
from feeds.catalog import Catalog, Failures, Reader
from feeds.cli.common import REFUSED, plural, say
from feeds.errors import TaskFailed

_OWED = "to purge"


def owed(reader: Reader) -> list[str]:
    """Give the paths of files that caches are still to be told of."""
    return list(json.loads(reader.meta(_OWED) or "[]"))


class Purging:
    """Tells caches of what a run changed, after it. Does nothing without `export.purge`."""

    def __init__(self, settings: config.Config, catalog: Catalog, failures: Failures) -> None:
        self._settings = settings
        self._failures = failures
        self._catalog = catalog
        self._owed = set[str]()  # paths that earlier runs have changed, and could not tell of
        if settings.export.purge:
            with catalog.reading() as reader:
                self._owed = set(owed(reader))
        self._kept = self._owed

    def remember(self, planned: Iterable[str]) -> None:
        """Keep what a run is about to change: if it is cut short, the next one tells of it."""
        if self._settings.export.purge:
            self._keep(self._owed | set(planned))

    def tell(self, changed: Iterable[str]) -> bool:
        """Tell of what was changed, and of what is still to be told. Gives whether all is well; what is not is said."""
        settings = self._settings
        if not settings.export.purge:
            self._failures.succeeded("purge")  # it is no longer wanted
            return True
        from feeds.purge import Purge, plain  # which most runs do without

        paths = plain(self._owed | set(changed))
        complaint, left = "", list[str]()
        if paths:
            complaint, left = Purge(settings.export.purge, settings.for_core.feeds_url, settings.root).tell(paths)
        if complaint:
            said = f"export.purge: {complaint}; {plural(len(left), 'file')} to be purged with the next run"
            self._failures.failed("purge", TaskFailed(said, "caches are still to be told", REFUSED))
            say(said)
        else:
            self._failures.succeeded("purge")
        self._owed = set(left)
        self._keep(self._owed)
        return not complaint

    def _keep(self, paths: set[str]) -> None:
        if paths == self._kept:
            return
        self._kept = paths
        with self._catalog.writing() as catalog:
            catalog.set_meta(_OWED, json.dumps(sorted(paths)))
