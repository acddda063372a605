"""Images and other files that articles refer to: their URLs, serving, export, and reports of missing ones."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from read_entries import read_entries

from feeds.core.article_files import ArticleFiles, resolve_path
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.parse.html import file_references
from feeds.core.parse.media import may_reference_files

URL = "https://test.example"
FLAT, OWN = ArticleFiles("news/a.md", URL), ArticleFiles("news/a/index.md", URL, f"{URL}/town/a/")
BELOW = ArticleFiles("news/a.md", f"{URL}/blog")


@pytest.mark.parametrize(
    ("files", "reference", "url"),
    [
        (FLAT, "x.png", f"{URL}/news/x.png"),
        (FLAT, "./images/x y.png", f"{URL}/news/images/x%20y.png"),
        (FLAT, "images/x%20y.png?w=1#z", f"{URL}/news/images/x%20y.png?w=1#z"),
        (FLAT, "../x.png", f"{URL}/x.png"),
        (BELOW, "../x.png", f"{URL}/blog/x.png"),
        (OWN, "x.png", f"{URL}/town/a/x.png"),
        (OWN, "sub/x.png", f"{URL}/town/a/sub/x.png"),
        (OWN, "../x.png", f"{URL}/news/x.png"),
        (ArticleFiles("a.md", URL), "x.png", f"{URL}/x.png"),
        (FLAT, "../../x.png", None),
        (FLAT, ".git/x.png", None),
        (FLAT, "%2e%2e/%2e%2e/x.png", None),
        (FLAT, "/x.png", None),
        (FLAT, "//x.example/x.png", None),
        (FLAT, "https://x.example/x.png", None),
        (FLAT, "data:image/png;base64,AA", None),
        (FLAT, "?x", None),
        (ArticleFiles("news/a.md"), "x.png", None),
    ],
)
def test_where_a_file_beside_an_article_is(files, reference, url):
    """A file is at its path below the content folder, or at the page's address if it is in the article's own folder."""
    assert files.url(reference) == url


@pytest.mark.parametrize(
    ("files", "reference", "path"),
    [
        (FLAT, "x.png", "news/x.png"), (FLAT, "/static/x%20y.png?v=1", "static/x y.png"), (FLAT, f"{URL}/x.png", "x.png"),
        (BELOW, "/blog/x.png", "x.png"), (BELOW, "/x.png", None), (FLAT, "https://x.example/x.png", None), (FLAT, "/../x.png", "x.png"),
        (FLAT, "/%2e%2e/x.png", None), (FLAT, "/.git/x.png", None), (FLAT, "/", None), (FLAT, "//[", None),
        (FLAT, "/%2f", None), (FLAT, "/%2fa.png", None),
    ],
)  # fmt: skip
def test_which_file_a_reference_means(files, reference, path):
    """References that are relative, begin with / or are absolute mean the same file; other references mean none."""
    assert files.path(reference) == path


@given(
    st.lists(st.sampled_from(["..", ".", "a", "/", "%2e", "%2f", "\\", "b.png", "?", "#", ":", " ", "\x00", "é"])).map(
        "".join
    )
)
def test_no_reference_leads_out(reference):
    """Any reference gives a path below the content folder without hidden parts, or none."""
    for files in (FLAT, OWN, BELOW):
        for path in (files.path(reference), resolve_path(files.article, reference)):
            assert path is None or not any(part in ("", "..") or part.startswith(".") for part in path.split("/"))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("![x](a.png) and ![y](<b c.jpg>)", ["a.png", "b%20c.jpg"]),
        ("![x](a(1).png 'Title') a.png (b.png)", ["a(1).png"]),
        ("[x] ![y]\n\n[x]: sub/a.pdf\n[y]: y.png\n[z]: unused.png", ["sub/a.pdf", "y.png"]),
        ("<img src=b.png> <img src='c d.png'> <IMG SRC=\"e.png\">", ["b.png", "c d.png", "e.png"]),
        ('<img srcset="a.png 1x, b.png 2x" src="c.png">', ["a.png", "b.png", "c.png"]),
        ('<img src="stand-in.png" data-src="c.png" data-srcset="d.png 2x">', ["c.png", "d.png"]),
        ('<video poster="d.jpg"><source src="e.mp4"><track src="f.vtt"></video> <audio src=g.mp3></audio>', ["d.jpg", "e.mp4", "f.vtt", "g.mp3"]),
        ('<object data="a.pdf">\n<a href="b.pdf">b</a></object> <iframe src="c.svg"></iframe>', ["a.pdf", "b.pdf", "c.svg"]),
        ("![x](g%20h.png?w=1) ![x](i\\_j.png) ![x](k&amp;l.png) ![x](m&#46;png)", ["g%20h.png?w=1", "i_j.png", "k&l.png", "m.png"]),
        ("[x](A.MP3) [y](https://test.example/b.pdf) <https://test.example/c.zip>", ["A.MP3", f"{URL}/b.pdf", f"{URL}/c.zip"]),
        ('![a]({{ site.url }}/a.png) ![b]({{ "/b.png" | relative_url }})', ["/a.png", "/b.png"]),
        ("```\n![x](secret/notes.txt)\n```\n\n    ![x](indented.txt)", []),
        ('`<meta data-x="backup.zip">` `` ![x](`a.png) ``', []),
        ("<!-- ![old](old.png) <img src='older.png'> --> \\![x]\\(escaped.png)", []),
        ('data="private.json" src=secret.txt <meta data-x="backup.zip"> <p data-src="a.png">x</p>', []),
        ('<script src="a.json"></script><template><img src="b.png"></template><svg><image href="c.png"/></svg>', []),
        ("![[e.png]]", []),
    ],
)  # fmt: skip
def test_files_to_which_a_text_refers(body, names):
    """References are found in the HTML of an article, not in code, comments or plain text."""
    assert sorted(file_references(MarkdownRenderer().convert(body))) == sorted(names)
    assert may_reference_files(body) or not names


def test_files_to_which_a_note_refers():
    """Obsidian's embedded images are references, but not those in comments or embedded notes."""
    html = MarkdownRenderer("obsidian").convert(
        "![[e f.png|300]] ![[g.png#x]] %%![[h.png]] ![i](i.png)%% ![[j.pdf]] [[k.png]]"
    )
    assert [path for one in file_references(html) if (path := ArticleFiles("a.md", URL).path(one))] == [
        "e f.png",
        "g.png",
    ]


