"""Reads the values of an article's fields from front matter, by the keys in `keys.FIELDS`.

A key without a value (null, or empty text) counts as absent. In a field that identifies the article or determines its
publication (title, slug, id, link, date, draft), an unusable value raises `ArticleError` with the line of its key. In
all other fields, called *secondary*, an unusable value is ignored, and a warning is added to `warnings`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from difflib import get_close_matches
from operator import itemgetter
from typing import Any, TypeVar

from feeds.core.errors import ArticleError
from feeds.core.model import ArticleWarning, Author, Enclosure, Image
from feeds.core.parse import dates, keys, values
from feeds.core.parse.frontmatter import FrontMatter, placeholder_reason
from feeds.core.parse.keys import canonical_key
from feeds.core.parse.media import media_type
from feeds.core.text import escape_unprintable, is_language_tag, one_line, slugify

T = TypeVar("T")
AuthorProfiles = Mapping[str, Mapping[str, Any]]  # of authors.yml: profile by author key; values by canonical key
KeyValue = tuple[int, str, Any]  # the rank of a key in its field, the key as the author spelled it, its value

_NAME_AND_EMAIL = re.compile(r"(?P<name>[^<>]*[^<>\s])\s*<(?P<email>[^<>]*)>")
_EMAIL = re.compile(r"[^@\s<>()]+@[^@\s<>()]+")
_MAX_NAMES = 100  # each is a feed
_MAX_LENGTH_DIGITS = 15
_WITHHOLDING = frozenset({"draft", "private", "public", "password", "visibility", "status", "elsewhere", "unsupported"})
_LISTING = frozenset({"unlisted", "listed", "outputs", "visibility", "status"})
_UNSUPPORTED = (
    "would prevent publication in other generators, but has no effect here; write draft: true, "
    "or unlisted: true to exclude the article only from feeds"
)
_FEEDS = re.compile(r"rss|atom|feed", re.IGNORECASE)


class FrontMatterFields:
    """Reads the fields of one article's front matter, and collects warnings."""

    def __init__(self, matter: FrontMatter, zone: tzinfo, profiles: AuthorProfiles | None = None) -> None:
        """Read the keys of `matter`. `zone` applies to dates without a zone; `profiles` is the authors.yml."""
        self.warnings: list[ArticleWarning] = []
        self._line_of = matter.line_of
        self._zone = zone
        self._profiles = profiles or {}
        self._values: dict[str, list[KeyValue]] = {}
        misspelt = list[tuple[str, str]]()
        for spelling, value in matter.items():
            key = canonical_key(spelling)
            if key in keys.FIELDS_BY_KEY:
                self._add(keys.FIELDS_BY_KEY[key], spelling, value)
            elif key in keys.CONTAINERS and isinstance(value, dict):
                for inner, inner_value in value.items():
                    inner_key = canonical_key(str(inner))
                    self._add(keys.FIELDS_BY_INNER_KEY.get(inner_key, ()), f"{spelling}.{inner}", inner_value)
                    if intended := keys.intended_key(inner_key):
                        self._warn_of_typo(f"{spelling}.{inner}", intended, inner_value)
            elif intended := keys.intended_key(key):
                self._warn_of_typo(spelling, intended, value)
            elif (intended := keys.intended_content_key(key)) and (intended != "date" or dates.is_date(value)):
                misspelt.append((spelling, intended))
        for spelling, intended in misspelt:
            if not any(field in self._values for field, _ in keys.FIELDS_BY_KEY[intended]):
                self._warn(spelling, f"is unknown and has no effect; did you mean {intended!r}?", "misspelt-key")

    def _add(self, roles: Iterable[tuple[str, int]], key: str, value: Any) -> None:
        value = one_line(value) if isinstance(value, str) else value
        if value is not None and value != "":
            for field, rank in roles:
                if field in self._values:
                    self._values[field].append((rank, key, value))
                else:
                    self._values[field] = [(rank, key, value)]

    def _values_of(self, field: str) -> Sequence[KeyValue]:
        """Return the keys of a field that have a value, by rank."""
        key_values = self._values.get(field)
        if key_values is None:
            return ()
        if len(key_values) > 1:
            key_values.sort(key=itemgetter(0))
        return key_values

    def text(self, field: str) -> str | None:
        """Return the value of a field on one line, or None. Raise `ArticleError` for a list or a mapping."""
        for _, key, value in self._values_of(field):
            try:
                return value if isinstance(value, str) else values.as_text(value)  # `_add` put it on one line
            except ValueError as error:
                raise self.error(key, str(error)) from None
        return None

    def key_of(self, field: str) -> str:
        """Return the key that `text` reads, as the author spelled it, or "" if the field has no value."""
        return next((key for _, key, _ in self._values_of(field)), "")

    def date(self, field: str) -> datetime | None:
        """Return the date of a field, with a zone, or None. Raise `ArticleError` for an invalid date.

        Booleans, such as `published: true`, count as absent.
        """
        return next(self._dates(field), None)

    def latest_date(self, field: str) -> datetime | None:
        """Return the latest date of a field, with a zone, or None. Raise `ArticleError` for an invalid date."""
        return max(self._dates(field), default=None)

    def _dates(self, field: str) -> Iterator[datetime]:
        for _, key, value in self._values_of(field):
            if canonical_key(key) in {"published", "embargo"} and values.as_word(value) in keys.YES | keys.NO:
                continue
            if canonical_key(key) == "published" and not values.looks_like_date(value):  # `withholding_line` warns
                continue
            # MkDocs: date: {created: …, updated: …}
            inner = values.first_value(value, "created", "published", "date") if isinstance(value, dict) else None
            try:
                yield dates.parse(value if inner is None else inner, self._zone)
            except ValueError as error:
                raise self.error(key, placeholder_reason(str(value)) or f"{values.quoted(value)} {error}") from None

    def optional_date(self, field: str) -> datetime | None:
        """Return the first usable date of a secondary field, or None."""
        date = self._first_usable(field, self._optional_date)
        return date if date or field != "updated" else self._date_of_mapping()

    def _optional_date(self, _key: str, value: Any) -> datetime | None:
        if isinstance(value, bool):
            return None
        if isinstance(value, dict):
            value = (
                values.first_value(value, "date", "updated") or value
            )  # Docusaurus: last_update: {date: …, author: …}
        try:
            return dates.parse(value, self._zone)
        except ValueError as error:
            raise ValueError(f"{values.quoted(value)} {error}") from None

    def _date_of_mapping(self) -> datetime | None:
        """Return the date of MkDocs' `date: {created: …, updated: …}`."""
        for _, key, value in self._values_of("published"):
            if isinstance(value, dict) and (updated := values.first_value(value, "updated", "modified")) is not None:
                try:
                    return dates.parse(updated, self._zone)
                except ValueError as error:
                    self._ignore(key, f"updated: {values.quoted(updated)} {error}")
        return None

    def optional_text(self, field: str) -> str | None:
        """Return the first text of a secondary field, or None."""
        return self._first_usable(field, _optional_text) or None

    def url(self, field: str) -> str | None:
        """Return the first usable URL of a secondary field, a path on the site or an http(s) URL, or None."""
        return self._first_usable(field, _optional_url)

    def language(self) -> str | None:
        """Return the language as a BCP 47 tag, or None."""
        return self._first_usable("language", _language_tag)

    def names(self, field: str, *, commas: bool = False, words: str = "") -> tuple[str, ...]:
        """Return the distinct names in a field, in order. Lists in lists are flattened.

        Args:
            field: the field.
            commas: whether a text is a list of names separated by commas, rather than one name.
            words: a key for which a text without commas is a list of names separated by spaces.
        """
        for _, key, value in self._values_of(field):
            items: Any = values.strip_wikilinks(value) if isinstance(value, str) else value
            if isinstance(value, str) and commas and (key.lower() != words or "," in value):
                items = items.split(",")
            elif isinstance(value, str) and key.lower() == words:
                items = items.split()
            texts = (
                one_line(item) if isinstance(item, str) else self._name(key, item) for item in values.flatten(items)
            )
            names = [values.strip_wikilinks(text) for text in texts if text]
            if field == "tags":
                names = [tag for name in names for tag in values.split_hashtags(name)]
            if distinct := tuple(dict.fromkeys(filter(None, names))):
                return self._limit(key, distinct)
        return ()

    def _name(self, key: str, item: Any) -> str | None:
        """Return the name in an item of a list that is not text, or None."""
        try:
            return (
                None
                if item is None
                else values.as_text(
                    values.first_value(item, "name", "title", "label") if isinstance(item, dict) else item
                )
            )
        except ValueError as error:
            self._ignore(key, str(error))
            return None

    def authors(self) -> tuple[Author, ...]:
        """Return the authors of a text ("Name <mail>"), a mapping, a key of authors.yml, or a list of these."""
        for _, key, value in self._values_of("authors"):
            is_list = isinstance(value, str) and key.lower() == "authors"
            items = self._split_names(values.strip_wikilinks(value)) if is_list else values.flatten(value)
            items = [item for item in items if not values.is_empty(item)]
            self._warn_of_unknown_keys(key, items)
            authors = [self._author(key, item) for item in items]
            if distinct := tuple(dict.fromkeys(author for author in authors if author)):
                return self._limit(key, distinct)
        return ()

    def _split_names(self, text: str) -> list[str]:
        """Split Pelican's list of authors at ";", or at "," unless that seems to split a name such as "Dee, Carl"."""
        parts = [part.strip() for part in text.split(";" if ";" in text else ",")]
        has_key = any(part in self._profiles for part in parts)
        return parts if ";" in text or has_key or all(" " in part for part in parts) else [text]

    def _warn_of_unknown_keys(self, key: str, items: list[Any]) -> None:
        """Add a warning for each text that is no key of authors.yml, but looks like one or is listed with some."""
        names = (
            [values.strip_wikilinks(one_line(item)) for item in items if isinstance(item, str)]
            if self._profiles
            else []
        )
        unknown = [name for name in names if name not in self._profiles]
        among_keys = len(unknown) == 1 and len(names) == len(items) > 1
        for name in unknown:
            if (name.islower() or among_keys) and " " not in name and not _EMAIL.fullmatch(name):
                self._warn_of_unknown_key(key, name)

    def _warn_of_unknown_key(self, key: str, author_key: str) -> None:
        close = get_close_matches(author_key.lower(), self._profiles, 1)
        suggestion = f" (did you mean {close[0]!r}?)" if close else ""
        self._warn(key, f"{values.quoted(author_key)} is not in authors.yml{suggestion}; the key is used as the name")

    def _author(self, key: str, value: Any) -> Author | None:
        if isinstance(value, bool):
            return None
        is_mapping = isinstance(value, dict)
        profile = dict(value) if is_mapping else self._parse_author(values.strip_wikilinks(values.as_text(value)))
        profile = {canonical_key(str(name)): item for name, item in profile.items() if not values.is_empty(item)}
        author_key = profile.get("key")
        if isinstance(author_key, str) and author_key in self._profiles:
            profile = {**self._profiles[author_key], **profile}
        elif author_key is not None:
            self._warn_of_unknown_key(key, str(author_key))
        name = _name_of(profile)
        if not name:
            self._ignore(key, "an author needs a name")
            return None
        email, url = profile.get("email"), next((profile[part] for part in keys.AUTHOR_URLS if part in profile), None)
        if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(one_line(email))):
            self._ignore(key, f"{values.quoted(email)} is not an e-mail address")
            email = None
        try:
            url = None if url is None else values.require_url(values.as_text(url))
        except ValueError as error:
            self._ignore(key, str(error))
            url = None
        return Author(name, email and one_line(email), url)

    def _parse_author(self, text: str) -> dict[str, Any]:
        """Return the profile in a text: a key of authors.yml, "Name <mail>", or a name."""
        if text in self._profiles:
            return {"key": text}
        match = _NAME_AND_EMAIL.fullmatch(text)
        return match.groupdict() if match else {"name": text}

    def image(self) -> Image | None:
        """Return the image given by a URL, by a mapping with url and alt, or by the first item of a list; or None."""
        return self._first_usable("image", self._image)

    def _image(self, key: str, value: Any) -> Image | None:
        if isinstance(value, list):
            value = next((item for item in value if not values.is_empty(item)), None)
        if value is None or isinstance(value, bool):
            return None
        alt: Any = None
        if isinstance(value, dict):
            value, alt = values.first_value(value, *keys.IMAGE_PARTS), values.first_value(value, "alt", "alttext")
            if value is None or isinstance(value, bool):
                return None
        url = values.wikilink_file(values.as_text(value))
        kind = media_type(url)
        if not url or (canonical_key(key) in keys.LOOSE_IMAGES and not kind.startswith("image/")):
            return None
        alt = alt if alt is not None else self.optional_text("imagealt") or ""
        return Image(values.require_url(url), values.as_text(alt), kind if kind.startswith("image/") else "")

    def enclosures(self) -> tuple[Enclosure, ...]:
        """Return the enclosures of all keys: URLs, mappings with url, type and length, or lists of these."""
        enclosures: dict[str, Enclosure] = {}
        for _, key, value in self._values_of("enclosures"):
            for item in value if isinstance(value, list) else [value]:
                if values.is_empty(item) or item is False:
                    continue
                try:
                    enclosure = self._enclosure(key, item)
                except ValueError as error:
                    self._ignore(key, str(error))
                else:
                    enclosures.setdefault(enclosure.url, enclosure)
        return tuple(enclosures.values())

    def _enclosure(self, key: str, value: Any) -> Enclosure:
        kind, length = None, ""
        if isinstance(value, dict):
            kind, size = values.first_value(value, "type"), values.first_value(value, "length", "size")
            value = values.first_value(value, "url", "src", "file")
            length = "" if size is None else values.as_text(size)
        if value is None or isinstance(value, bool):
            raise ValueError("an enclosure needs a url")
        url = values.require_url(values.wikilink_file(values.as_text(value)))
        if length and not (length.isascii() and length.isdecimal() and len(length) <= _MAX_LENGTH_DIGITS):
            self._ignore(key, f"{values.quoted(length)} is not a length in bytes")
            length = ""
        kind = values.as_text(kind) if kind is not None else ""
        return Enclosure(url, kind or media_type(url) or "application/octet-stream", int(length or 0))

    def withholding_line(self) -> int | None:
        """Return the line of the first key, of any generator, that withholds the article from publication, or None.

        Raise `ArticleError` for a `draft` that is neither true nor false.
        """
        if self._values.keys().isdisjoint(_WITHHOLDING):
            return None
        for _, key, value in self._values_of("unsupported"):
            if self._withholds(key, value):
                self._warn(key, f"{values.quoted(value)} {_UNSUPPORTED}", "withholding-key")
        found = [
            *(key for _, key, value in self._values_of("draft") if self._is_draft(key, value)),
            *self._flagged_keys("private", "public", "visibility", "status"),
            *(
                key
                for _, key, value in self._values_of("password")
                if value is not False and values.as_word(value) not in keys.NO
            ),
            *(key for _, key, value in self._values_of("elsewhere") if self._is_withheld_elsewhere(key, value)),
        ]
        return min(map(self._line_of_key, found), default=None)

    @staticmethod
    def _withholds(key: str, value: Any) -> bool:
        if canonical_key(key) in {"access", "accesslevel", "tier", "paywall"}:
            return values.as_word(value) not in keys.PUBLIC | keys.NO
        return values.as_word(value) in keys.YES or keys.is_misspelled_boolean(values.as_word(value))

    def _is_draft(self, key: str, value: Any) -> bool:
        word = values.as_word(value)
        if word in keys.YES | keys.NO:
            return word in keys.YES
        raise self.error(key, f"must be true or false, not {values.describe(value)}")

    def _flagged_keys(self, *fields: str) -> list[str]:
        found = ((field, key, value) for field in fields for _, key, value in self._values_of(field))
        return [key for field, key, value in found if self._is_flagged(field, key, value)]

    def _is_flagged(self, field: str, key: str, value: Any) -> bool:
        """Return whether a value withholds an article. Unknown values withhold it too, and add a warning."""
        withholding, publishing, advice = keys.FLAGS[field]
        word = values.as_word(values.unwrap(value))
        if word in withholding:
            return True
        if (word and word in publishing) or value in ([], {}) or _is_not_a_flag(canonical_key(key), value):
            return False
        effect = "in no feed" if field in {"unlisted", "listed"} else "not published"
        self._warn(
            key, f"{values.quoted(value)} is unknown, so the article is {effect}; write {advice}", "withholding-key"
        )
        return True

    def _is_withheld_elsewhere(self, key: str, value: Any) -> bool:
        """Return whether a key of one particular generator withholds the article in that generator."""
        if canonical_key(key) in {"published", "permalink"}:  # Jekyll: no article; Eleventy: no page is written
            return self._is_flagged("public", key, value)
        if canonical_key(key) == "build":  # Hugo
            mapping = value if isinstance(value, dict) else {}
            parts = [(part, values.first_value(mapping, part)) for part in ("list", "render")]
            return any(self._is_flagged("build", f"{key}.{part}", flag) for part, flag in parts if flag is not None)
        return self._is_flagged("private", key, value)  # Hugo's headless, Eleventy's eleventyExcludeFromCollections

    def is_listed(self) -> bool:
        """Return whether the article may be in feeds."""
        if self._values.keys().isdisjoint(_LISTING):
            return True
        return not (
            self._flagged_keys("unlisted", "listed")
            or any(
                values.as_word(value) in keys.UNLISTED
                for field in ("visibility", "status")
                for *_, value in self._values_of(field)
            )
            or any(_without_feeds(value) for _, _, value in self._values_of("outputs"))
        )

    def feed_names(self) -> tuple[str, ...]:
        """Return the names of the custom feeds that the key `feeds` lists, in the form that their paths have."""
        if "listed" not in self._values:
            return ()
        names = [
            slugify(name)
            for _, key, value in self._values_of("listed")
            if canonical_key(key) == "feeds" and isinstance(value, list | str)
            for item in values.flatten(value)
            if isinstance(item, str) and values.as_word(item) not in keys.YES | keys.NO | keys.PUBLIC
            for name in item.split(",")
        ]
        return tuple(dict.fromkeys(filter(None, names)))

    def _warn_of_typo(self, key: str, intended: str, value: Any) -> None:
        """Add a warning for a misspelled key if the intended key would withhold the article."""
        word = values.as_word(values.unwrap(value))
        fields = [field for field, _ in keys.FIELDS_BY_KEY[intended] if field in keys.FLAGS]
        field = fields[0] if fields else "public" if intended == "published" else "private"
        if intended in keys.FIELDS["password"]:
            withholds = isinstance(value, str) and not values.is_empty(value)
        else:
            is_typo = field not in {"visibility", "status"} and keys.is_misspelled_boolean(word)
            withholds = is_typo or word in keys.FLAGS[field][0] | keys.UNLISTED
        if withholds:
            self._warn(key, f"is unknown and has no effect; did you mean {intended!r}?", "withholding-key")

    def error(self, key: str, reason: str) -> ArticleError:
        """Return the error for the value of a key, with the line of the key."""
        return ArticleError(f"{key}: {reason}", self._line_of_key(key))

    def _first_usable(self, field: str, convert: Callable[[str, Any], T | None]) -> T | None:
        """Return the first usable value of a secondary field, converted, or None.

        `convert` takes a key and its value. It returns None for a value with another meaning, and raises `ValueError`
        with the reason for an unusable one.
        """
        if field not in self._values:
            return None
        for _, key, value in self._values_of(field):
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
        self.warnings.append(ArticleWarning(self._line_of_key(key), rule, escape_unprintable(f"{key}: {message}")))

    def _line_of_key(self, key: str) -> int:
        return self._line_of(key.partition(".")[0])  # for a key in a container, the line of the container

    def _limit(self, key: str, names: tuple[T, ...]) -> tuple[T, ...]:
        if len(names) > _MAX_NAMES:
            self._warn(key, f"{len(names)} names; only the first {_MAX_NAMES} are used")
        return names[:_MAX_NAMES]


