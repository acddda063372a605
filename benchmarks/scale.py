"""What a build costs beside Hugo's, and an edit under `feeds serve`: python benchmarks/scale.py [COUNT …] [OPTIONS].

The same content, the same feeds (the site's and one for each category, 50 entries, full text), in one run; Hugo
(dependency group `bench`) writes RSS alone, we write three formats. For each count of articles, in a folder that is
kept (--folder) so that the next run need not write it:

    cold       nothing there but the articles
    unchanged  once more
    edited     under `feeds serve`, from the save of one of the newest articles until a poll sees it

Wall and CPU seconds, and the peak of the memory (PSS) of all processes together; ratios are ours to Hugo's, of the
medians of --rounds alternating rounds. --tags has feeds for eight tags out of five hundred in every article too, for
both. --markdown adds the result to docs/performance.md.
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

ENVIRONMENT = {  # programs that are installed are compiled
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
HUGO_ALONE_BELOW = 1_000_000  # articles: with a million Hugo needs twenty gigabytes
NOTE = Path(__file__).parent.parent / "docs" / "performance.md"
CONFIG = """
site: {{title: Benchmark, url: https://bench.example, description: Articles by the thousand}}
content: {{path: {content}}}
feeds: {{by: [{by}], archives: false, max_size: 0}}
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
    """What a command took: seconds of wall and CPU, and megabytes at the peak."""

    wall: float
    cpu: float
    memory: float


class Meter(threading.Thread):
    """Watches the memory of a process and all below it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.over = pid, 0.0, False
        self.seen: set[int] = set()  # processes

    def run(self) -> None:
        """Look ten times a second, and less often where that takes more than a twentieth of a core."""
        while not self.over:
            began = time.monotonic()
            family = _family(self.pid)
            self.seen.update(family)
            self.peak = max(self.peak, sum(map(_pss, family)))
            time.sleep(min(max(0.1, 19 * (time.monotonic() - began)), 1.0))


def _family(pid: int) -> list[int]:
    children: list[str] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():  # a process is a child of the thread that started it
            children += (task / "children").read_text("ascii").split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(int(child)))]


def _pss(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0.0
    match = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def measured(command: list[str], cwd: Path, allowed: Collection[int] = (0,)) -> Cost:
    """Run a command, which must end with an exit code that is allowed."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    meter = Meter(process.pid)
    meter.start()
    assert process.stderr
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    meter.over = True
    cpu = usage.ru_utime + usage.ru_stime
    left, until = meter.seen - {process.pid}, time.monotonic() + 10
    while left and time.monotonic() < until:  # those for which nobody has waited are ours now
        pid = left.pop()
        with suppress(ChildProcessError):
            ended, _, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                cpu += usage.ru_utime + usage.ru_stime
            else:
                left.add(pid)
                time.sleep(0.01)
    if process.returncode not in allowed:
        sys.exit(f"{command}: exit {process.returncode}: {said.decode()}")
    return Cost(wall, cpu, meter.peak)


def adopt() -> None:
    """Become the parent of the processes whose parent ends below us, so that what they took can be told (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


class Ours:
    """`feeds`, in a folder of its own."""

    def __init__(self, root: Path, content: Path, *, tags: bool) -> None:
        self.root, self.content = root, content
        root.mkdir(parents=True)
        (root / "config.yaml").write_text(CONFIG.format(content=content, by="category, tag" if tags else "category"))

    def clear(self) -> None:
        """Take away all that was made."""
        for name in (".feeds", "public"):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def build(self) -> Cost:
        """Build."""
        return measured([sys.executable, "-m", "feeds", "build"], self.root)

    @contextmanager
    def served(self) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
        """Serve; gives the port and the process."""
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "feeds", "serve", "-q", "--port", str(port)]
        process = subprocess.Popen(command, cwd=self.root, env=ENVIRONMENT)
        try:
            yield port, process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


class Hugo:
    """Hugo, in a folder of its own, with the same content."""

    def __init__(self, root: Path, content: Path, *, tags: bool) -> None:
        self.root, self.content = root, content
        (root / "layouts").mkdir(parents=True)
        taxonomies = 'category = "category"' + ('\ntag = "tags"' if tags else "")
        (root / "hugo.toml").write_text(HUGO.format(taxonomies=taxonomies))
        (root / "layouts" / "rss.xml").write_text(RSS)

    def clear(self) -> None:
        """Take away all that was made."""
        shutil.rmtree(self.root / "public", ignore_errors=True)

    @property
    def command(self) -> list[str]:
        """The command that builds."""
        program = Path(sys.executable).with_name("hugo")
        return [str(program), "--quiet", "-s", str(self.root), "-c", str(self.content)]

    def build(self) -> Cost:
        """Build."""
        return measured(self.command, self.root)


def ask(port: int, path: str, etag: str | None) -> tuple[bytes, str]:
    """Poll; gives the body, empty if nothing changed, and the ETag."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"If-None-Match": etag or '""'})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read(), answer.headers["ETag"]
    except urllib.error.HTTPError as error:
        if error.code == 304 and etag:
            return b"", etag
        return b"", ""
    except OSError:  # it is just starting
        return b"", ""


def edits(ours: Ours, number: int) -> tuple[list[float], float, float]:
    """Edit articles while it is served. Gives the seconds from save to served, and the publisher's and worker's MB."""
    rng = random.Random(7)
    newest = sorted(corpus.paths(40, ours.content))
    with ours.served() as (port, process):
        etag = ""
        while not etag:
            time.sleep(0.2)
            _, etag = ask(port, "/feed.json", None)
        time.sleep(3)
        took = []
        for edit in range(number):
            file, word = ours.content / rng.choice(newest), f"edited{edit}x{rng.randrange(10**9)}"
            text = file.read_text("utf-8")
            beside = file.with_name(f".{file.name}.tmp")
            beside.write_text(f"{text}\n{word}\n", "utf-8")
            _, etag = ask(port, "/feed.json", None)
            saved = time.monotonic()
            beside.replace(file)
            while True:
                body, etag = ask(port, "/feed.json", etag)
                if word.encode() in body:
                    break
                time.sleep(0.003)
            took.append(time.monotonic() - saved)
            beside.write_text(text, "utf-8")
            beside.replace(file)
            time.sleep(0.7 + rng.random() / 2)
        family = _family(process.pid)
        worker = max((_pss(pid) for pid in _family(family[0])[1:] if b"spawn_main" in _command(pid)), default=0.0)
        return took, _pss(process.pid), worker


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def content(folder: Path, count: int) -> Path:
    """Write the articles, unless they are there."""
    made = folder / str(count)
    if not (made / "whole").exists():
        shutil.rmtree(made, ignore_errors=True)
        corpus.write(count, made / "content")
        (made / "whole").touch()
    return made / "content"


def compare(count: int, options: argparse.Namespace) -> list[str]:
    """Measure one count. Gives rows of a table."""
    articles = content(options.folder, count)
    work = Path(tempfile.mkdtemp(prefix="feeds-scale-", dir=options.folder))
    ours, hugo = Ours(work / "ours", articles, tags=options.tags), Hugo(work / "hugo", articles, tags=options.tags)
    cold, unchanged, theirs = [], [], []
    try:
        for _ in range(options.rounds):
            if count < HUGO_ALONE_BELOW:
                hugo.clear()
                theirs.append(hugo.build())
            ours.clear()
            cold.append(ours.build())
            unchanged.append(ours.build())
        took, publisher, worker = edits(ours, options.edits) if options.edits else ([], 0.0, 0.0)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    rows = [row(count, "Hugo, every time", theirs, []), row(count, "cold", cold, theirs)]
    rows += [row(count, "unchanged", unchanged, theirs)]
    if took:
        median, p95 = statistics.median(took), sorted(took)[int(len(took) * 0.95)]
        rows.append(
            f"| {count:,} | edited: saved → served | median {median * 1000:.0f} ms, 95 % {p95 * 1000:.0f} ms "
            f"| | publisher {publisher:.0f}, worker {worker:.0f} | |"
        )
    return [one for one in rows if one]


def row(count: int, what: str, costs: list[Cost], theirs: list[Cost]) -> str:
    """Give a row of a table, of the medians."""
    if not costs:
        return ""
    wall, cpu, memory = (statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "memory"))
    ratio = ""
    if theirs:
        walls, memories = (statistics.median(getattr(cost, name) for cost in theirs) for name in ("wall", "memory"))
        ratio = f"{wall / walls:.2f} × wall, {memory / memories:.2f} × memory"
    return f"| {count:,} | {what} | {wall:.2f} s | {cpu:.2f} s | {memory:.0f} | {ratio} |"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "feeds-scale")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--edits", type=int, default=40)
    parser.add_argument("--tags", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    adopt()
    lines = [
        (
            f"{'With tag feeds' if options.tags else 'Category feeds'}, {datetime.now(UTC):%Y-%m-%d}: "
            f"{os.cpu_count()} cores ({_processor()}), {platform.system()}, Python {platform.python_version()}, "
            f"Hugo {version('hugo')}; medians of {options.rounds}."
        ),
        "",
        "| articles | what | wall | CPU | MB | to Hugo |",
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
