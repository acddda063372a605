"""HTML fit for a reader: nothing that runs, nothing relative, nothing that a feed can't carry.

nh3 parses the HTML once and keeps what is allowed. Its output is regular – every attribute is quoted, every element
closed – so that one regular expression finds the start tags that have attributes. They are rewritten: URLs absolute,
lazy images restored, ids made unique. Rewriting writes only names of the tables below and escapes every value; a
property test holds its output to another run of nh3. Frames and embedding scripts become links to what they show; HTML
with frames is parsed again before it is rewritten, since links may be within other links then.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from html import escape, unescape
from itertools import islice
from urllib.parse import unquote

import nh3

from feeds.errors import Refused
from feeds.parse import embeds, nesting, tags
from feeds.parse import links as article_links
from feeds.parse.links import Links
from feeds.parse.media import may_name_files
from feeds.text import absolute, clean, scheme

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
TAGS = ((nh3.ALLOWED_TAGS | {"audio", "picture", "source", "track", "video"}) - {"area", "map", "nav"}) | _MATH
ATTRIBUTES: dict[str, set[str]] = {
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
_RAW_ATTRIBUTES = ATTRIBUTES | {
    tag: ATTRIBUTES.get(tag, {"src"}) | {name for names in _LAZY.values() for name in names} for tag in _MEDIA
}
_RAW_ATTRIBUTES |= {
    "a": ATTRIBUTES["a"] | {"name"},
    "embed": {"src"},
    "object": {"data"},
    "iframe": _RAW_ATTRIBUTES["iframe"] | {"src"},
    "td": ATTRIBUTES["td"] | {"align"},
    "th": ATTRIBUTES["th"] | {"align"},
}
_LINK_SCHEMES = {"http", "https", "ftp", "mailto", "tel", "sms", "xmpp", "geo", "magnet", "irc", "ircs"}
SCHEMES = _LINK_SCHEMES | {"data"}
_MAX_CANDIDATES = 100  # of a srcset
_MAX_HTML = 4 << 20  # characters; the largest of 7,803 articles of real sites had 1.1 million
_MAX_EXPANSION = 10  # times the characters of the text; HTML of real articles has up to 4 times as many
_ALWAYS_ALLOWED = 100_000  # characters, however short the text is
_MAX_TAGS = 200_000
_MAX_ENTITIES = 100_000  # and no-break spaces: nh3 takes quadratic time for those of one text
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,", re.IGNORECASE)
# removed together with their content
_DROPPED = {
    "script", "style", "noscript", "template", "svg", "select", "textarea", "title", "annotation", "annotation-xml",
}  # fmt: skip
_CLASS = re.compile(r"language-\S{1,50}|footnotes?|reversefootnote")
_ALIGN = re.compile(r"left|right|center")

_IFRAME = re.compile(r'<iframe((?:\s[^\s=>]+="[^"]*")*+)>')
_FRAME_ALONE = re.compile(  # on a line of its own, and in no paragraph
    r'(?:\A|(?<=>\n))(<iframe(?:\s[^\s=>]+="[^"]*")*>[^<]*</iframe>)(?=\n<|\n?\Z)'
)
# of a tag with attributes, but not of most links: theirs stay as they are
_START_TAG = re.compile(
    r"""<(?!a href="https?://[A-Za-z0-9.-]++(?:/[A-Za-z0-9._~:/?@!$'()*+,;=%&-]*+)?+(?:#[A-Za-z0-9._~:/?@!$'()*+,;=%-]*+)?+">)"""
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
_NAMES_OF_SPECIAL = sorted([*tags.SWALLOWING, "input", "lite-youtube", "lite-vimeo"])
_SPECIAL = re.compile(  # tags that need more than nh3; most others are told from them by their first letter
    rf"(?i:<(?=[{''.join({name[0] for name in _NAMES_OF_SPECIAL})}])({'|'.join(_NAMES_OF_SPECIAL)}))[\s/>]"
)
_CHECKBOX = re.compile(r"<input\b(?=[^<>]*\btype=[\"']?checkbox\b)[^<>]*>", re.IGNORECASE)
_CHECKED = re.compile(r"\bchecked\b", re.IGNORECASE)
_MISSED = re.compile(  # elements that are dropped, and comments, which may hold any; custom elements have a "-"
    r"(?P<comment><!--)|<(?P<name>script|style|form|svg|canvas|select|textarea|iframe|object|embed|[a-z][a-z0-9]*-[a-z0-9-]*)"
    r"(?P<attributes>(?:\s[^<>]*)?)>",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\s(?:src|data|data-src|data-lazy-src|data-original)\s*=\s*[\"']?[^\s\"'>]", re.IGNORECASE)
_INSTEAD = re.compile(r"<(?:embed|iframe|img|a)\s")  # what an object holds for those who can't show it
_MAX_INSIDE = 2_000  # characters of an element that are searched for that

_CLEANER = nh3.Cleaner(
    tags=TAGS | _FRAMES,
    clean_content_tags=_DROPPED,
    attributes=_RAW_ATTRIBUTES,
    filter_style_properties={"text-align"},
    link_rel=None,
    url_schemes=SCHEMES | {article_links.SCHEME},
)
_NO_LINKS = Links()


def most_of(text: str) -> int:
    """Return how many characters of HTML may be made of a text."""
    return min(_MAX_HTML, _ALWAYS_ALLOWED + _MAX_EXPANSION * len(text))


def fit(html: str, base: str, prefix: str, links: Links = _NO_LINKS, most: int = _MAX_HTML) -> str:
    """Return HTML that is fit for a reader, of at most `most` characters.

    `base` is the article's absolute URL. Ids get `prefix`, and links within the HTML lead to them; they stay fragments,
    which say too where pictures beside the article are. Raises `Refused` for HTML that would take nh3 long, or become
    larger.
    """
    require_small(html, most)
    regular = _cleaned(_converted(html), most)
    if "<iframe" in regular or "<object" in regular or "<embed" in regular:
        frames = _Rewrite(regular, base, prefix, links, most)
        regular = _with_links_to_frames(_FRAME_ALONE.sub(r"<p>\1</p>", regular), frames)
        regular = _cleaned(_OBJECT.sub(frames.frame, regular).replace("</object>", ""), most)
    if '="' in regular:
        regular = _START_TAG.sub(_Rewrite(regular, base, prefix, links, most).tag, regular)
    if "<a>" in regular:  # without an address that a reader can open
        regular = _NO_LINK.sub(r"\1", regular)
    return clean(regular).replace("<p></p>\n", "").strip()


def _with_links_to_frames(html: str, frames: "_Rewrite") -> str:
    """Return HTML with a link in the place of each iframe, whose content may look like other iframes."""
    kept, at = list[str](), 0
    for start in _IFRAME.finditer(html):
        if start.start() >= at:
            end = html.find("</iframe>", start.end())
            kept += [html[at : start.start()], frames.frame(start)]
            at = end + len("</iframe>") if end >= 0 else len(html)
    return "".join([*kept, html[at:]])


def _with_titles_of_pictures(html: str) -> str:
    """Return HTML with the title of each SVG in its place, if it has one."""
    kept, at = list[str](), 0
    for end in _END_OF_SVG.finditer(html):
        start = _SVG.search(html, at, end.start())
        title = _TITLE_OF_SVG.search(html, start.end(), end.start()) if start else None
        kept += [html[at : start.start()], title[1]] if start and title else [html[at : end.end()]]
        at = end.end()
    return "".join([*kept, html[at:]])


def require_small(html: str, most: int = _MAX_HTML) -> None:
    """Raise `Refused` for HTML of more than `most` characters."""
    if len(html) > most:
        raise Refused("too large when it is rendered")


def require_moderate(html: str, most: int = _MAX_HTML) -> None:
    """Raise `Refused` for HTML that has more than `most` characters, or would take nh3 long."""
    require_small(html, most)
    if html.count("<") > _MAX_TAGS:
        raise Refused("too large when it is rendered")
    if html.count("&") - html.count("&quot;") + html.count("\xa0") > _MAX_ENTITIES:
        raise Refused("too many special characters")
    if nesting.too_deep(html):
        raise Refused("nested too deep")


def _cleaned(html: str, most: int) -> str:
    """Return what is allowed of HTML. Raises `Refused` for HTML that would take nh3 long, or become larger."""
    require_moderate(html, most)
    cleaned = _CLEANER.clean(html)
    require_small(cleaned, most)
    return cleaned


def _without_visual_katex(html: str) -> str:
    """Return HTML without the part of KaTeX's formulas that repeats their MathML for browsers, in nested spans."""
    kept, at = [], 0
    for opening in _KATEX.finditer(html):
        if opening.start() < at:
            continue
        depth, end = 0, len(html)
        for tag in _SPAN.finditer(html, opening.start()):
            depth += -1 if tag[0].startswith("</") else 1
            if not depth:
                end = tag.end()
                break
        kept.append(html[at : opening.start()])
        at = end
    return "".join([*kept, html[at:]])


