"""The causes of publish runs: the webhook, commands, scheduled articles; and runs beside any number of builds."""

import hashlib
import hmac
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import time_machine
from apscheduler.executors.base import BaseExecutor
from publish_loops import RunningLoop, running_loop
from waiting import eventually
from werkzeug.wrappers import Request

from feeds import hooks as commands
from feeds.config.cron import parse_cron
from feeds.core.errors import CatalogError, ContentFolderMissing
from feeds.publish import loop
from feeds.web import fixed_window, request_log
from feeds.web.webhook import BODY_KEY, Webhook

SECRET = "a-secret-of-the-owner"
VALIDATORS = ("etag", "last-modified")


@pytest.fixture
def quick(monkeypatch):
    """Check for webhook calls continuously."""
    monkeypatch.setattr(loop, "_TICK_S", 0.02)
    monkeypatch.setattr(request_log, "_INTERVAL_S", 0.02)


@pytest.fixture
def minute(monkeypatch):
    """Freeze the clock by which calls are counted; return a list that contains its time."""
    now = [6_000_000.0]
    monkeypatch.setattr(fixed_window, "time", SimpleNamespace(time=lambda: now[0]))
    return now


@pytest.fixture
def called(site, app, quick):
    """Return the application of a site with a webhook, behind a proxy."""
    site.configure(schedule={"webhook": SECRET}, server={"client_header": "X-Real-IP"})
    site.article("a.md", title="a")
    site.publish()
    return app(site)


def post(server, *headers, body=b""):
    """Call the webhook of an application; return the status."""
    return server.ask("/refresh", *headers, method="POST", body=body).status


def post_to(server, *headers, body=b""):
    """Call the webhook of a server; return the status."""
    lines = ["POST /refresh HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *headers, "", ""]
    return int(server.raw("\r\n".join(lines).encode() + body).split()[1])


def asked(site):
    """Return the number of webhook calls that the catalog has recorded."""
    with site.catalog.read_transaction() as reader:
        return reader.state.refresh_requests


def signed(body, secret=SECRET):
    """Return the header with which GitHub and Gitea sign a body."""
    return f"X-Hub-Signature-256: sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def test_the_webhook_regenerates(site, called):
    """A call with the secret, in one of three forms, gets a 202, and changes are published without a file event."""
    body = json.dumps({"ref": "refs/heads/main", "pad": "x" * 30_000}).encode()
    with running_loop(site, has_webhook=True) as running:
        running.wait_for_articles(1)
        for number, header in enumerate(
            (f"Authorization: Bearer {SECRET}", f"X-Gitlab-Token: {SECRET}", signed(body)), start=2
        ):
            site.article(f"{number}.md", title=f"{number}", date=f"2026-05-0{number}")
            assert post(called, header, body=body) == 202
            running.wait_for_articles(number)
            eventually(lambda: called.get("/feed.json").status == 200 and f"{number}" in called.titles())  # noqa: B023


def test_the_webhook_refuses(site, called):
    """A call without the secret gets a 401, and no run is requested."""
    for headers in (
        [],
        ["Authorization: Bearer wrong"],
        ["Authorization: Bearer "],
        [f"Authorization: Basic {SECRET}"],
        ["X-Gitlab-Token: "],
        [signed(b"another")],
        [signed(b"{}", "another secret")],
        ["X-Hub-Signature-256: sha256=\xff"],
    ):
        assert post(called, *headers, body=b"{}") == 401, headers
    called.close()  # closing the application passes on the remaining calls
    assert asked(site) == 0


def test_the_webhook_and_other_methods(site, called, app):
    """Only POST is accepted; without a secret in the configuration, there is no webhook."""
    assert called.get("/refresh").status == 405
    assert "no-store" in called.get("/refresh").headers["cache-control"]
    site.configure(schedule={"webhook": None})
    assert post(app(site), f"Authorization: Bearer {SECRET}") == 404


def test_the_webhook_is_rate_limited(called, minute):
    """Thirty calls per minute are accepted, also from clients with the secret."""
    token = f"Authorization: Bearer {SECRET}"
    assert [post(called, token) for _ in range(31)] == [202] * 30 + [429]
    minute[0] += 60
    assert post(called, token) == 202


@pytest.mark.parametrize("client_header", ["X-Real-IP", None])
def test_wrong_secrets_lock_nobody_out(site, app, client_header):
    """A correct signature is accepted after any number of wrong ones from the same address."""
    site.configure(schedule={"webhook": SECRET}, server={"client_header": client_header})
    site.article("a.md", title="a")
    site.publish()
    called = app(site)
    body = {BODY_KEY: b"x"}  # which `feeds serve` has read
    client = "X-Real-IP: 198.51.100.7"
    assert {
        called.ask("/refresh", signed(b"y"), client, method="POST", body=b"x", environ=body).status for _ in range(100)
    } == {401}
    assert {post(called, "X-Gitlab-Token: wrong", client) for _ in range(100)} == {401}
    assert called.ask("/refresh", signed(b"x"), client, method="POST", body=b"x", environ=body).status == 202


@pytest.mark.integration
def test_the_webhook_of_a_server(site, serve):
    """A call makes the server run its command and publish; the command ends with the server.

    A body that never arrives delays no other request, and gets a response at its time limit.
    """
    command = "echo $$ >pid; test -e hang && exec sleep 3600; test -e fetched && mv fetched content/f.md"
    (site.root / "fetch.sh").write_text(command)
    site.configure(content={"watch": "off"}, schedule={"cron": None, "webhook": SECRET, "before": "sh fetch.sh"})
    site.article("a.md", title="a")
    server = serve(site)
    server.wait_for(lambda: server.ask("/rss.xml").status == 200)
    head = f"POST /refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n{signed(b'x')}\r\n\r\n".encode()
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(10)]
    for connection in silent:
        connection.sendall(head)
    assert server.ask("/rss.xml").status == 200, "nobody waits for those bodies"
    for connection in silent:
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
        connection.close()
    assert post_to(server, signed(b"y"), body=b"x") == 401
    (site.root / "fetched").write_text("---\ntitle: fetched\ndate: 2026-05-02\n---\nText.\n")
    token = f"Authorization: Bearer {SECRET}"
    assert post_to(server, token) == 202
    server.wait_for(lambda: "fetched" in server.titles())
    pid = site.root / "pid"
    (site.root / "hang").touch()
    pid.unlink()
    assert post_to(server, token) == 202
    server.wait_for(lambda: pid.exists() and pid.read_text())
    assert server.stop() == 0
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_secrets_that_are_none(site):
    """A secret that is too short is rejected, with a command that creates one."""
    site.configure(schedule={"webhook": "short"})
    done = site.run("build")
    assert done.returncode == 2
    assert (
        "schedule.webhook: must have at least 16 ASCII characters; create one with: openssl rand -hex 20" in done.stderr
    )


