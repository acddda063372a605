"""Killed at any call, or with any call failing, a build leaves old or new documents, and the next one goes on from there."""

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
from hypothesis import settings

pytestmark = [pytest.mark.needs("strace"), pytest.mark.unmeasured]

NIGHTLY = settings().max_examples >= 1_000
LOG = r"catalog\.db-wal>"

# each kind of step that a build takes, in their order: the first call of it
STEPS = {
    "the log of the catalog begins": rf"pwrite64\(.*{LOG}",
    "the log reaches the disk": rf"fdatasync\(.*{LOG}",
    "a commit is written": rf"pwrite64\(.*{LOG}.*, 65664\)",
    "the plan is written": r"write\(.*/public/\.feeds-\w+\.tmp>",
    "the plan is put in place": r"rename.*/\.feeds-manifest\.json",
    "an archive is put in place": r"rename.*/archive/2/rss\.xml",
    "a document is written": r"write\(.*/public/\.feeds-\w+\.tmp>.*<\?xml",
    "a document is put in place": r"rename.*/public/rss\.xml",
    "a folder is made": r"mkdir\(.*/tag/new\"",
    "a new document is put in place": r"rename.*/tag/new/atom\.xml",
    "a page is put in place": r"rename.*/category/c1/index\.html",
    "a document is removed": r"unlink\(.*/tag/gone/feed\.json",
    "a folder is removed": r"rmdir\(.*/tag\"",
    "the manifest is written": r'write\(.*/public/\.feeds-\w+\.tmp>, "\{\\"/archive/1/atom.xml\\":\[\\"[^\\]',
    "a run is over": r"unlink\(.*/\.feeds-unfinished",
    "the log is copied into the catalog": r"pwrite64\(.*catalog\.db>",
    "the log is removed": r"unlink\(.*catalog\.db-wal",
}

