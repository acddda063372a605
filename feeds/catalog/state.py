"""Values that belong to the catalog as a whole, such as the last run: `CatalogState` has a typed attribute for each.

They are stored as text in the table `meta`, one row each. A new value needs only an attribute here, and no migration.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from feeds.catalog.access import ReadAccess, WriteAccess
from feeds.catalog.schema import meta

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run that succeeded: its start, its duration and its outcome."""

    at: datetime
    seconds: float
    outcome: str

    @classmethod
    def from_json(cls, stored: str) -> "LastRun":
        """Return the run that `to_json` wrote."""
        values = json.loads(stored)
        return cls(datetime.fromisoformat(values["at"]), values["seconds"], values["outcome"])

    def to_json(self) -> str:
        """Return the run as JSON."""
        return json.dumps({"at": self.at.isoformat(), "seconds": self.seconds, "outcome": self.outcome})


class _Value(Generic[T]):
    """An attribute of `CatalogState`, stored in the row of `meta` with this key."""

    def __init__(self, key: str, load: Callable[[str | None], T], dump: Callable[[T], str]) -> None:
        """Convert stored text with `load`, which gets None if the row is missing, and values with `dump`."""
        self.key = key
        self._load = load
        self._dump = dump

    def __get__(self, state: "CatalogState", owner: type["CatalogState"]) -> T:
        return self._load(state.read(self.key))

    def __set__(self, state: "WritableCatalogState", value: T) -> None:  # so type checkers reject it for a reader
        state.write(self.key, self._dump(value))


def _text(key: str) -> _Value[str]:
    return _Value(key, lambda stored: stored or "", str)


def _flag(key: str) -> _Value[bool]:
    return _Value(key, bool, lambda value: "yes" if value else "")


def _number(key: str) -> _Value[int | None]:
    return _Value(
        key, lambda stored: int(stored) if stored else None, lambda value: "" if value is None else str(value)
    )


def _json(key: str, empty: Callable[[], T]) -> _Value[T]:
    def load(stored: str | None) -> T:
        value: T = json.loads(stored) if stored else empty()
        return value

    return _Value(key, load, lambda value: json.dumps(value, separators=(",", ":")) if value else "")


class CatalogState:
    """Reads values of the catalog, in the transaction of a connection.

    Raise `CatalogError`, or `ValueError` for a row that another program wrote.
    """

    # keys of rows that other queries read too; `feeds.last_build` reads the last two
    CATALOG_ID, RECOVERED, LAST_RUN, LAST_BUILD = "born", "recovered", "run", "last build"

    catalog_id = _text(CATALOG_ID)  # a catalog that is created again gets another id
    schema_version = _number("schema")
    refresh_requests = _Value("asked", lambda stored: int(stored or 0), str)  # all calls of the webhook so far
    last_run = _Value[LastRun | None](
        LAST_RUN, lambda stored: LastRun.from_json(stored) if stored else None, lambda run: run.to_json() if run else ""
    )
    last_build = _text(LAST_BUILD)  # the record of a build, which the next publish run deletes
    recovered_articles = _number(RECOVERED)  # live articles of a damaged catalog, until a run has decided about them
    lacks_hash_index = _flag("filling")  # true for a new catalog, until its first run ends
    site_fingerprint = _text("fingerprint")  # a digest of the settings with which articles were published
    selections = _text("selections")  # a digest of the selections with which the feeds of articles were chosen
    feed_settings = _json("feed settings", dict[str, str])  # a digest of the settings of single feeds, by path
    live_count = _number("live articles")  # None: not counted yet
    aliases = _text("aliases")  # the aliases in effect when articles were loaded, one per line
    authors_files = _text("authors files")  # a digest of every authors.yml when articles were loaded
    staged_for = _text("staged for")  # the settings with which articles were staged
    must_read_again = _flag("read again")  # whether a newer version of this program must read every file again
    guard_held_since = _number(
        "guard held"
    )  # after a stopped run, the guard counts all changes since this time together; microseconds since 1970
    guard_changes = _json("guard changes", dict[str, list[Any]])  # by the key of an article
    had_summaries = _flag("summaries")  # whether any feed ever had documents with excerpts
    # whether a page was ever at …/index.html, or in a folder that may have the name of a file; None: not known
    unusual_pages = _Value[bool | None](
        "unusual pages",
        lambda stored: None if stored is None else stored == "yes",
        lambda value: "yes" if value else "no",
    )
    pending_purges = _json("to purge", list[str])  # paths of files that caches must still discard
    reported_problems = _json("reported problems", dict[str, list[str]])  # digests for the last build, by step

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def read(self, key: str) -> str | None:
        """Return a row's value; None if there is no such row."""
        return self._connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar()


class WritableCatalogState(CatalogState):
    """Reads and writes values of the catalog: its attributes can be assigned."""

    def write(self, key: str, value: str) -> None:
        """Write a row, unless it already has this value."""
        stored = self.read(key)
        if stored is None:
            self._connection.execute(meta.insert().values(key=key, value=value))
        elif stored != value:
            self._connection.execute(meta.update().where(meta.c.key == key).values(value=value))


class StateReader(ReadAccess):
    """Has the values that belong to the catalog as a whole."""

    @property
    def state(self) -> CatalogState:
        """The values that belong to the catalog as a whole."""
        return CatalogState(self._connection)


class StateWriter(StateReader, WriteAccess):
    """Has the same values, which can be assigned."""

    @property
    def state(self) -> WritableCatalogState:
        """The values that belong to the catalog as a whole, which can be assigned."""
        return WritableCatalogState(self._connection)
