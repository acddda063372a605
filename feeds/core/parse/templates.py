"""Converts the template tags that have the same meaning on every site to Markdown; others stay unchanged.

{% highlight js %} … {% endhighlight %}      -> a fenced code block; also Hexo's `codeblock` and Hugo's `highlight`
{% raw %} … {% endraw %}                     -> …
[a]({{ site.url }}/b), {{ "/b" | relative_url }}  -> [a](/b)
"""

import re
from bisect import bisect

from feeds.core.parse import fences

_BEGINS_CODE = re.compile(
    r"[ \t]*\{(?:%-?\s*(?:highlight|codeblock)\b([^%{}]*)%|\{[<%]\s*highlight\b([^<>%{}]*)[>%]\})\}[ \t]*$"
)
_ENDS_CODE = re.compile(r"[ \t]*\{(?:%-?\s*end(?:highlight|codeblock)\s*-?%|\{[<%]\s*/\s*highlight\s*[>%]\})\}[ \t]*$")
_LANGUAGE = re.compile(r"(?:.*?\blang:)?[\s\"']*([A-Za-z][\w+#.-]*)")
_BACKQUOTES = re.compile(r"`{3,}")
_MAX_TAG_LENGTH = 300  # characters of the line of a tag
_RAW = re.compile(r"\{%-?\s*(?:end)?raw\s*-?%\}")
_DEFINITION = r"^[ ]{0,3}\[[^\]\n]{1,200}\]:[ \t]*"
_ADDRESS = rf"(?P<before>\]\(<?|\b(?:href|src)=[\"']|{_DEFINITION}<?)"
_SITE = re.compile(rf"{_ADDRESS}(?:\{{\{{-?\s*site\.(?:base)?url\s*-?\}}\}}){{1,2}}(?P<root>/?)", re.MULTILINE)
_PATH = re.compile(
    rf"{_ADDRESS}\{{\{{-?\s*([\"'])(?P<path>[^\"'{{}}\n]*)\2\s*\|\s*(?:relative_url|absolute_url|"
    r"prepend:\s*site\.(?:base)?url)\s*-?\}\}",
    re.MULTILINE,
)
_OTHER = re.compile(rf"({_DEFINITION})(\{{[{{%][^<>\n]*)$", re.MULTILINE)
_ITEM = re.compile(r"[ \t]*(?:[*+-]|\d{1,9}[.)])[ \t]")
_MAX_LINES_BACK = 50  # lines before a tag that are checked for a list item


def to_fences(text: str) -> str:
    """Return a text with code between tags in fences. A tag without an end tag stays."""
    if "highlight" not in text and "codeblock" not in text:
        return text
    lines = text.split("\n")
    ends = [index for index, line in enumerate(lines) if len(line) <= _MAX_TAG_LENGTH and _ENDS_CODE.match(line)]
    index, fence = 0, ""
    while ends and index < ends[-1]:
        fence, in_code = fences.open_fence_after(lines[index], fence), bool(fence)
        if (
            not in_code
            and len(lines[index]) <= _MAX_TAG_LENGTH
            and not _is_indented_code(lines, index)
            and (match := _BEGINS_CODE.match(lines[index]))
        ):
            end = ends[bisect(ends, index)]
            longest = max(map(len, _BACKQUOTES.findall("\n".join(lines[index:end]))), default=2)
            language = _LANGUAGE.match(match[1] or match[2] or "")
            indent = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
            lines[index] = f"{indent}{'`' * (longest + 1)}{language[1] if language else ''}"
            lines[end] = f"{indent}{'`' * (longest + 1)}"
            index = end
        index += 1
    return "\n".join(lines)


def _is_indented_code(lines: list[str], index: int) -> bool:
    """Return whether a line is indented code, judging by the `_MAX_LINES_BACK` lines before it."""
    if not lines[index].startswith(("    ", "\t")) or (
        index and lines[index - 1].strip() and not lines[index - 1][:1].isspace()
    ):
        return False
    before = (
        line
        for line in reversed(lines[max(0, index - _MAX_LINES_BACK) : index])
        if line.strip() and not line[:1].isspace()
    )
    return _ITEM.match(next(before, "")) is None


def resolve_site_urls(text: str) -> str:
    """Return text outside of code with site URLs in template tags as paths, and without `raw` tags."""
    text = _RAW.sub("", text)
    if "{{" not in text and "{%" not in text:
        return text
    text = _SITE.sub(r"\g<before>/", text)
    text = _PATH.sub(lambda match: f"{match['before']}/{match['path'].lstrip('/')}", text)
    return _OTHER.sub(_add_brackets, text)


def _add_brackets(match: re.Match[str]) -> str:
    """Return a link definition with its URL in angle brackets: spaces in a URL would break all definitions below it."""
    address = match[2].rstrip()
    end = max(address.rfind("}}"), address.rfind("%}"))
    return f"{match[1]}<{address}>" if end >= 0 and not re.search(r"\s", address[end:]) else match[0]
