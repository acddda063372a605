"""`feeds build`: one publish run and the export of static files, for cron and CI.

A build that would change nothing ends before it imports the modules of a complete build.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from feeds import last_build
from feeds.cli import import_without_collecting
from feeds.cli.common import (
    EXIT_INCOMPLETE,
    articles_summary,
    command_errors,
    duration,
    load_context,
    print_message,
    shared_options,
)
from feeds.core.errors import FeedsError

_COMPLETE_BUILD = "feeds.cli.build_site"


@click.command
@shared_options
@click.option("--output", metavar="PATH", help="Write to this folder, or to s3://BUCKET/PREFIX [default: export.path].")
@click.option(
    "--force",
    is_flag=True,
    help="Read all articles and write all files again, even over files that feeds did not write.",
)
@click.option("--accept", is_flag=True, help="Publish even if the republish guard would stop the run.")
@click.option(
    "--no-export", is_flag=True, help="Publish without writing static files, for sites that use `feeds serve`."
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="If another run is active, wait for its end up to this time.",
)
def build(
    config_file: Path,
    quiet: bool,
    verbose: bool,
    output: str | None,
    force: bool,
    accept: bool,
    no_export: bool,
    wait: float,
) -> None:
    """Publish once and write the feeds as static files.

    In a terminal, show the progress, all problems, and a last line with the result. Elsewhere, such as in cron, print
    only problems that the last build did not have; if there are none, print nothing. With -v, always print all problems
    and the last line.
    """
    started_at = time.monotonic()
    with command_errors(quiet=quiet, verbose=verbose), _report_interrupt(quiet=quiet):
        inputs = _read_inputs(config_file, output, no_export)
        if inputs and not (force or accept or verbose):
            is_terminal = sys.stderr.isatty()
            last = _record_unchanged_run(inputs, config_file, shows_all=is_terminal)
            if last:
                for warning in last.advice if is_terminal else ():
                    print_message(warning)
                if is_terminal and not quiet:
                    seconds = time.monotonic() - started_at
                    print_message(f"{articles_summary(last.articles, 0)}; nothing changed; {duration(seconds)}")
                sys.exit(EXIT_INCOMPLETE if last.rejected else 0)
        if _COMPLETE_BUILD not in sys.modules:
            import_without_collecting(_COMPLETE_BUILD)
        from feeds.cli.build_site import build_site

        context = load_context(config_file, started_at, quiet=quiet, verbose=verbose)
        sys.exit(build_site(context, inputs, output=output, force=force, accept=accept, no_export=no_export, wait=wait))


@contextmanager
def _report_interrupt(*, quiet: bool) -> Iterator[None]:
    """Print a message if Ctrl-C ends the block."""
    try:
        yield
    except KeyboardInterrupt:
        if not quiet:
            print_message("stopped; nothing more is written; the next build continues")
        raise


def _read_inputs(config_file: Path, output: str | None, no_export: bool) -> last_build.Inputs | None:
    """Return the inputs of this build; None if a file can't be read, which the complete build reports."""
    try:
        return last_build.Inputs.read(config_file, os.environ, output, no_export)
    except OSError:
        return None


def _record_unchanged_run(
    inputs: last_build.Inputs, config_file: Path, *, shows_all: bool
) -> last_build.LastBuild | None:
    """Record a run if nothing has changed since the last build. Return that build, or None if a complete one is needed.

    If `shows_all` is true, the problems of the last build are reported again, which needs a complete one.
    """
    now, began = datetime.now(UTC), time.monotonic()
    try:
        with last_build.open_records(config_file, os.environ) as records:
            last = records and records.last_build()
            if not records or not last or (last.problems and shows_all):
                return None
            if not last.is_current(inputs, now.timestamp()):
                return None
            records.record_run(now, time.monotonic() - began, last)
            return last
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, sqlite3.Error, FeedsError):
        # a broken configuration or catalog, which the complete build reports, or the record of another version
        return None
