"""The HTML of articles on pages: classes for alerts, tasks and cells."""

import pytest

from feeds.core.parse.content import MarkdownRenderer
from feeds.core.parse.links import Links
from feeds.pages.body import format_body


def render(text, language="en", dialect="gfm"):
    """Return the HTML of an article on its page."""
    content = MarkdownRenderer(dialect).render(text, None, "https://test.example/a/", "p-", "", Links(), language)
    return format_body(content.html, language, text)


@pytest.mark.parametrize(
    ("title", "classes"),
    [("NOTE", "alert note"), ("TIP", "alert tip"), ("WARNING", "alert warning"), ("CAUTION", "alert caution"),
     ("IMPORTANT", "alert important"), ("NOTE] My own", "alert note"), ("custom] My own", "alert")],
)  # fmt: skip
def test_alerts(title, classes):
    """An alert has the class of its kind, also if the author has given it a title of their own."""
    html = render(f"> [!{title}{'' if ']' in title else ']'}\n> Text.")
    assert html.startswith(f'<blockquote class="{classes}">\n<p class="alert-title">')
    assert "<p>Text.</p>" in html


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("> [!warning]- Hinweis & mehr\n> Text.", "alert warning"),
        ("> [!warning] Note\n> Text.", "alert warning"),
        ("> > [!TIP] Tom's\n> > Text.", "alert tip"),
        (":::danger Achtung\nText.\n:::", "alert caution"),
        (":::tip[Ein Rat]\nText.\n:::", "alert tip"),
        ('!!! bug "Ein Fehler"\n    Text.', "alert caution"),
        ('??? note "Mehr"\n    Text.', "alert note"),
        ("> [!quote] Title\n> Text.", "alert"),
        ("> [!note] A *b*\n> Text.", None),
        ("> [!note] Same\n> Text.\n\n> [!tip] Same\n> Text.", "alert"),
        ("> **Bold**\n>\n> Text.", "alert"),
    ],
)
def test_alerts_with_own_titles(text, classes):
    """The kind of an alert with a title of its own is known unless the title has markup, or occurs with two kinds."""
    for dialect in ("gfm", "obsidian"):
        html = render(text, dialect=dialect)
        assert (f'<blockquote class="{classes}">' in html) if classes else ("class" not in html)


@pytest.mark.parametrize(
    ("language", "text", "title"),
    [
        ("de", "> [!NOTE]\n> Text.", "Hinweis"), ("de-AT", ":::warning\nText.\n:::", "Warnung"),
        ("fr", "!!! danger\n    Text.", "Danger"), ("ar", "> [!TIP]\n> Text.", "نصيحة"),
        ("de", "> [!NOTE] My own\n> Text.", "My own"), ("en", "> [!NOTE]\n> Text.", "Note"),
        ("it", "> [!NOTE]\n> Text.", "Note"),
    ],
)  # fmt: skip
def test_translated_titles(language, text, title):
    """A title by default is in the language of the article, if it has translations; the class stays."""
    html = render(text, language)
    assert f'<p class="alert-title">{title}</p>' in html
    assert 'class="alert' in html


def test_quotes_are_no_alerts():
    """A quote, also one with bold words at its beginning, stays a quote."""
    for text in ("> Words.", "> **Bold** words.", "> **Bold**\n> words."):
        assert "class" not in render(text)


def test_tasks():
    """The items of a task list have a class, in lists with and without blank lines."""
    for text in ("- [x] a\n- [ ] b", "- [x] a\n\n- [ ] b"):
        html = render(text)
        assert html.count('<li class="task"><span>☑</span>') == html.count('<li class="task"><span>☐</span>') == 1
    assert "class" not in render("- a ☑ b")


def test_cells():
    """The alignment of cells is an attribute, because the policy of pages allows no style."""
    html = render("| a | b |\n|--:|:-:|\n| 1 | 2 |")
    assert html.count('align="right"') == html.count('align="center"') == 2
    assert "style" not in html
