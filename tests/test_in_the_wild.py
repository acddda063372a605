"""Published sites with front matter of other generators: all three formats agree."""

import json

import pytest
from read_entries import read_entries

from feeds.core.errors import GuardStopped

FORMATS = ("rss.xml", "atom.xml", "feed.json")


def entries(site):
    """Return the entries of the site's feed by the path of their URL, in each format."""
    documents = site.documents()
    return {name: {entry["url"]: entry for entry in read_entries(name, documents[f"/{name}"])} for name in FORMATS}


def test_an_unlisted_article_has_a_page_only(site):
    """An unlisted article is in no feed; its page exists, hidden from search engines, and it can be listed again."""
    site.configure(site={"pages": True}, feeds={"guard": 1})
    site.article("shown.md", title="Shown", category="x")
    site.article("kept.md", title="Kept", category="x", noRSS=True)
    assert site.run("build").returncode == 0
    assert [set(found) for found in entries(site).values()] == [{"https://test.example/x/shown/"}] * 3
    page = (site.root / "public/x/kept/index.html").read_text()
    assert '<meta name="robots" content="noindex">' in page
    assert "noindex" not in (site.root / "public/x/shown/index.html").read_text()
    assert set(site.items("/category/x/feed.json")) == {"Shown"}
    site.article("kept.md", title="Kept", category="x")
    site.article("shown.md", title="Shown", category="x", feed=False)
    site.publish()
    assert set(site.items()) == {"Kept"}
    assert site.feed("/category/x/feed.json")["items"][0]["title"] == "Kept"


def test_an_article_comes_out_of_its_embargo(site):
    """An article is scheduled until the later of `publishDate` and `date`, and is then published under `date`."""
    site.article("a.md", title="A", date="2026-03-01", publishDate="2026-06-02T08:00:00Z")
    site.article("b.md", title="B")
    assert site.publish().articles == 1
    assert set(site.items()) == {"B"}
    with site.catalog.read_transaction() as catalog:
        assert [(path, at.isoformat()) for path, at in catalog.scheduled_articles(site.now)] == [
            ("a.md", "2026-06-02T08:00:00+00:00")
        ]
        assert catalog.next_change(site.now).isoformat() == "2026-06-02T08:00:00+00:00"
    assert json.loads(site.run("status", "--json").stdout)["articles"] == 1
    site.publish(site.now.replace(day=2))
    assert [item["title"] for item in site.feed()["items"]] == ["B", "A"]
    assert {entry["published"].isoformat() for found in entries(site).values() for entry in found.values() if entry["title"] == "A"} == {"2026-03-01T00:00:00+00:00"}  # fmt: skip


def test_warnings_are_reported_once(site):
    """A run warns of what it ignored in a file that it read, exits with 0, and does not repeat this for the file."""
    site.article("a.md", title="A", lang="klingon!", wip=True)
    done = site.run("build")
    assert done.returncode == 0
    assert (
        "warning: content/a.md:4: lang: 'klingon!' is not a language tag; write it like en or pt-BR; it is ignored\n"
        in done.stderr
    )
    assert (
        "warning: content/a.md:5: wip: 'true' would prevent publication in other generators, but has no effect here"
        in done.stderr
    )
    assert site.run("build").stderr == ""
    check = site.run("check")
    assert "content/a.md:4: warning: lang: 'klingon!'" in check.stdout
    assert "(withholding-key)" in check.stdout
    assert site.run("check", "--strict").returncode == 1
    assert "klingon" not in site.run("check", "--ignore", "unusable-value").stdout


def test_many_warnings_are_cut_short(site, monkeypatch):
    """A run lists a limited number of warnings, and counts the others."""
    monkeypatch.setattr("feeds.publish.scan._MAX_WARNINGS", 3)
    for number in range(5):
        site.article(f"{number}.md", title="T", lang="?")
    done = site.run("build")
    assert done.stderr.count("is not a language tag") == 3
    assert done.stderr.endswith("warning: 2 more warnings; `feeds check` lists them\n")


