"""The levels of the problems that `feeds check` reports."""

from typing import Literal

Level = Literal["error", "warning", "notice"]
