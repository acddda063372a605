"""Measure latency while some clients misbehave: python benchmarks/abuse.py [SECONDS] [--through PROXY].

At the same time, abusive clients read a large file slowly, announce request bodies that they never send, crawl archives
and tags, and request the front page and the OPML file repeatedly. Meanwhile articles are saved, and 16 clients poll
like feed readers. Prints the latency of a 304 and of `/healthz`, the time from a save until the article is served, the
statuses, and the memory of the largest worker; first without and then with abuse. Prints the limits of the project
beside the results, but asserts nothing.

With `--through nginx` or `--through caddy`, requests go through deploy/nginx.conf or deploy/Caddyfile. The checks
whether a saved article is served bypass the proxy, because its cache may keep documents for `server.max_age`.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path

Process = multiprocessing.get_context("fork").Process
DEPLOY = Path(__file__).parent.parent / "deploy"
ARTICLES, TAGS = 2_000, 1_600
FILE_BYTES = 30 << 20
SLOW_READERS, SILENT_BODIES, ARCHIVE_CRAWLERS, TAG_CRAWLERS, POLLERS = 200, 200, 64, 100, 16
CONFIG = """
site: {{title: Bench, url: "http://127.0.0.1:{port}", pages: true}}
feeds: {{limit: 20}}
server: {{port: {port}, limit: 0, memory: 64, client_header: X-Real-IP}}
schedule: {{cron: null, webhook: a-secret-of-the-owner}}
"""


def write(root: Path, port: int) -> None:
    """Write a site with many tags, many archives, and a large file beside an article."""
    (root / "config.yaml").write_text(CONFIG.format(port=port))
    content = root / "content"
    content.mkdir()
    for number in range(ARTICLES):
        tags = ", ".join(f"t{(number * 7 + step) % TAGS}" for step in range(3))
        day = 1 + number % 28
        (content / f"{number}.md").write_text(
            f"---\ntitle: Article {number}\ntags: [{tags}]\n"
            f"date: 20{10 + number % 14}-{1 + number % 12:02}-{day:02}\n---\n"
            + f"Some *text* of article {number}, with [a link](/x/).\n\n"
            * 40
        )
    article = content / "big" / "index.md"
    article.parent.mkdir()
    article.write_text("---\ntitle: Big\ndate: 2026-01-01\n---\nSee [the film](film.mp4).\n")
    with (article.parent / "film.mp4").open("wb") as film:
        film.truncate(FILE_BYTES)


class Client:
    """Sends each request over a new connection, and counts the statuses by kind of client."""

    def __init__(self, host: str, port: int, server: int) -> None:
        self.host, self.port, self.server = host, port, server
        self.statuses: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {"304": [], "healthz": [], "saved": []}

    async def get(
        self, path: str, *headers: str, kind: str = "other", port: int = 0
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of a response."""
        reader, writer = await asyncio.open_connection(self.host, port or self.port)
        try:
            lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""]
            writer.write("\r\n".join(lines).encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *rest = head.split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in rest if line)
            body = await reader.read(-1)
            code = int(status.split()[1])
            self.statuses[f"{kind} {code}"] += 1
            return code, fields, body
        finally:
            writer.close()

    async def repeat(self, kind: str, paths: list[str], pause: float = 0.0) -> None:
        """Request paths in turn, until the task is cancelled."""
        number = 0
        while True:
            number += 1
            with contextlib.suppress(OSError, EOFError, asyncio.IncompleteReadError):
                await self.get(paths[number % len(paths)], "Accept-Encoding: br", kind=kind)
            await asyncio.sleep(pause)

    async def read_slowly(self) -> None:
        """Request the large file, and read a kilobyte per second."""
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(self.host, self.port, limit=1024)
                writer.write(b"GET /big/film.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                while await reader.read(1024):  # noqa: ASYNC110  # the pause is the point
                    await asyncio.sleep(1)
            await asyncio.sleep(1)

    async def leave_body(self) -> None:
        """Announce a request body, and never send it."""
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                writer.write(
                    b"POST /refresh HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    b"X-Hub-Signature-256: sha256=0\r\nContent-Length: 1000\r\n\r\n"
                )
                await reader.read(1)
                writer.close()
            await asyncio.sleep(1)

    async def poll(self, number: int) -> None:
        """Poll the site's feed every half second, with the ETag of the last response."""
        etag = ""
        await asyncio.sleep(number / POLLERS)
        while True:
            headers = [f"If-None-Match: {etag}"] if etag else []
            began = time.perf_counter()
            with contextlib.suppress(OSError, EOFError):
                status, fields, _ = await self.get("/rss.xml", "Accept-Encoding: gzip", *headers, kind="poll")
                if status == 304:
                    self.times["304"].append(time.perf_counter() - began)
                etag = fields.get("etag", etag)
            await asyncio.sleep(0.5)

    async def probe(self) -> None:
        """Request /healthz five times per second."""
        while True:
            began = time.perf_counter()
            with contextlib.suppress(OSError, EOFError):
                await self.get("/healthz", kind="healthz")
                self.times["healthz"].append(time.perf_counter() - began)
            await asyncio.sleep(0.2)

    async def save(self, content: Path) -> None:
        """Save an article every three seconds, and wait until it is served."""
        number = 0
        while True:
            number += 1
            title = f"Saved {os.getpid()} {time.time():.3f}"
            temporary = content / ".saved.tmp"
            temporary.write_text(f"---\ntitle: {title}\ndate: 2026-02-01T00:00:{number % 60:02}Z\n---\nText.\n")
            temporary.replace(content / "saved.md")
            began = time.perf_counter()
            while time.perf_counter() - began < 20:
                with contextlib.suppress(OSError, EOFError):
                    if title.encode() in (await self.get("/feed.json", kind="saved", port=self.server))[2]:
                        self.times["saved"].append(time.perf_counter() - began)
                        break
                await asyncio.sleep(0.05)
            else:
                self.times["saved"].append(20.0)
            await asyncio.sleep(3)


def print_times(name: str, times: list[float], quantile: float, limit: float) -> None:
    """Print the median, a quantile and the maximum of times in seconds, beside the limit of the quantile."""
    if times:
        value = sorted(times)[min(len(times) - 1, int(len(times) * quantile))]
        print(
            f"  {name:<16} median {statistics.median(times) * 1000:7.1f} ms"
            f"  p{quantile * 100:.0f} {value * 1000:8.1f} ms"
            f"  (limit {limit * 1000:.0f}), maximum {max(times) * 1000:.0f} ms, {len(times)} times"
        )
    else:
        print(f"  {name:<16} never")


def memory(process: int) -> int:
    """Return the resident bytes of the largest child of a process."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    sizes = [0]
    for child in children:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{child}/status").read_text()
            sizes.append(int(status.partition("VmRSS:")[2].split()[0]) << 10)
    return max(sizes)


async def misbehave(client: Client, seconds: float) -> None:
    """Run all abusive clients at the same time."""
    client.statuses.clear()
    os.nice(10)  # the server must have priority, because real clients run on other machines
    archives = [f"/archive/{number}/{name}" for number in range(1, ARTICLES // 20) for name in ("rss.xml", "atom.xml")]
    tags = [f"/tag/t{number}/rss.xml" for number in range(TAGS)]
    jobs = [client.read_slowly() for _ in range(SLOW_READERS)]
    jobs += [client.leave_body() for _ in range(SILENT_BODIES)]
    for number in range(ARCHIVE_CRAWLERS):
        jobs.append(client.repeat("archive", archives[number:] + archives[:number], 0.05))
    for number in range(TAG_CRAWLERS):
        jobs.append(client.repeat("tag", tags[number * 16 :] + tags[: number * 16], 0.05))
    jobs.append(client.repeat("page", ["/", "/feeds.opml"], 0.5))
    await during(jobs, seconds)
    print_statuses(client)


async def behave(client: Client, content: Path, seconds: float) -> None:
    """Poll and save articles, and print the measured times."""
    client.statuses.clear()
    for times in client.times.values():
        times.clear()
    jobs = [client.poll(number) for number in range(POLLERS)]
    await during([*jobs, client.probe(), client.save(content)], seconds)
    print_times("304", client.times["304"], 0.99, 0.05)
    print_times("/healthz", client.times["healthz"], 0.99, 0.1)
    print_times("save to served", client.times["saved"], 0.95, 1)
    print_statuses(client)


async def during(jobs: list[Coroutine[None, None, None]], seconds: float) -> None:
    """Run jobs at the same time, and cancel them after some seconds."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def print_statuses(client: Client) -> None:
    """Print how often each status was received."""
    print(" ", ", ".join(f"{kind}: {number}" for kind, number in sorted(client.statuses.items())), flush=True)


def free_port() -> int:
    """Return a free port."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def nginx(root: Path, port: int, server: int) -> list[str]:
    """Write deploy/nginx.conf with other ports and folders; return the command that starts nginx."""
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    folders = "".join(
        f"{kind}_temp_path {root}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    for pattern, replacement in [
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{server};"),
        ("/var/cache/nginx/feeds", f"{root}/cache"),
        ("worker_processes auto;", f"worker_processes auto; daemon off; pid {root}/pid; error_log {root}/error.log;"),
        ("http {", f"http {{ {folders} access_log off;"),
    ]:
        text, count = re.subn(re.escape(pattern), replacement, text)
        assert count == 1, pattern
    if os.geteuid() == 0:  # otherwise, nginx changes the user of its workers, which can't open the temporary folder
        text = f"user root;\n{text}"
    (root / "nginx.conf").write_text(text)
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(root), "-c", str(root / "nginx.conf")]


def caddy(root: Path, port: int, server: int) -> list[str]:
    """Write deploy/Caddyfile with other ports; return the command that starts Caddy."""
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    for pattern, replacement in [
        ("^feeds.example.org {", f"http://:{port} {{"),
        ("reverse_proxy 127.0.0.1:8000 {", f"reverse_proxy 127.0.0.1:{server} {{"),
        ("^\tlog$", ""),
    ]:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count == 1, pattern
    (root / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    return ["caddy", "run", "--config", str(root / "Caddyfile")]


PROXIES = {"nginx": nginx, "caddy": caddy}


def main() -> None:
    """Measure without and with abuse, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=float, default=30)
    parser.add_argument("--through", choices=PROXIES, help="the proxy in front of the server")
    options = parser.parse_args()
    port = free_port()
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        root = Path(folder)
        write(root, port)
        commands = [[sys.executable, "-m", "feeds", "serve", "-q"]]
        client = Client("127.0.0.1", port, port)
        if options.through:
            client.port = free_port()
            commands.append(PROXIES[options.through](root, client.port, port))
        environment = os.environ | {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        try:
            processes += [
                subprocess.Popen(command, cwd=root, stdout=log, stderr=log, start_new_session=True, env=environment)
                for command in commands
            ]
            asyncio.run(ready(client))
            for abuse in (False, True):
                print("with abuse:" if abuse else "without abuse:", flush=True)
                abusers = Process(target=lambda: asyncio.run(misbehave(client, options.seconds + 2)))
                if abuse:  # in another process, so that they don't delay the clients that measure
                    abusers.start()
                    time.sleep(1)
                asyncio.run(behave(client, root / "content", options.seconds))
                print(f"  largest worker {memory(processes[0].pid) >> 20} MiB (server.memory: 64)", flush=True)
                if abuse:
                    abusers.join()
            print((root / "log").read_text()[-2000:])
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)


async def ready(client: Client) -> None:
    """Wait until the site is published."""
    for _ in range(600):
        with contextlib.suppress(OSError, EOFError):
            if (await client.get("/rss.xml"))[0] == 200:
                return
        await asyncio.sleep(0.2)
    raise SystemExit("the server does not respond")


if __name__ == "__main__":
    main()
