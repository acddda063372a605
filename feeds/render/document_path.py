"""The paths of documents below feeds.url.

A path has a feed's folder, `summary/` for excerpts, `archive/N/` for an archive, and a format's file name.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from feeds.core.formats import FORMATS, Format
from feeds.core.paths import DOCUMENT_FOLDER, SUMMARY, may_be_feed

_FORMAT_BY_FILENAME = {format_.filename: format_ for format_ in FORMATS}
_PATH = re.compile(rf"{DOCUMENT_FOLDER}(?P<filename>{'|'.join(map(re.escape, _FORMAT_BY_FILENAME))})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DocumentPath:
    """The feed, the format and the archive of a document, and whether it has excerpts; archive 0 is the live one."""

    feed: str
    format: Format
    archive: int = 0
    summary: bool = False

    @property
    def path(self) -> str:
        """The path as text, without percent-encoding."""
        folders = [self.feed] if self.feed else []
        folders += [SUMMARY] if self.summary else []
        folders += ["archive", str(self.archive)] if self.archive else []
        return "/" + "/".join([*folders, self.format.filename])

    @classmethod
    def parse(cls, path: str, custom_feeds: Collection[str] | None = None) -> "DocumentPath | None":
        """Parse a path. Return None if it doesn't have the form of a document's path.

        `custom_feeds` contains the paths of the custom feeds; None: any name may be that of a custom feed.
        """
        parts = _PATH.fullmatch(path)
        if parts is None or (custom_feeds is not None and not may_be_feed(parts["feed"] or "", custom_feeds)):
            return None
        format_ = _FORMAT_BY_FILENAME[parts["filename"]]
        return cls(parts["feed"] or "", format_, int(parts["archive"] or 0), summary=bool(parts["summary"]))
