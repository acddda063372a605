"""The recording of a first session in docs/start.md: how it is made (`docs/recording.py`), and the committed files."""

import os
import sys
from pathlib import Path

import pytest
from lxml import etree

DOCS = Path(__file__).parent.parent / "docs"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def recording(monkeypatch):
    """Return `docs/recording.py` as a module."""
    monkeypatch.syspath_prepend(DOCS)
    import recording as module

    yield module
    del sys.modules["recording"]


def texts(recording, row):
    """Return the lines of a row as text with the times of its parts."""
    return [[(part.text, part.style, part.start, part.end) for part in line] for line in recording.lines_of(row)]


def test_output_becomes_rows(recording):
    """Text, colours and long lines are shown as in a terminal, also if a control sequence comes in two parts."""
    screen = recording.Screen()
    screen.write(1.0, "\x1b[1m$ \x1b[0")
    screen.write(1.5, "m\x1b[32mok\x1b[0m\r\n" + "x" * 82)
    assert texts(recording, screen.rows[0]) == [[("$ ", "b", 1.0, None), ("ok", "g", 1.5, None)]]
    assert [recording.lines_of(row)[0][0].text for row in screen.rows[1:]] == ["x" * 80, "xx"]
    with pytest.raises(ValueError, match="unknown control sequence"):
        screen.write(2.0, "\x1b[2J")


def test_typed_keys_and_overwritten_lines(recording):
    """Typed keys appear one after the other; a line that is overwritten disappears, and brief ones are left out."""
    screen = recording.Screen()
    for at, text in ((1.0, "a"), (1.5, "b"), (3.0, "\r\x1b[Kc"), (3.1, "\r\x1b[Kd"), (4.0, "\r\x1b[K"), (4.1, "e\r\n")):
        screen.write(at, text)
    assert texts(recording, screen.rows[0]) == [
        [("a", "", 1.0, 3.0), ("b", "", 1.5, 3.0)],
        [("c", "", 3.0, 4.0)],
        [("e", "", 4.1, None)],
    ]


def test_long_output_scrolls(recording):
    """If the screen is full, each new line moves the others up."""
    screen = recording.Screen()
    screen.write(5.0, "x\r\n" * (recording.ROWS + 1))
    assert screen.scrolls == [(5.0, 1), (5.0, 2)]


@pytest.mark.integration
def test_a_session(recording, tmp_path):
    """A session types commands in a shell, shows the folder as a home folder, and waits for their output."""
    (tmp_path / "a.md").write_text("a: 1\nb: 2\n")
    with recording.Session(tmp_path) as session:
        session.wait_for("$ ")
        session.type("pwd")
        session.wait_for(recording.HOME)
        session.wait_for("$ ")
        session.open_editor(tmp_path / "a.md")
        session.edit(tmp_path / "a.md", 1, "b: 3")
    assert (tmp_path / "a.md").read_text() == "a: 1\nb: 3\n"
    moving, still = (recording.svg(session, is_animated=animated) for animated in (True, False))
    assert "@keyframes" in moving
    assert "@keyframes" not in still
    assert f">{recording.HOME}</tspan>" in still
    assert os.fspath(tmp_path) not in moving


@pytest.mark.parametrize("name", ["first-session.svg", "first-session-still.svg"])
def test_the_committed_pictures(name):
    """A picture is small, has a title and a description, no script, and no path of the machine that has made it."""
    data = (DOCS / "pictures" / name).read_bytes()
    assert len(data) < 60_000
    root = etree.fromstring(data)
    assert [root.find(f"{SVG}{element}").text != "" for element in ("title", "desc")] == [True, True]
    assert root.find(f".//{SVG}script") is None
    assert b"/tmp" not in data
    text = "".join(root.itertext(f"{SVG}tspan"))
    for part in ("$ feeds init my-site", "feeds serve --open", "edited", "rejected", "fixed", "stopped", "feeds build"):
        assert part in text
    assert f'"pictures/{name}"' in (DOCS / "start.md").read_text("utf-8")
