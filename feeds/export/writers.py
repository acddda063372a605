"""Writes the files of an export: in this process, or in one process per core if there are many files.

Several threads write to an object store, and one thread to a folder. Where processes can't be forked, each new process
takes half a second of CPU before it writes anything, and renders articles that others render too.

Files are written after the files that they list, so that an interrupted export lists no missing files: assets, the
pages of articles, archives, the live feeds, the lists of all feeds, and sitemaps. The page of a feed is written after
its documents, from the same content.
"""

from collections.abc import Collection, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from feeds import config
from feeds.catalog import Catalog
from feeds.compression import encode
from feeds.core.errors import FeedsError
from feeds.core.paths import FeedPagePath, feed_of_page
from feeds.core.text import digest_of
from feeds.export import HEAD_BYTES, ExportTarget, ManifestEntry
from feeds.export.site_pages import AliasFiles, ExportFile, SitePages
from feeds.pages import PageBody
from feeds.pages.own_templates import TemplateProblem
from feeds.parallel import can_fork, cpu_count, end_pool, map_in_threads, process_pool
from feeds.render import BulkRenderer, DocumentPath
from feeds.render.bulk import ListedDocument
from feeds.render.shared_entries import SharedEntries

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

T = TypeVar("T")

_MAX_FILES_WITHOUT_FORK = 100  # starting two processes takes about 20 ms, and they use more CPU together
_MAX_FILES_WITHOUT_POOL = 5_000  # where no process can be forked
_FEEDS_PER_TASK = 16  # in a process of the pool
_FEEDS_READ_TOGETHER = 16
_FILES_PER_TASK = 100
_BATCHES_PER_PROCESS = 4  # at least, because some batches take longer than others
_CACHE_BYTES, _POOL_CACHE_BYTES = 96 << 20, 64 << 20  # of entries: in this process, in each process of the pool
_FEEDS_PER_SAVE = 100  # feeds whose document versions are saved to the catalog together
_KINDS = (
    {"asset", "host", "file"},
    {"article", "moved"},
    {"opml", "sitemap", "error"},
)  # of files other than those of feeds, in the order of writing
_SITE_PAGE = FeedPagePath("", 0)


@dataclass(frozen=True, slots=True)
class WriteTask:
    """A document to write, the digest of its content, and the paths that it is written to: its own and its aliases."""

    document_path: DocumentPath
    digest: str
    paths: list[str]


@dataclass(frozen=True, slots=True)
class FeedTask:
    """The documents of a feed, or of one of its archives, to write, and the page, if it must be written too."""

    feed: str
    archive: int
    documents: list[WriteTask]
    page: ExportFile | None


class WriteResult(NamedTuple):
    """A path that was to be written; `entry` is None if it could not be."""

    path: str
    entry: ManifestEntry | None
    is_changed: bool  # whether the bytes were written; False: they were the same already
    problem: str = ""  # why it could not be written
    template_problem: str = ""  # because of which the built-in page was written; the path is "" then


