"""config.yaml and FEEDS__* become one Config, or a list of all mistakes with their positions."""

import pwd
from pathlib import Path

import annotated_types
import pytest
import yaml

from feeds import config
from feeds.config.cron import parse_cron
from feeds.config.values import PurgeRequest
from feeds.core.errors import ConfigError
from feeds.core.text import escape_unprintable

GOOD = "site: {title: T, url: 'https://a.example/'}\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.yaml"


def load(file, text, **environment):
    file.write_text(text, "utf-8")
    return config.load(file, environment)


def mistakes(file, text, **environment):
    with pytest.raises(ConfigError) as caught:
        load(file, text, **environment)
    return [mistake.replace(str(file), "c") for mistake in caught.value.mistakes]


def test_defaults(file):
    """A title and a URL suffice; everything else has its documented default."""
    settings = load(file, GOOD)
    core = settings.site_model
    assert (core.url, core.feeds_url, core.authority, core.limit) == (
        "https://a.example",
        "https://a.example",
        "a.example",
        50,
    )
    assert core.by == ("category", "tag", "author")
    assert settings.content_root == file.parent / "content"
    assert settings.catalog == file.parent / ".feeds" / "catalog.db"
    assert settings.schedule.cron == parse_cron("*/15 * * * *")
    assert (settings.server.host, settings.server.port, settings.server.max_age) == ("127.0.0.1", 8000, 300)


def test_the_contracts_example_is_read(file):
    """Every documented key is known; keys without effect in this version are reported."""
    text = """
site:
  title: Example News
  url: https://news.example
  description: About
  language: en
  timezone: UTC
  author: {name: Desk, email: desk@news.example, url: https://news.example/desk}
  icon: /icon.png
  copyright: CC BY
  authority: news.example
content: {path: content, include: ["**/*.md"], exclude: [], permalink: "/{category}/{slug}/", watch: auto}
feeds:
  url: https://feeds.news.example
  by: [category, tag, author]
  limit: 50
  text: full
  min_entries: 1
  archives: all
  guard: 0.2
  aliases: {/index.xml: /rss.xml}
server: {host: 127.0.0.1, port: 8000, workers: 1, max_age: 300}
schedule: {cron: null}
export: {path: public}
state: sqlite:///.feeds/catalog.db
push: {hub: true, hubs: [https://hub.example/], allow_private: false}
"""
    settings = load(file, text)
    assert settings.schedule.cron is None
    assert settings.site_model.icon == "https://news.example/icon.png"
    assert [note.rpartition(": has")[0].replace(str(file), "c") for note in settings.unsupported_keys] == [
        "c:26:1: push",
    ]


