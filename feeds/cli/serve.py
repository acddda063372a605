"""`feeds serve`: one publishing process, and the workers that it starts; or one of the two alone.

The configuration is read when the command starts, and again when its file has changed and on SIGHUP. All parts use one
configuration: workers are given the one that this process has read (`workers`), and a new one takes effect in all of
them, or in none.
"""

import atexit
import ctypes
import ipaddress
import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

import click

from feeds import config, schedule
from feeds.catalog import Catalog, Failures
from feeds.catalog.failures import RECORD_BYTES, Memory
from feeds.cli.common import Call, Days, command, make_publisher, open_catalog, report_repair, say, say_without_effect
from feeds.cli.teller import Teller, notify
from feeds.cli.workers import Workers, loader
from feeds.command import Command
from feeds.errors import CatalogAway, ConfigError, FeedsError, Locked, TaskFailed, UsageError
from feeds.publish import Outcome
from feeds.text import one_line

_LOOK_EVERY = 0.5  # seconds between two looks at whether a signal came


@command
@click.option(
    "--role",
    type=click.Choice(["all", "publisher", "web"]),
    default="all",
    show_default=True,
    envvar="FEEDS_ROLE",
    help="Publish and answer, or one of both alone (FEEDS_ROLE).",
)
@click.option("--host", help="The address to listen on [server.host].")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on [server.port].")
@click.option("--drafts", is_flag=True, help="Show drafts and what is scheduled on pages, on this machine alone.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer [server.workers].")
def serve(call: Call, role: str, host: str | None, port: int | None, workers: int | None, drafts: bool) -> int:
    """Watch the folder, regenerate, and serve the feeds.

    Until Ctrl-C or SIGTERM. A changed configuration takes effect if it has no mistake; SIGHUP reads it again at any
    time. With several roles, any number of processes share one catalog: `web` answers and needs no folder; `publisher`
    regenerates and answers nothing but /healthz, and of several one leads while others stand by.
    """
    settings = call.settings
    where = _Where(host, port, workers)
    host, port = where.host_of(settings), where.port_of(settings)
    if drafts and not _is_loopback(host):
        raise UsageError(f"--drafts shows what is not published: it needs --host 127.0.0.1, and not {host}")
    if drafts and role != "all":
        raise UsageError("--drafts shows what is not published: it needs the folder and the pages, so --role all")
    _require_metrics_apart(settings, port)
    _require_free(host, port)
    say_without_effect(settings)
    multiprocessing.set_start_method("spawn", force=True)  # a process that runs threads must not be forked
    service = _Service(call, role, where, key=secrets.token_urlsafe(16) if drafts else "")
    try:
        service.run()
    finally:
        notify("STOPPING=1")
        service.close()
    return 0


class _Where(NamedTuple):
    """Options of the command line that override the configuration."""

    host: str | None
    port: int | None
    workers: int | None

    def host_of(self, settings: config.Config) -> str:
        return self.host or settings.server.host

    def port_of(self, settings: config.Config) -> int:
        return self.port or settings.server.port

    def workers_of(self, settings: config.Config) -> int:
        return self.workers or settings.server.workers

    def fixed(self, settings: config.Config) -> dict[str, object]:
        """Return what can't change while the server runs, by key."""
        return {
            "server.host": self.host_of(settings),
            "server.port": self.port_of(settings),
            "server.metrics": settings.server.metrics,
            "state": settings.catalog,
        }


class _ConfigFile:
    """The file of the configuration, whose changes are noticed by looking at it again and again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._used = self._before = self._state()

    def changed(self) -> bool:
        """Return whether the file has changed since it was read, and not since the last call: nobody is writing it."""
        state = self._state()
        settled, self._before = state == self._before, state
        return settled and state is not None and state != self._used

    def read(self) -> config.Config:
        """Return the configuration as it is now. Raise `ConfigError` for mistakes."""
        self._used = self._state()
        return config.load(self._path, os.environ)

    def _state(self) -> tuple[int, int, int] | None:
        """Return what differs when the file is written or replaced; None if there is no file."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


