"""The commands: each wires the rooms that it needs by hand, says what came of it, and ends with its exit code.

The commands, their options and exit codes are contract section 4's. What a program reads goes to stdout, the rest to stderr. Rooms that a command does not need are not imported.
"""

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from feeds import __version__, config
from feeds.errors import FeedsError, UsageError

if TYPE_CHECKING:
    from feeds.catalog import Catalog, Refusal
    from feeds.publish import Outcome, Publisher

_REFUSED = 1  # exit code: done, but some articles were refused
_LOG = logging.getLogger("feeds")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feeds")
def main() -> None:
    """Publish a folder of Markdown articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

    Exit codes: 0 all well; 1 done, but some articles were refused; 2 wrong usage or config; 3 the run failed, what was
    published is untouched; 4 another run holds the lock; 5 the republish guard stopped the run.
    """


@dataclass(frozen=True, slots=True)
class _Call:
    """What every command is given."""

    settings: config.Config
    config_file: Path
    quiet: bool
    verbose: bool


def _command(function: Callable[..., int]) -> click.Command:
    """Make a command of a function that takes a `_Call`: with -c, -q and -v, its errors said in a sentence."""

    @wraps(function)
    def run(config_file: Path, quiet: bool, verbose: bool, **options: Any) -> None:
        _set_up_logging(quiet=quiet, verbose=verbose)
        with _said():
            settings = config.load(config_file, os.environ)
            sys.exit(function(_Call(settings, config_file, quiet, verbose), **options))

    shared = [
        click.option(
            "-c",
            "--config",
            "config_file",
            type=click.Path(path_type=Path),
            envvar="FEEDS_CONFIG",
            default="config.yaml",
            show_default=True,
            help="The configuration (FEEDS_CONFIG).",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("-v", "--verbose", is_flag=True, help="Say more."),
    ]
    for option in reversed(shared):
        run = option(run)
    return main.command(function.__name__.partition("_")[0])(run)


@_command
@click.option("--host", help="The address to listen on [server.host].")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on [server.port].")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer [server.workers].")
def serve(call: _Call, host: str | None, port: int | None, workers: int | None) -> int:
    """Watch the folder, regenerate, and serve the feeds, until Ctrl-C or SIGTERM."""
    settings = call.settings
    import multiprocessing

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from feeds import schedule

    host, port, workers = host or settings.server.host, port or settings.server.port, workers or settings.server.workers
    cron = schedule.trigger(settings.schedule.cron, settings.for_core.timezone)
    _require_free(host, port)
    _say_without_effect(settings)
    catalog = _catalog(settings)
    publisher, folder = _publisher(settings, catalog)
    keeper = schedule.Keeper(
        publisher,
        folder,
        catalog,
        watch=settings.content.watch,
        cron=cron,
        told=_Teller(settings, host, port, call.quiet).tell,
    )
    # a process that runs threads must not be forked; and the workers load the configuration by themselves
    multiprocessing.set_start_method("spawn", force=True)
    os.environ["FEEDS_CONFIG"] = str(call.config_file.absolute())
    server = Granian(
        "feeds.web:create_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=8,
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
        catalog.close()
    return 0


@_command
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="The folder to write [export.path].")
@click.option("--force", is_flag=True, help="Read every article and write every file again.")
@click.option("--accept", is_flag=True, help="Publish even what the republish guard would stop.")
@click.option("--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Wait for another run to end.")
def build(call: _Call, output: Path | None, force: bool, accept: bool, wait: float) -> int:
    """Regenerate once and write the feeds as static files. Silent if all is well."""
    settings = call.settings
    from feeds.documents import Documents, path_of
    from feeds.export import Tree
    from feeds.formats import FORMATS

    _say_without_effect(settings)
    catalog = _catalog(settings)
    publisher, _ = _publisher(settings, catalog)
    with _progress("reading", quiet=call.quiet) as progress:
        outcome = publisher.refresh(datetime.now(UTC), force=force, accept=accept, wait=wait, progress=progress)
    documents = Documents(catalog, settings.for_core)
    with catalog.lock(wait):
        tree = Tree((output or settings.export_root).absolute())
        states = documents.feeds()
        written = 0
        for state, document in documents.every(
            lambda format_, state: not force and tree.has(path_of(state.path, format_), state.digest)
        ):
            written += tree.write(document.path, document.body, state.digest)
        removed = tree.finish(path_of(state.path, format_) for state in states for format_ in FORMATS)
    _report(outcome, settings)
    if call.verbose:
        _say(f"{_counted(outcome)}; {written} files written, {len(removed)} removed, in {outcome.seconds:.2f} s")
    return _REFUSED if outcome.refused else 0


