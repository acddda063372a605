"""The parent's side of the process that finds tokens."""

import logging
import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from feeds.confined.process import ConfinedProcess, ProcessEnded
from feeds.core.errors import FeedsError

_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 10.0  # wall time after which the child is killed, also on a machine that is busy
_KIND = re.compile(r"[a-z][a-z0-9]{0,3}|")
_VERSION = re.compile(r"^__version__ = ['\"]([^'\"]+)", re.MULTILINE)


class Token(NamedTuple):
    """A part of a code: the short name of its kind, as in Pygments' stylesheets ("" for other text), and its length."""

    kind: str
    length: int


class Tokens(NamedTuple):
    """The tokens of a code, and the CPU time that it took to find them, in seconds."""

    tokens: list[Token]
    seconds: float


class Highlighter(ConfinedProcess):
    """Finds tokens in one child process, which starts when it is first used. For any number of threads."""

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
        """Return the tokens of a code in a language that is known.

        There are none if they would take more CPU time than `seconds`, if the code exhausts the memory of the process
        or crashes it, or if Pygments fails.
        """
        with self._lock:
            for _ in range(2):  # if the process dies, the code is the cause only if that happens twice
                try:
                    used, *reply = self._exchange([language, code, seconds])
                except ProcessEnded as error:
                    if error.is_timeout:
                        break
                except FeedsError:
                    break
                else:
                    return Tokens(_checked(reply, len(code)), used)
        return Tokens([], seconds)


def _checked(reply: Sequence[str | int], length: int) -> list[Token]:
    """Return the tokens of a reply; none if they are not those of a code of a length."""
    tokens = [Token(str(kind), int(size)) for kind, size in zip(reply[::2], reply[1::2], strict=True)]
    are_valid = all(_KIND.fullmatch(kind) and size > 0 for kind, size in tokens)
    return tokens if are_valid and sum(size for _, size in tokens) == length else []


@cache
def version() -> str:
    """Return the version of Pygments, without its import; "" if it is not installed."""
    spec = find_spec("pygments")
    try:
        text = Path(spec.origin).read_text("utf-8") if spec and spec.origin else ""
    except OSError:
        return ""
    match = _VERSION.search(text)
    return match[1] if match else ""
