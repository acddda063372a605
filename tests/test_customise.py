"""The look of pages: theme, logo, menu, footer, templates and static files of a site's owner."""

import os
import re

import pytest
from conftest import eventually

from feeds import pages
from feeds.catalog.failures import TEMPLATE_LOG_BYTES
from feeds.cli.config_file import ConfigFile
from feeds.config import appearance
from feeds.config.site_sections import ThemeSection
from feeds.content import static_files
from feeds.content.static_files import StaticFiles
from feeds.core import paths
from feeds.core.errors import ConfigError
from feeds.pages.own_templates import OwnTemplates, TemplateProblem, ignore_problem
from feeds.web.template_log import TemplateLog

SHOWS_ALL = "{{ stylesheets }}{{ site.nav }}{{ site_footer }}{% block main %}{% endblock %}"


@pytest.fixture
def blog(site):
    """A site with pages and one article."""
    site.configure(site={"pages": True})
    site.article("a.md", "Text of the ferry.", title="The ferry")
    return site


def put(site, path, text):
    """Write a file beside config.yaml, as an editor does."""
    file = site.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}~")
    temporary.write_text(text, "utf-8")
    temporary.replace(file)


def reorder_menu(site):
    """Write the two links of the menu in the opposite order."""
    file = site.root / "config.yaml"
    text = file.read_text("utf-8")
    first, second = re.findall(r"(?m)^    \w: /.*\n", text)
    assert first + second in text
    put(site, "config.yaml", text.replace(first + second, second + first))


def text_of(client, path):
    """Return the text of a response."""
    return client.get(path).body.decode()


def exported(blog, path="a/index.html"):
    """Build, and return a file of the export."""
    done = blog.run("build", "-v")
    assert done.returncode == 0, done.stderr
    return (blog.root / "public" / path).read_text("utf-8")


def mistakes_of(site, **keys):
    """Return the mistakes that the configuration has with these keys of `site`."""
    site.configure(site=keys)
    with pytest.raises(ConfigError) as raised:
        _ = site.config
    return [re.sub(r"^.*?config\.yaml:\d+:\d+: ", "", mistake) for mistake in raised.value.mistakes]