@_command
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
def check(call: _Call, strict: bool) -> int:
    """Say what is wrong with the configuration and the articles; write nothing."""
    settings = call.settings
    from feeds import schedule
    from feeds.catalog import Catalog

    schedule.trigger(settings.schedule.cron, settings.for_core.timezone)
    catalog = Catalog(None)
    catalog.create()
    publisher, _ = _publisher(settings, catalog)
    with _progress("checking", quiet=call.quiet) as progress:
        outcome = publisher.refresh(datetime.now(UTC), progress=progress)
    for refusal in outcome.refused:
        click.echo(f"{_where(refusal, settings)}: {refusal.reason}")
    warnings = [*settings.without_effect, *outcome.warnings]
    for warning in warnings:
        click.echo(f"{warning}" if warning in settings.without_effect else f"{settings.content.path}/{warning}")
    if not call.quiet:
        _say(f"{_counted(outcome)}, {len(warnings)} warnings")
    return _REFUSED if outcome.refused or (strict and warnings) else 0


@_command
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_feeds(call: _Call, as_json: bool) -> int:
    """List the feeds: path, entries, last change."""
    settings = call.settings
    from feeds import syndicate

    with _published(settings).reading() as catalog:
        feeds = [state for state in catalog.feeds() if syndicate.exists(state, settings.for_core)]
    if as_json:
        _print_json(
            [
                {
                    "path": f"/{state.path}/" if state.path else "/",
                    "kind": state.kind,
                    "name": state.name or settings.site.title,
                    "entries": state.entries,
                    "changed": state.changed.isoformat(),
                    "subscribers": None,  # not counted in this version
                }
                for state in feeds
            ]
        )
        return 0
    for state in feeds:
        path = f"/{state.path}/" if state.path else "/"
        click.echo(
            f"{path:<40} {state.entries:>7}  {state.changed:%Y-%m-%d %H:%M:%S}  {state.name or settings.site.title}"
        )
    return 0


@_command
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(call: _Call, as_json: bool) -> int:
    """Say what the last regeneration came to: refused articles with reasons, and what is scheduled."""
    settings = call.settings
    with _published(settings).reading() as catalog:
        run, revision, live = catalog.run(), catalog.revision(), catalog.live()
        refused, scheduled = catalog.refused(), catalog.scheduled(datetime.now(UTC))
    if as_json:
        _print_json(
            {
                "revision": revision,
                "run": run and {"at": run.at.isoformat(), "seconds": round(run.seconds, 3), "outcome": run.outcome},
                "articles": live,
                "refused": [{"path": item.path, "line": item.line, "reason": item.reason} for item in refused],
                "scheduled": [{"path": path, "at": at.isoformat()} for path, at in scheduled],
            }
        )
        return 0
    if run is None:
        click.echo("Nothing was published yet: feeds build, or feeds serve.")
        return 0
    click.echo(
        f"Revision {revision}, {live} articles; last regeneration {run.at:%Y-%m-%d %H:%M:%S} UTC, {run.seconds:.2f} s"
    )
    for item in refused:
        click.echo(f"refused    {_where(item, settings)}: {item.reason}")
    for path, at in scheduled:
        click.echo(f"scheduled  {settings.content.path}/{path}: {at:%Y-%m-%d %H:%M:%S} UTC")
    return 0


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="[DIR]")
def init(folder: Path) -> None:
    """Make a config.yaml and a first article that work at once; what is there already is left alone."""
    with _said():
        now = datetime.now(UTC).replace(microsecond=0)
        files = {
            folder / "config.yaml": _FIRST_CONFIG,
            folder / "content" / f"{now:%Y-%m-%d}-hello.md": _FIRST_ARTICLE.format(date=now.isoformat()),
        }
        if (folder / "config.yaml").exists():
            raise UsageError(f"{folder / 'config.yaml'}: is there already; nothing was done")
        if (folder / "content").exists():
            files = {folder / "config.yaml": _FIRST_CONFIG}
        try:
            for file, text in files.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FeedsError(f"{error.filename}: can't be written: {error.strerror}") from None
        for file in files:
            click.echo(f"made {file}")
        cd = "" if folder == Path() else f"cd {folder} && "
        click.echo(f"Now: set title and url in config.yaml, then  {cd}feeds serve")


