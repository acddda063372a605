"""After a crash or a failed system call at any point, an export has old or new documents, and the next build completes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import faults
import pytest
from conftest import Site, serving
from hypothesis import settings

pytestmark = [pytest.mark.needs("strace"), pytest.mark.unmeasured]

NIGHTLY = settings().max_examples >= 1_000
ERRORS = ["ENOSPC", "EIO", "EMFILE", "ENAMETOOLONG", "EACCES"]
LOG = r"catalog\.db-wal>"

# the first system call of each kind of step of a build, in the order of the steps
STEPS = {
    "the log of the catalog begins": rf"pwrite64\(.*{LOG}",
    "the log reaches the disk": rf"fdatasync\(.*{LOG}",
    "a commit is written": rf"pwrite64\(.*{LOG}.*, 65664\)",
    "the plan is written": r"write\(.*/public/\.feeds-\w+\.tmp>",
    "the plan is put in place": r'rename.*"\.feeds-manifest\.json"',
    "an archive is put in place": r'rename.*/archive/2>, "rss\.xml"',
    "a document is written": r"write\(.*/public/\.feeds-\w+\.tmp>.*<\?xml",
    "a document is put in place": r'rename.*/public>, "rss\.xml"',
    "a folder is made": r'mkdirat\(.*/tag>, "new"',
    "a new document is put in place": r'rename.*/tag/new>, "atom\.xml"',
    "a page is put in place": r'rename.*/category/c1>, "index\.html"',
    "a document is removed": r'unlinkat\(.*/tag/deleted>, "feed\.json"',
    "a folder is removed": r'unlinkat\(.*, "tag", AT_REMOVEDIR',
    "the manifest is written": r'write\(.*/public/\.feeds-\w+\.tmp>, "\{\\"/archive/1/atom.xml\\":\[\\"[^\\]',
    "a run is over": r'unlinkat\(.*"\.feeds-unfinished"',
    "the log is copied into the catalog": r"pwrite64\(.*catalog\.db>",
    "the log is removed": r"unlink\(.*catalog\.db-wal",
}

OF_CATALOG = "pwrite64,ftruncate,fdatasync"
OF_TREE = "fsync,syncfs,mkdir,mkdirat,rename,renameat,renameat2"
# what fails: the calls, from which one on, and the exit code; without a code, not even the sentence can be written
FAILURES = {
    "everything": (faults.WRITE_CALLS, "", None),
    "everything, after the plan": (faults.WRITE_CALLS, r"write\(.*/archive/1/\.feeds-\w+\.tmp>", None),
    "a commit": (OF_CATALOG, rf"pwrite64\(.*{LOG}.*, 65664\)", 3),
    "the end of the catalog": (OF_CATALOG, r"pwrite64\(.*catalog\.db>", 0),
    "the plan": (OF_TREE, "", 3),
    "some documents": (OF_TREE, r"syncfs\(.*/\.feeds-\w+\.tmp>", 3),
    "a new folder": (OF_TREE, r'mkdirat\(.*/tag>, "new"', 3),
    "a page": (OF_TREE, r'rename.*/category/c1>, "index\.html"', 3),
    "the manifest": (OF_TREE, r"fsync\(.*/public/\.feeds-\w+\.tmp>", 3),
}


@pytest.fixture(scope="module")
def edited_site(tmp_path_factory):
    """Return an exported site, its documents after edits, and a copy that has the edits but no new export."""
    made = faults.EditedSite(tmp_path_factory.mktemp("faults"))
    yield made
    made.close()


def finished(edited_site, place):
    """Build without a fault, and check that this writes all new documents and leaves no temporary files."""
    done = edited_site.build(place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert faults.documents(place / "public") == edited_site.new
    assert not list(place.rglob(".feeds-*.tmp"))
    assert not (place / "public/.feeds-unfinished").exists()


@pytest.mark.parametrize("step", STEPS)
def test_killed(edited_site, tmp_path, step):
    """A build that is killed at any kind of step leaves old or new documents; the next build writes all new ones."""
    place = edited_site.copy(tmp_path / "site")
    killed(edited_site, place, edited_site.at(edited_site.step(STEPS[step])), STEPS[step])


def killed(edited_site, place, at, pattern, **options):
    """Kill a build at a call that matches a pattern, and complete it."""
    done, calls = edited_site.build_with_fault(place, "signal=KILL", at, **options)
    assert done.returncode == -signal.SIGKILL, at
    assert re.match(pattern, calls[-1])
    assert edited_site.torn(place) == [], at
    finished(edited_site, place)


def test_killed_at_any_call(edited_site, tmp_path):
    """A build that is killed at any call (each call in a nightly run) leaves old or new documents, and can be completed."""
    for step in range(0 if NIGHTLY else 7, len(edited_site.calls), 1 if NIGHTLY else len(edited_site.calls) // 3):
        place = edited_site.copy(tmp_path / f"site-{step}")
        killed(edited_site, place, edited_site.at(step), "")
        shutil.rmtree(place)


def test_a_process_is_killed(edited_site, tmp_path):
    """The same holds for the command in a process of its own: the next build completes the export."""
    place = edited_site.copy(tmp_path / "site")
    command = [sys.executable, "-m", "feeds", "build"]
    traced = [
        *faults.strace("-qq", "-o", "/dev/null", *faults.fault_options("signal=KILL", {"renameat": 3})),
        *command,
    ]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # Python also renames files when it writes bytecode
    assert subprocess.run(traced, cwd=place, env=environment, check=False, timeout=120).returncode == -signal.SIGKILL
    assert edited_site.torn(place) == []
    assert (place / "public/.feeds-unfinished").exists()
    done = subprocess.run(command, cwd=place, check=False, timeout=120, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert faults.documents(place / "public") == edited_site.new


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (what, error)
        for number, what in enumerate(FAILURES)
        for error in (["ENOSPC", "EIO"] if NIGHTLY else [["ENOSPC", "EIO"][number % 2]])
    ],
)
def test_a_full_or_failing_disk(edited_site, tmp_path, what, error):
    """If the disk is full or fails from a call on: one sentence, old or new documents, and the next build completes."""
    place = edited_site.copy(tmp_path / "site")
    calls, pattern, code = FAILURES[what]
    at = edited_site.from_step(edited_site.step(pattern), calls)
    done, _ = edited_site.build_with_fault(place, f"error={error}", at)
    if code is None:
        assert (done.returncode > 0, done.stderr) == (True, "")
    else:
        assert (done.returncode, done.stderr.count("\n")) == (code, int(code > 0)), done.stderr
    assert edited_site.torn(place) == []
    finished(edited_site, place)


@pytest.mark.parametrize("calls", [faults.CHANGE_CALLS, "openat"])
def test_one_call_fails(edited_site, tmp_path, calls):
    """If any single call of a build fails: at most one error message, no incomplete document, and the next build completes."""
    traced = edited_site.trace_build(edited_site.copy(tmp_path / "traced"), calls)
    steps = range(0 if NIGHTLY else 5, len(traced), 1 if NIGHTLY else len(traced) // len(ERRORS))
    for number, step in enumerate(steps):
        for error in ERRORS if NIGHTLY else [ERRORS[number % len(ERRORS)]]:
            place = edited_site.copy(tmp_path / f"site-{step}-{error}")
            name = traced[step].partition("(")[0]
            nth = sum(call.startswith(f"{name}(") for call in traced[: step + 1])
            done, _ = edited_site.build_with_fault(place, f"error={error}", {name: nth})
            case = (traced[step], error, done.stderr)
            assert done.returncode in {0, 1, 2, 3}, case
            assert "Traceback" not in done.stderr, case
            assert (done.returncode == 0) <= (done.stderr == ""), case
            if done.returncode != 1:  # with exit code 1, an article could not be read, and all others are published
                assert edited_site.torn(place) == [], case
            finished(edited_site, place)
            shutil.rmtree(place)


def test_killed_twice_in_a_row(edited_site, tmp_path):
    """If a build is killed, and the next one too, the third completes the export."""
    for step in range(0 if NIGHTLY else 11, len(edited_site.calls), 1 if NIGHTLY else len(edited_site.calls) // 3):
        place = edited_site.copy(tmp_path / f"site-{step}")
        first, second = edited_site.at(step), edited_site.at(len(edited_site.calls) - 1 - step)
        done, _ = edited_site.build_with_fault(place, "signal=KILL", first)
        assert done.returncode == -signal.SIGKILL
        done, _ = edited_site.build_with_fault(place, "signal=KILL", second)
        assert done.returncode in {0, -signal.SIGKILL}  # the second build may make fewer calls
        assert edited_site.torn(place) == []
        finished(edited_site, place)
        shutil.rmtree(place)


# calls of a publisher that fail while an article is saved: one call of each kind, or all from one call on
OF_A_SAVE = ["pwrite64", "openat", "fdatasync,fsync,ftruncate", "openat,pwrite64,read", "newfstatat,openat"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Yield a site and its server, which several tests share."""
    site = Site(tmp_path_factory.mktemp("served"))
    site.article("a.md", title="a")
    with serving() as serve:
        server = serve(site)
        server.wait_for(lambda: server.titles() == ["a"])
        yield site, server


