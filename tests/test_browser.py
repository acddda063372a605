"""Pages in a real browser, Chromium: their look, their use, and accessibility problems that axe-core finds."""

import gzip
import re
import shutil
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from conftest import App, InProcessSandbox, Site, free_port, run
from werkzeug.serving import WSGIRequestHandler, make_server

from feeds.stats.counter import Poll, PollCounter

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the driver's own warnings
]
OPTIONS = [  # run as root, and without connections to other hosts
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
MANY = 500  # tags
READERS = ["NetNewsWire", "Miniflux", "newsboat", "FreshRSS", "Liferea", "Reeder", "Unread", "Thunderbird", "Akregator"]
PAPER = "getComputedStyle(document.documentElement).backgroundColor"
SIZES = {"phone": (320, 568), "laptop": (1366, 768), "4k": (3840, 2160)}


RICH = """First[^1], with `code`, <kbd>Ctrl</kbd> and a [link](https://other.example/).

## Heading

> A quote.

> [!WARNING]
> An alert.

- [x] done
- [ ] not done

![A lamp](lamp.svg)

<figure><img src="lamp.svg" alt="Another lamp"><figcaption>A lamp.</figcaption></figure>

| Month | Ships | Remarks | More remarks | Even more remarks |
|:--|--:|---|---|---|
| March | 1 | averylongwordthatdoesnotbreak | averylongwordthatdoesnotbreak | averylongwordthatdoesnotbreak |

```python
@cache
def f(a=1):
    return None

print("a line of code that is much longer than the screen of a phone, or the width of the text")  # a comment
```

```diff
-old
+new
```

```console
$ feeds list
```

---

<details><summary>More</summary>Hidden.</details>

[^1]: A footnote.
"""


class Quiet(WSGIRequestHandler):
    """Answers requests without logging them."""

    def log(self, type, message, *args):  # noqa: A002  # so named in the base class
        """Do nothing."""


@contextmanager
def served(site, port=0, **options):
    """Yield the application of a site, which answers on a `port` of 127.0.0.1 from a thread of this process."""
    app = App(site.root, **options)
    server = make_server("127.0.0.1", port, app._app, threaded=True, request_handler=Quiet)
    app.port = server.port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.close()


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Yield a site served at its own address, with 500 tags; tests do not modify it."""
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
    site.article("rich/index.md", RICH, title="A very long title " * 8 + "x" * 80, date="2026-05-02", category="News",
                 updated="2026-05-03", image={"url": "lamp.svg", "alt": "A lamp"}, audio={"url": "talk.mp3", "length": 3},
                 author="Ann")  # fmt: skip
    site.write("rich/lamp.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='300'/>")
    site.write("fa/lamp.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='300'/>")
    site.write("rich/talk.mp3", b"ID3")
    site.article("fa/index.md", RICH, title="عنوان", date="2026-05-02", lang="fa")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("feeds.publish.publisher.Sandbox", InProcessSandbox)
        site.publish()
    with served(site, port) as app:
        yield app
    site.close()


@pytest.fixture(scope="module")
def chromium():
    """Yield Debian's browser and one tab, because a new tab costs half a second of CPU time."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        yield browser, browser.new_page()
        browser.close()


@pytest.fixture
def tab(chromium):
    """Return a function that opens an address in the tab, or in a new one with options; its console must stay empty."""
    browser, shared = chromium
    contexts, complaints = [], []

    def on_console(said):
        is_missing_page = (
            said.location["url"].endswith(("/b/", "/nothing/")) and "status of 404" in said.text
        )  # a test visits it
        if "/favicon.ico" not in said.location["url"] and not is_missing_page:
            complaints.append(said.text)

    def on_error(error):
        complaints.append(str(error))

    def visit(server, path, **options):
        if options:
            contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page() if options else shared
        page.set_default_timeout(120_000)
        page.on("console", on_console)
        page.on("pageerror", on_error)
        page.goto(f"http://127.0.0.1:{server.port}{path}", wait_until="load")
        return page

    shared.set_viewport_size({"width": 1280, "height": 720})
    shared.emulate_media(color_scheme="light")
    yield visit
    for context in contexts:
        context.close()
    if not contexts:
        shared.goto("about:blank")
        shared.unroute_all()
        shared.remove_listener("console", on_console)
        shared.remove_listener("pageerror", on_error)
    assert complaints == []


def barriers(page):
    """Return the violations that axe-core finds."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response
    assert len(found["passes"]) > 20
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


def test_finding_one_of_many_feeds(big, tab):
    """A user filters the feeds by a word, with or without accents, and opens one with the keyboard."""
    page = tab(big, "/")
    names = page.locator(".feeds .names li:visible")
    assert names.count() == 2, "more than forty tags are in a panel that is closed"
    page.get_by_label("Find a topic").fill("TAG 12")
    assert names.all_inner_texts() == [f"Tag {number} 1" for number in range(120, 130)]
    page.get_by_label("Find a topic").fill("eclair")
    assert names.all_inner_texts() == ["Éclair 1"]
    assert page.get_by_role("status").inner_text() == "1"
    for _ in range(2):  # the panel, the name
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tag/%C3%A9clair/")
    assert page.get_by_role("heading", level=1).inner_text() == "Éclair"


def test_copying_an_address(big, tab):
    """A button copies the feed's address to the clipboard and reports that."""
    page = tab(big, "/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#subscribe > summary").click()
    page.get_by_role("button", name="Copy the address: Atom").click()
    page.get_by_role("status").filter(has_text="Copied").wait_for(state="attached")
    assert page.evaluate("navigator.clipboard.readText()") == f"http://127.0.0.1:{big.port}/atom.xml"


def test_following_a_subscribe_link(big, tab):
    """The link of a feed reader passes this feed to that reader; a feed: link passes the address to any program."""
    page = tab(big, "/tag/tag-001/")
    page.locator("summary").click()
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
def test_a_feed_in_the_browser(big, tab, name):
    """RSS and Atom documents are readable in light and dark mode, show text without markup, and link to their page."""
    page = tab(big, f"/tag/all/{name}")
    seen = page.evaluate("document.documentElement.innerText ?? document.documentElement.textContent")
    assert "Article 3" in seen
    shown = page.evaluate(
        """() => [...document.getElementsByTagName("*")].filter((one) => one.getClientRects().length && !one.children.length)
        .map((one) => one.textContent)"""
    )
    assert "Article 3" in shown
    assert not any("<" in text for text in shown)
    assert page.evaluate(PAPER) == "rgb(255, 254, 252)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(PAPER) == "rgb(23, 25, 29)"
    page.evaluate("document.getElementsByTagNameNS('http://www.w3.org/1999/xhtml', 'a')[0].click()")
    page.wait_for_url("**/tag/all/")
    assert page.get_by_role("heading", name="Subscribe").is_visible()


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml"])
def test_entries_of_a_feed_in_the_browser(big, tab, name):
    """In a browser, the titles of a feed are links to the articles, and dates are written out."""
    page = tab(big, f"/tag/tag-015/{name}")
    page.get_by_text("30 April 2026").wait_for()
    page.get_by_role("link", name="Article 3").click()
    page.wait_for_url("**/3/")
    assert page.get_by_role("heading", level=1).inner_text() == "Article 3"


@pytest.mark.parametrize(
    ("language", "date"), [("x-klingon", "30 April 2026"), ("de-x-berlin", "30. April 2026"), ("sw", "30 Aprili 2026")]
)
def test_a_feed_in_any_language(site, tab, language, date):
    """In a browser, dates are in the language of the feed; in one that the browser does not know, in English."""
    port = free_port()
    site.configure(site={"language": language, "pages": True, "url": f"http://127.0.0.1:{port}"})
    site.article("a.md", title="Article", date="2026-04-30T10:00:00Z")
    site.publish()
    with served(site, port) as app:
        page = tab(app, "/atom.xml")
        page.get_by_text(date).wait_for()
        assert page.get_by_role("link", name="Article").is_visible()


def test_long_words(big, tab):
    """Long words break between syllables in titles and texts, but not in code."""
    page = tab(big, "/news/rich/")
    hyphens = "(selector) => getComputedStyle(document.querySelector(selector)).hyphens"
    assert [page.evaluate(hyphens, one) for one in ("h1", ".e-content p", "code")] == ["auto", "auto", "manual"]


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml"])
def test_a_feed_on_any_screen(big, tab, name):
    """A feed fits a phone, is larger on a large screen, and without JavaScript nothing of the text is missing."""
    page = tab(big, f"/tag/all/{name}", viewport={"width": 3840, "height": 2160})
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "28px"
    page = tab(big, f"/tag/all/{name}", viewport={"width": 320, "height": 568}, is_mobile=True)
    assert page.evaluate("document.documentElement.clientWidth") == 320
    page = tab(big, f"/tag/all/{name}", java_script_enabled=False)
    assert page.get_by_text("Article 3", exact=True).is_visible()


@pytest.mark.parametrize(
    "path", ["/", "/#subscribe", "/tag/all/", "/archive/1/", "/3/", "/news/rich/", "/fa/", "/nothing/"]
)
def test_any_screen(big, tab, path):
    """At all widths, in light and dark mode, nothing is cut off, and axe-core finds no problem.

    axe-core checks each width in light mode and one width in dark mode, because layout and colours are independent.
    """
    page = tab(big, path)
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('.feeds .names li:nth-child(n+20)').forEach((one) => one.remove())")
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        assert barriers(page) == []
    page.emulate_media(color_scheme="dark")
    assert barriers(page) == []


CODE = """[...document.querySelectorAll('.highlight span')].map((one) => [
  one.className, getComputedStyle(one).color, getComputedStyle(one.closest('pre')).backgroundColor,
])"""


def luminance(colour):
    """Return the relative luminance of a colour in the syntax of CSS (WCAG 2.2)."""
    values = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"media": "print"}])
