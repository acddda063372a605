"""The worker processes of `feeds serve`: start, replacement after a crash, and replacement on reload.

A worker receives its configuration through the pipe of `multiprocessing`, which no other user of the machine can read.
A worker that ends is replaced as long as the server runs.
"""

import contextlib
import logging
import multiprocessing
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Semaphore
from typing import TYPE_CHECKING, Any, Protocol, cast

from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from feeds import config
from feeds.catalog.failures import SharedMemory
from feeds.cli.signal_event import SignalEvent
from feeds.core.errors import FeedsError
from feeds.event_log import EventLog, LogFormat

if TYPE_CHECKING:
    from feeds.web.rsgi import Application

_LOG = logging.getLogger(__name__)

_MAX_CONNECTIONS = 8192  # of a worker; an idle one costs a file descriptor and a little memory
_HEADER_TIMEOUT_MS = 10_000  # for the head of a request; an idle connection is closed then
_MAX_HEADER_BYTES = 65_536  # of the head of a request
_POLL_INTERVAL_S = 0.2  # between two checks for a changed configuration, ended workers and signals
_LONG_RUN_S = 60.0  # a worker that ends after this time is replaced at once
_MIN_DELAY_S, _MAX_DELAY_S = 0.5, 30.0  # before a worker that ended sooner is replaced; doubled each time
_START_TIMEOUT_S = 60.0  # for all workers of a new configuration
_LOGGING = {"handlers": {}, "loggers": {"_granian": {"propagate": True}}}  # granian's messages go to `EventLog`
_REPLY_INTERVAL_S = 0.1  # between two checks whether a worker still runs
_LISTEN_DELAY_S = 0.5  # between a worker's `on_ready` and its first accepted connection


@dataclass(frozen=True)
class ApplicationLoader:
    """Creates the application in a worker process; it is pickled together with the arguments."""

    settings: config.Config
    parent: int
    preview_url: str
    preview_key: str
    memory: SharedMemory
    template_memory: SharedMemory
    log_format: LogFormat
    quiet: bool
    ready: Semaphore  # released by each worker that is about to listen
    reloads: Connection | None = None  # receives new configurations; None before a worker gets its own
    generation: int = 0  # 0 or 1: workers of both run side by side during a replacement
    number: int = 0  # of the worker

    def __call__(self) -> "Application":
        """Return the application of a worker, in its process."""
        for number in (signal.SIGTERM, signal.SIGHUP):  # a forked process inherits the handlers of its parent
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from feeds.web.worker import create_worker  # imported in the worker only

        assert self.reloads, "each worker gets its own"
        return create_worker(
            self.settings,
            parent=self.parent,
            preview_url=self.preview_url,
            preview_key=self.preview_key,
            memory=self.memory,
            template_memory=self.template_memory,
            reloads=self.reloads,
            on_ready=self.ready.release,
            log_format=self.log_format,
            quiet=self.quiet,
            name=f"{self.generation}-{self.number}",
        )


class ReloadFunction(Protocol):
    """A function that reloads the configuration."""

    def __call__(self, *, is_requested: bool) -> None:
        """Reload the configuration; print its mistakes. `is_requested`: whether a signal has requested the reload."""


