"""The reference of the templates is complete."""

import re

from conftest import REPOSITORY

TEMPLATES = REPOSITORY / "feeds/pages/templates"


def test_the_reference_lists_all_templates_and_blocks():
    """docs/templates.md names every template and every block, and no others."""
    reference = (REPOSITORY / "docs/templates.md").read_text()
    sources = {file.name: file.read_text() for file in TEMPLATES.glob("*.html")}
    assert set(re.findall(r"`(\w+\.html)`", reference)) == set(sources)
    blocks = {name for source in sources.values() for name in re.findall(r"{% block (\w+)", source)}
    described = re.findall(r"^\| `(\w+)` \| [^|`]*[^|]* \|$", reference.partition("## Variables")[0], re.MULTILINE)
    assert set(described) == blocks


def test_the_reference_lists_all_css_variables():
    """docs/templates.md names every CSS variable that a site may set."""
    reference = (REPOSITORY / "docs/templates.md").read_text()
    style = (REPOSITORY / "feeds/pages/static/page.css").read_text()
    assert set(re.findall(r"--(?:color|font|width)[\w-]*", reference)) == set(
        re.findall(r"(--(?:color|font|width)[\w-]*):", style)
    )
