"""Prometheus metrics. Workers write their counts to files in a folder, and the publishing process sums them.

To add a gauge, which is read from the catalog, extend `_CatalogCollector._gauges`. To add a counter, write a method of
`WorkerMetrics`, and pass it to the code that counts (`create_application` in web/__init__.py).

PROMETHEUS_MULTIPROC_DIR names the folder. It must be set before this module is imported, so import the module only if
metrics are enabled.
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import prometheus_client as prometheus
from prometheus_client import values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from feeds.catalog import Catalog, Failures
from feeds.catalog.failures import TASKS
from feeds.core.errors import CatalogError, FeedsError
from feeds.render import DocumentPath
from feeds.stats.report import subscribers_by_feed
from feeds.web.request_log import LoggedRequest

_SUBSCRIBERS_INTERVAL_S = 60.0  # between two queries of the subscribers
_MAX_FEEDS = 1_000  # with a label of their own
_NAMED_PAGES = {"/", "/feeds.opml"}  # with a label of their own


class WorkerMetrics:
    """The counters of one worker, in files with its name. Existing files are continued."""

    def __init__(self, name: str = "") -> None:
        if name:  # the default is the process id: each replaced worker would leave files behind
            values.ValueClass = values.MultiProcessValue(lambda: name)  # type: ignore[no-untyped-call]
        registry = prometheus.CollectorRegistry()  # not exposed: the publishing process exposes the files
        counter, histogram = prometheus.Counter, prometheus.Histogram
        self._requests = counter("feeds_requests", "Requests.", ["document", "status"], registry=registry)
        self._bytes = counter("feeds_response_bytes", "Bytes of response bodies.", ["document"], registry=registry)
        self._hits = counter(
            "feeds_cache_hits", "Requests for documents and pages that needed no rendering.", registry=registry
        )
        self._render = histogram("feeds_render_seconds", "Time to render a document.", registry=registry)
        self._polls = counter("feeds_polls", "Polls of feeds.", ["kind"], registry=registry)
        self._rendered = 0  # documents whose requests are not counted yet
        self._lock = threading.Lock()

    def count_render(self, seconds: float) -> None:
        """Count a document that took `seconds` to render."""
        self._render.observe(seconds)
        with self._lock:
            self._rendered += 1

    def count_polls(self, kind: str, count: int) -> None:
        """Count polls by clients of a kind."""
        self._polls.labels(kind).inc(count)

    def count_requests(self, requests: list[LoggedRequest]) -> None:
        """Count requests, their responses' bytes, and cache hits."""
        sizes: Counter[str] = Counter()
        for request in requests:
            sizes[request.document] += request.size
        for (document, status), count in Counter((request.document, request.status) for request in requests).items():
            self._requests.labels(_label(document), status).inc(count)
        for document, size in sizes.items():
            self._bytes.labels(_label(document)).inc(size)
        document_requests = sum(1 for request in requests if request.document)
        with self._lock:  # a request whose document was just rendered may be counted only in the next call
            rendered = min(self._rendered, document_requests)
            self._rendered -= rendered
        self._hits.inc(document_requests - rendered)


def _label(document: str) -> str:
    """Return the label of a document's path: all archives of a feed share a label, and so do all pages."""
    address = DocumentPath.parse(document)
    if address is None:
        return "other" if not document else document if document in _NAMED_PAGES else "page"
    number = f"/archive/{address.archive}/"
    return document.replace(number, "/archive/N/") if address.archive else document


class _CatalogCollector(Collector):
    """Gauges that are read from the catalog at each scrape."""

    def __init__(self, catalog: Catalog, failures: Failures) -> None:
        self._catalog = catalog
        self._failures = failures
        self._subscribers: dict[str, int] = {}
        self._subscribers_read_at = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; if the catalog can't be read, only `feeds_catalog_up` and those of failures."""
        failures = self._failures.in_memory()
        try:
            gauges = list(self._gauges(datetime.now(UTC)))
            failures = self._failures.current()
        except CatalogError:
            gauges = []
        yield GaugeMetricFamily("feeds_catalog_up", "Whether the catalog can be read.", float(bool(gauges)))
        help_text = "Whether the last publish run failed."
        yield GaugeMetricFamily("feeds_regeneration_failing", help_text, float("publish" in failures))
        state = GaugeMetricFamily("feeds_failing", "Whether the last run of a task failed.", labels=["task"])
        since = GaugeMetricFamily(
            "feeds_failing_since_timestamp_seconds", "Unix time at which a task began to fail.", labels=["task"]
        )
        for task in TASKS:
            state.add_metric([task], float(task in failures))
            if task in failures:
                since.add_metric([task], failures[task].since.timestamp())
        yield from (state, since)
        yield from gauges
        family = GaugeMetricFamily(
            "feeds_subscribers", "Subscribers of today, or of yesterday if there were more.", labels=["feed"]
        )
        for feed, count in self._top_feeds():
            family.add_metric([f"/{feed}/" if feed else "/"], count)
        yield family

    def _top_feeds(self) -> list[tuple[str, int]]:
        """Return the feeds with the most subscribers and their numbers, at most a minute old."""
        if time.monotonic() - self._subscribers_read_at > _SUBSCRIBERS_INTERVAL_S:
            self._subscribers_read_at = time.monotonic()
            with contextlib.suppress(CatalogError), self._catalog.read_stats() as stats:
                self._subscribers = subscribers_by_feed(stats)
        return sorted(self._subscribers.items(), key=lambda item: (-item[1], item[0]))[:_MAX_FEEDS]

    def _gauges(self, now: datetime) -> Iterator[GaugeMetricFamily]:
        with self._catalog.read_transaction() as catalog:
            revision, run = catalog.revision(), catalog.state.last_run
            rejected, scheduled = catalog.rejected_articles(), catalog.scheduled_articles(now)
            yield GaugeMetricFamily("feeds_revision", "The last revision.", revision)
            yield GaugeMetricFamily("feeds_articles", "Published articles.", catalog.count_live())
            age = (now - catalog.committed_at(revision)).total_seconds()
        if revision:
            yield GaugeMetricFamily("feeds_revision_age_seconds", "Time since the last revision.", max(0.0, age))
        if run:
            age = (now - run.at).total_seconds()
            help_text = "Time since the last successful publish run."
            yield GaugeMetricFamily("feeds_regeneration_age_seconds", help_text, age)
            help_text = "Unix time of the last successful publish run."
            yield GaugeMetricFamily("feeds_regeneration_success_timestamp_seconds", help_text, run.at.timestamp())
            help_text = "Duration of the last successful publish run."
            yield GaugeMetricFamily("feeds_regeneration_seconds", help_text, run.seconds)
        yield GaugeMetricFamily("feeds_refused_articles", "Rejected articles.", len(rejected))
        yield GaugeMetricFamily("feeds_scheduled_articles", "Articles with a date in the future.", len(scheduled))


def start_server(host: str, port: int, catalog: Catalog, failures: Failures, folder: Path) -> None:
    """Serve the metrics at an address of their own: the sums of the workers' counts in `folder`, and the gauges.

    Raise `FeedsError` if the address can't be listened on.
    """
    registry = prometheus.CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    registry.register(_CatalogCollector(catalog, failures))
    try:
        prometheus.start_http_server(port, host, registry)
    except OSError as error:
        raise FeedsError(f"can't listen on {host}:{port}: {error.strerror}; change server.metrics") from None
