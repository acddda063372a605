"""Entries that forked processes share."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.render import shared_entries
from feeds.render.shared_entries import SharedEntries

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux has files in memory")
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
CALLS = st.lists(st.tuples(st.integers(0, 2), st.booleans(), KEYS, st.binary(max_size=50)), max_size=30)


@pytest.fixture
def three():
    """Three dictionaries on one file, as three processes have them."""
    first = SharedEntries.create()
    yield [first, SharedEntries(first._file), SharedEntries(first._file)]
    os.close(first._file)


def test_values_are_shared(three):
    """A value that one process has stored is found by the others, and by itself."""
    three[0].put("a", ("x", 1))
    three[1].put("ä", b"y")
    for entries in three:
        assert (entries.get("a"), entries.get("ä"), entries.get("b")) == (("x", 1), b"y", None)


@given(CALLS)
def test_it_is_a_dictionary(calls):
    """Whatever the order of calls in several processes, a key has a value that was stored for it, and no other key has."""
    file = SharedEntries.create()._file
    processes = [SharedEntries(file) for _ in range(3)]
    stored = {}
    try:
        for process, is_write, key, value in calls:
            if is_write:
                processes[process].put(key, value)
                stored.setdefault(key, []).append(value)
            else:
                found = processes[process].get(key)
                assert found in stored[key] if key in stored else found is None
    finally:
        os.close(file)


def test_a_record_that_was_written_in_part_is_ignored(three):
    """After a record without its end, earlier values are found, later ones are rendered by each process."""
    three[0].put("a", 1)
    size = os.fstat(three[0]._file).st_size
    three[0].put("b", 2)
    os.truncate(three[0]._file, os.fstat(three[0]._file).st_size - 1)
    three[0].put("c", 3)
    for entries in three:
        assert (entries.get("a"), entries.get("b") in {None, 2}, entries.get("c")) == (1, True, None)
        entries.put("d", 4)
    assert os.fstat(three[0]._file).st_size > size
    assert three[1].get("d") is None


def test_the_size_is_limited(three, monkeypatch):
    """A full file keeps its values and gets no more."""
    monkeypatch.setattr(shared_entries, "_MAX_BYTES", 1_000)
    for number in range(100):
        three[0].put(str(number), b"x" * 100)
        three[0].get("none")
    assert os.fstat(three[0]._file).st_size < 1_400
    assert three[1].get("0") == b"x" * 100
    assert three[1].get("99") is None


def test_a_record_that_is_being_written_is_not_a_broken_one():
    """A reader that sees the beginning of a record finds it later, when it is complete."""
    writer = SharedEntries.create()
    reader = SharedEntries(writer._file)
    writer.put("a", b"x" * 100)
    whole = os.pread(writer._file, 1 << 20, 0)
    os.ftruncate(writer._file, len(whole) - 50)  # as fstat shows a record of several pages while it is written
    assert reader.get("a") is None
    os.pwrite(writer._file, whole[-50:], 0)  # O_APPEND: at the end
    assert reader.get("a") == b"x" * 100
    os.close(writer._file)
