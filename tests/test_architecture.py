"""Checks the rules of docs/architecture.md: layers, one package per library, a pure core, small modules, cheap imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "feeds"
MODULES = sorted(PACKAGE.rglob("*.py"))
PURE_PACKAGES = {"core", "migrate"}
LIBRARY_PACKAGES = {  # library -> the packages that import it
    "apscheduler": {"publish"},
    "brotli": {"compression"},
    "click": {"cli"},
    "feedgen": {"core"},
    "flask": {"web"},
    "frontmatter": {"core"},
    "granian": {"cli"},
    "jinja2": {"pages"},
    "lxml": {"core"},
    "comrak": {"core"},
    "markdown": {"core"},
    "markupsafe": {"pages"},
    "nh3": {"core"},
    "obstore": {"export"},
    "pathspec": {"content"},
    "prometheus_client": {"web"},
    "psycopg": {"catalog"},
    "pydantic": {"config"},
    "pydantic_core": {"catalog"},
    "pygments": {"highlight"},
    "regex": {"core"},
    "sqlalchemy": {"catalog"},
    "watchfiles": {"content"},
    "werkzeug": {"web"},
    "yaml": {"core"},
    "zlib_ng": {"compression"},
    "zstandard": {"compression"},
}


def package_of(path):
    """Return the package or top-level module of `feeds` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_libraries(path):
    """Yield the top-level name of each import of a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.integration
def test_imports_follow_the_layers():
    """Imports point downward, formats don't import each other, and the core imports nothing that does I/O."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_one_package_per_library():
    """Each third-party library is imported by one package, and `LIBRARY_PACKAGES` is complete."""
    packages = {}
    for path in MODULES:
        for name in imported_libraries(path):
            if name not in sys.stdlib_module_names and name != "feeds":
                packages.setdefault(name, set()).add(package_of(path))
    assert packages == LIBRARY_PACKAGES


@pytest.mark.parametrize("path", [p for p in MODULES if package_of(p) in PURE_PACKAGES], ids=str)
def test_the_core_reads_no_clock_and_no_file(path):
    """Pure packages get the current time and all texts as arguments."""
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
    """A module has a docstring and at most 500 lines."""
    text = path.read_text("utf-8")
    assert text.count("\n") <= 500
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.integration
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("command", "forbidden"),
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
        (["-m", "feeds", "check", "-c", "config.yaml"], {"flask", "granian", "feedgen", "apscheduler"}),
    ],
)
def test_a_command_imports_only_what_it_needs(command, forbidden):
    """Importing the package is cheap, and a command imports only the libraries that it uses."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert done.returncode == 0
    assert not imported & forbidden


def tracked_files():
    """Return the files that git tracks; all files if this is not a repository."""
    done = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        return [path for path in REPOSITORY.rglob("*") if path.is_file() and ".venv" not in path.parts]
    return [path for line in done.stdout.splitlines() if (path := REPOSITORY / line).exists()]


def test_no_file_names_a_package_registry():
    """Requirements are locked with hashes, and no file contains the host of a package registry."""
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "--index" + "-url")
    for path in tracked_files():
        text = path.read_bytes()
        assert not any(host.encode() in text for host in hosts), path
    for lock in ("build", "run", "dev"):
        text = (REPOSITORY / "requirements" / f"{lock}.txt").read_text()
        assert text.count("--hash=sha256:") > 5
        assert all("==" in line for line in text.splitlines() if line[:1].isalpha())


def test_every_test_has_a_docstring():
    """Each test has a docstring that states what it verifies."""
    for path in (REPOSITORY / "tests").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_class_names_are_unique():
    """No two public classes of the package have the same name."""
    positions = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                positions.setdefault(node.name, []).append(f"{path.relative_to(REPOSITORY)}:{node.lineno}")
    duplicates = {name: found for name, found in positions.items() if len(found) > 1}
    assert not duplicates, duplicates


def annotations(function):
    """Yield the annotations of a function's parameters and result, with those that are written as strings parsed."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for annotation in (*(argument.annotation for argument in named), function.returns):
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            yield ast.parse(annotation.value, mode="eval")
        elif annotation:
            yield annotation


