"""Tokens of code, which a confined process finds with Pygments."""

import os
import py_compile
import resource
import sys
from pathlib import Path
from types import ModuleType

import pygments
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments import lexers as pygments_lexers
from pygments import plugin

from feeds.highlight import __main__ as highlight_process
from feeds.highlight import highlighter
from feeds.highlight.highlighter import Highlighter, Token, Tokens
from feeds.highlight.lexers import Lexers, _Modules

SLOW_JAVA = "a " * 20_000  # for which Pygments' regular expressions take 10 s


@pytest.fixture(scope="module")
def shared():
    """Return one highlighter for all tests; it replaces its process if that ends."""
    return Highlighter()


@pytest.fixture
def lexers(monkeypatch):
    """Return the lexers in this process, and restore what they and their limits change."""
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:])
    monkeypatch.setattr(plugin, "iter_entry_points", plugin.iter_entry_points)
    before = resource.getrlimit(resource.RLIMIT_CPU)
    yield Lexers()
    resource.setrlimit(resource.RLIMIT_CPU, before)


@pytest.mark.parametrize(
    ("language", "code", "tokens"),
    [
        ("python", "if é: return 'a'\n", ["k", 2, "", 4, "k", 6, "", 1, "s1", 3, "", 1]),
        ("py", "# a\n", ["c1", 3, "", 1]),
        ("mjs", "let a", ["kd", 3, "", 2]),
        ("jsonc", "[1] // a", ["", 1, "mi", 1, "", 2, "c1", 4]),
        ("vue", "<b>", ["", 1, "nt", 1, "", 1]),
        ("php", "echo $a;", ["k", 4, "", 1, "nv", 2, "", 1]),
        ("diff", "-a\n+b\n", ["gd", 2, "", 1, "gi", 2, "", 1]),
        ("md", "```nothing\nx\n```\n", ["sb", 10, "", 1, "s", 2, "sb", 4]),
        ("prolog", "a.\n", ["s", 1, "", 2]),  # a kind of its own, of strings
        ("console", "$ a", []),  # without a line break, this lexer loses text
        ("no-such-language", "a", []),
    ],
)
def test_tokens(lexers, language, code, tokens):
    """Tokens have the short names of Pygments; names, punctuation and spaces have none."""
    assert lexers.tokens(language, code, 60.0) == tokens
    assert highlight_process._reply(lexers, [language, code, 60.0])[1:] == tokens


def test_code_is_not_changed(lexers):
    """Lines, spaces and tabs at both ends belong to the tokens, as does a code without a line break at its end."""
    for code in ("\n\n  a = 1\n\n", "\ta", "a\n", "", " "):
        assert sum(lexers.tokens("python", code, 60.0)[1::2]) == len(code)


def test_names_of_languages(lexers):
    """Aliases are known, in lower case, and file extensions that belong to one language."""
    names = set(highlight_process._reply(lexers, []))
    assert names >= {"c++", "c#", "objective-c", "html+jinja", "yml", "rs", "tsx", "toml", "shell", "console", "svelte"}
    assert not names & {"dockerfil", "ckerfile", "*", "Python", ""}
    assert all(name == name.lower() for name in names)


def test_modules_from_memory(tmp_path, monkeypatch):
    """Modules are imported after their files are gone, compiled or not, and outdated compiled files are ignored."""
    (tmp_path / "__init__.py").touch()
    for name in ("compiled", "outdated", "source"):
        file = tmp_path / f"{name}.py"
        file.write_text(f"value = '{name}'\n")
        if name != "source":
            py_compile.compile(str(file))
    (tmp_path / "outdated.py").write_text("value = 'changed since'\n")
    (tmp_path / "data.txt").touch()
    monkeypatch.setattr(sys, "meta_path", [_Modules(str(tmp_path), "in_memory"), *sys.meta_path])
    package = ModuleType("in_memory")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "in_memory", package)
    for file in sorted(tmp_path.rglob("*.py*")):
        file.unlink()
    values = {}
    for name in ("compiled", "outdated", "source"):
        values[name] = __import__(f"in_memory.{name}", fromlist=["value"]).value
        monkeypatch.delitem(sys.modules, f"in_memory.{name}")
    assert values == {"compiled": "compiled", "outdated": "changed since", "source": "source"}
    with pytest.raises(ImportError):
        __import__("in_memory.data")


def test_the_version_of_pygments():
    """The version is known without an import of Pygments; pages are rendered again if it changes."""
    assert highlighter.version() == pygments.__version__


