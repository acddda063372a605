"""The commands: their output, the stream that they write to, and their exit codes."""

import gc
import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime

import click
import pytest
from conftest import Site, run

from feeds import cli
from feeds.cli import main
from feeds.core.text import escape_unprintable
from feeds.stats.counter import Poll, PollCounter


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return a site that was published, with one article that is rejected."""
    made = Site(tmp_path_factory.mktemp("published") / "site")
    made.article("a.md", title="a")
    made.write("b.md", "x")
    assert made.run("build").returncode == 1
    return made


@pytest.mark.integration
@pytest.mark.parametrize(
    ("command", "code", "stdout", "stderr"),
    [
        (["init", "new"], 0, "set title and url in config.yaml", ""),
        (["build", "-v"], 1, "", "content/b.md:1: no date"),
        (["check"], 1, "content/b.md:1: error: no date", "1 article to publish, 1 rejected"),
        (["list"], 0, "Test", ""),
        (["status"], 0, "rejected   content/b.md:1: no date", ""),
        (["stats"], 0, "No polls have been counted yet", ""),
        (["serve", "--port", "0"], 2, "", "Usage"),
    ],
)
def test_a_process(published, command, code, stdout, stderr):
    """`python -m feeds COMMAND` ends with the exit code of the command, and writes to the stream that it names."""
    done = published.process(*command)
    assert done.returncode == code
    for expected, said in ((stdout, done.stdout), (stderr, done.stderr)):
        assert expected in said
        assert bool(expected) == bool(said)


def test_build_is_silent_when_all_is_well(site):
    """Without problems, a build prints nothing and exits with 0; with -v, it prints one line."""
    site.article("a.md", title="a")
    done = site.run("build")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert site.run("build", "-v").stderr.startswith("1 article published; nothing changed; ")


def test_build_says_what_was_refused(site):
    """A rejected article is one line on stderr; all others are published, and the exit code is 1."""
    site.article("a.md", title="a")
    site.write("b.md", "---\ndate: 2026-05-01\ntitle: [x]\n---\n")
    done = site.run("build")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "content/b.md:3: title: must be text, not a list\n"
    assert (site.root / "public" / "rss.xml").exists()


@pytest.mark.parametrize(
    "command", [["build", "--nonsense"], ["nonsense"], ["build", "--wait", "x"], ["serve", "--port", "0"]]
)
def test_wrong_usage(site, command):
    """Wrong usage ends with exit code 2, and nothing is done."""
    assert site.run(*command).returncode == 2
    assert not (site.root / ".feeds").exists()


def test_wrong_config(site):
    """A wrong configuration ends with exit code 2 and a line on stderr for each mistake, and nothing is done."""
    site.configure(site={"urll": "x"}, feeds={"limit": 0})
    done = site.run("build")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "config.yaml:2:3: feeds.limit: must be at least 1",
        "config.yaml:6:3: site.urll: unknown key; did you mean url?",
    ]
    assert not (site.root / ".feeds").exists()


def test_the_guard_and_accept(site):
    """If the guard stops a run, the exit code is 5 and the files stay unchanged; --accept publishes."""
    site.article("a.md", title="a")
    site.run("build")
    before = (site.root / "public" / "rss.xml").read_bytes()
    (site.content / "a.md").unlink()
    done = site.run("build")
    assert done.returncode == 5
    assert "feeds build --accept" in done.stderr
    assert (site.root / "public" / "rss.xml").read_bytes() == before
    assert site.run("build", "--accept").returncode == 0
    assert (site.root / "public" / "rss.xml").read_bytes() != before


def test_no_folder(site):
    """A missing content folder ends with exit code 3 and one sentence."""
    site.configure(content={"path": "contnet"})
    done = site.run("build")
    assert done.returncode == 3
    assert done.stderr.endswith(
        "contnet: the content folder (content.path) is missing; published articles stay published\n"
    )


def test_another_run_holds_the_lock(site):
    """A run beside another run ends with exit code 4, or waits for it."""
    site.article("a.md", title="a")
    with site.catalog.lock():
        assert site.run("build").returncode == 4
    assert site.run("build", "--wait", "5").returncode == 0


@pytest.mark.parametrize(
    ("config", "what"),
    [({"state": "sqlite:///nowhere/config.yaml/x.db"}, "catalog"), ({"export": {"path": "config.yaml/x"}}, "written")],
)
def test_a_run_that_fails(site, config, what):
    """A file that can't be written ends with exit code 3 and one sentence."""
    (site.root / "nowhere").mkdir()
    (site.root / "nowhere" / "config.yaml").write_text("")
    site.article("a.md", title="a")
    site.configure(**config)
    done = site.run("build")
    assert done.returncode == 3
    assert what in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_output_and_config_elsewhere(site, tmp_path):
    """-c selects a configuration with paths relative to it; --output, FEEDS_CONFIG and FEEDS__ override it."""
    site.article("a.md", title="a")
    site.configure()
    done = run("build", "-c", str(site.root / "config.yaml"), "--output", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "rss.xml").exists()
    done = run(
        "list",
        cwd=tmp_path,
        environment={"FEEDS_CONFIG": str(site.root / "config.yaml"), "FEEDS__SITE__TITLE": "Other"},
    )
    assert "Other" in done.stdout