def test_all_mistakes_at_once_each_with_its_place(file):
    """Each mistake is reported with file:line:column and key, in the order of the file, with a likely correction."""
    text = """site:
  titel: x
  url: ftp://x
  timezone: Europe/Berln
  author: {nam: x}
content:
  permalink: /{categroy}/{slug}
  watch: evnts
feeds:
  limit: many
  by: [category, tags]
  guard: 3
  archives: maybe
  aliases: {index.xml: /rss.xml}
server: 5
shedule: {cron: x}
schedule: {cron: "*/15 25 * * *"}
"""
    assert mistakes(file, text) == [
        "c:1:1: site.title: missing; it is required",
        "c:2:3: site.titel: unknown key; did you mean title?",
        "c:3:3: site.url: must be a URL like https://news.example, without ? or #",
        "c:4:3: site.timezone: is not an IANA time zone; did you mean Europe/Berlin?",
        "c:5:3: site.author.name: missing; it is required",
        "c:5:12: site.author.nam: unknown key; did you mean name?",
        "c:7:3: content.permalink: {categroy} is not a placeholder; did you mean category?",
        "c:8:3: content.watch: must be 'auto', 'events', 'poll' or 'off'; did you mean events?",
        "c:10:3: feeds.limit: must be a whole number",
        "c:11:18: feeds.by.1: must be 'category', 'tag', 'author', 'language' or 'folder'; did you mean tag?",
        "c:12:3: feeds.guard: must be at most 1.0",
        "c:13:3: feeds.archives: must be true, false or all",
        "c:14:13: feeds.aliases.index.xml: must begin with /",
        "c:15:1: server: must be a mapping",
        "c:16:1: shedule: unknown key; did you mean schedule?",
        "c:17:12: schedule.cron: hour: '25' is not a number from 0 to 23",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("site: {title: [", "c:2:1: not YAML"),
        ("- a", "c:1:1: must be a mapping"),
        ("", "c:1:1: site: missing"),
        (GOOD + "site: {}", "c:2:1: site: duplicate key"),
        (GOOD + "a: &b 1\nc: *b", "c:3:4: *b: aliases are not supported"),
        (GOOD + "schedule: {cron: every day}", "c:2:12: schedule.cron: must have five fields"),
        (GOOD + "server: {host: a..b}", "c:2:10: server.host: must be the name or the address of a host"),
        (GOOD + f"server: {{host: {'x' * 64}}}", "c:2:10: server.host: must be the name or the address of a host"),
        (GOOD + "server: {metrics: 'a..b:80'}", "c:2:10: server.metrics: must be the name or the address of a host"),
        (GOOD + "schedule: {cron: [a]}", "c:2:12: schedule.cron: must be text"),
        (GOOD + "schedule: {cron: true}", "c:2:12: schedule.cron: must be text"),
        (GOOD + "schedule: {cron: '0 0 31 2 *'}", "c:2:12: schedule.cron: selects no day"),
        (GOOD + "state: mysql://x", "c:2:1: state: must be sqlite:///PATH or postgresql://USER@HOST/DATABASE"),
        (GOOD + "export: {path: s3://key:secret@x/y}", "c:2:10: export.path: must be a folder, or s3://BUCKET/PREFIX"),
        (GOOD + "export: {path: ftp://x/y}", "c:2:10: export.path: must be a folder"),
        (GOOD + "export: {purge: PURGE https://cdn.example/}", "c:2:10: export.purge: must have the URL to purge"),
        (GOOD + "export: {path: 's3:/x'}", "c:2:10: export.path: must be a folder, or s3://BUCKET/PREFIX"),
        (GOOD + "export: {path: s3//b/x}", "c:2:10: export.path: must be a folder, or s3://BUCKET/PREFIX"),
        (GOOD + "export: {purge: 'PURGE {ulr}'}", "c:2:10: export.purge: must have a URL, or its placeholder {raw}"),
        (GOOD + "export: {purge: '{raw}'}", "c:2:10: export.purge: must have a method or a command: PURGE {raw}"),
        (GOOD + "export: {purge: sh 'x}", "c:2:10: export.purge: is not a command"),
        (
            GOOD + f"schedule: {{before: {'9' * 100_000}x}}",
            "c:2:12: schedule.before: must have at most 10,000 characters",
        ),
        (
            GOOD + "feeds: {text: excerpts}",
            "c:2:9: feeds.text: must be 'full', 'summary', 'excerpt' or 'both'; did you mean excerpt?",
        ),
        (GOOD + "feeds: {link_blog: subject}", "c:2:9: feeds.link_blog: must be 'permalink' or 'external'"),
        (GOOD + "feeds: {footer: '{titel}'}", "c:2:9: feeds.footer: {titel} is not a placeholder; did you mean title?"),
        (GOOD + "feeds: {footer: {title}}", "c:2:9: feeds.footer: must be text; put it into quotes"),
        (GOOD + f"feeds: {{footer: {'x' * 1001}}}", "c:2:9: feeds.footer: must have at most 1,000 characters"),
        (GOOD + "feeds: {footer: '{reply_by_email}', limit: 0}", "c:2:37: feeds.limit: must be at least 1"),
        (
            GOOD + "feeds: {limit: 5, footer: '{reply_by_email}'}",
            "c:2:19: feeds.footer: {reply_by_email} needs site.author.email",
        ),
        (GOOD + "feeds: {link_query: '?a=b'}", "c:2:9: feeds.link_query: must not begin with ?; write a=b"),
        (
            GOOD + "feeds: {link_query: 'a=b&amp;c=d'}",
            "c:2:9: feeds.link_query: must have & instead of &amp;; write a=b&c=d",
        ),
        (GOOD + "feeds: {link_query: 'a=b c'}", "c:2:9: feeds.link_query: must not contain a space; write %20"),
        (GOOD + "feeds: {link_query: 'a=b#c'}", "c:2:9: feeds.link_query: must not contain '#'; write %23"),
        (GOOD + "feeds: {link_query: 'a=5%'}", "c:2:9: feeds.link_query: must not contain '%'; write %25"),
        (GOOD + "feeds: {link_query: 'a=é'}", "c:2:9: feeds.link_query: must not contain 'é'; write %C3%A9"),
        (GOOD + 'feeds: {link_query: "a=b\\u202e"}', "c:2:9: feeds.link_query: must not contain '"),
        (GOOD + "feeds: {link_query: 'a=b&&c=d'}", "c:2:9: feeds.link_query: must be parameters like utm_source=rss"),
        (GOOD + "server: {port: 99999}", "c:2:10: server.port: must be at most 65535"),
        (GOOD + "server: {port: 80.5}", "c:2:10: server.port: must be a whole number"),
        ("site: {title: '', url: https://a.example}", "c:1:8: site.title: must not be empty"),
        ("site: {title: t, url: https://a.example/?x}", "c:1:18: site.url: must be a URL"),
        ("site: {title: t, url: https://a.example, authority: a b}", "c:1:42: site.authority: must be a domain name"),
        (
            "site: {title: t, url: https://a.example, author: {name: x, email: y}}",
            "c:1:60: site.author.email: is not an e-mail address",
        ),
    ],
)
def test_mistakes(file, text, mistake):
    """Each mistake is one sentence that names the place and the problem."""
    assert mistakes(file, text)[0].startswith(mistake)