@pytest.fixture
def pages(site):
    """Yield a site with pages, and with files that articles refer to and others."""
    site.configure(site={"pages": True})
    site.article(
        "news/2026-05-01-a.md",
        "![x](images/x.png) ![x](<images/two words.png>) <img srcset='images/s.png 2x' alt=''> [y](y.pdf) ![z](/static/z.png)\n\n"
        "![up](../up.png) ![out](../../out.png) ![kind](a.exe) ![hidden](.hidden.png) ![feed](/feed.json) ![gone](gone.png)",
        title="A",
        image="cover.jpg",
        audio="talk.mp3",
    )
    site.article("news/2026-05-02-draft.md", "![d](images/draft.png)", title="D", draft=True)
    site.article("own/index.md", "Own. ![in](in.png) ![x](../news/images/x.png)", title="Own", date="2026-04-01")
    for name in (
        "news/images/x.png", "news/images/two words.png", "news/images/s.png", "news/images/draft.png", "news/images/unused.png",
        "news/y.pdf", "news/cover.jpg", "news/talk.mp3", "news/a.exe", "news/.hidden.png", "static/z.png", "up.png", "feed.json",
        "own/in.png", "own/unused.png",
    ):  # fmt: skip
        site.write(name, name)
    (site.root / "out.png").write_text("out")
    site.publish()
    return site


SERVED = (
    "/news/images/x.png", "/news/images/two%20words.png", "/news/images/s.png", "/news/y.pdf", "/news/cover.jpg", "/news/talk.mp3",
    "/static/z.png", "/up.png", "/own/in.png", "/own/unused.png",
)  # fmt: skip
NOT_SERVED = (
    "/news/images/draft.png", "/news/images/unused.png", "/news/a.exe", "/news/.hidden.png", "/news/gone.png", "/out.png", "/../out.png",
    "/news/..%2fup.png", "/news/images", "/news/2026-05-01-a.md", "/a/images/x.png", "/rss.xml.gz", "/static/none.png", "/static/..%2fup.png",
)  # fmt: skip


