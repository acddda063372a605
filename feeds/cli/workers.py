"""The worker processes of `feeds serve`: started with the configuration that this process has read, and restarted.

A worker is given everything when it starts, through the pipe of `multiprocessing`: no file is read again, and no other
user of the machine can see it. A worker that ends is replaced for as long as the server runs.
"""

import contextlib
import multiprocessing
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Semaphore
from typing import TYPE_CHECKING, Any, Protocol, cast

from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from feeds import config
from feeds.catalog.failures import Memory
from feeds.cli.common import say
from feeds.errors import FeedsError

if TYPE_CHECKING:
    from feeds.web.rsgi import Application

_CONNECTIONS = 8192  # of a worker: silent ones cost a descriptor and a little memory each
_HEADER_TIMEOUT_MS = 10_000  # for a request's head; a silent connection is closed then
_MAX_HEADER_BYTES = 65_536  # of a request's head
_LOOK_EVERY_S = 0.5  # a signal that another thread is given does not wake this one
_LONG_RUN_S = 60.0  # after which a worker that ends is replaced at once, as if it were the first
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 30.0  # before a worker that ended soon is replaced; doubled each time
_START_TIMEOUT_S = 60.0  # for the workers of a new configuration
_LISTEN_S = 0.5  # from when a worker is ready until it listens


@dataclass(frozen=True)
class Loader:
    """The arguments of a worker process."""

    settings: config.Config
    parent: int
    preview_key: str
    memory: Memory
    ready: Semaphore  # released by each worker that is about to listen
    generation: int = 0  # 0 or 1: workers of the two run side by side while one replaces the other
    number: int = 0  # of the worker

    def __call__(self) -> "Application":
        """Return the application of a worker, in its process."""
        for number in (signal.SIGTERM, signal.SIGHUP):  # a copy has the handlers of the process that it is a copy of
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from feeds.web.rsgi import create_rsgi  # which this process does not need

        return create_rsgi(
            self.settings,
            parent=self.parent,
            preview_key=self.preview_key,
            memory=self.memory,
            ready=self.ready.release,
            name=f"{self.generation}-{self.number}",
        )


class Reload(Protocol):
    """A function that reloads the configuration; `asked` is whether a signal asked for that."""

    def __call__(self, *, asked: bool) -> None:
        """Read and use it; report mistakes instead of raising them."""


