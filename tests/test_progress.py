"""The progress display and the last line of `feeds build`, on a terminal and elsewhere."""

import logging
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from waiting import eventually

from feeds.cli.common import duration
from feeds.cli.progress import ProgressDisplay


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (1.23, "1.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (11_531, "3 h 12 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds, text):
    """A duration is given with its two largest units, or in tenths of a second."""
    assert duration(seconds) == text


class Terminal:
    """A terminal that records what is written to it, as standard error of this process."""

    def __init__(self, monkeypatch, columns=80, name="xterm"):
        """Open the terminal."""
        self._reader, self._writer = pty.openpty()
        os.set_blocking(self._reader, False)
        self.stream = open(self._writer, "w", encoding="utf-8")  # noqa: SIM115  # closed by `close`
        self._shown = b""
        monkeypatch.setattr(sys, "stderr", self.stream)
        monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
        monkeypatch.setenv("TERM", name)

    def shown(self):
        """Return everything that was written so far."""
        with suppress(OSError):
            while part := os.read(self._reader, 65_536):
                self._shown += part
        return self._shown.decode()

    def close(self):
        """Close the terminal."""
        self.stream.close()
        os.close(self._reader)


@pytest.fixture
def terminal(monkeypatch):
    """Return a function that opens a terminal as standard error."""
    terminals = []

    def open_terminal(**options):
        terminals.append(Terminal(monkeypatch, **options))
        return terminals[-1]

    yield open_terminal
    monkeypatch.undo()
    for opened in terminals:
        opened.close()


def test_a_step_is_shown_and_cleared(terminal):
    """The display shows count, total, rate and bar of a step, then the next step, and is cleared at the end."""
    screen = terminal()
    with ProgressDisplay(quiet=False) as display:
        display.begin("reading", "files", count_total=lambda: 5_000)
        display.done = 2_500
        eventually(lambda: "2,500 of 5,000 files" in screen.shown())
        assert re.search(r"reading     \[#{10}-{10}\]  2,500 of 5,000 files, [\d,]+/s", screen.shown())
        display.begin("publishing")
        eventually(lambda: re.search(r"publishing  \d\.\d s", screen.shown()))
        display.print_message("content/a.md:1: no date")
    assert "\r\x1b[Kcontent/a.md:1: no date\r\n" in screen.shown()


def test_an_unknown_total(terminal):
    """A step without a total, or with more than was expected, shows the count and the rate; narrow terminals no bar."""
    screen = terminal(columns=40)
    with ProgressDisplay(quiet=False) as display:
        display.begin("comparing", "files")
        display.done = 700
        eventually(lambda: re.search(r"comparing   700 files, [\d,]+/s", screen.shown()))
        display.begin("writing", "files", 100)
        display.done = 50
        eventually(lambda: "writing     50 of 100 files" in screen.shown())
        display.done = 101
        eventually(lambda: "writing     101 files" in screen.shown())
    drawn = re.split(r"\r\x1b\[K", screen.shown())
    assert max(map(len, drawn)) < 40
    assert drawn[-1] == ""


def test_messages_of_logging(terminal):
    """A message of the logging module is printed on a line of its own."""
    screen = terminal()
    handler = logging.StreamHandler(screen.stream)
    logging.root.addHandler(handler)
    try:
        with ProgressDisplay(quiet=False) as display:
            display.begin("writing", "files", 10)
            display.done = 5
            eventually(lambda: "5 of 10 files" in screen.shown())
            logging.getLogger("feeds").warning("content/a.md: shown as plain text")
    finally:
        logging.root.removeHandler(handler)
    assert "\r\x1b[Kcontent/a.md: shown as plain text\r\n" in screen.shown()
    assert not handler.filters


@pytest.mark.parametrize("options", [{"quiet": True}, {"name": "dumb"}])
def test_no_display(terminal, options):
    """With -q, and on a terminal that can't clear a line, nothing is shown."""
    quiet = options.pop("quiet", False)
    screen = terminal(**options)
    with ProgressDisplay(quiet=quiet) as display:
        display.begin("reading", "files", 10)
        display.done = 5
        display.print_message("a")
    assert screen.shown() == "a\r\n"


def run_in_terminal(site, *arguments):
    """Run a command in a process whose standard error is a terminal; return the exit code and what it showed."""
    if not (site.root / "config.yaml").exists():
        site.configure()
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "feeds", *arguments], cwd=site.root, stderr=terminal, env=os.environ | {"TERM": "xterm"}
    )
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # EIO: the process has ended
        while part := os.read(controller, 4096):
            shown += part
    os.close(controller)
    lines = re.sub(r"[^\n]*\x1b\[K", "", shown.decode().replace("\r\n", "\n"))
    return process.wait(60), lines


@pytest.mark.integration
def test_a_build_in_a_terminal(site):
    """In a terminal, a build prints all problems and a last line with its results; with -q, no last line."""
    site.article("a.md", title="A")
    site.write("b.md", "b")
    code, text = run_in_terminal(site, "build")
    problem, last = text.splitlines()
    assert (code, problem.startswith("content/b.md:1: no date")) == (1, True)
    assert re.fullmatch(r"1 article published, 1 rejected; 2 read, \d+ files written to public/; .+ s", last)
    code, text = run_in_terminal(site, "build")
    assert text.splitlines()[0] == problem
    assert re.fullmatch(r"1 article published, 1 rejected; nothing changed; .+ s", text.splitlines()[1])
    assert run_in_terminal(site, "build", "-q") == (1, f"{problem}\n")


def test_the_last_line(site):
    """The last line counts the files that were read, written and removed in this run."""
    for name in "abcde":
        site.article(f"{name}.md", title=name, tags=[name])
    site.run("build")
    (site.content / "e.md").unlink()
    site.article("a.md", "Other.", title="a", tags=["a"])
    last = site.run("build", "-v").stderr
    assert re.fullmatch(r"4 articles published; 1 read, \d+ files written to public/, \d+ removed; .+ s\n", last)
    site.article("a.md", "Another.", title="a", tags=["a"])
    last = site.run("build", "-v", "--no-export").stderr
    assert re.fullmatch(r"4 articles published; 1 read, 2 feeds changed; .+ s\n", last)
    done = site.run("build", "-v", "--force", "--output", str(site.root.parent / "other"))
    assert f" files written to {site.root.parent / 'other'}/; " in done.stderr


# a program that Ctrl-C ends even if it is the background job of a shell
_INTERRUPTIBLE = """
import signal
from feeds.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@pytest.mark.integration
@pytest.mark.parametrize(("options", "message"), [([], "stopped; nothing more is written; the next build continues\n"),
                                                  (["-q"], "")])  # fmt: skip
def test_ctrl_c(site, options, message):
    """Ctrl-C ends a build with exit code 130 and a line that says what it means."""
    os.mkfifo(site.root / "slow.yaml")
    process = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE, "build", "-c", "slow.yaml", *options],
        cwd=site.root,
        stderr=subprocess.PIPE,
        text=True,
    )
    with open(site.root / "slow.yaml", "wb"):  # opened as soon as the build reads it
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate(timeout=60)
    assert (process.returncode, shown) == (130, message)
