"""The body of an article becomes HTML that is safe for feed readers, and a summary, within limited time."""

import re
from html import unescape

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown.treeprocessors import InlineProcessor

from feeds.core.errors import ArticleError
from feeds.core.parse import html as html_module
from feeds.core.parse import python_markdown
from feeds.core.parse.content import MarkdownRenderer, first_heading, plain_text_content
from feeds.core.parse.render_cost import is_cheap_to_render
from feeds.core.text import clean

BASE = "https://test.example/news/a/"
RENDERER = MarkdownRenderer()


def content(body, summary=None):
    return RENDERER.render(body, summary, BASE, "e1-")


def html(body):
    return content(body).html


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Key details:\n*   **Total:** 21\n*   Two", "<p>Key details:</p>\n<ul>\n<li><strong>Total:</strong> 21</li>\n<li>Two</li>\n</ul>"),
        ("Do:\n- a\n+ b", "<p>Do:</p>\n<ul>\n<li>a</li>\n</ul>\n<ul>\n<li>b</li>\n</ul>"),
        ("Steps:\n1. a\n2. b", "<p>Steps:</p>\n<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("It was in\n2022. It rained.", "<p>It was in\n2022. It rained.</p>"),
        ("a\n-b\n*c*", "<p>a\n-b\n<em>c</em></p>"),
        ("a\n    * b", "<p>a\n* b</p>"),
        ("```\na\n* b\n```", "<pre><code>a\n* b\n</code></pre>"),
        ("> Key:\n> * a", "<blockquote>\n<p>Key:</p>\n<ul>\n<li>a</li>\n</ul>\n</blockquote>"),
        ("a\n\n* b", "<p>a</p>\n<ul>\n<li>b</li>\n</ul>"),
        ("Head\n----\n* a", '<h2 id="e1-head">Head</h2>\n<ul>\n<li>a</li>\n</ul>'),
        ("a\n* b\n* c\n\nd\n* e", "<p>a</p>\n<ul>\n<li>b</li>\n<li>c</li>\n</ul>\n<p>d</p>\n<ul>\n<li>e</li>\n</ul>"),
    ],
)  # fmt: skip
def test_a_list_right_after_a_paragraph_line_is_a_list(body, expected):
    """Bullets, and ordered lists that start with 1 (CommonMark 5.3), interrupt a paragraph; nothing else does."""
    assert html(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[x](b?a=1&b=2)", '<a href="https://test.example/news/a/b?a=1&amp;b=2">x</a>'),
        ("![x](/i.png)", '<img src="https://test.example/i.png" alt="x">'),
        ("[x](//c.example)", '<a href="https://c.example">x</a>'),
        ("<img srcset='a.png, b,c.png 2x' alt=''>", '<img srcset="https://test.example/news/a/a.png, https://test.example/news/a/b,c.png 2x" alt="">'),
        ("<video src=v.mp4 poster=p.jpg></video>", '<video src="https://test.example/news/a/v.mp4" poster="https://test.example/news/a/p.jpg"></video>'),
        ("<q cite=/c>x</q>", '<q cite="https://test.example/c">x</q>'),
        ("<img data-src=a.png src='data:image/gif;base64,AAAA'>", '<img src="https://test.example/news/a/a.png">'),
        ("<img data-srcset='a.png 2x' data-lazy-src=b.png>", '<img src="https://test.example/news/a/b.png" srcset="https://test.example/news/a/a.png 2x">'),
        ("<img src='data:image/png;base64,AAAA'>", '<img src="data:image/png;base64,AAAA">'),
        ("[x](#nowhere)", '<a href="https://test.example/news/a/#nowhere">x</a>'),
        ("<i id=b>x</i> [x](#b)", '<i id="e1-b">x</i> <a href="#e1-b">x</a>'),
        ("<i id=b><object>x", '<p><i id="e1-b">x</i></p><p></p><i>\n</i>'),
        ("<i id=b>x</i><i id=b>y</i>", '<i id="e1-b">x</i><i>y</i>'),
        ('<iframe src="https://www.youtube-nocookie.com/embed/a-b_c?x=1"></iframe>', '<a href="https://www.youtube.com/watch?v=a-b_c">Video on YouTube</a>'),
        ('<iframe src="https://player.vimeo.com/video/12?h=3" title="A > B"><b>no</b></iframe>', '<a href="https://vimeo.com/12/3">A &gt; B</a>'),
        ('<iframe data-src="//maps.example/m"></iframe>', '<a href="https://maps.example/m">maps.example/m</a>'),
        ('<embed src="x.swf">', '<a href="https://test.example/news/a/x.swf">test.example/news/a/x.swf</a>'),
        ("<ftp://a.example/b>", '<a href="ftp://a.example/b">ftp://a.example/b</a>'),
        ("<mailto:a@b.example>", '<a href="mailto:a@b.example">mailto:a@b.example</a>'),
    ],
)  # fmt: skip
def test_every_url_is_absolute(body, expected):
    """href, src, srcset, poster and cite are absolute, lazy-loaded images are restored, and frames become links."""
    assert expected in html(body)


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>", "[x](javascript:alert(1))", "[x](JaVa&#x09;Script:alert(1))", "<img src=x onerror=alert(1)>",
        "<a href='&#1;javascript:alert(1)'>x</a>", "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>", "<math><mtext><mglyph><style><img src onerror=alert(1)>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>", "<iframe src=x></iframe ><script>alert(1)</script>",
        "<iframe src='x'>\"><script>alert(1)</script></iframe>", "<iframe title='\"><script>alert(1)</script>' src=x></iframe>",
        "<form action=x><input onfocus=alert(1) autofocus></form>", "<base href='https://evil.example/'>", "<meta http-equiv=refresh content=0>",
        "<img srcset='javascript:alert(1) 2x'>", "<video poster=javascript:alert(1)></video>", "<object data='javascript:alert(1)'></object>",
        "<embed src='javascript:alert(1)'>", "<p style='background:url(javascript:alert(1))'>x</p>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<IFRAME><img src=x onerror=alert(1)></IFRAME>", "<math><mi><IFRAME>&lt;img src=x onerror=alert(1)>", "<OBJECT><p>x</OBJECT>", "<EMBED>",
        "<details open ontoggle=alert(1)>", "<img data-src='javascript:alert(1)'>", "`<script>`</script><script>alert(1)</script>", "<a href='vbscript:x'>x</a>",
        "[x]: javascript:alert(1)\n\n[x]", '<img src="a""onerror=alert(1)">', "<textarea><script>alert(1)</script></textarea>", "<style>@import 'x'</style>",
    ],
)  # fmt: skip
def test_nothing_that_runs_passes(body):
    """No script, event handler, style or unsafe URL scheme remains."""
    rendered = html(body)
    tags = " ".join(re.findall(r"<[^>]*>", rendered)).lower()
    assert not re.search(r"<\s*(script|style|iframe|object|embed|form|input|base|meta|svg|mglyph|link)\b", tags)
    assert not re.search(r"\bon\w+\s*=|javascript:|vbscript:|data:text|srcdoc|background", tags)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<iframe\n  style={{ width: "90%" }}\n  src="https://frames.example/a"\n/>\n\n## After', '<p><a href="https://frames.example/a">frames.example/a</a></p>\n<h2 id="e1-after">After</h2>'),
        ('<Video src="v.mp4" muted />\n\nAfter', '<video src="https://test.example/news/a/v.mp4"></video>\n<p>After</p>'),
        ("<a name='x'/>See <a href=/b/>this</a>", '<p><a id="e1-x"></a>See <a href="https://test.example/b/">this</a></p>'),
        ("a <script src=x.js /> *b*", "<p>a  <em>b</em></p>"),
        ("<div/>\n\n*After* <br/> it", "<div></div>\n<p><em>After</em> <br> it</p>"),
        ("The <title> of *a* page,\nand its <Style>\n\nAfter", "<p>The &lt;title&gt; of <em>a</em> page,\nand its &lt;Style&gt;</p>\n<p>After</p>"),
        ("<template>x</template> A <template> is <b>not</b> shown", "<p> A &lt;template&gt; is <b>not</b> shown</p>"),
        ('A <video controls src="/v.mp4"> here\n\nAfter', '<p>A <video controls="" src="https://test.example/v.mp4"></video> here</p>\n<p>After</p>'),
        ("`<title/>` and `<iframe>` <!-- <title/> --> stay", "<p><code>&lt;title/&gt;</code> and <code>&lt;iframe&gt;</code>  stay</p>"),
        ("The <title> of *a* page.\n\nMore.", "<p>The &lt;title&gt; of <em>a</em> page.</p>\n<p>More.</p>"),
        ("a <SVG width=1> b\n\nc <template> d <select>", "<p>a &lt;SVG width=1&gt; b</p>\n<p>c &lt;template&gt; d &lt;select&gt;</p>"),
        ("<iframe src='https://www.youtube.com/embed/a' />\n\nb", '<p><a href="https://www.youtube.com/watch?v=a">Video on YouTube</a></p>\n<p>b</p>'),
        ("a <script src='//gist.github.com/x/1.js'/>\n\nb", '<p>a </p><p><a href="https://gist.github.com/x/1">Code on GitHub Gist</a></p><p>b</p>'),
        ("a <style>b</style> c <style> d", "<p>a  c &lt;style&gt; d</p>"),
        ("a <titles> b <noscript>c</noscript>", "<p>a  b </p>"),
    ],
)  # fmt: skip
def test_no_tag_swallows_the_text_after_it(body, expected):
    """Self-closing and unclosed elements end at once; element names in text are shown."""
    assert html(body) == expected


