"""How messages are logged."""

import logging

import pytest

from feeds.logs import SingleLineFormatter


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nerror: b", "a\\nerror: b"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\x9bb\u2028c\u202ed\x7f\0", "a\\x9bb\\u2028c\\u202ed\\x7f\\x00"),
        ("plain é 한 😀", "plain é 한 😀"),
        ("x" * 5_000, "x" * 1_000 + "…"),
    ],
)
def test_a_message_is_a_line(text, line):
    """A log message is one line of limited length without control characters, whatever it quotes."""
    record = logging.LogRecord("feeds", logging.WARNING, "", 1, "%s", (text,), None)
    assert SingleLineFormatter().format(record) == line


def test_what_a_client_sends_is_logged_as_a_line(site, app, caplog):
    """The path of a request that fails adds no lines to the log."""
    site.article("a.md", title="a")
    site.publish()
    server = app(site)
    caplog.set_level(logging.INFO, "feeds")
    caplog.handler.setFormatter(SingleLineFormatter())
    for file in site.config.catalog.parent.glob("catalog.db*"):
        file.write_bytes(b"no database " * 10_000)
    assert server.ask("/", environ={"PATH_INFO": "/tag/a\nerror: forged\x1b[31m/rss.xml"}).status == 503
    (line,) = [one for one in caplog.text.splitlines() if "forged" in one]
    assert "a\\nerror: forged\\x1b[31m" in line
