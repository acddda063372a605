"""Counting: polls become the exact number of subscribers, without data that identifies a person."""

import base64
import contextlib
import gzip
import json
import random
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import click
import pytest
from conftest import REPOSITORY, free_port
from hypothesis import given
from hypothesis import strategies as st
from waiting import eventually
from werkzeug.wrappers import Request

from feeds import config
from feeds.catalog import Catalog, SourceCounts
from feeds.cli.common import CommandContext
from feeds.cli.serve import _Overrides, _Service
from feeds.core.errors import CatalogError, ConfigError
from feeds.event_log import EventLog
from feeds.pages.appearance import Appearance
from feeds.stats.access_logs import LogParser, UnknownLog
from feeds.stats.client_networks import client_network
from feeds.stats.counter import OTHER, Poll, PollCounter
from feeds.stats.report import Report, subscribers_by_feed
from feeds.stats.rollup import count_day, roll_up_finished_days
from feeds.web import stats

TODAY = datetime(2026, 6, 3, 12, tzinfo=UTC)
DAY, BEFORE = "2026-06-03", "2026-06-02"
NETNEWSWIRE = "NetNewsWire (RSS Reader; https://netnewswire.com/)"
FEEDLY = "Feedly/1.0 (+http://www.feedly.com/fetcher.html; {} subscribers; )"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
TOKEN = "a secret of twenty letters"


def agents():
    """Return (User-Agent, name, kind, subscribers, feed id) of the recorded User-Agents."""
    lines = (REPOSITORY / "tests" / "agents.tsv").read_text("utf-8").splitlines()[1:]
    for agent, name, kind, said, feed_id, _ in (line.split("\t") for line in lines):
        yield agent, name, kind, None if said == "-" else int(said), "" if feed_id == "-" else feed_id


def poll(agent=NETNEWSWIRE, client="192.0.2.1", document="/rss.xml", status=200, **facts):
    """Return a poll."""
    return Poll(
        document,
        agent,
        client,
        status,
        facts.get("conditional", status == 304),
        facts.get("size", 0),
        facts.get("saved", 0),
    )


def counted(catalog, now=TODAY):
    """Return feed -> reader -> subscribers."""
    with catalog.read_stats() as reader:
        report = Report.of(reader, now, 30)
    return {feed.path: {one.name: one.subscribers for one in feed.readers} for feed in report.feeds if feed.readers}


def rows(site, query):
    """Return the rows of a query on the statistics."""
    with site.catalog.read_stats() as stats:
        return [tuple(row) for row in stats._connection.exec_driver_sql(query)]


def publish(site, /, **settings):
    """Publish a site with a tag and an archive."""
    site.configure(**settings)
    for number in range(3):
        site.article(f"{number}.md", title=str(number), tags=["x"], date=f"2026-05-0{number + 1}")
    site.publish()


