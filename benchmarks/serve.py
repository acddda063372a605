"""Measure requests per second: `feeds serve` compared with nginx, bare views and a Flask view.

    python benchmarks/serve.py [ARTICLES] [SECONDS] [ROUNDS] [CONNECTIONS]
    python benchmarks/serve.py counting [ARTICLES] [SECONDS] [ROUNDS] [CONNECTIONS]

Each server has one worker; one load generator (wrk) measures them in turn. nginx serves the same bytes as static files
with the same headers; neither nginx nor feeds writes an access log. The bare views run on granian and return a
constant: they show the upper limit for an application with the interface that feeds uses (RSGI), and with WSGI. The
Flask view runs on gunicorn. Prints requests per second, the 99th percentile of the latency and the ratio to nginx, for
a gzip response and for a 304; then the latency of the first request for a document whose Markdown is rendered already.

With `counting`, compares `feeds serve` with and without counting polls (stats.count), for one client and for a thousand
clients with different User-Agents.

Needs nginx and wrk (Debian: nginx-light, wrk).
"""

import contextlib
import gzip
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import corpus

AGENTS = Path(__file__).parent.parent / "tests" / "agents.tsv"
PATHS = ["/rss.xml", "/category/ai/rss.xml"]  # fifty entries, and some fifteen
NGINX = """
worker_processes 1; daemon off; pid {root}/nginx.pid; error_log {root}/nginx.log; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  types {{ application/rss+xml xml; }} charset utf-8; charset_types application/rss+xml;
  server {{
    listen 127.0.0.1:{port}; root {root}/www; gzip_static on; gzip_vary on;
    add_header Cache-Control "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400";
    add_header Access-Control-Allow-Origin "*"; add_header X-Content-Type-Options nosniff;
  }}
}}
"""
FLASK = """
from pathlib import Path
from flask import Flask, Response, request
app = Flask(__name__)
bodies = {{path: Path({root!r} + path + ".gz").read_bytes() for path in {paths!r}}}
@app.get("/<path:path>")
def document(path):
    response = Response(bodies["/" + path], content_type="application/rss+xml; charset=utf-8")
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag("abc")
    return response.make_conditional(request)
"""


BARE = """
from pathlib import Path
from granian import Granian
responses = {{}}
for path in {paths!r}:
    body = Path({root!r} + path + ".gz").read_bytes()
    always = [("ETag", '"abc"'), ("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT"), ("Vary", "Accept-Encoding"),
        ("Cache-Control", "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400"),
        ("Access-Control-Allow-Origin", "*")]
    whole = [("Content-Type", "application/rss+xml; charset=utf-8"), ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"), ("Content-Encoding", "gzip")]
    responses[path] = always, whole + always, body
def wsgi(environ, start_response):
    not_modified, whole, body = responses[environ["PATH_INFO"]]
    if "HTTP_IF_NONE_MATCH" in environ:
        start_response("304 Not Modified", not_modified)
        return []
    start_response("200 OK", whole)
    return [body]
class RSGI:
    async def __rsgi__(self, scope, protocol):
        not_modified, whole, body = responses[scope.path]
        if "if-none-match" in scope.headers:
            protocol.response_empty(304, not_modified)
        else:
            protocol.response_bytes(200, whole, body)
rsgi = RSGI()
if __name__ == "__main__":
    Granian("bare:{interface}", port={port}, interface="{interface}", blocking_threads=1, runtime_mode="mt", http="1",
        websockets=False, log_enabled=False).serve()
"""


@dataclass
class Competitor:
    """A server that is measured."""

    name: str
    port: int
    connections: int = 64
    process: int = 0  # process id

    def cpu(self) -> float:
        """Return the CPU time of the server and its children in seconds."""
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in (self.process, *children)]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """The results of wrk."""

    rate: float  # requests per second
    p99: float  # ms


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def start_server(name: str, command: list[str], port: int, cwd: Path, path: str = "/rss.xml") -> Iterator[Competitor]:
    with (cwd / f"{name}.out").open("wb") as out:
        process = subprocess.Popen(command, cwd=cwd, stdout=out, stderr=out, start_new_session=True)
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if get(port, path)[0] == 200:
                    break
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit(f"{name} does not serve: {(cwd / f'{name}.out').read_text()}")
            time.sleep(0.1)
        yield Competitor(name, port, process=process.pid)
    finally:
        process.terminate()
        process.wait(10)


def get(port: int, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    with contextlib.closing(connection):
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def load(competitor: Competitor, path: str, seconds: float, *, conditional: bool, script: Path | None = None) -> Load:
    headers = {"Accept-Encoding": "gzip"}
    if conditional:
        headers["If-None-Match"] = get(competitor.port, path, **headers)[1]["ETag"]
    expected = 304 if conditional else 200
    status = get(competitor.port, path, **headers)[0]
    assert status == expected, f"{competitor.name} responds with status {status}"
    command = [
        "wrk",
        "-t1",
        f"-c{competitor.connections}",
        f"-d{seconds:.0f}s",
        "--latency",
        f"http://127.0.0.1:{competitor.port}{path}",
    ]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command += ["-s", str(script)] if script else []
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", output), re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    assert rate, output
    assert p99, output
    return Load(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]])


