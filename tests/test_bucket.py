"""The export to an object store: the same files as in a folder, with headers; nothing current is written again."""

import shutil
import subprocess
import sys

import pytest
from conftest import Site, free_port
from copies import Copies
from hypothesis import settings
from stores import MANIFEST, ObjectStore, split_manifest

from feeds.distribution import install_command
from feeds.export import writers
from feeds.parallel import process_pool

pytestmark = pytest.mark.integration
FEW = 30  # files that one process writes alone, if a test sets this
PARTS = [part / 50 for part in range(51)] if settings().max_examples >= 1_000 else [0, 0.3, 0.6, 1]  # nightly: all
FORMATS = ("rss.xml", "atom.xml", "feed.json")
CACHE = "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400"
XML = "application/xml; charset=utf-8"


@pytest.fixture(scope="module")
def store():
    """Yield a server."""
    made = ObjectStore()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def copies():
    """Return a process that runs commands in copies of itself, which tests can kill."""
    made = Copies()
    yield made
    made.close()


@pytest.fixture
def site(site):
    """Return an empty site with a configuration."""
    site.configure()
    return site


@pytest.fixture
def full(site):
    """Return a site with every kind of file."""
    site.configure(
        site={"pages": True},
        content={"permalink": "/{category}/{slug}"},
        feeds={"limit": 2, "aliases": {"/index.xml": "/atom.xml", "/feed": "/feed.json"}},
        export={"precompressed": ["gzip", "br", "zstd"], "hosts": ["netlify", "apache"]},
    )
    for number in range(1, 6):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-0{number}", category="x", tags=["é & ü"])
    site.article("trip/index.md", "![](map.svg)", title="Trip", category="x")
    (site.content / "trip/map.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (site.content / "trip/data.json.gz").write_bytes(b"\x1f\x8b not a compressed copy")
    (site.content / "trip/sound.mp3").write_bytes(bytes(range(256)) * 24_000)  # so large that it is uploaded in parts
    return site


def test_the_tree_in_a_bucket(full, store):
    """A bucket gets the bytes of a folder export, with type, encoding and caching; a second run writes nothing."""
    bucket = store.bucket()
    done, _ = store.build(full.root, "--output", f"s3://{bucket}/a b/ü/")
    assert (done.returncode, done.stderr) == (0, "")
    objects = store.objects(bucket, "a b/ü")
    assert full.run("build", "--output", "public").returncode == 0
    public = full.root / "public"
    files = {str(file.relative_to(public)): file.read_bytes() for file in public.rglob("*") if file.is_file()}
    files.pop(MANIFEST)
    assert split_manifest(objects)[0] == files
    kinds = {
        "rss.xml": XML, "tag/é-ü/atom.xml": XML, "feed.json": "application/feed+json", "archive/1/rss.xml": XML,
        "index.xml": XML, "feed": "application/feed+json", "feeds.opml": "text/x-opml; charset=utf-8",
        "index.html": "text/html; charset=utf-8", "x/1.html": "text/html; charset=utf-8",
        "static/page.css": "text/css; charset=utf-8", "static/page.js": "text/javascript; charset=utf-8",
        "x/trip/map.svg": "image/svg+xml", "x/trip/sound.mp3": "audio/mpeg", "x/trip/data.json.gz": "application/gzip",
        "_headers": "text/plain; charset=utf-8", ".htaccess": "text/plain; charset=utf-8",
    }  # fmt: skip
    for key, kind in kinds.items():
        attached = {"Content-Disposition": "attachment"} if key.endswith(".svg") else {}  # may contain scripts
        assert objects[key][1] == {"Content-Type": kind, "Cache-Control": CACHE, **attached}, key
    for suffix, coding in {".gz": "gzip", ".br": "br", ".zst": "zstd"}.items():
        headers = {"Content-Type": XML, "Cache-Control": CACHE, "Content-Encoding": coding}
        assert [objects[f"{key}{suffix}"][1] for key in ("rss.xml", "index.xml")] == [headers, headers]
    again, written = store.build(full.root, FEEDS__EXPORT__PATH=f"s3://{bucket}/a b/ü")
    assert (again.returncode, written, len(store.requests)) == (0, [], 2)  # a listing, and the manifest


def test_only_what_changed_is_uploaded(site, store):
    """After an edit, affected files are uploaded first and stale ones removed last; max-age changes all headers."""
    place = f"s3://{store.bucket()}"
    site.article("a.md", title="a", category="x")
    site.article("b.md", title="b", category="y")
    assert store.build(site.root, "--output", place)[0].returncode == 0
    assert store.build(site.root, "--output", f"{place}/")[1] == []
    site.article("b.md", "New.", title="b", category="y")
    done, written = store.build(site.root, "--output", place, "-v")
    assert "7 files uploaded" in done.stderr
    expected = {*FORMATS, *(f"category/y/{name}" for name in (*FORMATS, "index.html"))}
    assert [key for _, key in written if key == MANIFEST] == [MANIFEST, MANIFEST]
    assert sorted(key for _, key in written[1:-1]) == sorted(expected)
    (site.content / "b.md").unlink()
    _, written = store.build(site.root, "--output", place)
    assert [method for method, key in written if method != "PUT"] == ["POST"]
    assert [method for method, _ in written[-2:]] == ["POST", "PUT"]
    assert not [key for key in store.objects(place.removeprefix("s3://")) if key.startswith("category/y/")]
    site.configure(server={"max_age": 60})
    store.build(site.root, "--output", place)
    caches = {headers["Cache-Control"] for _, headers in store.objects(place.removeprefix("s3://")).values()}
    assert caches == {CACHE.replace("300", "60"), "no-store"}


def test_what_is_led_to_comes_first(full, store):
    """Files that others link to are written first: pictures, articles, archives, live feeds, the lists of all feeds."""
    full.configure(export={"precompressed": [], "hosts": []})
    _, written = store.build(full.root, "--output", f"s3://{store.bucket()}")
    kinds = [
        lambda key: key == MANIFEST,
        lambda key: key.startswith(("static/", "x/trip/")),
        lambda key: key.startswith("x/"),
        lambda key: "archive/" in key,
        lambda key: key.endswith((*FORMATS, "/index.html")) or key in {"index.xml", "feed"},
        lambda key: key in {"index.html", "feeds.opml", "404.html"},
    ]
    order = [next(nth for nth, is_it in enumerate(kinds) if is_it(key)) for _, key in written]
    assert order[0] == order[-1] == 0
    assert order[1:-1] == sorted(order[1:-1])
    assert set(order) == set(range(len(kinds)))


@pytest.fixture(scope="module")
def edited(store, tmp_path_factory):
    """Return a site that was built into a bucket and edited, the objects before and after, and the writes between."""
    bucket, root = store.bucket(), tmp_path_factory.mktemp("edited")
    site = Site(root / "site")
    site.configure(feeds={"limit": 2})
    for number in range(1, 6):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-0{number}", category=f"c{number % 2}")
    assert store.build(site.root, "--output", f"s3://{bucket}")[0].returncode == 0
    old = store.objects(bucket)
    site.article("5.md", "Edited.", title="T5", date="2026-05-05", category="c1")
    site.article("6.md", title="T6", date="2026-05-06", category="new")
    for number in (2, 4):
        (site.content / f"{number}.md").unlink()
    assert site.run("build", "--no-export", "--accept").returncode == 0
    shutil.copytree(site.root, root / "template", copy_function=shutil.copy2)
    done, written = store.build(site.root, "--accept", "--output", f"s3://{bucket}")
    assert done.returncode == 0
    return root / "template", old, store.objects(bucket), len(written)


@pytest.mark.parametrize("part", PARTS)
def test_killed(edited, store, copies, tmp_path, part):
    """A run killed at any write leaves old or new objects and loses none; the next run completes the export."""
    template, old, new, writes = edited
    assert writes > 20
    bucket, place = store.bucket(), tmp_path / "site"
    store.put_all(bucket, old)
    shutil.copytree(template, place, copy_function=shutil.copy2)
    nth = 1 + round(part * (writes - 1))
    assert store.build_killed(copies, place, nth, "--accept", "--output", f"s3://{bucket}") == -9
    left = store.objects(bucket)
    assert [key for key, one in left.items() if key != MANIFEST and one not in (old.get(key), new.get(key))] == []
    bodies, (facts,) = split_manifest(left)
    assert {f"/{key}" for key in bodies} <= set(facts)
    assert store.build(place, "--accept", "--output", f"s3://{bucket}")[0].returncode == 0
    assert store.objects(bucket) == new


@pytest.mark.databases("postgres")
def test_who_has_lost_the_lock_writes_no_more(site, state, store, postgres):
    """A build whose database connection ends leaves the remaining work to the next build, and reports that."""
    bucket, undisturbed = store.bucket(), store.bucket()
    for number in range(8):
        site.article(f"{number}.md", title=f"T{number}", category=f"c{number}")
    schema = state.rpartition("%3D")[2]

    def end():
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 "
            "AND objid::bigint = %s::regnamespace::oid::bigint "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            schema,
        )

    with store.on_write(3, end):
        done, written = store.build(site.root, "--output", f"s3://{bucket}")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "the connection that held the lock was lost" in done.stderr
    assert store.build(site.root, "--output", f"s3://{bucket}")[0].returncode == 0
    done, everything = store.build(site.root, "--output", f"s3://{undisturbed}")
    assert done.returncode == 0
    assert 3 <= len(written) < len(everything)
    assert split_manifest(store.objects(bucket)) == split_manifest(store.objects(undisturbed))