def test_home_folders(file, monkeypatch):
    """In paths, "~" is the home folder and "~USER" a user's, as in a shell; in other values "~" stays as it is."""
    monkeypatch.setenv("HOME", "/home/ann")
    settings = load(
        file,
        "site: {title: ~ann, url: https://a.example/~ann, icon: /~ann/i.png}\n"
        "content: {path: ~/blog}\nstate: sqlite:///~/c.db\nexport: {path: ~/out}\n"
        "server: {access_log: ~/log}\n",
    )
    assert settings.content_root == Path("/home/ann/blog")
    assert settings.catalog == Path("/home/ann/c.db")
    assert settings.export_target == Path("/home/ann/out")
    assert Path("/home/ann/log") in settings.secrets
    assert (settings.site.title, settings.site.url) == ("~ann", "https://a.example/~ann")
    root = pwd.getpwuid(0)
    assert load(file, f"{GOOD}content: {{path: ~{root.pw_name}/blog}}").content_root == Path(root.pw_dir) / "blog"
    for path in ("./~x", "a/~/b"):
        assert load(file, f"{GOOD}content: {{path: {path}}}").content_root == file.parent / path
    assert load(file, GOOD, FEEDS__EXPORT__PATH="~/x").export_target == Path("/home/ann/x")


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("content: {path: ~nobody-here/x}", "content.path"), ("state: sqlite:///~nobody-here", "state"),
        ("export: {path: ~nobody-here/x}", "export.path"), ("server: {access_log: ~nobody-here}", "server.access_log"),
    ],
)  # fmt: skip
def test_unknown_home_folders(file, section, key):
    """The home folder of an unknown user is a mistake in one sentence."""
    [mistake] = mistakes(file, f"{GOOD}{section}")
    reason = "the home folder ~nobody-here is unknown; write the whole path (./~nobody-here is a folder of that name)"
    assert mistake.endswith(f"{key}: {reason}")


def test_no_file(tmp_path):
    """A missing or unreadable file is reported, with advice."""
    with pytest.raises(ConfigError, match="does not exist; create it with `feeds init`"):
        config.load(tmp_path / "none.yaml", {})
    with pytest.raises(ConfigError, match="can't be read"):
        config.load(tmp_path, {})
    (tmp_path / "c.yaml").write_bytes(b"site: {title: caf\xe9}")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(tmp_path / "c.yaml", {})


def test_the_environment_overrides(file):
    """FEEDS__SECTION__KEY overrides a key, with lists and mappings in YAML's flow style; null removes a key."""
    settings = load(
        file,
        GOOD + "feeds: {limit: 10}",
        FEEDS__SITE__URL="https://b.example",
        FEEDS__FEEDS__BY="[tag]",
        FEEDS__SERVER__PORT="9000",
        FEEDS__SITE__TITLE="A: B # C",
        FEEDS__SCHEDULE__CRON="null",
        FEEDS_CONFIG="ignored",
    )
    assert (settings.site.url, settings.site.title, settings.feeds.by) == ("https://b.example", "A: B # C", ("tag",))
    assert (settings.server.port, settings.feeds.limit, settings.schedule.cron) == (9000, 10, None)


