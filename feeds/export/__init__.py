"""The static tree: documents as files in a folder, or as objects in an object store. `opened` gives either.

What writes the tree need not know which one it is. Both keep a manifest beside the files, which says what is ours.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from feeds.errors import UsageError
from feeds.export.target import HEAD, MANIFEST, Fact, Target
from feeds.export.tree import Tree

__all__ = ["HEAD", "MANIFEST", "Fact", "Target", "Tree", "opened"]


def opened(place: str, headers: Callable[[str], Mapping[str, str]]) -> Target:
    """Open a folder, or an object store by its URL (s3://BUCKET/PREFIX), and look at what is there.

    `headers` gives those of HTTP that a file is to be sent with, by its path in the tree; a store keeps them with the
    object. Raises `FeedsError`; `UsageError` where the folder is none, or the library for stores is not installed.
    """
    if "://" not in place:
        folder = Path(place).absolute()
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{place}: is a file; name a folder to write to")
        return Tree(folder)
    try:
        from feeds.export.bucket import Bucket  # an extra, which a folder does without
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"{place}: what speaks to object stores is not installed ({missing.name}): pip install 'feeds[s3]'"
        ) from None
    return Bucket(place, headers)
