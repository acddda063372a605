"""The HTTP server's application: documents, pages, files of articles, and `/healthz`.

The headers that all documents or all pages have are chosen here (`document_response`, `page_response`). Exported files
get theirs in `feeds.export.host_files` (`_document_headers`, `_page_headers`): change both. Redirects and errors have
their own headers, in `feeds.web.middleware` and `feeds.web.routes`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import flask
from flask import Flask

from feeds import config
from feeds.catalog import Catalog, Failures
from feeds.catalog.failures import SharedMemory
from feeds.content import Folder
from feeds.content.public_files import PublicFiles
from feeds.core import policy
from feeds.core.model import Document
from feeds.pages import STATIC_FOLDER, PageRenderer
from feeds.render import Documents
from feeds.render.cache_policy import CachePolicy, document_cache_policy
from feeds.web.cached_response import CachedResponse
from feeds.web.client_address import ClientAddressResolver
from feeds.web.health import Health
from feeds.web.middleware import CORS, DocumentMiddleware
from feeds.web.pages import ServedPages
from feeds.web.poll_recorder import PollRecorder
from feeds.web.preview import Preview
from feeds.web.rate_limit import RateLimiter
from feeds.web.request_log import LoggedRequest, RequestLog, access_log_writer
from feeds.web.routes import ASSET_MAX_AGE_S, add_error_handlers, add_page_routes
from feeds.web.stats import StatsPage
from feeds.web.webhook import Webhook

if TYPE_CHECKING:
    from feeds.web.metrics import WorkerMetrics

_CATALOG_TIMEOUT_S = 10.0  # for a reply of the database: a request that waits for it occupies a thread
_READ_CACHE_KIB = 2 << 10  # of a connection to the catalog; the system caches the file too
_PAGE_POLICY = CachePolicy(60, 60, 86_400)
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_CSP = ("Content-Security-Policy", policy.PAGE_HEADER)


def create_app(config_file: str | os.PathLike[str] | None = None) -> Flask:
    """Return the WSGI application, for any server.

    The configuration is read once: from `config_file`, else from the file that FEEDS_CONFIG names, else from
    config.yaml. The application reads the catalog that `feeds serve` or `feeds build` writes; of the content folder it
    reads only files of articles, such as pictures.
    """
    settings = config.load(Path(config_file or os.environ.get("FEEDS_CONFIG", "config.yaml")), os.environ)
    return create_app_from(settings)


def create_app_from(settings: config.Config, *, preview_key: str = "") -> Flask:
    """Return the WSGI application for a configuration; with a preview key, it serves previews."""
    return create_application(settings, preview_key=preview_key, metrics=create_metrics("")).app


class ServedApplication(NamedTuple):
    """An application, and the parts that the server of `feeds serve` uses directly."""

    settings: config.Config
    app: Flask
    middleware: DocumentMiddleware
    documents: Documents[CachedResponse]
    close: Callable[[], None]  # ends the threads, writes what they have queued, and closes the catalog
    flush: Callable[[], object]  # writes the polls that were counted


def create_application(
    settings: config.Config,
    *,
    preview_key: str = "",
    memory: SharedMemory | None = None,
    metrics: "WorkerMetrics | None" = None,
) -> ServedApplication:
    """Return the application for a configuration.

    Args:
        settings: the configuration.
        preview_key: authorises browsers to see unpublished articles; empty if there is no preview.
        memory: holds the failures that the publishing process reports.
        metrics: the counters of this process, if metrics are on.
    """
    clients = ClientAddressResolver(settings.server.client_header)
    server, site = settings.server, settings.site_model
    catalog = Catalog(settings.catalog, statement_timeout=_CATALOG_TIMEOUT_S, read_cache_kib=_READ_CACHE_KIB)

    vary = ("Vary", "Accept-Encoding, A-IM" if server.deltas else "Accept-Encoding")

    def document_response(document: Document) -> CachedResponse:
        cache_policy = document_cache_policy(site, is_immutable=document.is_immutable)
        return CachedResponse(document, cache_policy, [vary, CORS], [_NOSNIFF])

    def page_response(document: Document) -> CachedResponse:
        headers, body_headers = [("Vary", "Accept-Encoding")], [_CSP, _NOSNIFF]
        return CachedResponse(document, _PAGE_POLICY, headers, body_headers, has_date=False)

    app = Flask("feeds.web", static_folder=str(STATIC_FOLDER), static_url_path="/static")
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = ASSET_MAX_AGE_S
    app.url_map.strict_slashes = app.url_map.merge_slashes = False  # a redirect would carry the request's Host
    tasks: list[Callable[[list[LoggedRequest]], Any]] = []
    if metrics:
        tasks.append(metrics.count_requests)
    documents = Documents(
        catalog,
        site,
        document_response,
        max_bytes=(server.memory << 20) * 7 // 8,
        deltas=server.deltas,
        on_rendered=metrics.count_render if metrics else _ignore,
    )
    documents.revision_watcher.start()
    if server.access_log:
        tasks.append(access_log_writer(server.access_log, settings.root, preview_key))
    files = PublicFiles(
        settings.content_root,
        may_link_to=Folder(settings.content_root, settings.content.include, settings.content.exclude).may_link_to,
        is_of_draft=documents.page_queries.is_of_draft,
        aliases=site.aliases,
        secrets=settings.secrets,
    )
    preview = Preview(catalog, documents, site, files, preview_key) if preview_key else None
    pages = ServedPages(
        documents,
        PageRenderer(site, settings.site.readers, documents.page_queries),
        page_response,
        max_bytes=(server.memory << 20) // 8,
    )
    if settings.stats.token:
        _add_stats_route(app, StatsPage(catalog, settings.site.title, settings.stats.token, [_CSP, _NOSNIFF]))
    if settings.schedule.webhook:
        webhook = Webhook(settings.schedule.webhook, proxied=bool(server.client_header))
        _add_webhook_route(app, webhook)
        tasks.append(lambda _requests: webhook.forward(catalog.request_refresh))
    add_page_routes(app, documents, files, preview, [_CSP, _NOSNIFF])
    add_error_handlers(app, documents, settings.feeds.aliases)
    tasks.append(lambda _requests: documents.save_versions())
    request_log = RequestLog(tasks, is_enabled=bool(server.access_log or metrics), with_details=bool(server.access_log))
    request_log.start()
    polls = None
    if settings.stats.count and not preview:
        polls = PollRecorder(catalog, clients, settings.stats.keep, metrics.count_polls if metrics else _ignore)
        polls.start()
    health = Health(catalog, Failures(catalog, memory))
    middleware = DocumentMiddleware(
        documents,
        pages.get,
        app.wsgi_app,
        aliases=settings.feeds.aliases,
        redirects_aliases=settings.feeds.redirect_aliases,
        deltas=server.deltas,
        rate_limiter=RateLimiter(server.limit, clients),
        record_request=request_log.record,
        record_poll=polls.record if polls else None,
        health=health,
    )
    app.wsgi_app = middleware  # type: ignore[method-assign]

    def close() -> None:
        documents.close()
        health.stop_polling()
        request_log.stop()
        if polls:
            polls.stop()
        catalog.close()

    app.extensions["feeds.close"] = close  # for a program that outlives the application, such as a test
    return ServedApplication(settings, app, middleware, documents, close, polls.flush if polls else _ignore)


def _add_stats_route(app: Flask, page: StatsPage) -> None:
    app.add_url_rule("/stats", "stats", lambda: page.respond(flask.request))


def _add_webhook_route(app: Flask, webhook: Webhook) -> None:
    app.add_url_rule("/refresh", "refresh", lambda: webhook.respond(flask.request), methods=["POST"])


def _ignore(*_values: object) -> None:
    """Do nothing: metrics are off."""


def create_metrics(name: str) -> "WorkerMetrics | None":
    """Return the counters of this process, which has this name or else its id; None if metrics are off."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return None
    from feeds.web.metrics import WorkerMetrics

    return WorkerMetrics(name)
