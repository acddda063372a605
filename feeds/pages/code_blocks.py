"""Colours the code of articles on their pages, by classes that the stylesheet knows.

The classes are those of Pygments: `static/custom.css` of a site may contain any of its styles. Code that takes too long
or can't be parsed stays as it is in feeds, without classes.
"""

import re
from html import escape, unescape

from feeds.highlight.highlighter import Highlighter, Token
from feeds.render.lru import LRUCache

_START = '<pre><code class="language-'
# If another program has coloured the code, the sanitiser has removed the classes, but not the spans.
_BLOCK = re.compile(rf'{_START}([^"\s]++)">((?:[^<]++|</?span>)*+)</code></pre>')
_SPAN = re.compile(r"</?span>")
_END_OF_NAME = re.compile(r"[,:;={\[(]")  # ```js:title=a.js, ```rust,ignore
_WITHOUT_TOKENS = frozenset({"", "mermaid", "none", "plain", "plaintext", "text", "txt"})
_MAX_BLOCK_CHARS = 50_000
_MAX_CACHED_CHARS = 1 << 20  # of HTML
_CPU_S_PER_BLOCK, _CPU_S_PER_PAGE = 0.5, 1.0  # a block of the maximal length takes 0.05


class CodeBlocks:
    """Colours code blocks, and caches the last ones. Thread-safe."""

    def __init__(self) -> None:
        self._highlighter = Highlighter()
        self._coloured = LRUCache[str](_MAX_CACHED_CHARS, len)  # HTML by language and HTML

    def colour(self, html: str) -> str:
        """Return the HTML of a page in which each code block that names a language has spans with classes."""
        if _START not in html:
            return html
        seconds_left = _CPU_S_PER_PAGE

        def replace(match: re.Match[str]) -> str:
            nonlocal seconds_left
            language, content = match.groups()
            if (coloured := self._coloured.get((language, content))) is not None:
                return coloured or match[0]
            name = self._name(unescape(language))
            if not name or len(content) > _MAX_BLOCK_CHARS or seconds_left <= 0:
                return match[0]
            code = unescape(_SPAN.sub("", content))
            tokens, seconds = self._highlighter.tokens(name, code, min(_CPU_S_PER_BLOCK, seconds_left))
            seconds_left -= seconds
            inside = _html(code, tokens) if tokens else ""
            result = f'<pre class="highlight"><code class="language-{language}">{inside}</code></pre>' if tokens else ""
            self._coloured.put((language, content), result)
            return result or match[0]

        return _BLOCK.sub(replace, html)

    def _name(self, language: str) -> str:
        """Return the name by which Pygments knows a language; "" if it does not know it, or has no tokens for it."""
        language = language.lower()
        for name in (language, _END_OF_NAME.split(language, maxsplit=1)[0]):
            if name in _WITHOUT_TOKENS:
                return ""
            if self._highlighter.knows(name):
                return name
        return ""


def _html(code: str, tokens: list[Token]) -> str:
    """Return code as HTML in which each token with a kind is in a span."""
    parts, position = list[str](), 0
    for kind, length in tokens:
        text = escape(code[position : position + length], quote=False)
        parts.append(f'<span class="{kind}">{text}</span>' if kind else text)
        position += length
    return "".join(parts)