class _Service:
    """A publisher, workers, or both, which use one configuration at a time."""

    def __init__(self, call: Call, role: str, where: _Where, *, key: str) -> None:
        self._call = call
        self._role = role
        self._where = where
        self._key = key
        self._settings = call.settings
        self._file = _ConfigFile(call.config_file)
        self._rejected = False  # whether the last reload found a mistake
        host, port = where.host_of(call.settings), where.port_of(call.settings)
        self._memory = cast("Memory", multiprocessing.get_context("spawn").RawArray(ctypes.c_char, RECORD_BYTES))
        self._teller = Teller(call.settings, role, host, port, quiet=call.quiet, key=key)
        self._catalog = Catalog(call.settings.catalog) if role == "web" else self._open(call.settings)
        self._teller.source = self._catalog.name
        self._failures = Failures(self._catalog, self._memory)
        self._keeper = None if role == "web" else self._new_keeper(call.settings)
        if call.settings.server.metrics:
            _serve_metrics(call.settings.server.metrics, self._catalog, self._failures)

    def run(self) -> None:
        """Publish and answer until a signal comes."""
        if self._role == "publisher":
            self._publish()
        else:
            self._answer()

    def close(self) -> None:
        """Close the catalog."""
        self._catalog.close()

    def _open(self, settings: config.Config) -> Catalog:
        try:
            return open_catalog(settings)
        except (CatalogAway, Locked) as error:  # the publisher tries again
            self._teller.tell(error)
            return Catalog(settings.catalog)

    def _new_keeper(self, settings: config.Config) -> schedule.Keeper:
        """Return what publishes with a configuration, and is not started yet."""
        publisher, folder = make_publisher(settings, self._catalog)
        self._teller.count = folder.count
        days = Days(settings, self._catalog)

        def told(outcome: Outcome | FeedsError) -> None:
            self._teller.tell(outcome)
            if isinstance(outcome, Outcome):
                days.close()

        return schedule.Keeper(
            publisher,
            folder,
            self._catalog,
            self._failures,
            watch=settings.content.watch,
            cron=schedule.trigger(settings.schedule.cron, settings.for_core.timezone),
            before=Command(settings.schedule.before, settings.root) if settings.schedule.before else None,
            called=bool(settings.schedule.webhook),
            told=told,
            on_repair=report_repair,
            progress=self._teller.progress,
        )

    def _publish(self) -> None:
        """Publish until a signal arrives, and answer health checks meanwhile."""
        from feeds.web import health

        over, again = threading.Event(), threading.Event()
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, lambda *_: over.set())
        signal.signal(signal.SIGHUP, lambda *_: again.set())
        host, port = self._where.host_of(self._settings), self._where.port_of(self._settings)
        stop = health.serve(host, port, health.Health(self._catalog, self._failures, self._publishes))
        self._start()
        while not over.wait(_LOOK_EVERY):  # a signal that another thread is given doesn't wake this one
            if again.is_set() or self._file.changed():
                asked = again.is_set()
                again.clear()
                self._reload(lambda _: None, asked=asked)
        self._stop()
        stop()

    def _publishes(self) -> tuple[bool, bool]:
        """Return whether all that should run does, and whether this process leads."""
        assert self._keeper
        return self._keeper.lives, self._keeper.leads

    def _answer(self) -> None:
        """Run the workers until a signal arrives, and publish too, unless the role is `web`."""
        where, settings = self._where, self._settings
        workers = Workers(
            loader(settings, os.getpid(), self._key, self._memory),
            where.host_of(settings),
            where.port_of(settings),
            where.workers_of(settings),
            verbose=self._call.verbose,
        )
        workers.on_shutdown(self._stop)
        self._catalog.close()  # a copy of this process must not have its connections

        def reload(*, asked: bool) -> None:
            self._reload(lambda settings: workers.replace(settings, where.workers_of(settings)), asked=asked)

        workers.run(reload, self._file.changed, self._start)

    def _start(self) -> None:
        self._failures.succeeded("reload")  # a mistake that an earlier process has found was corrected
        if self._keeper:
            self._keeper.start()
        else:
            self._teller.answering()

    def _stop(self) -> None:
        if self._keeper:
            self._keeper.stop()

    def _reload(self, replace_workers: Callable[[config.Config], object], *, asked: bool) -> None:
        """Read the configuration again, and use it everywhere; if that fails, the one before stays in effect.

        With `asked`, also if it says the same as before: a file beside it may have changed.
        """
        try:
            settings = self._read_again()
            if settings == self._settings and not asked:
                self._accepted("unchanged")
                return
            keeper = self._new_keeper(settings) if self._keeper else None
            replace_workers(settings)
            self._settings = settings
            self._teller.use(settings)
            if self._keeper and keeper:
                self._keeper.stop()
                self._keeper = keeper
                keeper.start()
        except Exception as error:
            reason = "; ".join(error.mistakes) if isinstance(error, ConfigError) else one_line(str(error))
            said = f"the configuration is not reloaded, the one before stays in effect: {reason}"
            code = error.exit_code if isinstance(error, FeedsError) else FeedsError.exit_code
            self._failures.failed("reload", TaskFailed(said, _NOT_RELOADED, code))
            self._rejected = True
            say(said)
            return
        self._accepted("reloaded")

    def _accepted(self, how: str) -> None:
        """Report that the configuration has no mistake: in the log, unless it is what it was and nothing was wrong."""
        self._failures.succeeded("reload")
        if not self._call.quiet and (how == "reloaded" or self._rejected):
            say(f"the configuration is {how} ({datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)")
        self._rejected = False

    def _read_again(self) -> config.Config:
        """Return the configuration as it is now. Raise `ConfigError` for mistakes, and for what can't change."""
        settings = self._file.read()
        before, after = self._where.fixed(self._settings), self._where.fixed(settings)
        changed = [key for key in before if before[key] != after[key]]
        if changed:
            file = self._call.config_file
            raise ConfigError([f"{file}: {key}: can't change while feeds runs; restart it" for key in changed])
        return settings


_NOT_RELOADED = "the configuration is not reloaded"


def _require_metrics_apart(settings: config.Config, port: int) -> None:
    if settings.server.metrics and settings.server.metrics.endswith(f":{port}"):
        raise FeedsError(f"server.metrics: {settings.server.metrics} has the port of the feeds; name another one")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _serve_metrics(address: str, catalog: Catalog, failures: Failures) -> None:
    """Answer Prometheus, with what the workers count in a folder of this run's."""
    folder = Path(tempfile.mkdtemp(prefix="feeds-metrics-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # before anything of the library is imported
    from feeds.web import metrics

    host, _, port = address.rpartition(":")
    metrics.serve(host.strip("[]"), int(port), catalog, failures, folder)


def _require_free(host: str, port: int) -> None:
    """Say in a sentence that an address can't be listened on, which the server would say in many."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise FeedsError(f"can't listen on {host}:{port}: {error.strerror}; --host or --port names another") from None