@pytest.mark.integration
@pytest.mark.parametrize("error", ERRORS)
def test_a_save_fails(served, tmp_path, error):
    """If a call of the publisher fails while an article is saved, workers answer, and the article is published afterwards."""
    site, server = served
    number = ERRORS.index(error)
    cases = [(OF_A_SAVE[number], nth) for nth in ("1+", str(2 + number))]
    if NIGHTLY:
        cases = [(calls, f"{nth}{more}") for calls in OF_A_SAVE for nth in range(1, 8) for more in ("", "+")]
    for which, (calls, nth) in enumerate(cases):
        title = f"{error} {which}"
        with faults.inject_into(
            server.process.pid, tmp_path / "strace", f"error={error}", dict.fromkeys(calls.split(","), nth)
        ) as injected:
            site.article(f"{title}.md", title=title, date="2026-05-02")
            if nth == "1+" and "openat" in calls:
                server.wait_for(lambda: b'"degraded"' in server.get("/healthz").body)
            server.wait_for(lambda title=title, injected=injected: injected() or title in server.titles())
            assert server.get("/rss.xml").status == 200
        server.wait_for(lambda title=title: title in server.titles())
        server.wait_for(lambda: b'"ok"' in server.get("/healthz").body)


@pytest.mark.parametrize("call", ["pwrite64", "openat"])
def test_a_publisher_is_killed_twice(site, serve, tmp_path, call):
    """A server that is killed while articles are published, and again after its restart, publishes all of them."""
    site.article("a.md", title="a")
    titles = ["a"]
    for round_ in range(2):
        server = serve(site)
        with faults.inject_into(server.process.pid, tmp_path / "strace", "signal=KILL", {call: 20 + 5 * round_}):
            until = time.monotonic() + 120
            while server.process.poll() is None and time.monotonic() < until:
                titles.append(f"b{len(titles)}")
                site.article(f"{titles[-1]}.md", title=titles[-1])
                time.sleep(0.2)
        assert server.process.wait() == -signal.SIGKILL
    server = serve(site)
    server.wait_for(lambda: set(server.titles()) == set(titles[-50:]))
    server.wait_for(lambda: f", {len(titles)} articles" in site.run("status").stdout)
    assert site.run("status").returncode == 0


