"""Counts the polls of one worker. A request only increments the number of equal polls; a thread does the rest."""

import atexit
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from feeds.catalog import Catalog
from feeds.core.errors import FeedsError
from feeds.parallel import call_in_forks
from feeds.stats.counter import Poll, PollCounter
from feeds.stats.rollup import roll_up_finished_days
from feeds.web.cached_response import ResponseInfo
from feeds.web.client_address import MAX_ADDRESS_CHARS, ClientAddressResolver
from feeds.web.request import Request

_LOG = logging.getLogger(__name__)
_CHECK_INTERVAL_S = 0.2
_WRITE_INTERVAL_S = 10.0
_MAX_DISTINCT = 100_000  # different requests that wait for the thread; beyond that new ones are dropped
_MANY_DISTINCT = 20_000  # different requests that wake the thread at once, to free memory
_ROLLUP_TIME = dt.time(0, 5)  # all processes have written their counts of the day before by this time
_MAX_AGENT_CHARS = 500

_Request = tuple[str, str, ResponseInfo]  # User-Agent, raw client address, response


class PollRecorder:
    """The counts of polls, and the thread that classifies them and writes them to the catalog."""

    def __init__(
        self, catalog: Catalog, clients: ClientAddressResolver, keep: int, on_polls: Callable[[str, int], Any]
    ) -> None:
        """Prepare to count.

        Args:
            catalog: where the counts are written.
            clients: finds the address of a request's client.
            keep: days for which daily counts are kept.
            on_polls: called with a kind of client and its number of polls.
        """
        self._catalog = catalog
        self._clients = clients
        self._keep = keep
        self._on_polls = on_polls
        self._counter = PollCounter(catalog)
        self._requests: dict[_Request, list[int]] = {}  # the number of equal requests, in a list of one
        self._lock = threading.Lock()  # of the numbers
        self._classifying = threading.Lock()
        self._rolled_up = ""  # all days before this day are rolled up
        self._last_error = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, also in processes that a server forks later; when a process ends, it writes its counts."""
        call_in_forks(self._start_thread)
        self._start_thread()
        atexit.register(self.flush)

    def _start_thread(self) -> None:
        # in a fork, locks may be held by threads that exist only in the parent, and the numbers are those of the parent
        self._lock, self._classifying, self._requests = threading.Lock(), threading.Lock(), {}
        self._thread = threading.Thread(target=self._run, name="polls", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and write the counts to the catalog."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        atexit.unregister(self.flush)
        self.flush()

    def record(self, request: Request, response: ResponseInfo) -> None:
        """Record a poll. Each function call or slice in this method lowers the request rate by 1 %.

        Equal requests are counted here and not in the thread: later, their objects are no longer in the CPU's caches.
        """
        agent, address = request.header("user-agent") or "", self._clients.raw_address(request)
        if len(agent) > _MAX_AGENT_CHARS or len(address) > MAX_ADDRESS_CHARS:
            agent, address = agent[:_MAX_AGENT_CHARS], address[-MAX_ADDRESS_CHARS:]
        key = (agent, address, response)
        with self._lock:
            count = self._requests.get(key)
            if count is not None:
                count[0] += 1
            elif len(self._requests) < _MAX_DISTINCT:
                self._requests[key] = [1]

    def _run(self) -> None:
        written_at = time.monotonic()
        while not self._stopping.wait(_CHECK_INTERVAL_S):
            try:
                if len(self._requests) > _MANY_DISTINCT:
                    self._classify()
                if time.monotonic() - written_at >= _WRITE_INTERVAL_S:
                    written_at = time.monotonic()
                    self._write()
            except FeedsError as error:
                if str(error) != self._last_error:  # log it once, not every ten seconds
                    _LOG.warning("the statistics can't be written now; they are kept and written later: %s", error)
                self._last_error = str(error)
            except Exception:  # serving continues
                _LOG.exception("the polls could not be counted")

    def flush(self) -> None:
        """Write all counts to the catalog. Log an error instead of raising it."""
        try:
            self._write()
        except Exception as error:
            _LOG.warning("the last polls were not counted: %s", error)

    def _classify(self) -> None:
        """Classify all requests so far. Return after all other threads have finished classifying, too."""
        with self._classifying:
            with self._lock:
                requests, self._requests = self._requests, {}
            day = f"{datetime.now(UTC):%Y-%m-%d}"
            for (agent, address, response), (count,) in requests.items():
                client = self._clients.network(address) or ""
                poll = Poll(
                    response.path,
                    agent,
                    client,
                    response.status,
                    response.is_conditional,
                    response.size,
                    response.saved,
                )
                kind = self._counter.add(day, poll, count)
                if kind:
                    self._on_polls(kind, count)

    def _write(self) -> None:
        self._classify()
        self._counter.write()
        now = datetime.now(UTC)
        today = f"{now:%Y-%m-%d}"
        if self._rolled_up != today:
            roll_up_finished_days(self._catalog, now, self._keep)
            # in the first minutes of a day, other processes may still write counts of the day before
            self._rolled_up = today if now.time() > _ROLLUP_TIME else ""
        self._catalog.erase_closed_days()
        self._last_error = ""
