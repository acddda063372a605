"""Finds the static files of a site: those in the folder `site.static`, which are published at `/static/…`."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from feeds.content.public_files import find_target, is_one_of
from feeds.core import paths
from feeds.core.parse.media import static_media_type

_MAX_FILES = 10_000


class UnpublishedFile(NamedTuple):
    """A file in the folder that is not published, and the reason."""

    file: Path
    reason: str


class StaticFiles:
    """The static files of a site; none if there is no folder."""

    def __init__(self, folder: Path | None, secrets: Collection[Path] = ()) -> None:
        """Find files in a folder; `secrets` are files that are never published, such as the configuration."""
        self._folder = folder
        self._secrets = secrets
        self.problem = ""  # the reason why the last list of files is incomplete

    def find(self, name: str) -> Path | None:
        """Return the file that is published at `/static/NAME`, with symbolic links resolved; None if there is none."""
        return self._find(name) if self._folder and not _reason_against(name) else None

    def find_by_path(self, path: str) -> Path | None:
        """Return the file that is published at a path such as `/static/logo.png`; None if there is none."""
        return self.find(path.removeprefix("/static/")) if path.startswith("/static/") else None

    def list_names(self) -> Iterator[str]:
        """Yield the names of all files that are published, which are their paths in the folder.

        If the folder has too many files, set `problem`.
        """
        yield from (name for name in self._list() if self.find(name))

    def list_unpublished(self) -> Iterator[UnpublishedFile]:
        """Yield the files that are not published, except for hidden files."""
        for name in self._list():
            reason = _reason_against(name)
            if not reason and not self._find(name):
                reason = "it is a link out of the folder, or can't be read"
            if reason and self._folder:
                yield UnpublishedFile(self._folder / name, reason)

    def _find(self, name: str) -> Path | None:
        assert self._folder
        target = find_target(self._folder, name)
        if target is None or _is_hidden(target) or not static_media_type(target) or self._is_below_link(name):
            return None
        file = self._folder / target
        return None if is_one_of(file, self._secrets) else file

    def _is_below_link(self, name: str) -> bool:
        """Return whether a file is in a folder to which a link leads: such folders are not listed either."""
        assert self._folder
        folder = name.rpartition("/")[0]
        return bool(folder) and (self._folder / folder).resolve() != self._folder.resolve() / folder

    def _list(self) -> Iterator[str]:
        count, self.problem = 0, ""
        for current, folders, files in os.walk(self._folder) if self._folder else ():
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            below = Path(current).relative_to(self._folder or "")
            for name in sorted(files):
                count += 1
                if count > _MAX_FILES:
                    self.problem = (
                        f"more than {_MAX_FILES:,} files are in this folder (site.static): the others, from "
                        f"{(below / name).as_posix()} on, are not exported; remove files, or publish them elsewhere"
                    )
                    return
                if not name.startswith("."):
                    yield (below / name).as_posix()


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or not part for part in name.split("/"))


def _reason_against(name: str) -> str:
    """Return the reason why a file with this name is not published; "" if it may be published."""
    path = f"/static/{name}"
    if _is_hidden(name) or not paths.is_publishable(path):
        return "its name can't be part of an address"
    if paths.is_asset(path):
        return f"{path} is a built-in file; choose another name"
    if not static_media_type(name):
        return "its type is unknown; use pictures, fonts, sound, video, .css, .js, .json, .pdf or .txt"
    return ""
