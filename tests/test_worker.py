"""A worker switches to another configuration in its process: completely, or not at all."""

import threading
from functools import partial
from multiprocessing import Pipe

import pytest
from waiting import eventually
from werkzeug.test import Client

from feeds.core.errors import FeedsError
from feeds.render import Documents
from feeds.web import create_application, worker
from feeds.web.rsgi import Application


@pytest.fixture
def reloading(site):
    """Yield an application that answers, and the connection over which it receives configurations."""
    site.article("a.md", title="a")
    site.publish()
    served = create_application(site.config)
    application = Application(served, lambda: None)
    channel, reloads = Pipe()
    create = partial(create_application, metrics=None)
    thread = threading.Thread(target=worker._receive_reloads, args=(reloads, application, create))
    thread.start()
    with reloads:
        with channel:
            yield application, channel
        thread.join()
    application.served.close()


def title(application):
    """Return the title that the application serves."""
    return Client(application.served.app).get("/feed.json").json["title"]


def test_a_switch(site, reloading):
    """The other application has the documents that were requested last, and the first one is closed."""
    application, channel = reloading
    first = application.served
    assert title(application) == "Test"
    site.configure(site={"title": "Other"})
    channel.send(site.config)
    assert channel.recv() == ""
    assert title(application) == "Test"
    channel.send(True)
    assert channel.recv() == ""
    assert application.served.documents.last_used(9) == ["/feed.json"]
    assert title(application) == "Other"
    eventually(first.documents.revision_watcher._stopping.is_set)


def test_requests_end_before_their_application(site, reloading, monkeypatch):
    """An application that still answers a request stays open until then."""
    monkeypatch.setattr(worker, "_DRAIN_INTERVAL_S", 0.001)
    application, channel = reloading
    first = application._answering
    first.requests += 1
    channel.send(site.config)
    channel.recv()
    channel.send(True)
    channel.recv()
    assert Client(first.served.app).get("/feed.json").status_code == 200
    assert not first.served.documents.revision_watcher._stopping.is_set()
    first.requests -= 1
    eventually(first.served.documents.revision_watcher._stopping.is_set)


def test_a_switch_that_is_not_made(site, reloading):
    """If another worker can't switch, the application is discarded."""
    application, channel = reloading
    first = application.served
    channel.send(site.config)
    assert channel.recv() == ""
    channel.send(False)
    channel.send(site.config)  # the next one is received after the first was discarded
    assert channel.recv() == ""
    assert application.served is first
    channel.send(False)


def test_a_configuration_that_can_not_be_used(site, reloading, monkeypatch):
    """The worker replies why it can't create the application, and answers with the first one."""
    application, channel = reloading

    def fail(_documents):
        raise FeedsError("can't start a process")

    with monkeypatch.context() as patch:
        patch.setattr(Documents, "prepare", fail)
        channel.send(site.config)
        assert channel.recv() == "can't start a process"
    assert title(application) == "Test"


def test_documents_that_can_not_be_rendered_yet(site, reloading, monkeypatch):
    """A switch doesn't depend on a catalog that can be read, and renders for a limited time."""
    application, channel = reloading
    title(application)
    monkeypatch.setattr(Documents, "get", lambda *_: (_ for _ in ()).throw(FeedsError("no catalog")))
    channel.send(site.config)
    assert channel.recv() == ""
    channel.send(False)
    monkeypatch.setattr(worker, "_WARM_UP_S", -1)
    channel.send(site.config)
    assert channel.recv() == ""
    channel.send(False)
