"""The export: documents and pages as files in a folder, or as objects in an object store. `open_target` opens either.

The code that writes the files doesn't depend on the kind of target. Each target has a manifest, which lists the files
of the export.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from feeds.core.errors import UsageError
from feeds.export.target import HEAD_BYTES, MANIFEST, ExportTarget, ManifestEntry
from feeds.export.tree import FolderTarget

__all__ = ["HEAD_BYTES", "MANIFEST", "ExportTarget", "FolderTarget", "ManifestEntry", "open_target"]


def open_target(target: Path | str, headers: Callable[[str], Mapping[str, str]]) -> ExportTarget:
    """Open a folder, or an object store, and read its manifest.

    Args:
        target: the path of a folder, or a URL such as s3://BUCKET/PREFIX.
        headers: returns the HTTP headers of the file at a path of the export. A store keeps them with the object.

    Raises:
        UsageError: the folder is a file, or the library for object stores is not installed.
        FeedsError: the target can't be read.
    """
    if isinstance(target, Path):
        folder = target.absolute()
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{target}: is a file; choose a folder")
        return FolderTarget(folder)
    try:
        from feeds.export.bucket import BucketTarget  # an optional dependency
    except ModuleNotFoundError as missing:
        from feeds.distribution import install_command

        raise UsageError(
            f"{target}: the library for object stores is not installed ({missing.name}): {install_command('s3')}"
        ) from None
    return BucketTarget(target, headers)
