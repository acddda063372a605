"""When feeds are regenerated: by the webhook, after a command, at an article's hour, and beside any number of builds."""

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
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import until_refused
from werkzeug.wrappers import Request

from feeds import command as commands
from feeds import schedule
from feeds.cli.common import make_publisher
from feeds.errors import CatalogError, ConfigError, FolderGone
from feeds.web.hook import Hook

SECRET = "a-secret-of-the-owner"
VALIDATORS = ("etag", "last-modified")


@pytest.fixture
def called(site, serve):
    """A served site that nobody watches, with a webhook."""
    proxied = {"client_header": "X-Real-IP"}
    site.configure(content={"watch": "off"}, schedule={"cron": None, "webhook": SECRET}, server=proxied)
    site.article("a.md", title="a")
    return serve(site)


def post(server, *headers, body=b""):
    """Call the webhook; gives the status."""
    lines = ["POST /refresh HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *headers, "", ""]
    return int(server.raw("\r\n".join(lines).encode() + body).split()[1])


def signed(body, secret=SECRET):
    """Give the header with which GitHub and Gitea sign a body."""
    return f"X-Hub-Signature-256: sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


@pytest.mark.parametrize("how", ["bearer", "gitlab", "signature"])
def test_the_webhook_regenerates(site, called, how):
    """Who has the secret gets a 202, and what was changed is served a moment later; no event told of it."""
    body = json.dumps({"ref": "refs/heads/main", "pad": "x" * 30_000}).encode()
    headers = {
        "bearer": f"Authorization: Bearer {SECRET}",
        "gitlab": f"X-Gitlab-Token: {SECRET}",
        "signature": signed(body),
    }
    site.article("b.md", title="b")
    assert post(called, headers[how], body=body) == 202
    assert called.wait_for(lambda: "b" in called.titles()) < 5


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 401),
        (["Authorization: Bearer wrong"], 401),
        (["Authorization: Bearer "], 401),
        ([f"Authorization: Basic {SECRET}"], 401),
        (["X-Gitlab-Token: "], 401),
        ([signed(b"another")], 401),
        ([signed(b"", "another secret")], 401),
        (["X-Hub-Signature-256: sha256=\xff"], 401),
    ],
)
def test_the_webhook_refuses(site, called, headers, status):
    """Without the secret nothing is regenerated."""
    site.article("b.md", title="b")
    assert post(called, *headers) == status
    time.sleep(2.5)
    assert called.titles() == ["a"]


def test_the_webhook_and_other_methods(site, called, serve):
    """Only POST is known; without a secret in the configuration there is no webhook at all."""
    assert called.ask("/refresh").status == 405
    assert "no-store" in called.ask("/refresh").headers["cache-control"]
    site.configure(schedule={"webhook": None})
    assert post(serve(site), f"Authorization: Bearer {SECRET}") == 404


def test_the_webhook_is_rate_limited(called):
    """Thirty calls a minute are enough, and thirty wrong signatures of one client; those keep nobody else out."""
    client, other = "X-Real-IP: 198.51.100.7", "X-Real-IP: 198.51.100.8"
    assert {post(called, "X-Gitlab-Token: wrong", client) for _ in range(40)} == {401}
    assert until_refused(lambda: post(called, signed(b"x"), client, body=b"y"), 30) == {401}
    assert post(called, signed(b"x"), client, body=b"x") == 429
    assert post(called, signed(b"x"), other, body=b"y") == 401
    assert post(called, signed(b"x"), other, body=b"x") == 202
    assert until_refused(lambda: post(called, f"Authorization: Bearer {SECRET}", client), 29) == {202}


def test_a_body_is_read_behind_a_proxy_only(site, serve):
    """A body that stays away keeps no poller waiting: without a proxy before us, no body is read at all."""
    site.configure(content={"watch": "off"}, schedule={"cron": None, "webhook": SECRET})
    site.article("a.md", title="a")
    server = serve(site)
    head = f"POST /refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n{signed(b'x')}\r\n\r\n".encode()
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(10)]
    for connection in silent:
        connection.sendall(head)
    began = time.monotonic()
    assert server.ask("/rss.xml").status == 200
    assert time.monotonic() - began < 5
    for connection in silent:
        assert connection.recv(100).startswith(b"HTTP/1.1 401")
        connection.close()
    assert post(server, signed(b"x"), body=b"x") == 401
    assert post(server, f"Authorization: Bearer {SECRET}") == 202


