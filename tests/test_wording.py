"""The text that the program adds to feeds: `feeds.core.wording`, and the documents that contain it."""

import re

import pytest
from lxml import etree

from feeds.core.model import LISTED_KINDS
from feeds.core.parse import admonitions
from feeds.core.wording import ENGLISH, languages, wording_of
from feeds.pages import body, translations

TRANSLATED = [language for language in languages() if language != "en"]
EMBEDS = (
    '<iframe src="https://www.youtube.com/embed/a"></iframe>\n\n<script src="https://gist.github.com/x/1.js"></script>'
)
TEXT = f"> [!NOTE]\n> One.\n\n:::seealso\nTwo.\n:::\n\n!!! warning\n    Three.\n\n{EMBEDS}\n"
PUBLISHED = re.compile(r"<(?:id|guid|published|updated|pubDate)[^>]*>[^<]*<")


def test_languages():
    """Feeds and pages have their text in the same languages."""
    assert sorted(languages()) == sorted(translations.languages())


@pytest.mark.parametrize(
    ("language", "expected"), [("de", "de"), ("pt-BR", "pt"), ("AR", "ar"), ("sw", "en"), ("x-klingon", "en")]
)
def test_the_language_of_a_text(language, expected):
    """A regional language has the text of its main language, and one without translations has English text."""
    assert wording_of(language).language == expected


@pytest.mark.parametrize("language", TRANSLATED)
class TestEveryLanguage:
    def test_complete(self, language):
        """Each text is translated, and has the placeholders of the English one."""
        wording = wording_of(language)
        assert tuple(wording.kinds) == LISTED_KINDS
        assert wording.embeds.keys() == ENGLISH.embeds.keys()
        assert wording.alerts.keys() == wording_of("de").alerts.keys()
        assert all("{site}" in text for text in wording.embeds.values())
        assert wording.footnote.count("{number}") == 1
        assert all([*wording, *wording.kinds.values(), *wording.alerts.values()])

    def test_every_kind_of_admonition(self, language):
        """Each kind of admonition has a title, and so does each alert of GitHub."""
        kinds = [*admonitions._KINDS, "NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"]
        assert {kind.replace("-", " ").capitalize() for kind in kinds} <= wording_of(language).alerts.keys()

    def test_kinds_of_alerts_are_distinguished(self, language):
        """On a page, the title of an alert shows its kind."""
        kinds = body._kinds_by_title(language)
        for title, kind in body._ALERT_KINDS.items():
            assert kinds[wording_of(language).alert_title(title).casefold()] == kind


class TestFeeds:
    @pytest.fixture
    def texts(self, site):
        """Return a function that publishes articles and returns their HTML by title."""

        def publish(**settings):
            site.configure(**settings)
            site.article("a.md", TEXT, title="A")
            site.article("b.md", TEXT, title="B", lang="fr-CA")
            site.article("c.md", TEXT, title="C", lang="sw")
            site.publish()
            return {title: item["content_html"] for title, item in site.items().items()}

        return publish

    def test_alerts_and_embeds(self, texts):
        """Titles of alerts and links to embeds are in the language of the article, else in English."""
        html = texts(site={"language": "de"})
        for title, words in {
            "A": ("Hinweis", "Siehe auch", "Warnung", "Video auf YouTube", "Code auf GitHub Gist"),
            "B": ("Note", "Voir aussi", "Avertissement", "Vidéo sur YouTube", "Code sur GitHub Gist"),
            "C": ("Note", "Seealso", "Warning", "Video on YouTube", "Code on GitHub Gist"),
        }.items():
            for word in words:
                assert f">{word}<" in html[title]

    def test_python_markdown(self, site):
        """The dialect python-markdown has the same titles, and translates the titles of links from footnotes."""
        site.configure(site={"language": "de"}, content={"markdown": "python-markdown"})
        site.article("a.md", f"{TEXT}\nText.[^1]\n\n[^1]: A note.\n", title="A")
        site.article("b.md", "Text.[^1]\n\n[^1]: A note.\n", title="B", lang="en")
        site.publish()
        items = site.items()
        assert "<strong>Warnung</strong>" in items["A"]["content_html"]
        assert 'title="Zurück zu Fußnote 1 im Text"' in items["A"]["content_html"]
        assert 'title="Jump back to footnote 1 in the text"' in items["B"]["content_html"]

    def test_titles_of_the_author_stay(self, site):
        """A title that the author has written is never translated."""
        site.configure(site={"language": "de"})
        site.article("a.md", "> [!NOTE] Warning\n> One.\n\n> **Note**\n>\n> Two.", title="A")
        site.publish()
        html = site.items()["A"]["content_html"]
        assert "<strong>Warning</strong>" in html
        assert "<strong>Note</strong>" in html

    def test_excerpts(self, texts, site):
        """The link at the end of an excerpt is in the language of the article, on feeds of all formats."""
        html = texts(site={"language": "ja"}, feeds={"text": "excerpt"})
        assert [f">{word}</a>" in html[title] for title, word in
                {"A": "続きを読む", "B": "Lire la suite", "C": "Continue reading"}.items()] == [True] * 3  # fmt: skip
        assert "続きを読む".encode() in site.documents()["/atom.xml"]

    def test_ids_and_dates_stay(self, site):
        """The language of the site changes neither the ids nor the dates of its entries."""
        site.article("a.md", TEXT, title="A")
        site.publish()
        before = PUBLISHED.findall(site.documents()["/atom.xml"].decode())
        site.configure(site={"language": "es"})
        site.publish()
        document = site.documents()["/atom.xml"].decode()
        assert "Advertencia" in document
        assert PUBLISHED.findall(document) == before

    def test_the_list_of_feeds(self, site, app):
        """The names of groups in feeds.opml are in the language of the site, those of feeds of excerpts in the feed's."""
        site.configure(site={"title": "T", "language": "de"}, feeds={"text": "both", "by": ["category", "language"]})
        site.article("a.md", title="A", category="News")
        site.article("b.md", title="B", lang="es")
        site.publish()
        root = etree.fromstring(app(site).get("/feeds.opml").body)
        groups = [element.get("text") for element in root.findall("body/outline") if element.get("type") is None]
        assert groups == ["Kategorien", "Sprachen"]
        titles = {element.get("text") for element in root.iterfind(".//outline[@type='rss']")}
        assert {"T (Auszüge)", "T – News (Auszüge)", "T – Español (extractos)"} <= titles

    def test_alerts_have_the_colour_of_their_kind(self, site, app):
        """On a page, an alert has the colour of its kind, with a default title or a title of its own."""
        site.configure(site={"language": "de", "pages": True})
        site.article("a.md", "> [!WARNING]\n> One.\n\n> [!WARNING] Halt\n> Two.", title="A")
        site.publish()
        page = app(site).get("/a/").body.decode()
        assert '<blockquote class="alert warning">\n<p class="alert-title">Warnung</p>' in page
        assert '<blockquote class="alert warning">\n<p class="alert-title">Halt</p>' in page


@pytest.mark.parametrize(("language", "text"), [("fr", "excerpt"), ("en", "excerpt"), ("fr", "full")])
def test_an_excerpt_is_no_full_text(site, language, text):
    """`feeds check --for` recognises an excerpt by its link, in any language."""
    site.configure(site={"language": language}, feeds={"text": text})
    site.article("a.md", "One.\n\nTwo.", title="A")
    done = site.run("check", "--for", "msn")
    assert ("only a summary of this entry" in done.stdout) == (text == "excerpt")
