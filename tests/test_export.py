"""The export to a folder: complete files or none, only changed files are written, and foreign files are kept."""

import contextlib
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import quote, unquote

import brotli
import pytest
import zstandard
from conftest import free_port

from feeds.core import policy
from feeds.core.errors import FeedsError
from feeds.core.model import Site
from feeds.export import MANIFEST, FolderTarget, host_files
from feeds.pages import environment


def write(target, *arguments, **options):
    """Write one file to its final path; return whether it was written."""
    with target.flushed():
        return target.write(*arguments, **options)


def test_only_what_differs_is_written(tmp_path):
    """A file with the same bytes keeps its modification time; one with other bytes is replaced."""
    tree = FolderTarget(tmp_path)
    assert write(tree, "/a/rss.xml", b"1", "d1")
    before = (tmp_path / "a/rss.xml").stat().st_mtime_ns
    assert not write(tree, "/a/rss.xml", b"1", "d2")
    assert (tmp_path / "a/rss.xml").stat().st_mtime_ns == before
    assert write(tree, "/a/rss.xml", b"2", "d3")
    assert (tmp_path / "a/rss.xml").read_bytes() == b"2"
    assert (tmp_path / "a/rss.xml").stat().st_mode & 0o777 == 0o644


def test_the_manifest_says_what_each_file_shows(tmp_path):
    """The next run recognises files that are current, and files that were removed."""
    tree = FolderTarget(tmp_path)
    write(tree, "/a.xml", b"1", "d1")
    tree.finish_export(["/a.xml"])
    tree = FolderTarget(tmp_path)
    assert tree.is_current("/a.xml", "d1")
    assert not tree.is_current("/a.xml", "d2")
    (tmp_path / "a.xml").unlink()
    assert not tree.is_current("/a.xml", "d1")


def test_what_is_no_longer_published_goes_and_nothing_else(tmp_path):
    """Stale exported files and the folders that become empty are removed; files of others stay."""
    tree = FolderTarget(tmp_path)
    write(tree, "/tag/a/rss.xml", b"1", "d")
    write(tree, "/tag/b/rss.xml", b"1", "d")
    tree.finish_export(["/tag/a/rss.xml", "/tag/b/rss.xml"])
    (tmp_path / "tag/b/theirs.html").write_text("x")
    (tmp_path / "index.html").write_text("x")
    assert FolderTarget(tmp_path).finish_export([]) == ["/tag/a/rss.xml", "/tag/b/rss.xml"]
    assert sorted(p.name for p in tmp_path.rglob("*")) == [MANIFEST, "b", "index.html", "tag", "theirs.html"]


def test_a_run_that_is_cut_short_leaves_nothing_for_ever(tmp_path):
    """A run after an interrupted one knows the files that it wrote, and removes those that are not published."""
    tree = FolderTarget(tmp_path)
    tree.begin_export(["/tag/a/rss.xml", "/tag/b/rss.xml"], [])
    write(tree, "/tag/a/rss.xml", b"1", "d")
    assert not FolderTarget(tmp_path).is_current("/tag/a/rss.xml", "d")
    assert FolderTarget(tmp_path).finish_export([]) == ["/tag/a/rss.xml", "/tag/b/rss.xml"]
    assert [p.name for p in tmp_path.rglob("*")] == [MANIFEST]


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", '{"/../../etc/passwd": "x"}', '{"etc": "x"}', '{"/a": 1}', '{"/a\\u0000b": "x"}', "[" * 100_000, "\xff"],
)
def test_a_manifest_of_somebody_else_is_not_believed(tmp_path, manifest):
    """A damaged or hostile manifest causes no removal of files."""
    (tmp_path / MANIFEST).write_text(manifest)
    assert FolderTarget(tmp_path).finish_export([]) == []


def test_no_temporary_file_is_left_behind(tmp_path):
    """A file that can't be replaced is reported in a sentence, and no temporary file remains.

    The sentence mentions an existing file only if there is one.
    """
    (tmp_path / "a.xml").mkdir()
    (tmp_path / "a.xml" / "theirs").write_text("x")
    with pytest.raises(FeedsError, match=r"a\.xml: can't be written: .*; the existing file is unchanged"):
        write(FolderTarget(tmp_path), "/a.xml", b"1", "d")
    with pytest.raises(FeedsError, match=r"/x: can't be written: File name too long$"):
        write(FolderTarget(tmp_path), f"/{'x' * 300}/x", b"1", "d")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.xml", "theirs"]


