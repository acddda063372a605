"""Finds changes of the configuration file of `feeds serve`, and of the site's templates, by polling."""

import os
import time
from pathlib import Path
from typing import NamedTuple

from feeds import config
from feeds.content.look import look_state
from feeds.content.static_files import StaticFiles
from feeds.core.errors import ConfigError

_RETRY_AFTER_S = 10.0
_MISSING_AFTER_S = 1.0  # an editor may remove the file for a shorter time when it replaces it


class _State(NamedTuple):
    """Values that change when the file is written, replaced, or gets other permissions, or when a template changes."""

    changed_ns: int
    modified_ns: int
    size: int
    inode: int
    look: str


class ConfigFile:
    """The configuration file, and the templates in the folder that it names."""

    def __init__(self, path: Path, settings: config.Config) -> None:
        """Poll the file at `path`, from which `settings` have just been loaded."""
        self._path = path
        self._settings = settings
        self._loaded_state = self._last_state = self._state()
        self._unchanged_since = time.monotonic()
        self._retry_at: float | None = None

    def retry_later(self) -> None:
        """Schedule another reload in a few seconds: the configuration has no mistake, but could not be used."""
        self._retry_at = time.monotonic() + _RETRY_AFTER_S

    def has_changed(self) -> bool:
        """Return whether the file or a template differs from the loaded one, and is the same as at the last call.

        The second condition waits until an editor has finished writing. A file that no longer exists differs after a
        second.
        """
        state, now = self._state(), time.monotonic()
        if state != self._last_state:
            self._last_state, self._unchanged_since = state, now
            return False
        if state is None and now - self._unchanged_since < _MISSING_AFTER_S:
            return False
        return state != self._loaded_state or (self._retry_at is not None and now >= self._retry_at)

    def load(self) -> config.Config:
        """Return the configuration as it is now. Raise `ConfigError` if it has mistakes, or if there is no file."""
        self._loaded_state, self._retry_at = self._state(), None
        if self._loaded_state is None:
            raise ConfigError([f"{self._path} is missing"])
        self._settings = config.load(self._path, os.environ)
        self._loaded_state = self._loaded_state._replace(
            look=self._look()
        )  # the new configuration may name another folder
        return self._settings

    @property
    def look(self) -> str:
        """A text that differs if templates were changed; see `look_state`."""
        return self._loaded_state.look if self._loaded_state else ""

    def _state(self) -> _State | None:
        """Return the state of the file; None if there is none."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return _State(stat.st_ctime_ns, stat.st_mtime_ns, stat.st_size, stat.st_ino, self._look())

    def _look(self) -> str:
        return look_state(self._settings.templates_folder, StaticFiles(self._settings.static_folder))