def test_texts_lead_to_files(pages):
    """All three formats contain the same URLs of files, in texts, images and enclosures."""
    documents = pages.documents()
    for name in ("rss.xml", "atom.xml", "feed.json"):
        read = {entry["title"]: entry for entry in read_entries(name, documents[f"/{name}"])}
        html = read["A"]["html"]
        assert f'src="{URL}/news/images/x.png"' in html
        assert f'src="{URL}/news/images/two%20words.png"' in html
        assert f'srcset="{URL}/news/images/s.png 2x"' in html
        assert f'href="{URL}/news/y.pdf"' in html
        assert f'src="{URL}/static/z.png"' in html
        assert f'src="{URL}/up.png"' in html
        assert read["A"]["image"] == f"{URL}/news/cover.jpg"
        assert [file[0] for file in read["A"]["files"]] == [f"{URL}/news/talk.mp3"]
        assert f'src="{URL}/own/in.png"' in read["Own"]["html"]
        assert f'src="{URL}/news/images/x.png"' in read["Own"]["html"]


def test_files_are_served_where_an_article_refers_to_them(pages, app):
    """Other files are not public: unreferenced, only in drafts, of other types, hidden, or outside of the folder."""
    server = app(pages)
    for path in SERVED:
        assert server.get(path).status == 200, path
    for path in NOT_SERVED:
        assert server.get(path).status == 404, path
    picture = server.get("/static/z.png")
    assert (picture.body, picture.headers["content-type"]) == (b"static/z.png", "image/png")
    assert server.get("/static/z.png", If_None_Match=picture.headers["etag"]).status == 304
    assert server.get("/static/page.css").status == 200
    assert b"jsonfeed.org" in server.get("/feed.json").body


def test_a_file_is_not_served_after_its_article(pages, app):
    """A file is removed with the last article that refers to it, or with the last reference in an edit."""
    server = app(pages)
    assert server.get("/news/y.pdf").status == server.get("/news/images/x.png").status == 200
    pages.article("news/2026-05-01-a.md", "Edited.", title="A")
    pages.publish()
    assert server.get("/news/y.pdf").status == 404
    assert server.get("/news/images/x.png").status == 200  # of the other article
    pages.article("own/index.md", title="Own", date="2026-04-01", draft=True)
    pages.publish(accept=True)
    assert server.get("/news/images/x.png").status == 404


def test_no_link_leads_out(pages, app):
    """A symbolic link that leads out of the content folder is not served; one within the folder is."""
    pages.article("links.md", "![a](inner.png) ![b](outer.png) ![c](circle.png)", title="Links")
    for name, target in (("inner", "content/up.png"), ("outer", "out.png"), ("circle", "content/circle.png")):
        (pages.content / f"{name}.png").symlink_to(pages.root / target)
    pages.publish()
    server = app(pages)
    assert [server.get(f"/{name}.png").status for name in ("inner", "outer", "circle")] == [200, 404, 404]


def test_no_link_makes_public_what_may_not_be_seen(site, app):
    """A symbolic link to a hidden file, into a hidden folder or to an article is neither served nor exported."""
    site.configure(site={"pages": True})
    names = {
        "hidden": ".hidden.png",
        "in-hidden": ".git/x.png",
        "draft": "draft.md",
        "kind": "x.exe",
        "folder": ".git",
        "fine": "x.png",
    }
    text = " ".join(f"![x]({name}.png)" for name in names) + " ![x](folder.png/x.png)"
    site.article("own/index.md", text, title="Own")
    site.article("a.md", text, title="A")
    for place in ("", "own/"):
        site.article(f"{place}draft.md", "Secret.", title="D", draft=True)
        for name in (".hidden.png", ".git/x.png", "x.exe", "x.png"):
            site.write(place + name, "x")
        for name, target in names.items():
            (site.content / f"{place}{name}.png").symlink_to(target)
    site.publish()
    server, paths = app(site), [f"/{place}{name}.png" for place in ("", "own/") for name in (*names, "folder.png/x")]
    assert [path for path in paths if server.get(path).status == 200] == ["/fine.png", "/own/fine.png"]
    assert site.run("build").returncode == 0
    assert [path for path in paths if (site.root / f"public{path}").is_file()] == ["/fine.png", "/own/fine.png"]
    missing = [line for line in site.run("check").stdout.splitlines() if line.endswith("(missing-image)")]
    assert len(missing) == len(paths) - 2


