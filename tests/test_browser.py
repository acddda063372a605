"""What people see and do in a real browser: Chromium, driven as a person would, with axe-core looking for barriers."""

import gzip
import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from conftest import Server, Site, free_port

from feeds.audience import Poll, Tally

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the driver's own
]
OPTIONS = [  # as root, and without a word to anybody else
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
MANY = 500  # tags
READERS = ["NetNewsWire", "Miniflux", "newsboat", "FreshRSS", "Liferea", "Reeder", "Unread", "Thunderbird", "Akregator"]
SIZES = {"phone": (320, 568), "laptop": (1366, 768), "4k": (3840, 2160)}


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A site that is at home at its own address, with 500 tags."""
    site = Site(tmp_path_factory.mktemp("big"))
    port = free_port()
    site.configure(
        site={"title": "The Example", "url": f"http://127.0.0.1:{port}", "pages": True, "description": "About things."}
    )
    for number in range(MANY // 5):
        tags = [f"Tag {5 * number + one:03}" for one in range(5)]
        moment = datetime(2026, 5, 1, tzinfo=UTC) - timedelta(hours=number)
        site.article(f"{number}.md", f"Text {number}, with a [link](/).\n\n* a\n* b", title=f"Article {number}",
                     date=moment.isoformat(), tags=[*tags, "Éclair" if number == 7 else "all"])  # fmt: skip
    server = Server(site.root, port=port)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def chromium():
    """Debian's browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """Give a function that opens an address as somebody with such a screen; nothing may be complained of on the console."""
    contexts, complaints = [], []

    def visit(server, path, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda said: None if "/favicon.ico" in said.location["url"] else complaints.append(said.text)
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.port}{path}", wait_until="load")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def barriers(page):
    from axe_playwright_python.sync_playwright import Axe

    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in Axe().run(page).response["violations"]]


def test_finding_one_of_many_feeds(big, tab):
    """Somebody types a word, sees the feeds that have it, accents or not, and follows one by keyboard."""
    page = tab(big, "/")
    names = page.locator(".feeds .names li:visible")
    assert names.count() == MANY + 2
    page.get_by_label("Find a feed").fill("TAG 12")
    assert names.all_inner_texts() == [f"Tag {number} 1" for number in range(120, 130)]
    page.get_by_label("Find a feed").fill("eclair")
    assert names.all_inner_texts() == ["Éclair 1"]
    assert page.get_by_role("status").inner_text() == "1 feeds"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tag/%C3%A9clair/")
    assert page.get_by_role("heading", level=1).inner_text() == "Éclair"


def test_copying_an_address(big, tab):
    """A button puts the feed's address into the clipboard, and says that it did."""
    page = tab(big, "/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the address: Atom").click()
    assert page.get_by_role("status").inner_text().startswith("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"http://127.0.0.1:{big.port}/atom.xml"


def test_following_a_subscribe_link(big, tab):
    """A reader's link asks that reader for this feed; a feed: link hands the address to whatever program there is."""
    page = tab(big, "/tag/tag-001/")
    address = f"http://127.0.0.1:{big.port}/tag/tag-001/rss.xml"
    assert page.get_by_role("link", name="your reader").get_attribute("href") == f"feed:{address}"
    asked = []
    page.route(
        "https://www.inoreader.com/**", lambda route: (asked.append(route.request.url), route.fulfill(body="ok"))
    )
    page.get_by_role("link", name="Inoreader").click()
    page.wait_for_url("https://www.inoreader.com/**")
    assert page.evaluate("new URL(location.href).searchParams.get('add_feed')") == address
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_feed_in_the_browser(big, tab, name, scheme):
    """RSS and Atom are readable, in light and dark, without markup in the text, and a line leads to their page."""
    page = tab(big, f"/tag/all/{name}", color_scheme=scheme)
    seen = page.evaluate("document.documentElement.innerText ?? document.documentElement.textContent")
    assert "Article 3" in seen
    shown = page.evaluate(
        """() => [...document.getElementsByTagName("*")].filter((one) => one.getClientRects().length && !one.children.length)
        .map((one) => one.textContent)"""
    )
    assert "Article 3" in shown
    assert not any("<" in text for text in shown)
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 18, 18)")
    page.evaluate("document.getElementsByTagNameNS('http://www.w3.org/1999/xhtml', 'a')[0].click()")
    page.wait_for_url("**/tag/all/")
    assert page.get_by_role("heading", name="Subscribe").is_visible()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/tag/all/", "/3/"])
