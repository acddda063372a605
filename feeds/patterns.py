"""Patterns of permalinks and of ids: their parts, how each is spelled, and what an article makes of them.

`{title}` is a part, `{title:urlize:lower}` one that is spelled otherwise, step by step. Spellings are those of other
generators, for sites that move in: an id that their readers know must come out letter by letter.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import unquote_plus

from feeds.model import Article, Site
from feeds.text import in_words, quote_path, safe_path, slugify

DATES = ("year", "month", "day")
NAMING = ("slug", "path", "file", "title", "name", "headline", "stem")  # without one of them all articles would be one
PARTS = ("category", "categories", "folder", "section", "lang", *NAMING, *DATES)
_PART = re.compile(r"\{(\w+)((?::\w+)*)\}")
_DATED = re.compile(r"\d{4}-\d\d-\d\d-(?=.)")
_ASCII = str.maketrans(  # of letters that are no other letter with an accent, as unidecode has them
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
     "ð": "d", "þ": "th", "ı": "i", "–": "-", "—": "--"}
)  # fmt: skip
_PATH_SIGNS = frozenset("./\\_#+~-@")
_LETTERS = ("L", "M")


def lower(text: str) -> str:
    """Write in lower case letter by letter, as Go does: none becomes two, and no letter looks at its neighbours."""
    return "".join(letter.lower()[0] for letter in text)


def plain(text: str) -> str:
    """Drop accents: é is e."""
    bare = (letter for letter in unicodedata.normalize("NFD", text) if unicodedata.category(letter) != "Mn")
    return unicodedata.normalize("NFC", "".join(bare))


def sanitize(text: str) -> str:
    """Spell as Hugo does what it finds in a path: letters, digits, some signs, and "-" for spaces between them."""
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
    """Spell as Hugo does a file's path, or a term's: as `sanitize`, but each space is a "-" of its own."""
    return sanitize(text.replace(" ", "-"))


def urlize(text: str) -> str:
    """Spell as Hugo does what its permalinks are filled with: as `sanitize`, and "+" is a space."""
    return sanitize(unquote_plus(sanitize(text)))


def slashed(path: str) -> str:
    """End a path with "/", as Hugo does an article's `url` without a dot."""
    return path if "." in path or path.endswith("/") else f"{path}/"


def slugified(text: str) -> str:
    """Spell as Pelican's slugify does with its default substitutions: ASCII, and no punctuation."""
    ascii_ = unicodedata.normalize("NFKD", text.translate(_ASCII)).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_).strip()).lower()


_OF_WHAT_IS_WRITTEN: Mapping[str, Callable[[str], str]] = {
    "raw": lambda text: text,
    "sanitize": sanitize,
    "pathize": pathize,
    "urlize": urlize,
    "slugify": slugified,
}
_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "lower": lower,
    "plain": plain,
    "slash": slashed,
    "local": lambda text: text,  # of dates: what they are in the site's zone
    **_OF_WHAT_IS_WRITTEN,
}
SPELLINGS = tuple(_SPELLINGS)


def filled(pattern: str, article: Article, site: Site, *, link: str = "", quoted: bool = False) -> str:
    """Fill in a pattern, with its parts `quoted` for a URL or not; a segment whose parts have no value is left out."""
    if "{lang" in pattern:
        article = _without_language(article)

    def value(match: re.Match[str]) -> str:
        part, spelled = match[1], match[2].split(":")[1:]
        if part in DATES:
            moment = article.published.astimezone(site.timezone) if "local" in spelled else article.published
            return f"{getattr(moment, part):0{4 if part == 'year' else 2}d}"
        if part == "lang":  # the language of the site needs none
            return article.language if article.language and article.language != site.language else ""
        text = link if part == "link" else _text(article, part, written=bool(_OF_WHAT_IS_WRITTEN.keys() & spelled))
        for spelling in spelled:
            text = _SPELLINGS[spelling](text)
        return quote_path(text) if quoted and part != "link" else text

    segments = ((_PART.sub(value, segment), segment) for segment in pattern.split("/"))
    return "/".join(full for full, segment in segments if full or not segment)


def _without_language(article: Article) -> Article:
    """Return the article with the name and the slug that it has without the language in its file name: `note.de.md`."""
    end = f".{article.language}"
    if article.language is None or not article.name.replace("_", "-").endswith(end):
        return article
    name = article.name[: -len(end)]
    slug = article.slug if article.slug_given else article.slug[: -len(end)]
    if name.endswith("/index"):
        name = name.removesuffix("/index")
        slug = slug if article.slug_given else _DATED.sub("", name.rpartition("/")[2])
    return replace(article, name=name, slug=slug)


def _text(article: Article, part: str, *, written: bool) -> str:
    """Give what a part stands for: as it is written, or as it is fit for a path."""
    if part in ("category", "categories"):
        if part == "category":
            first = next((name for name in article.categories if written or slugify(name)), "")
            return first if written else slugify(first)
        return "/".join(name if written else safe_path(name.lower()) for name in article.categories)
    if part == "headline" or (part == "title" and not article.slug_given):
        title = article.title or in_words(article.slug)
        return re.sub(r"[/\\]", "-", title) if written else slugify(title)  # it is no path
    folder, _, name = article.name.rpartition("/")
    if part == "stem":
        bare = _DATED.sub("", name)
        folded = folder.rpartition("/")[2] == bare and not article.path.startswith(f"{article.name}/")
        stem = folder if folded else f"{folder}/{bare}".lstrip("/")
        return stem if written else safe_path(stem)
    given = {
        "slug": article.slug,
        "path": article.name,
        "title": article.slug,
        "folder": folder,
        "section": folder.partition("/")[0],
        "file": article.slug if article.slug_given else name,
        "name": name,
    }[part]
    return given if written or part in ("slug", "path") else safe_path(given)
