"""An article's body in Markdown -> its `Content`."""

import re
from html import escape, unescape

from feeds.model import Content
from feeds.parse import html, markdown
from feeds.text import clean, one_line

_MORE = re.compile(r"<!--\s*more\s*-->", re.IGNORECASE)
_PARAGRAPH = re.compile(r"<p(?:\s[^>]*)?>(.*?)</p>", re.DOTALL)
_BLOCK_END = re.compile(r"</(?:p|li|div|h[1-6]|t[dhr]|blockquote|pre|figure|figcaption|d[td])>|<br>")
_FOOTNOTE_MARK = re.compile(r'<sup id="[\w-]*fnref\d*:[^"]*"><a [^>]*>[^<]*</a></sup>')
_LONGEST_SUMMARY = 500  # characters


class Renderer:
    """Renders bodies one after the other. Not for two threads at once: Python-Markdown keeps state."""

    def __init__(self) -> None:
        self._markdown = markdown.converter()

    def content(self, body: str, summary: str | None, base: str, prefix: str) -> Content:
        """Render a body. `base` is the article's absolute URL, `prefix` what makes its ids unique in a document.

        `summary` is the front matter's; where there is none, the text before `<!--more-->`, else the first paragraph.
        Raises what Python-Markdown raises on what it can't take (RecursionError among others).
        """
        rendered = self._html(body, base, prefix)
        if summary is None:
            marked = _MORE.search(body)
            summary = _plain(self._html(body[: marked.start()], base, prefix)) if marked else _first_paragraph(rendered)
        return Content(rendered, _shortened(summary))

    def _html(self, body: str, base: str, prefix: str) -> str:
        try:
            converted = self._markdown.reset().convert(body)
        except BaseException:
            self._markdown = markdown.converter()  # one that was interrupted would take the next article for a list
            raise
        return html.fit(converted, base, prefix)


def as_plain_text(body: str, summary: str | None) -> Content:
    """Give the body as it was typed, in paragraphs: the last resort for what can't be rendered."""
    paragraphs = [part.strip() for part in clean(body).split("\n\n") if part.strip()]
    rendered = "\n".join(f"<p>{escape(part, quote=False)}</p>" for part in paragraphs)
    return Content(rendered, _shortened(summary or " ".join(paragraphs[:1])))


def _first_paragraph(rendered: str) -> str:
    texts = (_plain(match[1]) for match in _PARAGRAPH.finditer(rendered))
    return next((text for text in texts if text), "") or _plain(rendered)


def _plain(rendered: str) -> str:
    return one_line(unescape(html.without_tags(_BLOCK_END.sub(" ", _FOOTNOTE_MARK.sub("", rendered)))))


def _shortened(text: str) -> str:
    text = one_line(text)
    if len(text) <= _LONGEST_SUMMARY:
        return text
    return text[:_LONGEST_SUMMARY].rpartition(" ")[0].rstrip(",;:.–—- ") + "…"
