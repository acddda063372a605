"""Where documents lie below feeds.url: a feed's folder, for its history `archive/N/`, and a format's file name."""

import re
from dataclasses import dataclass

from feeds.formats import FORMATS, Format

_FORMAT_BY_FILENAME = {format_.filename: format_ for format_ in FORMATS}
_PATH = re.compile(
    rf"/(?:(?P<feed>(?:category|tag|author)/[^/]+)/)?(?:archive/(?P<archive>[1-9]\d{{0,8}})/)?"
    rf"(?P<filename>{'|'.join(map(re.escape, _FORMAT_BY_FILENAME))})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Which document: of which feed, in which format; an archive by its number, or 0 for the live document."""

    feed: str
    format: Format
    archive: int = 0

    @property
    def path(self) -> str:
        """The path, with names as they are: not percent-encoded."""
        folders = [self.feed] if self.feed else []
        folders += ["archive", str(self.archive)] if self.archive else []
        return "/" + "/".join([*folders, self.format.filename])

    @classmethod
    def of(cls, path: str) -> "Address | None":
        """Give what a path names; None for what can be no document's path."""
        parts = _PATH.fullmatch(path)
        if parts is None:
            return None
        return cls(parts["feed"] or "", _FORMAT_BY_FILENAME[parts["filename"]], int(parts["archive"] or 0))
