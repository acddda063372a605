"""The log of `feeds serve`: how it reports runs, failures and the configuration."""

import json
import signal

import pytest
from waiting import eventually

from feeds.cli.reporter import ConsoleReporter
from feeds.core.errors import ContentFolderMissing, GuardStopped, NotLeader
from feeds.event_log import EventLog


class Reported:
    """A reporter of a site, and the events that it has written."""

    def __init__(self, site, capsys, *, log_format="json", role="all", quiet=False, preview_key=""):
        """Create the reporter."""
        log = EventLog(log_format, quiet=quiet)
        self._capsys = capsys
        self._log_format = log_format
        self.reporter = ConsoleReporter(
            site.config, log, role, "http://127.0.0.1:8000", is_preview=bool(preview_key), preview_key=preview_key
        )
        self.reporter.catalog_name = "the catalog"

    def text(self):
        """Return the text that was written since the last call."""
        return self._capsys.readouterr().err

    def events(self):
        """Return the events that were written since the last call."""
        return [json.loads(line) for line in self.text().splitlines()]

    def names(self):
        """Return the names of the events that were written since the last call."""
        return [event["event"] for event in self.events()]


@pytest.fixture
def reported(site, capsys):
    """Return a function that creates a reporter of the site."""

    def create(**options):
        return Reported(site, capsys, **options)

    return create


def test_missing_pictures(site, reported):
    """An article that is added or edited, and links to pictures that do not exist, leads to one warning."""
    site.configure(site={"pages": True})
    log = reported()
    site.article("posts/a.md", "![x](baot.png) ![x](b.png) ![x](c.png) ![x](/static/d.png) [x](x.pdf)", title="A")
    site.write("posts/b.png", "x")
    site.write("../static/d.png", "x")
    log.reporter.on_finished(site.publish())
    (warning,) = (event for event in log.events() if event["event"] == "warning" and "path" in event)
    assert warning["path"] == "content/posts/a.md"
    assert warning["message"] == "content/posts/a.md: there is no picture content/posts/baot.png and 1 more"
    site.article("posts/a.md", "![x](b.png)", title="A")
    log.reporter.on_finished(site.publish())
    assert log.names() == ["edited", "feeds"]
    site.configure(check={"ignore": ["missing-image"]})
    log.reporter.set_settings(site.config)
    site.article("posts/a.md", "![x](baot.png)", title="A")
    log.reporter.on_finished(site.publish())
    assert log.names() == ["edited", "feeds"]


def test_events_as_json(site, reported):
    """Each article is an object with its path, title and feeds; the feeds that changed are another."""
    log = reported()
    site.article("a.md", title="Hello", tags=["x"])
    site.write("b.md", "b")
    log.reporter.on_finished(site.publish())
    started, warning, rejected, added, feeds = log.events()
    assert (started["event"], started["role"], started["url"]) == ("started", "all", "http://127.0.0.1:8000/")
    assert (started["public_url"], started["catalog"]) == ("https://test.example/", "the catalog")
    assert warning["event"] == "warning"
    assert warning["message"] == (
        "the feeds link to https://test.example/ (site.url, feeds.url); while you write, use --preview, so that links "
        "lead here; in production, this address must lead to this server"
    )
    assert rejected["message"].startswith("content/b.md:1: no date")
    del rejected["time"], rejected["message"], added["time"], feeds["time"], feeds["seconds"]
    reason = rejected.pop("reason")
    assert reason.startswith("no date")
    assert rejected == {"level": "error", "event": "rejected", "path": "content/b.md", "line": 1}
    assert added == {
        "level": "info",
        "event": "added",
        "message": 'content/a.md  "Hello"  in 2 feeds: /, /tag/x/',
        "path": "content/a.md",
        "title": "Hello",
        "feeds": ["/", "/tag/x/"],
    }
    assert feeds == {
        "level": "info",
        "event": "feeds",
        "message": "2 feeds changed: /, /tag/x/; 1 article published, 1 rejected",
        "revision": 1,
        "articles": 1,
        "rejected": 1,
        "changed": 2,
        "feeds": ["/", "/tag/x/"],
    }


def test_the_greeting(site, reported):
    """The first lines of the text name the site and the URLs; JSON has them in one object."""
    site.article("a.md", title="A")
    outcome = site.publish()
    for role, expected in (
        ("all", ["watching", "open          http://127.0.0.1:8000/", "subscribe to  http://127.0.0.1:8000/atom.xml"]),
        ("publisher", ["watching", "health        http://127.0.0.1:8000/healthz"]),
    ):
        log = reported(log_format="text", role=role)
        log.reporter.on_finished(outcome)
        text = log.text()
        assert all(words in text for words in [*expected, "Press Ctrl-C to stop"])
        log.reporter.on_finished(outcome)
        assert "Ctrl-C" not in log.text()
    log = reported(log_format="text", role="web", preview_key="key")
    log.reporter.report_serving()
    assert "serving from the catalog" in (text := log.text())
    assert "drafts        http://127.0.0.1:8000/preview/?key" in text
    log = reported(role="web", preview_key="key")
    log.reporter.report_serving()
    assert log.events()[0]["preview"] == "http://127.0.0.1:8000/preview/?key"