def test_a_command_is_run_before(site, quick, caplog):
    """schedule.before runs without a shell and updates the folder; a failure is reported once."""
    fetch, runs = site.root / "fetch.py", site.root / "runs"
    fetch.write_text(
        "import pathlib, sys\n"
        "with open('runs', 'a') as file: file.write('.')\n"
        "assert sys.argv[1:] == ['a; b', '$HOME']\n"
        "text = pathlib.Path('fetched').read_text()\n"
        "pathlib.Path('content/f.md').write_text(text)\n"
    )
    site.article("a.md", title="a")
    with running_loop(site, before=f"{sys.executable} fetch.py 'a; b' $HOME", has_webhook=True):
        for number in (1, 2, 3):  # the first run is that of a new leader
            eventually(lambda number=number: runs.exists() and len(runs.read_text()) == number)
            if number == 3:  # two runs have failed
                (site.root / "fetched").write_text("---\ntitle: fetched\ndate: 2026-05-02\n---\nText.\n")
            site.catalog.request_refresh()
        eventually(lambda: b'"title": "fetched"' in site.documents().get("/feed.json", b""))
    said = f"schedule.before: {sys.executable} failed with exit code 1: FileNotFoundError: "
    assert caplog.text.count(said) == 1


@pytest.mark.parametrize(
    "script, error",
    [
        ("exit 0", ""),
        ("exit 3", "sh failed with exit code 3, without any output"),
        ("echo one; echo two >&2; exit 1", "sh failed with exit code 1: two"),
    ],
)
def test_the_result_of_a_command(tmp_path, script, error):
    """The error of a command has its exit code and its last line, if there is one."""
    assert commands.HookCommand(["sh", "-c", script], tmp_path).run() == error