OF_CATALOG = "pwrite64,ftruncate,fdatasync"
OF_TREE = "fsync,mkdir,rename,renameat,renameat2"
# what fails: the calls, from which one on, and the exit code; without a code, not even the sentence can be written
FAILURES = {
    "everything": (faults.STORES, "", None),
    "everything, after the plan": (faults.STORES, r"write\(.*/archive/1/\.feeds-\w+\.tmp>", None),
    "a commit": (OF_CATALOG, rf"pwrite64\(.*{LOG}.*, 65664\)", 3),
    "the end of the catalog": (OF_CATALOG, r"pwrite64\(.*catalog\.db>", 0),
    "the plan": (OF_TREE, "", 3),
    "a document": (OF_TREE, r"fsync\(.*/category/c0/\.feeds-\w+\.tmp>", 3),
    "a new folder": (OF_TREE, r"mkdir\(.*/tag/new\"", 3),
    "a page": (OF_TREE, r"rename.*/category/c1/index\.html", 3),
    "the manifest": (OF_TREE, r"fsync\(.*/public/\.feeds-\w+\.tmp>", 3),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Return a site that was built, what a build makes of it after edits, and a copy that has the edits and no build yet."""
    made = faults.Scene(tmp_path_factory.mktemp("faults"))
    yield made
    made.close()


def finished(scene, place):
    """Build once more, undisturbed, and check that this makes all documents new, and no more."""
    done = scene.build(place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert faults.documents(place / "public") == scene.new
    assert not list(place.rglob(".feeds-*.tmp"))
    assert not (place / "public/.feeds-unfinished").exists()


@pytest.mark.parametrize("step", STEPS)
def test_killed(scene, tmp_path, step):
    """Killed at any kind of step, a build has written old or new documents; the next one makes all of them new."""
    place = scene.copy(tmp_path / "site")
    killed(scene, place, scene.at(scene.step(STEPS[step])), STEPS[step], constants=faults.ONE_THREAD)


def killed(scene, place, at, pattern, **options):
    """Kill a build at a call that a pattern matches, and finish it."""
    done, calls = scene.injected(place, "signal=KILL", at, **options)
    assert done.returncode == -signal.SIGKILL, at
    assert re.match(pattern, calls[-1])
    assert scene.torn(place) == [], at
    finished(scene, place)


def test_killed_at_any_call(scene, tmp_path):
    """Killed at any call, at each one in a nightly run, a build has written old or new documents, and can be finished."""
    for step in range(0 if NIGHTLY else 7, len(scene.calls), 1 if NIGHTLY else len(scene.calls) // 3):
        place = scene.copy(tmp_path / f"site-{step}")
        killed(scene, place, scene.at(step), "", constants=faults.ONE_THREAD)
        shutil.rmtree(place)


def test_killed_while_threads_write(scene, tmp_path):
    """Killed while several threads write documents, a build has written old or new ones, and can be finished."""
    for call in ("write", "fsync", "rename") if NIGHTLY else ("fsync", "rename"):
        of_one = scene.count(call) // 4 - 1  # calls, at the least, of one of four threads
        assert of_one >= 5
        for nth in range(2, of_one, 1 if NIGHTLY else 3):
            place = scene.copy(tmp_path / f"site-{call}-{nth}")
            killed(scene, place, {call: nth}, "")
            shutil.rmtree(place)


def test_a_process_is_killed(scene, tmp_path):
    """A command in a process of its own, which renders in another one, is finished by the next as a copy is."""
    place = scene.copy(tmp_path / "site")
    command = [sys.executable, "-m", "feeds", "build"]
    traced = [
        *faults.strace("-qq", "-o", "/dev/null", *faults.fault("signal=KILL", {"rename": 3})),
        *command,
    ]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # which renames files too
    assert subprocess.run(traced, cwd=place, env=environment, check=False, timeout=120).returncode == -signal.SIGKILL
    assert scene.torn(place) == []
    assert (place / "public/.feeds-unfinished").exists()
    done = subprocess.run(command, cwd=place, check=False, timeout=120, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert faults.documents(place / "public") == scene.new


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (what, error)
        for number, what in enumerate(FAILURES)
        for error in (["ENOSPC", "EIO"] if NIGHTLY else [["ENOSPC", "EIO"][number % 2]])
    ],
)
def test_refused(scene, tmp_path, what, error):
    """With a disk that is full, or fails, from a call on: a sentence, old or new documents, and the next build is right."""
    place = scene.copy(tmp_path / "site")
    calls, pattern, code = FAILURES[what]
    at = scene.from_(scene.step(pattern), calls)
    done, _ = scene.injected(place, f"error={error}", at, constants=faults.ONE_THREAD)
    if code is None:
        assert (done.returncode > 0, done.stderr) == (True, "")
    else:
        assert (done.returncode, done.stderr.count("\n")) == (code, int(code > 0)), done.stderr
    assert scene.torn(place) == []
    finished(scene, place)


def test_no_descriptors(scene, tmp_path):
    """Where no file more can be opened, from the first one on: a sentence, nothing lost, and the next build is right."""
    said, limit = set(), 4
    while True:
        place = scene.copy(tmp_path / f"site-{limit}")
        done = scene.build(place, descriptors=limit)
        if done.returncode == 0:
            break
        assert (done.returncode in {2, 3}, done.stderr.count("\n")) == (True, 1), (limit, done.stderr)
        said.add(done.stderr.rpartition(": ")[0].replace(str(place), "").partition(".")[0])
        assert scene.torn(place) == []
        finished(scene, place)
        limit += 1 if NIGHTLY or limit < 20 else 2
    assert len(said) >= 3, said  # the configuration, the catalog, documents


def test_a_cold_start_goes_on_where_it_was_killed(scene, tmp_path):
    """Killed three times, a cold start ends with the documents of a build that was never disturbed."""
    place, undisturbed = scene.copy(tmp_path / "site"), scene.copy(tmp_path / "undisturbed")
    for site in (place, undisturbed):
        shutil.rmtree(site / ".feeds")
        shutil.rmtree(site / "public")
    assert scene.build(undisturbed).returncode == 0
    for at in ({"pwrite64": 30}, {"pwrite64": 60}, {"rename": 3}):
        assert scene.injected(place, "signal=KILL", at)[0].returncode == -signal.SIGKILL, at
    assert scene.build(place).returncode == 0
    assert faults.documents(place / "public") == faults.documents(undisturbed / "public")


def test_what_was_read_before_a_kill_is_not_read_again(scene, tmp_path):
    """A cold start that is killed after two batches goes on with the files that are left."""
    place = tmp_path / "site"
    (place / "content").mkdir(parents=True)
    (place / "config.yaml").write_text("site: {title: T, url: https://t.example}\nfeeds: {archives: false}\n")
    for number in range(25):
        (place / "content" / f"{number:04d}.md").write_text(f"---\ntitle: T\ndate: 2026-05-01\n---\n\n{number}\n")
    batches = {"feeds.publish.look:_BATCH": 10}
    calls = scene.traced(faults.copied(place, tmp_path / "whole"), "openat,pwrite64", constants=batches)
    reads = [number for number, call in enumerate(calls) if '.md"' in call]
    assert len(reads) == 25
    committed = sum(call.startswith("pwrite64(") for call in calls[: reads[20]])  # when the third batch is begun
    done, _ = scene.injected(place, "signal=KILL", {"pwrite64": committed + 1}, constants=batches)
    assert done.returncode == -signal.SIGKILL
    assert not (place / "public").exists()
    assert sum('.md"' in call for call in scene.traced(place, "openat", constants=batches)) == 5


@pytest.mark.parametrize("prepared", ["", "prepare('feeds.publish.reader')\n"], ids=["new", "copied"])
def test_who_is_killed_leaves_no_process_behind(tmp_path, prepared):
    """Processes that were started for many files, and wait for more of them, end when who started them was killed."""
    code = (
        f"import os, signal\nfrom feeds.pool import pool, prepare\n{prepared}"
        "processes = pool(int)\nwork = [processes.submit(bytes, 1_000_000) for _ in range(9)]\nwork[0].result()\n"
        "print(*processes._processes, file=open('pids', 'w'), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    with tempfile.TemporaryDirectory() as temporary:  # in which one that is killed leaves its socket
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


@pytest.mark.parametrize("room", [True, False])
def test_processes_are_copied_where_that_can_be(tmp_path, room):
    """A process is a copy of one that runs nothing of the folder we are in, or new where no socket can be."""
    (tmp_path / "yaml.py").write_text("raise SystemExit('this is not for you')")
    too_long = tmp_path / ("x" * 120)  # for a socket's name
    too_long.mkdir()
    code = (
        "import os\nfrom feeds.pool import pool, prepare\nbefore = dict(os.environ)\nprepare('feeds.publish.reader')\n"
        "with pool(int) as processes:\n    print(processes.submit(os.getppid).result() != os.getpid(), os.environ == before)"
    )
    environment = os.environ | {"TMPDIR": tempfile.gettempdir() if room else str(too_long)}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, check=True, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [str(room), "True"]
    assert done.stderr == ""


def command_of(pid):
    """Give the command of a process, nothing of one that is over."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_what_is_withdrawn_after_a_kill_is_gone(scene, tmp_path):
    """What a build wrote before it was killed and the next one has no more of, since the article is gone, is gone too."""
    template = tmp_path / "template"
    (template / "content").mkdir(parents=True)
    (template / "config.yaml").write_text("site: {title: T, url: https://t.example}\n")
    (template / "content" / "a.md").write_text("---\ntitle: T\ndate: 2026-05-01\n---\n\nText.\n")
    assert scene.build(template).returncode == 0
    before = faults.documents(template / "public")
    left = 0
    for nth in range(1, 6):  # of the files that are put into their places: the manifest, three documents, the manifest
        place = faults.copied(template, tmp_path / str(nth))
        secret = place / "content" / "b.md"
        secret.write_text("---\ntitle: Secret\ndate: 2026-05-02\n---\n\nText.\n")
        done, _ = scene.injected(place, "signal=KILL", {"rename": nth}, constants=faults.ONE_THREAD)
        assert done.returncode == -signal.SIGKILL
        left += faults.documents(place / "public") != before
        secret.unlink()
        assert scene.build(place).returncode == 0
        assert b"Secret" not in b"".join(faults.documents(place / "public").values()), nth
    assert left == 3  # all but those that were killed before a document was there