def test_nothing_is_written_through_a_link(tmp_path):
    """A symbolic link in place of a folder or file of the export is not followed, and its target stays unchanged."""
    outside, root = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    root.mkdir()
    (outside / "rss.xml").write_text("theirs")
    (root / "tag").symlink_to(outside)
    (root / "atom.xml").symlink_to(outside / "rss.xml")
    tree = FolderTarget(root)
    assert tree.is_foreign("/tag/rss.xml", b"ours")
    with pytest.raises(FeedsError, match="symbolic link"):
        write(tree, "/tag/rss.xml", b"ours", "d", force=True)
    with pytest.raises(FeedsError, match="symbolic link"):
        tree.copy("/tag/new/x.png", outside / "rss.xml", "d")
    assert write(tree, "/atom.xml", b"ours", "d")
    assert [(file.name, file.read_text()) for file in outside.iterdir()] == [("rss.xml", "theirs")]
    assert (not (root / "atom.xml").is_symlink(), (root / "atom.xml").read_text()) == (True, "ours")


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_folder_is_moved_during_an_export(tmp_path, is_linked):
    """If another program moves a folder of the export away, nothing more is written there, even if a link leads there."""
    target = FolderTarget(tmp_path / "public")
    target.begin_export(["/x/a", "/x/b"], [])
    write(target, "/x/a", b"a", "1")
    (tmp_path / "public/x").rename(tmp_path / "moved")
    if is_linked:
        (tmp_path / "public/x").symlink_to(tmp_path / "moved")
        with pytest.raises(FeedsError, match="symbolic link"):
            write(target, "/x/b", b"b", "1")
    else:
        write(target, "/x/b", b"b", "1")
        assert (tmp_path / "public/x/b").read_bytes() == b"b"
    assert [file.name for file in (tmp_path / "moved").iterdir()] == ["a"]


def test_a_forged_manifest_removes_nothing_behind_a_link(tmp_path):
    """Whatever a manifest lists, a run removes nothing behind a symbolic link, not even unfinished files."""
    outside, root = tmp_path / "outside", tmp_path / "tree"
    (outside / "deep").mkdir(parents=True)
    root.mkdir()
    for name in ("rss.xml", "deep/a.xml", ".feeds-0.tmp"):
        (outside / name).write_text("theirs")
    (root / "tag").symlink_to(outside)
    (root / "mine.xml").write_text("x")
    facts = {
        path: ["d", 1, 1]
        for path in ("/tag/rss.xml", "/tag/deep/a.xml", "/tag/./rss.xml", "//tag//rss.xml", "/mine.xml/x")
    }
    (root / MANIFEST).write_text(json.dumps(facts))
    (root / ".feeds-unfinished").touch()
    FolderTarget(root).finish_export([])
    assert sorted(file.name for file in outside.rglob("*")) == [".feeds-0.tmp", "a.xml", "deep", "rss.xml"]
    assert (root / "mine.xml").exists()


def test_a_build_leaves_what_is_behind_a_link_alone(site, tmp_path):
    """A folder that was replaced by a symbolic link is reported, and everything else is written."""
    site.article("a.md", title="a", category="x")
    assert site.run("build").returncode == 0
    public = site.root / "public"
    (public / "category").rename(tmp_path / "theirs")
    (public / "category").symlink_to(tmp_path / "theirs")
    before = {file: file.read_bytes() for file in (tmp_path / "theirs").rglob("*") if file.is_file()}
    site.article("b.md", title="b", category="x")
    done = site.run("build")
    assert done.returncode == 0
    assert "/category/x/rss.xml: not written, because the existing file is not from feeds" in done.stderr
    assert {file: file.read_bytes() for file in (tmp_path / "theirs").rglob("*") if file.is_file()} == before
    assert b"<title>b</title>" in (public / "rss.xml").read_bytes()


