"""Sanitises the HTML of articles for feeds: no active content, no relative URLs, no characters that XML forbids.

nh3 parses the HTML once and keeps the allowed tags and attributes. In its output every attribute is quoted and every
element is closed, so that one regular expression finds the start tags with attributes. These are rewritten: URLs become
absolute, lazy images are restored, ids become unique. A rewritten tag has only names from the tables below, and every
value is escaped; a property test compares the output with that of another run of nh3. Frames and embedding scripts
become links to their pages. Because these links may be inside other links, HTML with frames is parsed again before it
is rewritten.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from html import escape, unescape
from itertools import islice, product
from typing import NamedTuple
from urllib.parse import unquote

import nh3

from feeds.core.errors import ArticleError
from feeds.core.parse import embeds, nesting, tags
from feeds.core.parse import links as article_links
from feeds.core.parse.links import Links
from feeds.core.parse.media import may_reference_files
from feeds.core.text import absolute_url, clean, url_scheme
from feeds.core.wording import ENGLISH, Wording

_FRAMES = {"iframe", "embed", "object"}
_LAZY = {
    "src": ("data-src", "data-lazy-src", "data-original"),
    "srcset": ("data-srcset", "data-lazy-srcset"),
}
_MEDIA = {"img", "source", "video", "audio", "iframe"}
_MATH = {
    "math", "mi", "mn", "mo", "ms", "mtext", "mspace", "mrow", "mfrac", "msqrt", "mroot", "mstyle", "merror", "mpadded",
    "mphantom", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "mtable",
    "mtr", "mtd", "semantics",
}  # fmt: skip
ALLOWED_TAGS = ((nh3.ALLOWED_TAGS | {"audio", "picture", "source", "track", "video"}) - {"area", "map", "nav"}) | _MATH
ALLOWED_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"id", "title", "lang", "dir"},
    "a": {"href", "hreflang", "class"},
    "audio": {"src", "controls"},
    "blockquote": {"cite"},
    "code": {"class"},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "div": {"class"},
    "img": {"src", "srcset", "sizes", "alt", "width", "height"},
    "ins": {"cite", "datetime"},
    "li": {"value"},
    "math": {"display"},
    "mi": {"mathvariant"},
    "mo": {"stretchy"},
    "mtd": {"columnspan", "rowspan"},
    "ol": {"start", "reversed", "type"},
    "q": {"cite"},
    "source": {"src", "srcset", "sizes", "media", "type"},
    "td": {"colspan", "rowspan", "style"},
    "th": {"colspan", "rowspan", "scope", "style"},
    "time": {"datetime"},
    "track": {"src", "kind", "srclang", "label"},
    "video": {"src", "poster", "controls", "width", "height"},
}
_RAW_ATTRIBUTES = ALLOWED_ATTRIBUTES | {
    tag: ALLOWED_ATTRIBUTES.get(tag, {"src"}) | {name for names in _LAZY.values() for name in names} for tag in _MEDIA
}
_RAW_ATTRIBUTES |= {
    "a": ALLOWED_ATTRIBUTES["a"] | {"name"},
    "embed": {"src"},
    "object": {"data"},
    "iframe": _RAW_ATTRIBUTES["iframe"] | {"src"},
    "td": ALLOWED_ATTRIBUTES["td"] | {"align"},
    "th": ALLOWED_ATTRIBUTES["th"] | {"align"},
}
_LINK_SCHEMES = {"http", "https", "ftp", "mailto", "tel", "sms", "xmpp", "geo", "magnet", "irc", "ircs"}
ALLOWED_SCHEMES = _LINK_SCHEMES | {"data"}
_MAX_CANDIDATES = 100  # images in a srcset
_MAX_REFERENCES = 15_000  # links, images and ids, which take up to 20 µs; not counting https URLs in <a>
_MAX_SPECIAL = 10_000  # tags of frames, scripts, pictures and the like
_MAX_HTML_LENGTH = 4 << 20  # characters; the largest of 7,803 articles of real sites has 1.1 million
_MAX_EXPANSION = 10  # ratio of the lengths of HTML and Markdown; at most 4 in articles of real sites
_MIN_HTML_LIMIT = 100_000  # characters that even a short text may have
_MAX_TAGS = 200_000
_MAX_ENTITIES = 60_000  # including no-break spaces; nh3 takes quadratic time for those in one text node
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,", re.IGNORECASE)
# elements that are removed with their content
_DROPPED = {
    "script", "style", "noscript", "template", "svg", "select", "textarea", "title", "annotation", "annotation-xml",
}  # fmt: skip
_CLASS = re.compile(r"language-\S{1,50}|footnotes?|reversefootnote")
_ALIGN = re.compile(r"left|right|center")

_IFRAME = re.compile(r'<iframe((?:\s[^\s=>]+="[^"]*")*+)>')
_FRAME_ALONE = re.compile(  # on its own line, outside of paragraphs
    r'(?:\A|(?<=>\n))(<iframe(?:\s[^\s=>]+="[^"]*")*>[^<]*</iframe>)(?=\n<|\n?\Z)'
)
# a start tag with attributes, except for most links and cells, which need no rewriting
_START_TAG = re.compile(
    r"""<(?!a href="https?://[A-Za-z0-9.-]++(?:/[A-Za-z0-9._~:/?@!$'()*+,;=%&-]*+)?+(?:#[A-Za-z0-9._~:/?@!$'()*+,;=%-]*+)?+">)"""
    r"""(?!t[dh] style="text-align:(?:left|right|center)">)"""
    r"""([a-z][a-z0-9]*)((?:\s[^\s=>]+="[^"]*")+)>"""
)
_ANY_START_TAG = re.compile(r'<([a-z][a-z0-9]*)((?:\s[^\s=>]+="[^"]*")+)>')
_ATTRIBUTE = re.compile(r'\s([^\s=>]+)="([^"]*)"')
_ID = re.compile(r'<[a-z][a-z0-9]*(?:\s[^\s=>]+="[^"]*")*?\s(?:id|name)="([^"]*)"')
_NO_LINK = re.compile(r"<a>((?:(?!</?a\b).)*)</a>", re.DOTALL)
_OBJECT = re.compile(r'<(?:embed|object)((?:\s[^\s=>]+="[^"]*")*)>')
_SVG = re.compile(r"<svg\b[^<>]*>", re.IGNORECASE)
_END_OF_SVG = re.compile(r"</svg\s*>", re.IGNORECASE)
_TITLE_OF_SVG = re.compile(r"<title\b[^<>]*>([^<]*)</title", re.IGNORECASE)
_KATEX = re.compile(r'<span class="katex-html"', re.IGNORECASE)
_SPAN = re.compile(r"</?span\b[^<>]*>", re.IGNORECASE)
_NAMES_OF_SPECIAL = sorted([*tags.SWALLOWING_TAGS, "input", "lite-youtube", "lite-vimeo"])
_SPECIAL = re.compile(  # tags that are converted before nh3 parses; checking the first letter excludes most tags fast
    rf"(?i:<(?=[{''.join({name[0] for name in _NAMES_OF_SPECIAL})}])({'|'.join(_NAMES_OF_SPECIAL)}))[\s/>]"
)
_CHECKBOX = re.compile(r"<input\b(?=[^<>]*\btype=[\"']?checkbox\b)[^<>]*>", re.IGNORECASE)
_CHECKED = re.compile(r"\bchecked\b", re.IGNORECASE)
_MISSED = re.compile(  # dropped elements, and comments, which may contain such tags; custom elements have a "-"
    r"(?P<comment><!--)|<(?P<name>script|style|form|svg|canvas|select|textarea|iframe|object|embed|[a-z][a-z0-9]*-[a-z0-9-]*)"
    r"(?P<attributes>(?:\s[^<>]*)?)>",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\s(?:src|data|data-src|data-lazy-src|data-original)\s*=\s*[\"']?[^\s\"'>]", re.IGNORECASE)
_FALLBACK = re.compile(r"<(?:embed|iframe|img|a)\s")  # the fallback content of an object
_MAX_FALLBACK_OFFSET = 2_000  # characters after the start tag of an object

_CLEANER = nh3.Cleaner(
    tags=ALLOWED_TAGS | _FRAMES,
    clean_content_tags=_DROPPED,
    attributes=_RAW_ATTRIBUTES,
    filter_style_properties={"text-align"},
    link_rel=None,
    url_schemes=ALLOWED_SCHEMES | {article_links.NOTE_SCHEME},
)
_NO_LINKS = Links()


def max_html_length(text: str) -> int:
    """Return the maximal length of the HTML for a text, in characters."""
    return min(_MAX_HTML_LENGTH, _MIN_HTML_LIMIT + _MAX_EXPANSION * len(text))


def sanitize(
    html: str,
    base: str,
    prefix: str,
    links: Links = _NO_LINKS,
    max_length: int = _MAX_HTML_LENGTH,
    wording: Wording = ENGLISH,
) -> str:
    """Return sanitised HTML with absolute URLs.

    Args:
        html: the HTML of an article.
        base: the article's absolute URL.
        prefix: the prefix of ids. Links to ids in the HTML stay fragments and get the prefix too.
        links: the URLs of links to other articles' files, and of the files that the article refers to.
        max_length: the maximal length of the result, in characters.
        wording: the text of links that replace players, in the article's language.

    Raises:
        ArticleError: the result would be too long, or nh3 could take long.
    """
    require_length(html, max_length)
    regular = _clean(_convert_special(html, wording), max_length)
    if "<iframe" in regular or "<object" in regular or "<embed" in regular:
        frames = _Rewriter(regular, base, prefix, links, max_length, wording)
        regular = _replace_iframes(_FRAME_ALONE.sub(r"<p>\1</p>", regular), frames)
        regular = _clean(_OBJECT.sub(frames.frame, regular).replace("</object>", ""), max_length)
    if ' align="' in regular:
        for tag, side in product(("td", "th"), ("left", "right", "center")):  # most cells have no other attribute
            regular = regular.replace(f'<{tag} align="{side}">', f'<{tag} style="text-align:{side}">')
    if '="' in regular:
        regular = _START_TAG.sub(_Rewriter(regular, base, prefix, links, max_length).tag, regular)
    if "<a>" in regular:  # links without an allowed URL
        regular = _NO_LINK.sub(r"\1", regular)
    return clean(regular).replace("<p></p>\n", "").strip()


def _replace_iframes(html: str, frames: "_Rewriter") -> str:
    """Return HTML with a link in place of each iframe and its content, even if the content looks like an iframe."""
    parts, position = list[str](), 0
    for start in _IFRAME.finditer(html):
        if start.start() >= position:
            end = html.find("</iframe>", start.end())
            parts += [html[position : start.start()], frames.frame(start)]
            position = end + len("</iframe>") if end >= 0 else len(html)
    return "".join([*parts, html[position:]])


def _replace_svgs(html: str) -> str:
    """Return HTML with each SVG that has a title replaced with the title."""
    parts, position = list[str](), 0
    for end in _END_OF_SVG.finditer(html):
        start = _SVG.search(html, position, end.start())
        title = _TITLE_OF_SVG.search(html, start.end(), end.start()) if start else None
        parts += [html[position : start.start()], title[1]] if start and title else [html[position : end.end()]]
        position = end.end()
    return "".join([*parts, html[position:]])


def require_length(html: str, max_length: int = _MAX_HTML_LENGTH) -> None:
    """Raise `ArticleError` if HTML has more than `max_length` characters."""
    if len(html) > max_length:
        raise ArticleError("too large when it is rendered")


def require_simple(html: str, max_length: int = _MAX_HTML_LENGTH) -> None:
    """Raise `ArticleError` if HTML has more than `max_length` characters, or nh3 could take long for it."""
    require_length(html, max_length)
    if html.count("<") > _MAX_TAGS:
        raise ArticleError("too large when it is rendered")
    if html.count("&") - html.count("&quot;") + html.count("\xa0") > _MAX_ENTITIES:
        raise ArticleError("too many special characters")
    if nesting.is_too_deep(html):
        raise ArticleError("nested too deep")


def require_convertible(html: str, max_length: int = _MAX_HTML_LENGTH) -> None:
    """Raise `ArticleError` if `sanitize` would, because of the length or the tags of HTML."""
    require_simple(html, max_length)
    _special_names(html)


def _clean(html: str, max_length: int) -> str:
    """Return HTML with only the allowed tags and attributes. Raise `ArticleError` if it exceeds a limit."""
    require_simple(html, max_length)
    cleaned = _CLEANER.clean(html)
    require_length(cleaned, max_length)
    return cleaned


def _without_visual_katex(html: str) -> str:
    """Return HTML without the spans of KaTeX that repeat the MathML of a formula for browsers."""
    parts, position = [], 0
    for opening in _KATEX.finditer(html):
        if opening.start() < position:
            continue
        depth, end = 0, len(html)
        for tag in _SPAN.finditer(html, opening.start()):
            depth += -1 if tag[0].startswith("</") else 1
            if not depth:
                end = tag.end()
                break
        parts.append(html[position : opening.start()])
        position = end
    return "".join([*parts, html[position:]])


def _special_names(html: str) -> set[str]:
    """Return the names of the tags that are converted. Raise `ArticleError` if there are too many such tags."""
    found = _SPECIAL.findall(html)
    if len(found) > _MAX_SPECIAL:
        raise ArticleError("too many embedded elements")
    return {name.lower() for name in found}


def _convert_special(html: str, wording: Wording = ENGLISH) -> str:
    """Return HTML in which elements that would be dropped are replaced with text or links, where possible.

    Raise `ArticleError` if it has too many of them.
    """
    special = _special_names(html)
    if special or "/>" in html:
        html = tags.close_tags(html, special)
    if "lite-youtube" in special or "lite-vimeo" in special:
        html = embeds.replace_components(html)
    if "script" in special:
        html = embeds.replace_scripts(html, wording)
    if "svg" in special and "</svg" in html.lower():
        html = _replace_svgs(html)
    if 'class="katex-html"' in html:
        html = _without_visual_katex(html)
    if "input" in special:
        html = _CHECKBOX.sub(lambda match: "☑" if _CHECKED.search(match[0]) else "☐", html)
    return html


class DroppedElement(NamedTuple):
    """An element that `sanitize` drops without a replacement."""

    name: str
    start_tag: str


def dropped_elements(html: str) -> list[DroppedElement]:
    """Return the elements of HTML that `sanitize` drops without a replacement."""
    if "<" not in html:
        return []
    html, elements, position = _convert_special(html), list[DroppedElement](), 0
    unclosed = set[str]()  # names of elements without an end tag in the rest of the HTML
    while match := _MISSED.search(html, position):
        position = match.end()
        if match["comment"]:
            position = html.find("-->", position)
            if position < 0:
                break
            continue
        name = match["name"].lower()
        if name in _DROPPED and name not in unclosed:
            if end := re.compile(f"</{name}", re.IGNORECASE).search(html, position):
                position = end.start()  # skip the content
            else:
                unclosed.add(name)
        if _is_missed(name, match["attributes"], html[match.end() : match.end() + _MAX_FALLBACK_OFFSET]):
            elements.append(DroppedElement(name, match[0]))
    return elements


def _is_missed(name: str, attributes: str, rest: str) -> bool:
    """Return whether content of an element is lost, according to its attributes and the HTML after its start tag."""
    if name == "object" and _FALLBACK.search(rest.lower().partition("</object")[0]):
        return False
    if name in _FRAMES:
        return _ADDRESS.search(attributes) is None
    if name == "script":
        return not (embeds.is_decorative(attributes) or "application/ld+json" in attributes.lower())
    return "-" not in name or rest.lstrip().lower().startswith(f"</{name}")


def image_references(html: str) -> list[str]:
    """Return the URLs of the images in HTML as the author wrote them."""
    urls: list[str] = []
    for match in _START_TAG.finditer(_CLEANER.clean(html)) if "<" in html else ():
        if match[1] in {"img", "source"}:
            attributes = _Rewriter.attributes(match[2])
            _Rewriter.restore_lazy(attributes)
            urls += [attributes.get("src", ""), *(url for url, _ in _candidates(attributes.get("srcset", "")))]
    return [stripped for url in urls if (stripped := url.strip())]


def file_references(html: str) -> list[str]:
    """Return the URLs of files in HTML that `sanitize` keeps, as the author wrote them; not all if it has too many."""
    if "<" not in html:
        return []
    recorder = _ReferenceRecorder()
    with suppress(ArticleError):  # the article will be shown as plain text
        regular = _clean(_convert_special(html), _MAX_HTML_LENGTH)
        rewriter = _Rewriter(regular, "https://site.invalid/", "", recorder)
        for match in _ANY_START_TAG.finditer(regular):
            if may_reference_files(match[2]):  # most links lead to pages
                rewriter.tag(match)
    return recorder.references


class _ReferenceRecorder(Links):
    """Records each reference whose file URL is requested, and returns no URL for any of them."""

    def __init__(self) -> None:
        self.references: list[str] = []

    def file_url(self, reference: str) -> str | None:
        self.references.append(reference)
        return None


def _candidates(srcset: str) -> Iterator[tuple[str, str]]:
    """Yield (URL, descriptor) for each candidate of a srcset. A URL may contain commas, but not end with one."""
    words = deque(srcset.split())
    while words:
        word, descriptor = words.popleft(), ""
        if not word.endswith(",") and words:
            descriptor, _, rest = words.popleft().partition(",")
            if rest:
                words.appendleft(rest)
        yield word.strip(","), descriptor


class _Rewriter:
    """Rewrites the start tags of one article."""

    def __init__(
        self,
        html: str,
        base: str,
        prefix: str,
        links: Links,
        max_length: int = _MAX_HTML_LENGTH,
        wording: Wording = ENGLISH,
    ) -> None:
        self._remaining = max_length - len(html)  # characters that rewriting may add
        self._remaining_references = _MAX_REFERENCES
        self._base = base
        self._prefix = prefix
        self._html = html
        self._links = links
        self._wording = wording
        self._used_ids: set[str] = set()
        self._rules: dict[str, Callable[[str], str | None]] = {
            "href": self._href,
            "src": self._file,
            "poster": self._file,
            "cite": self._file,
            "srcset": self._srcset,
            "id": self._id,
            "class": lambda value: value if _CLASS.fullmatch(value) else None,
        }

    @cached_property
    def _ids(self) -> set[str]:
        """The ids in the article, which links in it may target."""
        return {unescape(match[1]) for match in _ID.finditer(self._html)}

    def frame(self, match: re.Match[str]) -> str:
        """Return the link that replaces a frame; group 1 of the match has the frame's attributes."""
        return self._account_for(match, self._link_to_frame(match[1]))

    def _link_to_frame(self, attributes: str) -> str:
        """Return a link to the page of a frame with these attributes, or "" if it has no allowed URL."""
        by_name = self.attributes(attributes)
        self.restore_lazy(by_name)
        url = self._file(by_name.get("src") or by_name.get("data") or "")
        return embeds.link_to_embed(url, by_name.get("title", ""), self._wording) if url else ""

    def tag(self, match: re.Match[str]) -> str:
        """Return the rewritten start tag."""
        return self._account_for(match, self._rewrite(match))

    def _account_for(self, match: re.Match[str], replacement: str) -> str:
        """Return the replacement of a match. Raise `ArticleError` if the HTML becomes too long."""
        self._remaining -= len(replacement) - len(match[0])
        if self._remaining < 0:
            raise ArticleError("too large when it is rendered")
        return replacement

    def _rewrite(self, match: re.Match[str]) -> str:
        tag = match[1]
        if tag in _FRAMES:
            return self._link_to_frame(match[2])
        attributes = self.attributes(match[2])
        if tag in _MEDIA:
            self.restore_lazy(attributes)
        if tag == "a" and (name := attributes.pop("name", None)):
            attributes.setdefault("id", name)
        if (align := attributes.pop("align", "").lower()) and _ALIGN.fullmatch(align):
            attributes.setdefault("style", f"text-align:{align}")
        parts = [f"<{tag}"]
        for name, value in attributes.items():
            rule = self._image if name == "src" and tag == "img" else self._rules.get(name)
            new_value = rule(value) if rule else value
            if new_value is not None:
                parts.append(f' {name}="{escape(new_value)}"')
        return "".join([*parts, ">"])

    @staticmethod
    def attributes(text: str) -> dict[str, str]:
        """Return the values by name of the attributes in a start tag that nh3 wrote."""
        return {name: unescape(value) for name, value in _ATTRIBUTE.findall(text)}

    @staticmethod
    def restore_lazy(attributes: dict[str, str]) -> None:
        """Replace the placeholder of a lazy image with the URL that a script would load."""
        for name, lazy_names in _LAZY.items():
            urls = [attributes.pop(lazy_name) for lazy_name in lazy_names if lazy_name in attributes]
            if urls and urls[0].strip():
                attributes[name] = urls[0]

    def _count_reference(self) -> None:
        """Raise `ArticleError` if the article has too many links, images and ids."""
        self._remaining_references -= 1
        if self._remaining_references < 0:
            raise ArticleError("too many links and images")

    def _href(self, value: str) -> str | None:
        self._count_reference()
        target = value.strip()
        target = self._links.url(target) or article_links.strip_pelican_marker(target)
        if target.startswith("#"):
            for fragment in (target[1:], unquote(target[1:])):  # comrak percent-encodes fragments
                if fragment in self._ids:
                    return f"#{self._prefix}{fragment}"
        url = self._links.file_url(target) or absolute_url(target, self._base)
        return url if url and url_scheme(url) in _LINK_SCHEMES else None

    def _file(self, value: str) -> str | None:
        self._count_reference()
        value = article_links.strip_pelican_marker(value.strip())
        url = (self._links.file_url(value) or absolute_url(value, self._base)) if value else None
        return url if url and url_scheme(url) in ("http", "https") else None

    def _image(self, value: str) -> str | None:
        return value if _DATA_IMAGE.match(value) else self._file(value)

    def _srcset(self, value: str) -> str | None:
        rewritten = (
            (self._file(candidate), descriptor) for candidate, descriptor in islice(_candidates(value), _MAX_CANDIDATES)
        )
        return ", ".join(f"{url} {descriptor}".strip() for url, descriptor in rewritten if url) or None

    def _id(self, value: str) -> str | None:
        self._count_reference()
        if not value or value in self._used_ids:
            return None
        self._used_ids.add(value)
        return self._prefix + value
