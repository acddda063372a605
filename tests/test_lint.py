"""The rules of `feeds check`."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from conftest import run
from hypothesis import settings

from feeds.cli import check
from feeds.core import lint
from feeds.core.formats.entry_ids import entry_ids
from feeds.core.model import Site as CoreSite
from feeds.core.parse import article
from feeds.core.parse.admonitions import to_quotes
from feeds.core.parse.links import Links
from feeds.core.parse.mdx import to_markdown

SITE = CoreSite("Test", "https://test.example", "https://test.example", "test.example")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
FINE = "title: T\ndate: 2026-05-01\ndescription: All of it.\n"


def problems(front=FINE, body="Text.", path="a.md", ignored=(), dialect="gfm", **options):
    """Check one article; return the problems."""
    source = f"---\n{front}---\n{body}\n"
    read = article.parse_article(source.encode(), path, UTC)
    return lint.Lint(replace(SITE, markdown=dialect), NOW, ignored, **options).check_article(
        read, source, Links(read.path)
    )


def found(*arguments, **options):
    """Check one article; return (line, rule) of the problems."""
    return [(one.line, one.rule) for one in problems(*arguments, **options)]


@pytest.mark.parametrize(
    ("front", "body", "expected"),
    [
        (FINE, "Text with ![a cat](/cat.png) and [a link](https://x.example/a.md) and [one](/b/).", []),
        ("title: T\ndate: 2026-05-01\n", "Text.", [(2, "no-summary")]),
        ("title: T\ndate: 2026-05-01\n", "First.\n<!--more-->\nRest.", []),
        (FINE.replace("T\n", "'A <b>bold</b> one'\n", 1), "x", [(2, "title-markup")]),
        (FINE.replace("T\n", "'AT&amp;T'\n", 1), "x", [(2, "title-markup")]),
        (FINE.replace("T\n", "'Salt & pepper < 3'\n", 1), "x", []),
        (FINE.replace("T\n", "'Use List<String> and Set<T> and <div>'\n", 1), "x", [(2, "title-markup")]),
        (FINE.replace("T\n", "'Use List<String> and Set<T>'\n", 1), "x", []),
        (FINE.replace("T\n", "'H<sub>2'\n", 1), "x", [(2, "title-markup")]),
        (FINE, "One.\n\n![](/cat.png)", [(8, "image-without-alt")]),
        (FINE, '<img src="/a.png">', [(6, "image-without-alt")]),
        (FINE, '<img alt="A cat" src="/a.png">', []),
        (FINE, "<img src=/a.png alt=cat>", []),
        (FINE, '<img src="/a.png" alt="">', []),
        (FINE, '<img src="/a.png" data-alt="x">', [(6, "image-without-alt")]),
        (FINE, "Para\n\n    ![](/cat.png) {% raw %}\n\n    <img src=x>\nPara ![](/b.png)", [(11, "image-without-alt")]),
        (FINE, "Para\n    ![](/lazy.png)", [(7, "image-without-alt")]),
        (FINE, "\t![](/cat.png)", []),
        (FINE, "- item\n\n    ![](/in-item.png)\n\n        ![](/code.png)\n", [(8, "image-without-alt")]),
        (
            FINE,
            "1. one\n    * two\n\n        ![](/in-two.png)\n\nEnd\n\n    ![](/code.png)",
            [(9, "image-without-alt")],
        ),
        (FINE, "![x]({{ page.folder }}/a.png)", [(6, "template-code")]),
        (FINE, 'See [it]({{ "/b" | relative_url }}), ![x]({{ site.baseurl }}/a.png)', []),
        (FINE, "{{ page.title | escape }} {{- title -}} {{ include('x') }}", [(6, "template-code")]),
        (FINE, "`{{ code }}` and $x^{{2}} \\frac{{a}}{{b}} y_{{n}}$ and { {a} }", []),
        (FINE, "`![](/cat.png)` and\n\n```\n![](/cat.png) {{< x >}}\n```\n", []),
        (FINE, "```x``` and\n\n![](/cat.png)", [(8, "image-without-alt")]),
        (FINE, "> - ```\n>   ![](/cat.png)\n>   ```\n\n    ```\n\n![](/dog.png)", [(12, "image-without-alt")]),
        (FINE, "See [it](other.md#there).", [(6, "relative-link")]),
        (FINE, "See [it](../there/).", [(6, "relative-link")]),
        (FINE, 'A {{< figure src="x.md" >}} here.', [(6, "template-code")]),
        (FINE, "{% include x.html %}", [(6, "template-code")]),
        (FINE, "word " * 30_000, [(2, "huge-text")]),
        (FINE.replace("2026-05-01", "2026-07-01"), "x", [(3, "future-date")]),
        (FINE + "expires: 2026-05-02\n", "x", [(5, "expired")]),
        (FINE + 'expiryDate: "2026-05-02"\n', "x", [(5, "expired")]),
        (FINE.replace("2026-05-01", "2026-07-01") + "unpublish_at: 2026-05-02\n", "x", [(5, "expired")]),
        (FINE + "expires: 2026-12-31\n", "x", []),
        (FINE + "draft: true\nexpires: 2026-05-02\n", "x", [(5, "draft")]),
        (FINE + "updated: 2027-01-01\n", "x", [(5, "ambiguous-date")]),
        (FINE + "updated: 2025-01-01\n", "x", [(5, "ambiguous-date")]),
        (FINE + "draft: true\n", "x", [(5, "draft")]),
        ("draft: false\ntitle: T\nvisibility: private\n", "x", [(4, "draft")]),
        ("title: T\nbuild:\n  list: never\n", "x", [(3, "draft")]),
    ],
)
def test_rules(front, body, expected):
    """Each rule finds its problem at the right line, and nothing in code."""
    assert found(front, body) == expected


def test_names_of_feeds_that_may_mean_no():
    """Words in a list of feeds are names; a name that looks like a no is reported with the correct form."""
    (problem,) = problems(FINE + "feeds: [nope]\n")
    assert problem.rule == "unknown-feed"
    assert problem.message == (
        "feeds: there is no feed 'nope' in feeds.custom; if the article should be in no feed, write feeds: false"
    )
    assert found(FINE + "feeds: [notes]\n") == []  # the key of another program


def test_drafts():
    """A draft is reported with its reason; a page without a date, which is not published either, is none."""
    (by_key,) = problems(FINE + "published: no\n")
    assert (by_key.level, by_key.message) == ("notice", "a draft: not published")
    (by_folder,) = problems(path="blog/_drafts/a.md")
    assert (by_folder.line, by_folder.rule, by_folder.message) == (1, "draft", "in a folder _drafts: not published")
    assert [one.rule for one in problems("title: T\n", path="about.md")] == ["undated-page"]
    assert found(FINE + "draft: true\n", ignored={"draft"}) == []


@pytest.mark.parametrize(
    "code",
    [
        "{{< video id=1 >}}", "{{<video 1>}}", "{{% note %}}", "{{< figure\nsrc='a.png' >}}",  # Hugo
        "{% include a.html %}", "{%- if x -%}", "{% asset_img a.png %}", "{# a note #}", "{{ page.title }}", "{{ macro('x') }}",
        "{% embed https://a.example/b %}", "A *b* {{ c_d | e_f }}", "[x]({{page.url}}/a)", '<a href="{{ url }}">x</a>',
        "[x]({static}/a.pdf)", "[x]({attach}a.pdf)", "[x](|static|/a.pdf)", "[x]({filename}/images/a.pdf)", '[x]({{< param "a" >}})',
        '[caption id="1"]A', "[gallery]", '[gallery ids="1,2"]', '--8<-- "a.md"',
    ],
)  # fmt: skip
def test_code_of_templates(code):
    """Template code of seven generators is found at its line if it would be shown unchanged."""
    body = f"```\n{code}\n```\n\n    {code.replace(chr(10), ' ')}\n\nText.\n\n{code}\n"
    assert (9 + 5 + code.count("\n"), "template-code") in found(body=body)


@pytest.mark.parametrize(
    "text",
    [
        "`{{ code }}` and `{% code %}`", "    {{ code }}", "- a\n\n  ```\n  {% code %}\n  ```", "$x^{{2}}$ and $$\n{{ a }}\n$$",
        r"\(\frac{{a}}{{b}}\)", "{ {a} } {a} {{1}}", "[video] and [gallery](/b/) and [x][toc]\n\n[toc]: /a/",
        '[x]({{< ref "b.md" >}}) [x]({{< relref "b.md#c" >}}) [x]({filename}b.md)', "[x]({% post_url 2026-01-01-b %}) [x]({{ site.baseurl }}{% link _posts/b.md %})",
        "<!-- {{ note }} -->", "[x](/a/%7Bstatic%7D)",
    ],
)  # fmt: skip
def test_what_is_no_code_of_templates(text):
    """Code, formulas and links between articles are not reported."""
    assert "template-code" not in [rule for _, rule in found(body=text)]


def test_several_codes_of_templates_on_a_line():
    """Of several codes on a line, the first is named, and the others are counted."""
    body = "{% include a.html %} of {{ site.title }} and {{ page.url }}\n\n{{ page.date }}"
    assert [(one.line, one.message) for one in problems(body=body)] == [
        (6, "'{% include a.html %}' would be shown unchanged; 2 more on this line"),
        (8, "'{{ page.date }}' would be shown unchanged"),
    ]


def test_code_of_templates_that_is_written_otherwise():
    """A problem that can't be located in the source is reported at the first line of the text."""
    assert found(body="A\n\n&#123;&#123; page.title }}") == [(6, "template-code")]