def test_files_that_are_referred_to_are_exported(pages):
    """A build writes files that articles refer to, and those of their own folders; it removes unreferenced ones."""
    assert pages.run("build").returncode == 0
    public = pages.root / "public"
    kinds = {".png", ".jpg", ".pdf", ".mp3", ".exe"}
    written = {f"/{file.relative_to(public)}".replace(" ", "%20") for file in public.rglob("*") if file.suffix in kinds}
    assert written == set(SERVED)
    assert (public / "news/images/x.png").read_text() == "news/images/x.png"
    assert (public / "feed.json").read_text().startswith("{")
    pages.article("news/2026-05-01-a.md", "![x](images/x.png)", title="A")
    assert pages.run("build").returncode == 0
    assert (public / "news/images/x.png").exists()
    assert not (public / "static/z.png").exists()


HIDDEN_IN_TEXT = "```\n![x](secret/notes.txt)\n```\n\n`<meta data-x='backup.zip'>` <!-- ![old](old.png) --> data='private.json' %%![o](o.png)%%"


@pytest.mark.parametrize("dialect", ["gfm", "obsidian", "python-markdown"])
def test_code_and_comments_make_no_file_public(site, app, dialect):
    """A file that is named only in code, a comment or plain text is neither served nor exported, in any dialect."""
    site.configure(site={"pages": True}, content={"markdown": dialect})
    site.article("a.md", f"{HIDDEN_IN_TEXT}\n\n![x](shown.png)" if dialect == "obsidian" else
                 f"{HIDDEN_IN_TEXT.partition(' %%')[0]}\n\n![x](shown.png)", title="A")  # fmt: skip
    names = ("secret/notes.txt", "backup.zip", "old.png", "private.json", "o.png")
    for name in (*names, "shown.png"):
        site.write(name, "x")
    site.publish()
    server = app(site)
    assert [server.get(f"/{name}").status for name in names] == [404] * len(names)
    assert server.get("/shown.png").status == 200
    assert site.run("build").returncode == 0
    public = site.root / "public"
    assert [name for name in (*names, "shown.png") if (public / name).exists()] == ["shown.png"]


def test_files_at_addresses_that_templates_make(site, app):
    """An image whose address contains Jekyll's variable for the site is served and exported."""
    site.configure(site={"pages": True})
    site.article("a.md", '![a]({{ site.url }}/images/a.png) ![b]({{ "/images/b.png" | relative_url }})', title="A")
    for name in "ab":
        site.write(f"images/{name}.png", "x")
    site.publish()
    assert [app(site).get(f"/images/{name}.png").status for name in "ab"] == [200, 200]
    assert site.run("build").returncode == 0
    assert {file.name for file in (site.root / "public/images").iterdir()} == {"a.png", "b.png"}


def test_too_many_references_affect_only_their_article(site):
    """An article with too many references to files is shown as plain text, and all other articles are published."""
    site.configure(site={"pages": True})
    site.article("many.md", f'<img src="a.png" srcset="{"a 1x, " * 90}">\n\n' * 1_800, title="Many")
    site.article("other.md", "Other.", title="Other")
    done = site.run("build")
    assert "many.md: shown as plain text: too many links and images" in done.stderr
    assert set(site.items()) == {"Many", "Other"}


def test_a_text_that_can_not_be_rendered_refers_to_no_file(site):
    """An article that is shown as plain text refers to no image, so it makes none public."""
    site.configure(site={"pages": True})
    site.article("a.md", "> " * 200 + "x\n\n![x](a.png)", title="A", image="b.png")
    site.publish()
    with site.catalog.read_transaction() as catalog:
        assert list(catalog.linked_files("", 9)) == ["/b.png"]


def test_an_article_may_refer_to_many_files(pages):
    """More than a thousand files and articles to which one article refers are all found."""
    text = "\n".join(f"![x](/m/{number}.png) [y](n/{number}.md)" for number in range(1_200))
    pages.article("many.md", text, title="Many")
    pages.article("n/1199.md", title="Last")
    pages.publish()
    with pages.catalog.read_transaction() as catalog:
        assert sum(target.startswith("/m/") for target in catalog.linked_files("", 9_999)) == 1_200
        assert catalog.entry_of_file("many.md").links.urls == {"n/1199": f"{URL}/1199/"}


