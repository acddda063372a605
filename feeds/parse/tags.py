"""HTML whose tags swallow the text after them -> the same without them.

An HTML parser ignores the slash of `<iframe src="…" />`, with which JSX and XHTML close an element, and takes all text
after `<title>` in "the <title> element" for a title. What such a tag swallows is lost to readers.
"""

import re
from collections.abc import Iterable

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
# elements whose content is text, or is not shown, up to their end
SWALLOWING = frozenset(
    {
        "annotation", "annotation-xml", "audio", "iframe", "noembed", "noframes", "noscript", "plaintext", "script",
        "select", "style", "svg", "template", "textarea", "title", "video", "xmp",
    }
)  # fmt: skip
_EMBEDDING = frozenset({"audio", "iframe", "script", "video"})
_NAME = re.compile(r"<([a-zA-Z][\w:-]*)")
_BEFORE_SLASH = frozenset(" \t\n\"'}")  # else it is the end of an attribute's value, as in <a href=/x/>


def with_ends(html: str, names: Iterable[str]) -> str:
    """Return HTML in which self-closed tags, and those of SWALLOWING that are among `names`, swallow nothing.

    A self-closed element has an end tag, and so has one that embeds something and that nothing ends. Another tag that
    nothing ends is shown as it was typed.
    """
    if "/>" in html:
        html = _with_ends_of_self_closed(html)
    for name in SWALLOWING.intersection(names):
        ends = [match.end() for match in re.finditer(rf"</{name}(?=[\s>])", html, re.IGNORECASE)]
        at = ends[-1] if ends else 0
        html = html[:at] + re.sub(rf"<({name})(\s[^<>]*)?>", _unclosed, html[at:], flags=re.IGNORECASE)
    return html


def _with_ends_of_self_closed(html: str) -> str:
    parts, copied, searched = [], 0, 0
    while (at := html.find("/>", searched)) >= 0:
        start = html.rfind("<", searched, at)
        match = _NAME.match(html, start) if start >= 0 else None
        searched = at + 2
        if match is None or match[1].lower() in _VOID or html.find(">", start, at) >= 0:
            continue
        if match.end() == at or html[at - 1] in _BEFORE_SLASH:
            parts += [html[copied:at].rstrip(), f"></{match[1]}>"]
            copied = searched
    return "".join([*parts, html[copied:]]) if parts else html


def _unclosed(match: re.Match[str]) -> str:
    name, attributes = match.groups("")
    embeds = attributes.strip() and name.lower() in _EMBEDDING
    return f"{match[0]}</{name}>" if embeds else f"&lt;{name}{attributes}&gt;"
