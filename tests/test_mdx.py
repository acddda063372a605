"""MDX: program code in articles is removed and reported, and the Markdown around it is kept."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.parse import article
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.parse.mdx import to_markdown


def markdown(text):
    """Return the Markdown of a text, and (line, message) of its warnings."""
    converted, warnings = to_markdown(text, 1)
    assert {one.rule for one in warnings} <= {"mdx"}
    return converted, [(one.line, one.message) for one in warnings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import Map from '../map';\n\n*A*", "\n\n*A*"),
        ("import {\n  Map,\n} from '../map'\nimport b from 'b'\n\nA", "\n\n\n\n\nA"),
        ("import 'style.css'", ""),
        ("export const route = {\n\n  from: '}',\n};\n\nA", "\n\n\n\n\nA"),
        ("export default Layout", ""),
        ("Goods\nimport duties and\nexport them.", "Goods\nimport duties and\nexport them."),
        ("import duties are high", "import duties are high"),
        ("A <Badge tone={x > 1 ? '}' : `>`}>new</Badge> B", "A new B"),
        ("<Steps>\n*A*\n</Steps>", "\n*A*\n"),
        ("<>\n*A*\n</>", "\n*A*\n"),
        ("<Tabs.Item\n  label={<b>x</b>}\n  wide\n/>\n*A*", "\n\n\n\n*A*"),
        ("A {count + 1} B", "A  B"),
        ("A {/* a\nnote */} B", "A \n B"),
        ("{/* truncate */}", "<!-- truncate -->"),
        ("A {/* more */} b\n{/* truncate */} *c*", "A <!-- truncate --> b\n *c*"),
        ("## A {#own-id}", "## A {#own-id}"),
        ("{'{'} {\"<\"} {`*`}{' '}", "&#123; &#60; &#42; "),
        ("\\{A\\} \\<B>", "\\{A\\} \\<B>"),
        ("`<A {b}>` and ``{` ``", "`<A {b}>` and ``{` ``"),
        ("```jsx\nimport a from 'b'\n<A {b}/>\n```\n<B/>", "```jsx\nimport a from 'b'\n<A {b}/>\n```\n"),
        ("- a\n\n  ~~~\n  <A/>\n  ~~~", "- a\n\n  ~~~\n  <A/>\n  ~~~"),
        ("```x``` is {a}.\n\n<A/> *b*", "```x``` is .\n\n *b*"),
        ("> - ```\n>   {a}\n>   ```\n{b}", "> - ```\n>   {a}\n>   ```\n"),
        ("- > ~~~\n  > {a}\n  > ~~~\n{b}", "- > ~~~\n  > {a}\n  > ~~~\n"),
        ("$\\frac{a}{b}$ $$\n{c}\n$$ {d}", "$\\frac{a}{b}$ $$\n{c}\n$$ "),
        ("It costs $5 {now} or $6", "It costs $5  or $6"),
        ("a < b, 1 <2, <https://a.example>", "a < b, 1 <2, <https://a.example>"),
        ("<!-- <A/> --> <A/>", "<!-- <A/> --> "),
        ("{ open <A b=", "{ open <A b="),
        ("A </B> C <D><E>F</D>", "A  C F"),
        (r"{'a\n\u00e9\'b'}", "a é&#39;b"),
        (r"{'\uD800'}a{'\uDE00\uD83D'}", "a"),
        (r"{'\uD83D\uDE00\u{1F600}\u{D83D}\u{DE00}'}", "\U0001f600" * 3),
        (r"{'\xe9\u{110000}\x00\u0007b'}", "éb"),
        (r"{'a\u000ab\u2028c\x0dd'}", "a b c d"),
    ],
)
def test_what_is_left_out(text, expected):
    """Statements, components and expressions of any length are removed; code, formulas and prose are kept."""
    assert markdown(text)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<div className="a">x</div>', '<div className="a">x</div>'),
        ('<b style={{color: "red"}} id="a">x</b>', '<b id="a">x</b>'),
        ("A <img src={require('./a.png').default} alt={'A \"b\"'} />", 'A <img src="./a.png" alt="A &quot;b&quot;"/>'),
        ("A <img src={useBaseUrl('/a.png')} />", 'A <img src="/a.png"/>'),
        ("<video controls {...props} src='/a.mp4' />\nA", "<!----><video controls src='/a.mp4'></video>\nA"),
        ('<iframe\n  src="https://a.example"\n/>\nA', '<!----><iframe src="https://a.example"></iframe>\n\n\nA'),
        ('A <img\n  src="/a.png"\n  width={3}\n/> B', 'A <img\nsrc="/a.png"/>\n\n B'),
        ("<br/>", "<!----><br/>"),
        ("<div\n  id='a'\n>\n*A*\n</div>", "<!----><div id='a'>\n\n\n*A*\n<!----></div>"),
        ("<p>\n  *A*\n</p>", "\n*A*\n"),
        ("<td><p>A</p><p>B</p></td>", "<td><p>A</p><p>B</p></td>"),
        ("<pre>\n  {`A`}\n</pre>", "<pre>\n  A\n</pre>"),
        ("A <b / id={'x'} hidden>B</b>", 'A <b id="x" hidden>B</b>'),
    ],
)
def test_html_elements_stay(text, expected):
    """Lower-case elements become HTML: no attribute is an expression, and only void elements close themselves."""
    assert markdown(text)[0] == expected


def test_markdown_in_html_elements():
    """Text between tags on lines of their own is Markdown, at any indentation."""
    text = "<table>\n    <tr>\n        <td>\n            *A* and `<style>`\n        </td>\n    </tr>\n</table>\n<p>\n  *B*\n</p>\n"
    content = MarkdownRenderer().render(markdown(text)[0], None, "https://test.example/", "e-")
    assert "<td>\n<p><em>A</em> and <code>&lt;style&gt;</code></p>\n</td>" in content.html
    assert content.html.endswith("<p><em>B</em></p>")
    assert "<pre" not in content.html


def test_text_in_components_is_not_code():
    """Text that is indented for its component gets the indentation of the component's tag, so it is not code."""
    text = """\
<Tabs>
    <Item>

        *A*

        ```js
          b
        ```

    </Item>
</Tabs>
<Steps>
  1. one
     <Note>
         two
     </Note>
  2. three
</Steps>
"""
    lines = [line for line in markdown(text)[0].split("\n") if line.strip()]
    assert lines == ["*A*", "```js", "  b", "```", "1. one", "   two", "2. three"]


