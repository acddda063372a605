"""Prometheus metrics. Workers leave their counts in files of a folder, and the publishing process sums them.

The folder is the one that PROMETHEUS_MULTIPROC_DIR names, which must be set before this module is imported; so it is
imported only where somebody wants to count.
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

from feeds.audience import subscribers
from feeds.catalog import Catalog, Failures
from feeds.catalog.failures import TASKS
from feeds.documents import Address
from feeds.errors import CatalogError, FeedsError
from feeds.web.journal import Request

_COUNT_EVERY = 60.0  # seconds
_FEEDS = 1_000  # that are named
_PAGES = {"/", "/feeds.opml"}  # that are named


class Counters:
    """The counts of one worker, in files with its name; they are continued if there are such files."""

    def __init__(self, name: str = "") -> None:
        if name:  # otherwise the process id, which would leave files behind for each worker that is replaced
            values.ValueClass = values.MultiProcessValue(lambda: name)  # type: ignore[no-untyped-call]
        registry = prometheus.CollectorRegistry()  # that nobody asks: the files of all workers are what is asked for
        counter, histogram = prometheus.Counter, prometheus.Histogram
        self._requests = counter("feeds_requests", "Requests.", ["document", "status"], registry=registry)
        self._bytes = counter("feeds_response_bytes", "Bytes of answers.", ["document"], registry=registry)
        self._hits = counter(
            "feeds_cache_hits", "Requests for documents and pages, less the documents rendered.", registry=registry
        )
        self._render = histogram("feeds_render_seconds", "How long documents took to render.", registry=registry)
        self._polls = counter("feeds_polls", "Polls of feeds.", ["kind"], registry=registry)
        self._rendered = 0  # documents whose requests were not counted yet
        self._lock = threading.Lock()

    def rendered(self, seconds: float) -> None:
        """Count a document that was rendered."""
        self._render.observe(seconds)
        with self._lock:
            self._rendered += 1

    def polled(self, kind: str, times: int) -> None:
        """Count polls by who asked."""
        self._polls.labels(kind).inc(times)

    def count(self, requests: list[Request]) -> None:
        """Count what has queued."""
        sizes: Counter[str] = Counter()
        for request in requests:
            sizes[request.document] += request.size
        for (document, status), number in Counter((request.document, request.status) for request in requests).items():
            self._requests.labels(_label(document), status).inc(number)
        for document, size in sizes.items():
            self._bytes.labels(_label(document)).inc(size)
        asked = sum(1 for request in requests if request.document)
        with self._lock:  # the request for a document that was just rendered may be among the next
            rendered = min(self._rendered, asked)
            self._rendered -= rendered
        self._hits.inc(asked - rendered)


def _label(document: str) -> str:
    """Name a document, all archives of a feed as one; pages are many and have one name, and so has all the rest."""
    address = Address.of(document)
    if address is None:
        return "other" if not document else document if document in _PAGES else "page"
    number = f"/archive/{address.archive}/"
    return document.replace(number, "/archive/N/") if address.archive else document


class _Regeneration(Collector):
    """What the catalog says, asked each time somebody asks us."""

    def __init__(self, catalog: Catalog, failures: Failures) -> None:
        self._catalog = catalog
        self._failures = failures
        self._subscribers: dict[str, int] = {}
        self._counted_at = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; only `feeds_catalog_up` and what fails while the catalog can't be read."""
        failing = self._failures.in_memory()
        try:
            facts = list(self._facts(datetime.now(UTC)))
            failing = self._failures.current()
        except CatalogError:
            facts = []
        yield GaugeMetricFamily("feeds_catalog_up", "Whether the catalog can be read.", float(bool(facts)))
        said = "Whether the last regenerations failed."
        yield GaugeMetricFamily("feeds_regeneration_failing", said, float("publish" in failing))
        state = GaugeMetricFamily("feeds_failing", "Whether a task failed the last time.", labels=["task"])
        since = GaugeMetricFamily("feeds_failing_since_timestamp_seconds", "Since when it fails.", labels=["task"])
        for task in TASKS:
            state.add_metric([task], float(task in failing))
            if task in failing:
                since.add_metric([task], failing[task].since.timestamp())
        yield from (state, since)
        for name, said, value in facts:
            yield GaugeMetricFamily(name, said, value)
        family = GaugeMetricFamily("feeds_subscribers", "Subscribers, today or yesterday.", labels=["feed"])
        for feed, number in self._counted():
            family.add_metric([f"/{feed}/" if feed else "/"], number)
        yield family

    def _counted(self) -> list[tuple[str, int]]:
        """Give the feeds that have most subscribers; counted again at most once a minute."""
        if time.monotonic() - self._counted_at > _COUNT_EVERY:
            self._counted_at = time.monotonic()
            with contextlib.suppress(CatalogError), self._catalog.read_stats() as stats:
                self._subscribers = subscribers(stats)
        return sorted(self._subscribers.items(), key=lambda one: (-one[1], one[0]))[:_FEEDS]

    def _facts(self, now: datetime) -> Iterator[tuple[str, str, float]]:
        with self._catalog.reading() as catalog:
            revision, run = catalog.revision(), catalog.run()
            refused, scheduled = catalog.refused(), catalog.scheduled(now)
            yield "feeds_revision", "The last revision.", revision
            yield "feeds_articles", "Articles that the world can see.", catalog.live()
            age = (now - catalog.moment(revision)).total_seconds()
        if revision:
            yield "feeds_revision_age_seconds", "For how long nothing has changed.", max(0.0, age)
        if run:
            age = (now - run.at).total_seconds()
            yield "feeds_regeneration_age_seconds", "How long ago the last good regeneration was.", age
            last = "When the last good regeneration was."
            yield "feeds_regeneration_success_timestamp_seconds", last, run.at.timestamp()
            yield "feeds_regeneration_seconds", "How long it took.", run.seconds
        yield "feeds_refused_articles", "Articles that can't be read.", len(refused)
        yield "feeds_scheduled_articles", "Articles whose hour has not come.", len(scheduled)


def serve(host: str, port: int, catalog: Catalog, failures: Failures, folder: Path) -> None:
    """Answer Prometheus on an address of its own, with the sum of what the workers leave in a folder.

    Raises `FeedsError` if the address can't be listened on.
    """
    registry = prometheus.CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    registry.register(_Regeneration(catalog, failures))
    try:
        prometheus.start_http_server(port, host, registry)
    except OSError as error:
        raise FeedsError(f"can't listen on {host}:{port}: {error.strerror}; server.metrics names another") from None
