"""The catalog in PostgreSQL: the same documents, one writer, lost connections, and shared databases."""

import contextlib
import random
import select
import socket
import threading
import time

import pytest
from conftest import PASSWORD, Site
from waiting import eventually

from feeds.catalog import Catalog, SourceCounts
from feeds.catalog.postgres import Postgres as Engine
from feeds.core.errors import CatalogError, CatalogLocked, ConfigError
from feeds.distribution import install_command

pytestmark = pytest.mark.databases("postgres")
ADVISORY = """SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
              AND objid::bigint = %s::regnamespace::oid::bigint
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def schema_of(state):
    return state.rpartition("%3D")[2]


@pytest.fixture
def sites(tmp_path, state, postgres):
    """Return an empty site with a catalog in PostgreSQL, and one with another catalog in the same database."""
    made = [Site(tmp_path / "a", state), Site(tmp_path / "b", postgres.schema("other"))]
    yield made
    for site in made:
        site.close()


class Wire:
    """A TCP connection to the server that can be interrupted."""

    def __init__(self, folder):
        self._folder = folder
        self._ends = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._start()

    def _start(self):
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self._folder / ".s.PGSQL.5432"))
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Interrupt the connection."""
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends = []

    def recover(self):
        """Restore the connection."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start()


@pytest.fixture
def wire(postgres):
    """Return a connection to the server that can be interrupted."""
    made = Wire(postgres.folder)
    yield made
    made.cut()


def through(wire, state):
    """Return the catalog's `state` through this connection."""
    database = state.partition("@/")[2].partition("?")[0]
    return (
        f"postgresql://postgres:{PASSWORD}@127.0.0.1:{wire.port}/{database}?options=-csearch_path%3D{schema_of(state)}"
    )


def write_all(site):
    """Write articles whose order depends only on how the database sorts texts."""
    for name in ("b", "B", "a-b", "aB", "a_b", "é", "z", "Zz", "1", "10", "9", "ß", "中"):
        site.article(f"{name}.md", f"Text of {name}.", title=f"T {name}", category="C", tags=["x", name])
        site.article(f"given {name}.md", title=name, id=f"urn:x:{name}", authors=["Z", "é", "a"])
    site.write("broken.md", "---\ntitle: [\n---\n")
    site.article("later.md", title="later", date="2100-01-01")


def test_both_engines_give_the_same_bytes(tmp_path, state):
    """The same folder gives the same documents with both databases, including archives, also after moves and edits."""
    ours, theirs = Site(tmp_path / "a", state), Site(tmp_path / "b")
    for site in (ours, theirs):
        site.configure(feeds={"limit": 5})
        write_all(site)
    first, second = (site.publish() for site in (ours, theirs))
    assert first.changed == second.changed
    assert first.rejected == second.rejected
    assert ours.documents(archives=True) == theirs.documents(archives=True)
    for site in (ours, theirs):
        (site.content / "aB.md").rename(site.content / "moved.md")
        (site.content / "9.md").unlink()
        site.article("é.md", "Edited.", title="Edited")
    assert ours.publish().changed == theirs.publish().changed
    assert ours.documents(archives=True) == theirs.documents(archives=True)
    for site in (ours, theirs):
        site.close()


def test_who_loses_the_lock_in_a_run_commits_nothing(site, postgres, state):
    """A run that loses its connection in the middle of its commit changes nothing, and the next one completes."""
    site.article("a.md", title="a")
    site.publish()
    before = site.documents()
    for number in range(20):
        site.article(f"{number}.md", title=f"T{number}")
    failed = []

    def run():
        try:
            site.publish()
        except CatalogError as error:
            failed.append(error)

    schema = schema_of(state)
    waits = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
    with postgres.connected() as other, other.transaction():
        other.execute(f"LOCK TABLE {schema}.feeds IN SHARE MODE")  # so that the run waits before it updates the feeds
        thread = threading.Thread(target=run)
        thread.start()
        waiting = eventually(lambda: postgres.execute(waits, f"{schema}.feeds"))
        holders = postgres.execute(ADVISORY, schema)
        assert {pid for (pid,) in holders} == {pid for (pid,) in waiting}, "the lock's connection is what writes"
        postgres.execute("SELECT pg_terminate_backend(%s)", waiting[0][0])
        thread.join(120)
    assert len(failed) == 1
    assert str(failed[0]).count("\n") == 0
    assert PASSWORD not in str(failed[0])
    with site.catalog.read_transaction() as reader:
        assert reader.revision() == 1
        assert reader.count_live() == 1
    assert site.documents() == before
    assert site.publish().articles == 21