def test_a_tree_behind_a_link(site, tmp_path):
    """The export folder itself may be a symbolic link."""
    (tmp_path / "disk").mkdir()
    (site.root / "public").symlink_to(tmp_path / "disk")
    site.article("a.md", title="a")
    assert site.run("build").returncode == 0
    assert (tmp_path / "disk/rss.xml").exists()


@pytest.mark.parametrize(("old", "new"), [("/x.html", "/x.html/y/"), ("/x.html/y/", "/x.html"), ("/x.html/y/", "/x")])
def test_a_file_becomes_a_folder(site, old, new):
    """An article whose new address needs a folder in place of its old file, or the reverse, is written in one build."""
    site.configure(site={"pages": True})
    for link in (old, new, old):
        site.article("a.md", f"At {link}.", title="a", link=link)
        done = site.run("build")
        assert (done.returncode, done.stderr) == (0, "")
        pages = [
            file
            for file in (site.root / "public").rglob("*.html")
            if file.is_file() and f"At {link}." in file.read_text()
        ]
        assert len(pages) == 2  # the article's page and the start page


def test_build_writes_only_what_an_article_touches(site):
    """After one edit, `feeds build` writes the documents that show it and no other file."""
    site.article("a.md", title="a", category="x")
    site.article("b.md", title="b", category="y")
    assert site.run("build").returncode == 0
    public = site.root / "public"
    before = {p: p.stat().st_mtime_ns for p in public.rglob("*.*") if p.is_file()}
    assert site.run("build").returncode == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before
    site.article("b.md", "New.", title="b", category="y")
    site.run("build")
    changed = {
        str(p.relative_to(public)) for p, at in before.items() if p.stat().st_mtime_ns != at and p.name != MANIFEST
    }
    assert changed == {
        *(f"{folder}{name}" for folder in ("", "category/y/") for name in ("rss.xml", "atom.xml", "feed.json")),
        "category/y/index.html",
    }
    (site.content / "b.md").unlink()
    site.run("build")
    assert not (public / "category/y").exists()
    assert set(json.loads((public / MANIFEST).read_bytes())) == {
        *(f"{f}/{n}" for f in ("", "/category/x") for n in ("rss.xml", "atom.xml", "feed.json")),
        "/category/x/index.html",
        "/feeds.opml", "/static/feed.css", "/static/feed.js", "/static/page.css", "/static/page.js",
    }  # fmt: skip


def test_an_article_that_returns_without_a_tag_is_not_deleted_in_the_feed_of_the_tag(site):
    """A feed whose tombstone disappears is exported again, even if its entries stay the same."""
    site.article("a.md", tags=["x"])
    site.article("b.md", tags=["x"])
    assert site.run("build", "--accept").returncode == 0
    document = site.root / "public/tag/x/atom.xml"
    (site.content / "b.md").unlink()
    assert site.run("build", "--accept").returncode == 0
    assert "deleted-entry" in document.read_text()
    site.article("b.md", tags=["y"])
    assert site.run("build", "--accept").returncode == 0
    assert "deleted-entry" not in document.read_text()


def test_an_export_leads_to_no_archive_that_is_not_exported(site):
    """Exported feeds name the archives that are exported beside them, and no others."""
    site.configure(feeds={"limit": 2})
    for number in range(1, 6):
        site.article(f"{number}.md", title=str(number), date=f"2026-05-0{number}", category="x")

    def leading():
        assert site.run("build").returncode == 0
        public = site.root / "public"
        files = [file for file in public.rglob("*.*") if file.suffix in {".xml", ".json"} and file.name[0] != "."]
        linked = {
            file: re.findall(r"https://test.example(/[a-z/]*archive/[0-9]/[a-z.]+)", file.read_text()) for file in files
        }
        assert all((public / path.lstrip("/")).is_file() for paths in linked.values() for path in paths)
        return {str(file.relative_to(public)) for file, paths in linked.items() if paths}

    assert {"rss.xml", "atom.xml", "feed.json"} <= leading()
    assert not {path for path in leading() if path.startswith("category/x")}
    site.configure(feeds={"archives": "all"})
    assert "category/x/rss.xml" in leading()


