"""What the commands share: their options, their errors' sentences, the rooms they wire, and how they speak.

What a program reads goes to stdout, the rest to stderr.
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from feeds import config, logs
from feeds.errors import CatalogDamaged, CatalogError, ConfigError, FeedsError
from feeds.text import quote_path

if TYPE_CHECKING:
    from feeds.catalog import Catalog, Refusal
    from feeds.folder import Folder
    from feeds.publish import Outcome, Publisher

REFUSED = 1  # exit code: done, but some articles were refused
_NAMED_PAGES = 5
_LOG = logging.getLogger("feeds")


@dataclass(frozen=True, slots=True)
class Call:
    """What every command is given."""

    settings: config.Config
    config_file: Path
    quiet: bool
    verbose: bool


def command(function: Callable[..., int], mistakes: Callable[..., object] | None = None) -> click.Command:
    """Make a command of a function that takes a `Call`: with -c, -q and -v, its errors said in a sentence.

    `mistakes` is told of those in the configuration too, with the command's own options.
    """

    @wraps(function)
    def run(config_file: Path, quiet: bool, verbose: bool, **options: Any) -> None:
        _set_up_logging(quiet=quiet, verbose=verbose)
        with said():
            try:
                settings = config.load(config_file, os.environ)
            except ConfigError as error:
                if mistakes:
                    mistakes(error, **options)
                raise
            sys.exit(function(Call(settings, config_file, quiet, verbose), **options))

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
    return click.command(function.__name__.partition("_")[0])(run)


def make_publisher(settings: config.Config, catalog: "Catalog") -> "tuple[Publisher, Folder]":
    from feeds.folder import Folder
    from feeds.publish import Publisher

    folder = Folder(settings.content_root, settings.content.include, settings.content.exclude, settings.secrets)
    return Publisher(folder, catalog, settings.for_core, settings.feeds.guard), folder


def open_catalog(settings: config.Config) -> "Catalog":
    from feeds.catalog import Catalog, Failures

    catalog = Catalog(settings.catalog)
    _close_at_the_end(catalog)
    try:
        catalog.create()
    except CatalogDamaged as damage:
        with catalog.lock():
            report_repair(damage, catalog.mend())
    except CatalogError as error:
        Failures(catalog).failed("publish", error)
        raise
    return catalog


class Days:
    """Closes days of statistics that are over and erases their hashes, also where no worker counts any more.

    What can't be done now is done by the next run.
    """

    def __init__(self, settings: config.Config, catalog: "Catalog") -> None:
        self._keep = settings.stats.keep
        self._catalog = catalog

    def close(self) -> None:
        """Do it, if there is anything to do: to ask costs next to nothing."""
        now = datetime.now(UTC)
        with suppress(CatalogError):
            with self._catalog.read_stats() as stats:
                days = stats.open_days()
            if days and days[0] < f"{now:%Y-%m-%d}":
                from feeds.audience import close_days

                close_days(self._catalog, now, self._keep)
            self._catalog.erase_closed_days()


def report_repair(damage: CatalogDamaged, aside: Path | None) -> None:
    kept = f"it is kept as {aside}, and " if aside else ""
    say(f"{damage}; {kept}a new one is made of the articles, with the same ids")


def open_published(settings: config.Config) -> "Catalog":
    """Open the catalog for a command that only looks: nothing is made where there is nothing."""
    from feeds.catalog import Catalog

    catalog = Catalog(settings.catalog)
    if not catalog.is_there:
        catalog = Catalog(None)
        catalog.create()
    _close_at_the_end(catalog)
    catalog.require_current()
    return catalog


def _close_at_the_end(catalog: "Catalog") -> None:
    """Close the catalog's connections when the command ends, for a program that runs several commands."""
    click.get_current_context().call_on_close(catalog.close)


def say_without_effect(settings: config.Config) -> None:
    for note in settings.without_effect:
        _LOG.warning("%s", note)


def where(refusal: "Refusal", settings: config.Config) -> str:
    return f"{settings.content.path}/{refusal.path}:{refusal.line}"


def warnings_of(outcome: "Outcome", settings: config.Config) -> list[str]:
    """Return the lines that report a run's warnings on stderr; pages without a date share one notice."""
    place = settings.content.path
    pages = [f"{place}/{one.path}" for one in outcome.warnings if one.rule == "undated-page"]
    lines = [f"warning: {place}/{one.path}:{one.line}: {one.message}"
             for one in outcome.warnings if one.rule != "undated-page"]  # fmt: skip
    if pages:
        named = ", ".join(pages[:_NAMED_PAGES]) + (" …" if len(pages) > _NAMED_PAGES else "")
        lines.append(f"notice: without a date, taken for pages and left out: {named}; "
                     "give them a `date`, or name them in content.exclude")  # fmt: skip
    if outcome.more_warnings:
        lines.append(f"warning: {plural(outcome.more_warnings, 'more warning')}; `feeds check` lists them")
    return lines


def counted(outcome: "Outcome", published: str = "published") -> str:
    articles = f"{plural(outcome.articles, 'article')} {published}"
    return articles + (f", {len(outcome.refused)} refused" if outcome.refused else "")


def page_path(feed: str) -> str:
    """Give the path of a feed's page, by which people know the feed."""
    return quote_path(f"/{feed}/") if feed else "/"


def plural(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def advice(settings: config.Config) -> list[str]:
    """Give what an owner should know before the first subscriber comes."""
    host = settings.for_core.authority
    if host == "localhost" or host.replace(".", "").isdecimal():
        return [f"ids are minted for {host} and stay so: set site.url, or site.authority, before anybody subscribes"]
    return []


def say(line: str) -> None:
    """Write a line to stderr; that its disk is full, or nobody reads it, ends no run."""
    with suppress(OSError):
        click.echo(line, err=True)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _set_up_logging(*, quiet: bool, verbose: bool) -> None:
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logs.set_up()
    _LOG.setLevel(level)


@contextmanager
def said() -> Iterator[None]:
    """Turn an error into its sentence and its exit code."""
    try:
        yield
    except FeedsError as error:
        say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # such as no descriptor for a module that is imported only now
        place = f"{error.filename}: " if error.filename else ""
        say(f"{place}{error.strerror or error}")
        sys.exit(FeedsError.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


@contextmanager
def progress_bar(label: str, folder: "Folder", *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, with a rate and an estimate; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done: None
        return
    began = time.monotonic()
    with click.progressbar(
        length=folder.count(), label=label, file=sys.stderr, show_pos=True, item_show_func=lambda rate: rate
    ) as bar:

        def show(done: int) -> None:
            bar.update(done - bar.pos, f"{done / (time.monotonic() - began):,.0f}/s")

        yield show
        bar.update((bar.length or 0) - bar.pos)
