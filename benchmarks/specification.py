"""Run the examples of CommonMark and GFM through the whole program: python benchmarks/specification.py FILE...

A FILE has the format of spec.txt (commonmark/commonmark-spec; test/spec.txt and test/extensions.txt of
github/cmark-gfm). Each example becomes an article, one `feeds build` publishes all articles, and the HTML of each entry
of feed.json is compared with the HTML in the specification. Print for each file the number of equal examples, and a
line with a reason for each other example:

- `dialect`: equal except for the named, intended difference of the dialect,
- `sanitised`: equal to the expected HTML after the sanitiser, which removes the named elements,
- `WRONG`: any other difference. The exit code is 1 then.

Equal means: the same elements, attributes and text, with absolute URLs and without the ids of headings.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import nh3
import yaml

from feeds.core.parse import html
from feeds.core.syndication import anchor_prefix
from feeds.core.text import absolute_url

SITE = "https://spec.example"
EXAMPLE = re.compile(r"^`{32} example([^\n]*)\n(.*?)^\.\n(.*?)^`{32}$|^#{1,6} ([^\n]*)$", re.DOTALL | re.MULTILINE)
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
URLS = {"href", "src", "cite", "poster"}
ANY_OUTPUT = "<IGNORE>\n"  # expected in examples that test only whether the program crashes

_ALIGN = re.compile(r' align="(left|right|center)"')
_LINK_TO_ITSELF = re.compile(r'<a href="((?:mailto:)?([^"]*))">([^<]*)</a>')
_LINK_TO_ODD_HOST = re.compile(r'<a href="https?://(?:[^."/]*|[^"/]*%[^"/]*)(?:/[^"]*)?">([^<]*)</a>')
_CHECKBOX = re.compile(r"<input (?=[^<>]*disabled)[^<>]*>")
_COMMENT = re.compile(r"&lt;!--(?:-?&gt;|(?:(?!--&gt;).)*[^-]--&gt;)")


@dataclass
class Example:
    """An example of a specification, and the entry that feeds published for it."""

    number: int
    section: str
    markdown: str
    expected: str
    got: str = ""
    url: str = ""
    prefix: str = ""  # of the ids in the entry


class _Text(str):
    """A text between tags."""

    __slots__ = ()


class _Tokens(HTMLParser):
    """Splits HTML into tags, with sorted attributes and absolute URLs, and texts."""

    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tokens: list[str] = []
        self._base = base

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add a start tag."""
        values = (
            (name, absolute_url(value or "", self._base) if name in URLS else value or "") for name, value in attrs
        )
        self.tokens.append(f"<{tag}" + "".join(f' {name}="{value}"' for name, value in sorted(values)) + ">")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add a self-closing tag, which is a start tag in HTML."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Add an end tag."""
        if tag not in VOID:
            self.tokens.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Add a text, or append to the last one."""
        if self.tokens and self.tokens[-1] == "<pre>":
            data = data.removeprefix("\n")  # HTML parsers ignore it
        if self.tokens and isinstance(self.tokens[-1], _Text):
            data = self.tokens.pop() + data
        self.tokens.append(_Text(data))

    def handle_comment(self, data: str) -> None:
        """Add a comment."""
        self.tokens.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        """Add a declaration."""
        self.tokens.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        """Add a processing instruction."""
        self.tokens.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        """Add a CDATA section."""
        self.tokens.append(f"<![{data}]>")


def tokens(source: str, base: str) -> list[str]:
    """Return the tags and texts of HTML."""
    reader = _Tokens(base)
    reader.feed(source.strip())
    reader.close()
    return reader.tokens


def as_browsers_read(source: str) -> str:
    """Return HTML after parsing and serialising: every element closed and nested correctly, nothing removed."""
    names = {name.lower() for name in re.findall(r"[A-Za-z][\w:-]*", source)}
    cleaner = nh3.Cleaner(
        tags=names | {"colgroup", "tbody", "tr"},
        clean_content_tags=set(),
        attributes={"*": names},
        strip_comments=False,
        link_rel=None,
        url_schemes={scheme.lower() for scheme in re.findall(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)", source)},
    )
    return cleaner.clean(source)


def examples(text: str) -> Iterator[Example]:
    """Yield the examples of a specification; `→` in it means a tab."""
    section, number = "", 0
    for match in EXAMPLE.finditer(text):
        if match[4] is not None:
            section = match[4]
        else:
            number += 1
            yield Example(number, section, match[2].replace("→", "\t"), match[3].replace("→", "\t"))


def publish(published: list[Example], root: Path) -> None:
    """Build a site with an article for each example, and store the published entries in the examples."""
    config = {
        "site": {"title": "Specification", "url": SITE},
        "feeds": {"limit": len(published), "max_size": 0, "archives": False, "by": []},
    }
    (root / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    content = root / "content"
    content.mkdir()
    for example in published:
        matter = f"---\ntitle: Example {example.number}\ndate: 2026-01-01\nslug: {example.number}\n---\n"
        (content / f"{example.number}.md").write_text(matter + example.markdown, "utf-8", newline="")
    subprocess.run([sys.executable, "-m", "feeds", "build", "-q"], cwd=root, check=True)
    items = json.loads((root / "public" / "feed.json").read_text("utf-8"))["items"]
    entries = {item["url"].rstrip("/").rpartition("/")[2]: item for item in items}
    for example in published:
        entry = entries[str(example.number)]
        example.got = entry.get("content_html", "")
        example.url, example.prefix = entry["url"], anchor_prefix(entry["id"])


def difference(example: Example) -> str:
    """Return why an entry differs from the expected HTML; "" if it does not."""
    if example.expected == ANY_OUTPUT:
        return ""
    got = re.sub(rf'(<h[1-6]) id="{example.prefix}[^"]*">', r"\1>", example.got)
    expected = _ALIGN.sub(r' style="text-align:\1"', example.expected)
    variants = {name: change(got, expected) for name, change in INTENDED_DIFFERENCES.items()}
    for name, (entry, reference) in variants.items():
        if same(entry.replace(f'="{example.prefix}', '="'), as_browsers_read(reference), example):
            return name and f"dialect: {name}"
    for name, (entry, reference) in variants.items():
        if same(entry, html.sanitize(reference, example.url, example.prefix), example):
            removed = lost(entry, as_browsers_read(reference), example)
            return f"sanitised: without {removed}" + (f" ({name})" if name else "")
    return "WRONG"


def same(one: str, other: str, example: Example) -> bool:
    """Return whether two HTML texts have the same tags and texts."""
    return tokens(one, example.url) == tokens(other, example.url)


def lost(got: str, expected: str, example: Example) -> str:
    """Return the tags and texts of the expected HTML that an entry lacks, on one line."""
    rest = tokens(got, example.url)
    text = " ".join(token for token in rest if isinstance(token, _Text))
    missing = []
    for token in tokens(expected, example.url):
        if token in rest:
            rest.remove(token)
        elif not isinstance(token, _Text) or token.strip() not in text:
            missing.append(" ".join(token.split()))
    return " ".join(dict.fromkeys(missing))[:90]


def without_footnote_marks(source: str) -> str:
    """Return HTML without the backlinks, ids and classes of footnotes."""
    if "footnote" not in source:
        return source
    source = re.sub(r"\s*<a [^>]*>↩[^<]*</a>", "", source)
    source = re.sub(r'(<(?:sup|li|a|div|section))(?: (?:id|class|href)="[^"]*")+', r"\1", source)
    return re.sub(r"(</?)section", r"\1div", source)


INTENDED_DIFFERENCES: dict[str, Callable[[str, str], tuple[str, str]]] = {
    "": lambda got, expected: (got, expected),
    "a check box is a character": lambda got, expected: (
        got,
        _CHECKBOX.sub(lambda box: "☑" if "checked" in box[0] else "☐", expected),
    ),
    "an address in a text is a link": lambda got, expected: (
        _LINK_TO_ITSELF.sub(lambda link: link[3] if link[3] in link.groups()[:2] else link[0], got),
        expected,
    ),
    "an address whose host has no dot, or symbols, is text": lambda got, expected: (
        got,
        _LINK_TO_ODD_HOST.sub(r"\1", expected),
    ),
    "comments are those of CommonMark 0.31": lambda got, expected: (got, _COMMENT.sub("", expected)),
    "the marks of footnotes": lambda got, expected: (without_footnote_marks(got), without_footnote_marks(expected)),
}


def main() -> int:
    """Compare the examples of each file; return 1 if one is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print the source and the HTML of examples that differ"
    )
    options = parser.parse_args()
    wrong = 0
    for file in options.files:
        compared = list(examples(file.read_text("utf-8")))
        with tempfile.TemporaryDirectory(prefix="feeds-specification-") as folder:
            publish(compared, Path(folder))
        reasons = [difference(example) for example in compared]
        counts = Counter(reason.partition(":")[0] or "equal" for reason in reasons)
        print(f"{file}: {len(compared)} examples: {', '.join(f'{count} {kind}' for kind, count in counts.items())}")
        for example, reason in zip(compared, reasons, strict=True):
            if reason:
                print(f"{example.number:>5}  {example.section}: {reason}")
            if reason and options.verbose:
                print(f"{example.markdown!r}\n{example.expected!r}\n{example.got!r}\n")
        wrong += counts["WRONG"]
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