def test_pages_without_a_date_cost_one_notice(site):
    """about.md and README.md are omitted with one notice and exit code 0; with a date they are articles."""
    site.article("a.md", title="A")
    site.write("README.md", "# Read me\n")
    site.write("about.md", "---\ntitle: About\n---\nWe.\n")
    done = site.run("build")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith(
        "notice: without a date, so treated as pages and not published: content/README.md, content/about.md; "
    )
    assert set(site.items()) == {"A"}
    assert "undated-page" in site.run("check", "-v").stdout
    site.article("about.md", title="About")
    assert site.run("build").stderr == ""
    assert set(site.items()) == {"A", "About"}


def test_a_note_without_a_title(site):
    """An untitled note has no title in RSS and JSON Feed; Atom and pages use the beginning of its text."""
    site.configure(site={"pages": True})
    site.write(
        "2026-05-01-093000.md",
        "A heron stood at the quay, and nobody else was there to see it but the boy with the bicycle.\n",
    )
    site.publish()
    found = entries(site)
    (rss,), (atom,), (item,) = (found[name].values() for name in FORMATS)
    assert rss["title"] == ""
    assert b"<title></title>" not in site.documents()["/rss.xml"]
    assert "title" not in site.feed()["items"][0]
    assert atom["title"] == "A heron stood at the quay, and nobody else was there to see it but the boy with…"
    assert rss["html"] == atom["html"] == item["html"]
    assert site.run("build").returncode == 0
    assert "A heron stood at the quay" in (site.root / "public/index.html").read_text()
    assert "<h1" not in (site.root / "public/093000/index.html").read_text()


def test_the_url_by_title_of_a_note_stays(site):
    """Without a title, {title} in a permalink is the name of the file, as in earlier versions."""
    site.configure(content={"permalink": "/{title}/"})
    site.write("2026-05-01-093000.md", "Text.\n")
    site.publish()
    assert site.feed()["items"][0]["url"] == "https://test.example/093000/"


