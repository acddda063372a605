"""Killed or refused at any call, a build leaves documents that are the old or the new ones, and the next one goes on."""

import os
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

pytestmark = pytest.mark.needs("strace")

STEPS = 14  # of all the calls that a build makes; benchmarks/faults.py goes through each of them


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A site that was built, what a build makes of it after edits, and a copy that has the edits and no build yet."""
    root = tmp_path_factory.mktemp("faults")
    return faults.Scene(root)


@pytest.mark.parametrize("step", range(STEPS))
def test_killed(scene, tmp_path, step):
    """Killed at a call, a build has written old or new documents; the next one makes all of them new, and no more."""
    place = scene.copy(tmp_path / "site")
    nth = 1 + scene.calls * step // STEPS
    faults.injected(["build"], place, f"signal=KILL:when={nth}")
    assert scene.torn(place) == []
    done = scene.build(place)
    assert (done.returncode, done.stderr) == (0, "")
    assert faults.documents(place / "public") == scene.new
    assert not list(place.rglob(".feeds-*.tmp"))


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_refused(scene, tmp_path, error, step):
    """With a disk that is full, or fails, from a call on: a sentence, old or new documents, and the next build is right."""
    place = scene.copy(tmp_path / "site")
    nth = 1 + scene.calls * step // 4
    done = faults.injected(["build"], place, f"error={error}:when={nth}+", calls=faults.STORES)
    assert done.returncode in {0, 3} or not done.stderr  # where not even the sentence can be written
    assert "Traceback" not in done.stderr
    assert scene.torn(place) == []
    assert scene.build(place).returncode == 0
    assert faults.documents(place / "public") == scene.new


@pytest.mark.parametrize("step", range(4))
def test_no_descriptors(scene, tmp_path, step):
    """Where no file can be opened any more: a sentence, nothing lost, and the next build is right."""
    place = scene.copy(tmp_path / "site")
    nth = scene.opened - 12 * step
    done = faults.injected(["build"], place, f"error=EMFILE:when={nth}+", calls="openat")
    assert "Traceback" not in done.stderr
    assert scene.torn(place) == []
    assert scene.build(place).returncode == 0
    assert faults.documents(place / "public") == scene.new


def test_a_cold_start_goes_on_where_it_was_killed(scene, tmp_path):
    """What was read before a kill is not read again, and the feeds are those of a build that was never disturbed."""
    place, undisturbed = scene.copy(tmp_path / "site"), scene.copy(tmp_path / "undisturbed")
    for site in (place, undisturbed):
        shutil.rmtree(site / ".feeds")
        shutil.rmtree(site / "public")
    assert scene.build(undisturbed).returncode == 0
    for number in (30, 60, 90):
        faults.injected(["build"], place, f"signal=KILL:when={number}")
    assert scene.build(place).returncode == 0
    assert faults.documents(place / "public") == faults.documents(undisturbed / "public")


def test_what_was_read_before_a_kill_is_not_read_again(tmp_path):
    """A cold start that is killed after a batch goes on with the files that are left."""
    place = tmp_path / "site"
    (place / "content").mkdir(parents=True)
    (place / "config.yaml").write_text("site: {title: T, url: https://t.example}\nfeeds: {archives: false}\n")
    for number in range(2500):
        (place / "content" / f"{number:04d}.md").write_text(f"---\ntitle: T\ndate: 2026-05-01\n---\n\n{number}\n")
    reads = faults.counted(["build"], faults.copied(place, tmp_path / "whole"), "openat")
    # the catalog's log is written at each commit: half of the way through those of the first two batches
    faults.injected(["build"], place, "signal=KILL:when=250", calls="pwrite64")
    assert not (place / "public").exists()
    left = faults.counted(["build"], place, "openat")
    assert left < reads - 900, "nothing was left of the first run"


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


def test_what_is_withdrawn_after_a_kill_is_gone(tmp_path):
    """What a build wrote before it was killed and the next one has no more of, since the article is gone, is gone too."""
    template = tmp_path / "template"
    (template / "content").mkdir(parents=True)
    (template / "config.yaml").write_text("site: {title: T, url: https://t.example}\n")
    (template / "content" / "a.md").write_text("---\ntitle: T\ndate: 2026-05-01\n---\n\nText.\n")
    assert faults.Scene.build(template).returncode == 0
    before = faults.documents(template / "public")
    left = 0
    for nth in range(1, 6):  # of the files that are put into their places: the manifest, three documents, the manifest
        place = faults.copied(template, tmp_path / str(nth))
        secret = place / "content" / "b.md"
        secret.write_text("---\ntitle: Secret\ndate: 2026-05-02\n---\n\nText.\n")
        faults.injected(["build"], place, f"signal=KILL:when={nth}", calls="rename,renameat,renameat2")
        left += faults.documents(place / "public") != before
        secret.unlink()
        assert faults.Scene.build(place).returncode == 0
        assert b"Secret" not in b"".join(faults.documents(place / "public").values()), nth
    assert left >= 3