def test_secrets_that_are_none(site):
    """A secret that could be guessed is refused, in a sentence that says how to make one."""
    site.configure(schedule={"webhook": "short"})
    done = site.run("build")
    assert done.returncode == 2
    assert "schedule.webhook: must be a secret of at least 16 ASCII characters: openssl rand -hex 20" in done.stderr


def test_a_command_is_run_before(site, serve):
    """schedule.before brings what the call is about, without a shell; and if it fails, that is said once."""
    fetch = site.root / "fetch.py"
    fetch.write_text(
        "import pathlib, sys\n"
        "assert sys.argv[1:] == ['a; b', '$HOME']\n"
        "text = pathlib.Path('fetched').read_text()\n"
        "pathlib.Path('content/f.md').write_text(text)\n"
    )
    fetching = f"{sys.executable} fetch.py 'a; b' $HOME"
    site.configure(content={"watch": "off"}, schedule={"cron": None, "webhook": SECRET, "before": fetching})
    site.article("a.md", title="a")
    server = serve(site)
    for _ in range(2):
        assert post(server, f"Authorization: Bearer {SECRET}") == 202
        time.sleep(2.5)
    said = f"schedule.before: {sys.executable} failed with 1: FileNotFoundError: "
    assert server.log.read_text().count(said) == 1
    (site.root / "fetched").write_text("---\ntitle: fetched\ndate: 2026-05-02\n---\nText.\n")
    assert post(server, f"Authorization: Bearer {SECRET}") == 202
    server.wait_for(lambda: "fetched" in server.titles())


def test_a_command_ends_with_the_server(site, serve):
    """A command that hangs keeps neither polls nor the end of the server waiting."""
    pid = site.root / "pid"
    code = f"import os, time, pathlib; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(600)"
    (site.root / "hang.py").write_text(code)
    site.configure(schedule={"cron": None, "webhook": SECRET, "before": f"{sys.executable} hang.py"})
    site.article("a.md", title="a")
    server = serve(site)
    assert post(server, f"Authorization: Bearer {SECRET}") == 202
    server.wait_for(lambda: pid.exists() and pid.read_text())
    site.article("b.md", title="b")
    server.wait_for(lambda: "b" in server.titles())
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 8
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_a_command_that_is_none(site):
    """A command that can't be split into words is a mistake in the configuration."""
    site.configure(schedule={"before": "git 'pull"})
    done = site.run("check")
    assert (done.returncode, "schedule.before: is no command" in done.stderr) == (2, True)


def observable(server):
    """Give all that the world can see of a site: documents with their validators, archives, pages, counts."""
    seen = {}
    for path in ("/rss.xml", "/atom.xml", "/feed.json", "/", "/category/x/feed.json", "/tag/soon/rss.xml", "/tag/soon/",
                 "/archive/1/feed.json", "/archive/2/feed.json", "/archive/2/atom.xml"):  # fmt: skip
        answer = server.ask(path)
        seen[path] = (answer.status, [answer.headers.get(name) for name in VALIDATORS], answer.body)
    return seen


def test_nothing_shows_before_the_hour_and_everything_right_after(site, serve):
    """A scheduled article appears right after its hour; until then no byte and no validator tells of it."""
    site.configure(content={"watch": "off"}, schedule={"cron": None}, feeds={"limit": 2}, server={"max_age": 60})
    for number in range(3):
        site.article(f"{number}.md", title=str(number), category="x", date=f"2026-05-0{number + 1}")
    began = datetime.now(UTC)
    with_none = observable(without := serve(site))
    without.stop()
    hour = datetime.now(UTC) + 2 * (datetime.now(UTC) - began) + timedelta(seconds=3)  # a server may take long to start
    site.article("soon.md", title="soon", category="x", tags=["soon"], date=hour.isoformat())
    server, rounds = serve(site), 0
    while True:
        left = (hour - datetime.now(UTC)).total_seconds()
        seen, answer = observable(server), server.ask("/rss.xml")
        if datetime.now(UTC) >= hour:
            break  # while it was asked
        rounds += 1
        assert seen == with_none
        assert int(re.search(r"max-age=(\d+)", answer.headers["cache-control"])[1]) <= left + 1
        time.sleep(0.1)
    assert rounds
    server.wait_for(lambda: "soon" in server.titles())
    assert (datetime.now(UTC) - hour).total_seconds() < 10
    assert server.ask("/tag/soon/rss.xml").status == 200


def environ(file):
    """Give the environment of a process; nothing of one that is over."""
    with suppress(OSError):
        return file.read_bytes().split(b"\0")
    return []


