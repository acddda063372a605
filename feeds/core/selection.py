"""Selections of the articles of a feed, by their categories, tags, authors, languages and folders.

A *group* of articles has the path that its feed has or would have, such as `category/news`, `language/fr` or
`folder/notes/2026`. So a selection is a set of such paths, and the paths of an article's groups alone determine whether
it is selected. The catalog stores these paths, so no file is read after a change of a selection.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from feeds.core.text import slugify

Criteria = tuple[frozenset[str], ...]
"""For each key of a selection, the paths of its groups. An article matches if it is in one group of every key."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The articles that match `include` (all articles if it is empty), except those that match `exclude`."""

    include: Criteria = ()
    exclude: Criteria = ()

    def selects(self, groups: AbstractSet[str]) -> bool:
        """Return whether an article with these groups is selected."""
        for wanted in self.include:
            if wanted.isdisjoint(groups):
                return False
        return not self.exclude or any(unwanted.isdisjoint(groups) for unwanted in self.exclude)

    def describe(self) -> str:
        """Return a text that is the same for equal selections, in every process."""
        return repr([[sorted(groups) for groups in criteria] for criteria in (self.include, self.exclude)])

    @property
    def is_contradictory(self) -> bool:
        """Whether no article can be selected, because `exclude` matches every article that `include` matches."""
        return bool(self.exclude) and all(
            any(all(_is_within(group, excluded) for group in included) for included in self.include)
            for excluded in self.exclude
        )


def _is_within(group: str, others: Iterable[str]) -> bool:
    """Return whether every article of a group is in one of the others; a folder contains those below it."""
    return any(group == other or (group.startswith("folder/") and group.startswith(f"{other}/")) for other in others)


def group_path(kind: str, name: str) -> str | None:
    """Return the path of a group, such as `category/news`; None if the name has no letters or digits.

    The name of a folder may have several parts: `notes/2026`.
    """
    slugs = [slugify(part) for part in name.strip("/").split("/")] if kind == "folder" else [slugify(name)]
    return "/".join((kind, *slugs)) if all(slugs) else None


def criteria(names_by_kind: Mapping[str, Iterable[str]]) -> Criteria:
    """Return the criteria of a selection. Keys without names are left out; every name must have a path."""
    return tuple(
        frozenset(path for name in names if (path := group_path(kind, name)))
        for kind, names in sorted(names_by_kind.items())
        if names
    )
