"""Compiled templates are stored like compiled modules."""

import sys

import jinja2
import pytest

from feeds.pages.template_cache import TemplateCache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a template, in which Python may store compiled code."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "environment.py").write_text("")
    (tmp_path / "a.html").write_text("{{ 1 + 1 }}")
    return tmp_path


def render(folder):
    """Return the text of the template with a new environment, and how many templates were compiled for it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), bytecode_cache=TemplateCache(str(folder / "environment.py"))
    )
    compiled = []
    compile_ = environment._compile
    environment._compile = lambda source, name: compiled.append(name) or compile_(source, name)
    return environment.get_template("a.html").render(), len(compiled)


def test_a_template_is_compiled_once(folder):
    """A second environment, such as that of the next command, uses the stored code."""
    assert render(folder) == ("2", 1)
    assert render(folder) == ("2", 0)


@pytest.mark.parametrize("name", ["a.html", "environment.py"])
def test_a_changed_file_is_compiled_again(folder, name):
    """Stored code is not used after a change of the template or of the module that creates the environment."""
    render(folder)
    (folder / name).write_text("{{ 1 + 2 }}")
    assert render(folder)[1] == 1
    assert len(list(folder.glob("**/*.pyc"))) == 1, "the stored code is replaced"


def test_other_versions_compile_again(folder, monkeypatch):
    """Stored code is not used by another version of Jinja."""
    render(folder)
    monkeypatch.setattr(jinja2, "__version__", "0")
    assert render(folder) == ("2", 1)


def test_broken_code_is_compiled_again(folder):
    """A stored file with other content than code is ignored and replaced."""
    render(folder)
    for file in folder.glob("**/*.pyc"):
        file.write_bytes(b"broken")
    assert render(folder) == ("2", 1)
    assert render(folder) == ("2", 0)


def test_a_folder_that_cannot_be_written_is_no_error(folder):
    """Without a place for compiled code, templates are compiled each time."""
    (folder / "__pycache__").write_text("a file")
    assert render(folder) == ("2", 1)
    assert render(folder) == ("2", 1)


def test_python_may_forbid_it(folder, monkeypatch):
    """With PYTHONDONTWRITEBYTECODE, nothing is stored."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    render(folder)
    assert not list(folder.glob("**/*.pyc"))
