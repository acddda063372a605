"""A body in the content codings that clients accept (RFC 9110 section 8.4). The same body gives the same bytes.

Levels are those beyond which a document of 100 kB takes many times longer to save a hundredth more.
"""

import gzip

import brotli
import zstandard

CODINGS = ("br", "zstd", "gzip")  # smallest first
_BROTLI, _ZSTD, _GZIP = 5, 9, 6


def encode(body: bytes, coding: str) -> bytes:
    """Give a body in one of `CODINGS`."""
    match coding:
        case "br":
            return bytes(brotli.compress(body, quality=_BROTLI))
        case "zstd":
            return zstandard.ZstdCompressor(level=_ZSTD, write_content_size=True).compress(body)
    return gzip.compress(body, compresslevel=_GZIP, mtime=0)
