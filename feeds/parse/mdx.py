"""MDX -> Markdown: what only a site's own program could run is left out, and every line keeps its number.

Left out are import and export statements, the tags of components (what is between them stays) and expressions. HTML
elements, which have names in lower case, stay, with Markdown in them. Code and formulas are left alone. The rules are
those of MDX 3 (mdxjs.com/docs/what-is-mdx). What is not closed stays as it is, since MDX never keeps an article from
being published.
"""

import re
import sys
from bisect import bisect_left
from typing import NamedTuple

from feeds.model import Warned
from feeds.parse import fences
from feeds.text import clean, one_line

_TOKEN = re.compile(
    r"\\."
    rf"|^{fences.OPENING}"
    r"|(?P<code>`+)"
    r"|(?P<formula>\$\$|\$(?![\s$])[^$\n]{0,1000}(?<![\s\\])\$(?!\d))"
    r"|(?P<comment><!--)"
    r"|<(?P<closes>/?)(?P<tag>[A-Za-z][\w-]*(?:\.[\w$-]+)*(?::[\w-]+)?(?=[\s/>{])|(?=>))"
    r"|(?P<brace>\{)"
    r"|^(?P<statement>import|export)\b",
    re.DOTALL | re.MULTILINE,
)
# what matters in JavaScript: brackets, but not those in texts and comments
_SCRIPT = re.compile(
    r"\\.|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|/\*.*?(?:\*/|\Z)|(?<![:\w])//[^\n]*"
    r"|(?P<opens>[{(\[])|(?P<closes>[})\]])|(?P<blank>\n[ \t]*(?=\n|\Z))",
    re.DOTALL,
)
_IN_TAG = re.compile(r"\"[^\"]*\"|'[^']*'|(?P<brace>\{)|(?P<end>/?>)")
_IMPORT = re.compile(r"import\b\s{0,100}(?:[\w$*{}, \t\n]{1,2000}?\bfrom\s{0,100})?(?:\"[^\"\n]*\"|'[^'\n]*')[^\n]*")
_EXPORT = re.compile(r"export\s+(?:(?:default|const|let|var|async|function|class|type|interface|enum)\b|[{*])")
_ID = re.compile(r"\{#[\w:.-]{1,200}\}")  # of a heading, as Docusaurus writes it
_MARKER = re.compile(r"\{/\*\s*(?:more|truncate|excerpt)\s*\*/\}", re.IGNORECASE)  # where the excerpt ends
_COMMENT = re.compile(r"\{\s*(?:/\*.*\*/\s*)?\}", re.DOTALL)
_TEXT = re.compile(r"\{\s*(?:\"((?:\\.|[^\"\\\n])*)\"|'((?:\\.|[^'\\\n])*)'|`((?:\\.|[^`\\$])*)`)\s*\}", re.DOTALL)
_FILE = re.compile(  # Docusaurus' ways to name a file
    r"\{\s*(?:require|useBaseUrl)\(\s*[\"']([^\"'\n]{1,500})[\"']\s*\)(?:\.default)?\s*\}"
)
_ESCAPED = re.compile(r"\\(?:([nrtvf])|(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))|(.))", re.DOTALL)
_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")  # ASCII punctuation, which may be Markdown
_ATTRIBUTE = re.compile(r"\s*([^\s=>{}/\"']+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|(?=\{)))?|\s+")
_TELLING = frozenset({"src", "href", "alt", "srcset", "poster", "title"})  # attributes whose loss a reader would notice
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_VERBATIM = frozenset({"pre", "script", "style", "textarea"})
_END_OF_EXCERPT = "<!-- truncate -->"
_BLOCK = "<!---->"  # HTML that begins so ends with its line (CommonMark 0.31.2 section 4.6)
_MAX_SPAN = 5_000  # characters of a code span or a formula
_MAX_SCRIPT = 50_000  # characters of a statement, an expression or a tag
_MAX_FAILED = 1_000_000  # characters of an article that are searched in vain for the end of one of those
_MAX_IMPORT = 2_000  # characters, as in _IMPORT
_MAX_DEPTH = 20  # levels of components whose text is moved to the left
_MAX_INDENT = 200  # characters before a tag that begins its line
_MAX_NAMES = 3  # that a message lists
_MAX_SHOWN = 40  # characters of each
_SAID = {
    "statement": "import and export statements are left out: {}",
    "component": "components are left out, but not the text in them: {}",
    "expression": "expressions are left out: {}",
}


