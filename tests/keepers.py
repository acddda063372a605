"""A publisher and its clock in the test's own process: what `feeds serve` does, without the process."""

from contextlib import contextmanager

from waiting import eventually

from feeds import schedule
from feeds.catalog import Catalog, Failures
from feeds.cli.common import make_publisher
from feeds.command import Command
from feeds.errors import FeedsError
from feeds.publish import Outcome


class Running:
    """A `Keeper` that runs, and what it reported."""

    def __init__(self, site, catalog, *, before=None, watch="off", called=False, cron=None):
        """Create one that is not started yet."""
        self.told = []
        publisher, folder = make_publisher(site.config, catalog)
        self.keeper = schedule.Keeper(
            publisher,
            folder,
            catalog,
            Failures(catalog),
            watch=watch,
            cron=cron,
            before=Command(before, site.root) if before else None,
            called=called,
            told=self.told.append,
            on_repair=lambda *_: None,
            progress=lambda _: None,
        )

    def stop(self):
        """End it, if it has not been ended yet."""
        if self.keeper._clock.running:
            self.keeper.stop()

    @property
    def outcomes(self):
        """Return the outcomes of the runs that succeeded."""
        return [one for one in self.told if isinstance(one, Outcome)]

    @property
    def failures(self):
        """Return the errors that were reported."""
        return [one for one in self.told if isinstance(one, FeedsError)]

    def published(self, articles):
        """Wait until a run has published so many articles."""
        return eventually(lambda: [one for one in self.outcomes if one.articles == articles])

    def wake(self, times=2):
        """Wake the thread that publishes and wait until it looks for something to do.

        The second time it does so, what it began before the first call has ended.
        """
        for _ in range(times):
            self.keeper._wake.set()
            eventually(lambda: not self.keeper._wake.is_set())

    def fires_at(self, name):
        """Return when the clock's job of this name runs next."""
        job = self.keeper._clock.get_job(name)
        return job and job.next_run_time


@contextmanager
def keeping(site, **options):
    """Publish in threads of this process, as `feeds serve` does; yield what runs."""
    catalog = Catalog(site.config.catalog)
    running = Running(site, catalog, **options)
    running.keeper.start()
    try:
        yield running
    finally:
        running.stop()
        catalog.close()
