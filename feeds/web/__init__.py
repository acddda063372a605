"""The HTTP server's application: documents, pages, files of articles, and `/healthz`.

The headers that all documents or all pages have are chosen here (`document_response`, `page_response`). Exported files
get theirs in `feeds.export.host_files` (`_document_headers`, `_page_headers`): change both. Redirects and errors have
their own headers, in `feeds.web.middleware` and `feeds.web.routes`.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import flask
from flask import Flask

from feeds import config
from feeds.catalog import Catalog, Failures
from feeds.catalog.failures import SharedMemory
from feeds.content import Folder
from feeds.content.pictures import Pictures
from feeds.content.public_files import PublicFiles
from feeds.content.static_files import StaticFiles
from feeds.core import policy
from feeds.core.errors import ConfigError
from feeds.core.model import Document, Site
from feeds.home import expand_home
from feeds.pages import STATIC_FOLDER, PageRenderer
from feeds.pages.appearance import Appearance
from feeds.render import Documents
from feeds.render.cache_policy import CachePolicy, document_cache_policy
from feeds.render.relocation import relocate_site
from feeds.web.cached_response import CachedResponse
from feeds.web.client_address import ClientAddressResolver
from feeds.web.health import Health
from feeds.web.middleware import CORS, DocumentMiddleware
from feeds.web.pages import ServedPages
from feeds.web.poll_recorder import PollRecorder
from feeds.web.preview import Preview
from feeds.web.rate_limit import RateLimiter
from feeds.web.request_log import LoggedRequest, RequestLog, access_log_writer
from feeds.web.routes import ASSET_MAX_AGE_S, ServedFiles, add_error_handlers, add_page_routes
from feeds.web.stats import StatsPage
from feeds.web.template_log import TemplateLog
from feeds.web.webhook import Webhook

if TYPE_CHECKING:
    from feeds.web.metrics import WorkerMetrics

_CATALOG_TIMEOUT_S = 10.0  # for a reply of the database; a request that waits for it occupies a thread
_READ_CACHE_KIB = 2 << 10  # for each connection to the catalog; the system caches the file too
_PAGE_POLICY = CachePolicy(60, 60, 86_400)
_PREVIEW_POLICY = CachePolicy(0, 0, 0)  # the browser requests each page again, so that it shows saved changes
_PREVIEW_REFRESH_S = "1"  # until the browser repeats a request that can't be answered yet
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_CSP = ("Content-Security-Policy", policy.PAGE_HEADER)


def create_app(config_file: str | os.PathLike[str] | None = None) -> Flask:
    """Return the WSGI application, for any server.

    The configuration is read once: from `config_file`, else from the file that FEEDS_CONFIG names, else from
    config.yaml. The application reads the catalog that `feeds serve` or `feeds build` writes; of the content folder it
    reads only files of articles, such as pictures.
    """
    file = os.fspath(config_file or os.environ.get("FEEDS_CONFIG", "config.yaml"))
    try:
        file = expand_home(file)
    except ValueError as error:
        raise ConfigError([f"{file}: {error}"]) from None
    return create_app_from(config.load(Path(file), os.environ))


def create_app_from(settings: config.Config, *, preview_url: str = "", preview_key: str = "") -> Flask:
    """Return the WSGI application for a configuration; the other arguments are those of `create_application`."""
    metrics = create_metrics("")
    return create_application(settings, preview_url=preview_url, preview_key=preview_key, metrics=metrics).app


class ServedApplication(NamedTuple):
    """An application, and the parts that the server of `feeds serve` uses directly."""

    settings: config.Config
    app: Flask
    middleware: DocumentMiddleware
    documents: Documents[CachedResponse]
    close: Callable[[], None]  # ends the threads, writes the data that they have queued, and closes the catalog
    flush: Callable[[], object]  # writes the polls that were counted


def create_application(
    settings: config.Config,
    *,
    preview_url: str = "",
    preview_key: str = "",
    memory: SharedMemory | None = None,
    metrics: "WorkerMetrics | None" = None,
    template_log: TemplateLog | None = None,
) -> ServedApplication:
    """Return the application for a configuration.

    Args:
        settings: the configuration.
        preview_url: the address of this server, to which documents and pages link instead of `site.url`, and whose
            pages reload themselves after a change; empty outside of a preview.
        preview_key: authorises browsers to see unpublished articles; empty if nobody may.
        memory: holds the failures that the publishing process reports.
        metrics: the counters of this process, if metrics are on.
        template_log: logs mistakes in the site's own templates.
    """
    clients = ClientAddressResolver(settings.server.client_header)
    server, site = settings.server, settings.site_model
    catalog = Catalog(settings.catalog, statement_timeout=_CATALOG_TIMEOUT_S, read_cache_kib=_READ_CACHE_KIB)

    cache_policy = _PREVIEW_POLICY if preview_url else None
    document_response = _document_response_factory(site, deltas=server.deltas, cache_policy=cache_policy)
    page_response = _page_response_factory(cache_policy or _PAGE_POLICY)
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
        served_site=relocate_site(site, preview_url) if preview_url else None,
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
    template_log = template_log or TemplateLog()
    appearance = Appearance.load(settings, documents.site, template_log.report)
    for problem in appearance.templates.problems:
        template_log.report(problem)
    preview = Preview(catalog, documents, appearance, site, files, preview_key) if preview_key else None
    static_files = StaticFiles(settings.static_folder, settings.secrets)
    renderer = PageRenderer(
        appearance,
        settings.site.readers,
        documents.page_queries,
        pictures=Pictures(files, static_files),
        reloads=bool(preview_url),
    )
    pages = ServedPages(documents, renderer, page_response, max_bytes=(server.memory << 20) // 8)
    if settings.stats.token:
        _add_stats_route(app, StatsPage(catalog, appearance, settings.stats.token, [_CSP, _NOSNIFF]))
    if settings.schedule.webhook:
        webhook = Webhook(settings.schedule.webhook, proxied=bool(server.client_header))
        _add_webhook_route(app, webhook)
        tasks.append(lambda _requests: webhook.forward(catalog.request_refresh))
    file_max_age = 0 if preview_url else ASSET_MAX_AGE_S
    served_files = ServedFiles(files, static_files, settings.site.theme.stylesheet)
    add_page_routes(app, documents, served_files, preview, [_CSP, _NOSNIFF], max_age=file_max_age)
    max_age = 0 if preview_url else site.max_age
    add_error_handlers(app, documents, settings.feeds.aliases, renderer, [_CSP, _NOSNIFF], max_age=max_age)
    if not preview_url:  # its documents are not the published ones
        tasks.append(lambda _requests: documents.save_versions())
    request_log = RequestLog(tasks, is_enabled=bool(server.access_log or metrics), with_details=bool(server.access_log))
    request_log.start()
    is_counting = settings.stats.count and not (preview or preview_url)
    polls = _start_to_count(catalog, clients, settings.stats.keep, metrics) if is_counting else None
    health = Health(catalog, Failures(catalog, memory))
    middleware = DocumentMiddleware(
        documents,
        pages.get,
        app.wsgi_app,
        aliases=settings.feeds.aliases,
        redirects_aliases=settings.feeds.redirect_aliases,
        redirect_max_age=max_age,
        deltas=server.deltas,
        rate_limiter=RateLimiter(server.limit, clients),
        record_request=request_log.record,
        record_poll=polls.record if polls else None,
        health=health,
        error_headers=[("Refresh", _PREVIEW_REFRESH_S)] if preview_url else [],
    )
    app.wsgi_app = middleware  # type: ignore[method-assign]

    close = partial(_close, documents, health, request_log, polls, catalog)
    app.extensions["feeds.close"] = close  # for a program that outlives the application, such as a test
    return ServedApplication(settings, app, middleware, documents, close, polls.flush if polls else _ignore)


def _document_response_factory(
    site: Site, *, deltas: bool, cache_policy: CachePolicy | None
) -> Callable[[Document], CachedResponse]:
    """Return a function that creates the response for a document; `cache_policy` replaces that of the document."""
    headers = [("Vary", "Accept-Encoding, A-IM" if deltas else "Accept-Encoding"), CORS]

    def create(document: Document) -> CachedResponse:
        chosen = cache_policy or document_cache_policy(site, is_immutable=document.is_immutable)
        return CachedResponse(document, chosen, headers, [_NOSNIFF])

    return create


def _page_response_factory(cache_policy: CachePolicy) -> Callable[[Document], CachedResponse]:
    """Return a function that creates the response for a page."""
    headers, body_headers = [("Vary", "Accept-Encoding")], [_CSP, _NOSNIFF]
    return lambda document: CachedResponse(document, cache_policy, headers, body_headers, has_date=False)


def _start_to_count(
    catalog: Catalog, clients: ClientAddressResolver, keep: int, metrics: "WorkerMetrics | None"
) -> PollRecorder:
    """Return a recorder of polls that was started.

    Args:
        catalog: the catalog to which counts are written.
        clients: finds the addresses of clients.
        keep: the number of days for which daily totals are kept.
        metrics: counters that also count the polls.
    """
    polls = PollRecorder(catalog, clients, keep, metrics.count_polls if metrics else _ignore)
    polls.start()
    return polls


def _close(
    documents: Documents[CachedResponse],
    health: Health,
    request_log: RequestLog,
    polls: PollRecorder | None,
    catalog: Catalog,
) -> None:
    """End the threads of an application, write the data that they have queued, and close the catalog."""
    documents.close()
    health.stop_polling()
    request_log.stop()
    if polls:
        polls.stop()
    catalog.close()


def _add_stats_route(app: Flask, page: StatsPage) -> None:
    app.add_url_rule("/stats", "stats", lambda: page.respond(flask.request))


def _add_webhook_route(app: Flask, webhook: Webhook) -> None:
    app.add_url_rule("/refresh", "refresh", lambda: webhook.respond(flask.request), methods=["POST"])


def _ignore(*_values: object) -> None:
    """Do nothing: metrics are off."""


def create_metrics(name: str) -> "WorkerMetrics | None":
    """Return the counters of this process, named by `name` or else by its id; None if metrics are off."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return None
    from feeds.web.metrics import WorkerMetrics

    return WorkerMetrics(name)
