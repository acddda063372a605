"""The rules that check the HTML to which an article's Markdown is converted.

They search the unsanitised HTML, in which code can be recognised and escapes are resolved, so neither is mistaken for a
problem. To find the line number of a problem, they search for its text in the source.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import unquote

from feeds.core.lint.rules import Finding
from feeds.core.parse import html as sanitizer
from feeds.core.parse.content import Dialect
from feeds.core.parse.links import resolve_target

_CODE = re.compile(r"<(pre|code|math|script|style|svg|textarea)\b[^<>]*>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FORMULA_BEGIN = re.compile(r"\$\$|\\[(\[]")
_FORMULA_END = {"$$": ("$$", 5_000), "\\(": ("\\)", 1_000), "\\[": ("\\]", 5_000)}  # closing mark, maximum characters
_DOLLARS = re.compile(r"\$(?![\s$])[^$\n]{1,1000}(?<!\s)\$")
_INLINE_TAG = re.compile(r"</?(?:a|del|em|mark|strong|sub|sup)>")  # not in the source, which has Markdown instead
_ATTRIBUTES = re.compile(r"(<[A-Za-z][\w-]*)\s[^<>]*>")
_URL_ATTRIBUTE = re.compile(r"\s(?:src|href)=\"([^\"]*)\"", re.IGNORECASE)
_ITEM = re.compile(r"( *)(?:[*+-]|\d{1,9}[.)])[ \t]+\S")

_TEMPLATE = re.compile(
    r"\{\{[<%].{0,500}?[%>]\}\}"  # Hugo
    r"|\{%.{0,500}?%\}|\{#\s.{0,500}?\s#\}"  # Liquid, Nunjucks, Jinja, Hexo
    # the output of a name or a string, unless it is an exponent in a formula
    r"|(?<![\w\\^_{}])\{\{-?\s*(?:[A-Za-z_][\w.-]*+|\"[^\"]*\"|'[^']*')[^{}]{0,500}\}\}"
    # WordPress
    r"|\[(?:caption|gallery|embed|audio|video|playlist)\s+\w+=[^\[\]]{0,500}\]|\[(?:gallery|/caption|/embed)\]"
    r"|(?<!-)-{2,}+8<-{2,}",  # an include of MkDocs
    re.DOTALL | re.IGNORECASE,
)
_LINK_TEMPLATE = re.compile(
    r"[{|](?:static|attach|filename|author|category|index|tag)[}|]\S*", re.IGNORECASE
)  # Pelican
_FOREIGN_REFERENCE = re.compile(r"[{|@~]|.*\{\{")  # that only another program resolves: {static}, @site/, ~/, {{ … }}


class _Syntax(NamedTuple):
    """Syntax that is not part of the article's dialect."""

    pattern: re.Pattern[str]
    description: str
    dialect: Dialect | None  # search it only in articles of this dialect; None: in all


def _syntax(description: str, pattern: str, dialect: Dialect | None = None) -> _Syntax:
    return _Syntax(re.compile(pattern, re.MULTILINE | re.IGNORECASE), description, dialect)


_START = r"(?:^|(?<=<p>)|(?<=<li>))"  # of a line or a block
_FOREIGN_SYNTAX = (
    _syntax(
        "a link between notes as in Obsidian",
        r"!?\[\[(?!(?:(?:<em>)?_?toc_?(?:</em>)?|\d+)\]\])[^\[\]\s:][^\[\]\n]{0,200}\]\]",
    ),
    _syntax("a highlight, as in Obsidian", r"(?<![=\w])==(?=[^\s=])[^=\n]{1,500}(?<=[^\s=])==(?![=\w])"),
    _syntax("a comment, as in Obsidian", r"(?<![\d%])%%[^%\n]{1,500}%%"),
    _syntax("a callout, as in GitHub's dialect", r"(?<=<p>)\[!\w[\w-]*\][+-]?", "python-markdown"),
    _syntax("a task, as in GitHub's dialect", r"(?<=<li>)\s*+(?:<p>\s*+)?\[[ x]\]\s", "python-markdown"),
    _syntax("text that is struck through, as in GitHub's dialect", r"~~[^~\s][^~\n]{0,500}~~"),
    _syntax(
        "a table without a blank line above it",
        r"^[ \t]*+\|?(?:[ \t]*+:?-{3,}+:?[ \t]*+\|)++[ \t:|-]*+$",
        "python-markdown",
    ),
    _syntax("a code fence that is not closed", rf"{_START}[ \t]*+(?:`{{3,}}+|~{{3,}}+)[^`\n]*$", "python-markdown"),
    _syntax("an admonition of another dialect, or one that is not closed", rf"{_START}:{{3,}}[ \t]*[a-z{{][^\n<]*"),
    _syntax("an abbreviation, as in python-markdown", rf"{_START}\*\[[^\[\]\n]{{1,100}}\]:\s"),
    _syntax("a tab of MkDocs Material", rf"{_START}===[+!]?\s+\"[^\"\n]*\""),
)
_REASONS = {  # element -> why it is removed
    "script": "feed readers run no scripts",
    "style": "feed readers have their own styles",
    "form": "feed readers submit no forms",
    "svg": "give it a <title>, which replaces it, or save it as an image",
    "canvas": "without scripts it is empty",
    "iframe": "it has no address to link to",
    "object": "it has no address to link to",
    "embed": "it has no address to link to",
}
_MAX_PARTS = 3  # of a text to search for
_MAX_FAILED_MATCHES = 50_000  # lines of one article that contain only the first part of a text
_MARKER_CHARACTERS = 3  # at the start of foreign syntax, such as ~~a
_MAX_SEARCHES = 200  # for different starts of foreign syntax in one article
_PREFIX_CHARACTERS = 8  # to search for if the whole text is not found
_MAX_QUOTED_CHARACTERS = 40


