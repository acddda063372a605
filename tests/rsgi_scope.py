"""A request as granian passes it to an RSGI application (https://github.com/emmett-framework/granian, RSGI spec)."""

from types import SimpleNamespace
from typing import Any


class Headers:
    """Header fields in the order in which they were sent; names are in lower case, as HTTP/2 sends them."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = [(name.lower(), value) for name, value in fields]

    def items(self) -> list[tuple[str, str]]:
        """Return all fields."""
        return self._fields

    def get_all(self, name: str) -> list[str]:
        """Return the values of the fields with a name."""
        return [value for own, value in self._fields if own == name]

    def __contains__(self, name: str) -> bool:
        return bool(self.get_all(name))


def rsgi_scope(
    method: str, path: str, headers: list[tuple[str, str]], *, query: str = "", client: str = "192.0.2.1:5",
    version: str = "1.1",
) -> Any:  # fmt: skip
    """Return the scope of a request."""
    return SimpleNamespace(
        proto="http", method=method, path=path, query_string=query, client=client, http_version=version,
        headers=Headers(headers),
    )  # fmt: skip
