"""Sixty hostile articles and ten good ones: good ones are published, hostile ones cleaned or rejected.

A second part runs a sample of the inputs of `benchmarks/fuzz.py`.
"""

import json
import os
from random import Random

import fuzzing
import hypothesis
import pytest
from conftest import Site
from lxml import etree
from rules import violations
from test_specification import EXAMPLES

DATE = "date: 2026-05-01T10:00:00Z\n"


def front(lines, body="Text."):
    return f"---\n{DATE}{lines}\n---\n\n{body}\n"


def bomb():
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    return f"---\n{DATE}l0: &l0 [x]\n{levels}---\nText.\n"


# name -> (text, whether it is published; None: depends on the speed of the machine)
ARTICLES = {
    "controls": (front('title: "a\\x01\\x08b"', "c\x00\x0b\x1f\x7f\x9fd"), True),
    "surrogates-json": ('{"date": "2026-05-01", "title": "a\\ud800b"}\nText \\udfff.', True),
    "surrogates-utf8": (front("title: t").encode() + b"\xed\xa0\x80", False),
    "noncharacters": (front('title: "\\uFFFE\\uFFFFx"', "\ufffe\uffff &#xFFFE; &#0; &#x1;"), True),
    "cdata-end": (front('title: "]]> ]]&gt;"\ndescription: "]]>"', "]]> <![CDATA[ ]]>"), True),
    "bom": ("\ufeff" + front("title: bom"), True),
    "crlf": (front("title: crlf").replace("\n", "\r\n"), True),
    "cr-only": (front("title: cr").replace("\n", "\r"), True),
    "utf-16": (front("title: x").encode("utf-16"), False),
    "utf-16-no-bom": (front("title: x").encode("utf-16-le"), True),
    "latin-1": (front("title: café").encode("latin-1"), False),
    "empty": (b"", False),
    "nul-only": (b"\x00" * 1000, False),
    "binary": (bytes(range(256)) * 100, False),
    "two-megabytes": (front("title: big", "word " * 400_000), False),
    "half-a-megabyte": (front("title: half", "word " * 100_000), None),
    "yaml-bomb": (bomb(), False),
    "yaml-merge": (f"---\n{DATE}a: &a {{title: x}}\nb: {{<<: *a}}\n---\n", False),
    "yaml-brackets": (f"---\n{DATE}a: " + "[" * 40_000 + "\n---\n", False),
    "yaml-braces": (f"---\n{DATE}a: " + "{a: " * 10_000 + "\n---\n", False),
    "yaml-tag": (f"---\n{DATE}a: !!python/object/apply:os.system ['true']\n---\n", False),
    "yaml-twice": (f"---\n{DATE}title: a\ntitle: b\n---\n", False),
    "yaml-twice-the-same": (f"---\n{DATE}{DATE}---\n", True),
    "yaml-int-key": (front("1: one\ntitle: int key"), True),
    "yaml-complex-key": (front("? [a, b]\n: c"), False),
    "yaml-two-documents": (f"---\n{DATE}---\n---\nmore: x\n---\nText", True),
    "yaml-huge": (front("a: " + "x" * 100_000), False),
    "yaml-open": (f"---\n{DATE}title: never closed\n", False),
    "yaml-tabs": ("---\n\tdate: 2026-05-01\n---\n", False),
    "toml-deep": ("+++\ndate = 2026-05-01\na = " + "[" * 20_000 + "\n+++\n", False),
    "toml-digits": ("+++\ndate = 2026-05-01\na = " + "9" * 20_000 + "\n+++\n", False),
    "toml-broken": ("+++\ndate = \n+++\n", False),
    "json-deep": ('{"date": "2026-05-01", "a": ' + "[" * 60_000 + "}", False),
    "json-nan": ('{"date": "2026-05-01", "title": NaN}\nText', True),
    "brackets": (front("title: b", "[" * 20_000), True),
    "image-brackets": (front("title: b", "![" * 10_000), True),
    "open-links": (front("title: b", "[a](" * 5_000), None),
    "tags": (front("title: t", "<a " * 10_000), None),
    "divs": (front("title: d", "<div>" * 60_000), None),
    "fences": (front("title: f", "\n".join("`" * n for n in range(3, 600))), None),
    "deep-list": (front("title: l", "\n".join(" " * 2 * n + "* x" for n in range(600))), None),
    "deep-list-2000": (front("title: l", "\n".join(" " * (n // 4) + "* x" for n in range(2000))), None),
    "deeper-list": (front("title: l", "\n".join("    " * n + "* x" for n in range(300))), True),
    "deep-quote": (front("title: q", ">" * 20_000), None),
    "definitions": (front("title: d", "a\n: b\n" * 3_000), True),
    "impossible-date": ("---\ndate: 2026-02-30\n---\n", False),
    "month-13": ("---\ndate: 2026-13-01\n---\n", False),
    "no-date": ("---\ntitle: x\n---\n", False),
    "year-9999": ("---\ndate: 9999-12-31T23:59:59Z\ntitle: far\n---\n", "scheduled"),
    "year-10000": ("---\ndate: 10000-01-01\n---\n", False),
    "year-1": ("---\ndate: 0001-01-01T00:00:00Z\ntitle: first\n---\nText.", True),
    "beyond-utc": ("---\ndate: 9999-12-31T23:59:59-10:00\n---\n", False),
    "zone-99": ("---\ndate: 2026-01-01T00:00:00+99:00\n---\n", False),
    "title-int": (front("title: 20260105"), True),
    "title-null": (front("title: null"), True),
    "title-mapping": (front("title: {a: b}"), False),
    "title-list": (front("title: [a]"), False),
    "title-huge": (front("title: " + "x" * 50_000), True),
    "title-markup": (front("title: '<script>alert(1)</script> & <b>'"), True),
    "slug-climbs": (front("title: climbs\nslug: ../../x"), True),
    "slug-host": (front("title: host\nslug: //evil"), True),
    "slug-js": (front("title: js\nslug: javascript:alert(1)"), True),
    "slug-controls": (front('title: c\nslug: "a\\x00b\\nc"'), True),
    "link-js": (front("link: javascript:alert(1)"), False),
    "link-host": (front("url: //evil.example"), False),
    "tags-strange": (front("title: strange\ntags: ['..', '/', 'CON', 'a/b', '" + "x" * 300 + "', '\u202e', '😀']"), True),
    "author-address": (front("title: a\nauthor: 'X <not an address>'"), True),
    "script": (front("title: s", "<script>alert(1)</script><img src=x onerror=alert(1)>[x](javascript:alert(1))"), True),
    "duplicate-slug-1": (front("title: one\nslug: twice"), True),
    "duplicate-slug-2": (front("title: two\nslug: twice"), True),
    "duplicate-id-1": (front("title: one\nid: urn:x:twice"), True),
    "duplicate-id-2": (front("title: two\nid: urn:x:twice"), False),
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the site with all articles, built once."""
    site = Site(tmp_path_factory.mktemp("hostile"))
    site.configure(feeds={"limit": 200})
    for n in range(10):
        site.article(f"good/{n}.md", f"Good {n}.", title=f"good {n}", date=f"2026-05-{n + 10}")
    for name, (text, _) in ARTICLES.items():
        site.write(f"{name}.md", text)
    outside = site.root / "outside.md"
    outside.write_text(front("title: secret"))
    (site.content / "link-out.md").symlink_to(outside)
    (site.content / "link-up").symlink_to("..")
    os.mkfifo(site.content / "pipe.md")
    (site.content / "folder.md").mkdir()
    site.article("mode-000.md", title="mode").chmod(0)
    with open(os.fsencode(site.content) + b"/not-utf8-\xff.md", "w", encoding="utf-8") as file:
        file.write(front("title: name"))
    site.done = site.run("build")
    yield site
    site.close()


def test_the_run_ends_well(built):
    """The run ends, publishes, lists the rejected articles, and has exit code 1."""
    assert built.done.returncode == 1
    assert "Traceback" not in built.done.stderr


def test_all_good_articles_are_published(built):
    """No good article is affected by the hostile ones."""
    titles = [item["title"] for item in json.loads((built.root / "public" / "feed.json").read_bytes())["items"]]
    assert {f"good {n}" for n in range(10)} <= set(titles)


@pytest.mark.parametrize("name", ARTICLES)
def test_each_is_cleaned_or_refused(built, name):
    """Each hostile article is either published in a clean form, or rejected with its path, a line and a reason."""
    wanted = ARTICLES[name][1]
    (row,) = [line for line in built.done.stderr.splitlines() if line.startswith(f"content/{name}.md:")] or [""]
    with built.catalog.read_transaction() as catalog:
        live = {record.article.path for record in catalog.newest_entries("", 1000)}
        scheduled = {path for path, _ in catalog.scheduled_articles(built.now)}
    published = f"{name}.md" in live
    assert published is not bool(row) or (wanted == "scheduled" and f"{name}.md" in scheduled)
    if wanted in (True, False):
        assert published is wanted
    if row:
        line, _, reason = row.removeprefix(f"content/{name}.md:").partition(": ")
        assert int(line) >= 1
        assert len(reason) > 4


@pytest.mark.parametrize("name", ["link-out.md", "pipe.md", "not-utf8-\\xff.md"])
def test_what_is_no_file_of_ours_is_refused(built, name):
    """Links out of the folder, pipes and names that are not UTF-8 are rejected, and their content is not read."""
    assert f"content/{name}:1: " in built.done.stderr
    assert b"secret" not in (built.root / "public" / "feed.json").read_bytes()


def test_every_document_is_valid(built):
    """Every document of this site follows all rules of its format."""
    documents = [
        path for path in (built.root / "public").rglob("*") if path.suffix in (".xml", ".json") and path.name[0] != "."
    ]
    assert len(documents) > 9
    for path in documents:
        body = path.read_bytes()
        if path.suffix == ".xml":
            etree.fromstring(body)
    for name in ("rss.xml", "atom.xml", "feed.json"):
        assert list(violations(name, (built.root / "public" / name).read_bytes(), f"https://test.example/{name}")) == []


def test_links_stay_on_the_site(built):
    """Whatever slug or link an article sets, its URL is on the site."""
    for item in json.loads((built.root / "public" / "feed.json").read_bytes())["items"]:
        assert item["url"].startswith("https://test.example/")
        assert "/../" not in item["url"]
        assert "//" not in item["url"].removeprefix("https://")


def test_a_second_run_says_the_same(built):
    """The next run reports the rejected articles again, with -v, and changes no document."""
    before = {path: path.stat().st_mtime_ns for path in (built.root / "public").rglob("*.xml")}
    again = built.run("build", "-v")
    assert again.returncode == 1

    def refused(done):
        """Return the messages about files, without warnings and messages that appear only while rendering."""
        lines = [line for line in done.stderr.splitlines() if line.startswith("content/")]
        return {line.rpartition(": ")[0] for line in lines if "shown as plain text" not in line}

    assert refused(again) == refused(built.done)
    assert {path: path.stat().st_mtime_ns for path in before} == before


ARTICLE = """\
# How the *lighthouse* was moved {#moved}

The tower stood 40 metres from the edge in 1999[^1]; see <https://tower.example/plan?a=1&b=2> or www.tower.example.
<!--more-->

> [!NOTE] On units
> A tonne is $1000 \\times 1\\,\\mathrm{kg}$, and \\(t_0 = 0\\).

:::tip[Before you read]
1. Look at the ![map](map.png "North is up").
   - [x] rails
   - [ ] jacks, ~~four~~ six
:::

| part | weight |
|:-----|------:|
| lamp `a|b` | 2 |

<details open><summary>Log</summary>

```sh title="move.sh"
for step in {1..100}; do push --by 0.3 & done
```

</details>

Jack
: What lifts. {: .term }

<video src="move.mp4" poster=p.jpg></video> <svg><title>Tower</title></svg> [[Notes|text]] ![[a.png]] %%hidden%% ==seen==

[^1]: Measured by *hand*[^2].
[^2]: Twice.

[plan]: /plan 'The plan'
"""
SEEDS = [ARTICLE, *ARTICLE.split("\n\n"), *(markdown for _, markdown, _ in EXAMPLES)]


def test_each_construct_repeated_and_nested():
    """No repeated or nested construct of Markdown or HTML produces HTML that parsers or feeds do not allow."""
    for number, (name, make) in enumerate(fuzzing.structured(min(400, 20 * hypothesis.settings().max_examples))):
        assert (name, fuzzing.violations(make(), fuzzing.DIALECTS[number % 2])) == (name, [])


def test_repeated_sequences():
    """Random sequences of marks and tags, repeated, are rendered to HTML that parsers and feeds allow, or are rejected."""
    for number in range(20 * hypothesis.settings().max_examples):
        body = fuzzing.repeat(Random(f"repeated-{number}"), 2_000)
        assert (body, fuzzing.violations(body, fuzzing.DIALECTS[number % 2])) == (body, [])


def test_mutated_articles():
    """Randomly changed articles are rendered to HTML that parsers and feeds allow, or are rejected."""
    for number in range(50 * hypothesis.settings().max_examples):
        body = fuzzing.mutate(Random(f"mutated-{number}"), SEEDS)
        assert (body, fuzzing.violations(body, fuzzing.DIALECTS[number % 2])) == (body, [])
