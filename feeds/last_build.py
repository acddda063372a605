"""The record of the last `feeds build`, by which the next build detects that nothing has changed.

The record is in the catalog. It is valid until the next publish run, which deletes it. Reading it needs neither
SQLAlchemy nor pydantic, which would take most of the time of a build that changes nothing.

If the record does not cover a case, such as a catalog in PostgreSQL, the next build is a complete one.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import quote

from feeds import __version__
from feeds.core.parse import yaml
from feeds.core.text import clean
from feeds.home import expand_home

ROW, LAST_RUN_ROW = "last build", "run"  # the keys of rows of `meta`; `CatalogState` has an attribute for each
CONFIG_PREFIX = "FEEDS__"
_STATE = "state"
_DEFAULT_CATALOG = ".feeds/catalog.db"
_MAX_FILES = 50_000  # in a folder; beyond that, the check would not save a noticeable part of a build
_MIN_AGE_S = 2.0  # of files: a later write within the same tick of the file system's clock would not change the digest
_LOCK_TIMEOUT_MS = 100


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a build, apart from the content folder, before the configuration is parsed.

    Attributes:
        program: a digest of this program's version and files.
        settings: a digest of the configuration file, of the variables that override it, and of the command's options.
    """

    program: str
    settings: str

    @classmethod
    def read(cls, config_file: Path, environment: Mapping[str, str], *options: str | bool | None) -> Self:
        """Return the inputs as they are now. Raise `OSError` if a file can't be read."""
        variables = sorted((key, value) for key, value in environment.items() if key.startswith(CONFIG_PREFIX))
        settings = [str(config_file.absolute()), config_file.read_bytes().hex(), variables, options]
        return cls(_program_digest(), _digest(settings))


@dataclass(frozen=True, slots=True)
class LastBuild:
    """A build: its inputs and outputs.

    Attributes:
        inputs: the inputs of the build.
        content: the path of the content folder.
        content_digest: a digest of its files before the build.
        look: the folders of templates and static files, with digests of their files before the build.
        export: the path of the folder of the export; "" if the build exported nothing.
        export_digest: a digest of its files after the build.
        at, until: the time of the build, and the time at which a complete build is needed; seconds since 1970.
        articles, rejected: the numbers of published and of rejected articles.
        problems: the number of problems that the build reported, which include the rejected articles.
        advice: warnings about the configuration, and about links, which each build in a terminal reports.
    """

    inputs: Inputs
    content: str
    content_digest: str
    look: dict[str, str]
    export: str
    export_digest: str
    at: float
    until: float
    articles: int
    rejected: int
    problems: int
    advice: list[str]

    @classmethod
    def from_json(cls, stored: str) -> "LastBuild":
        """Return the build that `to_json` wrote. Raise `ValueError`, `KeyError` or `TypeError` for other text."""
        values = json.loads(stored)
        return cls(**values | {"inputs": Inputs(**values["inputs"])})

    def to_json(self) -> str:
        """Return the build as JSON."""
        return json.dumps(asdict(self))

    def is_current(self, inputs: Inputs, now: float) -> bool:
        """Return whether a build at `now` (seconds since 1970) would change nothing. Raise `OSError`."""
        return (
            self.inputs == inputs
            and self.at <= now < self.until
            and folder_digest(Path(self.content)) == self.content_digest
            and all(look_digest(Path(folder)) == digest for folder, digest in self.look.items())
            and (not self.export or export_digest(Path(self.export)) == self.export_digest)
        )


