"""Rendering in a process of its own: whatever an article does, it does to that process."""

import contextlib
import os
import resource
import threading

import pytest

from feeds.errors import Refused
from feeds.sandbox import Budget, Sandbox

pytestmark = pytest.mark.sandbox

BASE = ("https://test.example/a/", "e1-")


@pytest.fixture(scope="module")
def sandbox():
    """Return one sandbox for all tests; it starts another process after each that ended."""
    return Sandbox(1.0)


@pytest.fixture(scope="module")
def impatient():
    """Return one with little time, where it is certain that an article takes more."""
    return Sandbox(0.3)


def test_it_renders_as_the_renderer_does(sandbox):
    """What comes out is what the renderer makes, any character included, request after request."""
    for n in range(3):
        content = sandbox.content(f"*{n}* é \u2028 😀\n\nmore", None, *BASE)
        assert content.html.startswith(f"<p><em>{n}</em> é")
        assert content.summary.startswith(f"{n} é")


def test_it_converts_as_the_renderer_does(sandbox):
    """The HTML before it is sanitised comes out too, and what can't be rendered is refused."""
    assert sandbox.converted("*a* <script>b</script>") == "<p><em>a</em> <script>b</script></p>"
    with pytest.raises(Refused, match="nested too deep"):
        sandbox.converted("<div>" * 60_000)
    assert sandbox.content("*a*", None, *BASE).html == "<p><em>a</em></p>"


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
    """Time, depth and memory are bounded; the next article is rendered as if nothing had been."""
    with pytest.raises(Refused, match=reason or "."):
        impatient.content(body, None, *BASE)
    assert impatient.content("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_memory_is_bounded(sandbox):
    """The process that renders may have 320 MiB of address space, whatever an article would take."""
    sandbox.content("a", None, *BASE)
    assert resource.prlimit(sandbox._process.pid, resource.RLIMIT_AS)[0] == 320 << 20


def test_abbreviations_take_no_memory_without_bound(sandbox):
    """A text of 27 kB that would become 76 MB of HTML is refused, and the next one is rendered."""
    with pytest.raises(Refused, match=r"too large|too much memory"):
        sandbox.content(f"*[A]: {'x' * 13_000}\n\n" + "A " * 7_000, None, *BASE)
    assert sandbox.content("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_a_large_text_has_room():
    """A third of a megabyte of ordinary text does not need more memory than the process may have."""
    patient = Sandbox(60.0)
    line = "The quick brown fox jumps over *the* lazy dog, with [a link](https://example.com/x) and `code`. "
    assert patient.content((line * 5 + "\n\n") * 700, None, *BASE).html.count("<p>") == 700


def test_articles_share_the_time_of_a_document():
    """Once slow articles have used the budget of their document, each may take what every article may, and no more."""
    budget = Budget(each=0.3, together=0.5)
    slow, patient = "[" * 20_000, Sandbox(20.0)
    for _ in range(3):
        with pytest.raises(Refused, match="takes too long"):
            patient.content(slow, None, *BASE, budget=budget)
    assert 0.3 <= budget.seconds < 0.6
    assert patient.content("*a*", None, *BASE, budget=budget).html == "<p><em>a</em></p>"


def test_what_is_nested_too_deep_is_refused():
    """Depth is bounded by itself, with time enough for it on a slow machine too; the next article is rendered."""
    patient = Sandbox(8.0)
    with pytest.raises(Refused, match="nested too deep"):
        patient.content("a\n: b\n" * 3_000, None, *BASE)
    assert patient.content("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_a_process_that_died_is_started_again(sandbox):
    """A renderer that is killed from outside costs nothing but one start; no article is blamed for it."""
    sandbox.content("a", None, *BASE)
    sandbox._process.kill()
    sandbox._process.wait()
    assert sandbox.content("c", None, *BASE).html == "<p>c</p>"


def test_many_open_files_do_not_matter(sandbox):
    """With more than a thousand descriptors in use, as a busy server has, articles are rendered all the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as opened:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            opened.enter_context(open(os.devnull, "rb"))
        assert sandbox.content("*a*", None, *BASE).html == "<p><em>a</em></p>"


def test_threads_share_it(sandbox):
    """Many threads at once get each its own answer."""
    got = {}

    def ask(n):
        got[n] = sandbox.content(f"text {n}", None, *BASE).summary

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {n: f"text {n}" for n in range(12)}
