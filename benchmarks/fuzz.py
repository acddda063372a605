"""Send hostile inputs to a part of the program: python benchmarks/fuzz.py TARGET AMOUNT [PATH …] [OPTIONS].

AMOUNT is a number of inputs, or of seconds: 100000, 600s. TARGET is the part that reads them:

- `articles`: the Markdown engine and the sanitiser. First every structured input of tests/fuzzing.py at full size (a
  megabyte of each construct, of each special character and of each pair of them), then random changes of the examples
  and articles at PATH: files in the format of spec.txt, and folders of Markdown files. Every 200th input is half a
  megabyte of a random sequence that is repeated.
- `front-matter`, `configuration`, `requests`, `logs`, `manifests`: the targets of tests/fuzz_targets.py.

Print each input that

- ends the process (stack overflow, out of memory), takes over half a minute of CPU time, or takes none for two minutes,
- raises an unexpected exception or leads to an unclear message,
- takes more CPU time than --seconds,
- leads to an invalid result: HTML with characters that XML forbids, repeated ids, or tags that the sanitiser would
  still remove; a status of 500; a changed file outside the export …

The exit code is 1 if an input is printed. The same seed creates the same inputs; --save writes the printed inputs to
files. Workers have a stack of one megabyte and two gigabytes of memory.
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

from feeds.core.errors import ArticleError
from feeds.core.parse import frontmatter

STACK_BYTES = 1 << 20  # the smallest default of a thread on the systems for which comrak and nh3 have wheels
MEMORY_BYTES = 2 << 30
HANG_CPU_S = 30
HANG_IDLE_S = 120  # without using CPU time, not counting seconds in which this process or the worker is stopped
CHECK_INTERVAL_S = 1.0  # between two checks of the workers
END_TIMEOUT_S = 30.0  # of a worker that has checked its last case
PART_CHARACTERS = 1_500  # of an article
MAX_CHARACTERS = 1 << 20  # of an article
REPEATED_EVERY = 200  # inputs
REPEATED_CHARACTERS = 1 << 19  # of such an input
UNLIMITED = 1 << 40  # inputs: more than any time limit allows
FORK = multiprocessing.get_context("fork")

Case = tuple[str, str, Callable[[], Any]]  # name, dialect or "", function that returns a text or a seed
Check = Callable[[str, str], tuple[Any, list[str]]]  # (text or seed, dialect) -> (input, violations)


class Mutated:
    """A sequence of articles that are random changes of sources, each equally frequent, or repeat a random sequence."""

    def __init__(self, seed: str, count: int, sources: list[list[str]]) -> None:
        self._seed, self._count, self._sources = seed, count, sources

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Case:
        random = Random(f"{self._seed}-{index}")
        dialect = random.choice(fuzzing.DIALECTS)
        if index % REPEATED_EVERY == 0:
            return f"repeated {self._seed}-{index}", dialect, lambda: fuzzing.repeat(random, REPEATED_CHARACTERS)
        return f"mutated {self._seed}-{index}", dialect, lambda: fuzzing.mutate(random, random.choice(self._sources))


class Seeds:
    """A sequence of seeds from which a target creates its inputs."""

    def __init__(self, target: str, seed: str, count: int) -> None:
        self._target, self._seed, self._count = target, seed, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Case:
        seed = f"{self._seed}-{index}"
        return f"{self._target} {seed}", "", lambda: seed


Cases = list[Case] | Mutated | Seeds


def of_articles(seconds: float) -> Check:
    """Return the function that checks articles."""

    def check(text: str, dialect: str) -> tuple[Any, list[str]]:
        text = text[:MAX_CHARACTERS]
        return text, fuzzing.violations(text, dialect, seconds)

    return check


def of_target(name: str, folder: Path, seconds: float) -> Check:
    """Return the function that checks inputs of another target, in a new subfolder."""
    target = fuzz_targets.TARGETS[name](Path(tempfile.mkdtemp(dir=folder)))

    def check(seed: str, _dialect: str) -> tuple[Any, list[str]]:
        given = target.create_input(Random(seed))
        began = time.thread_time()
        violations = fuzz_targets.violations_of(target, given)
        if (took := time.thread_time() - began) > seconds:
            violations.append(f"takes {took:.1f} s")
        return given, violations

    return check


def structured(size: int) -> list[Case]:
    """Return all structured inputs. Those with Obsidian syntax are returned for the dialect `obsidian`, too."""
    cases = [("gfm", name, create) for name, create in (*fuzzing.structured(size), *fuzzing.pairs(size))]
    cases += [
        ("obsidian", name, create) for _, name, create in cases if re.search(r"[`=%~]|\[\[|Obsidian|code|fence", name)
    ]
    return [(f"{name} of {size}", dialect, create) for dialect, name, create in cases]


def texts(path: Path) -> list[str]:
    """Return the examples of a specification, or the articles of a folder, whole and in parts."""
    if path.is_file():
        return [example.markdown for example in specification.examples(path.read_text("utf-8"))]
    parts = []
    for file in sorted(path.rglob("*.md")):
        try:
            body = frontmatter.split_front_matter(file.read_text("utf-8-sig")).body
        except (ArticleError, UnicodeDecodeError):
            continue
        parts += [body[start : start + PART_CHARACTERS] for start in range(0, len(body), PART_CHARACTERS)]
        parts += [body] * (len(body) < 10 * PART_CHARACTERS)
    return parts


class Worker:
    """A process that checks every `stride`-th case."""

    def __init__(self, cases: Cases, first: int, stride: int, prepare: Callable[[], Check], until: float) -> None:
        self._cases, self._stride, self._prepare, self._until = cases, stride, prepare, until
        self._index = FORK.Value("q", first)  # of the current case
        self._done = FORK.Value("q", 0)  # cases that were begun
        self._begin(first)

    @property
    def done(self) -> int:
        """The number of cases that were begun."""
        return self._done.value

    def _begin(self, first: int) -> None:
        self.connection, sender = FORK.Pipe()
        self.process = FORK.Process(target=self._start, args=(first, sender))
        self.process.start()
        sender.close()
        self._watched = first, 0.0  # index of the case, CPU time when it was first seen
        self._cpu, self._idle_checks = 0.0, 0  # CPU time at the last check, checks since it has changed

    def _start(self, first: int, connection: Connection) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        threading.stack_size(STACK_BYTES)
        thread = threading.Thread(target=self._run, args=(first, connection))
        thread.start()
        thread.join()

    def _run(self, first: int, connection: Connection) -> None:
        slowest: list[tuple[float, str]] = []
        check = self._prepare()
        for index in range(first, len(self._cases), self._stride):
            if time.monotonic() > self._until:
                break
            self._done.value += 1
            self._index.value = index
            name, dialect, create = self._cases[index]
            text: Any = create()
            began = time.thread_time()
            try:
                text, violations = check(text, dialect)
            except BaseException as error:  # a panic of Rust is not an `Exception`
                violations = [f"raises {error!r:.200}"]
            heapq.heappush(slowest, (time.thread_time() - began, f"{name}, {dialect}"))
            del slowest[:-10]
            if violations:
                connection.send((name, dialect, text, violations))
        connection.send(slowest)

    def restart_if_lost(self) -> Any:
        """Restart after a case that ended the process or takes too long; return the case and its violation, or None."""
        index = self._index.value
        if self.process.is_alive():
            violation = self._hang(index)
            if not violation:
                return None
            self.process.kill()
            self.process.join()
        else:
            violation = f"ends the process ({self.process.exitcode})"
        name, dialect, create = self._cases[index]
        self._begin(index + self._stride)
        return name, dialect, create()[:MAX_CHARACTERS], [violation]

    def _hang(self, index: int) -> str:
        """Return the reason for which a case counts as endless; "" if it may still end. Call this once a second."""
        cpu, is_stopped = _cpu(self.process.pid)
        is_new = index != self._watched[0]
        if is_new:
            self._watched = index, cpu
        if is_new or cpu != self._cpu:
            self._cpu, self._idle_checks = cpu, 0
        elif not is_stopped:
            self._idle_checks += 1
        if cpu - self._watched[1] >= HANG_CPU_S:
            return f"takes more than {HANG_CPU_S} s of CPU time"
        if self._idle_checks * CHECK_INTERVAL_S >= HANG_IDLE_S:
            return f"uses no CPU time for {HANG_IDLE_S} s"
        return ""

    def end(self) -> None:
        """Wait until the process has ended after its last case; end it if one of its threads still runs."""
        self.process.join(END_TIMEOUT_S)
        self.process.kill()
        self.process.join()


def _cpu(pid: int | None) -> tuple[float, bool]:
    """Return the CPU time of a process in seconds, and whether a signal has stopped it."""
    state, *stat = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(map(int, stat[10:12])) / os.sysconf("SC_CLK_TCK"), state in "Tt"


def run(cases: Cases, prepare: Callable[[], Check], options: argparse.Namespace, until: float = math.inf) -> int:
    """Check cases until a moment of the monotonic clock, and print those with violations; return their number."""
    began = time.monotonic()
    workers = [Worker(cases, number, options.processes, prepare, until) for number in range(options.processes)]
    slowest: list[tuple[float, str]] = []
    wrong = done = 0
    next_check = began
    while workers:
        ready = wait([worker.connection for worker in workers], timeout=CHECK_INTERVAL_S)
        if is_check_due := time.monotonic() >= next_check:
            next_check = time.monotonic() + CHECK_INTERVAL_S
        for worker in list(workers):
            message = None
            if worker.connection in ready:
                try:
                    message = worker.connection.recv()
                except EOFError:
                    worker.process.join(CHECK_INTERVAL_S)
                    message = worker.restart_if_lost()
            elif is_check_due:
                message = worker.restart_if_lost()
            if isinstance(message, list):
                done += worker.done
                slowest += message
                worker.end()
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
    """Print the violations of an input, and write it to a file of the folder `save`."""
    name, dialect, given, violations = wrong
    text = given if isinstance(given, str) else repr(given)
    print(f"{name}, {dialect}, {len(text)} characters: {'; '.join(violations)}", flush=True)
    if save:
        save.mkdir(exist_ok=True)
        (save / re.sub(r"[^\w-]+", "_", f"{name}-{dialect}")[:100]).with_suffix(".md").write_text(
            text, "utf-8", "backslashreplace"
        )


def main() -> int:
    """Check all inputs; return 1 if one has a violation."""
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
        help="the limit on CPU time for an input; default: 0.5 for articles, 5 for other targets",
    )
    parser.add_argument("--save", type=Path, help="a folder for the printed inputs")
    options = parser.parse_args()
    timed = options.amount.endswith("s")
    amount = int(options.amount.removesuffix("s"))
    count = UNLIMITED if timed else amount
    wrong = 0
    if options.target != "articles":
        with tempfile.TemporaryDirectory(prefix="feeds-fuzz-") as folder:
            prepare = partial(of_target, options.target, Path(folder), options.seconds or 5)
            until = time.monotonic() + amount if timed else math.inf
            wrong = run(Seeds(options.target, options.seed, count), prepare, options, until)
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