def test_who_lost_the_lock_writes_no_more(state, postgres):
    """If a run's lock passes to another run between two transactions, further writes of the first are rejected."""
    first, second = Catalog(state), Catalog(state)
    first.create()
    with first.lock():
        with pytest.raises(CatalogLocked), second.lock():
            pass
        ((pid,),) = postgres.execute(ADVISORY, schema_of(state))
        postgres.execute("SELECT pg_terminate_backend(%s)", pid)
        with second.lock(5), second.write_transaction() as writer:
            writer.state.write("said by", "the second")
        for _ in range(2):
            with pytest.raises(CatalogError), first.write_transaction() as writer:
                writer.state.write("said by", "the first")
    with first.read_transaction() as reader:
        assert reader.state.read("said by") == "the second"
    with first.lock(), first.write_transaction() as writer:  # the first one starts a new transaction
        writer.state.write("said by", "the first")
    for catalog in (first, second):
        catalog.close()


def test_a_connection_that_ended_is_replaced(state, postgres):
    """A reader does not notice that the server has ended all connections, as after a restart."""
    catalog = Catalog(state)
    catalog.create()
    for _ in range(3):
        with catalog.read_transaction() as reader:
            assert reader.revision() == 0
        pooled = catalog._database.engine.pool.connect()  # the connection that would be used again
        postgres.execute("SELECT pg_terminate_backend(%s)", pooled.driver_connection.info.backend_pid)
        assert select.select([pooled.driver_connection.fileno()], [], [], 120)[0], "the end has not arrived"
        pooled.close()
    with catalog.write_transaction() as writer:
        writer.state.write("x", "y")
    catalog.close()


def test_the_database_is_away_and_comes_back(site, serve, wire, state):
    """During an outage, known documents are served and builds fail with one sentence; everything recovers by itself."""
    site.configure(state=through(wire, state), schedule={"cron": None})
    site.article("a.md", title="a")
    server = serve(site)
    server.wait_for(lambda: server.titles() == ["a"])
    wire.cut()
    site.article("b.md", title="b")
    server.wait_for(lambda: b"serving from memory" in server.get("/healthz").body)
    assert server.titles() == ["a"]
    done = site.run("build")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    said = done.stderr + done.stdout + server.get("/healthz").body.decode()
    wire.recover()
    server.wait_for(lambda: sorted(server.titles()) == ["a", "b"])
    server.wait_for(lambda: b'"failure":null' in server.get("/healthz").body.replace(b" ", b""))
    assert PASSWORD not in said + server.log.read_text()
    assert "postgresql://postgres@127.0.0.1" in said


