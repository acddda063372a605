"""The paths of documents below feeds.url: a feed's folder, `archive/N/` for an archive, and a format's file name."""

import re
from dataclasses import dataclass

from feeds.core.formats import FORMATS, Format
from feeds.core.paths import FEED_FOLDER

_FORMAT_BY_FILENAME = {format_.filename: format_ for format_ in FORMATS}
_PATH = re.compile(rf"{FEED_FOLDER}(?P<filename>{'|'.join(map(re.escape, _FORMAT_BY_FILENAME))})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DocumentPath:
    """The feed, the format and the archive of a document; archive 0 is the live document."""

    feed: str
    format: Format
    archive: int = 0

    @property
    def path(self) -> str:
        """The path as text, without percent-encoding."""
        folders = [self.feed] if self.feed else []
        folders += ["archive", str(self.archive)] if self.archive else []
        return "/" + "/".join([*folders, self.format.filename])

    @classmethod
    def parse(cls, path: str) -> "DocumentPath | None":
        """Parse a path. Return None if it doesn't have the form of a document's path."""
        parts = _PATH.fullmatch(path)
        if parts is None:
            return None
        return cls(parts["feed"] or "", _FORMAT_BY_FILENAME[parts["filename"]], int(parts["archive"] or 0))
