"""The generated parts of the documentation: docs/reference.py."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


def load_script(name):
    """Return a script in docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["config.md", "commands.md"])
def test_generated_parts_are_current(page):
    """docs/config.md and docs/commands.md have what `make reference` writes."""
    text = (DOCS / page).read_text("utf-8")
    assert load_script("reference").update(text) == text, "run `make reference`"


def test_every_key_and_every_command_has_a_section():
    """The reference has a heading for each key of config.yaml, with its default, and for each command."""
    text = (DOCS / "config.md").read_text("utf-8")
    assert "### `feeds.limit`\n\nWhole number from 1 to 10,000. Default: `50`.\n" in text
    assert "### `site.title`\n\nText. Required.\n" in text
    assert "## feeds build\n" in (DOCS / "commands.md").read_text("utf-8")
