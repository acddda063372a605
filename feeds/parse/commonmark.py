"""CommonMark with GitHub's extensions -> HTML, by comrak, which is GitHub's converter (cmark-gfm) written in Rust.

What authors write beyond that, for other generators, is converted here too: admonitions of Docusaurus and MkDocs,
callouts of GitHub and Obsidian, formulas, kramdown's attribute lists. Whatever depends on tags is done on comrak's
output, in which code is escaped and so is never taken for a tag; only admonitions, whose lines must be known, are found
in the source. The HTML is not sanitised.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from typing import Literal
from urllib.parse import unquote

import comrak

from feeds.errors import Refused
from feeds.parse import admonitions, links

CommonMarkDialect = Literal["gfm", "obsidian"]

_MAX_QUOTES = 100  # levels of quotes on one line; GitHub's own converter stops at 100 too
_FEW_CELLS = 1_000
_MAX_CELLS = 500_000  # a row is filled up to its table's columns: a small file could become gigabytes
_MAX_LATEX = 1_000  # openings of \(…\): each searches the rest of the text for its end

_MAX_REFERENCES = 100_000  # characters of URLs and titles that references may add, however short the text is

_TOO_DEEP = re.compile(rf"^[ \t]*(?:>[ ]?){{{_MAX_QUOTES}}}", re.MULTILINE)
_DEFINITION = re.compile(r"\[(?!\^)[^\[\]]{1,999}\]:(.*(?:\n.+){0,2})")
_ANCHOR = re.compile(r'<a href="#[^"]*" aria-label="[^"]*" data-heading-content="[^"]*" class="anchor"></a>')
_HEADING = re.compile(r'<h([1-6]) id="([^"]*)">(.{0,1000}?)</h\1>', re.DOTALL)
_ATTRIBUTE_LIST = re.compile(r":?\s*+(?:(?:#([\w:.-]++)|\.[\w-]++|[\w-]++=[^\s{}]++)\s*+)++|:?\s*+-\s*+")
_MAX_ATTRIBUTES = 200  # characters of an attribute list
_CODE_CHUNK = re.compile(r'class="language-\{\.?([\w+#-]+)[^"]*"')  # R Markdown's, Pandoc's
_CALLOUT = re.compile(r"<blockquote>\n<p>\[!(\w[\w-]*)\][+-]?[ \t]*([^\n]*?)(\n|</p>)")
_CHECKBOX = re.compile(r'<input type="checkbox"( checked="")? disabled="" />')
_MATH = re.compile(r'<span data-math-style="(inline|display)">(.{0,2000}?)</span>', re.DOTALL)
_MATH_CODE = re.compile(
    r'<pre><code class="language-math" data-math-style="display">(.{0,5000}?)</code></pre>', re.DOTALL
)
_LATEX = re.compile(r"\\\((.{1,500}?)\\\)|\\\[(.{1,2000}?)\\\]", re.DOTALL)
_TEX = re.compile(r"[\\^_{}=+]")  # tells a formula from text between escaped brackets
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_WIKILINK = re.compile(r'<a href="([^"]*)" data-wikilink="true">([^<>]{0,1000})')
_BACKLINK = re.compile(
    r'<a href="(#[^"]*)" class="footnote-backref"[^>]*>↩(?:<sup class="footnote-ref">(\d+)</sup>)?</a>'
)
_FOOTNOTE = re.compile(r'<sup class="footnote-ref"><a href="([^"]*)" id="([^"]*)" data-footnote-ref>')

# kramdown's attribute lists
_CODE_TAG = re.compile(r"(</?(?:pre|code)\b[^<>]*>)")
_TOC = re.compile(r"<([uo]l)>\n<li>[^<\n]*\n\{:\s*toc[^{}]*\}</li>\n</\1>\n?")
_ATTRIBUTES_ALONE = re.compile(r"<p>\{:[^{}\n]*\}</p>\n?")
_ATTRIBUTES_BEFORE = re.compile(r"<p>\{:[^{}\n]*\}\n")
_ATTRIBUTES_AFTER = re.compile(r"\n\{:[^{}\n]*\}(?=\n|</(?:p|li|td|dd|blockquote)>)")
_ATTRIBUTES_INLINE = re.compile(r"(</(?:a|em|strong|del)>|/>)\{:[^{}\n]*\}")
_ATTRIBUTES_OF_CODE = re.compile(r"\{:[^{}\n]*\}")

# Obsidian
_FENCE_OR_CODE = re.compile(
    r"(^[ ]{0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^[ ]{0,3}\2[`~]*[ \t]*$|\Z)|(?<!`)(`+)(?!`).+?(?<!`)\3(?!`))",
    re.DOTALL | re.MULTILINE,
)
_COMMENT = re.compile(r"%%.*?%%", re.DOTALL)
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
        self._extensions = self._options(latex=False)
        self._with_latex = self._options(latex=True)

    def _options(self, *, latex: bool) -> comrak.ExtensionOptions:
        options = comrak.ExtensionOptions()
        for name in (
            "autolink",
            "description_lists",
            "footnotes",
            "math_dollars",
            "strikethrough",
            "table",
            "tasklist",
        ):
            setattr(options, name, True)
        options.header_id_prefix = ""
        options.math_latex = latex
        options.highlight = options.wikilinks_title_after_pipe = self._obsidian
        return options

    def convert(self, text: str) -> str:
        """Return the HTML of a text. Raises `Refused` for what no reader could show, such as 100 nested quotes."""
        _require_moderate(text)
        if self._obsidian:
            text = _outside_code(text, _obsidian_source)
        if links.has_references(text):
            text = _outside_code(text, links.with_references)
        if ":::" in text or "!!!" in text or "???" in text:
            text = admonitions.as_quotes(text)
        latex = 0 < text.count("\\(") + text.count("\\[") <= _MAX_LATEX and any(map(_is_tex, _LATEX.findall(text)))
        try:
            html = comrak.render_markdown(
                _room_for_references(text) + text,
                extension_options=self._with_latex if latex else self._extensions,
                parse_options=self._parse,
                render_options=self._render,
            )
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # of Rust, which Python can't import
                raise Refused("the Markdown engine fails on it") from None
            raise
        return _converted(html, text)


def _require_moderate(text: str) -> None:
    if (">>" in text or "> >" in text) and _TOO_DEEP.search(text):
        raise Refused("nested too deep")
    if text.count("|") > _FEW_CELLS:
        lines = text.split("\n")
        if len(lines) * max(line.count("|") for line in lines) > _MAX_CELLS:
            raise Refused("a table with too many cells")


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


def _converted(html: str, source: str) -> str:
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
        latex = _latex_of(source)
        html = _MATH.sub(lambda match: _formula(match[1], match[2], latex), html)
    if "data-wikilink" in html:
        html = _WIKILINK.sub(_wikilink, html)
    if "data-footnote-ref" in html:
        html = _footnotes(html)
    if "{:" in html:
        html = _without_attribute_lists(html)
    return html


def _heading(match: re.Match[str]) -> str:
    """Return a heading without its attribute list, and with the id that its author gave it."""
    level, id_, text = match.groups()
    start = text.rstrip().rfind("{") if text.rstrip().endswith("}") else -1
    attributes = text.rstrip()[start + 1 : -1]
    if start < 0 or len(attributes) > _MAX_ATTRIBUTES or not _ATTRIBUTE_LIST.fullmatch(attributes):
        return match[0]
    own_id = re.search(r"#([\w:.-]+)", attributes)
    of_attributes = re.sub(r"[^\w\- ]", "", attributes.lower()).replace(" ", "-")  # as comrak makes an id of text
    id_ = own_id[1] if own_id else id_.removesuffix(f"-{of_attributes}")
    return f'<h{level} id="{id_}">{text[:start].rstrip()}</h{level}>'


def _wikilink(match: re.Match[str]) -> str:
    """Return a link to a note as the HTML pass knows it; `Note#Part` without a text of its own is `Note > Part`."""
    href, text = match.groups()
    if "#" in text and unquote(href) == unescape(text):
        text = " &gt; ".join(part for part in text.split("#") if part)
    return f'<a href="{links.SCHEME}:{href}">{text}'


def _callout(match: re.Match[str]) -> str:
    """Return the beginning of a quote whose title is in bold, as readers without our style sheet can show it."""
    kind, title, end = match.groups()
    title = title.strip() or kind.replace("-", " ").capitalize()
    return f"<blockquote>\n<p><strong>{title}</strong></p>" + ("\n<p>" if end == "\n" else "")


def _latex_of(source: str) -> dict[str, str]:
    r"""Return the texts between `\(` and `\)`, `\[` and `\]` of a source, each with its opening bracket."""
    if source.count("\\(") + source.count("\\[") > _MAX_LATEX:
        return {}
    return {inline or display: "(" if inline else "[" for inline, display in _LATEX.findall(source)}


def _formula(style: str, tex: str, latex: Mapping[str, str]) -> str:
    """Return a formula's TeX between its author's marks; escaped brackets around other text are brackets."""
    plain = unescape(tex)
    opening = latex.get(plain)
    if opening:
        closing = ")" if opening == "(" else "]"
        if _is_tex((plain,)):
            return f"\\{opening}{tex}\\{closing}"
        return opening + _ESCAPE.sub(r"\1", tex) + closing
    return f"${tex}$" if style == "inline" else f"$${tex}$$"


def _is_tex(parts: Sequence[str]) -> bool:
    """Return whether text between escaped brackets is a formula."""
    text = "".join(parts)
    return _TEX.search(text) is not None and any(map(str.isalnum, text))


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
    """Return HTML without kramdown's attribute lists, except in code."""
    parts, depth = _CODE_TAG.split(html), 0
    for at, part in enumerate(parts):
        if at % 2:
            depth += -1 if part.startswith("</") else 1
        elif depth <= 0:
            left = _ATTRIBUTES_OF_CODE.sub("", part, count=1) if at and part.startswith("{:") else part
            left = _ATTRIBUTES_ALONE.sub("", _TOC.sub("", left))
            left = _ATTRIBUTES_AFTER.sub("", _ATTRIBUTES_BEFORE.sub("<p>", left))
            parts[at] = _ATTRIBUTES_INLINE.sub(r"\1", left)
    return "".join(parts)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Apply a change to the parts of a text that are not code."""
    parts, end = [], 0
    for match in _FENCE_OR_CODE.finditer(text):
        parts += [change(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(text[end:])])


def _obsidian_source(text: str) -> str:
    """Remove Obsidian's comments and write its embedded pictures as Markdown does."""
    if "%%" in text:
        text = _COMMENT.sub("", text)
    return _EMBED.sub(_embed, text) if "![[" in text else text


def _embed(match: re.Match[str]) -> str:
    name, part, alt = match[1].strip(), match[2] or "", (match[3] or "").strip()
    if not _PICTURE.search(name):
        return f"[[{name}{part}]]"
    alt = "" if alt.replace("x", "").isdecimal() else alt  # a width, as in ![[a.png|300]]
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
