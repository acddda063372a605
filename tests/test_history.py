"""Archives, dates and validators stay consistent over many revisions, whatever happens to the content folder."""

import shutil
from datetime import timedelta

import pytest
from conftest import Site
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_http import DOCUMENTS, read_history

from feeds.render import BulkRenderer, Documents, cache, queue, revision_watcher

both = pytest.mark.databases("sqlite", "postgres")  # these tests run SQL that differs between databases
LIMIT = 3
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]  # shrinking takes minutes
DAYS = st.integers(1, 28)
NUMBERS = st.integers(0, 9)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NUMBERS, DAYS, st.sampled_from(["x", "y"])),
        st.tuples(st.just("edit"), NUMBERS),
        st.tuples(st.just("delete"), NUMBERS),
        st.tuples(st.just("draft"), NUMBERS),
        st.tuples(st.just("move"), NUMBERS),
        st.tuples(st.just("touch"), NUMBERS),
        st.tuples(st.just("restart")),
    ),
    min_size=1,
    max_size=12,
)


class Life:
    """A site that changes, and a worker that has served it from the beginning."""

    def __init__(self, root):
        self.site = Site(root)
        self.site.configure(feeds={"limit": LIMIT, "by": ["category"], "guard": 1})
        self.catalog, self.settings = self.site.catalog, self.site.config.site_model
        self.articles = {}
        self.edits = 0
        for number in range(5):
            self.write(number, 3 * number + 1, "x")
        self.site.publish(accept=True)
        self.worker = self.new_worker()
        self.told = {}  # path -> (body, changed) at the last comparison

    def new_worker(self):
        return Documents(self.catalog, self.settings)

    def write(self, number, day, category):
        self.articles[number] = {"date": f"2026-05-{day:02d}", "category": category, "draft": False}
        self.save(number)

    def save(self, number):
        self.edits += 1
        self.site.article(f"{number}.md", f"Text {self.edits}.", title=f"T{number}", **self.articles[number])

    def happens(self, what, number=None, *facts):
        if what == "write":
            self.write(number, *facts)
        elif what == "restart":
            self.worker = self.new_worker()
        elif number not in self.articles:
            return
        elif what == "edit":
            self.save(number)
        elif what == "draft":
            self.articles[number]["draft"] ^= True
            self.save(number)
        elif what == "delete":
            del self.articles[number]
            (self.site.content / f"{number}.md").unlink()
        elif what == "move":
            shutil.move(self.site.content / f"{number}.md", self.site.content / f"{number}-moved.md")
            shutil.move(self.site.content / f"{number}-moved.md", self.site.content / f"{number}.md")
        elif what == "touch":
            (self.site.content / f"{number}.md").touch()

    def publish(self):
        """Publish, and compare the responses of an old worker and of a new one."""
        self.site.now += timedelta(seconds=0.4)
        self.site.publish(accept=True)
        fresh = self.new_worker()
        everything = BulkRenderer(self.catalog, self.settings)
        paths = [document_path.path for document_path, _ in everything.list_documents(has_archives=lambda _: True)]
        still = set()  # live documents with another date and the same bytes
        for path in {*paths, *self.told}:
            kept, true = self.worker.get(path), fresh.get(path)
            assert (kept and kept.body) == (true and true.body), path
            assert (kept and kept.changed) == (true and true.changed), path
            if self.compare(path, true):
                still.add(path)
        for path in still:  # the feed's tombstones have changed, which only Atom contains
            atom = f"{path.rpartition('/')[0]}/atom.xml"
            assert atom not in still, path
            assert self.told[atom][1] == self.told[path][1]
        self.worker.save_versions()  # the next new worker reads these versions
        return fresh

    def compare(self, path, document):
        """Last-Modified never goes back, and changes with the bytes; in archives it may change without them."""
        last = self.told.pop(path, None)
        if document is None:
            return False
        self.told[path] = document.body, document.changed
        if last is None:
            return False
        body, changed = last
        if document.body != body:
            assert document.changed.replace(microsecond=0) > changed.replace(microsecond=0), path
        else:
            assert document.changed >= changed, path
            return "/archive/" not in path and document.changed != changed
        return False

    def live(self, category=None):
        """Return the titles that should be published."""
        return {
            f"T{number}"
            for number, facts in self.articles.items()
            if not facts["draft"] and category in {None, facts["category"]}
        }


