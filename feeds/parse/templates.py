"""The few tags of templates that mean the same on every site -> Markdown; all others stay as they are.

{% highlight js %} … {% endhighlight %}      -> a fenced code block; so with Hexo's `codeblock` and Hugo's `highlight`
{% raw %} … {% endraw %}                     -> …
[a]({{ site.url }}/b), {{ "/b" | relative_url }}  -> [a](/b)
"""

import re
from bisect import bisect

from feeds.parse import fences

_BEGINS_CODE = re.compile(
    r"[ \t]*\{(?:%-?\s*(?:highlight|codeblock)\b([^%{}]*)%|\{[<%]\s*highlight\b([^<>%{}]*)[>%]\})\}[ \t]*$"
)
_ENDS_CODE = re.compile(r"[ \t]*\{(?:%-?\s*end(?:highlight|codeblock)\s*-?%|\{[<%]\s*/\s*highlight\s*[>%]\})\}[ \t]*$")
_LANGUAGE = re.compile(r"(?:.*?\blang:)?[\s\"']*([A-Za-z][\w+#.-]*)")
_BACKQUOTES = re.compile(r"`{3,}")
_MAX_LINE = 300  # characters of a tag
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
_FAR = 50  # lines that are looked back at


def as_fences(text: str) -> str:
    """Return a text whose code between tags is in fences; a tag that nothing ends stays."""
    if "highlight" not in text and "codeblock" not in text:
        return text
    lines = text.split("\n")
    ends = [at for at, line in enumerate(lines) if len(line) <= _MAX_LINE and _ENDS_CODE.match(line)]
    at, fence = 0, ""
    while ends and at < ends[-1]:
        fence, in_code = fences.after(lines[at], fence), bool(fence)
        if (
            not in_code
            and len(lines[at]) <= _MAX_LINE
            and not _is_indented_code(lines, at)
            and (match := _BEGINS_CODE.match(lines[at]))
        ):
            end = ends[bisect(ends, at)]
            longest = max(map(len, _BACKQUOTES.findall("\n".join(lines[at:end]))), default=2)
            language = _LANGUAGE.match(match[1] or match[2] or "")
            indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            lines[at] = f"{indent}{'`' * (longest + 1)}{language[1] if language else ''}"
            lines[end] = f"{indent}{'`' * (longest + 1)}"
            at = end
        at += 1
    return "\n".join(lines)


def _is_indented_code(lines: list[str], at: int) -> bool:
    """Return whether a line is indented code, as far as the lines before it tell."""
    if not lines[at].startswith(("    ", "\t")) or (at and lines[at - 1].strip() and not lines[at - 1][:1].isspace()):
        return False
    before = (line for line in reversed(lines[max(0, at - _FAR) : at]) if line.strip() and not line[:1].isspace())
    return _ITEM.match(next(before, "")) is None


def resolved(text: str) -> str:
    """Return a text, without its code, in which addresses on the site are paths and nothing is marked as raw."""
    text = _RAW.sub("", text)
    if "{{" not in text and "{%" not in text:
        return text
    text = _SITE.sub(r"\g<before>/", text)
    text = _PATH.sub(lambda match: f"{match['before']}/{match['path'].lstrip('/')}", text)
    return _OTHER.sub(_in_brackets, text)


def _in_brackets(match: re.Match[str]) -> str:
    """Return a definition with its address in brackets: one with spaces would make text of all definitions below it."""
    address = match[2].rstrip()
    end = max(address.rfind("}}"), address.rfind("%}"))
    return f"{match[1]}<{address}>" if end >= 0 and not re.search(r"\s", address[end:]) else match[0]
