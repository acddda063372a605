"""A body in the content codings that clients accept (RFC 9110 section 8.4), and texts as they are stored.

The same body gives the same bytes. Levels are those beyond which a document of 100 kB takes many times longer to save
a hundredth more.
"""

import gzip
import threading

import brotli
import zstandard

CODINGS = ("br", "zstd", "gzip")  # smallest first
_BROTLI, _ZSTD, _GZIP = 5, 9, 6
_STORED = 1  # a third of the size for a few microseconds; what is stored is read seldom
_MOST = 1 << 26  # bytes of a text that was stored
_LOCAL = threading.local()  # a compressor must not be used by two threads at once


def encode(body: bytes, coding: str) -> bytes:
    """Give a body in one of `CODINGS`."""
    match coding:
        case "br":
            return bytes(brotli.compress(body, quality=_BROTLI))
        case "zstd":
            return zstandard.ZstdCompressor(level=_ZSTD, write_content_size=True).compress(body)
    return gzip.compress(body, compresslevel=_GZIP, mtime=0)


def stored(text: str) -> bytes:
    """Give a text as it is stored. It may hold no lone surrogates."""
    if not hasattr(_LOCAL, "compressor"):
        _LOCAL.compressor = zstandard.ZstdCompressor(level=_STORED)
    return bytes(_LOCAL.compressor.compress(text.encode()))


def from_stored(data: bytes) -> str:
    """Give the text that was stored. Raises `ValueError` for what is none."""
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=_MOST).decode()
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
