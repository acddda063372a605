"""`ScanQueue` decides which scan is next, and where an interrupted scan resumes; the tests use no files."""

from feeds.publish import scan_queue
from feeds.publish.scan_queue import ScanQueue, ScanRequest

FULL, NOTHING = ScanRequest(None), ScanRequest(frozenset())


def empty_queue():
    """Return a queue from which the initial full scan was taken."""
    queue = ScanQueue()
    assert queue.take() == FULL
    return queue


def interrupted_queue(path="m.md"):
    """Return a queue whose full scan was interrupted after a path."""
    queue = empty_queue()
    queue.resume_after(path)
    return queue


def test_a_new_queue_requests_a_full_scan():
    """A new queue requests one full scan, from its beginning, at once."""
    queue = ScanQueue()
    assert queue.is_urgent
    assert not queue.has_paths
    assert queue.take() == FULL
    assert queue.take() == NOTHING
    assert not queue.is_urgent


def test_paths_are_collected():
    """Paths of several requests are scanned together, each once."""
    queue = empty_queue()
    queue.add(["a.md", "b.md"])
    queue.add({"b.md", "c.md"})
    assert queue.has_paths
    assert queue.is_urgent
    assert queue.take() == ScanRequest(frozenset({"a.md", "b.md", "c.md"}))
    assert queue.take() == NOTHING


def test_an_empty_request_changes_nothing():
    """A request without paths starts no scan."""
    queue = empty_queue()
    queue.add([])
    assert not queue.is_urgent
    assert queue.take() == NOTHING


def test_paths_come_before_a_full_scan():
    """Paths that were added while a full scan waits are scanned first, then the full scan."""
    queue = ScanQueue()
    queue.add(["a.md"])
    assert queue.take() == ScanRequest(frozenset({"a.md"}))
    assert queue.is_urgent
    assert queue.take() == FULL


def test_a_full_scan_replaces_paths():
    """A request for a full scan drops the paths that wait, because the full scan includes them."""
    queue = empty_queue()
    queue.add(["a.md"])
    queue.add(None)
    assert not queue.has_paths
    assert queue.take() == FULL
    assert queue.take() == NOTHING


def test_too_many_paths_become_a_full_scan(monkeypatch):
    """Beyond the limit, paths are replaced by a full scan."""
    monkeypatch.setattr(scan_queue, "_MAX_PATHS", 3)
    queue = empty_queue()
    queue.add(["a.md", "b.md"])
    queue.add(["c.md"])
    assert queue.has_paths
    queue.add(["d.md"])
    assert not queue.has_paths
    assert queue.take() == FULL
    assert queue.take() == NOTHING


def test_an_interrupted_scan_is_resumed():
    """An interrupted full scan is resumed after the path where it stopped, but not at once."""
    queue = interrupted_queue()
    assert not queue.is_urgent
    assert queue.take() == ScanRequest(None, "m.md")
    assert queue.take() == NOTHING


def test_paths_come_before_the_rest_of_a_scan():
    """Saved files that interrupt a full scan are scanned before its rest, and do not move where it is resumed."""
    queue = interrupted_queue()
    queue.add(["z.md"])
    assert queue.is_urgent
    assert queue.take() == ScanRequest(frozenset({"z.md"}))
    assert not queue.is_urgent
    assert queue.take() == ScanRequest(None, "m.md")


def test_a_scan_is_resumed_as_often_as_it_is_interrupted():
    """A full scan that is interrupted again is resumed after the later path."""
    queue = interrupted_queue()
    assert queue.take() == ScanRequest(None, "m.md")
    queue.resume_after("t.md")
    assert queue.take() == ScanRequest(None, "t.md")


def test_a_new_full_scan_replaces_the_rest_of_an_old_one():
    """A full scan that is requested after an interruption begins at the start of the folder."""
    queue = interrupted_queue()
    queue.add(None)
    assert queue.is_urgent
    assert queue.take() == FULL
    assert queue.take() == NOTHING


def test_a_full_scan_requested_during_another_is_not_shortened():
    """A full scan that was requested before the interruption begins at the start of the folder, too."""
    queue = empty_queue()
    queue.add(None)
    queue.resume_after("m.md")
    assert queue.is_urgent
    assert queue.take() == FULL
    assert queue.take() == NOTHING


def test_too_many_paths_replace_the_rest_of_a_scan(monkeypatch):
    """The full scan that replaces too many paths begins at the start of the folder, not where another was interrupted."""
    monkeypatch.setattr(scan_queue, "_MAX_PATHS", 1)
    queue = interrupted_queue()
    queue.add(["a.md", "b.md"])
    assert queue.take() == FULL
    assert queue.take() == NOTHING