def test_ids_of_footnotes_are_unique_and_linked():
    """Footnote ids have the article's prefix and links to them work; numbers start again in the next article."""
    first = html("a[^1]\n\n[^1]: note")
    assert '<sup id="e1-fnref-1"><a class="footnote" href="#e1-fn-1">1</a></sup>' in first
    assert '<li id="e1-fn-1">' in first
    assert '<a class="reversefootnote" href="#e1-fnref-1">↩\ufe0e</a>' in first
    assert "note" not in html("b")


@pytest.mark.parametrize("dialect", ["gfm", "python-markdown"])
def test_tables_code_and_definitions_work(dialect):
    """Tables keep their alignment, code its language, and definition lists their terms, in every dialect."""
    body = "| a | b |\n|--:|---|\n| 1 | 2 |\n\n```python\nx < 1\n```\n\nTerm\n: def HTML"
    rendered = MarkdownRenderer(dialect).render(body, None, BASE, "e1-").html
    assert '<th style="text-align:right">a</th>' in rendered
    assert '<code class="language-python">x &lt; 1\n</code>' in rendered
    assert "<dt>Term</dt>" in rendered


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("*[HTML]: Hyper\n\nHTML", '<p><abbr title="Hyper">HTML</abbr></p>'),
        ("* a\n  * b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ('<div markdown="1">\n*a*\n</div>', "<div>\n<p><em>a</em></p>\n</div>"),
        ("## A { #own .x }", '<h2 id="e1-own">A</h2>'),
        ("~~a~~ ~b~ ~/c and ~/d", "<p><del>a</del> ~b~ ~/c and ~/d</p>"),
        ("- [x] a\n- [ ] b", "<ul>\n<li>☑ a</li>\n<li>☐ b</li>\n</ul>"),
        (
            "- a\n\n    ```py\n    x < 1\n\n    y\n    ```\n\n- b",
            '<ul>\n<li>\n<p>a</p>\n<pre><code class="language-py">x &lt; 1\n\ny\n</code></pre>\n</li>\n<li>\n<p>b</p>\n</li>\n</ul>',
        ),
        ("> ```\n> a\n> ```", "<blockquote>\n<pre><code>a\n</code></pre>\n</blockquote>"),
        ('``` { .py title="a.py" hl_lines="1" }\na\n```', '<pre><code class="language-py">a\n</code></pre>'),
        ('```py title="a.py" {1,3}\na\n```', '<pre><code class="language-py">a\n</code></pre>'),
        ("```py\n!!! note\n    a\n```", '<pre><code class="language-py">!!! note\n    a\n</code></pre>'),
        (
            '!!! note "Mind"\n    Text\n\n    - a',
            "<blockquote>\n<p><strong>Mind</strong></p>\n<p>Text</p>\n<ul>\n<li>a</li>\n</ul>\n</blockquote>",
        ),
        ("??? tip\n    Text", "<blockquote>\n<p><strong>Tip</strong></p>\n<p>Text</p>\n</blockquote>"),
        (":::warning\nText\n:::", "<blockquote>\n<p><strong>Warning</strong></p>\n<p>Text</p>\n</blockquote>"),
    ],
)
def test_python_markdown_has_its_own_rules(body, expected):
    """python-markdown has the extensions of Pelican and MkDocs, and admonitions as in other dialects."""
    assert MarkdownRenderer("python-markdown").render(body, None, BASE, "e1-").html == expected


