"""Faults under a command: strace kills it at a system call, or makes calls fail."""

import re
import shutil
import subprocess
from contextlib import contextmanager

from copies import Copies

STORES = "write,pwrite64,fsync,fdatasync,ftruncate,mkdir,mkdirat,rename,renameat,renameat2"
CALLS = f"{STORES},unlink,unlinkat,rmdir"
ONE_THREAD = {"feeds.export.tree:Tree.at_once": 1}  # and so the same calls in the same order, whenever it runs


def strace(*options):
    """Return the command line of strace with options."""
    return ["strace", "-f", "-e", "signal=none", *options]


def fault(effect, at):
    """Return the options of strace for a fault: `effect` is "signal=KILL" or "error=EIO".

    `at` says when each of the calls has it, as "7", or "7+" for all from the seventh on: strace counts the calls of each
    thread, and of each kind, by themselves.
    """
    faults = [option for call, when in at.items() for option in ("-e", f"inject={call}:{effect}:when={when}")]
    return ["-e", f"trace={','.join(at)}", *faults]


@contextmanager
def attached(pid, log, effect, at):
    """Let calls of a process that runs have a fault, in all its threads; yield a function that returns those that had it."""
    command = [*strace("-o", str(log), *fault(effect, at)), "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    assert "attached" in said, said
    try:
        yield lambda: [line for line in log.read_text("utf-8", "replace").splitlines() if "INJECTED" in line]
    finally:
        tracer.terminate()
        tracer.communicate(timeout=120)


class Faults:
    """Runs commands under strace, in copies of a process that has imported the program."""

    def __init__(self):
        """Start that process."""
        self._copies = Copies()
        self.close = self._copies.close

    def build(self, place, **options):
        """Run `feeds build` that nothing disturbs; return the finished command."""
        return self._copies.run("build", cwd=place, **options)

    def injected(self, place, effect, at, **options):
        """Run `feeds build` with a fault; return the finished command and its calls."""
        return self._traced(place, fault(effect, at), options)

    def traced(self, place, calls=CALLS, **options):
        """Run `feeds build` and return its calls."""
        done, traced = self._traced(place, ["-e", f"trace={calls}"], options)
        assert (done.returncode, done.stderr) == (0, "")
        return traced

    def _traced(self, place, what, options):
        tracers, log = [], place.with_name(f"{place.name}.strace")

        def attach(pid):
            command = [*strace("-y", "-o", str(log), *what), "-p", str(pid)]
            tracers.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            said = tracers[0].stderr.readline()
            assert "attached" in said, said

        try:
            done = self._copies.run("build", cwd=place, began=attach, **options)
        finally:
            for tracer in tracers:
                tracer.communicate(timeout=120)
        lines = (line.partition(" ")[2].strip() for line in log.read_text("utf-8", "replace").splitlines())
        return done, [
            line for line in lines if line[:1] not in {"+", "<"}
        ]  # ends of threads, and of calls that were seen


def documents(root):
    """Return the exported documents of a folder: path -> bytes."""
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.suffix in {".xml", ".json"} and not file.name.startswith(".")
    }


class Scene:
    """A site that was built and then edited, and what an undisturbed build makes of it."""

    def __init__(self, root):
        """Make it in a folder."""
        runs = Faults()
        self.build, self.injected, self.traced, self.close = runs.build, runs.injected, runs.traced, runs.close
        self._template = root / "template"
        content = self._template / "content"
        content.mkdir(parents=True)
        (self._template / "config.yaml").write_text(
            "site: {title: T, url: https://t.example}\nfeeds: {limit: 3, by: [category, tag], tombstones: 0}\n"
        )
        for number in range(1, 8):
            self._write(number, "Text.", "gone" if number == 6 else "t")
        assert self.build(self._template).returncode == 0
        self.old = documents(self._template / "public")
        for number in (2, 7):
            self._write(number, "Edited.", "t")
        self._write(8, "New.", "new")
        (content / "6.md").unlink()
        (content / "1.md").rename(content / "renamed.md")
        undisturbed = self.copy(root / "undisturbed")
        self.calls = self.traced(undisturbed, constants=ONE_THREAD)
        self.new = documents(undisturbed / "public")
        assert set(self.old) - set(self.new) >= {"tag/gone/rss.xml"}
        assert {path for path in self.new if self.old.get(path) != self.new[path]} >= {"tag/new/rss.xml", "rss.xml"}

    def _write(self, number, text, tag):
        (self._template / "content" / f"{number}.md").write_text(
            f"---\ntitle: T{number}\ndate: 2026-05-{number:02d}\ncategory: c{number % 2}\ntags: [{tag}]\n---\n\n{text}\n"
        )

    def copy(self, place):
        """Return a copy of the site, edited and not built."""
        return copied(self._template, place)

    def step(self, pattern):
        """Return the number of the first call, of a build in one thread, that a pattern matches."""
        return next(number for number, call in enumerate(self.calls) if re.match(pattern, call))

    def at(self, step):
        """Return when a fault is to happen at a call, by its number."""
        call = _name(self.calls[step])
        return {call: str(1 + self._count(call, step))}

    def from_(self, step, calls):
        """Return when a fault is to happen at some kinds of calls, from one of a number on."""
        return {call: f"{1 + self._count(call, step)}+" for call in calls.split(",")}

    def _count(self, name, step):
        return sum(_name(call) == name for call in self.calls[:step])

    def count(self, name):
        """Return how many calls of a kind a build makes."""
        return self._count(name, len(self.calls))

    def torn(self, place):
        """Return the documents that are neither the old nor the new ones."""
        return [
            path
            for path, body in documents(place / "public").items()
            if body not in {self.old.get(path), self.new.get(path)}
        ]


def _name(call):
    return call.partition("(")[0]


def copied(source, place):
    """Copy a site; the times of its files stay."""
    return shutil.copytree(source, place, copy_function=shutil.copy2)
