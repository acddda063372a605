"""Failures of runs and tasks are in /healthz, the metrics, `feeds status` and the log until the task succeeds."""

import json
import resource
import signal
import subprocess
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import Server, Site, free_port
from hypothesis import given
from hypothesis import strategies as st
from publish_loops import running_loop
from test_workers import NOT_RELOADED, RELOADED, UNCHANGED, logged
from waiting import eventually

from feeds.catalog import Catalog, Failure, Failures
from feeds.catalog.failures import RECORD_BYTES, TASKS, decode, with_failure
from feeds.core.errors import FeedsError, TaskFailed

SECRET = "s3cret-t0ken"


def health(server):
    """Return the content of /healthz."""
    return json.loads(server.get("/healthz").body)


def status(site):
    """Return the exit code of `feeds status`, and the tasks that it reports with the reasons."""
    done = site.run("status", "--json")
    return done.returncode, {one["task"]: one["reason"] for one in json.loads(done.stdout)["failures"]}


def metrics(port):
    """Return the metrics by name."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


class Disk:
    """A file system of 3 MB with a site's configuration, catalog and log, or a limit on the size of files.

    Mounting the file system needs privileges. Without them, no file may become longer than a record of failures.
    """

    def __init__(self, place):
        """Create the disk in a folder."""
        self._ballast, self._limits, self._server = place / "ballast", None, None
        command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
        self.mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0

    def fill(self, server):
        """Fill the disk."""
        if not self.mounted:
            self._server, self._limits = server, resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (RECORD_BYTES, self._limits[1]))
            return
        with self._ballast.open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space left"):
            while True:
                ballast.write(bytes(4096))

    def free(self):
        """Free space on the disk."""
        if self._limits:
            resource.prlimit(self._server.process.pid, resource.RLIMIT_FSIZE, self._limits)
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path):
    """Return a small disk at `tmp_path / "disk"`."""
    place = tmp_path / "disk"
    place.mkdir()
    made = Disk(place)
    yield made
    if made.mounted:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.integration
@pytest.mark.unmeasured
def test_a_full_disk(tmp_path, disk):
    """Articles that a full disk prevents from being published are reported, and published when there is space."""
    port = free_port()
    articles = tmp_path / "articles"
    articles.mkdir()
    site = Site(tmp_path / "disk" / "site")
    site.configure(content={"path": str(articles)}, server={"metrics": f"127.0.0.1:{port}"})
    site.content = articles
    site.article("a.md", title="a")
    server = Server(site.root)
    try:
        server.wait_for(lambda: server.titles() == ["a"])
        disk.fill(server)
        for number in range(300):
            site.article(f"{number}.md", "Text. " * 500, title=str(number))
        server.wait_for(lambda: health(server)["status"] == "degraded")
        failure = health(server)["failure"]
        assert failure == "publish: the catalog can't be read or written"
        assert server.get("/feed.json").status == 200  # with the few articles that fitted on the disk
        code, failing = status(site)
        assert (code, list(failing)) == (3, ["publish"])
        assert "failing since then: " in site.run("status").stdout
        assert metrics(port)['feeds_failing{task="publish"}'] == 1
        assert metrics(port)["feeds_regeneration_failing"] == 1
        disk.free()
        server.wait_for(lambda: health(server)["status"] == "ok")
        server.wait_for(lambda: "301 articles" in site.run("status").stdout)
        assert status(site) == (0, {})
        assert metrics(port)['feeds_failing{task="publish"}'] == 0
        assert metrics(port)["feeds_regeneration_success_timestamp_seconds"] > 0
    finally:
        disk.free()
        assert server.stop() == 0


@pytest.mark.unmeasured
@pytest.mark.parametrize(("limit", "value"), [("RLIMIT_FSIZE", 0), ("RLIMIT_NOFILE", 5)])
def test_a_failure_that_can_be_written_nowhere(site, serve, limit, value):
    """Workers report failures even if the publisher can't write or open any file."""
    site.article("a.md", title="a")
    server = serve(site)
    server.wait_for(lambda: server.titles() == ["a"])
    pid, which = server.process.pid, getattr(resource, limit)
    limits = resource.prlimit(pid, which)
    resource.prlimit(pid, which, (value, limits[1]))
    site.article("b.md", title="b")
    server.wait_for(lambda: health(server)["status"] == "degraded")
    assert health(server)["failure"].startswith("publish: ")
    resource.prlimit(pid, which, limits)
    server.wait_for(lambda: health(server)["status"] == "ok")
    server.wait_for(lambda: sorted(server.titles()) == ["a", "b"])


def test_health_is_read_only(site, app):
    """/healthz answers GET and HEAD, forbids caching, and rejects other methods."""
    site.publish()
    server = app(site)
    answers = [server.get("/healthz", method=method) for method in ("GET", "HEAD", "POST", "OPTIONS")]
    assert [answer.status for answer in answers] == [200, 200, 405, 405]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert (answers[1].body, answers[2].headers["allow"]) == (b"", "GET, HEAD")


