"""Which articles feeds contain: `feeds.site`, `feeds.custom`, `feeds.by`, and `feeds` in front matter."""

import contextlib
import itertools
import json
import re
from datetime import datetime

import pytest
import yaml
from conftest import NOW
from hypothesis import given
from hypothesis import strategies as st

from feeds.content import has_folder
from feeds.core.errors import ConfigError
from feeds.core.memberships import choose_feeds, groups_of, other_groups, restore_groups
from feeds.core.model import Article, Author, Site
from feeds.core.selection import Selection, criteria
from feeds.publish import selections

both = pytest.mark.databases("sqlite", "postgres")


def titles(site, path):
    """Return the titles of the feed in a folder, sorted."""
    return sorted(item["title"] for item in site.feed(f"{path}feed.json")["items"])


def mistakes(site, feeds):
    """Return the mistakes of a configuration, without the path of its file."""
    site.settings.pop("feeds", None)
    site.configure(feeds=feeds)
    with pytest.raises(ConfigError) as raised:
        _ = site.config
    return [mistake.partition("config.yaml:")[2] for mistake in raised.value.mistakes]


@pytest.fixture
def lamps(site):
    """Return a site with articles in several groups."""
    site.article("notes/a.md", title="a", tags=["x"])
    site.article("notes/2026/b.md", title="b", category="Links")
    site.article("c.md", title="c", category=["links", "News"], lang="fr")
    site.article("d.md", title="d", author="Ann", feeds="picks, Other Picks")
    return site


@both
def test_a_custom_feed_contains_what_it_selects(lamps):
    """One value of each key must match in `include`, and in `exclude`; names are compared by their slugs."""
    lamps.configure(
        feeds={
            "custom": {
                "notes": {"include": {"folder": "Notes"}},
                "deep": {"include": {"folder": ["notes/2026/"]}},
                "links": {"include": {"category": "LINKS", "language": ["en", "de"]}},
                "any": {"include": {"tag": ["x", "y"]}},
                "ann": {"include": {"author": "ann"}},
                "rest": {"exclude": {"category": "links", "language": "fr"}},
                "picks": None,
                "other-picks": {"include": {"language": "fr"}},
            }
        }
    )
    lamps.publish()
    assert {path: titles(lamps, f"/{path}/") for path in lamps.config.feeds.custom} == {
        "notes": ["a", "b"],
        "deep": ["b"],
        "links": ["b"],
        "any": ["a"],
        "ann": ["d"],
        "rest": ["a", "b", "d"],
        "picks": ["d"],
        "other-picks": ["c", "d"],
    }


@both
@pytest.mark.parametrize("batch", [1, 100_000])
def test_a_changed_selection_reads_no_file(lamps, batch, monkeypatch):
    """A feed that is added, changed or removed reads no file and changes no other document, nor any id."""
    monkeypatch.setattr(selections, "_MAX_QUEUED_ENTRIES", batch)
    lamps.publish()
    before = lamps.documents(archives=True)
    for custom in (
        {"notes": {"include": {"folder": "notes"}}},
        {"notes": {"include": {"tag": "x"}, "title": "Notes"}, "all": {"include": {"language": ["en", "fr"]}}},
        {"notes": {"include": {"category": "links"}, "exclude": {"language": "fr"}, "limit": 1}},
    ):
        lamps.configure(feeds={"custom": custom})
        outcome = lamps.publish()
        assert outcome.files_read == 0
        assert set(outcome.changed) <= {"notes", "all"}
        assert {path: body for path, body in lamps.documents().items() if path in before} == before
    assert titles(lamps, "/notes/") == ["b"]
    assert lamps.publish().changed == ()
    lamps.configure(feeds={"custom": {}})
    assert lamps.publish().changed == ("notes",)  # the feed was public until now
    assert lamps.documents() == before


