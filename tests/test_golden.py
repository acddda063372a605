"""Golden cases: a folder of articles and the documents that are expected of it, byte for byte.

`pytest tests/test_golden.py --golden` writes what is made now; read the difference before it is committed.
"""

import shutil
from pathlib import Path

import pytest
from conftest import NOW
from rules import violations

CASES = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(site, case, request):
    """Each case produces exactly the reviewed documents, which follow the rules of their formats."""
    shutil.copytree(case / "content", site.content, dirs_exist_ok=True)
    if (case / "config.yaml").exists():
        shutil.copy(case / "config.yaml", site.root)
    site.publish(NOW)
    documents = site.documents()
    for name in ("rss.xml", "atom.xml", "feed.json"):
        body = documents[f"/{name}"]
        expected = case / "expected" / name
        if request.config.getoption("--golden"):
            expected.parent.mkdir(exist_ok=True)
            expected.write_bytes(body)
        assert body == expected.read_bytes()
        assert list(violations(name, body, f"https://test.example/{name}")) == []
