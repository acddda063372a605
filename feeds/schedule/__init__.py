"""When to publish: on a hint from the folder, on the cron, on a call, and when an article goes live or expires.

One loop in one process regenerates, whoever woke it, so that nothing ever runs twice at once; of several publishers
that of the one that leads (`lead`). APScheduler keeps the times of day; a date is set anew after each regeneration, at
start and after a jump of the clock. What happens every second is timed by the monotonic clock, which nobody can set.
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
from feeds.command import Command
from feeds.errors import CatalogError, FeedsError, FolderGone, StandingBy, TaskFailed
from feeds.folder import Folder, Watch
from feeds.publish import Interrupted, OnRepair, Outcome, Progress, Publisher
from feeds.schedule.cron import Trigger, trigger
from feeds.schedule.lead import Lead

__all__ = ["Keeper", "Trigger", "trigger"]

_LOG = logging.getLogger(__name__)
logging.getLogger("apscheduler").setLevel(logging.ERROR)  # that a tick waits for a database is said elsewhere, once
_AT_LEAST_EVERY = timedelta(hours=1)  # a date further off is looked at again: the clock may have been set
_AGAIN = timedelta(seconds=10)  # until a run that failed is tried again
_GO_ON = timedelta(seconds=2)  # until a look that was interrupted goes on: who saves once saves again
_MANY = 1_000  # paths; where more may have changed, the whole folder is looked at
_SOON = 0.2  # seconds until a file that was being written is looked at again
_TICK_S = 1.0  # seconds between two checks of the clock, and for a call of the webhook
_JUMP_S = 1.0  # by which the clock must differ from the monotonic clock to have been set
_LOCK_PATIENCE = 60.0  # seconds to wait for a `feeds build` beside us
_TO_END = 10.0  # seconds for a regeneration that is under way
_RESTART_S = 1.0  # seconds until a thread that an unexpected error has ended goes on


class _Clock(BackgroundScheduler):  # type: ignore[misc]  # which has no types
    """A scheduler that can be stopped at any time.

    APScheduler's thread ends with an exception if it is stopped while a job runs for the last time: it looks for the
    job, to remove it, among those of a scheduler that was never started.
    """

    def _process_jobs(self) -> float | None:
        try:
            seconds: float | None = super()._process_jobs()
        except JobLookupError:
            if self.running:
                raise
            seconds = None
        return seconds


class Keeper:
    """Keeps the catalog true to the folder for as long as it runs, in threads of its own."""

    def __init__(
        self,
        publisher: Publisher,
        folder: Folder,
        catalog: Catalog,
        failures: Failures,
        *,
        watch: Watch,
        cron: Trigger | None,
        before: Command | None,
        called: bool,
        told: Callable[[Outcome | FeedsError], None],
        on_repair: OnRepair,
        progress: Progress,
    ) -> None:
        self._publisher = publisher
        self._folder = folder
        self._catalog = catalog
        self._failures = failures
        self._watch = watch
        self._before = before
        self._complaint = ""  # of what went wrong with it the last time
        self._asked = 0  # how often a regeneration had been asked for
        self._told = told
        self._on_repair = on_repair
        self._progress = progress
        self._may_look = False  # whether what is in the folder is known to be no older than what is published
        self._hints: set[str] = set()  # paths that may have changed
        self._all = True  # whether any may have
        self._looked_up_to = ""  # the path up to which that was looked into already
        self._hinting = threading.Lock()
        self._prepare = threading.Event()  # whether `before` is to be run, and everything looked at
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._cron = cron
        self._clock = _Clock(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True})
        if cron:
            self._clock.add_job(self._prepare.set, cron, id="cron")
        self._called = called
        self._lead = Lead(catalog, began=self._begin, told=self._not_leading)
        self._threads = [
            threading.Thread(target=self._run, args=(self._ticking,), name="tick", daemon=True),
            threading.Thread(target=self._run, args=(self._watching,), name="watch", daemon=True),
            threading.Thread(target=self._run, args=(self._preparing,), name="prepare", daemon=True),
            threading.Thread(target=self._run, args=(self._regenerating,), name="regenerate", daemon=True),
        ]

    @property
    def leads(self) -> bool:
        """Whether it is us who publishes, and no other of the same catalog."""
        return self._lead.is_ours

    @property
    def lives(self) -> bool:
        """Whether nothing has ended that should go on."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin; the first regeneration is under way a moment after this returns, if we lead."""
        self._clock.start()
        for thread in self._threads:
            thread.start()
        self._lead.start()

    def _run(self, work: Callable[[], object]) -> None:
        """Do the work of a thread until we stop: an error that nobody expected is reported, and it begins again."""
        while not self._stop.is_set():
            try:
                work()
            except Exception as error:
                with suppress(Exception):  # whatever fails here must not end the thread
                    self._failures.failed("publish", error)
                    _LOG.exception("an unexpected error")
                self._stop.wait(_RESTART_S)
                self._look_at(None)

    def _not_leading(self, error: FeedsError) -> None:
        """Report why we don't lead; while another publisher leads, what fails is its to report."""
        if isinstance(error, StandingBy):
            self._failures.left_to_others("publish")
        else:
            self._failures.failed("publish", error)
        self._told(error)

    def _begin(self, others: bool) -> None:
        """Look at everything; after others have led, once what they knew of is here too."""
        if not self._before:
            self._failures.succeeded("before")  # it is no longer wanted
        with suppress(CatalogError), self._catalog.reading() as catalog:
            self._asked = catalog.asked()
        # a checkout of ours may be older than what others have published, which must not be taken back …
        self._may_look = not (others and self._before)
        # … or than what a call was about that came while nobody led
        if self._before and (others or self._called):
            self._prepare.set()
        if self._may_look:
            self._look_at(None)

    def stop(self) -> None:
        """End; a regeneration that is under way is finished first, if that does not take long."""
        self._stop.set()
        self._wake.set()
        self._prepare.set()
        self._clock.shutdown(wait=False)
        if self._before:
            self._before.end()
        until = time.monotonic() + _TO_END
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._lead.stop()

    def _preparing(self) -> None:
        """Run what the owner wants to be run before, and look at everything, whatever came of it.

        Who wants that while it runs gets it once more: what is new since may have come too late for it.
        """
        while True:
            self._prepare.wait()
            self._prepare.clear()
            if self._stop.is_set():
                return
            if not self.leads:
                continue  # who takes the lead begins with this
            complaint = self._before.run() if self._before else ""
            if self._stop.is_set():
                return
            if complaint:
                said = f"schedule.before: {complaint}"
                self._failures.failed("before", TaskFailed(said, "schedule.before failed"))
            else:
                self._failures.succeeded("before")
            if complaint and complaint != self._complaint:
                _LOG.warning("schedule.before: %s", complaint)
            self._complaint = complaint
            self._may_look = True
            self._look_at(None)

    def _ticking(self) -> None:
        """Check every second whether the clock was set, or the machine slept, and whether the webhook was called."""
        ahead = time.time() - time.monotonic()
        while not self._stop.wait(_TICK_S):
            was_ahead, ahead = ahead, time.time() - time.monotonic()
            if abs(ahead - was_ahead) > _JUMP_S:
                self._clock_was_set(back=ahead < was_ahead)
            self._look_if_asked()

    def _clock_was_set(self, *, back: bool) -> None:
        """Run what is due by the new time, and compute every date anew."""
        if back and self._cron:
            self._clock.reschedule_job("cron", trigger=self._cron)  # or it would wait until the old time comes again
        self._clock.wakeup()
        self._look_at(None)  # sets the alarm, too

    def _look_if_asked(self) -> None:
        """See whether somebody called the webhook."""
        if not self._called:
            return
        with suppress(CatalogError), self._catalog.reading() as catalog:
            asked = catalog.asked()
            if asked == self._asked:
                return
            self._asked = asked
        self._prepare.set()

    def _watching(self) -> None:
        for paths in self._folder.watch(self._watch, self._stop):
            self._look_at(paths)

    def _look_at(self, paths: Collection[str] | None) -> None:
        self._hint(paths)
        self._wake.set()

    def _hint(self, paths: Collection[str] | None) -> None:
        """Note which paths may have changed; None: any."""
        with self._hinting:
            if paths is None or len(self._hints) + len(paths) > _MANY:
                self._hints, self._all, self._looked_up_to = set(), True, ""
            else:
                self._hints.update(paths)

    def _next_look(self) -> tuple[set[str] | None, str]:
        """Give the paths to look at, None for all after one. What somebody has just saved comes first."""
        with self._hinting:
            if self._hints or not self._all:
                hints, self._hints = self._hints, set()
                return hints, ""
            self._all = False
            return None, self._looked_up_to

    def _go_on_after(self, path: str) -> None:
        """Note that a look at all has got so far."""
        with self._hinting:
            if not self._all:  # else it is to begin anew
                self._all, self._looked_up_to = True, path

    def _regenerating(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stop.is_set():
                return
            if not (self._may_look and self._lead.confirmed()):
                continue  # who takes the lead begins with a look at everything
            again = not self._regenerate()
            if again:
                self._hint(None)
                self._wake_at(datetime.now(UTC) + _AGAIN, "again")
            elif self._hints or (self._all and not self._looked_up_to):
                self._wake.set()
            self._set_alarm(not_before=_AGAIN if again else timedelta(0))

    def _regenerate(self) -> bool:
        """Do it once. Tells whether that went well."""
        only, after = self._next_look()
        try:
            with self._catalog.lock(_LOCK_PATIENCE, self._given_up):
                # who waited for it may have lost the lead meanwhile, and who leads next has its lock or ends ours
                if not (self._may_look and self._lead.confirmed()):
                    return True
                outcome = self._publisher.refresh(
                    datetime.now(UTC),
                    only=only,
                    after=after,
                    interrupted=lambda: bool(self._hints) or self._stop.is_set(),
                    on_repair=self._on_repair,
                    progress=self._progress,
                )
            if outcome.whole:  # a look at a file that was saved says nothing of what ended a look at everything
                self._failures.succeeded("publish")
            self._told(outcome)
            if outcome.unsettled:
                soon = datetime.now(UTC) + timedelta(seconds=_SOON)
                self._clock.add_job(self._look_at, "date", args=[outcome.unsettled], run_date=soon)
        except Interrupted as look:
            self._go_on_after(look.path)
            self._wake_at(datetime.now(UTC) + _GO_ON, "go on")
        except FolderGone as error:
            self._fail(error)
            self._keep_hours()
            return False
        except FeedsError as error:
            if not self._given_up():
                self._fail(error)
            return False
        except OSError as error:  # what is published stays up
            self._fail(_sentence(error))
            return False
        except Exception as error:
            self._failures.failed("publish", error)
            _LOG.exception("a regeneration failed")
            return False
        return True

    def _fail(self, error: FeedsError) -> None:
        self._failures.failed("publish", error)
        self._told(error)

    def _keep_hours(self) -> None:
        """Publish and withdraw what the catalog says is due, while the content folder is away."""
        try:
            with self._catalog.lock(_LOCK_PATIENCE, self._given_up):
                outcome = self._publisher.refresh(datetime.now(UTC), only=())
            if outcome.changed:
                self._told(outcome)
        except FeedsError as error:
            _LOG.info("what is due was not published: %s", error)

    def _given_up(self) -> bool:
        """Tell whether nothing is to be published by us any more."""
        return self._stop.is_set() or not self.leads

    def _set_alarm(self, not_before: timedelta) -> None:
        """Wake when the next article goes live or expires; at once if its hour has come during the last run."""
        now = datetime.now(UTC)
        hour = None
        with suppress(CatalogError), self._catalog.reading() as catalog:
            hour = catalog.next_change()
        hour = min(hour or now + _AT_LEAST_EVERY, now + _AT_LEAST_EVERY)
        self._wake_at(max(hour, now + not_before), "alarm")

    def _wake_at(self, moment: datetime, name: str) -> None:
        self._clock.add_job(self._wake.set, "date", run_date=moment, id=name, replace_existing=True)


def _sentence(error: OSError) -> FeedsError:
    reason = error.strerror or str(error)
    place = f"{error.filename}: " if error.filename else ""
    return TaskFailed(f"{place}{reason}; the regeneration is tried again", reason)
