"""Front matter -> the values of an article's fields, by the keys of `keys.FIELDS`.

A key without a value (null, or empty text) counts as absent. An unusable value of a field that says which article it
is, or whether and when it is published (title, slug, id, link, date, draft), raises `Refused` with the line of its key.
In any other field it is ignored, which adds to `warnings`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from difflib import get_close_matches
from operator import itemgetter
from typing import Any, TypeVar

from feeds.errors import Refused
from feeds.model import Author, Enclosure, Image, Warned
from feeds.parse import dates, keys, values
from feeds.parse.frontmatter import FrontMatter, unfilled
from feeds.parse.keys import canonical
from feeds.parse.media import media_type
from feeds.text import one_line

T = TypeVar("T")
People = Mapping[str, Mapping[str, Any]]  # of authors.yml: facts by canonical key, by the author's key
Found = tuple[int, str, Any]  # the rank of a key in its field, the key as it is spelled, its value

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_NAME_AND_EMAIL = re.compile(r"(?P<name>[^<>]*[^<>\s])\s*<(?P<email>[^<>]*)>")
_EMAIL = re.compile(r"[^@\s<>()]+@[^@\s<>()]+")
_MAX_NAMES = 100  # each is a feed
_MAX_LENGTH_DIGITS = 15
_WITHHOLDING = frozenset({"draft", "private", "public", "password", "visibility", "status", "elsewhere", "unsupported"})
_IN_FEEDS = frozenset({"unlisted", "listed", "outputs", "visibility", "status"})
_UNSUPPORTED = (
    "keeps an article back elsewhere and has no effect here; write draft: true, "
    "or unlisted: true to keep it out of feeds only"
)
_FEEDS = re.compile(r"rss|atom|feed", re.IGNORECASE)


class Fields:
    """The front matter of one article."""

    def __init__(self, matter: FrontMatter, zone: tzinfo, people: People | None = None) -> None:
        """`zone` is that of dates that name none; `people` are the entries of authors.yml."""
        self.warnings: list[Warned] = []
        self._line_of = matter.line_of
        self._zone = zone
        self._people = people or {}
        self._found: dict[str, list[Found]] = {}
        for spelling, value in matter.items():
            key = canonical(spelling)
            if key in keys.ROLES:
                self._add(keys.ROLES[key], spelling, value)
            elif key in keys.CONTAINERS and isinstance(value, dict):
                for inner, inner_value in value.items():
                    inner_key = canonical(str(inner))
                    self._add(keys.INNER_ROLES.get(inner_key, ()), f"{spelling}.{inner}", inner_value)
                    if meant := keys.misspelt(inner_key):
                        self._warn_of_typo(f"{spelling}.{inner}", meant, inner_value)
            elif meant := keys.misspelt(key):
                self._warn_of_typo(spelling, meant, value)

    def _add(self, roles: Iterable[tuple[str, int]], key: str, value: Any) -> None:
        value = one_line(value) if isinstance(value, str) else value
        if value is not None and value != "":
            for field, rank in roles:
                if field in self._found:
                    self._found[field].append((rank, key, value))
                else:
                    self._found[field] = [(rank, key, value)]

    def _in(self, field: str) -> Sequence[Found]:
        """Return the keys of a field that have a value, in their order."""
        found = self._found.get(field)
        if found is None:
            return ()
        if len(found) > 1:
            found.sort(key=itemgetter(0))
        return found

    def text(self, field: str) -> str | None:
        """Return the value of a field on one line. Raises `Refused` for a list or a mapping."""
        for _, key, value in self._in(field):
            try:
                return value if isinstance(value, str) else values.text(value)  # it is on one line
            except ValueError as error:
                raise self.refused(key, str(error)) from None
        return None

    def key_of(self, field: str) -> str:
        """Return the key that `text` reads, as it is spelled; "" if the field has no value."""
        return next((key for _, key, _ in self._in(field)), "")

    def date(self, field: str) -> datetime | None:
        """Return a date with a zone. Raises `Refused` for what is none; `published: true` is not a date."""
        return next(self._dates(field), None)

    def latest_date(self, field: str) -> datetime | None:
        """Return the latest of several dates, of which any withholds an article. Raises `Refused` for what is none."""
        return max(self._dates(field), default=None)

    def _dates(self, field: str) -> Iterator[datetime]:
        for _, key, value in self._in(field):
            if canonical(key) in {"published", "embargo"} and values.word(value) in keys.YES | keys.NO:
                continue
            if canonical(key) == "published" and not values.is_dated(value):  # `is_withheld` has warned of it
                continue
            # MkDocs: date: {created: …, updated: …}
            inner = values.part(value, "created", "published", "date") if isinstance(value, dict) else None
            try:
                yield dates.parse(value if inner is None else inner, self._zone)
            except ValueError as error:
                raise self.refused(key, unfilled(str(value)) or f"{values.shown(value)} {error}") from None

    def optional_date(self, field: str) -> datetime | None:
        """Return the first usable date of a secondary field."""
        found = self._usable(field, self._optional_date)
        return found if found or field != "updated" else self._date_of_mapping()

    def _optional_date(self, _key: str, value: Any) -> datetime | None:
        if isinstance(value, bool):
            return None
        if isinstance(value, dict):
            value = values.part(value, "date", "updated") or value  # Docusaurus: last_update: {date: …, author: …}
        try:
            return dates.parse(value, self._zone)
        except ValueError as error:
            raise ValueError(f"{values.shown(value)} {error}") from None

    def _date_of_mapping(self) -> datetime | None:
        """Return the date of MkDocs' `date: {created: …, updated: …}`."""
        for _, key, value in self._in("published"):
            if isinstance(value, dict) and (updated := values.part(value, "updated", "modified")) is not None:
                try:
                    return dates.parse(updated, self._zone)
                except ValueError as error:
                    self._ignore(key, f"updated: {values.shown(updated)} {error}")
        return None

    def optional_text(self, field: str) -> str | None:
        """Return the first text of a secondary field."""
        return self._usable(field, _optional_text) or None

    def url(self, field: str) -> str | None:
        """Return the first usable URL of a secondary field: a path on the site, or http(s)."""
        return self._usable(field, _optional_url)

    def language(self) -> str | None:
        """Return the language as a BCP 47 tag."""
        return self._usable("language", _language_tag)

    def names(self, field: str, *, commas: bool = False, words: str = "") -> tuple[str, ...]:
        """Return a list of names, each once and in order; a text is one name, or several between `commas`.

        The text of the key `words` is a name for each word. Lists in lists are flattened.
        """
        for _, key, value in self._in(field):
            items: Any = values.unlinked(value) if isinstance(value, str) else value
            if isinstance(value, str) and commas and (key.lower() != words or "," in value):
                items = items.split(",")
            elif isinstance(value, str) and key.lower() == words:
                items = items.split()
            found = (one_line(item) if isinstance(item, str) else self._name(key, item) for item in values.flat(items))
            names = [values.unlinked(name) for name in found if name]
            if field == "tags":
                names = [tag for name in names for tag in values.tags(name)]
            if several := tuple(dict.fromkeys(filter(None, names))):
                return self._few(key, several)
        return ()

    def _name(self, key: str, item: Any) -> str | None:
        """Return the name in an item of a list that is no text."""
        try:
            return (
                None
                if item is None
                else values.text(values.part(item, "name", "title", "label") if isinstance(item, dict) else item)
            )
        except ValueError as error:
            self._ignore(key, str(error))
            return None

    def authors(self) -> tuple[Author, ...]:
        """Return the authors: texts ("Name <mail>"), mappings, keys of authors.yml, or a list of those."""
        for _, key, value in self._in("authors"):
            several = isinstance(value, str) and key.lower() == "authors"
            items = self._bylines(values.unlinked(value)) if several else values.flat(value)
            given = [item for item in items if not values.is_nothing(item)]
            self._warn_of_unknown_keys(key, given)
            authors = [self._author(key, item) for item in given]
            if found := tuple(dict.fromkeys(author for author in authors if author)):
                return self._few(key, found)
        return ()

    def _bylines(self, text: str) -> list[str]:
        """Split Pelican's list of authors: at ";", or at "," if no part looks like that of "Dee, Carl"."""
        parts = [part.strip() for part in text.split(";" if ";" in text else ",")]
        known = any(part in self._people for part in parts)
        return parts if ";" in text or known or all(" " in part for part in parts) else [text]

    def _warn_of_unknown_keys(self, key: str, given: list[Any]) -> None:
        """Warn of what looks like a key of authors.yml, or stands among such keys, and is none."""
        names = [values.unlinked(one_line(item)) for item in given if isinstance(item, str)] if self._people else []
        unknown = [name for name in names if name not in self._people]
        among_keys = len(unknown) == 1 and len(names) == len(given) > 1
        for name in unknown:
            if (name.islower() or among_keys) and " " not in name and not _EMAIL.fullmatch(name):
                self._warn_of_unknown_key(key, name)

    def _warn_of_unknown_key(self, key: str, person: str) -> None:
        close = get_close_matches(person.lower(), self._people, 1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        self._warn(key, f"{values.shown(person)} is not in authors.yml{meant}; the key stands for the name")

    def _author(self, key: str, value: Any) -> Author | None:
        if isinstance(value, bool):
            return None
        facts = dict(value) if isinstance(value, dict) else self._of_text(values.unlinked(values.text(value)))
        facts = {canonical(str(name)): fact for name, fact in facts.items() if not values.is_nothing(fact)}
        person = facts.get("key")
        if isinstance(person, str) and person in self._people:
            facts = {**self._people[person], **facts}
        elif person is not None:
            self._warn_of_unknown_key(key, str(person))
        name = _name_of(facts)
        if not name:
            self._ignore(key, "an author needs a name")
            return None
        email, url = facts.get("email"), next((facts[part] for part in keys.PEOPLE_URLS if part in facts), None)
        if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(one_line(email))):
            self._ignore(key, f"{values.shown(email)} is no e-mail address")
            email = None
        try:
            url = None if url is None else values.url(values.text(url))
        except ValueError as error:
            self._ignore(key, str(error))
            url = None
        return Author(name, email and one_line(email), url)

    def _of_text(self, text: str) -> dict[str, Any]:
        """Return the facts of an author that is a text: a key of authors.yml, "Name <mail>", or a name."""
        if text in self._people:
            return {"key": text}
        match = _NAME_AND_EMAIL.fullmatch(text)
        return match.groupdict() if match else {"name": text}

    def image(self) -> Image | None:
        """Return the image: a URL, a mapping of url and alt, or the first of a list of those."""
        return self._usable("image", self._image)

    def _image(self, key: str, value: Any) -> Image | None:
        if isinstance(value, list):
            value = next((item for item in value if not values.is_nothing(item)), None)
        if value is None or isinstance(value, bool):
            return None
        alt: Any = None
        if isinstance(value, dict):
            value, alt = values.part(value, *keys.IMAGE_PARTS), values.part(value, "alt", "alttext")
            if value is None or isinstance(value, bool):
                return None
        url = values.linked_file(values.text(value))
        kind = media_type(url)
        if not url or (canonical(key) in keys.LOOSE_IMAGES and not kind.startswith("image/")):
            return None
        alt = alt if alt is not None else self.optional_text("imagealt") or ""
        return Image(values.url(url), values.text(alt), kind if kind.startswith("image/") else "")

    def enclosures(self) -> tuple[Enclosure, ...]:
        """Return the enclosures: URLs, mappings of url, type and length, or a list of both; of all keys."""
        found: dict[str, Enclosure] = {}
        for _, key, value in self._in("enclosures"):
            for item in value if isinstance(value, list) else [value]:
                if values.is_nothing(item) or item is False:
                    continue
                try:
                    enclosure = self._enclosure(key, item)
                except ValueError as error:
                    self._ignore(key, str(error))
                else:
                    found.setdefault(enclosure.url, enclosure)
        return tuple(found.values())

    def _enclosure(self, key: str, value: Any) -> Enclosure:
        kind, length = None, ""
        if isinstance(value, dict):
            kind, size = values.part(value, "type"), values.part(value, "length", "size")
            value = values.part(value, "url", "src", "file")
            length = "" if size is None else values.text(size)
        if value is None or isinstance(value, bool):
            raise ValueError("an enclosure needs a url")
        url = values.url(values.linked_file(values.text(value)))
        if length and not (length.isascii() and length.isdecimal() and len(length) <= _MAX_LENGTH_DIGITS):
            self._ignore(key, f"{values.shown(length)} is no length in bytes")
            length = ""
        kind = values.text(kind) if kind is not None else ""
        return Enclosure(url, kind or media_type(url) or "application/octet-stream", int(length or 0))

    def is_withheld(self) -> bool:
        """Return whether the article is not to be published, by the keys of any generator.

        Raises `Refused` for a `draft` that is neither true nor false.
        """
        if self._found.keys().isdisjoint(_WITHHOLDING):
            return False
        for _, key, value in self._in("unsupported"):
            if self._keeps_back(key, value):
                self._warn(key, f"{values.shown(value)} {_UNSUPPORTED}", "withholding-key")
        reasons = [
            *(self._is_draft(key, value) for _, key, value in self._in("draft")),
            *self._flags("private", "public", "visibility", "status"),
            *(value is not False and values.word(value) not in keys.NO for _, _, value in self._in("password")),
            *(self._is_withheld_elsewhere(key, value) for _, key, value in self._in("elsewhere")),
        ]
        return any(reasons)

    @staticmethod
    def _keeps_back(key: str, value: Any) -> bool:
        if canonical(key) in {"access", "accesslevel", "tier", "paywall"}:
            return values.word(value) not in keys.PUBLIC | keys.NO
        return values.word(value) in keys.YES or keys.is_misspelt_flag(values.word(value))

    def _is_draft(self, key: str, value: Any) -> bool:
        word = values.word(value)
        if word in keys.YES | keys.NO:
            return word in keys.YES
        raise self.refused(key, f"must be true or false, not {values.shape(value)}")

    def _flags(self, *fields: str) -> list[bool]:
        return [self._is_flagged(field, key, value) for field in fields for _, key, value in self._in(field)]

    def _is_flagged(self, field: str, key: str, value: Any) -> bool:
        """Return whether a value keeps an article back. So does one that is not known, with a warning."""
        kept, shown, write = keys.FLAGS[field]
        word = values.word(values.single(value))
        if word in kept:
            return True
        if (word and word in shown) or value in ([], {}) or _says_something_else(canonical(key), value):
            return False
        effect = "in no feed" if field in {"unlisted", "listed"} else "not published"
        self._warn(
            key, f"{values.shown(value)} is unknown, so the article is {effect}; write {write}", "withholding-key"
        )
        return True

    def _is_withheld_elsewhere(self, key: str, value: Any) -> bool:
        """Return whether a key of one generator keeps the article back there."""
        if canonical(key) in {"published", "permalink"}:  # Jekyll: no article; Eleventy: no page is written
            return self._is_flagged("public", key, value)
        if canonical(key) == "build":  # Hugo
            parts = [(part, values.part(value, part)) for part in ("list", "render")] if isinstance(value, dict) else []
            return any(self._is_flagged("build", f"{key}.{part}", said) for part, said in parts if said is not None)
        return self._is_flagged("private", key, value)  # Hugo's headless, Eleventy's eleventyExcludeFromCollections

    def is_listed(self) -> bool:
        """Return whether the article is to be in feeds."""
        if self._found.keys().isdisjoint(_IN_FEEDS):
            return True
        return not (
            any(self._flags("unlisted", "listed"))
            or any(
                values.word(value) in keys.UNLISTED
                for field in ("visibility", "status")
                for *_, value in self._in(field)
            )
            or any(_without_feeds(value) for _, _, value in self._in("outputs"))
        )

    def _warn_of_typo(self, key: str, meant: str, value: Any) -> None:
        """Warn of a misspelt key, if the article would be kept back under the key that is meant."""
        word = values.word(values.single(value))
        fields = [field for field, _ in keys.ROLES[meant] if field in keys.FLAGS]
        field = fields[0] if fields else "public" if meant == "published" else "private"
        if meant in keys.FIELDS["password"]:
            keeps = isinstance(value, str) and not values.is_nothing(value)
        else:
            misspelt = field not in {"visibility", "status"} and keys.is_misspelt_flag(word)
            keeps = misspelt or word in keys.FLAGS[field][0] | keys.UNLISTED
        if keeps:
            self._warn(key, f"is unknown and has no effect; did you mean {meant!r}?", "withholding-key")

    def refused(self, key: str, reason: str) -> Refused:
        """Return the refusal of a key's value, with the line of the key."""
        return Refused(f"{key}: {reason}", self._line_of_key(key))

    def _usable(self, field: str, convert: Callable[[str, Any], T | None]) -> T | None:
        """Return the first value of a secondary field that `convert` takes.

        `convert` gets a key and its value. It returns None for a value that says something else, and raises
        `ValueError` with the reason for one that is unusable.
        """
        if field not in self._found:
            return None
        for _, key, value in self._in(field):
            try:
                converted = convert(key, value)
            except ValueError as error:
                self._ignore(key, str(error))
            else:
                if converted is not None:
                    return converted
        return None

    def _ignore(self, key: str, reason: str) -> None:
        self._warn(key, f"{reason}; it is ignored")

    def _warn(self, key: str, message: str, rule: str = "unusable-value") -> None:
        self.warnings.append(Warned(self._line_of_key(key), rule, f"{key}: {message}"))

    def _line_of_key(self, key: str) -> int:
        return self._line_of(key.partition(".")[0])  # of one in a container: where that begins

    def _few(self, key: str, names: tuple[T, ...]) -> tuple[T, ...]:
        if len(names) > _MAX_NAMES:
            self._warn(key, f"{len(names)} names; those after the first {_MAX_NAMES} are ignored")
        return names[:_MAX_NAMES]


