"""Create hostile articles for the Markdown engine and the sanitiser: single constructs, or random changes.

The tests use small articles; `benchmarks/fuzz.py` uses large ones, and any number.
"""

import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from random import Random

import nh3

from feeds.core.errors import ArticleError
from feeds.core.parse import html
from feeds.core.parse.content import MarkdownRenderer, first_heading
from feeds.core.text import clean

BASE = "https://fuzz.example/a/"
DIALECTS = ("gfm", "obsidian")
_RENDERERS = {dialect: MarkdownRenderer(dialect) for dialect in DIALECTS}
STRICT = nh3.Cleaner(
    tags=html.ALLOWED_TAGS,
    attributes=html.ALLOWED_ATTRIBUTES,
    filter_style_properties={"text-align"},
    link_rel=None,
    url_schemes=html.ALLOWED_SCHEMES,
)

# characters with a meaning in Markdown or HTML, and some without
SPECIAL = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\na1é中\u00a0\u0301\u200b\u202e\ufe0e😀"

# syntax of more than one character, to repeat and to insert
MARKS = (
    "**", "__", "~~", "==", "$$", "$`", "\\(", "\\)", "\\[", "\\]", "[[", "]]", "[[a|", "![", "![[", "](", "[a](", "![a](", "[a][",
    "[a]", "[^a]", "[^", "^[", "<a ", "<a>", "</a>", "<b>", "</b>", "<p>", "<div>", "</div>", "<!--", "-->", "<!", "<?", "?>",
    "<![CDATA[", "]]>", "</", "/>", "&amp;", "&lt;", "&#", "&#x", "&#0;", "&#65;", "&a", "{:", "{: .x}", "{#a}", "{:toc}", ":::", ":::note\n",
    "!!!", "!!! note\n    ", "???", "%%", "```", "~~~", "```a\n", "    ", "- ", "* ", "+ ", "1. ", "2) ", "> ", ">", "# ", "## a {#b}\n",
    "|", "|-|", "|a|b|\n|-|-|\n", "--", "---\n", "===\n", "\\\n", "  \n", "\n\n", "http://", "https://a.b/", "www.", "www.a.b", "a@b.c", "a@",
    "mailto:", "xmpp:", "<http://a>", "- [ ] ", "- [x] ", "[a]: b\n", "[a]: ", "[^a]: ", "[^a]: b\n\n", ": ", "a\n: b\n", "> [!note] ",
    "[!note]", "<!--more-->", "<h1>", "</h1>", "<pre>", "</pre>", "<code>", "</code>", "<table>", "<td>", "<svg>", "</svg>", "<title>", "<math>",
    "<mi>", "<iframe src=a>", "</iframe>", "<object data=a>", "<embed src=a>", "<script>", "</script>", "<style>", "<template>", "<select>",
    "<img src=a>", "<input type=checkbox>", " id=a", " id='a'", ' title="', " name=a", ' class="footnote"', "javascript:", "\\", '"', "'", "\t",
    "feeds:end-of-excerpt", "fn-a", "fnref-a",
)  # fmt: skip

ELEMENTS = (
    "a", "abbr", "annotation", "annotation-xml", "applet", "article", "audio", "b", "base", "blockquote", "body", "br", "button", "caption",
    "center", "code", "col", "colgroup", "dd", "del", "desc", "details", "dialog", "div", "dl", "dt", "em", "embed", "fieldset", "figure",
    "font", "foreignObject", "form", "frameset", "g", "h1", "h2", "head", "hr", "html", "i", "iframe", "image", "img", "input", "ins", "li",
    "link", "listing", "malignmark", "map", "marquee", "math", "menu", "meta", "mglyph", "mi", "mo", "mrow", "ms", "mtext", "nobr",
    "noembed", "noframes", "noscript", "object", "ol", "optgroup", "option", "p", "picture", "plaintext", "pre", "q", "rp", "rt", "ruby", "s",
    "script", "section", "select", "semantics", "small", "span", "strong", "style", "sub", "summary", "sup", "svg", "table", "tbody", "td",
    "template", "textarea", "tfoot", "th", "thead", "time", "title", "tr", "tt", "u", "ul", "video", "x-y", "xmp",
)  # fmt: skip


