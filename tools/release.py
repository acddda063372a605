"""Builds and checks the distributions, and makes releases: `make dist`, `make release VERSION=…`.

CONTRIBUTING.md describes the whole procedure. This script changes only this clone; it pushes and uploads nothing.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSION_FILE = ROOT / "feeds" / "__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"
DIST = ROOT / "dist"
BRANCH = "main"
_UNRELEASED = "## [Unreleased]\n"
_VERSION_LINE = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)


class ReleaseError(Exception):
    """A condition for a release is not met. The message names the condition and a remedy."""


def run(*command: str) -> str:
    """Run a command in the clone; return its output without the trailing newline. Raise `ReleaseError` if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.rstrip("\n")


def show(*command: str) -> None:
    """Run a command in the clone and show its output. Raise `ReleaseError` if it fails."""
    print("+", " ".join(command), flush=True)
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise ReleaseError(f"`{' '.join(command)}` failed; nothing was released")


def current_version() -> str:
    """Return the version in feeds/__init__.py."""
    match = _VERSION_LINE.search(VERSION_FILE.read_text("utf-8"))
    assert match
    return match[1]


def section(heading: str) -> str:
    """Return a section of CHANGELOG.md ("Unreleased", or a version). Raise `ReleaseError` if there is none."""
    text = CHANGELOG.read_text("utf-8")
    match = re.search(rf"^## \[{re.escape(heading)}\].*\n((?:(?!## \[).*\n)*)", text, re.MULTILINE)
    if match is None:
        raise ReleaseError(f"CHANGELOG.md: has no section [{heading}]")
    return match[1].strip()


def build() -> None:
    """Build the wheel and the source distribution in dist/ with the locked build tools, and check their metadata."""
    shutil.rmtree(DIST, ignore_errors=True)
    show(sys.executable, "-m", "hatchling", "build", "-d", str(DIST))
    show(sys.executable, "-m", "twine", "check", "--strict", *map(str, sorted(DIST.iterdir())))


def check_version(version: str) -> None:
    """Raise `ReleaseError` unless a version has the form that is used here and is not older than the current one."""
    from packaging.version import Version

    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        raise ReleaseError(f"{version or 'no version'}: write VERSION=X.Y.Z, or X.Y.ZrcN before a release")
    current = current_version()
    if Version(version) < Version(current):
        raise ReleaseError(f"{version}: is older than the current version, {current}; choose a higher one")
    if f"\n## [{version}]" in CHANGELOG.read_text("utf-8"):
        raise ReleaseError(f"{version}: CHANGELOG.md already has this section; choose a higher version")
    if run("git", "tag", "--list", f"v{version}"):
        raise ReleaseError(f"{version}: the tag v{version} exists already; choose a higher version")


def check_clone() -> str:
    """Return the remote of the branch. Raise `ReleaseError` unless the clone is a clean and current main."""
    branch = run("git", "branch", "--show-current")
    if branch != BRANCH:
        raise ReleaseError(
            f"the branch is {branch or 'detached'}: releases are made from {BRANCH} (git switch {BRANCH})"
        )
    if changed := run("git", "status", "--porcelain"):
        raise ReleaseError(f"the clone has changes that are not committed; commit or stash them:\n{changed}")
    remote = run("git", "config", "--default", "", "--get", f"branch.{BRANCH}.remote")
    if not remote:
        raise ReleaseError(f"{BRANCH} has no upstream branch: git branch --set-upstream-to=origin/{BRANCH}")
    run("git", "fetch", "--quiet", "--tags", remote)
    behind, ahead = run("git", "rev-list", "--left-right", "--count", "@{upstream}...HEAD").split()
    if (behind, ahead) != ("0", "0"):
        raise ReleaseError(
            f"{BRANCH} differs from {remote}/{BRANCH} ({behind} behind, {ahead} ahead): pull or push first"
        )
    return remote


def release(version: str, *, skip_tests: bool) -> None:
    """Test, set the version, move the unreleased changes into a section of their own, build, commit and tag.

    If a step after the tests fails, the changed files get their former contents.
    """
    check_version(version)
    remote = check_clone()
    changes = section("Unreleased")
    if not changes:
        raise ReleaseError("CHANGELOG.md: the section [Unreleased] is empty; describe the changes first")
    if not skip_tests:
        show("make", "test")
        show("make", "lint")
    before = {file: file.read_text("utf-8") for file in (VERSION_FILE, CHANGELOG)}
    today = datetime.now(UTC).date().isoformat()
    try:
        VERSION_FILE.write_text(_VERSION_LINE.sub(f'__version__ = "{version}"', before[VERSION_FILE]), "utf-8")
        head, _, rest = before[CHANGELOG].partition(_UNRELEASED)
        CHANGELOG.write_text(f"{head}{_UNRELEASED}\n## [{version}] - {today}\n{rest}", "utf-8")
        build()
        run("git", "add", str(VERSION_FILE), str(CHANGELOG))
        run("git", "commit", "--quiet", "-m", f"Release {version}")
    except BaseException:
        for file, text in before.items():
            file.write_text(text, "utf-8")
        run("git", "reset", "--quiet")
        raise
    run("git", "tag", "--annotate", f"v{version}", "-m", f"feeds {version}")
    print(f"Committed and tagged v{version}. To publish it, which starts .github/workflows/release.yml:")
    print(f"  git push --atomic {remote} {BRANCH} v{version}")


def main(arguments: Sequence[str]) -> int:
    """Run a subcommand. Return 1 if it fails, after a message."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build and check the distributions in dist/")
    notes = commands.add_parser("notes", help="print the section of a version in CHANGELOG.md")
    notes.add_argument("version")
    new = commands.add_parser("release", help="commit and tag a release")
    new.add_argument("version")
    new.add_argument("--skip-tests", action="store_true", help="do not run `make test` and `make lint`")
    given = parser.parse_args(arguments)
    try:
        if given.command == "build":
            build()
        elif given.command == "notes":
            print(section(given.version))
        else:
            release(given.version, skip_tests=given.skip_tests)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
