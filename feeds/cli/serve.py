"""`feeds serve`: a publishing process and its worker processes, or one of the two roles alone.

The configuration is read at the start, when its file has changed, and on SIGHUP. All processes use the same
configuration: workers receive the configuration that this process has read (`workers`), and a new one takes effect in
all of them or in none.
"""

import atexit
import ctypes
import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from feeds import config
from feeds.catalog import Catalog, Failures
from feeds.catalog.failures import RECORD_BYTES, TEMPLATE_LOG_BYTES, SharedMemory
from feeds.cli.common import (
    CommandContext,
    command,
    create_publisher,
    is_loopback,
    open_catalog,
    plural,
    print_message,
    warn_of_unused_keys,
)
from feeds.cli.config_file import ConfigFile
from feeds.cli.reporter import MAX_MISTAKES, NOT_RELOADED, ConsoleReporter, notify_systemd
from feeds.cli.signal_event import SignalEvent
from feeds.cli.workers import Workers, create_loader
from feeds.config.values import NetworkAddress
from feeds.core.errors import (
    CatalogDamaged,
    CatalogLocked,
    CatalogUnavailable,
    ConfigError,
    FeedsError,
    TaskFailed,
    UsageError,
)
from feeds.core.text import one_line
from feeds.event_log import EventLog, LogFormat
from feeds.hooks import HookCommand
from feeds.publish import loop
from feeds.publish.observer import PublishObserver
from feeds.publish.outcome import Outcome
from feeds.stats.housekeeping import StatsHousekeeping

if TYPE_CHECKING:
    from feeds.web.health import PublisherState

_POLL_INTERVAL_S = 0.2  # between two checks for signals and a changed configuration


def _print_error(message: str, *, log_format: LogFormat, **_: object) -> None:
    """Print an error that ends the command."""
    if log_format == "json":
        EventLog(log_format).write("error", message, level="error")
    else:
        print_message(message)


@partial(command, print_error=_print_error)
@click.option(
    "--role",
    type=click.Choice(["all", "publisher", "web"]),
    default="all",
    show_default=True,
    envvar="FEEDS_ROLE",
    help="Publish and serve (all), or do only one of them [env: FEEDS_ROLE].",
)
@click.option("--host", help="The address to listen on [default: server.host].")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on [default: server.port].")
@click.option(
    "--open",
    "opens_browser",
    is_flag=True,
    help="Open the site in your browser. Implies --preview, unless other machines can reach the server.",
)
@click.option(
    "--preview",
    is_flag=True,
    help="Let links lead to this server instead of site.url, and reload pages when you save. Only on this machine.",
)
@click.option(
    "--drafts",
    is_flag=True,
    help="Show unpublished articles at a secret address, only on this machine. Implies --preview.",
)
@click.option("--workers", type=click.IntRange(1, 64), help="The number of worker processes [default: server.workers].")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    envvar="FEEDS_LOG_FORMAT",
    help="Log events as text, or as one JSON object per line [env: FEEDS_LOG_FORMAT].",
)
def serve(
    context: CommandContext,
    role: str,
    host: str | None,
    port: int | None,
    workers: int | None,
    opens_browser: bool,
    preview: bool,
    drafts: bool,
    log_format: LogFormat,
) -> int:
    """Publish changes of the content folder, and serve the feeds.

    The server runs until Ctrl-C or SIGTERM. A changed configuration file takes effect automatically, unless it has
    mistakes. After SIGHUP, the server reads the file again at once.

    Several processes may share one catalog. A process with the role `web` serves the feeds and publishes nothing. It
    needs the content folder only with site.pages, for files beside articles. If there are several processes with the
    role `publisher`, one of them leads and publishes, and the others stand by. They answer only /healthz.
    """
    settings = context.settings
    overrides = _Overrides(host, port, workers)
    host, port = overrides.host_of(settings), overrides.port_of(settings)
    if drafts and not is_loopback(host):
        raise UsageError(f"--drafts shows unpublished articles, so use --host 127.0.0.1 instead of {host}")
    if drafts and role != "all":
        raise UsageError("--drafts shows unpublished articles, so it needs the content folder: use --role all")
    if preview and not is_loopback(host):
        raise UsageError(f"--preview lets links lead to this machine, so use --host 127.0.0.1 instead of {host}")
    if (preview or opens_browser) and role == "publisher":
        option = "--preview" if preview else "--open"
        raise UsageError(f"{option} needs the pages, which publishers do not serve: use --role all or --role web")
    _require_separate_metrics(settings, port)
    _require_free(host, port)
    log = EventLog(log_format, quiet=context.quiet)
    log.capture_logging()
    warn_of_unused_keys(settings)
    multiprocessing.set_start_method("spawn", force=True)  # a process with threads must not be forked
    service = _Service(
        context,
        log,
        role,
        overrides,
        is_preview=preview or drafts or (opens_browser and is_loopback(host)),
        preview_key=secrets.token_urlsafe(16) if drafts else "",
        opens_browser=opens_browser,
    )
    try:
        service.run()
    finally:
        notify_systemd("STOPPING=1")
        service.close()
    return 0


