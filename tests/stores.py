"""An object store for the tests: moto's S3 server, which records requests and can interrupt or deny writes."""

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
_WRITES = {"PUT", "DELETE", "POST"}  # POST deletes several objects


class _Quiet(MotoRequestHandler):
    def log_request(self, *_):
        pass


class ObjectStore:
    """A server on a free port of 127.0.0.1, with a bucket for each test."""

    def __init__(self):
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._numbers = count()
        self._recording = threading.Lock()
        self.requests = []  # (method, key)
        self._hook_write, self._write_hook = 0, None  # call the hook from the write of this number on
        self.denied_suffix = ""  # deny writes of keys with this suffix
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ, start):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode()
        with self._recording:
            self.requests.append((method, path.partition("/")[2].partition("/")[2]))
            writes = sum(recorded in _WRITES for recorded, _ in self.requests)
            hook = self._write_hook if method in _WRITES and writes >= self._hook_write else None
        if self.denied_suffix and method in _WRITES and path.endswith(self.denied_suffix):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"]
        response = [b"".join(self._moto(environ, start))]
        if hook:
            hook()
        return response

    def post(self, path, body, method="POST"):
        """Send a request to moto's own API."""
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "text/plain"}, method=method)
        urllib.request.urlopen(request, timeout=10).close()

    def bucket(self):
        """Create a bucket; return its name."""
        name = f"bucket-{next(self._numbers)}"
        self.post(f"/{name}", b"", "PUT")
        return name

    def objects(self, bucket, prefix=""):
        """Return the objects of a bucket: key -> (body, headers)."""
        store, objects = self._open(bucket, prefix), {}
        for page in obstore.list(store):
            for listed in page:
                response = obstore.get(store, listed["path"])
                objects[listed["path"]] = (bytes(response.bytes()), dict(response.attributes))
        return objects

    def put_all(self, bucket, objects):
        """Write objects, as `objects` returned them."""
        for key, (body, headers) in objects.items():
            obstore.put(self._open(bucket), key, body, attributes=headers)

    def _open(self, bucket, prefix=""):
        return S3Store(bucket, prefix=prefix or None, endpoint=self.url, region="us-east-1", access_key_id="a",
                       secret_access_key="b", client_options={"allow_http": True})  # fmt: skip

    def put(self, bucket, key, body):
        """Write an object, as another program does."""
        obstore.put(self._open(bucket), key, body)

    def remove(self, bucket, key):
        """Delete an object."""
        obstore.delete(self._open(bucket), key)

    @property
    def environment(self):
        """The environment variables with which obstore finds the server."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": ""}  # fmt: skip

    def build(self, root, *arguments, process=False, **environment):
        """Run `feeds build`; return its result and its writes, as (method, key) in their order."""
        self.requests.clear()
        command = run_process if process else run
        done = command("build", *arguments, cwd=root, environment={**self.environment, **environment})
        assert SECRET not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done, [request for request in self.requests if request[0] in _WRITES]

    def build_killed(self, copies, root, nth, *arguments):
        """Run `feeds build` in a copy, and kill it after the store did its Nth write; return its exit code."""
        pids = []
        with self.on_write(nth, lambda: os.kill(pids[0], signal.SIGKILL)):
            return copies.run(
                "build", *arguments, cwd=root, environment=self.environment, on_started=pids.append
            ).returncode

    @contextmanager
    def on_write(self, nth, hook):
        """Call a hook after the Nth write and after each later one."""
        self.requests.clear()
        self._hook_write, self._write_hook = nth, hook
        try:
            yield
        finally:
            self._write_hook = None

    def stop(self):
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()


def split_manifest(objects):
    """Return the bodies of objects without the manifest, and a list of the parsed manifests."""
    bodies = {key: body for key, (body, _) in objects.items() if not key.endswith(MANIFEST)}
    manifests = [json.loads(body) for key, (body, _) in objects.items() if key.endswith(MANIFEST)]
    return bodies, manifests
