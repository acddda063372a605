"""What is not published yet, for who writes it: `feeds serve --drafts`, on this machine alone.

Drafts, scheduled and refused articles are told at `/preview/`, and every article has a page at `/preview/PATH` that
shows it as readers will, with what `feeds check` finds beside it. Nothing of that is in any document or on any other
page. Who sees it has opened the address that the terminal told, which leaves a key in the browser: nobody else has it,
be it through a proxy or by another name that leads here. And nobody is answered who says that he comes through one.
"""

import hmac
import ipaddress
from datetime import UTC, datetime
from urllib.parse import urlsplit
from wsgiref.types import WSGIEnvironment

from werkzeug.wrappers import Request, Response

from feeds.bundle import PublicFiles
from feeds.catalog import Catalog
from feeds.documents import Documents
from feeds.documents.render import markdown_renderer
from feeds.lint import Lint, Problem
from feeds.model import Article, Site
from feeds.pages import MEDIA_TYPE, aligned, direction, templates
from feeds.web.answer import Answer
from feeds.web.clients import FORWARDED

_COOKIE = "feeds-preview"
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_NEWEST = 20  # published articles that are listed besides


class Preview:
    """Shows what is not published yet."""

    def __init__(
        self, catalog: Catalog, documents: Documents[Answer], site: Site, files: PublicFiles, key: str
    ) -> None:
        self._key = key
        self._catalog = catalog
        self._documents = documents
        self._site = site
        self._markdown = markdown_renderer(site)
        self._files = files

    def _is_missing(self, article: Article, reference: str) -> bool:
        return self._files.is_missing(self._site, article, reference)

    def may_see(self, request: Request) -> bool:
        """Tell whether a request is from the browser that has the key."""
        return _is_local(request.environ) and hmac.compare_digest(request.cookies.get(_COOKIE, ""), self._key)

    def let_in(self, request: Request) -> Response | None:
        """Leave the key in the browser that opened the address of the terminal; None for any other request."""
        said = request.query_string.decode("latin-1")
        if not (_is_local(request.environ) and hmac.compare_digest(said, self._key)):
            return None
        response = Response("", 303, {"Location": "/preview/", **_PRIVATE})
        response.autocorrect_location_header = False
        response.set_cookie(_COOKIE, self._key, httponly=True, samesite="Strict")
        return response

    def overview(self) -> str:
        """Give the first page of the preview."""
        now = datetime.now(UTC)
        with self._catalog.reading() as catalog:
            unpublished = [(record.article, draft) for record, draft in catalog.unpublished(now)]
            newest = [record.article for record in catalog.newest("", _NEWEST)]
            refused, token = catalog.refused(), catalog.reading_state()
        template = templates().get_template("unpublished.html")
        return template.render(
            site=self._site, unpublished=unpublished, newest=newest, refused=refused, token=token, root="../"
        )

    def token(self) -> str:
        """Give a text that is another after each regeneration that read something."""
        with self._catalog.reading() as catalog:
            return catalog.reading_state()

    def article(self, path: str) -> str | None:
        """Give the page of an article at a path of the content folder; None if there is none."""
        found = self._documents.overviews.unpublished(path)
        if found is None:
            return None
        record, entry, token = found
        article = record.article
        with self._catalog.reading() as catalog:
            refused = next((one for one in catalog.refused() if one.path == path), None)
        html = aligned(entry.html or "").replace(f'="{self._site.url}/', '="/').replace(f", {self._site.url}/", ", /")
        lint = Lint(self._site, datetime.now(UTC), convert=self._markdown.converted, is_missing=self._is_missing)
        problems = lint.article(article, article.body, record.links)
        template = templates().get_template("preview.html")
        return template.render(
            site=self._site,
            article=article,
            entry=entry,
            refused=refused,
            body=html,
            problems=sorted(problems, key=_gravity),
            token=token,
            root="../" * (1 + path.count("/")),
            direction=direction(entry.language),
        )


def _is_local(environ: WSGIEnvironment) -> bool:
    """Tell whether a request is from this machine, by its own name, and through no proxy."""
    if any(header in environ for header in FORWARDED):
        return False
    try:
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""  # a name that is led here is not ours
    except ValueError:
        return False
    return _is_loopback(environ.get("REMOTE_ADDR", "")) and (host == "localhost" or _is_loopback(host))


def answer(html: str | None, media_type: str = MEDIA_TYPE) -> Response:
    """Answer with a page that nobody keeps."""
    response = Response(html or "There is no such article.\n", 200 if html else 404)
    response.content_type = media_type if html else "text/plain; charset=utf-8"
    response.headers.extend(_PRIVATE)
    return response


def _gravity(problem: Problem) -> int:
    return ["error", "warning", "notice"].index(problem.level)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
