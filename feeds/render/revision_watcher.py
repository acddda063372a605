"""Checks the catalog for new revisions, and updates the document cache of a process after each of them.

If the catalog can't be read, no exception is raised: the cached documents are served until it can be read again. If the
database announces revisions (PostgreSQL), a thread waits for announcements, and also checks every second, because a
lost connection loses announcements; no request waits for the database. Otherwise (SQLite), requests check a file.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Hashable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from feeds.catalog import Catalog, CatalogReader
from feeds.core.errors import CatalogError
from feeds.core.model import FeedState
from feeds.parallel import call_in_forks
from feeds.render.blocking import WaitPolicy, WouldBlock
from feeds.render.cache import DocumentCache
from feeds.render.lru import LRUCache

_LOG = logging.getLogger(__name__)
_POLL_INTERVAL_S = 0.05  # between two checks by requests
_MAX_CHECK_AGE_S = 0.5  # the age of the last check on which a request may rely if it can't wait for the next one
_LISTEN_INTERVAL_S = 1.0  # between two checks by the listening thread, and between two attempts to listen
_LISTENER_TIMEOUT_S = 5.0  # if the listening thread has not checked for this time, requests check themselves
_MAX_CHECKS_PER_S = 100.0  # because of unknown validators; beyond it, clients wait for the next regular check
_MAX_OLD_VALIDATORS = 10_000
_MAX_VALIDATOR_CHARS = 200
_MAX_SKIPPED_S = 1.0  # the time for which checks may rely on the catalog's counter of changes, and read nothing else
_CHECK_TIMEOUT_S = 1.0  # the time for which a request with an unknown validator waits for a check
_UNRESPONSIVE_AFTER_S = 3.0  # duration of a check after which the catalog counts as unavailable


class RevisionWatcher:
    """Updates a document cache to each new revision of a catalog. Thread-safe."""

    def __init__(self, catalog: Catalog, cache: DocumentCache[Any], max_age: int) -> None:
        """`max_age`: the seconds for which a scheduled time counts as due if no publisher has acted on it."""
        self.next_change_at = float("inf")  # when the next article is published or expires by schedule, since 1970
        self.catalog_id = ""  # the id of the catalog that has the revision of the cache
        self._check_failure = ""  # why the last completed check could not read the catalog
        self._check_started_at = float("inf")  # start of the running check, by the monotonic clock
        self._catalog = catalog
        self._cache = cache
        self._max_age = max_age
        self.next_check_at = 0.0  # by the monotonic clock
        self._checking = threading.Lock()
        self._last_change_counter: Hashable | None = None  # its value before the last check that read the catalog
        self._last_read_at = 0.0  # when that check took place, by the monotonic clock
        self._old_validators = LRUCache[bool](_MAX_OLD_VALIDATORS, lambda _: 1)
        self._checks_left, self._checks_counted_at = _MAX_CHECKS_PER_S, 0.0  # for clients with an unknown validator
        self._is_listening = False
        self._stopping = threading.Event()
        self._listener: threading.Thread | None = None
        self._is_check_due = threading.Event()  # wakes the checker
        self._checker: threading.Thread | None = None

    @property
    def unavailable_reason(self) -> str:
        """Why the catalog can't be read, as far as is known; empty if it can."""
        is_unresponsive = time.monotonic() - self._check_started_at > _UNRESPONSIVE_AFTER_S
        return "the catalog does not answer" if is_unresponsive else self._check_failure

    @contextlib.contextmanager
    def reading(self) -> Iterator[CatalogReader]:
        """Open a read transaction. Raise `CatalogError`; at once if the catalog is known to be unavailable."""
        if reason := self.unavailable_reason:
            raise CatalogError(reason)
        with self._catalog.read_transaction() as reader:
            yield reader

    def start(self) -> None:
        """Listen for announcements of revisions, if the catalog has any, in this process and in forks of it."""
        if self._catalog.listen_for_revisions() is not None:
            self._is_listening = True
            call_in_forks(self._start)
            self._start()

    def _start(self) -> None:
        self._listener = threading.Thread(target=self._listen, name="revision-listener", daemon=True)
        self._listener.start()

    def stop(self) -> None:
        """End the threads, which takes up to a second."""
        self._stopping.set()
        self._is_check_due.set()
        for thread in (self._listener, self._checker):
            if thread:
                thread.join()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._catalog.listen_for_revisions() as wait:  # type: ignore[union-attr]  # `start` has checked
                    while not self._stopping.is_set():
                        self._check_locked()
                        wait(_LISTEN_INTERVAL_S)
            except CatalogError:
                self._check_locked()  # the database may answer queries, though it announces nothing
            except Exception:  # this thread must run as long as the process answers requests
                _LOG.exception("listening for revisions of the catalog failed")
            self._stopping.wait(_LISTEN_INTERVAL_S)

    def _check_locked(self) -> None:
        with self._checking:
            self._check()

    def poll(self, wait_policy: WaitPolicy = WaitPolicy.RENDER) -> None:
        """Check for a new revision if the last check is 50 ms old; while one thread checks, the others return.

        With `WaitPolicy.MEMORY` return if the last check is less than half a second old, else raise `WouldBlock`.
        """
        if time.monotonic() < self.next_check_at:
            return
        if wait_policy < WaitPolicy.CATALOG:
            if self._cache.revision and (self._checking.locked() or self._wake_checker()):
                return
            raise WouldBlock("catalog")
        if not self._checking.acquire(blocking=self._cache.revision == 0):
            return
        try:
            if time.monotonic() >= self.next_check_at:
                self._check()
        finally:
            self._checking.release()

    def _wake_checker(self) -> bool:
        """Start a check in a thread. Return False if the last check is too old to rely on."""
        if time.monotonic() - self._cache.checked_at > _MAX_CHECK_AGE_S:
            return False
        if self._checker is None:
            self._checker = threading.Thread(target=self._check_when_due, name="revision-checker", daemon=True)
            self._checker.start()
        self._is_check_due.set()
        return True

    def _check_when_due(self) -> None:
        while self._is_check_due.wait() and not self._stopping.is_set():
            self._is_check_due.clear()
            self.poll()

    def check_for_newer(self, path: str, validator: str, wait_policy: WaitPolicy = WaitPolicy.RENDER) -> bool:
        """Check for a newer revision now, because a client sent a validator that this process doesn't know.

        Another worker may be ahead. The result is cached for each validator and revision.

        Args:
            path: the path of the document.
            validator: the value of If-None-Match or If-Modified-Since.
            wait_policy: the operations that the call may wait for.

        Returns:
            Whether it is certain that no newer revision exists.

        Raises:
            WouldBlock: the catalog must be read, and `wait_policy` doesn't allow that.
        """
        key = (path, validator[:_MAX_VALIDATOR_CHARS])
        if self._old_validators.get((*key, self._cache.revision)):
            return not self.unavailable_reason
        if wait_policy < WaitPolicy.CATALOG:
            raise WouldBlock("catalog")
        is_certain = not self.unavailable_reason and self._may_check() and self._check_within(_CHECK_TIMEOUT_S)
        if not is_certain or self.unavailable_reason:  # the check may have failed
            return False
        self._old_validators.put((*key, self._cache.revision), True)
        return True

    def _check_within(self, timeout: float) -> bool:
        """Check for at most `timeout` seconds, which include a check that is running; return whether it completed."""
        if not self._is_listening:
            if is_acquired := self._checking.acquire(timeout=timeout):
                try:
                    self._check()
                finally:
                    self._checking.release()
            return is_acquired
        check = threading.Thread(target=self._check_locked, name="revision-check", daemon=True)
        check.start()
        check.join(timeout)
        return not check.is_alive()

    def _may_check(self) -> bool:
        """Return whether one more check is within the rate limit, so that invented validators cost little."""
        now = time.monotonic()
        refill = (now - self._checks_counted_at) * _MAX_CHECKS_PER_S
        self._checks_left = min(_MAX_CHECKS_PER_S, self._checks_left + refill)
        self._checks_counted_at = now
        if self._checks_left < 1:
            return False
        self._checks_left -= 1
        return True

    def _check(self) -> None:
        cache = self._cache
        self._check_started_at = time.monotonic()
        try:
            change_counter = self._catalog.change_counter()
            if self._is_up_to_date(change_counter):
                cache.checked_at = time.monotonic()
                return
            self._last_change_counter = None
            with self._catalog.read_transaction() as catalog:
                catalog_id, revision = catalog.current_revision()
                changed: Mapping[str, FeedState] | None = {}
                if catalog_id != self.catalog_id or revision < cache.revision:
                    changed = None  # another catalog
                elif revision != cache.revision:
                    changed = catalog.changed_since(cache.revision)
                if revision and changed != {}:  # a catalog at revision 0 has nothing to serve yet
                    cache.advance(revision, changed)
                    self.catalog_id = catalog_id
                cache.checked_at = time.monotonic()
                self._set_next_change(catalog, datetime.now(UTC), is_new_revision=changed != {})
            if self._check_failure:
                _LOG.warning("the catalog can be read again")
            self._check_failure = ""
            self._last_change_counter, self._last_read_at = change_counter, self._check_started_at
        except CatalogError as error:
            if not self._check_failure:
                _LOG.warning("cached documents are served, because the catalog can't be read: %s", error)
            self._check_failure = str(error)
        finally:
            self._check_started_at = float("inf")
            self.next_check_at = time.monotonic() + (_LISTENER_TIMEOUT_S if self._is_listening else _POLL_INTERVAL_S)

    def _is_up_to_date(self, change_counter: Hashable | None) -> bool:
        """Return whether a check would find nothing, judging by the catalog's counter of changes."""
        return (
            change_counter is not None
            and change_counter == self._last_change_counter
            and self._check_started_at - self._last_read_at < _MAX_SKIPPED_S
            and time.time() < self.next_change_at
        )

    def _set_next_change(self, catalog: CatalogReader, now: datetime, *, is_new_revision: bool) -> None:
        if not is_new_revision and 0 <= now.timestamp() - self.next_change_at < self._max_age:
            return  # the time has come, and a publisher is about to act on it
        next_change = catalog.next_change(now)
        self.next_change_at = next_change.timestamp() if next_change else float("inf")