def test_precompressed_documents(site):
    """Compressed copies are beside each document, disappear with it, and are restored if one is missing."""
    site.configure(export={"precompressed": ["gzip", "br", "zstd"]}, feeds={"aliases": {"/old.xml": "/rss.xml"}})
    for name in ("a", "b"):
        site.article(f"{name}.md", title=name, tags=[name])
    site.run("build")
    public = site.root / "public"
    for path in ("rss.xml", "old.xml", "tag/a/feed.json"):
        body = (public / path).read_bytes()
        assert gzip.decompress((public / f"{path}.gz").read_bytes()) == body
        assert brotli.decompress((public / f"{path}.br").read_bytes()) == body
        assert zstandard.ZstdDecompressor().decompress((public / f"{path}.zst").read_bytes()) == body
    (public / "rss.xml.br").unlink()
    times = {file: file.stat().st_mtime_ns for file in public.rglob("*.gz")}
    site.run("build")
    assert (public / "rss.xml.br").exists()
    assert {file: file.stat().st_mtime_ns for file in public.rglob("*.gz")} == times
    (site.content / "a.md").unlink()
    site.run("build")
    assert not (public / "tag" / "a").exists()
    site.configure(export={"precompressed": []})
    site.run("build")
    assert [file.name for file in public.rglob("*") if file.suffix in (".gz", ".br", ".zst")] == []


def test_files_for_hosts(site):
    """Files for hosts set types and caching, appear and disappear with the setting, and foreign ones stay."""
    site.configure(export={"hosts": ["cloudflare", "netlify", "apache", "nginx"]},
                   feeds={"aliases": {"/blog/index.xml": "/rss.xml"}})  # fmt: skip
    site.article("a.md", title="a")
    site.run("build")
    public = site.root / "public"
    headers = (public / "_headers").read_text("utf-8")
    block = "  Content-Type: application/xml; charset=utf-8\n  Cache-Control: public, max-age=300"
    for path in ("/rss.xml", "/*/rss.xml", "/blog/index.xml"):
        assert f"\n{path}\n{block}" in headers
    assert '<Files "feed.json">\n  ForceType "application/feed+json"' in (public / ".htaccess").read_text("utf-8")
    assert (public / "feeds.nginx.conf").exists()
    site.configure(export={"hosts": []})
    site.run("build")
    assert not (public / "_headers").exists()
    (public / "_headers").write_text("mine")
    site.configure(export={"hosts": ["netlify"]})
    done = site.run("build")
    assert done.returncode == 0
    assert "_headers: not written, because the existing file is not from feeds" in done.stderr
    assert (public / "_headers").read_text() == "mine"


def test_each_host_compares_paths_as_it_does():
    """Apache matches an alias by its whole decoded path; Cloudflare gets at most 100 rules, the site's own first."""
    site = Site("T", "https://t.example", "https://t.example", "t.example")
    aliases = {"/index.xml": "/rss.xml", "/blog/index.xml": "/atom.xml", "/tags/l'été $1/index.xml": "/tag/x/rss.xml"}
    made = host_files.render_host_files(site, ["apache", "netlify"], aliases, {})
    assert all(text.startswith("# Made by feeds build.\n") for text in made.values())
    apache = made["/.htaccess"]
    assert [line for line in apache.splitlines() if line.startswith("<")] == [
        "<IfModule mod_alias.c>", "</IfModule>",
        '<Files "rss.xml">', "</Files>", '<Files "atom.xml">', "</Files>", '<Files "feed.json">', "</Files>",
        "<If \"%{REQUEST_URI} == '/blog/index.xml'\">", "</If>", "<If \"%{REQUEST_URI} == '/index.xml'\">", "</If>",
        "<If \"%{REQUEST_URI} == '/tags/l\\\\'été \\\\$1/index.xml'\">", "</If>",
    ]  # fmt: skip
    assert "\n/tags/l'%C3%A9t%C3%A9%20$1/index.xml\n" in made["/_headers"]
    many = aliases | {f"/tags/{number}/index.xml": "/tag/x/rss.xml" for number in range(200)}
    assert host_files.omitted_aliases(site, ["netlify"], many) == []
    rules = [
        line
        for line in host_files.render_host_files(site, ["cloudflare"], many, {})["/_headers"].splitlines()
        if line.startswith("/")
    ]
    assert len(rules) == 100
    assert rules[6:8] == ["/blog/index.xml", "/index.xml"]
    assert len(host_files.omitted_aliases(site, ["cloudflare"], many)) == len(many) - 94
    assert not set(rules) & set(host_files.omitted_aliases(site, ["cloudflare"], many))
    home = replace(site, pages=True)
    rules = [
        line
        for line in host_files.render_host_files(home, ["cloudflare"], many, {})["/_headers"].splitlines()
        if line.startswith("/")
    ]
    assert len(rules) == 100
    assert len(host_files.omitted_aliases(home, ["cloudflare"], many)) == len(many) - 90


