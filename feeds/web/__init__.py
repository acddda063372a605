"""The feeds over HTTP: documents, pages for people, and whether all is well. What is in a feed is decided elsewhere."""

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from feeds import config, policy
from feeds.bundle import PublicFiles
from feeds.catalog import Catalog, Failures
from feeds.catalog.failures import Memory
from feeds.documents import Documents
from feeds.folder import Folder
from feeds.model import Document
from feeds.pages import HERE, Pages
from feeds.web.answer import Answer, Freshness
from feeds.web.clients import Clients
from feeds.web.front import CORS, Front
from feeds.web.hammering import Hammering
from feeds.web.health import Health
from feeds.web.hook import Hook
from feeds.web.journal import Journal, Request, access_log
from feeds.web.pages import ServedPages
from feeds.web.polls import Polls
from feeds.web.preview import Preview
from feeds.web.routes import ASSETS_FOR, give_pages, say_errors
from feeds.web.stats import StatsPage

if TYPE_CHECKING:
    from feeds.web.metrics import Counters

_DAY = 86_400
_PATIENCE = 10.0  # seconds for a database that may hang: whoever waits for it keeps a worker's other readers waiting
_ARCHIVE = Freshness(7 * _DAY, _DAY, 7 * _DAY)
_PAGE = Freshness(60, 60, _DAY)
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_CSP = ("Content-Security-Policy", policy.SENT_PAGE)


def create_app(config_file: str | os.PathLike[str] | None = None) -> Flask:
    """Make the WSGI application for any server. Without a file, FEEDS_CONFIG names it, else it is config.yaml.

    The configuration is read once, by this call. The application reads the catalog that `feeds serve` or `feeds build`
    writes, and of the folder no more than pictures.
    """
    return make_app(config.load(Path(config_file or os.environ.get("FEEDS_CONFIG", "config.yaml")), os.environ))


def make_app(
    settings: config.Config, *, parent: int = 0, preview_key: str = "", memory: Memory | None = None, name: str = ""
) -> Flask:
    """Return the WSGI application for a configuration that was read before.

    Args:
        settings: the configuration.
        parent: the id of the process that publishes and has started this one as its worker; 0 if none has.
        preview_key: opens what is not published yet; empty: nothing does.
        memory: where the publishing process says what fails.
        name: of this process's metrics, which the next process of that name continues; empty: the process id.
    """
    endings: list[Callable[[], Any]] = []
    if parent:
        os.setpgrp()  # Ctrl-C is for the publishing process, which ends its workers in good order
        threading.Thread(target=_end_with, args=(parent, endings), daemon=True).start()
    server, site = settings.server, settings.for_core
    catalog = Catalog(settings.catalog, answers_within=_PATIENCE)  # which whoever publishes makes

    vary = ("Vary", "Accept-Encoding, A-IM" if server.deltas else "Accept-Encoding")
    live = Freshness(site.max_age, min(site.max_age, 60), _DAY, until_the_hour=True)

    def answer(document: Document) -> Answer:
        return Answer(document, _ARCHIVE if document.settled else live, [vary, CORS], [_NOSNIFF])

    def page(document: Document) -> Answer:
        return Answer(document, _PAGE, [("Vary", "Accept-Encoding")], [_CSP, _NOSNIFF], dated=False)

    app = Flask("feeds.web", static_folder=str(HERE / "static"), static_url_path="/static")
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = ASSETS_FOR
    app.url_map.strict_slashes = app.url_map.merge_slashes = False  # a redirect would carry the request's Host
    tasks: list[Callable[[list[Request]], Any]] = []
    room = server.memory << 20
    counters = _count(tasks, name)
    documents = Documents(
        catalog, site, answer, room=room, deltas=server.deltas, timed=counters.rendered if counters else _nothing
    )
    documents.following.start()
    if server.access_log:
        tasks.append(access_log(server.access_log, settings.root, preview_key))
    if parent:
        sys.setswitchinterval(0.0005)  # seconds: for so long the thread that renders may keep a request waiting
        documents.prepare()
    files = PublicFiles(
        settings.content_root,
        may_lead_to=Folder(settings.content_root, settings.content.include, settings.content.exclude).may_lead_to,
        is_of_draft=documents.overviews.is_of_draft,
        aliases=site.aliases,
        secrets=settings.secrets,
    )
    preview = Preview(catalog, documents, site, files, preview_key) if preview_key else None
    pages = ServedPages(documents, site, Pages(site, settings.site.readers), page)
    health = Health(catalog, Failures(catalog, memory))
    aliases = settings.feeds.aliases

    clients = Clients(server.client_header)
    if task := _let_the_owner(app, settings, catalog):
        tasks.append(task)
    give_pages(app, documents, files, preview, [_CSP, _NOSNIFF])
    say_errors(app, documents, aliases)
    tasks.append(lambda _requests: documents.write())
    journal = Journal(tasks, wanted=len(tasks) > 1, logged=bool(server.access_log))
    journal.start()
    polls = (
        Polls(catalog, clients, settings.stats.keep, counters.polled if counters else _nothing)
        if settings.stats.count and not preview
        else None
    )
    if polls:
        polls.start()
        endings.append(polls.finish)
    app.extensions["feeds.front"] = front = Front(
        documents,
        pages.get,
        app.wsgi_app,
        aliases=aliases,
        redirect=settings.feeds.redirect_aliases,
        deltas=server.deltas,
        hammering=Hammering(server.limit, clients),
        note=journal.note,
        polled=polls.note if polls else None,
        health=health,
    )
    app.wsgi_app = front  # type: ignore[method-assign]
    app.extensions["feeds.close"] = partial(_close, documents, journal, polls, catalog)
    return app


def _close(documents: Documents[Answer], journal: Journal, polls: Polls | None, catalog: Catalog) -> None:
    """End the application's threads, write what they have queued, and close the catalog.

    For a program that outlives the application, such as a test.
    """
    documents.following.stop()
    journal.stop()
    if polls:
        polls.stop()
    catalog.close()


def _let_the_owner(app: Flask, settings: config.Config, catalog: Catalog) -> Callable[[list[Request]], Any] | None:
    """Let who has a secret see who reads, and call for a regeneration. Gives what hands such calls on."""
    if settings.stats.token:
        stats = StatsPage(catalog, settings.site.title, settings.stats.token, [_CSP, _NOSNIFF])
        app.add_url_rule("/stats", "stats", lambda: stats.answer(request))
    if not settings.schedule.webhook:
        return None
    hook = Hook(settings.schedule.webhook, proxied=bool(settings.server.client_header))
    app.add_url_rule("/refresh", "refresh", lambda: hook.answer(request), methods=["POST"])
    return lambda _requests: hook.hand_on(catalog.ask)


def _nothing(*_facts: object) -> None:
    """Do nothing with what nobody wants to know."""


def _count(tasks: list[Callable[[list[Request]], Any]], name: str) -> "Counters | None":
    """Return what counts requests, renders and polls; None if no metrics are wanted."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return None
    from feeds.web.metrics import Counters

    counters = Counters(name)
    tasks.append(counters.count)
    return counters


def _end_with(parent: int, endings: list[Callable[[], Any]]) -> None:
    """End this worker when the publishing process is gone without a word, so that its port is free for the next."""
    while os.getppid() == parent:
        time.sleep(1)
    for end in endings:
        end()
    os._exit(1)
