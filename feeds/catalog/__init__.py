"""The catalog: the stored state of a site, in SQLite or PostgreSQL. No other package contains SQL.

The catalog has articles with their texts and ids, feeds with their entries, and revisions. One writer commits a
revision; any number of readers read concurrently, and each sees one consistent revision. The catalog stores and queries
data; `publish` makes the decisions.

`Catalog` opens transactions; `transactions` names the module of each subject, with its queries and changes. Tables are
in `schema`, differences between databases in `backend`.
"""

import contextlib
import os
import uuid
import weakref
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from feeds.catalog.articles import (
    IdOwner,
    LiveArticle,
    PendingArticle,
    PublishedState,
    ScheduledArticle,
    StoredArticle,
    UnpublishedCounts,
    UnpublishedEntry,
)
from feeds.catalog.backend import RUN, WRITE_TIMEOUT_S, Database, LeaderLock
from feeds.catalog.document_versions import DocumentVersion
from feeds.catalog.encoding import from_microseconds, groups_by_path, names_by_feed, to_microseconds
from feeds.catalog.entries import MAX_SMALL_FEED, EntryKey, EntryPosition, EntryRecord, FeedContents
from feeds.catalog.failures import Failure, Failures, decode, with_failure
from feeds.catalog.files import FileStamp, KnownFile, NewStamp, RejectedArticle
from feeds.catalog.links import LinkingArticle
from feeds.catalog.memberships import NewEntry, NewMembership, StoredMembership
from feeds.catalog.moved_pages import MovedPage
from feeds.catalog.pages import Neighbour, Neighbours, PageClaim, PageInFeed, PendingPage, PublishedPage
from feeds.catalog.revisions import CurrentRevision
from feeds.catalog.schema import METADATA, SCHEMA
from feeds.catalog.sitemaps import SitemapPart
from feeds.catalog.staging import (
    AcceptedVersion,
    FileVersion,
    LoadedArticle,
    NewRejections,
    SameText,
    StagedFile,
    StagedId,
)
from feeds.catalog.state import CatalogState, LastRun
from feeds.catalog.stats import DailyCounts, ImportedLog, PollTotals, SourceCounts, StatsReader, StatsWriter
from feeds.catalog.transactions import CatalogReader, CatalogWriter
from feeds.core.errors import CatalogDamaged, CatalogError

__all__ = [
    "MAX_SMALL_FEED",
    "AcceptedVersion",
    "Catalog",
    "CatalogReader",
    "CatalogWriter",
    "CurrentRevision",
    "DailyCounts",
    "DocumentVersion",
    "EntryKey",
    "EntryPosition",
    "EntryRecord",
    "Failure",
    "Failures",
    "FeedContents",
    "FileStamp",
    "FileVersion",
    "IdOwner",
    "ImportedLog",
    "KnownFile",
    "LastRun",
    "LeaderLock",
    "LinkingArticle",
    "LiveArticle",
    "LoadedArticle",
    "MovedPage",
    "Neighbour",
    "Neighbours",
    "NewEntry",
    "NewMembership",
    "NewRejections",
    "NewStamp",
    "PageClaim",
    "PageInFeed",
    "PendingArticle",
    "PendingPage",
    "PollTotals",
    "PublishedPage",
    "PublishedState",
    "RejectedArticle",
    "SameText",
    "ScheduledArticle",
    "SitemapPart",
    "SourceCounts",
    "StagedFile",
    "StagedId",
    "StatsReader",
    "StatsWriter",
    "StoredArticle",
    "StoredMembership",
    "UnpublishedCounts",
    "UnpublishedEntry",
    "from_microseconds",
    "groups_by_path",
    "names_by_feed",
    "to_microseconds",
]


