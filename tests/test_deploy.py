"""The files in deploy/, each verified by its own tool, or run for real."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from apscheduler.triggers.cron import CronTrigger
from conftest import REPOSITORY, Server, free_port

pytestmark = pytest.mark.engine("sqlite")  # what is around `feeds` hangs on no database

DEPLOY = REPOSITORY / "deploy"
PROGRAM = Path(sys.executable).with_name("feeds")


@pytest.mark.needs("systemd-analyze")
def test_the_units_are_what_systemd_takes(tmp_path):
    """systemd finds nothing to say of the units, and rates the service as well protected, also where it may pull."""
    names = ["feeds.service", "feeds-build.service", "feeds-build.timer"]
    for name in names:
        text = (DEPLOY / name).read_text("utf-8").replace("/opt/feeds/bin/feeds", "/bin/true")
        (tmp_path / name).write_text(text)
    (tmp_path / "feeds.service.d").mkdir()
    shutil.copy(DEPLOY / "feeds-pull.conf", tmp_path / "feeds.service.d")
    done = subprocess.run(
        ["systemd-analyze", "verify", *names], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "feeds" in line]
    assert (said, done.returncode) == ([], 0)
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", "feeds.service"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert rated.returncode == 0, rated.stdout[-500:]


def test_systemd_is_told(site, serve, tmp_path, monkeypatch):
    """`feeds serve` tells systemd when it is ready, what it serves, and that it ends (sd_notify)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(15)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        site.article("a.md", title="a")
        server = serve(site)
        assert systemd.recv(1000) == b"READY=1"
        while b"revision 1: 1 article published" not in systemd.recv(1000):
            pass
        site.article("b.md", title="b")
        while b"revision 2: 2 articles published" not in systemd.recv(1000):
            pass
        assert server.stop(signal.SIGTERM) == 0
        while systemd.recv(1000) != b"STOPPING=1":
            pass


def test_the_crontab(site):
    """Its times are times, and its command, run as cron does by sh, builds the site and says nothing."""
    lines = [line for line in (DEPLOY / "crontab").read_text("utf-8").splitlines() if line and not line.startswith("#")]
    variables, (job,) = [line for line in lines if "=" in line.split()[0]], [line for line in lines if line[0] == "*"]
    assert {line.partition("=")[0] for line in variables} == {"MAILTO", "PATH"}
    *times, command = job.split(None, 5)
    CronTrigger.from_crontab(" ".join(times))
    site.article("a.md", title="a")
    site.configure()
    command = command.replace("/srv/feeds", shlex.quote(str(site.root))).replace("/var/www/feeds", "public")
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": f"{PROGRAM.parent}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (site.root / "public" / "rss.xml").exists()


