"""HTML fit for a reader: nothing that runs, nothing relative, nothing that a feed can't carry.

Three passes. nh3 first: what comes out is regular, with every attribute quoted, so that a start tag is one regular
expression. Then the tags are rewritten: URLs absolute, lazy images restored, frames turned into links, ids made unique.
nh3 has the last word, so that no slip in the rewriting lets anything through.
"""

import re
from collections import deque
from collections.abc import Callable
from html import escape, unescape
from urllib.parse import unquote, urlsplit

import nh3

from feeds.text import absolute, clean, scheme

_FRAMES = {"iframe", "embed", "object"}
_LAZY = {
    "src": ("data-src", "data-lazy-src", "data-original"),
    "srcset": ("data-srcset", "data-lazy-srcset"),
}
_MEDIA = {"img", "source", "video", "audio", "iframe"}
_TAGS = (nh3.ALLOWED_TAGS | {"audio", "picture", "source", "track", "video"}) - {"area", "map", "nav"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"id", "title", "lang", "dir"},
    "a": {"href", "hreflang"},
    "audio": {"src", "controls"},
    "blockquote": {"cite"},
    "code": {"class"},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "img": {"src", "srcset", "sizes", "alt", "width", "height"},
    "ins": {"cite", "datetime"},
    "li": {"value"},
    "ol": {"start", "reversed", "type"},
    "q": {"cite"},
    "source": {"src", "srcset", "sizes", "media", "type"},
    "td": {"colspan", "rowspan", "style"},
    "th": {"colspan", "rowspan", "scope", "style"},
    "time": {"datetime"},
    "track": {"src", "kind", "srclang", "label"},
    "video": {"src", "poster", "controls", "width", "height"},
}
_RAW_ATTRIBUTES = _ATTRIBUTES | {
    tag: _ATTRIBUTES.get(tag, {"src"}) | {name for names in _LAZY.values() for name in names} for tag in _MEDIA
}
_RAW_ATTRIBUTES |= {"embed": {"src"}, "object": {"data"}, "iframe": _RAW_ATTRIBUTES["iframe"] | {"src"}}
_LINK_SCHEMES = {"http", "https", "mailto", "tel", "sms", "xmpp", "geo", "magnet", "irc", "ircs"}
_SCHEMES = _LINK_SCHEMES | {"data"}
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,", re.IGNORECASE)
_DROPPED = {
    "script",
    "style",
    "noscript",
    "template",
    "svg",
    "select",
    "textarea",
    "title",
}  # with what is in them

_FRAME = re.compile(r'<iframe((?:\s[^\s=>]+="[^"]*")*)>.*?</iframe>', re.DOTALL)
_START_TAG = re.compile(r'<([a-z][a-z0-9]*)((?:\s[^\s=>]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r'\s([^\s=>]+)="([^"]*)"')
_ID = re.compile(r'<[a-z][a-z0-9]*(?:\s[^\s=>]+="[^"]*")*?\sid="([^"]*)"')

# An embedded player's address says what it shows; the page about it is what a reader can open.
_PAGES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"https?://(?:www\.)?youtube(?:-nocookie)?\.com/embed/([\w-]+).*"),
        r"https://www.youtube.com/watch?v=\1",
    ),
    (re.compile(r"https?://player\.vimeo\.com/video/(\d+).*"), r"https://vimeo.com/\1"),
    (
        re.compile(r"https?://(?:www\.)?dailymotion\.com/embed/video/(\w+).*"),
        r"https://www.dailymotion.com/video/\1",
    ),
)


def fit(html: str, base: str, prefix: str) -> str:
    """Make HTML fit for a reader. `base` is the article's absolute URL; ids get `prefix`, and fragments follow them."""
    regular = nh3.clean(
        clean(html),
        tags=_TAGS | _FRAMES,
        clean_content_tags=_DROPPED,
        attributes=_RAW_ATTRIBUTES,
        link_rel=None,
        url_schemes=_SCHEMES,
    )
    if "<" in regular:
        rewrite = _Rewrite(regular, base, prefix)
        regular = _START_TAG.sub(rewrite.tag, _FRAME.sub(rewrite.frame, regular))
        regular = nh3.clean(
            regular,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            filter_style_properties={"text-align"},
            link_rel=None,
            url_schemes=_SCHEMES,
        )
    return clean(regular).replace("<p></p>\n", "").strip()