def test_list(site):
    """`list` prints every feed with its entries and last change, as text and as JSON."""
    site.article("a.md", title="a", category="X", author="Å")
    assert json.loads(site.run("list", "--json").stdout) == []
    site.run("build")
    listed = json.loads(site.run("list", "--json").stdout)
    assert [(feed["path"], feed["kind"], feed["name"], feed["entries"]) for feed in listed] == [
        ("/", "site", "Test", 1),
        ("/author/%C3%A5/", "author", "Å", 1),
        ("/category/x/", "category", "X", 1),
    ]
    assert set(listed[0]) == {"path", "kind", "name", "entries", "changed", "subscribers"}
    assert site.run("list").stdout.splitlines() == [
        "PATH             ENTRIES  SUBSCRIBERS  LAST CHANGE (UTC)    NAME",
        f"/                      1            0  {listed[0]['changed'][:19].replace('T', ' ')}  Test",
        f"/author/%C3%A5/        1            0  {listed[1]['changed'][:19].replace('T', ' ')}  Å",
        f"/category/x/           1            0  {listed[2]['changed'][:19].replace('T', ' ')}  X",
    ]


def test_list_selects_and_sorts(site):
    """`list` shows feeds of one kind, with a number of entries, in the order of --sort."""
    assert "There are no feeds yet" in site.run("list").stderr
    for number, tags in enumerate([["b", "c"], ["b", "a"], ["b"]]):
        site.article(f"{number}.md", title=str(number), tags=tags, category="K", date=f"2026-05-0{number + 1}")
    site.run("build")

    def paths(*arguments):
        return [feed["path"] for feed in json.loads(site.run("list", "--json", *arguments).stdout)]

    assert paths("tag") == ["/tag/a/", "/tag/b/", "/tag/c/"]
    assert paths("site") == ["/"]
    assert paths("author") == []
    assert paths("--min", "2") == ["/", "/category/k/", "/tag/b/"]
    assert paths("tag", "--sort", "entries") == ["/tag/b/", "/tag/a/", "/tag/c/"]
    assert paths("tag", "--sort", "name", "--min", "1") == ["/tag/a/", "/tag/b/", "/tag/c/"]
    site.article("3.md", title="3", tags=["c"], date="2026-05-04")
    site.run("build")
    assert paths("tag", "--sort", "changed")[0] == "/tag/c/"
    count_polls(site, "tag/a", 2)
    assert paths("tag", "--sort", "subscribers")[0] == "/tag/a/"
    none = site.run("list", "author")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "No feed matches; the site has 5 feeds.\n")
    for wrong in (["tags"], ["--min", "-1"], ["--sort", "size"]):
        assert site.run("list", *wrong).returncode == 2