def as_markdown(text: str, line: int) -> tuple[str, tuple[Warned, ...]]:
    """Return the Markdown in a text, and a warning for each kind of what is left out.

    `line` is the line of the file at which the text begins.
    """
    return _Scan(text).result(line) if _TOKEN.search(text) else (text, ())


class _Component(NamedTuple):
    """The opening tag of a component, or of an HTML element."""

    name: str
    line: int  # after the one on which the tag ends, from 0
    indent: int | None  # columns before a tag that begins its line; None for any other


class _Scan:
    """Goes through one text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._lost: dict[str, list[tuple[int, str]]] = {kind: [] for kind in _SAID}
        self._open: list[_Component] = []
        self._inside: list[tuple[int, int, int]] = []  # (first line, line after the last, indentation of the tag)
        self._failed = 0  # characters that were searched in vain
        self._statement_end = -1
        self._closes_comments = True

    def result(self, line: int) -> tuple[str, tuple[Warned, ...]]:
        """Return the text without what is left out, and the warnings."""
        text, at = self._text, 0
        parts: list[str] = []
        while match := _TOKEN.search(text, at):
            end, instead = self._instead(match)
            parts += [text[at : match.start()], instead]
            at = end
        parts.append(text[at:])
        warnings = (
            Warned(line + self._line_of(found[0][0]), "mdx", _SAID[kind].format(_listed([name for _, name in found])))
            for kind, found in self._lost.items()
            if found
        )
        return self._aligned("".join(parts)), tuple(warnings)

    def _instead(self, match: re.Match[str]) -> tuple[int, str]:
        """Return where what begins with a token ends, and what stands in its place."""
        text, (start, end) = self._text, match.span()
        if match["fence"]:
            end = fences.end(text, match["fence"], end)
        elif match["code"]:
            end = self._end_of_code(match["code"], end)
        elif match["formula"] == "$$":
            closing = text.find("$$", end, end + _MAX_SPAN)
            end = end if closing < 0 else closing + 2
        elif match["comment"]:
            end = self._end_of_comment(end)
        elif match["tag"] is not None:
            return self._tag(match)
        elif match["brace"]:
            return self._expression(start)
        elif match["statement"] and (after := self._end_of_statement(start)):
            self._statement_end = after
            self._lost["statement"].append((start, text[start:after]))
            return after, _lines(text[start:after])
        return end, text[start:end]

    def _end_of_code(self, mark: str, end: int) -> int:
        """Return the end of a code span, which is within a paragraph; of what is none, the end of its backticks."""
        blank = self._text.find("\n\n", end, end + _MAX_SPAN)
        until = blank if blank >= 0 else end + _MAX_SPAN
        closing = re.compile(rf"(?<!`){mark}(?!`)").search(self._text, end, until)
        return closing.end() if closing else end

    def _end_of_comment(self, end: int) -> int:
        closing = self._text.find("-->", end) if self._closes_comments else -1
        self._closes_comments = closing >= 0
        return closing + 3 if closing >= 0 else end

    def _end_of_statement(self, start: int) -> int | None:
        """Return the end of an import or export statement; None if what begins like one is a sentence."""
        text, line = self._text, self._line_of(start)
        above = text[self._start_of(line - 1) : start] if line else ""
        if (above.strip() and start != self._statement_end + 1) or not self._searchable():
            return None
        if match := _IMPORT.match(text, start):
            return match.end()
        if not _EXPORT.match(text, start):
            self._failed += _MAX_IMPORT
            return None
        depth = 0
        for token in _SCRIPT.finditer(text, start, start + self._searchable()):
            depth += bool(token["opens"]) - bool(token["closes"])
            if token["blank"] is not None and depth <= 0:
                return token.start()
        if depth <= 0 and len(text) - start <= _MAX_SCRIPT:
            return len(text)
        self._fail(start)
        blank = text.find("\n\n", start)  # one that is not closed ends with its paragraph
        return blank if blank >= 0 else len(text)

    def _end_of_braces(self, start: int) -> int | None:
        """Return the end of what is in braces; None if they are not closed."""
        depth = 0
        for token in _SCRIPT.finditer(self._text, start, start + self._searchable()):
            if token[0] in {"{", "}"}:
                depth += 1 if token["opens"] else -1
                if not depth:
                    return token.end()
        self._fail(start)
        return None

    def _end_of_tag(self, start: int) -> int | None:
        """Return the end of a tag whose name ends at `start`; None if it is not closed."""
        at: int | None = start
        until = start + self._searchable()
        while at is not None and (match := _IN_TAG.search(self._text, at, until)):
            if match["end"]:
                return match.end()
            at = self._end_of_braces(match.start()) if match["brace"] else match.end()
        self._fail(start)
        return None

    def _searchable(self) -> int:
        """Return in how many characters the end of something is searched for: none once too many were in vain."""
        return _MAX_SCRIPT if self._failed < _MAX_FAILED else 0

    def _fail(self, start: int) -> None:
        self._failed += min(_MAX_SCRIPT, len(self._text) - start)

    def _line_of(self, at: int) -> int:
        return bisect_left(self._breaks, at)

    def _start_of(self, line: int) -> int:
        return self._breaks[line - 1] + 1 if line else 0

    def _end_of(self, line: int) -> int:
        return self._breaks[line] if line < len(self._breaks) else len(self._text)

    def _expression(self, start: int) -> tuple[int, str]:
        text = self._text
        if match := _ID.match(text, start):
            return match.end(), match[0]
        if match := _MARKER.match(text, start):
            return match.end(), self._marker(start, match.end())
        end = self._end_of_braces(start)
        if end is None:
            return start + 1, "{"
        expression = text[start:end]
        shown = _text_of(expression)
        if shown is not None:
            return end, _SPECIAL.sub(lambda sign: f"&#{ord(sign[0])};", shown)
        if not _COMMENT.fullmatch(expression):
            self._lost["expression"].append((start, expression))
        return end, _lines(expression)

    def _marker(self, start: int, end: int) -> str:
        """Return the end of the excerpt as Markdown has it: none where the comment would make HTML of its line."""
        line = self._line_of(start)
        before, after = self._text[self._start_of(line) : start], self._text[end : self._end_of(line)]
        return "" if after.strip() and not before.strip(" \t>") else _END_OF_EXCERPT

    def _tag(self, match: re.Match[str]) -> tuple[int, str]:
        start, name = match.start(), match["tag"]
        end = self._end_of_tag(match.end())
        if end is None:
            return match.end(), match[0]
        is_html = name[:1].islower() and "." not in name
        indent = None if name in _VERBATIM else self._indent(start)
        closing = self._text[end - 2] == "/" or (is_html and name in _VOID)
        opened = None
        if match["closes"]:
            opened = self._close(name, start)
        elif not closing:
            opened = _Component(name, self._line_of(end) + 1, indent)
            self._open.append(opened)
        if is_html and not (name == "p" and opened and opened.indent is not None):
            alone = indent is not None and not self._text[end : self._end_of(self._line_of(end))].strip()
            return end, self._html(match, end, alone=alone)
        if name and not match["closes"] and not is_html:
            self._lost["component"].append((start, f"<{name}>"))
        return end, _lines(self._text[start:end])  # Markdown makes a paragraph of what is in a <p>

    def _html(self, match: re.Match[str], end: int, *, alone: bool) -> str:
        """Return the tag of an HTML element as HTML has it: no attribute is an expression, only void elements close.

        One that is `alone` on its lines is a block of its own, since in MDX there is Markdown after it.
        """
        text, name = self._text, match["tag"]
        whole = text[match.start() : end]
        closed = whole.endswith("/>") and name not in _VOID
        if "{" not in whole and not closed and not (alone and "\n" in whole):
            return _BLOCK + whole if alone else whole
        at, attributes = match.end(), list[str]()
        stop = end - len("/>") if whole.endswith("/>") else end - len(">")
        while at < stop:
            found = _ATTRIBUTE.match(text, at, stop)
            attribute, value = (found[1], found[2]) if found else (None, None)
            at = found.end() if found else at
            if at < stop and text[at] == "{":
                after = self._end_of_braces(at) or stop
                value = self._value(attribute or "", at, after)
                attribute, at = attribute if value else None, after
            elif not found:
                at += 1
            if attribute:
                attributes.append(attribute + (f"={value}" if value else "").replace("\n", " "))
        # one line break at most before each attribute: HTML in Markdown ends at a blank line
        breaks = whole.count("\n")
        before = ["\n"] * (0 if alone else min(breaks, len(attributes))) + [" "] * len(attributes)
        written = "".join(space + attribute for space, attribute in zip(before, attributes, strict=False))
        tag = f"<{match['closes']}{name}{written}{f'></{name}>' if closed else text[stop:end]}"
        return f"{_BLOCK}{tag}{_lines(whole)}" if alone else tag + "\n" * (breaks - len(attributes))

    def _value(self, attribute: str, start: int, end: int) -> str | None:
        """Return the value of an attribute that is an expression, quoted; None if only a program could tell it."""
        expression = self._text[start:end]
        file = _FILE.fullmatch(expression)
        value = file[1] if file else _text_of(expression)
        if value is not None:
            return '"' + value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;") + '"'
        if attribute.lower() in _TELLING:
            self._lost["expression"].append((start, f"{attribute}={expression}"))
        return None

    def _indent(self, start: int) -> int | None:
        """Return the columns before a tag that begins its line; None for another, or one that is nested deep."""
        begin = self._start_of(self._line_of(start))
        if start - begin > _MAX_INDENT or len(self._open) >= _MAX_DEPTH:
            return None
        before = self._text[begin:start]
        return None if before.strip() else _columns(before)

    def _close(self, name: str, start: int) -> _Component | None:
        """Return the element that a tag closes; None if none is open."""
        for back in range(1, min(len(self._open), _MAX_DEPTH) + 1):
            opened = self._open[-back]
            if opened.name == name:
                del self._open[-back:]
                if opened.indent is not None:
                    self._inside.append((opened.line, self._line_of(start), opened.indent))
                return opened
        return None

    def _aligned(self, text: str) -> str:
        """Return a text in which what is in an element is indented as its tag is: MDX has no indented code."""
        if not self._inside:
            return text
        lines = text.split("\n")
        for first, end, indent in self._inside:
            columns = [_columns(line) for line in lines[first:end] if line.strip()]
            shift = min(columns, default=0) - indent
            if shift > 0:
                lines[first:end] = [_moved(line, shift) for line in lines[first:end]]
        return "\n".join(lines)


def _columns(line: str) -> int:
    """Return how many columns a line is indented."""
    blank = line[: len(line) - len(line.lstrip(" \t"))].expandtabs(4)
    return len(blank)


def _moved(line: str, columns: int) -> str:
    text = line.lstrip(" \t")
    return " " * max(0, _columns(line) - columns) + text


def _lines(text: str) -> str:
    """Return the line breaks of a text that is left out."""
    return "\n" * text.count("\n")


def _text_of(expression: str) -> str | None:
    """Return the text that an expression is, as in `{'{'}`; None for any other expression."""
    match = _TEXT.fullmatch(expression)
    if match is None:
        return None
    said = _ESCAPED.sub(_unescaped, match[1] or match[2] or match[3] or "")
    joined = said.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")  # two surrogates are one character
    return clean(joined) + _lines(
        expression[: match.start(match.lastindex or 0)] + expression[match.end(match.lastindex or 0) :]
    )


def _unescaped(match: re.Match[str]) -> str:
    if match[5]:
        return match[5]
    code = int(match[2] or match[3] or match[4] or "20", 16)
    character = chr(code) if code <= sys.maxunicode else ""
    return " " if f"{character}x".splitlines()[1:] else character  # a line break would move the lines below


def _listed(names: list[str]) -> str:
    """Return the first of several names, each once, and how many there are besides."""
    unique = list(dict.fromkeys(one_line(name[: 2 * _MAX_SHOWN]).rstrip(";") for name in names))
    shown = [name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}…" for name in unique[:_MAX_NAMES]]
    more = [f"{len(unique) - _MAX_NAMES} more"] if len(unique) > _MAX_NAMES else []
    return ", ".join(shown + more)
