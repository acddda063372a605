"""Decides when to publish: when files change, on a schedule, on a webhook call, when an article goes live or expires.

One thread publishes, so two runs of a process never overlap; of several publishers, only the leader publishes
(`leader_election`). APScheduler starts the runs of `schedule.cron`. The time of the next change is computed again after
each run, at start, and after the clock was set. The checks that run every second use the monotonic clock, which can't
be set.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from feeds.catalog import Catalog, Failures
from feeds.content import Folder, WatchMode
from feeds.core.errors import CatalogError, ContentFolderMissing, FeedsError, NotLeader, TaskFailed
from feeds.hooks import HookCommand
from feeds.publish.cron import Trigger, create_trigger
from feeds.publish.leader_election import LeaderElection
from feeds.publish.observer import CancelToken, PublishObserver
from feeds.publish.publisher import Publisher
from feeds.publish.scan import ScanInterrupted
from feeds.publish.scan_queue import ScanQueue

__all__ = ["PublishLoop", "Trigger", "create_trigger"]

_LOG = logging.getLogger(__name__)
logging.getLogger("apscheduler").setLevel(logging.ERROR)  # `Failures` reports a run that waits for a database
_MAX_SLEEP = timedelta(hours=1)  # until the time of the next change is computed again: the clock may have been set
_RETRY_AFTER = timedelta(seconds=10)  # a run that failed
_RESUME_AFTER = timedelta(seconds=2)  # a full scan that was interrupted: more files may be saved
_BEING_WRITTEN_AFTER = timedelta(seconds=0.2)  # for another scan of a file that was being written
_TICK_S = 1.0  # between two checks of the clock, and of the calls of the webhook
_MAX_DRIFT_S = 1.0  # between the clock and the monotonic clock in one tick; beyond it the clock was set
_LOCK_TIMEOUT_S = 60.0  # to wait for a `feeds build` that holds the lock
_STOP_TIMEOUT_S = 10.0  # for a run in progress
_RESTART_AFTER_S = 1.0  # a thread that an unexpected error has ended


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]  # APScheduler has no type hints
    """A scheduler that can be stopped at any time.

    APScheduler's thread ends with an exception if the scheduler is stopped while a job runs for the last time: it looks
    up the job, to remove it, among those of a scheduler that was never started.
    """

    def _process_jobs(self) -> float | None:
        try:
            seconds: float | None = super()._process_jobs()
        except JobLookupError:
            if self.running:
                raise
            seconds = None
        return seconds


class PublishLoop:
    """Publishes changes of the content folder until it is stopped, in threads of its own."""

    def __init__(
        self,
        publisher: Publisher,
        folder: Folder,
        catalog: Catalog,
        failures: Failures,
        *,
        watch: WatchMode,
        cron: Trigger | None,
        before: HookCommand | None,
        has_webhook: bool,
        observer: PublishObserver,
    ) -> None:
        """Prepare a loop; `start` begins it.

        Args:
            publisher: runs once.
            folder: the content folder.
            catalog: the catalog that `publisher` writes.
            failures: records what fails, for all processes.
            watch: how changes in the folder are noticed (`content.watch`).
            cron: when to run besides (`schedule.cron`).
            before: the command to run before a run by the cron or the webhook (`schedule.before`).
            has_webhook: whether calls of the webhook start runs.
            observer: receives the events of all runs.
        """
        self._publisher = publisher
        self._folder = folder
        self._catalog = catalog
        self._failures = failures
        self._watch = watch
        self._before = before
        self._before_error = ""  # of its last run
        self._has_webhook = has_webhook
        self._refresh_requests = 0  # number of webhook calls that were handled
        self._observer = observer
        self._folder_is_current = False  # whether the folder is known to be at least as new as the published revision
        self._queue = ScanQueue()
        self._wake = threading.Event()  # set to make the publish thread check the queue
        self._before_requested = threading.Event()  # set to run `before`, then a full scan
        self._stop = threading.Event()
        self._cron = cron
        self._scheduler = _Scheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True})
        if cron:
            self._scheduler.add_job(self._before_requested.set, cron, id="cron")
        self._election = LeaderElection(catalog, on_elected=self._on_elected, on_not_elected=self._on_not_elected)
        self._threads = [
            threading.Thread(target=self._run_thread, args=(work,), name=name, daemon=True)
            for name, work in (
                ("tick", self._tick),
                ("watch", self._watch_folder),
                ("prepare", self._run_before_command),
                ("publish", self._publish_changes),
            )
        ]

    @property
    def is_leader(self) -> bool:
        """Whether this process publishes, and no other process of the same catalog."""
        return self._election.is_leader

    @property
    def is_alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Start all threads. The first run begins as soon as this process leads."""
        self._scheduler.start()
        for thread in self._threads:
            thread.start()
        self._election.start()

    def stop(self) -> None:
        """Stop all threads. Wait for a run in progress, for ten seconds at most."""
        self._stop.set()
        self._wake.set()
        self._before_requested.set()
        self._scheduler.shutdown(wait=False)
        if self._before:
            self._before.stop()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._election.stop()

    def _run_thread(self, work: Callable[[], object]) -> None:
        """Do the work of a thread until the loop is stopped; report an unexpected error and start the work again."""
        while not self._stop.is_set():
            try:
                work()
            except Exception as error:
                with suppress(Exception):  # an error in here must not end the thread
                    self._failures.record("publish", error)
                    _LOG.exception("an unexpected error in the publish loop")
                self._stop.wait(_RESTART_AFTER_S)
                self._request_scan(None)

    # Leadership

    def _on_elected(self, another_led: bool) -> None:
        """Request a full scan; if another process has led, only after `before` has updated the folder."""
        if not self._before:
            self._failures.clear("before")  # it is no longer configured
        with suppress(CatalogError), self._catalog.read_transaction() as catalog:
            self._refresh_requests = catalog.state.refresh_requests
        # this process's folder may be older than the revision that another process has published
        self._folder_is_current = not (another_led and self._before)
        # a webhook call may have announced a change while no process led
        if self._before and (another_led or self._has_webhook):
            self._before_requested.set()
        if self._folder_is_current:
            self._request_scan(None)

    def _on_not_elected(self, error: FeedsError) -> None:
        """Report why this process doesn't lead. While another process leads, that process reports failures."""
        if isinstance(error, NotLeader):
            self._failures.clear_in_memory("publish")
        else:
            self._failures.record("publish", error)
        self._observer.on_failed(error)

    # What starts a run

    def _request_scan(self, paths: Collection[str] | None) -> None:
        """Request a scan of paths; None: of the whole folder."""
        self._queue.add(paths)
        self._wake.set()

    def _watch_folder(self) -> None:
        for paths in self._folder.watch(self._watch, self._stop):
            self._request_scan(paths)

    def _tick(self) -> None:
        """Check every second whether the clock was set, or the machine slept, and whether the webhook was called."""
        offset = time.time() - time.monotonic()
        while not self._stop.wait(_TICK_S):
            old_offset, offset = offset, time.time() - time.monotonic()
            if abs(offset - old_offset) > _MAX_DRIFT_S:
                self._clock_was_set(back=offset < old_offset)
            self._check_refresh_requests()

    def _clock_was_set(self, *, back: bool) -> None:
        """Run what is due by the new time, and compute all times again. `back`: whether the new time is earlier."""
        if back and self._cron:
            self._scheduler.reschedule_job("cron", trigger=self._cron)  # else it waits until the old time comes again
        self._scheduler.wakeup()
        self._request_scan(None)  # this also schedules the next change

    def _check_refresh_requests(self) -> None:
        """Start the `before` command if the webhook was called."""
        if not self._has_webhook:
            return
        with suppress(CatalogError), self._catalog.read_transaction() as catalog:
            requests = catalog.state.refresh_requests
            if requests == self._refresh_requests:
                return
            self._refresh_requests = requests
        self._before_requested.set()

    def _run_before_command(self) -> None:
        """Whenever it is requested, run the `before` command, then request a full scan, even if the command failed.

        A request during the command runs it once more: the command may have missed the newest changes.
        """
        while True:
            self._before_requested.wait()
            self._before_requested.clear()
            if self._stop.is_set():
                return
            if not self.is_leader:
                continue  # a new leader begins with this
            error = self._before.run() if self._before else ""
            if self._stop.is_set():
                return
            if error:
                self._failures.record("before", TaskFailed(f"schedule.before: {error}", "schedule.before failed"))
            else:
                self._failures.clear("before")
            if error and error != self._before_error:
                _LOG.warning("schedule.before: %s", error)
            self._before_error = error
            self._folder_is_current = True
            self._request_scan(None)

    # Runs

    def _publish_changes(self) -> None:
        """Run whenever a scan is requested or an article is due, then schedule the next run."""
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stop.is_set():
                return
            if not (self._folder_is_current and self._election.confirm()):
                continue  # a new leader begins with a full scan
            failed = not self._run_once()
            if failed:
                self._queue.add(None)
                self._wake_at(datetime.now(UTC) + _RETRY_AFTER, "retry")
            elif self._queue.is_urgent:
                self._wake.set()
            self._schedule_next_change(not_before=_RETRY_AFTER if failed else timedelta(0))

    def _run_once(self) -> bool:
        """Run the next scan of the queue, and publish its changes. Return whether the scan need not be tried again."""
        request = self._queue.take()
        try:
            with self._catalog.lock(_LOCK_TIMEOUT_S, self._is_cancelled):
                # while this process waited for the lock, another one may have become the leader
                if not (self._folder_is_current and self._election.confirm()):
                    return True
                outcome = self._publisher.run(
                    datetime.now(UTC),
                    only=request.paths,
                    after=request.after,
                    cancel=CancelToken(lambda: self._queue.has_paths, self._stop.is_set),
                    observer=self._observer,
                )
            if outcome.is_full_scan:  # only a full scan shows that the cause of its failure is gone
                self._failures.clear("publish")
            self._observer.on_finished(outcome)
            if outcome.being_written:
                run_date = datetime.now(UTC) + _BEING_WRITTEN_AFTER
                self._scheduler.add_job(self._request_scan, "date", args=[outcome.being_written], run_date=run_date)
        except ScanInterrupted as interruption:
            self._queue.resume_after(interruption.path)
            self._wake_at(datetime.now(UTC) + _RESUME_AFTER, "resume")
        except ContentFolderMissing as error:
            self._report_failure(error)
            self._publish_due_articles()
            return False
        except FeedsError as error:
            if not self._is_cancelled():
                self._report_failure(error)
            return False
        except OSError as error:  # the published revision stays
            self._report_failure(_task_failed(error))
            return False
        except Exception as error:
            self._failures.record("publish", error)
            _LOG.exception("a publish run failed")
            return False
        return True

    def _publish_due_articles(self) -> None:
        """Publish scheduled articles and withdraw expired ones that are due, while the content folder is missing."""
        try:
            with self._catalog.lock(_LOCK_TIMEOUT_S, self._is_cancelled):
                outcome = self._publisher.run(datetime.now(UTC), only=())
            if outcome.changed:
                self._observer.on_finished(outcome)
        except FeedsError as error:
            _LOG.info("scheduled articles were not published on time: %s", error)

    def _report_failure(self, error: FeedsError) -> None:
        self._failures.record("publish", error)
        self._observer.on_failed(error)

    def _is_cancelled(self) -> bool:
        """Return whether this process must not publish any more."""
        return self._stop.is_set() or not self.is_leader

    def _schedule_next_change(self, not_before: timedelta) -> None:
        """Wake the publish thread when the next article goes live or expires; at once if that is overdue."""
        now = datetime.now(UTC)
        next_change = None
        with suppress(CatalogError), self._catalog.read_transaction() as catalog:
            next_change = catalog.next_change()
        latest = now + _MAX_SLEEP
        self._wake_at(max(min(next_change or latest, latest), now + not_before), "next change")

    def _wake_at(self, moment: datetime, job: str) -> None:
        self._scheduler.add_job(self._wake.set, "date", run_date=moment, id=job, replace_existing=True)


def _task_failed(error: OSError) -> FeedsError:
    reason = error.strerror or str(error)
    path = f"{error.filename}: " if error.filename else ""
    return TaskFailed(f"{path}{reason}; the run is tried again", reason)
