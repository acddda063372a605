"""Polls that clients repeat get the same responses as those that they send for the first time."""

import random

import pytest
from conftest import Site
from waiting import eventually

from feeds.web import not_modified

ENCODINGS = ["", "gzip", "br", "zstd", "gzip, br;q=0.5", "*;q=0"]


@pytest.fixture
def site(tmp_path):
    """Return a site with two feeds and an alias, which has been published."""
    site = Site(tmp_path / "site")
    site.configure(feeds={"aliases": {"/old.xml": "/rss.xml"}}, server={"limit": 0})
    for number in range(3):
        site.article(f"{number}.md", f"Text {number}.", title=f"T{number}", date=f"2026-05-0{number + 1}", tags=["x"])
    site.publish()
    yield site
    site.close()


def requests(server):
    """Return requests for documents and pages, with the validators of all encodings and with others."""
    found = []
    for path in ("/rss.xml", "/feed.json", "/tag/x/atom.xml", "/old.xml", "/", "/none.xml"):
        answers = [server.ask(path, f"Accept-Encoding: {encoding}") for encoding in ENCODINGS]
        etags = {answer.headers.get("etag", '"none"') for answer in answers}
        conditions = [
            f"If-None-Match: {value}" for etag in sorted(etags) for value in (etag, f"W/{etag}", f'"a", {etag}')
        ]
        modified = answers[0].headers.get("last-modified")
        conditions += ["If-None-Match: *", 'If-None-Match: "other"', f"If-Modified-Since: {modified}"]
        found += [
            (path, method, condition, encoding)
            for condition in conditions
            for encoding in ENCODINGS
            for method in ("GET", "HEAD", "OPTIONS", "POST")
        ]
    return found


def ask(server, request):
    path, method, condition, encoding = request
    answer = server.ask(path, condition, f"Accept-Encoding: {encoding}", method=method)
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() != "date"}
    return answer.status, headers, answer.body


def test_repeated_requests(site, app, monkeypatch):
    """In any order, requests get the same responses from an application that caches those to repeated polls."""
    with monkeypatch.context() as patch:
        patch.setattr(not_modified, "_MAX_REPEATED", 0)
        patch.setattr(not_modified, "_MAX_AGE_S", -1.0)
        server = app(site)
        expected = [(request, ask(server, request)) for request in requests(server)]
    assert {answer[0] for _, answer in expected} == {200, 204, 304, 404, 405}
    server = app(site)
    picked = random.Random(11).choices(expected, k=3 * len(expected))
    for request, answer in picked:
        assert ask(server, request) == answer, request


def test_after_a_change(site, app, monkeypatch):
    """After a change no poll gets a 304 for the old version, however often it was repeated; other feeds keep theirs."""
    monkeypatch.setattr(not_modified, "_MAX_AGE_S", 60.0)
    server = app(site)
    for number in range(3, 6):
        etags = {path: server.ask(path).headers["etag"] for path in ("/rss.xml", "/tag/x/rss.xml")}
        for path, etag in etags.items():
            assert [server.ask(path, f"If-None-Match: {etag}").status for _ in range(3)] == [304] * 3
        site.article(f"{number}.md", "Another.", title=f"T{number}", date=f"2026-05-0{number + 1}")
        site.publish()
        eventually(lambda etags=etags: server.ask("/rss.xml").headers["etag"] != etags["/rss.xml"])
        assert server.ask("/rss.xml", f"If-None-Match: {etags['/rss.xml']}").status == 200
        assert server.ask("/tag/x/rss.xml", f"If-None-Match: {etags['/tag/x/rss.xml']}").status == 304


def test_the_number_of_cached_responses_is_bounded(site, app, monkeypatch):
    """A client that varies its header fields can't fill the memory, and gets correct responses."""
    monkeypatch.setattr(not_modified, "_MAX_REPEATED", 5)
    server = app(site)
    finder = server._app.extensions["feeds.middleware"]._not_modified
    etag = server.ask("/rss.xml", "Accept-Encoding: gzip").headers["etag"]
    for number in range(50):
        answer = server.ask("/rss.xml", f"If-None-Match: {etag}", f"Accept-Encoding: gzip, x-{number}")
        assert answer.status == 304
        assert 0 < len(finder._repeated) <= 5
    finder._repeated.clear()
    assert server.ask("/rss.xml", f"If-None-Match: {etag}", f"Accept-Encoding: gzip, {'x' * 300}").status == 304
    assert not finder._repeated
