"""The log of `feeds serve`: lines of text or JSON, on terminals and elsewhere."""

import fcntl
import io
import json
import logging
import multiprocessing
import os
import pty
import re
import signal
import sys
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime

import pytest
from conftest import Server

from feeds.cli.event_lines import article_text, counts_text, display_width, feeds_text, shorten
from feeds.event_log import EventLog
from feeds.publish.events import ArticleEvent

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
ADDED = ArticleEvent("added", "2026-11-29-hello.md", title="Hello", feeds=("", "category/news", "tag/feeds"))


@pytest.fixture
def root_logger():
    """Restore the handlers of the root logger after the test."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_a_line_of_text(capsys):
    """An event is one line with its time in UTC, its name and its message."""
    EventLog().write("added", "content/a.md  \x1b[31m\nforged", path="content/a.md")
    assert re.fullmatch(rf"{TIME}  added      content/a\.md  \\x1b\[31m\\nforged\n", capsys.readouterr().err)


def test_a_line_of_json(capsys):
    """With the format json, an event is an object; values that are empty are left out, and 0 is not."""
    EventLog("json").write("rejected", "a\nb", level="error", path="a.md", line=0, title="", feeds=[], at=None)
    values = json.loads(capsys.readouterr().err)
    assert datetime.fromisoformat(values.pop("time")).tzinfo == UTC
    assert values == {"level": "error", "event": "rejected", "message": "a\nb", "path": "a.md", "line": 0}


def test_a_long_message_is_cut(capsys):
    """A message has at most 1,000 characters in both formats."""
    EventLog().write("failed", "x" * 5_000)
    assert capsys.readouterr().err.endswith(f"  {'x' * 1_000}…\n")
    EventLog("json").write("failed", "x" * 5_000)
    assert json.loads(capsys.readouterr().err)["message"] == f"{'x' * 1_000}…"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_quiet(capsys, log_format):
    """A quiet log has errors only, and no plain lines."""
    log = EventLog(log_format, quiet=True)
    log.write("added", "a")
    log.write("warning", "b", level="warning")
    log.write_text("c")
    assert capsys.readouterr().err == ""
    log.write("failed", "d", level="error")
    assert capsys.readouterr().err.count("\n") == 1


def test_logging_becomes_events(capsys, root_logger):
    """Messages of the logging module are events with their level; a traceback follows, or is a value of the object."""
    EventLog().capture_logging()
    logging.getLogger("feeds.x").warning("%s is\nodd", "a")
    assert re.fullmatch(rf"{TIME}  warning    a is\\nodd\n", capsys.readouterr().err)
    logging.getLogger("feeds.x").error("100%% of %d", "x")
    assert "100%% of %d" in capsys.readouterr().err
    EventLog("json").capture_logging()
    try:
        int("wrong")
    except ValueError:
        logging.getLogger("feeds.x").exception("it failed")
    values = json.loads(capsys.readouterr().err)
    assert (values["event"], values["message"], values["logger"]) == ("error", "it failed", "feeds.x")
    assert values["details"].endswith("invalid literal for int() with base 10: 'wrong'")


def test_a_broken_stream_is_ignored(monkeypatch):
    """A full disk or a closed pipe does not end the server."""

    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    for stream in (Full(), closed := io.StringIO()):
        closed.close()
        monkeypatch.setattr(sys, "stderr", stream)
        EventLog().write("added", "a")


def written_to_terminal(monkeypatch, columns, write):
    """Return what a function writes to a terminal with a number of columns."""
    reader, writer = pty.openpty()
    with open(writer, "w", encoding="utf-8") as terminal, open(reader, "rb", buffering=0) as screen:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
        write()
        terminal.write("\f")  # the end
        terminal.flush()
        shown = b""
        while not shown.endswith(b"\f"):
            shown += screen.read(10_000)
        return shown.removesuffix(b"\f").decode()


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours(monkeypatch, environment, coloured):
    """A terminal shows colours, unless the user or the terminal doesn't want them."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    line = written_to_terminal(monkeypatch, 120, lambda: EventLog().write("added", "a"))
    assert ("\x1b[32madded" in line) == coloured
    assert ("\x1b" in line) == coloured