@pytest.mark.needs("faketime")
def test_the_clock_jumps(site, serve, monkeypatch):
    """An article whose hour comes while the machine sleeps, or by a set clock, is live right afterwards."""
    offset = site.root / "offset"
    offset.write_text("+0")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    for name, value in {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
                        "FAKETIME_DONT_FAKE_MONOTONIC": "1"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    site.configure(content={"watch": "off"}, schedule={"cron": None})
    site.article("a.md", title="a")
    site.article("b.md", title="b", date=(datetime.now(UTC) + timedelta(hours=30)).isoformat())
    server = serve(site)
    assert server.titles() == ["a"]
    offset.write_text("+2d")
    assert server.wait_for(lambda: "b" in server.titles()) < 5
    parent = f"FEEDS_PARENT={server.process.pid}".encode()  # said to all that it starts
    workers = [int(file.parent.name) for file in Path("/proc").glob("[0-9]*/environ") if parent in environ(file)]
    assert workers
    for process in (*workers, server.process.pid):  # what waits by the clock, as who ends them does, may wait for days
        os.kill(process, signal.SIGKILL)
    server.process.wait()


def test_fifty_builds_beside_a_server(site, serve):
    """Builds as from a cron, overlapping each other and a server, lose no edit and tear no file; the lock is kept."""
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
                if answer.status != 200 or not json.loads(answer.body)["items"]:
                    torn.append(answer)
            for file in (site.root / "public").rglob("*.xml"):
                text = file.read_bytes() if file.exists() else b"</rss>"
                if not text.rstrip().endswith((b"</rss>", b"</feed>")):
                    torn.append(file)

    poller = threading.Thread(target=poll)
    poller.start()
    codes, builds = [], []
    for round_ in range(50):
        edit(round_ + 3)
        command = [sys.executable, "-m", "feeds", "build", *(["--wait", "20"] if round_ % 2 else [])]
        builds.append(subprocess.Popen(command, cwd=site.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        if len(builds) == 3:
            build = builds.pop(0)
            codes.append((build.wait(60), *build.communicate()))
    codes += [(build.wait(60), *build.communicate()) for build in builds]
    assert {code for code, *_ in codes} <= {0, 4}
    assert all(not out and (not err) == (code == 0) for code, out, err in codes), "silent if all is well"
    server.wait_for(
        lambda: "Round 52." in server.get("/feed.json").body.decode() or "Round 52." not in expected.values()
    )
    over.set()
    poller.join()
    assert not torn
    assert site.run("build", "--wait", "10").returncode == 0
    items = json.loads((site.root / "public" / "feed.json").read_text("utf-8"))["items"]
    assert {item["title"]: item["content_html"].strip() for item in items} == {
        title: f"<p>{text}</p>" for title, text in sorted(expected.items(), key=lambda one: int(one[0][1:]))[-5:]
    }
    assert server.titles() == [item["title"] for item in items]
    assert server.ask("/rss.xml").body == (site.root / "public" / "rss.xml").read_bytes()


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("*", "Mon Tue Wed Thu Fri Sat Sun"), ("1", "Mon"), ("0", "Sun"), ("7", "Sun"), ("1-5", "Mon Tue Wed Thu Fri"),
        ("5-7", "Fri Sat Sun"), ("0-2", "Mon Tue Sun"), ("*/2", "Tue Thu Sat Sun"), ("1-5/2", "Mon Wed Fri"), ("1,3", "Mon Wed"),
        ("1-2,SAT", "Mon Tue Sat"), ("mon", "Mon"), ("sun-tue", "Mon Tue Sun"), ("fri-mon", "Mon Fri Sat Sun"),
    ],
)  # fmt: skip
def test_weekdays_are_those_of_cron(weekdays, expected):
    """Weekdays of schedule.cron count from Sunday, 0 or 7, as crontab(5) has it: alone, in ranges, steps and lists."""
    assert fires(f"0 9 * * {weekdays}", 7) == expected.split()


def fires(cron, days):
    """Give the weekdays at which a cron fires within so many days from a Monday on."""
    trigger, now = schedule.trigger(cron, UTC), datetime(2026, 6, 1, tzinfo=UTC)
    found, at = [], trigger.get_next_fire_time(None, now)
    while at < now + timedelta(days=days):
        found.append(WEEKDAYS[at.weekday()])
        at = trigger.get_next_fire_time(at, at)
    return found


def test_of_days_and_weekdays_either_will_do():
    """With a day of the month and a weekday, schedule.cron fires on both, as crontab(5) has it."""
    assert fires("0 9 12 * 1", 14) == ["Mon", "Mon", "Fri"]


@pytest.mark.parametrize("weekdays", ["8", "x", "mon-x", "1/0", "-1", "1--2"])
def test_weekdays_that_are_none(weekdays):
    """What is no weekday is a mistake in the configuration, said in a sentence."""
    with pytest.raises(ConfigError, match=r"^schedule\.cron: "):
        schedule.trigger(f"0 9 * * {weekdays}", UTC)


def test_a_command_that_leaves_something_behind_is_over_all_the_same(site):
    """What a command has started and left keeps nobody waiting, though it holds the command's output open."""
    began = time.monotonic()
    assert commands.Command("sh -c 'sleep 20 & echo pulled'", site.root).run() == ""
    assert time.monotonic() - began < 5


def test_a_command_that_takes_too_long_may_tidy_up(site, monkeypatch):
    """After its time a command is asked to end, so that it leaves no lock; and is ended if it does not."""
    monkeypatch.setattr(commands, "_PATIENCE", 1.5)
    monkeypatch.setattr(commands, "_TO_END", 1.5)
    (site.root / "polite.sh").write_text("trap 'rm index.lock; exit 1' TERM\ntouch index.lock\nsleep 20 &\nwait\n")
    (site.root / "deaf.sh").write_text("trap '' TERM\ntouch deaf.lock\nsleep 20\nsleep 20\n")
    for command, lock in (("polite", "index.lock"), ("deaf", "deaf.lock")):
        began = time.monotonic()
        assert commands.Command(f"sh {command}.sh", site.root).run() == "sh was ended after 1.5 s"
        assert 1.5 <= time.monotonic() - began < 8
        assert (site.root / lock).exists() is (command == "deaf")


def test_a_call_while_the_command_runs_is_heard(site, serve):
    """A push that comes while the command is fetching the one before is fetched too: the command runs once more."""
    (site.root / "fetch.sh").write_text("cp origin fetched\necho . >>began\nsleep 3\nmv fetched content/f.md\n")
    schedule = {"cron": None, "webhook": SECRET, "before": "sh fetch.sh"}
    site.configure(content={"watch": "off"}, schedule=schedule)
    site.article("a.md", title="a")
    server = serve(site)
    for number, title in enumerate(("one", "two")):
        (site.root / "origin").write_text(f"---\ntitle: {title}\ndate: 2026-05-02\n---\nText.\n")
        assert post(server, f"Authorization: Bearer {SECRET}") == 202
        if not number:
            server.wait_for((site.root / "began").exists)
    server.wait_for(lambda: "two" in server.titles())
    assert (site.root / "began").read_text().count(".") == 2


def test_a_call_is_kept_until_the_catalog_takes_it():
    """A call that was answered is handed on again if the catalog could not be written, and then once."""
    hook = Hook(SECRET, None)
    request = Request.from_values(method="POST", headers={"Authorization": f"Bearer {SECRET}"})
    assert hook.answer(request).status_code == 202

    def away():
        raise CatalogError("the disk is full")

    for _ in range(2):
        with pytest.raises(CatalogError):
            hook.hand_on(away)
    asked = []
    for _ in range(2):
        hook.hand_on(lambda: asked.append(1))
    assert asked == [1]


def test_a_run_that_fails_is_not_tried_again_at_once(site):
    """Where an article's time is over and no run can succeed, what waits for its hour does not wake without end."""
    over = datetime.now(UTC) + timedelta(seconds=4)
    site.article("a.md", title="a", expires=over.isoformat())
    site.article("b.md", title="b")
    told = []
    catalog = site.catalog
    publisher, folder = make_publisher(site.config, catalog)
    keeper = schedule.Keeper(
        publisher, folder, catalog, watch="off", cron=None, before=None, called=True,
        told=told.append, mended=lambda *_: None, progress=lambda _: None,
    )  # fmt: skip
    keeper.start()
    try:
        while not told:
            time.sleep(0.05)
        site.content.rename(site.root / "away")
        site.catalog.ask()
        while datetime.now(UTC) < over + timedelta(seconds=3):
            time.sleep(0.1)
        assert isinstance(told[-1], FolderGone)
        assert len(told) <= 3
        (site.root / "away").rename(site.content)
        while isinstance(told[-1], Exception):
            time.sleep(0.1)
            assert datetime.now(UTC) < over + timedelta(seconds=20)
        assert [*site.items()] == ["b"]
    finally:
        keeper.stop()
