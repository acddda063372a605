"""The events of a publish run: one for each change of an article, and their numbers."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from feeds.publish.events import MAX_EVENTS

BOTH = pytest.mark.databases("sqlite", "postgres")
LATER = datetime(2026, 6, 2, tzinfo=UTC)


def events(outcome):
    """Return the kind and the path of each event of a run."""
    return [(event.kind, event.path) for event in outcome.events]


@BOTH
def test_added_edited_and_deleted(site):
    """An article is added with its title and feeds, edited, and withdrawn because its file was deleted."""
    site.article("keep.md", title="Keep")
    site.article("a.md", title="Hello", category="News", tags=["x"])
    added = site.publish()
    assert events(added) == [("added", "a.md"), ("added", "keep.md")]
    event = next(event for event in added.events if event.path == "a.md")
    assert (event.title, set(event.feeds)) == ("Hello", {"", "category/news", "tag/x"})
    assert (added.files_read, added.event_counts) == (2, {"added": 2})
    site.article("a.md", "Other.", title="Hello again", category="News", tags=["x"])
    edited = site.publish()
    assert [(event.kind, event.title) for event in edited.events] == [("edited", "Hello again")]
    assert edited.files_read == 1
    (site.content / "a.md").unlink()
    (event,) = site.publish(accept=True).events
    assert (event.kind, event.reason, event.title, event.feeds) == ("withdrawn", "deleted", "Hello again", ())
    quiet = site.publish()
    assert (quiet.events, quiet.event_counts, quiet.files_read) == ((), {}, 0)


@BOTH
def test_renamed(site):
    """A file that moved is renamed from its old path, whether its text changed too or not."""
    site.article("a.md", title="A", slug="one")
    site.article("b.md", title="B", slug="two")
    site.article("c.md", title="C", id="https://c.example/")
    site.publish()
    (site.content / "a.md").rename(site.content / "2026-a.md")
    for name in ("b", "c"):
        (site.content / f"{name}.md").unlink()
    site.article("2026-b.md", "Other.", title="B", slug="two")
    site.article("2026-c.md", "Other.", title="C", id="https://c.example/")
    outcome = site.publish()
    assert {(event.kind, event.old_path, event.path) for event in outcome.events} == {
        ("renamed", "a.md", "2026-a.md"),
        ("renamed", "b.md", "2026-b.md"),
        ("renamed", "c.md", "2026-c.md"),
    }


@BOTH
def test_a_file_that_replaces_another(site):
    """If a file moves to the path of another article, it is renamed, and the other article is withdrawn."""
    for name in "abc":
        site.article(f"{name}.md", title=name)
    site.publish()
    (site.content / "a.md").replace(site.content / "b.md")
    outcome = site.publish(accept=True)
    assert [(event.kind, event.old_path, event.path, event.title) for event in outcome.events] == [
        ("withdrawn", "", "b.md", "b"),
        ("renamed", "a.md", "b.md", "a"),
    ]
    (site.content / "b.md").rename(site.content / "x")
    (site.content / "c.md").rename(site.content / "b.md")
    (site.content / "x").rename(site.content / "c.md")
    assert {(event.kind, event.old_path, event.path) for event in site.publish().events} == {
        ("renamed", "b.md", "c.md"),
        ("renamed", "c.md", "b.md"),
    }


@BOTH
def test_scheduled_and_published(site):
    """An article with a future date is scheduled once, and published when its time comes."""
    site.article("a.md", title="A", date="2026-06-01T18:00:00Z")
    (event,) = site.publish().events
    assert (event.kind, event.at, event.feeds) == ("scheduled", datetime(2026, 6, 1, 18, tzinfo=UTC), ())
    assert site.publish(read_all=True).events == (), "nothing changed"
    (event,) = site.publish(LATER).events
    assert (event.kind, event.title, event.feeds) == ("published", "A", ("",))


@BOTH
def test_withdrawn_articles_have_a_reason(site):
    """An article that is no longer published has a reason: a draft, expired, or scheduled."""
    for name in "abcd":
        site.article(f"{name}.md", title=name)
    site.publish()
    site.article("a.md", title="a", draft=True)
    site.article("b.md", title="b", expires="2026-05-20")
    site.article("c.md", title="c", date="2026-07-01")
    outcome = site.publish(accept=True)
    assert [(event.kind, event.path, event.reason) for event in outcome.events] == [
        ("withdrawn", "a.md", "draft"),
        ("withdrawn", "b.md", "expired"),
        ("withdrawn", "c.md", "scheduled"),
    ]
    assert outcome.events[2].at == datetime(2026, 7, 1, tzinfo=UTC)
    (site.content / "c.md").unlink()
    (event,) = site.publish().events
    assert (event.kind, event.reason) == ("withdrawn", "deleted"), "it was scheduled"


def test_saved_but_not_published(site):
    """A draft that was saved is an event; a draft that was deleted is none."""
    site.article("a.md", title="A", draft=True)
    (event,) = site.publish().events
    assert (event.kind, event.reason) == ("saved", "draft")
    (site.content / "a.md").unlink()
    assert site.publish().events == ()


@BOTH
def test_rejected_once_per_save(site):
    """A broken file is reported each time that it is saved, and not by other runs."""
    site.article("a.md", title="A")
    site.write("b.md", "no date")
    assert events(site.publish()) == [("rejected", "b.md"), ("added", "a.md")]
    assert events(site.publish()) == []
    assert events(site.publish(read_all=True)) == []
    os.utime(site.write("b.md", "no date"), (1, 1))
    (event,) = site.publish().events
    assert (event.kind, event.line, event.rejection.partition(":")[0]) == ("rejected", 1, "no date")
    site.article("b.md", title="B")
    (event,) = site.publish().events
    assert (event.kind, event.title, event.feeds) == ("fixed", "B", ("",))


@BOTH
def test_an_edit_that_is_rejected_and_undone(site):
    """A published article whose new version is rejected is fixed by the old version, and no document changes."""
    text = site.article("a.md", title="A").read_text()
    site.publish()
    site.write("a.md", "---\ndate: never\n---\n")
    assert events(site.publish()) == [("rejected", "a.md")]
    site.write("a.md", text)
    outcome = site.publish()
    assert (events(outcome), outcome.changed) == ([("fixed", "a.md")], ())


def test_a_rejected_file_that_is_deleted(site):
    """A rejected file that never was an article is fixed by its deletion."""
    site.write("a.md", "no date")
    site.publish()
    (site.content / "a.md").unlink()
    (event,) = site.publish().events
    assert (event.kind, event.path, event.reason) == ("fixed", "a.md", "deleted")


@BOTH
def test_a_conflict_is_reported_once(site):
    """Full scans do not report a conflict of two articles again; saving the file does."""
    site.article("a.md", title="A", id="https://x.example/")
    site.publish()
    site.article("b.md", title="B", id="https://x.example/")
    assert events(site.publish()) == [("rejected", "b.md")]
    assert events(site.publish()) == []
    assert events(site.publish(only=["b.md"])) == [("rejected", "b.md")]
    site.article("b.md", title="B", id="https://y.example/")
    assert events(site.publish()) == [("fixed", "b.md")]


@BOTH
def test_a_conflict_of_pages_is_reported_once(site):
    """An article whose page has the address of another is rejected once, until it is saved again."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A", slug="x")
    site.publish()
    site.article("b.md", title="B", slug="x")
    assert events(site.publish()) == [("rejected", "b.md")]
    assert events(site.publish()) == []
    assert events(site.publish(only=["b.md"])) == [("rejected", "b.md")]