@pytest.mark.parametrize(
    ("html", "name"),
    [
        ("<script>x()</script>", "script"), ('<script src="https://a.example/b.js"></script>', "script"),
        ("<style>p { }</style>", "style"), ("<form action='/a'><input></form>", "form"), ("<svg><path/></svg>", "svg"),
        ("<canvas></canvas>", "canvas"), ("<iframe></iframe>", "iframe"), ("<object></object>", "object"), ("<select></select>", "select"),
        ("<my-map at='1'></my-map>", "my-map"), ("A <iframe\nsrc=''></iframe>", "iframe"),
    ],
)  # fmt: skip
def test_html_that_is_left_out(html, name):
    """Removed elements that a reader would miss are reported at their lines."""
    (problem,) = problems(body=f"`<{name}>`\n\n{html}\n\n<!-- <{name}> -->")
    assert (problem.line, problem.rule, problem.message.split(":")[0]) == (8, "dropped-html", f"<{name}> is removed")


@pytest.mark.parametrize(
    "html",
    [
        "<p style='color: red' onclick='x()'>A</p>", "<svg><title>A</title></svg>", '<iframe src="https://a.example"></iframe>',
        '<iframe data-src="https://a.example"></iframe>', '<embed src="/a.pdf">', '<object data="/a.pdf"></object>',
        '<object><param name="movie"><embed src="https://a.example/b"></object>', "<my-note>Text</my-note>", "<input type=checkbox>",
        '<script src="https://gist.github.com/ann/0123abcd.js"></script>', '<script type="application/ld+json">{}</script>',
        '<blockquote>A</blockquote>\n<script async src="https://platform.twitter.com/widgets.js"></script>', "<!-- <script>", "`<script>`",
    ],
)  # fmt: skip
def test_html_that_nobody_misses(html):
    """Elements that are kept, replaced or only decorative cause no warning."""
    assert "dropped-html" not in [rule for _, rule in found(body=html)]


