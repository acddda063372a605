"""Golden cases: a folder of articles and the documents that are expected of it, byte for byte.

`pytest tests/test_golden.py --golden` writes what is made now; read the difference before it is committed. The cases
`entries-…` have the articles of `entries-full`, unless they have their own, and show them in another way each. The cases
`select-…` have the articles of `select-none`, and select them in another way each, for the feeds in the file `folders`.
"""

import json
import shutil
from pathlib import Path

import pytest
from conftest import NOW
from read_entries import read_entries
from rules import violations

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path for path in GOLDEN.iterdir() if path.is_dir())
NAMES = ("rss.xml", "atom.xml", "feed.json")


def copy_case(case, site):
    """Copy the articles and the configuration of a case to a site."""
    content = case / "content"
    if not content.exists():
        content = GOLDEN / ("select-none" if case.name.startswith("select-") else "entries-full") / "content"
    shutil.copytree(content, site.content, dirs_exist_ok=True)
    if (case / "config.yaml").exists():
        shutil.copy(case / "config.yaml", site.root)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(site, case, request):
    """Each case produces exactly the reviewed documents, which follow the rules of their formats."""
    copy_case(case, site)
    site.publish(NOW)
    documents = site.documents()
    folders = ["/", "/summary/"] if "/summary/rss.xml" in documents else ["/"]
    if (case / "folders").exists():
        folders = (case / "folders").read_text().split()
    for path in [f"{folder}{name}"[1:] for folder in folders for name in NAMES]:
        body = documents[f"/{path}"]
        expected = case / "expected" / path
        if request.config.getoption("--golden"):
            expected.parent.mkdir(exist_ok=True, parents=True)
            expected.write_bytes(body)
        assert body == expected.read_bytes()
        assert list(violations(expected.name, body, f"https://test.example/{path}")) == []


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name.startswith("entries-")], ids=lambda case: case.name
)
def test_entries_are_the_same_in_all_formats(site, case):
    """However a feed shows its entries, they are equal in the three formats, with the ids and dates of the full texts."""
    copy_case(case, site)
    site.publish(NOW)
    documents = site.documents()
    original = case if (case / "content").exists() else GOLDEN / "entries-full"
    full = json.loads((original / "expected/feed.json").read_bytes())["items"]
    identities = [(item["id"], item["date_published"], item["date_modified"]) for item in full]
    for folder in ["/", *(["/summary/"] if "/summary/rss.xml" in documents else [])]:
        items = json.loads(documents[f"{folder}feed.json"])["items"]
        assert [(item["id"], item["date_published"], item["date_modified"]) for item in items] == identities
        rss, atom, jsonfeed = (read_entries(name, documents[folder + name]) for name in NAMES)
        external = {item["id"]: item["external_url"] for item in items if "external_url" in item}
        for entry, atom_entry, json_entry in zip(rss, atom, jsonfeed, strict=True):
            if entry["id"] in external:  # each format has its own definition, unless link_blog is set
                if "link_blog" in (case / "config.yaml").read_text():
                    assert entry["url"] == atom_entry["url"]
                assert entry["url"] in {json_entry["url"], external[entry["id"]]}
                entry["url"] = atom_entry["url"] = json_entry["url"]
            if not json_entry["title"]:  # Atom requires a title
                atom_entry["title"] = ""
            if not json_entry["summary"]:  # RSS Profile: without a summary, the description is the text
                entry["html"], entry["summary"] = entry["summary"], ""
                atom_entry["summary"] = ""  # feedparser repeats the content
            assert entry == atom_entry == json_entry


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name.startswith("select-")], ids=lambda case: case.name
)
def test_selected_entries_are_the_same_in_all_formats(site, case):
    """Whatever a feed selects, its entries are equal in the three formats, with the ids and dates of the site's feed."""
    copy_case(case, site)
    site.publish(NOW)
    documents = site.documents()
    full = json.loads((GOLDEN / "select-none/expected/feed.json").read_bytes())["items"]
    identities = {(item["id"], item["date_published"], item["date_modified"]) for item in full}
    for folder in (case / "folders").read_text().split():
        items = json.loads(documents[f"{folder}feed.json"])["items"]
        assert items
        assert {(item["id"], item["date_published"], item["date_modified"]) for item in items} <= identities
        read = [
            [(entry["id"], entry["published"], entry["updated"], entry["summary"], entry["language"]) for entry in one]
            for one in (read_entries(name, documents[folder + name]) for name in NAMES)
        ]
        assert read[0] == read[1] == read[2]
