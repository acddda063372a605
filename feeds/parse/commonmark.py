"""CommonMark with GitHub's extensions -> HTML, by comrak, which is GitHub's converter (cmark-gfm) written in Rust.

What authors write beyond that, for other generators, is converted here too: admonitions of Docusaurus and MkDocs,
callouts of GitHub and Obsidian, formulas, kramdown's attribute lists. Whatever depends on tags is done on comrak's
output, in which code is escaped and so is never taken for a tag; only admonitions, whose lines must be known, are found
in the source. The HTML is not sanitised.
"""

import re
from collections.abc import Callable, Iterator
from html import unescape
from itertools import product
from typing import Literal
from urllib.parse import unquote

import comrak

from feeds.errors import Refused
from feeds.parse import admonitions, links, templates

CommonMarkDialect = Literal["gfm", "obsidian"]

_MAX_QUOTES = 100  # levels of quotes on one line; GitHub's own converter stops at 100 too
_MAX_CELLS = 100_000  # a row is filled up to its table's columns: a small file could become gigabytes
_MAX_COLUMNS = 1_000  # a row takes quadratic time
_MAX_LATEX = 1_000  # openings of \(…\): each searches the rest of the text for its end
_MAX_HEADINGS = 1_000  # that get ids: of headings with one text each tries the ids of all before it
_MAX_DETAILS = 3_000  # lines that begin with a colon: for each, comrak looks through all of a definition list
_MAX_TRAILING_BRACKETS = 200  # that an address may end with: for each of them the whole address is read
_MANY_ADDRESSES = 200
_MAX_ADDRESSES = 20_000_000  # mail addresses of a line times its length: each copies the rest of the line
_MAX_FOOTNOTES = 10_000  # each mark becomes much HTML
_MAX_NOTES = 100  # levels of [^ within [^: each end reads all text since its beginning

_MAX_REFERENCES = 100_000  # characters of URLs and titles that references may add, however short the text is