@pytest.mark.parametrize(
    ("dialect", "body", "lines"),
    [
        ("gfm", "A\n\nSee [[Note]] and ![[a b.png]].\n\n`[[x]]`\n\n> [[Note]]", [8, 12]),
        ("gfm", '==a== and %%b%%\n\n*[HTML]: Hyper Text\n\n:::note\n\n=== "Tab"', [6, 8, 10, 12]),
        ("gfm", "[[1]](/a/) [[x]](/b/) [[1]] $[[x]]$ a==b==c a == b == c, 50%% of 100%% and [[:alpha:]]", []),
        ("gfm", "> [!NOTE]\n> A\n\n:::note\nA\n:::\n\n!!! note\n    A\n\n- [x] a ~~b~~\n  - c\n\nA\n| a |\n|---|\n| b |", []),
        ("obsidian", "[[Note|text]] ![[a.png]] ==a== %%b%%", []),
        ("python-markdown", "> [!NOTE]\n> A", [6]),
        ("python-markdown", "A\n| a | b |\n|---|---|\n| 1 | 2 |\n\n| a |\n|---|\n| b |", [8]),
        ("python-markdown", "A\n\n```js\nb", [8]),
        ("python-markdown", "- [x] a ~~b~~\n\n    ```js\n    c\n    ```\n\n??? note\n    A\n\n:::tip\nA\n:::", []),
        ("python-markdown", "- a\n  - b\n  - c\n\n- d\n    - e\n\n1. f\n   - g", [7, 14]),
        ("python-markdown", "[[Note]]\n\n:::note\nA", [6, 8]),
        ("python-markdown", "!!! note\n    A\n\n*[HTML]: Hyper Text\n\nA[^1]\n\n[^1]: B\n\n```js\nc\n```", []),
    ],
)  # fmt: skip
def test_syntax_of_another_dialect(dialect, body, lines):
    """Syntax that the site's dialect does not convert is reported, and syntax that it converts is not."""
    assert [line for line, rule in found(body=body, dialect=dialect) if rule != "relative-link"] == lines