@both
def test_the_feed_of_the_site_can_leave_articles_out(lamps):
    """Articles that the site's feed leaves out are still published; the guard does not stop the run, nothing is withdrawn."""
    articles = lamps.publish().articles
    before = lamps.documents()
    lamps.configure(feeds={"site": {"exclude": {"category": "links"}}})
    outcome = lamps.publish()
    assert (outcome.files_read, outcome.changed, outcome.articles) == (0, ("",), articles)
    after = lamps.documents()
    assert titles(lamps, "/") == ["a", "d"]
    assert b"deleted-entry" not in after["/atom.xml"]
    assert {path for path in before if after[path] != before[path]} == {"/rss.xml", "/atom.xml", "/feed.json"}
    lamps.configure(feeds={"site": {"include": {"language": "de"}}})
    assert lamps.publish().articles == articles
    assert titles(lamps, "/") == []
    lamps.configure(feeds={"site": {}})
    lamps.publish()
    assert lamps.documents() == before


def test_deletions_are_still_guarded(lamps):
    """The guard counts articles that the site's feed leaves out."""
    for number in range(10):
        lamps.article(f"links/{number}.md", title=f"link {number}", category="links")
    lamps.configure(feeds={"site": {"exclude": {"category": "links"}}})
    assert lamps.publish().articles == 14
    for number in range(10):
        (lamps.content / f"links/{number}.md").unlink()
    with pytest.raises(Exception, match="of 14 entries, 10 would vanish"):
        lamps.publish()


@both
def test_articles_go_live_in_feeds_that_were_added_before(site):
    """A draft and a scheduled article are in the feeds that were added since they were read."""
    site.article("notes/later.md", title="later", date="2026-07-01")
    site.article("notes/draft.md", title="draft", draft=True)
    site.article("notes/now.md", title="now")
    site.publish()
    site.configure(feeds={"custom": {"notes": {"include": {"folder": "notes"}}}})
    assert site.publish().files_read == 0
    assert titles(site, "/notes/") == ["now"]
    assert site.publish(datetime.fromisoformat("2026-07-02T00:00:00Z")).changed == ("", "notes")
    assert titles(site, "/notes/") == ["later", "now"]


def test_an_edited_article_and_a_changed_selection_in_one_run(lamps):
    """A run that reads an edited article and chooses the feeds of all others again leaves every entry in place once."""
    lamps.configure(feeds={"custom": {"notes": {"include": {"folder": "notes"}}}})
    lamps.publish()
    lamps.article("notes/a.md", title="a", tags=["x"], category="news", date="2026-04-01T10:00:00Z")
    lamps.article("e.md", title="e", tags=["x"])
    (lamps.content / "d.md").unlink()
    lamps.configure(feeds={"custom": {"notes": {"include": {"tag": "x"}}}, "site": {"exclude": {"category": "links"}}})
    lamps.publish()
    assert titles(lamps, "/notes/") == ["a", "e"]
    assert titles(lamps, "/") == ["a", "e"]
    assert titles(lamps, "/category/news/") == ["a", "c"]


KEYS = ["category", "tag", "author", "language", "folder"]
NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2, unique=True)
GROUPS = st.dictionaries(st.sampled_from(KEYS), NAMES, max_size=2)
SELECTIONS = st.builds(lambda include, exclude: (include, exclude), GROUPS, GROUPS)


@given(
    st.lists(st.tuples(GROUPS, st.booleans()), min_size=1, max_size=6),
    st.lists(st.tuples(SELECTIONS, st.dictionaries(st.sampled_from("pqr"), SELECTIONS)), min_size=2, max_size=3),
)
def test_any_change_of_selections_leads_to_the_feeds_of_a_new_catalog(tmp_path_factory, articles, steps):
    """After any changes of selections, all documents are the same as those of a new catalog with the last ones."""
    from conftest import Site as TestSite

    def configure(site, step):
        (include, exclude), custom = step
        feeds = {"include": include, "exclude": exclude} if include or exclude else {}
        sections = {name: {"include": included, "exclude": excluded} for name, (included, excluded) in custom.items()}
        site.configure(feeds={"site": feeds, "custom": sections, "guard": 1})
        try:
            return bool(site.config)
        except ConfigError:  # a contradiction
            return False

    sites = [TestSite(tmp_path_factory.mktemp("site") / "site") for _ in range(2)]
    for site, (number, (groups, is_named)) in itertools.product(sites, enumerate(articles)):
        folder, languages = "/".join(groups.get("folder", [])), groups.get("language")
        fields = {"category": groups.get("category", []), "tags": groups.get("tag", [])}
        fields |= {"authors": groups.get("author", []), "feeds": ["p"] if is_named else []}
        fields |= {"lang": languages[0]} if languages else {}
        site.article(f"{folder}/{number}.md".lstrip("/"), title=f"t{number}", **fields)
    changed, new = sites
    valid = [step for step in steps if configure(changed, step)]
    for step in valid:
        configure(changed, step)
        changed.publish()
    if valid:
        configure(new, valid[-1])
        new.publish()
        assert changed.documents() == new.documents()
    for site in sites:
        site.close()