@BOTH
def test_many_events_are_counted(site):
    """A run keeps a few events, those of problems first, and counts all."""
    for number in range(50):
        site.article(f"{number}.md", title=str(number))
    for number in range(3):
        site.write(f"broken-{number}.md", "no date")
    outcome = site.publish()
    assert outcome.event_counts == {"rejected": 3, "added": 50}
    assert len(outcome.events) == MAX_EVENTS
    assert [event.kind for event in outcome.events[:4]] == ["rejected"] * 3 + ["added"]
    for number in range(30):
        site.write(f"broken-{number}.md", "still no date")
    outcome = site.publish()
    assert outcome.event_counts == {"rejected": 30}
    assert {event.kind for event in outcome.events} == {"rejected"}
    assert len(outcome.events) == MAX_EVENTS


def test_only_published_feeds_are_named(site):
    """Events and the changed feeds of a run omit feeds with fewer entries than feeds.min_entries."""
    site.configure(feeds={"min_entries": 2})
    site.article("a.md", title="A", tags=["x"])
    outcome = site.publish()
    assert (outcome.events[0].feeds, outcome.changed) == (("",), ("",))
    site.article("b.md", title="B", tags=["x"])
    outcome = site.publish()
    assert (outcome.events[0].feeds, outcome.changed) == (("", "tag/x"), ("", "tag/x"))
    (site.content / "b.md").unlink()
    assert site.publish(accept=True).changed == ("", "tag/x"), "this feed is no longer published"


def test_a_change_of_the_configuration_is_no_event(site):
    """A run that publishes all articles again, because a setting changed, has no events."""
    site.article("a.md", title="A")
    site.publish()
    site.configure(site={"title": "Other"})
    outcome = site.publish(site.now + timedelta(minutes=1))
    assert (outcome.events, outcome.changed, outcome.files_read) == ((), ("",), 1)


@BOTH
def test_renamed_and_changed(site):
    """An added article names the deleted one whose title, or file name apart from its date, it has, and its id."""
    site.article("keep.md", title="Keep")
    site.article("2026-01-01-a.md", title="A")
    site.article("b.md", title="B")
    site.article("draft.md", title="Draft", draft=True)
    site.publish()
    for name in ("2026-01-01-a.md", "b.md", "draft.md"):
        (site.content / name).unlink()
    site.article("2026-02-02-a.md", "Other.", title="Another title")
    site.article("c.md", "Other.", title="B")
    site.article("d.md", "Other.", title="Draft")
    site.article("keep2.md", "Other.", title="Keep")
    found = {event.path: event.continues for event in site.publish(accept=True).events if event.kind == "added"}
    assert {path: lost.path for path, lost in found.items() if lost} == {
        "2026-02-02-a.md": "2026-01-01-a.md",
        "c.md": "b.md",
    }
    old_id = found["c.md"].id
    site.article("c.md", "Other.", title="B", id=old_id)
    site.publish(accept=True)
    assert site.items()["B"]["id"] == old_id
