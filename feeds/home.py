"""Home folders in paths."""

import os

from feeds.core.text import printable_excerpt


def expand_home(path: str) -> str:
    """Return a path with "~" or "~USER" at its beginning replaced by that user's home folder, as in a shell.

    Raise `ValueError` if the home folder is unknown.
    """
    if not path.startswith("~"):
        return path
    expanded = os.path.expanduser(path)  # noqa: PTH111  # a Path would drop the "./" of "./~"
    if expanded.startswith("~"):
        user = printable_excerpt(path.partition("/")[0])
        raise ValueError(f"the home folder {user} is unknown; write the whole path (./{user} is a folder of that name)")
    return expanded
