"""Polls that clients repeat get the same responses as those that they send for the first time."""

import json
import random
import time
from types import SimpleNamespace

import pytest
from conftest import Site
from waiting import eventually

from feeds.render import WaitPolicy
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
        patch.setattr(not_modified, "_MAX_AGE_S", -1.0)
        server = app(site)
        expected = [(request, ask(server, request)) for request in requests(server)]
    assert {answer[0] for _, answer in expected} == {200, 204, 304, 404, 405}
    monkeypatch.setattr(not_modified, "_MAX_AGE_S", 60.0)
    server = app(site)
    picked = random.Random(11).choices(expected, k=3 * len(expected))
    for request, answer in picked:
        assert ask(server, request) == answer, request


def test_statuses_of_a_current_validator(site, app):
    """A current validator leads to 304 for GET and HEAD, and changes nothing for other methods."""
    server = app(site)
    for path in ("/rss.xml", "/old.xml"):
        etag = server.ask(path, "Accept-Encoding: gzip").headers["etag"]
        for _ in range(3):
            statuses = [
                server.ask(path, f"If-None-Match: {etag}", "Accept-Encoding: gzip", method=method).status
                for method in ("GET", "HEAD", "OPTIONS", "POST")
            ]
            assert statuses == [304, 304, 204, 405]


def test_redirected_aliases_stay_redirected(site, app):
    """With feeds.redirect_aliases, a poll of an alias gets a redirection, whatever validator it has."""
    site.configure(feeds={"aliases": {"/old.xml": "/rss.xml"}, "redirect_aliases": True}, server={"limit": 0})
    server = app(site)
    etag = server.ask("/rss.xml").headers["etag"]
    assert [server.ask("/rss.xml", f"If-None-Match: {etag}").status for _ in range(3)] == [304] * 3
    assert [server.ask("/old.xml", f"If-None-Match: {etag}").status for _ in range(3)] == [308] * 3


@pytest.mark.parametrize("validator", ["etag", "last-modified"])
def test_a_document_takes_precedence_over_an_alias(site, app, validator):
    """When a feed appears at the path of an alias, polls with the validator of the alias get the feed."""
    site.configure(feeds={"aliases": {"/tag/y/rss.xml": "/tag/x/rss.xml"}}, server={"limit": 0})
    server = app(site)
    header = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}[validator]
    condition = f"{header}: {server.ask('/tag/y/rss.xml').headers[validator]}"
    assert server.ask("/tag/y/rss.xml", condition).status == 304
    site.article("new.md", "New.", title="New", date="2026-05-09", tags=["y"])
    site.publish()
    eventually(lambda: server.ask("/tag/y/rss.xml", condition).status == 200)
    assert b"New." in server.ask("/tag/y/rss.xml", condition).body


def test_a_worker_with_repeated_polls_only_finds_new_revisions(site, app):
    """Repeated polls are enough for a worker to notice a change."""
    server = app(site)
    etag = server.ask("/rss.xml").headers["etag"]
    site.article("new.md", "New.", title="New", date="2026-05-09")
    site.publish()
    eventually(lambda: server.ask("/rss.xml", f"If-None-Match: {etag}").status == 200)


def test_a_cached_response_ends(site, app, monkeypatch):
    """A response to a repeated poll is used until the next check for a revision, until its headers are outdated, or 50 ms."""
    server = app(site)
    finder = server._app.wsgi_app._not_modified
    etag = server.ask("/rss.xml").headers["etag"]
    watcher, now = finder._documents.revision_watcher, time.monotonic() + 1000
    monkeypatch.setattr(not_modified, "time", SimpleNamespace(monotonic=lambda: now, time=time.time))

    def valid_for(next_check, headers=float("inf")):
        finder._repeated.clear()
        monkeypatch.setattr(watcher, "poll", lambda _: setattr(watcher, "next_check_at", now + next_check))
        cached = finder._documents.get_current("/rss.xml", WaitPolicy.RENDER)
        monkeypatch.setattr(cached._encoded[""], "valid_until", time.time() + headers)
        assert server.ask("/rss.xml", f"If-None-Match: {etag}").status == 304
        ((_, repeated),) = finder._repeated.items()
        return repeated.valid_until - now

    assert valid_for(5) == pytest.approx(0.05)
    assert valid_for(0.02) == pytest.approx(0.02)
    assert valid_for(5, headers=0.03) == pytest.approx(0.03, abs=0.02)


def test_each_repeated_poll_is_counted(site, app):
    """A response from this cache is counted and logged like any other."""
    site.configure(server={"limit": 0, "access_log": "access.log"})
    server = app(site)
    etag = server.ask("/rss.xml").headers["etag"]
    for _ in range(5):
        assert server.ask("/rss.xml", f"If-None-Match: {etag}", "User-Agent: NetNewsWire").status == 304
    server.close()
    with site.catalog.read_stats() as stats:
        assert stats._connection.exec_driver_sql("SELECT sum(unchanged) FROM visits").scalar() == 5
    lines = (site.root / "access.log").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines].count(304) == 5


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
    finder = server._app.wsgi_app._not_modified
    etag = server.ask("/rss.xml", "Accept-Encoding: gzip").headers["etag"]
    for number in range(50):
        answer = server.ask("/rss.xml", f"If-None-Match: {etag}", f"Accept-Encoding: gzip, x-{number}")
        assert answer.status == 304
        assert 0 < len(finder._repeated) <= 5
    finder._repeated.clear()
    assert server.ask("/rss.xml", f"If-None-Match: {etag}", f"Accept-Encoding: gzip, {'x' * 300}").status == 304
    assert not finder._repeated