def test_addresses_elsewhere(site):
    """`canonical_url` is the entry's URL in all formats; `external_url` is the RSS link, and is in the others too."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A", canonical_url="https://first.example/p")
    site.article("b.md", title="B", external_url="https://else.example/x")
    assert site.run("build").returncode == 0
    found = entries(site)
    assert all("https://first.example/p" in urls for urls in found.values())
    assert "https://else.example/x" in found["rss.xml"]
    assert "https://test.example/b/" in found["atom.xml"]
    assert {item["title"]: item.get("external_url") for item in site.feed()["items"]} == {
        "A": None,
        "B": "https://else.example/x",
    }
    assert b'<link href="https://else.example/x" rel="related" type="text/html"/>' in site.documents()["/atom.xml"]
    assert '<link rel="canonical" href="https://first.example/p">' in (site.root / "public/a/index.html").read_text()


def test_authors_files(site):
    """authors.yml beside or above the articles gives names; a change of it changes entries, but no id and no date."""
    site.article("blog/a.md", title="A", authors=["fay"])
    site.article("b.md", title="B", author="fay")
    site.publish()
    assert {author["name"] for item in site.feed()["items"] for author in item["authors"]} == {"fay"}
    before = {item["id"]: item["date_published"] for item in site.feed()["items"]}
    site.write("blog/authors.yml", "fay:\n  name: Fay Gray\n  url: https://fay.example\n")
    site.publish()
    assert site.items()["A"]["authors"] == [{"name": "Fay Gray", "url": "https://fay.example"}]
    assert site.items()["B"]["authors"] == [{"name": "fay"}]
    site.write(".authors.yml", "authors:\n  fay: {name: F. Gray, description: writes}\n")
    assert site.publish(only=[".authors.yml"]).changed
    assert site.items()["B"]["authors"] == [{"name": "F. Gray"}]
    assert site.publish().changed == ()
    site.write("blog/authors.yml", "fay: [\n")
    site.publish()
    assert site.items()["A"]["authors"] == [{"name": "fay"}]
    assert {item["id"]: item["date_published"] for item in site.feed()["items"]} == before
    for found in entries(site).values():
        assert sorted(entry["authors"] for entry in found.values()) == [["F. Gray"], ["fay"]]


def test_lengths_of_enclosures(site):
    """The length of a file beside its article is measured; a given length, and that of other files, is kept."""
    site.write(
        "ep/index.md",
        "---\ntitle: A\ndate: 2026-05-01\nenclosures: [talk%201.mp3, ../../secret.mp3, 'https://x.example/talk 1.mp3']\n---\nx",
    )
    site.write("ep/talk 1.mp3", b"\0" * 1234)
    (site.root / "secret.mp3").write_bytes(b"\0" * 99)
    site.write("b.md", "---\ntitle: B\ndate: 2026-05-01\naudio: {url: ./c.ogg, length: 7}\n---\nx")
    site.write("c.ogg", b"\0" * 55)
    site.publish()
    for found in entries(site).values():
        lengths = {entry["title"]: [length for *_, length in entry["files"]] for entry in found.values()}
        assert lengths == {"A": [1234, 0, 0], "B": [7]}
    assert site.publish(read_all=True).changed == ()


@pytest.mark.parametrize(
    ("permalink", "urls"),
    [
        (
            "/{category}/{slug}/",
            {"en": "/walk/", "fr": "/index.fr/", "pt-BR": "/note.pt_BR/", "gl": "/x.gl/", None: "/node.js/"},
        ),
        (
            "/{lang}/{slug}/",
            {"en": "/walk/", "fr": "/fr/walk/", "pt-BR": "/pt-BR/note/", "gl": "/gl/x/", None: "/node.js/"},
        ),
    ],
)
def test_languages_of_file_names(site, permalink, urls):
    """A language tag in a file name is the article's language; the address contains it only through {lang}."""
    site.configure(content={"permalink": permalink})
    for path in ("walk/index.md", "walk/index.fr.md", "note.pt_BR.md", "x.md", "x.gl.md", "node.js.md"):
        site.article(path, title=path)
    site.publish()
    for found in entries(site).values():
        languages = {
            entry["title"]: (entry["language"], url.removeprefix("https://test.example"))
            for url, entry in found.items()
        }
        assert languages["walk/index.fr.md"] == ("fr", urls["fr"])
        assert languages["walk/index.md"] == ("en", urls["en"])
        assert languages["note.pt_BR.md"] == ("pt-BR", urls["pt-BR"])
        assert languages["x.gl.md"] == ("gl", urls["gl"])
        assert languages["node.js.md"] == ("en", urls[None])
    assert {item["id"] for item in site.feed()["items"]} >= {
        "tag:test.example,2026:note.pt_BR",
        "tag:test.example,2026:walk/index.fr",
    }


def test_the_guard_counts_unlisted_articles(site):
    """A folder that is suddenly empty stops a run, also if most of its articles were unlisted."""
    site.article("a.md", title="A")
    for number in range(3):
        site.article(f"u{number}.md", title="U", unlisted=True)
    site.publish()
    for file in site.content.glob("*.md"):
        file.unlink()
    with pytest.raises(GuardStopped):
        site.publish()
    assert set(site.items()) == {"A"}


def test_the_image_is_in_the_text(site):
    """With `feeds.image_in_text`, texts in all formats begin with the image; the article's page shows it once."""
    site.configure(site={"pages": True}, feeds={"image_in_text": True})
    site.article("a.md", "One.", title="A", image={"url": "/a.png", "alt": "A lamp"})
    site.article("b.md", "Two. ![B](/b.png?w=1)", title="B", image="/b.png?w=2")
    assert site.run("build").returncode == 0
    image = '<p><img src="https://test.example/a.png" alt="A lamp"></p>\n'
    for found in entries(site).values():
        assert found["https://test.example/a/"]["html"] == f"{image}<p>One.</p>"
        assert found["https://test.example/b/"]["html"].count("<img") == 1
        assert found["https://test.example/a/"]["summary"] == "One."
    for name in ("a", "b"):
        page = (site.root / f"public/{name}/index.html").read_text()
        assert page.count("<img") == 1
    assert 'class="u-photo"' in (site.root / "public/a/index.html").read_text()