class Workers(MPServer):
    """Serves requests in worker processes until a signal arrives.

    granian's own supervision ends the server when a worker ends twice within seconds, and replaces all workers on
    SIGHUP without a check of the configuration. `_serve_loop` overrides that part.
    """

    def __init__(
        self, loader: ApplicationLoader, log: EventLog, host: str, port: int, count: int, *, verbose: bool
    ) -> None:
        super().__init__(
            "feeds.web.rsgi",
            address=host,
            port=port,
            interface=Interfaces.RSGI,
            workers=count,
            runtime_mode=RuntimeModes.mt,
            runtime_threads=2,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_TIMEOUT_MS, max_buffer_size=_MAX_HEADER_BYTES),
            backpressure=_MAX_CONNECTIONS,
            workers_kill_timeout=5,
            websockets=False,
            log_level=LogLevels.info if verbose else LogLevels.error,
            log_dictconfig=_LOGGING,
        )
        # `_note_end` reports it
        logging.getLogger("_granian").addFilter(lambda record: "Unexpected exit" not in str(record.msg))
        self.main_loop_interrupt: Any = SignalEvent()  # granian's signal handlers set it
        self._loader = loader
        self._log = log
        self._reload_configuration: ReloadFunction = lambda *, is_requested: None  # noqa: ARG005
        self._has_changed: Callable[[], bool] = lambda: False
        self._on_started: Callable[[], object] = lambda: None
        self.wrks: list[Any]
        self.reload_signal: bool
        self._delays: dict[int, float] = {}  # seconds, by the number of a worker
        self._restart_times: dict[int, float] = {}  # monotonic time of the replacement, by the number of a worker

    def run(
        self, reload_configuration: ReloadFunction, has_changed: Callable[[], bool], on_started: Callable[[], object]
    ) -> None:
        """Start the workers and keep them running.

        Args:
            reload_configuration: called on SIGHUP and when the configuration has changed.
            has_changed: returns whether the configuration has changed.
            on_started: called once, after the first workers were started.
        """
        _raise_descriptor_limit()
        self._reload_configuration, self._has_changed, self._on_started = reload_configuration, has_changed, on_started
        self.serve(target_loader=cast("Any", self._loader), wrap_loader=False)

    def use(self, settings: config.Config, count: int) -> None:
        """Use another configuration in all workers, or in none.

        The workers switch to it at the same time, without an interruption. Replace them if their number changes, or if
        one of them can't switch. Raise `FeedsError` if that fails too.
        """
        has_changed = count == len(self.wrks) and not self._restart_times and self._switch(settings)
        if not has_changed:
            self.replace(settings, count)

    def _switch(self, settings: config.Config) -> bool:
        """Switch all workers to a configuration. Return False, without switching any, if one of them can't."""
        for worker in self.wrks:
            with contextlib.suppress(OSError):  # it has ended, and so has no reply
                worker.reloads.send(settings)
        errors = [self._reply(worker) for worker in self.wrks]
        is_ready = not any(errors)
        for worker, error in zip(self.wrks, errors, strict=True):
            if not error:
                with contextlib.suppress(OSError):  # a worker that ended is restarted with the new configuration
                    worker.reloads.send(is_ready)
        if not is_ready:
            _LOG.info("the workers are replaced, because one can't switch: %s", "; ".join(filter(None, errors)))
            return False
        self._loader = replace(self._loader, settings=settings)
        for worker in self.wrks:
            self._reply(worker)
        return True

    def _reply(self, worker: Any) -> str:
        """Return a worker's reply: why it can't switch, empty if it can."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        try:
            while not worker.reloads.poll(_REPLY_INTERVAL_S):
                if time.monotonic() > deadline:
                    worker.inner.kill()  # a later reply would be taken for that to another configuration
                if self.interrupt_signal or not worker.is_alive() or time.monotonic() > deadline:
                    return "it does not reply"
            reply: str = worker.reloads.recv()
        except (OSError, EOFError):
            return "it has ended"
        return reply

    def replace(self, settings: config.Config, count: int) -> None:
        """Replace all workers by `count` new ones with another configuration.

        The new ones listen before the old ones end. Raise `FeedsError` if they can't be started; the old ones stay.
        """
        generation = 1 - self._loader.generation
        loader = replace(self._loader, settings=settings, ready=_semaphore(), generation=generation)
        old_loader, old_workers, new_workers = self._loader, self.wrks, list[Any]()
        self._loader = loader
        try:
            for number in range(count):
                new_workers.append(self._spawn_worker(number, self._spawn_rsgi_worker, None))
                new_workers[-1].start()
            have_started = self._wait_until_started(new_workers)
            reason = "the server is stopping" if self.interrupt_signal else "they ended during their start"
        except OSError as error:
            have_started, reason = False, str(error.strerror)
        if have_started:
            self.wrks, self.workers = new_workers, count
            self._restart_times.clear()
            self._delays.clear()
            self._end(old_workers)
        else:
            self._loader = old_loader
            self._end([worker for worker in new_workers if worker.inner.pid])
            raise FeedsError(f"the workers can't be started: {reason}")

    def _spawn_worker(  # type: ignore[override]  # as granian's own class for processes does
        self,
        idx: int,
        target: Any,
        callback_loader: Any,  # noqa: ARG002  # all workers use self._loader
    ) -> Any:
        channel, reloads = multiprocessing.Pipe()
        worker: Any = super()._spawn_worker(idx, target, replace(self._loader, number=idx, reloads=reloads))
        worker.reloads = channel
        return worker

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        """Start the first workers, with fork where that is safe: it takes half the time.

        It is safe if there is no other thread, which could hold a lock, and if the system's libraries support it, as
        those of macOS don't. SQLite's connections must be closed, and are (https://sqlite.org/howtocorrupt.html, 2.6).
        Workers that replace others are spawned, since this process has threads then.
        """
        if sys.platform == "linux" and threading.active_count() == 1:
            import feeds.web.worker  # noqa: F401  # once for all workers

            multiprocessing.set_start_method("fork", force=True)
        try:
            super()._spawn_workers(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        finally:
            multiprocessing.set_start_method("spawn", force=True)
        self._on_started()

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:  # noqa: ARG002  # granian's interface
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(_POLL_INTERVAL_S)
            self.main_loop_interrupt.clear()
            while self.interrupt_children:
                self._note_end(self.interrupt_children.pop())
            for number in [number for number, due in self._restart_times.items() if due <= time.monotonic()]:
                self._restart(number, spawn_target)
            if self.reload_signal or self._has_changed():
                is_requested, self.reload_signal = self.reload_signal, False
                self._reload_configuration(is_requested=is_requested)
        self.interrupt_children.clear()  # granian exits with 1 for workers that ended during the shutdown

    def _note_end(self, number: int) -> None:
        """Report a worker that ended, and schedule its replacement."""
        if number in self._restart_times or number >= len(self.wrks) or self.wrks[number].is_alive():
            return  # noted before, or replaced already
        worker = self.wrks[number]
        ran_long = time.monotonic() - worker.birth >= _LONG_RUN_S
        delay = 0.0 if ran_long else self._delays.get(number, 0.0)
        self._delays[number] = min(max(2 * delay, _MIN_DELAY_S), _MAX_DELAY_S)
        self._restart_times[number] = time.monotonic() + delay
        reason, when = _reason(worker.inner.exitcode), f"in {delay:g} s" if delay else "now"
        message = f"worker {number + 1} ended unexpectedly ({reason}); another one is started {when}"
        self._log.write("worker", message, level="error", worker=number + 1)

    def _restart(self, number: int, target: Any) -> None:
        try:
            worker = self._spawn_worker(number, target, None)
            worker.start()
        except OSError as error:
            self._restart_times[number] = time.monotonic() + self._delays[number]
            delay = self._delays[number]
            message = f"worker {number + 1} can't be started: {error.strerror}; next attempt in {delay:g} s"
            self._log.write("worker", message, level="error", worker=number + 1)
            self._delays[number] = min(2 * self._delays[number], _MAX_DELAY_S)
            return
        self.wrks[number] = worker
        del self._restart_times[number]

    def _wait_until_started(self, workers: list[Any]) -> bool:
        """Wait until workers listen, and return whether all of them do."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        for _ in workers:
            while not self._loader.ready.acquire(timeout=_POLL_INTERVAL_S):
                if (
                    self.interrupt_signal
                    or time.monotonic() > deadline
                    or not all(worker.is_alive() for worker in workers)
                ):
                    return False
        time.sleep(_LISTEN_DELAY_S)
        return all(worker.is_alive() for worker in workers)

    def _end(self, workers: list[Any]) -> None:
        current, self.wrks = self.wrks, workers
        self._stop_workers()  # type: ignore[no-untyped-call]
        self.wrks = current


def create_loader(
    settings: config.Config,
    parent: int,
    preview_url: str,
    preview_key: str,
    memory: SharedMemory,
    template_memory: SharedMemory,
    *,
    log_format: LogFormat,
    quiet: bool,
) -> ApplicationLoader:
    """Return the loader of the first workers; the arguments are those of `feeds.web.worker.create_worker`."""
    return ApplicationLoader(
        settings, parent, preview_url, preview_key, memory, template_memory, log_format, quiet, _semaphore()
    )


def _semaphore() -> Semaphore:
    return multiprocessing.get_context("spawn").Semaphore(0)


def _reason(code: int | None) -> str:
    return f"signal {-code}" if code and code < 0 else f"exit code {code}"


def _raise_descriptor_limit() -> None:
    """Raise the limit of open files, so that a worker has a descriptor for each connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_CONNECTIONS + 256
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
