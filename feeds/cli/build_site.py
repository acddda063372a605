"""The complete build: one publish run and the export of static files."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from feeds import config, export
from feeds.catalog import Catalog, CatalogReader, Failures
from feeds.cli.common import (
    EXIT_INCOMPLETE,
    CommandContext,
    advice,
    articles_summary,
    create_publisher,
    duration,
    open_catalog,
    plural,
    print_message,
    rejected_line,
    warn_of_unused_keys,
    warning_lines,
)
from feeds.cli.problems import ProblemReport
from feeds.cli.progress import ProgressDisplay, RunProgress
from feeds.config.values import export_path
from feeds.core.errors import CatalogDamaged, CatalogError, UsageError
from feeds.core.text import escape_unprintable
from feeds.export import host_files
from feeds.export.exporter import Exporter, ExportResult
from feeds.export.observer import ExportObserver
from feeds.export.purge_backlog import PurgeBacklog
from feeds.last_build import Inputs, LastBuild, end_of_validity, export_digest, folder_digest, look_digest
from feeds.publish.outcome import Outcome
from feeds.render.sitemaps import NEWS_AGE
from feeds.stats.housekeeping import StatsHousekeeping

_MAX_CHECKED = 100  # articles whose links are checked after a build


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
        inputs: the inputs of this build, for its record; None: don't record it.
        output: the folder or object store to write to; None: as configured.
        force: whether to read all articles and write all files again, even over foreign files.
        accept: whether to publish changes that the republish guard would stop.
        no_export: whether to write no static files.
        wait: seconds to wait for the end of another run.
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
    exported, purge_error, has_template_problems = ExportResult([], [], []), "", False
    with (
        catalog.lock(wait),
        ProgressDisplay(quiet=context.quiet) as display,
        ProblemReport(catalog, display.print_message, print_all=shows_all) as problems,
    ):
        now = datetime.now(UTC)
        recorder = _Recorder(settings, inputs, folder.root, None if no_export else target)
        observer = RunProgress(display, "reading", folder.count)
        with failures.track("publish"), problems.step("publish"):
            warnings = [f"warning: {context.config_file}: {message}" for message in advice(settings)]
            for warning in warnings:
                problems.add(warning)
            outcome = publisher.run(now, read_all=force, accept=accept, observer=observer)
            _report(outcome, settings, problems)
        publish_problems = problems.count
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
                has_template_problems = progress.has_template_problems
                display.begin("purging")
                purge_error = backlog.purge([*exported.written, *exported.removed])
                if purge_error:
                    problems.add(purge_error, "export.purge")  # its text contains the number of files
        notes = _notes(exported, catalog, settings) if shows_all else []
        # after a failure of the export, the next build must be complete, even if nothing has changed
        if problems.count == publish_problems and not outcome.being_written:
            recorder.record(catalog, now, outcome, problems.count - len(warnings), [*warnings, *notes])
    if shows_all and not context.quiet:
        seconds = time.monotonic() - context.started_at
        for line in (*notes, _summary(outcome, None if no_export else exported, target, seconds)):
            print_message(line)
    return EXIT_INCOMPLETE if purge_error or has_template_problems or outcome.rejected else 0


def _notes(exported: ExportResult, catalog: Catalog, settings: config.Config) -> list[str]:
    """Return the lines with the numbers of links to articles, and of linked pictures, that are not published."""
    return [*_dead_links(catalog, settings), *_missing_pictures(exported.missing_pictures, settings)]


def _dead_links(catalog: Catalog, settings: config.Config) -> list[str]:
    """Return a line with the number of links to articles that are not published; none if there are none.

    The catalog knows which articles may have such links. A link may be in code, so their texts are checked.
    """
    if "relative-link" in settings.check.ignore:
        return []
    with catalog.read_transaction() as reader:
        records = reader.with_unresolved_links(_MAX_CHECKED + 1)
    if not records:
        return []
    from feeds.core.lint import count_dead_links  # few builds have such articles

    links = sum(
        count_dead_links(record.article, record.links, settings.site_model) for record in records[:_MAX_CHECKED]
    )
    more = "at least " if len(records) > _MAX_CHECKED else ""
    verb = "leads" if links == 1 else "lead"
    return [f"{more}{plural(links, 'link')} {verb} to no published article; feeds check names them"] if links else []


def _missing_pictures(missing: list[str], settings: config.Config) -> list[str]:
    """Return a line with the number of linked pictures that do not exist, and the first; none if there are none."""
    if not missing or "missing-image" in settings.check.ignore:
        return []
    first = escape_unprintable(f"{settings.content.path}/{missing[0]}")
    found = "does not exist:" if len(missing) == 1 else "do not exist, such as"
    return [f"{plural(len(missing), 'linked picture')} {found} {first}; feeds check names the articles"]


class _ExportProgress(ExportObserver):
    """Shows the steps of an export, and prints its problems."""

    def __init__(self, display: ProgressDisplay, problems: ProblemReport, label: str) -> None:
        self._display = display
        self._problems = problems
        self._label = label
        self.has_template_problems = False

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

    def on_template_problem(self, problem: str) -> None:
        self.has_template_problems = True
        self._problems.add(f"{problem}; the built-in page is written instead")


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


def _shown_folder(folder: Path) -> str:
    """Return the path of a folder, relative to the current one if it is below it, with a slash at its end."""
    with suppress(OSError, ValueError):  # the current folder was deleted; a folder elsewhere
        folder = folder.relative_to(Path.cwd())
    return f"{folder}/"


def _summary(outcome: Outcome, exported: ExportResult | None, target: Path | str, seconds: float) -> str:
    """Return the last line: the numbers of articles and of read, written and removed files, and the total time."""
    written = f"written to {_shown_folder(target)}" if isinstance(target, Path) else f"uploaded to {target}"
    changes = [f"{outcome.files_read:,} read"] if outcome.files_read else []
    if exported is None and outcome.changed:
        changes.append(f"{plural(len(outcome.changed), 'feed')} changed")
    if exported and exported.written:
        changes.append(f"{plural(len(exported.written), 'file')} {written}")
    if exported and exported.removed:
        changes.append(f"{len(exported.removed):,} removed")
    articles = articles_summary(outcome.articles, outcome.rejected_count)
    return f"{articles}; {', '.join(changes) or 'nothing changed'}; {duration(seconds)}"


class _Recorder:
    """Records a build in the catalog, so that the next one sees whether anything has changed."""

    def __init__(
        self, settings: config.Config, inputs: Inputs | None, content: Path, export: Path | str | None
    ) -> None:
        """Read the content folder before the build, so that later changes differ from the record.

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
        self._has_news = settings.site.news_sitemap
        self._content_digest = _digest(folder_digest, content) if self._inputs else None
        folders = [folder for folder in (settings.templates_folder, settings.static_folder) if folder]
        self._look = {str(folder): _digest(look_digest, folder) for folder in folders} if self._inputs else {}

    def record(self, catalog: Catalog, now: datetime, outcome: Outcome, problems: int, warnings: list[str]) -> None:
        """Record the build that began at `now`. Do nothing if the next one could not rely on the record.

        `problems` is the number of problems besides the `warnings` about the configuration.
        """
        export_files = _digest(export_digest, Path(self._export)) if self._export else ""
        look = {folder: digest for folder, digest in self._look.items() if digest is not None}
        if not self._inputs or not self._content_digest or export_files is None or look != self._look:
            return
        with suppress(CatalogError), catalog.write_transaction() as writer:
            if problems and writer.has_unread_files():
                return
            record = LastBuild(
                inputs=self._inputs,
                content=str(self._content),
                content_digest=self._content_digest,
                look=look,
                export=str(self._export or ""),
                export_digest=export_files,
                at=now.timestamp(),
                until=end_of_validity(now, self._next_change(writer, now)),
                articles=outcome.articles,
                rejected=outcome.rejected_count,
                problems=problems,
                advice=warnings,
            )
            writer.state.last_build = record.to_json()

    def _next_change(self, catalog: CatalogReader, now: datetime) -> datetime | None:
        """Return when the published content changes next without a change of a file; None if it does not."""
        moments = [catalog.next_change()]
        if self._has_news:
            oldest = catalog.first_entry_since("", now - NEWS_AGE)
            moments.append(oldest + NEWS_AGE if oldest else None)
        return min((moment for moment in moments if moment), default=None)


def _digest(digest: Callable[[Path], str | None], folder: Path) -> str | None:
    """Return the digest of a folder; None if a part of it can't be read."""
    with suppress(OSError):
        return digest(folder)
    return None