def test_a_day_of_many_pollers(site, app):
    """Clients of every recorded kind that poll all formats repeatedly, with workers that restart, count once each."""
    publish(site, server={"client_header": "X-Client", "limit": 0}, feeds={"limit": 2})
    chosen = random.Random(6)
    known = list(agents())
    expected, asked = {}, []
    for number in range(2 * len(known)):
        agent, name, kind, said, feed_id = known[number] if number < len(known) else chosen.choice(known)
        client = f"10.{number % 3}.{number // 250}.{number % 250}"
        feed = chosen.choice(["", "tag/x"])
        folder = f"/{feed}/" if feed else "/"
        names = chosen.sample(["rss.xml", "atom.xml", "feed.json"], 2)
        asked += [(folder + document, agent, client) for document in [*names, "archive/1/rss.xml"]]
        mine = expected.setdefault(feed, {}).setdefault(name, {"silent": 0, "ids": {}, "sources": set()})
        if kind == "service" and said is None:
            mine["silent"] = 1
        elif kind == "service":
            for id_ in [feed_id] if feed_id else names:
                mine["ids"][id_] = max(said, mine["ids"].get(id_, 0))
        elif kind in {"person", "unknown"}:
            mine["sources"].add((client, agent))
    numbers = {
        feed: {
            name: total
            for name, one in readers.items()
            if (total := len(one["sources"]) + (sum(one["ids"].values()) if one["ids"] else one["silent"]))
        }
        for feed, readers in expected.items()
    }
    chosen.shuffle(asked)
    for part in (asked[: len(asked) // 2], asked[len(asked) // 2 :]):
        workers = [app(site) for _ in range(3)]
        for path, agent, client in part:
            headers = (f"X-Client: {client}", f"User-Agent: {agent}")
            assert chosen.choice(workers).ask(path, *headers).status == 200
        for worker in workers:
            worker.close()
    said = json.loads(site.run("stats", "--json").stdout)
    assert {
        feed["path"].strip("/"): {reader["name"]: reader["subscribers"] for reader in feed["readers"]}
        for feed in said["feeds"]
    } == numbers
    assert said["subscribers"] == sum(sum(readers.values()) for readers in numbers.values())
    assert said["polls"] == len(asked)
    listed = {one["path"]: one["subscribers"] for one in json.loads(site.run("list", "--json").stdout)}
    assert listed == {"/": sum(numbers[""].values()), "/tag/x/": sum(numbers["tag/x"].values())}


@pytest.mark.databases("sqlite", "postgres")
def test_what_is_counted(site):
    """A person is one per address and program, a service its number per id; archives and robots count nobody."""
    publish(site)
    tally = PollCounter(site.catalog)
    for one in (
        *(poll(client="192.0.2.1", document=path) for path in ("/rss.xml", "/atom.xml", "/feed.json")),
        poll(client="192.0.2.2"),
        poll(client="192.0.2.3", document="/archive/1/rss.xml"),
        poll(FEEDLY.format(10), client="192.0.2.4"),
        poll(FEEDLY.format(12), client="192.0.2.5"),
        poll("Feedbin feed-id:1 - 5 subscribers"),
        poll("Feedbin feed-id:2 - 3 subscribers"),
        poll(GOOGLEBOT),
        poll(client="192.0.2.9", status=404),
        poll(client="192.0.2.9", document="/"),
    ):
        tally.add(DAY, one)
    tally.write()
    assert counted(site.catalog) == {"": {"Feedly": 12, "Feedbin": 8, "NetNewsWire": 2}}
    assert rows(site, "SELECT sum(polls) FROM visits") == [(10,)]


@pytest.mark.databases("sqlite", "postgres")
def test_order_does_not_matter(site):
    """Repeated polls in any order, at two workers and written in parts, give the same subscribers."""
    publish(site)
    chosen = random.Random(4)
    known = list(agents())
    polls = []
    for number in range(400):
        agent, *_ = chosen.choice(known)
        document = chosen.choice(["/rss.xml", "/atom.xml", "/tag/x/rss.xml", "/archive/1/rss.xml"])
        polls.append(poll(agent, client=f"192.0.2.{number % 100}", document=document))
    found = []
    for day in ("2026-06-01", BEFORE, DAY):
        tallies = [PollCounter(site.catalog), PollCounter(site.catalog)]
        for one in polls + chosen.choices(polls, k=100):
            chosen.choice(tallies).add(day, one)
            if chosen.random() < 0.02:
                chosen.choice(tallies).write()
        for tally in tallies:
            tally.write()
        chosen.shuffle(polls)
        with site.catalog.read_stats() as reader:
            mine = count_day(reader, day)
            assert sum(row.polls for row in mine) == 500
            found.append({row[1:5] for row in mine})
    assert found[0] == found[1] == found[2]


@pytest.mark.databases("sqlite", "postgres")
def test_the_database_counts(site):
    """On a day with many polls, only one row per feed, reader and kind is read."""
    publish(site)
    tally = PollCounter(site.catalog)
    for number in range(5000):
        tally.add(DAY, poll(client=f"192.0.{number // 250}.{number % 250}"))
    tally.add(DAY, poll(document="/archive/1/rss.xml", client="10.0.0.1"))
    tally.write()
    with site.catalog.read_stats() as reader:
        assert [row[:6] for row in reader.poll_totals(DAY)] == [("", "NetNewsWire", "person", 5000, None, 5001)]


def test_a_service_without_ids_in_several_formats(site):
    """Subscribers of RSS and of Atom by one service differ, so their numbers are added."""
    publish(site)
    tally = PollCounter(site.catalog)
    for document, said in {"rss.xml": 100, "atom.xml": 50, "feed.json": 30, "archive/1/rss.xml": 100}.items():
        tally.add(DAY, poll(FEEDLY.format(said), document=f"/{document}"))
        tally.add(DAY, poll(FEEDLY.format(said - 1), client="192.0.2.2", document=f"/{document}"))
        tally.add(DAY, poll(f"Feedbin feed-id:7 - {said} subscribers", document=f"/{document}"))
        tally.add(DAY, poll("Feeder.co", document=f"/{document}"))
    tally.write()
    assert counted(site.catalog) == {"": {"Feedly": 180, "Feedbin": 100, "Feeder.co": 1}}


def test_who_shares_an_address():
    """An IPv4 address counts as itself, also on an IPv6 socket; an IPv6 address counts as its /64."""
    for address, expected in {
        "192.0.2.1": "192.0.2.1",
        "::ffff:192.0.2.1": "192.0.2.1",
        "::FFFF:c000:202": "192.0.2.2",
        "2001:db8::1": "2001:db8::/64",
        "2001:db8::ffff:2": "2001:db8::/64",
        "fe80::1%eth0": "fe80::/64",
        "192.0.2.1:80": None,
        "": None,
    }.items():
        assert client_network(address) == expected


@pytest.mark.databases("sqlite", "postgres")
def test_today_or_yesterday(site):
    """Early in a day, a feed has the subscribers of the day before; earlier days do not count."""
    publish(site)
    tally = PollCounter(site.catalog)
    for number in range(5):
        tally.add("2026-06-01", poll(client=f"192.0.2.{number}"))
    for number in range(3):
        tally.add(BEFORE, poll(client=f"192.0.2.{number}"))
    tally.add(DAY, poll())
    tally.add(DAY, poll(document="/tag/x/rss.xml"))
    tally.write()
    for _ in range(2):
        assert counted(site.catalog) == {"": {"NetNewsWire": 3}, "tag/x": {"NetNewsWire": 1}}
        roll_up_finished_days(site.catalog, TODAY, 400)
    with site.catalog.read_stats() as reader:
        assert subscribers_by_feed(reader) == {"": 3, "tag/x": 1}
        report = Report.of(reader, TODAY, 30)
        assert {day: report.subscribers_on(day) for day in report.days} == {"2026-06-01": 5, BEFORE: 3, DAY: 2}
        assert reader.open_days() == [DAY]


@pytest.mark.parametrize("command", ["build", "serve"])
def test_days_are_closed_where_nobody_counts_any_more(site, command):
    """Each publisher closes finished days, also those of imported logs, and deletes their clients."""
    publish(site, stats={"count": False})
    now = datetime.now(UTC)
    yesterday, today = f"{now - timedelta(days=1):%Y-%m-%d}", f"{now:%Y-%m-%d}"
    tally, logs = PollCounter(site.catalog), PollCounter(site.catalog, imported=True)
    for number in range(200):
        for day in (yesterday, today):
            tally.add(day, poll(client=f"192.0.2.{number}"))
        logs.add(f"{now - timedelta(days=10):%Y-%m-%d}", poll(client=f"192.0.2.{number}"))
    tally.write()
    logs.write()
    sources = [source for (source,) in rows(site, f"SELECT source FROM visits WHERE day < '{today}'")]
    assert len(sources) == 400
    if command == "build":
        assert site.run("build").stderr == ""
    else:
        settings = site.config
        call = CommandContext(settings, site.root / "config.yaml", quiet=True, verbose=False, started_at=0.0)
        with click.Context(click.Command("serve")):  # which closes the catalog at its end
            service = _Service(call, EventLog(quiet=True), "publisher", _Overrides(None, None, None), preview_key="")
            keeper = service._create_publish_loop(settings)
            keeper.start()
            eventually(lambda: rows(site, "SELECT day FROM salts") == [(today,)])
            keeper.stop()
    assert rows(site, "SELECT day FROM salts") == [(today,)]
    assert rows(site, "SELECT day, count(*) FROM visits GROUP BY day") == [(today, 200)]
    assert rows(site, "SELECT subscribers FROM audience") == [(200,), (200,)]
    if not isinstance(site.config.catalog, str):
        left = b"".join(file.read_bytes() for file in site.config.catalog.parent.glob("catalog.db*"))
        assert [source for source in sources if source.encode() in left] == []


@pytest.mark.integration
def test_a_build_with_no_day_to_close_imports_nothing_for_it(site):
    """One query finds whether a day must be closed, and the code for that is imported only if needed."""
    publish(site)
    tally = PollCounter(site.catalog)
    tally.add(f"{datetime.now(UTC):%Y-%m-%d}", poll())
    tally.write()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "feeds", "build"],
        cwd=site.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "feeds.publish" in done.stderr
    assert "feeds.stats.rollup" not in done.stderr
    assert "feeds.stats.user_agents" not in done.stderr
    assert "feeds.publish.load\n" not in done.stderr, "no file is another"


@pytest.mark.databases("sqlite", "postgres")
def test_days_are_closed_once_and_kept_for_a_while(site):
    """A day is closed two minutes after its end, once; late counts are added, and old days are deleted."""
    publish(site)
    tally = PollCounter(site.catalog)
    tally.add(DAY, poll(FEEDLY.format(5)))
    tally.write()
    midnight = datetime(2026, 6, 4, tzinfo=UTC)
    assert not roll_up_finished_days(site.catalog, midnight + timedelta(minutes=1), 400)
    assert roll_up_finished_days(site.catalog, midnight + timedelta(minutes=2), 400)
    assert not roll_up_finished_days(site.catalog, midnight + timedelta(minutes=2), 400)
    for said in (4, 7):
        tally.add(DAY, poll(FEEDLY.format(said), size=10))
        tally.write()
        assert roll_up_finished_days(site.catalog, midnight + timedelta(hours=1), 400)
    assert rows(site, "SELECT subscribers, polls, bytes FROM audience") == [(7, 3, 20)]
    tally.add("2026-06-04", poll())
    tally.write()
    assert roll_up_finished_days(site.catalog, midnight + timedelta(days=3), 4)
    assert rows(site, "SELECT day FROM audience") == [(DAY,), ("2026-06-04",)]
    tally.add("2026-06-06", poll())
    tally.write()
    assert roll_up_finished_days(site.catalog, midnight + timedelta(days=4), 4)
    assert rows(site, "SELECT day FROM audience") == [("2026-06-04",), ("2026-06-06",)]


@pytest.mark.databases("sqlite", "postgres")
def test_a_flood_is_bounded(site):
    """With very many programs and addresses, memory and catalog stay bounded; all polls count, some as "others"."""
    publish(site)
    tally = PollCounter(site.catalog, max_sources=300, max_sources_a_day=400)
    for number in range(2000):
        tally.add(DAY, poll(f"Made{number}up/1.0", client=f"198.51.100.{number % 200}"))
        assert len(tally) <= 301
        if number % 500 == 499:
            tally.write()
    for number in range(1000):
        tally.add(DAY, poll(f"Feedbin feed-id:{number} - 2 subscribers"))
    tally.write()
    assert rows(site, "SELECT sum(polls) FROM visits") == [(3000,)]
    assert rows(site, "SELECT count(*) FROM visits")[0][0] <= 402
    assert rows(site, f"SELECT polls > 2000 FROM visits WHERE reader = '{OTHER}' AND source = ''") == [(1,)]
    tally = PollCounter(site.catalog)
    for number in range(2000):
        tally.add(BEFORE, poll(f"Made{number}up/1.0"))
    tally.write()
    names = {name for (name,) in rows(site, f"SELECT reader FROM visits WHERE day = '{BEFORE}'")}
    assert len(names) == 501
    assert sum(counted(site.catalog, TODAY - timedelta(days=1))[""].values()) >= 2000 - 1


def test_a_day_has_so_many_rows(site):
    """On a day with very many readers, the largest ones are kept by name, and the subscribers of all."""
    publish(site)
    tally = PollCounter(site.catalog, max_sources_a_day=10_000)
    for number in range(3000):
        tally.add(f"2026-06-0{1 + number // 1500}", poll(f"Feedbin feed-id:{number} - 2 subscribers"))
        tally._unknown_names.clear()
        tally.add(BEFORE, poll(f"Made{number}up/1.0", client="192.0.2.1"))
    tally.write()
    roll_up_finished_days(site.catalog, TODAY, 400)
    assert rows(site, f"SELECT count(*), sum(subscribers), sum(polls) FROM audience WHERE day = '{BEFORE}'") == [
        (2001, 6000, 4500)
    ]


@pytest.mark.integration
def test_a_catalog_that_is_busy_or_away(site):
    """Counts that can't be written to the catalog now are written later, and none is lost."""
    publish(site)
    catalog, tally = site.catalog, PollCounter(site.catalog)
    tally.add(DAY, poll())
    tally.write()
    tally.add(DAY, poll())
    with contextlib.closing(sqlite3.connect(f"{site.config.catalog}.stats")) as raw:
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogError, match="locked"):
            tally.write()
        tally.add(DAY, poll(client="192.0.2.2"))
        raw.rollback()
    file = site.config.catalog
    file.rename(f"{file}.away")
    with pytest.raises(CatalogError):
        tally.write()
    file.with_name("catalog.db.away").rename(file)
    tally.write()
    assert counted(catalog) == {"": {"NetNewsWire": 2}}
    assert rows(site, "SELECT sum(polls) FROM visits") == [(3,)]


