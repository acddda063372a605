"""Makes the pictures of the README and the docs anew, from the demo: `make pictures`. Needs Debian's chromium.

What they show is what the program shows at that moment: a page in a browser, a terminal with real output.
"""

import html
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
PORT = 8765
TOKEN = "a-token-for-pictures"  # of a server that lives for seconds
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
DAYS = 60  # of which the log tells that the private page draws
SESSION = ["feeds init blog", "cd blog", "feeds check", "feeds build -v", "feeds status"]
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body { background: #1d1f24; color: #dde; font: 15px/1.5 monospace; margin: 0; padding: 1rem 1.3rem; width: 52rem; }
b { color: #8fc1ff; } pre { margin: 0; white-space: pre-wrap; }</style><pre>"""


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        work = Path(folder)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        page = browser.new_page(viewport={"width": 880, "height": 640})
        page.set_content(TERMINAL + terminal(work))
        page.locator("pre").screenshot(path=HERE / "pictures" / "terminal.png")
        environment = settings(work)
        server = demo(environment)
        try:
            address = f"http://127.0.0.1:{PORT}"
            page.goto(f"{address}/category/culture/")
            page.screenshot(path=HERE / "pictures" / "page.png")
            command = [sys.executable, "-m", "feeds", "stats", "--import", "-"]
            subprocess.run(command, input=log(), env=environment, cwd=HERE.parent, text=True, check=True)
            page.set_extra_http_headers({"Authorization": f"Bearer {TOKEN}"})
            page.goto(f"{address}/stats")
            page.screenshot(path=HERE / "pictures" / "stats.png")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
        browser.close()


def log() -> str:
    """Give an access log of two months, of a demo whose readers become more."""
    chosen, lines = random.Random(1), []
    for number in range(DAYS):
        day = datetime.now(UTC).replace(hour=6, minute=0) - timedelta(days=DAYS - number)
        agents = [
            f"Feedly/1.0 (+http://www.feedly.com/fetcher.html; {300 + 4 * number} subscribers)",
            f"Mozilla/5.0 (compatible; inoreader.com; {120 + number // 2} subscribers)",
            f"Feedbin feed-id:1697787 - {80 + number} subscribers",
            *["NetNewsWire (RSS Reader; https://netnewswire.com/)"] * (20 + chosen.randrange(8)),
        ]
        for place, agent in enumerate(agents):
            for path in ("/rss.xml", "/category/culture/rss.xml")[: 1 + (place % 3 == 0)]:
                status = chosen.choice([200, 304, 304, 304])
                moment = day + timedelta(minutes=place)
                size = 0 if status == 304 else 15_000
                asked = f'[{moment:%d/%b/%Y:%H:%M:%S +0000}] "GET {path} HTTP/1.1"'
                lines.append(f'198.51.100.{place} - - {asked} {status} {size} "-" "{agent}"')
    return "\n".join(lines) + "\n"


def settings(work: Path) -> dict[str, str]:
    """Give the environment of the demo: a port and a catalog of its own."""
    return os.environ | {
        "FEEDS__SITE__URL": f"http://127.0.0.1:{PORT}",
        "FEEDS__STATE": f"sqlite:///{work}/catalog.db",
        "FEEDS__STATS__TOKEN": TOKEN,
    }


def demo(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Serve the demo."""
    root = HERE.parent
    command = [sys.executable, "-m", "feeds", "serve", "-q", "-c", str(root / "config.yaml"), "--port", str(PORT)]
    server = subprocess.Popen(command, env=environment)
    for _ in range(100):
        time.sleep(0.2)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/rss.xml").read()
            break
        except OSError:
            continue
    return server


def terminal(work: Path) -> str:
    """Run the session, and give what a terminal would show."""
    shown, at = "", work
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in SESSION:
        shown += f"<b>$ {html.escape(line)}</b>\n"
        if line.startswith("cd "):
            at /= line[3:]
            continue
        done = subprocess.run(
            line.split(), cwd=at, capture_output=True, text=True, env={**os.environ, "PATH": path}, check=True
        )
        said = re.sub(re.escape(str(work)), "~", done.stdout + done.stderr)
        shown += html.escape(said.rstrip()) + "\n"
    return shown.rstrip()


if __name__ == "__main__":
    main()