@pytest.mark.databases("sqlite", "postgres")
def test_a_reference_may_be_of_any_length(site):
    """A reference that is longer than any file path is ignored, and not stored in the catalog's index."""
    site.configure(site={"pages": True})
    site.article("a.md", f"![x](/{'ü/' * 3_000}a.png) ![y](b.png)", title="A")
    site.publish()
    with site.catalog.read_transaction() as catalog:
        assert list(catalog.linked_files("", 9)) == ["/b.png"]


@pytest.mark.parametrize("pages_here", [True, False])
def test_references_that_no_file_can_have(site, pages_here):
    """A reference with a character that no file name can contain is reported as missing."""
    site.configure(site={"pages": pages_here})
    site.article("a.md", f"![x](a%00.png) ![y]({'n' * 300}.png)", title="A")
    assert site.run("check").stdout.count("(missing-image)") == 2


def test_a_site_with_another_home_serves_no_files(site, app):
    """Without pages, relative references are relative to the article's address, and no file is served."""
    site.article("a.md", "![x](x.png)", title="A")
    site.write("x.png", "x")
    site.publish()
    assert f'src="{URL}/a/x.png"' in site.items()["A"]["content_html"]
    assert app(site).get("/x.png").status == 404


def test_check_knows_what_is_served(pages):
    """With pages, every image of the site that is missing, or that can't be served, is reported."""
    pages.article(
        "b.md", "![a](/static/none.png) ![b](https://test.example/none.png) ![c](https://x.example/none.png)", title="B"
    )
    told = [line for line in pages.run("check").stdout.splitlines() if line.endswith("(missing-image)")]
    found = [line.split(":")[0] + " " + line.split("file ")[1].split("'")[1] for line in told]
    assert sorted(found) == [
        "content/b.md /static/none.png",
        "content/b.md https://test.example/none.png",
        "content/news/2026-05-01-a.md ../../out.png",
        "content/news/2026-05-01-a.md .hidden.png",
        "content/news/2026-05-01-a.md /feed.json",
        "content/news/2026-05-01-a.md a.exe",
        "content/news/2026-05-01-a.md gone.png",
    ]


def test_pictures_in_a_vault(site, app):
    """Obsidian's embedded images are found beside the note, by their path in the vault, and in attachments."""
    site.configure(site={"pages": True}, content={"markdown": "obsidian"})
    site.write(".obsidian/app.json", '{"attachmentFolderPath": "files"}')
    site.article(
        "notes/a.md",
        "![[beside.png]] ![[in/vault.png|A]] ![[kept.png#icon|300]]\n\n| a |\n|--|\n| ![[kept.png\\|200]] |\n\n`![[kept.png]]` ![[none.png]]",
        title="A",
    )
    for name in ("notes/beside.png", "in/vault.png", "files/kept.png"):
        site.write(name, "x")
    site.publish()
    html = site.items()["A"]["content_html"]
    for name in ("notes/beside.png", "in/vault.png", "files/kept.png"):
        assert f'src="{URL}/{name}"' in html
        assert app(site).get(f"/{name}").status == 200
    assert html.count("files/kept.png") == 2
    assert "<code>![[kept.png]]</code>" in html
    assert "there is no file 'none.png' (missing-image)" in site.run("check").stdout


@pytest.mark.parametrize("settings", ["{", "[]", '{"attachmentFolderPath": 1}', '{"attachmentFolderPath": "./files"}'])
def test_settings_of_a_vault(site, settings):
    """Unreadable settings of Obsidian are ignored, and attachments may be in a folder beside each note."""
    site.configure(site={"pages": True}, content={"markdown": "obsidian"})
    site.write(".obsidian/app.json", settings)
    site.article("notes/a.md", "![[kept.png]]", title="A")
    site.write("notes/files/kept.png", "x")
    site.publish()
    at = "notes/files/kept.png" if "./files" in settings else "notes/kept.png"
    assert f'src="{URL}/{at}"' in site.items()["A"]["content_html"]


def test_what_a_page_says_of_its_article(site):
    """Headings have ids for links on the page, and the page names the article's original address."""
    site.configure(site={"pages": True})
    site.article("a.md", "[up](#part)\n\n## Part", title="A", canonical_url="https://first.example/a")
    assert site.run("build").returncode == 0
    page = (site.root / "public/a/index.html").read_text()
    anchor = re.search(r'<a href="#([^"]+)">up</a>', page)[1]
    assert f'<h2 id="{anchor}">Part</h2>' in page
    assert '<link rel="canonical" href="https://first.example/a">' in page