def count_polls(site, feed, number):
    """Count polls of a feed by clients of their own."""
    counter = PollCounter(site.catalog)
    agent = "NetNewsWire (RSS Reader; https://netnewswire.com/)"
    for client in range(number):
        poll = Poll(f"/{feed}/rss.xml", agent, f"192.0.2.{client}", 200, False, 0, 0)
        counter.add(f"{datetime.now(UTC):%Y-%m-%d}", poll)
    counter.write()


def test_a_long_list_is_paged_on_a_terminal(site):
    """On a terminal, a list that doesn't fit is passed to the pager; elsewhere it is printed."""
    for number in range(30):
        site.article(f"{number}.md", title=str(number), tags=[f"t{number}"], date="2026-05-01")
    site.run("build")
    command = [sys.executable, "-m", "feeds", "list"]
    printed = subprocess.run(command, cwd=site.root, capture_output=True, text=True, check=True).stdout
    assert printed.count("\n") == 32
    controller, terminal = pty.openpty()
    pager = f"{sys.executable} -c \"import sys; print('paged', len(sys.stdin.readlines()))\""
    environment = os.environ | {"PAGER": pager, "TERM": "xterm", "LINES": "20", "COLUMNS": "80"}
    process = subprocess.Popen(command, cwd=site.root, stdin=terminal, stdout=terminal, env=environment)
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # EIO: the process has ended
        while part := os.read(controller, 4096):
            shown += part
    os.close(controller)
    assert process.wait(60) == 0
    assert b"paged 32" in shown


def test_check_suggests_min_entries(site):
    """If a site has twenty feeds or more and most have one entry, `check -v` suggests feeds.min_entries."""
    for number in range(18):
        site.article(f"{number}.md", title=str(number), tags=[f"t{number}"], date="2026-05-01")
    assert "small-feeds" not in site.run("check", "-v").stdout
    site.article("19.md", title="19", tags=["t19"], category="k", date="2026-05-01")
    done = site.run("check", "-v")
    assert "20 of 21 feeds have one entry; feeds.min_entries: 2 omits them" in done.stdout
    assert site.run("check", "--strict", "-v").returncode == 0
    assert "small-feeds" not in site.run("check", "-v", "--ignore", "small-feeds").stdout
    site.configure(feeds={"min_entries": 2})
    assert "small-feeds" not in site.run("check", "-v").stdout


def test_status(site):
    """`status` shows the result of the last run: revision, rejected articles with reasons, and scheduled articles."""
    assert "Nothing has been published yet" in site.run("status").stdout
    assert not (site.root / ".feeds").exists()
    site.article("a.md", title="a")
    site.article("b.md", title="b", date="2099-01-01")
    site.write("c.md", "x")
    site.run("build")
    said = json.loads(site.run("status", "--json").stdout)
    assert (said["revision"], said["articles"], said["run"]["outcome"]) == (1, 1, "refused")
    assert said["refused"] == [
        {"path": "c.md", "line": 1, "reason": "no date: add a `date`, or use a file name like 2026-01-24-a-title.md"}
    ]
    assert said["scheduled"] == [{"path": "b.md", "at": "2099-01-01T00:00:00+00:00"}]
    text = site.run("status").stdout
    assert "rejected   content/c.md:1: no date" in text
    assert "scheduled  content/b.md: 2099-01-01 00:00:00+00:00" in text


@pytest.mark.databases("sqlite", "postgres")
def test_status_counts_what_is_not_published(site):
    """`status` shows how many articles are drafts, scheduled and expired; deleted files do not count."""
    site.run("build")
    assert "Revision 1, 0 articles; last successful run" in site.run("status").stdout
    site.article("a.md", title="a")
    for name in ("d.md", "e.md", "deleted.md"):
        site.article(name, draft=True)
    site.article("later.md", date="2099-01-01")
    site.article("old.md", date="2020-01-01", expires="2020-02-01")
    site.article("old_draft.md", date="2020-01-01", expires="2020-02-01", draft=True)
    site.run("build")
    (site.content / "deleted.md").unlink()
    site.run("build")
    assert ", 1 article, 3 drafts, 1 scheduled, 1 expired; last" in site.run("status").stdout
    said = json.loads(site.run("status", "--json").stdout)
    assert (said["drafts"], len(said["scheduled"]), said["expired"]) == (3, 1, 1)


