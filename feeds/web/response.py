"""The response to a request, independent of the server that sends it."""

from typing import NamedTuple

Headers = list[tuple[str, str]]


class Response(NamedTuple):
    """A status, headers, and the body: bytes, or a file or a part of one."""

    status: int
    headers: Headers
    body: bytes = b""
    file: str | None = None  # path of the file that is the body
    byte_range: tuple[int, int] | None = None  # of the file: first byte, and the byte after the last one