def test_what_is_not_ours(site, store):
    """Foreign objects are kept and reported, overwritten ones are restored, and a lost manifest does no harm."""
    bucket = store.bucket()
    site.article("a.md", title="a", category="x")
    store.put(bucket, "site/category/x/index.html", b"theirs")
    store.put(bucket, "site/feeds.opml", b"")
    store.put(bucket, "site/else.html", b"theirs too")
    store.put(bucket, "sites/rss.xml", b"a neighbour's")
    done, _ = store.build(site.root, "--output", f"s3://{bucket}/site")
    assert done.returncode == 0
    assert done.stderr.count("not written, because the existing file is not from feeds") == 2
    assert f"s3://{bucket}/site/category/x/index.html: not written" in done.stderr
    whole = store.objects(bucket)
    bodies = split_manifest(whole)[0]
    assert (bodies["site/category/x/index.html"], bodies["site/feeds.opml"]) == (b"theirs", b"")
    assert (bodies["site/else.html"], bodies["sites/rss.xml"]) == (b"theirs too", b"a neighbour's")
    store.put(bucket, "site/rss.xml", b"junk")
    _, written = store.build(site.root, "--output", f"s3://{bucket}/site")
    assert [key for _, key in written] == [f"site/{key}" for key in (MANIFEST, "rss.xml", MANIFEST)]
    assert store.objects(bucket) == whole
    for broken in (None, b'{"/../etc": ["x", 1, "y", "z"]}'):
        if broken:
            store.put(bucket, f"site/{MANIFEST}", broken)
        else:
            store.remove(bucket, f"site/{MANIFEST}")
        done, _ = store.build(site.root, "-v", "--output", f"s3://{bucket}/site")
        assert done.stderr.count("the existing file is not from feeds") == 2
        assert store.objects(bucket) == whole
    store.build(site.root, "--force", "--output", f"s3://{bucket}/site")
    assert store.objects(bucket)["site/category/x/index.html"][0].startswith(b"<!")