def test_status_in_the_time_zone_of_the_site(site):
    """`status` shows scheduled times in the site's time zone, as `check -v` does; JSON has them in UTC."""
    site.configure(site={"timezone": "Europe/Berlin"})
    site.article("b.md", title="b", date="2099-01-01T08:00")
    assert "goes live at 2099-01-01 08:00:00+01:00" in site.run("check", "-v").stdout
    site.run("build")
    assert "scheduled  content/b.md: 2099-01-01 08:00:00+01:00\n" in site.run("status").stdout
    assert json.loads(site.run("status", "--json").stdout)["scheduled"][0]["at"] == "2099-01-01T07:00:00+00:00"


def test_check_writes_nothing(site):
    """`check` reports what `build` would reject, and writes nothing; --strict fails for warnings too."""
    site.article("a.md", title="a", slug="s")
    done = site.run("check")
    assert (done.returncode, done.stdout) == (0, "")
    here = {"FEEDS__SITE__URL": "http://127.0.0.1:8000"}
    assert "ids will contain 127.0.0.1" in site.run("check", environment=here).stdout
    site.article("b.md", title="b", slug="s")
    assert site.run("check").returncode == 0
    assert site.run("check", "--strict").returncode == 1
    site.write("c.md", "x")
    done = site.run("check")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("content/c.md:1: error: no date")
    assert sorted(p.name for p in site.root.iterdir()) == ["config.yaml", "content"]


def test_check_names_drafts(site):
    """`check -v` names each draft with its line, and without -v, they are only counted; a build does not name them."""
    site.article("a.md", title="a", description="d", date="2026-05-01")
    site.write("b.md", "---\ntitle: b\ndraft: true\n---\nText.\n")
    assert "content/b.md:3: notice: a draft: not published (draft)\n" in site.run("check", "-v").stdout
    done = site.run("check")
    assert "b.md" not in done.stdout and "; notices: 1 draft (-v shows them)" in done.stderr
    assert "b.md" not in site.run("build", "-v").stdout + site.run("status").stdout


def test_check_says_what_a_run_would_do(site):
    """With a catalog, `check` knows the owners of ids and what the guard would stop, and changes nothing."""
    site.article("b.md", title="b", id="urn:x:1", date="2026-05-02")
    site.run("build")
    site.article("a.md", title="a", id="urn:x:1", date="2026-05-01")
    assert site.run("check").stdout.startswith("content/a.md:1: error: id: 'urn:x:1' is also the id of b.md")
    for file in site.content.iterdir():
        file.unlink()
    done = site.run("check")
    assert done.returncode == 5
    assert "would vanish" in done.stderr
    assert json.loads(site.run("status", "--json").stdout)["articles"] == 1


def test_status_says_what_fails(site):
    """`status` reports a failed run until a run succeeds."""
    site.article("a.md", title="a")
    site.run("build")
    site.content.rename(site.root / "away")
    assert site.run("build").returncode == 3
    assert "failing since then: " in site.run("status").stdout
    (site.root / "away").rename(site.content)
    site.run("build")
    assert json.loads(site.run("status", "--json").stdout)["failure"] is None


@pytest.mark.parametrize("command", ["check", "build", "serve"])
def test_an_invalid_cron_is_a_mistake_of_the_configuration(site, command):
    """Every command reports a mistake in the cron with its position and all other mistakes, before it does anything."""
    site.configure(schedule={"cron": "99 * * * *"}, server={"port": 0})
    done = site.run(command)
    assert done.returncode == 2
    first, second = sorted(re.sub(r"^config.yaml:\d+:\d+: ", "", line) for line in done.stderr.splitlines())
    assert first == "schedule.cron: minute: '99' is not a number from 0 to 59"
    assert second == "server.port: must be at least 1"
    assert not (site.root / ".feeds").exists()


