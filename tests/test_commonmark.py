"""The default dialect: CommonMark, GitHub's extensions, and the syntax of other generators."""

import pytest

from feeds.core.errors import ArticleError
from feeds.core.parse.commonmark import CommonMark

GFM = CommonMark("gfm")
OBSIDIAN = CommonMark("obsidian")


def quote(title, *paragraphs):
    """Return the quote to which an admonition is converted."""
    return (
        "<blockquote>\n"
        + "".join(f"<p>{text}</p>\n" for text in (f"<strong>{title}</strong>", *paragraphs))
        + "</blockquote>\n"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("- a\n  - b\n    - c", "<ul>\n<li>a\n<ul>\n<li>b\n<ul>\n<li>c</li>\n</ul>\n</li>\n</ul>\n</li>\n</ul>\n"),
        ("1. a\n   - b", "<ol>\n<li>a\n<ul>\n<li>b</li>\n</ul>\n</li>\n</ol>\n"),
        ("#tag #other", "<p>#tag #other</p>\n"),
        ("## C#", '<h2 id="c">C#</h2>\n'),
        ("~~a~~ b", "<p><del>a</del> b</p>\n"),
        ("See www.a.example.", '<p>See <a href="http://www.a.example">www.a.example</a>.</p>\n'),
        ("- [x] a\n- [ ] b", "<ul>\n<li>☑ a</li>\n<li>☐ b</li>\n</ul>\n"),
        (
            "Text:\n| a |\n|---|\n| 1 |",
            "<p>Text:</p>\n<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n</tr>\n</tbody>\n</table>\n",
        ),
        ("a\\\nb \\$ \\~", "<p>a<br />\nb $ ~</p>\n"),
        ("<div>\n\n*a*\n\n</div>", "<div>\n<p><em>a</em></p>\n</div>\n"),
    ],
)
def test_commonmark_and_gfm(body, expected):
    """Lists nest by indentation, hashtags are not headings, GitHub's extensions work, check boxes are characters."""
    assert GFM.convert(body) == expected


@pytest.mark.parametrize("info", ['py title="x.py"', "py {1,3}", "py {hl_lines=[2]}", "py, echo=FALSE", "py"])
@pytest.mark.parametrize("indent", ["", "> ", "    "])
def test_a_fence_may_say_anything_after_its_language(info, indent):
    """Text after the language of a code block is removed, also in lists and quotes."""
    lines = [f"```{info}", "a *b*", "```"]
    body = "\n".join(
        ["1. x", "", *(indent + line for line in lines)] if indent.isspace() else [indent + line for line in lines]
    )
    shown = GFM.convert(body)
    assert "a *b*\n</code></pre>" in shown
    assert 'class="language-py' in shown


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("> [!NOTE]\n> Text", quote("Note", "Text")),
        ("> [!tip]+ My *title*\n> Text", quote("My <em>title</em>", "Text")),
        ("> [!danger]- Closed", quote("Closed")),
        (":::note\n\nText\n\n:::", quote("Note", "Text")),
        (":::tip[Boxed]\nText\n:::", quote("Boxed", "Text")),
        (":::tip[See [this](/a) [x]]{.b}\nText\n:::", quote('See <a href="/a">this</a> [x]', "Text")),
        ("::: warning Mind this\nText\n:::\nafter", quote("Mind this", "Text") + "<p>after</p>\n"),
        ("before\n:::note\nText\n:::", "<p>before</p>\n" + quote("Note", "Text")),
        ('!!! note "A title"\n    Text\n\n    More\n\nafter', quote("A title", "Text", "More") + "<p>after</p>\n"),
        ('!!! tip ""\n    Text', "<blockquote>\n<p>Text</p>\n</blockquote>\n"),
        ("???+ question\n    Text", quote("Question", "Text")),
        (
            "::::note\n:::tip\nA\n:::\nB\n::::",
            quote("Note").replace("</blockquote>", quote("Tip", "A") + "<p>B</p>\n</blockquote>"),
        ),
    ],
)
def test_admonitions_are_quotes(body, expected):
    """Admonitions of GitHub, Obsidian, Docusaurus, VitePress and MkDocs become quotes that begin with a bold title."""
    assert GFM.convert(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "```\n:::note\nx\n:::\n```",
        "```\n!!! note\n    x\n```",
        "    !!! note",
        "`:::note`",
        "- ```\n  :::note\n  x\n  :::\n  ```",
        "1. ~~~ `a`\n   :::note\n   x\n   :::\n   ~~~",
    ],
)
def test_admonitions_in_code_are_code(body):
    """Text in a code block is never an admonition."""
    assert "blockquote" not in GFM.convert(body)


