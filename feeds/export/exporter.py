"""Exports once: writes the files that differ from the last export, and removes those that are no longer published.

`PurgeBacklog` purges the caches in front of the export afterwards.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from feeds import config
from feeds.catalog import Catalog
from feeds.core.errors import GuardStopped
from feeds.export.purge_backlog import PurgeBacklog
from feeds.export.site_pages import ExportFile
from feeds.export.target import ExportTarget
from feeds.export.writers import ExportPool, WriteTask
from feeds.render import DocumentPath


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The paths of the files that an export has written and removed."""

    written: list[str]
    removed: list[str]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The files of an export.

    Attributes:
        tasks: documents to write.
        files: other files to write.
        paths_by_document: the paths at which each document is exported.
        owned: the paths of all files of the export once it is finished.
    """

    tasks: list[WriteTask]
    files: list[ExportFile]
    paths_by_document: dict[DocumentPath, list[str]]
    owned: list[str]


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
        on_warning: Callable[[str], None],
    ) -> None:
        """Prepare an export.

        Args:
            settings: the configuration.
            catalog: the catalog, which the caller has locked.
            target: the folder or the object store.
            backlog: records the paths to purge before anything is written.
            force: whether to overwrite foreign files, and to write the same bytes again.
            on_warning: called with a message for each file that is not exported.
        """
        self._catalog = catalog
        self._target = target
        self._backlog = backlog
        self._force = force
        self._on_warning = on_warning
        self._pool = ExportPool(settings, catalog, target, force=force)

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
        return ExportResult(written, self._target.finish_export(plan.owned))

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
        digests = dict(writer.list_documents())
        others = list(writer.list_other_files())
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
        files = []
        for file in others:
            file_paths = writer.paths_of(file)
            owned += file_paths
            if self._differs(file_paths, file.digest):
                files.append(file)
        return _Plan(tasks, files, paths_by_document, owned)

    def _with_aliases(self, document_paths: list[DocumentPath]) -> dict[DocumentPath, list[str]]:
        """Return the paths of each document: its own, and those of its aliases."""
        by_path = {document_path.path: document_path for document_path in document_paths}
        paths = {document_path: [document_path.path] for document_path in document_paths}
        aliases = self._pool.writer.alias_files(by_path)
        for alias, path in aliases.exported.items():
            paths[by_path[path]].append(alias)
        for alias in aliases.occupied:
            self._on_warning(f"feeds.aliases: {alias} is not exported: a page, a file or a folder is at its path")
        return paths

    def _differs(self, paths: list[str], digest: str) -> bool:
        return self._force or not all(self._target.is_current(path, digest) for path in paths)

    def _record_plan(self, plan: _Plan) -> None:
        """Record which files will change, in the backlog and in the manifest, in case the export is interrupted."""
        changed = [path for task in plan.tasks for path in plan.paths_by_document[task.document_path]]
        changed += [path for file in plan.files for path in self._pool.writer.paths_of(file)]
        self._backlog.remember([*changed, *self._target.stale_files(plan.owned)])
        self._target.begin_export(plan.owned, changed)

    def _write(self, plan: _Plan) -> list[str]:
        """Write the files of a plan; return the paths of those whose bytes changed."""
        written = []
        for path, entry, is_changed in self._pool.write(plan.tasks, plan.files):
            self._catalog.require_lock()
            if entry is None:
                self._on_warning(
                    f"{self._target.name}{path}: not written, because the existing file is not from feeds "
                    "(--force overwrites it)"
                )
                continue
            self._target.record(path, entry)
            if is_changed:
                written.append(path)
        return written
