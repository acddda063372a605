"""Send a million requests at full speed while articles are added, edited, broken and deleted.

    python benchmarks/soak.py [REQUESTS] [MINUTES]

Stops after this number of requests or minutes. Clients with keep-alive connections request documents, archives and
pages in every content coding, most of them with validators. They check each response: its status and length, that it
decodes and is complete, and that an ETag always has the same bytes. Prints the request rate, the statuses and the
server's memory over time; exit code 1 if a check failed.
"""

import contextlib
import gzip
import hashlib
import http.client
import json
import multiprocessing
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import brotli
import corpus
import zstandard

CLIENTS = 4
DECODE = {
    None: bytes,
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": zstandard.ZstdDecompressor().decompress,
}
ENDS = {".xml": (b"</rss>\n", b"</feed>\n"), "json": (b"}\n",)}
PATHS = [
    *(path + name for path in ("/", "/", "/", "/category/ai/", "/category/tech/", "/archive/1/", "/archive/3/")
      for name in ("rss.xml", "atom.xml", "feed.json")),
    "/index.xml",
    "/",
]  # fmt: skip


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client(port: int, seed: int, until: float, wanted: int, report: Connection) -> None:
    """Send and check requests until a moment of the monotonic clock, or until there were `wanted` requests."""
    rng, seen, validators = random.Random(seed), {}, {}
    statuses: Counter[str] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = 0
    while sent < wanted and time.monotonic() < until:
        path, coding = rng.choice(PATHS), rng.choice([None, "br", "gzip", "zstd"])
        headers = {"Accept-Encoding": coding or ""}
        if (validator := validators.get((path, coding))) and rng.random() < 0.9:
            headers["If-None-Match"] = validator
        try:
            connection.request("GET", f"{path}?{sent}", headers=headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            statuses[f"{type(error).__name__}: {error}"] += 1
            connection.close()
            continue
        sent += 1
        statuses[str(response.status)] += 1
        if response.status == 200:
            etag = response.headers["ETag"]
            validators[path, coding] = etag
            if fault := check(path, coding, response.headers, body, seen):
                statuses[f"{path} {coding}: {fault}"] += 1
        elif response.status == 304 and (body or response.headers["ETag"] != validator):
            statuses[f"{path} {coding}: a 304 with another ETag, or a body"] += 1
    report.send(statuses)


def check(path: str, coding: str | None, headers: http.client.HTTPMessage, body: bytes, seen: dict[str, bytes]) -> str:
    """Return the problem of a 200 response; "" if there is none."""
    etag, digest = headers["ETag"], hashlib.sha256(body).digest()
    if int(headers["Content-Length"]) != len(body) or headers["Content-Encoding"] != coding:
        return "length or encoding"
    if seen.setdefault(etag, digest) != digest:
        return "one ETag, two bodies"
    document = DECODE[coding](body)
    if path.endswith(("xml", "json")):
        if not document.endswith(ENDS[path[-4:]]):
            return "incomplete"
        if hashlib.sha256(document).hexdigest()[:32] != etag.strip('"').partition("-")[0]:
            return "not the document of its ETag"
        if path.endswith("json"):
            json.loads(document)
    return ""


def disturb(content: Path, rng: random.Random, texts: list[tuple[str, str]], round_: int) -> None:
    """Add, edit, break, restore or delete an article, in turn."""
    path, text = rng.choice(texts)
    file = content / path
    match round_ % 5:
        case 0:
            (content / f"new-{round_}.md").write_text(text.replace('slug: "', f'slug: "new-{round_}-'), "utf-8")
        case 1:
            if file.exists():
                file.write_text(text + f"\nEdited {round_}.\n", "utf-8")
        case 2:
            if file.exists():
                file.write_text("---\ntitle: [broken\n", "utf-8")
        case 3:
            file.write_text(text, "utf-8")
        case 4:
            added = sorted(content.glob("new-*.md"))
            if len(added) > 5:
                added[0].unlink()


def memory(pid: int) -> int:
    """Return the resident memory of the server's processes in kB."""
    listing = subprocess.run(
        ["ps", "-o", "rss=", "--pid", str(pid), "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return sum(map(int, listing.stdout.split()))


def main() -> int:
    """Start a server and run the test; return 1 if a check failed."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 15
    rng, texts = random.Random(1), list(corpus.articles(400))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        corpus.write(400, root / "content")
        (root / "config.yaml").write_text(
            "site: {title: Soak, url: https://soak.example}\nfeeds: {guard: 1, aliases: {/index.xml: /rss.xml}}\n"
        )
        port = free_port()
        with (root / "log").open("wb") as log:
            command = [sys.executable, "-m", "feeds", "serve", "-q", "--port", str(port)]
            server = subprocess.Popen(command, cwd=root, stdout=log, stderr=log)
        try:
            return soak(server.pid, port, root, rng, texts, wanted, minutes)
        finally:
            server.terminate()
            server.wait(20)


def soak(
    pid: int, port: int, root: Path, rng: random.Random, texts: list[tuple[str, str]], wanted: int, minutes: float
) -> int:
    """Start the clients, change articles until they are done, and print the result; return 1 if a check failed."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/rss.xml")
            if connection.getresponse().status == 200:
                break
        if time.monotonic() - began > 60:
            raise SystemExit((root / "log").read_text())
        time.sleep(0.1)
    began = time.monotonic()
    pipes = [multiprocessing.Pipe() for _ in range(CLIENTS)]
    clients = [
        multiprocessing.Process(target=client, args=(port, seed, began + 60 * minutes, wanted // CLIENTS, pipe[1]))
        for seed, pipe in enumerate(pipes)
    ]
    for process in clients:
        process.start()
    rounds, resident = 0, []
    while any(process.is_alive() for process in clients) and not all(pipe[0].poll() for pipe in pipes):
        disturb(root / "content", rng, texts, rounds)
        rounds += 1
        resident.append(memory(pid))
        time.sleep(0.5)
    statuses: Counter[str] = Counter()
    for pipe, process in zip(pipes, clients, strict=True):
        statuses += pipe[0].recv()
        process.join()
    seconds = time.monotonic() - began
    sent = sum(number for status, number in statuses.items() if status.isdecimal())
    print(f"{sent} requests in {seconds:.0f} s, {sent / seconds:.0f}/s, every response checked; {rounds} changes")
    print(f"revision {revision(port)}; {dict(statuses)}")
    tenth = max(1, len(resident) // 10)
    steps = [sum(resident[at : at + tenth]) // tenth // 1000 for at in range(0, len(resident) - tenth + 1, tenth)]
    print(f"memory of all processes in MB, per tenth of the time: {steps}")
    log = (root / "log").read_text()
    bad = [status for status in statuses if status not in {"200", "304"}]
    if bad or "Traceback" in log:
        print(f"wrong: {bad}\n{log[-3000:]}")
        return 1
    return 0


def revision(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/healthz")
    return int(json.load(connection.getresponse())["revision"])


if __name__ == "__main__":
    raise SystemExit(main())