def history(documents, feed, name):
    """Return the titles that a reader finds on the way back from a live document."""
    met, path, seen = [], f"{feed}{name}", set()
    while path:
        assert path not in seen, "the way back leads in a circle"
        seen.add(path)
        links, titles = read_history(name, documents.get(path).body)
        met += titles
        path = links["prev-archive"] and links["prev-archive"].removeprefix("https://test.example")
    return met


@given(runs=st.lists(OPERATIONS, min_size=1, max_size=5))
@settings(max_examples=settings().max_examples // 2, phases=PHASES)
def test_what_is_kept_is_true(tmp_path_factory, runs):
    """A worker serves what a new one would, all archives are reachable, and Last-Modified changes with the bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revision_watcher, "_POLL_INTERVAL_S", 0)
        patch.setattr(cache, "_MAX_STALENESS_S", 0)
        patch.setattr(queue, "_RENDER_TIMEOUT_S", 60)  # seconds: the machine may be busy
        life = Life(tmp_path_factory.mktemp("life") / "site")
        for operations in runs:
            for operation in operations:
                life.happens(*operation)
            fresh = life.publish()
            for name in DOCUMENTS:
                assert set(history(fresh, "/", name)) == life.live()
                for category in ("x", "y"):
                    if titles := life.live(category):
                        assert set(history(fresh, f"/category/{category}/", name)) == titles
        life.site.close()


def test_full_archives_stay_as_they_are(site):
    """Whatever is published again, a full archive keeps its bytes and its date in every format."""
    site.configure(feeds={"limit": LIMIT})
    seen = {}
    for number in range(1, 15):
        site.now += timedelta(days=1)
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-{number:02d}")
        site.publish()
        documents = Documents(site.catalog, site.config.site_model)
        last = number // LIMIT + 1
        for name in DOCUMENTS:
            for archive in range(1, last if number > LIMIT else 1):
                document = documents.get(f"/archive/{archive}/{name}")
                assert document.is_immutable
                kept = seen.setdefault((archive, name), (document.body, document.changed))
                assert kept == (document.body, document.changed)
            open_ = documents.get(f"/archive/{last}/{name}")
            assert (open_ is None) is (number <= LIMIT)
            assert open_ is None or not open_.is_immutable
            assert documents.get(f"/archive/{last + 1}/{name}") is None
    assert sorted(seen) == [(archive, name) for archive in (1, 2, 3, 4) for name in sorted(DOCUMENTS)]


@both
def test_an_edit_moves_its_archive_alone(site):
    """An edit of an old article changes only the archive that contains it; others keep their bytes and dates."""
    site.configure(feeds={"limit": LIMIT})
    for number in range(1, 11):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-{number:02d}")
    site.publish()
    documents = Documents(site.catalog, site.config.site_model)
    before, live = {n: documents.get(f"/archive/{n}/rss.xml") for n in (1, 2, 3)}, documents.get("/rss.xml")
    site.article("5.md", "Other.", title="T5", date="2026-05-05")
    outcome = site.publish(site.now + timedelta(hours=1))
    assert outcome.revision == 2
    assert outcome.changed == ()  # the live feed is unchanged, so polls get a 304
    documents = Documents(site.catalog, site.config.site_model)
    after = {n: documents.get(f"/archive/{n}/rss.xml") for n in (1, 2, 3)}
    assert [n for n in before if (before[n].body, before[n].changed) != (after[n].body, after[n].changed)] == [2]
    assert after[2].changed == site.now + timedelta(hours=1)
    assert documents.get("/rss.xml").changed == live.changed


def test_without_archives(site):
    """If archives are disabled, there are none, and nothing links to one."""
    site.configure(feeds={"limit": LIMIT, "archives": False})
    for number in range(1, 8):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-{number:02d}")
    site.publish()
    documents = Documents(site.catalog, site.config.site_model)
    for name in DOCUMENTS:
        assert documents.get(f"/archive/1/{name}") is None
        assert b"archive/" not in documents.get(f"/{name}").body
