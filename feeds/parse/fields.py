"""Front matter -> the fields of an article, by the keys and the order of contract section 1.

A key without a value (null, or empty text) counts as absent. A value of a shape that its field can't have is refused
with the line of its key, so that nothing is published otherwise than its author meant.
"""

import re
from datetime import datetime, tzinfo
from typing import Any, NoReturn

from feeds.errors import Refused
from feeds.model import Author, Enclosure, Image
from feeds.parse import dates
from feeds.parse.frontmatter import FrontMatter
from feeds.parse.media import media_type
from feeds.text import absolute, one_line, scheme

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_NAME_AND_EMAIL = re.compile(r"(?P<name>[^<>]*[^<>\s])\s*<(?P<email>[^<>]*)>")
_EMAIL = re.compile(r"[^@\s<>()]+@[^@\s<>()]+")
_MOST_NAMES = 100  # each is a feed
_LONGEST_NUMBER = 15  # digits
_YES = {"true", "yes", "on", "1"}
_NO = {"false", "no", "off", "0"}
_WITHHELD = {"draft", "hidden", "skip"}  # of Pelican's
_UNLISTED = _NO | {"never", "local"}  # Hugo's build options
_BUILD = ("build", "_build")  # where they stand
_ENCLOSURES = ("enclosures", "enclosure", "audio", "video")
_OF_DRAFTS = {"draft", "published", "status", "permalink", "eleventyexcludefromcollections", "headless", *_BUILD}


