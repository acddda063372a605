"""Functions on strings: XML-safe text, slugs and safe paths, excerpts, absolute URLs."""

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

# XML 1.0 section 2.2 allows tab, LF and CR of the C0 controls, no surrogates and no U+FFFE or U+FFFF. DEL and the C1
# controls are allowed there but "discouraged", carry no meaning in text, and make validators warn.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SAFE_BYTES = bytes([*b"\t\n", *range(0x20, 0x7F), *range(0x80, 0x100)])  # of UTF-8
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")  # in UTF-8
_OTHER_FORBIDDEN = "\u2028\u2029\ufffe\uffff"
_LINE_SEPARATORS = str.maketrans({"\x85": " ", "\u2028": " ", "\u2029": " "})  # YAML 1.1 would end a line there
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"
_NOT_IN_HOST = re.compile(r"[\s<>\"{}|\\^`%]")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
# URLs that `absolute_url` returns unchanged; and paths, and base URLs, that can be joined without changing them
_PLAIN_PATH = r"[A-Za-z0-9_~-][A-Za-z0-9._~%-]*+(?:/[A-Za-z0-9_~-][A-Za-z0-9._~%-]*+)*+"
_PLAIN_QUERY_AND_FRAGMENT = r"(?:\?[A-Za-z0-9._~:/@!$'()*+,=%&-]++)?+(?:#[A-Za-z0-9._~:/@!$'()*+,=%&-]++)?+"
_PLAIN_URL = re.compile(rf"https?://[A-Za-z0-9.-]++(?:/[A-Za-z0-9._~:/@!$'()*+,=%&-]*+)?+{_PLAIN_QUERY_AND_FRAGMENT}")
_PLAIN_REFERENCE = re.compile(rf"((?:\.\./){{1,9}}+|/)?+{_PLAIN_PATH}/?+{_PLAIN_QUERY_AND_FRAGMENT}")
_PLAIN_BASE = re.compile(
    r"(https?://[A-Za-z0-9.-]++(?::[0-9]{1,4})?+)(/(?:[A-Za-z0-9_~-][A-Za-z0-9._~%-]*+/)*+)[A-Za-z0-9._~%-]*+"
)
_MAX_SLUG_BYTES = 200
_MAX_EXCERPT_CHARACTERS = 80
# control characters, line separators, directional marks, invisible characters (but not the joiners of scripts and
# emoji), interlinear annotations, surrogates; tags, which can hide a text (flags of regions are shown as escapes)
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_BREAK = re.compile(r"[ 。，、；：！？]")
_TRAILING_MARKS = ",;:.–—- 。，、；："
_LANGUAGE_TAG = re.compile(r"(?:[A-Za-z]{2,3}|[xX](?=-))(?:-[A-Za-z0-9]{1,8})*")  # no longer code is in use
_SAFE_PATH = re.compile(r"[\w-]+(?:[./][\w-]+)*", re.ASCII)


def clean(text: str) -> str:
    """Return a text without the characters that XML 1.0 (section 2.2) forbids or discourages, with LF as line break."""
    if text.isprintable() or _is_clean(text):
        return text
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n").translate(_LINE_SEPARATORS))


def _is_clean(text: str) -> bool:
    """Return whether `clean` would change nothing, ten times faster than its regular expression does."""
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a surrogate
        return False
    if data.translate(None, _SAFE_BYTES):
        return False
    return text.isascii() or not (_C1_CONTROL.search(data) or any(character in text for character in _OTHER_FORBIDDEN))


def one_line(text: str) -> str:
    """Return a clean text on one line, with single spaces."""
    if text.isprintable() and "  " not in text:  # then its only white space is the space
        return text.strip(" ")
    return " ".join(clean(text).split())


@lru_cache(maxsize=4096)
def slugify(name: str) -> str:
    """Return the slug of a category, tag or author: lower case, words joined by "-", letters of any script.

    "C++" and "C#" differ from "C". A name without a letter or digit has the slug "". A slug has at most 200 bytes of
    UTF-8, because a file name has at most 255.
    """
    spelled_out = unicodedata.normalize("NFKC", name).replace("+", " plus ").replace("#", " sharp ")
    letters = unicodedata.normalize("NFC", spelled_out.casefold())
    # combining vowel signs (Mn, Mc) belong to their word; joiners (Cf) are invisible
    characters = (letter if _is_word(letter) else "-" for letter in letters if unicodedata.category(letter) != "Cf")
    words = re.sub("-+", "-", "".join(characters)).strip("-_")
    if not any(letter.isalnum() for letter in words):
        return ""
    return words.encode()[:_MAX_SLUG_BYTES].decode(errors="ignore").strip("-_")


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or unicodedata.category(letter)[0] == "M"


def humanize(slug: str) -> str:
    """Return the last part of a path as a title: "My first post" for `a/my-first_post`."""
    words = re.sub(r"[-_\s]+", " ", slug.rpartition("/")[2]).strip()
    return words[:1].upper() + words[1:] or slug


def excerpt(text: str) -> str:
    """Return at most the first 80 characters of a text, on one line."""
    return truncate(text, _MAX_EXCERPT_CHARACTERS)