@pytest.mark.parametrize("own", ["", "/blog"])
def test_paths_on_the_site(site, own):
    """In every field, a path that begins with / is below `site.url`; a URL in the text is resolved as by a browser."""
    url = f"https://test.example{own}"
    site.configure(site={"url": url, "icon": "/icon.png", "pages": True})
    front = {
        "link": "/p/",
        "image": "/img/c.jpg",
        "enclosures": ["/files/a.mp3", f"{own}/files/b.pdf", "c.pdf", "//cdn.example/d.pdf"],
        "author": {"name": "Ann", "url": "/ann/"},
    }
    site.article("a.md", "Text ![x](/x.png) [y](/y/).", title="A", **front)
    site.article("b.md", title="B", canonical_url="/first/", external_url="/about/")
    site.article("c.md", title="C", image=f"{own}/img/c.jpg")
    assert site.run("build").returncode == 0
    documents = site.documents()
    files = [f"{url}/files/a.mp3", f"{url}/files/b.pdf", f"{url}/c.pdf", "https://cdn.example/d.pdf"]
    for name in FORMATS:
        read = {entry["title"]: entry for entry in read_entries(name, documents[f"/{name}"])}
        assert read["A"]["url"] == f"{url}/p/"
        assert read["A"]["image"] == read["C"]["image"] == f"{url}/img/c.jpg"
        assert [file[0] for file in read["A"]["files"]] == files
        assert 'src="https://test.example/x.png"' in read["A"]["html"]
        assert 'href="https://test.example/y/"' in read["A"]["html"]
        assert read["B"]["url"] == (f"{url}/about/" if name == "rss.xml" else f"{url}/first/")
    assert f"<url>{url}/icon.png</url>".encode() in documents["/rss.xml"]
    assert f"<icon>{url}/icon.png</icon>".encode() in documents["/atom.xml"]
    assert f"<uri>{url}/ann/</uri>".encode() in documents["/atom.xml"]
    assert f'href="{url}/about/" rel="related"'.encode() in documents["/atom.xml"]
    feed = json.loads(documents["/feed.json"])
    assert feed["icon"] == f"{url}/icon.png"
    assert next(item for item in feed["items"] if item["title"] == "A")["authors"][0]["url"] == f"{url}/ann/"
    assert next(item for item in feed["items"] if item["title"] == "B")["external_url"] == f"{url}/about/"
    page = (site.root / "public/p/index.html").read_text()
    assert {'class="u-photo" src="../img/c.jpg"' in page, 'href="../ann/"' in page} == {True}
    assert f'rel="canonical" href="{url}/first/"' in (site.root / "public/b/index.html").read_text()


def test_the_cover_of_a_note_is_in_the_vault(site):
    """A link to an image is the image of a note: beside the note, in the vault, or in its attachments folder."""
    site.configure(site={"pages": True}, content={"markdown": "obsidian"})
    site.write(".obsidian/app.json", '{"attachmentFolderPath": "files"}')
    for place in ("files/far away.png", "notes/near.png"):
        site.write(place, "x")
    site.article("notes/a.md", title="A", cover="[[far away.png]]")
    site.article("notes/b.md", title="B", cover="[[near.png|200]]")
    site.article("notes/c.md", title="C", cover="/near.png")
    site.publish()
    images = {item["title"]: item["image"] for item in site.feed()["items"]}
    assert images == {
        "A": "https://test.example/files/far%20away.png",
        "B": "https://test.example/notes/near.png",
        "C": "https://test.example/near.png",
    }