def test_backticks_that_open_no_code_block():
    """Backticks at the start of a line that are closed on this line are a code span, not a code block."""
    assert "<strong>Note</strong>" in GFM.convert("```x``` is code.\n\n:::note\nText\n:::")


def test_a_container_only_groups():
    """A container that is not an admonition, or that is not closed, leaves its text unchanged."""
    assert GFM.convert("::: columns\n*a*\n:::") == "<p><em>a</em></p>\n"
    assert GFM.convert(":::note\n*a*") == "<p>:::note\n<em>a</em></p>\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("$a*b*c$ and $x_1$", "<p>$a*b*c$ and $x_1$</p>\n"),
        ("\\(a_1*b*c\\) and \\[x_1_\\]", "<p>\\(a_1*b*c\\) and \\[x_1_\\]</p>\n"),
        ("$$\na_1 < b_1\n$$", "<p>$$\na_1 &lt; b_1\n$$</p>\n"),
        ("```math\nx_1\n```", "<p>$$\nx_1\n$$</p>\n"),
        (r"\[1\] and \(see *b*\)", "<p>[1] and (see <em>b</em>)</p>\n"),
        (r"\[1\]: \(a+b\)", r"<p>[1]: \(a+b\)</p>" + "\n"),
        (r"\(a = b*c*d\), \[f_{i*j*k}\]", r"<p>\(a = b*c*d\), \[f_{i*j*k}\]</p>" + "\n"),
        (r"$\{a*b*c\}$ costs $5", r"<p>$\{a*b*c\}$ costs $5</p>" + "\n"),
        ("It costs $5 or $10, *really*.", "<p>It costs $5 or $10, <em>really</em>.</p>\n"),
    ],
)
def test_formulas_keep_their_tex(body, expected):
    """Markdown does not apply within a formula, and its delimiters stay as the author wrote them."""
    assert GFM.convert(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (r"the \[snake\_case\_name\] flag", "the [snake_case_name] flag"),
        (r"the \(snake_case_name\) flag", "the (snake_case_name) flag"),
        (r'\[gallery ids=1,2 size="big"\]', "[gallery ids=1,2 size=&quot;big&quot;]"),
        (r"\[\[double\]\] and \[a = b\]", "[[double]] and [a = b]"),
        (r"matches \[a-z\_^\]+", "matches [a-z_^]+"),
        (r"`keep` \[+ `add`\]", "<code>keep</code> [+ <code>add</code>]"),
        (r"\(C:\\Temp\) and \[^1\]", r"(C:\Temp) and [^1]"),
        (
            "the default of $, is nil, see [this *note*](/a$b) for $;",
            'the default of $, is nil, see <a href="/a$b">this <em>note</em></a> for $;',
        ),
        ("_$HOME_ is *yours*, _$USER_ is you", "<em>$HOME</em> is <em>yours</em>, <em>$USER</em> is you"),
        ("run `a$b` or `$c`, then $d", "run <code>a$b</code> or <code>$c</code>, then $d"),
    ],
)
def test_brackets_and_dollars_around_text_are_no_formulas(body, expected):
    """Escaped brackets and dollar signs without TeX are characters, and Markdown between them is rendered."""
    assert GFM.convert(body) == f"<p>{expected}</p>\n"


