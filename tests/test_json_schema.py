"""The JSON Schema of config.yaml: `feeds schema`, and the file that `feeds init` writes for editors."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from feeds.config import load
from feeds.config.json_schema import json_schema
from feeds.config.schema import Config
from feeds.core.errors import ConfigError

REPOSITORY = Path(__file__).parent.parent
SITE = {"title": "A", "url": "https://a.example"}
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def is_accepted(settings, folder):
    """Return whether `load` accepts settings."""
    file = folder / "config.yaml"
    file.write_text(json.dumps(settings), "utf-8")
    try:
        load(file, {})
    except ConfigError:
        return False
    return True


def test_it_is_a_schema():
    """The document follows the rules of JSON Schema, and refers to no other document."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert not {"$ref", "$defs", "prefixItems"} & set(re.findall(r'"([^"]+)":', json.dumps(SCHEMA)))  # newer drafts


def properties(schema, path=""):
    """Yield (path, schema) for each key, also those inside of lists and mappings."""
    for key, value in schema.get("properties", {}).items():
        yield f"{path}.{key}".removeprefix("."), value
        yield from properties(value, f"{path}.{key}")
    for choice in schema.get("anyOf", ()):
        yield from properties(choice, path)
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from properties(inner, f"{path}.*")


def test_it_has_all_keys_with_their_descriptions():
    """Each key that config.yaml may have is in the schema, in the same order and with a description of its own."""
    assert list(SCHEMA["properties"]) == [name for name, field in Config.model_fields.items() if not field.exclude]
    for name, section in SCHEMA["properties"].items():
        model = Config.model_fields[name].annotation
        assert list(section.get("properties", ())) == list(getattr(model, "model_fields", ()))
    found = dict(properties(SCHEMA))
    assert {"site.title", "site.author.email", "feeds.limit", "state"} <= found.keys()
    missing = [path for path, schema in found.items() if not schema.get("description")]
    assert not missing, f"add descriptions below these keys in feeds/config/schema.py: {missing}"
    untyped = [path for path, schema in found.items() if not schema.keys() & {"type", "anyOf", "enum", "const"}]
    assert not untyped, f"add json_schema_input_type to the validators of these keys: {untyped}"


def test_descriptions_for_editors_have_no_links():
    """Editors can't follow links to pages of docs/, so the descriptions have only their texts; docs/config.md has them."""
    assert "](" not in json.dumps(SCHEMA)
    timezone = SCHEMA["properties"]["site"]["properties"]["timezone"]
    assert timezone["description"].endswith("such as Europe/Lisbon.")
    assert timezone["markdownDescription"].endswith("such as `Europe/Lisbon`.")
    assert "(articles.md#mdx)" in json.dumps(json_schema(for_editors=False))


def test_it_has_defaults_as_they_are_written():
    """A default is the value that config.yaml would contain, not the parsed one."""
    sections = SCHEMA["properties"]
    assert sections["schedule"]["properties"]["cron"]["default"] == "*/15 * * * *"
    assert sections["export"]["properties"]["path"]["default"] == "public"
    assert sections["feeds"]["properties"]["by"]["default"] == ["category", "tag", "author"]
    assert "default" not in sections["site"]["properties"]["author"]
    assert "default" not in sections["content"]


@pytest.mark.parametrize(
    "file", [REPOSITORY / "config.yaml", *(REPOSITORY / "tests" / "golden").rglob("config.yaml")], ids=str
)
def test_the_configurations_of_this_repository_are_valid(file):
    """The demo site's configuration and those of the golden cases are valid."""
    VALIDATOR.validate(yaml.safe_load(file.read_text("utf-8")))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"title": "A"},
        {"author": "Ann"},
        {"author": {"name": "Ann", "email": "ann@a.example"}},
        {"title": 2024},
        {"readers": {"Feedly": False, "Miniflux": "https://r.example/?u={url}"}},
        {"icon": None},
    ],
)
def test_accepted_values_are_valid(settings, tmp_path):
    """The schema accepts each form that a value may have."""
    settings = {"site": SITE | settings, "content": None, "check": {"ignore": "no-summary"}, "schedule": {"cron": None}}
    assert is_accepted(settings, tmp_path)
    VALIDATOR.validate(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"site": {"title": "A"}},
        {"site": SITE | {"titel": "A"}},
        {"site": SITE, "fedes": {}},
        {"site": SITE, "feeds": {"by": ["folder or so"]}},
        {"site": SITE, "feeds": {"archives": "some"}},
        {"site": SITE, "feeds": {"aliases": {"index.xml": "/rss.xml"}}},
        {"site": SITE, "server": {"port": "many"}},
        {"site": SITE, "content": []},
        {"site": SITE | {"author": {"email": "ann@a.example"}}},
    ],
)
def test_mistakes_are_invalid(settings, tmp_path):
    """The schema rejects unknown keys, missing keys and values of the wrong type, as `load` does."""
    assert not is_accepted(settings, tmp_path)
    assert not VALIDATOR.is_valid(settings)