@given(
    st.builds(Selection, *[GROUPS.map(criteria)] * 2),
    st.sets(st.sampled_from([f"{k}/{n}" for k in KEYS for n in "abc"])),
)
def test_a_contradictory_selection_selects_nothing(selection, groups):
    """A selection that is reported as contradictory selects no article, and equal ones have the same description."""
    assert not (selection.is_contradictory and selection.selects(groups))
    assert selection.describe() == Selection(*map(tuple, (selection.include, selection.exclude))).describe()


def test_groups_are_restored_from_what_is_stored():
    """Whatever kinds have feeds, an article's groups follow from its feeds, its path and its other groups."""
    article = Article(
        path="n/m/!/a.md", name="n/m/!/a", title="a", published=NOW, updated=NOW, body="", slug="a",
        categories=("A b",), tags=("t", "!"), authors=(Author("Ann"),), feeds=("picks",),
    )  # fmt: skip
    for size, language in itertools.product(range(len(KEYS) + 1), [None, "fr"]):
        site = Site("T", "https://t.example", "https://t.example", "t.example", by=tuple(KEYS[:size]))
        one = Article(**{name: getattr(article, name) for name in Article.__slots__} | {"language": language})
        groups = groups_of(one, site)
        feeds = choose_feeds(groups, site)
        assert restore_groups(one.name, feeds, other_groups(one, groups, feeds), site) == groups
        assert {path.partition("/")[0] for path in groups} == {*KEYS, "feeds"}
        assert {path for path in groups if path.startswith("folder/")} == {"folder/n", "folder/n/m"}


def test_archives_of_a_custom_feed(site, app):
    """A custom feed has archives with its own limit; an added entry keeps the bytes of the full ones."""
    for number in range(7):
        site.article(f"{number}.md", title=f"t{number}", date=f"2026-05-0{number + 1}", tags=["x"])
    site.configure(feeds={"custom": {"xs": {"include": {"tag": "x"}, "limit": 2}}})
    site.publish()
    first = {path: body for path, body in site.documents(archives=True).items() if path.startswith("/xs/archive/")}
    assert len(first) == 3 * 4
    site.article("new.md", title="new", date="2026-05-20", tags=["x"])
    site.publish()
    after = site.documents(archives=True)
    assert all(after[path] == body for path, body in first.items() if "/archive/4/" not in path)
    served = app(site)
    assert served.get("/xs/archive/1/rss.xml").status == 200
    assert served.get("/xs/archive/9/rss.xml").status == 404
    site.configure(feeds={"custom": {"xs": {"include": {"tag": "x"}, "limit": 3}}})
    assert site.publish().changed == ("xs",)
    assert [len(json.loads(site.documents(archives=True)[f"/xs/archive/{n}/feed.json"])["items"]) for n in (1, 2, 3)] == [
        3, 3, 2,
    ]  # fmt: skip