def test_what_can_not_be_rendered():
    """A text that is shown as plain text is reported, with the reason."""
    (problem,) = problems(body="A\n\n" + ">" * 200)
    assert (problem.line, problem.rule) == (6, "unrenderable")
    assert problem.message == "shown as plain text: nested too deep"


def test_images_that_are_not_there(site):
    """Relative references are searched beside the article and in its own folder; other references are not checked."""
    site.write("posts/there.png", "x")
    site.write("posts/a/of hexo.png", "x")
    site.write("posts/b/lamp.png", "x")
    site.article(
        "posts/a.md",
        "![A](there.png) ![A](<of hexo.png>)\n\n![A](gone.png)\n\n<img src='sub/gone.png' alt=''>\n\n`![A](code.png)`\n\n"
        "![A](/gone.png) ![A](https://x.example/gone.png) ![A](//x.example/a.png) ![A](../gone.png) ![A]({static}/x.png)\n\n"
        "![A](data:image/png;base64,AAAA) ![A](~/gone.png) ![A](@site/gone.png) ![A](there.png?v=1#x)",
        title="A",
    )
    site.article(
        "posts/b/index.md", "![A](lamp.png)\n\n<img srcset='lamp.png 1x, gone%20two.png 2x' alt=''>", title="B"
    )
    told = [line for line in site.run("check").stdout.splitlines() if line.endswith("(missing-image)")]
    assert told == [
        "content/posts/a.md:8: warning: there is no file 'gone.png' (missing-image)",
        "content/posts/a.md:10: warning: there is no file 'sub/gone.png' (missing-image)",
        "content/posts/b/index.md:8: warning: there is no file 'gone two.png' (missing-image)",
    ]


def test_the_date_in_a_files_name():
    """A file name with another date than the front matter is reported, but not a difference of a time zone."""
    assert found(path="news/2026-01-01-a.md") == [(3, "ambiguous-date")]
    assert found(path="news/2026-05-02-a.md") == []
    assert found(path="news/2026-99-02-a.md") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Text.", "no description: the summary is the first paragraph"),
        ("", "no text and no description"),
        ("\n \n", "no text and no description"),
    ],
)
def test_an_article_without_text(body, message):
    """An article without a text is reported as such; for others, the notice names the first paragraph as the summary."""
    assert [one.message for one in problems("title: T\ndate: 2026-05-01\n", body)] == [message]


