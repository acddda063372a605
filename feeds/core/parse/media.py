"""Media types by file extension. Python's own table (`mimetypes`) differs between versions and machines."""

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
_STATIC_TYPES = {  # more types for the folder `site.static`, whose files the owner of the site has chosen
    "css": "text/css", "js": "text/javascript", "mjs": "text/javascript", "ico": "image/vnd.microsoft.icon",
    "otf": "font/otf", "ttf": "font/ttf", "woff": "font/woff", "woff2": "font/woff2", "xml": "application/xml",
    "webmanifest": "application/manifest+json",
}  # fmt: skip

FILE_EXTENSIONS = tuple(_TYPES)
SCRIPTABLE_EXTENSIONS = ("svg",)  # files that may run scripts; HTML, XML and JavaScript can't be files of articles

# a file extension, or a character reference that may be part of one
_END_OF_NAME = re.compile(rf"\.(?:{'|'.join(_TYPES)})(?![A-Za-z0-9])|&(?:#|period;)", re.IGNORECASE)


def may_reference_files(text: str) -> bool:
    """Return whether Markdown or HTML may reference a file with a known media type."""
    return _END_OF_NAME.search(text) is not None


def media_type(url: str) -> str:
    """Return the media type of a file by the extension in its URL, or "" if it is unknown."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return _TYPES.get(path.rpartition(".")[2].lower(), "")


def static_media_type(url: str) -> str:
    """Return the media type of a static file of the site by the extension in its URL, or "" if it is unknown."""
    return media_type(url) or _STATIC_TYPES.get(url.rpartition(".")[2].lower(), "")
