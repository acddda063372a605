"""Reads files that complete articles: authors.yml, enclosures, attachments, the same article in other languages."""

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

from feeds.content.walk import AUTHORS_FILES
from feeds.core.article_files import SUFFIX_PATTERN, SUFFIXES, article_name
from feeds.core.errors import FeedsError
from feeds.core.model import Article, Enclosure, Site
from feeds.core.parse import yaml
from feeds.core.parse.fields import AuthorProfiles
from feeds.core.parse.keys import canonical_key
from feeds.core.text import clean, url_scheme

_NAMES = sorted(AUTHORS_FILES)
_MAX_AUTHORS_BYTES = 256 * 1024
_VAULT = ".obsidian/app.json"  # Obsidian's settings of a vault
_LOG = logging.getLogger(__name__)
_SUFFIX = re.compile(
    rf"(?:^|/)(?P<stem>[^/]+)\.(?P<tag>[A-Za-z]{{2,3}}(?:[-_][A-Za-z0-9]{{2,8}})*)(?:{SUFFIX_PATTERN})$"
)
# common languages: a suffix such as `.de` is one even if there is no other version of the article
_LANGUAGES = {
    "ar", "be", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "gl", "he", "hi",
    "hr", "hu", "id", "it", "ja", "ka", "ko", "lt", "lv", "mk", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl",
    "sr", "sv", "sw", "ta", "th", "tr", "uk", "ur", "vi", "zh",
}  # fmt: skip


class RelatedFiles:
    """Reads the files that complete articles. Caches each authors.yml until `clear`."""

    def __init__(self, root: Path, site: Site) -> None:
        """Read files below the content folder (`root`)."""
        self._root = root
        self._language = site.language.lower()
        self._has_attachments = site.pages and site.markdown == "obsidian"
        self._attachments: str | None = None  # Obsidian's folder of attachments; None: not read yet
        self._authors: dict[str, AuthorProfiles] = {}  # by folder
        self._digests: dict[str, bytes] = {}  # digests of the authors, by folder

    def clear(self) -> None:
        """Clear the cache, so that every authors.yml is read again."""
        self._authors.clear()
        self._digests.clear()
        self._attachments = None

    def authors_for(self, path: str) -> AuthorProfiles:
        """Return the entries of the authors.yml nearest to an article: in its folder, or in one above."""
        folder = path.rpartition("/")[0]
        if folder not in self._authors:
            parent = f"{self._root}/{folder}" if folder else f"{self._root}"
            name = next((name for name in _NAMES if os.path.isfile(f"{parent}/{name}")), None)  # noqa: PTH113  # faster
            file = self._find(folder, name) if name else None
            self._authors[folder] = _read_authors(file) if file else self.authors_for(folder) if folder else {}
        return self._authors[folder]

    def authors_digest(self, path: str) -> bytes:
        """Return a digest of the entries of the authors.yml nearest to an article; b"" if there are none."""
        folder = path.rpartition("/")[0]
        if folder not in self._digests:
            authors = self.authors_for(path)
            self._digests[folder] = hashlib.sha256(repr(authors).encode()).digest() if authors else b""
        return self._digests[folder]

    def complete(self, article: Article) -> Article:
        """Return the article with values that other files determine.

        These are its language, if its file name has one, the lengths of enclosures, and the paths of its image and
        embedded images in an Obsidian vault.
        """
        if article.language is None and article.path.count(".") > 1 and (match := _SUFFIX.search(article.path)):
            article = replace(article, language=self._language_of(article.path, match))
        if article.enclosures and any(not file.length for file in article.enclosures):
            files = tuple(self._with_length(article.path, file) for file in article.enclosures)
            article = replace(article, enclosures=files)
        if (
            self._has_attachments
            and (image := article.image)
            and not (url_scheme(image.url) or image.url.startswith("/"))
        ):
            article = replace(article, image=replace(image, url=self._embedded(article.path, image.url) or image.url))
        if self._has_attachments and "![[" in article.body:
            from feeds.core.parse.commonmark import add_image_paths  # imported only if it is needed

            article = replace(
                article, body=add_image_paths(article.body, lambda name: self._embedded(article.path, name))
            )
        return article

    def translated_name(self, path: str) -> str | None:
        """Return the name of the article that a file translates: `a` for `a.de.md`; None without a language."""
        if path.count(".") < 2 or not (match := _SUFFIX.search(path)) or not self._language_of(path, match):  # noqa: PLR2004
            return None
        return article_name(f"{path[: match.end('stem')]}{SUFFIXES[0]}")

    def has_embedded(self, path: str, name: str) -> bool:
        """Return whether an image exists that an article in an Obsidian vault embeds by its name."""
        return self._embedded(path, name) is not None

    def _embedded(self, path: str, name: str) -> str | None:
        """Return the relative path of an embedded image: beside the article, in the vault, or in its attachments."""
        folder = path.rpartition("/")[0]
        attachments = self._attachments_folder()
        if attachments.startswith("./"):
            attachments = f"{folder}/{attachments[2:]}"
        for candidate in (f"{folder}/{name}", name, f"{attachments}/{name}"):
            if self._find("", candidate.lstrip("/")):
                return posixpath.relpath(candidate.lstrip("/"), folder or ".")
        return None

    def _attachments_folder(self) -> str:
        """Return the vault's folder of attachments; "./" at its beginning is the note's folder."""
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

    def _with_length(self, path: str, file: Enclosure) -> Enclosure:
        name = unquote(file.url.partition("?")[0].partition("#")[0])
        if file.length or url_scheme(file.url) or name.startswith("/"):
            return file
        found = self._find(path.rpartition("/")[0], name)
        return replace(file, length=found.stat().st_size) if found else file

    def _find(self, folder: str, name: str) -> Path | None:
        """Return a file of the content folder; None if it is missing, hidden, or outside the folder."""
        file = self._root / folder / name
        try:
            *folders, target = file.resolve().relative_to(self._root.resolve()).parts if file.is_file() else ("",)
        except (OSError, ValueError, RuntimeError):  # an invalid name, a link that leads out, or a loop of links
            return None
        is_hidden = target.startswith(".") and target not in AUTHORS_FILES
        return None if not target or is_hidden or any(part.startswith(".") for part in folders) else file


def _read_authors(file: Path) -> AuthorProfiles:
    try:
        text = clean(file.read_bytes()[:_MAX_AUTHORS_BYTES].decode("utf-8-sig"))
        content = yaml.load(text).to_value()
    except (OSError, ValueError, RecursionError, FeedsError) as error:
        _LOG.warning("%s: can't be read (%s); the keys of authors are used as names", file, error)
        return {}
    if isinstance(content, dict) and isinstance(content.get("authors"), dict):  # MkDocs
        content = content["authors"]
    return {key: _profile(value) for key, value in content.items()} if isinstance(content, dict) else {}


def _profile(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return {canonical_key(key): item for key, item in value.items()}
    return {"name": value}
