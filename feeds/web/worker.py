"""A worker process of `feeds serve`: its application, and the switch to a new configuration without a new process.

The publishing process sends a configuration over a pipe, and the worker creates a second application for it, while the
first one answers requests. When all workers have done so, the publishing process tells them to use the new one. No
connection is closed, and no request fails.
"""

import contextlib
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

from feeds import config
from feeds.catalog.failures import SharedMemory
from feeds.core.errors import FeedsError
from feeds.core.text import one_line
from feeds.event_log import EventLog, LogFormat
from feeds.render import Documents
from feeds.web import ServedApplication, create_application, create_metrics
from feeds.web.cached_response import CachedResponse
from feeds.web.rsgi import AnsweringApplication, Application, limit_allocator
from feeds.web.template_log import TemplateLog

_LOG = logging.getLogger(__name__)

_SWITCH_INTERVAL_S = 0.0005  # after this time, a thread that renders lets a waiting request continue
_WARM_UP_S = 0.3  # the time for rendering documents before a new configuration is used
_WARM_UP_DOCUMENTS = 50
_DRAIN_INTERVAL_S, _DRAIN_TIMEOUT_S = 0.1, 60.0  # for the requests that the previous application still answers

CreateApplication = Callable[[config.Config], ServedApplication]


def create_worker(
    settings: config.Config,
    *,
    parent: int,
    preview_url: str,
    preview_key: str,
    memory: SharedMemory,
    template_memory: SharedMemory,
    reloads: Connection,
    on_ready: Callable[[], object],
    name: str,
    log_format: LogFormat,
    quiet: bool,
) -> Application:
    """Return the application of a worker process.

    Args:
        settings: the configuration.
        parent: id of the publishing process.
        preview_url: as in `feeds.web.create_application`.
        preview_key: as in `feeds.web.create_application`.
        memory: holds the failures that the publishing process reports.
        template_memory: holds which mistakes in templates were logged; see `TemplateLog`.
        reloads: receives new configurations; see `_receive_reloads`.
        on_ready: called before the server listens.
        name: of this process's metrics; the next process with this name continues them.
        log_format: as in `feeds.event_log.EventLog`.
        quiet: as in `feeds.event_log.EventLog`.
    """
    log = EventLog(log_format, quiet=quiet)
    log.capture_logging()
    log.start_thread()
    limit_allocator()
    os.setpgrp()  # Ctrl-C signals only the publishing process, which ends its workers in order
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    create = partial(
        create_application,
        preview_url=preview_url,
        preview_key=preview_key,
        memory=memory,
        metrics=create_metrics(name),
        template_log=TemplateLog(template_memory),
    )
    served = create(settings)
    served.documents.prepare()
    gc.collect()
    gc.freeze()  # a full collection visits each object that is not frozen, and blocks all threads meanwhile
    application = Application(served, on_ready)
    threading.Thread(target=_exit_with, args=(parent, application), name="parent", daemon=True).start()
    threading.Thread(target=_receive_reloads, args=(reloads, application, create), name="reload", daemon=True).start()
    return application


def _receive_reloads(reloads: Connection, application: Application, create: CreateApplication) -> None:
    """Create an application for each configuration that arrives, and use it on command of the publishing process.

    For each configuration, this process replies with an error, or "" if it has created an application. Only then does
    the publishing process send whether to use it; if so, this process replies with "" as soon as it uses it.
    """
    with contextlib.suppress(EOFError, OSError):  # the publishing process has ended, and so does this one
        while True:
            new, error = _prepare(reloads.recv(), application, create)
            reloads.send(error)
            if new is None:
                continue
            if reloads.recv():
                old = application.use(new)
                reloads.send("")
                threading.Thread(target=_close, args=(old,), name="close", daemon=True).start()
            else:
                new.close()


def _prepare(
    settings: config.Config, application: Application, create: CreateApplication
) -> tuple[ServedApplication | None, str]:
    """Return an application that is ready to answer, or None and the error."""
    new = None
    try:
        new = create(settings)
        new.middleware.health.start_polling()
        new.documents.prepare()
        _warm_up(new.documents, application.served.documents)
    except Exception as error:
        _LOG.debug("the application can't be created", exc_info=True)
        if new:
            new.close()
        return None, one_line(str(error)) or type(error).__name__
    return new, ""


def _warm_up(new: Documents[CachedResponse], old: Documents[CachedResponse]) -> None:
    """Render the documents that were requested last, so that the next requests need not wait for them."""
    until = time.monotonic() + _WARM_UP_S
    for path in old.last_used(_WARM_UP_DOCUMENTS):
        if time.monotonic() > until:
            return
        try:
            new.get(path)
        except FeedsError:  # the catalog can't be read; requests are answered as far as possible
            return


def _close(old: AnsweringApplication) -> None:
    """Close an application when it has answered its last request."""
    until = time.monotonic() + _DRAIN_TIMEOUT_S
    while old.requests and time.monotonic() < until:
        time.sleep(_DRAIN_INTERVAL_S)
    old.served.close()
    del old
    gc.collect()  # its cache may be large


def _exit_with(parent: int, application: Application) -> None:
    """End this worker when the publishing process has ended unexpectedly, so that its port becomes free."""
    while os.getppid() == parent:
        time.sleep(1)
    application.served.flush()
    os._exit(1)