def test_each_kind_is_reported_once():
    """Statements, components and expressions each cause one warning, at the first line; strings and comments none."""
    text = "import a from 'b'\n\n<A>\n{'x'} {/* y */}\n</A> <B/>\n{c}\n{d} <img src={e}/> <i style={{f: 1}}/>\n"
    assert markdown(text)[1] == [
        (1, "import and export statements are left out: import a from 'b'"),
        (3, "components are left out, but their text is kept: <A>, <B>"),
        (6, "expressions are left out: {c}, {d}, src={e}"),
    ]
    assert markdown("<A/> " + "{a}{b}{c}{d}{e}")[1][1][1].endswith("{a}, {b}, {c}, 2 more")


@given(st.lists(st.sampled_from(["<A", "<A>", "</A>", "<a b={", "/>", ">", "{", "}", "'", '"', "`", "```", "$", "$$", "\\", "\n", "  ", "<!--",
                                 "-->", "/*", "*/", "import a from 'b'", "export const", "- ", "> ", "x", "{#a}", "//"])).map("".join))  # fmt: skip
def test_lines_keep_their_numbers(text):
    """The Markdown of any text has the same number of lines, and no text is rejected."""
    assert markdown(text)[0].count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "unit", ["{", "<A ", "<A>\n", "`", "$", "import a\n\n", "export const a = {\n\n", "<!--", "'\"`{", "{/*", "<a b={"]
)
def test_what_is_never_closed_stays(unit):
    """An article with many unclosed openings is read, and keeps its lines."""
    text = unit * (20_000 // len(unit))
    assert markdown(text)[0].count("\n") == text.count("\n")


def test_an_article_in_mdx():
    """The article has the Markdown as its text, a title from its heading, and warnings with the lines of the file."""
    read = article.parse_article(
        b"---\ndate: 2026-05-01\n---\nimport a from 'b'\n\n# Ferry <Icon/>\n\n{x}\n", "news/ferry.mdx", UTC
    )
    assert (read.name, read.title, read.body) == ("news/ferry", "Ferry", "\n\n# Ferry \n\n\n")
    assert [(one.line, one.rule) for one in read.warnings] == [(4, "mdx"), (6, "mdx"), (8, "mdx")]
    assert article.parse_article(b"---\ndate: 2026-05-01\n---\n{x}\n", "a.md", UTC).body == "{x}\n"


INCLUDED = {"include": ["**/*.md", "**/*.mdx"]}


def test_mdx_is_published_where_it_is_included(site):
    """Files in MDX are articles if content.include names them: `NAME/index.mdx` too, `_index.mdx` never."""
    site.article("a.mdx", "<A>*Text*</A>", title="A")
    site.article("b/index.mdx", "*Text*", title="B")
    site.article("_index.mdx", title="List")
    site.article("c.md", title="C")
    site.publish()
    assert site.items().keys() == {"C"}
    site.configure(content=INCLUDED)
    outcome = site.publish()
    items = site.items()
    assert {title: item["id"].rpartition(":")[2] for title, item in items.items()} == {"A": "a", "B": "b", "C": "c"}
    assert items["A"]["content_html"] == "<p><em>Text</em></p>"
    assert [(one.path, one.rule) for one in outcome.warnings] == [("a.mdx", "mdx")]
    assert "content/a.mdx:6: warning: components are left out" in site.run("check").stdout


def test_a_file_in_markdown_and_one_in_mdx(site):
    """Two files with the same name and different extensions are two articles; the later one gets its path as id."""
    site.configure(content=INCLUDED)
    site.article("a.md", title="First", date="2026-01-01")
    site.article("a.mdx", title="Second", date="2026-01-02")
    outcome = site.publish()
    ids = {title: item["id"] for title, item in site.items().items()}
    assert ids == {"First": "tag:test.example,2026:a", "Second": "tag:test.example,2026:a/a.mdx"}
    assert [(one.path, one.rule) for one in outcome.warnings] == [("a.mdx", "doubtful-id")]


def test_languages_in_names(site):
    """The language in a file name is recognised in MDX too, also beside the article in Markdown."""
    site.configure(content={"include": ["**/*.md", "**/*.mdx"]})
    site.article("note.md", title="A")
    site.article("note.tlh.mdx", title="B")
    site.publish()
    assert site.items()["B"]["language"] == "tlh"


def test_surrogates_end_no_run(site):
    """An article with half a surrogate pair is published without it, and so are the other articles."""
    site.configure(content=INCLUDED)
    site.article("a.mdx", r"A {'\uD800'} {'\uD83D\uDE00'} <img src={'/a.png'} alt={'b\uDFFF'} />", title="A")
    site.article("b.md", "*Text*", title="B")
    assert site.run("build").returncode == 0
    items = site.items()
    assert items.keys() == {"A", "B"}
    assert "\U0001f600" in items["A"]["content_html"]
    assert 'alt="b"' in items["A"]["content_html"]


def test_the_excerpt_may_end_within_a_paragraph(site):
    """A marker in the middle of a paragraph ends the excerpt, and is not shown."""
    site.configure(content=INCLUDED)
    site.article("a.mdx", "One {/* truncate */} two.", title="A")
    site.article("b.mdx", "One\n{/* more */}\ntwo.", title="B")
    site.publish()
    items = site.items()
    assert {item["summary"] for item in items.values()} == {"One"}
    assert not any("truncate" in item["content_html"] or "/*" in item["content_html"] for item in items.values())