@pytest.mark.parametrize(
    ("body", "titles"),
    [
        ("!!! note\n    A\n!!! warning\n    B\n???+ tip\n    C", ["Note", "Warning", "Tip"]),
        ("!!! note\n    A\n\n> *q*\n\n:::tip\nB\n:::", ["Note", "", "Tip"]),
        ("- x\n\n    !!! note\n        A\n    !!! tip\n        B", ["Note", "Tip"]),
        ("!!! note\n    !!! tip\n        A\n    !!! bug\n        B", ["Note", "Tip", "Bug"]),
    ],
)
@pytest.mark.parametrize("dialect", ["gfm", "python-markdown"])
def test_adjacent_admonitions_are_quotes_of_their_own(dialect, body, titles):
    """Each admonition becomes one quote with one title, also next to another admonition or quote."""
    html = MarkdownRenderer(dialect).render(body, None, BASE, "e1-").html
    quotes = [part.partition("<strong>")[2].partition("</strong>")[0] for part in html.split("<blockquote>")[1:]]
    assert (quotes, html.count("<strong>")) == (titles, len(list(filter(None, titles))))
    assert "\n\n" not in html
    assert "<!--" not in html


@pytest.mark.parametrize(
    ("body", "title", "left"),
    [
        ("# A *b*\n\nText.", "A b", "<p>Text.</p>"),
        ("A b\n===\nText.", "A b", "<p>Text.</p>"),
        ("<h1 align=center>A b</h1>\n\nText.", "A b", "<p>Text.</p>"),
        ("# Other\n\nText.", "A b", '<h1 id="e1-other">Other</h1>\n<p>Text.</p>'),
        ("Text.\n\n# A b", "A b", '<p>Text.</p>\n<h1 id="e1-a-b">A b</h1>'),
        ("## A b\n\nText.", "A b", '<h2 id="e1-a-b">A b</h2>\n<p>Text.</p>'),
    ],
)
def test_the_title_is_not_shown_twice(body, title, left):
    """Only a level-1 heading at the start of the body that repeats the title is removed."""
    shown = RENDERER.render(body, None, BASE, "e1-", title)
    assert shown.html == left


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("# Salt &amp; pepper", "Salt & pepper"),
        ("# What `__main__` and `**kwargs` do", "What __main__ and **kwargs do"),
        ("# F# in a week #", "F# in a week"),
        ("Text.\n\n```\n# no\n```\n\n# Yes", "Yes"),
        ("A *b*\nc\n===", "A b c"),
        ("## Only a second", ""),
        ("#hashtag", ""),
        ("", ""),
    ],
)
def test_the_first_heading(body, text):
    """The text of the first level-1 heading is the text that the Markdown engine produces."""
    assert first_heading(body) == text


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        ("First *one* & <b>two</b>.\n\nSecond.", "First one & two."),
        ("A.\n\nB.\n\n<!-- more -->\n\nC.", "A. B."),
        ("![](x.png)\n\nReal.", "Real."),
        ("a[^1]\n\n[^1]: note", "a"),
        ("* one\n* two", "one two"),
        ("AT&amp;T `a<b`", "AT&T a<b"),
        ("<script>x</script>\n\nText.", "Text."),
        ("A.\n\nB.\n\n<!--more-->C.", "A. B."),
        ("A.\n\nB.\n\n<!-- truncate -->\n\nC.", "A. B."),
        ("A.\n\nB.\n\n{/* truncate */}\n\nC.", "A. B."),
        ("A.\n\nB.\n\n<!--   excerpt   -->\n\nC.", "A. B."),
        ("A `<!--more-->`.\n\nB.", "A <!--more-->."),
        ("```\n<!-- more -->\n```\n\nB.\n\nC.", "B."),
        ("{% assign x = 1 | y %}\n{{< badge a=1 >}}\n\n{% if x %}\nA {{ x }}.", "A {{ x }}."),
        ("Dear all,\n\nthe ferry is late.\n\nC.", "Dear all, the ferry is late."),
        ("Dear all,", "Dear all"),
    ],
)
def test_summary_is_plain_text(body, summary):
    """Without a description, the summary is the text before the break, or the first paragraph, without markup."""
    assert content(body).summary == summary


