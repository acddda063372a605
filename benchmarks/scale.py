"""Compare builds with Hugo, and time edits under `feeds serve`: python benchmarks/scale.py [COUNT …] [OPTIONS].

Both programs build the same articles into the same feeds: the site's and one for each category, with 50 entries and
full text. Hugo (dependency group `bench`) writes RSS only, feeds writes three formats. --folder keeps the articles of
each COUNT for the next run.

    cold       without a catalog and without exported files
    unchanged  a second build without changes
    edited     under `feeds serve`, from saving one of the newest articles until a poll returns it

Prints wall time, CPU time and the peak memory (PSS) of all processes together, as medians of --rounds alternating
rounds; ratios are feeds to Hugo. With --tags, both also write a feed for each of five hundred tags, eight per article.
With --custom N, feeds also has N feeds that select articles, and a build is measured after one more was added; compare
with a run without the option. --markdown appends the table to docs/performance.md.
"""

import argparse
import ctypes
import os
import platform
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import corpus

ENVIRONMENT = {  # installed programs have compiled modules
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
MAX_HUGO_ARTICLES = 999_999  # with a million articles, Hugo needs twenty gigabytes
NOTE = Path(__file__).parent.parent / "docs" / "performance.md"
CONFIG = """
site: {{title: Benchmark, url: https://bench.example, description: Articles by the thousand}}
content: {{path: {content}}}
feeds: {{by: [{by}], archives: false, max_size: 0, custom: {{{custom}}}}}
export: {{pages: false}}
"""
HUGO = """
baseURL = "https://bench.example/"
title = "Benchmark"
disableKinds = ["section", "sitemap", "robotsTXT", "404"]
[taxonomies]
{taxonomies}
[outputs]
home = ["rss"]
term = ["rss"]
taxonomy = []
page = []
[markup.goldmark.renderer]
unsafe = true
"""
RSS = """{{- $pages := .RegularPages -}}{{- if .IsHome -}}{{- $pages = .Site.RegularPages -}}{{- end -}}
{{- printf "<?xml version=\\"1.0\\" encoding=\\"utf-8\\"?>" | safeHTML }}
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>{{ .Title }}</title>
<link>{{ .Permalink }}</link><description>{{ .Title }}</description>
{{- range first 50 $pages.ByDate.Reverse }}
<item><title>{{ .Title }}</title><link>{{ .Permalink }}</link><guid>{{ .Permalink }}</guid>
<pubDate>{{ .Date.Format "Mon, 02 Jan 2006 15:04:05 -0700" | safeHTML }}</pubDate>
<description>{{ .Description | html }}</description><content:encoded>{{ .Content | html }}</content:encoded></item>
{{- end }}
</channel></rss>
"""


@dataclass
class Cost:
    """The cost of a command."""

    wall: float  # seconds
    cpu: float  # seconds
    memory: float  # MB (PSS) at the peak


class Meter(threading.Thread):
    """Measures the memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.stopped = pid, 0.0, False
        self.seen: set[int] = set()  # process ids

    def run(self) -> None:
        """Measure ten times a second, or less often if that takes more than a twentieth of a core."""
        while not self.stopped:
            began = time.monotonic()
            pids = _process_tree(self.pid)
            self.seen.update(pids)
            self.peak = max(self.peak, sum(map(_pss, pids)))
            time.sleep(min(max(0.1, 19 * (time.monotonic() - began)), 1.0))


def _process_tree(pid: int) -> list[int]:
    children: list[str] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():  # a process is a child of the thread that started it
            children += (task / "children").read_text("ascii").split()
    except OSError:
        return []
    return [pid, *(descendant for child in children for descendant in _process_tree(int(child)))]


def _pss(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0.0
    match = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def measure(command: list[str], cwd: Path, allowed: Collection[int] = (0,)) -> Cost:
    """Run a command; return its cost. Exit if the command's exit code is not allowed."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    meter = Meter(process.pid)
    meter.start()
    assert process.stderr
    messages = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    meter.stopped = True
    cpu = usage.ru_utime + usage.ru_stime
    orphans, until = meter.seen - {process.pid}, time.monotonic() + 10
    while orphans and time.monotonic() < until:  # descendants whose parent has ended are children of this process now
        pid = orphans.pop()
        with suppress(ChildProcessError):
            ended, _, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                cpu += usage.ru_utime + usage.ru_stime
            else:
                orphans.add(pid)
                time.sleep(0.01)
    if process.returncode not in allowed:
        sys.exit(f"{command}: exit {process.returncode}: {messages.decode()}")
    return Cost(wall, cpu, meter.peak)


def become_subreaper() -> None:
    """Become the parent of orphaned descendants, to measure their CPU time too (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


class FeedsSite:
    """A site of feeds in a folder."""

    def __init__(self, root: Path, content: Path, *, tags: bool, custom: int) -> None:
        self.root, self.content = root, content
        self._by = "category, tag" if tags else "category"
        root.mkdir(parents=True)
        self.configure(custom)

    def configure(self, custom: int) -> None:
        """Write a configuration with some custom feeds, each of about three percent of the articles."""
        tags, categories = corpus.KEYWORDS, corpus.CATEGORIES
        feeds = [
            f"custom-{number}: {{include: {{tag: [{tags[2 * number]}, {tags[2 * number + 1]}], language: en}}, "
            f"exclude: {{category: {categories[number % len(categories)]}}}}}"
            for number in range(custom)
        ]
        text = CONFIG.format(content=self.content, by=self._by, custom=", ".join(feeds))
        (self.root / "config.yaml").write_text(text)

    def clear(self) -> None:
        """Delete the catalog and the exported files."""
        for name in (".feeds", "public"):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def build(self) -> Cost:
        """Build the site."""
        return measure([sys.executable, "-m", "feeds", "build"], self.root)

    @contextmanager
    def served(self) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
        """Serve the site; yield the port and the process."""
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "feeds", "serve", "-q", "--port", str(port)]
        process = subprocess.Popen(command, cwd=self.root, env=ENVIRONMENT)
        try:
            yield port, process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


class HugoSite:
    """A site of Hugo in a folder."""

    def __init__(self, root: Path, content: Path, *, tags: bool) -> None:
        self.root, self.content = root, content
        (root / "layouts").mkdir(parents=True)
        taxonomies = 'category = "category"' + ('\ntag = "tags"' if tags else "")
        (root / "hugo.toml").write_text(HUGO.format(taxonomies=taxonomies))
        (root / "layouts" / "rss.xml").write_text(RSS)

    def clear(self) -> None:
        """Delete the exported files."""
        shutil.rmtree(self.root / "public", ignore_errors=True)

    @property
    def command(self) -> list[str]:
        """The command that builds the site."""
        program = Path(sys.executable).with_name("hugo")
        return [str(program), "--quiet", "-s", str(self.root), "-c", str(self.content)]

    def build(self) -> Cost:
        """Build the site."""
        return measure(self.command, self.root)


def poll(port: int, path: str, etag: str | None) -> tuple[bytes, str]:
    """Poll a document; return the body, which is empty if it has not changed, and the ETag."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"If-None-Match": etag or '""'})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read(), response.headers["ETag"]
    except urllib.error.HTTPError as error:
        if error.code == 304 and etag:
            return b"", etag
        return b"", ""
    except OSError:  # the server does not listen yet
        return b"", ""


def time_edits(site: FeedsSite, number: int) -> tuple[list[float], float, float]:
    """Edit articles under `feeds serve`.

    Return the seconds from each save until the edit is served, and the memory (MB, PSS) of publisher and worker.
    """
    rng = random.Random(7)
    newest = sorted(corpus.paths(40, site.content))
    with site.served() as (port, process):
        etag = ""
        while not etag:
            time.sleep(0.2)
            _, etag = poll(port, "/feed.json", None)
        time.sleep(3)
        delays = []
        for edit in range(number):
            file, word = site.content / rng.choice(newest), f"edited{edit}x{rng.randrange(10**9)}"
            text = file.read_text("utf-8")
            temporary = file.with_name(f".{file.name}.tmp")
            temporary.write_text(f"{text}\n{word}\n", "utf-8")
            _, etag = poll(port, "/feed.json", None)
            saved = time.monotonic()
            temporary.replace(file)
            while True:
                body, etag = poll(port, "/feed.json", etag)
                if word.encode() in body:
                    break
                time.sleep(0.003)
            delays.append(time.monotonic() - saved)
            temporary.write_text(text, "utf-8")
            temporary.replace(file)
            time.sleep(0.7 + rng.random() / 2)
        descendants = _process_tree(process.pid)[1:]
        worker = max((_pss(pid) for pid in descendants if b"resource_tracker" not in _command(pid)), default=0.0)
        return delays, _pss(process.pid), worker


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def write_content(folder: Path, count: int) -> Path:
    """Write `count` articles, unless the folder has them already; return their folder."""
    parent = folder / str(count)
    if not (parent / "complete").exists():
        shutil.rmtree(parent, ignore_errors=True)
        corpus.write(count, parent / "content")
        (parent / "complete").touch()
    return parent / "content"


def compare(count: int, options: argparse.Namespace) -> list[str]:
    """Measure with `count` articles; return rows of the table."""
    articles = write_content(options.folder, count)
    work = Path(tempfile.mkdtemp(prefix="feeds-scale-", dir=options.folder))
    site = FeedsSite(work / "feeds", articles, tags=options.tags, custom=options.custom)
    hugo = HugoSite(work / "hugo", articles, tags=options.tags)
    cold, unchanged, added, hugo_costs = [], [], [], []
    try:
        for _ in range(options.rounds):
            if count <= MAX_HUGO_ARTICLES:
                hugo.clear()
                hugo_costs.append(hugo.build())
            site.clear()
            cold.append(site.build())
            unchanged.append(site.build())
            if options.custom:
                site.configure(options.custom + 1)
                added.append(site.build())
                site.configure(options.custom)
        delays, publisher, worker = time_edits(site, options.edits) if options.edits else ([], 0.0, 0.0)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    rows = [row(count, "Hugo, every time", hugo_costs, []), row(count, "cold", cold, hugo_costs)]
    rows += [row(count, "unchanged", unchanged, hugo_costs), row(count, "a custom feed added", added, [])]
    if delays:
        median, p95 = statistics.median(delays), sorted(delays)[int(len(delays) * 0.95)]
        rows.append(
            f"| {count:,} | edited: saved → served | median {median * 1000:.0f} ms, 95 % {p95 * 1000:.0f} ms "
            f"| | publisher {publisher:.0f}, worker {worker:.0f} | |"
        )
    return [line for line in rows if line]


def row(count: int, build: str, costs: list[Cost], reference: list[Cost]) -> str:
    """Return a row of the table with the medians of the costs and their ratios to a reference; "" without costs."""
    if not costs:
        return ""
    wall, cpu, memory = (statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "memory"))
    ratio = ""
    if reference:
        walls, memories = (statistics.median(getattr(cost, name) for cost in reference) for name in ("wall", "memory"))
        ratio = f"{wall / walls:.2f} × wall, {memory / memories:.2f} × memory"
    return f"| {count:,} | {build} | {wall:.2f} s | {cpu:.2f} s | {memory:.0f} | {ratio} |"


def main() -> None:
    """Measure with each number of articles, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "feeds-scale")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--edits", type=int, default=40)
    parser.add_argument("--tags", action="store_true")
    parser.add_argument("--custom", type=int, default=0, metavar="N")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    become_subreaper()
    lines = [
        (
            f"{'With tag feeds' if options.tags else 'Category feeds'}"
            f"{f' and {options.custom} custom feeds' if options.custom else ''}, {datetime.now(UTC):%Y-%m-%d}: "
            f"{os.cpu_count()} cores ({_processor()}), {platform.system()}, Python {platform.python_version()}, "
            f"Hugo {version('hugo')}; medians of {options.rounds}."
        ),
        "",
        "| articles | build | wall | CPU | MB | to Hugo |",
        "|---:|---|---:|---:|---:|---|",
    ]
    print("\n".join(lines), flush=True)
    for count in options.counts:
        rows = compare(count, options)
        print("\n".join(rows), flush=True)
        lines += rows
    if options.markdown:
        with NOTE.open("a", encoding="utf-8") as note:
            note.write("\n" + "\n".join(lines) + "\n")


def _processor() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    return match[1] if match else platform.machine()


if __name__ == "__main__":
    main()
