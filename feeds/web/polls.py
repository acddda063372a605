"""Polls of one worker, counted behind the requests' back: an append to a queue is all that they cost."""

import atexit
import datetime as dt
import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from wsgiref.types import WSGIEnvironment

from feeds.audience import Poll, Tally, close_days
from feeds.catalog import Catalog
from feeds.errors import FeedsError
from feeds.web.answer import Sent
from feeds.web.clients import LONGEST_ADDRESS, Clients
from feeds.web.front import Polled

_LOG = logging.getLogger(__name__)
_EVERY = 0.2  # seconds between two looks at the queue
_TOLD_EVERY = 10.0  # seconds between two visits to the catalog
_QUEUE = 100_000  # requests; beyond that the oldest are lost before memory is
_MANY = 20_000  # different requests that are held at most before they are looked into
_MORNING = dt.time(0, 5)  # by when all have told what they counted of the day before
_LONGEST = 500  # characters of a User-Agent

_Request = tuple[str, str, Sent]  # User-Agent, what is said of the client, the answer


class Polls:
    """A queue of polls, and the thread that counts them."""

    def __init__(self, catalog: Catalog, clients: Clients, keep: int, polled: Callable[[str, int], Any]) -> None:
        """Keep what days came to for so many of them. `polled` is told the kind of who polled, and how often."""
        self._catalog = catalog
        self._clients = clients
        self._keep = keep
        self._polled = polled
        self._tally = Tally(catalog)
        self._queue: deque[_Request] = deque(maxlen=_QUEUE)
        self._last: deque[_Request] = deque()  # the one before: who was just noting something may still put it there
        self._seen: Counter[_Request] = Counter()
        self._counting = threading.Lock()
        self._closed = ""  # the day before which all is closed
        self._complaint = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.note = self._notes()

    def start(self) -> None:
        """Count from now on, also in processes that a server forks off this one; what is counted is told at the end."""
        os.register_at_fork(after_in_child=self._start)
        self._start()
        atexit.register(self.finish)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="polls", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and write what was counted to the catalog."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        atexit.unregister(self.finish)
        self.finish()

    def _notes(self) -> Polled:
        """Give what notes a poll. Each call and each slice less is a hundredth of the rate."""
        header, said_of = self._clients.variable, self._clients.said

        def note(environ: WSGIEnvironment, sent: Sent) -> None:
            agent = environ.get("HTTP_USER_AGENT", "")
            said = environ.get(header, "") if header else said_of(environ)
            if len(agent) > _LONGEST or len(said) > LONGEST_ADDRESS:
                agent, said = agent[:_LONGEST], said[-LONGEST_ADDRESS:]
            self._queue.append((agent, said, sent))

        return note

    def _run(self) -> None:
        told = time.monotonic()
        while not self._stopping.wait(_EVERY):
            try:
                self._look()
                if time.monotonic() - told >= _TOLD_EVERY:
                    told = time.monotonic()
                    self._tell()
            except FeedsError as error:
                if str(error) != self._complaint:  # once, not every ten seconds
                    _LOG.warning("who reads can't be kept just now, and is kept later: %s", error)
                self._complaint = str(error)
            except Exception:  # what is served goes on
                _LOG.exception("who reads could not be counted")

    def finish(self) -> None:
        """Tell the catalog the rest."""
        try:
            self._look()
            self._look()
            self._tell()
        except Exception as error:
            _LOG.warning("the last polls were not counted: %s", error)

    def _look(self) -> None:
        """Empty the queue of a moment ago, and count what is alike as one."""
        with self._counting:
            last, self._last = self._last, self._queue
            self._queue = deque(maxlen=_QUEUE)
            self._seen.update(last)  # in C, which nobody interrupts
            if len(self._seen) > _MANY:
                self._count()

    def _count(self) -> None:
        seen, self._seen = self._seen, Counter()
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        for (agent, said, sent), times in seen.items():
            client = self._clients.network(said) or ""
            poll = Poll(sent.document, agent, client, sent.status, sent.conditional, sent.size, sent.saved)
            kind = self._tally.add(day, poll, times)
            if kind:
                self._polled(kind, times)

    def _tell(self) -> None:
        with self._counting:
            self._count()
        self._tally.write()
        now = datetime.now(UTC)
        today = f"{now:%Y-%m-%d}"
        if self._closed != today:
            close_days(self._catalog, now, self._keep)
            # the first minutes of a day are left to those who have something to tell of the day before
            self._closed = today if now.time() > _MORNING else ""
        self._catalog.erase_closed_days()
        self._complaint = ""
