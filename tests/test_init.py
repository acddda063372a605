"""`feeds init` asks three questions on a terminal, takes options from scripts, and creates a site that works."""

import contextlib
import os
import pty
import re
import select
import signal
import sys
import time
from pathlib import Path

import pytest
from conftest import run

from feeds import config

ENVIRONMENT = {"LC_ALL": "pt_BR.UTF-8", "TZ": "Asia/Tokyo", "TERM": "dumb"}
END = "\x04"  # Ctrl-D
INTERRUPT = "\x03"  # Ctrl-C


def answer(folder, answers, *arguments):
    """Run `feeds init` on a terminal and type the answers; return the exit code and what the terminal shows."""
    process, controller = pty.fork()
    if not process:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "feeds", "init", *arguments], os.environ | ENVIRONMENT)
    shown, waiting, typed = b"", iter(answers), b""
    with contextlib.suppress(OSError):  # EIO: the process has ended
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([controller], [], [], 1)[0]:
                # Python misses a signal just before it waits for input, which a person is too slow to send
                os.write(controller, typed if typed == INTERRUPT.encode() else b"")
                continue
            shown += os.read(controller, 4096)
            if shown.endswith(b": "):  # a question
                typed = next(waiting).encode()
                os.write(controller, typed)
    os.close(controller)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode().replace("\r\n", "\n")


def load(folder):
    """Return the configuration in a folder."""
    return config.load(folder / "config.yaml", {})


@pytest.mark.integration
def test_the_questions(tmp_path):
    """The answers become the configuration, whatever characters they have; the ids contain the site's domain."""
    code, shown = answer(tmp_path, ['O "diário": é #1\n', "https://Blog.example/x/\n", "pt\n"], "my-blog")
    assert code == 0, shown
    site = load(tmp_path / "my-blog").site
    assert (site.title, site.url, site.language) == ('O "diário": é #1', "https://Blog.example/x", "pt")
    assert (site.authority, site.timezone, site.pages) == ("blog.example", "Asia/Tokyo", True)
    (article,) = (tmp_path / "my-blog" / "content").glob("*.md")
    assert "+09:00\n" in article.read_text("utf-8"), "its date is in the zone of the site"
    assert f"Three questions about the new site in {(tmp_path / 'my-blog').resolve()}. Enter" in shown
    assert shown.endswith("Next: cd my-blog && feeds serve --open\n")


@pytest.mark.integration
def test_defaults_of_the_questions(tmp_path):
    """Enter accepts the name of the folder, no address, and the language of the system."""
    code, shown = answer(tmp_path, ["\n", "\n", "\n"], "my-blog")
    assert code == 0, shown
    site = load(tmp_path / "my-blog").site
    assert (site.title, site.url, site.language) == ("My blog", "http://127.0.0.1:8000", "pt-BR")
    assert "Title [My blog]: " in shown
    assert (
        "Set site.url in config.yaml when the site has an address; the ids of articles do not depend on it\n" in shown
    )


@pytest.mark.integration
def test_wrong_answers(tmp_path):
    """A wrong answer is reported in a sentence, and its question is asked again."""
    answers = [" \n", "T\n", "example.org\n", "https://a b\n", "https://a.example\n", "English please\n", "en\n"]
    code, shown = answer(tmp_path, answers, ".")
    assert code == 0, shown
    assert [line for line in shown.split("\n") if line.startswith("Error")] == [
        "Error: it must not be empty",
        "Error: it must be a URL like https://news.example, without ? or #; did you mean https://example.org?",
        "Error: it must be a URL like https://news.example, without ? or #",
        "Error: it is not a language tag; write it like en or pt-BR",
    ]
    assert load(tmp_path).site.url == "https://a.example"


@pytest.mark.integration
def test_suggested_address(tmp_path):
    """After an address without its scheme, Enter accepts the suggested address."""
    code, shown = answer(tmp_path, ["T\n", "blog.example\n", "\n", "en\n"], ".")
    assert code == 0, shown
    assert "Address [https://blog.example]: " in shown
    assert load(tmp_path).site.url == "https://blog.example"