def test_mistakes_of_the_configuration(reported):
    """Each mistake has a line of the text; JSON has one object with all of them, at most 20."""
    log = reported(log_format="text")
    log.reporter.report_mistakes(["c:1:1: a"])
    (line,) = log.text().splitlines()
    assert line.endswith("config     the configuration is not reloaded, the old one stays in effect: c:1:1: a")
    log.reporter.report_mistakes([f"c:{number}:1: a" for number in range(30)])
    first, *lines = [line.partition("  config     ")[2] for line in log.text().splitlines()]
    assert first == "the configuration is not reloaded, the old one stays in effect; it has 30 mistakes"
    assert lines == [f"c:{number}:1: a" for number in range(20)]
    log = reported()
    log.reporter.report_mistakes(["c:1:1: a", "c:2:1: b"])
    (event,) = log.events()
    assert (event["event"], event["level"], event["mistakes"]) == ("config", "error", ["c:1:1: a", "c:2:1: b"])


def test_a_warning_is_reported_once_per_save(site, reported, monkeypatch):
    """A warning is not repeated by a run that reads unchanged files again, and is repeated when its article is saved.

    Only a limited number of warnings is remembered.
    """
    log = reported()

    def warnings(**options):
        log.reporter.on_finished(site.publish(**options))
        return [event["message"].split(":")[0] for event in log.events() if event["event"] == "warning"]

    warnings()
    site.article("a.md", title="A", updated="soon")
    site.article("b.md", title="B", updated="soon")
    assert warnings() == ["content/a.md", "content/b.md"]
    site.configure(site={"title": "Other"})
    assert warnings() == []
    assert warnings(read_all=True) == []
    site.article("a.md", "Other.", title="A", updated="soon")
    assert warnings() == ["content/a.md"]
    monkeypatch.setattr("feeds.cli.reporter._MAX_KNOWN_WARNINGS", 1)
    warnings(read_all=True)
    assert warnings(read_all=True) == ["content/a.md", "content/b.md"]


def test_a_file_that_was_renamed_and_changed(site, reported):
    """The log says which deleted article an added one looks like, and the id that would continue it."""
    site.article("a.md", title="A")
    site.article("keep.md", title="Keep")
    site.publish()
    (site.content / "a.md").unlink()
    site.article("b.md", "Other.", title="A")
    log = reported()
    log.reporter.on_finished(site.publish(accept=True))
    (notice,) = [event for event in log.events() if event["event"] == "notice"]
    assert notice["message"].startswith("content/b.md looks like content/a.md, renamed and changed: it has a new id")
    assert notice["message"].endswith(f"set id: {notice['id']}")
    assert notice["id"].startswith("tag:")


def test_a_preview_may_link_to_this_machine(site, reported):
    """A preview doesn't report that `site.url` works on this machine only; a server does."""
    site.configure(site={"url": "http://127.0.0.1:8000", "authority": "a.example"})
    for preview_key in ("", "key"):
        log = reported(log_format="text", preview_key=preview_key)
        log.reporter.on_finished(site.publish())
        assert ("work on this machine only" in log.text()) == (not preview_key)


def test_a_restart_lists_what_is_still_rejected(site, reported):
    """The first run of a process reports all rejected articles and the state; later runs only what is new."""
    site.article("a.md", title="A")
    site.write("b.md", "b")
    site.publish()
    log = reported()
    log.reporter.on_finished(site.publish())
    *_, rejected, feeds = log.events()
    assert (rejected["event"], rejected["path"]) == ("rejected", "content/b.md")
    assert (feeds["event"], feeds["message"]) == ("feeds", "unchanged; 1 article published, 1 rejected")
    log.reporter.on_finished(site.publish())
    assert log.names() == []


def test_many_articles_are_counted(site, reported):
    """A run that changes many articles reports twenty of them, and the number of the others by kind."""
    for number in range(40):
        site.article(f"{number}.md", title=str(number))
        site.write(f"broken-{number}.md", "b")
    log = reported()
    log.reporter.on_finished(site.publish())
    names = log.names()
    assert (names.count("rejected"), names[-2:]) == (20, ["more", "feeds"])
    log = reported()
    log.reporter.on_finished(site.publish())
    *_, more, feeds = log.events()
    assert (more["message"], more["counts"], feeds["rejected"]) == ("20 rejected", {"rejected": 20}, 40)


