"""`feeds serve` uses one configuration in all its processes, changes it everywhere or nowhere, and replaces workers."""

import json
import os
import resource
import signal
import socket
import threading
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml
from conftest import Site, free_port, serving
from hypothesis import settings
from test_operations import metrics
from waiting import eventually, retry_while_busy

pytestmark = [pytest.mark.integration, pytest.mark.unmeasured]

NIGHTLY = settings().max_examples >= 1_000
TOKEN = "a-token-that-only-the-owner-knows"


def processes(server):
    """Return the ids of a server's workers: its child processes that have their own process group."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return {int(child) for child in children if Path(f"/proc/{child}").exists() and group(child) == int(child)}


def group(pid):
    """Return the process group of a process; 0 if the process has ended."""
    try:
        return os.getpgid(int(pid))
    except ProcessLookupError:
        return 0


def kill_one(server, count):
    """Kill a worker, and wait until there are `count` workers again without it."""
    eventually(lambda: len(processes(server)) == count)
    victim = min(processes(server))
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in processes(server) and len(processes(server)) == count)


def facts(server, connections=20):
    """Return the title of the site and max-age that several connections receive, from any worker."""
    seen = set()
    for _ in range(connections):
        answer = retry_while_busy(lambda: server.ask("/feed.json"))
        seen.add((json.loads(answer.body)["title"], answer.headers["cache-control"].split(",")[1].strip()))
    return seen


def health(server):
    """Return the content of /healthz."""
    return json.loads(server.get("/healthz").body)


@contextmanager
def logged(server, words):
    """Run the block, then wait until the server's log has a new line with these words."""
    count = server.log.read_text().count(words)
    yield
    server.wait_for(lambda: server.log.read_text().count(words) > count)


RELOADED, UNCHANGED = "the configuration is reloaded", "the configuration is valid again"
NOT_RELOADED = "the configuration is not reloaded, the old one stays in effect: "


def start(serve, site):
    """Serve a site with two workers; return the server when both answer."""
    site.configure(server={"max_age": 200}, stats={"token": TOKEN})
    site.article("a.md", title="a", date="2026-05-01")
    server = serve(site, "--workers", "2")
    server.wait_for(lambda: server.titles() == ["a"])
    eventually(lambda: len(processes(server)) == 2)
    return server


