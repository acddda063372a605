"""`feeds build`: one publish run and the export of static files, for cron and CI."""

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from feeds import config, export
from feeds.catalog import Catalog, Failures
from feeds.cli.common import (
    EXIT_INCOMPLETE,
    CommandContext,
    command,
    create_publisher,
    duration,
    open_catalog,
    outcome_summary,
    plural,
    print_message,
    rejected_line,
    warn_of_unused_keys,
    warning_lines,
)
from feeds.cli.problems import ProblemReport
from feeds.cli.progress import ProgressDisplay, RunProgress
from feeds.config.values import export_path
from feeds.content import Folder
from feeds.core.errors import CatalogDamaged, UsageError
from feeds.export import host_files
from feeds.export.exporter import Exporter, ExportResult
from feeds.export.observer import ExportObserver
from feeds.export.purge_backlog import PurgeBacklog
from feeds.parallel import cpu_count, preload
from feeds.publish.load_pool import MAX_INLINE_FILES
from feeds.publish.outcome import Outcome
from feeds.stats.housekeeping import StatsHousekeeping


@command
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
def build(context: CommandContext, output: str | None, force: bool, accept: bool, no_export: bool, wait: float) -> int:
    """Publish once and write the feeds as static files.

    In a terminal, show the progress, all problems, and what was done. Elsewhere, such as in cron, print only problems
    that the last build did not have: nothing, if there are none; with -v, the same as in a terminal.
    """
    settings = context.settings
    target = _parse_target(output) if output else settings.export_target
    is_folder = isinstance(target, Path)

    if context.verbose:
        warn_of_unused_keys(settings)
    catalog = open_catalog(settings)
    failures = Failures(catalog)
    publisher = create_publisher(settings, catalog)
    folder = publisher.folder
    StatsHousekeeping(catalog, settings.stats.keep).run()
    shows_all = context.verbose or sys.stderr.isatty()
    exported, purge_error = ExportResult([], []), ""
    with (
        catalog.lock(wait),
        ProgressDisplay(quiet=context.quiet) as display,
        ProblemReport(catalog, display.print_message, print_all=shows_all) as problems,
    ):
        _prepare_processes(catalog, folder)
        observer = RunProgress(display, "reading", folder.count)
        with failures.track("publish"), problems.step("publish"):
            outcome = publisher.run(datetime.now(UTC), read_all=force, accept=accept, observer=observer)
            _report(outcome, settings, problems)
        if not no_export:
            with problems.step(str(target)):
                with failures.track("export"):
                    headers = host_files.ObjectHeaders(settings.site_model, settings.feeds.aliases)
                    tree = export.open_target(target, headers)
                    backlog = PurgeBacklog(settings, catalog, failures)
                    progress = _ExportProgress(display, problems, "writing" if is_folder else "uploading")
                    with Exporter(settings, catalog, tree, backlog, force=force, observer=progress) as exporter:
                        if not accept:
                            exporter.require_catalog_with_ids()
                        try:
                            exported = exporter.run()
                        except CatalogDamaged as damage:  # damaged pages that only the export has read
                            observer.on_recovered(damage, catalog.recover())
                            outcome = publisher.run(datetime.now(UTC), accept=accept, observer=observer)
                            exported = exporter.run()
                display.begin("purging")
                purge_error = backlog.purge([*exported.written, *exported.removed])
                if purge_error:
                    problems.add(purge_error, "export.purge")  # its text contains the number of files
    if shows_all and not context.quiet:
        seconds = time.monotonic() - context.started_at
        verb = "written" if is_folder else "uploaded"
        print_message(_summary(outcome, None if no_export else exported, verb, seconds))
    return EXIT_INCOMPLETE if purge_error or outcome.rejected else 0


class _ExportProgress(ExportObserver):
    """Shows the steps of an export, and prints its problems."""

    def __init__(self, display: ProgressDisplay, problems: ProblemReport, label: str) -> None:
        self._display = display
        self._problems = problems
        self._label = label

    def on_compared(self, files: int) -> None:
        if not files:
            self._display.begin("comparing", "files")
        self._display.done = files

    def on_written(self, files: int, total: int) -> None:
        if files == 1:
            self._display.begin(self._label, "files", total)
        self._display.done = files

    def on_warning(self, message: str) -> None:
        self._problems.add(message)


def _prepare_processes(catalog: Catalog, folder: Folder) -> None:
    """Start to import what worker processes need, if there are enough new articles to use them."""
    with suppress(CatalogDamaged), catalog.read_transaction() as reader:  # the run finds the damage too, and recovers
        needed = MAX_INLINE_FILES + 1
        if not reader.has_articles() and cpu_count() > 1 and folder.count(limit=needed) >= needed:
            preload("feeds.publish.load")


def _parse_target(output: str) -> Path | str:
    try:
        return export_path(output)
    except ValueError as error:
        raise UsageError(f"--output: {error}") from None


def _report(outcome: Outcome, settings: config.Config, problems: ProblemReport) -> None:
    for rejected in outcome.rejected:
        problems.add(rejected_line(rejected, settings))
    if more := outcome.rejected_count - len(outcome.rejected):
        problems.add(f"{plural(more, 'more article')} rejected; `feeds status` lists them")
    for line in warning_lines(outcome, settings):
        problems.add(line)


def _summary(outcome: Outcome, exported: ExportResult | None, verb: str, seconds: float) -> str:
    """Return the last line: what was published, read, written and removed, and the time that all of it took.

    `verb` is what was done with exported files: "written" or "uploaded".
    """
    changes = [f"{outcome.files_read:,} read"] if outcome.files_read else []
    if exported is None and outcome.changed:
        changes.append(f"{plural(len(outcome.changed), 'feed')} changed")
    if exported and exported.written:
        changes.append(f"{plural(len(exported.written), 'file')} {verb}")
    if exported and exported.removed:
        changes.append(f"{len(exported.removed):,} removed")
    return f"{outcome_summary(outcome)}; {', '.join(changes) or 'nothing changed'}; {duration(seconds)}"