@pytest.mark.parametrize("rule", ["no-summary", "image-without-alt"])
def test_rules_can_be_switched_off(rule):
    """An ignored rule reports nothing; other rules still do."""
    rules = {found_rule for _, found_rule in found("title: T\ndate: 2026-05-01\n", "![](/a.png)", ignored=[rule])}
    assert rules == {"no-summary", "image-without-alt"} - {rule}


def test_what_shows_between_articles():
    """Two articles with one address, and one tag with two spellings, are reported; drafts have no address."""
    look = lint.Lint(SITE, NOW)

    def problems(path, front):
        source = f"---\n{FINE}{front}---\nText.\n"
        return [
            (one.rule, one.message)
            for one in look.check_article(article.parse_article(source.encode(), path, UTC), source, Links(path))
        ]

    assert problems("a.md", "slug: s\ntags: [AI, e-mail, go]\n") == []
    assert [rule for rule, _ in problems("b.md", "slug: s\ndraft: true\n")] == ["draft"]
    assert problems("c.md", "slug: s\ntags: [ai, email, go]\n") == [
        ("duplicate-slug", "has the same address as a.md: https://test.example/s/")
    ]
    assert [one.message for one in look.check_spellings()] == [
        "spelled in several ways: 'AI' (a.md), 'ai' (c.md)",
        "spelled in several ways: 'e-mail' (a.md), 'email' (c.md)",
    ]


def test_every_rule_is_documented(request):
    """docs/articles.md lists each rule by its name and level."""
    text = (request.config.rootpath / "docs" / "articles.md").read_text("utf-8")
    for rule, (level, _) in lint.RULES.items():
        assert f"| `{rule}` | {level} |" in text, rule


def test_check_in_all_forms(site):
    """`check` prints the same problems as lines, JSON and GitHub annotations; notices need -v."""
    site.configure(feeds={"max_size": 1, "aliases": {"/old.xml": "/category/none/rss.xml"}})
    site.article("a.md", "![](/a.png)\n" + "word " * 400, title="50%, done")
    site.write("b.md", "no front matter")
    done = site.run("check")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("content/b.md:1: error: no date: ")
    assert lines[0].endswith("(refused)")
    assert (
        "content/a.md:6: warning: an image without alternative text; write ![description](…) (image-without-alt)"
        in lines
    )
    assert any(line.endswith("(feed-too-large)") and line.startswith("config.yaml:1: warning: ") for line in lines)
    assert any(
        "/old.xml leads to /category/none/rss.xml, which is not a feed (alias-to-nothing)" in line for line in lines
    )
    assert "no-summary" not in done.stdout
    assert "; notices: 1 no-summary (-v shows them)" in done.stderr
    assert "content/a.md:3: notice: no description" in site.run("check", "-v").stdout
    problems = json.loads(site.run("check", "--format", "json").stdout)
    assert {"path": "content/b.md", "line": 1, "level": "error", "rule": "refused"}.items() <= problems[0].items()
    told = site.run("check", "--format", "github", "--ignore", "refused").stdout.splitlines()
    said = "an image without alternative text; write ![description](…)"
    assert f"::warning file=content/a.md,line=6,title=image-without-alt::{said}" in told
    assert not any(line.startswith("::error") for line in told)
    site.configure(check={"ignore": ["image-without-alt"]})
    assert "image-without-alt" not in site.run("check").stdout
    site.configure(check={"ignore": ["image-with-alt"]})
    done = site.run("check")
    assert (done.returncode, "did you mean image-without-alt?" in done.stderr) == (2, True)


def test_notices_by_rule(site):
    """`check` counts the notices that it does not list, by rule, the most important first."""
    for name in "abc":
        site.article(f"{name}.md", title=name)
    site.article("d.md", draft=True)
    site.article("e.md", date="2999-01-01", description="Later")
    done = site.run("check")
    assert done.stderr.endswith("; notices: 1 draft, 1 future-date, 3 no-summary (-v shows them)\n")
    assert "notices" not in site.run("check", "-v").stderr
    assert set(check.NOTICES) == {name for name, rule in lint.RULES.items() if rule.level == "notice"}