def test_a_link_makes_nothing_public_that_is_not(site, app):
    """Symbolic links to files that are excluded, a draft's, or the program's own, are neither served nor exported."""
    site.configure(
        site={"pages": True},
        content={"path": ".", "exclude": ["content/private/", "*.secret.txt", "public/"]},
        server={"access_log": "log.txt"},
    )
    (site.root / "config.yaml").rename(site.root / "settings.json")
    site.article("own/index.md", "Own.", title="Own", link="/own/")
    site.article("draft/index.md", "![p](picture.png)", title="D", draft=True)
    site.article("later/index.md", "Later.", title="L", date="2999-01-01")
    site.article("flat.md", "![p](images/flat.png)", title="F", draft=True)
    site.article("live.md", "![p](images/live.png)", title="Live", link="/live/")
    site.article("bundle/index.md", "Bundle.", title="B", link="/bundle/")
    targets = {
        "excluded": "private/x.txt", "pattern": "a.secret.txt", "draft": "draft/picture.png", "below": "draft/sub/x.png", "later": "later/x.png",
        "flat": "images/flat.png", "log": "../log.txt", "config": "../settings.json", "live": "images/live.png", "bundle": "bundle/x.png", "free": "images/free.png",
    }  # fmt: skip
    for target in targets.values():
        if not target.startswith("../"):
            site.write(target, "x")
    (site.root / "log.txt").write_text("1.2.3.4")
    ending = {name: target.rpartition(".")[2] for name, target in targets.items()}
    for name, target in targets.items():
        (site.content / f"own/{name}.{ending[name]}").symlink_to(f"../{target}")
        (site.content / f"{name}.{ending[name]}").symlink_to(target)
    site.article(
        "refers.md",
        " ".join(f"![x]({name}.{ending[name]})" for name in targets) + " ![x](/log.txt) ![x](/settings.json)",
        title="R",
    )
    assert site.run("build", "-c", "settings.json").returncode == 0
    (site.root / "settings.json").rename(site.root / "config.yaml")
    server = app(site)
    fine = {"live", "bundle", "free"}
    for name in targets:
        for path in (f"own/{name}.{ending[name]}", f"content/{name}.{ending[name]}"):
            assert server.get(f"/{path}").status == (200 if name in fine else 404), path
            assert (site.root / "public" / path).exists() == (name in fine), path
    assert not (site.root / "public/log.txt").exists()
    assert not (site.root / "public/settings.json").exists()
    assert server.get("/log.txt").status == 404


@pytest.mark.databases("sqlite", "postgres")
def test_a_link_leads_to_a_drafts_files_when_it_is_live(site, app):
    """The target of a symbolic link is public only while its article is published."""
    site.configure(site={"pages": True}, feeds={"guard": 1.0})
    site.article("live/index.md", "Live.", title="Live")
    site.article("other/index.md", "Other.", title="Other", draft=True)
    site.write("other/p.png", "png")
    (site.content / "live/p.png").symlink_to("../other/p.png")
    server = None
    for draft, status in ((True, 404), (False, 200), (True, 404)):
        site.article("other/index.md", "Other.", title="Other", draft=draft)
        assert site.run("build", "--accept").returncode == 0
        server = server or app(site)
        assert server.get("/live/p.png").status == status
        assert (site.root / "public/live/p.png").exists() == (status == 200)


def test_files_of_a_draft_below_a_live_article(site, app):
    """The folder of a live article exposes no file of a draft whose own folder is in it, but all other files."""
    site.configure(site={"pages": True})
    site.article("live/index.md", "Live.", title="Live")
    site.article("live/draft/index.md", "Draft.", title="Draft", draft=True)
    for name in ("a.png", "sub/b.png", "draft/c.png", "draft/sub/d.png"):
        site.write(f"live/{name}", "png")
    assert site.run("build").returncode == 0
    server = app(site)
    for name, status in (("a.png", 200), ("sub/b.png", 200), ("draft/c.png", 404), ("draft/sub/d.png", 404)):
        assert server.get(f"/live/{name}").status == status, name
        assert (site.root / f"public/live/{name}").exists() == (status == 200), name
