"""The problems that `feeds build` prints: all on a terminal and with -v, otherwise the new ones."""

import contextlib

import pytest

from feeds.cli.problems import ProblemReport

BOTH = pytest.mark.databases("sqlite", "postgres")
FOREIGN = "the existing file is not from feeds"


def build(site, *options):
    """Build a site as cron does; return the exit code and the lines that were printed."""
    done = site.run("build", *options)
    return done.returncode, done.stderr.splitlines()


@BOTH
def test_a_rejected_article_is_printed_once(site):
    """A build prints an article that is rejected if the last build didn't; the exit code is 1 as long as it is."""
    site.article("a.md", title="A")
    site.write("b.md", "b")
    code, (line,) = build(site)
    assert (code, line.startswith("content/b.md:1: no date")) == (1, True)
    assert build(site) == (1, [])
    site.write("c.md", "---\ndate: x\n---\n")
    code, lines = build(site)
    assert (code, [line.partition(": ")[0] for line in lines]) == (1, ["content/c.md:2"])
    code, lines = build(site, "-v")
    assert (code, [line.partition(":")[0] for line in lines[:-1]]) == (1, ["content/b.md", "content/c.md"])
    assert lines[-1].startswith("1 article published, 2 rejected; nothing changed; ")
    site.article("b.md", title="B")
    (site.content / "c.md").unlink()
    assert build(site) == (0, []), "what is solved is not printed"
    site.write("c.md", "---\ndate: x\n---\n")
    assert build(site)[1] == lines[1:2], "it is new again"


def test_an_address_of_this_machine_is_printed_once(site):
    """A build prints once that links, or ids, contain the name of this machine; on a terminal and with -v, always."""
    site.article("a.md", title="A")
    site.configure(site={"url": "http://127.0.0.1:8000", "authority": "a.example"})
    links = "warning: config.yaml: links to http://127.0.0.1:8000 work on this machine only: set site.url"
    code, (line,) = build(site)
    assert (code, line.startswith(links)) == (0, True)
    assert build(site) == (0, [])
    assert build(site, "-v")[1][0] == line
    site.configure(site={"url": "http://localhost:8000", "authority": None})
    (line,) = build(site, "--accept")[1]
    assert line.startswith("warning: config.yaml: ids will contain localhost permanently: set site.url")


def test_a_new_catalog_knows_no_problem(site):
    """Without the catalog of the last run, as in CI, all problems are new."""
    site.write("b.md", "b")
    first = build(site)
    for file in (site.root / ".feeds").iterdir():
        file.unlink()
    assert build(site) == first
    assert len(first[1]) == 1


def test_many_rejected_articles(site, monkeypatch):
    """Of very many rejected articles, the first are listed, and the others are counted, also in the last line."""
    monkeypatch.setattr("feeds.publish.publisher.MAX_REJECTED", 2)
    for name in "abcde":
        site.write(f"{name}.md", "x")
    code, lines = build(site, "-v")
    assert (code, len(lines)) == (1, 4)
    assert lines[2] == "3 more articles rejected; `feeds status` lists them"
    assert lines[3].startswith("0 articles published, 5 rejected; 5 read, ")
    assert site.run("check").stdout.count("no date") == 5


def test_warnings_of_each_export_are_printed_once(site, tmp_path):
    """Problems of exports to several targets are remembered for each target."""
    site.article("a.md", title="A")
    for target in ("one", "two"):
        (tmp_path / target).mkdir()
        (tmp_path / target / "rss.xml").write_text("mine")
    targets = [["--output", str(tmp_path / target)] for target in ("one", "two")]
    for options in targets:
        code, lines = build(site, *options)
        assert (code, len(lines), FOREIGN in lines[0]) == (0, 1, True)
    for options in targets:
        assert build(site, *options) == (0, [])


def test_a_failing_export_keeps_the_problems(site):
    """If the export fails, the problems of the articles were printed and are not new in the next build."""
    site.article("a.md", title="A")
    site.write("b.md", "b")
    (site.root / "public").write_text("a file")
    code, lines = build(site)
    assert (code, len(lines)) == (2, 2)
    assert lines[0].startswith("content/b.md:1: ")
    (site.root / "public").unlink()
    assert build(site) == (1, [])


def test_a_failing_purge_is_printed_once(site):
    """A purge that fails is printed until it succeeds, and then again if it fails again."""
    command = site.root / "purge"
    site.configure(export={"purge": f"{command} now"})

    def build_with(script, text):
        command.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
        command.chmod(0o755)
        site.article("a.md", text, title="A")
        return build(site)

    code, lines = build_with("echo no; exit 3", "One.")
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith("export.purge: ")
    site.article("b.md", title="B", tags=["more", "files"])
    assert build_with("echo no; exit 3", "Two.") == (1, [])
    assert build_with("exit 0", "Three.") == (0, [])
    assert len(build_with("echo no; exit 3", "Four.")[1]) == 1


def report(site, steps, *, print_all=False):
    """Report the problems of steps, given as {name: lines}; return what was printed."""
    printed = []
    with ProblemReport(site.catalog, printed.append, print_all=print_all) as problems:
        for name, lines in steps.items():
            with problems.step(name):
                for line in lines:
                    problems.add(line)
    return printed


def test_many_problems(site):
    """Of a very large number of problems, a thousand are printed and remembered, and the others are counted."""
    many = [f"problem {number}" for number in range(5_000)]
    printed = report(site, {"publish": many})
    assert (len(printed), printed[-1]) == (1_001, "4,000 more problems of this kind")
    assert report(site, {"publish": many}) == []
    assert report(site, {"publish": many}, print_all=True) == printed
    assert report(site, {"publish": [*many, "another"]}) == ["4,001 more problems of this kind"]
    with site.catalog.read_transaction() as reader:
        assert len(reader.state.reported_problems["publish"]) == 1_001


def test_the_number_of_remembered_steps_is_limited(site):
    """Targets that are no longer exported to are forgotten."""
    for number in range(20):
        report(site, {"publish": ["p"], f"target-{number}": ["x"]})
    with site.catalog.read_transaction() as reader:
        steps = list(reader.state.reported_problems)
    assert len(steps) == 8
    assert {"publish", "target-19"} <= set(steps)


def test_a_step_that_fails_is_not_forgotten(site):
    """If a step fails before it found all of its problems, those of the last build are still known."""
    report(site, {"export": ["a", "b"]})
    with (
        contextlib.suppress(ValueError),
        ProblemReport(site.catalog, print, print_all=False) as problems,
        problems.step("export"),
    ):
        problems.add("b")
        raise ValueError
    assert report(site, {"export": ["a", "b", "c"]}) == ["c"]
    assert report(site, {"export": []}) == []
    assert report(site, {"export": ["a"]}) == ["a"]
