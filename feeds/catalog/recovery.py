"""Recovery of a damaged SQLite catalog, or of another program's database at its path.

The file is moved aside, and the rows that can be read are saved. Articles' texts are read again from the content
folder. The ids that were published, the former addresses of pages and the time of each feed's last change are stored
only in the catalog: because the new catalog gets them too, documents stay the same, and old links still work. A column
that is renamed needs a row in `FORMER_COLUMNS` (`schema.py`).
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feeds.catalog import schema as t
from feeds.catalog.state import StateWriter

_LOG_SUFFIXES = ("-wal", "-shm")
_BATCH_ROWS = 200  # keys per query; if a query fails, its rows are read one by one


class RecoveryWriter(StateWriter):
    """Stores the readable rows of a damaged catalog in a new one."""

    def begin_recovery(self, aside: Path) -> None:
        """Store the ids, published articles, former addresses and feeds of a damaged catalog, and begin recovery.

        Published articles stay live but have no entries until the next run decides about them. The guard compares the
        result of that run with the number of these articles (`end_recovery`).

        Args:
            aside: the path of the damaged catalog.
        """
        for row in rows(aside, "meta", "rowid"):
            if row.get("key") == "fingerprint":
                self.state.site_fingerprint = str(row.get("value"))
        self.state.recovered_articles = self._save_articles_from(rows(aside, "articles", "key"))
        for table, key in ((t.revisions, "number"), (t.feeds, "rowid"), (t.moved_pages, "rowid")):
            for row in rows(aside, table.name, key):
                values = {column.name: row.get(column.name) for column in table.c}
                if None not in values.values():
                    empty = {"entries": 0} if table is t.feeds else {}  # until its articles have been read again
                    self._connection.execute(table.insert().values(values | empty))

    def _save_articles_from(self, rows: Iterable[dict[str, Any]]) -> int:
        """Store the articles of a damaged catalog. Return the number of live ones."""
        unique: set[tuple[str, object]] = set()
        live = 0
        for row in rows:
            identity = {"key": row.get("key"), "path": row.get("path"), "id": row.get("id")}
            if not all(identity.values()) or unique & set(identity.items()):
                continue
            unique |= set(identity.items())
            names = ("hash", "slug", "explicit_id", "generated_id", "page", "published")
            version = {name: row.get(name) for name in names}
            values = {**identity, **version, "deleted": True, "revision": row.get("revision") or 0}
            if row.get("live") and version["hash"] and version["published"] is not None:
                stored = row.get("entry_published")
                published = version["published"] if stored is None else stored
                values |= {"live": True, "entry_published": published, "entry_feeds": "{}", "pending": t.TO_DECIDE}
                live += 1
            self._connection.execute(t.articles.insert().values(values))
        return live

    def end_recovery(self) -> int | None:
        """End the recovery of a damaged catalog. Return the number of live articles in it; None without recovery."""
        live = self.state.recovered_articles
        self.state.recovered_articles = None
        return live


def move_aside(file: Path) -> Path:
    """Rename a catalog's files without overwriting others. Return the new path of the catalog itself."""
    name = f"{file.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    aside, number = file.with_name(name), 2
    while aside.exists():
        aside, number = file.with_name(f"{name}-{number}"), number + 1
    for suffix in (*_LOG_SUFFIXES, ""):  # SQLite would apply a log that stays behind to the next file of this name
        with contextlib.suppress(FileNotFoundError):
            Path(f"{file}{suffix}").rename(f"{aside}{suffix}")
    return aside


def rows(aside: Path, table: str, key: str) -> Iterator[dict[str, Any]]:
    """Yield the readable rows of a table, with the current names of columns.

    Args:
        aside: the path of the damaged catalog, which an earlier version may have written.
        table: the name of the table.
        key: the name of an integer column that is unique.
    """
    new_names = t.FORMER_COLUMNS.get(table, {})
    with contextlib.closing(sqlite3.connect(f"file:{aside}?mode=ro", uri=True)) as raw:
        raw.row_factory = sqlite3.Row
        every = f"SELECT * FROM {table}"  # noqa: S608  # our own names
        largest = _read(raw, f"SELECT max({key}) AS largest FROM {table}") or [{}]  # noqa: S608
        for start in range(0, (largest[0].get("largest") or 0) + 1, _BATCH_ROWS):
            batch = _read(raw, f"{every} WHERE {key} >= ? AND {key} < ?", start, start + _BATCH_ROWS)
            if batch is None:
                each = (_read(raw, f"{every} WHERE {key} = ?", one) or [] for one in range(start, start + _BATCH_ROWS))
                batch = [row for readable in each for row in readable]
            for row in batch:
                yield {new_names.get(name, name): value for name, value in row.items()}


def _read(raw: sqlite3.Connection, query: str, *values: int) -> list[dict[str, Any]] | None:
    """Return the rows of a query; None if they can't be read."""
    try:
        return [dict(row) for row in raw.execute(query, values)]
    except sqlite3.Error:  # of any kind: the file is damaged
        return None
