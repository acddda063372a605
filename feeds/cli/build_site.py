"""The complete build: one publish run and the export of static files."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from feeds import config, export
from feeds.catalog import Catalog, Failures
from feeds.cli.common import (
    EXIT_INCOMPLETE,
    BuildObserver,
    CommandContext,
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
from feeds.core.errors import CatalogDamaged, CatalogError, UsageError
from feeds.export import host_files
from feeds.export.exporter import Exporter, ExportResult
from feeds.export.purge_backlog import PurgeBacklog
from feeds.last_build import Inputs, LastBuild, end_of_validity, export_digest, folder_digest
from feeds.publish.outcome import Outcome
from feeds.stats.housekeeping import StatsHousekeeping


def build_site(
    context: CommandContext,
    inputs: Inputs | None,
    *,
    output: str | None,
    force: bool,
    accept: bool,
    no_export: bool,
    wait: float,
) -> int:
    """Publish once, write the static files, and return the exit code.

    Args:
        context: the configuration and the options that all commands have.
        inputs: what a record of this build begins with; None: don't record it.
        output: the folder or object store to write to; None: as configured.
        force: whether to read all articles and write all files again, even over foreign files.
        accept: whether to publish changes that the republish guard would stop.
        no_export: whether to write no static files.
        wait: seconds to wait for the end of another run.
    """
    settings = context.settings
    problems = list[str]()

    def report(problem: str) -> None:
        problems.append(problem)
        print_message(problem)

    target = _parse_target(output) if output else settings.export_target

    if context.verbose:
        warn_of_unused_keys(settings)
    catalog = open_catalog(settings)
    failures = Failures(catalog)
    publisher = create_publisher(settings, catalog)
    folder = publisher.folder
    StatsHousekeeping(catalog, settings.stats.keep).run()
    with catalog.lock(wait):
        recorder = _Recorder(settings, inputs, folder.root, None if no_export else target)
        now, purge_error = datetime.now(UTC), ""
        exported = ExportResult([], [])

        with failures.track("publish"), progress_bar("reading", folder, quiet=context.quiet) as progress:
            outcome = publisher.run(now, read_all=force, accept=accept, observer=BuildObserver(progress))
        if not no_export:
            with failures.track("export"):
                tree = export.open_target(target, host_files.ObjectHeaders(settings.site_model, settings.feeds.aliases))
                backlog = PurgeBacklog(settings, catalog, failures)
                with Exporter(settings, catalog, tree, backlog, force=force, on_warning=report) as exporter:
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
                report(purge_error)
        for problem in _problems(outcome, settings):
            report(problem)
        if not problems and not outcome.being_written:
            recorder.record(catalog, now)
    if context.verbose and not no_export:
        files = f"{len(exported.written)} files written, {len(exported.removed)} removed"
        print_message(f"{outcome_summary(outcome)}; {files}, in {outcome.seconds:.2f} s")
    return EXIT_INCOMPLETE if purge_error or outcome.rejected else 0


def _parse_target(output: str) -> Path | str:
    try:
        return export_path(output)
    except ValueError as error:
        raise UsageError(f"--output: {error}") from None


def _problems(outcome: Outcome, settings: config.Config) -> list[str]:
    """Return the lines that report a run's rejected articles and warnings."""
    return [*(rejected_line(rejected, settings) for rejected in outcome.rejected), *warning_lines(outcome, settings)]


class _Recorder:
    """Records a build in the catalog, so that the next one sees whether anything has changed."""

    def __init__(
        self, settings: config.Config, inputs: Inputs | None, content: Path, export: Path | str | None
    ) -> None:
        """Read the content folder before the build: what changes later differs from the record.

        Args:
            settings: the configuration.
            inputs: the inputs of the build; None: don't record it.
            content: the content folder.
            export: the folder or object store that the build writes to; None: it exports nothing.
        """
        is_local = isinstance(settings.catalog, Path) and not isinstance(export, str)
        self._inputs = inputs if is_local else None  # asking a server would take as long as a complete build
        self._content = content
        self._export = export
        self._content_digest = _digest(folder_digest, content) if self._inputs else None

    def record(self, catalog: Catalog, now: datetime) -> None:
        """Record the build that began at `now`. Do nothing if the next one could not rely on the record."""
        export_files = _digest(export_digest, Path(self._export)) if self._export else ""
        if not self._inputs or not self._content_digest or export_files is None:
            return
        with suppress(CatalogError), catalog.write_transaction() as writer:
            record = LastBuild(
                inputs=self._inputs,
                content=str(self._content),
                content_digest=self._content_digest,
                export=str(self._export or ""),
                export_digest=export_files,
                at=now.timestamp(),
                until=end_of_validity(now, writer.next_change()),
            )
            writer.state.last_build = record.to_json()


def _digest(digest: Callable[[Path], str | None], folder: Path) -> str | None:
    """Return the digest of a folder; None if a part of it can't be read."""
    with suppress(OSError):
        return digest(folder)
    return None
