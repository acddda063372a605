"""Stores compiled templates where Python stores compiled modules, so that a command compiles them only once."""

import os
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket, BytecodeCache

from feeds import __version__
from feeds.core.text import digest_of


class TemplateCache(BytecodeCache):
    """Compiled templates in `__pycache__`; none if the folder can't be written.

    A stored template is used only if its checksum is the same: of its source, the versions of `feeds` and Jinja, and
    the size and the time of the file that creates the environment.
    """

    def __init__(self, environment_file: str) -> None:
        """`environment_file` is the module that creates the environment."""
        status = Path(environment_file).stat()
        self._digest = digest_of(__version__, jinja2.__version__, status.st_mtime_ns, status.st_size)

    def load_bytecode(self, bucket: Bucket) -> None:
        """Load the code of a template, if it is stored."""
        with suppress(OSError, NotImplementedError), self._path_of(bucket).open("rb") as file:
            bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Store the code of a template, unless Python is configured not to store the code of modules."""
        if sys.dont_write_bytecode:
            return
        with suppress(OSError, NotImplementedError):
            path = self._path_of(bucket)
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f"{path.name}.{os.getpid()}")
            new.write_bytes(bucket.bytecode_to_string())
            new.replace(path)  # another process may read it now

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Return the path of a template's file."""
        return filename or name

    def get_source_checksum(self, source: str) -> str:
        """Return the checksum of a template, which Jinja stores with the code and compares."""
        return digest_of(self._digest, source)

    def _path_of(self, bucket: Bucket) -> Path:
        """Return the path of a template's code. Raise `NotImplementedError` if Python stores no compiled modules."""
        return Path(cache_from_source(f"{bucket.key}.py"))