def test_the_mark_of_the_excerpt_is_not_shown():
    """The marker that ends the excerpt is removed from the text."""
    for mark in ("<!--more-->", "<!-- truncate -->", "{/* truncate */}"):
        assert html(f"A.\n\n{mark}\n\nB.").replace("\n", "") == "<p>A.</p><p>B.</p>"


def test_summary_of_the_author_stays_and_long_ones_end_at_a_word():
    """A description by the author is used as it is; a long first paragraph is cut between words."""
    assert content("x", "Mine").summary == "Mine"
    cut = content("word " * 400).summary
    assert len(cut) <= 500
    assert cut.endswith("word…")


def test_characters_that_xml_forbids_never_come_out():
    """Control characters are removed, also those written as entities."""
    rendered = html("a\x01b &#1; &#x1F; &#xFFFE; &#xD800; \ufffe ]]> <p title='&#2;'>x</p>")
    assert rendered == clean(rendered)


HOSTILE = {
    "brackets": "[" * 20_000,
    "image brackets": "![" * 10_000,
    "open links": "[a](" * 5_000,
    "tags": "<a " * 10_000,
    "fences": "\n".join("`" * n for n in range(3, 600)),
    "deep list": "\n".join(" " * 4 * n + "* x" for n in range(300)),
    "definitions": "a\n: b\n" * 3_000,
    "divs": "<div>" * 50_000,
    "abbreviations": "".join(f"*[a{n}]: y\n\n" for n in range(2_000)) + "x " * 20_000,
    "quotes": ">" * 5_000 + " x",
    "book": "word " * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_may_be_slow_is_not_ordinary(name):
    """Texts that take Python-Markdown or the sanitiser long are recognised before they are rendered."""
    assert not is_cheap_to_render(HOSTILE[name])


@pytest.mark.parametrize(
    "body",
    [
        "A paragraph with *stars* and [links](x).\n\n" * 200,
        "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 30,
        "* item\n" * 300,
    ],
)
def test_real_articles_are_ordinary(body):
    """Long news articles, tables and lists do not count as expensive."""
    assert is_cheap_to_render(body)


MARKS = st.sampled_from(["[", "]", "(", ")", "!", "*", "~", "~~", "_", "`", "```\n", "~~~\n", "<", ">", "<a ", "<div>", "&", "#", "\n", "\n\n", "    ",
                         "\t", "* ", "1. ", "> ", "| ", "---\n", ": ", "[^1]", "[^1]: ", "*[a]: ", "{: #x}", "\\", "http://x", "word "])  # fmt: skip


@given(st.lists(st.tuples(MARKS, st.integers(1, 400)), max_size=12), st.integers(1, 20))
def test_whatever_comes_renders(parts, times):
    """Any mixture of markup renders to HTML without relative URLs or forbidden elements, or is rejected."""
    body = "".join(mark * count for mark, count in parts) * times
    try:
        rendered = html(body)
    except ArticleError:
        pass
    else:
        assert rendered == clean(rendered)
        assert not re.search(r'\s(?:href|src)="(?!https?:|mailto:|data:image|#e1-)', rendered)


@settings(max_examples=2 * settings().max_examples)  # most marks need another mark to mean anything
@given(st.lists(MARKS | st.text(max_size=8), max_size=40).map("".join))
def test_plain_text_passes_unchanged(body):
    """Text that is skipped in the search for inline markup renders as if it had been searched."""
    ours, theirs = python_markdown._converter(), python_markdown._converter()
    theirs.treeprocessors.register(InlineProcessor(theirs), "inline", 20)
    assert ours.convert(body) == theirs.convert(body)


TAGS = st.sampled_from(
    ["<a href='{}'>", "</a>", "<img src={} alt>", "<iframe src={}>", "</iframe>", "<object data={}>", "</object>", "<embed src={}>",
     "<embed>", "<object>", "<p id={}>", "<a name={}>", "<td align={}>", "<table>", "<svg><title>{}</title>", "</svg>", "<math><mi>{}</mi>",
     "</math>", "<script src={}></script>", "<input type=checkbox {}>", "<div class={}>", "</div>", "<code class={}>", "<x {}=y>", "<!--{}-->",
     "<template>", "<noscript>", "<style>", "<textarea>", "<title>", "<b {}>", "{}"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["x", "#x", "javascript:alert(1)", "https://www.youtube.com/embed/a", "//gist.github.com/a/1.js", '"', "'", ">", "<b>", "&quot;", "&#34;onload=x",
     "https://x.example/?a=1&b=2", "data:image/png;base64,AA", "footnotes", "language-x", "left", "checked", "onclick", " ", "\x00", 'https://x.example/">']
)  # fmt: skip


@given(st.lists(st.tuples(TAGS, VALUES), max_size=12))
def test_rewriting_lets_nothing_through(parts):
    """Sanitising HTML a second time removes no tag and no attribute."""
    fitted = html_module.sanitize("".join(tag.replace("{}", value) for tag, value in parts), BASE, "e1-")
    again = nh3.clean(
        fitted,
        tags=html_module.ALLOWED_TAGS,
        attributes=html_module.ALLOWED_ATTRIBUTES,
        filter_style_properties={"text-align"},
        link_rel=None,
        url_schemes=html_module.ALLOWED_SCHEMES,
    )
    # it may nest elements otherwise: nh3 parses its own output differently where it left out a table or an object
    assert tags(again) == tags(fitted)


def tags(text):
    """Return the opening tags in some HTML, with character references resolved."""
    return set(map(unescape, re.findall(r"<[^/][^>]*>", text)))


HEAVY = {
    "quotes": ">" * 1_000_000,
    "quotes on lines": "".join(">" * n + " a\n" for n in range(1_000)),
    "list": "".join("  " * n + "- a\n" for n in range(700)),
    "divs": "<div>\n\n" * 100_000,
    "cells": "|a" * 1_000 + "|\n" + "|-" * 1_000 + "|\n" + "|x\n" * 100_000,
    "ampersands": "&" * 1_000_000,
    "formulas": "\\(" * 500_000,
    "colons": ":::note\n" * 100_000,
    "spaces after colons": (":::note" + " " * 400 + "{\n") * 100,
    "spaces after marks": "!!! note" + " " * 20_000 + ".",
    "spaces before a fence": "::: a\n" + " " * 20_000 + "x",
    "braces in a heading": "# a{" + " " * 20_000 + "\n# {#" + "a" * 20_000,
    "code without end": "{: .x}\n\n" + "<pre></b>" * 50_000,
    "headings without end": "<div>\n" + '<h1 id="">' * 50_000 + "{",
    "a tag without end": "<div>" + "<b></b>" * 120 + "<" + "a" * 200_000,
    "closing tags": "<div>" + "<span></x>" * 50_000,
    "formatting in paragraphs": "<div><p>" + "<b title=i>" * 190 + "<p>a" * 5_000,
    "pictures without end": "<div>" + "<svg></b>" * 50_000,
    "pictures with a title": "<div>" + "<svg><title></title></svg >" * 30_000,
    "a definition of template code": "[a]: {{" + "}}" * 20_000 + " x y",
    "template code before a mark": "{{ x\n\n" + "`" * 400_000,
    "highlight": "{% highlight js %}\n" * 20_000 + "{% endhighlight %}",
    "headings of one text": "# a\n" * 250_000,
    "underlined headings of one text": "a\n-\n" * 250_000,
    "footnote marks in footnote marks": "[^" * 300_000 + "x" + "]" * 300_000,
    "footnote marks that refer to each other": "[^a]\n\n[^a]: " + "[^b]" * 100_000 + "\n\n[^b]: " + "[^a]" * 100_000,
    "definition lists": "a\n: b\n\n" * 140_000,
    "closing brackets after an address": "http://a.b/" + ")" * 1_000_000,
    "mail addresses": "a@b.c " * 170_000,
    "columns": "|a" * 170_000 + "|\n" + "|-" * 170_000 + "|\n" + "|b" * 170_000,
    "no-break spaces": "\xa0" * 500_000,
    "entities between tags that are dropped": "<div>" + "&lt;</x>" * 120_000,
    "self-closing elements": "<div>" + "<rp/>" * 200_000,
    "items in items": "<ul>" + "<li><dd>" * 120_000,
    "attributes": "<b " + "".join(f"a{n}=b " for n in range(130_000)) + ">",
    "attributes of the root": "".join(f"<html a{n}=b>" for n in range(70_000)),
    "end tags in comments": "<div><!--</div>-->" * 50_000,
    "text in tables": "<table>a" * 120_000,
    "elements before a table": "<br>" * 90_000 + "<table>" + "<b></b>" * 90_000,
    "summary of blocks": "> \n\n" * 250_000,
    "candidates of a picture": '<img srcset="' + "a,b " * 250_000 + '">',
    "containers in the open": "".join("\t" * n + ":::note\n" for n in range(900)),
    "scripts without end": "<div><script" + " src=a" * 50_000,
    **{
        mark: mark * (1_000_000 // len(mark))
        for mark in ("[", "![", "*a ", "_a __b ", "`", "<", "$a ", "|", "~a ", "[^a]", "www.a ", "\t", "\0")
    },
}


@pytest.mark.integration
@pytest.mark.parametrize("name", HEAVY)
def test_heavy_input_is_rendered_or_rejected(name):
    """A megabyte of nesting or of one character neither ends the process nor uses unlimited memory."""
    try:
        rendered = html(HEAVY[name][: 1 << 20])
    except ArticleError as refused:
        assert refused.reason in {
            "nested too deep",
            "a table with too many cells",
            "too large when it is rendered",
            "too many closing brackets in a row",
            "too many embedded elements",
            "too many footnotes",
            "too many mail addresses in one line",
            "too many links and images",
            "too many special characters",
            "too much markup",
        }
    else:
        assert len(rendered) < 64 << 20


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("python-markdown", f"*[A]: {'x' * 2_000}\n\n" + "A " * 1_000),
        ("python-markdown", f"[a]: https://x.example/{'x' * 2_000}\n\n" + "[a] " * 1_000),
        ("gfm", "[^a] " * 5_000 + "\n\n[^a]: x"),
        ("gfm", "[a](b) " * 2_000),
        ("gfm", '<img srcset="' + "b 1x," * 100 + '">\n\n<iframe src="b"></iframe>\n\n' * 200),
        ("gfm", f'<p><b title="{"x" * 5_000}">x' + "<p>y" * 1_000),
        ("gfm", "<i id=a>x</i>\n\n" + "[a](#a)" * 10_000 + "[b](c)" * 1_000),
    ],
    ids=["abbreviations", "references", "footnotes", "links", "pictures", "opened again", "long"],
)
def test_a_small_text_becomes_no_large_html(dialect, body):
    """The HTML of a text has at most ten times its length plus 100,000 characters, whatever multiplies it."""
    base = f"https://test.example/{'x' * 1_900}/"
    with pytest.raises(ArticleError, match=r"too large when it is rendered|nested too deep"):
        MarkdownRenderer(dialect).render(body, None, base, "e1-")


@pytest.mark.parametrize("body", ["[a](b;c)", "![a](../b)", '<img srcset="b, ../c 2x">', '<a href="#a">b</a>'])
def test_many_links_and_images(body):
    """An article with more than 15,000 links and images whose URLs must be resolved is rejected."""
    assert html(f"{body}\n" * 5_000)
    with pytest.raises(ArticleError, match="too many links and images"):
        html(f"{body}\n" * 16_000)


@pytest.mark.parametrize(
    "body", ["<iframe src=b></iframe>", "<script src=b></script>", "<lite-youtube videoid=b></lite-youtube>"]
)
def test_many_embedded_elements(body):
    """An article with more than 10,000 frames, scripts or the like is rejected, also by `convert`."""
    for render in (html, MarkdownRenderer().convert):
        assert render(f"{body}\n" * 2_000) is not None
        with pytest.raises(ArticleError, match="too many embedded elements"):
            render(f"{body}\n" * 11_000)


def test_files_of_an_article_with_too_many_references():
    """The files of an article that can't be rendered are listed only in part, without an error."""
    assert 1_000 < len(html_module.file_references("".join(f"<img src=a{n}.png>" for n in range(20_000)))) <= 15_000


def test_links_that_need_no_change_are_not_limited():
    """An article may have any number of links to other sites."""
    assert html("[a](https://b.example/c)\n" * 30_000).count("https://b.example/c") == 30_000


def test_what_real_articles_need_is_allowed():
    """A short text of links to a long address, and a long text of code and tables, are rendered completely."""
    base = f"https://test.example/{'x' * 200}/"
    assert MarkdownRenderer().render("[a](b)\n" * 300, None, base, "e1-").html.count(base) == 300
    body = "| a | b |\n| - | - |\n" + "| `<` | &lt; [c](d) |\n" * 500 + "\n```html\n" + "<a>&</a>\n" * 8_000 + "```\n"
    assert MarkdownRenderer().render(body, None, "https://test.example/a/", "e1-").html.count("&lt;a&gt;") == 8_000


def test_formatting_that_every_paragraph_opens_again():
    """Elements without children do not hide how many elements an HTML parser would reopen in each paragraph."""
    with pytest.raises(ArticleError, match="nested too deep"):
        html("<div>" + "<b>" * 150 + "<p>x</p>" * 2_000)


def test_many_elements_that_are_not_nested():
    """A list of a thousand links with bold text is rendered completely."""
    rendered = html("- [**a** b](/c)\n" * 1_000)
    assert rendered.count("<li>") == rendered.count('<a href="https://test.example/c">') == 1_000


def test_plain_text_is_the_last_resort():
    """A text that can't be rendered is shown as it was typed."""
    shown = plain_text_content("a <b>\n\nc", None)
    assert (shown.html, shown.summary) == ("<p>a &lt;b&gt;</p>\n<p>c</p>", "a <b>")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<p>a <span class="katex"><span class="katex-mathml"><math><mi>c</mi></math></span><span class="katex-html"><i>c</i><span></span></span></span> b</p>',
         "<p>a <span><span><math><mi>c</mi></math></span></span> b</p>"),
        ('<span class="katex-html">a</span><span class="katex-html">b<span>c</span></span>d', "<p>d</p>"),
        ('a <span class="katex-html"><span>b', "<p>a </p>"),
    ],
)  # fmt: skip
def test_a_formula_of_katex_is_shown_once(body, expected):
    """A formula that KaTeX wrote as MathML and as HTML is published as MathML only."""
    assert content(body).html == expected


