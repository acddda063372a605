"""Links from the file of one article to that of another, in texts of feeds and pages."""

import re

import pytest
import sqlalchemy as sa
from conftest import Site
from hypothesis import given
from hypothesis import strategies as st
from read_entries import read_entries

from feeds.core.article_files import article_name
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.parse.links import (
    Links,
    LinkTarget,
    candidate_paths,
    convert_references,
    find_targets,
    is_partial,
    partial_targets,
    resolve_target,
)

FORMATS = ("rss.xml", "atom.xml", "feed.json")
_HREF = re.compile(r'<a href="([^"]*)">')


def find_hrefs(site, title="A"):
    """Return the addresses of the links in an article's text, which must be the same in all formats."""
    documents = site.documents()
    found = []
    for name in FORMATS:
        entries = [entry for entry in read_entries(name, documents[f"/{name}"]) if entry["title"] == title]
        assert len(entries) == 1
        found.append(_HREF.findall(entries[0]["html"]))
    assert found[0] == found[1] == found[2]
    return found[0]


@pytest.mark.parametrize(
    ("href", "path", "expected"),
    [
        ("b.md", "a.md", LinkTarget("b")),
        ("./b.md", "posts/a.md", LinkTarget("posts/b")),
        ("../b.md#part", "posts/2024/a.md", LinkTarget("posts/b", "part")),
        ("../../../b.markdown", "posts/a.md", LinkTarget("b")),
        ("c/index.md", "a.md", LinkTarget("c")),
        ("two%20words.md?plain=1#x", "a.md", LinkTarget("two words", "x")),
        ("@/news/b.md", "posts/a.md", LinkTarget("news/b")),
        ("/news/b.md", "posts/a.md", LinkTarget("news/b")),
        ("{filename}b.md", "posts/a.md", LinkTarget("posts/b")),
        ("%7Bfilename%7D/b.md", "posts/a.md", LinkTarget("b")),
        ("note:Some%20Note", "a.md", LinkTarget("*/some note")),
        ("note:folder/Note%23Part%20Two", "a.md", LinkTarget("*/folder/note", "part-two")),
        ("note:Note%23%5Eblock", "a.md", LinkTarget("*/note")),
        ("note:%23Part", "a.md", LinkTarget("", "part")),
        ("note:b#My_Id.x", "a.md", LinkTarget("*/b", "My_Id.x")),
        ("note:b#two%20words", "a.md", LinkTarget("*/b", "two%20words")),
        ("https://x.example/b.md", "a.md", None),
        ("//x.example/b.md", "a.md", None),
        ("mailto:a@x.md", "a.md", None),
        ("b.html", "a.md", None),
        ("b.mdfoo", "a.md", None),
        ("#b.md", "a.md", None),
        ("b" * 600 + ".md", "a.md", None),
    ],
)
def test_targets_of_links(href, path, expected):
    """A link to a Markdown file refers to its article, relative to the linking file; other links do not."""
    assert resolve_target(href, path) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[b](b.md) and [again](b.md#x) and <a href='c.md'>c</a>", ("p/b", "p/c")),
        ("[b][1]\n\n[1]: <two words.md>", ("p/two words",)),
        ("[b](b_(1).md)", ("p/b_(1)",)),
        ('[b]({{< ref "b.md" >}}) [c]({{% relref "/news/c" %}}) [d]({{<relref `d#x`>}})', ("news/c", "*/b", "*/d")),
        ('[b]({{< ref path="b" lang="de" >}}) [c]({{< ref c "de" >}})', ("*/b", "*/c")),
        ('[b]({{< relref "two words.md" >}}) [c]({{%ref c%}})', ("*/two words", "*/c")),
        ("[b]({{< ref \"b' >}}) [c]({{< ref >}}) [d]({{< ref d }})", ()),
        ("[b]({{ site.baseurl }}{% post_url 2024-01-02-b %}) [c]({% link _posts/2024-01-03-c.md %})",
         ("*/2024-01-02-b", "*/2024-01-03-c")),
        ("[[Note]] b.md https://x.example/c.md", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_targets_in_a_text(body, expected):
    """The targets of a text are found in links, references, HTML and the reference tags of Hugo and Jekyll."""
    assert set(find_targets(body, "p/a.md", wikilinks=False)) == set(expected)


def test_wikilinks_are_targets_in_one_dialect_only():
    """`[[Note]]` refers to an article in Obsidian's dialect."""
    body = "[[A note|text]], ![[Embedded]] and [[#Part]]"
    assert find_targets(body, "a.md", wikilinks=True) == ("*/a note", "*/embedded")
    assert find_targets(body, "a.md", wikilinks=False) == ()


@given(st.text('ab/._-[]()<>{}%#" \nmd', max_size=60), st.sampled_from(["a.md", "p/q/a.md"]))
def test_any_text_has_targets(text, path):
    """The search for targets accepts any text, and each target is the name of an article or the end of one."""
    for target in find_targets(text, path, wikilinks=True):
        assert is_partial(target) or article_name(candidate_paths(target)[0]) == target
        assert len(target) < 520


@given(st.lists(st.text("abC ", min_size=1, max_size=4), min_size=1, max_size=4))
def test_files_names_and_ends_agree(parts):
    """The names of a file give the name of its article, and the ends of that name."""
    name = "/".join(parts)
    for path in candidate_paths(name):
        assert article_name(path) == name
        assert partial_targets(path)[0] == f"*/{name.casefold()}"
        if parts[-1] == parts[-1].strip():
            assert resolve_target(f"note:{parts[-1]}", "x.md").article in partial_targets(path)


HOSTILE = (  # (before, repeated, after)
    ("x.md href=", " ", '""'), ("x.md href", " ", "x"), ("x.md ](", " ", "<"), ("x.md ]:", "(", ""), (".md", "](", " "), (".md", "](<a", ""),
    (".md ](", "(a", ""), (".md", "]:(", "'"), (".md href=", "\"'", ""), (".md", "href= ", ""), ("({{< ref a", " ", "x"), ("({{< ref ", " ", '"'),
    ("({{< ref a", " b", "{"), ("", "({{< ref a ", ""), ("({{< ref a", " >", "x"), ("({{<", " ", "ref a >}}x"), ("({{< ref path", " ", "= >}}"),
    ('({{< ref "', "a", " >}}"), ("({{< ref ", "a ", ">}}"), ("(", "{{ site.url }}/", "{% link"), ("({{", " ", "{% link"), ("", "({{ site.url }}", ""),
    ("({% link ", " ", "{{ref"), ("({% link x", " ", "x {{ref"), ("{{ref", "({% link ", ""), ("", "[[", ""), ("", "[[a", ""), ("[[", "a#", ""),
    ("", "[[a\n", ""),
)  # fmt: skip


@pytest.mark.parametrize("parts", HOSTILE)
def test_no_text_is_searched_again_and_again(parts):
    """Half a megabyte of text that could cost a regular expression minutes is searched at once."""
    before, repeated, after = parts
    text = before + repeated * (500_000 // len(repeated)) + after
    find_targets(text, "a.md", wikilinks=True)
    convert_references(text)


def test_parts_of_articles_keep_their_names():
    """The fragment in Hugo's reference is an id, as written; that of a note is a heading, from which the id follows."""
    links = Links("a.md", {"*/b": "https://test.example/b/", "c": "https://test.example/c/"})
    body = (
        '[x]({{< relref "b#My_Id.x" >}}) [y]({{< ref "/c#Two_Parts" >}}) [[b#My Heading.x]] [z]({{< ref "b.md#ü" >}})'
    )
    shown = MarkdownRenderer("obsidian").render(body, None, "https://test.example/a/", "e-", "", links).html
    assert _HREF.findall(shown) == [
        "https://test.example/b/#My_Id.x",
        "https://test.example/c/#Two_Parts",
        "https://test.example/b/#my-headingx",
        "https://test.example/b/#%C3%BC",
    ]


def test_links_in_html():
    """Links to an article get its URL and keep their fragment; other links stay, and unknown notes become text."""
    links = Links("p/a.md", {"p/b": "https://test.example/b/", "*/note": "https://test.example/note/?x=1&y=2"})
    body = "[b](b.md#x) [c](c.md) [[Note|n]] [[Unknown *note*]] [[#Part]] [[note#Part]] `[[Note]]`\n\n## Part"
    shown = MarkdownRenderer("obsidian").render(body, None, "https://test.example/p/a/", "e-", "", links).html
    assert '<a href="https://test.example/b/#x">b</a> <a href="https://test.example/p/a/c.md">c</a>' in shown
    assert '<a href="https://test.example/note/?x=1&amp;y=2">n</a> Unknown *note* <a href="#e-part">Part</a> ' in shown
    assert '<a href="https://test.example/note/?x=1&amp;y=2#part">note &gt; Part</a>' in shown
    assert "<code>[[Note]]</code>" in shown
    assert "note:" not in shown
    plain = (
        MarkdownRenderer()
        .render('<a href="note:x">x</a> [y](note:y)', None, "https://test.example/", "e-", "", links)
        .html
    )
    assert plain == "<p>x y</p>"


@pytest.mark.databases("sqlite", "postgres")
def test_links_follow_the_articles_that_they_lead_to(site):
    """A link gets an article's URL when it goes live, and a new one when the URL changes or the article is removed."""
    site.configure(feeds={"guard": 1})
    site.article("posts/a.md", "[b](../b.md#x)", title="A", category="one")
    site.publish()
    seen = "https://test.example/one/b.md#x"
    assert find_hrefs(site) == [seen]

    def expect(url):
        """Publish; check that all documents with the link changed if the link changed."""
        nonlocal seen
        with site.catalog.read_transaction() as catalog:
            before = {path: catalog.feed(path).revision for path in ("", "category/one")}
        site.publish()
        assert find_hrefs(site) == [url]
        with site.catalog.read_transaction() as catalog:
            changed = {path for path in before if catalog.feed(path).revision > before[path]}
        assert changed >= ({"", "category/one"} if url != seen else set())
        seen = url

    site.article("b.md", title="B", draft=True)
    expect("https://test.example/one/b.md#x")
    site.article("b.md", title="B")
    expect("https://test.example/b/#x")
    site.article("b.md", title="B", slug="c")
    expect("https://test.example/c/#x")
    site.article("b.md", title="B", link="https://other.example/#top")
    expect("https://other.example/#x")
    (site.content / "b").mkdir()
    (site.content / "b.md").rename(site.content / "b/index.md")
    expect("https://other.example/#x")
    (site.content / "b/index.md").rename(site.content / "d.md")
    expect("https://test.example/one/b.md#x")
    site.article("b.md", title="B", date="2026-06-01T13:00:00Z")
    expect("https://test.example/one/b.md#x")
    site.now = site.now.replace(hour=14)
    expect("https://test.example/b/#x")
    (site.content / "b.md").unlink()
    expect("https://test.example/one/b.md#x")
    site.article("posts/a.md", "[d](../d.md)", title="A", category="one")
    expect("https://other.example/#top")
    site.article("posts/a.md", "[x](https://x.example/)", title="A", category="one")
    expect("https://x.example/")


@pytest.mark.databases("sqlite", "postgres")
def test_a_note_is_found_by_the_end_of_its_name(site):
    """Of several notes, the one in the same folder is used, or that with the shortest path; letter case is ignored."""
    site.configure(content={"markdown": "obsidian"}, feeds={"guard": 1})
    site.article("deep/er/note.md", title="Deeper", slug="deeper")
    site.article("one/a.md", "[[Note]] [[er/note|x]] [[deep/note]]", title="A")
    site.publish()
    assert find_hrefs(site) == ["https://test.example/deeper/", "https://test.example/deeper/"]
    site.article("other/Note.md", title="Other", slug="other")
    site.publish()
    assert find_hrefs(site) == ["https://test.example/other/", "https://test.example/deeper/"]
    site.article("one/note.md", title="Near", slug="near")
    site.publish()
    assert find_hrefs(site) == ["https://test.example/near/", "https://test.example/deeper/"]


def test_all_paths_are_read_once_in_a_run(site, monkeypatch):
    """One query of a run, only if it is needed, reads all paths for links that name the end of a path."""
    monkeypatch.setattr("feeds.publish.links._PAGE_ROWS", 2)
    asked = []
    for number in range(7):
        site.article(f"{number}.md", f"[x]({{{{< ref n{number % 3} >}}}}) [y](0.md)", title=f"T{number}")
        site.article(f"deep/n{number}.md", title=f"N{number}")

    def note(_connection, _cursor, statement, *_more):
        asked.append(" ".join(statement.split()))

    def reads():
        """Return the number of queries that read the paths of all live articles in a run."""
        asked.clear()
        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        site.publish()
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
        return sum(
            re.match(
                r"SELECT articles.path, articles.key FROM articles WHERE articles.live IS (1|true)$",
                said.replace('"', ""),
            )
            is not None
            for said in asked
        )

    assert reads() == 1
    assert [find_hrefs(site, f"T{number}")[0] for number in range(7)] == [
        f"https://test.example/n{number % 3}/" for number in range(7)
    ]
    site.article("deep/n1.md", title="N1", slug="other")
    assert reads() == 1
    assert find_hrefs(site, "T4")[0] == "https://test.example/other/"
    site.article("plain.md", "[x](0.md)", title="Plain")
    assert reads() == 0


def test_links_of_python_markdown_sites(site):
    """Pelican's links to files work in its dialect, which another process renders."""
    site.configure(content={"markdown": "python-markdown"})
    site.article("a.md", "[b]({filename}/posts/b.md) [c](posts/b.md)", title="A")
    site.article("posts/b.md", title="B")
    site.publish()
    assert find_hrefs(site) == ["https://test.example/b/"] * 2


def test_unresolved_links_are_reported(site):
    """`feeds check` reports exactly the links that lead to no published article."""
    site.configure(content={"markdown": "obsidian"})
    site.article("a.md", "[b](b.md) [c](c.md) [[b]] [[none]]\n\n[d](d.md)", title="A", description="d")
    site.article("b.md", title="B", description="b")
    site.article("d.md", title="D", description="d", draft=True)
    done = site.run("check")
    found = [line.split(" ", 2)[2] for line in done.stdout.splitlines() if "relative-link" in line]
    assert found == [f"{what!r} leads to no published article (relative-link)" for what in ("c.md", "none", "d.md")]


@pytest.mark.databases("sqlite", "postgres")
def test_a_build_counts_dead_links(site, monkeypatch):
    """With -v, a build says how many links lead to no published article, as `check` counts them; from cron it doesn't."""

    def last_lines():
        return [line for line in site.run("build", "-v").stderr.splitlines() if "no published article" in line]

    site.article("a.md", "[b](b.md), [b](b.md#part), [file](x.pdf) and `[code](none.md)`.\n\n    [code](none.md)")
    site.article("b.md", "[a](a.md) and [draft](draft.md)")
    site.article("draft.md", "[none](none.md)", draft=True)
    assert last_lines() == ["1 link leads to no published article; feeds check names them"]
    (site.content / "b.md").unlink()
    site.article("c.md", "[draft](draft.md)\n\n[x](y.md) and [x](y.md)")
    assert last_lines() == ["4 links lead to no published article; feeds check names them"]
    checked = [line for line in site.run("check").stdout.splitlines() if not line.startswith("content/draft.md")]
    assert sum("leads to no published article" in line for line in checked) == 4
    assert "no published article" not in site.run("build").stderr
    monkeypatch.setattr("feeds.cli.build_site._MAX_CHECKED", 1)
    assert last_lines() == ["at least 2 links lead to no published article; feeds check names them"]
    site.configure(check={"ignore": ["relative-link"]})
    assert last_lines() == []


def test_a_build_counts_missing_pictures(site):
    """With -v, a build says how many linked pictures do not exist, until they do; from cron it doesn't."""

    def last_lines():
        return [line for line in site.run("build", "-v").stderr.splitlines() if "linked picture" in line]

    site.configure(site={"pages": True})
    site.article("a.md", "![A boat](boat.png) ![x](baot.png) ![y](/static/y.png) ![z](https://x.example/z.png)")
    site.article("b.md", "![x](baot.png) [x](x.pdf)")
    site.article("draft.md", "![x](draft.png)", draft=True)
    (site.content / "boat.png").write_bytes(b"x")
    site.write("../static/y.png", "x")
    missing = "1 linked picture does not exist: content/baot.png; feeds check names the articles"
    assert last_lines() == last_lines() == [missing], "also if nothing has changed"
    assert "linked picture" not in site.run("build").stderr
    site.article("c.md", "![x](/a.png)")
    assert last_lines() == ["2 linked pictures do not exist, such as content/a.png; feeds check names the articles"]
    for name in ("a.png", "baot.png"):
        (site.content / name).write_bytes(b"x")
    assert last_lines() == []
    (site.content / "a.png").unlink()
    site.configure(check={"ignore": ["missing-image"]})
    assert last_lines() == []


def test_a_page_shows_links(site):
    """The page, the preview and the export of an article link to the other article too, and change with it."""
    site.configure(site={"pages": True})
    site.article("a.md", "[b](b.md)", title="A")
    site.article("b.md", title="B")
    site.run("build")
    page = site.root / "public/a/index.html"
    assert 'href="../b/"' in page.read_text() or 'href="https://test.example/b/"' in page.read_text()
    site.article("b.md", title="B", slug="new")
    site.run("build")
    assert "/new/" in page.read_text()


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "delete", "rename", "publish"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([{}, {"draft": True}, {"slug": "s"}, {"slug": "t"}, {"date": "2026-06-02"}, {"category": "c"}]),
    ),
    max_size=25,
)


@given(operations=OPERATIONS)
def test_links_end_as_in_a_fresh_start(tmp_path_factory, operations):
    """After any changes of linked articles, bytes of a feed change only with its stamp, and equal a fresh build's."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.configure(feeds={"guard": 1})
    seen = {}

    def publish():
        site.publish(accept=True)
        with site.catalog.read_transaction() as catalog:
            stamps = {state.path: state.revision for state in catalog.feeds()}
        for path, body in site.documents().items():
            feed = path.rpartition("/")[0].strip("/")
            assert seen.setdefault((path, stamps[feed]), body) == body

    for what, one, other, fields in [
        *(("write", n, (n + 1) % 4, {}) for n in range(4)),
        ("publish", 0, 0, {}),
        *operations,
    ]:
        file = site.content / f"{one}.md"
        if what == "write":
            site.article(
                file.name,
                f"[x]({other}.md) [y]({{{{< ref {one} >}}}})",
                **{"title": f"T{one}", "tags": [f"t{one}"], **fields},
            )
        elif what == "publish":
            publish()
        elif file.exists() and what == "delete":
            file.unlink()
        elif file.exists() and one != other:
            file.rename(site.content / f"{other}.md")
    publish()
    shown = sorted((item["url"], item["content_html"]) for item in site.feed()["items"])
    site.close()
    site.config.catalog.unlink()
    site.publish(accept=True)
    assert shown == sorted((item["url"], item["content_html"]) for item in site.feed()["items"])
    site.close()


def test_links_beyond_any_limit_are_not_searched():
    """In a text with more links than are rendered, the first ones are searched for targets."""
    body = "".join(f"[[{number}]] " for number in range(25_000))
    assert len(find_targets(body, "a.md", wikilinks=True)) == 20_000