def truncate(text: str, limit: int) -> str:
    """Return a text on one line; cut one of more than `limit` characters, and end it with "…".

    Cut at a space or after a Chinese or Japanese punctuation mark if there is one in the last fifth, and never inside a
    grapheme cluster (UAX #29).
    """
    text = one_line(text)
    if len(text) <= limit:
        return text
    end = limit if text.isascii() else _grapheme_start(text, limit)
    breaks = [match.end() for match in _BREAK.finditer(text, limit * 4 // 5, end)]
    return text[: breaks[-1] if breaks and text[end] != " " else end].rstrip(_TRAILING_MARKS) + "…"


def escape_unprintable(text: str) -> str:
    """Return a text with control characters, line breaks, directional marks and the like as backslash escapes."""
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def printable_excerpt(text: str) -> str:
    """Return at most the first 80 characters of a text that a message quotes, with unprintable ones as escapes."""
    return excerpt(escape_unprintable(text))


def _grapheme_start(text: str, position: int) -> int:
    """Return the start of the grapheme cluster at a position; `position` if the cluster has 100 characters or more."""
    import regex  # rarely needed

    begin = max(0, position - 100)
    clusters = regex.finditer(r"\X", text, pos=begin, endpos=position + 100)
    start: int = next((match.start() for match in clusters if match.end() > position), position)
    return start if start > begin else position


def digest_of(*values: object) -> str:
    """Return the first 32 hexadecimal digits of the SHA-256 of the `repr` of values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:32]


def to_safe_path(text: str) -> str:
    """Return a relative path that can't leave its base folder: "x" for "../../x", "evil/a-b" for "//evil/a b"."""
    if _SAFE_PATH.fullmatch(text):  # most are
        return text
    parts = (re.sub(r"[\s\\]+", "-", part.strip()) for part in unicodedata.normalize("NFC", clean(text)).split("/"))
    return "/".join(part for part in parts if part.strip("."))


def quote_path(path: str) -> str:
    """Return a path percent-encoded for a URL (RFC 3986 section 3.3), with its slashes."""
    return path if _SAFE_PATH.fullmatch(path) else quote(path, safe="/~!$&'()*+,;=:@")


def quote_iri(iri: str) -> str:
    """Return an IRI with the characters percent-encoded that a URI can't contain (RFC 3986 section 2)."""
    return quote(iri, safe=_URL_SAFE)


def absolute_url(url: str, base: str) -> str | None:
    """Return a reference resolved against a base (RFC 3986 section 5), in ASCII; None if it is not a URL."""
    if _PLAIN_URL.fullmatch(url):  # this and the next case are most references, and ten times faster than the rest
        return url
    if (match := _PLAIN_REFERENCE.fullmatch(url)) and (plain := _plain_base(base)):
        if url[0] == "/":
            return plain.origin + url
        folder, parents = plain.folder, match[1] or ""
        for _ in range(parents.count("../")):
            folder = folder[: max(folder.rfind("/", 0, -1), len(plain.origin)) + 1]
        return folder + url[len(parents) :]
    return _resolve(url, base)


class _PlainBase(NamedTuple):
    """The parts of a base URL to which a plain reference can be added."""

    origin: str
    folder: str


@lru_cache(maxsize=64)
def _plain_base(base: str) -> _PlainBase | None:
    """Return the parts of a base URL; None if the URL is unusual."""
    match = _PLAIN_BASE.fullmatch(base)
    return _PlainBase(match[1], match[1] + match[2]) if match else None


def _resolve(url: str, base: str) -> str | None:
    """Return the same as `absolute_url` for any reference."""
    url = clean(url).strip().replace("\n", "").replace("\t", "")
    try:
        if _SCHEME.match(url) and not url.lower().startswith(("http:", "https:")):
            return quote(url, safe=_URL_SAFE)
        parts = urlsplit(urljoin(base, url))
        user, at, host = parts.netloc.rpartition("@")
        if not host or _NOT_IN_HOST.search(host):
            return None
        _ = parts.port  # ValueError if it is invalid
        if not host.isascii():
            name, colon, port = host.partition(":")
            host = name.encode("idna").decode("ascii") + colon + port
        host = quote(user, safe=":%") + at + host
        return urlunsplit(
            (
                parts.scheme,
                host,
                quote(parts.path, safe=_URL_SAFE),
                quote(parts.query, safe=_URL_SAFE),
                quote(parts.fragment, safe=_URL_SAFE),
            )
        )
    except ValueError:  # an invalid port, IPv6 address or domain name
        return None


def resolve_on_site(reference: str, site_url: str, base: str) -> str | None:
    """Return the absolute URL of a reference in the configuration or in front matter; None if it is not a URL.

    A path that begins with "/" is relative to the site's URL, even if the URL has a path; a path that already begins
    with the site's path is left as it is. Any other reference is resolved against `base`.
    """
    reference = reference.strip()
    if reference.startswith("/") and not reference.startswith("//"):
        site_path = urlsplit(site_url).path.rstrip("/")
        path = reference if f"{reference}/".startswith(f"{site_path}/") else site_path + reference
        return absolute_url(path, site_url)
    return absolute_url(reference, base)


def url_scheme(url: str) -> str:
    """Return the lower-case scheme of a URL, "" if it has none."""
    match = _SCHEME.match(url)
    return match.group()[:-1].lower() if match else ""


def is_language_tag(text: str) -> bool:
    """Return whether a text is a language tag (RFC 5646), by its syntax."""
    return _LANGUAGE_TAG.fullmatch(text) is not None
