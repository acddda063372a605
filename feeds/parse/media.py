"""What the ending of a URL says of the file. Our own table: Python's differs between versions and machines."""

import re
from urllib.parse import urlsplit

_TYPES = {
    "aac": "audio/aac", "flac": "audio/flac", "m4a": "audio/mp4", "mp3": "audio/mpeg", "oga": "audio/ogg",
    "ogg": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav", "weba": "audio/webm",
    "m4v": "video/mp4", "mov": "video/quicktime", "mp4": "video/mp4", "mpeg": "video/mpeg", "ogv": "video/ogg",
    "webm": "video/webm",
    "avif": "image/avif", "gif": "image/gif", "jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png",
    "svg": "image/svg+xml", "webp": "image/webp",
    "epub": "application/epub+zip", "gz": "application/gzip", "json": "application/json", "pdf": "application/pdf",
    "zip": "application/zip", "txt": "text/plain", "csv": "text/csv", "srt": "application/x-subrip", "vtt": "text/vtt",
}  # fmt: skip

ENDINGS = tuple(_TYPES)
ACTIVE = ("svg",)  # endings of files in which scripts may run; HTML, XML and JavaScript are no files of articles

# how a name ends, wherever it is, or a character reference that may be a part of that
_END_OF_NAME = re.compile(rf"\.(?:{'|'.join(_TYPES)})(?![A-Za-z0-9])|&(?:#|period;)", re.IGNORECASE)


def may_name_files(text: str) -> bool:
    """Return whether a text in Markdown or HTML may name a file whose kind is known."""
    return _END_OF_NAME.search(text) is not None


def media_type(url: str) -> str:
    """Give the media type of a file by its name, "" if the name doesn't tell."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return _TYPES.get(path.rpartition(".")[2].lower(), "")