def test_the_folder_is_missing(site, app):
    """A missing folder is reported with its path to the owner, without it to the public, and until it is back."""
    site.article("a.md", title="a")
    assert site.run("build").returncode == 0
    server = app(site)
    assert health(server)["status"] == "ok"
    site.content.rename(site.root / "away")
    assert site.run("build").returncode == 3
    assert health(server)["failure"] == "publish: the content folder is missing"
    code, failing = status(site)
    assert (code, str(site.content) in failing["publish"]) == (3, True)
    (site.root / "away").rename(site.content)
    assert site.run("build").returncode == 0
    assert (health(server)["failure"], status(site)) == (None, (0, {}))


def test_the_guard_stops(site):
    """While the republish guard stops runs, `feeds status` ends with the guard's exit code."""
    for number in range(10):
        site.article(f"{number}.md", title=str(number))
    site.run("build")
    for file in site.content.iterdir():
        file.unlink()
    assert site.run("build").returncode == 5
    assert status(site)[0] == 5
    assert site.run("build", "--accept").returncode == 0
    assert status(site) == (0, {})


def test_an_export_fails(site, app):
    """A failed export is reported until an export succeeds, even if the publish run before it succeeded."""
    site.configure(export={"path": "file/public"})
    site.article("a.md", title="a")
    (site.root / "file").write_text("not a folder")
    assert site.run("build").returncode == 3
    assert site.run("build", "--no-export").returncode == 0
    server = app(site)
    assert (health(server)["status"], health(server)["failure"]) == ("degraded", "export: the last run failed")
    assert (status(site)[0], list(status(site)[1])) == (3, ["export"])
    assert "failing    export, since " in site.run("status").stdout
    (site.root / "file").unlink()
    assert site.run("build").returncode == 0
    assert (health(server)["failure"], status(site)) == (None, (0, {}))


def test_caches_are_not_told(site, app):
    """A failed purge is reported until a purge succeeds, and the output of its command is not public."""
    script = site.root / "purge.sh"
    script.write_text(f"echo {SECRET}; exit 1")
    site.configure(export={"purge": "sh purge.sh"})
    site.article("a.md", title="a")
    assert site.run("build").returncode == 1
    server = app(site)
    assert health(server)["failure"] == "purge: caches still have old files"
    code, failing = status(site)
    assert (code, SECRET in failing["purge"]) == (1, True)
    script.write_text("exit 0")
    assert site.run("build").returncode == 0
    assert (health(server)["failure"], status(site)) == (None, (0, {}))


def test_the_command_before_fails(site, serve):
    """A failed `before` command is reported until it succeeds; its output is visible to the owner only."""
    script = site.root / "pull.sh"
    script.write_text(f"echo fatal: https://user:{SECRET}@git.example/; exit 1")
    site.configure(schedule={"before": "sh pull.sh", "webhook": "a-secret-of-twenty-letters"})
    site.article("a.md", title="a")
    server = serve(site)

    def refresh():
        """Request a publish run."""
        return server.ask("/refresh", "Authorization: Bearer a-secret-of-twenty-letters", method="POST").status == 202

    server.wait_for(refresh)
    server.wait_for(lambda: health(server)["failure"] == "before: schedule.before failed")
    assert SECRET in server.log.read_text()
    assert SECRET in status(site)[1]["before"]
    script.write_text("exit 0")
    server.wait_for(refresh)
    server.wait_for(lambda: health(server)["failure"] is None)
    server.wait_for(lambda: status(site) == (0, {}))


def test_an_unexpected_error(site):
    """An unexpected error ends no thread of the publisher: it is reported, and the next run succeeds."""
    site.article("a.md", title="a")
    with running_loop(site) as running:
        running.wait_for_articles(1)
        with site.catalog.write_transaction() as writer:
            writer.state.write("guard changes", "{")
        site.article("b.md", title="b")
        running.publish_loop._request_scan(None)
        failure = eventually(lambda: site.catalog.failures().get("publish"))
        assert (failure.public_message, failure.exit_code) == ("an unexpected error", 3)
        assert failure.reason.startswith("JSONDecodeError: ")
        with site.catalog.write_transaction() as writer:
            writer.state.write("guard changes", "")
        running.publish_loop._request_scan(None)
        running.wait_for_articles(2)
        eventually(lambda: not site.catalog.failures())
        assert running.publish_loop.is_alive


def test_an_error_while_the_lead_is_taken(site):
    """A publisher that could not start its work when it became leader reports that, and starts as soon as it can."""
    site.article("a.md", title="a")
    site.publish()
    site.article("b.md", title="b")
    with site.catalog.write_transaction() as writer:
        writer.state.write("asked", "x")
    with running_loop(site) as running:
        failure = eventually(lambda: site.catalog.failures().get("publish"))
        assert failure.reason.startswith("ValueError: ")
        with site.catalog.write_transaction() as writer:
            writer.state.write("asked", "0")
        running.wait_for_articles(2)
        eventually(lambda: not site.catalog.failures())