def test_pictures_in_the_static_folder(site):
    """A picture that is a static file is not missing."""
    site.configure(site={"pages": True})
    site.article("a.md", "![a](/static/a.png) ![b](/static/b.png)", image="/static/a.png")
    site.write("../static/a.png", "x")
    told = json.loads(site.run("check", "--format", "json").stdout)
    assert [one["message"] for one in told if one["rule"] == "missing-image"] == ["there is no file '/static/b.png'"]


OLD = {
    "rss.xml": "<rss><channel><item><guid>{0}</guid></item><item><link>{1}</link></item></channel></rss>",
    "atom.xml": '<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>{0}</id></entry><entry><id>{1}</id></entry></feed>',
    "feed.json": '{{"items": [{{"id": "{0}"}}, {{"id": "{1}"}}]}}',
}


@pytest.mark.parametrize("name", OLD)
def test_check_against_an_old_feed(site, name):
    """--against reports which ids of a saved feed in any format are kept, and exits with 1 if one is lost."""
    site.configure(content={"permalink": "/{slug}/", "id": "https://test.example{link}"})
    site.article("a.md", title="a")
    site.article("b.md", title="b", draft=True)
    (site.root / name).write_text(OLD[name].format("https://test.example/a/", "https://test.example/b/"), "utf-8")
    done = site.run("check", "--against", name)
    assert done.returncode == 1
    assert f"{name}:1: warning: https://test.example/b/ is not the id of any article" in done.stdout
    machine = site.run("check", "--against", name, "--format", "json")
    assert (machine.returncode, f"{name}: 1 of 2 ids kept" in machine.stderr) == (1, True)
    assert [one["path"] for one in json.loads(machine.stdout) if one["rule"] == "lost-id"] == [name]
    assert site.run("check", "--against", name, "--ignore", "lost-id").returncode == 0
    assert f"{name}: 1 of 2 ids kept" in done.stdout
    site.article("b.md", title="b")
    done = site.run("check", "--against", name)
    assert (done.returncode, f"{name}: 2 of 2 ids kept" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "text",
    [
        "<rss>\n<channel>\n<item>\n<guid>a</guid>\n</item>\n<item>\n<guid>b</guid></item><item><guid>a</guid></item>\n</channel></rss>",
        '<feed xmlns="http://www.w3.org/2005/Atom">\n\n<entry>\n<id>a</id>\n</entry>\n<entry>\n<id>b</id></entry></feed>',
        '{"items": [\n{"id": "x",\n"url": "y"}, {"id": "a"},\n{"summary": "\\"id\\": \\"b\\"",\n\n"id": "\\u0062"}]}',
        '{"items": [\n{},\n{"url": "a"},\n\n\n{"id": "b", "url": "a"}]}',
    ],
)  # fmt: skip
def test_lines_of_the_ids_of_an_old_feed(text):
    """Each id of a saved feed has the line of its first entry; in JSON Feed, its own line."""
    ids = entry_ids(text.encode())
    assert (ids["a"], ids["b"]) == (3, 6)


def test_an_id_in_json_without_a_position():
    """An id that is not found in the text of a JSON Feed has line 1; a number has its line."""
    assert entry_ids(b'{"items": [\n{"\\u0069d": "a"},\n{"id": 7}]}') == {"a": 1, "7": 3}


@pytest.mark.parametrize("text", ["", "<html/>", "{}", "[", "<rss", "not a feed"])
def test_check_against_what_is_no_feed(site, text):
    """A file that is not a feed is reported as such."""
    site.article("a.md", title="a")
    (site.root / "old.xml").write_text(text)
    done = site.run("check", "--against", "old.xml")
    if text == "<rss":  # feed readers treat this as an empty feed
        assert "0 of 0 ids kept" in done.stdout
    else:
        assert done.returncode == 2
        assert done.stderr.startswith("old.xml: ")


