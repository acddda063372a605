"""Inject faults into commands: strace kills a process at a system call, or makes calls fail."""

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager

from copies import Copies

WRITE_CALLS = "write,pwrite64,fsync,syncfs,fdatasync,ftruncate,mkdir,mkdirat,rename,renameat,renameat2"
CHANGE_CALLS = f"{WRITE_CALLS},unlink,unlinkat,rmdir"


def strace(*options):
    """Return the command line of strace with options."""
    return ["strace", "-f", "-e", "signal=none", *options]


def fault_options(effect, at):
    """Return the options of strace that inject a fault.

    `effect` is for example "signal=KILL" or "error=EIO". `at` maps the name of a system call to the number of the call that
    has the fault, as "7", or "7+" for all calls from the seventh on. strace counts per thread and per name.
    """
    injections = [option for call, when in at.items() for option in ("-e", f"inject={call}:{effect}:when={when}")]
    return ["-e", f"trace={','.join(at)}", *injections]


@contextmanager
def inject_into(pid, log, effect, at):
    """Inject a fault into all threads of a running process; yield a function that returns the calls that had it."""
    command = [*strace("-o", str(log), *fault_options(effect, at)), "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    message = tracer.stderr.readline()
    assert "attached" in message, message
    try:
        yield lambda: [line for line in log.read_text("utf-8", "replace").splitlines() if "INJECTED" in line]
    finally:
        tracer.terminate()
        tracer.communicate(timeout=120)


class FaultInjector:
    """Runs commands under strace, in forks of a process that has imported the program."""

    def __init__(self):
        """Start the process."""
        self._copies = Copies()
        self.close = self._copies.close

    def build(self, folder, **options):
        """Run `feeds build` without a fault; return its result."""
        return self._copies.run("build", cwd=folder, **options)

    def build_with_fault(self, folder, effect, at, **options):
        """Run `feeds build` with a fault; return its result and its system calls."""
        return self._run_traced(folder, fault_options(effect, at), options)

    def trace_build(self, folder, calls=CHANGE_CALLS, **options):
        """Run `feeds build`; return its system calls."""
        done, traced = self._run_traced(folder, ["-e", f"trace={calls}"], options)
        assert (done.returncode, done.stderr) == (0, "")
        return traced

    def _run_traced(self, folder, strace_options, options):
        tracers, log = [], folder.with_name(f"{folder.name}.strace")

        def attach(pid):
            command = [*strace("-y", "-o", str(log), *strace_options), "-p", str(pid)]
            tracers.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            message = tracers[0].stderr.readline()
            assert "attached" in message, message

        try:
            done = self._copies.run("build", cwd=folder, on_started=attach, **options)
        finally:
            for tracer in tracers:
                tracer.communicate(timeout=120)
        lines = (line.partition(" ")[2].strip() for line in log.read_text("utf-8", "replace").splitlines())
        return done, [line for line in lines if line[:1] not in {"+", "<"}]  # no exits, no calls that were resumed


def documents(root):
    """Return the exported documents of a folder: relative path -> bytes."""
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.suffix in {".xml", ".json"} and not file.name.startswith(".")
    }


class EditedSite:
    """A site that was built and then edited.

    `old` has the documents before the edit, `new` those of a build without faults, `calls` the system calls of that
    build.
    """

    def __init__(self, root):
        """Create the site in a folder."""
        injector = FaultInjector()
        self.build, self.build_with_fault, self.trace_build = (
            injector.build,
            injector.build_with_fault,
            injector.trace_build,
        )
        self.close = injector.close
        self._template = root / "template"
        content = self._template / "content"
        content.mkdir(parents=True)
        (self._template / "config.yaml").write_text(
            "site: {title: T, url: https://t.example}\nfeeds: {limit: 3, by: [category, tag], tombstones: 0}\n"
        )
        for number in range(1, 8):
            self._write(number, "Text.", "deleted" if number == 6 else "t")
        assert self.build(self._template).returncode == 0
        self.old = documents(self._template / "public")
        for number in (2, 7):
            self._write(number, "Edited.", "t")
        self._write(8, "New.", "new")
        (content / "6.md").unlink()
        (content / "1.md").rename(content / "renamed.md")
        undisturbed = self.copy(root / "undisturbed")
        self.calls = self.trace_build(undisturbed)
        self.new = documents(undisturbed / "public")
        assert set(self.old) - set(self.new) >= {"tag/deleted/rss.xml"}
        assert {path for path in self.new if self.old.get(path) != self.new[path]} >= {"tag/new/rss.xml", "rss.xml"}

    def _write(self, number, text, tag):
        file = self._template / "content" / f"{number}.md"
        file.write_text(
            f"---\ntitle: T{number}\ndate: 2026-05-{number:02d}\ncategory: c{number % 2}\ntags: [{tag}]\n---\n\n{text}\n"
        )
        # a build is recorded only if no file has just changed, and each build must make the same calls
        os.utime(file, (time.time() - 3600, time.time() - 3600))

    def copy(self, folder):
        """Copy the edited site to a folder; return the folder."""
        return copy_site(self._template, folder)

    def step(self, pattern):
        """Return the index in `calls` of the first call that matches a pattern."""
        return next(number for number, call in enumerate(self.calls) if re.match(pattern, call))

    def at(self, step):
        """Return the `at` of `fault_options` for the call with this index."""
        call = _name(self.calls[step])
        return {call: str(1 + self._count(call, step))}

    def from_step(self, step, calls):
        """Return the `at` of `fault_options` for all calls of the given names, from the one with this index on."""
        return {call: f"{1 + self._count(call, step)}+" for call in calls.split(",")}

    def _count(self, name, step):
        return sum(_name(call) == name for call in self.calls[:step])

    def count(self, name):
        """Return how many calls with this name a build does."""
        return self._count(name, len(self.calls))

    def torn(self, folder):
        """Return the paths of documents that are neither the old nor the new version."""
        return [
            path
            for path, body in documents(folder / "public").items()
            if body not in {self.old.get(path), self.new.get(path)}
        ]


def _name(call):
    return call.partition("(")[0]


def copy_site(source, folder):
    """Copy a site with the times of its files; return the folder."""
    return shutil.copytree(source, folder, copy_function=shutil.copy2)