def _name_of(profile: Mapping[str, Any]) -> str:
    """Return the name in an author's profile, or "" if it has none."""
    name = next((profile[part] for part in keys.AUTHOR_NAMES if part in profile), None)
    if isinstance(name, dict):  # Quarto: name: {given: …, family: …}
        profile, name = {**profile, **name}, name.get("literal")
    if name is None:
        parts = (profile.get(part) for part in ("given", "firstname", "family", "lastname"))
        name = " ".join(part for part in parts if isinstance(part, str)) or profile.get("key")
    return "" if isinstance(name, dict | list | bool) or name is None else values.strip_wikilinks(values.as_text(name))


def _is_not_a_flag(key: str, value: Any) -> bool:
    """Return whether the value of a canonical key is something other than a flag."""
    if key in keys.LOOSE_FLAGS:  # a path, the URL of a feed, a list of feeds, whose names a rule of `Lint` checks
        has_names = key == "feeds" and isinstance(value, list)
        return has_names or not keys.is_misspelled_boolean(values.as_word(values.unwrap(value)))
    if key in {"published", "publish"}:
        return values.looks_like_date(value)
    return key == "eleventyexcludefromcollections" and isinstance(value, list)


def _without_feeds(outputs: Any) -> bool:
    """Return whether Hugo's `outputs` lists formats, but no feed format."""
    names = [str(name) for name in values.flatten(outputs)]
    return bool(names) and not any(_FEEDS.search(name) for name in names)


def _optional_text(_key: str, value: Any) -> str | None:
    return value if isinstance(value, str) else None if isinstance(value, bool) else values.as_text(value)


def _optional_url(_key: str, value: Any) -> str | None:
    return None if isinstance(value, bool) else values.require_url(values.as_text(value))


def _language_tag(_key: str, value: Any) -> str:
    tag = values.as_text(value).replace("_", "-")
    if not is_language_tag(tag):
        raise ValueError(f"{values.quoted(tag)} is not a language tag; write it like en or pt-BR")
    return tag
