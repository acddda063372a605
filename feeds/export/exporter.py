"""Exports once: writes the files that differ from the last export, and removes those that are no longer published.

`PurgeBacklog` purges the caches in front of the export afterwards.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Self, TypeVar

from feeds import config
from feeds.catalog import Catalog
from feeds.core.errors import GuardStopped
from feeds.export.observer import ExportObserver
from feeds.export.purge_backlog import PurgeBacklog
from feeds.export.site_pages import ExportFile
from feeds.export.target import ExportTarget
from feeds.export.writers import ExportPool, WriteTask
from feeds.render import DocumentPath

T = TypeVar("T")

_FILES_PER_REPORT = 100  # that are compared between two calls of the observer


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The paths of the files that an export has written and removed, and of pictures that do not exist.

    Attributes:
        written: paths on the site.
        removed: paths on the site.
        missing_pictures: paths below the content folder of pictures to which articles link.
    """

    written: list[str]
    removed: list[str]
    missing_pictures: list[str]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The files of an export.

    Attributes:
        tasks: documents to write.
        files: other files to write.
        owned: the paths of all files of the export once it is finished.
        changed: the paths of the files to write.
    """

    tasks: list[WriteTask]
    files: list[ExportFile]
    owned: list[str]
    changed: list[str]


class Exporter:
    """Exports a catalog to a folder or an object store. Use it in a `with` statement, which ends its processes."""

    def __init__(
        self,
        settings: config.Config,
        catalog: Catalog,
        target: ExportTarget,
        backlog: PurgeBacklog,
        *,
        force: bool,
        observer: ExportObserver,
    ) -> None:
        """Prepare an export.

        Args:
            settings: the configuration.
            catalog: the catalog, which the caller has locked.
            target: the folder or the object store.
            backlog: records the paths to purge before anything is written.
            force: whether to overwrite foreign files, and to write the same bytes again.
            observer: receives the events of the export.
        """
        self._catalog = catalog
        self._target = target
        self._backlog = backlog
        self._force = force
        self._observer = observer
        self._compared = 0  # files so far
        self._template_problems = set[str]()
        self._pool = ExportPool(settings, catalog, target, force=force)
        for problem in self._pool.writer.template_problems:
            self._report_template(str(problem))

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.__exit__(*error)

    def run(self) -> ExportResult:
        """Export once.

        Raises:
            CatalogLocked: the lock was lost, so that another process may have written newer files.
            FeedsError: a file can't be written.
        """
        plan = self._plan()
        if plan.tasks or plan.files:
            self._record_plan(plan)
        written = self._write(plan)
        self._catalog.require_lock()
        return ExportResult(written, self._target.finish_export(plan.owned), self._pool.writer.missing_pictures)

    def require_catalog_with_ids(self) -> None:
        """Raise `GuardStopped` if the export has entries, but the catalog never had an article.

        That happens if the volumes of the catalog and the content folder are not mounted.
        """
        with self._catalog.read_transaction() as reader:
            if reader.has_ids():
                return
        if re.search(rb'"items":\s*\[\s*\{', self._target.read_exported("/feed.json")):
            raise GuardStopped(
                f"nothing was written: {self._target.name} has entries, but the catalog is new and has no article. "
                "Check content.path and `state`. To remove the entries, run feeds build --accept"
            )

    def _plan(self) -> _Plan:
        """Compare the published content with the manifest of the target."""
        writer, target = self._pool.writer, self._target
        self._compared = 0
        digests = dict(self._counted(writer.list_documents()))
        others = list(self._counted(writer.list_other_files()))
        if writer.warning:
            self._observer.on_warning(writer.warning)
        paths = self._with_aliases(list(digests))
        paths_by_document = {
            document_path: [encoded for path in document_paths for encoded in writer.encoded_paths(path)]
            for document_path, document_paths in paths.items()
        }
        tasks = [
            WriteTask(document_path, digest, paths[document_path])
            for document_path, digest in digests.items()
            if self._differs(paths_by_document[document_path], digest)
        ]
        owned = [path for document_paths in paths_by_document.values() for path in document_paths]
        owned += target.owned_below(writer.unreadable)
        changed = [path for task in tasks for path in paths_by_document[task.document_path]]
        files = []
        for file in others:
            file_paths = writer.paths_of(file)
            owned += file_paths
            if self._differs(file_paths, file.digest):
                files.append(file)
                changed += file_paths
        return _Plan(tasks, files, owned, changed)

    def _counted(self, listed: Iterable[T]) -> Iterator[T]:
        """Yield the listed files, and report their number so far."""
        for item in listed:
            if not self._compared % _FILES_PER_REPORT:
                self._observer.on_compared(self._compared)
            self._compared += 1
            yield item

    def _with_aliases(self, document_paths: list[DocumentPath]) -> dict[DocumentPath, list[str]]:
        """Return the paths of each document: its own, and those of its aliases."""
        by_path = {document_path.path: document_path for document_path in document_paths}
        paths = {document_path: [document_path.path] for document_path in document_paths}
        aliases = self._pool.writer.alias_files(by_path)
        for alias, path in aliases.exported.items():
            paths[by_path[path]].append(alias)
        for alias in aliases.occupied:
            self._observer.on_warning(
                f"feeds.aliases: {alias} is not exported: a page, a file or a folder is at its path"
            )
        return paths

    def _differs(self, paths: list[str], digest: str) -> bool:
        return self._force or not all(self._target.is_current(path, digest) for path in paths)

    def _record_plan(self, plan: _Plan) -> None:
        """Record which files will change, in the backlog and in the manifest, in case the export is interrupted."""
        self._backlog.remember([*plan.changed, *self._target.stale_files(plan.owned)])
        self._target.begin_export(plan.owned, plan.changed)

    def _write(self, plan: _Plan) -> list[str]:
        """Write the files of a plan; return the paths of those whose bytes changed."""
        written = []
        with closing(self._pool.write(plan.tasks, plan.files)) as results:  # it removes unfinished files
            for number, result in enumerate(results, 1):
                self._catalog.require_lock()
                self._observer.on_written(number, len(plan.changed))
                if result.template_problem:
                    self._report_template(result.template_problem)
                    continue
                if result.entry is None:
                    self._observer.on_warning(result.problem)
                    continue
                self._target.record(result.path, result.entry)
                if result.is_changed:
                    written.append(result.path)
        return written

    def _report_template(self, problem: str) -> None:
        if problem not in self._template_problems:  # one mistake may affect all pages
            self._template_problems.add(problem)
            self._observer.on_template_problem(problem)