def test_check_names_keys_without_effect_in_variables(site):
    """A key without effect is reported with its position, or with the variable that sets it."""
    done = site.run("check", environment={"FEEDS__PUSH": "{hub: true}"})
    assert "config.yaml:1: warning: FEEDS__PUSH: push: has no effect in this version" in done.stdout
    done = site.run("check", environment={"FEEDS__PUSH__HUB": "true"})
    assert "config.yaml:1: warning: FEEDS__PUSH__HUB: push: has no effect in this version" in done.stdout


ODD = "a\u202eb\x1b[31m\n\u200f"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", ODD], [ODD], ["check", f"--{ODD}"], ["check", "--format", ODD], ["check", "--ignore", ODD], ["check", "-c", ODD],
        ["check", "--against", ODD], ["build", "--output", f"s3:{ODD}"], ["build", "--wait", ODD], ["serve", "--port", ODD],
        ["serve", "--host", ODD], ["stats", "--import", ODD], ["init", "-c", f"{ODD}.yaml", "--from", "hugo", ODD], ["init", ODD],
    ],
)  # fmt: skip
def test_messages_escape_arguments(site, arguments):
    """No message and no output contains an unprintable character of an argument."""
    done = site.run(*arguments)
    for line in [*done.stderr.split("\n"), *done.stdout.split("\n")]:
        assert line == escape_unprintable(line)


def test_output_escapes_texts_of_articles(site):
    """Lists, statuses and problems show no unprintable character of a title, a tag, a path or a front-matter key."""
    odd = ODD.replace("\n", "")
    site.configure(site={"title": odd})
    site.article("a.md", f"[x](/{odd})\n\n![](missing-{odd}.png)", title=odd, tags=[odd], date="2026-05-01")
    site.write(f"{odd}.md", f"---\ntitle: x\ndate: {odd}\ndraf\u202et: yes\nimage: [{odd}]\n---\nText.")
    site.write("b.md", f"---\n? '{odd}'\n: 1\n? '{odd}'\n: 2\n---\nText.")
    site.write("c.md", "---\ntitle: c\ndate: 2999-01-01\n---\nText.")
    for arguments in (["build"], ["check", "-v"], ["check", "--format", "github"], ["list"], ["status"], ["stats"]):
        done = site.run(*arguments)
        for line in [*done.stderr.split("\n"), *done.stdout.split("\n")]:
            assert line == escape_unprintable(line), arguments


