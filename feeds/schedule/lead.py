"""Which of several publishers publishes: the one that leads. The others stand by, and try every second to take over."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from feeds.catalog import Catalog, Leadership
from feeds.errors import CatalogDamaged, CatalogError, FeedsError, Locked, StandingBy, TaskFailed

_LOG = logging.getLogger(__name__)
_EVERY = 1.0  # seconds between two looks at whether we lead, or could
_WITHIN = 3.0  # seconds for the thread to end


class Lead:
    """Takes the leadership of a catalog when it can be had, and notices when it is lost, in a thread of its own."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        began: Callable[[bool], object],
        told: Callable[[FeedsError], object],
    ) -> None:
        """`began` is called when we lead from now on, with whether others may have published meanwhile.

        `told` of why we don't, each time that we tried.
        """
        self._catalog = catalog
        self._leadership: Leadership = catalog.leadership()
        self._began = began
        self._told = told
        self._made = False  # whether the catalog is known to be there
        self._leads = False  # as far as is known
        self._others = False  # whether another has led since we did
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lead", daemon=True)

    @property
    def is_ours(self) -> bool:
        """Whether we lead, as it was known a second ago."""
        return self._leads

    def start(self) -> None:
        """Begin to try."""
        self._thread.start()

    def stop(self) -> None:
        """Let others lead."""
        self._stop.set()
        self._thread.join(_WITHIN)
        self._leads = False
        self._leadership.give_up()

    def confirmed(self) -> bool:
        """Tell whether we lead, as the database knows it."""
        return self._leads and self._leadership.holds()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except (CatalogError, Locked) as error:  # the latter: who runs just now, while the catalog is brought up
                self._told(error)
            except Exception as error:  # it is tried again
                self._leads = False
                with suppress(Exception):  # whatever fails here must not end the thread
                    self._told(TaskFailed(f"{type(error).__name__}: {error}", "an unexpected error"))
                    _LOG.exception("the leadership could not be looked after")
            self._stop.wait(_EVERY)

    def _look(self) -> None:
        if self._leads and self._leadership.holds():
            return
        self._leads = False
        if not self._made:  # in a database that was away when we came
            with suppress(CatalogDamaged):  # which the first run mends
                self._catalog.create()
            self._made = True
        if not self._leadership.take():
            self._others = True
            self._told(StandingBy("standing by: another publisher leads"))
            return
        self._leads = True
        others, self._others = self._others, False
        self._began(others)