class Catalog:
    """A catalog in a SQLite file, at a postgresql:// URL, or in memory."""

    def __init__(
        self, state: str | Path | None, *, statement_timeout: float | None = None, read_cache_kib: int | None = None
    ) -> None:
        """Open no connection yet. Raise `ConfigError` if the URL is invalid or the database's driver is missing.

        Args:
            state: the path of a file, a postgresql:// URL, or None for a catalog in memory.
            statement_timeout: seconds to wait for a reply of PostgreSQL before raising `CatalogError`; None waits
                forever.
            read_cache_kib: KiB of a SQLite file that each of up to fifteen connections caches; None: 16 MiB.
        """
        self._database = _database(state, statement_timeout, read_cache_kib)
        # a connection must not be used by two processes (sqlite.org/howtocorrupt.html, 2.6)
        # a fork hook can't be removed, so it must not keep the database alive
        forget = weakref.WeakMethod(self._database.forget)
        os.register_at_fork(after_in_child=partial(_forget_connections, forget))
        weakref.finalize(self, self._database.close).atexit = False  # for a caller that does not call `close`

    @property
    def name(self) -> str:
        """The path of the file, or the URL without its password, for messages."""
        return self._database.name

    def create(self) -> None:
        """Create the tables if they are missing, or migrate those of an earlier version.

        Raise `CatalogDamaged` for a file that is not a catalog, and `CatalogError` if it can't be opened.
        """
        self._database.restrict_access()
        if self._schema() == SCHEMA:
            self._database.reserve_failures()
            return
        with self.lock(WRITE_TIMEOUT_S):
            self._database.reserve_failures()
            schema = self._schema()  # another process may have created it
            if schema == SCHEMA:
                return
            if schema is None:
                self._database.create_storage()
            else:
                self._database.prepare_migration(schema)
            with self._database.write_transaction() as connection:
                self._migrate(connection, schema)
            self._database.finish_migration(schema)

    def require_current(self) -> None:
        """Raise `CatalogError` for a catalog of an earlier version, which only commands that write migrate."""
        if self._schema() not in {None, SCHEMA}:
            reason = "created by an earlier version of feeds; run `feeds serve` or `feeds build` to migrate it"
            raise CatalogError(f"{self._database.name}: {reason}")

    @property
    def is_created(self) -> bool:
        """Whether the file exists, or the database has any table."""
        return self._database.is_created

    def recover(self) -> Path | None:
        """Move a damaged catalog aside and create a new one, with the ids and dates that can still be read.

        Return the path of the damaged catalog; None if it no longer exists. Only the process that writes calls this.
        Raise `CatalogError` if this fails. It always fails in PostgreSQL: the owner of the database must repair it.
        """
        if not self.is_created:
            self.create()
            return None
        aside = self._database.move_aside()
        self.create()
        with self.write_transaction() as writer:
            writer.begin_recovery(aside)
        return aside

    def _migrate(self, connection: sa.Connection, schema: int | None) -> None:
        """Create the tables, or migrate those of an earlier version to this one."""
        writer = CatalogWriter(connection, self._database)
        if schema is None:
            METADATA.create_all(connection)
            self._database.create_stats(connection)
            writer.omit_hash_index()
            writer.state.catalog_id = uuid.uuid4().hex
        else:
            for statement in (line for step in range(schema, SCHEMA) for line in self._database.migrations[step]):
                connection.exec_driver_sql(statement)
            writer.state.catalog_id = writer.state.catalog_id or uuid.uuid4().hex
        writer.state.schema_version = SCHEMA

    def copy_to_memory(self) -> "Catalog":
        """Return a copy of the catalog in memory, for a run that stores nothing."""
        copied = Catalog(None)
        self._database.copy_to(copied._database.engine)
        with copied.write_transaction() as writer:
            writer.omit_hash_index()  # only tables were copied
        return copied

    def _schema(self) -> int | None:
        """Return the version of the tables; None without tables. Raise `CatalogError` for those of another program."""
        if not self.is_created:
            return None
        with self._database.read_transaction() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            schema = CatalogState(connection).schema_version if {"meta", "articles"} <= tables else None
        if tables and schema is None:
            raise self._database.foreign_error()
        if schema and schema > SCHEMA:
            reason = "written by a newer version of feeds; upgrade feeds, or set `state` to another catalog"
            raise CatalogError(f"{self._database.name}: {reason}")
        return schema

    @contextlib.contextmanager
    def read_transaction(self) -> Iterator["CatalogReader"]:
        """Open a read-only transaction that sees one consistent revision. Raise `CatalogError`."""
        with self._database.read_transaction() as connection:
            yield CatalogReader(connection)

    @contextlib.contextmanager
    def write_transaction(self, *, bulk: bool = False) -> Iterator["CatalogWriter"]:
        """Wait for other writers, and open a transaction; commit it at the end, or roll it back after an exception.

        In PostgreSQL, a thread that holds the lock (`lock`) writes on the connection that owns the lock, so it can't
        write after that connection was lost. If `bulk` is true, the commit may return before SQLite has copied the
        write-ahead log to the database file. Raise `CatalogError`.
        """
        with self._database.write_transaction(bulk=bulk) as connection:
            yield CatalogWriter(connection, self._database)

    @contextlib.contextmanager
    def read_stats(self) -> Iterator[StatsReader]:
        """Open a transaction that reads poll statistics. Raise `CatalogError`."""
        with self._database.read_stats() as connection:
            yield StatsReader(connection)

    @contextlib.contextmanager
    def write_stats(self, *, short_timeout: bool = True) -> Iterator[StatsWriter]:
        """Open a transaction that writes poll statistics. Raise `CatalogError`.

        If `short_timeout` is true, wait only one second for another writer of statistics. A damaged file is replaced by
        a new one with the totals that can still be read, and `CatalogError` is raised: the caller should try again.
        """
        try:
            with self._database.write_stats(short_timeout=short_timeout) as connection:
                yield StatsWriter(connection, self._database)
        except CatalogDamaged as damage:
            rows = list(self._database.repair_stats())
            with self._database.write_stats() as connection:
                StatsWriter(connection, self._database).restore(rows)
            message = f"{damage}; the totals that could be read ({len(rows)}) are in a new file"
            raise CatalogError(message) from damage

    def erase_closed_days(self) -> bool:
        """Erase the hashes of closed days, which identify pollers, from the database's files.

        Return True if no hash is left, and False if another transaction prevents the erasure for now.
        """
        with self.read_stats() as stats:
            days = stats.days_to_erase()
        if not days:
            return True
        if not self._database.erase_stats():
            return False
        with self.write_stats() as stats:
            stats.mark_erased(days)
        return True

    def failures(self) -> dict[str, Failure]:
        """Return the current failures by task. Raise `CatalogError`."""
        return decode(self._database.failures())

    def set_failure(self, task: str, failure: Failure | None) -> None:
        """Store the failure of a task, or None if it succeeded. Raise `CatalogError`."""
        self._database.change_failures(lambda record: with_failure(record, task, failure))

    def request_refresh(self) -> None:
        """Request a run from the process that publishes; it reads `CatalogState.refresh_requests`."""
        with self.write_transaction() as writer:
            writer.state.refresh_requests += 1

    def lock(
        self, timeout: float = 0.0, cancelled: Callable[[], bool] = lambda: False
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of the writer during a `with` statement. A thread may hold it several times.

        Args:
            timeout: seconds to wait for it; then raise `CatalogLocked`.
            cancelled: returns whether to stop waiting; then raise `CatalogLocked`.
        """
        return self._database.lock(RUN, timeout, cancelled)

    def require_lock(self) -> None:
        """Raise `CatalogError` if this thread lost the lock with its connection: another process may hold it now."""
        if not self._database.is_held(RUN):
            raise CatalogError(f"{self.name}: the connection that held the lock was lost, so nothing more was written")

    def leader_lock(self) -> LeaderLock:
        """Return the lock of the one leader among several publishers, which is not acquired yet."""
        return self._database.leader_lock()

    def listen_for_revisions(self) -> contextlib.AbstractContextManager[Callable[[float], object]] | None:
        """Return a context manager yielding `wait(seconds)`, which blocks until a revision is announced.

        None if the database has no notifications. Raise `CatalogError`, also while waiting.
        """
        return self._database.listen_for_revisions()

    def change_counter(self) -> Hashable | None:
        """Return a value that changes with every commit, for a fraction of the cost of a transaction.

        None if the database has no such value, or can't be read now.
        """
        return self._database.change_counter()

    def prepare_for_fork(self) -> None:
        """End threads and close idle connections, because a forked process must not inherit them."""
        self._database.prepare_for_fork()

    def close(self) -> None:
        """Close all connections."""
        self._database.close()


def _forget_connections(forget: "weakref.WeakMethod[Callable[[], None]]") -> None:
    """After a fork, drop the inherited connections of a database that still exists."""
    if method := forget():
        method()


def _database(state: str | Path | None, statement_timeout: float | None, read_cache_kib: int | None) -> Database:
    if isinstance(state, str):
        from feeds.catalog.postgres import Postgres

        return Postgres(state, statement_timeout)
    from feeds.catalog.sqlite import Sqlite

    return Sqlite(state, read_cache_kib)