def test_mistakes_in_the_environment_name_the_variable(file):
    """A wrong value or key in the environment is reported with the name of the variable."""
    assert mistakes(file, GOOD, FEEDS__SERVER__PORT="x", FEEDS__FEEDS__MIN_ENTRYS="3", FEEDS__FEEDS__BY="[a") == [
        "FEEDS__FEEDS__BY: not YAML: did not find expected ',' or ']'",
    ]
    assert mistakes(file, GOOD, FEEDS__SERVER__PORT="x", FEEDS__FEEDS__MIN_ENTRYS="3") == [
        "FEEDS__FEEDS__MIN_ENTRYS: feeds.min_entrys: unknown key; did you mean min_entries?",
        "FEEDS__SERVER__PORT: server.port: must be a whole number",
    ]


def test_the_demos_configuration_is_right():
    """The config.yaml of the repository has no mistakes and no keys without effect."""
    settings = config.load(Path(__file__).parent.parent / "config.yaml", {})
    assert settings.unsupported_keys == ()
    assert (
        yaml.safe_load((Path(__file__).parent.parent / "config.yaml").read_text("utf-8"))["site"]["title"]
        == settings.site.title
    )


@pytest.mark.parametrize(
    ("section", "value", "written"),
    [
        ("server: {metrics: '127.0.0.1:9464'}", ("127.0.0.1", 9464), "127.0.0.1:9464"),
        ("server: {metrics: '[::1]:9464'}", ("::1", 9464), "[::1]:9464"),
        ("schedule: {before: git pull 'a b'}", ("git", "pull", "a b"), None),
        ("export: {purge: 'PURGE {raw}'}", PurgeRequest("PURGE", "{raw}"), None),
        ("export: {purge: 'https://cdn.example/{path}'}", PurgeRequest("GET", "https://cdn.example/{path}"), None),
        ("export: {purge: sh purge.sh}", ("sh", "purge.sh"), None),
        ("export: {path: out/feeds}", Path("out/feeds"), "out/feeds"),
        ("export: {path: 's3://bucket/x'}", "s3://bucket/x", "s3://bucket/x"),
    ],
)  # fmt: skip
def test_values_are_divided_into_their_parts(tmp_path, section, value, written):
    """An address, a command, a purge and the export's path are parsed once, when the configuration is read."""
    file = tmp_path / "c.yaml"
    file.write_text(f"site: {{title: T, url: https://t.example}}\n{section}\n")
    key, _, rest = section.partition(": {")
    loaded = getattr(getattr(config.load(file, {}), key), rest.partition(":")[0])
    assert loaded == value
    assert written is None or str(loaded) == written


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("feeds: {max_size: big}", "feeds.max_size: must be a whole number"),
        ("feeds: {redirect_aliases: perhaps}", "feeds.redirect_aliases: must be true or false"),
        ("feeds: {aliases: {/a.xml: /nothing}}", "feeds.aliases: /a.xml leads to /nothing, but must lead to an rss.xml, atom.xml or feed.json"),
        ("feeds: {aliases: {/a.xml: /b.xml, /b.xml: /rss.xml}}", "feeds.aliases: /a.xml leads to /b.xml, which is an alias itself"),
        ("feeds: {aliases: {/rss.xml: /atom.xml}}", "feeds.aliases: /rss.xml can't be an alias: it is the site's own feed"),
        ("server: {limit: many}", "server.limit: must be a whole number"),
        ("server: {client_header: X Real}", "server.client_header: must be the name of a header, like X-Real-IP"),
        ("server: {metrics: nonsense}", "server.metrics: must be an address and a port, like 127.0.0.1:9464"),
        ("server: {metrics: '127.0.0.1:99999'}", "server.metrics: must be an address and a port, like 127.0.0.1:9464"),
        ("server: {access_log: ''}", "server.access_log: must not be empty"),
        ("server: {metrics: [9464]}", "server.metrics: must be text"),
        ("schedule: {before: [git, pull]}", "schedule.before: must be text"),
        ("export: {purge: {url: x}}", "export.purge: must be text"),
        ("export: {path: [x]}", "export.path: must be text"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_serving(tmp_path, section, said):
    """Each mistake in `server` settings is one sentence that names the place and the expected value."""
    file = tmp_path / "c.yaml"
    file.write_text(f"site: {{title: T, url: https://t.example}}\n{section}\n")
    with pytest.raises(ConfigError) as error:
        config.load(file, {})
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{file}:2:")
    assert line.endswith(said)


def test_the_names_of_the_sites_documents():
    """The paths of the site's documents end in the file names of the formats."""
    from feeds.core import paths
    from feeds.core.formats import FORMATS

    assert [f"/{format_.filename}" for format_ in FORMATS] == list(paths.SITE_DOCUMENTS)


@pytest.mark.parametrize(
    ("pattern", "may"),
    [
        ("**/*.txt", False), ("*.html", False), ("posts/**/*.mdown", False), ("**/*.{md,mdx}", False), ("a*.rst", False),
        ("**/*.md", True), ("**/*.MDX", True), ("posts/**", True), ("posts", True), ("posts/", True), ("*", True),
        ("**/index.*", True), ("20*-?.m[d]", True), ("note-*d", True), ("!**/*.txt", True), ("v1.2/", True),
    ],
)  # fmt: skip
def test_patterns_that_can_match_nothing(file, pattern, may):
    """A pattern of content.include that matches no article's extension is a mistake with a position."""
    text = f"{GOOD}content:\n  include:\n    - '**/a.md'\n    - '{pattern}'\n"
    if may:
        assert load(file, text).content.include[1] == pattern
    else:
        (said,) = mistakes(file, text)
        assert said.startswith(f"c:5:7: content.include.1: {pattern} matches no article: article files end in .md, ")
        assert ("a pattern for each ending" in said) == ("{" in pattern)


ODD = "\u202e\u2066\u200f\u061c\u200b\u00ad"  # characters of which a terminal shows nothing, or changes the order of others
LONG = "x" * 9_000


@pytest.mark.parametrize("odd", [f"a{ODD}b", LONG, f"{ODD * 2_000}"], ids=["odd", "long", "both"])
@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("? {odd}\n: {{a: 1}}", True),
        ("? '{odd}'\n: 1\n? '{odd}'\n: 2", True),
        ("site:\n  ? {odd}\n  : 1", True),
        ("feeds:\n  limit: {odd}", False),
        ("feeds:\n  text: {odd}", False),
        ("feeds:\n  aliases:\n    ? /{odd}\n    : /nothing", True),
        ("feeds:\n  aliases:\n    ? /a\n    : /{odd}", True),
        ("feeds:\n  aliases:\n    ? /{odd}\n    : [a]", True),
        ("feeds:\n  aliases:\n    ? /{odd}?\n    : /rss.xml", True),
        ("feeds:\n  by: [{odd}]", False),
        ("content:\n  permalink: '/{{{odd}}}'", True),
        ("content:\n  permalink: '/{{slug:{odd}}}'", True),
        ("content:\n  id: 'a:{{{odd}}}'", True),
        ("content:\n  permalinks:\n    ? {odd}\n    : '/x'", True),
        ("content:\n  include: '*{odd}.txt'", True),
        ("schedule:\n  cron: '{odd} * * * *'", True),
        ("schedule:\n  cron: '0 0 * * 1-{odd}'", True),
        ("check:\n  ignore: [{odd}]", True),
        ("check: !{odd} x", False),
        ("check: !!{odd} x", False),
        ("check: *{odd}", False),
        ("site:\n  readers:\n    ? {odd}\n    : ''", True),
        ("site:\n  readers:\n    ? {odd}\n    : '{odd}:x'", False),
        ("site:\n  language: {odd}", False),
        ("site:\n  timezone: {odd}", False),
        ("state: {odd}", False),
        ("export:\n  path: s3://{odd}?", False),
        ("export:\n  purge: 'sh \\'", False),
        ("server:\n  port: {odd}", False),
        ("server:\n  host: {odd}", False),
        ("server:\n  metrics: {odd}:{odd}", False),
    ],
)  # fmt: skip
def test_messages_quote_an_excerpt_without_unprintable_characters(file, text, quoted, odd):
    """A message quotes at most an excerpt of a key, a tag or a value, with escapes, whatever the file contains."""
    site = "" if text.startswith("site") else GOOD
    for mistake in mistakes(file, site + text.format(odd=odd)):
        assert mistake == escape_unprintable(mistake)
        assert len(mistake) < 400
        assert mistake.isprintable()
    if quoted and odd.startswith("a"):
        assert any(r"\u202e" in mistake for mistake in mistakes(file, site + text.format(odd=odd)))


