"""Files beside articles that say more about them: authors.yml, enclosures, the same article in other languages."""

import hashlib
import json
import logging
import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from feeds.article_files import SUFFIX_PATTERN, SUFFIXES
from feeds.errors import FeedsError
from feeds.folder.walk import AUTHORS_FILES
from feeds.model import Article, Enclosure, Site
from feeds.parse import yaml
from feeds.parse.fields import People
from feeds.parse.keys import canonical
from feeds.text import clean, scheme

_NAMES = sorted(AUTHORS_FILES)
_MAX_AUTHORS_BYTES = 256 * 1024
_VAULT = ".obsidian/app.json"  # Obsidian's settings of a vault
_LOG = logging.getLogger(__name__)
_SUFFIX = re.compile(
    rf"(?:^|/)(?P<stem>[^/]+)\.(?P<tag>[A-Za-z]{{2,3}}(?:[-_][A-Za-z0-9]{{2,8}})*)(?:{SUFFIX_PATTERN})$"
)
# languages of a suffix that needs no other sign: those that many sites are written in
_LANGUAGES = {
    "ar", "be", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "gl", "he", "hi",
    "hr", "hu", "id", "it", "ja", "ka", "ko", "lt", "lv", "mk", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl",
    "sr", "sv", "sw", "ta", "th", "tr", "uk", "ur", "vi", "zh",
}  # fmt: skip


class Companions:
    """Finds the files beside articles. What was read of authors.yml is remembered until `forget`."""

    def __init__(self, root: Path, site: Site) -> None:
        """`root` is the content folder."""
        self._root = root
        self._language = site.language.lower()
        self._has_attachments = site.pages and site.markdown == "obsidian"
        self._attachments: str | None = None  # Obsidian's folder of attachments; None: not yet read
        self._people: dict[str, People] = {}  # by folder
        self._digests: dict[str, bytes] = {}  # of those

    def forget(self) -> None:
        """Discard the authors that were read, so that every authors.yml is read again."""
        self._people.clear()
        self._digests.clear()
        self._attachments = None

    def people(self, path: str) -> People:
        """Return the entries of the authors.yml nearest to an article: in its folder, or in one above."""
        folder = path.rpartition("/")[0]
        if folder not in self._people:
            place = f"{self._root}/{folder}" if folder else f"{self._root}"
            found = next((name for name in _NAMES if os.path.isfile(f"{place}/{name}")), None)  # noqa: PTH113  # faster
            file = self._find(folder, found) if found else None
            self._people[folder] = _entries(file) if file else self.people(folder) if folder else {}
        return self._people[folder]

    def digest(self, path: str) -> bytes:
        """Return a digest of the entries of the authors.yml nearest to an article; nothing if there are none."""
        folder = path.rpartition("/")[0]
        if folder not in self._digests:
            people = self.people(path)
            self._digests[folder] = hashlib.sha256(repr(people).encode()).digest() if people else b""
        return self._digests[folder]

    def complete(self, article: Article) -> Article:
        """Return the article with what the files beside it tell.

        That is its language, if its file name has one, the length of enclosures, and where its image and embedded
        pictures are in a vault of Obsidian's.
        """
        if article.language is None and article.path.count(".") > 1 and (match := _SUFFIX.search(article.path)):
            article = replace(article, language=self._language_of(article.path, match))
        if article.enclosures and any(not file.length for file in article.enclosures):
            files = tuple(self._measured(article.path, file) for file in article.enclosures)
            article = replace(article, enclosures=files)
        if self._has_attachments and (image := article.image) and not (scheme(image.url) or image.url.startswith("/")):
            article = replace(article, image=replace(image, url=self._embedded(article.path, image.url) or image.url))
        if self._has_attachments and "![[" in article.body:
            from feeds.parse.commonmark import with_embeds  # which only such a site needs

            article = replace(article, body=with_embeds(article.body, lambda name: self._embedded(article.path, name)))
        return article

    def has_in_vault(self, path: str, name: str) -> bool:
        """Return whether a picture that an article of Obsidian's embeds by its name is there."""
        return self._embedded(path, name) is not None

    def _embedded(self, path: str, name: str) -> str | None:
        """Return where an embedded picture is from an article: beside it, in the vault, or in its attachments."""
        folder = path.rpartition("/")[0]
        attachments = self._attachments_folder()
        beside = attachments.startswith("./")
        inner = f"{folder}/{attachments[2:]}" if beside else attachments
        for place in (f"{folder}/{name}", name, f"{inner}/{name}"):
            if self._find("", place.lstrip("/")):
                return posixpath.relpath(place.lstrip("/"), folder or ".")
        return None

    def _attachments_folder(self) -> str:
        """Return the vault's folder of attachments, which may begin with "./" for the note's folder."""
        if self._attachments is None:
            try:
                settings = json.loads((self._root / _VAULT).read_bytes()[:_MAX_AUTHORS_BYTES])
            except (OSError, ValueError, RecursionError):
                settings = {}
            folder = settings.get("attachmentFolderPath") if isinstance(settings, dict) else None
            self._attachments = folder if isinstance(folder, str) else "/"
        return self._attachments

    def _language_of(self, path: str, match: re.Match[str]) -> str | None:
        """Return the language of `note.de.md`, or of `index.fr.md`; None for `node.js.md`."""
        tag = match["tag"].replace("_", "-")
        if tag.lower() == self._language or tag.lower().partition("-")[0] in _LANGUAGES:
            return tag
        folder = path.rpartition("/")[0]
        return tag if any(self._find(folder, match["stem"] + suffix) for suffix in SUFFIXES) else None

    def _measured(self, path: str, file: Enclosure) -> Enclosure:
        name = unquote(file.url.partition("?")[0].partition("#")[0])
        if file.length or scheme(file.url) or name.startswith("/"):
            return file
        place = self._find(path.rpartition("/")[0], name)
        return replace(file, length=place.stat().st_size) if place else file

    def _find(self, folder: str, name: str) -> Path | None:
        """Return a file of the content folder; None if there is none, or a link to something outside or hidden."""
        place = self._root / folder / name
        try:
            *folders, found = place.resolve().relative_to(self._root.resolve()).parts if place.is_file() else ("",)
        except (OSError, ValueError, RuntimeError):  # a name that can't be, links that lead out, or in a circle
            return None
        is_hidden = found.startswith(".") and found not in AUTHORS_FILES
        return None if not found or is_hidden or any(part.startswith(".") for part in folders) else place


def _entries(file: Path) -> People:
    try:
        text = clean(file.read_bytes()[:_MAX_AUTHORS_BYTES].decode("utf-8-sig"))
        found = yaml.load(text).plain()
    except (OSError, ValueError, RecursionError, FeedsError) as error:
        _LOG.warning("%s: can't be read (%s); the keys of authors stand for their names", file, error)
        return {}
    if isinstance(found, dict) and isinstance(found.get("authors"), dict):  # MkDocs
        found = found["authors"]
    return {key: _facts(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _facts(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return {canonical(key): fact for key, fact in value.items()}
    return {"name": value}
