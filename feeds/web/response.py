"""What a request is answered with, whichever server sends it."""

from typing import NamedTuple

Headers = list[tuple[str, str]]


class Response(NamedTuple):
    """A status, headers, and the body as bytes, or as a part of a file."""

    status: int
    headers: Headers
    body: bytes = b""
    file: str | None = None  # a path, instead of a body
    part: tuple[int, int] | None = None  # of the file: its first byte, and the one after its last
