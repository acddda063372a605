"""Run a publisher and its publish loop in the test's process, as `feeds serve` does in a process of its own."""

import shlex
from contextlib import contextmanager

from waiting import eventually

from feeds.catalog import Catalog, Failures
from feeds.cli.common import create_publisher
from feeds.core.errors import FeedsError
from feeds.hooks import HookCommand
from feeds.publish import loop
from feeds.publish.observer import PublishObserver
from feeds.publish.outcome import Outcome


class EventRecorder(PublishObserver):
    """Records the events of publish runs."""

    def __init__(self):
        """Start with no events."""
        self.ended = []  # outcomes and errors
        self.recovered = []  # (damage, paths of the files that were moved aside)

    def on_finished(self, outcome):
        """Record the outcome of a run."""
        self.ended.append(outcome)

    def on_failed(self, error):
        """Record the error that ended a run."""
        self.ended.append(error)

    def on_recovered(self, damage, kept_as):
        """Record that a damaged catalog was replaced."""
        self.recovered.append((damage, kept_as))


class RunningLoop:
    """A `PublishLoop` in this process, with the events that it reported."""

    def __init__(self, site, catalog, *, before=None, watch="off", has_webhook=False, cron=None):
        """Create the loop, without starting it."""
        self.events = EventRecorder()
        publisher = create_publisher(site.config, catalog)
        self.publish_loop = loop.PublishLoop(
            publisher,
            publisher.folder,
            catalog,
            Failures(catalog),
            watch=watch,
            cron=cron,
            before=HookCommand(shlex.split(before), site.root) if before else None,
            has_webhook=has_webhook,
            observer=self.events,
        )

    def stop(self):
        """Stop the loop, unless it was stopped already."""
        if self.publish_loop._scheduler.running:
            self.publish_loop.stop()

    @property
    def outcomes(self):
        """The outcomes of the runs that succeeded."""
        return [event for event in self.events.ended if isinstance(event, Outcome)]

    @property
    def failures(self):
        """The errors of the runs that failed."""
        return [event for event in self.events.ended if isinstance(event, FeedsError)]

    def wait_for_articles(self, count):
        """Wait for runs that published `count` articles; return their outcomes."""
        return eventually(lambda: [outcome for outcome in self.outcomes if outcome.articles == count])

    def wake(self, times=2):
        """Wake the publishing thread, and wait until it checks for work.

        After its second check, whatever it was doing before the call has ended.
        """
        for _ in range(times):
            self.publish_loop._wake.set()
            eventually(lambda: not self.publish_loop._wake.is_set())

    def next_run_time(self, name):
        """Return the time at which the scheduler runs a job next, or None if there is no such job."""
        job = self.publish_loop._scheduler.get_job(name)
        return job and job.next_run_time


@contextmanager
def running_loop(site, **options):
    """Publish in threads of this process, as `feeds serve` does; yield a `RunningLoop`."""
    catalog = Catalog(site.config.catalog)
    running = RunningLoop(site, catalog, **options)
    running.publish_loop.start()
    try:
        yield running
    finally:
        running.stop()
        catalog.close()
