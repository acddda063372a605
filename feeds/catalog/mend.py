"""A catalog that is damaged, or none of ours: kept aside, and what it still tells is saved.

Articles' texts are in the folder and are read again. What is nowhere else is which ids were given out, and when each
feed last changed: with those in the new catalog, a reader notices nothing.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_BESIDE = ("-wal", "-shm")
_PIECE = 200  # rows that are asked for at a time, so that a damaged page costs no more of them


def keep_aside(file: Path) -> Path:
    """Rename a catalog's files. Gives the new path of the first; nothing is ever overwritten."""
    name = f"{file.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    aside, number = file.with_name(name), 2
    while aside.exists():
        aside, number = file.with_name(f"{name}-{number}"), number + 1
    for suffix in (*_BESIDE, ""):  # a log must never meet another database
        with contextlib.suppress(FileNotFoundError):
            Path(f"{file}{suffix}").rename(f"{aside}{suffix}")
    return aside


def rows(aside: Path, table: str, key: str) -> Iterator[dict[str, Any]]:
    """Give those rows of a table that can be read. `key` is a column of integers that tells them apart."""
    with contextlib.closing(sqlite3.connect(f"file:{aside}?mode=ro", uri=True)) as raw:
        raw.row_factory = sqlite3.Row
        every = f"SELECT * FROM {table}"  # noqa: S608  # names of ours
        largest = _read(raw, f"SELECT max({key}) AS largest FROM {table}") or [{}]  # noqa: S608
        for start in range(0, (largest[0].get("largest") or 0) + 1, _PIECE):
            found = _read(raw, f"{every} WHERE {key} >= ? AND {key} < ?", start, start + _PIECE)
            if found is None:
                for one in range(start, start + _PIECE):
                    yield from _read(raw, f"{every} WHERE {key} = ?", one) or []
            else:
                yield from found


def _read(raw: sqlite3.Connection, query: str, *values: int) -> list[dict[str, Any]] | None:
    try:
        return [dict(row) for row in raw.execute(query, values)]
    except sqlite3.Error:  # of whatever kind: it is damaged
        return None