class DocumentWriter:
    """Renders the files of an export and writes them."""

    def __init__(
        self, settings: config.Config, catalog: Catalog, target: ExportTarget, *, max_bytes: int, force: bool
    ) -> None:
        """Prepare to write.

        Args:
            settings: the configuration.
            catalog: the catalog.
            target: the folder or the object store.
            max_bytes: bytes of entries to cache, and bytes of entries in the syntax of a format.
            force: whether to overwrite foreign files, and to write the same bytes again.
        """
        self.settings = settings
        self.target = target
        self.force = force
        self._documents = BulkRenderer(catalog, settings.site_model, max_bytes)
        self._files = SitePages(settings, self._documents, self._is_foreign)

    def prepare_for_fork(self) -> None:
        """Import and compile what every process needs. Share rendered entries with the processes that are forked."""
        self._documents.import_formats()
        self._files.compile_templates()
        if entries := SharedEntries.create():
            self._documents.share_entries(entries)

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield all documents of the export."""
        return self._documents.list_documents(has_archives=self._files.has_archives)

    def list_other_files(self) -> Iterator[ExportFile]:
        """Yield all other files of the export."""
        return self._files.list_files()

    @property
    def unreadable(self) -> list[str]:
        """The paths of files, and of folders with "/", that `list_other_files` could not read."""
        return self._files.unreadable

    @property
    def missing_pictures(self) -> list[str]:
        """The paths below the content folder of linked pictures that `list_other_files` has not found."""
        return self._files.missing_pictures

    @property
    def warning(self) -> str:
        """The reason why `list_other_files` has omitted static files; "" if it has omitted none."""
        return self._files.warning

    @property
    def template_problems(self) -> list[TemplateProblem]:
        """The problems of the site's own templates that were found when they were read."""
        return self._files.template_problems

    def alias_files(self, documents: Collection[str]) -> AliasFiles:
        """Return which aliases of documents are exported; see `SitePages.alias_files`."""
        return self._files.alias_files(documents)

    def encoded_paths(self, path: str) -> list[str]:
        """Return the paths of a document or page and its compressed copies; see `SitePages.encoded_paths`."""
        return self._files.encoded_paths(path)

    def paths_of(self, file: ExportFile) -> list[str]:
        """Return the paths of a file other than a document. Files of articles, such as images, are not compressed."""
        return [file.path] if file.kind in {"file", "host"} else self.encoded_paths(file.path)

    def write_feeds(self, feeds: list[FeedTask]) -> Iterator[WriteResult]:
        """Render and write documents and pages of feeds. Yield a result for each path."""
        for batch in _batches(feeds, _FEEDS_PER_SAVE):
            with self.target.flushed(), self._reading():
                # several threads would wait for the last feed of each part
                for tasks in _batches(batch, _FEEDS_READ_TOGETHER if self.target.at_once == 1 else len(batch)):
                    self._documents.read_small_feeds(task.feed for task in tasks if not task.archive)
                    for results in map_in_threads(self.target.at_once, self._write_feed, tasks):
                        yield from results
            self._documents.save_versions()

    def write_files(self, files: list[ExportFile]) -> Iterator[WriteResult]:
        """Render and write other files. Yield a result for each path; the next export writes failed files again."""
        for batch in _batches(files, _FILES_PER_TASK):
            with self.target.flushed(), self._reading():
                self._documents.page_queries.load_articles(file.source for file in batch if file.kind == "article")
                for results in map_in_threads(self.target.at_once, self._write_file, batch):
                    yield from results

    def in_reading_order(self, files: list[ExportFile]) -> list[ExportFile]:
        """Return pages of articles in the order of the site's feed, because each page shows those beside it.

        Pages that lead to them from their former addresses come last.
        """
        queries = self._documents.page_queries
        articles = [file for file in files if file.kind == "article"]
        if len(articles) > 1:
            articles.sort(key=lambda file: queries.position(file.source))
        return articles + [file for file in files if file.kind != "article"]

    def _reading(self) -> AbstractContextManager[None]:
        """Read in one transaction, unless several threads read."""
        return self._documents.reading() if self.target.at_once == 1 else nullcontext()

    def _write_feed(self, task: FeedTask) -> list[WriteResult]:
        content = self._documents.load_feed(task.feed, task.archive)
        by_path = {document.document_path: document for document in task.documents}
        results: list[WriteResult] = []
        rendered = self._documents.render_documents(content, list(by_path), has_archives=self._files.has_archives)
        for document_path, document in rendered:
            for path in by_path[document_path].paths:
                digest = by_path[document_path].digest
                results += self._write_encoded(path, document.body, digest, self.encoded_paths(path))
        if task.page:
            results += self._write_page(task.page, self._files.render_feed_page(content))
        return results

    def _write_file(self, file: ExportFile) -> list[WriteResult]:
        if file.kind == "file":
            return self._copy(file)
        page = self._files.render(file)
        return [] if page is None else self._write_page(file, page)

    def _write_page(self, file: ExportFile, page: PageBody) -> list[WriteResult]:
        """Write a page. If a template has a mistake, the digest makes the next export render the page again."""
        digest = digest_of(file.digest, page.problem) if page.problem else file.digest
        results = self._write_encoded(file.path, page.body, digest, self.paths_of(file))
        if page.problem:
            results.append(WriteResult("", None, is_changed=False, template_problem=page.problem))
        return results

    def _copy(self, file: ExportFile) -> list[WriteResult]:
        source = Path(file.source)
        try:
            with source.open("rb") as stream:
                if self._is_foreign(file.path, stream.read(HEAD_BYTES)):
                    return [self._foreign(file.path)]
            is_changed = self.target.copy(file.path, source, file.digest, force=self.force)
            return [WriteResult(file.path, self.target.entry(file.path), is_changed)]
        except OSError as error:
            problem = f"{source}: can't be read: {error.strerror}; it is not exported"
            return [WriteResult(file.path, None, is_changed=False, problem=problem)]

    def _foreign(self, path: str) -> WriteResult:
        reason = "the existing file is not from feeds (--force overwrites it)"
        problem = f"{self.target.name}{path}: not written, because {reason}"
        return WriteResult(path, None, is_changed=False, problem=problem)

    def _is_foreign(self, path: str, body: bytes) -> bool:
        """Return whether a foreign file, which must not be overwritten, is at a path."""
        return not self.force and self.target.is_foreign(path, body)

    def _write_encoded(self, path: str, body: bytes, digest: str, paths: list[str]) -> list[WriteResult]:
        """Write a file and its compressed copies to `paths`, unless a foreign file is at its path."""
        if self._is_foreign(path, body):
            return [self._foreign(path)]
        results: list[WriteResult] = []
        for encoded_path, coding in zip(paths, ["", *self.settings.export.precompressed], strict=False):
            encoded = encode(body, coding) if coding else body
            is_changed = self.target.write(encoded_path, encoded, digest, coding=coding, force=self.force)
            results.append(WriteResult(encoded_path, self.target.entry(encoded_path), is_changed))
        return results


