"""Flask's routes and error handlers: the preview, files of articles, and 308, 404, 405, 410 and 503."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask, request, send_file
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response

from feeds.content.public_files import PublicFiles
from feeds.content.static_files import StaticFiles
from feeds.core import policy
from feeds.core.errors import FeedsError
from feeds.core.parse.media import media_type, static_media_type
from feeds.core.paths import THEME_STYLESHEET, relative_link
from feeds.pages import MEDIA_TYPE, PageRenderer
from feeds.render import Documents
from feeds.web.cached_response import CachedResponse
from feeds.web.middleware import FILE_KEY, SENDS_FILES_KEY
from feeds.web.preview import Preview, private_response
from feeds.web.response import Headers

ASSET_MAX_AGE_S = 3600  # caches may use stylesheets, scripts and files of articles for this time without revalidation
_MAX_REDIRECT_AGE_S = 60  # for a page that moved: if it moves back, a browser with the old redirect would loop
_DOCUMENT_SUFFIXES = (".xml", ".json")
_FILE_ERRORS = {404: "Not Found", 410: "Removed"}  # the response in place of a document or a file
_PDF = "application/pdf"  # Chrome doesn't show it in a sandbox; its scripts run in the viewer


class ServedFiles(NamedTuple):
    """The files that are served unchanged."""

    of_articles: PublicFiles
    static: StaticFiles
    theme: str  # the stylesheet of site.theme; "" if there is none


def add_page_routes(
    app: Flask,
    documents: Documents[CachedResponse],
    files: ServedFiles,
    preview: Preview | None,
    headers: Headers,
    *,
    max_age: int,
) -> None:
    """Add the routes of the preview, if there is one, of static files, and of the files of articles.

    Args:
        app: the application.
        documents: finds the files that published articles refer to.
        files: the files.
        preview: its pages; authorised browsers also see the files of unpublished articles.
        headers: sent with each page of the preview.
        max_age: seconds for which caches may use a file of an article without revalidation.
    """
    if preview:
        _add_preview_routes(app, preview, headers)
    _add_static_routes(app, documents, files, max_age)
    if documents.site.pages:
        _add_file_routes(app, documents, files.of_articles, preview, max_age)


def _add_preview_routes(app: Flask, preview: Preview, headers: Headers) -> None:
    @app.get("/preview/", defaults={"path": ""})
    @app.get("/preview/<path:path>")
    def show_preview(path: str) -> Response:
        if response := preview.authorize_browser(request):
            return response
        if not preview.is_authorized(request):
            return _plain("Open the address that `feeds serve --drafts` has printed on the terminal.\n", 403)
        if path == "state":
            return private_response(preview.state_token(), "text/plain; charset=utf-8")
        response = private_response(preview.article_page(path) if path else preview.index_page())
        response.headers.extend(headers)
        return response


def _add_static_routes(app: Flask, documents: Documents[CachedResponse], files: ServedFiles, max_age: int) -> None:
    """Make the route of built-in files also send the stylesheet of the theme, and the static files of the site."""
    send_asset = app.view_functions["static"]

    def send_static(filename: str) -> Any:
        path = f"/static/{filename}"
        if path == THEME_STYLESHEET and files.theme:
            response = Response(files.theme, content_type="text/css; charset=utf-8")
            response.headers["Cache-Control"] = f"public, max-age={max_age}"
            response.add_etag()
            return response.make_conditional(request.environ)
        try:
            return send_asset(filename=filename)
        except NotFound:
            file = files.static.find(filename)
            if file is None or documents.page_queries.belongs_to_pages(path):
                raise
        return _send(file, static_media_type(filename), max_age)

    app.view_functions["static"] = send_static


def _send(file: Path, file_type: str, max_age: int) -> Response:
    """Return the response for a file of the content folder or of the static files."""
    response = send_file(file, mimetype=file_type, conditional=True, max_age=max_age)
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype != _PDF:
        response.headers["Content-Security-Policy"] = policy.FILE
    if request.environ.get(SENDS_FILES_KEY):
        request.environ[FILE_KEY] = str(file)
    return response


def _add_file_routes(
    app: Flask, documents: Documents[CachedResponse], files: PublicFiles, preview: Preview | None, max_age: int
) -> None:
    """Add the routes of the files of articles, which are read from the content folder and sent unchanged."""

    @app.get("/<path:path>")
    def send_article_file(path: str) -> Response:
        live = preview is None or not preview.is_authorized(request)
        url_path = f"/{path}"
        of_article = documents.page_queries.file_of_article(url_path, live=live) if media_type(path) else None
        file = files.find_in_own_folder(*of_article, url_path) if of_article else None
        if file is None and (file := files.find(path)) and not documents.page_queries.is_linked(path, live=live):
            file = None  # a file that no article refers to is not public
        if file is None or documents.page_queries.belongs_to_pages(url_path):
            raise NotFound
        return _send(file, media_type(path), max_age)

    send_asset = app.view_functions["static"]

    def send_asset_or_file(filename: str) -> Any:
        try:
            return send_asset(filename=filename)
        except NotFound:
            return send_article_file(f"static/{filename}")

    app.view_functions["static"] = send_asset_or_file


def add_error_handlers(
    app: Flask,
    documents: Documents[CachedResponse],
    aliases: Mapping[str, str],
    pages: PageRenderer,
    headers: Headers,
    *,
    max_age: int,
) -> None:
    """Add handlers for errors: 308 for a page that moved, 404, 405, 410 for a removed document or page, and 503.

    The body of a 404 or 410 is a page, or one line of text if the path is that of a document or another file.

    Args:
        app: the application.
        documents: finds pages that moved, and removed documents and pages.
        aliases: old paths of feeds, with the paths of their documents.
        pages: renders the pages.
        headers: sent with each page.
        max_age: seconds for which caches may use 308 and 410.
    """
    cache_control = f"public, max-age={max_age}"

    def error_response(error: int, cache_control: str = "no-store") -> Response:
        if request.path.endswith(_DOCUMENT_SUFFIXES) or media_type(request.path):
            return _plain(f"{_FILE_ERRORS[error]}. The page / lists the articles and feeds.\n", error, cache_control)
        body = pages.error_page(request.path, error).body
        response = Response(body, error, content_type=MEDIA_TYPE, headers={"Cache-Control": cache_control})
        response.headers.extend(headers)
        return response

    @app.errorhandler(404)
    @app.errorhandler(405)
    def not_found(error: HTTPException) -> Response:
        try:
            path = aliases.get(request.path, request.path)
            target = documents.page_queries.redirect_target(path) if isinstance(error, NotFound) else None
            is_removed = isinstance(error, NotFound) and not target and documents.page_queries.is_removed(path)
        except FeedsError as catalog_error:
            return unavailable(catalog_error)
        if target:
            location = relative_link(request.path, target)
            redirect_max_age = min(max_age, _MAX_REDIRECT_AGE_S)
            response = _plain(f"This page is at {location}\n", 308, f"public, max-age={redirect_max_age}")
            response.headers["Location"] = location
            return response
        if is_removed:
            return error_response(410, cache_control)
        if isinstance(error, NotFound):
            return error_response(404)
        response = _plain(f"{error.name}. The page / lists the articles and feeds.\n", error.code or 500)
        response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return response

    @app.errorhandler(FeedsError)
    def unavailable(_error: FeedsError) -> Response:
        response = _plain("This can't be served at the moment; try again in a few seconds.\n", 503)
        response.headers["Retry-After"] = "2"
        return response


def _plain(text: str, status: int, cache_control: str = "no-store") -> Response:
    headers = {"Cache-Control": cache_control, "Access-Control-Allow-Origin": "*"}
    return Response(text, status, content_type="text/plain; charset=utf-8", headers=headers)
