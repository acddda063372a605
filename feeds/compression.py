"""Compression of response bodies (RFC 9110 section 8.4) and of stored texts.

Output is deterministic. Higher levels than those used here take many times longer for a document of 100 kB, and save
only another one percent.
"""

import threading
import zlib

import zstandard

CODINGS = ("br", "zstd", "gzip")  # smallest first
_BROTLI_LEVEL, _ZSTD_LEVEL, _GZIP_LEVEL = 5, 9, 5
_GZIP_FORMAT = 16 + zlib.MAX_WBITS  # a gzip header, without a time, and the largest window
_STORAGE_LEVEL = 1  # a third of the size for a few microseconds; stored texts are rarely read
_MAX_TEXT_BYTES = 1 << 26
_LOCAL = threading.local()  # none of these objects must be used by two threads at once


def encode(body: bytes, coding: str) -> bytes:
    """Return a body in one of `CODINGS`."""
    match coding:
        case "br":
            import brotli  # few processes need it

            return bytes(brotli.compress(body, quality=_BROTLI_LEVEL))
        case "zstd":
            return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_content_size=True).compress(body)
    from zlib_ng import zlib_ng

    return zlib_ng.compress(body, _GZIP_LEVEL, _GZIP_FORMAT)


def compress_text(text: str) -> bytes:
    """Return a text, which may have no lone surrogates, in the form in which it is stored."""
    if not hasattr(_LOCAL, "compressor"):
        _LOCAL.compressor = zstandard.ZstdCompressor(level=_STORAGE_LEVEL)
    return bytes(_LOCAL.compressor.compress(text.encode()))


def decompress_text(data: bytes) -> str:
    """Return the text that `compress_text` compressed. Raise `ValueError` if the data is invalid."""
    try:
        if not hasattr(_LOCAL, "decompressor"):
            _LOCAL.decompressor = zstandard.ZstdDecompressor()
        return bytes(_LOCAL.decompressor.decompress(data, max_output_size=_MAX_TEXT_BYTES)).decode()
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