def test_no_descriptors(edited_site, tmp_path):
    """If no more files can be opened, from any point on: one sentence, nothing lost, and the next build completes."""
    said, limit = set(), 4
    while True:
        place = edited_site.copy(tmp_path / f"site-{limit}")
        done = edited_site.build(place, max_open_files=limit)
        if done.returncode == 0:
            break
        assert (done.returncode in {2, 3}, done.stderr.count("\n")) == (True, 1), (limit, done.stderr)
        said.add(done.stderr.rpartition(": ")[0].replace(str(place), "").partition(".")[0])
        assert edited_site.torn(place) == []
        finished(edited_site, place)
        limit += 1 if NIGHTLY or limit < 20 else 2
    assert len(said) >= 3, said  # the configuration, the catalog, documents


def test_a_cold_start_goes_on_where_it_was_killed(edited_site, tmp_path):
    """A first build that is killed three times ends with the same documents as a build without faults."""
    place, undisturbed = edited_site.copy(tmp_path / "site"), edited_site.copy(tmp_path / "undisturbed")
    for site in (place, undisturbed):
        shutil.rmtree(site / ".feeds")
        shutil.rmtree(site / "public")
    assert edited_site.build(undisturbed).returncode == 0
    for at in ({"pwrite64": 30}, {"pwrite64": 60}, {"renameat": 3}):
        assert edited_site.build_with_fault(place, "signal=KILL", at)[0].returncode == -signal.SIGKILL, at
    assert edited_site.build(place).returncode == 0
    assert faults.documents(place / "public") == faults.documents(undisturbed / "public")