def test_a_removed_custom_feed_is_gone(lamps, app):
    """The addresses of a removed feed return 410, an alias can take them over, and unknown names return 404."""
    lamps.configure(site={"pages": True}, feeds={"custom": {"notes": {"include": {"folder": "notes"}}}})
    lamps.publish()
    served = app(lamps)
    assert [served.get(path).status for path in ("/notes/rss.xml", "/notes/", "/other/rss.xml")] == [200, 200, 404]
    lamps.configure(feeds={"custom": {}})
    lamps.publish()
    served = app(lamps)
    assert [served.get(path).status for path in ("/notes/rss.xml", "/notes/", "/other/rss.xml")] == [410, 410, 404]
    lamps.configure(feeds={"aliases": {"/notes/rss.xml": "/rss.xml"}})
    lamps.publish()
    assert app(lamps).get("/notes/rss.xml").status == 200


def test_feeds_of_languages_link_to_each_other(site):
    """The feeds of languages and their pages link to each other; all change when a language is added."""
    site.configure(site={"pages": True}, feeds={"by": ["language"]})
    site.article("a.md", title="a")
    site.article("a.fr.md", title="a fr")
    site.publish()
    assert site.feed("/language/fr/feed.json")["language"] == "fr"
    assert site.feed("/language/fr/feed.json")["_translations"] == {"en": "https://test.example/language/en/feed.json"}
    site.article("a.pt-BR.md", title="a pt")
    assert site.publish().changed == ("", "language/en", "language/fr", "language/pt-br")
    assert list(site.feed("/language/fr/feed.json")["_translations"]) == ["en", "pt-BR"]
    assert b'hreflang="pt-BR" type="application/rss+xml"' in site.document("/language/fr/rss.xml")
    assert site.publish().changed == ()
    site.configure(feeds={"custom": {"language/pt-br": {"language": "pt"}}})
    assert site.publish().changed == ("language/en", "language/fr", "language/pt-br")
    assert list(site.feed("/language/fr/feed.json")["_translations"]) == ["en", "pt"]
    site.configure(feeds={"custom": {}})
    assert site.publish().changed == ("language/en", "language/fr", "language/pt-br")
    site.run("build")
    page = (site.root / "public/language/fr/index.html").read_text()
    assert '<link rel="alternate" hreflang="pt-BR" href="https://test.example/language/pt-br/">' in page
    article = (site.root / "public/a.fr/index.html").read_text()
    assert '<link rel="alternate" hreflang="pt-BR" href="https://test.example/a.pt-BR/">' in article
    assert '<link rel="alternate" hreflang="fr" href="https://test.example/a.fr/">' in article


def test_an_article_at_the_address_of_a_custom_feed(site):
    """An article whose page has the address of a new feed is rejected, and published again once the feed is removed."""
    site.configure(site={"pages": True}, content={"permalink": "/{path}/"})
    site.article("notes.md", title="n")
    site.article("notes/a.md", title="a")
    site.publish()
    site.configure(feeds={"custom": {"other": {"include": {"folder": "notes"}}}})
    assert site.publish().files_read == 0
    site.configure(feeds={"custom": {"notes": {"include": {"folder": "notes"}}}})
    (rejected,) = site.publish().rejected
    assert rejected.reason.startswith("its address /notes/ is reserved for the page of a feed")
    site.configure(feeds={"custom": {}})
    assert site.publish().rejected == ()


def test_lists_of_feeds(lamps):
    """`feeds list`, the OPML file, the start page and exported pages have every kind of feed, with its own title."""
    lamps.configure(
        feeds={
            "by": ["category", "language", "folder"],
            "custom": {
                "notes": {"title": "Short notes", "description": "In brief", "include": {"folder": "notes"}},
                "category/links": {"title": "What I read"},
            },
        },
        site={"pages": True},
    )
    assert lamps.run("build").returncode == 0
    rows = json.loads(lamps.run("list", "--json").stdout)
    kinds = {row["path"]: (row["kind"], row["name"]) for row in rows}
    assert kinds["/notes/"] == ("custom", "Short notes")
    assert kinds["/language/fr/"] == ("language", "fr")
    assert kinds["/folder/notes/"] == ("folder", "notes")
    assert "/notes/" in lamps.run("list", "custom").stdout
    public = lamps.root / "public"
    opml = (public / "feeds.opml").read_text()
    for outline in (
        'text="Selections"',
        'text="Short notes"',
        'text="What I read"',
        'text="Languages"',
        'text="Folders"',
    ):
        assert outline in opml
    page = (public / "notes/index.html").read_text()
    assert "<h1>Short notes</h1>" in page
    assert "In brief" in page
    assert '<a href="./notes/">Short notes</a>' in (public / "index.html").read_text()
    assert "What I read" in (public / "category/links/index.html").read_text()


