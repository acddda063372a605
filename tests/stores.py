"""An object store for the tests: moto's server, which notes what it is asked, and may end who asks."""

import json
import os
import signal
import threading
import urllib.request
from contextlib import contextmanager
from itertools import count

import obstore
from conftest import run, run_process
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from obstore.store import S3Store
from werkzeug.serving import make_server

SECRET = "a-secret-that-nobody-may-see"
MANIFEST = ".feeds-manifest.json"
_WRITES = {"PUT", "DELETE", "POST"}  # POST: many deletions at once


class _Quiet(MotoRequestHandler):
    def log_request(self, *_):
        pass


class Store:
    """A server on a free port of 127.0.0.1, and a bucket in it for each test."""

    def __init__(self):
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._numbers = count()
        self._noting = threading.Lock()
        self.asked = []  # method and key
        self.nth, self.then = 0, None  # at which write something is to happen, and what
        self.failing = ""  # the end of keys that may not be written
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ, start):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode()
        with self._noting:
            self.asked.append((method, path.partition("/")[2].partition("/")[2]))
            written = sum(one in _WRITES for one, _ in self.asked)
            then = self.then if method in _WRITES and written >= self.nth else None
        if self.failing and method in _WRITES and path.endswith(self.failing):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"]
        answer = [b"".join(self._moto(environ, start))]
        if then:
            then()
        return answer

    def post(self, path, body, method="POST"):
        """Ask moto itself for something."""
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "text/plain"}, method=method)
        urllib.request.urlopen(request, timeout=10).close()

    def bucket(self):
        """Make a bucket; gives its name."""
        name = f"bucket-{next(self._numbers)}"
        self.post(f"/{name}", b"", "PUT")
        return name

    def objects(self, bucket, prefix=""):
        """Give the objects of a bucket: key -> body and headers."""
        store, found = self._open(bucket, prefix), {}
        for page in obstore.list(store):
            for one in page:
                got = obstore.get(store, one["path"])
                found[one["path"]] = (bytes(got.bytes()), dict(got.attributes))
        return found

    def fill(self, bucket, objects):
        """Put objects, as `objects` gave them."""
        for key, (body, headers) in objects.items():
            obstore.put(self._open(bucket), key, body, attributes=headers)

    def _open(self, bucket, prefix=""):
        return S3Store(bucket, prefix=prefix or None, endpoint=self.url, region="us-east-1", access_key_id="a",
                       secret_access_key="b", client_options={"allow_http": True})  # fmt: skip

    def put(self, bucket, key, body):
        """Put an object, as somebody else does."""
        obstore.put(self._open(bucket), key, body)

    def remove(self, bucket, key):
        """Remove an object."""
        obstore.delete(self._open(bucket), key)

    @property
    def environment(self):
        """Give what the program finds in its environment."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": ""}  # fmt: skip

    def build(self, root, *arguments, process=False, **environment):
        """Run `feeds build`; return the finished command, and what it wrote: methods and keys in their order."""
        self.asked.clear()
        command = run_process if process else run
        done = command("build", *arguments, cwd=root, environment={**self.environment, **environment})
        assert SECRET not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done, [one for one in self.asked if one[0] in _WRITES]

    def build_killed(self, copies, root, nth, *arguments):
        """Run `feeds build` in a copy, and kill it at its Nth write, which the store has done then; return its exit code."""
        pids = []
        with self.at(nth, lambda: os.kill(pids[0], signal.SIGKILL)):
            return copies.run("build", *arguments, cwd=root, environment=self.environment, began=pids.append).returncode

    @contextmanager
    def at(self, nth, then):
        """Do something at the Nth write, which the store has done then, and at all after it."""
        self.asked.clear()
        self.nth, self.then = nth, then
        try:
            yield
        finally:
            self.then = None

    def stop(self):
        """End."""
        self._server.shutdown()
        self._server.server_close()


def shown(objects):
    """Give the bodies of objects but the manifest, and which are ours and what they show, by the manifest."""
    bodies = {key: body for key, (body, _) in objects.items() if not key.endswith(MANIFEST)}
    facts = [json.loads(body) for key, (body, _) in objects.items() if key.endswith(MANIFEST)]
    return bodies, facts
