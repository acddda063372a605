"""`feeds serve`: one publishing process, and the workers that it starts; or one of the two alone."""

import atexit
import ipaddress
import multiprocessing
import os
import resource
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels

from feeds import config, schedule
from feeds.catalog import Catalog
from feeds.cli.common import Call, Days, command, make_publisher, open_catalog, say_mended, say_without_effect
from feeds.cli.teller import Teller, notify
from feeds.command import Command
from feeds.errors import CatalogAway, FeedsError, Locked, UsageError
from feeds.publish import Outcome

_CONNECTIONS = 8192  # of a worker: silent ones cost a descriptor and a little memory each
_HEADER_PATIENCE = 10_000  # ms for a request's head; a silent connection is closed then
_LOOK_EVERY = 0.5  # seconds between two looks at whether a signal came
_HEADER_ROOM = 65_536  # bytes of a request's head


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

    Until Ctrl-C or SIGTERM. With several roles, any number of processes share one catalog: `web` answers and needs no
    folder; `publisher` regenerates and answers nothing but /healthz, and of several one leads while others stand by.
    """
    settings = call.settings
    host, port, workers = host or settings.server.host, port or settings.server.port, workers or settings.server.workers
    if drafts and not _is_loopback(host):
        raise UsageError(f"--drafts shows what is not published: it needs --host 127.0.0.1, and not {host}")
    if drafts and role != "all":
        raise UsageError("--drafts shows what is not published: it needs the folder and the pages, so --role all")
    if settings.server.metrics and settings.server.metrics.endswith(f":{port}"):
        raise FeedsError(f"server.metrics: {settings.server.metrics} has the port of the feeds; name another one")
    cron = schedule.trigger(settings.schedule.cron, settings.for_core.timezone)
    _require_free(host, port)
    say_without_effect(settings)
    # a process that runs threads must not be forked; and the workers load the configuration by themselves
    multiprocessing.set_start_method("spawn", force=True)
    os.environ["FEEDS_CONFIG"] = str(call.config_file.absolute())
    os.environ["FEEDS_PARENT"] = str(os.getpid())
    if drafts:
        os.environ["FEEDS_DRAFTS"] = secrets.token_urlsafe(16)
    teller = Teller(settings, role, host, port, quiet=call.quiet, key=os.environ["FEEDS_DRAFTS"] if drafts else "")
    catalog = Catalog(settings.catalog) if role == "web" else _open(settings, teller)
    teller.source = catalog.name
    keeper = None if role == "web" else _keeper(settings, catalog, teller, cron)
    if settings.server.metrics:
        _serve_metrics(settings.server.metrics, catalog)
    try:
        if role == "publisher":
            assert keeper
            _publish(keeper, catalog, host, port)
        else:
            _answer(keeper, teller, host, port, workers, verbose=call.verbose)
    finally:
        notify("STOPPING=1")
        catalog.close()
    return 0


def _open(settings: config.Config, teller: Teller) -> Catalog:
    try:
        return open_catalog(settings)
    except (CatalogAway, Locked) as away:  # whoever publishes goes on trying
        teller.tell(away)
        return Catalog(settings.catalog)


def _keeper(
    settings: config.Config, catalog: Catalog, teller: Teller, cron: schedule.Trigger | None
) -> schedule.Keeper:
    before = Command(settings.schedule.before, settings.root) if settings.schedule.before else None
    publisher, folder = make_publisher(settings, catalog)
    teller.count = folder.count
    days = Days(settings, catalog)

    def told(outcome: Outcome | FeedsError) -> None:
        teller.tell(outcome)
        if isinstance(outcome, Outcome):
            days.close()

    return schedule.Keeper(
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


def _publish(keeper: schedule.Keeper, catalog: Catalog, host: str, port: int) -> None:
    """Publish until a signal comes; who asks is told how that goes."""
    from feeds.web import health

    over = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: over.set())
    stop = health.serve(host, port, health.Health(catalog, lambda: (keeper.lives, keeper.leads)))
    keeper.start()
    while not over.wait(_LOOK_EVERY):  # a signal that another thread is given doesn't wake this one
        pass
    keeper.stop()
    stop()


def _answer(
    keeper: schedule.Keeper | None, teller: Teller, host: str, port: int, workers: int, *, verbose: bool
) -> None:
    """Let workers answer until a signal comes, and publish beside them if there is who does."""
    _allow_connections()
    server = Granian(
        "feeds.web.rsgi:create_rsgi",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        workers=workers,
        runtime_mode=RuntimeModes.mt,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_PATIENCE, max_buffer_size=_HEADER_ROOM),
        backpressure=_CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        websockets=False,
        log_level=LogLevels.info if verbose else LogLevels.error,
    )
    server.on_startup(keeper.start if keeper else teller.answering)
    if keeper:
        server.on_shutdown(keeper.stop)
    server.serve()


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


def _require_free(host: str, port: int) -> None:
    """Say in a sentence that an address can't be listened on, which the server would say in many."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise FeedsError(f"can't listen on {host}:{port}: {error.strerror}; --host or --port names another") from None
