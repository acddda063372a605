"""The interface text of pages: its catalogs, and dates and numbers in each language."""

import ast
import re
from datetime import UTC, date, datetime
from gettext import GNUTranslations
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import collect_messages
import pytest
from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal, format_percent
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from feeds import pages
from feeds.pages.environment import templates
from feeds.pages.po import parse_po, to_mo
from feeds.pages.translations import catalog_file, interface_of, languages
from feeds.stats.counter import Poll, PollCounter
from feeds.stats.report import format_bytes

PAGES = Path(pages.__file__).parent
TRANSLATED = languages()[1:]
WORD = re.compile(r"[^\W\d_]{2,}")
SENTENCE = re.compile(r"[A-Za-z]{2,} [A-Za-z]")
NAMES = {"RSS", "RSS – 304"}  # the same in each language
EVERY_MONTH = [datetime(2026, month, 1 + 2 * month) for month in range(1, 13)]  # noqa: DTZ001  # only the date matters


def test_languages():
    """Pages are translated into these languages."""
    assert languages() == ("en", "ar", "de", "es", "fr", "ja", "pt")


@pytest.mark.parametrize("language", TRANSLATED)
class TestCatalogs:
    def test_complete(self, language):
        """A catalog has a translation of each message, and no other messages; `make messages` adds new ones."""
        expected = {(message.context, message.id) for message in collect_messages.collect() if message.id}
        catalog = collect_messages.read(language)
        assert {(message.context, message.id) for message in catalog if message.id} == expected
        for message in catalog:
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(strings[: catalog.num_plurals]), message.id
            assert not message.fuzzy
        assert not catalog.obsolete

    def test_placeholders(self, language):
        """A translation has the placeholders of its message; only a single form may spell out its number."""
        for message in collect_messages.read(language):
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            for string in message.string if isinstance(message.string, tuple) else (message.string,):
                if message.id and string:
                    placeholders = set(re.findall(r"%\(\w+\)s|\{\w+\}", string))
                    expected = set(re.findall(r"%\(\w+\)s|\{\w+\}", ids[-1]))
                    assert placeholders == expected or (len(ids) > 1 and not placeholders), string
                    if message.context != "number":  # a percentage
                        assert string.count("%") == len([name for name in placeholders if name[0] == "%"])

    def test_read_like_babel(self, language):
        """The catalog that pages use has the messages that Babel reads."""
        messages = interface_of(language).messages
        for message in collect_messages.read(language):
            if isinstance(message.id, tuple):
                for number in range(200):
                    index = message_index(language, number)
                    assert messages.ngettext(*message.id, number) == message.string[index]
            elif message.context:
                assert messages.pgettext(message.context, message.id) == message.string
            elif message.id:
                assert messages.gettext(message.id) == message.string

    def test_dates_of_cldr(self, language):
        """Dates are written as in CLDR."""
        interface = interface_of(language)
        for moment in EVERY_MONTH:
            assert interface.long_date(moment) == format_date(moment, "long", locale=language)
            assert interface.short_date(moment) == format_skeleton("yMMMd", moment, locale=language)
            assert interface.day_and_month(moment) == format_skeleton("MMMd", moment, locale=language)
            both = Locale.parse(language).datetime_formats["medium"].format("12:00", interface.short_date(moment))
            assert interface.date_and_time(moment.replace(hour=12)) == both

    def test_numbers_of_cldr(self, language):
        """Large numbers have the separators of CLDR."""
        assert interface_of(language).number(1234567) == format_decimal(1234567, locale=language)
        assert interface_of(language).number(12) == "12"
        assert interface_of(language).percent(0.456) == format_percent(0.456, locale=language)
        assert format_decimal(1.2, locale=language) in interface_of(language).data_size(1_234_000)


def message_index(language, number):
    """Return the index of the plural form of a number."""
    rules = {
        "ar": ["zero", "one", "two", "few", "many", "other"],
        "ja": ["other"],
    }.get(language, ["one", "other"])
    form = Locale.parse(language).plural_form(number)
    return rules.index(form)


def test_english_dates():
    """English dates have the day first, as in most countries."""
    interface = interface_of("en")
    for moment in EVERY_MONTH:
        assert interface.long_date(moment) == format_date(moment, "long", locale="en_001")
    assert interface.short_date(date(2026, 10, 8)) == "8 Oct 2026"
    assert interface.day_and_month(date(2026, 10, 8)) == "8 Oct"
    assert interface.date_and_time(datetime(2026, 10, 8, 9, 5)) == "8 Oct 2026, 09:05"  # noqa: DTZ001  # a local time
    assert interface.number(12345) == "12,345"
    assert interface.percent(0.456) == "46%"


