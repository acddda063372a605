"""The encodings of values in columns: moments, the feeds of an article, and whole articles. This module has no SQL.

A moment is stored as microseconds since 1970 in UTC, an article as compressed JSON and text. A new field of `Article`
needs no change here, except for two cases: JSON can't represent its value, such as a tuple or a date (then add it to
`_UNPACK` or `_DATES`), or its default is not empty (see `listed`).
"""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from pydantic_core import from_json, to_json

from feeds.compression import compress_text, decompress_text
from feeds.core.errors import CatalogDamaged
from feeds.core.model import Article, ArticleWarning, Author, Enclosure, Image

UNLISTED = "unlisted"  # the `other_groups` of an article that no feed may contain
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970 in UTC."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_microseconds(since_epoch: int) -> datetime:
    """Return the moment in UTC of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=since_epoch)


def names_by_feed(feeds: str) -> dict[str, str]:
    """Return the feeds of an article: the name of each by its path, spelled as in the article."""
    return from_json(feeds)  # type: ignore[no-any-return]


def groups_by_path(other_groups: str | None) -> dict[str, str]:
    """Return the groups of a listed article that can be derived neither from its feeds nor from its path."""
    return from_json(other_groups) if other_groups else {}


def pack_article(article: Article) -> bytes:
    """Return an article in its stored form."""
    values = {name: value for name, value in zip(_FIELDS, _field_values(article), strict=True) if value}
    if article.listed:  # as nearly all are
        del values["listed"]
    else:
        values["listed"] = False
    for name in _DATES & values.keys():
        values[name] = values[name].isoformat()
    return pack_text(to_json(values).decode(), article.body)


def pack_text(fields_json: str, body: str) -> bytes:
    """Return the fields of an article, given as JSON, and its body in their stored form."""
    return compress_text(f"{fields_json}\n{body}")  # JSON has no line break


_FIELDS = tuple(field.name for field in fields(Article) if field.name != "body")
_field_values = attrgetter(*_FIELDS)
_DATES = {"published", "updated", "expires", "live_from"}
_UNPACK: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_DATES, datetime.fromisoformat),
    "categories": tuple,
    "tags": tuple,
    "feeds": tuple,
    "authors": lambda authors: tuple(Author(**author) for author in authors),
    "image": lambda image: Image(**image),
    "enclosures": lambda files: tuple(Enclosure(**file) for file in files),
    "warnings": lambda warnings: tuple(ArticleWarning(**warning) for warning in warnings),
}


def unpack_article(packed: bytes) -> Article:
    """Return the article that `pack_article` packed. Raise `CatalogDamaged` if the bytes are not a packed article."""
    try:
        fields_json, _, body = decompress_text(packed).partition("\n")
    except ValueError as error:
        raise CatalogDamaged(f"the catalog is damaged: an article in it can't be read: {error}") from error
    values = {key: _UNPACK[key](value) if key in _UNPACK else value for key, value in from_json(fields_json).items()}
    return Article(body=body, **{"title": "", **values})  # empty values are not stored