@pytest.mark.parametrize("odd", [f"a{ODD}b", LONG], ids=["odd", "long"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("{}", "1"), ("SITE__{}", "1"), ("FEEDS__{}__X", "1"), ("FEEDS__TEXT", "{}"), ("FEEDS", "[!{} a]"), ("CHECK__IGNORE", "{}")],
)  # fmt: skip
def test_messages_about_variables_quote_an_excerpt(file, name, value, odd):
    """A message quotes at most an excerpt of the name of a variable, and of its value, with escapes."""
    variables = {f"FEEDS__{name.replace('{}', odd)}": value.replace("{}", odd)}
    (mistake,) = mistakes(file, GOOD, **variables)
    assert mistake.startswith("FEEDS__")
    assert mistake == escape_unprintable(mistake)
    assert len(mistake) < 400


def test_messages_escape_the_name_of_the_file(tmp_path):
    """The name of the configuration file is escaped too."""
    for file, text in ((tmp_path / "\u202e.yaml", "sit: 1"), (tmp_path / "\x1b[31m", ""), (tmp_path / "\n.yaml", "[")):
        if text:
            file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            config.load(file, {})
        assert all(mistake == escape_unprintable(mistake) for mistake in caught.value.mistakes)
        assert str(caught.value).splitlines() == caught.value.mistakes