@given(st.integers(0, 10**16))
def test_sizes(length):
    """In English, sizes are written as commands write them."""
    assert interface_of("en").data_size(length) == re.sub(
        r"^\d{4,}", lambda match: f"{int(match[0]):,}", format_bytes(length)
    )


@pytest.mark.parametrize(
    ("language", "shown", "direction"),
    [("de", "de", "ltr"), ("de-AT", "de-AT", "ltr"), ("pt-BR", "pt-BR", "ltr"), ("AR", "AR", "rtl"), ("en-GB", "en-GB", "ltr"),
     ("sw", "en", "ltr"), ("fa", "en", "ltr"), ("deu", "en", "ltr")],
)  # fmt: skip
def test_the_language_of_a_page(language, shown, direction):
    """A regional language has the text of its main language, and one without a catalog has English text."""
    interface = interface_of(language)
    assert (interface.language, interface.direction) == (shown, direction)


def test_regional_text():
    """Text in a regional language is that of the main language."""
    assert (
        interface_of("pt-BR").messages.gettext("Subscribe")
        == interface_of("pt").messages.gettext("Subscribe")
        != "Subscribe"
    )


class TestPages:
    def test_the_site_and_its_articles(self, site, app):
        """The site's pages have text in its language, and an article's page in that of the article."""
        site.configure(site={"pages": True, "language": "de"})
        site.article("a.md", title="Eins")
        site.article("b.md", title="Deux", lang="fr", date="2026-04-28T12:00:00Z")
        site.article("c.md", title="Moja", lang="sw", date="2026-04-28T12:00:00Z")
        site.publish()
        client = app(site)
        pages = {path: client.get(path).body.decode() for path in ("/", "/b/", "/c/", "/nothing/")}
        assert "Abonnieren" in pages["/"] and "Subscribe" not in pages["/"]
        assert "28. April 2026" in pages["/"]
        assert "S’abonner" in pages["/b/"] and "28 avril 2026" in pages["/b/"]
        assert 'lang="en"' in pages["/c/"] and "28 April 2026" in pages["/c/"]
        assert "Seite nicht gefunden" in pages["/nothing/"]
        assert site.run("build").returncode == 0
        assert (site.root / "public/b/index.html").read_text("utf-8") == pages["/b/"]
        assert (site.root / "public/index.html").read_text("utf-8") == pages["/"]

    def test_the_time_zone_of_dates(self, site, app):
        """Dates are those in the site's time zone."""
        site.configure(site={"pages": True, "timezone": "Pacific/Auckland"})
        site.article("a.md", title="a", date="2026-05-01T20:00:00Z")
        site.publish()
        assert "2 May 2026" in app(site).get("/a/").body.decode()

    def test_a_language_from_right_to_left(self, site, app):
        """An Arabic site has pages from right to left."""
        site.configure(site={"pages": True, "language": "ar"})
        site.article("a.md", title="a")
        site.publish()
        page = app(site).get("/").body.decode()
        assert '<html lang="ar" dir="rtl">' in page
        assert "اشترك" in page

    @pytest.mark.parametrize("language", TRANSLATED)
    def test_the_statistics(self, site, app, monkeypatch, language):
        """The page of the statistics is in the language of the site, and nothing of the English page is left."""
        monkeypatch.setattr("feeds.web.stats._RENDER_TIMEOUT_S", 60.0)
        token = "a secret of twenty letters"
        site.configure(site={"language": language}, stats={"token": token})
        site.article("a.md", title="a")
        site.publish()
        tally = PollCounter(site.catalog)
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        for number, agent in enumerate(["", "Googlebot/2.1", "Feedly/1.0 (9999999 subscribers)", "NetNewsWire"]):
            tally.add(day, Poll("/rss.xml", agent, f"192.0.2.{number}", 200, conditional=False, size=5000, saved=0), 9)
        tally.write()
        page = app(site).get("/stats", Authorization=f"Bearer {token}").body.decode()
        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
        main = re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("</main")[0])
        for english in ("Subscribers", "Polls", "unknown", "doubtful", "Show as", "Saved", "Sent", "poll ", " all "):
            assert english not in main
        translate = interface_of(language).messages.gettext
        assert translate("unknown") in main
        assert translate("{name} {number} (doubtful)").rpartition("{number}")[2] in main

    @pytest.mark.parametrize("language", TRANSLATED)
    def test_a_former_address(self, site, language):
        """The page at a former address is in the language of the site."""
        site.configure(site={"language": language, "pages": True})
        site.article("a.md", title="a")
        assert site.run("build").returncode == 0
        site.article("a.md", title="a", slug="new")
        site.run("build")
        page = (site.root / "public/a/index.html").read_text("utf-8")
        assert f'<html lang="{language}"' in page
        assert interface_of(language).messages.gettext("This page has moved to %(address)s.").partition("%")[0] in page
        assert "https://test.example/new/" in page

    def test_the_preview_of_drafts(self, site, app):
        """The preview is in the language of the site; the problems that `feeds check` finds are marked as English."""
        site.configure(site={"language": "ar", "pages": True})
        site.article("a.md", "{{% x %}}", title="a", draft=True)
        site.write("b.md", "---\ntitle: [\n---\n")
        site.publish()
        server = app(site, preview_key="the-key")
        headers = {"Cookie": "feeds-preview=the-key", "Host": "localhost:8000"}
        index, article = (server.get(path, **headers).body.decode() for path in ("/preview/", "/preview/a.md"))
        assert "لم يُنشر بعد" in index
        assert '<li lang="en" dir="ltr"><code>b.md:' in index
        assert '<strong>تحذير</strong>: <span lang="en" dir="ltr">' in article
        assert "مسودة." in article

    def test_feeds_are_not_translated(self, site):
        """Feeds contain no interface text of pages."""
        site.configure(site={"language": "de"})
        site.article("a.md", title="a")
        site.publish()
        for body in site.documents().values():
            assert b"Abonnieren" not in body


