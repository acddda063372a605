"""The wheel and the source distribution have the expected contents, and the wheel alone is a working program."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import urllib.request
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from conftest import REPOSITORY, free_port
from test_architecture import tracked_files
from waiting import eventually

from feeds import __version__
from feeds.distribution import distribution_name, install_command, share_folder

pytestmark = [pytest.mark.integration, pytest.mark.unmeasured]
NAME = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["name"]
STEM = f"{NAME.replace('-', '_')}-{__version__}"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a folder with the tracked files and without the history: the source distribution has all of them."""
    folder = tmp_path_factory.mktemp("source")
    for file in tracked_files():
        target = folder / file.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    return folder


@pytest.fixture(scope="module")
def distributions(source):
    """Build both distributions with the locked tools, without network; return the folder that contains them."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", "built"], cwd=source, check=True)
    return source / "built"


def files_of_wheel(file):
    """Return the contents of the files of a wheel by their paths."""
    with zipfile.ZipFile(file) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


def test_the_wheel(source, distributions):
    """The wheel contains each file of the package, and the pages and deployment files to which messages refer."""
    tracked = {file.relative_to(REPOSITORY).as_posix() for file in tracked_files()}
    expected = {path for path in tracked if path.startswith("feeds/")}
    expected |= {f"feeds/share/{path}" for path in tracked if path.startswith("deploy/")}
    expected |= {
        f"feeds/share/{path}"
        for path in tracked
        if path.startswith("docs/") and path.endswith(".md") and not path.startswith("docs/decisions/")
    }
    found = files_of_wheel(distributions / f"{STEM}-py3-none-any.whl")
    metadata = {
        f"{STEM}.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }
    assert found.keys() == expected | metadata
    for path in expected:
        assert found[path] == (source / path.removeprefix("feeds/share/")).read_bytes(), path


def test_the_source_distribution(source, distributions, tmp_path):
    """The source distribution contains all tracked files, and the same wheel can be built from it."""
    with tarfile.open(distributions / f"{STEM}.tar.gz") as archive:
        names = {PurePosixPath(member.name).relative_to(STEM).as_posix() for member in archive if member.isfile()}
        archive.extractall(tmp_path, filter="data")
    tracked = {file.relative_to(REPOSITORY).as_posix() for file in tracked_files()}
    assert names == tracked | {"PKG-INFO"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "built"], cwd=tmp_path / STEM, check=True
    )
    wheel = f"{STEM}-py3-none-any.whl"
    assert files_of_wheel(tmp_path / STEM / "built" / wheel) == files_of_wheel(distributions / wheel)


def test_metadata_is_accepted(distributions):
    """`twine check --strict` accepts the metadata and README, which the index shows."""
    files = sorted(map(str, distributions.iterdir()))
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory):
    """Install the wheel into a new environment that shares only the dependencies; return its folder of programs.

    The dependencies come from the environment of the tests: a .pth file names its folder. Such a folder's own .pth
    files are ignored, so the clone is not importable.
    """
    folder = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(folder)
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        str(folder / "bin" / "python"),
        "install",
    ]
    wheel = str(distributions / f"{STEM}-py3-none-any.whl")
    subprocess.run([*command, "--quiet", "--no-index", "--no-deps", wheel], check=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


@pytest.fixture
def command(installed, tmp_path):
    """Return a function that runs a program of the new environment in an empty folder, where git is not in PATH."""
    environment = {"PATH": str(installed), "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    assert shutil.which("git", path=environment["PATH"]) is None

    def run(*words, cwd=tmp_path):
        done = subprocess.run(
            [installed / words[0], *words[1:]], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.environment = environment
    return run


def test_the_installed_program_works(command, installed, tmp_path):
    """The installed wheel creates, exports and serves a site, without git and without the clone."""
    version, shared = command("feeds", "--version").splitlines()
    assert version == f"feeds, version {__version__}"
    assert command(NAME, "--version") == command("feeds", "--version")
    share = shared.removeprefix("docs/ and deploy/ are in ")
    assert share.startswith(str(installed.parent))
    assert f"{share}/docs/config.md lists all keys" in command("feeds", "init", "-v", "blog")
    assert Path(share, "docs", "config.md").is_file()
    assert Path(share, "deploy", "feeds.service").is_file()
    command("feeds", "build", cwd=tmp_path / "blog")
    assert b"<rss" in (tmp_path / "blog" / "public" / "rss.xml").read_bytes()
    port = free_port()
    log = tmp_path / "serve.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [installed / "feeds", "serve", "--port", str(port)],
            cwd=tmp_path / "blog",
            env=command.environment,
            stdout=output,
            stderr=output,
        )
    try:

        def page():
            assert server.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as response:
                    return response.read()
            except OSError:
                return b""

        assert b"stylesheet" in eventually(page, why=log.read_text)
    finally:
        server.terminate()
        assert server.wait(60) == 0


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (None, f"pip install '{NAME}[s3]'"),
        ("pipx_metadata.json", f"pipx inject {NAME} '{NAME}[s3]'"),
        ("uv-receipt.toml", f"uv pip install --python '{{folder}}' '{NAME}[s3]'"),
    ],
)
def test_extras_are_installed_by_the_same_program(tmp_path, file, expected):
    """The command for an extra is that of pip, pipx or uv, and contains the name in pyproject.toml."""
    folder = tmp_path / "an environment"
    folder.mkdir()
    if file is not None:
        (folder / file).touch()
    assert install_command("s3", folder) == expected.format(folder=folder)


def test_the_installed_program_knows_its_distribution(command):
    """The installed package reads the name in pyproject.toml from its metadata."""
    code = "from feeds.distribution import install_command; print(install_command('s3'))"
    assert command("python", "-c", code) == f"pip install '{NAME}[s3]'\n"


def test_the_readme():
    """README has at most 120 lines, begins with the ways to install, and names only targets of make that exist."""
    text = (REPOSITORY / "README.md").read_text("utf-8")
    assert text.count("\n") <= 120
    assert f"pipx install {NAME}" in text
    ways = ["pipx install .", "uvx --from .", "docker build", "docker compose", "feeds init", "make serve", "make test"]
    assert [text.index(way) for way in ways] == sorted(text.index(way) for way in ways)
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), flags=re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)  |`make ([a-z-]+)`", text)) <= {
        pair for name in targets for pair in ((name, ""), ("", name))
    }


def test_a_clone_is_its_own_documentation():
    """In a clone, the folders docs/ and deploy/ are those of the clone, and messages name the same distribution."""
    assert share_folder() == REPOSITORY
    assert distribution_name() == NAME
    assert f"{NAME}[postgres]" in install_command("postgres")
