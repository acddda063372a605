"""Closes tags whose elements would otherwise contain, and hide, the text after them.

JSX and XHTML close an element with the slash in `<iframe src="…" />`, but an HTML parser ignores this slash. In the
text "the <title> element", a parser treats everything after the tag as a title. Browsers do not show such content.
"""

import re
from collections.abc import Iterable

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
# elements whose content, up to the end tag, is raw text or not shown
SWALLOWING_TAGS = frozenset(
    {
        "annotation", "annotation-xml", "audio", "iframe", "noembed", "noframes", "noscript", "plaintext", "script",
        "select", "style", "svg", "template", "textarea", "title", "video", "xmp",
    }
)  # fmt: skip
_EMBEDDING = frozenset({"audio", "iframe", "script", "video"})
_NAME = re.compile(r"<([a-zA-Z][\w:-]*)")
_BEFORE_SLASH = frozenset(" \t\n\"'}")  # after other characters, it belongs to an unquoted value, as in <a href=/x/>


def close_tags(html: str, names: Iterable[str]) -> str:
    """Return HTML in which self-closed tags are closed, and also unclosed tags of `SWALLOWING_TAGS` in `names`.

    Self-closed tags, and unclosed tags of embedding elements with attributes, get an end tag. Other unclosed tags are
    escaped, so that they are shown as text.
    """
    if "/>" in html:
        html = _close_self_closed(html)
    for name in SWALLOWING_TAGS.intersection(names):
        ends = [match.end() for match in re.finditer(rf"</{name}(?=[\s>])", html, re.IGNORECASE)]
        last_end = ends[-1] if ends else 0
        rest = re.sub(rf"<({name})(\s[^<>]*)?>", _close_or_escape, html[last_end:], flags=re.IGNORECASE)
        html = html[:last_end] + rest
    return html


def _close_self_closed(html: str) -> str:
    parts, copied, searched = [], 0, 0
    while (end := html.find("/>", searched)) >= 0:
        start = html.rfind("<", searched, end)
        match = _NAME.match(html, start) if start >= 0 else None
        searched = end + 2
        if match is None or match[1].lower() in _VOID or html.find(">", start, end) >= 0:
            continue
        if match.end() == end or html[end - 1] in _BEFORE_SLASH:
            parts += [html[copied:end].rstrip(), f"></{match[1]}>"]
            copied = searched
    return "".join([*parts, html[copied:]]) if parts else html


def _close_or_escape(match: re.Match[str]) -> str:
    name, attributes = match.groups("")
    embeds = attributes.strip() and name.lower() in _EMBEDDING
    return f"{match[0]}</{name}>" if embeds else f"&lt;{name}{attributes}&gt;"
