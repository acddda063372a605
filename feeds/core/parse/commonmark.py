"""Converts CommonMark with GitHub's extensions to HTML with comrak, GitHub's converter (cmark-gfm) in Rust.

This module also converts the syntax of other generators: admonitions of Docusaurus and MkDocs, callouts of GitHub and
Obsidian, formulas, kramdown's attribute lists. Syntax that depends on tags is converted in comrak's output, where code
is escaped and can't be mistaken for a tag. Syntax that depends on lines, such as admonitions, is converted in the
source. The HTML is not sanitised.
"""

import re
from collections.abc import Callable, Iterator
from html import unescape
from itertools import product
from typing import Literal
from urllib.parse import unquote

import comrak

from feeds.core.errors import ArticleError
from feeds.core.parse import admonitions, links, templates
from feeds.core.wording import ENGLISH, Wording

CommonMarkDialect = Literal["gfm", "obsidian"]

_MAX_MARKS = 300_000  # for each, comrak takes about 1 µs; the largest of 10,000 articles of real sites has 190,000
_MAX_QUOTE_DEPTH = 100  # levels of quotes on one line; the limit of GitHub's converter
_MAX_CELLS = 100_000  # comrak adds missing cells to rows, so the HTML of a small file could have gigabytes
_MAX_COLUMNS = 1_000  # a row takes quadratic time
_MAX_DOLLARS = 50_000  # with formulas; a text whose dollar signs enclose no formula is converted twice
_MAX_LATEX = 1_000  # openings of \(…\): each starts a search for its end
_MAX_HEADINGS = 1_000  # with ids: a heading tries the ids of all earlier headings with the same text
_MAX_DETAILS = 3_000  # lines that begin with a colon: for each, comrak reads the whole definition list
_MAX_TRAILING_BRACKETS = 60  # at the end of a URL: for each, comrak reads the whole URL
_MIN_CHECKED_ADDRESSES = 200  # mail addresses; texts with fewer are always fast
_MAX_URL_SEARCH = 100_000_000  # characters: a URL that ends at a "<" is searched up to the next white space
_MAX_REFERENCES = 40_000  # of one kind; more than `html` allows, because some may be in code
_MAX_COPIED = 20_000_000  # characters: for each mail address, comrak copies the rest of its line
_MAX_FOOTNOTES = 10_000  # marks: the HTML of each is long
_MAX_FOOTNOTE_SEARCH = 300_000_000  # characters: the end of an inline footnote is searched in its paragraph
_MAX_FOOTNOTE_DEPTH = 100  # levels of [^ within [^: at each end, comrak reads all text since its beginning
_MIN_REFERENCE_LENGTH = 100_000  # characters that the URLs and titles of references may add, even to a short text

