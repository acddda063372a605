"""Pages for people: what can be subscribed to, and the newest entries of one feed. Rendered once for each revision."""

import hashlib
from collections.abc import Callable
from typing import Any

from jinja2 import Template

from feeds import formats
from feeds.documents import Address, Documents
from feeds.documents.kept import Kept
from feeds.errors import FeedsError
from feeds.model import Document
from feeds.web.answer import Answer

_ROOM = 8 << 20  # bytes of pages


class Pages:
    """The pages of all feeds."""

    def __init__(
        self,
        documents: Documents[Answer],
        template: Callable[[], Template],
        made: Callable[[Document], Answer],
    ) -> None:
        self._documents = documents
        self._template = template
        self._make = made
        self._made = Kept[tuple[int, Answer]](_ROOM, lambda made: 2 * len(made[1].document.body))

    def get(self, path: str) -> Answer | None:
        """Give the page at a path that ends in "/"; None if there is no such feed. Raises `FeedsError`."""
        revision = self._documents.revision()
        made = self._made.get(path)
        if made and made[0] == revision:
            return made[1]
        try:
            answer = self._render(path)
        except FeedsError:
            if made is None:
                raise
            return made[1]
        if answer:
            self._made.put(path, (revision, answer))
        return answer

    def _render(self, path: str) -> Answer | None:
        folder = path.strip("/")
        if path not in {"/", f"/{folder}/"}:
            return None
        overview = self._documents.overview(folder)
        if overview is None:
            return None
        feed, feeds, changed = overview
        groups: dict[str, list[Any]] = {}
        for state in feeds:
            groups.setdefault(state.kind, []).append(state)
        root = "../" * len(folder.split("/")) if folder else "./"  # links hold whatever path or port leads here
        html = self._template().render(feed=feed, groups=groups, formats=formats.FORMATS, address=Address, root=root)
        body = html.encode()
        digest = hashlib.sha256(body).hexdigest()[:32]
        return self._make(Document(path, "text/html; charset=utf-8", body, digest, changed))