@pytest.mark.parametrize(
    ("case", "code", "sentence"),
    [
        ("no bucket", 3, "s3://nowhere/x: the bucket does not exist; create it first; existing files are unchanged"),
        ("unreachable", 3, "the store can't be reached; check the network, and the endpoint if it is set"),
        ("refused", 3, "access is refused, 403 Forbidden (InvalidAccessKeyId); check the credentials"),
        ("no extra", 2, "the library for object stores is not installed (obstore): " + install_command("s3")),
        ("no account", 3, "the name of the account is missing; set AZURE_STORAGE_ACCOUNT_NAME"),
        ("key in URL", 2, "--output: must be a folder, or s3://BUCKET/PREFIX"),
        ("above", 2, "--output: must be a folder, or s3://BUCKET/PREFIX"),
        ("no scheme", 2, "AWS_ENDPOINT_URL: must begin with http:// or https://"),
        ("no folder", 2, "config.yaml: is a file; choose a folder"),
    ],
)
def test_what_goes_wrong_is_said(site, store, case, code, sentence):
    """Each problem with a store or its connection is reported in one sentence, with the right exit code."""
    bucket = store.bucket()
    site.article("a.md", title="a")
    place, environment = f"s3://{bucket}/x", {}
    match case:
        case "no bucket":
            place = "s3://nowhere/x"
        case "unreachable":
            environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{free_port()}"
        case "no scheme":
            environment["AWS_ENDPOINT_URL"] = "minio:9000"
        case "no extra":
            (site.root / "obstore.py").write_text("raise ModuleNotFoundError(name='obstore')")
            environment["PYTHONPATH"] = str(site.root)
            environment["process"] = True  # a new process, which has not imported the library
        case "no account":
            place = "az://container/x"
        case "key in URL":
            place = "s3://key:a-secret@bucket/x"
        case "no folder":
            place = "config.yaml"
        case "above":
            place = f"s3://{bucket}/x/../y"
    if case == "refused":
        store.post("/moto-api/reset-auth", b"0")
    try:
        done, written = store.build(site.root, "--output", place, **environment)
    finally:
        store.post("/moto-api/reset-auth", b"inf")
    assert (done.returncode, written, done.stderr.count("\n")) == (code, [], 1), done.stderr
    assert sentence in done.stderr
    assert "a-secret" not in done.stderr