def test_a_command_that_hangs(site):
    """A command that hangs does not prevent publication, and is ended with the publisher."""
    (site.root / "hang.sh").write_text("echo $$ >pid.new; mv pid.new pid; exec sleep 3600")
    pid = site.root / "pid"
    site.article("a.md", title="a")
    with running_loop(site, before="sh hang.sh", has_webhook=True) as running:
        eventually(pid.exists)
        site.article("b.md", title="b")
        running.publish_loop._request_scan({"b.md"})
        running.wait_for_articles(2)
        assert Path(f"/proc/{pid.read_text().strip()}").exists()
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_a_command_that_is_none(site):
    """A command that can't be split into words is a mistake in the configuration."""
    site.configure(schedule={"before": "git 'pull"})
    done = site.run("check")
    assert (done.returncode, "schedule.before: is not a command" in done.stderr) == (2, True)


def observable(server):
    """Return everything that clients can see of a site: documents with validators, archives, pages and counts."""
    seen = {}
    for path in ("/rss.xml", "/atom.xml", "/feed.json", "/", "/category/x/feed.json", "/tag/soon/rss.xml", "/tag/soon/",
                 "/archive/1/feed.json", "/archive/2/feed.json", "/archive/2/atom.xml"):  # fmt: skip
        answer = server.get(path)
        seen[path] = (answer.status, [answer.headers.get(name) for name in VALIDATORS], answer.body)
    return seen


def max_age(server):
    """Return the seconds for which the site's feed may be cached."""
    return int(re.search(r"max-age=(\d+)", server.get("/rss.xml").headers["cache-control"])[1])


def seconds_until(hour):
    """Return the remaining seconds."""
    return (hour - datetime.now(UTC)).total_seconds()


@pytest.mark.integration
def test_nothing_shows_before_the_hour_and_everything_right_after(site, app):
    """A scheduled article appears right after its time; before, no document or validator changes."""
    site.configure(feeds={"limit": 2}, server={"max_age": 60})
    for number in range(3):
        site.article(f"{number}.md", title=str(number), category="x", date=f"2026-05-0{number + 1}")
    with running_loop(site) as running:
        running.wait_for_articles(3)
        server = app(site)
        with_none = observable(server)
        assert with_none["/rss.xml"][0] == 200
        rounds, seconds = 0, 2
        while not rounds:  # on a busy machine, the hour may begin before the first request
            seconds *= 2
            hour, runs = datetime.now(UTC) + timedelta(seconds=seconds), len(running.outcomes)
            site.article("soon.md", title="soon", category="x", tags=["soon"], date=hour.isoformat())
            running.publish_loop._request_scan({"soon.md"})
            eventually(lambda runs=runs: len(running.outcomes) > runs)
            # the server checks twenty times a second whether there is a new revision
            eventually(lambda hour=hour: datetime.now(UTC) >= hour or max_age(server) <= seconds_until(hour) + 1)
            while True:
                left = seconds_until(hour)
                seen, answer = observable(server), server.get("/rss.xml")
                if datetime.now(UTC) >= hour:
                    break  # the hour began during the request
                rounds += 1
                assert seen == with_none
                assert int(re.search(r"max-age=(\d+)", answer.headers["cache-control"])[1]) <= left + 1
                time.sleep(0.1)
        eventually(lambda: "soon" in server.titles())
        assert server.get("/tag/soon/rss.xml").status == 200


def test_an_hour_that_comes_during_a_run(site):
    """An article whose time comes between a run's reading of the clock and the timer is published at once."""
    now = datetime.now(UTC)
    site.article("a.md", title="a", date=(now - timedelta(hours=1)).isoformat())
    site.publish(now - timedelta(hours=2))
    running = RunningLoop(site, site.catalog)
    running.publish_loop._scheduler.start(paused=True)
    try:
        running.publish_loop._schedule_next_change(timedelta(0))
        assert now <= running.next_run_time("next change") <= datetime.now(UTC)
    finally:
        running.publish_loop._scheduler.shutdown()


def test_the_clock_jumps(site, quick):
    """An article whose time passed while the machine slept, or by a changed clock, is published right afterwards."""
    now = datetime.now(UTC)
    site.article("a.md", title="a", date=(now - timedelta(hours=1)).isoformat())
    site.article("b.md", title="b", date=(now + timedelta(hours=30)).isoformat())
    with time_machine.travel(now) as clock, running_loop(site) as running:
        running.wait_for_articles(1)
        clock.shift(timedelta(days=2))
        running.wait_for_articles(2)