_FIRST_CONFIG = """\
# All keys and their defaults: docs/config.md
site:
  title: My site
  url: http://127.0.0.1:8000        # where your articles live, like https://example.org
  description: What it is about, in a sentence.
  language: en
  # authority: example.org          # whose ids these are; set it once, and keep it when the site moves
content:
  path: content
  permalink: /{category}/{slug}/
"""
_FIRST_ARTICLE = """\
---
title: Hello, readers
date: {date}
category: News
tags: [hello, feeds]
description: The first article, to see that all works.
---

This is an article in Markdown. Save it, and it is in the feeds within a second.

Three things to try:
- change this text and look at /rss.xml again,
- write another file beside this one,
- run `feeds check`.
"""


class _Teller:
    """Says on the terminal what a regeneration under `serve` came to, once, not each time."""

    def __init__(self, settings: config.Config, host: str, port: int, quiet: bool) -> None:
        self._settings = settings
        self._quiet = quiet
        self._address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._greeted = False
        self._refused: set[str] = set()
        self._error = ""

    def tell(self, outcome: "Outcome | FeedsError") -> None:
        """Say what is new since the last time."""
        if isinstance(outcome, FeedsError):
            if str(outcome) != self._error:
                _say(str(outcome))
            self._error = str(outcome)
            return
        if self._error and not self._quiet:
            _say("all is well again")
        self._error = ""
        lines = {f"{_where(refusal, self._settings)}: {refusal.reason}" for refusal in outcome.refused}
        for line in sorted(lines - self._refused):
            _say(line)
        self._refused = lines
        for warning in outcome.warnings:
            _say(f"warning: {warning}")
        if self._quiet:
            return
        if not self._greeted:
            self._greet(outcome)
        elif outcome.changed:
            _say(f"revision {outcome.revision}: {_counted(outcome)}; {len(outcome.changed)} feeds changed")

    def _greet(self, outcome: "Outcome") -> None:
        self._greeted = True
        public = self._settings.for_core.feeds_url
        _say(f"{self._settings.site.title}: {_counted(outcome)}; watching {self._settings.content_root}")
        _say(f"  look at       {self._address}/")
        for path in ("/rss.xml", "/atom.xml", "/feed.json"):
            _say(f"  subscribe to  {self._address}{path}")
        if public != self._address:
            _say(f"  the feeds say that they are at {public}/ (feeds.url); let that lead here")
        _say("  Ctrl-C ends it")


def _publisher(settings: config.Config, catalog: "Catalog") -> "tuple[Publisher, Any]":
    from feeds.folder import Folder
    from feeds.publish import Publisher

    folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
    return Publisher(folder, catalog, settings.for_core, settings.feeds.guard), folder


def _catalog(settings: config.Config) -> "Catalog":
    from feeds.catalog import Catalog

    catalog = Catalog(settings.catalog_file)
    catalog.create()
    return catalog


def _published(settings: config.Config) -> "Catalog":
    """Open the catalog for a command that only looks: nothing is made where there is nothing."""
    from feeds.catalog import Catalog

    catalog = Catalog(settings.catalog_file if settings.catalog_file.exists() else None)
    if not settings.catalog_file.exists():
        catalog.create()
    return catalog


def _require_free(host: str, port: int) -> None:
    """Say in a sentence that an address can't be listened on, which the server would say in many."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise FeedsError(
            f"can't listen on {host}:{port}: {error.strerror}; --port or server.port names another"
        ) from None


def _report(outcome: "Outcome", settings: config.Config) -> None:
    for refusal in outcome.refused:
        _say(f"{_where(refusal, settings)}: {refusal.reason}")
    for warning in outcome.warnings:
        _say(f"warning: {settings.content.path}/{warning}")


def _say_without_effect(settings: config.Config) -> None:
    for note in settings.without_effect:
        _LOG.info("%s", note)


def _where(refusal: "Refusal", settings: config.Config) -> str:
    return f"{settings.content.path}/{refusal.path}:{refusal.line}"


def _counted(outcome: "Outcome") -> str:
    articles = f"{outcome.articles} article{'' if outcome.articles == 1 else 's'} published"
    return articles + (f", {len(outcome.refused)} refused" if outcome.refused else "")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _set_up_logging(*, quiet: bool, verbose: bool) -> None:
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    _LOG.setLevel(level)


@contextmanager
def _said() -> Iterator[None]:
    """Turn an error into its sentence and its exit code."""
    try:
        yield
    except FeedsError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


@contextmanager
def _progress(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with click.progressbar(length=0, label=label, file=sys.stderr, show_pos=True) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show