def test_a_host_is_told_what_browsers_may_do(site, app):
    """Exported pages and active files get the policies of `feeds serve`; pages of another site do not."""
    site.configure(site={"pages": True}, export={"hosts": ["netlify", "apache"]})
    site.article("a/index.md", "![](x.svg) ![](p.png)", title="a")
    for name in ("x.svg", "p.png", "p.pdf"):
        site.write(f"a/{name}", "x")
    assert site.run("build").returncode == 0
    server, public = app(site), site.root / "public"
    headers, htaccess = (public / "_headers").read_text("utf-8"), (public / ".htaccess").read_text("utf-8")
    for path, patterns, files in (("/", ("/", "/*/", "/*.html"), "html?"), ("/a/x.svg", ("/*.svg",), "svg")):
        said = server.get(path).headers["content-security-policy"]
        for pattern in patterns:
            block = f"\n{pattern}\n  Content-Security-Policy: {said}\n  X-Content-Type-Options: nosniff\n"
            assert headers.count(block) == 1
        rules = htaccess.partition(f'<FilesMatch "(?i)\\.({files})$">\n')[2].partition("</FilesMatch>")[0]
        assert f'Header set Content-Security-Policy "{said}"' in rules
    assert "content-security-policy" not in server.get("/a/p.pdf").headers
    sent = host_files.ObjectHeaders(site.config.site_model, {})
    assert sent("/a/x.svg")["Content-Disposition"] == "attachment"  # an object store has no policies
    assert not any("Content-Disposition" in sent(path) for path in ("/a/p.png", "/rss.xml", "/index.html"))
    site.configure(site={"pages": False}, export={"hosts": ["netlify", "apache", "nginx"]})
    assert site.run("build").returncode == 0
    for name in ("_headers", ".htaccess", "feeds.nginx.conf"):
        assert "Content-Security-Policy" not in (public / name).read_text("utf-8")


def test_exported_pages_carry_their_policy(site, app):
    """Every page has the policy in its head before any resource, as far as a meta element can express it."""
    site.configure(site={"pages": True})
    site.article("a.md", title="a", tags=["t"])
    assert site.run("build").returncode == 0
    said = app(site).get("/").headers["content-security-policy"]
    for path in ("index.html", "a/index.html", "tag/t/index.html"):
        head = (site.root / "public" / path).read_text("utf-8").partition("</head>")[0]
        meta = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', head)
        assert f"{unescape(meta[1])}; frame-ancestors 'none'" == said
        assert not re.search(r"<(script|link rel=.stylesheet|style)", head[: meta.start()])


def test_pages_are_exported_anew_when_their_look_changes(site, monkeypatch):
    """A program version with other templates, or another policy, writes every page again, and nothing else."""
    site.configure(site={"pages": True})
    site.article("a.md", title="a")
    assert site.run("build").returncode == 0
    monkeypatch.setattr(policy, "PAGE", "default-src 'none'")
    try:
        for made in (environment.templates_digest, environment.templates):
            made.cache_clear()
        assert "3 files written" in site.run("build", "-v").stderr  # with 404.html
        assert "default-src 'none'\"" in (site.root / "public/a/index.html").read_text("utf-8").replace("&#39;", "'")
        assert "nothing changed" in site.run("build", "-v").stderr
    finally:
        for made in (environment.templates_digest, environment.templates):
            made.cache_clear()


