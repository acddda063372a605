"""The child process of `Highlighter`: finds tokens with Pygments."""

from functools import partial
from typing import Any

from feeds.confined import child
from feeds.highlight.lexers import Lexers


def _reply(lexers: Lexers, request: list[Any]) -> list[Any]:
    """Return the names of all languages for [], and for [language, code, seconds] the tokens.

    They follow the CPU time in seconds, as kinds and lengths in turn. There are none if a limit was exceeded.
    """
    if not request:
        return lexers.languages
    started_at = child.cpu_time()
    tokens = lexers.tokens(*request)
    return [child.cpu_time() - started_at, *tokens]


def main() -> None:  # pragma: no cover  # the confined process can't write coverage data
    """Answer requests until the input ends."""
    child.limit_process()
    child.serve(partial(_reply, Lexers()))


if __name__ == "__main__":
    main()