class TestConfiguration:
    @pytest.mark.parametrize(
        "colour",
        ["#fff", "#0B4F9C", "#0b4f9c80", "navy", "rgb(11 79 156)", "rgba(1,2,3,.5)", "hsl(200deg 50% 40% / 80%)",
         "oklch(60% 0.15 250)", "lab(50 -20 30)"],
    )  # fmt: skip
    def test_colours(self, site, colour):
        """Every form of a colour that the documentation names becomes part of the stylesheet."""
        site.configure(site={"theme": {"accent": colour}})
        rule = f"@media (prefers-color-scheme: light) {{ :root {{ --color-accent: {colour.lower()}; }} }}\n"
        assert site.config.site.theme.stylesheet == rule

    @pytest.mark.parametrize(
        "value",
        ["red; } body { display: none", "url(https://evil.example/)", "var(--x)", "rgb(1 2 3); x", "#12", "0b4f9c",
         "expression(1)", "rgb(1 2)", "#fff/**/", "navi", 7, [1], {"a": 1}, True, "a\\", "\u202ered"],
    )  # fmt: skip
    def test_no_other_text_is_a_colour(self, site, value):
        """No value leaves its declaration in the stylesheet."""
        (mistake,) = mistakes_of(site, theme={"text": value})
        assert mistake.startswith("site.theme.text: ")
        assert "is not a colour" in mistake

    def test_a_colour_without_quotes(self, site):
        """A colour that YAML reads as a comment is a mistake with the advice to quote it."""
        site.configure()
        text = (site.root / "config.yaml").read_text("utf-8")
        (site.root / "config.yaml").write_text(text.replace("site:\n", "site:\n  theme:\n    accent: #c00\n"), "utf-8")
        with pytest.raises(ConfigError, match=r"site\.theme\.accent: has no value; .* needs quotes"):
            _ = site.config

    @pytest.mark.parametrize("value", ["", "x; }", "Georgia,", 'a"b', "url(x)", 3, "3", ", ".join("abcdefghijklm")])
    def test_no_other_text_is_a_font(self, site, value):
        """Names of fonts are words, so that they can't leave their declaration."""
        (mistake,) = mistakes_of(site, theme={"font_text": value})
        assert mistake.startswith("site.theme.font_text: ")

    @pytest.mark.parametrize("value", ["42", 42, "-1rem", "0rem", "calc(1px)", "42%", "42rem;"])
    def test_no_other_text_is_a_width(self, site, value):
        """A width is a positive number with a unit."""
        assert mistakes_of(site, theme={"width": value}) == [
            "site.theme.width: must be a length with a unit: rem, em, ch or px, like 42rem"
        ]

    def test_fonts_and_colours_of_both_schemes(self, site):
        """The stylesheet has fonts and width for all, and colours for the light and the dark scheme."""
        theme = {"font_text": ["Iowan Old Style", "Georgia", "Serif"], "font_code": "'Fira Code', monospace"}
        site.configure(site={"theme": {**theme, "width": "40.5rem", "text": "#111", "dark": {"text": "#eee"}}})
        assert site.config.site.theme.stylesheet == (
            ':root { --font-text: "Iowan Old Style", "Georgia", serif; --font-code: "Fira Code", monospace; '
            "--width: 40.5rem; }\n"
            "@media (prefers-color-scheme: light) { :root { --color-text: #111; } }\n"
            "@media (prefers-color-scheme: dark) { :root { --color-text: #eee; } }\n"
        )

    def test_links_of_the_menu(self, site):
        """A link of the menu can't run a script, and each mistake names the link."""
        (mistake,) = mistakes_of(site, nav={"Home": "/", "Bad": "javascript:alert(1)"})
        assert mistake == "site.nav.Bad: must be a path on the site like /about/, or an http(s) or mailto URL"

    def test_folders(self, site):
        """The default folders are only used if this program serves the pages, and can be switched off."""
        assert (site.config.templates_folder, site.config.static_folder) == (None, None)
        site.configure(site={"pages": True})
        assert (site.config.templates_folder, site.config.static_folder) == (
            site.root / "templates",
            site.root / "static",
        )
        site.configure(site={"templates": False, "static": "assets"})
        assert (site.config.templates_folder, site.config.static_folder) == (None, site.root / "assets")
        assert mistakes_of(site, static=True) == ["site.static: must be a folder, or false for none"]

    def test_every_named_colour(self):
        """All 148 names of CSS are known."""
        assert len(appearance._NAMED_COLOURS) == 148