def is_fixed_tuple(node):
    """Return whether a type is a tuple whose positions have meanings, such as `tuple[int, str]`."""
    is_tuple = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "tuple"
    return is_tuple and isinstance(node.slice, ast.Tuple) and bool(node.slice.elts) and not (
        isinstance(node.slice.elts[-1], ast.Constant) and node.slice.elts[-1].value is ...
    )  # fmt: skip


@pytest.mark.parametrize("path", [p for p in MODULES if package_of(p) not in {"core", "web"}], ids=str)
def test_packages_exchange_named_types(path):
    """Public functions that other packages may call neither take nor return bare tuples."""
    tree = ast.parse(path.read_text("utf-8"))
    scopes = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = [node for scope in scopes for node in scope.body if isinstance(node, ast.FunctionDef)]
    assert not [
        f"{function.lineno}: {function.name}"
        for function in functions
        if not function.name.startswith("_")
        and any(is_fixed_tuple(node) for annotation in annotations(function) for node in ast.walk(annotation))
    ]


VAGUE_OPENINGS = ("Give ", "Let ", "Gives ", "Tell ", "Tells ", "Say ", "What ", "Have ")
VAGUE_PHRASES = (
    "the world", "whoever", "anew", "so many", "mended", "of ours", "contract section", "who polls", "told of",
    "the house",
)  # fmt: skip
SPACE = r"[ \n#]+"  # a line break may divide a phrase, also in a comment
VAGUE_PHRASE = re.compile("|".join(rf"\b{phrase.replace(' ', SPACE)}\b" for phrase in VAGUE_PHRASES), re.IGNORECASE)


def vague_docstrings(path):
    """Yield (line, opening) for the docstrings of a module that begin with a vague verb."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node) or ""
            if docstring.startswith(VAGUE_OPENINGS):
                yield node.body[0].lineno, docstring.partition("\n")[0]


def vague_phrases(path):
    """Yield (line, phrase) for the vague phrases of a file, also those that a line break divides.

    A string of SQL that consists of a phrase is a key in catalogs of earlier versions, which are migrated.
    """
    text = path.read_text("utf-8")
    for match in VAGUE_PHRASE.finditer(text):
        if text[match.start() - 1 : match.end() + 1] == f"'{match[0]}'":
            continue
        yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].split())


def test_language_is_plain():
    """Code, tests and documentation contain no vague openings and phrases."""
    findings = []
    folders = [REPOSITORY / "docs", REPOSITORY / "tests", PACKAGE]
    documents = [*REPOSITORY.glob("*.md"), *(path for folder in folders for path in folder.rglob("*"))]
    for path in sorted({*documents} - {Path(__file__)}):
        if path.suffix in {".py", ".md", ".html", ".css", ".js", ".toml"}:
            found = [*vague_phrases(path), *(vague_docstrings(path) if path.suffix == ".py" else ())]
            findings += [f"{path.relative_to(REPOSITORY)}:{line}: {phrase}" for line, phrase in sorted(found)]
    assert not findings, "\n" + "\n".join(findings)


def imported_modules(tree, modules):
    """Yield the modules of the package that a module imports anywhere, also in functions and for types alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in modules else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_import_cycles():
    """No module imports itself by way of others, neither in a function nor for type checkers."""
    modules = {".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
               for path in MODULES}  # fmt: skip
    imports_of = {name: {other for other in imported_modules(ast.parse(path.read_text("utf-8")), modules)
                         if other in modules and other != name}
                  for name, path in modules.items()}  # fmt: skip
    while leaves := [name for name, imported in imports_of.items() if not imported & imports_of.keys()]:
        for name in leaves:
            del imports_of[name]
    assert not imports_of, "modules in cycles, or that import such modules"
