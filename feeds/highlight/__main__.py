"""The child process of `Highlighter`: finds tokens with Pygments."""

from functools import partial
from typing import Any

from feeds.confined import child
from feeds.highlight.lexers import Lexers


def _reply(lexers: Lexers, request: list[Any]) -> list[Any]:
    """Return the reply to a request.

    The reply to [] is the names of all languages. The reply to [language, code, seconds] is the CPU time in seconds,
    followed by the kinds and lengths of tokens in turn. If a limit was exceeded, it has no tokens.
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