@pytest.mark.integration
def test_requests_go_on_while_the_catalog_is_busy(site, app, monkeypatch, caplog):
    """While another process writes to the catalog, documents are served, and polls are counted later."""
    monkeypatch.setattr("feeds.web.poll_recorder._WRITE_INTERVAL_S", 0.0)
    publish(site, server={"client_header": "X-Client", "limit": 0})
    tally = PollCounter(site.catalog)
    tally.add(DAY, poll())
    tally.write()
    server = app(site)
    with contextlib.closing(sqlite3.connect(f"{site.config.catalog}.stats")) as raw:
        assert server.ask("/rss.xml", "X-Client: 192.0.2.1", f"User-Agent: {NETNEWSWIRE}").status == 200
        raw.execute("BEGIN IMMEDIATE")

        def asked():
            assert server.ask("/rss.xml", "X-Client: 192.0.2.2", f"User-Agent: {NETNEWSWIRE}").status == 200
            return "written later" in caplog.text

        eventually(asked)
        raw.rollback()
    server.close()
    with site.catalog.read_stats() as reader:
        assert subscribers_by_feed(reader) == {"": 2}


COMBINED = [
    '192.0.2.1 - - [03/Jun/2026:10:00:00 +0200] "GET /rss.xml HTTP/1.1" 200 1000 "-" "{netnewswire}"',
    '192.0.2.2 - joe [03/Jun/2026:10:00:00 +0200] "GET /atom.xml?x HTTP/1.1" 304 0 "-" "{netnewswire}"',
    '2001:db8::1 - - [03/Jun/2026:10:00:00 +0200] "GET /tag/x/rss.xml HTTP/2.0" 200 500 "-" "{feedly}"',
    '192.0.2.3 - - [03/Jun/2026:10:00:00 +0200] "GET /about/ HTTP/1.1" 200 1000 "-" "{netnewswire}"',
    '192.0.2.4 - - [03/Jun/2026:10:00:00 +0200] "GET /rss.xml HTTP/1.1" 404 9 "-" "{netnewswire}"',
    '192.0.2.5 - - [03/Jun/2026:10:00:00 +0200] "GET /tag/none/rss.xml HTTP/1.1" 200 9 "-" "{netnewswire}"',
    '192.0.2.6 - - [03/Jun/2026:10:00:00 +0200] "POST /rss.xml HTTP/1.1" 200 9 "-" "{netnewswire}"',
]