def _converted(html: str) -> str:
    """Return HTML in which text stands for elements that are dropped and have something in their place."""
    special = {name.lower() for name in _SPECIAL.findall(html)}
    if special or "/>" in html:
        html = tags.with_ends(html, special)
    if "lite-youtube" in special or "lite-vimeo" in special:
        html = embeds.components_as_frames(html)
    if "script" in special:
        html = embeds.scripts_as_links(html)
    if "svg" in special and "</svg" in html.lower():
        html = _with_titles_of_pictures(html)
    if 'class="katex-html"' in html:
        html = _without_visual_katex(html)
    if "input" in special:
        html = _CHECKBOX.sub(lambda match: "☑" if _CHECKED.search(match[0]) else "☐", html)
    return html


def dropped(html: str) -> list[tuple[str, str]]:
    """Return the elements of HTML that `fit` drops and a reader would miss, as (name, start tag)."""
    if "<" not in html:
        return []
    html, found, at = _converted(html), list[tuple[str, str]](), 0
    open_ends = set[str]()  # names of elements that nothing closes from here on
    while match := _MISSED.search(html, at):
        at = match.end()
        if match["comment"]:
            at = html.find("-->", at)
            if at < 0:
                break
            continue
        name = match["name"].lower()
        if name in _DROPPED and name not in open_ends:
            if end := re.compile(f"</{name}", re.IGNORECASE).search(html, at):
                at = end.start()  # with everything in it
            else:
                open_ends.add(name)
        if _is_missed(name, match["attributes"], html[match.end() : match.end() + _MAX_INSIDE]):
            found.append((name, match[0]))
    return found


