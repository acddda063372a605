"""The child process of `Highlighter`: finds tokens with Pygments."""

from typing import Any

from feeds.confined import child
from feeds.highlight.lexers import Lexers


def main() -> None:  # pragma: no cover  # the confined process can't write coverage data
    """Answer requests until the input ends.

    The reply to [] is an array of the names of all languages. The reply to [language, code, seconds] is an array of the
    CPU time in seconds, and of the kinds and lengths of tokens in turn; without tokens if a limit was exceeded.
    """
    child.limit_process()
    lexers = Lexers()

    def answer(request: list[Any]) -> list[Any]:
        if not request:
            return lexers.languages
        started_at = child.cpu_time()
        tokens = lexers.tokens(*request)
        return [child.cpu_time() - started_at, *tokens]

    child.serve(answer)


if __name__ == "__main__":
    main()
