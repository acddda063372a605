"""The feeds over HTTP: documents, pages for people, and whether all is well. It decides nothing of what is in a feed.

No byte of any answer depends on the request's Host, query or forwarding headers: URLs come from the configuration.
"""

import logging
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from feeds import config, formats
from feeds.catalog import Catalog
from feeds.documents import Documents, NothingYet, path_of
from feeds.errors import CatalogError, FeedsError
from feeds.web import respond

_LOG = logging.getLogger(__name__)
_RETRY = "2"  # seconds after which a client may ask again for what is not there yet


def create_app(config_file: str | os.PathLike[str] | None = None) -> Flask:
    """Make the WSGI application for any server. Without a file, FEEDS_CONFIG names it, else it is config.yaml.

    It reads the catalog that `feeds serve` or `feeds build` writes, and never the folder of articles.
    """
    if parent := os.environ.get("FEEDS_PARENT"):
        os.setpgrp()  # Ctrl-C is for the publishing process, which ends its workers in good order
        threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    settings = config.load(Path(config_file or os.environ.get("FEEDS_CONFIG", "config.yaml")), os.environ)
    catalog = Catalog(settings.catalog_file)
    catalog.create()
    documents = Documents(catalog, settings.for_core)
    app = Flask("feeds.web")
    app.url_map.strict_slashes = app.url_map.merge_slashes = False  # a redirect would carry the request's Host

    @app.get("/healthz")
    def health() -> tuple[Response, int]:
        return _health(catalog)

    @app.get("/")
    @app.get("/<path:path>")
    def answer(path: str = "") -> Response:
        if document := documents.get(f"/{path}"):
            return respond.document(document, settings.server.max_age, request.environ)
        if path == "" or path.endswith("/"):
            return _page(documents, path.rstrip("/"))
        return _plain("There is no such feed here. / lists those that there are.\n", 404)

    @app.errorhandler(404)
    @app.errorhandler(405)
    def refused(error: HTTPException) -> Response:
        response = _plain(f"{error.name}. / lists the feeds.\n", error.code or 500)
        response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return response

    @app.errorhandler(NothingYet)
    def not_yet(_error: NothingYet) -> Response:
        response = _plain("Nothing has been published yet; ask again in a moment.\n", 503)
        response.headers["Retry-After"] = _RETRY
        return response

    @app.errorhandler(FeedsError)
    def away(error: FeedsError) -> Response:
        _LOG.error("%s", error)
        response = _plain("This can't be served just now; ask again in a moment.\n", 503)
        response.headers["Retry-After"] = _RETRY
        return response

    return app


def _end_with(parent: int) -> None:
    """End this worker when the publishing process is gone without a word, so that its port is free for the next."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _page(documents: Documents, path: str) -> Response:
    """Show what can be subscribed to, and the newest entries of one feed."""
    documents.revision()
    feed = documents.feed(path)
    if feed is None:
        return _plain("There is no such feed here. / lists those that there are.\n", 404)
    groups: dict[str, list[Any]] = {}
    for state in documents.feeds():
        groups.setdefault(state.kind, []).append(state)
    root = "../" * len(path.split("/")) if path else "./"  # links hold whatever path or port leads here
    html = render_template("page.html", feed=feed, groups=groups, formats=formats.FORMATS, path_of=path_of, root=root)
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; img-src * data:"
    response.headers["Cache-Control"] = "public, max-age=60"
    response.add_etag()
    return response.make_conditional(request.environ)


def _health(catalog: Catalog) -> tuple[Response, int]:
    """Say whether documents can be served, and how old the last good regeneration is."""
    try:
        with catalog.reading() as reader:
            revision, run, failure = reader.revision(), reader.run(), reader.meta("failure")
    except CatalogError as error:
        return jsonify(status="failing", reason=str(error)), 503
    age = (datetime.now(UTC) - run.at).total_seconds() if run else None
    status = "ok" if revision else "starting"
    regenerated = run.at.isoformat() if run else None
    said = jsonify(status=status, revision=revision, regenerated=regenerated, age=age, failure=failure)
    return said, 200 if revision else 503


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