@pytest.fixture
def two(site, serve):
    """Return a server with two workers."""
    return start(serve, site)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Yield a site and its server with two workers, for tests that leave both unchanged."""
    site = Site(tmp_path_factory.mktemp("shared"))
    with serving() as serve:
        yield site, start(serve, site)


def sound(site):
    """Return a copy of the configuration without the mistake."""
    beside = site.root / "sound.yaml"
    beside.write_text(yaml.safe_dump(site.settings))
    return beside


def publishes(site, server):
    """Return whether an article that is saved now is served."""
    title = f"article {len(list(site.content.iterdir()))}"
    site.article(f"{title}.md", title=title, date="2026-05-02")
    server.wait_for(lambda: title in server.titles())
    return True


def test_a_half_written_configuration(shared):
    """While the configuration is incomplete, a killed worker restarts with the last valid one.

    The mistake is in the log and in /healthz, and all commands report it.
    """
    site, two = shared
    file = site.root / "config.yaml"
    whole = file.read_bytes()
    for size in range(0, len(whole), 1 if NIGHTLY else len(whole) // 3 + 1):
        file.write_bytes(whole[:size])
        kill_one(two, 2)
        assert {title for title, _ in facts(two)} == {"Test"}
    with logged(two, f"{NOT_RELOADED}config.yaml:"):
        file.write_bytes(b"site: {title: Half, url: https")
    assert {title for title, _ in facts(two)} == {"Test"}
    said = health(two)
    assert (said["status"], said["failure"]) == (
        "degraded",
        "reload: the configuration is not reloaded",
    )
    assert site.process("status").returncode == 2
    status = site.process("status", "--json", "-c", str(sound(site)))
    assert (status.returncode, json.loads(status.stdout)["failures"][0]["task"]) == (2, "reload")
    with logged(two, UNCHANGED):
        file.write_bytes(whole)
    two.wait_for(lambda: health(two)["failure"] is None)
    assert site.process("status").returncode == 0
    assert "ended unexpectedly (signal 9)" in two.log.read_text()


def test_an_edit_takes_effect(site, two):
    """A changed configuration takes effect in all workers, also in restarted ones, without interruption."""
    assert facts(two) == {("Test", "max-age=200")}
    with logged(two, RELOADED):
        site.configure(site={"title": "Other"}, server={"max_age": 100})
    for _ in range(2):
        kill_one(two, 2)
    retry_while_busy(lambda: two.ask("/feed.json"))
    assert facts(two, 40) == {("Other", "max-age=100")}


def test_a_signal_without_an_edit(shared):
    """SIGHUP replaces all workers even if the configuration is unchanged."""
    _, two = shared
    workers, before = processes(two), facts(two)
    with logged(two, RELOADED):
        two.process.send_signal(signal.SIGHUP)
    assert len(processes(two)) == 2
    assert not processes(two) & workers
    assert facts(two) == before


def test_a_missing_configuration(shared):
    """A deleted configuration is reported and stays in effect, and the failure ends when the file is there again."""
    site, two = shared
    file, before = site.root / "config.yaml", facts(two)
    with logged(two, f"{NOT_RELOADED}config.yaml is missing"):
        file.rename(site.root / "moved.yaml")
    assert health(two)["failure"] == "reload: the configuration is not reloaded"
    with logged(two, UNCHANGED):
        (site.root / "moved.yaml").rename(file)
    two.wait_for(lambda: health(two)["failure"] is None)
    assert two.log.read_text().count("config.yaml is missing") == 1
    assert facts(two) == before


def test_a_mistake_changes_nothing(shared):
    """After an edit with mistakes, the workers stay the same, publishing continues, and each mistake has a line."""
    site, two = shared
    workers, before = processes(two), facts(two)
    whole = (site.root / "config.yaml").read_text()
    for edit, words in (
        ("server: {max_age: x, memory: y}", "config     config.yaml:2:22: server.memory: must"),
        (
            "state: sqlite:///other.db",
            f"{NOT_RELOADED}config.yaml: state: can't change while feeds runs; restart feeds",
        ),
    ):
        with logged(two, words):
            (site.root / "config.yaml").write_text(f"site: {{title: Other, url: https://test.example}}\n{edit}\n")
    with logged(two, UNCHANGED):
        (site.root / "config.yaml").write_text(whole)
    said = [line[22:] for line in two.log.read_text().splitlines() if line[22:].startswith("config ")][-5:]
    assert said[0] == "config     the configuration is not reloaded, the old one stays in effect; it has 2 mistakes"
    assert said[1].startswith("config     config.yaml:2:10: server.max_age: must be a whole number")
    assert publishes(site, two)
    assert facts(two) == before
    assert processes(two) == workers


def test_a_valid_edit(site, two):
    """After a valid edit, publisher and the same workers use it, and no request fails meanwhile."""
    other = site.root / "other"
    other.mkdir()
    (other / "c.md").write_text("---\ntitle: c\ndate: 2026-05-01\n---\n\nText.\n")
    workers, failed, over = processes(two), [], threading.Event()

    def poll():
        while not over.is_set():
            try:
                if (status := two.get("/healthz").status) != 200:
                    failed.append(status)
            except OSError as error:
                failed.append(error)

    eventually(lambda: all(two.get("/healthz").status == 200 for _ in range(20)))  # both workers know the first run
    polls = threading.Thread(target=poll)
    polls.start()
    try:
        with logged(two, RELOADED):
            site.configure(
                site={"title": "Other"},
                server={"max_age": 100, "workers": 3},
                content={"path": "other"},
                feeds={"guard": 1, "by": ["tag"]},
                schedule={"before": "touch was-run", "webhook": "a-secret-of-twenty-letters"},
            )
    finally:
        over.set()
        polls.join()
    assert failed == []
    assert processes(two) == workers  # --workers goes before the file
    two.wait_for(
        lambda: two.ask("/refresh", "Authorization: Bearer a-secret-of-twenty-letters", method="POST").status == 202
    )
    two.wait_for((site.root / "was-run").exists)
    (other / "d.md").write_text("---\ntitle: d\ndate: 2026-05-02\n---\n\nText.\n")
    two.wait_for(lambda: {"c", "d"} <= set(two.titles()))
    assert facts(two) == {("Other", "max-age=100")}


def threads(pid):
    """Return the number of threads of a process."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_connections_stay_open_during_edits(site, two):
    """A kept connection shows each edit and is never closed, and the previous applications leave no threads behind."""
    workers = processes(two)
    before = {}
    with closing(HTTPConnection("127.0.0.1", two.port, timeout=60)) as connection:
        connection.connect()
        sockets = {connection.sock}
        for number in range(6):
            with logged(two, RELOADED):
                site.configure(site={"title": f"Edit {number}"}, server={"max_age": 300 + number})
            connection.request("GET", "/feed.json")
            response = connection.getresponse()
            assert json.loads(response.read())["title"] == f"Edit {number}"
            assert f"max-age={300 + number}" in response.headers["Cache-Control"]
            sockets.add(connection.sock)
            before = before or {pid: threads(pid) for pid in workers}
    assert len(sockets) == 1
    assert processes(two) == workers
    few = 6  # a worker starts some threads when they are first needed; each application has at least four
    eventually(lambda: all(threads(pid) < before[pid] + few for pid in workers))


def test_an_edit_of_the_number_of_workers(site, serve):
    """If `server.workers` changes, other processes replace all workers."""
    site.article("a.md", title="a")
    server = serve(site)
    server.wait_for(lambda: server.titles() == ["a"])
    workers = processes(server)
    with logged(server, RELOADED):
        site.configure(server={"workers": 2})
    assert len(processes(server)) == 2
    assert not processes(server) & workers