class TestCatalogFormat:
    def test_all_that_a_catalog_may_contain(self):
        """Contexts, plurals, long texts and escapes are read; comments, fuzzy and untranslated messages are not."""
        text = r'''# comment
msgid ""
msgstr ""
"Plural-Forms: nplurals=2; plural=n != 1;\n"

#: file.html
msgid "a"
msgstr "x\n\"y\" \\ z"

#, fuzzy
msgid "fuzzy"
msgstr "no"
msgctxt "month"
msgid "May"
msgstr ""
"M"
"ai"

msgid "one"
msgid_plural "%(count)s"
msgstr[0] "eins"
msgstr[1] "%(count)s"

msgid "untranslated"
msgstr ""

#~ msgid "obsolete"
#~ msgstr "no"'''
        text = text.replace('msgstr "no"\nmsgctxt', 'msgstr "no"\n\nmsgctxt')
        messages = GNUTranslations(BytesIO(to_mo(parse_po(text))))
        assert messages.gettext("a") == 'x\n"y" \\ z'
        assert messages.pgettext("month", "May") == "Mai"
        assert [messages.ngettext("one", "%(count)s", count) for count in (1, 2)] == ["eins", "%(count)s"]
        for message in ("fuzzy", "untranslated", "obsolete", "May"):
            assert messages.gettext(message) == message

    @pytest.mark.parametrize("text", ['"a"', "msgid a", 'msgid "a', 'other "a"'])
    def test_a_line_that_is_no_message(self, text):
        """Another line is a mistake with its number."""
        with pytest.raises(ValueError, match="line 2 is not part of a message"):
            parse_po(f"# comment\n{text}")

    @given(
        st.dictionaries(
            st.text(st.characters(exclude_characters="\0\x04", exclude_categories=["Cs"]), min_size=1),
            st.text(st.characters(exclude_characters="\0\x04", exclude_categories=["Cs"]), min_size=1),
        )
    )
    def test_any_messages(self, messages):
        """The binary form contains all messages unchanged."""
        header = {"": "Content-Type: text/plain; charset=utf-8\n"}
        read = GNUTranslations(BytesIO(to_mo(header | messages)))
        assert {message: read.gettext(message) for message in messages} == messages


def test_catalogs_are_where_gettext_expects_them():
    """Catalogs have the paths of gettext, so that its tools find them."""
    for language in TRANSLATED:
        assert catalog_file(language).match(f"locales/{language}/LC_MESSAGES/feeds.po")


class _Texts(HTMLParser):
    """Collects what a visitor reads: texts, and attributes that are shown or read out."""

    _SHOWN = frozenset({"alt", "title", "aria-label", "placeholder", "data-label", "label"})

    def __init__(self):
        super().__init__()
        self.found = []
        self._code = 0  # how many elements of code are open

    def handle_starttag(self, tag, attributes):
        """Add the attributes that are shown."""
        self._code += tag == "code"
        self.found += [value for name, value in attributes if name in self._SHOWN and value]

    def handle_endtag(self, tag):
        """Note the end of code."""
        self._code -= tag == "code"

    def handle_data(self, data):
        """Add a text; code is the same in each language."""
        self.found += [data] if not self._code else []