class ExportPool:
    """Writes the files of an export, with one process per core if there are many. Use it in a `with` statement."""

    def __init__(self, settings: config.Config, catalog: Catalog, target: ExportTarget, *, force: bool) -> None:
        self.writer = DocumentWriter(settings, catalog, target, max_bytes=_CACHE_BYTES, force=force)
        self._catalog = catalog
        self._arguments = settings, target, force
        self._processes: ProcessPoolExecutor | None = None

    def start(self, files: int) -> "ProcessPoolExecutor | None":
        """Start the processes and return them; None if this process alone writes that number of files faster."""
        if cpu_count() == 1:
            return None
        if files > _MAX_FILES_WITHOUT_FORK:
            self._catalog.prepare_for_fork()
            if can_fork():
                self.writer.prepare_for_fork()
                with suppress(OSError):  # too many processes, or no memory for another one
                    self._processes = process_pool(_continue_as_worker, self.writer, fork=True)
                return self._processes
        if files > _MAX_FILES_WITHOUT_POOL:
            self._processes = process_pool(_start_worker, *self._arguments)
        return self._processes

    def write(self, tasks: list[WriteTask], files: list[ExportFile]) -> Generator[WriteResult, None, None]:
        """Render and write documents and other files in the order of links. Raise `FeedsError` if that fails."""
        assets, articles, lists = [[file for file in files if file.kind in kinds] for kinds in _KINDS]
        articles = self.writer.in_reading_order(articles)
        custom = self.writer.settings.site_model.feeds
        pages = {feed_of_page(file.source, custom): file for file in files if file.kind in {"feed", "archive"}}
        if site_page := pages.pop(_SITE_PAGE, None):  # it lists all feeds
            lists.append(site_page)
        feeds = _by_feed(tasks, pages)
        steps: list[tuple[list[ExportFile], list[FeedTask]]] = [
            (assets, []),
            (articles, []),
            ([], [feed for feed in feeds if feed.archive]),
            (lists, [feed for feed in feeds if not feed.archive]),
        ]
        writer = self.writer
        self._end()  # processes of an earlier export have read another state of the catalog
        processes = self.start(len(tasks) + len(files))
        if processes is None:
            for other_files, feed_tasks in steps:
                yield from writer.write_feeds(feed_tasks)
                yield from writer.write_files(other_files)
            return
        from concurrent.futures import BrokenExecutor

        try:
            for other_files, feed_tasks in steps:
                yield from chain.from_iterable(processes.map(_write_feeds, _share(feed_tasks, _FEEDS_PER_TASK)))
                yield from chain.from_iterable(processes.map(_write_files, _share(other_files, _FILES_PER_TASK)))
        except BrokenExecutor:
            raise FeedsError(
                f"{self.writer.target.name}: a process that wrote files was killed, perhaps for lack of memory; "
                "run feeds build again to write the rest"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()  # no process may write after another export could have begun

    def _end(self) -> None:
        processes, self._processes = self._processes, None
        if processes:
            end_pool(processes)


def _by_feed(tasks: list[WriteTask], pages: dict[FeedPagePath | None, ExportFile]) -> list[FeedTask]:
    """Return the documents and pages to write, grouped by feed and archive."""
    documents: dict[FeedPagePath, list[WriteTask]] = {page: [] for page in pages if page}
    for task in tasks:
        documents.setdefault(FeedPagePath(task.document_path.feed, task.document_path.archive), []).append(task)
    return [FeedTask(*key, feed_documents, pages.get(key)) for key, feed_documents in documents.items()]


def _batches(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _share(items: list[T], max_size: int) -> Iterator[list[T]]:
    """Yield batches of at most `max_size` items, and small enough that each process of a pool gets several."""
    return _batches(items, max(1, min(max_size, len(items) // (_BATCHES_PER_PROCESS * cpu_count()))))


_WRITER: DocumentWriter  # of a process of the pool


def _start_worker(settings: config.Config, target: ExportTarget, force: bool) -> None:
    global _WRITER  # noqa: PLW0603  # the functions that a pool calls have no other state
    _WRITER = DocumentWriter(settings, Catalog(settings.catalog), target, max_bytes=_POOL_CACHE_BYTES, force=force)


def _continue_as_worker(writer: DocumentWriter) -> None:
    global _WRITER  # noqa: PLW0603
    _WRITER = writer


def _write_feeds(feeds: list[FeedTask]) -> list[WriteResult]:
    return list(_WRITER.write_feeds(feeds))


def _write_files(files: list[ExportFile]) -> list[WriteResult]:
    return list(_WRITER.write_files(files))