def instructions(text):
    """Give a Dockerfile's instructions as (name, rest)."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def test_the_image():
    """What it copies is there and not ignored; nobody is root, Ctrl-C reaches feeds, and its health is looked at."""
    found = instructions((DEPLOY / "Dockerfile").read_text("utf-8"))
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
    assert {name for name, _ in found} == known
    allowed = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    for name, rest in found:
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (REPOSITORY / source).exists()
                assert f"!{source.partition('/')[0]}" in allowed
    users = [rest for name, rest in found if name == "USER"]
    assert users == ["feeds"]
    assert dict(found)["CMD"] == '["feeds", "serve"]'
    assert all("--require-hashes" in part or "--no-deps" in part
               for name, rest in found if name == "RUN"
               for part in rest.split("&&") if "pip install" in part)  # fmt: skip


def test_the_health_check_of_the_image(site, serve):
    """The command of the health check succeeds beside a server, and fails without one."""
    rest = next(
        rest for name, rest in instructions((DEPLOY / "Dockerfile").read_text("utf-8")) if name == "HEALTHCHECK"
    )
    _, code = re.findall(r'"(-c|import [^"]*)"', rest)
    site.article("a.md", title="a")
    server = serve(site)
    for port, healthy in ((server.port, True), (free_port(), False)):
        command = [sys.executable, "-c", code.replace("8000", str(port))]
        assert (subprocess.run(command, capture_output=True, check=False).returncode == 0) is healthy


def test_the_image_works_with_a_site_it_may_not_write(site, serve, monkeypatch):
    """With the site read-only and the catalog elsewhere, as in the container, feeds serves and follows edits."""
    state = site.root.parent / "state"
    state.mkdir()
    monkeypatch.setenv("FEEDS__STATE", f"sqlite:///{state}/catalog.db")
    site.article("a.md", title="a")
    server = serve(site)
    site.article("b.md", title="b")
    server.wait_for(lambda: "b" in server.titles())
    assert sorted(file.name for file in site.root.iterdir() if file.is_dir()) == ["content"]
    assert (state / "catalog.db").exists()


def test_the_compose_file():
    """It locks the container up: read-only, without rights, with the site read-only and the state in a volume."""
    (service,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"].values()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["${SITE:-..}:/site:ro", "state:/state"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


@pytest.mark.needs("caddy")
def test_caddy_in_front(site, serve, tmp_path):
    """A real Caddy takes the Caddyfile, and passes validators and encodings on as they are."""
    site.configure(server={"client_header": "X-Real-IP"}, schedule={"webhook": "a-secret-of-the-owner"})
    site.article("a.md", title="a")
    behind = serve(site)
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    port = free_port()
    text = text.replace("feeds.example.org {", f"http://:{port} {{").replace(
        "127.0.0.1:8000", f"127.0.0.1:{behind.port}"
    )
    (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    environment = os.environ | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    program = shutil.which("caddy")
    given = subprocess.run([program, "validate", "--config", str(DEPLOY / "Caddyfile"), "--adapter", "caddyfile"],
                           env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert given.returncode == 0, given.stderr
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--config", "Caddyfile"], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    front = Server.__new__(Server)
    front.port, front.process, front.log = port, process, tmp_path / "log"
    try:
        front.wait_for(lambda: front.ask("/rss.xml").body)
        for coding in ("", "identity", "gzip", "br", "zstd"):
            wanted = [f"Accept-Encoding: {coding}"] if coding else []
            ours, through = behind.ask("/rss.xml", *wanted), front.ask("/rss.xml", *wanted)
            assert (through.status, through.body) == (200, ours.body), through
            for name in ("etag", "last-modified", "cache-control", "vary", "content-type", "content-encoding"):
                assert through.headers.get(name) == ours.headers.get(name)
            assert front.ask("/rss.xml", *wanted, f"If-None-Match: {ours.headers['etag']}").status == 304
        assert front.ask("/refresh", "Authorization: Bearer a-secret-of-the-owner", method="POST").status == 202
        assert front.ask("/refresh", "X-Hub-Signature-256: sha256=00", "Content-Length: 9", method="POST").status == 401
    finally:
        process.terminate()
        process.wait(10)


def test_the_workflow(site):
    """It is a workflow, and those of its steps that are ours do on a site what they say."""
    workflow = yaml.safe_load((DEPLOY / "github-actions.yml").read_text("utf-8"))
    assert workflow[True]["schedule"]  # YAML 1.1 takes `on` for true, as GitHub does not
    CronTrigger.from_crontab(workflow[True]["schedule"][0]["cron"])
    assert workflow["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    steps = {step.get("name", step.get("uses")): step for step in workflow["jobs"]["publish"]["steps"]}
    assert "actions/deploy-pages@v4" in steps
    for path in re.findall(r"vendor/feeds/(\S+)", steps["Install feeds"]["run"]):
        assert (REPOSITORY / path).exists()
    site.configure()
    site.article("a.md", title="a")
    site.write("bad.md", "no date")
    environment = os.environ | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    assert workflow[True]["workflow_dispatch"]["inputs"]["accept"]["type"] == "boolean"

    def step(name, *, accept=False):
        said = "${{ inputs.accept && '--accept' || '' }}"
        assert (said in steps[name]["run"]) == (name == "Build")
        command = steps[name]["run"].replace(said, "--accept" if accept else "")
        return subprocess.run(["bash", "-e", "-c", command], cwd=site.root, env=environment,
                              capture_output=True, text=True, check=False)  # fmt: skip

    for name, expected in (("Check", "::error file=content/bad.md,line=1,title=refused::no date"), ("Build", "")):
        done = step(name)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
    assert (site.root / "public" / "rss.xml").exists()
    (site.content / "a.md").unlink()  # all of it vanishes: the guard stops that
    site.write("bad.md", "not yet a date")
    assert step("Check").returncode == 0
    assert step("Build").returncode != 0
    assert step("Build", accept=True).returncode == 0
    site.configure(site={"language": "not a language"})
    assert step("Check").returncode != 0
    assert {step["with"]["path"] for step in steps.values() if "path" in step.get("with", {})} == {".feeds", "public"}
