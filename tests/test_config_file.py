"""The configuration file of `feeds serve`: when a change of it is noticed."""

import pytest

from feeds.cli import config_file
from feeds.cli.config_file import ConfigFile
from feeds.core.errors import ConfigError


class Clock:
    """A clock that a test sets, as the module `time`."""

    def __init__(self):
        """Begin at 0."""
        self.now = 0.0

    def monotonic(self):
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Return the clock of the module."""
    monkeypatch.setattr(config_file, "time", clock := Clock())
    return clock


def poll(file, clock, seconds):
    """Poll a file five times a second; return the results."""
    results = []
    for _ in range(round(seconds * 5)):
        clock.now += 0.2
        results.append(file.has_changed())
    return results


def test_a_file_that_is_replaced(site, clock):
    """A file that is missing for less than a second, and then has the same content, is at most loaded again."""
    site.configure()
    path = site.root / "config.yaml"
    text = path.read_bytes()
    file = ConfigFile(path, site.config)
    for seconds in (0.2, 0.6, 0.9):
        path.unlink()
        assert not any(poll(file, clock, seconds))
        path.write_bytes(text)
        assert poll(file, clock, 0.4) == [False, True]
        assert file.load() == site.config
        assert not any(poll(file, clock, 1))


def test_a_file_that_is_missing(site, clock):
    """A file that stays missing is a change after a second, once; its return is the next change."""
    site.configure()
    path = site.root / "config.yaml"
    file = ConfigFile(path, site.config)
    path.rename(site.root / "moved")
    assert not any(poll(file, clock, 1))
    assert any(poll(file, clock, 0.6))
    with pytest.raises(ConfigError, match=r"config\.yaml is missing"):
        file.load()
    assert not any(poll(file, clock, 5))
    (site.root / "moved").rename(path)
    assert poll(file, clock, 0.4) == [False, True]


def test_other_permissions(site, clock):
    """A file with other permissions is read again: the process may be allowed to read it now."""
    site.configure()
    path = site.root / "config.yaml"
    file = ConfigFile(path, site.config)
    path.chmod(0o600)
    assert poll(file, clock, 0.4) == [False, True]


def test_a_configuration_that_could_not_be_used(site, clock):
    """A configuration that could not be used is tried again after a while, and not again after it was loaded."""
    site.configure()
    file = ConfigFile(site.root / "config.yaml", site.config)
    file.retry_later()
    assert not any(poll(file, clock, 9))
    assert any(poll(file, clock, 2))
    file.load()
    assert not any(poll(file, clock, 20))
