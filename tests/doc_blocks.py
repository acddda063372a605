"""The code blocks of a page of documentation, and a folder in which they are run as a reader would run them.

The blocks of a page are run in order, in one empty folder. A block with `title="PATH"` is written to that file, and a
block in the language `sh` is run by bash. A comment above a block changes this:

    <!-- not run: REASON -->     the block needs another machine, for example
    <!-- exit code: 1 -->        the last command is expected to fail
"""

import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^\n]*)\n(?P<text>.*?)^ *(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL
)
COMMENT = re.compile(r"<!-- (not run|exit code): ([^\n]+) -->\s*\Z")
TITLE = re.compile(r'title="([^"]+)"')
EXTERNAL = {  # programs that need root, a network or another machine; a block that runs one is only parsed
    "apt-get", "aws", "brew", "certbot", "docker", "git", "kubectl", "make", "man", "nginx", "npm", "npx", "pip", "pipx",
    "podman", "rsync", "scp", "ssh", "sudo", "systemctl", "useradd", "uv", "uvx", "crontab", "bundle", "gem",
}  # fmt: skip
_WORD = re.compile(r"(?:^|[;&|(]|\$\()\s*(?:\w+=\S*\s+)*([\w./~-]+)", re.MULTILINE)
_SERVE = """\
#!{python}
import os, subprocess, sys, time, urllib.request
arguments = sys.argv[1:]
if "serve" not in arguments:
    os.execv({python!r}, [{python!r}, "-m", "feeds", *arguments])
arguments = ["--preview" if argument == "--open" else argument for argument in arguments]
with open({log!r}, "ab") as log:
    server = subprocess.Popen([{python!r}, "-m", "feeds", *arguments], stdout=log, stderr=log, start_new_session=True)
with open({pid!r}, "a") as file:
    print(server.pid, file=file)
for _ in range(600):
    try:
        urllib.request.urlopen("http://127.0.0.1:{port}/healthz", timeout=5).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.1)
    if server.poll() is not None:
        break
sys.exit("feeds serve did not start")
"""
_CURL = """\
#!/bin/sh
for argument; do
    shift
    set -- "$@" "$(printf %s "$argument" | sed 's/127\\.0\\.0\\.1:8000/127.0.0.1:{port}/')"
done
exec {curl} "$@"
"""


@dataclass(frozen=True)
class Block:
    """A code block: its line, its language, its text, and what its title and the comment above it say."""

    line: int
    language: str
    text: str
    title: str = ""
    not_run: str = ""
    exit_code: int = 0

    @property
    def needs_another_machine(self):
        """Return whether a command of the block is a program that tests don't run."""
        return any(word.rpartition("/")[2] in EXTERNAL for word in _WORD.findall(self.text))


def blocks(text):
    """Yield the code blocks of a page."""
    for fence in FENCE.finditer(text):
        language, _, rest = fence["info"].strip().partition(" ")
        title = TITLE.search(rest)
        comment = COMMENT.search(text[: fence.start()])
        kind, value = comment.groups() if comment else ("", "")
        yield Block(
            line=text.count("\n", 0, fence.start()) + 1,
            language=language,
            text=re.sub(rf"^{fence['indent']}", "", fence["text"], flags=re.MULTILINE),
            title=title[1] if title else "",
            not_run=value if kind == "not run" else "",
            exit_code=int(value) if kind == "exit code" else 0,
        )


class Folder:
    """An empty folder in which the blocks of a page are run. `feeds serve` runs in the background."""

    def __init__(self, path, port, curl="curl"):
        """Create the folder, and the programs `feeds` and `curl`, which use a free port instead of 8000."""
        self.current = path / "home"
        self.current.mkdir()
        self.pids = path / "pids"
        self.log = path / "log"
        self.pids.touch()
        programs = path / "programs"
        programs.mkdir()
        values = {"python": sys.executable, "log": str(self.log), "pid": str(self.pids), "port": port, "curl": curl}
        for name, text in (("feeds", _SERVE), ("curl", _CURL)):
            (programs / name).write_text(text.format(**values), "utf-8")
            (programs / name).chmod(0o755)
        scripts = Path(sys.executable).parent
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("FEEDS")},
            "PATH": f"{programs}:{scripts}:{os.environ['PATH']}:/usr/sbin",
            "HOME": str(self.current),
            "FEEDS__SERVER__PORT": str(port),
            "TZ": "UTC",
        }
        self.port = port

    def create_site(self):
        """Create a site in the folder."""
        self.run(Block(0, "sh", "feeds init . --title Example --url https://example.org --language en"))

    def run(self, block):
        """Write or run a block. Return its output."""
        if block.title:
            file = self.current / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
            return ""
        self.settle()
        script = f"set -eu\nshopt -s expand_aliases\n{block.text}\npwd > {shlex.quote(str(self.pids))}.pwd\n"
        if re.search(r"\bfeeds\b[^\n]*\bserve\b", block.text):
            self.stop()
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.current,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == block.exit_code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        if not block.exit_code:
            self.current = Path(self.pids.with_name("pids.pwd").read_text("utf-8").strip())
        return done.stdout + done.stderr

    def settle(self):
        """Publish all files, as a running server does within a second after they were saved."""
        if self.pids.read_text("utf-8"):
            subprocess.run(
                [sys.executable, "-m", "feeds", "build", "--no-export", "-q", "--wait", "60"],
                cwd=self.current, env=self.environment, check=False, capture_output=True,
            )  # fmt: skip

    def stop(self):
        """End the servers that blocks have started."""
        for pid in map(int, self.pids.read_text("utf-8").split()):
            try:
                os.kill(pid, 15)
            except ProcessLookupError:
                continue
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and self.answers():
                time.sleep(0.1)
        self.pids.write_text("", "utf-8")

    def answers(self):
        """Return whether a server answers."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True
