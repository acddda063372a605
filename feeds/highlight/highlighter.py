"""The parent's side of the process that finds tokens."""

import logging
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from feeds.confined.process import ConfinedProcess, ProcessEnded
from feeds.core.errors import FeedsError

_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 10.0  # wall time after which the child is killed, also on a machine that is busy
_KIND = re.compile(r"[a-z][a-z0-9]{0,3}|")
_VERSION = re.compile(r"^__version__ = ['\"]([^'\"]+)", re.MULTILINE)


class Token(NamedTuple):
    """A part of some code: the short name of its kind in Pygments' stylesheets ("" for other text), and its length."""

    kind: str
    length: int


class Tokens(NamedTuple):
    """The tokens of some code, and the CPU time in seconds that was needed to find them."""

    tokens: list[Token]
    seconds: float


class Highlighter(ConfinedProcess):
    """Finds tokens in one child process, which starts when it is first used. Thread-safe."""

    def __init__(self) -> None:
        super().__init__("feeds.highlight", "the process that finds the tokens of code", _TIMEOUT_S)
        self._languages: frozenset[str] | None = None  # None: not known yet; empty: the process can't work

    def knows(self, language: str) -> bool:
        """Return whether there is a lexer for a language, by a name in lower case. Start the process if necessary.

        If the process can't start, no language is known from then on.
        """
        with self._lock:
            if self._languages is None:
                try:
                    self._languages = frozenset(self._exchange([]))
                except (FeedsError, ProcessEnded) as error:
                    _LOG.warning("code on pages has no colours: %s", error)
                    self._languages = frozenset()
            return language in self._languages

    def tokens(self, language: str, code: str, seconds: float) -> Tokens:
        """Return the tokens of code in a known language.

        There are none if they would take more CPU time than `seconds`, if the code exhausts the memory of the process
        or crashes it, or if Pygments fails.
        """
        with self._lock:
            for _ in range(2):  # if the process dies, the code is the cause only if that happens twice
                try:
                    reply = self._exchange([language, code, seconds])
                except ProcessEnded as error:
                    if error.is_timeout:
                        break
                except FeedsError:
                    break
                else:
                    return _checked(reply, len(code)) or Tokens([], seconds)
        return Tokens([], seconds)


def _checked(reply: Any, length: int) -> Tokens | None:
    """Return the content of a reply; None if it is invalid for code of this length: an exploit may have written it."""
    try:
        used, *values = reply
        tokens = [Token(kind, size) for kind, size in zip(values[::2], values[1::2], strict=True)]
        are_valid = all(_KIND.fullmatch(kind) and isinstance(size, int) and size > 0 for kind, size in tokens)
        is_complete = not tokens or sum(size for _, size in tokens) == length
        return Tokens(tokens, used) if are_valid and is_complete and 0 <= used <= _TIMEOUT_S else None
    except (TypeError, ValueError):
        return None


@cache
def version() -> str:
    """Return the version of Pygments, without its import; "" if it is not installed."""
    spec = find_spec("pygments")
    match = _VERSION.search(Path(spec.origin).read_text("utf-8")) if spec and spec.origin else None
    return match[1] if match else ""