def end_of_validity(now: datetime, next_change: datetime | None) -> float:
    """Return when a record of `now` expires, in seconds since 1970.

    It expires when the published content changes because of the time, and at the latest at midnight (UTC), when
    statistics are rolled up.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return min(midnight, next_change or midnight).timestamp()


def folder_digest(folder: Path) -> str | None:
    """Return a digest of the names, permissions, times, sizes and inodes of the files in the content folder.

    Folders with a hidden name are left out, as articles can't be there. None if the digest would not be reliable: if
    there are symbolic links or too many files, or if a file was changed within the last seconds. Raise `OSError`.
    """
    newest_allowed = time.time_ns() - int(_MIN_AGE_S * 1e9)
    rows = list[tuple[str | int, ...]]()
    for path, status in _files(folder, skip_hidden=True):
        if len(rows) == _MAX_FILES or stat.S_ISLNK(status.st_mode) or status.st_mtime_ns > newest_allowed:
            return None
        rows.append((path, *_stamp(status)))
    return _digest(sorted(rows))


def look_digest(folder: Path) -> str | None:
    """Return a digest of a folder of templates or static files, "" if it does not exist; else as `folder_digest`."""
    return folder_digest(folder) if folder.is_dir() else ""


def export_digest(folder: Path) -> str | None:
    """Return a digest of the files in the folder of an export; None if there are too many. Raise `OSError`."""
    rows = list[tuple[str | int, ...]]()
    for path, status in _files(folder, skip_hidden=False):
        if len(rows) == _MAX_FILES:
            return None
        rows.append((path, *_stamp(status)))
    return _digest(sorted(rows))


@contextlib.contextmanager
def open_records(config_file: Path, environment: Mapping[str, str]) -> Iterator["Records | None"]:
    """Open the catalog of a configuration, and hold the lock of a run. Yield None if that is not possible at once."""
    catalog = _catalog_file(config_file, environment)
    if catalog is None or _has_failures(catalog):
        yield None
        return
    with open(f"{catalog}.lock", "rb") as lock:  # noqa: PTH123
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # a complete build waits for it, or reports it
            yield None
            return
        with contextlib.closing(
            sqlite3.connect(f"file:{quote(str(catalog))}?mode=rw", uri=True, isolation_level=None)
        ) as connection:
            connection.execute(f"PRAGMA busy_timeout={_LOCK_TIMEOUT_MS}")
            connection.execute("PRAGMA synchronous=NORMAL")
            yield Records(connection)


class Records:
    """Reads and writes two rows of the catalog."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def last_build(self) -> LastBuild | None:
        """Return the record of the last build; None if a publish run has deleted it."""
        rows = self._connection.execute("SELECT value FROM meta WHERE key = ?", (ROW,)).fetchall()
        return LastBuild.from_json(rows[0][0]) if rows and rows[0][0] else None

    def record_run(self, now: datetime, seconds: float, last: LastBuild) -> None:
        """Record a run that changed nothing since the last build, so that monitoring sees that it took place."""
        outcome = "refused" if last.rejected else "ok"
        run = json.dumps({"at": now.isoformat(), "seconds": seconds, "outcome": outcome})
        self._connection.execute("UPDATE meta SET value = ? WHERE key = ?", (run, LAST_RUN_ROW))


def _catalog_file(config_file: Path, environment: Mapping[str, str]) -> Path | None:
    """Return the file of the catalog; None if it is a database elsewhere, or if there is no file.

    The configuration is not validated here. If it led to a wrong catalog, the inputs in that catalog's record would
    differ.
    """
    state = environment.get(f"{CONFIG_PREFIX}STATE")
    if state is None:
        root = yaml.load(clean(config_file.read_bytes().decode("utf-8-sig"))).to_value()
        state = root.get(_STATE) if isinstance(root, dict) else None
    state = state or f"sqlite:///{_DEFAULT_CATALOG}"
    if not (isinstance(state, str) and state.startswith("sqlite:///")):
        return None
    file = config_file.absolute().parent / expand_home(state.removeprefix("sqlite:///"))
    return file if file.exists() else None


def _has_failures(catalog: Path) -> bool:
    return bool(Path(f"{catalog}.failures").read_bytes().strip(b"\0 \n").strip(b"{}"))


def _files(folder: Path, *, skip_hidden: bool) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the paths and states of everything in a folder except subfolders. Raise `OSError`."""
    folders = [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as items:
            for item in items:
                if not item.is_dir(follow_symlinks=False):
                    yield item.path, item.stat(follow_symlinks=False)
                elif not (skip_hidden and item.name.startswith(".")):
                    folders.append(item.path)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    """Return the values of a file that change when it is written or replaced, or gets other permissions."""
    return status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _program_digest() -> str:
    """Return a digest of the version, and of the states of this package's files, which change during development."""
    files = sorted((path, status.st_mtime_ns, status.st_size) for path, status in
                   _files(Path(__file__).parent, skip_hidden=True) if not path.endswith(".pyc"))  # fmt: skip
    return _digest([__version__, platform.python_version(), files])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode("utf-8", "surrogateescape")).hexdigest()
