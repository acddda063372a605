"""The results of loading changed files."""

from dataclasses import dataclass
from typing import NamedTuple

from feeds.catalog import FileStamp, KnownFile, LoadedArticle
from feeds.content import ScannedFile


class ChangedFile(NamedTuple):
    """A file that differs from its article in the catalog."""

    file: ScannedFile
    known: KnownFile | None
    ignore_hash: bool = False  # whether to parse it even if its content did not change


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A file whose content did not change, though its modification time, size or inode did."""

    key: int
    path: str
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class BeingWritten:
    """A file that was being written; the next run loads it."""

    path: str


class NeedsTrialRender(NamedTuple):
    """An article that is valid only if its body can be rendered within the limits of the sandbox."""

    article: LoadedArticle
    body: str


LoadResult = LoadedArticle | Unchanged | BeingWritten
ParseResult = LoadResult | NeedsTrialRender