def test_workers_that_do_not_start(shared):
    """If no worker can use an edit, nor any other worker start, the old workers and the publisher continue."""
    site, two = shared
    workers, before = processes(two), facts(two)
    whole = (site.root / "config.yaml").read_text()
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in (two.process.pid, *workers)}
    resource.prlimit(
        two.process.pid, resource.RLIMIT_NOFILE, (open_files(two.process.pid) + 2, limits[two.process.pid][1])
    )
    for pid in workers:  # so that they can't start the process that renders Python-Markdown
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files(pid), limits[pid][1]))
    with logged(two, f"{NOT_RELOADED}the workers can't be started: Too many open files"):
        (site.root / "config.yaml").write_text(
            whole.replace("Test", "Other") + "content: {markdown: python-markdown}\n"
        )
    for pid, limit in limits.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    with logged(two, UNCHANGED):
        (site.root / "config.yaml").write_text(whole)
    assert processes(two) == workers
    assert facts(two) == before
    assert publishes(site, two)


def test_workers_that_can_not_switch(site, two):
    """If a worker can't use an edit in its process, other processes replace all workers."""
    workers = processes(two)
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in workers}
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files(pid), limits[pid][1]))
    with logged(two, RELOADED):
        site.configure(site={"title": "Other"}, content={"markdown": "python-markdown"})
    assert len(processes(two)) == 2
    assert not processes(two) & workers
    assert facts(two) == {("Other", "max-age=200")}


def open_files(pid):
    """Return the highest file descriptor that a process has open."""
    return max(int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir())


def test_a_worker_that_is_killed_again_and_again(site, two):
    """A worker that is killed five times within seconds restarts each time; serving and publishing continue."""
    for number in range(5):
        kill_one(two, 2)
        site.article(f"b{number}.md", title=f"b{number}")
        two.wait_for(lambda number=number: f"b{number}" in two.titles())
    assert two.log.read_text().count("ended unexpectedly (signal 9)") >= 5
    assert two.stop() == 0


def test_a_worker_that_is_restarted_counts_on(site, serve):
    """The counts of a worker are kept when another replaces it, and no file is left behind."""
    port = free_port()
    site.configure(server={"metrics": f"127.0.0.1:{port}"})
    server = serve(site)
    asked = 'feeds_requests_total{document="other",status="404"}'
    for number in range(1, 3):
        assert server.ask("/no/such").status == 404
        server.wait_for(lambda number=number: metrics(port).get(asked) == number)
        (worker,) = processes(server)
        environment = dict(
            line.split("=", 1) for line in Path(f"/proc/{worker}/environ").read_text().split("\0") if line
        )
        folder = Path(environment["PROMETHEUS_MULTIPROC_DIR"])
        assert {file.name for file in folder.iterdir()} == {"counter_0-0.db", "histogram_0-0.db"}
        kill_one(server, 1)
        server.wait_for(lambda: server.ask("/healthz").status == 200)
    assert metrics(port)[asked] == 2


def test_workers_that_can_not_be_restarted(site, serve):
    """While no process can be started, the publisher continues; a worker returns as soon as one can be started."""
    site.article("a.md", title="a")
    server = serve(site)
    server.wait_for(lambda: server.titles() == ["a"])
    pid = server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files(pid) + 1, limits[1]))
    os.kill(processes(server).pop(), signal.SIGKILL)
    eventually(lambda: "worker 1 can't be started: Too many open files" in server.log.read_text())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    site.article("b.md", title="b")
    server.wait_for(lambda: sorted(server.titles()) == ["a", "b"])


def test_no_secret_is_shown_to_other_processes(shared):
    """Neither the command line nor the environment of a worker contains a secret of the configuration."""
    _, two = shared
    for pid in processes(two):
        for file in ("cmdline", "environ"):
            assert TOKEN.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()
    request = ["Authorization: Bearer " + TOKEN]
    two.wait_for(lambda: two.ask("/stats", *request).status == 200)


def test_another_server_reads_it_once(site, app):
    """The WSGI application reads the configuration only when it is created."""
    site.configure(server={"max_age": 200})
    site.article("a.md", title="a")
    site.publish()
    server = app(site)
    (site.root / "config.yaml").write_text("site: [")
    answer = server.ask("/feed.json")
    assert json.loads(answer.body)["title"] == "Test"
    assert "max-age=200" in answer.headers["cache-control"]
    assert {server.ask(path).status for path in ("/", "/healthz", "/feeds.opml")} == {200}


def test_a_signal_while_it_ends(site, two):
    """SIGTERM during a reload ends the server normally."""
    site.configure(site={"title": "Other"})
    two.process.send_signal(signal.SIGHUP)
    assert two.stop() == 0
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", two.port)):
        pass