@pytest.mark.parametrize(
    "reply",
    [
        [0.1, "<b>", 1], [0.1, "k", 2], [0.1, "k", 0, "", 1], [0.1, "k", -1, "", 2], [0.1, "K", 1], [0.1, "k", 0.5, "k", 0.5],
        [0.1, "k", "1"], [0.1, 1, 1], [0.1, "k"], ["k", 1], [-1, "k", 1], [float("nan"), "k", 1], [99, "k", 1], [], None, 1, {},
    ],
)  # fmt: skip
def test_replies_that_are_not_tokens_of_the_code(reply):
    """A reply is ignored that has other kinds than short names, other lengths than that of the code, or no valid time."""
    assert highlighter._checked(reply, 1) is None
    assert highlighter._checked([0.1, "k", 1], 1) == Tokens([Token("k", 1)], 0.1)
    assert highlighter._checked([0.1], 1) == Tokens([], 0.1)


@pytest.mark.integration
class TestProcess:
    def test_all_languages(self, shared):
        """The lexer of every language works without access to files."""
        code = "if (a == 'b') { return 1; } # c\n"
        assert shared.knows("python")
        names = {lexer[2][0].lower() for lexer in pygments_lexers.LEXERS.values() if lexer[2]}
        assert len(names) > 500
        failed = {name for name in names if not shared.knows(name) or not shared.tokens(name, code, 20.0).tokens}
        assert failed == set()

    def test_slow_code(self, shared):
        """Code that takes too long has no tokens, and its time is known; the next code has tokens."""
        assert shared.knows("java")
        slow = shared.tokens("java", SLOW_JAVA, 0.1)
        assert slow.tokens == []
        assert slow.seconds > 0
        assert shared.tokens("java", "int", 5.0).tokens == [Token("kt", 3)]

    def test_memory(self, shared):
        """The process may use 320 MiB, and code that needs more has no tokens."""
        assert shared.knows("python")
        assert resource.prlimit(shared._process.pid, resource.RLIMIT_AS)[0] == 320 << 20
        assert shared.tokens("python", "+1" * 1_500_000, 60.0).tokens == []
        assert shared.tokens("python", "if", 5.0).tokens == [Token("k", 2)]

    def test_confinement(self, shared):
        """The process may open nothing, and the kernel rejects all but a few system calls."""
        assert shared.knows("python")
        pid = shared._process.pid
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (0, 0)
        assert "\nSeccomp:\t2\n" in Path(f"/proc/{pid}/status").read_text("ascii")

    def test_a_process_that_died(self, shared):
        """If another program ends the process, it is started again, and the code has its tokens."""
        assert shared.knows("python")
        shared._process.kill()
        shared._process.wait()
        assert shared.tokens("python", "if", 5.0).tokens == [Token("k", 2)]

    def test_a_forked_process(self, shared):
        """A process that was forked from this one doesn't share its child process."""
        assert shared.knows("python")
        process, shared._owner = shared._process, 0
        assert shared.tokens("python", "if", 5.0).tokens == [Token("k", 2)]
        assert shared._process.pid != process.pid
        assert shared._owner == os.getpid()
        process.communicate()

    @pytest.mark.parametrize("program", ["/no/such/program", "/bin/false"])
    def test_a_process_that_can_not_start(self, monkeypatch, caplog, program):
        """If the process can't start, no language is known, which is logged once."""
        monkeypatch.setattr(sys, "executable", program)
        broken = Highlighter()
        assert not broken.knows("python")
        assert not broken.knows("java")
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "code on pages has no colours" in caplog.text

    @pytest.mark.parametrize("program", ["/no/such/program", "/bin/false"])
    def test_a_process_that_can_not_start_again(self, monkeypatch, program):
        """If the process dies and can't start again, code has no tokens."""
        broken = Highlighter()
        assert broken.knows("python")
        monkeypatch.setattr(sys, "executable", program)
        broken._end_process()
        assert broken.tokens("python", "if", 0.3) == Tokens([], 0.3)

    @given(
        code=st.text(max_size=200), language=st.sampled_from(["python", "js", "html", "bash", "yaml", "md", "php", "c"])
    )
    def test_any_code(self, shared, code, language):
        """The lengths of tokens add up to that of the code, whatever it is."""
        assert shared.knows(language)
        tokens = shared.tokens(language, code, 20.0).tokens
        assert sum(token.length for token in tokens) in {0, len(code)}
