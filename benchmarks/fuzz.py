"""Feed hostile articles to the Markdown engine and the sanitiser: python benchmarks/fuzz.py COUNT [PATH …] [OPTIONS].

First every structured input of tests/fuzzing.py at full size (a megabyte of each construct, of each special character
and of each pair of them), then COUNT inputs that are made by random changes of the examples and articles at PATH: files
in the format of spec.txt, and folders of Markdown files. Print each input

- that ends the process (a stack overflow, memory) or that takes half a minute,
- for which anything else than `Refused` is raised,
- that takes more CPU than --seconds,
- whose HTML has characters that XML forbids, ids that repeat, or tags that the sanitiser would still remove.

The exit code is 1 if there is one. The same seed makes the same inputs; --save writes those that are printed to files.
Workers have a stack of a megabyte and two gigabytes of memory.
"""

import argparse
import heapq
import multiprocessing
import os
import re
import resource
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import fuzzing
import specification

from feeds.errors import Refused
from feeds.parse import frontmatter

STACK = 1 << 20  # bytes; the least that a thread has on the systems that comrak and nh3 have wheels for
MEMORY = 2 << 30  # bytes
HANG = 30  # seconds of CPU
PART = 1_500  # characters of an article
FORK = multiprocessing.get_context("fork")

Case = tuple[str, str, Callable[[], str]]  # name, dialect, what makes the input


class Mutated:
    """So many inputs that are made of others, from each source as many."""

    def __init__(self, seed: str, count: int, sources: list[list[str]]) -> None:
        self._seed, self._count, self._sources = seed, count, sources

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Case:
        random = Random(f"{self._seed}-{index}")
        dialect = random.choice(fuzzing.DIALECTS)
        return f"mutated {self._seed}-{index}", dialect, lambda: fuzzing.mutated(random, random.choice(self._sources))


Cases = list[Case] | Mutated


def structured(size: int) -> list[Case]:
    """Return all structured inputs; those with marks of Obsidian in its dialect too."""
    cases = [("gfm", name, make) for name, make in (*fuzzing.structured(size), *fuzzing.pairs(size))]
    cases += [
        ("obsidian", name, make) for _, name, make in cases if re.search(r"[`=%~]|\[\[|Obsidian|code|fence", name)
    ]
    return [(f"{name} of {size}", dialect, make) for dialect, name, make in cases]


def texts(path: Path) -> list[str]:
    """Return the examples of a specification, or the articles of a folder, whole and in parts."""
    if path.is_file():
        return [example.markdown for example in specification.examples(path.read_text("utf-8"))]
    found = []
    for file in sorted(path.rglob("*.md")):
        try:
            body = frontmatter.read(file.read_text("utf-8-sig"))[1]
        except (Refused, UnicodeDecodeError):
            continue
        found += [body[at : at + PART] for at in range(0, len(body), PART)]
        found += [body] * (len(body) < 10 * PART)
    return found


class Worker:
    """A process that runs some of the cases."""

    def __init__(self, cases: Cases, first: int, stride: int, seconds: float) -> None:
        self._cases, self._stride, self._seconds = cases, stride, seconds
        self._index = FORK.Value("q", first)  # of the case that runs
        self._begin(first)

    def _begin(self, first: int) -> None:
        self.connection, theirs = FORK.Pipe()
        self.process = FORK.Process(target=self._start, args=(first, theirs))
        self.process.start()
        theirs.close()
        self._watched = first, 0.0

    def _start(self, first: int, connection: Connection) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        threading.stack_size(STACK)
        thread = threading.Thread(target=self._run, args=(first, connection))
        thread.start()
        thread.join()

    def _run(self, first: int, connection: Connection) -> None:
        slowest: list[tuple[float, str]] = []
        for index in range(first, len(self._cases), self._stride):
            self._index.value = index
            name, dialect, make = self._cases[index]
            text = make()[: 1 << 20]
            began = time.thread_time()
            try:
                found = fuzzing.faults(text, dialect, self._seconds)
            except BaseException as error:  # a panic is one
                found = [f"raises {error!r:.200}"]
            heapq.heappush(slowest, (time.thread_time() - began, f"{name}, {dialect}"))
            del slowest[:-10]
            if found:
                connection.send((name, dialect, text, found))
        connection.send(slowest)

    def restart_if_lost(self) -> Any:
        """Begin after the case that ended the process, or that takes too long; return it."""
        index = self._index.value
        cpu = _cpu(self.process.pid) if self.process.is_alive() else 0
        if index != self._watched[0]:
            self._watched = index, cpu
        if self.process.is_alive():
            if cpu - self._watched[1] < HANG:
                return None
            self.process.kill()
        self.process.join()
        name, dialect, make = self._cases[index]
        found = [f"ends the process ({self.process.exitcode})"]
        self._begin(index + self._stride)
        return name, dialect, make()[: 1 << 20], found


def _cpu(pid: int | None) -> float:
    """Return the seconds of CPU that a process has had."""
    stat = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK")


def run(cases: Cases, processes: int, seconds: float, save: Path | None) -> int:
    """Run cases and print what is wrong. Return how many cases are."""
    began = time.monotonic()
    workers = [Worker(cases, number, processes, seconds) for number in range(processes)]
    slowest: list[tuple[float, str]] = []
    wrong = 0
    while workers:
        ready = wait([worker.connection for worker in workers], timeout=1)
        for worker in list(workers):
            message = None
            if worker.connection in ready:
                try:
                    message = worker.connection.recv()
                except EOFError:
                    message = worker.restart_if_lost()
            elif not ready:
                message = worker.restart_if_lost()
            if isinstance(message, list):
                slowest += message
                worker.process.join()
                workers.remove(worker)
            elif message:
                wrong += 1
                report(message, save)
    print(f"{len(cases):,} inputs in {time.monotonic() - began:.0f} s, {wrong} wrong; the slowest:")
    for took, name in sorted(slowest, reverse=True)[:5]:
        print(f"  {took:.2f} s  {name}")
    sys.stdout.flush()
    return wrong


def report(wrong: tuple[str, str, str, list[str]], save: Path | None) -> None:
    """Print what is wrong with an input, and write it to a file."""
    name, dialect, text, found = wrong
    print(f"{name}, {dialect}, {len(text)} characters: {'; '.join(found)}", flush=True)
    if save:
        save.mkdir(exist_ok=True)
        (save / re.sub(r"[^\w-]+", "_", f"{name}-{dialect}")[:100]).with_suffix(".md").write_text(text, "utf-8")


def main() -> int:
    """Run all inputs. Return 1 if something is wrong with one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, help="mutated inputs")
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--size", type=int, default=1 << 20, help="characters of a structured input; 0: none")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth structured input only")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="of CPU for an input; for structured ones, a megabyte"
    )
    parser.add_argument("--save", type=Path, help="a folder for the inputs that are printed")
    options = parser.parse_args()
    wrong = 0
    if options.size:
        wrong += run(structured(options.size)[:: options.every], options.processes, options.seconds, options.save)
    if options.count:
        cases = Mutated(options.seed, options.count, [texts(path) for path in options.paths])
        wrong += run(cases, options.processes, options.seconds, options.save)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
