"""What is not published yet, for who writes it: `feeds serve --drafts`, on this machine alone.

Drafts, scheduled and refused articles are told on the first page, and every article has a page at `/preview/PATH` that
shows it as readers will, with what `feeds check` finds beside it. Nothing of that is in any document, and nobody is
answered who comes through a proxy, or by a name that is not this machine's.
"""

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Response

from feeds.catalog import Catalog
from feeds.documents import Documents
from feeds.lint import Lint, Problem
from feeds.model import Site
from feeds.pages import MEDIA_TYPE, direction, templates
from feeds.web.answer import Answer
from feeds.web.clients import FORWARDED

_STATE = "preview/"  # what is there changes whenever anything was read anew
_NEWEST = 20  # published articles that are listed besides


class Preview:
    """Shows what is not published yet."""

    def __init__(self, catalog: Catalog, documents: Documents[Answer], site: Site) -> None:
        self._catalog = catalog
        self._documents = documents
        self._site = site

    def overview(self) -> str:
        """Give what stands above the first page, in HTML."""
        now = datetime.now(UTC)
        with self._catalog.reading() as catalog:
            unpublished = [(record.article, draft) for record, draft in catalog.unpublished(now)]
            newest = [record.article for record in catalog.newest("", _NEWEST)]
            refused, token = catalog.refused(), catalog.reading_state()
        template = templates().get_template("unpublished.html")
        return template.render(unpublished=unpublished, newest=newest, refused=refused, token=token, at=_STATE)

    def token(self) -> str:
        """Give a text that is another after each regeneration that read something."""
        with self._catalog.reading() as catalog:
            return catalog.reading_state()

    def article(self, path: str) -> str | None:
        """Give the page of an article at a path of the content folder; None if there is none."""
        found = self._documents.overviews.unpublished(path)
        if found is None:
            return None
        article, entry, token = found
        problems = Lint(self._site, datetime.now(UTC)).article(article, article.body)
        template = templates().get_template("preview.html")
        return template.render(
            site=self._site,
            article=article,
            entry=entry,
            problems=sorted(problems, key=_gravity),
            token=token,
            root="../" * (1 + path.count("/")),
            direction=direction(entry.language),
        )


def only_here(app: WSGIApplication) -> WSGIApplication:
    """Let nobody through who is not at this machine."""

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _is_local(environ):
            return app(environ, start_response)
        refused = Response("A preview is for its own machine alone.\n", 403, content_type="text/plain; charset=utf-8")
        return refused(environ, start_response)

    return guarded


def _is_local(environ: WSGIEnvironment) -> bool:
    """Tell whether a request is from this machine, by its own name, and through no proxy."""
    if any(header in environ for header in FORWARDED):
        return False
    host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""  # a name that is led here is not ours
    return _is_loopback(environ.get("REMOTE_ADDR", "")) and (host == "localhost" or _is_loopback(host))


def answer(html: str | None, media_type: str = MEDIA_TYPE) -> Response:
    """Answer with a page that nobody keeps."""
    response = Response(html or "There is no such article.\n", 200 if html else 404)
    response.content_type = media_type if html else "text/plain; charset=utf-8"
    response.headers["Cache-Control"] = "no-store"
    return response


def _gravity(problem: Problem) -> int:
    return ["error", "warning", "notice"].index(problem.level)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