def of(**names):
    """Return the same requests as a JSON log with other names of fields; a dot separates levels."""

    def line(client, at, method, target, status, size, agent):
        said = {}
        for what, value in {
            "client": client,
            "time": at,
            "method": method,
            "target": target,
            "status": status,
            "size": size,
            "agent": agent,
        }.items():
            *folders, name = names[what].split("/")
            place = said
            for folder in folders:
                place = place.setdefault(folder, {})
            place[name] = [value] if folders[1:] == ["headers"] else value
        return json.dumps(said)

    return line


REQUESTS = [
    ("192.0.2.1", "GET", "/rss.xml", 200, 1000, NETNEWSWIRE),
    ("192.0.2.2", "GET", "/atom.xml?x", 304, 0, NETNEWSWIRE),
    ("2001:db8::1", "GET", "/tag/x/rss.xml", 200, 500, FEEDLY.format(9)),
    ("192.0.2.3", "GET", "/about/", 200, 1000, NETNEWSWIRE),
    ("192.0.2.4", "GET", "/rss.xml", 404, 9, NETNEWSWIRE),
    ("192.0.2.5", "GET", "/tag/none/rss.xml", 200, 9, NETNEWSWIRE),
    ("192.0.2.6", "POST", "/rss.xml", 200, 9, NETNEWSWIRE),
]
AT = datetime(2026, 6, 3, 8, tzinfo=UTC)


def combined(prefix=""):
    """Return a log in the format of nginx and Apache."""
    filled = [line.format(netnewswire=NETNEWSWIRE, feedly=FEEDLY.format(9)) for line in COMBINED]
    return "".join(f"{prefix}{line}\n" for line in filled)


def as_json(line, at):
    """Return a log of JSON lines."""
    return "".join(
        line(client, at, method, target, status, size, agent) + "\n"
        for client, method, target, status, size, agent in REQUESTS
    )


def cloudfront():
    """Return a log of CloudFront, with tabs and User-Agents that are encoded twice."""
    names = (
        "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
    )
    lines = ["#Version: 1.0", f"#Fields: {names}"]
    for client, method, target, status, size, agent in REQUESTS:
        coded = agent.replace("%", "%25").replace(" ", "%2520").replace(";", "%253B")
        cells = [
            "2026-06-03",
            "08:00:00",
            "LHR1-C1",
            size,
            client,
            method,
            "d.example",
            target.partition("?")[0],
            status,
            "-",
            coded,
        ]
        lines.append("\t".join(map(str, cells)))
    return "\n".join(lines) + "\n"


LOGS = {
    "combined": combined(),
    "combined, with a host": combined("news.example:443 "),
    "Caddy": as_json(
        of(
            client="request/client_ip",
            time="ts",
            method="request/method",
            target="request/uri",
            status="status",
            size="size",
            agent="request/headers/User-Agent",
        ),
        AT.timestamp(),
    ),
    "ours": as_json(
        of(client="client", time="time", method="method", target="path", status="status", size="bytes", agent="agent"),
        AT.isoformat(),
    ).replace("?x", ""),
    "CloudFront": cloudfront(),
    "Cloudflare": as_json(
        of(
            client="ClientIP",
            time="EdgeStartTimestamp",
            method="ClientRequestMethod",
            target="ClientRequestURI",
            status="EdgeResponseStatus",
            size="EdgeResponseBytes",
            agent="ClientRequestUserAgent",
        ),
        int(AT.timestamp() * 1e9),
    ),
    "Fastly": as_json(
        of(
            client="client_ip",
            time="timestamp",
            method="request_method",
            target="url",
            status="response_status",
            size="response_body_size",
            agent="request_user_agent",
        ),
        "2026-06-03T08:00:00+0000",
    ),
    "nginx, JSON": as_json(
        of(
            client="remote_addr",
            time="time_iso8601",
            method="request_method",
            target="request_uri",
            status="status",
            size="body_bytes_sent",
            agent="http_user_agent",
        ),
        "2026-06-03T08:00:00+00:00",
    ),
}