class Workers(MPServer):
    """Answer requests in worker processes until a signal comes.

    granian's own supervision ends the server when a worker ends twice within seconds, and on SIGHUP replaces all
    workers whatever the configuration says. `_serve_loop` is that part of it.
    """

    def __init__(self, loader: Loader, host: str, port: int, count: int, *, verbose: bool) -> None:
        super().__init__(
            "feeds.web.rsgi",
            address=host,
            port=port,
            interface=Interfaces.RSGI,
            workers=count,
            runtime_mode=RuntimeModes.mt,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_TIMEOUT_MS, max_buffer_size=_MAX_HEADER_BYTES),
            backpressure=_CONNECTIONS,
            workers_kill_timeout=5,
            websockets=False,
            log_level=LogLevels.info if verbose else LogLevels.error,
        )
        self._loader = loader
        self._reload_configuration: Reload = lambda *, asked: None  # noqa: ARG005
        self._changed: Callable[[], bool] = lambda: False
        self._started: Callable[[], object] = lambda: None
        self.wrks: list[Any]
        self.reload_signal: bool
        self._delays: dict[int, float] = {}  # seconds, by the number of a worker
        self._due: dict[int, float] = {}  # when a worker that ended is replaced

    def run(self, reload_configuration: Reload, changed: Callable[[], bool], started: Callable[[], object]) -> None:
        """Start the workers and keep them running.

        Args:
            reload_configuration: called on SIGHUP and when the configuration has changed.
            changed: returns whether it has.
            started: called once, after the first workers were started.
        """
        _allow_connections()
        self._reload_configuration, self._changed, self._started = reload_configuration, changed, started
        self.serve(target_loader=cast("Any", self._loader), wrap_loader=False)

    def replace(self, settings: config.Config, count: int) -> None:
        """Replace all workers by `count` others with another configuration.

        The new ones listen before the old ones end. Raise `FeedsError` if they can't be started: the old ones stay.
        """
        generation = 1 - self._loader.generation
        loader = replace(self._loader, settings=settings, ready=_semaphore(), generation=generation)
        old, new = (self._loader, self.wrks), list[Any]()
        self._loader = loader
        try:
            for number in range(count):
                new.append(self._spawn_worker(number, self._spawn_rsgi_worker, None))
                new[-1].start()
            started = self._have_started(new)
            reason = "the server ends" if self.interrupt_signal else "they end when they start with it"
        except OSError as error:
            started, reason = False, str(error.strerror)
        if started:
            self.wrks, self.workers = new, count
            self._due.clear()
            self._delays.clear()
            self._end(old[1])
        else:
            self._loader = old[0]
            self._end([worker for worker in new if worker.inner.pid])
            raise FeedsError(f"the workers can't be started: {reason}")

    def _spawn_worker(  # type: ignore[override]  # as granian's own class for processes does
        self,
        idx: int,
        target: Any,
        callback_loader: Any,  # noqa: ARG002  # all workers have the same
    ) -> Any:
        return super()._spawn_worker(idx, target, replace(self._loader, number=idx))

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        """Start the first workers, as copies of this process (fork) where that is safe: it takes half the time.

        It is if there is no other thread, which could hold a lock, and if the system's libraries can be copied, which
        those of macOS can't. SQLite's connections must be closed, and are (https://sqlite.org/howtocorrupt.html, 2.6).
        Workers that replace others are started anew, since this process has threads then.
        """
        if sys.platform == "linux" and threading.active_count() == 1:
            import feeds.web.rsgi  # noqa: F401  # once, for all of them

            multiprocessing.set_start_method("fork", force=True)
        try:
            super()._spawn_workers(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        finally:
            multiprocessing.set_start_method("spawn", force=True)
        self._started()

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:  # noqa: ARG002  # granian's interface
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(_LOOK_EVERY_S)
            self.main_loop_interrupt.clear()
            while self.interrupt_children:
                self._note_end(self.interrupt_children.pop())
            for number in [number for number, due in self._due.items() if due <= time.monotonic()]:
                self._restart(number, spawn_target)
            if self.reload_signal or self._changed():
                asked, self.reload_signal = self.reload_signal, False
                self._reload_configuration(asked=asked)
        self.interrupt_children.clear()  # granian exits with 1 for those that ended while we did

    def _note_end(self, number: int) -> None:
        """Plan when a worker that ended is replaced."""
        if number in self._due or number >= len(self.wrks) or self.wrks[number].is_alive():
            return  # noted before, or another one has replaced it
        worker = self.wrks[number]
        long = time.monotonic() - worker.birth >= _LONG_RUN_S
        delay = 0.0 if long else self._delays.get(number, 0.0)
        self._delays[number] = min(max(2 * delay, _FIRST_DELAY_S), _LONGEST_DELAY_S)
        self._due[number] = time.monotonic() + delay
        say(f"worker {number + 1} ended unexpectedly ({_reason(worker.inner.exitcode)}); "
            f"another one is started {f'in {delay:g} s' if delay else 'now'}")  # fmt: skip

    def _restart(self, number: int, target: Any) -> None:
        worker = self._spawn_worker(number, target, None)
        try:
            worker.start()
        except OSError as error:
            self._due[number] = time.monotonic() + self._delays[number]
            say(f"worker {number + 1} can't be started: {error.strerror}; tried again in {self._delays[number]:g} s")
            self._delays[number] = min(2 * self._delays[number], _LONGEST_DELAY_S)
            return
        self.wrks[number] = worker
        del self._due[number]

    def _have_started(self, workers: list[Any]) -> bool:
        """Wait until all of some workers listen. Return whether they do."""
        until = time.monotonic() + _START_TIMEOUT_S
        for _ in workers:
            while not self._loader.ready.acquire(timeout=_LOOK_EVERY_S):
                if self.interrupt_signal or time.monotonic() > until or not all(one.is_alive() for one in workers):
                    return False
        time.sleep(_LISTEN_S)
        return all(worker.is_alive() for worker in workers)

    def _end(self, workers: list[Any]) -> None:
        mine, self.wrks = self.wrks, workers
        self._stop_workers()  # type: ignore[no-untyped-call]
        self.wrks = mine


def loader(settings: config.Config, parent: int, preview_key: str, memory: Memory) -> Loader:
    """Return what the first workers are started with."""
    return Loader(settings, parent, preview_key, memory, _semaphore())


def _semaphore() -> Semaphore:
    return multiprocessing.get_context("spawn").Semaphore(0)


def _reason(code: int | None) -> str:
    return f"signal {-code}" if code and code < 0 else f"exit code {code}"


def _allow_connections() -> None:
    """Raise the limit of open files, so that a worker has a descriptor for each connection that it may hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + 256
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