def structured(size: int) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield (name, function) for articles of one construct each; the function returns the text of about `size` characters."""

    def repeated(mark: str, before: str = "", after: str = "") -> Callable[[], str]:
        return lambda: before + mark * max(1, size // len(mark)) + after

    def nested(opening: str, closing: str, inside: str = "x") -> Callable[[], str]:
        times = max(1, size // (len(opening) + len(closing)))
        return lambda: opening * times + inside + closing * times

    def numbered(template: str, before: str = "") -> Callable[[], str]:
        times = max(1, size // (len(template) + 3))
        return lambda: before + "".join(template.replace("%", str(n)).replace("§", str(n + 1)) for n in range(times))

    def deepening(line: str, indent: str = "  ", most: int = 2_000) -> Callable[[], str]:
        times = min(most, int((2 * size / len(indent)) ** 0.5) + 1)
        return lambda: "".join(f"{indent * n}{line}\n" for n in range(times))

    for mark in (*SPECIAL, *MARKS):
        yield f"{mark!r} repeated", repeated(mark)
    for mark, between in itertools.product(MARKS, (" ", "\n", "\n\n", "a", "a ", "\n> ", "\n- ")):
        yield f"{mark!r} with {between!r}", repeated(mark + between)
    for opening, closing in (
        ("[", "](a)"), ("![", "](a)"), ("[![", "](a)](b)"), ("[", "][a]"), ("[", "]"), ("[[", "]]"), ("[^", "]"), ("(", ")"), ("<", ">"),
        ("*", "*"), ("**", "**"), ("*a ", " a*"), ("**a *b ", " b* a**"), ("_a ", " a_"), ("~~a ", " a~~"), ("~a ", " a~"), ("==a ", " a=="),
        ("`", "`"), ("$", "$"), ("$a ", " a$"), ("\\(", "\\)"), ("\\[", "\\]"), ("{", "}"), ("{:", "}"), ("%%", "%%"), ("<!--", "-->"),
        ("<![CDATA[", "]]>"), ("<?", "?>"), ('"', '"'), (":::note\n", ":::\n"), (":::a\n", ":::\n"), ("*[", "](a)*"), ("[*", "*](a)"),
        ("<a href=b>[", "](a)</a>"), ("> ", "\n\n"), ("- ", "\n"), ("- > ", "\n"), ("1. - ", "\n"), ("[a](<", ">)"), ('[a](b "', '")'),
        ("[^a]: ", "[^a]\n\n"), ("|", "|\n|-|\n"), ("&", ";"), ("```\n", "```\n"), ("<div>\n\n", "\n\n</div>"), ("<p><b>", "</p>"),
        ("<svg><desc>", "</desc></svg>"), ("<math><mtext>", "</mtext></math>"), ("<table><tr><td>", "</td></tr></table>"),
        ("<b><p>", "</b></p>"), ("<a><div>", "</a></div>"), ("<i><b><u>", "</i></b></u>"), ("<table><b>", "</b></table>"),
        ("<select><svg>", "</svg></select>"), ("<template><td>", "</td></template>"), ("<ruby><rt>", "</rt></ruby>"),
        ("<svg><foreignObject><math><annotation-xml encoding=text/html>", "</annotation-xml></math></foreignObject></svg>"),
    ):  # fmt: skip
        yield f"{opening!r} nested", nested(opening, closing)
        yield f"{opening!r} opened", repeated(opening)
        yield f"{closing!r} closed", repeated(closing)
        yield f"{opening!r} nested in a paragraph", nested(opening, closing, "x\ny")
    for name in ELEMENTS:
        for attributes in ("", " id=a", ' title="&amp;"'):
            yield f"<{name}{attributes}> nested", nested(f"<{name}{attributes}>", f"</{name}>")
            yield f"<{name}{attributes}> opened", repeated(f"<{name}{attributes}>")
        yield f"<{name}> in blocks", nested(f"<{name}>\n\n", f"</{name}>\n\n", "*x*\n\n")
        yield f"<{name}> in a paragraph", repeated(f"a <{name}>b ")
        yield f"<{name}> in paragraphs", repeated(f"a <{name}> b\n\n")
        yield f"<{name}> in a list", repeated(f"- <{name}>\n")
        yield f"<{name}/> self-closing", repeated(f"<{name} a/>")
        yield f"</{name}> closed", repeated(f"</{name}>", "<div>" * 20)
        yield f"<{name}> then paragraphs", repeated("<p>a", f"<div><{name}>" + f"<{name} title=b>" * 150)
        yield f"<{name}> of many attributes", repeated("a=b ", f"<{name} ", ">")
        yield f"<{name}> of numbered attributes", numbered("a%=b ", f"<{name} ")
        yield f"<{name}> without end", repeated("a", f"<div>{'<b></b>' * 120}<{name} ")
    for other in ("table", "svg", "math", "select", "template", "p", "b", "a", "li", "td"):
        for name in ELEMENTS:
            yield f"<{other}><{name}>", repeated(f"<{other}><{name}>", "<div>")
    for line in (
        "- a",
        "* a",
        "1. a",
        "> a",
        "- > a",
        "```",
        "a",
        "| a |",
        "!!! note",
        ":::note",
        "[^a]: b",
        "a\n: b",
        "    a",
        "<div>",
        "# a",
    ):
        for indent in (" ", "  ", "    ", "\t", "> ", ">", "- ", "1. ", "* > ", ":::"):
            yield f"{line!r} deeper by {indent!r}", deepening(line, indent)
    for name, make in {
        "footnotes in a chain": numbered("[^%]: a[^§]\n\n", "[^0]\n\n"),
        "footnotes in a chain, last first": lambda: "[^0]\n\n" + "".join(f"[^{n}]: a[^{n + 1}]\n\n" for n in reversed(range(size // 20))),
        "footnotes that refer to each other": lambda: "[^a]\n\n[^a]: " + "[^b]" * (size // 9) + "\n\n[^b]: " + "[^a]" * (size // 9),
        "footnotes within footnotes": lambda: "".join("    " * n + f"[^{n}]: a[^{n + 1}]\n\n" for n in range(min(300, size // 400 + 2))),
        "references to one footnote": repeated("[^a] ", "", "\n\n[^a]: b"),
        "footnotes that are not defined": numbered("[^%] "),
        "footnotes that nothing refers to": numbered("[^%]: a\n\n"),
        "one footnote defined often": repeated("[^a]: b\n\n", "[^a]\n\n"),
        "a footnote with a long label": repeated("a", "[^", "]\n\n"),
        "footnotes with markup in their labels": numbered('[^"%>&<b>] ', ""),
        "definitions": numbered("[a%]: b\n"),
        "definitions with references": lambda: "".join(f"[a{n}]: b\n" for n in range(size // 22)) + "".join(f"[a{n}] " for n in range(size // 22)),
        "definitions of one label": repeated("[a]: b\n", "[a]\n\n"),
        "a long definition, many references": lambda: "[a]: /" + "b" * (size // 2) + "\n\n" + "[a] " * (size // 8),
        "a definition with a long label": repeated("a", "[", "]: b"),
        "definitions with long titles": repeated("[a]: b 'c\nd'\n"),
        "a title without end": repeated("a\n", "[a]: b '"),
        "references without definitions": numbered("[a%][b%] "),
        "labels of escaped brackets": repeated("\\[", "[", "]: a"),
        "brackets before definitions": repeated("[a", "", "]: b"),
        "columns": lambda: "|a" * (size // 6) + "|\n" + "|-" * (size // 6) + "|\n" + "|b" * (size // 6) + "|\n",
        "columns without cells": lambda: "|a" * (size // 8) + "|\n" + "|-" * (size // 8) + "|\n" + "|\n" * (size // 4),
        "a wide table with short rows": lambda: "|a" * 300 + "|\n" + "|-" * 300 + "|\n" + "|b\n" * (size // 3),
        "short tables": repeated("|a|b|\n|-|-|\n|c|d|\n\n"),
        "rows": repeated("|a|b|\n", "|a|b|\n|-|-|\n"),
        "rows without bars": repeated("a\n", "|a|b|\n|-|-|\n"),
        "escaped bars": repeated("\\|", "|a|\n|-|\n|"),
        "a long row of dashes": repeated("-", "|a|\n|", "|"),
        "headings of one text": repeated("# a\n"),
        "headings of one text with numbers": lambda: "".join(f"# a\n# a-{n}\n" for n in range(size // 11)),
        "headings with ids": repeated("# a {#b}\n"),
        "headings with other ids": numbered("# a% {#b%}\n"),
        "a heading of braces": repeated("{#a}", "# "),
        "headings without end": repeated('<h1 id="a">', "<div>"),
        "underlined headings": repeated("a\n-\n"),
        "definition lists": repeated("a\n: b\n\n"),
        "terms": repeated("a\n", "", ": b"),
        "details": repeated(": a\n", "a\n"),
        "details in details": repeated(": ", "a\n"),
        "task lists": repeated("- [x] a\n"),
        "callouts": repeated("> [!note] a\n> b\n\n"),
        "callouts in callouts": lambda: "".join("> " * n + "[!note]\n" for n in range(1, min(99, size))),
        "callouts with long titles": repeated("a", "> [!note] "),
        "admonitions": repeated('!!! note "a"\n    b\n\n'),
        "admonitions without text": repeated("!!! note\n"),
        "admonitions in admonitions": lambda: "".join("    " * n + "!!! note\n" for n in range(min(200, size // 400 + 2))),
        "containers of all lengths": lambda: "".join(f"{':' * n}note\n" for n in range(3, int((2 * size) ** 0.5) + 4)),
        "containers closed by all lengths": lambda: ":::note\n" + "".join(f"{':' * n}\n\n" for n in range(3, int((2 * size) ** 0.5) + 4)),
        "containers with code": repeated(":::note\n```\n:::\n```\n:::\n"),
        "fences of all lengths": lambda: "".join(f"{'`' * n}\n" for n in range(1, int((2 * size) ** 0.5) + 1)),
        "fences of all lengths, longest first": lambda: "".join(f"{'`' * n}\n" for n in range(int((2 * size) ** 0.5) + 1, 0, -1)),
        "code spans of all lengths": lambda: " ".join(f"{'`' * n}a" for n in range(1, int((2 * size) ** 0.5) + 1)),
        "code spans of all lengths, longest first": lambda: " ".join(f"a{'`' * n}" for n in range(int((2 * size) ** 0.5) + 1, 0, -1)),
        "dollars of code": lambda: " ".join(f"${'`' * n}a" for n in range(1, int((2 * size) ** 0.5) + 1)),
        "addresses": repeated("http://a.b/c "),
        "addresses without spaces": repeated("http://a.b/"),
        "an address in brackets": repeated("(", "http://a.b/"),
        "an address with closing brackets": repeated(")", "http://a.b/"),
        "an address with entities": repeated("&a;", "http://a.b/"),
        "an address with dots": repeated(".", "www.a"),
        "an address of labels": repeated("a.", "www."),
        "an address of underscores": repeated("_a.", "http://"),
        "mail addresses": repeated("a@b.c "),
        "a mail address of dots": repeated("a.", "", "@b.c"),
        "a mail address of labels": repeated("a.", "b@"),
        "mail addresses without spaces": repeated("a@b."),
        "srcset": repeated("a 1x, ", '<img srcset="', '">'),
        "srcset of commas": repeated(",", '<img srcset="a', '">'),
        "srcset of descriptors": repeated("a,b ", '<img srcset="', '">'),
        "links to frames": repeated("<iframe src=https://www.youtube.com/embed/a></iframe>"),
        "frames without end": repeated("<iframe src=a>"),
        "frames in paragraphs": repeated("<iframe src=a>\n\n</iframe>\n\n"),
        "scripts that embed": repeated("<script src=//gist.github.com/a/1.js></script>"),
        "scripts without end": repeated(" src=a", "<div><script"),
        "pictures with titles": repeated("<svg><title>a</title><path d=b /></svg>"),
        "pictures without end": repeated("<svg><title>a</title>"),
        "a picture with a long path": repeated("a", "<svg><title>b</title><path d='", "'/></svg>"),
        "pictures whose titles never end": repeated("<svg><title>", "<div>", "</svg>"),
        "ids": repeated("<b id=a>b</b>"),
        "other ids": numbered("<b id=a%>b</b>"),
        "links to ids": lambda: "".join(f"<b id=a{n}></b>[b](#a{n})" for n in range(size // 30)),
        "entities in an attribute": repeated("&amp;", '<b title="', '">a</b>'),
        "entities in a title": repeated("&amp;", '[a](b "', '")'),
        "entities in a URL": repeated("&amp;", "[a](b", ")"),
        "entities in code": repeated("&<", "```\n"),
        "entities in cells": repeated("|&<|\n", "|a|\n|-|\n"),
        "quotes in a link": repeated('"', "[a](", ")"),
        "a data URL": repeated("a", "![b](data:image/png;base64,", ")"),
        "a long URL": repeated("a", "[b](https://c.d/", ")"),
        "a URL of percent signs": repeated("%", "[b](https://c.d/", ")"),
        "a URL of spaces": repeated(" ", "[b](<https://c.d/", ">)"),
        "a URL of dots": repeated("../", "[b](", ")"),
        "a URL with a port": repeated("1", "[b](https://c.d:", ")"),
        "a URL with a long host": repeated("é", "[b](https://", "/)"),
        "a URL in brackets": repeated("1:", "[b](https://[", "]/)"),
        "spaces in a tag": repeated(" ", "<a", ">"),
        "a tag of quotes": repeated('"', "<a b=", ">"),
        "a long name of an element": repeated("a", "<", ">"),
        "a long name of an attribute": repeated("a", "<b ", ">"),
        "styles": repeated("text-align:left;", '<table><td style="', '">a'),
        "alignments": repeated("<td align=left>a", "<table>"),
        "excerpts": repeated("<!--more-->\n\n"),
        "footnote marks": repeated('<sup id="fnref"><a href="#">1</a></sup>'),
        "a paragraph of tags": lambda: "<div>" + "<br>" * (size // 4) + "</div>",
        "a long paragraph": repeated("word "),
        "a long word": repeated("word"),
        "paragraphs": repeated("word\n\n"),
        "code blocks": repeated("```a\nb\n```\n"),
        "a code block": repeated("<a> & {: .b}\n", "```\n"),
        "indented code": repeated("    a\n"),
        "code with attribute lists": repeated("`a`{: .b} "),
        "paragraphs with attribute lists": repeated("a\n{: .b}\n\n"),
        "attribute lists": repeated("{: .b}\n\n"),
        "an attribute list without end": repeated("a ", "b\n{: "),
        "open braces after emphasis": repeated("*a*{: ", "{: }\n\n"),
        "tables of contents": repeated("* TOC\n{:toc}\n\n"),
        "comments of Obsidian": repeated("%%a%% "),
        "an open comment of Obsidian": repeated("%%`a` "),
        "embedded notes": repeated("![[a|b]] "),
        "embedded pictures": repeated("![[a.png|300]] "),
        "an embedded picture with a long name": repeated("a", "![[", ".png]]"),
        "open notes": repeated("![[a|", "", "]]"),
        "notes": repeated("[[a|b]] "),
        "control characters": repeated("&#1;\u0085\u2028"),
        "marks that combine": repeated("a\u0301\u0327"),
        "changes of direction": repeated("\u202ea\u202c"),
        "lists of 10 levels": repeated("".join(f"{'  ' * n}- a\n" for n in range(10))),
        "lists of 50 levels": repeated("".join(f"{'  ' * n}- a\n" for n in range(50))),
        "numbered lists of 20 levels": repeated("".join(f"{'   ' * n}1. a\n" for n in range(20))),
        "lists of 90 levels on a line": repeated(f"{'- ' * 90}a\n"),
        "numbers of items": numbered("%. a\n"),
        "items with paragraphs": repeated("- a\n\n  b\n\n"),
        "quotes of 99 levels": repeated(f"{'> ' * 99}a\n\n"),
        "a quote with lazy lines": repeated("a\n", "> "),
        "tables of 100 columns": repeated("|a" * 100 + "|\n" + "|-" * 100 + "|\n" + "|b" * 100 + "|\n\n"),
        "a table with formatted cells": repeated("|*b*|[c](d)|\n", "|a|a|\n|:-|-:|\n"),
        "emphasis of alternating kinds": repeated("*a **b "),
        "emphasis within words": repeated("a***b**c*d"),
        "emphasis, closed by another length": lambda: "**a " * (size // 8) + " b*" * (size // 8),
        "stars of all lengths": lambda: " ".join(f"{'*' * n}a" for n in range(1, int((2 * size) ** 0.5))),
        "tildes of all lengths": lambda: " ".join(f"{'~' * n}a" for n in range(1, int((2 * size) ** 0.5))),
        "dollars of all lengths": lambda: " ".join(f"{'$' * n}a" for n in range(1, int((2 * size) ** 0.5))),
        "dollars around text": repeated("$a$ "),
        "formulas": repeated("$a_1$ "),
        "formulas in code": repeated("$`a_1`$ "),
        "footnotes of the text": lambda: "".join(f"[^{n}] " for n in range(min(4_999, size // 20))) + "".join(f"\n\n[^{n}]: a" for n in range(min(4_999, size // 20))),
        "inline footnotes of Obsidian without end": repeated("<b>_^[a" + "b" * 60),
        "inline footnotes of Obsidian": repeated("^[a] "),
        "relative links": numbered("[a](b%) "),
        "relative links to other folders": numbered("[a](../b%) "),
        "relative links with queries": numbered("[a](b%?c=d) "),
        "links with titles": numbered('[a](b% "c") '),
        "links to other sites": numbered("[a](https://b.c/%) "),
        "links to international domains": numbered(f"[b](https://{'é' * 40}.{'é' * 40}.%/) "),
        "links with ports": numbered("[b](https://c:%/) "),
        "links to headings": lambda: "".join(f"# a{n}\n" for n in range(min(999, size // 40))) + "".join(f"[b](#a{n % 999}) " for n in range(size // 12)),
        "links to notes": numbered("[[a%|b]] "),
        "pictures": numbered("![a](b%.png) "),
        "pictures of notes in Obsidian": numbered("![[a%.png]] "),
        "pictures of 100 sizes": repeated(f'<img srcset="{", ".join(f"../a{n} {n}w" for n in range(100))}">\n'),
        "lazy pictures": numbered('<img data-src="a%">'),
        "addresses with brackets": repeated(f"https://a.b/{')' * 25} "),
        "addresses with many brackets": repeated(f"https://a.b/{')' * 190} "),
        "numbered addresses": numbered("https://a.b/% "),
        "addresses before tags": repeated("<b>https://a.b/"),
        "addresses without a scheme before tags": repeated("<b>www.a.b/"),
        "numbered mail addresses": numbered("a%@b.c\n"),
        "blocks of 20 levels": repeated("<div>" * 20 + "x" + "</div>" * 20),
        "blocks of 400 levels": repeated("<div>" * 400 + "x" + "</div>" * 400),
        "blocks that cells hide": repeated("<div><table><td>" + "<x-y>" * 400 + "</div>" * 700),
        "a block that cells hide": repeated("</div>", "<div><table><td>" + "<x-y>" * min(1_000, size // 10)),
        "formatting around blocks": repeated("<p>a", "<p><b><i><u>"),
        "formatting with attributes": numbered("<b title=%>a</b>"),
        "tags of 100 attributes": repeated(f"<p {' '.join(f'a{n}=b' for n in range(100))}>x</p>"),
        "videos": numbered('<iframe src="https://www.youtube.com/embed/a%"></iframe>\n\n'),
        "components of videos": numbered("<lite-youtube videoid=a%></lite-youtube>\n"),
        "scripts of snippets": numbered("<script src=https://gist.github.com/a/%.js></script>\n"),
        "objects": numbered("<object data=a%></object>"),
        "template tags": repeated('{{< figure src="a" >}} '),
        "references in template tags": numbered('[a]({{< ref "b%" >}}) '),
    }.items():  # fmt: skip
        yield name, make


def pairs(size: int) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield (name, function) for each pair of special characters: alternating, and half of the text each."""
    for one, other in itertools.product(SPECIAL, SPECIAL):
        if one != other:
            yield f"{one + other!r} repeated", lambda one=one, other=other: (one + other) * (size // 2)
            yield f"{one!r} then {other!r}", lambda one=one, other=other: one * (size // 2) + other * (size // 2)


def repeat(random: Random, size: int) -> str:
    """Return a text of about `size` characters that repeats a random sequence of marks, tags and characters."""

    def sequence(most: int) -> str:
        tag = random.choice(ELEMENTS)
        parts = (
            *MARKS,
            *SPECIAL,
            *(f"<{tag}>", f"</{tag}>", f"<{tag} id=a href=b>", f"<{tag}>x</{tag}>") * 15,
            *"a \n" * 9,
        )
        return "".join(random.choice(parts) for _ in range(random.randint(0, most)))

    repeated = sequence(5) + random.choice("a<\n ")
    times = size // len(repeated)
    match random.randrange(3):
        case 0:
            return sequence(5) + repeated * times + sequence(5)
        case 1:
            other = sequence(5)
            return repeated * (times // 2) + other * (size // 2 // max(1, len(other)))
        case _:
            return "".join(repeated.replace("a", f"a{n}") for n in range(size // (len(repeated) + 5)))


def mutate(random: Random, seeds: Sequence[str], marks: Sequence[str] = MARKS) -> str:
    """Return one of the seeds after random changes, some of which insert `marks`."""
    text = random.choice(seeds)
    for _ in range(random.choice((1, 1, 2, 3, 5, 8))):
        at = random.randint(0, len(text))
        end = min(len(text), at + random.choice((1, 2, 4, 16, 64)))
        match random.randrange(9):
            case 0:
                text = text[:at] + random.choice(marks) + text[at:]
            case 1:
                text = text[:at] + random.choice(SPECIAL) + text[end:]
            case 2:
                text = text[:at] + text[end:]
            case 3:
                text = text[:at] + text[at:end] * random.choice((2, 3, 10, 100)) + text[end:]
            case 4:
                other = random.choice(seeds)
                start = random.randint(0, len(other))
                text = text[:at] + other[start : start + random.choice((4, 16, 64, 256))] + text[end:]
            case 5:
                tag = random.choice(ELEMENTS)
                text = text[:at] + random.choice((f"<{tag}>", f"</{tag}>", f"<{tag} id=a href=b>")) + text[at:]
            case 6:
                text = text[:at] + random.choice((*marks, *SPECIAL)) * random.choice((2, 5, 30, 200)) + text[at:]
            case 7:
                prefix = random.choice(("> ", "- ", "    ", "1. ", "  ", ": ", "| "))
                text = "".join(prefix + line for line in text.splitlines(keepends=True))
            case _:
                text = text[:at] + text[end:] + text[at:end]
    return text


def violations(body: str, dialect: str, seconds: float | None = None) -> list[str]:
    """Return the violations in the HTML of an article; an empty list if the article is rejected.

    Args:
        body: Markdown, as read from a file.
        dialect: `gfm` or `obsidian`.
        seconds: the limit on CPU time in seconds; None for no limit.
    """
    body = clean(body)
    found: list[str] = []
    began = time.process_time()
    try:
        rendered = _RENDERERS[dialect].render(body, None, BASE, "e-")
    except ArticleError:
        rendered = None
    between = time.process_time()
    first_heading(body)
    took = max(between - began, time.process_time() - between)
    if seconds is not None and took > seconds:
        found.append(f"takes {took:.1f} s")
    if rendered is not None:
        found += _html_violations(rendered.html)
        if clean(rendered.summary) != rendered.summary:
            found.append("the summary has a character that XML forbids")
    return found


def _html_violations(source: str) -> Iterator[str]:
    """Yield the violations in the HTML of an entry."""
    if clean(source) != source:
        yield "a character that XML forbids"
    ids = Counter(re.findall(r'<[^<>]*?\sid="([^"]*)"', source))
    if repeated := [id_ for id_, times in ids.items() if times > 1]:
        yield f"ids that repeat: {repeated[:3]}"
    # compare sets: a second parse may nest elements differently after the first one removed what separated them
    if removed := _start_tags(source) - _start_tags(STRICT.clean(source)):
        yield f"the sanitiser removes {min(removed, key=len)[:100]}"


def _start_tags(source: str) -> set[str]:
    return {unescape(tag) for tag in re.findall(r"<[^/<>][^<>]*>", source)}
