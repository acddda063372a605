"""Make hostile inputs and look at what comes of them: python benchmarks/fuzz.py TARGET AMOUNT [PATH …] [OPTIONS].

AMOUNT is a number of inputs, or of seconds: 100000, 600s. TARGET is what reads them:

- `articles`: the Markdown engine and the sanitiser. First every structured input of tests/fuzzing.py at full size (a
  megabyte of each construct, of each special character and of each pair of them), then inputs that are made by random
  changes of the examples and articles at PATH: files in the format of spec.txt, and folders of Markdown files.
- `front-matter`, `configuration`, `requests`, `logs`, `manifests`: those of tests/fuzz_targets.py.

Print each input

- that ends the process (a stack overflow, memory) or that takes half a minute,
- for which anything else than a result or one clear sentence is raised,
- that takes more CPU than --seconds,
- of which comes what must not come of it: HTML with characters that XML forbids, ids that repeat, or tags that the
  sanitiser would still remove; a status of 500; a file outside the export that is another …

The exit code is 1 if there is one. The same seed makes the same inputs; --save writes those that are printed to files.
Workers have a stack of a megabyte and two gigabytes of memory.
"""

import argparse
import heapq
import math
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import fuzz_targets
import fuzzing
import specification

from feeds.errors import Refused
from feeds.parse import frontmatter

STACK = 1 << 20  # bytes; the least that a thread has on the systems that comrak and nh3 have wheels for
MEMORY = 2 << 30  # bytes
HANG = 30  # seconds of CPU
PART = 1_500  # characters of an article
LARGEST = 1 << 20  # characters of an article
ENDLESS = 1 << 40  # inputs: more than any time limit allows
FORK = multiprocessing.get_context("fork")

Case = tuple[str, str, Callable[[], Any]]  # name, dialect or "", what makes the input
Check = Callable[[str, str], tuple[Any, list[str]]]  # what was made, its dialect -> the input, what is wrong


class Mutated:
    """A number of inputs that are random changes of sources, spread evenly over the sources."""

    def __init__(self, seed: str, count: int, sources: list[list[str]]) -> None:
        self._seed, self._count, self._sources = seed, count, sources

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Case:
        random = Random(f"{self._seed}-{index}")
        dialect = random.choice(fuzzing.DIALECTS)
        return f"mutated {self._seed}-{index}", dialect, lambda: fuzzing.mutated(random, random.choice(self._sources))


class Made:
    """A number of seeds for a target that makes its inputs from them."""

    def __init__(self, target: str, seed: str, count: int) -> None:
        self._target, self._seed, self._count = target, seed, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Case:
        seed = f"{self._seed}-{index}"
        return f"{self._target} {seed}", "", lambda: seed


Cases = list[Case] | Mutated | Made


def of_articles(seconds: float) -> Check:
    """Return what looks at articles."""

    def check(text: str, dialect: str) -> tuple[Any, list[str]]:
        text = text[:LARGEST]
        return text, fuzzing.faults(text, dialect, seconds)

    return check


def of_target(name: str, folder: Path, seconds: float) -> Check:
    """Return what looks at the inputs of another target, in a folder of its own."""
    target = fuzz_targets.TARGETS[name](Path(tempfile.mkdtemp(dir=folder)))

    def check(seed: str, _dialect: str) -> tuple[Any, list[str]]:
        given = target.make(Random(seed))
        began = time.thread_time()
        found = fuzz_targets.faults_of(target, given)
        if (took := time.thread_time() - began) > seconds:
            found.append(f"takes {took:.1f} s")
        return given, found

    return check


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

    def __init__(self, cases: Cases, first: int, stride: int, prepare: Callable[[], Check], until: float) -> None:
        self._cases, self._stride, self._prepare, self._until = cases, stride, prepare, until
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
        done = 0
        check = self._prepare()
        for index in range(first, len(self._cases), self._stride):
            if time.monotonic() > self._until:
                break
            done += 1
            self._index.value = index
            name, dialect, make = self._cases[index]
            text: Any = make()
            began = time.thread_time()
            try:
                text, found = check(text, dialect)
            except BaseException as error:  # a panic is one
                found = [f"raises {error!r:.200}"]
            heapq.heappush(slowest, (time.thread_time() - began, f"{name}, {dialect}"))
            del slowest[:-10]
            if found:
                connection.send((name, dialect, text, found))
        connection.send([done, *slowest])

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
        return name, dialect, make()[:LARGEST], found


def _cpu(pid: int | None) -> float:
    """Return the seconds of CPU that a process has had."""
    stat = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK")


def run(cases: Cases, prepare: Callable[[], Check], options: argparse.Namespace, until: float = math.inf) -> int:
    """Run cases, none after a moment of the monotonic clock, and print what is wrong. Return how many cases are."""
    began = time.monotonic()
    workers = [Worker(cases, number, options.processes, prepare, until) for number in range(options.processes)]
    slowest: list[tuple[float, str]] = []
    wrong = done = 0
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
                done += message[0]
                slowest += message[1:]
                worker.process.join()
                workers.remove(worker)
            elif message:
                wrong += 1
                report(message, options.save)
    print(f"{done:,} inputs in {time.monotonic() - began:.0f} s, {wrong} wrong; the slowest:")
    for took, name in sorted(slowest, reverse=True)[:5]:
        print(f"  {took:.2f} s  {name}")
    sys.stdout.flush()
    return wrong


def report(wrong: tuple[str, str, Any, list[str]], save: Path | None) -> None:
    """Print what is wrong with an input, and write it to a file."""
    name, dialect, given, found = wrong
    text = given if isinstance(given, str) else repr(given)
    print(f"{name}, {dialect}, {len(text)} characters: {'; '.join(found)}", flush=True)
    if save:
        save.mkdir(exist_ok=True)
        (save / re.sub(r"[^\w-]+", "_", f"{name}-{dialect}")[:100]).with_suffix(".md").write_text(
            text, "utf-8", "backslashreplace"
        )


def main() -> int:
    """Run all inputs. Return 1 if something is wrong with one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=["articles", *fuzz_targets.TARGETS])
    parser.add_argument("amount", help="a number of inputs, or of seconds: 600s")
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--size", type=int, default=1 << 20, help="characters of a structured input; 0: none")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth structured input only")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument(
        "--seconds",
        type=float,
        help="of CPU for an input: 0.5; for structured ones, a megabyte, too; for other targets 5",
    )
    parser.add_argument("--save", type=Path, help="a folder for the inputs that are printed")
    options = parser.parse_args()
    timed = options.amount.endswith("s")
    amount = int(options.amount.removesuffix("s"))
    count = ENDLESS if timed else amount
    wrong = 0
    if options.target != "articles":
        with tempfile.TemporaryDirectory(prefix="feeds-fuzz-") as folder:
            prepare = partial(of_target, options.target, Path(folder), options.seconds or 5)
            until = time.monotonic() + amount if timed else math.inf
            wrong = run(Made(options.target, options.seed, count), prepare, options, until)
        return 1 if wrong else 0
    prepare = partial(of_articles, options.seconds or 0.5)
    if options.size:
        wrong += run(structured(options.size)[:: options.every], prepare, options)
    if amount:
        until = time.monotonic() + amount if timed else math.inf
        cases = Mutated(options.seed, count, [texts(path) for path in options.paths])
        wrong += run(cases, prepare, options, until)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