def test_any_screen(big, tab, path, size, scheme):
    """On a phone as on a wall, in light and in dark, nothing is cut off, and axe-core finds no barrier."""
    width, height = SIZES[size]
    page = tab(big, path, viewport={"width": width, "height": height}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert barriers(page) == []


def test_without_javascript(big, tab):
    """All feeds, addresses, readers' links and articles are there without JavaScript; only what needs it is not."""
    page = tab(big, "/", java_script_enabled=False)
    assert page.locator(".feeds .names li").count() == MANY + 2
    assert page.locator(".formats code").count() == 3
    assert page.get_by_role("button").count() == 0
    page.get_by_role("link", name="Article 3", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "Article 3"
    page.get_by_role("link", name="Tag 015").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Tag 015"


def test_the_budget(big, tab):
    """A page with all that it needs is under 30 kB compressed, asks once for CSS, and is drawn before any script."""
    page = tab(big, "/")
    asked = page.evaluate("performance.getEntriesByType('resource').map((one) => [one.name, one.responseEnd])")
    names = [name.rpartition("/")[2] for name, _ in asked]
    assert names.count("page.css") == 1
    assert len([name for name in names if name.endswith(".css")]) == 1
    assert set(names) <= {"page.css", "page.js"}
    paths = ["/", "/static/page.css", "/static/page.js"]
    assert sum(len(gzip.compress(big.get(path).body)) for path in paths) < 30_000
    assert page.evaluate("[...document.scripts].every((one) => one.defer && one.src)")


def test_a_preview_reloads(site, serve, tab):
    """The page of a draft shows what was saved a moment ago, without a hand on the keyboard."""
    site.article("draft.md", "Old words.", title="Draft", draft=True)
    server = serve(site, "--drafts")
    server.wait_for(lambda: "/preview/?" in server.log.read_text())
    page = tab(server, re.search(r"(/preview/\?\S+)", server.log.read_text())[1])
    assert barriers(page) == []
    page.get_by_role("link", name="Draft").click()
    assert page.get_by_role("article").get_by_text("Old words.").is_visible()
    site.article("draft.md", "New words.", title="Draft", draft=True)
    page.get_by_role("article").get_by_text("New words.").wait_for(timeout=10_000)
    assert barriers(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_reads(site, serve, tab, scheme):
    """The owner opens the private page with its password, sees the plots, and nobody meets a barrier, at any width."""
    site.configure(stats={"token": "a secret of twenty letters"})
    site.article("a.md", title="a", tags=["x"])
    site.publish()
    tally = Tally(site.catalog)
    for back in range(40):
        day = f"{datetime.now(UTC) - timedelta(days=back):%Y-%m-%d}"
        for number in range(60 - back):
            agent = f"{READERS[number % len(READERS)]}/1.{number}"
            tally.add(day, Poll("/rss.xml", agent, "192.0.2.1", 304, conditional=True, size=0, saved=5000), 24)
        tally.add(
            day,
            Poll(
                "/tag/x/rss.xml",
                f"Feedly/1.0 ({90 - back} subscribers)",
                "",
                200,
                conditional=False,
                size=5000,
                saved=0,
            ),
            9,
        )
    tally.write()
    credentials = {"username": "me", "password": "a secret of twenty letters"}
    page = tab(
        serve(site), "/stats", http_credentials=credentials, color_scheme=scheme, viewport={"width": 320, "height": 600}
    )
    assert page.get_by_role("img", name="Subscribers by feed, day by day").is_visible()
    for summary in page.locator("summary").all():
        summary.click()
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    lines = page.locator(".plot > svg .line")
    assert {lines.nth(at).evaluate("line => getComputedStyle(line).fill") for at in range(lines.count())} == {"none"}
    assert len({lines.nth(at).evaluate("line => getComputedStyle(line).stroke") for at in range(lines.count())}) >= 5