@pytest.mark.integration
@pytest.mark.parametrize("key", [END, INTERRUPT], ids=["Ctrl-D", "Ctrl-C"])
def test_no_answer(tmp_path, key):
    """Ctrl-C and Ctrl-D end the questions, and nothing is created."""
    code, shown = answer(tmp_path, ["T\n", key])
    assert code == 130
    assert shown.endswith("nothing was created\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
@pytest.mark.parametrize(
    "arguments",
    [["--title", "T"], ["--url", "https://a.example"], ["--language", "de"], ["-q"]],
    ids=lambda one: one[0],
)
def test_options_ask_nothing(tmp_path, arguments):
    """On a terminal too, there is no question if an option answers one, or with -q."""
    code, shown = answer(tmp_path, [], *arguments)
    assert code == 0
    assert "Three questions" not in shown
    assert load(tmp_path)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://news.example/blog", r"news\.example"), ("https://bücher.example", r"xn--bcher-kva\.example"),
        ("https://a.example:8443", r"a\.example"), (None, "generated"), ("http://localhost:8000", "generated"),
        ("http://127.0.0.1:8000", "generated"), ("", "generated"), ("http://192.0.2.1", "generated"), ("http://[::1]:8000", "generated"),
        ("https://my_site.example", "generated"),
    ],
)  # fmt: skip
def test_the_authority_of_ids(tmp_path, url, authority):
    """The configuration names a permanent authority: the domain of the site, or a unique name if it has none."""
    options = ["--url", url] if url else ["--title", "T"] if url is None else []
    for folder in ("a", "b"):
        assert run("init", folder, *options, cwd=tmp_path).returncode == 0
    first, second = (load(tmp_path / folder).site.authority for folder in ("a", "b"))
    if authority == "generated":
        assert re.fullmatch(r"[0-9a-f]{16}\.invalid", first)
        assert first != second
    else:
        assert re.fullmatch(authority, first)
        assert first == second
    assert "ids will contain" not in run("check", cwd=tmp_path / "a").stdout


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--title", " "], "Invalid value for '--title': it must not be empty"),
        (["--url", "a.example"], "Invalid value for '--url': it must be a URL like https://news.example"),
        (["--url", "https://a.example/?x"], "Invalid value for '--url': it must be a URL"),
        (["--language", "x y"], "Invalid value for '--language': it is not a language tag"),
        (["--from", "hugo", "--title", "T"], "--title, --url and --language: the old site has them"),
    ],
)
def test_wrong_options(tmp_path, options, reason):
    """A wrong value of an option is a usage error, and nothing is created."""
    done = run("init", "x", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "title", ["a: b # c", '"', "- x", "null", "true", "{a}", "é 日本 🎉", "%d {title} \\n", "*x", "a\u202eb"]
)
@pytest.mark.parametrize("url", ["https://a.example/x:", "https://a.example/a'b", "http://[2001:db8::1]:80"])
def test_answers_are_quoted(tmp_path, title, url):
    """Each title, address and language is written so that the configuration has the same value."""
    for language in ("yes", "no", "zh-Hant-TW"):
        folder = tmp_path / language
        assert (
            run("init", str(folder), "--title", title, "--url", url, "--language", language, cwd=tmp_path).returncode
            == 0
        )
        site = load(folder).site
        assert (site.title, site.url, site.language) == (title, url, language)


@pytest.mark.parametrize(
    ("variables", "language", "timezone"),
    [
        ({"LANG": "de_DE.UTF-8@euro", "TZ": "Europe/Berlin"}, "de-DE", "Europe/Berlin"),
        ({"LC_ALL": "fr", "LANG": "de", "TZ": "UTC"}, "fr", "UTC"),
        ({"LANG": "en_GB", "TZ": "Etc/UTC"}, "en-GB", "UTC"),
        ({"LANG": "C.UTF-8", "TZ": "CET-1CEST"}, "en", "UTC"), ({"LANG": "POSIX", "TZ": ":/etc/localtime"}, "en", "UTC"),
    ],
)  # fmt: skip
def test_suggestions(variables, language, timezone, monkeypatch):
    """The suggested language and the time zone are those of the system; English and UTC if they have no name."""
    from feeds.cli import init

    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (init._system_language(), init._system_timezone()) == (language, timezone)


def test_without_a_terminal_nothing_is_asked(tmp_path):
    """Without a terminal and options, the site has default values, a permanent authority, and a first article."""
    done = run("init", "a b", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.endswith("Next: set title and url in config.yaml, then run  cd 'a b' && feeds serve\n")
    site = load(tmp_path / "a b").site
    assert (site.title, site.url, site.language) == ("A b", "http://127.0.0.1:8000", "en")
    assert re.fullmatch(r"[0-9a-f]{16}\.invalid", site.authority)
    assert [path.suffix for path in Path(tmp_path / "a b" / "content").iterdir()] == [".md"]


@pytest.mark.parametrize(
    ("language", "line"), [("de", ["lang: en"]), ("pt-BR", ["lang: en"]), ("en", []), ("en-GB", [])]
)
def test_the_language_of_the_first_article(tmp_path, language, line):
    """The first article, which is in English, states its language on a site in another language."""
    assert run("init", "--language", language, cwd=tmp_path).returncode == 0
    (article,) = (tmp_path / "content").iterdir()
    assert re.findall(r"(?m)^lang: .*$", article.read_text("utf-8")) == line


def test_the_category_of_the_first_article(tmp_path):
    """An article in the same category as the first one, in lower case as in the documentation, causes no warning."""
    assert run("init", "--url", "https://blog.example", cwd=tmp_path).returncode == 0
    assert run("new", "Second words", "--category", "news", cwd=tmp_path).returncode == 0
    assert "near-duplicate" not in run("check", cwd=tmp_path).stdout


def test_ignored_files(tmp_path):
    """A .gitignore is written, unless there is one or the folder is inside another site."""
    done = run("init", "a", cwd=tmp_path)
    assert "created a/.gitignore\n" in done.stdout
    assert (tmp_path / "a/.gitignore").read_text().splitlines()[1:] == ["/.feeds/", "/public/"]
    for arguments in (["a/inside"], ["-c", "a/other.yaml", "a"]):
        (tmp_path / "a/.gitignore").unlink(missing_ok=True)
        assert ".gitignore" not in run("init", *arguments, cwd=tmp_path).stdout
        assert list(tmp_path.rglob(".gitignore")) == []
    (tmp_path / "b").mkdir()
    (tmp_path / "b/.gitignore").write_text("mine")
    assert run("init", "b", cwd=tmp_path).returncode == 0
    assert (tmp_path / "b/.gitignore").read_text() == "mine"
