"""Colours in the code of articles, on their pages."""

import re
import sys
import threading
from html import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.parse.content import MarkdownRenderer
from feeds.pages import code_blocks
from feeds.pages.code_blocks import CodeBlocks

pytestmark = pytest.mark.integration  # each object starts a process

PYTHON = '<pre class="highlight"><code class="language-python"><span class="k">if</span> a:\n</code></pre>'
SLOW = "a " * 20_000  # as Java; Pygments takes 10 s


@pytest.fixture(scope="module")
def blocks():
    """Return one object for all tests that don't replace its process."""
    return CodeBlocks()


def block(language, content):
    """Return a code block in the HTML of feeds."""
    return f'<pre><code class="language-{language}">{content}</code></pre>'


def text_of(html):
    """Return the text of HTML as a browser shows it."""
    return unescape(re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("dialect", ["gfm", "obsidian", "python-markdown"])
@pytest.mark.parametrize(
    "source",
    [
        "```python\nif a:\n```",
        "~~~ Python\nif a:\n~~~",
        "> ```python\n> if a:\n> ```",
        "- a\n\n    ```python\n    if a:\n    ```",
    ],
)
def test_fences(blocks, dialect, source):
    """A fenced block that names its language has the classes of Pygments, in each dialect, also in quotes and lists."""
    html = MarkdownRenderer(dialect).render(source, None, "https://test.example/a/", "p-").html
    assert PYTHON in blocks.colour(html).replace("language-Python", "language-python")


def test_tags_of_jekyll(blocks):
    """The tag of Jekyll for code has colours too."""
    source = "{% highlight python linenos %}\nif a:\n{% endhighlight %}"
    html = MarkdownRenderer("gfm").render(source, None, "https://test.example/a/", "p-").html
    assert PYTHON in blocks.colour(html)


@pytest.mark.parametrize("name", ["python", "PY", "python:title=a.py", "python,ignore", "py{1,3}", "py=", "pyw"])
def test_names_of_languages(blocks, name):
    """A language may have another name, capitals, and options after its name."""
    assert '<span class="k">if</span>' in blocks.colour(block(name, "if a:"))


def test_code_that_was_coloured(blocks):
    """Spans without classes, which the sanitiser leaves of code that another program has coloured, are replaced."""
    html = block("python", "<span><span>if</span> a</span>:\n")
    assert blocks.colour(html) == PYTHON
    source = '<pre><code class="language-python"><span class="kn">if</span> a:\n</code></pre>'
    html = MarkdownRenderer("gfm").render(source, None, "https://test.example/a/", "p-").html
    assert blocks.colour(html) == PYTHON


@pytest.mark.parametrize(
    "html",
    [
        "<p>if a</p>", "<pre><code>if a</code></pre>", block("text", "if a"), block("no-such-language", "if a"),
        block(":python", "if a"), block("mermaid", "a --&gt; b"), block("python", '<a href="/">if</a>'),
        '<p><code class="language-python">if</code></p>',
    ],
)  # fmt: skip
def test_code_without_colours(blocks, html):
    """Code without a known language, or with other elements in it, stays as it is."""
    assert blocks.colour(html) == html


def test_no_process_without_code():
    """A page without code that names a language starts no process."""
    unused = CodeBlocks()
    for html in ("<p>a</p>", "<pre><code>a</code></pre>", block("text", "a"), block("mermaid", "a")):
        assert unused.colour(html) == html
    assert unused._highlighter._process is None


def test_long_code(blocks):
    """A block of more than 50,000 characters stays as it is, and the others of its page have colours."""
    long = block("python", "if a:\n" * 9_000)
    assert blocks.colour(long + block("python", "if a:\n")) == long + PYTHON
    assert "<span" in blocks.colour(block("python", "if a:\n" * 8_000))


def test_slow_code(monkeypatch):
    """A block that takes too long stays as it is, and so do all blocks after the page has used its time."""
    monkeypatch.setattr(code_blocks, "_CPU_S_PER_BLOCK", 0.2)
    monkeypatch.setattr(code_blocks, "_CPU_S_PER_PAGE", 1.0)
    blocks = CodeBlocks()
    slow = [block("java", SLOW + str(number)) for number in range(7)]
    page = slow[0] + block("python", "if a:\n") + "".join(slow[1:]) + block("js", "if (a) {}")
    assert blocks.colour(page) == page.replace(block("python", "if a:\n"), PYTHON)
    assert "<span" in blocks.colour(block("js", "if (a) {}"))  # it has failed for lack of time only


def test_equal_blocks(monkeypatch):
    """Equal blocks are coloured once, also those that stay as they are."""
    blocks = CodeBlocks()
    html, failing = block("python", "if a:\n"), block("java", SLOW)
    monkeypatch.setattr(code_blocks, "_CPU_S_PER_BLOCK", 0.1)
    assert blocks.colour(html + failing) == PYTHON + failing
    monkeypatch.setattr(sys, "executable", "/no/such/program")
    blocks._highlighter._end_process()
    assert blocks.colour(html + failing + html) == PYTHON + failing + PYTHON


def test_without_a_process(monkeypatch):
    """If the process can't start, all code stays as it is."""
    monkeypatch.setattr(sys, "executable", "/no/such/program")
    html = block("python", "if a:\n")
    assert CodeBlocks().colour(html) == html


@given(
    code=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=300),
    language=st.sampled_from(["python", "js", "html", "css", "bash", "md", "diff", "sql", "text", "x"]),
)
def test_text_stays(blocks, code, language):
    """The text of a page is the same with and without colours, and the only elements are spans with a class."""
    html = f"<p>a &lt;b&gt;</p>{block(language, escape(code, quote=False))}<p>c</p>"
    coloured = blocks.colour(html)
    assert text_of(coloured) == text_of(html)
    rest = re.sub(r'<span class="[a-z][a-z0-9]{0,3}">|</span>| class="highlight"', "", coloured)
    assert unescape(rest) == unescape(html)
    assert rest.count("<") == html.count("<")


