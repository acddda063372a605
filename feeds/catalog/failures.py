"""The current failures: the reason why a task, such as a regeneration, failed, until it succeeds again.

A full disk ends just the tasks that would have to write down why. So a failure is kept in two places: in a record of
fixed size that belongs to the catalog (a file beside it that is overwritten in place, or a row in PostgreSQL), for
every process and command; and in memory that a publishing process shares with its workers, which needs no disk.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol, get_args

from feeds.errors import CatalogError, FeedsError
from feeds.text import one_line

RECORD_BYTES = 8192
_LONGEST = 600  # bytes of a reason: the failures of all tasks fit into a record

Task = Literal["publish", "before", "export", "purge", "reload"]
TASKS: tuple[Task, ...] = get_args(Task)


class Failure(NamedTuple):
    """Why a task failed the last time, and since when it does so for this reason."""

    since: datetime
    reason: str  # one sentence for the owner of the site
    public: str  # the same for anybody: without paths, and without anything that a command printed
    exit_code: int

    @classmethod
    def of(cls, error: Exception, now: datetime) -> "Failure":
        """Return the failure that an exception stands for."""
        if isinstance(error, FeedsError):
            return cls(now, _short(str(error)), error.public, error.exit_code)
        if isinstance(error, OSError) and error.strerror:
            return cls(now, _short(str(error)), error.strerror, FeedsError.exit_code)
        return cls(now, _short(f"{type(error).__name__}: {error}"), "an unexpected error", FeedsError.exit_code)


class Memory(Protocol):
    """Memory of `RECORD_BYTES` that may be shared with other processes."""

    raw: bytes


class Kept(Protocol):
    """A catalog, as far as it keeps failures."""

    def failures(self) -> dict[str, Failure]:
        """Return the failures by task. Raise `CatalogError`."""

    def set_failure(self, task: str, failure: Failure | None) -> None:
        """Keep the failure of a task, or none. Raise `CatalogError`."""


class Failures:
    """The failures of all tasks, as one process reports or reads them."""

    def __init__(self, catalog: Kept, memory: Memory | None = None) -> None:
        """Share `memory` with other processes; without it, only the catalog tells them."""
        self._catalog = catalog
        self._memory = memory or _Own()
        self._changing = threading.Lock()

    def failed(self, task: Task, error: Exception) -> None:
        """Keep why a task failed. Raise nothing: what can't be written to the catalog is in memory."""
        failure = Failure.of(error, datetime.now(UTC))
        self._set_in_memory(task, failure)
        with contextlib.suppress(CatalogError):
            self._catalog.set_failure(task, failure)

    def succeeded(self, task: Task) -> None:
        """Forget why a task failed before."""
        self._set_in_memory(task, None)
        with contextlib.suppress(CatalogError):
            self._catalog.set_failure(task, None)

    def left_to_others(self, task: Task) -> None:
        """Forget the failure in memory: from now on another process carries out the task, and the catalog tells."""
        self._set_in_memory(task, None)

    @contextlib.contextmanager
    def of(self, task: Task) -> Iterator[None]:
        """Report whether a task fails, in a `with` statement around it."""
        try:
            yield
        except Exception as error:
            self.failed(task, error)
            raise
        self.succeeded(task)

    def in_memory(self) -> dict[str, Failure]:
        """Return the failures that are known without a look at the catalog."""
        return decode(self._memory.raw)

    def current(self) -> dict[str, Failure]:
        """Return all failures by task. Raise `CatalogError`."""
        return self._catalog.failures() | self.in_memory()

    def _set_in_memory(self, task: str, failure: Failure | None) -> None:
        with self._changing:
            before = self._memory.raw
            after = changed(before, task, failure)
            if after != before:
                self._memory.raw = after


class _Own:
    """Memory of this process alone."""

    raw = b""


def changed(record: bytes, task: str, failure: Failure | None) -> bytes:
    """Return a record after the failure of a task was set; the record itself if the reason is the same as before."""
    failures = decode(record)
    known = failures.pop(task, None)
    if failure == known or (failure and known and failure[1:] == known[1:]):
        return record
    if failure:
        failures[task] = failure
    return encode(failures)


def encode(failures: dict[str, Failure]) -> bytes:
    """Return the record of failures, in `RECORD_BYTES` bytes."""
    facts = {task: [failure.since.isoformat(), *failure[1:]] for task, failure in failures.items()}
    return json.dumps(facts, ensure_ascii=False).encode().ljust(RECORD_BYTES - 1) + b"\n"


def decode(record: bytes) -> dict[str, Failure]:
    """Return the failures of a record; none of one that is empty, or half written."""
    try:
        facts = json.loads(record.strip(b"\0 \n") or b"{}")
        return {task: Failure(datetime.fromisoformat(since), *rest) for task, (since, *rest) in facts.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _short(reason: str) -> str:
    return one_line(reason.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore"))
