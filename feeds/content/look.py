"""The folders that determine the look of pages: which files are templates, and when they have changed."""

import contextlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from feeds.content.static_files import StaticFiles
from feeds.core.paths import CUSTOM_STYLESHEET
from feeds.core.text import digest_of

MAX_TEMPLATES = 500


def list_templates(folder: Path) -> Iterator[str]:
    """Yield the paths of files in a folder, separated by "/", without hidden files and temporary files of editors.

    If there are more than `MAX_TEMPLATES`, the first `MAX_TEMPLATES` + 1 are yielded, because `feeds serve` lists the
    folder several times a second.
    """
    return islice(_list_files(folder), MAX_TEMPLATES + 1)


def _list_files(folder: Path) -> Iterator[str]:
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(current).relative_to(folder)
        for name in sorted(files):
            if not name.startswith((".", "#")) and not name.endswith("~"):
                yield (below / name).as_posix()


def look_state(templates: Path | None, static_files: StaticFiles) -> str:
    """Return a text that changes when a template changes, or when the site's own stylesheet is added or removed.

    The contents of static files do not matter: they are read for each request.
    """
    state = list[tuple[object, ...]]()
    if templates:
        for name in list_templates(templates):
            with contextlib.suppress(OSError):  # it was removed meanwhile
                stat = (templates / name).stat()
                state.append((name, stat.st_ctime_ns, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return digest_of(state, static_files.find(Path(CUSTOM_STYLESHEET).name) is not None)
