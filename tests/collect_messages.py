"""Collects the messages of pages and updates the catalogs in feeds/pages/locales (`make messages`).

Messages that are new have an empty translation, and pages show them in English. To add a language, create the folder of
its catalog with a file that contains only a header, and run this script.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from feeds.pages.translations import catalog_file, languages

PACKAGE = Path(__file__).parents[1] / "feeds" / "pages"
METHODS = [("**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"**.html": {"trimmed": "true"}}
KEYWORDS = {"_": None, "mark": None, "mark_in_context": ((1, "c"), 2), "gettext": None, "ngettext": (1, 2)}


def collect():
    """Return a catalog of the messages in templates and modules, without translations."""
    catalog = Catalog()
    for file, _, message, comments, context in extract_from_dir(PACKAGE, METHODS, OPTIONS, KEYWORDS):
        location = (f"feeds/pages/{file}", None)
        catalog.add(message, None, [location], auto_comments=comments, context=context)
    return catalog


def read(language):
    """Return the catalog of a language."""
    return read_po(io.BytesIO(catalog_file(language).read_bytes()), locale=language)


def update(language, messages):
    """Add new messages to the catalog of a language, and remove those that are no longer used."""
    text = catalog_file(language).read_text("utf-8")
    catalog = read(language)
    catalog.update(messages, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    written = io.BytesIO()
    write_po(written, catalog, width=120, omit_header=True, include_lineno=False)
    header = text.partition("\n\n")[0]
    catalog_file(language).write_text(f"{header}\n\n{written.getvalue().decode().strip()}\n", "utf-8")


if __name__ == "__main__":
    collected = collect()
    for known in languages()[1:]:
        update(known, collected)
