"""Makes the system fail under a command: strace kills it at its Nth call of a kind, or has the call refused."""

import os
import shutil
import subprocess
import sys

STORES = "write,pwrite64,fsync,fdatasync,ftruncate,mkdir,rename,renameat,renameat2"
CALLS = f"{STORES},unlink"
_ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def injected(command, cwd, how, calls=CALLS):
    """Run `feeds …` with a fault: `how` is strace's, as "signal=KILL:when=7". What it says is not part of that."""
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{how}"]
    return _run([*strace, sys.executable, "-m", "feeds", *command], cwd)


def counted(command, cwd, calls=CALLS):
    """Give how many such calls a command makes."""
    log = cwd / "strace.log"
    _run(["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={calls}", sys.executable, "-m", "feeds", *command], cwd)
    lines = log.read_text("utf-8", "replace").splitlines()
    log.unlink()
    return len(lines)


def _run(command, cwd):
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, env=_ENVIRONMENT
    )  # fmt: skip


def documents(root):
    """Give the exported documents of a folder: path -> bytes."""
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.suffix in {".xml", ".json"} and not file.name.startswith(".")
    }


class Scene:
    """A site that was built and then edited, and what a build makes of it that nobody disturbs."""

    def __init__(self, root):
        """Make it in a folder."""
        self._template = root / "template"
        content = self._template / "content"
        content.mkdir(parents=True)
        (self._template / "config.yaml").write_text(
            "site: {title: T, url: https://t.example}\nfeeds: {limit: 5, by: [category, tag], tombstones: 0}\n"
        )
        for number in range(1, 13):
            self._write(number, "Text.")
        assert self.build(self._template).returncode == 0
        self.old = documents(self._template / "public")
        for number in (2, 7, 12):
            self._write(number, "Edited.")
        self._write(13, "New.")
        (content / "11.md").unlink()
        (content / "1.md").rename(content / "renamed.md")
        undisturbed = self.copy(root / "undisturbed")
        self.calls = counted(["build"], undisturbed)
        self.new = documents(undisturbed / "public")
        self.opened = counted(["build", "--force"], self.copy(root / "opened"), "openat")
        assert self.new != self.old

    def _write(self, number, text):
        (self._template / "content" / f"{number}.md").write_text(
            f"---\ntitle: T{number}\ndate: 2026-05-{number:02d}\ncategory: c{number % 3}\ntags: [t{number % 2}]\n---\n\n{text}\n"
        )

    def copy(self, place):
        """Give a copy of the site, edited and not built."""
        return copied(self._template, place)

    @staticmethod
    def build(place):
        """Build, undisturbed."""
        return _run([sys.executable, "-m", "feeds", "build"], place)

    def torn(self, place):
        """Give the documents that are neither the old nor the new ones."""
        return [
            path
            for path, body in documents(place / "public").items()
            if body not in {self.old.get(path), self.new.get(path)}
        ]


def copied(source, place):
    """Copy a site; the times of its files stay."""
    return shutil.copytree(source, place, copy_function=shutil.copy2)