@pytest.fixture
def in_june(monkeypatch):
    """Set the date of `feeds stats` to that of the logs."""

    class June(datetime):
        @classmethod
        def now(cls, tz=None):
            return TODAY

    monkeypatch.setattr("feeds.cli.stats.datetime", June)


@pytest.mark.parametrize("kind", LOGS)
def test_logs_of_other_servers(site, in_june, kind):
    """All log formats give the same result: who polled which feed, the bytes sent, and the bytes saved by 304s."""
    publish(site)
    log = site.root / "access.log"
    log.write_text(LOGS[kind])
    done = site.run("stats", "--import", "access.log")
    assert (done.returncode, done.stderr) == (0, f"access.log: 3 polls in {len(LOGS[kind].splitlines())} lines\n")
    assert counted(site.catalog) == {"": {"NetNewsWire": 2}, "tag/x": {"Feedly": 9}}
    with site.catalog.read_stats() as reader:
        sums = Report.of(reader, TODAY, 30).sums
    assert (sums.polls, sums.unchanged, sums.bytes) == (3, 1, 1500)


@pytest.mark.databases("sqlite", "postgres")
def test_a_log_is_counted_once(site):
    """A log that is imported again, has grown, was renamed or compressed, or comes from a pipe, counts once."""
    publish(site, site={"url": "https://test.example/blog"}, feeds={"aliases": {"/feed/": "/rss.xml"}})
    now = datetime.now(UTC)
    text = combined().replace("GET /", "GET /blog/").replace("/blog/rss.xml", "/blog/feed/")
    text = text.replace("03/Jun/2026:10:00:00 +0200", f"{now:%d/%b/%Y:00:00:00} +0000")
    log = site.root / "access.log"
    log.write_text("no line of a log\n" + text)
    first = site.run("stats", "--import", "access.log")
    assert first.stderr == "access.log: 3 polls in 8 lines, 1 line could not be read\n"
    again = site.run("stats", "--import", "access.log")
    assert again.stderr == f"access.log: 0 polls in 0 lines, {log.stat().st_size:,} bytes were imported before\n"
    more = "".join(
        text.splitlines(keepends=True)[0].replace("192.0.2.1", f"192.0.2.{number}") for number in range(20, 40)
    )
    packed = site.root / "access.log.1.gz"
    packed.write_bytes(gzip.compress((log.read_text() + more).encode()))
    grown = site.run("stats", "--import", "access.log.1.gz")
    assert grown.stderr.startswith("access.log.1.gz: 20 polls in ")
    with packed.open("rb") as file:
        piped = site.run("stats", "--json", "--import", "-", stdin=file)
    assert piped.stderr.startswith("-: 0 polls in 0 lines")
    assert json.loads(piped.stdout)["polls"] == 23
    assert counted(site.catalog, now)[""] == {"NetNewsWire": 22}
    if not isinstance(site.config.catalog, str):
        assert b"192.0.2." not in site.config.catalog.read_bytes()
    packed.write_bytes(packed.read_bytes()[:-40])
    assert site.run("stats", "--import", "access.log.1.gz").returncode == 3
    assert site.run("stats", "--import", "nothing.log").returncode == 3


def test_logs_of_two_servers_that_begin_alike(site, in_june):
    """Short logs of the same readers from two servers are different logs, although only the times differ."""
    publish(site)
    line = '192.0.2.{} - - [03/Jun/2026:10:00:{:02} +0000] "GET /rss.xml HTTP/1.1" 304 0 "-" "' + NETNEWSWIRE + '"\n'
    (site.root / "a.log").write_text(line.format(1, 0))
    (site.root / "b.log").write_text(line.format(2, 1) + line.format(3, 2))
    for expected in (["1 poll", "2 polls"], ["0 polls", "0 polls"]):
        said = site.run("stats", "--import", "a.log", "b.log").stderr.splitlines()
        assert [one.partition(": ")[2].partition(" in ")[0] for one in said] == expected
    assert json.loads(site.run("stats", "--json").stdout)["polls"] == 3


def test_a_log_is_known_when_its_first_feeds_are_gone(site, in_june):
    """A log whose first polls are of a feed that was deleted or does not exist yet is recognised again."""
    publish(site)
    line = '192.0.2.1 - - [03/Jun/2026:10:00:{:02} +0000] "GET {} HTTP/1.1" 200 9 "-" "' + NETNEWSWIRE + '"\n'
    (site.root / "a.log").write_text(line.format(1, "/tag/x/rss.xml") + line.format(2, "/rss.xml"))
    assert site.run("stats", "--import", "a.log").stderr.startswith("a.log: 2 polls in")
    for number in range(3):
        site.article(f"{number}.md", title=str(number), date=f"2026-05-0{number + 1}")
    site.publish()
    assert site.run("stats", "--import", "a.log").stderr.startswith("a.log: 0 polls in")


