"""What of an article's text would look wrong: rules about the HTML that its Markdown becomes.

The engine's own HTML is searched, in which code is marked and escapes are resolved, so that nothing is mistaken for
what it is not. Lines are found by searching the source for what the HTML shows.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import unquote

from feeds.parse import html as sanitiser
from feeds.parse.content import Dialect
from feeds.parse.links import target_of

_CODE = re.compile(r"<(pre|code|math|script|style|svg|textarea)\b[^<>]*>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FORMULA_BEGIN = re.compile(r"\$\$|\\[(\[]")
_FORMULA_END = {"$$": ("$$", 5_000), "\\(": ("\\)", 1_000), "\\[": ("\\]", 5_000)}  # and characters at most
_DOLLARS = re.compile(r"\$(?![\s$])[^$\n]{1,1000}(?<!\s)\$")
_INLINE_TAG = re.compile(r"</?(?:a|del|em|mark|strong|sub|sup)>")  # what Markdown makes of other characters
_ATTRIBUTES = re.compile(r"(<[A-Za-z][\w-]*)\s[^<>]*>")
_ADDRESS = re.compile(r"\s(?:src|href)=\"([^\"]*)\"", re.IGNORECASE)
_ITEM = re.compile(r"( *)(?:[*+-]|\d{1,9}[.)])[ \t]+\S")

_TEMPLATE = re.compile(
    r"\{\{[<%].{0,500}?[%>]\}\}"  # Hugo
    r"|\{%.{0,500}?%\}|\{#\s.{0,500}?\s#\}"  # Liquid, Nunjucks, Jinja, Hexo
    # what is put out, a name or a text, unless it is an exponent in a formula
    r"|(?<![\w\\^_{}])\{\{-?\s*(?:[A-Za-z_][\w.-]*+|\"[^\"]*\"|'[^']*')[^{}]{0,500}\}\}"
    # WordPress
    r"|\[(?:caption|gallery|embed|audio|video|playlist)\s+\w+=[^\[\]]{0,500}\]|\[(?:gallery|/caption|/embed)\]"
    r"|(?<!-)-{2,}+8<-{2,}",  # what MkDocs includes
    re.DOTALL | re.IGNORECASE,
)
_LINK_TEMPLATE = re.compile(
    r"[{|](?:static|attach|filename|author|category|index|tag)[}|]\S*", re.IGNORECASE
)  # Pelican
_UNKNOWN = re.compile(r"[{|@~]|.*\{\{")  # addresses that only another program resolves: {static}, @site/, ~/, {{ … }}


class _Syntax(NamedTuple):
    """The syntax of a dialect, where another one shows it as it is."""

    pattern: re.Pattern[str]
    what: str
    dialect: Dialect | None  # the only one in which it is looked for


def _syntax(what: str, pattern: str, dialect: Dialect | None = None) -> _Syntax:
    return _Syntax(re.compile(pattern, re.MULTILINE | re.IGNORECASE), what, dialect)


_BEGINS = r"(?:^|(?<=<p>)|(?<=<li>))"  # a line, or a block
_OTHER = (
    _syntax(
        "a link between notes, as in Obsidian",
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
    _syntax("a code fence that is not closed", rf"{_BEGINS}[ \t]*+(?:`{{3,}}+|~{{3,}}+)[^`\n]*$", "python-markdown"),
    _syntax("an admonition of another dialect, or one that is not closed", rf"{_BEGINS}:{{3,}}[ \t]*[a-z{{][^\n<]*"),
    _syntax("an abbreviation, as in python-markdown", rf"{_BEGINS}\*\[[^\[\]\n]{{1,100}}\]:\s"),
    _syntax("a tab of MkDocs Material", rf"{_BEGINS}===[+!]?\s+\"[^\"\n]*\""),
)
_LOST = {
    "script": "it can't run in a reader",
    "style": "readers have their own style",
    "form": "no reader sends one",
    "svg": "give it a <title>, which is shown in its place, or make it an image",
    "canvas": "nothing draws in it",
    "iframe": "it has no address to link to",
    "object": "it has no address to link to",
    "embed": "it has no address to link to",
}
_MAX_PARTS = 3  # of a text that are looked for
_MAX_FAILURES = 50_000  # lines of one article that have only the first part of a text
_PREFIX = 8  # characters of a text that are looked for where all of it is not found
_SHOWN = 40  # characters of what is cited

Found = tuple[int, str, str]  # the line, the rule, the message


class _Text(NamedTuple):
    """Lines that are searched as one text: their numbers, and where they and the end of the text begin."""

    text: str
    numbers: list[int]
    starts: list[int]


class Lines:
    """The lines of a body, in which what its HTML shows is looked for."""

    def __init__(self, prose: Iterable[tuple[int, str]], body: str, first: int) -> None:
        """`prose` are the lines that are not code, with their numbers; `first` is the number of the body's first."""
        self.prose = list(prose)
        self._first = first
        self._texts = (_joined(self.prose), _joined(list(enumerate(body.split("\n"), first))))
        self._seen: dict[tuple[str, ...], tuple[Iterator[int], int | None]] = {}  # the next lines, and the last one
        self._failures = 0

    def of(self, text: str) -> int:
        """Return the number of the line with the beginning of a text; of the next one if it is asked for again."""
        beginning = text.strip().partition("\n")[0]
        parts = tuple(part for part in _INLINE_TAG.split(beginning) if part)[:_MAX_PARTS]
        for some in (parts or ("",), (beginning[:_PREFIX],)):
            following, last = self._seen.get(some) or (self._numbers(some), None)
            number = next(following, last)
            self._seen[some] = (following, number)
            if number is not None:
                return number
        return self._first

    def has(self, text: str) -> bool:
        """Return whether a text is in a line that is not code."""
        return text in self._texts[0].text

    def _numbers(self, parts: tuple[str, ...]) -> Iterator[int]:
        """Yield the numbers of the lines that have the parts one after the other, of code only if no others have."""
        for lines in self._texts:
            number = None
            for number in self._numbers_in(lines, parts):
                yield number
            if number is not None:
                return

    def _numbers_in(self, lines: _Text, parts: tuple[str, ...]) -> Iterator[int]:
        text, at = lines.text, 0
        while self._failures < _MAX_FAILURES and (at := text.find(parts[0], at)) >= 0:
            line = bisect_right(lines.starts, at) - 1
            at, end = at + len(parts[0]), lines.starts[line + 1] - 1
            for part in parts[1:]:
                at = text.find(part, at, end)
                if at < 0:
                    self._failures += 1
                    break
                at += len(part)
            else:
                yield lines.numbers[line]
            at = end + 1