@pytest.mark.parametrize("content", ["content", "."])
def test_paths_are_those_of_who_asks(site, content):
    """Paths in problems are relative to the current folder, whatever content.path is."""
    site.configure(content={"path": content, "include": ["**/a.md"]})
    file = site.content / "a.md" if content == "content" else site.root / "_posts" / "a.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text("no date")
    said = file.relative_to(site.root)
    assert f"::error file={said},line=1" in site.run("check", "--format", "github").stdout
    above = run("check", "-c", f"{site.root.name}/config.yaml", "--format", "github", cwd=site.root.parent).stdout
    assert f"::error file={site.root.name}/{said},line=1" in above


def test_programs_are_told_of_what_stops_everything(site):
    """A mistake in config.yaml, and a run that the guard would stop, are problems in JSON and annotations too."""
    site.article("a.md", title="a")
    assert site.run("build").returncode == 0
    (site.content / "a.md").unlink()
    done = site.run("check", "--format", "json")
    assert (done.returncode, [one["rule"] for one in json.loads(done.stdout)]) == (5, ["guard"])
    (site.root / "config.yaml").write_text("site: {titel: T, url: https://test.example}\nfeds: {}\n")
    done = site.run("check", "--format", "json")
    found = [(one["path"], one["line"], one["rule"]) for one in json.loads(done.stdout)]
    assert (done.returncode, found) == (2, [("config.yaml", 1, "mistake"), ("config.yaml", 1, "mistake"), ("config.yaml", 2, "mistake")])  # fmt: skip
    done = site.run("check", "--format", "github")
    assert done.stdout.splitlines()[2] == "::error file=config.yaml,line=2,col=1,title=mistake::feds: unknown key; did you mean feeds?"  # fmt: skip


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ("image: there.png\nenclosure: there.mp3\n", []),
        ("image: gone.png\n", [(5, "missing-image")]),
        ("enclosure: gone.mp3\nimage: there.png\n", [(5, "missing-image")]),
        ("image: https://x.example/gone.png\nenclosure: https://x.example/a.mp3\n", []),
        ("image: /gone.png\n", []),
        ("image: ../gone.png\n", []),
    ],
)
def test_files_of_front_matter_that_are_not_there(site, front, expected):
    """Images and enclosures of front matter are checked like those in the text, and reported at their lines."""
    for name in ("there.png", "there.mp3"):
        site.write(f"posts/{name}", "x")
    site.write("posts/a.md", f"---\n{FINE}{front}---\nText.\n")
    told = json.loads(site.run("check", "--format", "json").stdout)
    assert [(one["line"], one["rule"]) for one in told if one["rule"] == "missing-image"] == expected


def test_files_of_front_matter_on_a_site_with_pages(site):
    """With site.pages, files that front matter refers to by the site's URL are searched in the content folder."""
    site.configure(site={"pages": True})
    site.write("img/there.png", "x")
    site.write("a.md", f"---\n{FINE}image: /img/there.png\nenclosure: /img/gone.mp3\n---\nText.\n")
    site.write("b.md", f"---\n{FINE}image: https://test.example/img/gone.png\n---\nText.\n".replace("T\n", "B\n", 1))
    told = json.loads(site.run("check", "--format", "json").stdout)
    assert [(one["path"], one["line"]) for one in told if one["rule"] == "missing-image"] == [
        ("content/a.md", 6),
        ("content/b.md", 5),
    ]


@pytest.mark.parametrize("front", ["draft: true\n", "expires: 2026-05-02\n", "listed: false\ndraft: true\n"])
def test_no_notice_of_what_is_not_published(front):
    """An article that is not published has no notice about its appearance."""
    assert found("title: T\ndate: 2026-05-01\n" + front, ignored={"draft", "expired"}) == []


def test_an_undated_page_has_one_notice():
    """A page that is not published has only the notice about that."""
    assert found("title: T\n", path="about.md") == [(1, "undated-page")]