class TestPages:
    def test_a_site_without_these_keys_has_no_more_stylesheets(self, blog):
        """Pages link only to the built-in stylesheet, and no stylesheet of a theme is exported."""
        page = exported(blog)
        assert "theme.css" not in page and "custom.css" not in page
        assert not (blog.root / "public/static/theme.css").exists()

    def test_served_and_exported_pages_are_the_same(self, blog, app):
        """The theme, static files, the site's templates and the footer have the same bytes served and exported."""
        blog.configure(
            site={
                "theme": {"accent": "navy"},
                "logo": "/static/logo.svg",
                "nav": {"A": "/", "B": "/about/", "C": "https://code.example/"},
                "footer": "Made with *care*. [About](/about/) <script>alert(1)</script>",
            }
        )
        put(blog, "static/logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
        put(blog, "static/custom.css", "h1 { color: red }")
        put(
            blog,
            "templates/base.html",
            '{% extends "builtin/base.html" %}{% block main %}'
            "<img src=\"{{ site.logo|near(root, articles_url) }}\" alt=''>"
            "{% for item in site.nav %}<a href='{{ item.url|near(root, articles_url) }}'>{{ item.title }}</a>{% endfor %}"
            "<hr>{{ site_footer }}{% endblock %}",
        )
        put(blog, "templates/article.html", '{% extends "base.html" %}')
        page = exported(blog)
        client = app(blog)
        assert text_of(client, "/a/") == page
        assert '<link rel="stylesheet" href="../static/theme.css">' in page
        assert '<link rel="stylesheet" href="../static/custom.css">' in page
        assert '<img src="../static/logo.svg"' in page
        assert "<a href='../'>A</a><a href='../about/'>B</a><a href='https://code.example/'>C</a>" in page
        assert '<hr><p>Made with <em>care</em>. <a href="../about/">About</a> </p>' in page
        for path, media_type in [
            ("theme.css", "text/css; charset=utf-8"),
            ("custom.css", "text/css; charset=utf-8"),
            ("logo.svg", "image/svg+xml; charset=utf-8"),
        ]:
            answer = client.get(f"/static/{path}")
            assert (answer.status, answer.headers["Content-Type"]) == (200, media_type)
            assert answer.body.decode() == (blog.root / "public/static" / path).read_text("utf-8")
            assert client.get(f"/static/{path}", if_none_match=answer.headers["ETag"]).status == 304

    def test_feeds_do_not_change(self, blog):
        """The look of pages has no effect on the bytes of feeds."""
        exported(blog)
        before = {
            path.name: path.read_bytes() for path in (blog.root / "public").glob("[a-z]*.*") if path.suffix != ".html"
        }
        blog.configure(site={"theme": {"accent": "navy"}, "nav": {"a": "/"}, "footer": "x", "logo": "/l.png"})
        put(blog, "static/custom.css", "x")
        put(blog, "templates/article.html", "{{ entry.title }}")
        assert exported(blog) == "The ferry"
        after = {
            path.name: path.read_bytes() for path in (blog.root / "public").glob("[a-z]*.*") if path.suffix != ".html"
        }
        assert after == before

    def test_every_change_of_the_look_is_exported(self, blog):
        """A build after a change of a template, a static file or a key writes the pages that show it, and then none."""
        put(blog, "templates/base.html", SHOWS_ALL)
        exported(blog)
        changes = [
            lambda: put(blog, "templates/base.html", SHOWS_ALL + "1"),
            lambda: put(blog, "templates/base.html", SHOWS_ALL),
            lambda: put(blog, "static/custom.css", "x"),
            lambda: blog.configure(site={"footer": "x"}),
            lambda: blog.configure(site={"nav": {"a": "/", "b": "/b/"}}),
            lambda: reorder_menu(blog),
            (blog.root / "static/custom.css").unlink,
        ]
        for change in changes:
            change()
            assert re.search("written", blog.run("build", "-v").stderr)
            assert "nothing changed" in blog.run("build", "-v").stderr


class Memory:
    """Memory that workers share."""

    raw = bytes(TEMPLATE_LOG_BYTES)


MISTAKES = {
    "syntax": ("line\n{% block %}", 2, "block"),
    "undefined": ("\n\n{{ entry.titel }}", 3, "titel"),
    "missing": ("{% extends 'nothing.html' %}", 1, "there is no template 'nothing.html'"),
    "exception": ("\n{{ 1 // 0 }}", 2, "ZeroDivisionError"),
    "recursion": ("{% include 'article.html' %}", 1, "RecursionError"),
    "private": ("{{ ''.__class__.__mro__ }}", 1, "__class__"),
    "install": ("{{ interface.messages.install() }}", 1, "install"),
    "shared": ("{{ in_language.cache_clear() }}", 1, "cache_clear"),
    "multiplied": ("{{ 'x' * 10 ** 10 }}", 1, "too large"),
    "powers": ("{{ 10 ** 10000 }}", 1, "too large"),
    "width": ("{{ '%99999999d' % 1 }}", 1, "too large"),
    "endless": ("{% for i in range(90000) %}{{ 'x' * 1000 }}{% endfor %}", 1, "more than"),
    "loops": ("{% for i in range(10 ** 9) %}x{% endfor %}", 1, "Range too big"),
}


class TestEnvironment:
    def test_all_templates_of_a_site_with_templates(self, blog):
        """Pages are the same whether built-in templates are used directly, or because a template extends them."""
        blog.article("b.md", title="b", category="x", tags=["y"], authors=["z"], lang="de")
        blog.configure(feeds={"limit": 1})
        exported(blog)
        before = {path: path.read_bytes() for path in (blog.root / "public").rglob("*.html")}
        for name in ("article.html", "feed.html", "base.html", "error.html", "moved.html"):
            put(blog, f"templates/{name}", f'{{% extends "builtin/{name}" %}}')
        exported(blog)
        assert {path: path.read_bytes() for path in (blog.root / "public").rglob("*.html")} == before
        assert len(before) > 6

    def test_translation_in_own_templates(self, blog):
        """Templates of a site translate with all functions of gettext, and write dates and numbers, in any form."""
        blog.configure(site={"language": "es"})
        put(
            blog,
            "templates/article.html",
            "{{ _('Subscribe') }}|{{ gettext('Subscribe') }}|{{ pgettext('month', 'May') }}|{{ 12345|number }}|"
            "{{ ngettext('Download the feed as OPML', 'Download all %(count)s feeds as OPML', 2, count=2) }}|"
            "{{ npgettext('x', 'one', 'many', 2) }}|{% trans %}Subscribe{% endtrans %}|{{ entry.published|short_date }}|"
            "{{ entry.published|long_date }}|{{ ui_language }}|{{ ui_direction }}",
        )
        assert exported(blog) == (
            "Suscribirse|Suscribirse|mayo|12.345|Descargar los 2 feeds en OPML|many|Suscribirse|1 may 2026|1 de mayo de 2026|es|ltr"
        )

    def test_a_macro_without_context(self, blog):
        """A macro that is imported without the context has English text, because it does not know the page."""
        blog.configure(site={"language": "de"})
        put(blog, "templates/own.html", "{% macro x() %}{{ _('Subscribe') }}{% endmacro %}")
        put(
            blog,
            "templates/article.html",
            "{% import 'own.html' as own with context %}{{ own.x() }}{% import 'own.html' as other %}{{ other.x() }}",
        )
        assert exported(blog) == "AbonnierenSubscribe"

    def test_a_footer_that_can_not_be_rendered(self, blog):
        """A footer that is nested too deeply is shown as the text that it is."""
        blog.configure(site={"footer": "> " * 4000})
        assert "&gt; &gt;" in exported(blog)


class TestCurrentItem:
    @pytest.mark.parametrize(
        ("path", "title"),
        [("/", "Home"), ("/a/", "A"), ("/category/日本/", "C"), ("/tag/x/", None), ("/nothing/", None)],
    )
    def test_the_item_of_the_current_page(self, blog, app, path, title):
        """Only the item of the menu that leads to the page itself is marked as current."""
        links = {
            "Home": "/",
            "Feeds": "/#feeds",
            "A": "/a",
            "C": "/category/日本/",
            "Other": "https://other.example/a/",
        }
        blog.configure(site={"nav": links}, content={"permalink": "/{slug}/"})
        blog.article("a.md", title="The ferry", slug="a", category="日本", tags=["x"])
        blog.publish()
        marked = re.findall(r'<a href="[^"]*" aria-current="page">([^<]*)</a>', text_of(app(blog), path))
        assert marked == ([title] if title else [])

    @pytest.mark.parametrize(("path", "marked"), [("/", ["All"]), ("/tag/x/", [])])
    def test_feeds_on_another_host(self, site, app, path, marked):
        """Without pages, the links of the menu lead to another site, unless they name the address of the feeds."""
        feeds = "https://feeds.example"
        site.configure(feeds={"url": feeds}, site={"nav": {"Home": "/", "Tag": "/tag/x/", "All": f"{feeds}/"}})
        site.article("a.md", title="a", tags=["x"])
        site.publish()
        assert re.findall(r'aria-current="page">([^<]*)</a>', text_of(app(site), path)) == marked


class TestDeadLinks:
    """`feeds check` reports links of the menu and the footer that lead to nothing on a site with pages."""

    @pytest.mark.parametrize(
        "link",
        [
            "/", "/a/", "/a", "/a/#part", "/a/index.html", "/old/", "/category/news/", "/category/news", "/rss.xml?x=1",
            "/category/news/feed.json", "/feeds.opml", "/rss-old.xml", "/sitemap.xml", "/static/page.css", "/stats",
            "/static/a%20b.pdf", "/files/x.pdf", "/own/y.pdf", "https://test.example/a/", "https://other.example/b/",
            "//other.example/b/", "mailto:a@b.example", "#feeds", "?x",
        ],
    )  # fmt: skip
    def test_links_that_work(self, blog, link):
        """There is no warning of pages, redirects, documents, files and other sites."""
        blog.configure(feeds={"aliases": {"/rss-old.xml": "/rss.xml"}})
        blog.configure(site={"nav": {"X": link}, "footer": f"[x](<{link}>)", "sitemap": True})
        blog.article("old.md", title="Old", date="2026-05-02")
        blog.publish()
        (blog.content / "old.md").unlink()
        blog.article("new.md", title="Old", date="2026-05-02")
        blog.publish()
        blog.article("a.md", "[x](/files/x.pdf)", title="The ferry", category="news", slug="a")
        blog.configure(content={"permalink": "/{slug}/"})
        for file in ("static/a b.pdf", "content/files/x.pdf", "content/own/y.pdf"):
            put(blog, file, "x")
        blog.article("own/index.md", title="Own", date="2026-05-03")
        assert "dead-link" not in blog.run("check").stdout

    @pytest.mark.parametrize(
        "link",
        [
            "/b/",
            "/later/",
            "/static/x.pdf",
            "/files/x.pdf",
            "/category/x/",
            "/tag/x/rss.xml",
            "/archive/9/",
            "/summary/rss.xml",
        ],
    )
    def test_links_to_nothing(self, blog, link):
        """The warning names the line, the key and the link; an article that is scheduled is not there yet."""
        blog.configure(site={"nav": {"Home": "/", "Über uns": link}, "footer": f"Text. [More]({link}?x#y)"})
        blog.article("later.md", title="Later", date="2999-01-01")
        put(blog, "content/files/x.pdf", "x")  # no article refers to it
        done = blog.run("check")
        text = (blog.root / "config.yaml").read_text("utf-8").split("\n")
        nav, footer = (next(n for n, line in enumerate(text, 1) if key in line) for key in ("Über uns:", "footer:"))
        reason = "leads to nothing on this site; correct the link, or publish an article at this address (dead-link)"
        assert f"config.yaml:{nav}:5: warning: site.nav.Über uns: {link} {reason}\n" in done.stdout
        assert f"config.yaml:{footer}:3: warning: site.footer: {link}?x#y {reason}\n" in done.stdout
        assert done.stdout.count("dead-link") == 2
        assert done.returncode == 0
        assert "dead-link" not in blog.run("check", "--ignore", "dead-link").stdout

    def test_a_site_with_a_path(self, blog):
        """Links are those of the configuration, also if the site is below a path."""
        blog.configure(site={"url": "https://test.example/blog", "nav": {"A": "/a/", "B": "/blog/a/", "C": "/blog/c/"}})
        found = re.findall(r"site\.nav\.(\w): (\S+) leads", blog.run("check").stdout)
        assert found == [("C", "/blog/c/")]

    def test_a_site_without_pages(self, site):
        """If another program has the pages, their addresses are unknown."""
        site.configure(site={"nav": {"X": "/x/"}, "footer": "[x](/x/)"})
        site.article("a.md", title="a")
        assert "dead-link" not in site.run("check").stdout


class TestMistakes:
    @pytest.mark.parametrize("name", MISTAKES)
    def test_the_built_in_page_is_shown(self, blog, app, caplog, name):
        """After any mistake in a template, the page is the built-in one, and file and line are reported everywhere."""
        template, line, reason = MISTAKES[name]
        page = exported(blog)
        put(blog, "templates/article.html", template)
        done = blog.run("build")
        assert done.returncode == 1
        assert re.search(rf"^templates/article\.html:{line}: .*{re.escape(reason)}", done.stderr, re.MULTILINE), (
            done.stderr
        )
        assert (blog.root / "public/a/index.html").read_text("utf-8") == page
        assert blog.run("build", "-v").returncode == 1  # as long as the mistake is there
        checked = blog.run("check")
        assert checked.returncode == 1
        assert re.search(
            rf"^templates/article\.html:{line}: error: .*{re.escape(reason)}.*\(template\)",
            checked.stdout,
            re.MULTILINE,
        )
        client = app(blog)
        assert text_of(client, "/a/") == page
        assert text_of(client, "/a/") == page
        messages = [record.getMessage() for record in caplog.records if "article.html" in record.getMessage()]
        assert len(messages) == 1
        assert f"templates/article.html:{line}: " in messages[0]
        assert reason in messages[0]
        (blog.root / "templates/article.html").unlink()
        assert blog.run("build").returncode == 0

    @pytest.mark.parametrize(
        ("template", "reason"),
        [
            ("{{ entry.titel }}", "entry has no 'titel'; did you mean 'title'?"),
            ("{{ site.titel }}", "site has no 'titel'; did you mean 'title'?"),
            ("{{ site.titel.upper() }}", "site has no 'titel'; did you mean 'title'?"),
            ("{{ {'title': 1}.titel }}", "dict has no 'titel'; did you mean 'title'?"),
            ("{{ entry['xyzzy'] }}", "entry has no 'xyzzy'"),
            ("{{ titel }}", "'titel' is undefined; did you mean 'entry.title'?"),
            ("{{ entri.title }}", "'entri' is undefined; did you mean 'entry'?"),
            ("{{ page_langauge }}", "'page_langauge' is undefined; did you mean 'page_language'?"),
            ("{{ xyzzy }}", "'xyzzy' is undefined"),
            ("{{ entry.published|longdate }}", "No filter named 'longdate'; did you mean 'long_date'?"),
            ("{{ entry.published|xyzzy }}", "No filter named 'xyzzy'"),
            ("{{ [1][7] }}", "list object has no element 7"),
        ],
    )
    def test_an_unknown_attribute(self, blog, template, reason):
        """The reason names the value as templates do, and a similar attribute."""
        put(blog, "templates/article.html", template)
        assert f"templates/article.html:1: error: {reason};" in blog.run("check").stdout

    def test_a_file_that_is_no_template(self, blog):
        """A file that is not UTF-8 or too large is reported, and the others are used."""
        (blog.root / "templates").mkdir()
        (blog.root / "templates/feed.html").write_bytes(b"a\n\xff")
        put(blog, "templates/large.html", "x" * (1 << 20) + "x")
        put(blog, "templates/article.html", "{{ entry.title }}")
        done = blog.run("build")
        assert done.returncode == 1
        assert "templates/feed.html:2: is not UTF-8" in done.stderr
        assert "templates/large.html:1: has more than" in done.stderr
        assert (blog.root / "public/a/index.html").read_text("utf-8") == "The ferry"

    def test_files_that_can_not_be_read(self, blog):
        """A link to nothing is reported, and so is a folder with too many files; the others are used."""
        put(blog, "templates/article.html", "{{ entry.title }}")
        (blog.root / "templates/base.html").symlink_to("nothing.html")
        os.mkfifo(blog.root / "templates/feed.html")
        for number in range(500):
            put(blog, f"templates/x/{number}.html", "")
        done = blog.run("build")
        assert done.returncode == 1
        assert "templates/base.html:1: can't be read: No such file" in done.stderr
        assert "templates/feed.html:1: is not a file" in done.stderr
        assert "templates:1: has more than 500 files" in done.stderr
        assert (blog.root / "public/a/index.html").read_text("utf-8") == "The ferry"

    def test_very_many_mistakes(self, caplog):
        """Each mistake is logged once, up to a limit, by all workers that share the memory."""
        memory = Memory()
        logs = [TemplateLog(memory), TemplateLog(memory)]
        for number in range(300):
            for log in logs:
                log.report(TemplateProblem("a.html", number, "x"))
        assert len(caplog.records) == TEMPLATE_LOG_BYTES // 8
        assert len(memory.raw) == TEMPLATE_LOG_BYTES

    def test_a_folder_that_does_not_exist(self, blog):
        """A folder that the configuration names must exist."""
        blog.configure(site={"templates": "look"})
        assert "look:1: is not a folder; see site.templates" in blog.run("build").stderr

    def test_templates_that_no_page_uses(self, blog):
        """`feeds check` also compiles templates that no page uses."""
        put(blog, "templates/other.html", "{% if %}")
        assert "templates/other.html:1: error:" in blog.run("check").stdout

    def test_editors_files_are_no_templates(self, tmp_path):
        """Hidden files and temporary files of editors are left out."""
        for name in (".a.html.swp", "a.html~", "#a.html#", "a.html"):
            (tmp_path / name).write_text("x")
        assert OwnTemplates(tmp_path, is_required=False, on_problem=ignore_problem).names == ["a.html"]


class TestStaticFiles:
    def test_built_in_names_are_reserved(self, blog, app):
        """Files with the names of built-in ones or of unknown types are not published, which is reported."""
        for name in ("page.css", "theme.css", "x.exe", "sub/b.woff2", ".hidden.css"):
            put(blog, f"static/{name}", "own")
        blog.publish()
        checked = blog.run("check", "--strict")
        assert checked.returncode == 1
        assert "static/page.css:1: warning: is not published: /static/page.css is a built-in file" in checked.stdout
        assert "static/theme.css:1: warning: is not published" in checked.stdout
        assert "static/x.exe:1: warning: is not published: its type is unknown" in checked.stdout
        assert ".hidden" not in checked.stdout
        blog.run("build")
        client = app(blog)
        assert client.get("/static/page.css").body == pages.read_asset("/static/page.css")
        assert (blog.root / "public/static/page.css").read_bytes() == pages.read_asset("/static/page.css")
        assert client.get("/static/sub/b.woff2").headers["Content-Type"] == "font/woff2"
        assert (blog.root / "public/static/sub/b.woff2").exists()
        for name in ("x.exe", "theme.css", ".hidden.css"):
            assert client.get(f"/static/{name}").status == 404
            assert not (blog.root / "public/static" / name).exists()

    def test_nothing_outside_of_the_folder(self, tmp_path):
        """Neither paths nor links lead out of the folder, and linked folders are not followed."""
        folder = tmp_path / "static"
        (folder / "sub").mkdir(parents=True)
        (tmp_path / "secret.txt").write_text("x")
        (folder / "a.txt").write_text("x")
        (folder / "sub/b.txt").write_text("x")
        (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
        (folder / "in.txt").symlink_to(folder / "sub/b.txt")
        (folder / "linked").symlink_to(folder / "sub")
        files = StaticFiles(folder)
        assert sorted(files.list_names()) == ["a.txt", "in.txt", "sub/b.txt"]
        for name in (
            "../secret.txt",
            "sub/../../secret.txt",
            "out.txt",
            "/etc/passwd",
            "",
            "sub",
            "linked/b.txt",
            "a.txt\0",
        ):
            assert files.find(name) is None
        assert [unpublished.file.name for unpublished in files.list_unpublished()] == ["out.txt"]

    def test_very_many_files(self, blog, monkeypatch):
        """The list of files has a limit; `feeds build` and `feeds check` warn once if there are more files."""
        monkeypatch.setattr(static_files, "_MAX_FILES", 3)
        folder = blog.root / "many"
        folder.mkdir()
        blog.configure(site={"pages": True, "static": "many"})
        for number in range(3):
            (folder / f"{number}.txt").write_text("x")
        assert "many" not in blog.run("build").stderr
        assert "more than" not in blog.run("check").stdout
        (folder / "3.txt").write_text("x")
        files = StaticFiles(folder)
        assert list(files.list_names()) == ["0.txt", "1.txt", "2.txt"]
        problem = (
            "more than 3 files are in this folder (site.static): the others, from 3.txt on, are not exported; "
            "remove files, or publish them elsewhere"
        )
        assert files.problem == problem
        assert blog.run("build", "-v").stderr.count(f"{folder}: {problem}\n") == 1
        assert sorted(file.name for file in (blog.root / "public/static").glob("*.txt")) == ["0.txt", "1.txt", "2.txt"]
        assert f"many:1: warning: {problem} (static-file)" in blog.run("check").stdout.splitlines()

    def test_the_configuration_is_never_published(self, blog):
        """Secrets such as the access log are not published, wherever they are."""
        put(blog, "static/access.txt", "x")
        blog.configure(server={"access_log": "static/access.txt"})
        settings = blog.config
        assert StaticFiles(settings.static_folder, settings.secrets).find("access.txt") is None

    def test_all_built_in_files_are_reserved(self):
        """Every built-in file has a reserved name."""
        for file in pages.STATIC_FOLDER.iterdir():
            assert paths.is_asset(f"/static/{file.name}")


@pytest.mark.integration
def test_the_server_uses_changed_templates(blog, serve):
    """`feeds serve` uses a changed template, theme and menu in all workers, and logs a mistake once per change."""
    blog.configure(server={"workers": 2})
    server = serve(blog)
    for text in ("first", "second"):
        put(blog, "templates/article.html", text)
        server.wait_for(lambda text=text: all(text_of(server, "/a/") == text for _ in range(8)))
    put(blog, "templates/article.html", "{{ nothing }}")
    server.wait_for(lambda: all("ferry" in text_of(server, "/a/") for _ in range(8)))
    put(
        blog,
        "templates/article.html",
        "third{% block title %}{% endblock %}{% for item in site.nav %}{{ item.title }}{% endfor %}",
    )
    server.wait_for(lambda: text_of(server, "/a/") == "third")
    blog.configure(site={"nav": {"A": "/", "B": "/b/"}})
    server.wait_for(lambda: all(text_of(server, "/a/") == "thirdAB" for _ in range(8)))
    reorder_menu(blog)
    server.wait_for(lambda: all(text_of(server, "/a/") == "thirdBA" for _ in range(8)))
    server.stop()
    assert server.log.read_text().count("templates/article.html:1: 'nothing' is undefined") == 1


def test_a_changed_template_is_noticed(blog):
    """The publishing process notices a template that was added, changed or removed, and the site's own stylesheet."""
    file = ConfigFile(blog.root / "config.yaml", blog.config)
    for change in (
        lambda: put(blog, "templates/article.html", "1"),
        lambda: put(blog, "templates/article.html", "22"),
        (blog.root / "templates/article.html").unlink,
        lambda: put(blog, "static/custom.css", "x"),
    ):
        change()
        eventually(file.has_changed)
        look = file.look
        file.load()
        assert file.look != look
        assert not file.has_changed()
    put(blog, "static/other.css", "x")
    assert not file.has_changed()


EXAMPLE = re.compile(r'```\w+ title="([^"]+)"\n(.*?)```', re.DOTALL)


def test_the_examples_of_the_documentation(blog, request):
    """Each example of docs/customise.md has the effect that the text describes."""
    text = (request.config.rootpath / "docs" / "customise.md").read_text("utf-8")
    sections = {section.partition("\n")[0]: EXAMPLE.findall(section) for section in text.split("\n## ")}
    pages_by_section = {}
    for heading, files in sections.items():
        for path, example in files:
            put(blog, path, example)
        if files:
            pages_by_section[heading] = exported(blog)
            assert blog.run("check").returncode == 0
    start, look, about, css, template, language = pages_by_section.values()
    assert "logo.svg" not in start
    assert '<img src="../static/logo.svg"' in look
    for link in (
        '<a href="../">Articles</a>',
        '<a href="../about/">About</a>',
        '<a href="https://code.example/harbour">Code</a>',
    ):
        assert link in look
    assert 'Written by <a href="../about/">Ana</a>' in look
    assert about == look
    assert "The Harbour reports" in (blog.root / "public/about/index.html").read_text("utf-8")
    for listing in ("index.html", "rss.xml", "atom.xml", "feed.json"):
        assert "The Harbour reports" not in (blog.root / "public" / listing).read_text("utf-8")
    assert "static/theme.css" in look
    assert "static/custom.css" not in look and "static/custom.css" in css
    assert "Reply by e-mail" not in css
    assert '<a href="mailto:ana@harbour.example?subject=The%20ferry">Reply by e-mail</a>' in template
    assert "Abonnieren" in language
    assert (blog.root / "public/static/logo.svg").exists()


def test_the_documentation_names_all_keys_of_the_theme(request):
    """docs/customise.md describes each key of `site.theme`."""
    text = (request.config.rootpath / "docs" / "customise.md").read_text("utf-8")
    for key in ThemeSection.model_fields:
        assert f"`{key}" in text


def test_an_own_template_links_to_a_custom_feed_with_a_new_key(site):
    """If a custom feed gets another key and keeps its title, an export writes the pages of its articles again."""
    template = "{% extends 'builtin/article.html' %}{% block article_footer %}{% for feed in feeds %}[{{ feed.path }}]"
    (site.root / "templates").mkdir()
    (site.root / "templates/article.html").write_text(template + "{% endfor %}{% endblock %}")
    notes = {"title": "Notes", "include": {"folder": "notes"}}
    site.article("notes/a.md", title="a")
    site.configure(site={"pages": True}, content={"permalink": "/{slug}/"}, feeds={"custom": {"notes": notes}})
    site.run("build")
    page = site.root / "public/a/index.html"
    assert "[notes]" in page.read_text()
    site.configure(feeds={"custom": {"short-notes": notes}})
    site.run("build")
    assert "[short-notes]" in page.read_text()