def test_after_ctrl_c(monkeypatch, capsys):
    """On a terminal, a line can be written over what the terminal shows for Ctrl-C; elsewhere, nothing is added."""
    monkeypatch.setenv("NO_COLOR", "1")
    EventLog().begin_line()
    assert capsys.readouterr().err == ""

    def write():
        sys.stderr.write("^C")
        EventLog("json").begin_line()
        EventLog().begin_line()
        EventLog().write("stopped", "after 2 s")

    assert re.fullmatch(r"\^C\r\d\d:\d\d:\d\dZ  stopped    after 2 s\r\n", written_to_terminal(monkeypatch, 80, write))


@pytest.mark.parametrize(("columns", "time"), [(80, r"\d\d:\d\d:\d\dZ"), (200, TIME)])
def test_a_line_fits_into_a_terminal(monkeypatch, columns, time):
    """On a terminal, a line has at most its columns, and a narrow one has no date."""
    monkeypatch.setenv("NO_COLOR", "1")
    event = ArticleEvent("added", "2026-11-29-hello.md", title="Hello " * 30, feeds=("", "tag/a") * 10)

    def layout(available):
        return article_text(event, "content", available)

    line = written_to_terminal(
        monkeypatch, columns, lambda: EventLog().write("added", article_text(event, "content"), layout=layout)
    )
    assert re.match(rf"{time}  added      content/2026-11-29-hello\.md  \"Hello", line)
    assert len(line.rstrip()) <= columns


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (ADDED, 'content/2026-11-29-hello.md  "Hello"  in 3 feeds: /, /category/news/, /tag/feeds/'),
        (ArticleEvent("renamed", "b.md", title="B", old_path="a.md"), 'content/a.md → content/b.md  "B"'),
        (
            ArticleEvent("scheduled", "a.md", title="A", reason="scheduled", at=datetime(2027, 1, 1, tzinfo=UTC)),
            'content/a.md  "A"  for 2027-01-01 00:00:00Z',
        ),
        (
            ArticleEvent("withdrawn", "a.md", title="A", reason="scheduled", at=datetime(2027, 1, 1, tzinfo=UTC)),
            'content/a.md  "A"  until 2027-01-01 00:00:00Z',
        ),
        (ArticleEvent("published", "a.md", title="A", feeds=("",)), 'content/a.md  "A"  on schedule  in 1 feed: /'),
        (ArticleEvent("withdrawn", "a.md", title="A", reason="draft"), 'content/a.md  "A"  now a draft'),
        (ArticleEvent("saved", "a.md", title="A", reason="draft"), 'content/a.md  "A"  draft, not published'),
        (ArticleEvent("withdrawn", "a.md", title="A", reason="expired"), 'content/a.md  "A"  expired'),
        (ArticleEvent("saved", "a.md", title="A", reason="expired"), 'content/a.md  "A"  expired, not published'),
        (ArticleEvent("withdrawn", "a.md", title="A", reason="deleted"), 'content/a.md  "A"  deleted'),
        (ArticleEvent("rejected", "a.md", line=3, rejection="no date"), "content/a.md:3: no date"),
        (ArticleEvent("fixed", "a.md", reason="deleted"), "content/a.md  deleted"),
        (
            ArticleEvent("added", "a.md", title="\x1b[1m\u202e", feeds=("",)),
            'content/a.md  "\\x1b[1m\\u202e"  in 1 feed: /',
        ),
        (
            ArticleEvent("added", "a.md", feeds=("",) * 21),
            f"content/a.md  in 21 feeds: {', '.join('/' * 20)} and 1 more",
        ),
    ],
)
def test_texts_of_events(event, text):
    """The text of an event names the article, and says what happened to it."""
    assert article_text(event, "content") == text


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (200, 'content/2026-11-29-hello.md  "Hello"  in 3 feeds: /, /category/news/, /tag/feeds/'),
        (64, 'content/2026-11-29-hello.md  "Hello"  in 3 feeds: / and 2 more'),
        (60, 'content/2026-11-29-hello.md  "Hello"  in 3 feeds'),
        (47, 'content/2026-11-29-hello.md  "Hello"'),
        (35, "content/2026-11-29-hello.md"),
        (20, "conte…11-29-hello.md"),
    ],
)
def test_texts_that_fit(columns, text):
    """In few columns, paths of feeds are left out first, then their number, the title, the middle of the path."""
    assert article_text(ADDED, "content", columns) == text


def test_a_long_title_is_cut():
    """A title that does not fit is cut, and still quoted; the state is kept."""
    event = ArticleEvent("withdrawn", "a.md", title="A rather long title of an article", reason="deleted")
    assert article_text(event, "content", 40) == 'content/a.md  "A rather long…"  deleted'


