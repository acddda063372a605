"""Logs each mistake in the site's own templates once, in the worker that finds it first."""

import hashlib
import logging

from feeds.catalog.failures import TEMPLATE_LOG_BYTES, SharedMemory
from feeds.pages.own_templates import TemplateProblem

_DIGEST_BYTES = 8  # of each mistake that was logged
_LOG = logging.getLogger(__name__)


class TemplateLog:
    """Logs mistakes. Workers share `memory`, which has `TEMPLATE_LOG_BYTES` and is zeroed by each reload."""

    def __init__(self, memory: SharedMemory | None = None) -> None:
        self._memory = memory or _LocalMemory()

    def report(self, problem: TemplateProblem) -> None:
        """Log a mistake, unless it was logged already, or too many others were."""
        digest = hashlib.sha256(str(problem).encode("utf-8", "replace")).digest()[: _DIGEST_BYTES - 1] + b"\1"
        logged = self._memory.raw.rstrip(b"\0")
        known = {logged[start : start + _DIGEST_BYTES] for start in range(0, len(logged), _DIGEST_BYTES)}
        if digest not in known and len(logged) + _DIGEST_BYTES <= TEMPLATE_LOG_BYTES:
            self._memory.raw = (logged + digest).ljust(TEMPLATE_LOG_BYTES, b"\0")
            _LOG.error("%s; the built-in page is shown instead", problem)


class _LocalMemory:
    """Memory of this process alone."""

    raw = b""