def without_tags(html: str) -> str:
    """Give the text of HTML, its entities still in place."""
    return nh3.clean(html, tags=set(), clean_content_tags=_DROPPED)


class _Rewrite:
    """One article's tags, rewritten one by one."""

    def __init__(self, html: str, base: str, prefix: str) -> None:
        self._base = base
        self._prefix = prefix
        self._ids = {unescape(match[1]) for match in _ID.finditer(html)}
        self._used: set[str] = set()

    def frame(self, match: re.Match[str]) -> str:
        """Turn an iframe, whose fallback no reader shows, into a link."""
        attributes = self._attributes(match[1])
        self._restore_lazy(attributes)
        return self._link_to_frame(attributes.get("src", ""), attributes.get("title", ""))

    def tag(self, match: re.Match[str]) -> str:
        """Rewrite one start tag."""
        tag, attributes = match[1], self._attributes(match[2])
        if tag in ("embed", "object"):
            return self._link_to_frame(attributes.get("src") or attributes.get("data") or "", "")
        if tag in _MEDIA:
            self._restore_lazy(attributes)
        rules: dict[str, Callable[[str], str | None]] = {
            "href": self._href,
            "src": self._image if tag == "img" else self._file,
            "poster": self._file,
            "cite": self._file,
            "srcset": self._srcset,
            "id": self._id,
            "class": lambda value: value if re.fullmatch(r"language-[\w+#.-]+", value) else None,
        }
        kept = ((name, rules[name](value) if name in rules else value) for name, value in attributes.items())
        return f"<{tag}" + "".join(f' {name}="{escape(value)}"' for name, value in kept if value is not None) + ">"

    @staticmethod
    def _attributes(text: str) -> dict[str, str]:
        return {name: unescape(value) for name, value in _ATTRIBUTE.findall(text)}

    @staticmethod
    def _restore_lazy(attributes: dict[str, str]) -> None:
        for name, stand_ins in _LAZY.items():
            real = [attributes.pop(stand_in) for stand_in in stand_ins if stand_in in attributes]
            if real and real[0].strip():
                attributes[name] = real[0]

    def _href(self, value: str) -> str | None:
        target = value.strip()
        if target.startswith("#"):
            fragment = unquote(target[1:])
            target = f"#{self._prefix}{fragment}" if fragment in self._ids else target
        url = absolute(target, self._base)
        return url if url and scheme(url) in _LINK_SCHEMES else None

    def _file(self, value: str) -> str | None:
        url = absolute(value, self._base) if value.strip() else None
        return url if url and scheme(url) in ("http", "https") else None

    def _image(self, value: str) -> str | None:
        return value if _DATA_IMAGE.match(value) else self._file(value)

    def _srcset(self, value: str) -> str | None:
        """Rewrite the candidates: a URL, which may hold commas but not end with one, and its descriptor."""
        candidates, words = [], deque(value.split())
        while words:
            word = words.popleft()
            url, descriptor = self._file(word.strip(",")), ""
            if not word.endswith(",") and words:
                descriptor, _, rest = words.popleft().partition(",")
                if rest:
                    words.appendleft(rest)
            if url:
                candidates.append(f"{url} {descriptor}".strip())
        return ", ".join(candidates) or None

    def _id(self, value: str) -> str | None:
        if not value or value in self._used:
            return None
        self._used.add(value)
        return self._prefix + value

    def _link_to_frame(self, src: str, title: str) -> str:
        url = self._file(src)
        if url is None:
            return ""
        for player, page in _PAGES:
            url = player.sub(page, url)
        parts = urlsplit(url)
        text = title.strip() or f"{parts.netloc}{parts.path}".rstrip("/")
        return f'<a href="{escape(url)}">{escape(text)}</a>'
