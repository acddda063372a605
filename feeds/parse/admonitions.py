"""Admonitions of Docusaurus, VitePress and MkDocs -> Markdown's quotes, which every reader shows.

:::tip Title           !!! note "Title"           > **Title**
Text.              or      Text.              ->  >
:::                                               > Text.
"""

import re
from dataclasses import dataclass

from feeds.parse import fences

_COLONS = re.compile(r"([ \t]*)(:{3,})[ \t]*\{?\.?([A-Za-z][\w-]*)\}?(?=[ \t\[{]|$)(.*)")
_BRACKETED = re.compile(r"\[((?:[^\[\]]++|\[[^\[\]]*+\])*+)\]")
_END_OF_COLONS = re.compile(r"[ \t]*(:{3,})[ \t]*$")
_MARKS = re.compile(r'([ \t]*)(?:!!!|\?\?\?\+?)[ \t]+([A-Za-z][\w-]*+)([^"\n]*+)(?:"([^"\n]*)")?$')
_MAX_LINE = 300  # characters of a line that begins an admonition
_KINDS = frozenset(
    [
        "abstract",
        "attention",
        "bug",
        "caution",
        "check",
        "danger",
        "details",
        "error",
        "example",
        "failure",
        "faq",
        "hint",
        "important",
        "info",
        "note",
        "question",
        "quote",
        "seealso",
        "success",
        "summary",
        "tip",
        "todo",
        "warning",
    ]
)
_MAX_DEPTH = 10  # of admonitions in each other; deeper ones stay as they are
_MAX_LINES = 2_000  # of one admonition
_MAX_SEARCHED = 100_000  # lines of one text that are read in search of the ends of containers
_MAX_ADMONITIONS = 500  # of one text: the end of each is searched for


def as_quotes(text: str, *, separator: str = "") -> str:
    """Return a text with its admonitions as quotes, each with its title in bold; code blocks are left alone.

    `separator` is a block before and after each quote, for an engine that joins quotes with only a blank line between.
    """
    if text.count(":::") + text.count("!!!") + text.count("???") > 2 * _MAX_ADMONITIONS:
        return text
    return "\n".join(_converted(text.split("\n"), 0, separator, _Search()))


@dataclass(slots=True)
class _Search:
    """How many lines of a text were read in search of the ends of containers."""

    lines: int = 0


def _converted(lines: list[str], depth: int, separator: str, search: _Search) -> list[str]:
    converted: list[str] = []
    at, fence = 0, ""
    while at < len(lines):
        line = lines[at]
        fence, was_in_code = fences.after(line, fence), bool(fence)
        if was_in_code or fence or depth == _MAX_DEPTH:
            converted.append(line)
            at += 1
        elif match := _begins(_COLONS, line):
            closing = _end_of_colons(lines, at, match[2], search)
            if closing is None:
                converted.append(line)
                at += 1
                continue
            title = _title_after(match[4])
            body = _converted(lines[at + 1 : closing], depth + 1, separator, search)
            # a container of another kind only groups what is in it
            is_quote = match[3].lower() in _KINDS
            converted += _quote(match[1], match[3], title, body, separator) if is_quote else body
            at = closing + 1
        elif (match := _begins(_MARKS, line)) and (end := _end_of_indented(lines, at, len(match[1]))) > at + 1:
            indent = len(match[1]) + 4
            inside = [inner.expandtabs(4)[indent:] for inner in lines[at + 1 : end]]
            body = _converted(inside, depth + 1, separator, search)
            converted += _quote(match[1], match[2], match[4], body, separator)
            at = end
        else:
            converted.append(line)
            at += 1
    return converted


def _begins(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    """Return the match of a line that begins an admonition; a very long line never does."""
    return pattern.match(line.rstrip()) if len(line) <= _MAX_LINE else None


def _title_after(rest: str) -> str | None:
    """Return the title in what follows the kind of a container: `[Title]`, or text before attributes in braces."""
    rest = rest.strip()
    if rest.startswith("["):
        match = _BRACKETED.match(rest)
        return match[1] if match else rest[1:]
    return rest.partition("{")[0].strip() or None


def _end_of_colons(lines: list[str], start: int, mark: str, search: _Search) -> int | None:
    """Return the line that closes the container which begins at a line; None if nothing does."""
    fence, nested = "", 0
    for at in range(start + 1, min(len(lines), start + _MAX_LINES)):
        search.lines += 1
        if search.lines > _MAX_SEARCHED:
            return None
        in_code = bool(fence)
        fence = fences.after(lines[at], fence)
        if in_code or fence:
            continue
        if end := _END_OF_COLONS.match(lines[at]):
            if nested == 0 and len(end[1]) >= len(mark):
                return at
            nested = max(0, nested - 1)
        elif _begins(_COLONS, lines[at]):
            nested += 1
    return None


def _end_of_indented(lines: list[str], start: int, indent: int) -> int:
    """Return the line after the lines that are indented below a line, without blank lines at their end."""
    end = start + 1
    for at in range(start + 1, min(len(lines), start + _MAX_LINES)):
        line = lines[at].expandtabs(4)
        if line.strip():
            if len(line) - len(line.lstrip()) < indent + 4:
                break
            end = at + 1
    return end


def _quote(indent: str, kind: str, title: str | None, body: list[str], separator: str) -> list[str]:
    heading = kind.replace("-", " ").capitalize() if title is None else title.strip()
    lines = [f"**{heading}**", "", *body] if heading else body
    around = ["", indent + separator, ""] if separator else [""]
    return [*around, *(f"{indent}> {line}".rstrip() for line in lines), *around]