def test_colours_of_code(big, tab, look):
    """Code has colours with enough contrast for text (4.5 : 1), on paper too, also if the screen is in dark mode."""
    page = tab(big, "/news/rich/", color_scheme="dark")
    page.emulate_media(**look)
    found = page.evaluate(CODE)
    text = page.evaluate("getComputedStyle(document.querySelector('.highlight')).color")
    assert {"k", "kc", "s2", "mi", "c1", "nf", "nd", "nb", "gd", "gi", "gp"} <= {name for name, _, _ in found}
    colours = {colour for _, colour, _ in found} - {text}
    assert len(colours) == 6
    for name, colour, ground in found:
        lighter, darker = sorted([luminance(colour), luminance(ground)], reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, name


def test_scrolling_boxes_with_the_keyboard(big, tab):
    """A table or code that is wider than the screen can be focused, also after the window has changed its width."""
    page = tab(big, "/news/rich/")
    page.evaluate("document.querySelector('pre').textContent = 'x'.repeat(60)")
    code = page.locator("pre").first
    assert code.get_attribute("tabindex") is None
    page.set_viewport_size({"width": 320, "height": 568})
    page.locator("pre[tabindex='0']").first.wait_for()
    assert code.get_attribute("tabindex") == "0"
    page.set_viewport_size({"width": 1280, "height": 720})
    page.locator("pre:not([tabindex])").first.wait_for()
    assert code.get_attribute("tabindex") is None


def test_on_paper(big, tab):
    """Printed pages cut off no table, show closed details, and contain no player; they are light in dark mode too."""
    page = tab(big, "/news/rich/", color_scheme="dark")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 600, "height": 800})
    assert not page.locator("audio").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
    assert page.evaluate("getComputedStyle(document.querySelector('.e-content table')).display") == "table"
    assert page.get_by_text("Hidden.").is_visible()
    assert page.evaluate(PAPER) == "rgb(255, 255, 255)"
    page = tab(big, "/rss.xml", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate(PAPER) == "rgb(255, 254, 252)"


def test_without_javascript(big, tab):
    """Feeds, addresses, reader links and articles work without JavaScript; only features that need it are missing."""
    page = tab(big, "/", java_script_enabled=False)
    assert page.locator(".feeds .names li").count() == MANY + 4, "with a category and an author"
    assert page.locator(".formats code").count() == 3
    assert page.get_by_role("button").count() == 0
    page.get_by_role("link", name="Article 3", exact=True).click()
    page.wait_for_url("**/3/")
    assert page.get_by_role("heading", level=1).inner_text() == "Article 3"
    page.get_by_role("link", name="Tag 015").click()
    page.wait_for_url("**/tag/tag-015/")
    assert page.get_by_role("heading", level=1).inner_text() == "Tag 015"


def test_the_budget(big, tab):
    """A page with its resources is under 30 kB compressed, loads one stylesheet, and is drawn before scripts run."""
    page = tab(big, "/")
    asked = page.evaluate("performance.getEntriesByType('resource').map((one) => [one.name, one.responseEnd])")
    names = [name.rpartition("/")[2] for name, _ in asked]
    assert names.count("page.css") == 1
    assert len([name for name in names if name.endswith(".css")]) == 1
    assert set(names) <= {"page.css", "page.js", "lamp.svg"}
    assert len(gzip.compress(big.get("/static/page.css").body)) < 12_000
    paths = ["/", "/static/page.css", "/static/page.js"]
    assert sum(len(gzip.compress(big.get(path).body)) for path in paths) < 30_000
    assert page.evaluate("[...document.scripts].every((one) => one.defer && one.src)")


def test_a_preview_reloads(site, tab):
    """The preview of a draft shows the newly saved text without any action of the user."""
    site.article("draft.md", "Old words.", title="Draft", draft=True)
    site.publish()
    with served(site, preview_key="the-key") as app:
        page = tab(app, "/preview/?the-key")
        assert barriers(page) == []
        page.get_by_role("link", name="Draft").click()
        page.get_by_role("article").get_by_text("Old words.").wait_for()
        site.article("draft.md", "New words.", title="Draft", draft=True)
        site.publish()
        page.get_by_role("article").get_by_text("New words.").wait_for()
        assert barriers(page) == []
        page.goto("about:blank")  # an open page keeps sending requests


def test_a_preview_of_a_missing_page(site, tab):
    """In a preview, the page of an address without an article is accessible, and shows an article saved for it."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A")
    site.publish()
    with served(site, preview_url="http://127.0.0.1:8000") as app:
        page = tab(app, "/b/")
        page.get_by_role("heading", name="Page not found").wait_for()
        assert barriers(page) == []
        site.article("b.md", "New words.", title="B")
        site.publish()
        page.get_by_role("article").get_by_text("New words.").wait_for()
        page.goto("about:blank")


def test_the_first_five_minutes(tmp_path, tab, serve):
    """Every link of a new site works before its address does, and an open page shows each article that is saved."""
    assert run("init", ".", "--title", "My blog", "--url", "https://blog.example", cwd=tmp_path).returncode == 0
    server = serve(SimpleNamespace(root=tmp_path), "--preview", "--workers", "2")
    page = tab(server, "/")
    here, seen, waiting = f"http://127.0.0.1:{server.port}/", set(), ["/"]
    while waiting:
        page.goto(f"{here}{waiting.pop()}".replace("//", "/").replace(":/", "://"))
        assert barriers(page) == []
        links = page.evaluate("[...document.querySelectorAll('a')].map((one) => one.href.replace(/#.*/, ''))")
        outside = {link for link in links if not link.startswith(here) and urlsplit(link).scheme != "feed"}
        assert not {link for link in outside if "blog.example" in link}
        for link in {link for link in links if link.startswith(here)} - seen:
            seen.add(link)
            response = server.get(link.removeprefix(here[:-1]))
            assert response.status == 200, link
            if response.headers["Content-Type"].startswith("text/html"):
                waiting.append(link.removeprefix(here))
    assert {f"{here}rss.xml", f"{here}feeds.opml", f"{here}category/news/", f"{here}tag/hello/"} <= seen
    page.goto(here)
    page.get_by_text("Hello, readers").wait_for()
    path = run("new", "Second words", "--category", "news", cwd=tmp_path).stdout.strip()
    page.get_by_role("link", name="Second words").click()
    assert page.url == f"{here}news/second-words/"
    with (tmp_path / path).open("a") as article:
        article.write("It was *saved*.\n")
    page.get_by_role("article").get_by_text("It was saved.").wait_for()
    page.goto("about:blank")  # an open page keeps sending requests


def test_a_changed_configuration_in_a_preview(site, tab, serve):
    """An open page shows the new title of the site without any action of the user."""
    site.configure(site={"pages": True})
    site.article("a.md", title="a")
    server = serve(site, "--preview")
    page = tab(server, "/a/")
    page.get_by_role("link", name="Test", exact=True).wait_for()
    site.configure(site={"title": "Renamed"})
    page.get_by_role("link", name="Renamed", exact=True).wait_for()
    page.goto("about:blank")


def test_a_feed_in_a_preview(site, tab):
    """A feed opened in a browser has its style, and its link leads to the page on the server."""
    site.configure(site={"pages": True})
    site.article("a.md", title="a")
    site.publish()
    port = free_port()
    with served(site, port, preview_url=f"http://127.0.0.1:{port}") as app:
        page = tab(app, "/rss.xml")
        link = page.get_by_role("link", name="What it contains, and how to subscribe")
        assert page.evaluate("document.styleSheets.length") == 1
        link.click()
        page.wait_for_url(f"http://127.0.0.1:{port}/")
        page.get_by_role("heading", name="Newest articles").wait_for()
        page.goto("about:blank")


def test_who_reads(site, tab, monkeypatch):
    """The owner opens the statistics with the password and sees the charts; axe-core finds no problem at any width."""
    monkeypatch.setattr("feeds.web.stats._RENDER_TIMEOUT_S", 120.0)  # it answers 503 if rendering takes longer
    site.configure(stats={"token": "a secret of twenty letters"}, site={"language": "pt"})  # long words
    site.article("a.md", title="a", tags=["x"])
    site.publish()
    tally = PollCounter(site.catalog)
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
    with served(site) as app:
        page = tab(app, "/stats", http_credentials=credentials, viewport={"width": 320, "height": 600})
        assert page.get_by_role("img", name="Assinantes por dia, por feed").is_visible()
        for summary in page.locator("summary").all():
            summary.click()
        lines = page.locator(".plot > svg .line")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert barriers(page) == []
            assert set(lines.evaluate_all("all => all.map((one) => getComputedStyle(one).fill)")) == {"none"}
            assert len(set(lines.evaluate_all("all => all.map((one) => getComputedStyle(one).stroke)"))) >= 5
        for width in (320, 660, 768, 1280):
            page.set_viewport_size({"width": width, "height": 600})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