def test_brackets_in_cells_beside_a_formula_are_brackets():
    """In a text with a formula, escaped brackets in a table are kept as written too."""
    shown = GFM.convert("\\(x^2\\)\n\n| \\[ |\n|---|\n| map\\[key\\]value |\n\n`\\(a\\)` [b](/\\(c\\))")
    assert "<td>map[key]value</td>" in shown
    assert "<p>\\(x^2\\)</p>" in shown
    assert '<p><code>\\(a\\)</code> <a href="/(c)">b</a></p>' in shown


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("## A {#own}", '<h2 id="own">A</h2>\n'),
        ("## A {.x}", '<h2 id="a">A</h2>\n'),
        ("## A\n{: #b .c }", '<h2 id="a">A</h2>\n'),
        ("A\n{: .lead}", "<p>A</p>\n"),
        ("{: .lead}\nA", "<p>A</p>\n"),
        ("*a*{: .b} c", "<p><em>a</em> c</p>\n"),
        ("* TOC\n{:toc}\n\nA", "<p>A</p>\n"),
        ("## Sets like {1, 2}", '<h2 id="sets-like-1-2">Sets like {1, 2}</h2>\n'),
        ("## f{x}", '<h2 id="fx">f{x}</h2>\n'),
        ("## A { #own .b key=v }", '<h2 id="own">A</h2>\n'),
        ("`a`{: .x} b", "<p><code>a</code> b</p>\n"),
        ("`{: .x}`", "<p><code>{: .x}</code></p>\n"),
        ("```\n{: .x}\n```", "<pre><code>{: .x}\n</code></pre>\n"),
        ('![a](b){:\n.c width="70"} d', '<p><img src="b" alt="a" /> d</p>\n'),
        ("A\n{.lead #x}", "<p>A</p>\n"),
        ('A\n{style="margin: auto" .x}', "<p>A</p>\n"),
        ("- a\n- b\n{.wide}", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ('- a\n\n{.wide data-x="a b" k=v}\n\nA', "<ul>\n<li>a</li>\n</ul>\n<p>A</p>\n"),
        (
            "![a](b){.c} ![a](b){ width=50% } *d*{.e}",
            '<p><img src="b" alt="a" /> <img src="b" alt="a" /> <em>d</em></p>\n',
        ),
        ("`a`{.x} `{.x}`", "<p><code>a</code> <code>{.x}</code></p>\n"),
        ("Files {.h, .cc}, {.h} and *x*{y}", "<p>Files {.h, .cc}, {.h} and <em>x</em>{y}</p>\n"),
        ("{1}\n\n{.5}\n\n{k=v}", "<p>{1}</p>\n<p>{.5}</p>\n<p>{k=v}</p>\n"),
    ],
)
def test_attribute_lists_are_not_shown(body, expected):
    """Attribute lists of kramdown, Goldmark and Pandoc show nothing, except in code; a heading's own id is kept."""
    assert GFM.convert(body) == expected


@pytest.mark.parametrize("attributes", ["{: .wide}", "{.wide}"])
def test_attributes_of_a_table_are_no_row(attributes):
    """An attribute list directly after a table, which CommonMark parses as a row, is removed."""
    shown = GFM.convert(f"| a | b |\n|---|--:|\n| 1 | 2 |\n{attributes}\n\nA")
    assert shown == GFM.convert("| a | b |\n|---|--:|\n| 1 | 2 |\n\nA")


@pytest.mark.parametrize("mark", ["[[TOC]]", "[[toc]]", "[[_TOC_]]", "[TOC]"])
def test_the_place_of_a_table_of_contents_is_not_shown(mark):
    """Markers for a table of contents are removed, except in code and within a sentence."""
    assert GFM.convert(f"A\n\n{mark}\n\nB") == "<p>A</p>\n<p>B</p>\n"
    assert GFM.convert(f"`{mark}`") == f"<p><code>{mark}</code></p>\n"
    assert mark in GFM.convert(f"    {mark}\n\nA {mark} B")


@pytest.mark.parametrize(
    ("body", "language"),
    [
        ("{% highlight js linenos %}\n{}\n{% endhighlight %}", "js"),
        ("A\n{%- highlight c++ -%}\n{}\n{%- endhighlight -%}\nB", "c++"),
        ('{% codeblock "My title" lang:objc %}\n{}\n{% endcodeblock %}', "objc"),
        ('{{< highlight html "hl_lines=1" >}}\n{}\n{{< / highlight >}}', "html"),
        ("- x\n\n  {% highlight py %}\n  {}\n  {% endhighlight %}", "py"),
    ],
)
def test_code_between_tags_is_code(body, language):
    """Code in a tag of Jekyll, Hexo or Hugo becomes a code block, whatever it contains."""
    shown = GFM.convert(body.replace("{}", "# a *b*"))
    assert f'<pre><code class="language-{language}"># a *b*\n</code></pre>' in shown
    assert "highlight" not in shown and "codeblock" not in shown
    assert "<code>" in GFM.convert("{% codeblock %}\nx\n{% endcodeblock %}")