def test_what_was_read_before_a_kill_is_not_read_again(edited_site, tmp_path):
    """A first build that was killed after two batches reads only the remaining files."""
    place = tmp_path / "site"
    (place / "content").mkdir(parents=True)
    (place / "config.yaml").write_text("site: {title: T, url: https://t.example}\nfeeds: {archives: false}\n")
    for number in range(25):
        (place / "content" / f"{number:04d}.md").write_text(f"---\ntitle: T\ndate: 2026-05-01\n---\n\n{number}\n")
    batches = {"feeds.publish.scan:_BATCH_FILES": 10}
    calls = edited_site.trace_build(faults.copy_site(place, tmp_path / "whole"), "openat,pwrite64", constants=batches)
    reads = [number for number, call in enumerate(calls) if '.md"' in call]
    assert len(reads) == 25
    committed = sum(call.startswith("pwrite64(") for call in calls[: reads[20]])  # until the third batch begins
    done, _ = edited_site.build_with_fault(place, "signal=KILL", {"pwrite64": committed + 1}, constants=batches)
    assert done.returncode == -signal.SIGKILL
    assert not (place / "public").exists()
    assert sum('.md"' in call for call in edited_site.trace_build(place, "openat", constants=batches)) == 5


@pytest.mark.parametrize("options", ["", ", fork=True"], ids=["new", "forked"])
def test_a_killed_process_leaves_no_children(tmp_path, options):
    """The processes of a pool end when the process that started them is killed."""
    code = (
        "import os, signal\nfrom feeds.parallel import process_pool\n"
        f"processes = process_pool(int{options})\nwork = [processes.submit(bytes, 1_000_000) for _ in range(9)]\nwork[0].result()\n"
        "print(*processes._processes, file=open('pids', 'w'), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    with tempfile.TemporaryDirectory() as temporary:  # a process that is killed leaves its socket here
        killed = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, check=False, env=os.environ | {"TMPDIR": temporary}
        )
    assert killed.returncode == -signal.SIGKILL
    pids = (tmp_path / "pids").read_text().split()
    assert pids
    until = time.monotonic() + 30
    while left := [pid for pid in pids if command_of(pid)]:
        if time.monotonic() > until:
            for pid in left:
                os.kill(int(pid), signal.SIGKILL)
            raise AssertionError(left)
        time.sleep(0.05)


def command_of(pid):
    """Return the command line of a process; empty if the process has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_a_deleted_article_is_removed_after_a_kill(edited_site, tmp_path):
    """Documents that a killed build has written for an article are removed by the next build if the article was deleted."""
    template = tmp_path / "template"
    (template / "content").mkdir(parents=True)
    (template / "config.yaml").write_text("site: {title: T, url: https://t.example}\n")
    (template / "content" / "a.md").write_text("---\ntitle: T\ndate: 2026-05-01\n---\n\nText.\n")
    assert edited_site.build(template).returncode == 0
    before = faults.documents(template / "public")
    left = 0
    for nth in range(1, 6):  # the files are renamed in this order: the manifest, three documents, the manifest
        place = faults.copy_site(template, tmp_path / str(nth))
        secret = place / "content" / "b.md"
        secret.write_text("---\ntitle: Secret\ndate: 2026-05-02\n---\n\nText.\n")
        done, _ = edited_site.build_with_fault(place, "signal=KILL", {"renameat": nth})
        assert done.returncode == -signal.SIGKILL
        left += faults.documents(place / "public") != before
        secret.unlink()
        assert edited_site.build(place).returncode == 0
        assert b"Secret" not in b"".join(faults.documents(place / "public").values()), nth
    assert left == 3  # all builds except those that were killed before they wrote a document
