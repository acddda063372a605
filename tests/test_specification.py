"""Examples for every section of CommonMark 0.31 and GFM, as articles in all three formats.

The examples are our own. `benchmarks/specification.py` runs those of the specifications in the same way, and
docs/commonmark.md lists the differences.
"""

import json

import pytest
from conftest import Site
from lxml import etree

from feeds.core.syndication import anchor_prefix

# section, Markdown, HTML; {id} stands for the prefix of the entry's ids, {url} for the URL of the article
EXAMPLES = [
    # CommonMark 2: preliminaries
    ("tabs", "-\tone\n\n\t\ttwo", "<ul>\n<li>\n<p>one</p>\n<pre><code>two\n</code></pre>\n</li>\n</ul>"),
    ("tabs", "\tcode\tspan", "<pre><code>code\tspan\n</code></pre>"),
    ("backslash escapes", r"\*no\* \# \[x\] \`y\` \q", r"<p>*no* # [x] `y` \q</p>"),
    ("backslash escapes", r"`\*` [a](b\*c 'd\'e')", r"""<p><code>\*</code> <a href="{url}b*c" title="d&#x27;e">a</a></p>"""),
    ("entities", "&copy; &#8364; &#x2014; &unknown; &lt;b&gt;", "<p>© € — &amp;unknown; &lt;b&gt;</p>"),
    ("entities", "[a](?x=&auml;) &#42;x&#42;", '<p><a href="{url}?x=%C3%A4">a</a> *x*</p>'),
    # 3: blocks and inlines
    ("precedence", "- `one\n- two`", "<ul>\n<li>`one</li>\n<li>two`</li>\n</ul>"),
    # 4: leaf blocks
    ("thematic breaks", "a\n\n- - -\n\nb\n***\n_ _", "<p>a</p>\n<hr>\n<p>b</p>\n<hr>\n<p>_ _</p>"),
    ("thematic breaks", "- a\n* * *\n- b", "<ul>\n<li>a</li>\n</ul>\n<hr>\n<ul>\n<li>b</li>\n</ul>"),
    ("ATX headings", "## Two ##\n####### seven\n#none\n\\## no", '<h2 id="{id}two">Two</h2>\n<p>####### seven\n#none\n## no</p>'),
    ("ATX headings", "#\n### *a* b #c", '<h1></h1>\n<h3 id="{id}a-b-c"><em>a</em> b #c</h3>'),
    ("setext headings", "Two\nlines\n===\nand\n---", '<h1 id="{id}two-lines">Two\nlines</h1>\n<h2 id="{id}and">and</h2>'),
    ("setext headings", "> a\n---\n\n    b\n---", "<blockquote>\n<p>a</p>\n</blockquote>\n<hr>\n<pre><code>b\n</code></pre>\n<hr>"),
    ("indented code", "    a *b*\n\n      <c>\n\nd\n    e", "<pre><code>a *b*\n\n  &lt;c&gt;\n</code></pre>\n<p>d\ne</p>"),
    ("fenced code", "````\n```\nx\n````\n~~~ruby x=1\n  y\n", '<pre><code>```\nx\n</code></pre>\n<pre><code class="language-ruby">  y\n</code></pre>'),
    ("fenced code", "- ```c++\n  a\n\n  b\n  ```\n> ~~~\n> q\n\nz", '<ul>\n<li>\n<pre><code class="language-c++">a\n\nb\n</code></pre>\n</li>\n</ul>\n<blockquote>\n<pre><code>q\n</code></pre>\n</blockquote>\n<p>z</p>'),
    ("fenced code", "``` `x`\ny", "<p>``` <code>x</code>\ny</p>"),
    ("HTML blocks", "<div>\n*a*\n\n*b*\n</div>", "<div>\n*a*\n<p><em>b</em></p>\n</div>"),
    ("HTML blocks", "<!-- a\n\nb -->\n*c*\n\n<del>\n\n*d*\n\n</del>", "<p><em>c</em></p>\n<del>\n<p><em>d</em></p>\n</del>"),
    ("HTML blocks", "<pre>\n*a*\n\n*b*\n</pre>\n<style>\np {}\n\nq {}\n</style>\nc", "<pre>*a*\n\n*b*\n</pre>\n\n<p>c</p>"),
    ("link reference definitions", "[one]\n[two] [ONE  one]\n\n[one]: /1 'T'\n[two]: <b c>\n[one one]: #x\n[one]: /3", '<p><a href="https://test.example/1" title="T">one</a>\n<a href="{url}b%20c">two</a> <a href="{url}#x">ONE  one</a></p>'),
    ("link reference definitions", "a\n[b]: /c\n\n[b]\n\n[d]: /e x\n\n[d]", "<p>a\n[b]: /c</p>\n<p>[b]</p>\n<p>[d]: /e x</p>\n<p>[d]</p>"),
    ("paragraphs", "  a\n     b\n\n\n   c", "<p>a\nb</p>\n<p>c</p>"),
    ("blank lines", "\n  \n\na\n \n\nb\n\n \n", "<p>a</p>\n<p>b</p>"),
    # 5: container blocks
    ("block quotes", "> # A\n>b\nc\n\n> > d\n> e\n\nf", '<blockquote>\n<h1 id="{id}a">A</h1>\n<p>b\nc</p>\n</blockquote>\n<blockquote>\n<blockquote>\n<p>d\ne</p>\n</blockquote>\n</blockquote>\n<p>f</p>'),
    ("block quotes", ">\n> - a\n> - b\n>\n\n> c", "<blockquote>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n</blockquote>\n<blockquote>\n<p>c</p>\n</blockquote>"),
    ("list items", "1.  a\n\n        b\n\n    > c", "<ol>\n<li>\n<p>a</p>\n<pre><code>b\n</code></pre>\n<blockquote>\n<p>c</p>\n</blockquote>\n</li>\n</ol>"),
    ("list items", "7) a\n8) b\n\n-1. c\n\n1234567890. d", '<ol start="7">\n<li>a</li>\n<li>b</li>\n</ol>\n<p>-1. c</p>\n<p>1234567890. d</p>'),
    ("list items", "-\n  a\n- \n- b\n   lazy\nlazier", "<ul>\n<li>a</li>\n<li></li>\n<li>b\nlazy\nlazier</li>\n</ul>"),
    ("lists", "- a\n- b\n+ c\n\n1. d\n2) e", '<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<ul>\n<li>c</li>\n</ul>\n<ol>\n<li>d</li>\n</ol>\n<ol start="2">\n<li>e</li>\n</ol>'),
    ("lists", "- a\n\n- b\n  - c\n\n  d", "<ul>\n<li>\n<p>a</p>\n</li>\n<li>\n<p>b</p>\n<ul>\n<li>c</li>\n</ul>\n<p>d</p>\n</li>\n</ul>"),
    ("lists", "It was in\n14. It is\n1. one", "<p>It was in\n14. It is</p>\n<ol>\n<li>one</li>\n</ol>"),
    ("lists", "- a\n - b\n  - c\n   - d\n    - e", "<ul>\n<li>a</li>\n<li>b</li>\n<li>c</li>\n<li>d\n- e</li>\n</ul>"),
    # 6: inlines
    ("code spans", "`` a`b `` `c  d\ne` ` `` ` `<f>` `&amp;`", "<p><code>a`b</code> <code>c  d e</code> <code>``</code> <code>&lt;f&gt;</code> <code>&amp;amp;</code></p>"),
    ("code spans", "*a`*` ``b`", "<p>*a<code>*</code> ``b`</p>"),
    ("emphasis", "*a* _b_ **c** __d__ ***e*** a*b*c d_e_f", "<p><em>a</em> <em>b</em> <strong>c</strong> <strong>d</strong> <em><strong>e</strong></em> a<em>b</em>c d_e_f</p>"),
    ("emphasis", "**a *b* c** *d **e** f* * g*", "<p><strong>a <em>b</em> c</strong> <em>d <strong>e</strong> f</em> * g*</p>"),
    ("emphasis", '*a **b* c** **a "*b*"** _(c)_.', '<p><em>a <em><em>b</em> c</em></em> <strong>a "<em>b</em>"</strong> <em>(c)</em>.</p>'),
    ("emphasis", "****a**** *****b***** foo***bar***", "<p><strong><strong>a</strong></strong> <em><strong><strong>b</strong></strong></em> foo<em><strong>bar</strong></em></p>"),
    ("links", "[a](/b 'c \"d\"') [e]( <f g> (h) ) [i]() [*j* `]`](k(l)m)", '<p><a href="https://test.example/b" title="c &quot;d&quot;">a</a> <a href="{url}f%20g" title="h">e</a> <a href="{url}">i</a> <a href="{url}k(l)m"><em>j</em> <code>]</code></a></p>'),
    ("links", "[a][r] [R] [r][] [r] [x][r [y](z w)\n\n[r]: https://b.example/?c&d", '<p><a href="https://b.example/?c&amp;d">a</a> <a href="https://b.example/?c&amp;d">R</a> <a href="https://b.example/?c&amp;d">r</a> <a href="https://b.example/?c&amp;d">r</a> [x][r [y](z w)</p>'),
    ("links", "[a [b](c) d](e) [f ![g](h)](i)", '<p>[a <a href="{url}c">b</a> d](e) <a href="{url}i">f <img src="{url}h" alt="g"></a></p>'),
    ("images", '![a *b*](c.png "d") ![e][f] !\\[g](h)\n\n[f]: /i.jpg', '<p><img src="{url}c.png" alt="a b" title="d"> <img src="https://test.example/i.jpg" alt="e"> ![g](h)</p>'),
    ("autolinks", "<https://a.example/b?c=d> <e@f.example> <MAILTO:g@h.example> <m:n>", '<p><a href="https://a.example/b?c=d">https://a.example/b?c=d</a> <a href="mailto:e@f.example">e@f.example</a> <a href="MAILTO:g@h.example">MAILTO:g@h.example</a> &lt;m:n&gt;</p>'),
    ("raw HTML", "a <b>c</b> <i title='d\ne'>f</i> <!-- g --> <br/> <!---> h", '<p>a <b>c</b> <i title="d\ne">f</i>  <br>  h</p>'),
    ("raw HTML", "a < b <33> <h*i> c<d", "<p>a &lt; b &lt;33&gt; &lt;h*i&gt; c&lt;d</p>"),
    ("hard line breaks", "a  \nb\\\nc `d  \ne`  \n\nf\\", "<p>a<br>\nb<br>\nc <code>d   e</code></p>\n<p>f\\</p>"),
    ("soft line breaks", "a \n b\nc", "<p>a\nb\nc</p>"),
    ("textual content", "Ünï 中文 😀 $.;'there", "<p>Ünï 中文 😀 $.;'there</p>"),
    # GFM's extensions
    ("tables", "| a | b | c |\n|:--|:-:|--:|\n| `x\\|y` | *z* |\n1|2|3|4", '<table>\n<thead>\n<tr>\n<th style="text-align:left">a</th>\n<th style="text-align:center">b</th>\n<th style="text-align:right">c</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td style="text-align:left"><code>x|y</code></td>\n<td style="text-align:center"><em>z</em></td>\n<td style="text-align:right"></td>\n</tr>\n<tr>\n<td style="text-align:left">1</td>\n<td style="text-align:center">2</td>\n<td style="text-align:right">3</td>\n</tr>\n</tbody>\n</table>'),
    ("tables", "a\n\n| b |\n| - |\n| c |\n> d\n\n| e | f |\n| - |", "<p>a</p>\n<table>\n<thead>\n<tr>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>c</td>\n</tr>\n</tbody>\n</table>\n<blockquote>\n<p>d</p>\n</blockquote>\n<p>| e | f |\n| - |</p>"),
    ("task list items", "- [x] a\n- [ ] b\n  1. [X] c\n- [-] d\n- [ ]e", "<ul>\n<li>☑ a</li>\n<li>☐ b\n<ol>\n<li>☑ c</li>\n</ol>\n</li>\n<li>[-] d</li>\n<li>[ ]e</li>\n</ul>"),
    ("strikethrough", "~~a *b*~~ ~c~ ~~~d~~~ e~~f", "<p><del>a <em>b</em></del> <del>c</del> ~~~d~~~ e~~f</p>"),
    ("strikethrough", "~~a\n\nb~~", "<p>~~a</p>\n<p>b~~</p>"),
    ("autolinks (extension)", "See www.a.example/b_c. (https://d.example/e_(f)) https://g.example/?h=i&copy; j", '<p>See <a href="http://www.a.example/b_c">www.a.example/b_c</a>. (<a href="https://d.example/e_(f)">https://d.example/e_(f)</a>) <a href="https://g.example/?h=i">https://g.example/?h=i</a>© j</p>'),
    ("autolinks (extension)", "k+l@m.example, n@o-p.example_ ftp://q.example/r `https://s.example`", '<p><a href="mailto:k+l@m.example">k+l@m.example</a>, n@o-p.example_ <a href="ftp://q.example/r">ftp://q.example/r</a> <code>https://s.example</code></p>'),
    ("disallowed raw HTML", "The <title> of *a* and <style>.\n\n<xmp> b\n\nc <PLAINTEXT> d", "<p>The &lt;title&gt; of <em>a</em> and &lt;style&gt;.</p>\n<p>&lt;xmp&gt; b</p>\n<p>c &lt;PLAINTEXT&gt; d</p>"),
    ("disallowed raw HTML", "a <script>b</script> <textarea>c</textarea> d", "<p>a   d</p>"),
]  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return the HTML of each entry in each format, and the id and the URL of each, from a build of all examples."""
    site = Site(tmp_path_factory.mktemp("specification"))
    site.configure(feeds={"limit": len(EXAMPLES), "max_size": 0, "archives": False})
    for number, (_, markdown, _) in enumerate(EXAMPLES):
        site.write(f"{number}.md", f"---\ntitle: Example {number}\ndate: 2026-05-01\n---\n{markdown}")
    assert site.run("build").returncode == 0
    public = site.root / "public"
    rss = etree.parse(public / "rss.xml")
    atom = etree.parse(public / "atom.xml")
    items = json.loads((public / "feed.json").read_bytes())["items"]
    content = "{http://purl.org/rss/1.0/modules/content/}encoded"
    found = {
        "rss": {item.findtext("link"): item.findtext(content) for item in rss.iter("item")},
        "atom": {entry.find("{*}link").get("href"): entry.findtext("{*}content") for entry in atom.iter("{*}entry")},
        "json": {item["url"]: item["content_html"] for item in items},
    }
    yield found, {item["url"]: item["id"] for item in items}
    site.close()


@pytest.mark.parametrize(
    "number", range(len(EXAMPLES)), ids=[f"{number}-{section}" for number, (section, *_) in enumerate(EXAMPLES)]
)
def test_an_example_is_published_as_specified(published, number):
    """The HTML of an entry is that of CommonMark and GFM, the same in RSS, Atom and JSON Feed."""
    found, ids = published
    url = f"https://test.example/{number}/"
    expected = EXAMPLES[number][2].replace("{id}", anchor_prefix(ids[url])).replace("{url}", url)
    assert found["json"][url] == expected
    assert found["rss"][url] == found["atom"][url] == expected
