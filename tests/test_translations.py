"""Links between an article and its translations, which are found by the names of their files."""

import json

import pytest
from conftest import Site
from hypothesis import given
from hypothesis import strategies as st

from feeds.content.related_files import RelatedFiles
from feeds.core.model import Site as SiteModel


def translations(site):
    """Return the translations of each entry of the site's feed, by the entry's URL, without the site's own."""
    prefix = "https://test.example"
    return {
        item["url"].removeprefix(prefix): {
            language: url.removeprefix(prefix) for language, url in item.get("_translations", {}).items()
        }
        for item in site.feed()["items"]
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [("a.de.md", "a"), ("x/a.pt-BR.md", "x/a"), ("x/index.fr.markdown", "x"), ("a.md", None), ("node.js.md", None),
     ("v1.2.md", None), ("x.de/a.md", None)],
)  # fmt: skip
def test_names_of_translated_articles(site, path, name):
    """A file with a language in its name translates the article without the language."""
    files = RelatedFiles(site.content, SiteModel("Test", "https://test.example", "", "test.example"))
    assert files.translated_name(path) == name


def test_a_link_is_no_translation(site):
    """An article that links to a file in a folder with the name "?" is no translation of another article."""
    site.article("b.md", title="B")
    site.article("?/b.md", title="Other", slug="other")
    site.article("a.md", "[b](%3F/b.md)", title="A", language="fr")
    site.publish()
    assert translations(site) == {"/a/": {}, "/b/": {}, "/other/": {}}


@pytest.mark.databases("sqlite", "postgres")
def test_translations_follow_their_articles(site):
    """The feeds of all versions change when a translation is published, moved or withdrawn; other feeds don't."""
    site.configure(feeds={"guard": 1})
    site.article("posts/a.md", title="A", category="en", tags=["t"])
    site.article("posts/b.md", title="B", category="other")
    site.publish()

    def publish(*changed):
        """Publish, and check which of four feeds changed."""
        with site.catalog.read_transaction() as catalog:
            before = {state.path: state.revision for state in catalog.feeds()}
        site.publish()
        with site.catalog.read_transaction() as catalog:
            after = {state.path: state.revision for state in catalog.feeds()}
        feeds = ("category/en", "category/de", "category/fr", "category/other")
        assert {feed for feed in feeds if after.get(feed) != before.get(feed)} == set(changed)
        return translations(site)

    site.article("posts/a.de.md", title="A", category="de", draft=True)
    assert publish() == {"/en/a/": {}, "/other/b/": {}}
    site.article("posts/a.de.md", title="A", category="de")
    both = {"/en/a/": {"de": "/de/a.de/"}, "/de/a.de/": {"en": "/en/a/"}, "/other/b/": {}}
    assert publish("category/en", "category/de") == both
    site.article("posts/a.fr.md", title="A", category="fr", date="2026-06-01T13:00:00Z")
    assert publish() == both
    site.now = site.now.replace(hour=14)
    found = publish("category/en", "category/de", "category/fr")
    assert found["/en/a/"] == {"de": "/de/a.de/", "fr": "/fr/a.fr/"}
    assert found["/de/a.de/"] == {"en": "/en/a/", "fr": "/fr/a.fr/"}
    assert found["/fr/a.fr/"] == {"de": "/de/a.de/", "en": "/en/a/"}
    site.article("posts/a.md", title="A", category="en", slug="moved")
    assert publish("category/en", "category/de", "category/fr")["/fr/a.fr/"]["en"] == "/en/moved/"
    (site.content / "posts/a.md").rename(site.content / "posts/c.md")
    found = publish("category/en", "category/de", "category/fr")
    assert (found["/en/moved/"], found["/fr/a.fr/"]) == ({}, {"de": "/de/a.de/"})
    (site.content / "posts/a").mkdir()
    (site.content / "posts/c.md").rename(site.content / "posts/a/index.md")
    assert publish("category/en", "category/de", "category/fr")["/fr/a.fr/"] == {"de": "/de/a.de/", "en": "/en/moved/"}
    (site.content / "posts/a.de.md").rename(site.content / "posts/b.de.md")
    found = publish("category/en", "category/de", "category/fr", "category/other")
    assert found["/other/b/"] == {"de": "/de/b.de/"} if "/de/b.de/" in found else {"de": "/de/a.de/"}
    assert found["/en/moved/"] == {"fr": "/fr/a.fr/"}
    (site.content / "posts/a.fr.md").unlink()
    assert publish("category/en", "category/fr")["/en/moved/"] == {}


