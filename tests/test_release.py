"""`make release`: a release is a commit, a tag and two distributions, or one sentence that names the missing condition."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from test_architecture import tracked_files

from feeds import __version__

pytestmark = [pytest.mark.integration, pytest.mark.unmeasured]
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "A"), ("EMAIL", "a@a.example"))
    },
}
MAJOR, MINOR, PATCH = map(int, re.match(r"(\d+)\.(\d+)\.(\d+)", __version__).groups())
NEXT, OLDER = f"{MAJOR}.{MINOR + 1}.0", f"{MAJOR}.{MINOR}.{PATCH}a0"


def git(folder, *words):
    """Run git in a folder; return its output."""
    return subprocess.run(
        ["git", *words], cwd=folder, env=os.environ | GIT, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """Return a repository with the files of this one and one unreleased change, to clone and push to."""
    root = tmp_path_factory.mktemp("remote")
    for file in tracked_files():
        target = root / "tree" / file.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    changelog = root / "tree" / "CHANGELOG.md"
    changelog.write_text(
        changelog.read_text("utf-8").replace("## [Unreleased]\n", "## [Unreleased]\n\n- A change.\n"), "utf-8"
    )
    git(root / "tree", "init", "--quiet", "--initial-branch=main")
    git(root / "tree", "add", "--all")
    git(root / "tree", "commit", "--quiet", "-m", "Begin")
    git(root, "clone", "--quiet", "--bare", "tree", "remote.git")
    return root / "remote.git"


@pytest.fixture
def clone(remote, tmp_path):
    """Return a new clone with a remote of its own."""
    shutil.copytree(remote, tmp_path / "remote.git")
    git(tmp_path, "clone", "--quiet", "remote.git", "clone")
    return tmp_path / "clone"


def run(folder, *words):
    """Run the script of `make release` in a clone, without the tests and `make lint`."""
    options = ["--skip-tests"] if words[0] == "release" else []
    return subprocess.run(
        [sys.executable, "tools/release.py", *words, *options],
        cwd=folder,
        env=os.environ | GIT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release(clone):
    """The version is set, the changes get a heading with the date, both distributions are built, a tag is created."""
    done = run(clone, "release", NEXT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"  git push --atomic origin main v{NEXT}\n")
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "show", "--format=%s", "--name-only", "HEAD").split("\n") == [
        f"Release {NEXT}",
        "",
        "CHANGELOG.md",
        "feeds/__init__.py",
    ]
    assert git(clone, "rev-parse", f"v{NEXT}^{{commit}}") == git(clone, "rev-parse", "HEAD")
    assert git(clone, "cat-file", "-t", f"v{NEXT}") == "tag"
    assert f'__version__ = "{NEXT}"' in (clone / "feeds" / "__init__.py").read_text("utf-8")
    changelog = (clone / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"## \[Unreleased\]\n\n## \[{re.escape(NEXT)}\] - \d{{4}}-\d\d-\d\d\n\n- A change\.\n", changelog)
    assert [file.suffix for file in sorted((clone / "dist").iterdir())] == [".whl", ".gz"]
    assert all(f"-{NEXT}" in file.name for file in (clone / "dist").iterdir())
    notes = run(clone, "notes", NEXT).stdout
    assert notes.startswith("- A change.\n")
    assert "\n## " not in notes
    git(clone, "push", "--quiet", "--atomic", "origin", "main", f"v{NEXT}")
    repeated = run(clone, "release", NEXT)
    assert (repeated.returncode, "already has this section" in repeated.stderr) == (1, True)
    empty = run(clone, "release", f"{MAJOR + 1}.0.0")
    assert (empty.returncode, "[Unreleased] is empty" in empty.stderr) == (1, True)


@pytest.mark.parametrize(
    ("case", "version", "sentence"),
    [
        ("", "", "no version: write VERSION=X.Y.Z"),
        ("", "v2.0", "v2.0: write VERSION=X.Y.Z"),
        ("", OLDER, f"{OLDER}: is older than the current version, {__version__}"),
        ("tag", NEXT, f"{NEXT}: the tag v{NEXT} exists already"),
        ("untracked", NEXT, "the clone has changes that are not committed; commit or stash them:\n?? notes.txt"),
        ("branch", NEXT, "the branch is topic: releases are made from main"),
        ("detached", NEXT, "the branch is detached: releases are made from main"),
        ("no upstream", NEXT, "main has no upstream branch: git branch --set-upstream-to=origin/main"),
        ("ahead", NEXT, "main differs from origin/main (0 behind, 1 ahead): pull or push first"),
        ("behind", NEXT, "main differs from origin/main (1 behind, 0 ahead): pull or push first"),
        ("does not build", NEXT, "nothing was released"),
    ],
)
def test_what_prevents_a_release(clone, case, version, sentence):
    """If a condition is not met, one sentence says which and what to do, and the clone is unchanged."""
    match case:
        case "tag":
            git(clone, "tag", f"v{NEXT}")
        case "untracked":
            (clone / "notes.txt").write_text("a")
        case "branch":
            git(clone, "switch", "--quiet", "-c", "topic")
        case "detached":
            git(clone, "switch", "--quiet", "--detach")
        case "no upstream":
            git(clone, "branch", "--unset-upstream")
        case "ahead":
            git(clone, "commit", "--quiet", "--allow-empty", "-m", "More")
        case "behind":
            git(clone, "commit", "--quiet", "--allow-empty", "-m", "More")
            git(clone, "push", "--quiet")
            git(clone, "reset", "--quiet", "--hard", "HEAD~")
        case "does not build":
            git(clone, "rm", "--quiet", "README.md")
            git(clone, "commit", "--quiet", "-m", "Forget the README")
            git(clone, "push", "--quiet")
    before = git(clone, "rev-parse", "HEAD"), git(clone, "status", "--porcelain"), git(clone, "tag")
    done = run(clone, "release", version)
    assert (done.returncode, sentence in done.stderr) == (1, True), done.stderr
    assert re.findall(r"^release: ", done.stderr, flags=re.MULTILINE) == ["release: "]
    assert (git(clone, "rev-parse", "HEAD"), git(clone, "status", "--porcelain"), git(clone, "tag")) == before


def test_make_release_passes_its_arguments():
    """`make release` runs the script with the version and the options."""
    command = ["make", "--dry-run", "--old-file=.venv/.dev", "release", "VERSION=1.2.3", "ARGS=--skip-tests"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert '/python tools/release.py release "1.2.3" --skip-tests' in done.stdout