def test_two_sites_in_one_database(sites):
    """Each site has a schema: sites do not see each other's data, or wait for each other's locks."""
    one, other = sites
    one.article("a.md", title="a")
    other.article("b.md", title="b")
    with one.catalog.lock(), one.catalog.write_transaction():
        assert other.publish().articles == 1
    assert one.publish().articles == 1
    assert (list(one.items()), list(other.items())) == (["a"], ["b"])


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda state: state.replace("@/feeds_", "@/nowhere_"), 3, 'database "nowhere_'),
        (lambda state: state.replace("postgres:", "nobody:"), 3, 'role "nobody" does not exist'),
        (lambda state: f"{state}_not", 3, "CREATE SCHEMA"),
        (lambda state: f"{state}&sslmodus=x", 3, 'invalid connection option "sslmodus"'),
        (lambda _: f"postgresql://a:{PASSWORD}@127.0.0.1:1/x", 3, "onnection refused"),
        (lambda _: f"postgresql://a:{PASSWORD}@127.0.0.1:port/x", 2, "must be the URL of a database"),
        (lambda _: f"postgresql://a:b@{PASSWORD}@127.0.0.1:1/x", 2, "must be percent-encoded, such as %40"),
        (lambda _: f"mysql://a:{PASSWORD}@127.0.0.1/x", 2, "must be sqlite:///PATH or postgresql://"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(site, state, change, code, said):
    """Each problem with `state` is reported in one sentence that does not contain the password."""
    site.article("a.md", title="a")
    for command in ("build", "status"):
        done = site.run(command, "-v", environment={"FEEDS__STATE": change(state)})
        assert done.returncode == code, done.stderr
        assert said in done.stderr
        assert done.stderr.strip().count("\n") == 0
        assert PASSWORD not in done.stderr + done.stdout


def test_a_driver_that_is_missing(site, tmp_path):
    """Without the driver, a sentence says what to install, and nothing is done."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "psycopg.py").write_text("raise ModuleNotFoundError('psycopg')")
    done = site.process("build", environment={"PYTHONPATH": str(hidden)})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert install_command("postgres") in done.stderr
    assert PASSWORD not in done.stderr


def test_others_tables_and_newer_ones_are_left_alone(site, postgres):
    """Schemas with foreign tables, a newer catalog or damaged texts are reported in a sentence, and not changed."""
    schema = "shared"
    site.configure(state=postgres.schema(schema))
    postgres.execute(f"CREATE TABLE {schema}.theirs (x text)")
    done = site.run("build")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "search_path%3DNAME" in done.stderr
    postgres.execute(f"DROP TABLE {schema}.theirs")
    site.article("a.md", title="a")
    assert site.run("build").returncode == 0
    postgres.execute(f"UPDATE {schema}.texts SET article = 'x'")
    done = site.run("build", "--force", "--output", "other")  # --force reads the file again
    assert done.returncode == 0, done.stderr
    postgres.execute(f"UPDATE {schema}.texts SET article = 'x'")
    done = site.run("build", "--output", "another")
    assert done.returncode == 3
    assert "the catalog is damaged and was not changed" in done.stderr
    postgres.execute(f"UPDATE {schema}.meta SET value = '99' WHERE key = 'schema'")
    done = site.run("build")
    assert (done.returncode, "newer version" in done.stderr) == (3, True)
    assert postgres.execute(f"SELECT count(*) FROM {schema}.articles") == [(1,)]


def test_tables_that_were_taken_away_are_made_anew(site, postgres, state):
    """If the tables of the catalog are dropped, the next run creates them again, with the same documents."""
    site.article("a.md", title="a", category="c")
    site.publish()
    before = site.documents()
    schema = schema_of(state)
    catalog = Catalog(state)
    postgres.execute(f"DROP SCHEMA {schema} CASCADE")
    postgres.execute(f"CREATE SCHEMA {schema}")
    assert not catalog.is_created
    assert "Nothing has been published yet" in site.run("status").stdout
    site.publish()
    assert site.documents() == before
    catalog.close()


def test_what_no_index_holds_is_refused(site):
    """An id or a slug that is too long for an index of PostgreSQL is rejected; all other articles are published."""
    rng = random.Random(1)
    long = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=2_100))
    site.configure(site={"pages": True})
    site.article("id.md", id=f"urn:x:{long}")
    site.article("slug.md", slug=long)
    site.article("zero.md", id="urn:\0x", title="a\0b", category="c\0d")
    site.article("longest.md", id=f"urn:x:{long[:1990]}", category="c" * 300, title="longest", slug=long[:1900])
    outcome = site.publish()
    assert [(one.path, one.reason.partition(" ")[0]) for one in outcome.rejected] == [
        ("id.md", "id"),
        ("slug.md", "slug"),
    ]
    assert outcome.articles == 2


def test_a_revision_is_announced(site, postgres, state):
    """Listeners are notified of a new revision once, and not of a run without changes."""
    ((number,),) = postgres.execute("SELECT %s::regnamespace::oid::int", schema_of(state))
    with postgres.connected() as listener:
        listener.execute(f"LISTEN feeds_{number}")
        site.article("a.md", title="a")
        site.publish()
        assert len(list(listener.notifies(timeout=120, stop_after=1))) == 1
        site.publish()
        postgres.execute(f"NOTIFY feeds_{number}, 'the last'")
        (notification,) = listener.notifies(timeout=120, stop_after=1)  # in the order of the commits
        assert notification.payload == "the last"


def visit(day, source):
    return SourceCounts(day, "", "Reader", "person", source, None, 1, 1, 0, 0, 5_000_000_000, 0)


def test_an_address_that_is_none():
    """An invalid URL is a mistake of the configuration, and the message does not contain it."""
    with pytest.raises(ConfigError) as caught:
        Catalog(f"postgresql://a:{PASSWORD}@[::1/x")
    assert PASSWORD not in str(caught.value)


def test_schemas_of_any_name(postgres, tmp_path):
    """A schema name that needs quotation marks differs from the same name without them."""
    for number, name in enumerate(('"Odd.Name"', '"odd.name"', '"16384"')):
        site = Site(tmp_path / str(number))
        state = postgres.schema(name).replace('"', "%22")
        site.configure(state=state)
        site.article("a.md", title=name)
        with contextlib.closing(Catalog(state)) as catalog, catalog.lock():
            pass
        assert site.run("build").returncode == 0
        assert [*site.items()] == [name]
        assert site.publish().revision == 1
        site.close()


def test_no_name_tells_a_secret():
    """The displayed name of a catalog contains neither its password nor the query of its URL."""
    for state in (
        "postgresql:///feeds?host=db&user=u&password=secret",
        "postgresql://u:secret@h/feeds?sslpassword=secret",
    ):
        name = Catalog(state).name
        assert "secret" not in name
        assert "feeds" in name


@contextlib.contextmanager
def hanging(postgres, state, *tables):
    """Make all queries on some tables wait."""
    names = ", ".join(f"{schema_of(state)}.{table}" for table in tables)
    with postgres.connected() as holder, holder.transaction():
        holder.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
        yield


def test_who_must_not_wait_does_not(state, postgres):
    """A catalog with a limit for replies raises an error if one takes longer; the limit applies to each query."""
    hurried = Catalog(state, statement_timeout=0.5)

    def ask_twice():
        with (
            contextlib.suppress(CatalogError),
            hurried.read_transaction() as reader,
        ):  # on a busy machine it may take longer
            assert reader.revision() == 0
            time.sleep(0.6)
            return reader.state.catalog_id

    assert eventually(ask_twice)
    with hanging(postgres, state, "meta"):
        for _ in range(2):
            with pytest.raises(CatalogError, match=r"no reply for 0\.5 s$"), hurried.read_transaction() as reader:
                _ = reader.state.catalog_id
    assert eventually(ask_twice)

    def listen():
        with contextlib.suppress(CatalogError), hurried.listen_for_revisions() as wait:
            wait(0.6)
            return True

    assert eventually(listen)
    hurried.close()


def test_a_first_request_does_not_hold_up_a_worker(site, app, postgres, state, monkeypatch, caplog):
    """While the database hangs, a first request for a document is rejected, and cached documents are served."""
    monkeypatch.setattr("feeds.web._CATALOG_TIMEOUT_S", 1.0)
    site.configure(site={"pages": True})
    site.article("a.md", title="a")
    site.publish()
    client = app(site)
    eventually(lambda: client.get("/feed.json").status == 200)
    kept = client.get("/feed.json").body
    read, waited = Engine.read_transaction, []

    def noted(self):
        if threading.current_thread().name in {"MainThread", "render"}:  # a request, or the thread that it waits for
            waited.append(1)
        return read(self)

    monkeypatch.setattr(Engine, "read_transaction", noted)
    with hanging(postgres, state, "feeds", "meta", "articles"):
        assert client.get("/rss.xml").status == 503
        eventually(lambda: "cached documents are served" in caplog.text)
        waited.clear()
        for path in ("/atom.xml", "/a/", "/nothing/", "/a/picture.png", *(f"/wp-{n}.php" for n in range(12))):
            sent_away = client.get(path)
            assert (sent_away.status, "Retry-After" in sent_away.headers) == (503, True), path
            assert client.get("/feed.json").body == kept
        assert waited == [], "it is known that the database does not answer"
    eventually(lambda: client.get("/atom.xml").status == 200)
    assert client.get("/nothing/").status == 404