_MARKS = b'\n!"$&*+-:<=>[\\]^_`{|~'
_LIST_MARKERS = ("- ", "* ", "+ ", ". ", ") ", "> ")  # each begins an element with an element in it
_REFERENCE_MARKS = ("@", "![", "{#", "[[")  # mail addresses, images, ids, links to notes
_TOO_DEEP = re.compile(rf"^[ \t]*(?:>[ ]?){{{_MAX_QUOTE_DEPTH}}}", re.MULTILINE)
_URL_START = re.compile(r"://|www\.")
_WHITE_SPACE = re.compile(r"[ \t\n\f\r]+")
_TRAILING_BRACKETS = re.compile(rf"(?:\)(?:[?!.,:*_~'\";]|&[A-Za-z]+;)*+){{{_MAX_TRAILING_BRACKETS}}}")
_NOTE = re.compile(r"\[\^|\]")
_DEFINITION = re.compile(r"\[(?!\^)[^\[\]]{1,999}\]:(.*(?:\n.+){0,2})")
_ANCHOR = re.compile(r'<a href="#[^"]*" aria-label="[^"]*" data-heading-content="[^"]*" class="anchor"></a>')
_DETAILS_LINE = re.compile(r"^[ \t>*+\-\d.)]*:[ \t]", re.MULTILINE)
_HEADING_LINE = re.compile(r"^(?:[ \t>*+\-\d.):]|\[\^[^\]\n]*\])*#{1,6}(?!\S)|^[ \t>]*(?:=+|-+)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r'<h([1-6])(?: id="([^"]*)")?>((?:(?!<h[1-6]).){0,1000}?)</h\1>', re.DOTALL)
_ATTRIBUTE_LIST = re.compile(r":?\s*+(?:(?:#([\w:.-]++)|\.[\w-]++|[\w-]++=[^\s{}]++)\s*+)++|:?\s*+-\s*+")
_MAX_ATTRIBUTES_LENGTH = 200  # characters of an attribute list
_CODE_CHUNK = re.compile(r'class="language-\{\.?([\w+#-]++)[^"]*+"')  # code in R Markdown and Pandoc
_CALLOUT = re.compile(r"<blockquote>\n<p>\[!(\w[\w-]*)\][+-]?[ \t]*([^\n]*?)(\n|</p>)")
_CHECKBOX = re.compile(r'<input type="checkbox"( checked="")? disabled="" />')
_MATH = re.compile(r'<span data-math-style="(inline|display)">((?:(?!<span).){0,2000}?)</span>', re.DOTALL)
_MATH_CODE = re.compile(r'<pre><code class="language-math" data-math-style="display">([^<]{0,5000})</code></pre>')
_LATEX_START = re.compile(r"\\[(\[]")
_LATEX_CLOSING = re.compile(r"\\[)\]]")
_LATEX_END = {"(": ("\\)", 500), "[": ("\\]", 2_000)}  # opening -> closing, maximal length of the formula in characters
_LATEX_MARK = "\ufdd0"  # marks `\(` and `\[` in the source; it is a noncharacter, so that no text contains it
_LATEX_MARK_IN_URL = "%EF%B7%90"
# a formula has a command, braces, an exponent or an index (but not the "_" of snake_case), or consists of symbols
_TEX = re.compile(
    r"(?<!\\)\\(?:[A-Za-z]{2}|[{}])|[A-Za-z0-9)\]}|']\s*\^|[_^]\{|(?<![A-Za-z0-9])[A-Za-z]_[A-Za-z0-9](?![A-Za-z0-9])"
)
_SYMBOLS = re.compile(r"(?=.*[A-Za-z])(?=.*[-+*/=<>])(?:[A-Za-z](?![A-Za-z])|[\d\s.,()|!'*/+<>=-])+", re.DOTALL)
_NOT_TEX = re.compile(r"`|\*\*|\]\(|://|\"|\n\n")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_WIKILINK = re.compile(r'<a href="([^"]*)" data-wikilink="true">([^<>]{0,1000})')
_BACKLINK = re.compile(
    r'<a href="(#[^"]*)" class="footnote-backref"[^>]*>↩(?:<sup class="footnote-ref">(\d+)</sup>)?</a>'
)
_FOOTNOTE_DEFINITION = re.compile(r"[ ]{0,3}\[\^[^\]\s]+\]:")
_NESTED_DEFINITION = re.compile(r"^([ ]{4}[ \t]*|\t[ \t]*)\[\^[^\]\s]+\]:", re.MULTILINE)
_FOOTNOTE = re.compile(r'<sup class="footnote-ref"><a href="([^"]*)" id="([^"]*)" data-footnote-ref>')

# attribute lists of kramdown (`{: .wide}`) and of Goldmark, markdown-it and Pandoc (`{.wide}`, `{width=50%}`)
_NAME = r"[.#][A-Za-z][\w:.-]*+"
_PAIR = r"[\w:-]++=(?:&quot;[^{}&]*+&quot;|[^\s{}&]++)"
_NAMES_AND_PAIRS = rf"(?:[ ]++(?:{_NAME}|{_PAIR}))*+[ ]*+"
_QUOTED_PAIR = r"[\w:-]++=&quot;[^{}&]*+&quot;"
_LIST = rf"\{{(?::[^{{}}]{{0,300}}|[ ]*+(?:{_NAME}|{_QUOTED_PAIR}){_NAMES_AND_PAIRS})\}}"
_ANY_LIST = re.compile(r"\{(?::|(?<=/>\{)|[ ]*+(?:[.#][A-Za-z]|[\w:-]++=&quot;))")
_CODE_TAG = re.compile(r"(</?(?:pre|code)\b[^<>]*>)")
_TOC = re.compile(r"<([uo]l)>\n<li>[^<\n]*\n\{:\s*toc[^{}]*\}</li>\n</\1>\n?")
_ATTRIBUTES_ALONE = re.compile(rf"<p>{_LIST}</p>\n?")
_ATTRIBUTES_BEFORE = re.compile(rf"<p>{_LIST}\n")
_ATTRIBUTES_AFTER = re.compile(rf"\n{_LIST}(?=\n|</(?:p|li|td|dd|blockquote)>)")
_ATTRIBUTES_AS_ROW = re.compile(rf"<tr>\n<td[^<>]*>{_LIST}</td>\n(?:<td[^<>]*></td>\n)*+</tr>\n")
_ATTRIBUTES_INLINE = re.compile(rf"(</(?:a|em|strong|del)>|/>)(?:{_LIST}|\{{[ ]*+{_PAIR}{_NAMES_AND_PAIRS}\}})")
_ATTRIBUTES_OF_CODE = re.compile(_LIST)
_TOC_MARKER = re.compile(r"<p>\[(?:TOC|\[(?:TOC|toc|<em>TOC</em>)\])\]</p>\n?")

# Obsidian
_CODE = (  # a fenced block, or a code span, which ends with its paragraph
    r"(^[ ]{0,3}(`{3,}+|~{3,}+)[^\n]*+\n.*?(?:^[ ]{0,3}\2[`~]*[ \t]*$|\Z)"
    r"|(?<!`)(`++)(?:(?!\n[ \t]*\n).)+?(?<!`)\3(?!`))"
)
_FENCE_OR_CODE = re.compile(_CODE, re.DOTALL | re.MULTILINE)
# a comment may contain code; one that begins a line and is not closed hides the rest of the text, as in Obsidian
_CODE_OR_COMMENT = re.compile(rf"{_CODE}|%%.*?%%|^[ \t]*%%.*\Z", re.DOTALL | re.MULTILINE)
_EMBED = re.compile(r"!\[\[([^\[\]|#\n]+?)(#[^\[\]|\n]*?)?(?:\\?\|([^\[\]\n]*))?\]\]")
_IMAGE = re.compile(r"\.(?:png|jpe?g|gif|webp|avif|svg|bmp)$", re.IGNORECASE)


class CommonMark:
    """Converts CommonMark with GitHub's extensions to HTML. Thread-safe; comrak releases the GIL."""

    def __init__(self, dialect: CommonMarkDialect = "gfm") -> None:
        self._obsidian = dialect == "obsidian"
        self._render = comrak.RenderOptions()
        self._render.unsafe_ = True  # `html` sanitises
        self._render.full_info_string = True  # only the first word after a fence is its language
        self._parse = comrak.ParseOptions()
        self._parse.tasklist_in_table = True
        self._extensions = {choice: self._options(*choice) for choice in product((False, True), repeat=5)}

    def _options(
        self, dollars: bool, latex: bool, ids: bool, definitions: bool, autolink: bool
    ) -> comrak.ExtensionOptions:
        options = comrak.ExtensionOptions()
        options.autolink = autolink
        for name in ("footnotes", "strikethrough", "table", "tasklist"):
            setattr(options, name, True)
        options.description_lists = definitions
        options.header_id_prefix = "" if ids else None
        options.math_dollars, options.math_latex = dollars, latex
        options.highlight = options.inline_footnotes = options.wikilinks_title_after_pipe = self._obsidian
        # Chinese and Japanese have no spaces around words: **「a」**は is bold here, unlike in CommonMark
        options.cjk_friendly_emphasis = True
        return options

    def convert(self, text: str, wording: Wording = ENGLISH) -> str:
        """Return the HTML of a text, with the titles of alerts in `wording`.

        Raise `ArticleError` if the text exceeds a limit, such as 100 nested quotes.
        """
        if len(text) > _MAX_MARKS and _count_marks(text) > _MAX_MARKS:
            raise ArticleError("too much markup")
        if self._obsidian and "%%" in text:
            text = _CODE_OR_COMMENT.sub(lambda match: match[1] or "", text)
        if self._obsidian and "![[" in text:
            text = _outside_code(text, lambda part: _EMBED.sub(_embed, part))
        if "{" in text and ("{%" in text or "{{" in text):  # searching for one character first is 10 times faster
            text = _outside_code(templates.to_fences(text), _without_templates)
        if admonitions.may_have_any(text):
            text = admonitions.to_quotes(text, wording=wording)
        if "^" in text and "[^" in text and _NESTED_DEFINITION.search(text):
            text = _without_nested_definitions(text)
        has_latex = _has_latex(text)
        if has_latex:
            text = text.replace("\\(", f"\\({_LATEX_MARK}").replace("\\[", f"\\[{_LATEX_MARK}")
        if self._obsidian and "^[" in text:
            _require_fast_footnotes(text)
        _require_fast(text)
        text = _padding_for_references(text) + text
        html = self._comrak(text, dollars=text.count("$") <= _MAX_DOLLARS, latex=has_latex)
        if "data-math-style" in html and not _has_formula(html):  # the dollar signs enclose text
            html = self._comrak(text, dollars=False, latex=False)
        html = _convert_html(html, wording)
        return html.replace(_LATEX_MARK, "").replace(_LATEX_MARK_IN_URL, "") if has_latex else html

    def _comrak(self, text: str, *, dollars: bool, latex: bool) -> str:
        ids = _has_at_most(_MAX_HEADINGS, _HEADING_LINE, text)
        definitions = _has_at_most(_MAX_DETAILS, _DETAILS_LINE, text)
        extensions = self._extensions[dollars, latex, ids, definitions, _are_urls_fast(text)]
        try:
            return comrak.render_markdown(
                text, extension_options=extensions, parse_options=self._parse, render_options=self._render
            )
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # a panic in Rust; its class can't be imported
                raise ArticleError("the Markdown engine failed") from None
            raise


def _count_marks(text: str) -> int:
    """Return the number of characters in a text that may be Markdown or HTML, with markers of lists counted twice."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data) - len(data.translate(None, _MARKS)) + sum(map(text.count, _LIST_MARKERS))


def _require_fast(text: str) -> None:
    """Raise `ArticleError` if comrak could take long, or much memory, for a text."""
    if ">" in text and (">>" in text or "> >" in text) and _TOO_DEEP.search(text):
        raise ArticleError("nested too deep")
    if len(text) > _MAX_REFERENCES and any(text.count(mark) > _MAX_REFERENCES for mark in _REFERENCE_MARKS):
        raise ArticleError("too many links and images")
    if text.count("@") > _MIN_CHECKED_ADDRESSES and _copied_characters(text) > _MAX_COPIED:
        raise ArticleError("too many mail addresses in one line")
    marks = text.count("[^") if "^" in text else 0
    if marks > _MAX_FOOTNOTES:
        raise ArticleError("too many footnotes")
    if marks > _MAX_FOOTNOTE_DEPTH:
        depth = 0
        for match in _NOTE.finditer(text):
            depth = max(0, depth - 1) if match[0] == "]" else depth + 1
            if depth > _MAX_FOOTNOTE_DEPTH:
                raise ArticleError("nested too deep")
    if "|" in text:
        _require_small_tables(text)


def _require_fast_footnotes(text: str) -> None:
    """Raise `ArticleError` if comrak could take long for the inline footnotes of a text."""
    notes = text.count("^[")
    if notes > _MAX_FOOTNOTES or (
        notes * len(text) > _MAX_FOOTNOTE_SEARCH
        and sum(part.count("^[") * len(part) for part in text.split("\n\n")) > _MAX_FOOTNOTE_SEARCH
    ):
        raise ArticleError("too many footnotes")


def _are_urls_fast(text: str) -> bool:
    """Return whether comrak finds the bare URLs of a text in a short time."""
    urls = text.count("://") + text.count("www.")
    if not urls:
        return True
    if text.count(")") >= _MAX_TRAILING_BRACKETS and any(map(_TRAILING_BRACKETS.search, _lines_with_brackets(text))):
        return False
    if urls * len(text) <= _MAX_URL_SEARCH:
        return True
    # the cost for words is at most the cost for lines, which is faster to compute
    return _searched_characters(text.split("\n")) <= _MAX_URL_SEARCH or (
        _searched_characters(_WHITE_SPACE.split(text)) <= _MAX_URL_SEARCH
    )


def _searched_characters(parts: list[str]) -> int:
    """Return the maximal number of characters that comrak reads to find the ends of the URLs in parts of a text."""
    return sum(len(part) * len(_URL_START.findall(part)) for part in parts if ":" in part or "www." in part)


def _lines_with_brackets(text: str) -> Iterator[str]:
    """Yield the lines with a URL and enough closing brackets for `_TRAILING_BRACKETS`, whose search is slow."""
    return (line for line in text.split("\n") if line.count(")") >= _MAX_TRAILING_BRACKETS and _URL_START.search(line))


def _copied_characters(text: str) -> int:
    """Return the maximal number of characters that comrak copies for the mail addresses of a text."""
    return sum(line.count("@") * len(line) for line in text.split("\n"))


def _require_small_tables(text: str) -> None:
    """Raise `ArticleError` if a table has too many columns, or all tables too many cells after padding."""
    cells = 0
    for block in text.split("\n\n"):
        if "|" in block and "-" in block:
            lines = block.split("\n")
            columns = max(map(_delimiter_columns, lines))
            cells += columns * len(lines)
            if columns > _MAX_COLUMNS or cells > _MAX_CELLS:
                raise ArticleError("a table with too many cells")


def _delimiter_columns(line: str) -> int:
    """Return the number of columns of a delimiter row (GFM section 4.10), 0 if the line is not one."""
    if "|" not in line or "-" not in line or line.strip(" \t>|:-+*.)0123456789"):
        return 0
    return line.count("|") + 1


def _has_at_most(limit: int, line: re.Pattern[str], text: str) -> bool:
    """Return whether at most `limit` lines of a text match a pattern."""
    return text.count("\n") < limit or sum(1 for _ in line.finditer(text)) <= limit


def _padding_for_references(text: str) -> str:
    """Return a blank line to prepend to a text, long enough that comrak resolves all of its references.

    comrak resolves references until their URLs and titles have added as many characters as the text has; cmark allows
    100,000 characters for a short text.
    """
    definitions = _DEFINITION.findall(text) if "]:" in text else None
    if not definitions:
        return ""
    missing = min(text.count("[") * max(map(len, definitions)), _MIN_REFERENCE_LENGTH) - len(text)
    return " " * missing + "\n" if missing > 0 else ""


def _convert_html(html: str, wording: Wording) -> str:
    """Return comrak's HTML with ids, check boxes, callouts, formulas and footnotes in a form that feed readers show."""
    if "<h" in html:
        html = _ANCHOR.sub("", html)
        if "{" in html:
            html = _HEADING.sub(_heading, html)
    if 'class="language-{' in html:
        html = _CODE_CHUNK.sub(r'class="language-\1"', html)
    if "!" in html and "[!" in html:
        html = _CALLOUT.sub(lambda match: _callout(match, wording), html)
    if 'type="checkbox"' in html:
        html = _CHECKBOX.sub(lambda match: "☑" if match[1] else "☐", html)
    if "data-math-style" in html:
        html = _MATH_CODE.sub(lambda match: f"<p>$$\n{match[1].strip()}\n$$</p>", html)
        html = _MATH.sub(lambda match: _formula(match[1], match[2]), html)
    if "data-wikilink" in html:
        html = _WIKILINK.sub(_wikilink, html)
    if "data-footnote-ref" in html:
        html = _footnotes(html)
    return _without_marks(html)


def _without_marks(html: str) -> str:
    """Return HTML without attribute lists and markers for a table of contents."""
    if _ANY_LIST.search(html):
        html = _without_attribute_lists(html)
    return _TOC_MARKER.sub("", html) if "<p>[" in html else html


def _heading(match: re.Match[str]) -> str:
    """Return a heading without its attribute list, and with the id in that list."""
    level, id_, text = match.groups()
    start = text.rstrip().rfind("{") if text.rstrip().endswith("}") else -1
    attributes = text.rstrip()[start + 1 : -1]
    if start < 0 or len(attributes) > _MAX_ATTRIBUTES_LENGTH or not _ATTRIBUTE_LIST.fullmatch(attributes):
        return match[0]
    explicit_id = re.search(r"#([\w:.-]+)", attributes)
    attributes_in_id = re.sub(r"[^\w\- ]", "", attributes.lower()).replace(" ", "-")  # as comrak converts text to ids
    id_ = explicit_id[1] if explicit_id else (id_ or "").removesuffix(f"-{attributes_in_id}")
    return f'<h{level} id="{id_}">{text[:start].rstrip()}</h{level}>'


def _wikilink(match: re.Match[str]) -> str:
    """Return a link to a note with the scheme that `html` resolves; the text `Note#Part` becomes `Note > Part`."""
    href, text = match.groups()
    if "#" in text and unquote(href) == unescape(text):
        text = " &gt; ".join(part for part in text.split("#") if part)
    return f'<a href="{links.NOTE_SCHEME}:{href.replace("#", "%23")}">{text}'


def _callout(match: re.Match[str], wording: Wording) -> str:
    """Return the beginning of a callout as a quote with its title in bold, which needs no style sheet."""
    kind, title, end = match.groups()
    title = title.strip() or wording.alert_title(kind)
    return f"<blockquote>\n<p><strong>{title}</strong></p>" + ("\n<p>" if end == "\n" else "")


def _has_latex(source: str) -> bool:
    r"""Return whether a source has a formula between `\(` and `\)` or `\[` and `\]`."""
    return any(_is_tex(tex, allow_symbols=opening == "(") for opening, tex in _latex_of(source))


def _latex_of(source: str) -> Iterator[tuple[str, str]]:
    r"""Yield ("(", TeX) for each `\(…\)` of a source and ("[", TeX) for each `\[…\]`, or nothing if it has too many."""
    if not _LATEX_CLOSING.search(source) or source.count("\\(") + source.count("\\[") > _MAX_LATEX:
        return
    last_end = 0
    for match in _LATEX_START.finditer(source):
        opening, start = match[0][1], match.end()
        closing, max_length = _LATEX_END[opening]
        end = source.find(closing, start + 1, start + max_length + len(closing)) if match.start() >= last_end else -1
        if end >= 0:
            yield opening, source[start:end]
            last_end = end + len(closing)


def _has_formula(html: str) -> bool:
    """Return whether at least one span that comrak marked as a formula is a formula."""
    return _MATH_CODE.search(html) is not None or any(
        _is_tex(unescape(tex).lstrip(_LATEX_MARK)) for _, tex in _MATH.findall(html)
    )


def _is_tex(text: str, *, allow_symbols: bool = True) -> bool:
    """Return whether text is a formula; if `allow_symbols` is true, symbols such as `a + b` count as a formula."""
    if _NOT_TEX.search(text):
        return False
    return _TEX.search(text) is not None or (allow_symbols and _SYMBOLS.fullmatch(text) is not None)


def _formula(style: str, tex: str) -> str:
    """Return TeX between the author's delimiters. Around text that isn't TeX, escaped brackets become brackets."""
    if not tex.startswith(_LATEX_MARK):
        return f"${tex}$" if style == "inline" else f"$${tex}$$"
    tex = tex.removeprefix(_LATEX_MARK)
    opening, closing = "()" if style == "inline" else "[]"
    if _is_tex(unescape(tex), allow_symbols=style == "inline"):
        return f"\\{opening}{tex}\\{closing}"
    return opening + _ESCAPE.sub(r"\1", tex) + closing


def _without_nested_definitions(text: str) -> str:
    """Return a text in which footnote definitions nested in another one are at the top level.

    Some formatters nest them. GitHub's converter recognises nested definitions; comrak shows them as text.
    """
    lines, in_definition, indent = text.split("\n"), False, ""
    for number, line in enumerate(lines):
        if _FOOTNOTE_DEFINITION.match(line):
            in_definition, indent = True, ""
        elif line.strip() and not line.startswith((" ", "\t")):
            in_definition = False
        elif in_definition:
            if match := _NESTED_DEFINITION.match(line):
                indent = match[1]
            lines[number] = line.removeprefix(indent)
    return "\n".join(lines)


def _footnotes(html: str) -> str:
    """Return HTML with footnotes in the classes by which NetNewsWire recognises them (docs/decisions/020)."""
    html = _FOOTNOTE.sub(r'<sup id="\2"><a class="footnote" href="\1">', html)
    html = _BACKLINK.sub(
        lambda match: f'<a class="reversefootnote" href="{match[1]}">↩\ufe0e{match[2] or ""}</a>', html
    )
    return html.replace('<section class="footnotes" data-footnotes>', '<div class="footnotes">').replace(
        "</section>", "</div>"
    )


def _without_attribute_lists(html: str) -> str:
    """Return HTML without attribute lists, except in code."""
    parts, depth = _CODE_TAG.split(html), 0
    for index, part in enumerate(parts):
        if index % 2:
            depth += -1 if part.startswith("</") else 1
        elif depth <= 0:
            rest = part[match.end() :] if index and (match := _ATTRIBUTES_OF_CODE.match(part)) else part
            rest = _ATTRIBUTES_ALONE.sub("", _TOC.sub("", rest))
            rest = _ATTRIBUTES_AFTER.sub("", _ATTRIBUTES_BEFORE.sub("<p>", _ATTRIBUTES_AS_ROW.sub("", rest)))
            parts[index] = _ATTRIBUTES_INLINE.sub(r"\1", rest)
    return "".join(parts)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return a text with `change` applied to its parts that are not code."""
    parts, end = [], 0
    for match in _FENCE_OR_CODE.finditer(text):
        parts += [change(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(text[end:])])


def _without_templates(text: str) -> str:
    """Return a text, which has no code, with references to articles and known template tags as Markdown."""
    return templates.resolve_site_urls(links.convert_references(text) if links.may_have_references(text) else text)


def _embed(match: re.Match[str]) -> str:
    name, part, alt = match[1].strip(), match[2] or "", (match[3] or "").strip()
    if not _IMAGE.search(name):
        return f"[[{name}{part}]]"
    alt, _, width = alt.rpartition("|")  # ![[a.png|text|300]]
    alt = alt if width.replace("x", "").isdecimal() else (f"{alt}|{width}" if alt else width)
    root = "/" if "/" in name and not name.startswith((".", "/")) else ""  # a path starts at the root of the vault
    return f"![{alt}](<{root}{name}>)"


def add_image_paths(text: str, find_path: Callable[[str], str | None]) -> str:
    """Return an Obsidian text in which the names of embedded images are replaced with their paths from the note.

    `find_path` returns the path from the note to the image with a name, or None if there is no such image.
    """

    def embed(match: re.Match[str]) -> str:
        name = match[1].strip()
        path = find_path(name) if _IMAGE.search(name) else None
        return match[0].replace(match[1], f"./{path}", 1) if path and "/" in path else match[0]

    return _outside_code(text, lambda part: _EMBED.sub(embed, part))
