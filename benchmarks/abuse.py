"""What normal clients notice of clients that misbehave: python benchmarks/abuse.py [SECONDS] [--port PORT].

On the loopback interface, all at the same time: slow readers of a large file beside an article, requests whose bodies
never arrive, crawlers of archives and of tags, and somebody who asks for the front page and the OPML file again and
again. Meanwhile articles are saved and 16 clients poll as feed readers do. Prints the latency of a 304 and of
`/healthz`, the time from a save until it is served, what the others got, and the memory of the largest worker; first
without the misbehaviour. The limits of the project are printed beside the figures; nothing is asserted.

With `--through nginx` or `--through caddy`, requests go through deploy/nginx.conf or deploy/Caddyfile, on other
ports. When a saved article is served is asked of the server itself: a cache may keep what it has for `server.max_age`.
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
FILE = 30 << 20  # bytes
SLOW_READERS, SILENT_BODIES, ARCHIVE_CRAWLERS, TAG_CRAWLERS, POLLERS = 200, 200, 64, 100, 16
CONFIG = """
site: {{title: Bench, url: "http://127.0.0.1:{port}", pages: true}}
feeds: {{limit: 20}}
server: {{port: {port}, limit: 0, memory: 64, client_header: X-Real-IP}}
schedule: {{cron: null, webhook: a-secret-of-the-owner}}
"""


def write(root: Path, port: int) -> None:
    """Write a site with many tags, a long history, and a large file beside an article."""
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
    beside = content / "big" / "index.md"
    beside.parent.mkdir()
    beside.write_text("---\ntitle: Big\ndate: 2026-01-01\n---\nSee [the film](film.mp4).\n")
    with (beside.parent / "film.mp4").open("wb") as film:
        film.truncate(FILE)


class Client:
    """Sends requests over one connection after the other, and counts the answers by kind."""

    def __init__(self, host: str, port: int, server: int) -> None:
        self.host, self.port, self.server = host, port, server
        self.statuses: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {"304": [], "healthz": [], "saved": []}

    async def get(
        self, path: str, *headers: str, kind: str = "other", port: int = 0
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of an answer."""
        reader, writer = await asyncio.open_connection(self.host, port or self.port)
        try:
            lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""]
            writer.write("\r\n".join(lines).encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *rest = head.split("\r\n")
            found = dict(line.lower().split(": ", 1) for line in rest if line)
            body = await reader.read(-1)
            code = int(status.split()[1])
            self.statuses[f"{kind} {code}"] += 1
            return code, found, body
        finally:
            writer.close()

    async def repeat(self, kind: str, paths: list[str], pause: float = 0.0) -> None:
        """Ask for paths in turn, for ever."""
        number = 0
        while True:
            number += 1
            with contextlib.suppress(OSError, EOFError, asyncio.IncompleteReadError):
                await self.get(paths[number % len(paths)], "Accept-Encoding: br", kind=kind)
            await asyncio.sleep(pause)

    async def read_slowly(self) -> None:
        """Ask for the large file, and read a kilobyte a second."""
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(self.host, self.port, limit=1024)
                writer.write(b"GET /big/film.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                while await reader.read(1024):  # noqa: ASYNC110  # nothing tells when a second is over
                    await asyncio.sleep(1)
            await asyncio.sleep(1)

    async def leave_body(self) -> None:
        """Announce a body that never comes."""
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
        """Poll the site's feed as a reader does, every half second."""
        etag = ""
        await asyncio.sleep(number / POLLERS)
        while True:
            headers = [f"If-None-Match: {etag}"] if etag else []
            began = time.perf_counter()
            with contextlib.suppress(OSError, EOFError):
                status, found, _ = await self.get("/rss.xml", "Accept-Encoding: gzip", *headers, kind="poll")
                if status == 304:
                    self.times["304"].append(time.perf_counter() - began)
                etag = found.get("etag", etag)
            await asyncio.sleep(0.5)

    async def probe(self) -> None:
        """Ask for /healthz five times a second."""
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
            beside = content / ".saved.tmp"
            beside.write_text(f"---\ntitle: {title}\ndate: 2026-02-01T00:00:{number % 60:02}Z\n---\nText.\n")
            beside.replace(content / "saved.md")
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


def line(what: str, times: list[float], share: float, limit: float) -> None:
    """Print a quantile of times beside its limit."""
    if times:
        at = sorted(times)[min(len(times) - 1, int(len(times) * share))]
        print(
            f"  {what:<16} median {statistics.median(times) * 1000:7.1f} ms  p{share * 100:.0f} {at * 1000:8.1f} ms"
            f"  (at most {limit * 1000:.0f}), largest {max(times) * 1000:.0f} ms, {len(times)} times"
        )
    else:
        print(f"  {what:<16} never")


def memory(process: int) -> int:
    """Return the resident bytes of the largest process below one."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    found = [0]
    for child in children:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{child}/status").read_text()
            found.append(int(status.partition("VmRSS:")[2].split()[0]) << 10)
    return max(found)


async def misbehave(client: Client, seconds: float) -> None:
    """Do everything at once that normal clients don't, for some time."""
    client.statuses.clear()
    os.nice(10)  # else it would take the cores of the server, which those who misbehave don't share with it
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
    """Poll and save for some time, and print what was noticed."""
    client.statuses.clear()
    for times in client.times.values():
        times.clear()
    jobs = [client.poll(number) for number in range(POLLERS)]
    await during([*jobs, client.probe(), client.save(content)], seconds)
    line("304", client.times["304"], 0.99, 0.05)
    line("/healthz", client.times["healthz"], 0.99, 0.1)
    line("save to served", client.times["saved"], 0.95, 1)
    print_statuses(client)


async def during(jobs: list[Coroutine[None, None, None]], seconds: float) -> None:
    """Run jobs at the same time, and end them."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def print_statuses(client: Client) -> None:
    """Print how often each status came."""
    print(" ", ", ".join(f"{kind}: {number}" for kind, number in sorted(client.statuses.items())), flush=True)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def nginx(root: Path, port: int, server: int) -> list[str]:
    """Write deploy/nginx.conf with other ports and folders; return the command that runs it."""
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    folders = "".join(
        f"{kind}_temp_path {root}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    for pattern, ours in [
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{server};"),
        ("/var/cache/nginx/feeds", f"{root}/cache"),
        ("worker_processes auto;", f"worker_processes auto; daemon off; pid {root}/pid; error_log {root}/error.log;"),
        ("http {", f"http {{ {folders} access_log off;"),
    ]:
        text, count = re.subn(re.escape(pattern), ours, text)
        assert count == 1, pattern
    if os.geteuid() == 0:  # else its workers may not enter our folder
        text = f"user root;\n{text}"
    (root / "nginx.conf").write_text(text)
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(root), "-c", str(root / "nginx.conf")]


def caddy(root: Path, port: int, server: int) -> list[str]:
    """Write deploy/Caddyfile with other ports; return the command that runs it."""
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    for pattern, ours in [
        ("^feeds.example.org {", f"http://:{port} {{"),
        ("reverse_proxy 127.0.0.1:8000 {", f"reverse_proxy 127.0.0.1:{server} {{"),
        ("^\tlog$", ""),
    ]:
        text, count = re.subn(pattern, ours, text, flags=re.MULTILINE)
        assert count == 1, pattern
    (root / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    return ["caddy", "run", "--config", str(root / "Caddyfile")]


PROXIES = {"nginx": nginx, "caddy": caddy}


def main() -> None:
    """Run."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("seconds", nargs="?", type=float, default=30)
    arguments.add_argument("--through", choices=PROXIES, help="a proxy in front")
    found = arguments.parse_args()
    port = free_port()
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        root = Path(folder)
        write(root, port)
        commands = [[sys.executable, "-m", "feeds", "serve", "-q"]]
        client = Client("127.0.0.1", port, port)
        if found.through:
            client.port = free_port()
            commands.append(PROXIES[found.through](root, client.port, port))
        environment = os.environ | {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        try:
            processes += [
                subprocess.Popen(one, cwd=root, stdout=log, stderr=log, start_new_session=True, env=environment)
                for one in commands
            ]
            asyncio.run(ready(client))
            for abuse in (False, True):
                print("with misbehaviour:" if abuse else "without:", flush=True)
                others = Process(target=lambda: asyncio.run(misbehave(client, found.seconds + 2)))
                if abuse:  # in a process of their own, so that what they do is no part of what is measured
                    others.start()
                    time.sleep(1)
                asyncio.run(behave(client, root / "content", found.seconds))
                print(f"  largest worker {memory(processes[0].pid) >> 20} MiB (server.memory: 64)", flush=True)
                if abuse:
                    others.join()
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
    raise SystemExit("the server does not answer")


if __name__ == "__main__":
    main()