def test_a_host_says_what_serve_says(site, app):
    """A static host gets the same caching headers as those in the responses of `feeds serve`."""
    site.article("a.md", title="a")
    site.publish()
    answer = app(site).get("/rss.xml")
    assert answer.status == 200
    said = answer.headers["Cache-Control"]
    assert (
        f"  Cache-Control: {said}\n"
        in host_files.render_host_files(site.config.site_model, ["netlify"], {}, {})["/_headers"]
    )


@contextlib.contextmanager
def exported(site, tmp_path):
    """Serve an export with nginx; yield a function that sends requests."""
    public, port = site.root / "public", free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}} http {{ access_log off; {temporary}"
        "types { text/html html; image/svg+xml svg; }"
        f"server {{ listen 127.0.0.1:{port}; root {public}; include {public}/feeds.nginx.conf; }} }}"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    checked = subprocess.run(
        [program, "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False
    )
    assert "syntax is ok" in checked.stderr, checked.stderr
    process = subprocess.Popen([program, "-c", str(tmp_path / "nginx.conf")])

    def ask(path):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept-Encoding": "gzip"})
        for attempt in range(100):
            try:
                return urllib.request.urlopen(request, timeout=5)
            except urllib.error.HTTPError:
                raise
            except urllib.error.URLError:
                assert attempt < 99
                time.sleep(0.05)
        return None

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.needs("nginx")
def test_an_export_behind_nginx(site, tmp_path):
    """With the exported snippet, nginx sends each document with its type, compressed, and with CORS headers."""
    site.configure(
        export={"hosts": ["nginx"], "precompressed": ["gzip"]},
        feeds={"aliases": {"/index.xml": "/atom.xml", "/tags/caf%C3%A9/index.xml": "/rss.xml",
                           '/a "b" $c {d}\\e/x y%25.xml': "/rss.xml"}},
    )  # fmt: skip
    site.article("a.md", title="a", tags=["t"])
    site.run("build")
    xml = "application/xml; charset=utf-8"
    with exported(site, tmp_path) as ask:
        for path, kind in {"/rss.xml": xml, "/tag/t/feed.json": "application/feed+json", "/index.xml": xml,
                           "/tags/caf%C3%A9/index.xml": xml, quote('/a "b" $c {d}\\e/x y%.xml'): xml}.items():  # fmt: skip
            with ask(path) as answer:
                assert answer.headers["Content-Type"] == kind
                assert answer.headers["Content-Encoding"] == "gzip"
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert "max-age=300" in answer.headers["Cache-Control"]
                assert gzip.decompress(answer.read()) == (site.root / "public" / unquote(path)[1:]).read_bytes()


@pytest.mark.needs("nginx")
def test_exported_pages_behind_nginx(site, app, tmp_path):
    """nginx sends exported pages and files with the same policies as `feeds serve`."""
    site.configure(site={"pages": True}, export={"hosts": ["nginx"]})
    site.article("a/index.md", "![](x.svg) ![](p.png)", title="a")
    site.article("b.md", title="b", link="/b.txt")
    for name in ("x.svg", "p.png"):
        site.write(f"a/{name}", "x")
    assert site.run("build").returncode == 0
    server = app(site)
    with exported(site, tmp_path) as ask:
        for path in ("/", "/a/", "/a/x.svg", "/a/p.png", "/feed.json"):
            ours = server.get(path)
            assert ours.status == 200, path
            with ask(path) as answer:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                if path != "/a/p.png":  # a picture that runs nothing
                    assert answer.headers["Content-Security-Policy"] == ours.headers.get("content-security-policy")
        with ask("/b.txt") as answer:
            assert b"http-equiv" in answer.read()
        for path in ("/no/such/page", "/404.html", "/feeds.nginx.conf", "/.feeds-manifest.json", "/x.svg"):
            with pytest.raises(urllib.error.HTTPError) as missing, ask(path):
                pass
            assert missing.value.code == 404
            assert missing.value.read() == (site.root / "public/404.html").read_bytes(), path
            assert missing.value.headers["Content-Security-Policy"] == policy.PAGE_HEADER


def error_page(site):
    """Return the exported page of an error; "" if there is none."""
    file = site.root / "public/404.html"
    return file.read_text("utf-8") if file.exists() else ""


def test_hosts_have_a_page_for_missing_pages(site):
    """The page `/404.html` lists the newest articles, and its links work at any address below the site's path."""
    site.configure(
        site={"pages": True, "url": "https://t.example/blog", "footer": "[About](about/)"},
        export={"precompressed": ["gzip"], "hosts": ["apache", "nginx"]},
    )
    site.article("a.md", title="First", category="x")
    assert site.run("build").returncode == 0
    links = re.findall(r'(?:href|src)="([^"]*)"', error_page(site))
    assert {"/blog/", "/blog/static/page.css", "/blog/static/page.js", "/blog/#subscribe", "/blog/x/a/"} <= set(links)
    assert all(link.startswith(("/blog/", "#main", "data:")) for link in links)
    assert gzip.decompress((site.root / "public/404.html.gz").read_bytes()).decode() == error_page(site)
    assert "\nErrorDocument 404 /blog/404.html\n" in (site.root / "public/.htaccess").read_text()
    assert "\nerror_page 404 /404.html;\n" in (site.root / "public/feeds.nginx.conf").read_text()
    assert "nothing changed" in site.run("build", "-v").stderr
    site.article("b.md", title="Second")
    site.run("build")
    assert "Second" in error_page(site)
    for keys in ({"export": {"pages": False}}, {"export": {"pages": None}, "site": {"pages": False}}):
        site.configure(**keys)
        assert site.run("build").returncode == 0
        assert not error_page(site)
        assert "404.html" not in (site.root / "public/feeds.nginx.conf").read_text()


def test_an_error_page_of_the_owner(site):
    """A file 404.html that another program wrote is left alone; one without a manifest is recognised."""
    site.configure(site={"pages": True}, export={"hosts": ["nginx"]})
    site.write("../public/404.html", "mine")
    site.article("a.md", title="First")
    done = site.run("build")
    assert (done.returncode, error_page(site)) == (0, "mine")
    assert "404.html" not in done.stderr
    (site.root / "public/404.html").unlink()
    site.run("build")
    (site.root / "public" / MANIFEST).unlink()
    site.article("b.md", title="Second")
    site.run("build")
    assert "Second" in error_page(site)


def test_what_somebody_else_wrote_over_is_mended(site):
    """An exported file that another program overwrote is restored by the next build, which writes only this file."""
    site.article("a.md", title="a")
    assert site.run("build").returncode == 0
    public = site.root / "public"
    good = (public / "rss.xml").read_bytes()
    other = (public / "atom.xml").stat().st_mtime_ns
    (public / "rss.xml").write_text("junk")
    assert "1 file written" in site.run("build", "-v").stderr
    assert (public / "rss.xml").read_bytes() == good
    assert (public / "atom.xml").stat().st_mtime_ns == other


def test_a_manifest_of_an_earlier_version(site):
    """A manifest of an older format, with only digests, is understood: only the manifest is written again."""
    site.article("a.md", title="a", category="x")
    assert site.run("build").returncode == 0
    public = site.root / "public"
    facts = json.loads((public / MANIFEST).read_bytes())
    (public / MANIFEST).write_text(json.dumps({path: digest for path, (digest, _, _) in facts.items()}))
    assert "nothing changed" in site.run("build", "-v").stderr
    (site.content / "a.md").unlink()
    site.run("build", "--accept")
    assert not (public / "category").exists()


@pytest.mark.parametrize("name", ["/\\ud800", "/", "//", "/a//b", "/./a", f"/{'x' * 300}"])
def test_a_manifest_that_names_what_no_file_can_be(site, name):
    """A manifest with an impossible file name is ignored, and the next build is correct."""
    site.article("a.md", title="a")
    assert site.run("build").returncode == 0
    (site.root / "public" / MANIFEST).write_text(f'{{"{name}": ["x", 1, 2]}}')
    done = site.run("build")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="of Linux")
def test_a_file_that_can_not_be_read_is_no_failure_of_the_export(tmp_path):
    """An error while the source of a copy is read is raised, and leaves no file in the export."""
    unreadable = Path("/proc/self/mem")  # opens, and reading its beginning fails with EIO
    with pytest.raises(OSError, match="Input/output error"):
        FolderTarget(tmp_path).copy("/a/x.png", unreadable, "digest")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_accepting_beside_a_server(site):
    """--no-export publishes without writing files, also changes that the guard stopped, for `feeds serve`."""
    for number in range(6):
        site.article(f"{number}.md", title=str(number))
    assert site.run("build", "--no-export").returncode == 0
    assert not (site.root / "public").exists()
    for number in range(5):
        (site.content / f"{number}.md").unlink()
    stopped = site.run("build", "--no-export")
    assert (stopped.returncode, "--accept" in stopped.stderr, "--no-export" in stopped.stderr) == (5, True, True)
    assert site.run("build", "--no-export", "--accept").returncode == 0
    assert site.publish().articles == 1


@pytest.mark.integration
def test_what_many_processes_write_is_what_one_writes(site, monkeypatch):
    """With many changes, worker processes render while the run decides what is published; the bytes are the same."""
    from feeds.cli.build import build
    from feeds.export import writers

    for n in range(13):  # an archive without entries would be dated by the catalog
        site.article(f"{n}.md", f"Text *{n}*.", title=f"T{n}", date=f"2026-05-{1 + n:02d}", tags=[f"t{n % 3}", "all"])
    site.configure(feeds={"limit": 3, "archives": "all"}, export={"pages": True, "path": "one"})
    monkeypatch.chdir(site.root)

    def built(path):
        with pytest.raises(SystemExit) as ended:
            build.main(["-c", "config.yaml", "--output", path])
        assert ended.value.code == 0
        return files_in(path)

    def files_in(path):
        root = site.root / path
        return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*.*") if file.name[0] != "."}

    alone = built("one")
    shutil.rmtree(site.root / ".feeds")
    monkeypatch.setattr(writers, "_MAX_FILES_WITHOUT_POOL", 0)
    assert built("many") == alone
    shutil.rmtree(site.root / ".feeds")
    code = (
        "from feeds.cli import main\nfrom feeds.export import writers\nprocess_pool = writers.process_pool\n"
        "def traced(*arguments, **options):\n    print(options)\n    return process_pool(*arguments, **options)\n"
        "writers.process_pool, writers._MAX_FILES_WITHOUT_FORK = traced, 0\nmain(['build', '--output', 'forked'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=site.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if sys.platform == "linux":
        assert done.stdout.strip() == "{'fork': True}"
    assert files_in("forked") == alone


FORK_FAILS = """
import errno, os, sys
from feeds import parallel
from feeds.cli import main
from feeds.export import writers
fork, calls, writers._MAX_FILES_WITHOUT_FORK = os.fork, [], 0
parallel.cpu_count = writers.cpu_count = lambda: 2
def second_fails():
    calls.append(1)
    if len(calls) == 2:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    return fork()
os.fork = second_fails
main(["build"])
"""
CHILD_IS_KILLED = """
import os, signal
from feeds import parallel
from feeds.cli import main
from feeds.export import writers
writers._MAX_FILES_WITHOUT_FORK = 0
parallel.cpu_count = writers.cpu_count = lambda: 2
writers.DocumentWriter._write_file = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(["build"])
"""


@pytest.mark.integration
@pytest.mark.unmeasured  # coverage's handler of SIGTERM fails in a process that was just forked
@pytest.mark.parametrize("program", [FORK_FAILS, CHILD_IS_KILLED], ids=["fork fails", "child killed"])
def test_an_export_without_its_processes(site, program):
    """If a process can't be forked, or is killed, the export is written, or fails with one sentence and code 3."""
    site.configure(site={"pages": True})
    for number in range(3):
        site.article(f"{number}.md", title=str(number))
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=site.root, capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 3}


def test_an_error_page_lists_more_articles_than_a_short_feed(site):
    """An exported error page follows all articles that it lists, also those that only archives of the feed contain."""
    for day in range(1, 7):
        site.article(f"{day}.md", title=f"title {day}", date=f"2026-05-0{day}")
    site.configure(site={"pages": True}, feeds={"limit": 1})
    site.run("build")
    page = site.root / "public/404.html"
    for day in (5, 4, 2):
        site.article(f"{day}.md", title=f"changed {day}", date=f"2026-05-0{day}")
        site.run("build")
        assert f"changed {day}" in page.read_text()
