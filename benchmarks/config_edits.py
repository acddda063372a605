"""Edit the configuration fifty times while clients poll: python benchmarks/config_edits.py [EDITS] [--workers N …].

Starts `feeds serve` with 300 articles. 16 clients poll feeds all the time, half of them over connections that they keep
open, and half over a new connection for each poll. Meanwhile config.yaml is edited: title, limit, language, aliases,
kinds of feeds, cache times and secrets change in turn. Files are replaced by renaming, written in place, or truncated
first and written later, as editors do. Every fifth edit is broken: invalid YAML, an unknown key, a wrong value, or an
empty file for two seconds.

Prints, for each number of workers, how long it took from the end of the write until a poll showed the effect, and until
no poll showed the old state any more, over new and kept connections, and the memory of the largest worker. Counts
failed polls (no response, or another status than 200 and 304), and wrong responses (of the old configuration after two
seconds, or of a broken one). A request over a kept connection that the server closes before it responds is repeated
once, as all clients do (RFC 9112 section 9.3.1). The exit code is 1 if a poll failed, a response was wrong, or an edit
took longer than two seconds.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from abuse import free_port, memory

ARTICLES, CATEGORIES = 300, 5
POLLERS, POLL_INTERVAL_S = 16, 0.05
LIMIT_S = 2.0  # for the effect of an edit
OBSERVED_S = 2.5  # after an edit
DOCUMENTS = ("/rss.xml", "/atom.xml", "/feed.json", "/tag/t1/rss.xml", "/tag/t2/atom.xml")
Settings = dict[str, dict[str, Any]]


class Response(NamedTuple):
    """The status, the header fields and the body of a response."""

    status: int
    fields: dict[str, str]
    body: bytes


class Edit(NamedTuple):
    """An edit that changes the configuration, and a request that shows its effect."""

    name: str
    change: Callable[[Settings, int], None]
    request: Callable[[int], tuple[str, dict[str, str]]]  # by the number of the edit: a path and header fields
    observe: Callable[[Response], object]  # the value that the edit changes
    expect: Callable[[Settings], object]  # this value with the edited configuration


def _set(section: str, key: str, value: Callable[[int], Any]) -> Callable[[Settings, int], None]:
    def change(settings: Settings, number: int) -> None:
        settings[section][key] = value(number)

    return change


def _get(path: str) -> Callable[[int], tuple[str, dict[str, str]]]:
    return lambda _number: (path, {})


def _json(key: str) -> Callable[[Response], object]:
    return lambda response: json.loads(response.body).get(key)


def _max_age(response: Response) -> int:
    match = re.search(r"max-age=(\d+)", response.fields["cache-control"])
    return int(match[1]) if match else 0


EDITS = [
    Edit("title", _set("site", "title", lambda n: f"Title {n}"), _get("/feed.json"), _json("title"),
         lambda settings: settings["site"]["title"]),
    Edit("limit", _set("feeds", "limit", lambda n: 10 + n), _get("/feed.json"),
         lambda response: len(json.loads(response.body)["items"]), lambda settings: settings["feeds"]["limit"]),
    Edit("language", _set("site", "language", lambda n: "de" if n // 8 % 2 else "fr"), _get("/feed.json"),
         _json("language"), lambda settings: settings["site"]["language"]),
    Edit("alias", _set("feeds", "aliases", lambda n: {f"/old-{n}.xml": "/rss.xml"}),
         lambda n: (f"/old-{n}.xml", {}), lambda response: response.status, lambda _: 200),
    Edit("categories", _set("feeds", "by", lambda n: ["tag"] if n // 8 % 2 else ["tag", "category"]),
         _get("/category/c1/rss.xml"), lambda response: response.status == 200,
         lambda settings: "category" in settings["feeds"]["by"]),
    Edit("max_age", _set("server", "max_age", lambda n: 100 + n), _get("/rss.xml"), _max_age,
         lambda settings: settings["server"]["max_age"]),
    Edit("secret", _set("stats", "token", lambda n: f"the-secret-number-{n}-of-the-owner"),
         lambda n: ("/stats", {"Authorization": f"Bearer the-secret-number-{n}-of-the-owner"}),
         lambda response: response.status == 401, lambda _: False),
    Edit("description", _set("site", "description", lambda n: f"About {n}"), _get("/feed.json"), _json("description"),
         lambda settings: settings["site"]["description"]),
]  # fmt: skip
BROKEN: list[tuple[str, Callable[[str], str]]] = [
    ("invalid YAML", lambda text: text.replace("}", "", 1)),
    ("unknown key", lambda text: text.replace('"title"', '"titel"', 1)),
    ("wrong value", lambda text: text.replace('"limit": ', '"limit": "many", "min_entries": ', 1)),
    ("empty for two seconds", lambda _: ""),
    ("cut off", lambda text: text[: len(text) // 2]),
]
WRITES = ("rename", "in place", "truncate first")


class Connection:
    """A connection to the server, which may be used for several requests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.repeated = 0  # requests that were repeated because the server had closed the connection

    async def get(self, path: str, fields: dict[str, str], *, keep: bool) -> Response:
        """Return the response to a request. Raise `OSError` or `EOFError` if there is none."""
        is_reused = self._streams is not None
        try:
            return await self._request(path, fields, keep=keep)
        except (OSError, EOFError):
            await self.close()
            if not is_reused:
                raise
        self.repeated += 1
        return await self._request(path, fields, keep=keep)

    async def _request(self, path: str, fields: dict[str, str], *, keep: bool) -> Response:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
        reader, writer = self._streams
        sent = {"Host": "127.0.0.1", "Connection": "keep-alive" if keep else "close", **fields}
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items()), "", ""]).encode())
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        received = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        code = int(status.split()[1])
        body = await reader.readexactly(int(received.get("content-length", 0))) if code != 304 else b""
        if not keep or received.get("connection") == "close":
            await self.close()
        return Response(code, received, body)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams:
            self._streams[1].close()
            with contextlib.suppress(OSError):
                await self._streams[1].wait_closed()
            self._streams = None


