"""Converts admonitions of Docusaurus, VitePress and MkDocs to block quotes, which every feed reader shows.

:::tip Title           !!! note "Title"           > **Title**
Text.              or      Text.              ->  >
:::                                               > Text.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from feeds.core.parse import fences
from feeds.core.wording import ENGLISH, Wording

_COLONS = re.compile(r"([ \t]*)(:{3,})[ \t]*\{?\.?([A-Za-z][\w-]*)\}?(?=[ \t\[{]|$)(.*)")
_BRACKETED = re.compile(r"\[((?:[^\[\]]++|\[[^\[\]]*+\])*+)\]")
_END_OF_COLONS = re.compile(r"[ \t]*+(:{3,}+)$")
_MARKS = re.compile(r'([ \t]*)(?:!!!|\?\?\?\+?)[ \t]+([A-Za-z][\w-]*+)([^"\n]*+)(?:"([^"\n]*)")?$')
_CALLOUT = re.compile(r"\[!(\w[\w-]*+)\][+-]?[ \t]+(\S.*)")
_MAX_OPENING_LENGTH = 300  # characters of the line that begins an admonition
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
_MAX_DEPTH = 10  # levels of nested admonitions; deeper ones stay as they are
_MAX_LINES = 2_000  # of one admonition
_MAX_SEARCHED_LINES = 100_000  # of one text, over all searches for the ends of containers
_MAX_ADMONITIONS = 500  # of one text: each starts a search for its end


def may_have_any(text: str) -> bool:
    """Return whether a text contains the marks of an admonition.

    To search for one character is ten times as fast as to search for several.
    """
    return ":::" in text or ("!" in text and "!!!" in text) or ("?" in text and "???" in text)


def to_quotes(text: str, *, separator: str = "", wording: Wording = ENGLISH) -> str:
    """Return Markdown with its admonitions as block quotes, each with its title in bold. Code blocks are unchanged.

    Args:
        text: the Markdown.
        separator: a block that is written before and after each quote, for an engine that joins adjacent quotes.
        wording: the titles of admonitions without one of their own.
    """
    if text.count(":::") + text.count("!!!") + text.count("???") > 2 * _MAX_ADMONITIONS:
        return text
    return "\n".join(_convert(text.split("\n"), 0, _Quotes(separator, wording), _Search()))


class _Quotes(NamedTuple):
    """How quotes are written; see `to_quotes`."""

    separator: str
    wording: Wording


def kinds_by_title(text: str) -> dict[str, str]:
    """Return the kinds of the admonitions and callouts in Markdown that have titles of their own, by title.

    Their HTML is a quote with the title, so it does not contain the kind. The kind is "" if a title has several.
    """
    kinds: dict[str, str] = {}
    for line in text.split("\n"):
        opening = line.lstrip("> \t").rstrip()
        kind, title = "", None
        if opening.startswith("[!"):
            if match := _match_opening(_CALLOUT, opening):
                kind, title = match[1], match[2]
        elif opening.startswith(":::"):
            if match := _match_opening(_COLONS, opening):
                kind, title = match[3], _title_after(match[4])
        elif opening.startswith(("!!!", "???")) and (match := _match_opening(_MARKS, opening)):
            kind, title = match[2], match[4]
        if title:
            kind = kind.lower()
            kinds[title.strip()] = kind if kinds.get(title.strip(), kind) == kind else ""
    return kinds


@dataclass(slots=True)
class _Search:
    """Counts the lines of one text that were read while searching for the ends of containers."""

    lines: int = 0


def _convert(lines: list[str], depth: int, quotes: _Quotes, search: _Search) -> list[str]:
    converted: list[str] = []
    index, fence = 0, ""
    while index < len(lines):
        line = lines[index]
        fence, was_in_code = fences.open_fence_after(line, fence), bool(fence)
        if was_in_code or fence or depth == _MAX_DEPTH:
            converted.append(line)
            index += 1
        elif match := _match_opening(_COLONS, line):
            closing = _end_of_colons(lines, index, match[2], search)
            if closing is None:
                converted.append(line)
                index += 1
                continue
            title = _title_after(match[4])
            body = _convert(lines[index + 1 : closing], depth + 1, quotes, search)
            # a container of another kind only groups its content
            is_quote = match[3].lower() in _KINDS
            converted += _quote(match[1], match[3], title, body, quotes) if is_quote else body
            index = closing + 1
        elif (match := _match_opening(_MARKS, line)) and (
            end := _end_of_indented(lines, index, len(match[1]))
        ) > index + 1:
            indent = len(match[1]) + 4
            inside = [inner.expandtabs(4)[indent:] for inner in lines[index + 1 : end]]
            body = _convert(inside, depth + 1, quotes, search)
            converted += _quote(match[1], match[2], match[4], body, quotes)
            index = end
        else:
            converted.append(line)
            index += 1
    return converted


def _match_opening(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    """Return the match of a line that begins or ends an admonition, or None. A very long line does not."""
    return pattern.match(line.rstrip()) if len(line) <= _MAX_OPENING_LENGTH else None


def _title_after(rest: str) -> str | None:
    """Return the title in the text after the kind of a container: `[Title]`, or text before attributes in braces."""
    rest = rest.strip()
    if rest.startswith("["):
        match = _BRACKETED.match(rest)
        return match[1] if match else rest[1:]
    return rest.partition("{")[0].strip() or None


def _end_of_colons(lines: list[str], start: int, mark: str, search: _Search) -> int | None:
    """Return the number of the line that closes the container opened by line `start`, or None if there is none."""
    fence, nested = "", 0
    for index in range(start + 1, min(len(lines), start + _MAX_LINES)):
        search.lines += 1
        if search.lines > _MAX_SEARCHED_LINES:
            return None
        in_code = bool(fence)
        fence = fences.open_fence_after(lines[index], fence)
        if in_code or fence:
            continue
        if end := _match_opening(_END_OF_COLONS, lines[index]):
            if nested == 0 and len(end[1]) >= len(mark):
                return index
            nested = max(0, nested - 1)
        elif _match_opening(_COLONS, lines[index]):
            nested += 1
    return None


def _end_of_indented(lines: list[str], start: int, indent: int) -> int:
    """Return the number of the line after the indented block below line `start`, without trailing blank lines."""
    end = start + 1
    for index in range(start + 1, min(len(lines), start + _MAX_LINES)):
        line = lines[index].expandtabs(4)
        if line.strip():
            if len(line) - len(line.lstrip()) < indent + 4:
                break
            end = index + 1
    return end


def _quote(indent: str, kind: str, title: str | None, body: list[str], quotes: _Quotes) -> list[str]:
    heading = quotes.wording.alert_title(kind) if title is None else title.strip()
    lines = [f"**{heading}**", "", *body] if heading else body
    around = ["", indent + quotes.separator, ""] if quotes.separator else [""]
    return [*around, *(f"{indent}> {line}".rstrip() for line in lines), *around]
