"""The nesting depth that is counted from tags is at least a fraction of the depth that an HTML parser builds."""

import re

import fuzzing
import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core.parse import nesting

NOT_NESTED = {"area", "base", "br", "col", "embed", "frame", "hr", "image", "img", "input", "link", "meta", "param", "source", "track", "wbr"}  # fmt: skip
OF_TEXT = {"iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "template", "textarea", "title", "xmp"}  # fmt: skip
PARSER = nh3.Cleaner(tags=set(fuzzing.ELEMENTS) - OF_TEXT, clean_content_tags=set(), attributes={}, link_rel=None)


def depth(html):
    """Return the depth of the elements that an HTML parser builds."""
    deepest = now = 0
    for end, name in re.findall(r"<(/?)([a-zA-Z][^\s>]*)", PARSER.clean(html)):
        if name not in NOT_NESTED:
            now += -1 if end else 1
            deepest = max(deepest, now)
    return deepest


class Recorded(list):
    """A list that records the most items that it has had."""

    most = 0
    reads = 0  # items that were read one by one

    def append(self, item):
        super().append(item)
        self.most = max(self.most, len(self))

    def __getitem__(self, index):
        self.reads += 1
        return super().__getitem__(index)


def counted(html):
    """Return the highest number of elements that are counted as open."""
    elements = nesting._OpenElements()
    elements._names = Recorded()
    nesting._read(html, elements)
    return elements._names.most


NAMES = st.sampled_from(fuzzing.ELEMENTS)
FEW_NAMES = st.sampled_from(["a", "b", "p", "div", "span", "li", "dd", "ul", "table", "tr", "td", "select", "svg", "desc", "math", "mi", "title",
                             "style", "script", "form", "object", "br", "x-y"])  # fmt: skip
TAGS = st.tuples(
    st.sampled_from(["<{}>", "</{}>", "<{}/>", "<{} a=b>", "<{} a='</{}>'>", '<{} a="', "<{} a=b/>"]), FEW_NAMES | NAMES
).map(lambda parts: parts[0].replace("{}", parts[1]))
OTHER = st.sampled_from(["<!--", "-->", "--!>", "<!---->", "x", " ", "<![CDATA[", "]]>", "'", '"', ">", "</", "</>", "<!x>", "<?x>", "</ x>", "<"])  # fmt: skip


INLINE = ["a", "b", "code", "em", "strong", "i", "del", "sup", "span", "kbd", "u"]
WELL_FORMED = st.recursive(
    st.sampled_from(["x", "<br>", '<img src="a">', "<!-- a -->", "a &lt; b"]),
    lambda inner: st.tuples(
        st.sampled_from([*INLINE, "p", "li", "ul", "div", "blockquote", "h2", "dd", "dl", "pre"]),
        st.sampled_from(["", "", ' title="b"', ' class="c" id="d"']),
        st.lists(inner, max_size=4),
    ).map(lambda parts: f"<{parts[0]}{parts[1]}>{''.join(parts[2])}</{parts[0]}>"),
    max_leaves=8,
)
TABLES = st.lists(
    st.sampled_from(
        ["<td>x</td>", '<th align="left"><a href="b"><code>c</code></a></th>\n', "<td><b></td>", "</b>", "a", "<td>", "<p>", "<tbody>", "</tbody>\n",
         "<thead>", "</thead>", "<tr>", '<tr class="a">', "</tr>\n", "\n", "\xa0", "<table>", "</table>", "<caption>x</caption>"]
    ),
    max_size=7,
).map(lambda parts: f"<table>\n<tr>{''.join(parts)}</tr>\n</table>\n")  # fmt: skip
EMBEDS = st.sampled_from(
    ["<script>a > b</script>", '<iframe src="a"></iframe>', "<style>p {}</style>", "<script><!-- </script>", "<style>"]
)
# attributes and text that look like parts of HTML
DISGUISED = st.sampled_from(
    ['<p title="', "<p title='", '">', "'>", '<b a=">x</b>">', '<b>"</b>', "<b>' x='</b>", "<", "</", "<p", "<!--", "-->", "<title>", "<svg>", "<p>x</p>",
     "<li>a <b>c</b></li>", "\n", "</p>", "</div>", "<div>", "<b>"]
)  # fmt: skip


@settings(max_examples=10 * settings().max_examples)
@given(
    st.sampled_from(["", "<div>", "<svg>", "<table>", "<select>", "<math>"]), st.lists(TAGS | TAGS | OTHER, max_size=9)
)
def test_depth_is_not_underestimated(before, parts):
    """For any mixture of tags, comments and text, the counted depth is close to the real one."""
    html = before + "".join(parts) * 40
    assert depth(html) <= 4 * counted(html) + 12


@pytest.mark.parametrize(
    "html",
    [
        "<div>", "<li><dd>", "<div a='</div>'>", "<div a='<'>", "<div><!--</div>-->", "<div><title></div></title>", "<x_y>", "<mark></mar\u212a>",
        "<div><table><td></div></td></table>", "<span><div></span></div>", "<div><select></div></select>", "<dl/>", "<table>a</table>",
        "<b><b><b><b><b><p></b></b></b></b></b></p>", "<svg><desc><b></svg></b></desc>", "<form><select></form></select>", "<html a=b>",
        '<div a=">x</div>">', "<b a='1' c=\">x</b>\">", '<html a="b">x</html>', "<b a='>'><p>x</p>", "<div a=x\" b='\" >x</div>'>",
        "<b title=1><p>", '<table>\n<tr>\n<td align="left">', "<div title='<table>\n</table>'>", "<div><!-- > --></table>", "<div a='>x</div>'>", "<table><svg><td></svg>a<tr></table>",
    ],
)  # fmt: skip
def test_what_takes_a_parser_long_is_too_deep(html):
    """Elements that stay open are nested too deep, whichever trick makes a parser ignore their end tags."""
    assert nesting.is_too_deep(html * 30_000)


@pytest.mark.parametrize(
    "html",
    [
        f'<div><p><b title="{"x" * 10_000}">x' + "<p>y" * 700,
        f'<div><p><a href="{"x" * 40_000}">x' + "<p>y" * 300,
        "<p>" + "".join(f'<i title="{n}{"x" * 100}">' for n in range(100)) + "<p>y" * 500,
        f"<svg><![CDATA[</svg><p><b title='{'<x' * 5_000}'>" + "<p>y" * 900,
        f'<div><b title="{"<b>" * 3_000}">' + "<div><p>y</div>" * 900,
    ],
)
def test_elements_that_are_opened_again_and_again_are_too_much(html):
    """A few tags can't expand without limit: a parser repeats an open `<b>` with its attributes in each paragraph."""
    assert nesting.is_too_deep(html)


@pytest.mark.parametrize(
    "html",
    [
        "<p>a <em>b</em> <a href='x'>c<br>d</a></p>\n", "<ul><li>a<li>b</ul>", "<table><tr><td>a<td>b<tr><td>c</table>", "<p>a<p>b",
        "<dl><dt>a<dd>b</dl>", "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n</table>", "<div><span a='>'>b</span></div>",
        "<svg><title>a</title><path d='b'/><g><circle/></g></svg>", "<math><mrow><mi>a</mi><mspace/></mrow></math>", "<script>'<div>'</script>",
        "<!-- <div> -->", "<!-- a -->", '<table>\n<thead>\n<tr>\n<th align="left">a <b>c</b></th>\n</tr>\n</thead>\n</table>', "<details><summary>a</summary><blockquote><p>b</p></blockquote></details>", "<br/>", "<img src='a'/>", "<p>&lt;div></p>",
    ],
)  # fmt: skip
def test_well_formed_html_of_any_length_is_not(html):
    """Articles with tens of thousands of elements that are closed explicitly or implicitly are accepted."""
    assert not nesting.is_too_deep(html * 5_000)


def outlined(html):
    """Return whether HTML has an outline, after comparing it with the open elements."""
    outline = nesting._outline(html)
    if outline:
        elements = nesting._OpenElements()
        elements._names = Recorded()
        nesting._read(html, elements)
        assert elements._names.most <= outline.depth + nesting._DEPTH_OF_PART
        assert depth(html) <= 2 * (outline.depth + nesting._DEPTH_OF_PART + outline.formatting)
    return outline is not None


def test_many_tags_that_are_not_well_formed():
    """Very many tags are too deep if they are not in an unambiguous form, and not if they are."""
    assert not nesting.is_too_deep("<p a='b'>c" * 100_000)
    assert nesting.is_too_deep("<p a='b'>c" * 130_000)
    assert not nesting.is_too_deep('<p a="b">c' * 130_000)
    assert not nesting.is_too_deep('<p><i>a<b c="d">e</b></i></p>' * 33_000)


def test_unclosed_elements_are_not_searched_again_and_again():
    """For each end tag that a parser may ignore, only a few of the open elements are compared with it."""
    elements = nesting._OpenElements()
    names = elements._names = Recorded()
    nesting._read("<div><table><td>" + "<x-y>" * 1_000 + "</div>" * 1_000, elements)
    assert names.most == 1_003
    assert names.reads < 100 * 1_000


@settings(max_examples=10 * settings().max_examples)
@given(st.lists(WELL_FORMED | TABLES | EMBEDS, max_size=5))
def test_outlines_of_well_formed_html(parts):
    """HTML that is well-formed has an outline, which is at least as deep as the open elements."""
    html = "".join(parts)
    assert outlined(html) or "<t" in html or "<s" in html


@settings(max_examples=20 * settings().max_examples)
@given(st.lists(WELL_FORMED | TABLES | EMBEDS | DISGUISED | TAGS, max_size=8), st.integers(1, 40))
def test_no_markup_hides_the_depth_from_an_outline(parts, times):
    """HTML has no outline if attributes, comments or text could hide a tag from a parser."""
    outlined("".join(parts) * times)