def _joined(lines: list[tuple[int, str]]) -> _Text:
    starts = list(accumulate((len(line) + 1 for _, line in lines), initial=0))
    return _Text("\n".join(line for _, line in lines) if lines else "\n", [number for number, _ in lines], starts)


def found(html: str, lines: Lines, dialect: Dialect, is_missing: Callable[[str], bool]) -> Iterator[Found]:
    """Yield what is wrong in an article.

    Args:
        html: What the engine made of the body, not sanitised.
        lines: The lines of the body.
        dialect: The one in which the body is rendered.
        is_missing: Return whether a reference of an image leads to a file that is not there.
    """
    text = unescape(_ATTRIBUTES.sub(r"\1>", _COMMENT.sub("", _without_code(html))))
    plain = _without_formulas(text) if "$" in text or "\\" in text else text
    yield from _templates(html, plain, lines)
    yield from _other_dialect(plain, lines, dialect)
    for name, tag in sanitiser.dropped(html):
        why = _LOST.get(name, "no reader knows it")
        yield lines.of(tag), "dropped-html", f"<{name}> is left out: {why}"
    for reference in dict.fromkeys(sanitiser.images(html)):
        name = unquote(reference)  # the engine encodes what a URL can't hold
        if not _UNKNOWN.match(name) and is_missing(reference):
            yield (
                lines.of(reference if lines.has(reference) else name),
                "missing-image",
                f"there is no file {_shown(name)}",
            )


def _without_code(html: str) -> str:
    """Return HTML without the elements in which nothing is text of the article."""
    kept, at, open_ends = list[str](), 0, set[str]()
    for match in _CODE.finditer(html):
        name = match[1].lower()
        if match.start() < at or name in open_ends:
            continue
        end = re.compile(f"</{name}>", re.IGNORECASE).search(html, match.end())
        if end is None:
            open_ends.add(name)
        else:
            kept += [html[at : match.start()], "<code/>"]
            at = end.end()
    return "".join([*kept, html[at:]])


def _without_formulas(text: str) -> str:
    kept, at = list[str](), 0
    for match in _FORMULA_BEGIN.finditer(text):
        closing, most = _FORMULA_END[match[0]]
        end = text.find(closing, match.end() + 1, match.end() + most + len(closing)) if match.start() >= at else -1
        if end >= 0:
            kept.append(text[at : match.start()])
            at = end + len(closing)
    return _DOLLARS.sub("", "".join([*kept, text[at:]]))


def _templates(html: str, plain: str, lines: Lines) -> Iterator[Found]:
    for match in _TEMPLATE.finditer(plain) if "{" in plain or "[" in plain or "8<" in plain else ():
        yield lines.of(match[0]), "template-code", f"{_shown(match[0])} would be shown as it is"
    for address in _ADDRESS.findall(html) if "%7B" in html or "{" in html or "|" in html or "%7C" in html else ():
        written = unquote(unescape(address))
        if "{{" in written or "{%" in written:
            yield lines.of(written), "template-code", f"{_shown(written)} would be the address"
        elif _LINK_TEMPLATE.match(written) and target_of(written, "") is None:
            yield lines.of(written), "template-code", f"{_shown(written)} would be the address; only Pelican knows it"


def _other_dialect(plain: str, lines: Lines, dialect: Dialect) -> Iterator[Found]:
    for syntax in _OTHER:
        if syntax.dialect in {None, dialect}:
            for match in syntax.pattern.finditer(plain):
                yield lines.of(match[0]), "other-dialect", _of_another(match[0], syntax.what, dialect)
    if dialect == "python-markdown":
        yield from _flat_lists(lines)


def _flat_lists(lines: Lines) -> Iterator[Found]:
    """Yield the first item of each list that Python-Markdown does not see as one within another."""
    above: int | None = None
    for number, line in lines.prose:
        item = _ITEM.match(line)
        indent = len(item[1]) if item else None
        if indent is not None and above is not None and above % 4 == 0 and above + 2 <= indent < above + 4:
            said = "an item that is indented by less than four spaces is none of the list within"
            yield number, "other-dialect", f"{said} (content.markdown: python-markdown)"
        above = indent if item else above if line.startswith(" ") else None


def _of_another(text: str, what: str, dialect: Dialect) -> str:
    return f"{_shown(text)} is {what}, and shown as it is (content.markdown: {dialect})"


def _shown(text: str) -> str:
    text = " ".join(_INLINE_TAG.sub("", text).split())
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