_TOO_DEEP = re.compile(rf"^[ \t]*(?:>[ ]?){{{_MAX_QUOTES}}}", re.MULTILINE)
_TRAILING_BRACKETS = re.compile(rf"(?:\)(?:[?!.,:*_~'\";]|&[A-Za-z]+;)*+){{{_MAX_TRAILING_BRACKETS}}}")
_NOTE = re.compile(r"\[\^|\]")
_DEFINITION = re.compile(r"\[(?!\^)[^\[\]]{1,999}\]:(.*(?:\n.+){0,2})")
_ANCHOR = re.compile(r'<a href="#[^"]*" aria-label="[^"]*" data-heading-content="[^"]*" class="anchor"></a>')
_DETAILS_LINE = re.compile(r"^[ \t>*+\-\d.)]*:[ \t]", re.MULTILINE)
_HEADING_LINE = re.compile(r"^(?:[ \t>*+\-\d.):]|\[\^[^\]\n]*\])*#{1,6}(?!\S)|^[ \t>]*(?:=+|-+)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r'<h([1-6])(?: id="([^"]*)")?>((?:(?!<h[1-6]).){0,1000}?)</h\1>', re.DOTALL)
_ATTRIBUTE_LIST = re.compile(r":?\s*+(?:(?:#([\w:.-]++)|\.[\w-]++|[\w-]++=[^\s{}]++)\s*+)++|:?\s*+-\s*+")
_MAX_ATTRIBUTES = 200  # characters of an attribute list
_CODE_CHUNK = re.compile(r'class="language-\{\.?([\w+#-]++)[^"]*+"')  # R Markdown's, Pandoc's
_CALLOUT = re.compile(r"<blockquote>\n<p>\[!(\w[\w-]*)\][+-]?[ \t]*([^\n]*?)(\n|</p>)")
_CHECKBOX = re.compile(r'<input type="checkbox"( checked="")? disabled="" />')
_MATH = re.compile(r'<span data-math-style="(inline|display)">((?:(?!<span).){0,2000}?)</span>', re.DOTALL)
_MATH_CODE = re.compile(r'<pre><code class="language-math" data-math-style="display">([^<]{0,5000})</code></pre>')
_LATEX_START = re.compile(r"\\[(\[]")
_LATEX_CLOSING = re.compile(r"\\[)\]]")
_LATEX_END = {"(": ("\\)", 500), "[": ("\\]", 2_000)}  # and characters at most
_LATEX_MARK = "\ufdd0"  # stands after `\(` and `\[` in the source; no text has it, for it is no character
_LATEX_MARK_IN_URL = "%EF%B7%90"
# a formula has a command, braces, an exponent or an index (but not that of snake_case), or is short and only symbols
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

# attribute lists of kramdown (`{: .wide}`), and of Goldmark, markdown-it and Pandoc (`{.wide}`, `{width=50%}`)
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
_PLACE_OF_TOC = re.compile(r"<p>\[(?:TOC|\[(?:TOC|toc|<em>TOC</em>)\])\]</p>\n?")

# Obsidian
_CODE = (  # a fence, or a code span, which ends with its paragraph
    r"(^[ ]{0,3}(`{3,}+|~{3,}+)[^\n]*+\n.*?(?:^[ ]{0,3}\2[`~]*[ \t]*$|\Z)"
    r"|(?<!`)(`++)(?:(?!\n[ \t]*\n).)+?(?<!`)\3(?!`))"
)
_FENCE_OR_CODE = re.compile(_CODE, re.DOTALL | re.MULTILINE)
# a comment may hold code, and one that begins a line and is never closed hides the rest, as in Obsidian
_CODE_OR_COMMENT = re.compile(rf"{_CODE}|%%.*?%%|^[ \t]*%%.*\Z", re.DOTALL | re.MULTILINE)
_EMBED = re.compile(r"!\[\[([^\[\]|#\n]+?)(#[^\[\]|\n]*?)?(?:\\?\|([^\[\]\n]*))?\]\]")
_PICTURE = re.compile(r"\.(?:png|jpe?g|gif|webp|avif|svg|bmp)$", re.IGNORECASE)


class CommonMark:
    """Converts CommonMark with GitHub's extensions. Safe for any number of threads; comrak releases the GIL."""

    def __init__(self, dialect: CommonMarkDialect = "gfm") -> None:
        self._obsidian = dialect == "obsidian"
        self._render = comrak.RenderOptions()
        self._render.unsafe_ = True  # sanitising is the task of `html`
        self._render.full_info_string = True  # the language of a fence is its first word, whatever follows
        self._parse = comrak.ParseOptions()
        self._parse.tasklist_in_table = True
        self._extensions = {choice: self._options(*choice) for choice in product((False, True), repeat=4)}

    def _options(self, dollars: bool, latex: bool, ids: bool, definitions: bool) -> comrak.ExtensionOptions:
        options = comrak.ExtensionOptions()
        for name in (
            "autolink",
            "footnotes",
            "strikethrough",
            "table",
            "tasklist",
        ):
            setattr(options, name, True)
        options.description_lists = definitions
        options.header_id_prefix = "" if ids else None
        options.math_dollars, options.math_latex = dollars, latex
        options.highlight = options.inline_footnotes = options.wikilinks_title_after_pipe = self._obsidian
        # Chinese and Japanese have no spaces around words: **「a」**は is bold, though not in CommonMark
        options.cjk_friendly_emphasis = True
        return options

    def convert(self, text: str) -> str:
        """Return the HTML of a text. Raises `Refused` for what no reader could show, such as 100 nested quotes."""
        if self._obsidian and "%%" in text:
            text = _CODE_OR_COMMENT.sub(lambda match: match[1] or "", text)
        if self._obsidian and "![[" in text:
            text = _outside_code(text, lambda part: _EMBED.sub(_embed, part))
        if "{" in text and ("{%" in text or "{{" in text):  # one character is found in a tenth of the time
            text = _outside_code(templates.as_fences(text), _without_templates)
        if ":::" in text or "!!!" in text or "???" in text:
            text = admonitions.as_quotes(text)
        if "[^" in text and _NESTED_DEFINITION.search(text):
            text = _without_nested_definitions(text)
        latex = _has_latex(text)
        if latex:
            text = text.replace("\\(", f"\\({_LATEX_MARK}").replace("\\[", f"\\[{_LATEX_MARK}")
        _require_moderate(text)
        text = _room_for_references(text) + text
        html = self._comrak(text, dollars=True, latex=latex)
        if "data-math-style" in html and not _has_formula(html):  # dollar signs around text
            html = self._comrak(text, dollars=False, latex=False)
        converted = _converted(html)
        return converted.replace(_LATEX_MARK, "").replace(_LATEX_MARK_IN_URL, "") if latex else converted

    def _comrak(self, text: str, *, dollars: bool, latex: bool) -> str:
        ids, definitions = _few(_HEADING_LINE, text, _MAX_HEADINGS), _few(_DETAILS_LINE, text, _MAX_DETAILS)
        extensions = self._extensions[dollars, latex, ids, definitions]
        try:
            return comrak.render_markdown(
                text, extension_options=extensions, parse_options=self._parse, render_options=self._render
            )
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # of Rust, which Python can't import
                raise Refused("the Markdown engine fails on it") from None
            raise


def _require_moderate(text: str) -> None:
    """Raise `Refused` for a text for which comrak would take long, or much memory."""
    if (">>" in text or "> >" in text) and _TOO_DEEP.search(text):
        raise Refused("nested too deep")
    if text.count(")") > _MAX_TRAILING_BRACKETS and any(map(_TRAILING_BRACKETS.search, _lines_with_brackets(text))):
        raise Refused("too many closing brackets in a row")
    if text.count("@") > _MANY_ADDRESSES and _copied_for_addresses(text) > _MAX_ADDRESSES:
        raise Refused("too many mail addresses in one line")
    if (marks := text.count("[^")) > _MAX_FOOTNOTES:
        raise Refused("too many footnotes")
    if marks > _MAX_NOTES:
        depth = 0
        for match in _NOTE.finditer(text):
            depth = max(0, depth - 1) if match[0] == "]" else depth + 1
            if depth > _MAX_NOTES:
                raise Refused("nested too deep")
    if "|" in text:
        _require_small_tables(text)


def _lines_with_brackets(text: str) -> Iterator[str]:
    """Yield the lines with more closing brackets than an address may end with: the search takes long in others too."""
    return (line for line in text.split("\n") if line.count(")") >= _MAX_TRAILING_BRACKETS)


def _copied_for_addresses(text: str) -> int:
    """Return how many characters comrak copies at most for the mail addresses of a text."""
    return sum(line.count("@") * len(line) for line in text.split("\n"))


def _require_small_tables(text: str) -> None:
    """Raise `Refused` for tables that are too wide, or have too many cells with those that rows are filled up with."""
    cells = 0
    for block in text.split("\n\n"):
        if "|" in block and "-" in block:
            lines = block.split("\n")
            columns = max(map(_columns, lines))
            cells += columns * len(lines)
            if columns > _MAX_COLUMNS or cells > _MAX_CELLS:
                raise Refused("a table with too many cells")


def _columns(line: str) -> int:
    """Return of how many columns a line says how they are aligned, 0 if it is no such line."""
    if "|" not in line or "-" not in line or line.strip(" \t>|:-+*.)0123456789"):
        return 0
    return line.count("|") + 1


def _few(line: re.Pattern[str], text: str, most: int) -> bool:
    """Return whether so few lines of a text match a pattern."""
    return text.count("\n") < most or sum(1 for _ in line.finditer(text)) <= most


def _room_for_references(text: str) -> str:
    """Return a blank line to begin a text with, so long that comrak resolves all of its references.

    comrak lets references add as many characters of URLs and titles as the text has, and leaves the others as text.
    cmark lets them add 100,000 to a short text.
    """
    definitions = _DEFINITION.findall(text) if "]:" in text else None
    if not definitions:
        return ""
    wanted = min(text.count("[") * max(map(len, definitions)), _MAX_REFERENCES) - len(text)
    return " " * wanted + "\n" if wanted > 0 else ""


def _converted(html: str) -> str:
    """Return comrak's HTML with heading ids, check boxes, callouts, formulas and footnotes as readers show them."""
    if "<h" in html:
        html = _ANCHOR.sub("", html)
        if "{" in html:
            html = _HEADING.sub(_heading, html)
    if 'class="language-{' in html:
        html = _CODE_CHUNK.sub(r'class="language-\1"', html)
    if "[!" in html:
        html = _CALLOUT.sub(_callout, html)
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
    """Return HTML without attribute lists and places of a table of contents, which no reader should see."""
    if _ANY_LIST.search(html):
        html = _without_attribute_lists(html)
    return _PLACE_OF_TOC.sub("", html) if "<p>[" in html else html


def _heading(match: re.Match[str]) -> str:
    """Return a heading without its attribute list, and with the id that its author gave it."""
    level, id_, text = match.groups()
    start = text.rstrip().rfind("{") if text.rstrip().endswith("}") else -1
    attributes = text.rstrip()[start + 1 : -1]
    if start < 0 or len(attributes) > _MAX_ATTRIBUTES or not _ATTRIBUTE_LIST.fullmatch(attributes):
        return match[0]
    own_id = re.search(r"#([\w:.-]+)", attributes)
    of_attributes = re.sub(r"[^\w\- ]", "", attributes.lower()).replace(" ", "-")  # as comrak makes an id of text
    id_ = own_id[1] if own_id else (id_ or "").removesuffix(f"-{of_attributes}")
    return f'<h{level} id="{id_}">{text[:start].rstrip()}</h{level}>'


def _wikilink(match: re.Match[str]) -> str:
    """Return a link to a note as the HTML pass knows it; `Note#Part` without a text of its own is `Note > Part`."""
    href, text = match.groups()
    if "#" in text and unquote(href) == unescape(text):
        text = " &gt; ".join(part for part in text.split("#") if part)
    return f'<a href="{links.SCHEME}:{href.replace("#", "%23")}">{text}'


def _callout(match: re.Match[str]) -> str:
    """Return the beginning of a quote whose title is in bold, as readers without our style sheet can show it."""
    kind, title, end = match.groups()
    title = title.strip() or kind.replace("-", " ").capitalize()
    return f"<blockquote>\n<p><strong>{title}</strong></p>" + ("\n<p>" if end == "\n" else "")


def _has_latex(source: str) -> bool:
    r"""Return whether there is a formula between `\(` and `\)` or `\[` and `\]`."""
    return any(_is_tex(tex, alone=opening == "(") for opening, tex in _latex_of(source))


def _latex_of(source: str) -> Iterator[tuple[str, str]]:
    r"""Yield ("(", TeX) for each `\(…\)` of a source and ("[", TeX) for each `\[…\]`; nothing if there are too many."""
    if not _LATEX_CLOSING.search(source) or source.count("\\(") + source.count("\\[") > _MAX_LATEX:
        return
    done = 0
    for match in _LATEX_START.finditer(source):
        opening, start = match[0][1], match.end()
        closing, longest = _LATEX_END[opening]
        end = source.find(closing, start + 1, start + longest + len(closing)) if match.start() >= done else -1
        if end >= 0:
            yield opening, source[start:end]
            done = end + len(closing)


def _has_formula(html: str) -> bool:
    """Return whether one of the formulas that comrak found is one."""
    return _MATH_CODE.search(html) is not None or any(
        _is_tex(unescape(tex).lstrip(_LATEX_MARK)) for _, tex in _MATH.findall(html)
    )


def _is_tex(text: str, *, alone: bool = True) -> bool:
    """Return whether text between marks of formulas is one; `alone` lets symbols alone, such as `a + b`, be one."""
    if _NOT_TEX.search(text):
        return False
    return _TEX.search(text) is not None or (alone and _SYMBOLS.fullmatch(text) is not None)


def _formula(style: str, tex: str) -> str:
    """Return a formula's TeX between its author's marks; escaped brackets around other text are brackets."""
    if not tex.startswith(_LATEX_MARK):
        return f"${tex}$" if style == "inline" else f"$${tex}$$"
    tex = tex.removeprefix(_LATEX_MARK)
    opening, closing = "()" if style == "inline" else "[]"
    if _is_tex(unescape(tex), alone=style == "inline"):
        return f"\\{opening}{tex}\\{closing}"
    return opening + _ESCAPE.sub(r"\1", tex) + closing


def _without_nested_definitions(text: str) -> str:
    """Return a text whose footnotes are not defined in one another, as formatters write them by mistake.

    GitHub's converter finds such a definition; comrak shows it as text.
    """
    lines, within, indent = text.split("\n"), False, ""
    for number, line in enumerate(lines):
        if _FOOTNOTE_DEFINITION.match(line):
            within, indent = True, ""
        elif line.strip() and not line.startswith((" ", "\t")):
            within = False
        elif within:
            if match := _NESTED_DEFINITION.match(line):
                indent = match[1]
            lines[number] = line.removeprefix(indent)
    return "\n".join(lines)


def _footnotes(html: str) -> str:
    """Write footnotes with the classes by which NetNewsWire finds them (docs/decisions/020)."""
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
    for at, part in enumerate(parts):
        if at % 2:
            depth += -1 if part.startswith("</") else 1
        elif depth <= 0:
            left = part[match.end() :] if at and (match := _ATTRIBUTES_OF_CODE.match(part)) else part
            left = _ATTRIBUTES_ALONE.sub("", _TOC.sub("", left))
            left = _ATTRIBUTES_AFTER.sub("", _ATTRIBUTES_BEFORE.sub("<p>", _ATTRIBUTES_AS_ROW.sub("", left)))
            parts[at] = _ATTRIBUTES_INLINE.sub(r"\1", left)
    return "".join(parts)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Apply a change to the parts of a text that are not code."""
    parts, end = [], 0
    for match in _FENCE_OR_CODE.finditer(text):
        parts += [change(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(text[end:])])


def _without_templates(text: str) -> str:
    """Return a part of a text without the tags of templates whose meaning is known; a link to an article goes first."""
    return templates.resolved(links.with_references(text) if links.has_references(text) else text)


def _embed(match: re.Match[str]) -> str:
    name, part, alt = match[1].strip(), match[2] or "", (match[3] or "").strip()
    if not _PICTURE.search(name):
        return f"[[{name}{part}]]"
    alt, _, width = alt.rpartition("|")  # as in ![[a.png|text|300]]
    alt = alt if width.replace("x", "").isdecimal() else (f"{alt}|{width}" if alt else width)
    root = "/" if "/" in name and not name.startswith((".", "/")) else ""  # a path begins at the top of the vault
    return f"![{alt}](<{root}{name}>)"


def with_embeds(text: str, place: Callable[[str], str | None]) -> str:
    """Return a text of Obsidian's in which embedded pictures have their path from the note.

    `place` returns that path for the name of a picture; None if there is none.
    """

    def embed(match: re.Match[str]) -> str:
        name = match[1].strip()
        found = place(name) if _PICTURE.search(name) else None
        return match[0].replace(match[1], f"./{found}", 1) if found and "/" in found else match[0]

    return _outside_code(text, lambda part: _EMBED.sub(embed, part))
