"""The interface text of pages: its catalogs, and dates and numbers in each language."""

import re
from datetime import date, datetime
from gettext import GNUTranslations
from io import BytesIO

import collect_messages
import pytest
from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal, format_percent
from hypothesis import given
from hypothesis import strategies as st

from feeds.pages.po import parse_po, to_mo
from feeds.pages.translations import catalog_file, interface_of, languages
from feeds.stats.report import format_bytes

TRANSLATED = languages()[1:]
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