def test_tags_of_code_that_nothing_ends_are_text():
    """An unclosed tag, and a tag in code, stay as they are; code with backquotes gets a longer fence."""
    assert GFM.convert("{% highlight js %}\n*a*") == "<p>{% highlight js %}\n<em>a</em></p>\n"
    assert GFM.convert("{% highlight md %}\n```\na\n```\n{% endhighlight %}") == (
        '<pre><code class="language-md">```\na\n```\n</code></pre>\n'
    )
    assert "{% highlight js %}\na\n{% endhighlight %}\n</code>" in GFM.convert(
        "~~~\n{% highlight js %}\na\n{% endhighlight %}\n~~~"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[a]({{ site.url }}/b) [c]({{site.baseurl}}/d 'e')", '<a href="/b">a</a> <a href="/d" title="e">c</a>'),
        ("[a]({{ site.url }}{{ site.baseurl }}/b) [c]({{ site.url }})", '<a href="/b">a</a> <a href="/">c</a>'),
        ("![a]({{ '/b.png' | relative_url }})", '<img src="/b.png" alt="a" />'),
        ('<a href="{{ "b" | absolute_url }}">a</a>', '<a href="/b">a</a>'),
        ("[a][1] [b][2]\n\n[1]: {{ site.url }}/c\n[2]: /d", '<a href="/c">a</a> <a href="/d">b</a>'),
        ("[b][2]\n\n[1]: {% link x.md %}#y\n[2]: /d", '<a href="/d">b</a>'),
        ("{% raw %}`{{ a }}` *b*{% endraw %}", "<code>{{ a }}</code> <em>b</em>"),
        ("`[a]({{ site.url }}/b)` `{% raw %}` {{ site.url }}", "<code>[a]({{ site.url }}/b)</code> <code>{% raw %}</code> {{ site.url }}"),
    ],
)  # fmt: skip
def test_addresses_in_tags(body, expected):
    """A template for the site's address becomes its root, raw text stays text, and other links keep working."""
    assert GFM.convert(body) == f"<p>{expected}</p>\n"


def test_footnotes_have_the_classes_that_readers_know():
    """Each reference links to its note and each note back to all its references, with kramdown's class names."""
    shown = GFM.convert("a[^x] b[^x]\n\n[^x]: *n*")
    assert shown.count('<a class="footnote" href="#fn-x">1</a>') == 2
    assert '<div class="footnotes">' in shown
    assert '<a class="reversefootnote" href="#fnref-x">↩\ufe0e</a>' in shown
    assert '<a class="reversefootnote" href="#fnref-x-2">↩\ufe0e2</a>' in shown


def test_a_footnote_may_be_defined_in_another():
    """A definition that is indented below another one, as by formatters, is a footnote too; code is unchanged."""
    shown = GFM.convert(
        "a[^x] b[^y] c[^z]\n\n[^x]: One\n\n    More\n\n    [^y]: Two\n\n        Second\n    [^z]: Three\n\nEnd"
    )
    assert "[^" not in shown
    assert shown.count('class="reversefootnote"') == 3
    assert '<p>Two</p>\n<p>Second <a class="reversefootnote"' in shown
    assert "<p>End</p>" in shown
    assert GFM.convert("a\n\n    [^y]: Two") == "<p>a</p>\n<pre><code>[^y]: Two\n</code></pre>\n"


def test_a_definition_serves_any_number_of_references():
    """A short text may refer to a long URL many times; references that would add megabytes stay text."""
    definition = f"[a]:\n  https://a.example/{'b' * 80}\n  'Title'\n"
    assert GFM.convert(f"{'[a] ' * 200}\n\n{definition}").count('title="Title"') == 200
    assert GFM.convert(f"> {definition}\n[A][] [b][a]").count("<a ") == 2
    assert len(GFM.convert("[a]" * 10_000 + f"\n\n[a]: /{'b' * 10_000}")) < 1_000_000


def test_obsidian():
    """Obsidian's syntax works in its dialect: images, highlights, comments, and links between notes."""
    shown = OBSIDIAN.convert("==a== [[Note|text]] [[Other]] ![[my pic.png|300]] x%%no%% `%%code%%`")
    assert shown == (
        '<p><mark>a</mark> <a href="note:Note">text</a> <a href="note:Other">Other</a> <img src="my%20pic.png" alt="" /> x <code>%%code%%</code></p>\n'
    )
    assert GFM.convert("==a== [[b]] %%c%%") == "<p>==a== [[b]] %%c%%</p>\n"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (">" * 200, "nested too deep"),
        ("> " * 200 + "a", "nested too deep"),
        ("|a" * 900 + "|\n" + "|-" * 900 + "|\n" + "|\n" * 900, "cells"),
        ("> " + "|a" * 2_000 + "|\n> " + "|:-" * 2_000 + "|\n", "cells"),
    ],
)
def test_what_no_reader_shows_is_rejected(body, reason):
    """A text that would produce disproportionately large HTML is rejected before it is converted."""
    with pytest.raises(ArticleError, match=reason):
        GFM.convert(body)


def test_what_a_comment_hides_is_rejected():
    """Limits apply to the text that the engine gets, without Obsidian's comments."""
    with pytest.raises(ArticleError, match="nested too deep"):
        OBSIDIAN.convert("[%%%%^" * 200 + "]" * 200)