@dataclass
class Results:
    """The measurements with one number of workers."""

    polls: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    first: list[float] = field(default_factory=list)  # seconds until a poll showed the effect
    settled: list[float] = field(default_factory=list)  # seconds until no poll showed the old state
    mixed: list[float] = field(default_factory=list)  # seconds in which polls showed both
    late: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def poll(port: int, number: int, results: Results) -> None:
    """Poll feeds with the validators of the last responses."""
    keep = number % 2 == 0
    connection, etags = Connection(port), dict[str, str]()
    await asyncio.sleep(POLL_INTERVAL_S * number / POLLERS)
    while True:
        for path in DOCUMENTS:
            fields = {"Accept-Encoding": "gzip"} | ({"If-None-Match": etags[path]} if path in etags else {})
            try:
                response = await connection.get(path, fields, keep=keep)
                results.polls[str(response.status)] += 1
                if response.status not in {200, 304}:
                    results.failures[f"{path} {response.status}"] += 1
                etags[path] = response.fields.get("etag", "")
            except (OSError, EOFError) as error:
                results.failures[f"{type(error).__name__}, {'kept' if keep else 'new'} connection"] += 1
                await connection.close()
            results.repeated, connection.repeated = results.repeated + connection.repeated, 0
            await asyncio.sleep(POLL_INTERVAL_S)


async def observe(
    port: int, edit: Edit, number: int, seconds: float, results: Results, *, keep: bool
) -> list[tuple[float, object]]:
    """Return the values that requests show in the next seconds, each with the time at which the request was sent."""
    connection, seen = Connection(port), list[tuple[float, object]]()
    path, fields = edit.request(number)
    until = time.monotonic() + seconds
    while (sent := time.monotonic()) < until:
        try:
            response = await connection.get(path, fields, keep=keep)
            if response.status not in {503, 429}:  # the statistics are being computed
                seen.append((sent, edit.observe(response)))
        except (OSError, EOFError) as error:
            results.failures[f"{type(error).__name__}, {'kept' if keep else 'new'} connection of the observer"] += 1
            await connection.close()
        await asyncio.sleep(0.02)
    results.repeated += connection.repeated
    await connection.close()
    return seen