def test_init(tmp_path):
    """`init` creates a site that can be built at once, and leaves existing files unchanged."""
    done = run("init", "blog", "--url", "https://blog.example", cwd=tmp_path)
    assert done.returncode == 0
    done = run("build", cwd=tmp_path / "blog")
    assert (done.returncode, done.stderr) == (0, "")
    assert b"Hello, readers" in (tmp_path / "blog" / "public" / "rss.xml").read_bytes()
    done = run("init", "blog", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "blog/config.yaml: already exists; nothing was done\n"
    (tmp_path / "mine" / "content").mkdir(parents=True)
    run("init", "mine", cwd=tmp_path)
    assert list((tmp_path / "mine" / "content").iterdir()) == []


def test_home_folders_in_arguments(site):
    """In paths on the command line and in FEEDS_CONFIG, "~" is the home folder; an unknown one is a usage error."""
    site.article("a.md", title="a")
    site.configure()
    home = {"HOME": str(site.root)}
    elsewhere = site.content
    for arguments, environment in ((["--config=~/config.yaml"], home), ([], home | {"FEEDS_CONFIG": "~/config.yaml"})):
        done = run("build", "--output=~/out", *arguments, cwd=elsewhere, environment=environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert (site.root / "out" / "rss.xml").exists()
        shutil.rmtree(site.root / "out")
    reason = "the home folder ~nobody-here is unknown"
    for arguments in (["check", "-c", "~nobody-here/c.yaml"], ["check", "--against", "~nobody-here/f.xml"],
                      ["stats", "--import", "~nobody-here/log"], ["build", "--output", "~nobody-here"],
                      ["init", "~nobody-here/blog"]):  # fmt: skip
        done = site.run(*arguments)
        assert done.returncode == 2
        assert reason in done.stderr


def test_a_port_in_use(site):
    """A port that is already in use is reported in a sentence, with exit code 3."""
    site.article("a.md")
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = site.run("serve", "--port", str(other.getsockname()[1]))
    assert done.returncode == 3
    assert done.stderr.startswith("can't listen on 127.0.0.1:")
    assert len(done.stderr.splitlines()) == 1


def test_the_greeting(site, serve):
    """`serve` prints the URLs to open and to subscribe to, and the address that the feeds contain."""
    site.article("a.md", title="a")
    server = serve(site)
    server.wait_for(lambda: "Ctrl-C" in server.log.read_text())
    said = server.log.read_text()
    assert f"open          http://127.0.0.1:{server.port}/\n" in said
    assert f"subscribe to  http://127.0.0.1:{server.port}/rss.xml\n" in said
    assert "note: the feeds link to https://test.example/ (site.url, feeds.url); while you write, use --preview" in said


def test_help_and_version(site):
    """Each command has a help text, and --version prints the version."""
    for command in ("serve", "build", "check", "list", "status", "init", "new"):
        assert command in site.run("--help").stdout
        done = site.run(command, "--help")
        assert done.returncode == 0
        assert "Usage" in done.stdout
    assert "feeds, version" in site.run("--version").stdout


def test_the_list_of_commands_has_their_summaries():
    """The list of commands, which imports none of them, shows the summary of each."""
    context = click.Context(main)
    for name, source in cli._COMMANDS.items():
        found = main.get_command(context, name)
        assert found.name == name
        assert found.get_short_help_str(limit=200) == source.summary


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_nothing_that_it_does_not_use(arguments):
    """`feeds --help` and `feeds --version` import click and the command line, but none of the other packages."""
    code = "import sys, feeds.cli\ntry: feeds.cli.main()\nfinally: print(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    modules = done.stderr.splitlines()
    allowed = {"feeds", "feeds.cli"} | ({"feeds.distribution"} if arguments == ["--version"] else set())
    assert {name for name in modules if name.startswith("feeds")} == allowed
    assert not {"sqlalchemy", "pydantic", "yaml", "flask"} & set(modules)


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("buidl", "No such command 'buidl'. Did you mean 'build'?"),
        ("Check", "No such command 'Check'. Did you mean 'check'?"),
        ("xyz", "No such command 'xyz'. Commands: build, check, init, list, new, schema, stats, serve, status."),
        ("\x1b[1m", r"No such command '\x1b[1m'. Commands: "),
    ],
)
def test_a_misspelt_command(site, word, advice):
    """A word that is no command is a usage error, which suggests a similar command or lists all."""
    done = site.run(word)
    assert done.returncode == 2
    assert advice in done.stderr