def _name_of(facts: Mapping[str, Any]) -> str:
    """Return the name in an author's facts, "" if there is none."""
    name = next((facts[part] for part in keys.PEOPLE_NAMES if part in facts), None)
    if isinstance(name, dict):  # Quarto: name: {given: …, family: …}
        facts, name = {**facts, **name}, name.get("literal")
    if name is None:
        parts = (facts.get(part) for part in ("given", "firstname", "family", "lastname"))
        name = " ".join(part for part in parts if isinstance(part, str)) or facts.get("key")
    return "" if isinstance(name, dict | list | bool) or name is None else values.unlinked(values.text(name))


def _says_something_else(key: str, value: Any) -> bool:
    """Return whether a value is one that a canonical key has where it is no flag."""
    if key in keys.LOOSE_FLAGS:  # a path, the address of a feed, a list of feeds
        return not keys.is_misspelt_flag(values.word(values.single(value)))
    if key in {"published", "publish"}:
        return values.is_dated(value)
    return key == "eleventyexcludefromcollections" and isinstance(value, list)


def _without_feeds(outputs: Any) -> bool:
    """Return whether Hugo's `outputs` name formats and no feed."""
    names = [str(name) for name in values.flat(outputs)]
    return bool(names) and not any(_FEEDS.search(name) for name in names)


def _optional_text(_key: str, value: Any) -> str | None:
    return value if isinstance(value, str) else None if isinstance(value, bool) else values.text(value)


def _optional_url(_key: str, value: Any) -> str | None:
    return None if isinstance(value, bool) else values.url(values.text(value))


def _language_tag(_key: str, value: Any) -> str:
    tag = values.text(value).replace("_", "-")
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(f"{values.shown(tag)} is no language tag; write it like en or pt-BR")
    return tag