def test_days_of_a_log(site):
    """The last day of a log stays open until the next log completes it; earlier days are closed."""
    publish(site)
    today = datetime.now(UTC)
    line = '192.0.2.{} - - [{:%d/%b/%Y}:10:00:00 +0000] "GET /rss.xml HTTP/1.1" 200 9 "-" "' + NETNEWSWIRE + '"\n'
    days = [today - timedelta(days=back) for back in (3, 2, 1)]
    (site.root / "1.log").write_text(line.format(1, days[0]) + line.format(1, days[1]))
    (site.root / "2.log").write_text(line.format(1, days[1]) + line.format(2, days[1]) + line.format(1, days[2]))
    assert site.run("stats", "--import", "1.log").returncode == 0
    with site.catalog.read_stats() as reader:
        assert reader.open_days() == [f"{days[1]:%Y-%m-%d}"]
    said = json.loads(site.run("stats", "--json", "--import", "2.log").stdout)
    assert [one["subscribers"] for one in said["days"]] == [1, 2, 1]
    assert said["subscribers"] == 2
    with site.catalog.read_stats() as reader:
        assert reader.open_days() == [f"{days[2]:%Y-%m-%d}"]


def test_garbage_for_a_log(site, in_june):
    """In a log of any bytes, unreadable lines are counted, and no error occurs."""
    publish(site)
    chosen = random.Random(3)
    lines = ["{", "[]", '{"status": 200}', '{"path": "/rss.xml", "status": {}}', '{"path": 1, "status": 200, "time": 1e300}',
             '{"path": "/rss.xml", "status": 200, "time": "never", "agent": []}', "\t\t\t", "{" * 5000, "x" * 200_000,
             '1 - - [99/Foo/2026:10:00:00 +0000] "GET /rss.xml HTTP/1.1" 200 9 "-" "x"',
             '{"path": "//[", "status": 200, "time": 0}']  # fmt: skip
    blob = (
        "\n".join(lines).encode()
        + b"\n"
        + bytes(chosen.randrange(256) for _ in range(20_000))
        + b"\n"
        + combined().encode()
    )
    (site.root / "access.log").write_bytes(blob)
    done = site.run("stats", "--import", "access.log")
    assert done.returncode == 0, done.stderr
    assert "3 polls" in done.stderr
    assert "could not be read" in done.stderr


NUMBERS = st.sampled_from(
    ["0", "-1", "1", "200", "9" * 20, "9" * 5_000, "-" + "9" * 5_000, "٢٠٠", "²", "1e400", "NaN", "Infinity", "0x1", "", "-", "1_0", "true", "null"]
)  # fmt: skip
YEARS = st.sampled_from(["0000", "0001", "1969", "1970", "2026", "9999", "99999", "٢٠٢٦", "-2026"])
ZONES = st.sampled_from(["+0000", "+1400", "-2359", "+9999", "-0000"])
COMBINED_LINES = st.builds(
    '{} - - [03/Jun/{}:10:00:00 {}] "GET /rss.xml HTTP/1.1" {} {} "-" "{} ({} subscribers)"'.format,
    NUMBERS, YEARS, ZONES, NUMBERS, NUMBERS, st.sampled_from(["x", "Feedly/1"]), NUMBERS,
)  # fmt: skip
JSON_LINES = st.builds(
    '{{"time": {}, "client": {}, "path": "/rss.xml", "status": {}, "bytes": {}, "agent": "A ({} subscribers)"}}'.format,
    NUMBERS | YEARS.map('"{}-06-03T10:00:00+00:00"'.format), NUMBERS, NUMBERS, NUMBERS, NUMBERS,
)  # fmt: skip
FIELD_LINES = st.builds(
    "{}-06-03\t10:00:00\tX\t{}\t192.0.2.1\tGET\tx\t/rss.xml\t{}\t-\tx".format, YEARS, NUMBERS, NUMBERS
)


@given(st.lists(COMBINED_LINES | JSON_LINES | FIELD_LINES, max_size=30))
def test_logs_of_any_numbers(lines):
    """Whatever numbers a log contains, a line is a plausible request, or it can't be read."""
    log = LogParser()
    for line in lines:
        try:
            read = log.parse(line)
        except UnknownLog:
            continue
        assert read.time.year >= 1990
        assert 0 <= read.size <= 1 << 40


def test_a_log_of_impossible_numbers_is_counted(site, in_june):
    """Lines with impossible numbers or dates count as unreadable, and the other lines are counted."""
    publish(site)
    line = '192.0.2.1 - - [03/Jun/{}:10:00:00 {}] "GET /rss.xml HTTP/1.1" 200 {} "-" "' + NETNEWSWIRE + '"\n'
    odd = [("0001", "+0000", 9), ("0001", "+1400", 9), ("2026", "+0000", 10**30), ("2026", "+0000", "9" * 5_000)]
    (site.root / "a.log").write_text("".join(line.format(*one) for one in [*odd, ("2026", "+0000", 9)]))
    done = site.run("stats", "--import", "a.log")
    assert (done.returncode, done.stderr.strip()) == (0, "a.log: 1 poll in 5 lines, 4 lines could not be read")


def test_invented_numbers_of_subscribers(site):
    """If many requests claim many subscribers, a service's number is limited, and marked as doubtful."""
    publish(site)
    tally, today = PollCounter(site.catalog), f"{datetime.now(UTC):%Y-%m-%d}"
    for number in range(300):
        tally.add(today, poll(f"Feedly/1.0 (100000000 subscribers; feed-id={number})"))
        tally.add(today, poll(f"Nobody/1.0 (12345678901 subscribers; feed-id={number})"))
    tally.add(today, poll("Inoreader/1.0 (1200 subscribers)"))
    tally.write()
    said = json.loads(site.run("stats", "--json").stdout)["feeds"][0]["readers"]
    assert [(one["name"], one["subscribers"], "doubtful" in one) for one in said] == [
        ("Feedly", 1_000_000, True),
        ("Nobody", 10_000, True),
        ("Inoreader", 1_200, False),
    ]
    table = site.run("stats").stdout
    assert "1,000,000  Feedly (doubtful" in table
    assert "1,200  Inoreader\n" in table