def test_each_language_once(site):
    """Of several articles in one language, one is linked, and none in the entry's own language."""
    site.article("a.md", title="A")
    site.article("a.en.md", title="A in English", date="2026-05-02")
    site.article("a.de.md", title="A", date="2026-05-03")
    site.article("a.xx.md", title="A", lang="DE", date="2026-05-04")
    site.publish()
    assert translations(site) == {
        "/a/": {"de": "/a.de/"}, "/a.en/": {"de": "/a.de/"}, "/a.de/": {"en": "/a/"}, "/a.xx/": {"en": "/a/"},
    }  # fmt: skip


def test_pages_change_with_translations(site):
    """An exported document is written again when a translation of an entry is added."""
    site.article("a.md", title="A")
    site.run("build")
    assert "hreflang" not in (site.root / "public/atom.xml").read_text()
    site.article("a.de.md", title="A", category="x")
    site.run("build")
    assert 'href="https://test.example/x/a.de/" rel="alternate" type="text/html" hreflang="de"' in (
        site.root / "public/atom.xml"
    ).read_text()  # fmt: skip


def test_sites_in_one_language_store_nothing(site):
    """Without a language in a name, no link to a translation is stored, and no query is made for one."""
    site.article("a.md", title="A")
    site.article("b.md", "[a](a.md)", title="B")
    site.publish()
    with site.catalog.read_transaction() as catalog:
        assert not catalog.has_translations()
        assert catalog.translation_targets(every=True) == set()
    assert all("_translations" not in item for item in site.feed()["items"])


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "delete", "rename", "publish"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from([".md", ".de.md", ".fr.md", "/index.md"]),
        st.sampled_from([{}, {"draft": True}, {"slug": "s"}, {"lang": "fr"}, {"date": "2026-06-02"}]),
    ),
    max_size=25,
)


@given(operations=OPERATIONS)
def test_translations_end_as_in_a_fresh_start(tmp_path_factory, operations):
    """After any changes, the bytes of a feed change only with its revision, and equal those of a fresh build."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.configure(feeds={"guard": 1})
    seen = {}

    def publish():
        site.publish(accept=True)
        with site.catalog.read_transaction() as catalog:
            revisions = {state.path: state.revision for state in catalog.feeds()}
        for path, body in site.documents().items():
            assert seen.setdefault((path, revisions[path.rpartition("/")[0].strip("/")]), body) == body

    for what, name, end, fields in [("write", "a", ".md", {}), ("write", "a", ".de.md", {}), *operations]:
        file = site.content / f"{name}{end}"
        if what == "write":
            site.article(
                f"{name}{end}", "[b](b.md)", **{"title": f"{name}{end}", "tags": [f"{name}{end[1:3]}"], **fields}
            )
        elif what == "publish":
            publish()
        elif file.exists() and what == "delete":
            file.unlink()
        elif file.exists():
            file.rename(site.content / f"{'b' if name == 'a' else 'a'}{'.md' if end == '/index.md' else end}")
    publish()
    shown = sorted(json.dumps({**item, "id": ""}) for item in site.feed()["items"])
    site.close()
    site.config.catalog.unlink()
    site.publish(accept=True)
    assert shown == sorted(json.dumps({**item, "id": ""}) for item in site.feed()["items"])
    site.close()