@pytest.mark.parametrize(
    ("engine", "body", "reason"),
    [
        (GFM, "*a **b " * 110_000, "markup"),
        (GFM, "\\)" * 310_000, "markup"),
        (GFM, "- " * 160_000, "markup"),
        (GFM, "[a](b)\n" * 130_000, "markup"),
        (OBSIDIAN, "<b>_^[a" * 9_000, "footnotes"),
        (OBSIDIAN, "[[a]]\n" * 50_000, "links"),
        (GFM, "a@b.c\n" * 70_000, "links"),
        (GFM, "![a](b)\n" * 70_000, "links"),
        (GFM, "# a {#b}\n" * 70_000, "links"),
        (OBSIDIAN, "^[a] " * 11_000, "footnotes"),
    ],
)
def test_what_takes_long_is_rejected(engine, body, reason):
    """A text is rejected before it is converted if the engine would take long for its many marks."""
    with pytest.raises(ArticleError, match=reason):
        engine.convert(body)


@pytest.mark.parametrize("body", [f"https://a.example/{')' * 80} ", "<b>https://a.example/b</b>", "<i>www.example"])
def test_urls_that_take_long_are_no_links(body):
    """Bare URLs are links only in a text in which the engine finds their ends in a short time."""
    assert "<a " not in GFM.convert(body * (500_000 // len(body)))


def test_many_urls_are_links():
    """Bare URLs of any number are links if they are words of their own, or in short lines."""
    assert GFM.convert("https://a.example/b " * 15_000).count("<a ") == 15_000
    assert "<a " in GFM.convert(f"    {'(' * 60}a{')' * 60}\n\nhttps://a.example/b")
    assert GFM.convert("见<b>https://a.example/b</b>。\n" * 15_000).count("<a ") == 15_000


def test_many_dollar_signs():
    """Beyond 50,000 dollar signs, they are text, so that the engine does not search for formulas."""
    assert GFM.convert("$a_1$ " * 20_000).count("$") == 40_000
    assert GFM.convert("$*a*$ " * 30_000).count("$<em>a</em>$") == 30_000


@pytest.mark.parametrize(
    "body",
    [
        "```\n" + "cat a | sort | uniq -c | head\n" * 20_000 + "```",
        "| a | b |\n|---|---|\n" + "| c | d |\n" * 20_000,
        "".join(f"[^{n}] (see [a](b))\n" for n in range(5_000)),
        "# a\n\nb\n\n" * 5_000,
        "a\n: b\n\n" * 10_000,
        "(((a)))" * 10_000,
        f"```lisp\n{'(' * 60}a{')' * 60}\n```\n",
        "- [a](https://a.example/b_c) is **d** (`e`, `f`)\n" * 15_000,
        "a@b.example\n" * 10_000,
    ],
)
def test_long_articles_are_not_rejected(body):
    """Long articles with many code blocks, tables, footnotes, headings, brackets and addresses are accepted."""
    assert len(GFM.convert(body)) > len(body) // 2


def test_many_headings_have_no_ids():
    """Beyond a thousand headings, headings get no generated ids; ids that authors set are kept."""
    shown = GFM.convert("# a\n\n## b {#own}\n\n" * 600)
    assert "<h1>a</h1>" in shown
    assert '<h2 id="own">b</h2>' in shown


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("%%\nsecret\n\n```\nsecret\n```\n\nsecret\n%%\nA", "<p>A</p>\n"),
        ("A %%secret `secret` secret%% B\n\n%% 100% secret %%", "<p>A  B</p>\n"),
        ("it`s\n\n%%secret%%\n\nand `that", "<p>it`s</p>\n<p>and `that</p>\n"),
        ("`%%code%%` and 50%% off", "<p><code>%%code%%</code> and 50%% off</p>\n"),
        ("A\n\n  %% secret, and never closed\n\nsecret", "<p>A</p>\n"),
    ],
)
def test_comments_of_obsidian_hide_everything_in_them(body, expected):
    """A comment may contain code and blank lines; an unclosed one at the start of a line hides the rest of the text."""
    assert OBSIDIAN.convert(body) == expected


@pytest.mark.parametrize("body", ["春の海を**「見た」**のは", "**“引号”**后面", "한국어**(강조)**는"])
def test_bold_text_needs_no_spaces_in_east_asian_languages(body):
    """Bold text that ends with punctuation and continues without a space is bold, as in editors."""
    assert "<strong>" in GFM.convert(body)
    assert "*" not in GFM.convert(body)


def test_inline_footnotes_of_obsidian():
    """`^[…]` is a footnote in Obsidian's dialect."""
    assert '<a class="footnote" href="#fn-__inline_1">1</a>' in OBSIDIAN.convert("a^[note *it*]")
    assert "^[note" in GFM.convert("a^[note]")