class _LineIndex(NamedTuple):
    """Joined lines, with the number and the offset of each; the last offset is the end of the text."""

    text: str
    numbers: list[int]
    starts: list[int]


class BodyLines:
    """The lines of a body, which finds the line number of a text in the HTML."""

    def __init__(self, prose: Iterable[tuple[int, str]], body: str, first: int) -> None:
        """`prose`: number and text of each line that is not code; `first`: the number of the body's first line."""
        self.prose = list(prose)
        self._first = first
        self._indexes = (_index(self.prose), _index(list(enumerate(body.split("\n"), first))))
        self._searches: dict[tuple[str, ...], tuple[Iterator[int], int | None]] = {}  # parts -> next lines, last result
        self._failed_matches = 0
        self._unescaped: dict[str, bool] = {}  # results of `contains_unescaped`

    def line_of(self, text: str) -> int:
        """Return the number of a line that contains the start of a text: at each call, of the next such line."""
        start = text.strip().partition("\n")[0]
        parts = tuple(part for part in _INLINE_TAG.split(start) if part)[:_MAX_PARTS]
        for searched in (parts or ("",), (start[:_PREFIX_CHARACTERS],)):
            following, last = self._searches.get(searched) or (self._numbers(searched), None)
            number = next(following, last)
            self._searches[searched] = (following, number)
            if number is not None:
                return number
        return self._first

    def contains(self, text: str) -> bool:
        """Return whether a line that is not code contains a text."""
        return text in self._indexes[0].text

    def contains_unescaped(self, text: str) -> bool:
        """Return whether a line, with code or without, contains a text that does not follow a backslash.

        After many different texts, return True without a search: each may take a millisecond.
        """
        if text not in self._unescaped and len(self._unescaped) < _MAX_SEARCHES:
            pattern = rf"(?<!\\){re.escape(text)}"
            self._unescaped[text] = re.search(pattern, self._indexes[1].text) is not None
        return self._unescaped.get(text, True)

    def _numbers(self, parts: tuple[str, ...]) -> Iterator[int]:
        """Yield the numbers of the lines that contain all parts in this order.

        Lines with code are searched only if no other line contains the parts.
        """
        for index in self._indexes:
            number = None
            for number in self._numbers_in(index, parts):
                yield number
            if number is not None:
                return

    def _numbers_in(self, index: _LineIndex, parts: tuple[str, ...]) -> Iterator[int]:
        text, position = index.text, 0
        while self._failed_matches < _MAX_FAILED_MATCHES and (position := text.find(parts[0], position)) >= 0:
            line = bisect_right(index.starts, position) - 1
            position, end = position + len(parts[0]), index.starts[line + 1] - 1
            for part in parts[1:]:
                position = text.find(part, position, end)
                if position < 0:
                    self._failed_matches += 1
                    break
                position += len(part)
            else:
                yield index.numbers[line]
            position = end + 1


def _index(lines: list[tuple[int, str]]) -> _LineIndex:
    starts = list(accumulate((len(line) + 1 for _, line in lines), initial=0))
    text = "\n".join(line for _, line in lines) if lines else "\n"
    return _LineIndex(text, [number for number, _ in lines], starts)


