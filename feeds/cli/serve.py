"""`feeds serve`: one publishing process, and the workers that it starts."""

import atexit
import contextlib
import ipaddress
import multiprocessing
import os
import resource
import secrets
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels

from feeds import config, schedule
from feeds.catalog import Catalog
from feeds.cli.common import (
    Call,
    Days,
    advice,
    command,
    counted,
    make_publisher,
    open_catalog,
    plural,
    say,
    say_mended,
    say_without_effect,
    where,
)
from feeds.command import Command
from feeds.errors import FeedsError, GuardStopped, UsageError
from feeds.folder import Folder
from feeds.publish import Outcome

_SAY_EVERY = 5.0  # seconds
_THREADS = 1  # of a worker: more take the interpreter from each other; what takes long, `documents` does beside it
_CONNECTIONS = 8192  # of a worker: silent ones cost a descriptor and a little memory each
_HEADER_PATIENCE = 10_000  # ms for a request's head; a silent connection is closed then
_HEADER_ROOM = 65_536  # bytes of a request's head


@command
@click.option("--host", help="The address to listen on [server.host].")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on [server.port].")
@click.option("--drafts", is_flag=True, help="Show drafts and what is scheduled on pages, on this machine alone.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer [server.workers].")
def serve(call: Call, host: str | None, port: int | None, workers: int | None, drafts: bool) -> int:
    """Watch the folder, regenerate, and serve the feeds.

    Until Ctrl-C or SIGTERM.
    """
    settings = call.settings

    host, port, workers = host or settings.server.host, port or settings.server.port, workers or settings.server.workers
    cron = schedule.trigger(settings.schedule.cron, settings.for_core.timezone)
    if drafts and not _is_loopback(host):
        raise UsageError(f"--drafts shows what is not published: it needs --host 127.0.0.1, and not {host}")
    _require_free(host, port)
    _allow_connections()
    say_without_effect(settings)
    before = Command(settings.schedule.before, settings.root) if settings.schedule.before else None
    catalog = open_catalog(settings)
    publisher, folder = make_publisher(settings, catalog)
    teller = _Teller(settings, host, port, folder, quiet=call.quiet)
    days = Days(settings, catalog)

    def told(outcome: Outcome | FeedsError) -> None:
        teller.tell(outcome)
        days.close()

    keeper = schedule.Keeper(
        publisher,
        folder,
        catalog,
        watch=settings.content.watch,
        cron=cron,
        before=before,
        called=bool(settings.schedule.webhook),
        told=told,
        mended=say_mended,
        progress=teller.progress,
    )
    # a process that runs threads must not be forked; and the workers load the configuration by themselves
    multiprocessing.set_start_method("spawn", force=True)
    os.environ["FEEDS_CONFIG"] = str(call.config_file.absolute())
    if drafts:
        os.environ["FEEDS_DRAFTS"] = teller.key = secrets.token_urlsafe(16)
    os.environ["FEEDS_PARENT"] = str(os.getpid())
    if settings.server.metrics and settings.server.metrics.endswith(f":{port}"):
        raise FeedsError(f"server.metrics: {settings.server.metrics} has the port of the feeds; name another one")
    if settings.server.metrics:
        _serve_metrics(settings.server.metrics, catalog)
    server = Granian(
        "feeds.web:create_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        runtime_mode=RuntimeModes.mt,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_PATIENCE, max_buffer_size=_HEADER_ROOM),
        blocking_threads=_THREADS,
        backpressure=_CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        websockets=False,
        log_level=LogLevels.info if call.verbose else LogLevels.error,
    )
    server.on_startup(keeper.start)
    server.on_shutdown(keeper.stop)
    try:
        server.serve()
    finally:
        _notify("STOPPING=1")
        catalog.close()
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _allow_connections() -> None:
    """Let each worker have a descriptor for every connection that it may hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + 256
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _serve_metrics(address: str, catalog: Catalog) -> None:
    """Answer Prometheus, with what the workers count in a folder of this run's."""
    folder = Path(tempfile.mkdtemp(prefix="feeds-metrics-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # before anything of the library is imported
    from feeds.web import metrics

    host, _, port = address.rpartition(":")
    metrics.serve(host.strip("[]"), int(port), catalog, folder)


class _Teller:
    """Says on the terminal what a regeneration under `serve` came to, once, not each time."""

    def __init__(self, settings: config.Config, host: str, port: int, folder: Folder, *, quiet: bool) -> None:
        self._settings = settings
        self._folder = folder
        self._began, self._said = 0.0, 0.0  # when the run began, and when something was last said of it
        self._about = 0  # how many articles there are, as soon as that is known
        self._counting = False
        self._quiet = quiet
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # what can be opened here
        self._address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        self.key = ""  # to what is not published yet
        self._greeted = False
        self._refused: set[str] = set()
        self._error = ""

    def progress(self, done: int) -> None:
        """Say how far a long run is, every few seconds."""
        _notify("READY=1")  # what is published already is served meanwhile
        now = time.monotonic()
        if not done:
            self._began = self._said = now
        elif now - self._said > _SAY_EVERY and not self._quiet:
            self._said = now
            rate = done / (now - self._began)
            left = f"; {(self._about - done) / rate:,.0f} s to go" if self._about > done else ""
            self._inform(f"looked at {done:,} articles, {rate:,.0f}/s{left}")
            if not self._counting:  # beside the look, which a save may be waiting for
                self._counting = True
                threading.Thread(target=self._count, name="count", daemon=True).start()

    def _count(self) -> None:
        self._about = self._folder.count()

    def tell(self, outcome: Outcome | FeedsError) -> None:
        """Say what is new since the last time."""
        self._greet()
        _notify(f"READY=1\nSTATUS={outcome if isinstance(outcome, FeedsError) else self._state(outcome)}")
        if isinstance(outcome, FeedsError):
            # the guard's sentence counts what a script changes file by file: once is enough
            error = type(outcome).__name__ if isinstance(outcome, GuardStopped) else str(outcome)
            if error != self._error:
                say(str(outcome))
            self._error = error
            return
        self._say_refused(outcome)
        if self._error and outcome.whole:  # what only looked at a file that was saved knows no better
            self._inform("all is well again")
            self._error = ""
        for warning in outcome.warnings:
            self._inform(f"warning: {self._settings.content.path}/{warning}")
        if outcome.changed:
            self._inform(f"{self._state(outcome)}; {plural(len(outcome.changed), 'feed')} changed")

    @staticmethod
    def _state(outcome: Outcome) -> str:
        return f"revision {outcome.revision}: {counted(outcome)}"

    def _say_refused(self, outcome: Outcome) -> None:
        lines = {f"{where(refusal, self._settings)}: {refusal.reason}" for refusal in outcome.refused}
        for line in sorted(lines - self._refused):
            say(line)
        self._refused = lines

    def _greet(self) -> None:
        if self._greeted:
            return
        self._greeted = True
        public = self._settings.for_core.feeds_url
        self._inform(f"{self._settings.site.title}, watching {self._settings.content_root}")
        self._inform(f"  look at       {self._address}/")
        if self.key:
            self._inform(f"  drafts        {self._address}/preview/?{self.key}")
        for path in ("/rss.xml", "/atom.xml", "/feed.json"):
            self._inform(f"  subscribe to  {self._address}{path}")
        if public != self._address:
            self._inform(f"  the feeds name {public}/ as their address (site.url, feeds.url): it must lead here")
        for line in advice(self._settings):
            self._inform(f"  {line}")
        self._inform("  Ctrl-C ends it")

    def _inform(self, line: str) -> None:
        if not self._quiet:
            say(line)


def _notify(state: str) -> None:
    """Tell systemd, if it has started us and wants to know (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            notifier.sendall(state.encode())


def _require_free(host: str, port: int) -> None:
    """Say in a sentence that an address can't be listened on, which the server would say in many."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise FeedsError(f"can't listen on {host}:{port}: {error.strerror}; --host or --port names another") from None