def unmarked_texts(source):
    """Return the words in the source of a template that no catalog can translate."""
    html = ""
    for output in templates().parse(source).find_all(nodes.Output):
        for child in output.nodes:
            html += child.data if isinstance(child, nodes.TemplateData) else " ".join(literal_texts(child)) or "1"
    parser = _Texts()
    parser.feed(html)
    return [text.strip() for text in parser.found if WORD.search(text) and text.strip() not in NAMES]


def literal_texts(node):
    """Yield the texts that an expression prints as they are; the arguments of functions and filters are not printed."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.CondExpr):
        yield from [*literal_texts(node.expr1), *(literal_texts(node.expr2) if node.expr2 else ())]
    elif isinstance(node, nodes.Concat):
        yield from (text for child in node.nodes for text in literal_texts(child))
    elif isinstance(node, (nodes.Add, nodes.And, nodes.Or)):
        yield from [*literal_texts(node.left), *literal_texts(node.right)]
    elif isinstance(node, nodes.Filter) and node.node is not None:
        yield from literal_texts(node.node)
    elif isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Dict):
        yield from (text for pair in node.node.items for text in literal_texts(pair.value))


def unmarked_strings(source):
    """Return the strings in the source of a module of pages that look like a sentence, and are not marked."""
    tree = ast.parse(source)
    ignored = set()
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        is_known = isinstance(called, ast.Name) and called.id in {"mark", "mark_in_context", "Markup"}
        is_other = isinstance(called, ast.Attribute) and called.attr in {"compile", "pgettext"}
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)  # a docstring
        is_annotation = isinstance(node, (ast.AnnAssign, ast.arg, ast.FunctionDef))
        if is_known or is_other or is_text or isinstance(node, (ast.Raise, ast.Assert)):
            ignored |= {id(inner) for inner in ast.walk(node)}
        elif is_annotation:
            annotation = node.returns if isinstance(node, ast.FunctionDef) else node.annotation
            ignored |= {id(inner) for inner in ast.walk(annotation)} if annotation else set()
    strings = (node.value for node in ast.walk(tree)
               if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in ignored)  # fmt: skip
    return [text for text in strings if SENTENCE.search(text) and "<" not in text and not text.startswith(".")]


class TestMarkedText:
    @pytest.mark.parametrize("path", sorted((PAGES / "templates").glob("*.html")), ids=lambda path: path.name)
    def test_templates(self, path):
        """All words that a template prints are marked for translation."""
        assert unmarked_texts(path.read_text("utf-8")) == []

    @pytest.mark.parametrize("name", ["__init__", "body", "charts", "environment", "stats", "translations"])
    def test_modules(self, name):
        """All sentences in the modules of pages are marked for translation."""
        assert unmarked_strings((PAGES / f"{name}.py").read_text("utf-8")) == []

    @pytest.mark.parametrize("path", sorted((PAGES / "static").glob("*.*s")), ids=lambda path: path.name)
    def test_static_files(self, path):
        """Style sheets and scripts contain no text that is shown: scripts read it from attributes of the page."""
        text = path.read_text("utf-8")
        if path.suffix == ".css":
            shown = re.findall(r'content:\s*"([^"]*)"', text)
        else:
            shown = re.findall(r"(?:textContent|innerHTML|title|label)\s*=\s*([\"'`])(.*?)\1", text)
            shown = [re.sub(r"\$\{[^}]*\}", "", words) for _, words in shown]
        assert [words for words in shown if WORD.search(words)] == []

    @pytest.mark.parametrize(
        "source",
        [
            "<p>Some words.</p>", '<p title="Some words">{{ x }}</p>', "{{ 'Some' if x else _('words') }}",
            "{{ x ~ ' words' }}", "{{ {'a': 'Some'}[x] }}", "{% if x %}<b>Some {{ x }}</b>{% endif %}",
            "{{ ('words' ~ x)|upper }}",
        ],
    )  # fmt: skip
    def test_unmarked_text_is_found(self, source):
        """Words in a template that are not marked are found, wherever they are."""
        assert unmarked_texts(source) != []

    @pytest.mark.parametrize(
        "source",
        [
            "<p>{{ _('Some words.') }}</p>", "{% trans x %}Some {{ x }}{% endtrans %}", "{{ x|truncate(9, 'words') }}",
            "<p class='some words'>RSS – 304</p>", "{{ {'a': _('Some')}[x] }}", "{% set x = 'some words' %}{{ y == 'ab' }}",
        ],
    )  # fmt: skip
    def test_marked_text_is_accepted(self, source):
        """Words that are marked, and words that no visitor sees, are not reported."""
        assert unmarked_texts(source) == []

    def test_unmarked_strings_are_found(self):
        """A sentence in a module that is not marked is found."""
        assert unmarked_strings('"""A docstring here."""\nx = f"Some words {y}"\nz = mark("Some words")') == [
            "Some words "
        ]