class Fields:
    """One article's front matter, asked for what it says of each field, by keys in lower case."""

    def __init__(self, matter: FrontMatter, zone: tzinfo) -> None:
        self._line_of = matter.line_of
        self._spelling: dict[str, str] = {}  # Hugo takes `publishdate` for `publishDate`
        self._values: dict[str, Any] = {}
        self._zone = zone
        for spelling, value in matter.items():
            key = spelling.lower()
            said = one_line(value) if isinstance(value, str) else value
            if self._spelling.setdefault(key, spelling) == spelling and said is not None and said != "":
                self._values[key] = said

    def text(self, *keys: str) -> str | None:
        """Give the first of the keys that has a value, as text on one line."""
        key, value = self._first(keys)
        return value if value is None or isinstance(value, str) else self._scalar(key, value)

    def date(self, *keys: str) -> datetime | None:
        """Give the first of the keys that has a value, as a date with a zone; `published: true` is no date."""
        key, value = self._first(keys, dates_only=True)
        if not key:
            return None
        try:
            return dates.parse(value, self._zone)
        except ValueError as error:
            said = one_line(str(value))[:60]
            raise self.refused(key, f"{said!r} {error}") from None

    def flag(self, key: str) -> bool | None:
        """Give a yes or no, None where the key is absent."""
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in _YES | _NO:
            return word in _YES
        return self._fail(key, "must be true or false", value)

    def draft(self) -> bool:
        """Tell whether an article is not for the public, in the words of any of the generators."""
        matter = self._values
        if matter.keys().isdisjoint(_OF_DRAFTS):
            return False
        build = [how for key in _BUILD if isinstance(how := matter.get(key), dict)]
        return (
            bool(self.flag("draft"))
            or self.flag_of_published() is False
            or _word(matter.get("status")) in _WITHHELD  # Pelican
            or _word(matter.get("permalink")) in _NO  # Eleventy: no page is written
            or _word(matter.get("eleventyexcludefromcollections")) in _YES
            or _word(matter.get("headless")) in _YES  # Hugo
            or any(_word(how.get(part)) in _UNLISTED for how in build for part in ("list", "render"))
        )

    def flag_of_published(self) -> bool | None:
        """Give what `published: false` or `no` says (Jekyll); None if it is a date, or absent."""
        value = self._values.get("published")
        word = _word(value)
        return word in _YES if word in _YES | _NO else None

    def names(self, *keys: str, commas: bool = False, words: str = "") -> tuple[str, ...]:
        """Give a list of names, each once and in order; one text is one name, or several between commas.

        The text of the key `words` is a name for each word.
        """
        key, value = self._first(keys)
        if isinstance(value, str) and commas and (key != words or "," in value):
            value = value.split(",")
        elif isinstance(value, str) and key == words:
            value = value.split()
        items = value if isinstance(value, list) else [] if value is None else [value]
        self._require_few(key, items)
        texts = [one_line(item) if isinstance(item, str) else self._scalar(key, item)
                 for item in items if item is not None]  # fmt: skip
        return tuple(dict.fromkeys(filter(None, texts)))

    def authors(self) -> tuple[Author, ...]:
        """Give `authors` or `author`: text ("Name <mail>"), a mapping of name, email and url, or a list of those."""
        key, value = self._first(("authors", "author"))
        items = value if isinstance(value, list) else [] if value is None else [value]
        self._require_few(key, items)
        return tuple(dict.fromkeys(self._author(key, item) for item in items if not _is_nothing(item)))

    def _author(self, key: str, value: Any) -> Author:
        if isinstance(value, dict):
            name, email, url = (self._part(key, value, part) for part in ("name", "email", "url"))
            if name is None:
                raise self.refused(key, "an author needs a name")
        else:
            name, email, url = self._scalar(key, value), None, None
            if match := _NAME_AND_EMAIL.fullmatch(name):
                name, email = match["name"], match["email"]
        if email is not None and not _EMAIL.fullmatch(email):
            raise self.refused(key, f"{email!r} is no e-mail address")
        return Author(name, email, url and self._url(key, url))

    def image(self) -> Image | None:
        """Give `image`, `cover` or `thumbnail`: a URL, or a mapping of url and alt."""
        key, value = self._first(("image", "cover", "thumbnail"))
        if isinstance(value, list):
            value = next(iter(value), None)
        if value is None:
            return None
        if not isinstance(value, dict):
            url, alt = self._scalar(key, value), ""
        else:
            found = next(
                (self._part(key, value, part) for part in ("url", "src", "image", "path") if part in value),
                None,
            )
            url, alt = found or "", self._part(key, value, "alt") or ""
        if not url:
            return None
        kind = media_type(self._url(key, url))
        return Image(url, alt, kind if kind.startswith("image/") else "")

    def enclosures(self) -> tuple[Enclosure, ...]:
        """Give `enclosure(s)`, `audio` and `video`: URLs, mappings of url, type and length, or a list of both."""
        found: dict[str, Enclosure] = {}
        for key in _ENCLOSURES:
            value = self._values.get(key, [])
            for item in value if isinstance(value, list) else [value]:
                enclosure = self._enclosure(key, item)
                found.setdefault(enclosure.url, enclosure)
        return tuple(found.values())

    def _enclosure(self, key: str, value: Any) -> Enclosure:
        if not isinstance(value, dict):
            url, kind, length = self._scalar(key, value), None, None
        else:
            url, kind = (
                self._part(key, value, "url") or self._part(key, value, "src") or "",
                self._part(key, value, "type"),
            )
            length = self._part(key, value, "length") or self._part(key, value, "size")
        if not url:
            raise self.refused(key, "an enclosure needs a url")
        if length and not (length.isascii() and length.isdecimal() and len(length) <= _LONGEST_NUMBER):
            raise self.refused(key, f"{length[:60]!r} is no length in bytes")
        return Enclosure(self._url(key, url), kind or media_type(url) or "application/octet-stream", int(length or 0))

    def language(self) -> str | None:
        """Give `lang` or `language` as a BCP 47 tag."""
        key, value = self._first(("lang", "language"))
        if not key:
            return None
        tag = self._scalar(key, value).replace("_", "-")
        if not _LANGUAGE.fullmatch(tag):
            raise self.refused(key, f"{tag!r} is no language tag; write it like en or pt-BR")
        return tag

    def key_of(self, *keys: str) -> str:
        """Give the first of the keys that has a value, "" if none has."""
        return self._first(keys)[0]

    def refused(self, key: str, reason: str) -> Refused:
        """Make the refusal of a key's value, said as its author spells it and with its line."""
        key, dot, part = key.partition(".")
        spelling = self._spelling.get(key, key)
        return Refused(f"{spelling}{dot}{part}: {reason}", self._line_of(spelling) if key in self._spelling else 1)

    def _first(self, keys: tuple[str, ...], *, dates_only: bool = False) -> tuple[str, Any]:
        values = self._values
        for key in keys:
            if key in values and not (dates_only and key == "published" and self.flag_of_published() is not None):
                return key, values[key]
        return "", None

    def _part(self, key: str, mapping: dict[str, Any], part: str) -> str | None:
        value = mapping.get(part)
        return (self._scalar(f"{key}.{part}", value) or None) if value is not None else None

    def _require_few(self, key: str, names: list[Any]) -> None:
        if len(names) > _MOST_NAMES:
            raise self.refused(key, f"{len(names)} names; at most {_MOST_NAMES}")

    def _url(self, key: str, url: str) -> str:
        """Give a URL as it is if readers may follow it: relative, or http(s)."""
        if scheme(url) not in ("", "http", "https") or absolute(url, "https://site.invalid/") is None:
            raise self.refused(key, f"{url[:60]!r} is neither a path on the site nor an http(s) URL")
        return url

    def _scalar(self, key: str, value: Any) -> str:
        if isinstance(value, str):
            return one_line(value)
        if isinstance(value, list | dict):
            self._fail(key, "must be text", value)
        return str(value).lower() if isinstance(value, bool) else one_line(str(value))

    def _fail(self, key: str, wanted: str, value: Any) -> NoReturn:
        shape = (
            "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else repr(str(value)[:60])
        )
        raise self.refused(key, f"{wanted}, not {shape}")


def _word(value: Any) -> str:
    """Give a value as a word in lower case, "" if it is none."""
    return str(value).strip().lower() if isinstance(value, bool | str | int) else ""


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not one_line(value))
