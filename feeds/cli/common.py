"""Functions that all commands share: options, error messages, opening the catalog, and output.

Results go to stdout. Messages go to stderr.
"""

import ipaddress
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from feeds import logs
from feeds.core.errors import CatalogDamaged, CatalogError, ConfigError, FeedsError
from feeds.core.text import escape_unprintable, printable_excerpt, quote_path
from feeds.home import expand_home

if TYPE_CHECKING:
    from feeds import config
    from feeds.catalog import Catalog, RejectedArticle
    from feeds.publish.outcome import Outcome
    from feeds.publish.publisher import Publisher

F = TypeVar("F", bound=Callable[..., None])

EXIT_INCOMPLETE = 1  # exit code: done, but some articles were rejected, or something else is left to do
_MAX_NAMED_PAGES = 5
_MAX_DECIMAL_S = 9.95  # a duration below is given with a decimal
_LOG = logging.getLogger("feeds")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The configuration and the options that all commands have."""

    settings: "config.Config"
    config_file: Path
    quiet: bool
    verbose: bool
    started_at: float  # monotonic time


class PathType(click.Path):
    """The type of a path on the command line; "~" at its beginning is the home folder, as in a shell.

    A shell expands it only at the beginning of a word, so not in `--config=~/blog/config.yaml`, nor in FEEDS_CONFIG.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raise `click.BadParameter` if it is invalid."""
        try:
            return super().convert(expand_home(os.fspath(value)), param, ctx)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def command(
    function: Callable[..., int],
    on_config_error: Callable[..., object] | None = None,
    print_error: Callable[..., object] | None = None,
) -> click.Command:
    """Return the command that loads the configuration, calls a function, and prints its errors as messages.

    Args:
        function: takes a `CommandContext` and the command's own options, and returns the exit code. Its name up to the
            first "_" is the name of the command.
        on_config_error: called with the `ConfigError` and the command's own options, before the error is printed.
        print_error: called with the message of an error and the command's own options, instead of `print_message`.
    """

    @wraps(function)
    def run(config_file: Path, quiet: bool, verbose: bool, **options: Any) -> None:
        started_at = time.monotonic()
        report_error = partial(print_error, **options) if print_error else print_message
        with command_errors(report_error, quiet=quiet, verbose=verbose):
            try:
                context = load_context(config_file, started_at, quiet=quiet, verbose=verbose)
            except ConfigError as error:
                if on_config_error:
                    on_config_error(error, **options)
                raise
            sys.exit(function(context, **options))

    return click.command(function.__name__.partition("_")[0])(shared_options(run))


def shared_options(function: F) -> F:
    """Add the options that all commands with a configuration have."""
    options = [
        click.option(
            "-c",
            "--config",
            "config_file",
            type=PathType(path_type=Path),
            envvar="FEEDS_CONFIG",
            default="config.yaml",
            show_default=True,
            help="The configuration file [env: FEEDS_CONFIG].",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
        click.option("-v", "--verbose", is_flag=True, help="Print more."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def load_context(config_file: Path, started_at: float, *, quiet: bool, verbose: bool) -> CommandContext:
    """Load the configuration for a command that started at a monotonic time. Raise `ConfigError`."""
    from feeds import config  # it takes a tenth of a second, and an unchanged build does not need it

    return CommandContext(config.load(config_file, os.environ), config_file, quiet, verbose, started_at)


def create_publisher(settings: "config.Config", catalog: "Catalog") -> "Publisher":
    """Return the publisher of a configuration."""
    from feeds.content import Folder
    from feeds.publish.publisher import Publisher

    folder = Folder(settings.content_root, settings.content.include, settings.content.exclude, settings.secrets)
    return Publisher(folder, catalog, settings.site_model, settings.feeds.guard)


def report_recovery(damage: CatalogDamaged, kept_as: Path | None) -> None:
    """Print that a damaged catalog was replaced."""
    print_message(recovery_message(damage, kept_as))


def recovery_message(damage: CatalogDamaged, kept_as: Path | None) -> str:
    """Return the message that a damaged catalog was replaced, and the path of the damaged one, if it was kept."""
    kept = f"it is kept as {kept_as}; " if kept_as else ""
    return f"{damage}; {kept}a new one is created from the articles, with the same ids"


def open_catalog(
    settings: "config.Config", on_recovered: Callable[[CatalogDamaged, Path | None], object] = report_recovery
) -> "Catalog":
    """Open the catalog for a command that writes. Create it if there is none, and recover a damaged one.

    `on_recovered` is called with the damage and the path of the damaged catalog, if it was kept.
    """
    from feeds.catalog import Catalog, Failures

    catalog = Catalog(settings.catalog)
    _close_with_command(catalog)
    try:
        catalog.create()
    except CatalogDamaged as damage:
        with catalog.lock():
            on_recovered(damage, catalog.recover())
    except CatalogError as error:
        Failures(catalog).record("publish", error)
        raise
    return catalog


def open_catalog_to_read(settings: "config.Config") -> "Catalog":
    """Open the catalog for a command that only reads. If there is none, return an empty one in memory."""
    from feeds.catalog import Catalog

    catalog = Catalog(settings.catalog)
    if not catalog.is_created:
        catalog = Catalog(None)
        catalog.create()
    _close_with_command(catalog)
    catalog.require_current()
    return catalog


def _close_with_command(catalog: "Catalog") -> None:
    """Close the catalog's connections when the command ends: one process may run several commands."""
    click.get_current_context().call_on_close(catalog.close)


