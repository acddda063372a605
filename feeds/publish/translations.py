"""Finds the translations of articles: live articles whose files differ only in the language of their names.

Only a file with a language in its name ("a.de.md") has a target of translations, which the table `links` stores. The
article that it translates ("a.md") is found by its path, so that sites in one language store nothing.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from feeds.catalog import CatalogWriter, LinkingArticle, PendingArticle
from feeds.core import syndication
from feeds.core.article_files import article_name
from feeds.core.model import Site, Translation
from feeds.core.parse.links import candidate_paths, is_translation_target, translated_name, translation_target

_START = f'"{translation_target("")}'  # of a target of translations in JSON


class FoundTranslations(NamedTuple):
    """The translations of some articles by key, and the key of the live article to which each target belongs."""

    by_article: dict[int, list[Translation]]
    originals: dict[str, int]


class Translations:
    """Finds the translations of the articles that a run changes, and of the articles whose translations it changes."""

    def __init__(self, catalog: CatalogWriter, site: Site, *, had_links: bool) -> None:
        """`had_links`: whether the catalog has any targets; without them, no query is made."""
        self._catalog = catalog
        self._site = site
        self._targets: dict[int, str] = {}  # key -> target of the articles of this run that have one
        self._had_any = had_links and catalog.has_translations()
        self._found: dict[int, Translation] = {}  # by key, a cache

    def add(self, article: PendingArticle) -> None:
        """Add an article of this run."""
        if article.links_to and _START in article.links_to:
            self._targets[article.key] = next(filter(is_translation_target, json.loads(article.links_to)))

    def affected(self, linking: Iterable[int], changed: dict[int, str], *, every: bool) -> set[int]:
        """Store the targets of this run, and return the keys of all articles whose translations may have changed.

        Args:
            linking: the keys of articles of this run that have links.
            changed: the paths of articles whose URL or live state may have changed, by key.
            every: whether to return all articles with translations.
        """
        if not (self._had_any or self._targets):
            return set()
        keys, names = {*linking, *changed}, map(article_name, changed.values())
        targets = self._catalog.translation_targets(keys, names, every=every) if self._had_any else set()
        targets |= set(self._targets.values())
        self._catalog.save_translation_targets(keys | self._targets.keys(), self._targets)
        return self._catalog.keys_linking_to((), targets) | set(self._originals(targets).values())

    def find(self, articles: list[LinkingArticle]) -> FoundTranslations:
        """Return the translations of articles. Call it after `affected`."""
        if not (self._had_any or self._targets):
            return FoundTranslations({}, {})
        names = {article.key: _translated_name(article) for article in articles}
        targets = self._catalog.translation_targets(names=set(names.values()))
        by_target = self._catalog.live_translations(targets)
        originals = self._originals(targets)
        for target, key in originals.items():
            by_target.setdefault(target, []).insert(0, key)
        self._look_up({key for keys in by_target.values() for key in keys})
        found = {}
        for article in articles:
            others = by_target.get(translation_target(names[article.key]), [])
            if article.key in others and len(others) > 1:
                found[article.key] = self._without_own_language(article.key, others)
        return FoundTranslations(found, originals)

    def _originals(self, targets: Iterable[str]) -> dict[str, int]:
        """Return by target the keys of the live articles without a language in their names."""
        target_of = {path: target for target in targets for path in candidate_paths(translated_name(target))}
        live = self._catalog.live_keys(target_of)
        return {target_of[path]: live[path] for path in reversed(target_of) if path in live}

    def _without_own_language(self, key: int, others: list[int]) -> list[Translation]:
        """Return one translation for each other language, by language."""
        by_language: dict[str, Translation] = {}
        for other in others:
            by_language.setdefault(self._found[other].language.casefold(), self._found[other])
        by_language.pop(self._found[key].language.casefold(), None)
        return [translation for _, translation in sorted(by_language.items())]

    def _look_up(self, keys: Iterable[int]) -> None:
        for stored in self._catalog.stored_articles([key for key in keys if key not in self._found]):
            language = stored.article.language or self._site.language
            self._found[stored.key] = Translation(language, syndication.article_url(stored.article, self._site))


def _translated_name(article: LinkingArticle) -> str:
    targets = filter(is_translation_target, article.targets)
    return next(map(translated_name, targets), article_name(article.path))
