r"""Strings on their way out: characters that XML allows, names that become paths, and URLs made absolute.

Nothing here knows what a string means; it only knows what may be in it.
"""

import hashlib
import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

# XML 1.0 section 2.2 allows tab, LF and CR of the C0 controls, no surrogates and no U+FFFE or U+FFFF. DEL and the C1
# controls are allowed there but "discouraged", carry no meaning in text, and make validators warn.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_HARMLESS = bytes([*b"\t\n", *range(0x20, 0x7F), *range(0x80, 0x100)])  # of UTF-8
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")  # in UTF-8
_RARE = "\u2028\u2029\ufffe\uffff"
_RARE_BREAKS = str.maketrans({"\x85": " ", "\u2028": " ", "\u2029": " "})  # YAML 1.1 would end a line there
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"
_NOT_IN_HOST = re.compile(r"[\s<>\"{}|\\^`%]")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_LONGEST_NAME = 200  # bytes
_BEGINNING = 80  # characters that stand for a title
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BREAK = re.compile(r"[ 。，、；：！？]")
_END_MARKS = ",;:.–—- 。，、；："
_SAFE_PATH = re.compile(r"[\w-]+(?:[./][\w-]+)*", re.ASCII)


def clean(text: str) -> str:
    """Drop every character that XML 1.0 (section 2.2) forbids or discourages; line breaks become LF."""
    if text.isprintable() or _is_clean(text):
        return text
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n").translate(_RARE_BREAKS))


def _is_clean(text: str) -> bool:
    """Return whether `clean` has nothing to do, as for nearly every text: one search would take ten times longer."""
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a surrogate
        return False
    if data.translate(None, _HARMLESS):
        return False
    return text.isascii() or not (_C1_CONTROL.search(data) or any(character in text for character in _RARE))


def one_line(text: str) -> str:
    """`clean`, on one line, with single spaces."""
    if text.isprintable() and "  " not in text:  # then its only white space is the space
        return text.strip(" ")
    return " ".join(clean(text).split())


@lru_cache(maxsize=4096)
def slugify(name: str) -> str:
    """Give the slug of a category, tag or author: lower case, words joined by "-", letters and marks of any script.

    "C++" and "C#" stay apart from "C". A name without a letter or digit has no slug: "". At most 200 bytes of UTF-8, as
    a file name has 255.
    """
    spoken = unicodedata.normalize("NFKC", name).replace("+", " plus ").replace("#", " sharp ")
    letters = unicodedata.normalize("NFC", spoken.casefold())
    # a vowel sign is part of its word (Mn, Mc), and what joins letters (Cf) is not written
    kept = (letter if _is_word(letter) else "-" for letter in letters if unicodedata.category(letter) != "Cf")
    words = re.sub("-+", "-", "".join(kept)).strip("-_")
    if not any(letter.isalnum() for letter in words):
        return ""
    return words.encode()[:_LONGEST_NAME].decode(errors="ignore").strip("-_")


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or unicodedata.category(letter)[0] == "M"


def in_words(slug: str) -> str:
    """Return the last part of a path as a title: `a/my-first_post` is "My first post"."""
    words = re.sub(r"[-_\s]+", " ", slug.rpartition("/")[2]).strip()
    return words[:1].upper() + words[1:] or slug


def beginning(text: str) -> str:
    """Return the first characters of a text on one line, at most 80 of them."""
    return shortened(text, _BEGINNING)


def shortened(text: str, limit: int) -> str:
    """Return a text on one line; one of more than `limit` characters is cut there and ends with "…".

    It is cut at a space or after a Chinese or Japanese mark if there is one in the last fifth, and never inside what a
    reader sees as one character (a grapheme cluster, UAX #29).
    """
    text = one_line(text)
    if len(text) <= limit:
        return text
    end = limit if text.isascii() else _grapheme_start(text, limit)
    breaks = [match.end() for match in _BREAK.finditer(text, limit * 4 // 5, end)]
    return text[: breaks[-1] if breaks and text[end] != " " else end].rstrip(_END_MARKS) + "…"


def printable(text: str) -> str:
    """Return a text in which control characters, line breaks and marks of direction are written as escapes."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def _grapheme_start(text: str, position: int) -> int:
    """Return where the grapheme cluster at a position begins; the position itself in one of 100 characters or more."""
    import regex  # which only few texts need

    begin = max(0, position - 100)
    clusters = regex.finditer(r"\X", text, pos=begin, endpos=position + 100)
    start: int = next((match.start() for match in clusters if match.end() > position), position)
    return start if start > begin else position


def digest_of(*facts: object) -> str:
    """Give a digest of facts, by what `repr` says of them."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def safe_path(text: str) -> str:
    """Make of anything a relative path that stays below its base: "../../x" is "x", "//evil/a b" is "evil/a-b"."""
    if _SAFE_PATH.fullmatch(text):  # as nearly every one
        return text
    parts = (re.sub(r"[\s\\]+", "-", part.strip()) for part in unicodedata.normalize("NFC", clean(text)).split("/"))
    return "/".join(part for part in parts if part.strip("."))


def quote_path(path: str) -> str:
    """Percent-encode a path for a URL (RFC 3986 section 3.3), leaving its slashes."""
    return path if _SAFE_PATH.fullmatch(path) else quote(path, safe="/~!$&'()*+,;=:@")


def quote_iri(iri: str) -> str:
    """Percent-encode what no URI may hold (RFC 3986 section 2), and leave all else as it is."""
    return quote(iri, safe=_URL_SAFE)


def absolute(url: str, base: str) -> str | None:
    """Resolve a reference against a base (RFC 3986 section 5) and write it in ASCII; None if it is no URL at all."""
    url = clean(url).strip().replace("\n", "").replace("\t", "")
    try:
        if _SCHEME.match(url) and not url.lower().startswith(("http:", "https:")):
            return quote(url, safe=_URL_SAFE)
        parts = urlsplit(urljoin(base, url))
        user, at, host = parts.netloc.rpartition("@")
        if not host or _NOT_IN_HOST.search(host):
            return None
        _ = parts.port  # a ValueError if it is none
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
    except ValueError:  # a broken IPv6 host, or one that no domain can be called
        return None


def on_site(reference: str, site_url: str, base: str) -> str | None:
    """Return the absolute URL of a reference in the configuration or in front matter; None if it is no URL.

    A path that begins with / is below the site's URL, which may have a path of its own; one that begins with that path
    already is not extended. Any other reference is resolved against `base`.
    """
    reference = reference.strip()
    if reference.startswith("/") and not reference.startswith("//"):
        own = urlsplit(site_url).path.rstrip("/")
        below = reference if f"{reference}/".startswith(f"{own}/") else own + reference
        return absolute(below, site_url)
    return absolute(reference, base)


def scheme(url: str) -> str:
    """Give the lower-case scheme of an absolute URL, "" if it has none."""
    match = _SCHEME.match(url)
    return match.group()[:-1].lower() if match else ""