def test_wide_characters():
    """East Asian characters take two columns, and combining ones none."""
    assert [display_width(text) for text in ("abc", "제목", "é", "e\u0301")] == [3, 4, 1, 1]
    assert shorten("제목이 길다", 6) == "제목…"
    event = ArticleEvent("added", "글.md", title="제목이 아주 길고 길어요", feeds=("",))
    for columns in range(20, 60):
        assert display_width(article_text(event, "content", columns)) <= columns


def test_changed_feeds():
    """As many changed feeds are named as fit; if that names all, the other text may be left out."""
    changed = ["", "category/news", *(f"tag/t{number}" for number in range(30))]
    assert feeds_text(changed[:2], "; 3 articles") == "2 feeds changed: /, /category/news/; 3 articles"
    assert feeds_text(changed, "").endswith("/tag/t17/ and 12 more")
    assert feeds_text(changed, "; 3 articles", 60) == "32 feeds changed: /, /category/news/ and 30 more; 3 articles"
    assert feeds_text(changed, "; 3 articles", 30) == "32 feeds changed; 3 articles"
    assert feeds_text(changed[:2], "; 3 articles", 40) == "2 feeds changed: /, /category/news/"
    assert feeds_text(changed[:3], "; 3 articles", 42) == "3 feeds changed: / and 2 more; 3 articles"


def test_counts():
    """Numbers of events are listed by kind, problems first."""
    assert counts_text({"added": 1480, "rejected": 2, "edited": 0}) == "2 rejected, 1,480 added"


@contextmanager
def small_pipe():
    """Make the end of a small pipe this process's standard error; yield the other end."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with open(writing, "w", encoding="utf-8") as stream, open(reading, "rb") as reader, redirect_stderr(stream):
        yield reader


def test_a_log_that_is_not_read_blocks_nothing():
    """Events do not wait for the reader of the log. Lines beyond a limit are dropped, and their number is stated."""
    log, received = EventLog("json"), b""
    with small_pipe() as pipe:
        log.start_thread()
        for number in range(12_000):
            log.write("added", f"{number:05} {'x' * 40}")
        while b'"dropped"' not in received[-1_000:]:
            received += pipe.read1(4096)
        log.stop_thread()
    events = [json.loads(line) for line in received.splitlines()]
    numbers = [int(event["message"][:5]) for event in events if event["event"] == "added"]
    (dropped,) = (event["message"] for event in events if event["event"] == "dropped")
    assert numbers == sorted(set(numbers))
    assert dropped.endswith(" lines, because the log was not read")
    assert len(numbers) + int(dropped.split()[0].replace(",", "")) == 12_000


def test_the_end_of_the_log():
    """When the thread of a log ends, everything is written; after that, lines are written at once."""
    log = EventLog()
    with small_pipe() as pipe:
        log.start_thread()
        for number in range(20):
            log.write("added", str(number))
        log.stop_thread()
        log.write("stopped", "last")
        lines = pipe.read1(65_536).decode().splitlines()
    assert [line.split()[-1] for line in lines] == [*map(str, range(20)), "last"]


def log_and_end():
    """Write to a log that has a thread, and end the process."""
    log = EventLog()
    log.start_thread()
    for number in range(300):
        log.write("added", str(number))


@pytest.mark.integration
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_end_of_a_process(capfd, method):
    """When a process such as a worker ends, all lines of its log are written."""
    process = multiprocessing.get_context(method).Process(target=log_and_end)
    process.start()
    process.join()
    assert [line.split()[-1] for line in capfd.readouterr().err.splitlines()] == [*map(str, range(300))]


@pytest.mark.integration
def test_a_reader_that_stops_does_not_stop_publishing(site):
    """If the program that shows the log of `feeds serve` hangs, articles are still published, and SIGTERM ends it."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    site.configure()
    for number in range(100):
        site.write(f"{number}.md", "---\ntitle: [\n---\n")
    server = Server(site.root, stderr=writing)
    os.close(writing)
    try:
        for number in range(100):
            site.write(f"{number}.md", f"---\ntitle: A rather long title {number}\ndate: 2026-01-01\n---\n")
            if number % 25 == 0:
                server.wait_for(lambda title=f"A rather long title {number}": title in server.titles())
        site.article("last.md", title="last")
        server.wait_for(lambda: "last" in server.titles())
        assert server.stop(signal.SIGTERM) == 0
    finally:
        server.process.kill()
        os.close(reading)
