"""The architecture's laws, held: floors, doors, a core without I/O, rooms that stay small, imports that cost nothing."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "feeds"
MODULES = sorted(PACKAGE.rglob("*.py"))
CORE = ["model.py", "errors.py", "text.py", "article_files.py", "paths.py", "patterns.py", "syndicate.py", "readers.py", "parse", "formats",
        "lint", "moving", "hosts.py"]  # fmt: skip
DOORS = {  # library -> the rooms that may open it
    "apscheduler": {"schedule"},
    "brotli": {"encoding"},
    "click": {"cli"},
    "feedgen": {"formats"},
    "flask": {"web"},
    "frontmatter": {"parse"},
    "granian": {"cli"},
    "jinja2": {"pages"},
    "lxml": {"formats"},
    "comrak": {"parse"},
    "markdown": {"parse"},
    "nh3": {"parse"},
    "obstore": {"export"},
    "pathspec": {"folder"},
    "prometheus_client": {"web"},
    "psycopg": {"catalog"},
    "pydantic": {"config"},
    "pydantic_core": {"catalog"},
    "regex": {"text"},
    "sqlalchemy": {"catalog"},
    "watchfiles": {"folder"},
    "werkzeug": {"web"},
    "yaml": {"parse"},
    "zstandard": {"encoding"},
}


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.integration
def test_floors():
    """Imports point downward only, formats know nothing of each other, and the core imports nothing that does I/O."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_one_door_per_library():
    """Each library is opened by one room, and every library that is opened is named here."""
    opened = {}
    for path in MODULES:
        for name in imports(path):
            if name not in sys.stdlib_module_names and name != "feeds":
                opened.setdefault(name, set()).add(room(path))
    assert opened == DOORS


@pytest.mark.parametrize("path", [p for p in MODULES if p.relative_to(PACKAGE).parts[0] in CORE], ids=str)
def test_the_core_reads_no_clock_and_no_file(path):
    """`now` is passed in, and so is every text."""
    calls = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not calls & {
        "now",
        "today",
        "utcnow",
        "monotonic",
        "open",
        "read_text",
        "read_bytes",
        "print",
        "input",
        "getenv",
    }


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_stay_small(path):
    """A module has a docstring and at most 500 lines: one subject fits into that and need not be divided for a number."""
    text = path.read_text("utf-8")
    assert text.count("\n") <= 500
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.integration
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("command", "never"),
    [
        (["-c", "import feeds"], {"flask", "sqlalchemy", "pydantic", "markdown", "lxml", "click", "datetime"}),
        (
            ["-m", "feeds", "--version"],
            {"flask", "sqlalchemy", "pydantic", "markdown", "lxml", "granian", "apscheduler"},
        ),
        (
            ["-m", "feeds", "status", "-c", "config.yaml"],
            {"flask", "markdown", "feedgen", "granian", "apscheduler", "watchfiles"},
        ),
        (["-m", "feeds", "check", "-c", "config.yaml"], {"flask", "granian", "feedgen"}),
    ],
)
def test_what_a_command_does_not_need_is_not_imported(command, never):
    """Importing the package costs nothing, and a command pays only for the rooms that it enters."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert done.returncode == 0
    assert not imported & never


def tracked():
    done = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        return [path for path in REPOSITORY.rglob("*") if path.is_file() and ".venv" not in path.parts]
    return [path for line in done.stdout.splitlines() if (path := REPOSITORY / line).exists()]


def test_no_registry_is_named():
    """Requirements are locked with hashes, and no file names a package registry's host."""
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "--index" + "-url")
    for path in tracked():
        text = path.read_bytes()
        assert not any(host.encode() in text for host in hosts), path
    for lock in ("build", "run", "dev"):
        text = (REPOSITORY / "requirements" / f"{lock}.txt").read_text()
        assert text.count("--hash=sha256:") > 5
        assert all("==" in line for line in text.splitlines() if line[:1].isalpha())


def test_every_test_says_what_it_promises():
    """Each test has a docstring of one sentence."""
    for path in (REPOSITORY / "tests").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_every_key_is_documented():
    """docs/config.md has a line for every key of the configuration, with its default."""
    from feeds.config import Config

    text = (REPOSITORY / "docs" / "config.md").read_text("utf-8")
    for name, section in Config.model_fields.items():
        if section.exclude:
            continue
        inner = getattr(section.annotation, "model_fields", None)
        if inner is None:
            assert f"| `{name}` |" in text
        for key, field in (inner or {}).items():
            row = next((line for line in text.splitlines() if line.startswith(f"| `{name}.{key}` |")), "")
            assert row, f"{name}.{key}"
            if not field.is_required() and isinstance(field.default, str | int | float) and field.default != "":
                assert (json.dumps(field.default) if isinstance(field.default, bool) else str(field.default)) in row, (
                    row
                )
