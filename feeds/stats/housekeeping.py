"""Rolls up finished days in `feeds build` and in a publisher without workers. Imports only few modules."""

from contextlib import suppress
from datetime import UTC, datetime

from feeds.catalog import Catalog
from feeds.core.errors import CatalogError


class StatsHousekeeping:
    """Rolls up finished days and erases their deleted sources. If a run fails, the next one repeats the rest."""

    def __init__(self, catalog: Catalog, keep_days: int) -> None:
        self._catalog = catalog
        self._keep_days = keep_days

    def run(self) -> None:
        """Roll up and erase all days that are due. If there are none, this takes one query."""
        now = datetime.now(UTC)
        with suppress(CatalogError):
            with self._catalog.read_stats() as stats:
                days = stats.open_days()
            if days and days[0] < f"{now:%Y-%m-%d}":
                from feeds.stats.rollup import roll_up_finished_days  # most runs need none of its imports

                roll_up_finished_days(self._catalog, now, self._keep_days)
            self._catalog.erase_closed_days()
