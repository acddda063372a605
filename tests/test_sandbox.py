"""Rendering in a separate process, which articles can't escape from."""

import contextlib
import itertools
import os
import re
import resource
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import fuzzing
import pytest

from feeds.confined import confinement
from feeds.core.errors import ArticleError
from feeds.core.parse.content import MarkdownRenderer
from feeds.render.sandbox import CpuBudget, Sandbox
from feeds.render.sandbox import __main__ as sandbox_process

pytestmark = pytest.mark.sandbox

BASE = ("https://test.example/a/", "e1-")


@pytest.fixture(scope="module")
def sandbox():
    """Return one sandbox for all tests; it replaces its process if that ends."""
    return Sandbox(1.0)


@pytest.fixture(scope="module")
def impatient():
    """Return a sandbox with a short time limit, for articles that certainly exceed it."""
    return Sandbox(0.3)


def test_it_renders_as_the_renderer_does(sandbox):
    """The sandbox returns what the renderer produces, with any characters, request after request."""
    for n in range(3):
        content = sandbox.render(f"*{n}* é \u2028 😀\n\nmore", None, *BASE)
        assert content.html.startswith(f"<p><em>{n}</em> é")
        assert content.summary.startswith(f"{n} é")


def test_it_converts_as_the_renderer_does(sandbox):
    """The unsanitised HTML is returned too, and an article that can't be rendered is rejected."""
    assert sandbox.convert("*a* <script>b</script>") == "<p><em>a</em> <script>b</script></p>"
    with pytest.raises(ArticleError, match="nested too deep"):
        sandbox.convert("<div>" * 60_000)
    assert sandbox.render("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_the_language(sandbox):
    """The titles of admonitions are in the language of the article."""
    assert "<strong>Hinweis</strong>" in sandbox.render("!!! note\n    a", None, *BASE, language="de-AT").html
    assert "<strong>Note</strong>" in sandbox.render("!!! note\n    a", None, *BASE).html


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("[" * 20_000, "takes too long to render"),
        ("<div>" * 60_000, "nested too deep|takes too long"),
        ("- " * 65_000 + "'", ""),
        ("a|" * 350 + "a\n" + "-|" * 350 + "-\n" + "a\n" * 10_000, "takes"),  # 2 GB, if it were let
    ],
)
def test_what_takes_too_much_is_refused_and_the_next_is_rendered(impatient, body, reason):
    """Time, depth and memory are limited, and the next article is rendered normally."""
    with pytest.raises(ArticleError, match=reason or "."):
        impatient.render(body, None, *BASE)
    assert impatient.render("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_memory_is_bounded(sandbox):
    """The process may use 320 MiB of address space, whatever the article is."""
    sandbox.render("a", None, *BASE)
    assert resource.prlimit(sandbox._process.pid, resource.RLIMIT_AS)[0] == 320 << 20


def test_abbreviations_take_no_memory_without_bound(sandbox):
    """A text of 27 kB that would become 76 MB of HTML is rejected, and the next one is rendered."""
    with pytest.raises(ArticleError, match=r"too large|too much memory"):
        sandbox.render(f"*[A]: {'x' * 13_000}\n\n" + "A " * 7_000, None, *BASE)
    assert sandbox.render("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_a_large_text_has_room():
    """A third of a megabyte of ordinary text can be rendered within the memory limit."""
    patient = Sandbox(60.0)
    line = "The quick brown fox jumps over *the* lazy dog, with [a link](https://example.com/x) and `code`. "
    assert patient.render((line * 5 + "\n\n") * 700, None, *BASE).html.count("<p>") == 700


def test_articles_share_the_time_of_a_document():
    """When slow articles have used the budget of their document, each other one gets the normal limit, and no more."""
    budget = CpuBudget(per_article=0.3, shared=0.5)
    slow, patient = "[" * 20_000, Sandbox(20.0)
    for _ in range(3):
        with pytest.raises(ArticleError, match="takes too long"):
            patient.render(slow, None, *BASE, budget=budget)
    assert 0.3 <= budget.seconds < 0.6
    assert patient.render("*a*", None, *BASE, budget=budget).html == "<p><em>a</em></p>"


def test_what_is_nested_too_deep_is_refused():
    """Depth is limited independently of time, also on a slow machine, and the next article is rendered."""
    patient = Sandbox(8.0)
    with pytest.raises(ArticleError, match="nested too deep"):
        patient.render("a\n: b\n" * 3_000, None, *BASE)
    assert patient.render("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_a_process_that_died_is_started_again(sandbox):
    """If another program kills the renderer, it is restarted, and no article is rejected."""
    sandbox.render("a", None, *BASE)
    sandbox._process.kill()
    sandbox._process.wait()
    assert sandbox.render("c", None, *BASE).html == "<p>c</p>"


def test_many_open_files_do_not_matter(sandbox):
    """Articles are rendered with over a thousand open descriptors, as on a busy server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as opened:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            opened.enter_context(open(os.devnull, "rb"))
        assert sandbox.render("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_threads_share_it(sandbox):
    """Each of many concurrent threads gets its own result."""
    got = {}

    def ask(n):
        got[n] = sandbox.render(f"text {n}", None, *BASE).summary

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {n: f"text {n}" for n in range(12)}


def status_of(process):
    """Return the kernel's data about a process."""
    lines = Path(f"/proc/{process.pid}/status").read_text("ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_has_no_secrets(monkeypatch):
    """The process gets only the environment variables that the interpreter needs."""
    monkeypatch.setenv("FEEDS__STATS__TOKEN", "a-secret-of-the-owner")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-owner")
    fresh = Sandbox(1.0)
    assert fresh.render("*a*", None, *BASE).html == "<p><em>a</em></p>"
    environment = Path(f"/proc/{fresh._process.pid}/environ").read_bytes().split(b"\0")
    assert {one.partition(b"=")[0] for one in environment if one} <= {b"LD_LIBRARY_PATH", b"PYTHONHOME", b"PYTHONPATH"}


def test_it_is_confined(sandbox):
    """The process has three pipes and may open nothing else; the kernel rejects all but a few system calls."""
    sandbox.render("a", None, *BASE)
    pid = sandbox._process.pid
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
        assert resource.prlimit(pid, limit) == (0, 0)
    assert {file.name for file in Path(f"/proc/{pid}/fd").iterdir()} == {"0", "1", "2"}
    assert (status_of(sandbox._process)["Seccomp"], status_of(sandbox._process)["NoNewPrivs"]) == ("2", "1")


def test_it_is_the_first_to_end_where_memory_runs_out(sandbox):
    """If memory runs out, the kernel kills the rendering process before any other process of the service."""
    sandbox.render("a", None, *BASE)
    assert Path(f"/proc/{sandbox._process.pid}/oom_score_adj").read_text("ascii") == "1000\n"


ATTEMPTS = {
    "read a file": "open('/etc/hostname')",
    "write a file": "open('{folder}/new', 'w')",
    "write to an open file": "os.write(opened, b'x')",
    "delete a file": "os.unlink('{folder}/old')",
    "rename a file": "os.rename('{folder}/old', '{folder}/other')",
    "look at a file": "os.stat('/etc/hostname')",
    "make a socket": "socket.socket()",
    "use a socket": "connected.send(b'x')",
    "start a process": "os.fork()",
    "start a program": "os.execv('/bin/true', ['true'])",
    "end another process": "os.kill(os.getppid(), 0)",
    "limit another process": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
    "write to the terminal's input": "fcntl.ioctl(2, termios.TIOCSTI, b'x')",
}
OF_THE_LIMITS = {"read a file", "write a file", "write to an open file", "make a socket"}
OF_THE_FILTER = ATTEMPTS.keys() - {"write to an open file"}
TRY = """
import fcntl, os, resource, socket, sys, termios
from feeds.confined import confinement
opened = os.open(sys.argv[2] + "/old", os.O_WRONLY)
connected, other = socket.socketpair()
getattr(confinement, sys.argv[1])()
for attempt in sys.argv[3:]:
    try:
        exec(attempt)
    except OSError:
        os.write(1, b"refused\\n")
    else:
        os.write(1, b"done\\n")
resource.setrlimit(resource.RLIMIT_CPU, (50, 100))
"""


@pytest.mark.unmeasured  # a process without files can't write what was measured
@pytest.mark.parametrize("layers", ["confine", "limit_resources", "filter_calls"])
def test_what_a_confined_process_can_do(tmp_path, layers):
    """The process can't reach files, the network or other processes; limits alone prevent opening and writing."""
    (tmp_path / "old").touch()
    names = {"confine": ATTEMPTS.keys(), "limit_resources": OF_THE_LIMITS, "filter_calls": OF_THE_FILTER}[layers]
    wanted = {name: ATTEMPTS[name].format(folder=tmp_path) for name in sorted(names)}
    command = [sys.executable, "-P", "-c", TRY, layers, str(tmp_path), *wanted.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert dict(zip(wanted, done.stdout.split(), strict=True)) == dict.fromkeys(wanted, "refused")
    assert [file.name for file in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").stat().st_size == 0


def test_confined_it_renders_everything(sandbox):
    """After the process has given up access to files, it still renders everything as other processes do."""
    ours = MarkdownRenderer("python-markdown")
    for name, make in itertools.islice(fuzzing.structured(200), 0, None, 25):
        try:
            expected = ours.render(make(), None, *BASE)
        except ArticleError as refused:
            with pytest.raises(ArticleError, match=re.escape(refused.reason)):
                sandbox.render(make(), None, *BASE)
        else:
            assert (name, sandbox.render(make(), None, *BASE)) == (name, expected)
    text = "[a](https://é.example/ü) " + "한" * 2_000
    assert sandbox.render(text, None, *BASE) == ours.render(text, None, *BASE)


def decided(program, architecture, call, first_argument=0):
    """Return the kernel filter's answer for a system call, computed by a small interpreter of classic BPF."""
    data = {0: call, 4: architecture, 16: first_argument}
    at = value = 0
    while True:
        code, if_equal, if_not, constant = struct.unpack_from("HBBI", program, 8 * at)
        at += 1
        match code:
            case 0x20:
                value = data[constant]
            case 0x15:
                at += if_equal if value == constant else if_not
            case 0x06:
                return "allowed" if constant == 0x7FFF0000 else "refused"


@pytest.mark.parametrize("machine", confinement._MACHINES)
def test_the_filter_of_each_machine(machine):
    """On every architecture, only the listed calls are allowed, and limits may be set only for the process itself."""
    column, architecture = confinement._MACHINES[machine]
    program = confinement._program(column, architecture)
    allowed = {numbers[column] for numbers in confinement._CALLS.values()}
    limit = confinement._PRLIMIT[column]
    assert len(allowed) == len(confinement._CALLS)
    for call in range(600):
        expected = "allowed" if call in allowed or call == limit else "refused"
        assert decided(program, architecture, call) == expected, call
    assert decided(program, architecture, limit, first_argument=4711) == "refused"
    assert decided(program, architecture, 0x40000000 + min(allowed)) == "refused"  # x32, on x86-64
    assert decided(program, 0x40000003, min(allowed)) == "refused"  # another machine's numbers


@pytest.fixture
def limits():
    """Restore the limit on this process's CPU time, which responding to a request changes."""
    before = resource.getrlimit(resource.RLIMIT_CPU)
    yield
    resource.setrlimit(resource.RLIMIT_CPU, before)


@pytest.mark.parametrize(
    ("method", "body", "answer"),
    [
        ("convert", "*a*", {"result": "<p><em>a</em></p>"}),
        ("convert", "<div>" * 60_000, {"error": "nested too deep"}),
        ("render", "*a*", {"html": "<p><em>a</em></p>"}),
    ],
)
def test_what_the_process_answers(limits, method, body, answer):
    """The response to a request is the rendered text, or the reason for a rejection."""
    arguments = [body] if method == "convert" else [body, None, *BASE]
    said = sandbox_process._reply(MarkdownRenderer("python-markdown"), method, arguments, 60.0)
    assert {**said, **(said.get("result", {}) if method == "render" else {})}.items() >= answer.items()


def test_what_cannot_be_rendered_is_refused_with_its_reason(limits):
    """Any exception is a rejection: out of time, out of memory, or an error of the library."""

    class Failing:
        def __init__(self, error):
            self.error = error

        def convert(self, _body):
            raise self.error

    for error, reason in (
        (TimeoutError(), "takes too long to render"),
        (MemoryError(), "takes too much memory"),
        (ArticleError("so"), "so"),
        (KeyError("x"), "can't be rendered: KeyError: 'x'"),
    ):
        assert sandbox_process._reply(Failing(error), "convert", ["a"], 60.0)["error"].startswith(reason)


def test_a_budget_is_whole_until_an_article_takes_more_than_its_part():
    """The budget of a document knows whether other articles have used a part of it."""
    budget = CpuBudget(0.25, 5)
    budget.spend(0.25)
    assert (budget.seconds, budget.is_untouched) == (5.25, True)
    budget.spend(1.25)
    assert (budget.seconds, budget.is_untouched) == (4.25, False)
    budget.spend(100)
    assert (budget.seconds, budget.is_untouched) == (0.25, False)


def compute(seconds):
    """Use the processor for some time of this thread."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_budget_measures_cpu_time():
    """An article is charged with its CPU time beyond its own part, also if it fails, but never for waiting."""
    budget = CpuBudget(0.02, 5)
    with budget.measure():
        threading.Event().wait(0.1)
    assert budget.seconds > 4.95  # less than the CPU time of a wait
    with pytest.raises(ValueError, match="no"), budget.measure():
        compute(0.3)
        raise ValueError("no")
    assert 4.5 < budget.seconds <= 4.74
    before = budget.seconds
    for _ in range(100):
        with budget.measure():
            pass
    assert budget.seconds == before