def numbers():
    """Return the path, the type and the bounds of each number in the configuration."""
    found = []
    for section, field in config.Config.model_fields.items():
        for key, inner in getattr(field.annotation, "model_fields", {}).items():
            if inner.annotation in (int, float):
                bounds = {type(bound): bound for bound in inner.metadata}
                lowest, highest = bounds.get(annotated_types.Ge), bounds.get(annotated_types.Le)
                found.append((f"{section}.{key}", lowest and lowest.ge, highest and highest.le))
    return found


@pytest.mark.parametrize(("key", "lowest", "highest"), numbers())
def test_each_number_has_bounds(file, key, lowest, highest):
    """Each number has documented bounds; a number beyond them, of any length, is a mistake that names the bound."""
    documentation = (Path(__file__).parent.parent / "docs" / "config.md").read_text("utf-8")
    _, _, description = documentation.partition(f"### `{key}`\n\n")
    assert f"umber from {lowest:,} to {highest:,}. " in description.partition("\n")[0]
    section, name = key.split(".")
    for number in (lowest, highest):
        assert getattr(getattr(load(file, f"{GOOD}{section}: {{{name}: {number}}}"), section), name) == number
    for number in (highest + 1, "9" * 30, "9" * 400, "9" * 5_000, "1e999", ".inf", "nan", lowest - 1, "-" + "9" * 400):
        (mistake,) = mistakes(file, f"{GOOD}{section}: {{{name}: {number}}}")
        assert mistake.startswith(f"c:2:{len(section) + 4}: {key}: ")
        if isinstance(number, int) or number in ("9" * 30, "9" * 400):
            word, bound = ("least", lowest) if number == lowest - 1 else ("most", highest)
            assert f"must be at {word} {bound}" in mistake
        assert len(mistake) < 100


def test_the_numbers_of_an_address_have_bounds(file):
    """A port is a number of at most five ASCII digits."""
    for port in ("0", "65536", "9" * 5_000, "٣", "-1", "1e3"):
        (mistake,) = mistakes(file, f"{GOOD}server: {{metrics: '127.0.0.1:{port}'}}")
        assert mistake == "c:2:10: server.metrics: must be an address and a port, like 127.0.0.1:9464"


def test_a_mistake_is_a_line_of_bounded_length(tmp_path):
    """A message about a very long value does not repeat the whole value."""
    text = f"site: {{title: T, url: 'https://t.example'}}\ncheck: {{ignore: [{'x' * 9_000}]}}\n"
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "config.yaml", text)
    (mistake,) = error.value.mistakes
    assert "check.ignore" in mistake
    assert len(mistake) < 1_200 + len(str(tmp_path))
