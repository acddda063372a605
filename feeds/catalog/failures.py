"""The current failures: why a task, such as a run, failed, until it succeeds again.

If the disk is full, tasks fail and can't store the reason. So a failure has two copies: in a record of fixed size that
belongs to the catalog (a file beside it that is overwritten in place, or a row in PostgreSQL), for every process and
command; and in memory that the publishing process shares with its workers.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol, get_args

from feeds.core.errors import CatalogError, FeedsError
from feeds.core.text import one_line

RECORD_BYTES = 8192
TEMPLATE_LOG_BYTES = 1024  # the size of the memory in which workers record the mistakes in templates that were logged
_MAX_REASON_BYTES = 600  # so that the failures of all tasks fit into a record

Task = Literal["publish", "before", "export", "purge", "reload"]
TASKS: tuple[Task, ...] = get_args(Task)


class Failure(NamedTuple):
    """The reason for which a task last failed, and the time since which it has failed for this reason."""

    since: datetime
    reason: str  # one sentence for the owner of the site
    public_message: str  # the same for the public: without paths and without the output of commands
    exit_code: int

    @classmethod
    def of(cls, error: Exception, now: datetime) -> "Failure":
        """Return the failure for an exception."""
        if isinstance(error, FeedsError):
            return cls(now, _short(str(error)), error.public_message, error.exit_code)
        if isinstance(error, OSError) and error.strerror:
            return cls(now, _short(str(error)), error.strerror, FeedsError.exit_code)
        return cls(now, _short(f"{type(error).__name__}: {error}"), "an unexpected error", FeedsError.exit_code)


class SharedMemory(Protocol):
    """Memory of `RECORD_BYTES` that may be shared with other processes."""

    raw: bytes


class FailureStore(Protocol):
    """The part of a catalog's interface that stores failures."""

    def failures(self) -> dict[str, Failure]:
        """Return the failures by task. Raise `CatalogError`."""

    def set_failure(self, task: str, failure: Failure | None) -> None:
        """Store the failure of a task, or None if it succeeded. Raise `CatalogError`."""


class Failures:
    """Reports and reads the failures of all tasks."""

    def __init__(self, catalog: FailureStore, memory: SharedMemory | None = None) -> None:
        """Share `memory` with other processes; if `memory` is None, they read failures only from the catalog."""
        self._catalog = catalog
        self._memory = memory or _OwnMemory()
        self._changing = threading.Lock()

    def record(self, task: Task, error: Exception) -> None:
        """Store why a task failed; only in memory if the catalog can't be written."""
        failure = Failure.of(error, datetime.now(UTC))
        self._set_in_memory(task, failure)
        with contextlib.suppress(CatalogError):
            self._catalog.set_failure(task, failure)

    def clear(self, task: Task) -> None:
        """Delete the failure of a task that succeeded."""
        self._set_in_memory(task, None)
        with contextlib.suppress(CatalogError):
            self._catalog.set_failure(task, None)

    def clear_in_memory(self, task: Task) -> None:
        """Delete the failure in memory, since another process executes the task from now on."""
        self._set_in_memory(task, None)

    @contextlib.contextmanager
    def track(self, task: Task) -> Iterator[None]:
        """Record that the task in the `with` block failed, or clear its failure if it succeeded."""
        try:
            yield
        except Exception as error:
            self.record(task, error)
            raise
        self.clear(task)

    def in_memory(self) -> dict[str, Failure]:
        """Return the failures in memory, without reading the catalog."""
        return decode(self._memory.raw)

    def current(self) -> dict[str, Failure]:
        """Return all failures by task. Raise `CatalogError`."""
        return self._catalog.failures() | self.in_memory()

    def _set_in_memory(self, task: str, failure: Failure | None) -> None:
        with self._changing:
            before = self._memory.raw
            after = with_failure(before, task, failure)
            if after != before:
                self._memory.raw = after


class _OwnMemory:
    """Memory of this process alone."""

    raw = b""


def with_failure(record: bytes, task: str, failure: Failure | None) -> bytes:
    """Return a record with the failure of a task; the record itself if the reason is the same as before."""
    failures = decode(record)
    previous = failures.pop(task, None)
    if failure == previous or (failure and previous and failure._replace(since=previous.since) == previous):
        return record
    if failure:
        failures[task] = failure
    return encode(failures)


def encode(failures: dict[str, Failure]) -> bytes:
    """Return the record of failures, in `RECORD_BYTES` bytes."""
    values = {task: [failure.since.isoformat(), *failure[1:]] for task, failure in failures.items()}
    return json.dumps(values, ensure_ascii=False).encode().ljust(RECORD_BYTES - 1) + b"\n"


def decode(record: bytes) -> dict[str, Failure]:
    """Return the failures of a record; none if it is empty or half written."""
    try:
        values = json.loads(record.strip(b"\0 \n") or b"{}")
        return {task: Failure(datetime.fromisoformat(since), *rest) for task, (since, *rest) in values.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _short(reason: str) -> str:
    return one_line(reason.encode("utf-8", "replace")[:_MAX_REASON_BYTES].decode("utf-8", "ignore"))