# what Markdown, HTML, templates, MDX and formulas begin and end with
UNITS = [
    "[[", "]]", "a*", "*", "\\)``", "`", "``a", "```", "~~~", "{% x %}", "{%", "{{a", '{{"', "{{<", "[caption ", "--", "8<", "{#a ", "<code>", "</code>",
    "<select>", "<script", "<!--", "$", "$$", "\\(", "\\[", "<img ", "![", "](", "](<", 'href="', "~~a", "==a", "%%", "<li>", " ", "\n", "\n\n",
    "|---", "---|", ":::", ":::note\n", "!!! note\n    ", "*[a", '=== "', "> ", "- ", "1. ", "\t", "<a b={", "<A>\n", "</A>", "{", "}", "{'", "'", '"', "{/*", "*/",
    "//", "import a ", "import {", "export const a = {\n\n", "::: a[", "\\", "=",
]  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(settings().max_examples // 5))
def test_every_text_is_looked_at_in_linear_time(seed):
    """A text of any repeated tokens is checked fast: a quadratic pattern would take minutes."""
    chosen = random.Random(seed)
    for _ in range(4):
        text = "".join(chosen.choices(UNITS, k=chosen.randint(1, 4)))
        text *= 60_000 // len(text)
        to_markdown(text, 1)
        to_quotes(text)
        for dialect in ("gfm", "python-markdown"):
            problems(body=text, dialect=dialect, convert=lambda body: body)


@pytest.mark.parametrize(
    "text",
    [
        "[[" + "a" * 32 + "\n\n[[" + "a*a*" * 6 + "b]]",
        "[[" + "a" * 20_000 + "\n\n[[" + "a*a*" * 40 + "b]]",
        "{% x %}\n\n" * 10_000,
        "".join(f"{{% x{at} %}}\n\n" for at in range(7_000)),
        "".join(f"{{% x{at} %}}" for at in range(7_000)),
        "".join(f"![a]({at}.png)\n\n" for at in range(5_000)),
        "\\)``" * 15_000,
        "`a``b```c" * 7_000,
    ],
)
def test_many_problems_are_not_all_listed(text):
    """Of very many problems in a text, about a hundred are listed, and one line reports that there are more."""
    told = problems(body=text, is_missing=lambda _article, _reference: True)
    more = [one.message for one in told if "the others are not listed" in one.message]
    assert len(told) <= 201
    assert len(more) == (len(told) == 201 or "{% x0 %}{%" in text)


def test_lines_of_marked_text_are_found():
    """A problem in converted Markdown is located in the source: emphasis is ignored, and code is searched last."""
    body = "```\n[[a *b* c]]\n```\n\n[[a b]]\n\n[[a *b* c]]\n\n[[a *b* c]]"
    assert [line for line, rule in found(body=body) if rule == "other-dialect"] == [10, 12, 14]


@pytest.mark.parametrize("body", [r"a \~\~b\~\~ c", r"\[[Note]]", r"a \==b== c"])
def test_escaped_syntax_is_intended(body):
    """Syntax of another dialect that is written with escapes is shown unchanged on purpose."""
    assert "other-dialect" not in [rule for _, rule in found(body=body)]


@pytest.mark.parametrize("pages", [True, False])
def test_files_of_a_vault(site, pages):
    """Embedded files of an Obsidian vault are not articles; only missing images are reported; notes may be embedded."""
    site.configure(site={"pages": pages}, content={"markdown": "obsidian"})
    site.write(".obsidian/app.json", '{"attachmentFolderPath": "Attachments"}')
    for name in ("Pasted image.png", "talk.mp3", "paper.pdf"):
        site.write(f"Attachments/{name}", "x")
    site.article("Notes/Second note.md", title="Second")
    site.article(
        "Notes/First.md",
        "![[Pasted image.png]] ![[talk.mp3]] ![[paper.pdf#page=2]] ![[Second note]]\n\n| a | b |\n|---|---|\n"
        "| [[Second note\\|alias]] | ![[Pasted image.png\\|100]] |\n\n![[gone.png]]\n\n[[Third note]] ![[Third note]]",
        title="First",
    )
    told = [(one["line"], one["rule"]) for one in json.loads(site.run("check", "--format", "json").stdout)]
    assert [one for one in told if one[1] in {"missing-image", "relative-link"}] == [
        (12, "missing-image"),
        (14, "relative-link"),
    ]