@pytest.mark.parametrize("name", ["mit-Größe", "一", "a b".replace(" ", "."), "plain"])
def test_footnotes_work_whatever_they_are_called(name):
    """The link to a footnote and the link back use ids of the same article."""
    rendered = html(f"a[^{name}]\n\n[^{name}]: note")
    for href in re.findall(r'href="#([^"]+)"', rendered):
        assert f'id="{href}"' in rendered
    assert rendered.count('href="#e1-') == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a <svg width='1'><g><title>buoy</title></g><path/></svg > b", "<p>a buoy b</p>"),
        ("<svg><title>one</title></svg>, <svg><path/></svg>, <SVG><TITLE>two</TITLE></SVG>", "<p>one, , two</p>"),
    ],
)
def test_titles_of_pictures_stay(body, expected):
    """An SVG image is replaced by its title, because feed readers show no SVG."""
    assert html(f"x {body}").replace("x ", "", 1) == expected


def test_ids_stay_unique_where_elements_are_opened_again():
    """An element that a parser reopens around the text after a removed frame has its id only once."""
    rendered = html('<em id=a><object>x <div>y</div>\n\nz <b id=b>\n\n<object data="https://x.example/"></object>\n\nw')
    assert rendered.count('id="e1-a"') <= 1
    assert rendered.count('id="e1-b"') <= 1
    assert 'id="e1-b"' in rendered