def test_settings_of_one_feed(lamps):
    """Title, description, language, image, limit and text belong to one feed; a change changes only its documents."""
    lamps.configure(feeds={"text": "summary"})
    lamps.publish()
    before = lamps.documents()
    settings = {"title": "T", "description": "D", "language": "en-GB", "image": "/i.png", "limit": 1, "text": "full"}
    lamps.configure(feeds={"custom": {"category/links": settings}})
    outcome = lamps.publish()
    assert (outcome.files_read, outcome.changed) == (0, ("category/links",))
    feed = lamps.feed("/category/links/feed.json")
    assert (feed["title"], feed["description"], feed["language"]) == ("T", "D", "en-GB")
    assert feed["icon"] == "https://test.example/i.png"
    assert ["content_html" in item for item in feed["items"]] == [True]
    changed = {path for path, body in lamps.documents().items() if before[path] != body}
    assert changed == {f"/category/links/{name}" for name in ("rss.xml", "atom.xml", "feed.json")}
    assert lamps.publish().changed == ()


def test_an_exported_site_follows_its_selections(lamps):
    """An export writes only the files of feeds that changed, and deletes those of a removed feed."""
    lamps.configure(feeds={"custom": {"notes": {"include": {"folder": "notes"}}}})
    lamps.run("build")
    public = lamps.root / "public"
    stamps = {file: file.stat().st_mtime_ns for file in public.rglob("*") if file.is_file()}
    lamps.configure(feeds={"custom": {"notes": {"include": {"tag": "x"}}, "new": {"include": {"tag": "x"}}}})
    lamps.run("build")
    changed = {str(file.relative_to(public)) for file, stamp in stamps.items() if file.stat().st_mtime_ns != stamp}
    documents = {f"notes/{name}" for name in ("rss.xml", "atom.xml", "feed.json", "index.html")}
    assert changed - {".feeds-manifest.json", "index.html"} == documents | {"feeds.opml"}
    assert (public / "new/rss.xml").exists()
    lamps.configure(feeds={"custom": {"new": {"include": {"tag": "x"}}}})
    lamps.run("build")
    assert not (public / "notes").exists()