NUMBERS = [
    (section, key, value)
    for section, schema in SCHEMA["properties"].items()
    for key, value in schema.get("properties", {}).items()
    if "minimum" in value
]


@given(st.sampled_from(NUMBERS), st.sampled_from(["minimum", "maximum"]), st.integers(-1, 1))
def test_limits_of_numbers_are_those_of_the_program(tmp_path_factory, number, limit, difference):
    """For numbers near a limit, the schema and `load` agree."""
    section, key, schema = number
    settings = {"site": SITE, section: {key: schema[limit] + difference}}
    assert VALIDATOR.is_valid(settings) == is_accepted(settings, tmp_path_factory.mktemp("site"))


@pytest.mark.databases("sqlite")
def test_the_command_prints_it(site):
    """`feeds schema` prints the schema as indented JSON, and needs no configuration."""
    done = site.run("schema", "-c", "missing.yaml")
    assert done.returncode == 0
    assert json.loads(done.stdout) == SCHEMA
    assert done.stdout.startswith('{\n  "$schema": "http://json-schema.org/draft-07/schema#"')


@pytest.mark.integration
@pytest.mark.parametrize("options", [[], ["-c", "blog.yaml"]], ids=str)
def test_init_writes_it_for_editors(tmp_path, options):
    """The first line of the new config.yaml names a file beside it, whose text is that of `feeds schema`."""
    done = subprocess.run(
        [sys.executable, "-m", "feeds", "init", ".", "-q", *options], cwd=tmp_path, check=True, capture_output=True
    )
    assert done.stderr == b""
    text = (tmp_path / (options[-1] if options else "config.yaml")).read_text("utf-8")
    first, _, rest = text.partition("\n")
    assert first == "# yaml-language-server: $schema=.feeds.schema.json"
    schema = json.loads((tmp_path / first.partition("=")[2]).read_text("utf-8"))
    assert schema == SCHEMA
    jsonschema.validate(yaml.safe_load(rest), schema)


def test_an_old_file(site):
    """`feeds check -v` reports the file of another version, names the command that writes it, and changes nothing."""
    site.article("a.md", "Text.", title="A", description="D")
    file = site.root / ".feeds.schema.json"
    assert "old-schema" not in site.run("check", "-v").stdout
    assert not file.exists()
    file.write_text(site.run("schema").stdout)
    assert "old-schema" not in site.run("check", "-v").stdout
    file.write_text("{}")
    done = site.run("check", "-v", "--strict")
    assert (done.returncode, file.read_text()) == (0, "{}")
    assert "feeds schema > .feeds.schema.json (old-schema)" in done.stdout
    assert "old-schema" not in site.run("check", "-v", "--ignore", "old-schema").stdout
    file.write_bytes(b"\xff")
    assert "old-schema" not in site.run("check", "-v").stdout