def test_commands_are_completed():
    """The shell completes the names of commands."""
    for words, completed in [
        ("feeds s", ["schema", "stats", "serve", "status"]),
        ("feeds --v", ["--version"]),
        ("feeds xyz b", ["build"]),
    ]:
        variables = {"_FEEDS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        program = "import feeds.cli; feeds.cli.main(prog_name='feeds')"
        done = subprocess.run(
            [sys.executable, "-c", program], env=os.environ | variables, capture_output=True, text=True, check=False
        )
        assert done.stdout.split() == [f"plain,{word}" for word in completed]


def test_unreadable_articles_are_tried_again(site):
    """An article that can't be opened is rejected by each run, and read once it can be, even if its stamp is old."""
    site.article("a.md", title="a")
    (site.content / "b.md").symlink_to(site.content / "hidden.txt")
    for _ in range(2):
        assert "content/b.md:1: can't be read: No such file or directory\n" in site.run("build", "-v").stderr
    site.article("c.md", title="b").rename(site.content / "hidden.txt")
    assert site.run("build").returncode == 0
    assert site.items().keys() == {"a", "b"}


def test_a_link_publishes_no_secret(site):
    """A symbolic link to the configuration, or to a repository's settings, in the content folder is not an article."""
    site.configure(content={"path": ".", "exclude": ["public/"]}, stats={"token": "a-secret-that-is-long"})
    site.article("a.md", title="a")
    site.write(".git/config", "url = https://user:password@git.example")
    for name, target in (("config", "../config.yaml"), ("git", ".git/config"), ("state", "../.feeds/catalog.db")):
        (site.content / f"2026-01-02-{name}.md").symlink_to(target)
    for _ in range(2):
        done = site.run("build", "-v")
        assert done.returncode == 1
        assert [line.split(": ")[1][:15] for line in done.stderr.splitlines()[:-1]] == ["a symbolic link"] * 3
    assert site.items().keys() == {"a"}


def test_init_says_where_to_go_on(tmp_path):
    """The next steps that `feeds init` prints name the configuration and its folder."""
    said = run("init", str(tmp_path / "blog"), cwd=tmp_path).stdout
    assert f"set title and url in config.yaml, then run  cd {tmp_path / 'blog'} && feeds serve" in said


def test_commands_in_one_process_leave_no_garbage(site):
    """A process can run any number of commands: garbage of earlier commands is collected."""
    site.run("list")
    frozen = gc.get_freeze_count()
    for _ in range(3):
        site.run("list")
    assert gc.get_freeze_count() <= frozen


@pytest.mark.integration
@pytest.mark.parametrize("command", [["list"], ["check"], ["status"], ["stats", "--json"]], ids=lambda one: one[0])
def test_a_reader_that_ends(published, command):
    """A command whose output nothing reads any more ends silently, with the exit code of SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "feeds", *command],
        cwd=published.root,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (process.returncode, process.stderr) == (141, b"")


def test_check_quietly(site):
    """With -q, `check` prints errors only, and with --strict also the warnings, which change its exit code."""
    site.write("a.md", "x")
    site.article("b.md", "Text.", title="b", link="nowhere")
    site.configure(site={"url": "http://127.0.0.1:8000", "authority": "a.example"})
    done = site.run("check", "-q")
    assert (done.returncode, done.stderr) == (1, "")
    assert [line.split(": ")[1] for line in done.stdout.splitlines()] == ["error"]
    (site.content / "a.md").unlink()
    assert (site.run("check", "-q").stdout, site.run("check", "-q").returncode) == ("", 0)
    done = site.run("check", "-q", "--strict")
    assert (done.returncode, "work on this machine only" in done.stdout) == (1, True)
    assert site.run("check", "-q", "--format", "json").stdout != "[]\n"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("before", "arguments", "code", "end_of_output"),
    [
        ("import atexit; atexit.register(print, 'at exit')", ["--version"], 0, "\nat exit\n"),
        ("import atexit; atexit.register(print, 'at exit')", ["none"], 2, "at exit\n"),
        ("import threading; threading.Timer(0.3, print, ['in a thread']).start()", ["--version"], 0, "\nin a thread\n"),
        ("import threading; threading.Timer(0.3, print, ['in a thread']).start()", ["none"], 2, "in a thread\n"),
    ],
)
def test_the_end_of_a_process(before, arguments, code, end_of_output):
    """A process that ends at once has written everything, calls registered functions, and waits for other threads."""
    program = f"import sys; sys.argv[1:] = {arguments}\n{before}\nfrom feeds.__main__ import run; run()"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.endswith(end_of_output)) == (code, True), (done.stdout, done.stderr)


@pytest.mark.integration
@pytest.mark.parametrize(("closed", "shown"), [(">&-", ""), ("2>&-", "feeds, version"), (">&- 2>&-", "")])
def test_closed_streams(closed, shown):
    """A stream that was closed before the command has no effect on its exit code."""
    command = ["sh", "-c", f"{sys.executable} -m feeds --version {closed}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout[:14], done.stderr) == (0, shown, "")


@pytest.mark.integration
def test_a_profile():
    """`python -m cProfile -m feeds` prints the profile of a command."""
    command = [sys.executable, "-m", "cProfile", "-m", "feeds", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert re.search(r"^feeds, version .*function calls", done.stdout, re.DOTALL), done.stderr


@pytest.mark.integration
def test_output_that_cannot_be_written():
    """If the output can't be written, the exit code is not 0, as in other Python programs."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "feeds", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