@both
def test_an_unlisted_article_of_an_earlier_version_stays_unlisted(site):
    """An article that no feed may contain enters none after a migration to schema 15, even if its file has a mistake."""
    site.article("notes/a.md", title="a")
    site.article("notes/b.md", title="b", feed=False)
    site.publish()
    with contextlib.closing(site.catalog) as catalog, catalog._database.write_transaction() as connection:
        for table in ("articles", "staged_files"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN other_groups")
        connection.exec_driver_sql("UPDATE meta SET value = '14' WHERE key = 'schema'")
    site.close()
    site.write("notes/b.md", "---\ntitle: [\n---\n")
    site.configure(feeds={"custom": {"notes": {"include": {"folder": "notes"}}}})
    assert [rejected.path for rejected in site.publish().rejected] == ["notes/b.md"]
    assert (titles(site, "/"), titles(site, "/notes/")) == (["a"], ["a"])


@both
def test_a_file_with_a_mistake_keeps_its_groups(site):
    """A published article whose file has a mistake stays in the feeds that select a tag without a feed of its own."""
    site.article("a.md", title="a", tags=["x"])
    site.publish()
    site.write("a.md", "---\ntitle: [\n---\n")
    site.configure(feeds={"by": ["category"], "custom": {"one": {"include": {"tag": "x"}}}})
    site.publish()
    site.configure(feeds={"custom": {name: {"include": {"tag": "x"}} for name in ("one", "two")}})
    site.publish()
    assert (titles(site, "/one/"), titles(site, "/two/")) == (["a"], ["a"])


MISTAKES = {
    "4:7: feeds.site.include.categroy: unknown key; did you mean category?": {"site": {"include": {"categroy": "x"}}},
    "3:5: feeds.custom.static: is reserved: /static/ has another meaning; choose another name": {
        "custom": {"static": {}}
    },
    "3:5: feeds.custom.Bad Name: must be written as in its address, in lower case and without spaces; did you mean "
    "bad-name?": {"custom": {"Bad Name": {}}},
    "3:5: feeds.custom.tag/x: contains the articles of this tag: include and exclude are for feeds of your own and for "
    "feeds.site": {"custom": {"tag/x": {"include": {"tag": "a"}}}},
    "3:5: feeds.custom.tag/X y: is not the path of a feed; did you mean tag/x-y?": {"custom": {"tag/X y": {}}},
    "3:5: feeds.custom.categroy/x: is not a feed: a name has no /, and a path begins with category, tag, author, "
    "language, folder": {"custom": {"categroy/x": {}}},
    "3:5: feeds.custom.folder/x: is not a feed, because feeds.by does not contain folder": {"custom": {"folder/x": {}}},
    "5:9: feeds.custom.a.include.tag.0: ! is not a name: it has no letters or digits": {
        "custom": {"a": {"include": {"tag": "!"}}}
    },
    "5:9: feeds.custom.a.include.tag: must have at least one name": {"custom": {"a": {"include": {"tag": []}}}},
    "3:5: feeds.custom.a: can never contain an article: exclude matches everything that include matches": {
        "custom": {"a": {"include": {"folder": "x/y", "tag": "t"}, "exclude": {"folder": ["x"]}}}
    },
    "4:7: feeds.custom.a.titel: unknown key; did you mean title?": {"custom": {"a": {"titel": "x"}}},
    "2:3: feeds.aliases: /a/rss.xml can't be an alias: it belongs to feeds.custom.a": {
        "aliases": {"/a/rss.xml": "/rss.xml"}, "custom": {"a": {}}
    },
}  # fmt: skip


@pytest.mark.parametrize("expected", MISTAKES)
def test_mistakes(site, expected):
    """A mistake in a selection is one sentence with its line and column."""
    assert mistakes(site, MISTAKES[expected]) == [expected]


def test_folders_are_found_by_their_slugs(tmp_path):
    """A folder that a selection names may be spelled in any way with the same slugs; a file is none."""
    (tmp_path / "My Notes" / "2026").mkdir(parents=True)
    (tmp_path / "file").touch()
    assert has_folder(tmp_path, "my-notes/2026/")
    assert has_folder(tmp_path, "MY NOTES")
    assert not has_folder(tmp_path, "my-notes/2025")
    assert not has_folder(tmp_path, "file")
    assert not has_folder(tmp_path / "missing", "my-notes")


def test_check_reports_feeds_without_articles(lamps):
    """`feeds check` reports feeds without articles, names of feeds that do not exist, and folders that do not exist."""
    lamps.configure(
        feeds={
            "site": {"exclude": {"folder": ["NOTES/2026", "nots"]}},
            "custom": {"picks": {}, "empty": {"include": {"tag": "nothing"}}},
        }
    )
    lines = lamps.run("check").stdout
    assert "feeds.site.exclude.folder: there is no folder nots in content" in lines
    assert "NOTES/2026" not in lines
    assert "feeds.custom.empty: no article is in this feed" in lines
    assert "there is no feed 'other-picks' in feeds.custom" in lines
    assert "picks: no article" not in lines
    assert "there is no folder nots" in lamps.run("build", "-v").stderr


def test_recipes_are_valid(site, request):
    """Every configuration in docs/feeds.md is valid."""
    text = (request.config.rootpath / "docs" / "feeds.md").read_text("utf-8")
    recipes = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(recipes) > 10
    for recipe in recipes:
        sections = yaml.safe_load(recipe)
        sections["site"] = {"title": "Test", "url": "https://test.example"} | sections.get("site", {})
        (site.root / "config.yaml").write_text(yaml.safe_dump(sections), "utf-8")
        assert site.config.feeds