class TestSite:
    @pytest.fixture
    def blog(self, site):
        """A site with pages and one article with code."""
        site.configure(site={"pages": True})
        site.article("a.md", "```python\nif a:\n```\n\n[b](https://test.example/)", title="A")
        return site

    @pytest.mark.parametrize("dialect", ["gfm", "python-markdown"])
    def test_pages_and_feeds(self, blog, app, dialect):
        """Served and exported pages have colours, and no feed has; without `site.code_colors`, pages have none."""
        blog.configure(content={"markdown": dialect})
        assert blog.run("build").returncode == 0
        public = blog.root / "public"
        page = (public / "a/index.html").read_text("utf-8")
        assert PYTHON in page
        assert app(blog).get("/a/").body.decode() == page
        feeds = {name: (public / name).read_bytes() for name in ("rss.xml", "atom.xml", "feed.json")}
        assert not [name for name, body in feeds.items() if b"highlight" in body or b"<span" in body]
        assert blog.run("build").returncode == 0
        blog.configure(site={"code_colors": False})
        assert blog.run("build").returncode == 0
        plain = (public / "a/index.html").read_text("utf-8")
        assert plain == page.replace(PYTHON, block("python", "if a:\n"))
        assert app(blog).get("/a/").body.decode() == plain
        assert feeds == {name: (public / name).read_bytes() for name in feeds}

    def test_a_draft(self, blog, app):
        """The preview of a draft has colours."""
        blog.article("b.md", "```python\nif a:\n```", title="B", draft=True)
        blog.publish()
        server = app(blog, preview_key="the-key")
        page = server.ask("/preview/b.md", "Host: localhost:8000", "Cookie: feeds-preview=the-key")
        assert PYTHON in page.body.decode()

    def test_a_slow_page_and_a_poll(self, blog, serve):
        """While hostile code is rendered, feeds are answered; its page has the code without colours."""
        blog.article("slow.md", f"```java\n{SLOW}\n```\n\n```python\nif a:\n```", title="Slow")
        server = serve(blog)
        server.wait_for(lambda: server.get("/feed.json").status == 200 and b"Slow" in server.get("/feed.json").body)
        pages, polls = [], []
        request = threading.Thread(target=lambda: pages.append(server.get("/slow/")))
        request.start()
        while request.is_alive():
            status = server.get("/rss.xml").status
            polls += [status] * request.is_alive()
        assert len(polls) >= 1
        assert set(polls) == {200}
        page = pages[0].body.decode()
        assert PYTHON in page
        assert f'<code class="language-java">{SLOW}' in page