def test_the_clock_is_set_back(site, quick):
    """After the clock was set back by two days, a webhook call publishes at once."""
    now = datetime.now(UTC)
    site.article("a.md", title="a", date=(now - timedelta(hours=1)).isoformat())
    with time_machine.travel(now + timedelta(days=2)) as clock, running_loop(site, has_webhook=True) as running:
        running.wait_for_articles(1)
        clock.move_to(now)
        running.wake()  # end the effects of the jump itself
        site.article("b.md", title="b", date=(now - timedelta(hours=1)).isoformat())
        site.catalog.request_refresh()
        running.wait_for_articles(2)


def test_the_cron_after_the_clock_was_set_back(site):
    """After the clock was set back, the cron schedule follows the new time, instead of waiting for the old one."""
    running = RunningLoop(site, site.catalog, cron=loop.create_trigger(parse_cron("* * * * *"), UTC))
    running.publish_loop._scheduler.start(paused=True)
    try:
        job = running.publish_loop._scheduler.get_job("cron")
        job.modify(next_run_time=datetime.now(UTC) + timedelta(days=2))
        running.publish_loop._clock_was_set(back=True)
        assert running.next_run_time("cron") <= datetime.now(UTC) + timedelta(minutes=1)
    finally:
        running.publish_loop._scheduler.shutdown()