class _Overrides(NamedTuple):
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

    def fixed_values(self, settings: config.Config) -> dict[str, object]:
        """Return the values, by key, that can't change while the server runs."""
        return {
            "server.host": self.host_of(settings),
            "server.port": self.port_of(settings),
            "server.metrics": settings.server.metrics,
            "state": settings.catalog,
        }


class _RunObserver(PublishObserver):
    """Reports runs to the log, and rolls up finished days of statistics after each."""

    def __init__(self, reporter: ConsoleReporter, housekeeping: StatsHousekeeping) -> None:
        self._reporter = reporter
        self._housekeeping = housekeeping

    def on_progress(self, files: int) -> None:
        self._reporter.on_progress(files)

    def on_recovered(self, damage: CatalogDamaged, kept_as: Path | None) -> None:
        self._reporter.on_recovered(damage, kept_as)

    def on_finished(self, outcome: Outcome) -> None:
        self._reporter.on_finished(outcome)
        self._housekeeping.run()

    def on_failed(self, error: FeedsError) -> None:
        self._reporter.on_failed(error)


class _Service:
    """A publisher, workers, or both, which use one configuration at a time."""

    def __init__(
        self,
        context: CommandContext,
        log: EventLog,
        role: str,
        overrides: _Overrides,
        *,
        is_preview: bool = False,
        preview_key: str = "",
        opens_browser: bool = False,
    ) -> None:
        self._context = context
        self._log = log
        self._role = role
        self._overrides = overrides
        self._preview_key = preview_key
        self._opens_browser = opens_browser
        settings = self._settings = context.settings
        self._config_file = ConfigFile(context.config_file, settings)
        self._look = self._config_file.look
        self._is_config_rejected = False  # whether the last reload found a mistake
        self._url = _server_url(overrides.host_of(settings), overrides.port_of(settings))
        self._preview_url = self._url if is_preview else ""
        self._memory = _shared_memory(RECORD_BYTES)
        self._template_memory = _shared_memory(TEMPLATE_LOG_BYTES)
        self._reporter = ConsoleReporter(settings, log, role, self._url, is_preview=is_preview, preview_key=preview_key)
        self._catalog = Catalog(settings.catalog) if role == "web" else self._open_catalog(settings)
        self._reporter.catalog_name = self._catalog.name
        self._failures = Failures(self._catalog, self._memory)
        self._publish_loop = None if role == "web" else self._create_publish_loop(settings)
        if settings.server.metrics:
            _start_metrics_server(settings.server.metrics, self._catalog, self._failures)

    def run(self) -> None:
        """Publish and serve until a signal arrives."""
        if self._role == "publisher":
            self._run_publisher()
        else:
            self._run_workers()

    def close(self) -> None:
        """Close the catalog."""
        self._catalog.close()
        self._reporter.report_stopped()
        self._log.stop_thread()

    def _open_catalog(self, settings: config.Config) -> Catalog:
        try:
            return open_catalog(settings, self._reporter.on_recovered)
        except (CatalogUnavailable, CatalogLocked) as error:  # the publish loop tries again
            self._reporter.on_failed(error)
            return Catalog(settings.catalog)

    def _create_publish_loop(self, settings: config.Config) -> loop.PublishLoop:
        publisher = create_publisher(settings, self._catalog)
        self._reporter.count_articles = publisher.folder.count
        return loop.PublishLoop(
            publisher,
            publisher.folder,
            self._catalog,
            self._failures,
            watch=settings.content.watch,
            cron=loop.create_trigger(settings.schedule.cron, settings.site_model.timezone),
            before=HookCommand(settings.schedule.before, settings.root) if settings.schedule.before else None,
            has_webhook=bool(settings.schedule.webhook),
            observer=_RunObserver(self._reporter, StatsHousekeeping(self._catalog, settings.stats.keep)),
        )

    def _run_publisher(self) -> None:
        """Publish until a signal arrives, and answer health checks meanwhile."""
        from feeds.web import health

        ending, reload_requested = SignalEvent(), SignalEvent()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ending.set())
        signal.signal(signal.SIGHUP, lambda *_: reload_requested.set())
        host, port = self._overrides.host_of(self._settings), self._overrides.port_of(self._settings)
        stop = health.start_server(host, port, health.Health(self._catalog, self._failures, self._publisher_state))
        self._start()
        while not ending.wait(_POLL_INTERVAL_S):  # a signal that another thread receives doesn't end the wait
            if reload_requested.is_set() or self._config_file.has_changed():
                is_requested = reload_requested.is_set()
                reload_requested.clear()
                self._reload(lambda _: None, is_requested=is_requested)
        self._stop()
        stop()

    def _publisher_state(self) -> "PublisherState":
        from feeds.web.health import PublisherState

        assert self._publish_loop
        return PublisherState(self._publish_loop.is_alive, self._publish_loop.is_leader)

    def _run_workers(self) -> None:
        """Run the workers until a signal arrives, and publish too, unless the role is `web`."""
        overrides, settings = self._overrides, self._settings
        workers = Workers(
            create_loader(
                settings,
                os.getpid(),
                self._preview_url,
                self._preview_key,
                self._memory,
                self._template_memory,
                log_format="json" if self._log.is_json else "text",
                quiet=self._context.quiet,
            ),
            self._log,
            overrides.host_of(settings),
            overrides.port_of(settings),
            overrides.workers_of(settings),
            verbose=self._context.verbose,
        )
        workers.on_shutdown(self._stop)
        self._catalog.close()  # forked workers must not inherit its connections

        def reload(*, is_requested: bool) -> None:
            change = workers.replace if is_requested else workers.use
            self._reload(lambda settings: change(settings, overrides.workers_of(settings)), is_requested=is_requested)

        workers.run(reload, self._config_file.has_changed, self._start)

    def _start(self) -> None:
        self._log.start_thread()  # the first workers have been forked
        self._failures.clear("reload")  # this process has loaded the configuration
        if self._opens_browser:
            from feeds.cli.browser import open_when_ready  # few commands need it

            open_when_ready(f"{self._url}/")
        if self._publish_loop:
            self._publish_loop.start()
        else:
            self._reporter.report_serving()

    def _stop(self) -> None:
        if self._publish_loop:
            self._publish_loop.stop()

    def _reload(self, change_workers: Callable[[config.Config], object], *, is_requested: bool) -> None:
        """Read the configuration again and use it everywhere. If that fails, the old one stays in effect.

        Args:
            change_workers: called with the new configuration.
            is_requested: whether to use it even if it is unchanged: a file that it names may have changed.
        """
        try:
            settings = self._load_configuration()
            is_same = settings == self._settings and repr(settings) == repr(self._settings)  # the order may matter
            look = self._config_file.look
            if is_same and look == self._look and not is_requested:
                self._report_reloaded("valid again, and the same as before")
                return
            is_new = is_requested or not is_same  # else only templates have changed
            publish_loop = self._create_publish_loop(settings) if self._publish_loop and is_new else None
            self._template_memory.raw = bytes(TEMPLATE_LOG_BYTES)  # mistakes are logged again
            change_workers(settings)
            self._settings, self._look = settings, look
            self._reporter.set_settings(settings)
            if self._publish_loop and publish_loop:
                self._publish_loop.stop()
                self._publish_loop = publish_loop
                publish_loop.start()
        except Exception as error:
            mistakes = error.mistakes if isinstance(error, ConfigError) else [one_line(str(error))]
            more = f"; {plural(len(mistakes) - MAX_MISTAKES, 'more mistake')}" if len(mistakes) > MAX_MISTAKES else ""
            message = f"{NOT_RELOADED}, the old one stays in effect: {'; '.join(mistakes[:MAX_MISTAKES])}{more}"
            code = error.exit_code if isinstance(error, FeedsError) else FeedsError.exit_code
            self._failures.record("reload", TaskFailed(message, NOT_RELOADED, code))
            self._is_config_rejected = True
            self._reporter.report_mistakes(mistakes)
            if not isinstance(error, ConfigError):  # such as a worker that was killed while it started
                self._config_file.retry_later()
            return
        self._report_reloaded("reloaded")

    def _report_reloaded(self, result: str) -> None:
        """Record that the configuration has no mistake. Log it if the configuration is new or had a mistake."""
        self._failures.clear("reload")
        if result == "reloaded" or self._is_config_rejected:
            self._log.write("config", f"the configuration is {result}")
        self._is_config_rejected = False

    def _load_configuration(self) -> config.Config:
        """Return the configuration as it is now. Raise `ConfigError` for mistakes and values that can't change."""
        settings = self._config_file.load()
        old, new = self._overrides.fixed_values(self._settings), self._overrides.fixed_values(settings)
        changed = [key for key in old if old[key] != new[key]]
        if changed:
            file = self._context.config_file
            raise ConfigError([f"{file}: {key}: can't change while feeds runs; restart feeds" for key in changed])
        return settings


def _require_separate_metrics(settings: config.Config, port: int) -> None:
    if settings.server.metrics and settings.server.metrics.port == port:
        raise FeedsError(
            f"server.metrics: {settings.server.metrics} has the port on which feeds are served; choose another port"
        )


def _shared_memory(size: int) -> SharedMemory:
    """Return memory of some bytes, all zero, that this process and its workers share."""
    return cast("SharedMemory", multiprocessing.get_context("spawn").RawArray(ctypes.c_char, size))


def _server_url(host: str, port: int) -> str:
    """Return the URL of the server, without a trailing slash, as a browser on this machine needs it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # all addresses
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _start_metrics_server(address: NetworkAddress, catalog: Catalog, failures: Failures) -> None:
    """Serve Prometheus metrics, with the counts that workers write to a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="feeds-metrics-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # the library reads it when it is imported
    from feeds.web import metrics

    metrics.start_server(address.host, address.port, catalog, failures, folder)


def _require_free(host: str, port: int) -> None:
    """Raise `FeedsError` if the address can't be listened on: granian would print a traceback."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:  # UnicodeError: of a text that can't be the name of a host
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise FeedsError(f"can't listen on {host}:{port}: {reason}; choose another --host or --port") from None
