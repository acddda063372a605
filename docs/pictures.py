"""Makes the pictures of the README and the docs anew, from the demo: `make pictures`. Needs Debian's chromium.

What they show is what the program shows at that moment: a page in a browser, a terminal with real output.
"""

import html
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
PORT = 8765
TOKEN = "a-token-for-pictures"  # of a server that lives for seconds
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
AGENTS = [
    "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 462 subscribers; like FeedFetcher-Google)",
    "Mozilla/5.0 (compatible; inoreader.com; 114 subscribers)",
    "Feedbin feed-id:1697787 - 102 subscribers",
    "NetNewsWire (RSS Reader; https://netnewswire.com/)",
    "newsboat/2.35 (Linux x86_64)",
]
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
        server = demo(work)
        try:
            address = f"http://127.0.0.1:{PORT}"
            page.goto(f"{address}/culture/lighthouse-open-day/")
            page.screenshot(path=HERE / "pictures" / "article.png")
            page.goto(f"{address}/category/culture/")
            page.screenshot(path=HERE / "pictures" / "page.png")
            for agent in AGENTS:
                urllib.request.urlopen(
                    urllib.request.Request(f"{address}/rss.xml", headers={"User-Agent": agent})
                ).read()
            time.sleep(11)  # until they are counted
            page.set_extra_http_headers({"Authorization": f"Bearer {TOKEN}"})
            page.goto(f"{address}/stats")
            page.screenshot(path=HERE / "pictures" / "stats.png")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
        browser.close()


def demo(work: Path) -> "subprocess.Popen[bytes]":
    """Serve the demo, on a port of its own, with a catalog of its own."""
    root = HERE.parent
    environment = {
        "FEEDS__SITE__URL": f"http://127.0.0.1:{PORT}",
        "FEEDS__STATE": f"sqlite:///{work}/catalog.db",
        "FEEDS__STATS__TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "feeds", "serve", "-q", "-c", str(root / "config.yaml"), "--port", str(PORT)]
    server = subprocess.Popen(command, env={**os.environ, **environment})
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
