"""Elects one of several publishers as leader: `LeaderElection`. Only the leader publishes; the others stand by."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from feeds.catalog import Catalog, LeaderLock
from feeds.core.errors import CatalogDamaged, CatalogError, CatalogLocked, FeedsError, NotLeader, TaskFailed

_LOG = logging.getLogger(__name__)
_INTERVAL_S = 1.0  # between two attempts to lead, and between two checks whether this process still leads
_STOP_TIMEOUT_S = 3.0
_STANDBY = "another process publishes this site; this one takes over when that process ends"


class LeaderElection:
    """Takes the leader lock of a catalog as soon as it is free, and notices its loss, in a thread of its own."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        on_elected: Callable[[bool], object],
        on_not_elected: Callable[[FeedsError], object],
    ) -> None:
        """Prepare an election; `start` begins it.

        Args:
            catalog: the catalog whose publishers elect a leader.
            on_elected: called when this process has become the leader, with whether another process was it before.
            on_not_elected: called with the reason after each attempt that failed.
        """
        self._catalog = catalog
        self._lock: LeaderLock = catalog.leader_lock()
        self._on_elected = on_elected
        self._on_not_elected = on_not_elected
        self._is_created = False  # whether the catalog is known to exist
        self._is_leader = False  # at the last check
        self._another_led = False  # whether another process has led since this one did
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lead", daemon=True)

    @property
    def is_leader(self) -> bool:
        """Whether this process led at the last check, at most a second ago."""
        return self._is_leader

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and release the lock."""
        self._stop.set()
        self._thread.join(_STOP_TIMEOUT_S)
        self._is_leader = False
        self._lock.release()

    def confirm(self) -> bool:
        """Return whether this process leads, as the file system or the database that has the lock reports it."""
        return self._is_leader and self._lock.is_held()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._try_to_lead()
            except (CatalogError, CatalogLocked) as error:  # locked: another process migrates the catalog
                self._on_not_elected(error)
            except Exception as error:  # tried again
                self._is_leader = False
                with suppress(Exception):  # an error in here must not end the thread
                    self._on_not_elected(TaskFailed(f"{type(error).__name__}: {error}", "an unexpected error"))
                    _LOG.exception("the leader election failed; it is tried again")
            self._stop.wait(_INTERVAL_S)

    def _try_to_lead(self) -> None:
        if self.confirm():
            return
        self._is_leader = False
        if not self._is_created:  # the database may have been unavailable when this process started
            with suppress(CatalogDamaged):  # the first run recovers it
                self._catalog.create()
            self._is_created = True
        if not self._lock.acquire():
            self._another_led = True
            self._on_not_elected(NotLeader(_STANDBY))
            return
        self._is_leader = True
        another_led, self._another_led = self._another_led, False
        self._on_elected(another_led)