def _is_missed(name: str, attributes: str, rest: str) -> bool:
    """Return whether a reader misses an element, by its attributes and the beginning of what follows its tag."""
    if name == "object" and _INSTEAD.search(rest.lower().partition("</object")[0]):
        return False
    if name in _FRAMES:
        return _ADDRESS.search(attributes) is None
    if name == "script":
        return not (embeds.is_decoration(attributes) or "application/ld+json" in attributes.lower())
    return "-" not in name or rest.lstrip().lower().startswith(f"</{name}")


def images(html: str) -> list[str]:
    """Return the references of the images in HTML, as their author wrote them."""
    found = []
    for match in _START_TAG.finditer(_CLEANER.clean(html)) if "<" in html else ():
        if match[1] in {"img", "source"}:
            attributes = _Rewrite.attributes(match[2])
            _Rewrite.restore_lazy(attributes)
            found += [attributes.get("src", ""), *(url for url, _ in _candidates(attributes.get("srcset", "")))]
    return [reference for one in found if (reference := one.strip())]


def references(html: str) -> list[str]:
    """Return the references to files in HTML that `fit` keeps, as their author wrote them."""
    if "<" not in html:
        return []
    regular = _CLEANER.clean(_converted(html))
    seen = _Seen()
    rewrite = _Rewrite(regular, "https://site.invalid/", "", seen)
    for match in _ANY_START_TAG.finditer(regular):
        if may_name_files(match[2]):  # most links lead to pages
            rewrite.tag(match)
    return seen.references


class _Seen(Links):
    """Collects the references that are looked up."""

    def __init__(self) -> None:
        self.references: list[str] = []

    def file_url(self, reference: str) -> str | None:
        self.references.append(reference)
        return None


