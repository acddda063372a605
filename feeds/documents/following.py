"""Which revision the catalog is at: looked at now and then, when there is news, and for who seems to know a later one.

A catalog that can't be read is no error here: what is kept goes on as it is, until it can be read again. Where a
database tells of revisions, a thread listens and looks, and who asks for documents waits for nobody; the thread looks
every second too, for news may be lost with a connection. A file is looked at by who asks for documents.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from feeds.catalog import Catalog, Reader
from feeds.documents.kept import Kept
from feeds.documents.memory import Memory
from feeds.documents.waiting import MustWait, Patience
from feeds.errors import CatalogError
from feeds.model import FeedState

_LOG = logging.getLogger(__name__)
_LOOK_EVERY = 0.05  # seconds between two questions for the catalog's revision
_NOT_LONG_AGO = 0.5  # seconds since a look, for who can't wait for the next one
_LISTEN_FOR = 1.0  # seconds between two, where we are told of revisions; and between two attempts to be
_DEAF = 5.0  # seconds after which who asks for documents looks, for nobody seems to listen
_A_SECOND = 100.0  # questions for who knows a version that we don't: beyond that they wait for the usual one
_OLDER = 10_000  # validators that are known to be of no later revision
_LONGEST = 200  # characters of a validator
_PATIENCE = 1.0  # seconds for who is just looking
_SILENT = 3.0  # seconds for a look after which the catalog counts as away: it may never answer


class Following:
    """Moves what is remembered on to each revision. For any number of threads."""

    def __init__(self, catalog: Catalog, memory: Memory[Any], max_age: int) -> None:
        """`max_age`: for how many seconds an hour that has come may be one at which nothing was regenerated yet."""
        self.hour = float("inf")  # when the next article goes live or leaves by itself, in seconds since 1970
        self.identity = ""  # of the catalog whose revisions are counted
        self._away = ""  # why the catalog can't be read, by the last look that ended
        self._seeing_since = float("inf")  # when the one began that has not ended
        self._catalog = catalog
        self._memory = memory
        self._max_age = max_age
        self._look_again_at = 0.0
        self._looking = threading.Lock()
        self._older = Kept[bool](_OLDER, lambda _: 1)
        self._allowed, self._counted_at = _A_SECOND, 0.0  # questions for who knows another version
        self._listens = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._due = threading.Event()  # whether the other thread is to look
        self._looker: threading.Thread | None = None

    @property
    def away(self) -> str:
        """Why the catalog can't be read, as far as is known; "" if it can."""
        return "it does not answer" if time.monotonic() - self._seeing_since > _SILENT else self._away

    @contextlib.contextmanager
    def reading(self) -> Iterator[Reader]:
        """Read the catalog, while a reader waits. Raises `CatalogError`, and at once if it is known to be away."""
        if away := self.away:
            raise CatalogError(away)
        with self._catalog.reading() as reader:
            yield reader

    def start(self) -> None:
        """Listen from now on, where the catalog tells of revisions; also in processes that are forked off this one."""
        if self._catalog.listening() is not None:
            self._listens = True
            os.register_at_fork(after_in_child=self._start)
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._listen, name="news", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread that listens, which takes up to a second."""
        self._stopping.set()
        self._due.set()
        for thread in (self._thread, self._looker):
            if thread:
                thread.join()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._catalog.listening() as wait:  # type: ignore[union-attr]  # as it was at the start
                    while not self._stopping.is_set():
                        self._look_now()
                        wait(_LISTEN_FOR)
            except CatalogError:
                self._look_now()  # without being told it works too
            except Exception:  # as long as this process answers, it follows
                _LOG.exception("the news of the catalog were not heard")
            self._stopping.wait(_LISTEN_FOR)

    def _look_now(self) -> None:
        with self._looking:
            self._see()

    def look(self, patience: Patience = Patience.RENDER) -> None:
        """See, twenty times a second, whether there is a new revision. One thread does; the others go on meanwhile.

        Without patience, return at once if the last check is less than half a second old, else raise `MustWait`.
        """
        if time.monotonic() < self._look_again_at:
            return
        if patience < Patience.CATALOG:
            if self._memory.revision and (self._looking.locked() or self._is_looked_after()):
                return
            raise MustWait("catalog")
        if not self._looking.acquire(blocking=self._memory.revision == 0):
            return
        try:
            if time.monotonic() >= self._look_again_at:
                self._see()
        finally:
            self._looking.release()

    def _is_looked_after(self) -> bool:
        """Start a check of the revision in a thread; return False if the last one is too old to be relied on."""
        if time.monotonic() - self._memory.seen > _NOT_LONG_AGO:
            return False
        if self._looker is None:
            self._looker = threading.Thread(target=self._look_when_due, name="look", daemon=True)
            self._looker.start()
        self._due.set()
        return True

    def _look_when_due(self) -> None:
        while self._due.wait() and not self._stopping.is_set():
            self._due.clear()
            self.look()

    def catch_up(self, path: str, validator: str, patience: Patience = Patience.RENDER) -> bool:
        """See at once whether there is a new revision, for who knows a version of a path that is not what we have.

        Another worker may have given it. Of an old one that is found once for each revision. Tells whether it is known
        that there is no later one. Raises `MustWait` if the catalog must be asked, and there is no patience for it.
        """
        if self._older.get((path, validator[:_LONGEST], self._memory.revision)):
            return not self.away
        if patience < Patience.CATALOG:
            raise MustWait("catalog")
        if self.away or not self._may_ask() or not self._looked(_PATIENCE) or self.away:
            return False
        self._older.put((path, validator[:_LONGEST], self._memory.revision), True)  # a set would do, had it a bound
        return True

    def _looked(self, patience: float) -> bool:
        """Look, but wait no longer for whoever looks already, or for a database that may not answer; tell if it did."""
        if not self._listens:
            if ours := self._looking.acquire(timeout=patience):
                try:
                    self._see()
                finally:
                    self._looking.release()
            return ours
        look = threading.Thread(target=self._look_now, name="look", daemon=True)
        look.start()
        look.join(patience)
        return not look.is_alive()

    def _may_ask(self) -> bool:
        """Tell whether there is time for one more question: not for who makes up validators to keep us busy."""
        now = time.monotonic()
        self._allowed = min(_A_SECOND, self._allowed + (now - self._counted_at) * _A_SECOND)
        self._counted_at = now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True

    def _see(self) -> None:
        memory = self._memory
        self._seeing_since = time.monotonic()
        try:
            with self._catalog.reading() as catalog:
                identity, revision = catalog.news()
                changed: Mapping[str, FeedState] | None = {}
                if identity != self.identity or revision < memory.revision:
                    changed = None  # another catalog
                elif revision != memory.revision:
                    changed = catalog.changed_since(memory.revision)
                if revision and changed != {}:  # in one that is just being made there is nothing to give
                    memory.move_to(revision, changed)
                    self.identity = identity
                memory.seen = time.monotonic()
                self._set_hour(catalog, datetime.now(UTC), anew=changed != {})
            if self._away:
                _LOG.warning("the catalog can be read again")
            self._away = ""
        except CatalogError as error:
            if not self._away:
                _LOG.warning("serving what is kept: %s", error)
            self._away = str(error)
        finally:
            self._seeing_since = float("inf")
            self._look_again_at = time.monotonic() + (_DEAF if self._listens else _LOOK_EVERY)

    def _set_hour(self, catalog: Reader, now: datetime, *, anew: bool) -> None:
        if not anew and 0 <= now.timestamp() - self.hour < self._max_age:
            return  # it has come, and whoever regenerates will be there in a moment
        hour = catalog.next_change(now)
        self.hour = hour.timestamp() if hour else float("inf")