def compare(competitors: list[Competitor], path: str, seconds: float, rounds: int) -> None:
    """Measure all servers in turn, in several rounds, and print the medians of each."""
    for conditional in (True, False):
        measured: dict[str, list[Load]] = {competitor.name: [] for competitor in competitors}
        for _ in range(rounds):
            for competitor in competitors:
                measured[competitor.name].append(load(competitor, path, seconds, conditional=conditional))
        print(f"  {'304' if conditional else '200'}, {rounds} rounds of {seconds:g} s")
        for name, loads in measured.items():
            ratios = [each.rate / nginx.rate for each, nginx in zip(loads, measured["nginx"], strict=True)]
            print(
                f"    {name:<16} {statistics.median(each.rate for each in loads):>8.0f}/s"
                f"  p99 {statistics.median(each.p99 for each in loads):6.2f} ms"
                f"  {statistics.median(ratios):.2f} x nginx ({' '.join(f'{ratio:.2f}' for ratio in sorted(ratios))})"
            )


def first_requests(command: list[str], port: int, root: Path) -> None:
    """Print the latency of the first and the second request for documents whose Markdown is rendered already."""
    print("\nfirst request for a document of 50 entries, which is rendered and compressed; then the second request")
    for first, paths in (("/feed.json", ("/rss.xml", "/atom.xml")), ("/rss.xml", ("/feed.json",))):
        with start_server("first", command, port, root, first):
            for path in paths:
                times = []
                for _ in range(2):
                    began = time.perf_counter()
                    _, headers, body = get(port, path, Accept_Encoding="br")
                    times.append(1000 * (time.perf_counter() - began))
                    assert headers["Content-Encoding"] == "br"
                print(f"  {path:<11} {times[0]:6.1f} ms, then {times[1]:4.1f} ms; {len(body)} bytes in br")


NAMES = (("counting", "true"), ("not counting", "false"))
CROWD = """
local headers, bare, at = wrk.headers, {{}}, 0
local agents = {{ {agents} }}
local requests = {{}}
function init(args)
  for number = 0, 999 do
    headers["User-Agent"] = agents[number % #agents + 1]
    headers["X-Client"] = "10.1." .. math.floor(number / 250) .. "." .. number % 250
    requests[number] = wrk.format(nil, nil, headers)
  end
end
function request()
  at = (at + 1) % 1000
  return requests[at]
end
"""


def in_process(configs: dict[str, Path], agents: list[str], requests: int = 20_000, rounds: int = 15) -> None:
    """Print the CPU time of a 304 in this process, without a network: the minimum of several rounds."""
    from feeds.web import create_app

    apps = {name: create_app(config).wsgi_app for name, config in configs.items()}
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/rss.xml", "HTTP_ACCEPT_ENCODING": "gzip", "HTTP_X_CLIENT": "::1"}
    etags: list[str] = []
    for app in apps.values():
        app(dict(environ), lambda _status, headers: etags.append(dict(headers)["ETag"]))
    environ["HTTP_IF_NONE_MATCH"] = etags[-1]
    for crowd in (1, 1000):
        costs: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(rounds):
            for name, app in apps.items():
                environs = [
                    environ
                    | {
                        "HTTP_USER_AGENT": f"{agents[n % crowd % len(agents)]} ",
                        "HTTP_X_CLIENT": f"10.0.{n % crowd // 250}.{n % 250 % crowd}",
                    }
                    for n in range(requests)
                ]
                began = time.process_time()  # of all threads, including the one that counts polls
                for request in environs:
                    app(request, lambda _status, _headers: None)
                time.sleep(0.5)  # until the thread has counted the last poll
                costs[name].append((time.process_time() - began) / requests * 1e6)
        minima = ", ".join(f"{name} {min(cost):.2f} µs" for name, cost in costs.items())
        print(f"  304 without a network, {crowd} client{'s' if crowd > 1 else ''}: {minima} of CPU", flush=True)