def test_nobody_can_be_told(site):
    """If even reporting a run fails, as with a log on a full disk, the publisher's threads continue."""
    site.article("a.md", title="a")
    tries = []

    def full(outcome):
        tries.append(outcome)
        if len(tries) < 3:
            raise OSError(28, "No space left on device")

    with running_loop(site) as running:
        running.wait_for_articles(1)
        running.events.on_finished = running.events.on_failed = full
        site.article("b.md", title="b")
        running.publish_loop._request_scan(None)
        eventually(lambda: len(tries) > 2)
        eventually(lambda: not site.catalog.failures())
        assert running.publish_loop.is_alive


@pytest.mark.databases("sqlite", "postgres")
def test_failures_are_kept_for_other_processes(site):
    """A failure that one process records is read by others, with the time when this failure was first recorded."""
    one, other = Failures(site.catalog), Failures(site.catalog)
    assert other.current() == {}
    one.record("export", FeedsError("disk full"))
    since = other.current()["export"].since
    one.record("export", FeedsError("disk full"))
    one.record("before", TaskFailed("git: no", "schedule.before failed"))
    assert {task: (it.reason, it.public_message) for task, it in other.current().items()} == {
        "export": ("disk full", "the last run failed"),
        "before": ("git: no", "schedule.before failed"),
    }
    assert other.current()["export"].since == since
    other.clear("export")
    other.clear("before")
    assert Failures(site.catalog).current() == {}


def test_a_record_that_can_not_be_read(site):
    """A damaged, truncated or deleted record of failures does not hide later failures."""
    site.publish()
    file = Path(f"{site.config.catalog}.failures")
    assert file.stat().st_size == RECORD_BYTES
    assert file.stat().st_mode & 0o777 == 0o600
    failures = Failures(site.catalog)
    for damage in (b"", b'{"publish": [', b"[1]", b'{"publish": 1}', b"\xff" * 10, bytes(RECORD_BYTES)):
        file.write_bytes(damage)
        assert site.catalog.failures() == {}
        failures.record("publish", FeedsError("disk full"))
        assert site.catalog.failures()["publish"].reason == "disk full"
        failures.clear("publish")
    file.unlink()
    assert site.catalog.failures() == {}
    failures.record("publish", FeedsError("disk full"))
    assert site.catalog.failures()["publish"].reason == "disk full"


def test_without_a_catalog():
    """A catalog in memory stores failures like any other catalog."""
    catalog = Catalog(None)
    catalog.set_failure("publish", Failure(datetime(2026, 1, 1, tzinfo=UTC), "a", "b", 3))
    assert catalog.failures()["publish"].reason == "a"


@given(st.lists(st.text(max_size=2_000), min_size=len(TASKS), max_size=len(TASKS)), st.integers(0, RECORD_BYTES))
def test_all_failures_fit_into_a_record(reasons, cut):
    """Failures of all tasks with long reasons fit into a record and are read back; a partial record raises no error."""
    record, now = b"", datetime(2026, 1, 1, tzinfo=UTC)
    expected = {}
    for task, reason in zip(TASKS, reasons, strict=True):
        expected[task] = Failure.of(TaskFailed(reason, "public"), now)
        record = with_failure(record, task, expected[task])
    assert len(record) == RECORD_BYTES
    assert decode(record) == expected
    assert decode(record[:cut]) in ({}, expected)


@pytest.mark.integration
def test_a_publisher_alone_reloads(site):
    """A publisher without workers reloads on an edit or SIGHUP, and keeps the old configuration after a mistake."""
    site.configure(server={"port": free_port()})
    server = Server(site.root, "--role", "publisher")
    try:
        site.article("a.md", title="a")
        server.wait_for(lambda: ", 1 article" in site.run("status").stdout)
        whole = (site.root / "config.yaml").read_bytes()
        with logged(server, NOT_RELOADED):
            (site.root / "config.yaml").write_text("site: [")
        server.wait_for(lambda: health(server)["status"] == "degraded")
        with logged(server, UNCHANGED):
            (site.root / "config.yaml").write_bytes(whole)
        (site.root / "other").mkdir()
        site.content.joinpath("a.md").replace(site.root / "other/a.md")
        (site.root / "other/b.md").write_text("---\ntitle: b\ndate: 2026-05-01\n---\n\nText.\n")
        with logged(server, RELOADED):
            site.configure(content={"path": "other"}, feeds={"guard": 1})
        with logged(server, RELOADED):
            server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: ", 2 articles" in site.run("status").stdout)
        server.wait_for(lambda: health(server)["status"] == "ok")
    finally:
        assert server.stop() == 0
