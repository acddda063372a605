"""The record of the last build, by which the next one ends early if nothing has changed."""

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from conftest import Site
from test_progress import run_in_terminal

from feeds import last_build
from feeds.catalog import CatalogState

AN_HOUR_AGO = time.time() - 3600
PROBE = """
import sys
from feeds.cli import main
try:
    main()
finally:
    print(sorted({"sqlalchemy", "pydantic", "watchfiles", "asyncio"} & set(sys.modules)))
"""


@pytest.fixture
def built(tmp_path):
    """A site with an article, a picture and a scheduled article, after a build that is recorded."""
    site = Site(tmp_path / "site")
    site.configure(site={"pages": True})
    site.article("news/one/index.md", "![A picture](p.png)", title="One")
    site.article("two.md", title="Two")
    site.write("news/one/p.png", b"\x89PNG")
    site.write("authors.yml", "ann: {name: Ann}")
    build(site)
    assert is_current(site)
    yield site
    site.close()


def build(site, *options):
    """Build after the files became old enough for a record."""
    for file in site.content.rglob("*"):
        if file.is_file() and file.stat().st_mtime > AN_HOUR_AGO:
            os.utime(file, (AN_HOUR_AGO, AN_HOUR_AGO))
    result = site.run("build", *options)
    assert result.returncode == 0, result.stderr


def probe(site, *arguments):
    """Run a command in a process of its own, which prints the large modules that it has imported."""
    command = [sys.executable, "-c", PROBE, *arguments]
    return subprocess.run(command, cwd=site.root, capture_output=True, text=True, timeout=60, check=False)


def is_current(site, now=None, environment=(), options=(None, False)):
    """Return whether a build of the site would end early."""
    file = site.root / "config.yaml"
    inputs = last_build.Inputs.read(file, dict(environment), *options)
    with last_build.open_records(file, dict(environment)) as records:
        last = records and records.last_build()
        return bool(last and last.is_current(inputs, (now or datetime.now(UTC)).timestamp()))


def last_record(site):
    """Return the record of the last build."""
    with last_build.open_records(site.root / "config.yaml", {}) as records:
        return records.last_build()


def exported(site):
    """Return the exported files by path, without the manifest, which has their times."""
    root = site.root / "public"
    files = [file for file in root.rglob("*") if file.is_file() and file.name != ".feeds-manifest.json"]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def test_a_build_that_changes_nothing_imports_little(built):
    """A build of an unchanged site imports neither SQLAlchemy nor pydantic, prints nothing, and records the run."""
    before = json.loads(built.run("status", "--json").stdout)
    files = exported(built)
    result = probe(built, "build")
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "[]", "")
    after = json.loads(built.run("status", "--json").stdout)
    assert after["run"]["at"] > before["run"]["at"]
    assert after["run"]["outcome"] == "ok"
    assert {**after, "run": None} == {**before, "run": None}
    assert exported(built) == files
    assert is_current(built)


def _edit(path, text="---\ntitle: Two\ndate: 2026-05-02\n---\nNew."):
    def change(site):
        site.write(path, text)

    return change


def _replace_with_same_time(site):
    file = site.content / "two.md"
    site.write("two.md", file.read_text().replace("Text.", "Test."), file.stat().st_mtime)


def _hide_failure(site):
    (site.root / ".feeds/catalog.db.failures").write_bytes(b'{"publish": ["2026-05-01T10:00:00+00:00", "x", "x", 3]}')