def write(file: Path, text: str, how: str) -> None:
    """Write the configuration as an editor does."""
    if how == "rename":
        temporary = file.with_name(".config.yaml.tmp")
        temporary.write_text(text)
        temporary.replace(file)
    elif how == "in place":
        file.write_text(text)
    else:
        file.write_text("")
        time.sleep(0.05)
        with file.open("a") as stream:
            stream.write(text[: len(text) // 2])
            stream.flush()
            time.sleep(0.05)
            stream.write(text[len(text) // 2 :])


async def edit_validly(port: int, file: Path, settings: Settings, number: int, results: Results) -> None:
    """Make an edit, and measure when it takes effect."""
    edit, how = EDITS[number % len(EDITS)], WRITES[number % len(WRITES)]
    edit.change(settings, number)
    expected = edit.expect(settings)
    observers = [observe(port, edit, number, OBSERVED_S, results, keep=keep) for keep in (False, True)]
    observed = asyncio.gather(*observers)
    await asyncio.to_thread(write, file, json.dumps(settings, indent=1), how)
    written = time.monotonic()
    seen = [item for of_observer in await observed for item in of_observer]
    new = [sent - written for sent, value in seen if value == expected]
    old = [sent - written for sent, value in seen if value != expected]
    name = f"edit {number} ({edit.name}, {how})"
    first, settled = min(new, default=OBSERVED_S), max(0.0, *old) if old else 0.0
    results.first.append(first)
    results.settled.append(settled)
    results.mixed.append(max(0.0, settled - first))
    if not new or settled > LIMIT_S:
        results.late.append(f"{name}: effect after {first:.2f} s, old responses until {settled:.2f} s")


async def edit_wrongly(port: int, file: Path, settings: Settings, number: int, results: Results) -> None:
    """Make an edit with a mistake, check that nothing changes, and undo it."""
    name, spoil = BROKEN[number // 5 % len(BROKEN)]
    text = json.dumps(settings, indent=1)
    changed = json.loads(text)
    changed["site"]["title"] = f"Broken {number}"
    observers = [observe(port, EDITS[0], number, OBSERVED_S, results, keep=keep) for keep in (False, True)]
    observed = asyncio.gather(*observers)
    await asyncio.to_thread(write, file, spoil(json.dumps(changed, indent=1)), WRITES[number % len(WRITES)])
    for seen in await observed:
        if titles := {value for _, value in seen} - {settings["site"]["title"]}:
            results.wrong.append(f"edit {number} ({name}): {titles}")
    await asyncio.to_thread(write, file, text, "rename")
    await asyncio.sleep(1.5)


async def measure(port: int, file: Path, settings: Settings, edits: int) -> Results:
    """Make edits while clients poll."""
    results = Results()
    pollers = [asyncio.ensure_future(poll(port, number, results)) for number in range(POLLERS)]
    for number in range(1, edits + 1):
        if number % 5 == 0:
            await edit_wrongly(port, file, settings, number, results)
        else:
            await edit_validly(port, file, settings, number, results)
    for poller in pollers:
        poller.cancel()
    await asyncio.gather(*pollers, return_exceptions=True)
    return results


def write_site(root: Path, port: int, workers: int) -> Settings:
    """Write a site, and return its configuration."""
    content = root / "content"
    content.mkdir()
    for number in range(ARTICLES):
        (content / f"{number}.md").write_text(
            f"---\ntitle: Article {number}\ncategory: c{number % CATEGORIES}\ntags: [t{number % 9}]\n"
            f"date: 2025-{1 + number % 12:02}-{1 + number % 28:02}\n---\n"
            + f"Some *text* of article {number}.\n\n"
            * 20
        )
    settings: Settings = {
        "site": {"title": "Title 0", "url": f"http://127.0.0.1:{port}", "authority": "bench.example"},
        "feeds": {"limit": 20, "by": ["tag", "category"]},
        "server": {"port": port, "workers": workers, "limit": 0},
        "schedule": {"cron": None, "webhook": "a-secret-of-the-owner"},
        "stats": {"token": "the-first-secret-of-the-owner"},
    }
    (root / "config.yaml").write_text(json.dumps(settings, indent=1))
    return settings


async def run(port: int, root: Path, settings: Settings, edits: int) -> Results:
    """Wait until the site is served, and measure."""
    for _ in range(300):
        with contextlib.suppress(OSError, EOFError):
            if (await Connection(port).get("/rss.xml", {}, keep=False)).status == 200:
                break
        await asyncio.sleep(0.1)
    else:
        raise SystemExit("the server does not respond")
    return await measure(port, root / "config.yaml", settings, edits)


def report(workers: int, results: Results) -> bool:
    """Print the results, and return whether all limits hold."""
    print(f"server.workers: {workers}")
    for name, times in (
        ("edit to first effect", results.first),
        ("edit to last old response", results.settled),
        ("old and new responses", results.mixed),
    ):
        print(
            f"  {name:<26} median {statistics.median(times):5.2f} s   maximum {max(times):5.2f} s   {len(times)} edits"
        )
    polls = ", ".join(f"{status}: {count}" for status, count in sorted(results.polls.items()))
    print(f"  polls {polls}; repeated over a new connection: {results.repeated}")
    print(f"  failed polls: {sum(results.failures.values())} {dict(results.failures) or ''}")
    print(f"  edits slower than {LIMIT_S:g} s: {len(results.late)}, broken edits with an effect: {len(results.wrong)}")
    for line in [*results.late, *results.wrong]:
        print(f"    {line}")
    return not (results.failures or results.late or results.wrong)


def main() -> int:
    """Measure with each number of workers; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("edits", nargs="?", type=int, default=50)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--log", action="store_true", help="print the server's log")
    options = parser.parse_args()
    hold = True
    for workers in options.workers:
        port = free_port()
        with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
            root = Path(folder)
            settings = write_site(root, port, workers)
            command = [sys.executable, "-m", "feeds", "serve"]
            server = subprocess.Popen(command, cwd=root, stdout=log, stderr=log, start_new_session=True)
            try:
                hold &= report(workers, asyncio.run(run(port, root, settings, options.edits)))
                print(f"  largest worker {memory(server.pid) >> 20} MiB", flush=True)
            finally:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(30)
                if options.log:
                    print((root / "log").read_text())
    return 0 if hold else 1


if __name__ == "__main__":
    sys.exit(main())