def test_a_store_that_fails_midway(site, store):
    """A rejected write is reported in one sentence; objects are old or new, and the next run continues."""
    bucket = store.bucket()
    site.article("a.md", title="a", category="x")
    store.denied_suffix = "rss.xml"
    try:
        done, _ = store.build(site.root, "--output", f"s3://{bucket}")
    finally:
        store.denied_suffix = ""
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "rss.xml: access is refused, 403 Forbidden" in done.stderr
    assert "existing files are unchanged" in done.stderr
    assert store.build(site.root, "--output", f"s3://{bucket}")[0].returncode == 0
    assert {"rss.xml", "category/x/rss.xml"} <= set(store.objects(bucket))


def test_many_files_in_a_bucket(site, store, monkeypatch):
    """With a process per core, the bucket also gets the bytes of a folder export, and a second run writes nothing."""
    for number in range(20):
        site.article(f"{number}.md", title=str(number), tags=[f"t{number}"])
    assert site.run("build", "--output", "public").returncode == 0
    public = site.root / "public"
    files = {str(file.relative_to(public)): file.read_bytes() for file in public.rglob("*") if file.is_file()}
    files.pop(MANIFEST)
    assert len(files) > 2 * FEW
    pools = []
    monkeypatch.setattr(writers, "_MAX_FILES_WITHOUT_POOL", FEW)
    monkeypatch.setattr(writers, "process_pool", lambda *values: pools.append(process_pool(*values)) or pools[-1])
    bucket = store.bucket()
    done, written = store.build(site.root, "--output", f"s3://{bucket}")
    assert (done.returncode, done.stderr, len(pools)) == (0, "", 1)
    assert split_manifest(store.objects(bucket))[0] == files
    assert len(written) == len(files) + 2
    assert store.build(site.root, "--output", f"s3://{bucket}")[1] == []


def test_a_folder_needs_no_extra(site):
    """Without the optional dependency, only object stores do not work, and nothing imports it."""
    site.configure()
    site.article("a.md", title="a")
    program = "import sys; sys.modules['obstore'] = None; from feeds.cli import main; main(['build'])"
    assert subprocess.run([sys.executable, "-c", program], cwd=site.root, check=False).returncode == 0