def counting(count: int, seconds: float, rounds: int, connections: int) -> None:
    """Compare `feeds serve` with and without counting polls."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        corpus.write(count, root / "content")
        competitors = []
        for name, enabled in NAMES:
            config, port = root / f"{enabled}.yaml", free_port()
            config.write_text(
                "site: {title: Bench, url: https://bench.example}\nschedule: {cron: null}\n"
                f"stats: {{count: {enabled}}}\nstate: sqlite:///{enabled}.db\n"
                "server: {client_header: X-Client, limit: 0}\n"
            )
            command = [sys.executable, "-m", "feeds", "serve", "-q", "-c", str(config), "--port", str(port)]
            competitors.append(stack.enter_context(start_server(name, command, port, root)))
            competitors[-1].connections = connections
        agents = [line.partition("\t")[0] for line in AGENTS.read_text("utf-8").splitlines()[1:]]
        (root / "one.lua").write_text(
            'wrk.headers["User-Agent"] = "NetNewsWire (RSS Reader; https://netnewswire.com/)"\n'
        )
        quoted = ", ".join(json.dumps(agent) for agent in agents if agent.isascii())
        (root / "crowd.lua").write_text(CROWD.format(agents=quoted))
        in_process({name: root / f"{enabled}.yaml" for name, enabled in NAMES}, agents)
        print(f"wrk, {connections} connections; {os.cpu_count()} cores; {rounds} rounds of {seconds:g} s")
        for conditional in (True, False):
            for crowd in ("one", "crowd"):
                rates: dict[str, list[float]] = {competitor.name: [] for competitor in competitors}
                costs: dict[str, list[float]] = {competitor.name: [] for competitor in competitors}
                for number in range(rounds):
                    for competitor in competitors if number % 2 else reversed(competitors):
                        script = root / f"{crowd}.lua"
                        before = competitor.cpu()
                        result = load(competitor, "/rss.xml", seconds, conditional=conditional, script=script)
                        rates[competitor.name].append(result.rate)
                        costs[competitor.name].append((competitor.cpu() - before) / (result.rate * seconds) * 1e6)
                ratios = [with_ / without for with_, without in zip(*rates.values(), strict=True)]
                clients = {"one": "one client", "crowd": "a thousand clients"}[crowd]
                print("    CPU:", *(f"{name} {statistics.median(cost):.2f} µs" for name, cost in costs.items()))
                print(
                    f"  {'304' if conditional else '200'}, {clients:<18}"
                    f" {' '.join(f'{name} {statistics.median(rate):.0f}/s' for name, rate in rates.items())}:"
                    f" {statistics.median(ratios) - 1:+.1%} ({' '.join(f'{ratio:.3f}' for ratio in sorted(ratios))})",
                    flush=True,
                )


def main() -> None:
    """Measure, and print the results."""
    arguments = sys.argv[1:]
    compare_counting = arguments[:1] == ["counting"]
    arguments = arguments[compare_counting:]
    count, seconds, rounds, connections = [float(value) for value in arguments] + [200, 4, 5, 64][len(arguments) :]
    if compare_counting:
        counting(int(count), seconds, int(rounds), int(connections))
        return
    for program in ("nginx", "wrk"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is needed")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        root.chmod(0o755)
        (root / "config.yaml").write_text("site: {title: Bench, url: https://bench.example}\nschedule: {cron: null}\n")
        corpus.write(int(count), root / "content")
        feeds, nginx, flask = free_port(), free_port(), free_port()
        command = [sys.executable, "-m", "feeds", "serve", "-q", "--port", str(feeds)]
        competitors = [stack.enter_context(start_server("feeds serve", command, feeds, root))]
        for path in PATHS:
            file = root / "www" / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(get(feeds, path)[2])
            compressed = get(feeds, path, Accept_Encoding="gzip")[2]
            assert gzip.decompress(compressed) == file.read_bytes()
            Path(f"{file}.gz").write_bytes(compressed)
        user = "user root;" if os.geteuid() == 0 else ""
        (root / "nginx.conf").write_text(NGINX.format(root=root, port=nginx, user=user))
        competitors.insert(
            0, stack.enter_context(start_server("nginx", ["nginx", "-c", str(root / "nginx.conf")], nginx, root))
        )
        for interface in ("rsgi", "wsgi"):
            place, port = root / interface, free_port()
            place.mkdir()
            (place / "bare.py").write_text(
                BARE.format(root=str(root / "www"), paths=PATHS, port=port, interface=interface)
            )
            bare = [sys.executable, "bare.py"]
            competitors.append(stack.enter_context(start_server(f"bare {interface}", bare, port, place)))
        (root / "view.py").write_text(FLASK.format(root=str(root / "www"), paths=PATHS))
        gunicorn = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{flask}", "--threads", "8", "view:app"]
        competitors.append(stack.enter_context(start_server("Flask, gunicorn", gunicorn, flask, root)))
        for competitor in competitors:
            competitor.connections = int(connections)
        print(f"wrk, {connections:.0f} connections; {os.cpu_count()} cores")
        for path in PATHS:
            headers, body = get(feeds, path, Accept_Encoding="gzip")[1:]
            print(f"\n{path}: {len(body)} bytes in gzip, {len(str(headers)) + len(body)} with the header")
            compare(competitors, path, seconds, int(rounds))
        port = free_port()
        first_requests([sys.executable, "-m", "feeds", "serve", "-q", "--port", str(port)], port, root)


if __name__ == "__main__":
    main()
