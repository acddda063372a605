"""What Flask answers of pages: previews, the files beside articles, and what is not there."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, request, send_file
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response

from feeds import policy
from feeds.bundle import PublicFiles
from feeds.documents import Documents
from feeds.errors import FeedsError
from feeds.parse.media import media_type
from feeds.web.answer import Answer
from feeds.web.front import FILE, SENDS_FILES
from feeds.web.preview import Preview
from feeds.web.preview import answer as preview_answer
from feeds.web.response import Headers

ASSETS_FOR = 3600  # seconds for which caches may use our stylesheets and scripts without asking
_PDF = "application/pdf"  # which Chrome shows in no sandbox, and whose scripts run in the viewer


def give_pages(
    app: Flask, documents: Documents[Answer], files: PublicFiles, preview: Preview | None, headers: Headers
) -> None:
    """Give out what belongs to pages, and with a `preview` also what nobody else may see; pages have these headers."""
    if preview:
        _show_drafts(app, preview, headers)
    if documents.site.pages:
        _give_files(app, documents, files, preview)


def _show_drafts(app: Flask, preview: Preview, headers: Headers) -> None:
    """Show who sits at this machine what is not published yet."""

    @app.get("/preview/", defaults={"path": ""})
    @app.get("/preview/<path:path>")
    def see(path: str) -> Response:
        if response := preview.let_in(request):
            return response
        if not preview.may_see(request):
            return _plain("Open the address that `feeds serve --drafts` has told in the terminal.\n", 403)
        if path == "state":
            return preview_answer(preview.token(), "text/plain; charset=utf-8")
        response = preview_answer(preview.article(path) if path else preview.overview())
        response.headers.extend(headers)
        return response


def _give_files(app: Flask, documents: Documents[Answer], files: PublicFiles, preview: Preview | None) -> None:
    """Give out the files of articles that have pages. The one thing that is read from the folder, as it is."""

    @app.get("/<path:path>")
    def file(path: str) -> Response:
        live = preview is None or not preview.may_see(request)
        at = f"/{path}"
        found = documents.overviews.beside(at, live=live) if media_type(path) else None
        place = files.find(*found, at) if found else None
        if place is None and (place := files.file(path)) and not documents.overviews.is_referred(path, live=live):
            place = None  # nobody is shown what no article refers to
        if place is None or documents.overviews.is_pages(at):
            raise NotFound
        response = send_file(place, mimetype=media_type(path), conditional=True, max_age=ASSETS_FOR)
        response.headers["X-Content-Type-Options"] = "nosniff"
        if response.mimetype != _PDF:
            response.headers["Content-Security-Policy"] = policy.FILE
        if request.environ.get(SENDS_FILES):
            request.environ[FILE] = str(place)
        return response

    assets = app.view_functions["static"]

    def asset_or_file(filename: str) -> Any:
        try:
            return assets(filename=filename)
        except NotFound:
            return file(f"static/{filename}")

    app.view_functions["static"] = asset_or_file


def say_errors(app: Flask, documents: Documents[Answer], aliases: Mapping[str, str]) -> None:
    """Have Flask say what is not there, or no more, in a sentence."""

    @app.errorhandler(404)
    @app.errorhandler(405)
    def refused(error: HTTPException) -> Response:
        try:
            gone = error.code == 404 and documents.overviews.is_gone(aliases.get(request.path, request.path))  # noqa: PLR2004
        except FeedsError as unavailable:
            return away(unavailable)
        if gone:
            cache = f"public, max-age={documents.site.max_age}"
            return _plain("This is no more. / lists what there is.\n", 410, cache)
        response = _plain(f"{error.name}. / lists what there is.\n", error.code or 500)
        response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return response

    @app.errorhandler(FeedsError)
    def away(_error: FeedsError) -> Response:
        response = _plain("This can't be served just now; ask again in a moment.\n", 503)
        response.headers["Retry-After"] = "2"
        return response


def _plain(text: str, status: int, cache: str = "no-store") -> Response:
    headers = {"Cache-Control": cache, "Access-Control-Allow-Origin": "*"}
    return Response(text, status, content_type="text/plain; charset=utf-8", headers=headers)
