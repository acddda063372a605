"""Storage of the statistics: closed days contain nothing that identifies a client; damaged files lose little."""

import contextlib
import random
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from feeds.catalog import Catalog
from feeds.core.errors import CatalogError
from feeds.stats.counter import Poll, PollCounter
from feeds.stats.report import subscribers_by_feed
from feeds.stats.rollup import roll_up_finished_days

TODAY = datetime(2026, 6, 3, 12, tzinfo=UTC)
DAY, BEFORE = "2026-06-03", "2026-06-02"
_HASH = re.compile(rb"(?=([0-9a-f]{16}))")
AGENT = "NetNewsWire (RSS Reader; https://netnewswire.com/)"


def poll(client, document="/rss.xml"):
    """Return a poll of a document by a client."""
    return Poll(document, AGENT, client, 200, False, 0, 0)


def query(site, statement):
    """Return the rows of a query on the statistics."""
    with contextlib.closing(Catalog(site.config.catalog)) as catalog, catalog.read_stats() as stats:
        return [tuple(row) for row in stats._connection.exec_driver_sql(statement)]


def count_pollers(site, seed):
    """Count the clients of two days, whose rows share pages of the file."""
    site.article("a.md", tags=["x"])
    site.publish()
    chosen = random.Random(seed)
    tally = PollCounter(site.catalog)
    for _ in range(4):
        for day in (BEFORE, DAY):
            for _ in range(500):
                client = f"198.51.{chosen.randrange(100)}.{chosen.randrange(250)}"
                tally.add(day, poll(client, chosen.choice(["/rss.xml", "/tag/x/rss.xml"])))
        tally.write()


def secrets_of(site, day):
    """Return the stored hashes and the key of a day."""
    sources = [source.encode() for (source,) in query(site, f"SELECT source FROM visits WHERE day = '{day}'")]
    return sources + [bytes(salt) for (salt,) in query(site, f"SELECT salt FROM salts WHERE day = '{day}'")]


def stored(site, postgres=None):
    """Return all bytes of the database's files, except PostgreSQL's write-ahead log."""
    if postgres is None:
        return b"".join(file.read_bytes() for file in site.config.catalog.parent.glob(f"{site.config.catalog.name}*"))
    postgres.execute("CHECKPOINT")
    with contextlib.closing(psycopg.connect(site.config.catalog)) as raw:
        ((database,),) = raw.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchall()
    folders = [postgres.folder / "base" / str(database), postgres.folder / "global"]
    return b"".join(file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file())


def left_of(secrets, content):
    """Return the secrets that occur in some bytes; all hashes are found by one pattern."""
    hashes = {match[1] for match in _HASH.finditer(content)}
    return [secret for secret in secrets if secret in hashes or (len(secret) != 16 and secret in content)]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_of_a_closed_day_identifies_a_poller(site, seed):
    """After a closed day is erased, no file of the catalog contains an address, a hash or the key of that day."""
    count_pollers(site, seed)
    closed, open_ = secrets_of(site, BEFORE), secrets_of(site, DAY)
    assert len(closed) > 1500
    assert left_of(closed, stored(site)) == closed
    assert roll_up_finished_days(site.catalog, TODAY, 400)
    assert site.catalog.erase_closed_days()
    left = stored(site)
    assert left_of(closed, left) == []
    assert b"198.51." not in left
    assert left_of(open_, left) == open_
    assert query(site, f"SELECT sum(polls) FROM audience WHERE day = '{BEFORE}'") == [(2000,)]
    assert query(site, "SELECT * FROM erasures") == []


@pytest.mark.databases("postgres")
def test_nothing_of_a_closed_day_is_left_in_postgresql(site, postgres):
    """Tables, indexes and ANALYZE samples contain nothing of an erased day, even if a transaction is open."""
    count_pollers(site, 1)
    query(site, "SELECT 1")
    with contextlib.closing(psycopg.connect(site.config.catalog, autocommit=True)) as raw:
        raw.execute("ANALYZE visits")
        raw.execute("ANALYZE salts")
    closed, open_ = secrets_of(site, BEFORE), secrets_of(site, DAY)
    with contextlib.closing(psycopg.connect(site.config.catalog)) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM articles").fetchall()  # may still see the deleted rows
        assert roll_up_finished_days(site.catalog, TODAY, 400)
        assert site.catalog.erase_closed_days()
    left = stored(site, postgres)
    assert left_of(closed, left) == []
    assert left_of(open_, left) == open_


@pytest.mark.databases("sqlite", "postgres")
def test_an_erasure_that_was_prevented_is_done_later(site):
    """While the statistics are being read, a closed day is not erased; another process may erase it later."""
    count_pollers(site, 1)
    with site.catalog.read_stats() as reader:
        assert len(list(reader.poll_totals(BEFORE))) == 2
        assert roll_up_finished_days(site.catalog, TODAY, 400)
        assert not site.catalog.erase_closed_days()
    assert query(site, "SELECT day FROM erasures") == [(BEFORE,)]
    with contextlib.closing(Catalog(site.config.catalog)) as another:
        assert another.erase_closed_days()
        assert another.erase_closed_days(), "there is nothing left to do"
    assert query(site, "SELECT * FROM erasures") == []