def test_the_text_for_people(site):
    """`feeds stats` prints feeds and readers, and robots apart; without polls, it says how to count them."""
    publish(site)
    assert site.run("stats").stdout.startswith("No polls have been counted yet.")
    tally = PollCounter(site.catalog)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for one in (
        poll(size=3000),
        poll(client="192.0.2.2", status=304, saved=3000),
        poll(FEEDLY.format(1200)),
        poll(GOOGLEBOT),
    ):
        tally.add(today, one)
    tally.write()
    lines = [line.split() for line in site.run("stats").stdout.splitlines()]
    assert lines[1] == ["1,202", "4", "25%", "3.0", "kB", "3.0", "kB", "/"]
    assert lines[2:4] == [["1,200", "Feedly"], ["2", "NetNewsWire"]]
    assert ["1", "0%", "0", "B", "0", "B", "Googlebot"] in lines
    assert site.run("list").stdout.splitlines()[1].split()[:3] == ["/", "3", "1202"]
    assert site.run("stats", "x.log").returncode == 2


def basic(token, user="me"):
    """Return the Authorization header of a browser with a password."""
    return f"Authorization: Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5_000, "1e308", "Infinity", "-1e999", "NaN"])
@pytest.mark.parametrize("what", ["ts", "status", "size"])
def test_no_number_of_a_log_ends_the_import(site, what, number):
    """A line with a number that can't be parsed is unreadable, and the next line is counted."""
    site.article("a.md", title="a")
    site.publish()
    good = {"ts": "1767000000", "status": "200", "size": "5000"}
    lines = []
    for numbers in ({**good, what: number}, good):
        said = ", ".join(f'"{name}": {value}' for name, value in numbers.items())
        lines.append(f'{{{said}, "request": {{"client_ip": "192.0.2.1", "method": "GET", "uri": "/rss.xml"}}}}\n')
    done = site.run("stats", "--import", "-", stdin="".join(lines))
    assert (done.returncode, done.stderr) == (0, "-: 1 poll in 2 lines, 1 line could not be read\n")


def test_the_private_page(site, app, monkeypatch):
    """`/stats` requires the token, as a password or a bearer token, and may not be cached."""
    monkeypatch.setattr("feeds.web.stats._RENDER_TIMEOUT_S", 60.0)
    publish(site, stats={"token": TOKEN})
    tally = PollCounter(site.catalog)
    for back in range(5):
        for number in range(3 + back):
            day = f"{datetime.now(UTC) - timedelta(days=back):%Y-%m-%d}"
            tally.add(day, poll("<script>Evil</script>/1", client=f"192.0.2.{number}", document="/tag/x/rss.xml"), 30)
    tally.write()
    server = app(site)
    asked = server.ask("/stats")
    assert (asked.status, asked.headers["www-authenticate"]) == (401, 'Basic realm="feeds statistics", charset="UTF-8"')
    for header in (basic(TOKEN), f"Authorization: Bearer {TOKEN}"):
        answer = server.ask("/stats", header)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
    text = answer.body.decode()
    assert (text.count('viewBox="0 0 720 '), text.count('viewBox="0 0 340 ')) == (2, 2)
    assert "<script>Evil" not in text
    assert " style=" not in text
    assert "/tag/x/" in text
    source = rows(site, "SELECT source FROM visits")[0][0]
    assert source not in text
    assert server.ask("/static/stats.css").status == 200
    assert server.ask("/stats", basic(TOKEN), method="HEAD").status == 200
    assert server.ask("/stats", basic(TOKEN), method="POST").status == 405
    wrong = [basic("wrong"), "Authorization: Basic ???", "Authorization: Bearer ", "Authorization: Bearer é"]
    assert {server.ask("/stats", header).status for header in wrong} == {401}


def test_wrong_tokens_lock_nobody_out(site, app, monkeypatch):
    """A client with the token sees the page after any number of wrong tokens, from any addresses."""
    monkeypatch.setattr("feeds.web.stats._RENDER_TIMEOUT_S", 60.0)
    for client_header in ("X-Client", None):
        publish(site, stats={"token": TOKEN}, server={"client_header": client_header})
        server = app(site)
        assert {server.ask("/stats", basic("wrong"), "X-Client: 192.0.2.7").status for _ in range(50)} == {401}
        assert {
            server.ask("/stats", basic("wrong"), f"X-Client: 10.0.{n >> 8}.{n & 255}").status for n in range(300)
        } == {401}
        assert server.ask("/stats", basic(TOKEN), "X-Client: 192.0.2.7").status == 200