def warn_of_unused_keys(settings: "config.Config") -> None:
    """Log a warning for each key of the configuration that has no effect."""
    for note in unused_keys(settings):
        _LOG.warning("%s", note)


def unused_keys(settings: "config.Config") -> list[str]:
    """Return a sentence for each key that has no effect in this version, and for each folder that does not exist."""
    if not settings.folder_positions:
        return list(settings.unsupported_keys)
    from feeds.content import has_folder  # few sites need it

    missing = [
        f"{position}: there is no folder {printable_excerpt(folder)} in {settings.content.path}"
        for folder, position in settings.folder_positions.items()
        if not has_folder(settings.content_root, folder)
    ]
    return [*settings.unsupported_keys, *missing]


def rejected_line(rejected: "RejectedArticle", settings: "config.Config") -> str:
    """Return the line that reports a rejected article: path, line number and reason."""
    return f"{settings.content.path}/{rejected.path}:{rejected.line}: {rejected.reason}"


def warning_lines(outcome: "Outcome", settings: "config.Config") -> list[str]:
    """Return the lines that report a run's warnings; all pages without a date share one notice."""
    content = settings.content.path
    pages = [f"{content}/{warning.path}" for warning in outcome.warnings if warning.rule == "undated-page"]
    lines = [f"warning: {content}/{warning.path}:{warning.line}: {warning.message}"
             for warning in outcome.warnings if warning.rule != "undated-page"]  # fmt: skip
    if pages:
        named = ", ".join(pages[:_MAX_NAMED_PAGES]) + (" …" if len(pages) > _MAX_NAMED_PAGES else "")
        lines.append(f"notice: without a date, so treated as pages and not published: {named}; "
                     "add a `date`, or list them in content.exclude")  # fmt: skip
    if outcome.omitted_warnings:
        lines.append(f"warning: {plural(outcome.omitted_warnings, 'more warning')}; `feeds check` lists them")
    return lines


def articles_summary(articles: int, rejected: int, published: str = "published") -> str:
    """Return the numbers of published and rejected articles as text."""
    return f"{plural(articles, 'article')} {published}" + (f", {rejected:,} rejected" if rejected else "")


def page_path(feed: str) -> str:
    """Return the path of a feed's page, by which commands name the feed."""
    return quote_path(f"/{feed}/") if feed else "/"


def plural(count: int, noun: str) -> str:
    """Return a number and a noun, with a plural "s" where it needs one."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a duration with its two largest units, such as "3 h 12 min", or "1.2 s"."""
    if seconds < _MAX_DECIMAL_S:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(number for number, (count, _) in enumerate(units) if count)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count)


def advice(settings: "config.Config", *, is_preview: bool = False) -> list[str]:
    """Return advice about settings to change before the site is online; empty if there is none.

    `is_preview`: whether links lead to this machine anyway.
    """
    if not names_owner(host := settings.site_model.authority):
        return [f"ids will contain {host} permanently: set site.url, or site.authority, before the first run"]
    if not is_preview and is_loopback(urlsplit(settings.site.url).hostname or ""):
        return [f"links to {settings.site.url} work on this machine only: set site.url before you publish"]
    return []


def names_owner(host: str) -> bool:
    """Return whether a host distinguishes its owner's ids from all others: a domain name, not an address."""
    return host != "localhost" and ":" not in host and not host.replace(".", "").isdecimal()


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def print_line(line: str) -> None:
    """Write a line to stdout, with unprintable characters as escapes."""
    click.echo(escape_unprintable(line))


def print_message(message: str) -> None:
    """Write lines to stderr, with unprintable characters as escapes.

    A full disk or a closed pipe behind stderr is ignored: it must not end a run.
    """
    with suppress(OSError):
        click.echo("\n".join(map(escape_unprintable, message.split("\n"))), err=True)


def _end_without_reader() -> None:
    """End the process, as SIGPIPE does, if stdout is a pipe whose reader has ended; otherwise return.

    Such a reader, for example head, has read enough, which is not an error.
    """
    import select  # few commands need it

    with suppress(OSError, AttributeError):  # stdout has no descriptor, or is None
        stdout = sys.stdout.fileno()
        poll = select.poll()
        poll.register(stdout, 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stdout)  # Python writes the rest of the output at exit, and would report an error
            sys.exit(128 + signal.SIGPIPE)


def print_json(value: Any) -> None:
    """Write a value to stdout as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _set_up_logging(*, quiet: bool, verbose: bool) -> None:
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logs.configure()
    _LOG.setLevel(level)


@contextmanager
def command_errors(
    print_error: Callable[[str], object] = print_message, *, quiet: bool, verbose: bool
) -> Iterator[None]:
    """Set up logging for a command, and report its errors; see `report_errors`."""
    _set_up_logging(quiet=quiet, verbose=verbose)
    with report_errors(print_error):
        yield


@contextmanager
def report_errors(print_error: Callable[[str], object] = print_message) -> Iterator[None]:
    """Print an error of the block as a message, and end the process with the error's exit code."""
    try:
        yield
    except FeedsError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # such as no file descriptor left to import a module
        if isinstance(error, BrokenPipeError):
            _end_without_reader()
        file = f"{error.filename}: " if error.filename else ""
        print_error(f"{file}{error.strerror or error}")
        sys.exit(FeedsError.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