@pytest.mark.databases("sqlite", "postgres")
def test_counting_and_publishing_do_not_wait_for_each_other(state):
    """A transaction of statistics and one of the catalog can be open at the same time."""
    catalog = Catalog(state)
    catalog.create()
    with (
        catalog.write_transaction() as writer,
        catalog.write_stats() as stats,
    ):  # the transaction that has to wait raises an error
        writer.state.write("x", "y")
        stats.salt(DAY)
    with catalog.read_transaction() as reader, catalog.read_stats() as stats:
        assert reader.state.read("x") == "y"
        assert stats.open_days() == [DAY]
    catalog.close()


@pytest.mark.parametrize("damage", ["header", "page", "garbage"])
def test_a_damaged_file_of_statistics_costs_the_open_days(site, damage):
    """Readable totals of closed days are copied to a new file; nothing else of the damaged file is kept."""
    count_pollers(site, 1)
    roll_up_finished_days(site.catalog, TODAY, 400)
    site.catalog.erase_closed_days()
    site.close()
    open_ = secrets_of(site, DAY)
    file = Path(f"{site.config.catalog}.stats")
    content = bytearray(file.read_bytes())
    if damage == "garbage":
        content = bytearray(b"no database" * 1000)
    else:
        start = 0 if damage == "header" else content.index(open_[0]) // 4096 * 4096
        content[start : start + 100] = b"\xff" * 100
    file.write_bytes(content)
    tally = PollCounter(site.catalog)
    tally.add(DAY, poll("192.0.2.1"))
    with pytest.raises(CatalogError, match=r"in a new file"):
        tally.write()
    tally.write()
    assert query(site, f"SELECT sum(polls) FROM visits WHERE day = '{DAY}'") == [(1,)]
    assert query(site, "SELECT sum(polls) FROM audience") == [(2000 if damage == "page" else None,)]
    assert left_of(open_, stored(site)) == []


def test_statistics_are_never_written_without_a_catalog(site):
    """If the catalog is missing, perhaps with its folder, no statistics are created."""
    site.publish()
    catalog, tally = site.catalog, PollCounter(site.catalog)
    site.config.catalog.rename(f"{site.config.catalog}.away")
    tally.add(DAY, poll("192.0.2.1"))
    with pytest.raises(CatalogError):
        tally.write()
    assert not Path(f"{site.config.catalog}.stats").exists()
    Path(f"{site.config.catalog}.away").rename(site.config.catalog)
    tally.write()
    with catalog.read_stats() as stats:
        assert subscribers_by_feed(stats) == {"": 1}


def test_reading_statistics_creates_no_file(site):
    """Commands that only read create no statistics file."""
    site.article("a.md")
    assert site.run("build").returncode == 0
    for command in ("list", "stats", "status", "check"):
        assert site.run(command).returncode == 0
    assert not Path(f"{site.config.catalog}.stats").exists()


def test_a_write_ahead_log_that_is_left_never_meets_a_new_file(site):
    """If the statistics file is deleted, a new empty one is created, whatever SQLite left beside the old one."""
    count_pollers(site, 1)
    file = Path(f"{site.config.catalog}.stats")
    log = file.with_name(f"{file.name}-wal")
    left = log.read_bytes()
    assert left
    site.close()
    file.unlink()
    log.write_bytes(left)
    tally = PollCounter(site.catalog)
    tally.add("2026-06-04", poll("192.0.2.1"))
    tally.write()
    assert query(site, "SELECT DISTINCT day FROM visits") == [("2026-06-04",)]


def test_threads_read_statistics_that_do_not_exist(site):
    """Before the first count, any number of threads can read empty statistics."""
    site.publish()
    with contextlib.closing(Catalog(site.config.catalog)) as catalog, ThreadPoolExecutor(4) as threads:

        def days(_):
            with catalog.read_stats() as stats:
                return stats.open_days(), stats.days_to_erase()

        assert set(map(str, threads.map(days, range(200)))) == {"([], [])"}


def test_statistics_of_an_earlier_version_move_to_their_own_file(site):
    """Statistics that schema 8 stored in the catalog are moved to a file of their own, without a trace in the old."""
    file = site.config.catalog
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.executescript((Path(__file__).parent / "catalogs" / "8.sql").read_text("utf-8"))
        sources = [source.encode() for (source,) in raw.execute("SELECT source FROM visits")]
        salts = [salt for (salt,) in raw.execute("SELECT salt FROM salts")]
    with contextlib.closing(Catalog(file)) as catalog:
        catalog.create()
    assert left_of([*sources, *salts], b"".join(path.read_bytes() for path in (file.parent).glob("catalog.db*"))) == [
        *sources,
        *salts,
    ]
    in_catalog = [path for path in file.parent.glob("catalog.db*") if ".stats" not in path.name]
    assert left_of([*sources, *salts], b"".join(path.read_bytes() for path in in_catalog)) == []
    assert query(site, "SELECT day, sum(polls) FROM visits GROUP BY day") == [("2026-06-02", 1), ("2026-06-03", 3)]
    assert query(site, "SELECT day, polls, subscribers FROM audience") == [("2026-06-01", 3, 3)]
    assert query(site, 'SELECT "offset" FROM imports') == [(1234,)]


def test_a_file_that_was_left_half_created_is_replaced(site):
    """Leftovers of a killed process that was creating a statistics file do not prevent the creation of a new one."""
    site.publish()
    Path(f"{site.config.catalog}.stats.new").write_bytes(b"half a file")
    tally = PollCounter(site.catalog)
    tally.add(DAY, poll("192.0.2.1"))
    tally.write()
    assert query(site, "SELECT sum(polls) FROM visits") == [(1,)]
    assert not Path(f"{site.config.catalog}.stats.new").exists()