CHANGES = {
    "an article is edited": _edit("two.md"),
    "an article is added": _edit("three.md"),
    "an article is replaced by one of the same time and size": _replace_with_same_time,
    "the permissions of an article change": lambda site: (site.content / "two.md").chmod(0o600),
    "an article is deleted": lambda site: (site.content / "two.md").unlink(),
    "an article is renamed": lambda site: (site.content / "two.md").rename(site.content / "drei.md"),
    "a picture is edited": _edit("news/one/p.png", b"\x89PNG2"),
    "authors.yml is edited": _edit("authors.yml", "ann: {name: Anne}"),
    "a folder is renamed": lambda site: (site.content / "news").rename(site.content / "old"),
    "the configuration is edited": lambda site: site.configure(site={"title": "New"}),
    "an exported file is deleted": lambda site: (site.root / "public/rss.xml").unlink(),
    "an exported file is edited": lambda site: (site.root / "public/rss.xml").write_bytes(b"x"),
    "the manifest is deleted": lambda site: (site.root / "public/.feeds-manifest.json").unlink(),
    "the export is deleted": lambda site: shutil.rmtree(site.root / "public"),
    "the catalog is deleted": lambda site: shutil.rmtree(site.root / ".feeds"),
    "another process has published": lambda site: site.publish(),
    "a task has failed since": _hide_failure,
    "the content folder is deleted": lambda site: shutil.rmtree(site.content),
    "a symbolic link is added": lambda site: (site.content / "link").symlink_to(site.root),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_leads_to_a_complete_build(built, change):
    """Whatever changes in the inputs or the output of a build, the next build is complete."""
    change(built)
    with contextlib.suppress(OSError):  # which leads to a complete build too
        assert not is_current(built)


def test_a_complete_build_restores_the_export(built):
    """An exported file that was deleted or edited since the last build is written again."""
    files = exported(built)
    (built.root / "public/rss.xml").unlink()
    (built.root / "public/feed.json").write_bytes(b"{}")
    build(built)
    assert exported(built) == files
    build(built)  # the files that it has just written are part of the next record
    assert is_current(built)


@pytest.mark.parametrize(
    "seconds, environment, options",
    [
        (86_400, {}, (None, False)),
        (-60, {}, (None, False)),
        (0, {"FEEDS__SITE__TITLE": "New"}, (None, False)),
        (0, {"FEEDS__STATE": "sqlite:///other.db"}, (None, False)),
        (0, {}, ("elsewhere", False)),
        (0, {}, (None, True)),
    ],
)
def test_time_variables_and_options_are_compared(built, seconds, environment, options):
    """A record is not used on another day, after the clock was set back, with other variables, or with other options."""
    assert is_current(built)
    assert not is_current(built, datetime.now(UTC) + timedelta(seconds=seconds), environment, options)


def test_a_record_expires_when_a_scheduled_article_goes_live(built):
    """A record is valid until the earliest of the scheduled articles goes live, but not beyond midnight (UTC)."""
    now = datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert last_build.end_of_validity(now, now + timedelta(hours=1)) == (now + timedelta(hours=1)).timestamp()
    assert last_build.end_of_validity(now, None) == datetime(2026, 5, 2, tzinfo=UTC).timestamp()
    soon = datetime.now(UTC) + timedelta(seconds=30)
    built.article("soon.md", title="Soon", date=soon.isoformat())
    build(built)
    assert is_current(built) or datetime.now(UTC) + timedelta(seconds=30) > soon
    assert not is_current(built, soon)


def test_a_recently_changed_file_is_not_recorded(built):
    """A file that changed within the last seconds might change again with the same time, so no build is recorded."""
    built.article("new.md", title="New")
    assert built.run("build").returncode == 0
    assert not is_current(built)


@pytest.mark.parametrize("option", ["--force", "--accept", "-v"])
def test_some_options_require_a_complete_build(built, option):
    """With `--force`, `--accept` or `-v`, a build is complete, and recorded."""
    result = probe(built, "build", option)
    assert result.returncode == 0
    assert "sqlalchemy" in result.stdout
    assert is_current(built)


def test_known_problems_are_left_alone_from_cron(built):
    """Where only new problems are printed, an unchanged site with rejected articles needs no complete build either."""
    built.write("broken.md", "---\ntitle: [\n---\n")
    os.utime(built.content / "broken.md", (AN_HOUR_AGO, AN_HOUR_AGO))
    first = built.run("build")
    assert (first.returncode, "broken.md" in first.stderr) == (1, True)
    assert is_current(built)
    result = probe(built, "build")
    assert (result.returncode, result.stdout.strip(), result.stderr) == (1, "[]", "")
    status = json.loads(built.run("status", "--json").stdout)
    assert (status["run"]["outcome"], len(status["refused"])) == ("refused", 1)


@pytest.mark.integration
def test_advice_needs_no_complete_build(built):
    """In a terminal, an unchanged site whose configuration has a warning shows it again, without a complete build."""
    local = {"pages": True, "url": "http://127.0.0.1:8000", "authority": "test.example"}
    built.configure(site=local)
    build(built)
    record = last_record(built)
    for options in ((), ("-q",)):
        code, shown = run_in_terminal(built, "build", *options)
        warning, *last = shown.splitlines()
        assert (code, warning.partition(": set")[0]) == (
            0,
            "warning: config.yaml: links to http://127.0.0.1:8000 work on this machine only",
        )
        assert ["nothing changed" in line for line in last] == ([] if options else [True])
    assert last_record(built) == record  # a complete build would have written another one


def test_what_could_not_be_read_is_read_again(built):
    """After a build that could not read an article or a folder, the next one is complete, although nothing changed."""
    unreadable = built.content / os.fsdecode(b"\xff.md")
    unreadable.write_text("---\ntitle: X\n---\n")
    os.utime(unreadable, (AN_HOUR_AGO, AN_HOUR_AGO))
    assert built.run("build").returncode == 1
    assert not is_current(built)


def test_what_could_not_be_written_is_written_again(built):
    """After a build that left a foreign file alone, the next one is complete."""
    built.article("five.md", title="Five")
    os.utime(built.content / "five.md", (AN_HOUR_AGO, AN_HOUR_AGO))
    (built.root / "public/five").mkdir()
    (built.root / "public/five/index.html").write_text("mine")
    assert "index.html" in built.run("build").stderr
    assert not is_current(built)


def test_an_active_run_is_respected(built):
    """While another run holds the lock, a build of an unchanged site fails as any other."""
    with (built.root / ".feeds/catalog.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert built.run("build").returncode == 4
    assert built.run("build").returncode == 0


def test_a_catalog_elsewhere_is_found(tmp_path):
    """The catalog is found where `state` or the variable says."""
    site = Site(tmp_path / "site")
    site.article("one.md", title="One")
    site.configure(state="sqlite:///data/x.db")
    build(site)
    assert is_current(site)
    variable = {"FEEDS__STATE": f"sqlite:///{tmp_path}/y.db"}
    assert site.run("build", environment=variable).returncode == 0
    assert is_current(site, environment=variable)
    site.close()


@pytest.mark.parametrize(
    "text", ["", "[", "- x", "state: [1]", "state: {a: 1}", "state: postgresql://x/y", "\0", "\ud800"]
)
def test_a_broken_configuration_is_left_to_the_complete_build(built, text):
    """A configuration that can't be read, or has a value of another type, has no record and raises nothing else."""
    (built.root / "config.yaml").write_text(text, "utf-8", "surrogatepass")
    result = built.run("build")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "stored", ["{", "{}", "[]", '{"inputs": {}}', '{"inputs": {"program": "", "settings": ""}, "x": 1}']
)
def test_a_foreign_record_is_ignored(built, stored):
    """A record of another version of this program leads to a complete build, which replaces it."""
    with sqlite3.connect(built.root / ".feeds/catalog.db") as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = ?", (stored, last_build.ROW))
    connection.close()
    assert built.run("build").returncode == 0
    assert is_current(built)


def test_the_rows_are_those_of_the_catalog():
    """The rows that are read without SQLAlchemy are attributes of `CatalogState`."""
    assert (last_build.ROW, last_build.LAST_RUN_ROW) == (CatalogState.LAST_BUILD, CatalogState.LAST_RUN)