def test_failures_and_recovery(site, reported):
    """A failure is reported once, until a full scan succeeds; the guard's failure too, although its text changes."""
    site.article("a.md", title="A")
    log = reported()
    log.reporter.on_finished(outcome := site.publish())
    log.events()
    for _ in range(2):
        log.reporter.on_failed(ContentFolderMissing("the folder is missing"))
    (failed,) = log.events()
    assert (failed["event"], failed["level"], failed["message"]) == ("failed", "error", "the folder is missing")
    log.reporter.on_failed(GuardStopped("17 would vanish"))
    log.reporter.on_failed(GuardStopped("18 would vanish"))
    assert log.names() == ["failed"]
    log.reporter.on_finished(outcome)
    assert "recovered" in log.names()
    log.reporter.on_finished(outcome)
    assert "recovered" not in log.names()


def test_standing_by(site, reported):
    """A publisher that waits for another one reports this once, and reports when it publishes in its place."""
    site.article("a.md", title="A")
    log = reported()
    for _ in range(2):
        log.reporter.on_failed(NotLeader("another process publishes this site"))
    assert log.names()[-1:] == ["standby"]
    log.reporter.on_finished(site.publish())
    assert "leading" in log.names()


def test_warnings(site, reported):
    """Warnings about front matter are events, also in text."""
    site.article("a.md", title="A", lang="no such language")
    log = reported(log_format="text")
    log.reporter.on_finished(site.publish())
    assert "Z  warning    content/a.md:" in log.text()


def test_progress(site, reported, monkeypatch):
    """A long run reports its progress: files, rate, and the remaining time once the folder is counted."""
    monkeypatch.setattr("feeds.cli.reporter._PROGRESS_INTERVAL_S", -1.0)
    monkeypatch.setattr("feeds.cli.reporter._FIRST_RUN_REPORTED_AFTER_S", 3_600.0)
    log = reported()
    log.reporter.count_articles = lambda: 5_000
    log.reporter.on_progress(0)
    assert log.names() == []
    log.reporter.on_progress(1_000)
    (progress,) = log.events()
    assert (progress["event"], progress["files"]) == ("progress", 1_000)
    log.reporter._count()
    log.reporter.on_progress(2_000)
    assert "2,000 of about 5,000 files scanned" in log.events()[0]["message"]


def test_the_first_run(site, reported, monkeypatch):
    """A first run that takes longer is reported once, after the URLs, with the number of files; later runs are not."""
    monkeypatch.setattr("feeds.cli.reporter._FIRST_RUN_REPORTED_AFTER_S", 0.0)
    log = reported()
    log.reporter.count_articles = lambda: 1_281
    log.reporter.on_progress(0)
    events = []
    eventually(lambda: events.extend(log.events()) or (events[-1:] and events[-1]["event"] == "progress"))
    assert [event["event"] for event in events] == ["started", "warning", "progress"]
    assert events[-1]["message"] == "reading 1,281 files"
    log.reporter.on_progress(0)
    log.reporter.on_finished(site.publish())
    log.reporter.on_progress(0)
    assert log.names() == ["feeds"]


def test_a_short_first_run(site, reported, monkeypatch):
    """A first run that ends within a second is not reported."""
    monkeypatch.setattr("feeds.cli.reporter._FIRST_RUN_REPORTED_AFTER_S", 3_600.0)
    log = reported()
    log.reporter.on_progress(0)
    log.reporter.on_finished(site.publish())
    assert log.names() == ["started", "warning", "feeds"]


@pytest.mark.parametrize("mistake", ["site.titel: unknown key", "no such port"])
def test_errors_at_the_start_are_json_too(site, mistake):
    """With --log-format json, an error that ends the command is an object as well."""
    if mistake == "no such port":
        done = site.run("serve", "--log-format", "json", "--host", "no such host")
    else:
        site.configure(site={"titel": "x"})
        done = site.run("serve", "--log-format", "json")
    assert done.returncode in {2, 3}
    event = json.loads(done.stderr)
    assert (event["event"], event["level"], event["message"].count("\n")) == ("error", "error", 0)


@pytest.mark.unmeasured  # coverage would print warnings
def test_a_server_logs_json(site, serve, monkeypatch):
    """A server logs only JSON objects: articles, the configuration, warnings of the logging module, and its end."""
    monkeypatch.setenv("FEEDS_LOG_FORMAT", "json")
    site.configure(schedule={"before": "false", "webhook": "a-secret-that-is-long-enough"})
    site.article("a.md", title="A", date="2026-05-01")
    server = serve(site)
    server.wait_for(lambda: server.titles() == ["A"])

    def logged(name):
        return [event for event in map(json.loads, server.log.read_text().splitlines()) if event["event"] == name]

    server.wait_for(lambda: [event for event in logged("warning") if event["message"].startswith("schedule.before: ")])
    site.configure(site={"title": "Other"})
    server.wait_for(lambda: [event["message"] for event in logged("config")] == ["the configuration is reloaded"])
    site.configure(site={"titel": "Other"})
    server.wait_for(lambda: logged("config")[-1]["level"] == "error")
    assert server.stop(signal.SIGINT) == 0
    assert [event["path"] for event in logged("added")] == ["content/a.md"]
    assert len(logged("stopped")) == 1
