"""Patterns of permalinks and ids, and their expansion for an article.

`{title}` is a placeholder; `{title:urlize:lower}` applies two modifiers to its value, from left to right. The modifiers
reproduce the spelling of other generators exactly, so that the ids of a migrated site stay the same.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import unquote_plus

from feeds.core.model import Article, Site
from feeds.core.text import humanize, quote_path, slugify, to_safe_path

DATES = ("year", "month", "day")
# a pattern needs one of them, else all articles would have the same path
UNIQUE_PLACEHOLDERS = ("slug", "path", "file", "title", "name", "headline", "stem")
PLACEHOLDERS = ("category", "categories", "folder", "section", "lang", *UNIQUE_PLACEHOLDERS, *DATES)
_PLACEHOLDER = re.compile(r"\{(\w+)((?::\w+)*)\}")
_DATE_PREFIX = re.compile(r"\d{4}-\d\d-\d\d-(?=.)")
_ASCII = str.maketrans(  # letters that NFKD does not decompose, transliterated as by unidecode
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
     "ð": "d", "þ": "th", "ı": "i", "–": "-", "—": "--"}
)  # fmt: skip
_PATH_SIGNS = frozenset("./\\_#+~-@")
_LETTERS = ("L", "M")


def go_lower(text: str) -> str:
    """Return a text in lower case as Go's `strings.ToLower` does: letter by letter, regardless of the context."""
    return "".join(letter.lower()[0] for letter in text)


def strip_accents(text: str) -> str:
    """Return a text without accents: é becomes e."""
    letters = (letter for letter in unicodedata.normalize("NFD", text) if unicodedata.category(letter) != "Mn")
    return unicodedata.normalize("NFC", "".join(letters))


def sanitize(text: str) -> str:
    """Return a text as Hugo's `Sanitize` does: letters, digits, some signs, and "-" for spaces between them."""
    kept: list[str] = []
    space = False
    for number, letter in enumerate(text):
        kind = unicodedata.category(letter)
        hexadecimal = letter == "%" and re.match("%[0-9a-fA-F]{2}", text[number : number + 3])
        if letter in _PATH_SIGNS or kind[0] in _LETTERS or kind == "Nd" or hexadecimal:
            if space and letter != "-":
                kept.append("-")
            space = False
            kept.append(letter)
        elif letter.isspace() and kept and kept[-1] != "-":
            space = True
    return "".join(kept)


def pathize(text: str) -> str:
    """Return the path of a file or a term as Hugo does: like `sanitize`, but each space becomes a "-"."""
    return sanitize(text.replace(" ", "-"))


def urlize(text: str) -> str:
    """Return a value as Hugo's permalinks contain it: like `sanitize`, with "+" as a space."""
    return sanitize(unquote_plus(sanitize(text)))


def ensure_trailing_slash(path: str) -> str:
    """Return a path with a trailing slash unless it contains a dot, as Hugo does with an article's `url`."""
    return path if "." in path or path.endswith("/") else f"{path}/"


def pelican_slugify(text: str) -> str:
    """Return a slug as Pelican's `slugify` does with its default substitutions: ASCII without punctuation."""
    ascii_ = unicodedata.normalize("NFKD", text.translate(_ASCII)).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_).strip()).lower()


_RAW_MODIFIERS: Mapping[str, Callable[[str], str]] = {  # of a value as its author wrote it
    "raw": lambda text: text,
    "sanitize": sanitize,
    "pathize": pathize,
    "urlize": urlize,
    "slugify": pelican_slugify,
}
_MODIFIERS: Mapping[str, Callable[[str], str]] = {
    "lower": go_lower,
    "plain": strip_accents,
    "slash": ensure_trailing_slash,
    "local": lambda text: text,  # of dates: in the site's time zone
    **_RAW_MODIFIERS,
}
MODIFIERS = tuple(_MODIFIERS)


def expand(pattern: str, article: Article, site: Site, *, link: str = "", quoted: bool = False) -> str:
    """Return a pattern with its placeholders replaced by the values of an article.

    A path segment whose placeholders have no value is left out.

    Args:
        pattern: the pattern.
        article: the article.
        site: the site.
        link: the value of `{link}`.
        quoted: whether to percent-encode all values but `{link}`.
    """
    if "{lang" in pattern:
        article = _without_language(article)

    def value(match: re.Match[str]) -> str:
        placeholder, modifiers = match[1], match[2].split(":")[1:]
        if placeholder in DATES:
            moment = article.published.astimezone(site.timezone) if "local" in modifiers else article.published
            return f"{getattr(moment, placeholder):0{4 if placeholder == 'year' else 2}d}"
        if placeholder == "lang":
            return article.language if article.language and article.language != site.language else ""
        raw = bool(_RAW_MODIFIERS.keys() & modifiers)
        text = link if placeholder == "link" else _text(article, placeholder, raw=raw)
        for modifier in modifiers:
            text = _MODIFIERS[modifier](text)
        return quote_path(text) if quoted and placeholder != "link" else text

    segments = ((_PLACEHOLDER.sub(value, segment), segment) for segment in pattern.split("/"))
    return "/".join(expanded for expanded, segment in segments if expanded or not segment)


def _without_language(article: Article) -> Article:
    """Return the article without the language suffix of its name and slug: `note` for `note.de.md`."""
    suffix = f".{article.language}"
    if article.language is None or not article.name.replace("_", "-").endswith(suffix):
        return article
    name = article.name[: -len(suffix)]
    slug = article.slug if article.slug_given else article.slug[: -len(suffix)]
    if name.endswith("/index"):
        name = name.removesuffix("/index")
        slug = slug if article.slug_given else _DATE_PREFIX.sub("", name.rpartition("/")[2])
    return replace(article, name=name, slug=slug)


def _text(article: Article, placeholder: str, *, raw: bool) -> str:
    """Return the value of a placeholder: as its author wrote it or, if `raw` is false, safe for a path."""
    if placeholder in ("category", "categories"):
        if placeholder == "category":
            first = next((name for name in article.categories if raw or slugify(name)), "")
            return first if raw else slugify(first)
        return "/".join(name if raw else to_safe_path(name.lower()) for name in article.categories)
    if placeholder == "headline" or (placeholder == "title" and not article.slug_given):
        title = article.title or humanize(article.slug)
        return re.sub(r"[/\\]", "-", title) if raw else slugify(title)
    folder, _, name = article.name.rpartition("/")
    if placeholder == "stem":
        undated = _DATE_PREFIX.sub("", name)
        is_named_after_folder = folder.rpartition("/")[2] == undated and not article.path.startswith(f"{article.name}/")
        stem = folder if is_named_after_folder else f"{folder}/{undated}".lstrip("/")
        return stem if raw else to_safe_path(stem)
    value = {
        "slug": article.slug,
        "path": article.name,
        "title": article.slug,
        "folder": folder,
        "section": folder.partition("/")[0],
        "file": article.slug if article.slug_given else name,
        "name": name,
    }[placeholder]
    return value if raw or placeholder in ("slug", "path") else to_safe_path(value)
