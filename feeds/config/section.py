"""The base of the sections of config.yaml."""

from pydantic import BaseModel, ConfigDict


class KeyedError(ValueError):
    """A mistake in the value of a key, found by the validator of a section that contains the key."""

    def __init__(self, reason: str, *keys: str) -> None:
        """`keys` lead from the section to the value."""
        super().__init__(reason)
        self.keys = keys


class Section(BaseModel):
    """A section of config.yaml: unknown keys are mistakes, and values do not change."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True, defer_build=True
    )