@pytest.mark.integration
def test_many_builds_beside_a_server(site, serve):
    """Builds that overlap each other and a server lose no edit, damage no file and respect the lock."""
    chance = random.Random(1)
    site.configure(schedule={"cron": None}, feeds={"limit": 5})
    expected = {}

    def edit(round_):
        number = chance.randrange(12)
        expected[f"t{number}"] = f"Round {round_}."
        site.article(f"{number}.md", f"Round {round_}.", title=f"t{number}", category="x",
                     date=f"2026-05-{number + 1:02}")  # fmt: skip

    for round_ in range(3):
        edit(round_)
    server = serve(site)
    over = threading.Event()
    torn = []

    def poll():
        while not over.is_set():
            for path in ("/feed.json", "/category/x/feed.json"):
                answer = server.ask(path)
                if answer.status == 503:
                    assert "retry-after" in answer.headers  # a busy machine takes long to render
                elif answer.status != 200 or not json.loads(answer.body)["items"]:
                    torn.append(answer)
            for file in (site.root / "public").rglob("*.xml"):
                text = file.read_bytes() if file.exists() else b"</rss>"
                if not text.rstrip().endswith((b"</rss>", b"</feed>")):
                    torn.append(file)
            time.sleep(0.05)

    poller = threading.Thread(target=poll)
    poller.start()
    codes, builds = [], []
    for round_ in range(6):
        edit(round_ + 3)
        command = [sys.executable, "-m", "feeds", "build", *(["--wait", "200"] if round_ % 2 else [])]
        builds.append(subprocess.Popen(command, cwd=site.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        if len(builds) == 3:
            build = builds.pop(0)
            codes.append((build.wait(300), *build.communicate()))
    codes += [(build.wait(300), *build.communicate()) for build in builds]
    assert {code for code, *_ in codes} <= {0, 4}
    assert all(not out and (not err) == (code == 0) for code, out, err in codes), "silent if all is well"
    server.wait_for(lambda: "Round 8." in server.get("/feed.json").body.decode() or "Round 8." not in expected.values())
    over.set()
    poller.join()
    assert not torn
    assert site.run("build", "--wait", "200").returncode == 0
    items = json.loads((site.root / "public" / "feed.json").read_text("utf-8"))["items"]
    assert {item["title"]: item["content_html"].strip() for item in items} == {
        title: f"<p>{text}</p>" for title, text in sorted(expected.items(), key=lambda one: int(one[0][1:]))[-5:]
    }
    assert server.titles() == [item["title"] for item in items]
    assert server.ask("/rss.xml").body == (site.root / "public" / "rss.xml").read_bytes()


def test_a_command_that_leaves_something_behind_is_over_all_the_same(site):
    """Processes that a command started and left running delay nothing, even if they hold its output open."""
    assert commands.HookCommand(["sh", "-c", "sleep 3600 & echo $! >pid"], site.root).run() == ""
    left = int((site.root / "pid").read_text())
    os.kill(left, signal.SIGKILL)  # the process is still running


@pytest.mark.integration
@pytest.mark.parametrize(
    ("script", "lock_left"),
    [
        ("trap 'rm index.lock; exit 1' TERM\ntouch index.lock\ntouch began\nsleep 20 &\nwait\n", False),
        ("trap '' TERM\ntouch index.lock\ntouch began\nsleep 20\nsleep 20\n", True),
    ],
    ids=["polite", "deaf"],
)
def test_a_command_that_takes_too_long_may_tidy_up(site, monkeypatch, script, lock_left):
    """A command that exceeds its time gets SIGTERM, so that it can remove its lock, and SIGKILL if it does not end."""
    monkeypatch.setattr(commands, "_TERMINATE_TIMEOUT_S", 60.0 if "exit" in script else 0.3)
    (site.root / "command.sh").write_text(script)
    patience = 0.3
    while not (site.root / "began").exists():  # on a busy machine, the command may have been killed before it began
        monkeypatch.setattr(commands, "_TIMEOUT_S", patience)
        assert (
            commands.HookCommand(["sh", "command.sh"], site.root).run()
            == f"sh was stopped, because it ran longer than {patience:g} s"
        )
        patience *= 2
    assert (site.root / "index.lock").exists() is lock_left


def test_a_call_while_the_command_runs_is_heard(site, quick):
    """A call during the command runs it again, so that the newest push is fetched too."""
    (site.root / "fetch.sh").write_text(
        "cp origin fetched; echo . >>began; until [ -e go ]; do sleep 0.05; done; mv fetched content/f.md"
    )
    began, origin = site.root / "began", "---\ntitle: {}\ndate: 2026-05-02\n---\nText.\n"
    (site.root / "origin").write_text(origin.format("one"))
    with running_loop(site, before="sh fetch.sh", has_webhook=True) as running:
        eventually(began.exists)
        (site.root / "origin").write_text(origin.format("two"))
        for number in (1, 2):
            site.catalog.request_refresh()
            eventually(
                lambda number=number: (
                    running.publish_loop._refresh_requests == number and running.publish_loop._before_requested.is_set()
                )
            )
        (site.root / "go").touch()
        eventually(lambda: b'"title": "two"' in site.documents().get("/feed.json", b""))
        assert not running.publish_loop._before_requested.is_set()
    assert began.read_text().count(".") == 2


def test_a_call_is_kept_until_the_catalog_takes_it():
    """An accepted call is forwarded again if the catalog could not be written, and then once."""
    hook = Webhook(SECRET, proxied=False)
    request = Request.from_values(method="POST", headers={"Authorization": f"Bearer {SECRET}"})
    assert hook.respond(request).status_code == 202

    def away():
        raise CatalogError("the disk is full")

    for _ in range(2):
        with pytest.raises(CatalogError):
            hook.forward(away)
    asked = []
    for _ in range(2):
        hook.forward(lambda: asked.append(1))
    assert asked == [1]


def test_a_run_that_fails_is_not_tried_again_at_once(site, monkeypatch):
    """If an article's time has passed and no run can succeed, the publisher does not retry in a tight loop."""
    monkeypatch.setattr(loop, "_RETRY_AFTER", timedelta(seconds=2))
    site.article("a.md", title="a", expires="2026-06-02T00:00:00Z")
    site.article("b.md", title="b")
    assert site.publish().articles == 2
    site.content.rename(site.root / "away")
    began = datetime.now(UTC)
    with running_loop(site) as running:
        eventually(lambda: running.next_run_time("next change"))
        assert isinstance(running.failures[0], ContentFolderMissing)
        assert min(running.next_run_time("next change"), running.next_run_time("retry")) >= began + loop._RETRY_AFTER
        (site.root / "away").rename(site.content)
        running.wait_for_articles(1)
    assert [*site.items()] == ["b"]


def test_the_clock_can_be_stopped_at_any_time():
    """A scheduler that is stopped while a job runs for the last time ends without an exception in its thread."""
    clock = loop._Scheduler(timezone=UTC)
    stopping = threading.Thread(target=lambda: clock.shutdown(wait=False))

    class Stops(BaseExecutor):
        """Stops the scheduler between the start of a job and its removal."""

        def _do_submit_job(self, _job, _run_times):
            stopping.start()
            eventually(lambda: not clock.running)

    clock.add_executor(Stops())
    clock.start()
    thread = clock._thread
    clock.add_job(print, "date", run_date=datetime.now(UTC))
    thread.join(60)
    stopping.join(60)
    assert not thread.is_alive()