def _candidates(srcset: str) -> Iterator[tuple[str, str]]:
    """Yield the candidates of a srcset: a URL, which may hold commas but not end with one, and its descriptor."""
    words = deque(srcset.split())
    while words:
        word, descriptor = words.popleft(), ""
        if not word.endswith(",") and words:
            descriptor, _, rest = words.popleft().partition(",")
            if rest:
                words.appendleft(rest)
        yield word.strip(","), descriptor


class _Rewrite:
    """Rewrites the start tags of one article."""

    def __init__(self, html: str, base: str, prefix: str, links: Links, most: int = _MAX_HTML) -> None:
        self._room = most - len(html)  # characters by which it may grow
        self._base = base
        self._prefix = prefix
        self._html = html
        self._links = links
        self._used: set[str] = set()
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
        """The ids that links within the article may lead to."""
        return {unescape(match[1]) for match in _ID.finditer(self._html)}

    def frame(self, match: re.Match[str]) -> str:
        """Return a link in place of a frame, of which a match has the attributes."""
        return self._fitting(match, self._link_to_frame(match[1]))

    def _link_to_frame(self, attributes: str) -> str:
        """Return a link to what a frame with these attributes shows; its fallback is shown by no reader."""
        given = self.attributes(attributes)
        self.restore_lazy(given)
        url = self._file(given.get("src") or given.get("data") or "")
        return embeds.link(url, given.get("title", "")) if url else ""

    def tag(self, match: re.Match[str]) -> str:
        """Return a start tag, rewritten."""
        return self._fitting(match, self._rewritten(match))

    def _fitting(self, match: re.Match[str], written: str) -> str:
        """Return what is written in the place of a match. Raise `Refused` if there is no room for it."""
        self._room -= len(written) - len(match[0])
        if self._room < 0:
            raise Refused("too large when it is rendered")
        return written

    def _rewritten(self, match: re.Match[str]) -> str:
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
        written = [f"<{tag}"]
        for name, value in attributes.items():
            rule = self._image if name == "src" and tag == "img" else self._rules.get(name)
            kept = rule(value) if rule else value
            if kept is not None:
                written.append(f' {name}="{escape(kept)}"')
        return "".join([*written, ">"])

    @staticmethod
    def attributes(text: str) -> dict[str, str]:
        """Return the attributes in a start tag of `nh3`'s by name."""
        return {name: unescape(value) for name, value in _ATTRIBUTE.findall(text)}

    @staticmethod
    def restore_lazy(attributes: dict[str, str]) -> None:
        """Put the address of an image that a script would load in the place of its stand-in."""
        for name, stand_ins in _LAZY.items():
            real = [attributes.pop(stand_in) for stand_in in stand_ins if stand_in in attributes]
            if real and real[0].strip():
                attributes[name] = real[0]

    def _href(self, value: str) -> str | None:
        target = value.strip()
        target = self._links.url(target) or article_links.without_pelican(target)
        if target.startswith("#"):
            for fragment in (target[1:], unquote(target[1:])):  # ids of comrak's are percent-encoded
                if fragment in self._ids:
                    return f"#{self._prefix}{fragment}"
        url = self._links.file_url(target) or absolute(target, self._base)
        return url if url and scheme(url) in _LINK_SCHEMES else None

    def _file(self, value: str) -> str | None:
        value = article_links.without_pelican(value.strip())
        url = (self._links.file_url(value) or absolute(value, self._base)) if value else None
        return url if url and scheme(url) in ("http", "https") else None

    def _image(self, value: str) -> str | None:
        return value if _DATA_IMAGE.match(value) else self._file(value)

    def _srcset(self, value: str) -> str | None:
        found = (
            (self._file(candidate), descriptor) for candidate, descriptor in islice(_candidates(value), _MAX_CANDIDATES)
        )
        return ", ".join(f"{url} {descriptor}".strip() for url, descriptor in found if url) or None

    def _id(self, value: str) -> str | None:
        if not value or value in self._used:
            return None
        self._used.add(value)
        return self._prefix + value
