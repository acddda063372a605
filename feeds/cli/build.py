"""`feeds build`: one publish run and the export of static files, for cron and CI."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from feeds import config, export
from feeds.catalog import Catalog, Failures
from feeds.cli.common import (
    EXIT_INCOMPLETE,
    BuildObserver,
    CommandContext,
    command,
    create_publisher,
    open_catalog,
    outcome_summary,
    print_message,
    progress_bar,
    rejected_line,
    report_recovery,
    warn_of_unused_keys,
    warning_lines,
)
from feeds.config.values import export_path
from feeds.content import Folder
from feeds.core.errors import CatalogDamaged, UsageError
from feeds.export import host_files
from feeds.export.exporter import Exporter, ExportResult
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
    """Publish once and write the feeds as static files. Print nothing if there is no problem."""
    settings = context.settings
    target = _parse_target(output) if output else settings.export_target

    if context.verbose:
        warn_of_unused_keys(settings)
    catalog = open_catalog(settings)
    failures = Failures(catalog)
    publisher = create_publisher(settings, catalog)
    folder = publisher.folder
    StatsHousekeeping(catalog, settings.stats.keep).run()
    with catalog.lock(wait):
        _prepare_processes(catalog, folder)
        now, purge_error = datetime.now(UTC), ""
        exported = ExportResult([], [])

        with failures.track("publish"), progress_bar("reading", folder, quiet=context.quiet) as progress:
            outcome = publisher.run(now, read_all=force, accept=accept, observer=BuildObserver(progress))
        if not no_export:
            with failures.track("export"):
                tree = export.open_target(target, host_files.ObjectHeaders(settings.site_model, settings.feeds.aliases))
                backlog = PurgeBacklog(settings, catalog, failures)
                with Exporter(settings, catalog, tree, backlog, force=force, on_warning=print_message) as exporter:
                    if not accept:
                        exporter.require_catalog_with_ids()
                    try:
                        exported = exporter.run()
                    except CatalogDamaged as damage:  # damaged pages that only the export has read
                        report_recovery(damage, catalog.recover())
                        outcome = publisher.run(datetime.now(UTC), accept=accept)
                        exported = exporter.run()
            purge_error = backlog.purge([*exported.written, *exported.removed])
            if purge_error:
                print_message(purge_error)
    _report(outcome, settings)
    if context.verbose and not no_export:
        files = f"{len(exported.written)} files written, {len(exported.removed)} removed"
        print_message(f"{outcome_summary(outcome)}; {files}, in {outcome.seconds:.2f} s")
    return EXIT_INCOMPLETE if purge_error or outcome.rejected else 0


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


def _report(outcome: Outcome, settings: config.Config) -> None:
    for rejected in outcome.rejected:
        print_message(rejected_line(rejected, settings))
    for line in warning_lines(outcome, settings):
        print_message(line)