def test_a_page_that_takes_long(site, monkeypatch):
    """A request waits a limited time for the page, then gets 503; while a new page is rendered, the last is served."""
    publish(site)
    now, slow, made, wrong = [1000.0], threading.Event(), [], []

    def report(*_):
        assert slow.wait(120)
        if wrong:
            raise CatalogError(wrong.pop())
        made.append(now[0])
        return Report(None, [], [], {}, {}, {})

    monkeypatch.setattr(stats, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("feeds.web.stats.Report.of", report)
    settings = config.load(site.root / "config.yaml", {})
    page = stats.StatsPage(site.catalog, Appearance.load(settings, settings.site_model), TOKEN, [])

    def ask():
        return page.respond(Request.from_values(headers={"Authorization": f"Bearer {TOKEN}"}))

    monkeypatch.setattr(stats, "_RENDER_TIMEOUT_S", 0.05)
    for _ in range(2):
        assert (ask().status_code, ask().headers["Retry-After"]) == (503, "2")
    slow.set()
    eventually(lambda: ask().status_code == 200)
    assert len(made) == 1
    for later, status in ((9, 200), (30, 200), (65, 503)):
        slow.clear()
        now[0] = 1000.0 + later
        for _ in range(2):
            assert ask().status_code == status
    slow.set()
    eventually(lambda: ask().status_code == 200)
    monkeypatch.setattr(stats, "_RENDER_TIMEOUT_S", 120.0)
    now[0] += 100
    assert ask().status_code == 200, "it was waited for"
    now[0] += 100
    wrong.append("away")
    with pytest.raises(CatalogError, match="away"):
        ask()
    assert ask().status_code == 200


def test_without_a_token_there_is_no_page(site, app):
    """`/stats` does not exist without a token, and a short token is rejected."""
    publish(site, stats={"count": False})
    server = app(site)
    assert server.ask("/stats").status == 404
    assert server.ask("/rss.xml").status == 200
    server.close()
    assert rows(site, "SELECT count(*) FROM visits") == [(0,)]
    site.configure(stats={"token": "short"})
    with pytest.raises(ConfigError, match=r"stats\.token"):
        _ = site.config


def test_the_page_before_anybody_polled(site, app, monkeypatch):
    """Without counts, the page says that there are none."""
    monkeypatch.setattr("feeds.web.stats._RENDER_TIMEOUT_S", 60.0)
    publish(site, stats={"token": TOKEN})
    answer = app(site).ask("/stats", basic(TOKEN))
    assert (answer.status, b"No polls have been counted yet" in answer.body) == (200, True)


def test_polls_at_the_workers_of_a_server(site, serve):
    """Polls at several workers are counted once in the metrics, the access log and the catalog.

    Prometheus also gets the subscribers of each feed.
    """
    port = free_port()
    publish(
        site,
        server={"metrics": f"127.0.0.1:{port}", "access_log": "access.log", "client_header": "X-Client", "limit": 0},
        content={"watch": "off"},
    )
    tally = PollCounter(site.catalog)
    tally.add(f"{datetime.now(UTC):%Y-%m-%d}", poll(FEEDLY.format(12), document="/tag/x/rss.xml"))
    tally.write()
    server = serve(site, "--workers", "2")
    agents = [NETNEWSWIRE] * 30 + [GOOGLEBOT] * 15
    for number, agent in enumerate(agents):
        headers = (f"User-Agent: {agent}", f"X-Client: 192.0.2.{number % 20}")
        server.wait_for(lambda headers=headers: server.ask("/rss.xml", *headers).status == 200)  # 503 until rendered

    def said():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return answer.read().decode()

    assert 'feeds_subscribers{feed="/tag/x/"} 12.0' in said()
    server.wait_for(lambda: 'feeds_polls_total{kind="person"} 30.0' in said())
    server.wait_for(lambda: 'feeds_polls_total{kind="crawler"} 15.0' in said())
    assert server.stop() == 0
    answered = [json.loads(line) for line in (site.root / "access.log").read_text().splitlines()]
    assert sum(one["status"] == 200 and one["document"] == "/rss.xml" for one in answered if "document" in one) == 45
    assert rows(site, "SELECT sum(polls) FROM visits WHERE feed = ''") == [(45,)]
    assert counted(site.catalog, datetime.now(UTC))[""] == {"NetNewsWire": 20}


def test_a_catalog_made_anew_keeps_the_history(site, in_june):
    """Totals of closed days, and positions in imported logs, are saved from a damaged catalog: no line counts twice."""
    publish(site)
    (site.root / "access.log").write_text(combined())
    assert "3 polls" in site.run("stats", "--import", "access.log").stderr
    tally = PollCounter(site.catalog)
    tally.add(BEFORE, poll(FEEDLY.format(12)))
    tally.write()
    roll_up_finished_days(site.catalog, TODAY, 400)
    site.close()
    with contextlib.closing(sqlite3.connect(site.config.catalog)) as raw:
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'articles_by_hash'").fetchone()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(site.config.catalog.read_bytes())
    data[(page - 1) * 16384 : page * 16384] = b"\xff" * 16384
    site.config.catalog.write_bytes(data)
    catalog = site.catalog
    with catalog.lock():
        assert catalog.recover()
    kept = rows(site, f"SELECT feed, reader, subscribers FROM audience WHERE day = '{BEFORE}'")
    assert kept == [("", "Feedly", 12)]
    site.publish()
    assert "0 polls" in site.run("stats", "--import", "access.log").stderr


def test_logs_that_say_nothing(site, in_june):
    """A line with a future date is not a poll; a file that is not a log is an error."""
    publish(site)
    line = '198.51.100.1 - - [{} +0000] "GET /rss.xml HTTP/1.1" 200 9 "-" "NetNewsWire"\n'
    (site.root / "a.log").write_text(line.format("22/Nov/2999:10:00:00") + line.format("02/Jun/2026:10:00:00"))
    done = site.run("stats", "--import", "a.log", "--json")
    assert (done.returncode, json.loads(done.stdout)["day"]) == (0, BEFORE)
    assert "1 poll in 2 lines, 1 line could not be read" in done.stderr
    done = site.run("stats", "--import", "config.yaml")
    assert done.returncode == 1


@pytest.mark.databases("sqlite", "postgres")
def test_counting_and_closing_at_once(state):
    """While processes write polls and others close the day, each poll counts once, in both databases."""
    catalogs = [Catalog(state) for _ in range(5)]
    catalogs[0].create()
    day, over = "2026-05-01", datetime(2026, 5, 3, tzinfo=UTC)
    closing = threading.Event()
    failed = []

    def count(catalog, number):
        try:
            for turn in range(15):
                with catalog.write_stats(short_timeout=False) as counter:
                    counter.salt(day)
                    counter.count(day, [_visit_of(day, f"{number} {turn % 5}")], 1000)
        except CatalogError as error:
            failed.append(error)

    def close():
        while not closing.is_set():
            with contextlib.suppress(CatalogError):  # another writer held the lock for a second
                roll_up_finished_days(catalogs[-1], over, 400)

    threads = [threading.Thread(target=count, args=pair) for pair in zip(catalogs[:-1], range(4), strict=True)]
    closer = threading.Thread(target=close)
    for thread in (closer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    closing.set()
    closer.join()
    roll_up_finished_days(catalogs[-1], over, 400)
    with catalogs[0].read_stats() as reader:
        assert failed == []
        assert reader.open_days() == []
        assert sum(row.polls for row in reader.daily_counts(day, day)) == 60
    for catalog in catalogs:
        catalog.close()


def _visit_of(day, source):
    return SourceCounts(day, "", "Reader", "person", source, None, 1, 1, 0, 0, 5_000_000_000, 0)