def check_html(html: str, lines: BodyLines, dialect: Dialect, is_missing: Callable[[str], bool]) -> Iterator[Finding]:
    """Yield the problems of an article's HTML.

    Args:
        html: the unsanitised HTML of the body.
        lines: the lines of the body.
        dialect: the dialect in which the body is rendered.
        is_missing: returns whether a reference of an image leads to a file that does not exist.
    """
    text = unescape(_ATTRIBUTES.sub(r"\1>", _COMMENT.sub("", _without_code(html))))
    prose = _without_formulas(text) if "$" in text or "\\" in text else text
    yield from _check_templates(html, prose, lines)
    yield from _check_dialect(prose, lines, dialect)
    for name, tag in sanitizer.dropped_elements(html):
        reason = _REASONS.get(name, "feed readers do not support it")
        yield Finding(lines.line_of(tag), "dropped-html", f"<{name}> is removed: {reason}")
    for reference in dict.fromkeys(sanitizer.image_references(html)):
        name = unquote(reference)  # the engine has percent-encoded it
        if not _FOREIGN_REFERENCE.match(name) and is_missing(reference):
            line = lines.line_of(reference if lines.contains(reference) else name)
            yield Finding(line, "missing-image", f"there is no file {_quoted(name)}")


def _without_code(html: str) -> str:
    """Return HTML without the elements that contain no text of the article."""
    kept, position, unclosed = list[str](), 0, set[str]()
    for match in _CODE.finditer(html):
        name = match[1].lower()
        if match.start() < position or name in unclosed:
            continue
        end = re.compile(f"</{name}>", re.IGNORECASE).search(html, match.end())
        if end is None:
            unclosed.add(name)
        else:
            kept += [html[position : match.start()], "<code/>"]
            position = end.end()
    return "".join([*kept, html[position:]])


def _without_formulas(text: str) -> str:
    kept, position = list[str](), 0
    for match in _FORMULA_BEGIN.finditer(text):
        if match.start() < position:
            continue
        closing, max_length = _FORMULA_END[match[0]]
        end = text.find(closing, match.end() + 1, match.end() + max_length + len(closing))
        if end >= 0:
            kept.append(text[position : match.start()])
            position = end + len(closing)
    return _DOLLARS.sub("", "".join([*kept, text[position:]]))


def _check_templates(html: str, prose: str, lines: BodyLines) -> Iterator[Finding]:
    for match in _TEMPLATE.finditer(prose) if "{" in prose or "[" in prose or "8<" in prose else ():
        yield Finding(lines.line_of(match[0]), "template-code", f"{_quoted(match[0])} would be shown unchanged")
    for url in _URL_ATTRIBUTE.findall(html) if "%7B" in html or "{" in html or "|" in html or "%7C" in html else ():
        source = unquote(unescape(url))
        if "{{" in source or "{%" in source:
            yield Finding(
                lines.line_of(source), "template-code", f"{_quoted(source)} would be used unchanged as the address"
            )
        elif _LINK_TEMPLATE.match(source) and resolve_target(source, "") is None:
            message = f"{_quoted(source)} would be used unchanged as the address; only Pelican resolves it"
            yield Finding(lines.line_of(source), "template-code", message)


def _check_dialect(prose: str, lines: BodyLines, dialect: Dialect) -> Iterator[Finding]:
    for syntax in _FOREIGN_SYNTAX:
        if syntax.dialect in {None, dialect}:
            for match in syntax.pattern.finditer(prose):
                start = match[0].strip()[:_MARKER_CHARACTERS]
                if "<" not in start and not lines.contains_unescaped(start):  # as in \~\~
                    continue
                message = f"{_quoted(match[0])} is {syntax.description}: shown unchanged (content.markdown: {dialect})"
                yield Finding(lines.line_of(match[0]), "other-dialect", message)
    if dialect == "python-markdown":
        yield from _check_list_indents(lines)


def _check_list_indents(lines: BodyLines) -> Iterator[Finding]:
    """Yield the first item of each nested list that Python-Markdown does not nest."""
    outer: int | None = None  # the indent of the item above
    for number, line in lines.prose:
        item = _ITEM.match(line)
        indent = len(item[1]) if item else None
        if indent is not None and outer is not None and outer % 4 == 0 and outer + 2 <= indent < outer + 4:
            message = "the item of a nested list needs an indent of four spaces (content.markdown: python-markdown)"
            yield Finding(number, "other-dialect", message)
        outer = indent if item else outer if line.startswith(" ") else None


def _quoted(text: str) -> str:
    text = " ".join(_INLINE_TAG.sub("", text).split())
    return repr(text if len(text) <= _MAX_QUOTED_CHARACTERS else f"{text[:_MAX_QUOTED_CHARACTERS]}…")
