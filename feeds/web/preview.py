"""The preview of unpublished articles for their author: `feeds serve --drafts`, only on this machine.

`/preview/` lists drafts, scheduled and rejected articles. `/preview/PATH` shows any article as readers will see it,
with the problems that `feeds check` finds. No document and no other page contains any of this.

To authorise a browser, open the address that `feeds serve` prints on the terminal; it sets a cookie with a key.
Requests that come through a proxy, or with a host name other than this machine's own, are never authorised.
"""

import hmac
import ipaddress
from datetime import UTC, datetime
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from feeds.catalog import Catalog
from feeds.content.public_files import PublicFiles
from feeds.core import memberships
from feeds.core.lint import Lint, Problem
from feeds.core.model import Article, Site
from feeds.pages import MEDIA_TYPE, format_body, text_direction
from feeds.pages.appearance import Appearance
from feeds.pages.environment import render
from feeds.render import Documents
from feeds.render.relocation import move_html
from feeds.render.renderer import markdown_renderer
from feeds.web.cached_response import CachedResponse
from feeds.web.request import WsgiRequest

_COOKIE = "feeds-preview"
_PRIVATE_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_NEWEST = 20  # number of published articles that the index also lists


class Preview:
    """Renders the preview's pages and authorises browsers to see them."""

    def __init__(
        self,
        catalog: Catalog,
        documents: Documents[CachedResponse],
        appearance: Appearance,
        site: Site,
        files: PublicFiles,
        key: str,
    ) -> None:
        self._key = key
        self._appearance = appearance
        self._catalog = catalog
        self._documents = documents
        self._site = site
        self._markdown = markdown_renderer(site)
        self._files = files

    def _is_missing(self, article: Article, reference: str) -> bool:
        return self._files.is_missing(self._site, article, reference)

    def is_authorized(self, request: Request) -> bool:
        """Return whether a request is from a browser that has the key."""
        return _is_local(request) and hmac.compare_digest(request.cookies.get(_COOKIE, ""), self._key)

    def authorize_browser(self, request: Request) -> Response | None:
        """Return a redirect that sets the cookie if the request's query is the key, else None."""
        query = request.query_string.decode("latin-1")
        if not (_is_local(request) and hmac.compare_digest(query, self._key)):
            return None
        response = Response("", 303, {"Location": "/preview/", **_PRIVATE_HEADERS})
        response.autocorrect_location_header = False
        response.set_cookie(_COOKIE, self._key, httponly=True, samesite="Strict")
        return response

    def index_page(self) -> str:
        """Return the HTML of the preview's first page."""
        now = datetime.now(UTC)
        with self._catalog.read_transaction() as catalog:
            unpublished = [(record.article, draft) for record, draft in catalog.unpublished_entries(now)]
            newest = [record.article for record in catalog.newest_entries("", _NEWEST)]
            rejected, token = catalog.rejected_articles(), catalog.change_token()
        return render(
            "preview_index.html",
            self._appearance,
            "../",
            self._site.language,
            unpublished=unpublished,
            newest=newest,
            rejected=rejected,
            token=token,
        ).text

    def state_token(self) -> str:
        """Return a text that changes after each run that has read an article; pages reload when it changes."""
        with self._catalog.read_transaction() as catalog:
            return catalog.change_token()

    def article_page(self, path: str) -> str | None:
        """Return the HTML of the article at a path of the content folder; None if there is none."""
        preview = self._documents.page_queries.unpublished_article(path)
        if preview is None:
            return None
        record, entry, token = preview
        article = record.article
        with self._catalog.read_transaction() as catalog:
            rejected = next((article for article in catalog.rejected_articles() if article.path == path), None)
        html = format_body(entry.html or "", entry.language, article.body)
        root = "../" * (1 + path.count("/"))
        articles_url = self._site.url if self._site.pages else None
        body = move_html(html, articles_url, root.removesuffix("/")) if articles_url else html
        lint = Lint(self._site, datetime.now(UTC), convert=self._markdown.convert, is_missing=self._is_missing)
        problems = lint.check_article(article, article.body, record.links)
        return render(
            "preview_article.html",
            self._appearance,
            root,
            self._site.language,
            article=article,
            entry=entry,
            feeds=[feed.name for feed in memberships.feeds_of(article, self._site) if feed.path],
            rejected=rejected,
            body=self._appearance.colour_code(body),
            problems=sorted(problems, key=_severity),
            token=token,
            articles_url=articles_url,
            direction=text_direction(entry.language),
        ).text


def private_response(body: str | None, media_type: str = MEDIA_TYPE) -> Response:
    """Return a response that nobody may store; 404 if there is no body."""
    response = Response(body or "There is no such article.\n", 200 if body else 404)
    response.content_type = media_type if body else "text/plain; charset=utf-8"
    response.headers.extend(_PRIVATE_HEADERS)
    return response


def _is_local(request: Request) -> bool:
    """Return whether a request is from this machine, by its own name, and through no proxy."""
    if WsgiRequest(request.environ).is_forwarded:
        return False
    try:
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""  # checked against DNS rebinding
    except ValueError:
        return False
    return _is_loopback(request.remote_addr or "") and (host == "localhost" or _is_loopback(host))


def _severity(problem: Problem) -> int:
    return ["error", "warning", "notice"].index(problem.level)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
