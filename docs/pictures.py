"""Renders the pictures of the README and the docs: `make pictures`. Needs Debian's chromium.

The pictures show the current program: pages of the demo site in a browser, and a session in a terminal (`recording`).
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import recording
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent
PORT = 8765
TOKEN = "a-token-for-pictures"  # the server runs for seconds only
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
]
LOG_DAYS = 60  # the statistics page shows that many days


def main() -> None:
    """Write all pictures."""
    recording.write(DOCS / "pictures")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        work = Path(folder)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": 880, "height": 640})
        environment = demo_environment(work)
        server = start_demo(environment)
        try:
            address = f"http://127.0.0.1:{PORT}"
            page.goto(f"{address}/", wait_until="networkidle")
            page.screenshot(path=DOCS / "pictures" / "page.png")
            command = [sys.executable, "-m", "feeds", "stats", "--import", "-"]
            subprocess.run(command, input=access_log(), env=environment, cwd=DOCS.parent, text=True, check=True)
            page.set_extra_http_headers({"Authorization": f"Bearer {TOKEN}"})
            page.goto(f"{address}/stats", wait_until="networkidle")
            page.screenshot(path=DOCS / "pictures" / "stats.png")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
        browser.close()


def access_log() -> str:
    """Return an access log of `LOG_DAYS` days, in nginx's format, with a growing number of subscribers."""
    chosen, lines = random.Random(1), []
    for number in range(LOG_DAYS):
        day = datetime.now(UTC).replace(hour=6, minute=0) - timedelta(days=LOG_DAYS - number)
        agents = [
            f"Feedly/1.0 (+http://www.feedly.com/fetcher.html; {300 + 4 * number} subscribers)",
            f"Mozilla/5.0 (compatible; inoreader.com; {120 + number // 2} subscribers)",
            f"Feedbin feed-id:1697787 - {80 + number} subscribers",
            *["NetNewsWire (RSS Reader; https://netnewswire.com/)"] * (20 + chosen.randrange(8)),
        ]
        for client, agent in enumerate(agents):
            for path in ("/rss.xml", "/category/culture/rss.xml")[: 1 + (client % 3 == 0)]:
                status = chosen.choice([200, 304, 304, 304])
                moment = day + timedelta(minutes=client)
                size = 0 if status == 304 else 15_000
                request = f'[{moment:%d/%b/%Y:%H:%M:%S +0000}] "GET {path} HTTP/1.1"'
                lines.append(f'198.51.100.{client} - - {request} {status} {size} "-" "{agent}"')
    return "\n".join(lines) + "\n"


def demo_environment(work: Path) -> dict[str, str]:
    """Return the environment of the demo server, with its own port and catalog."""
    return os.environ | {
        "FEEDS__SITE__URL": f"http://127.0.0.1:{PORT}",
        "FEEDS__STATE": f"sqlite:///{work}/catalog.db",
        "FEEDS__STATS__TOKEN": TOKEN,
    }


def start_demo(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a server of the demo site, and return it when it responds."""
    root = DOCS.parent
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


if __name__ == "__main__":
    main()
