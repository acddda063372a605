"""The files in deploy/: each is checked by its own tool, or run."""

import contextlib
import hashlib
import hmac
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import kubernetes_validate
import pytest
import yaml
from apscheduler.triggers.cron import CronTrigger
from conftest import REPOSITORY, Server, free_port, statuses_until_limited

from feeds import config
from feeds.cli import main as cli

DEPLOY = REPOSITORY / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
PROGRAM = Path(sys.executable).with_name("feeds")


@pytest.mark.needs("systemd-analyze")
def test_the_units_are_what_systemd_takes(tmp_path):
    """systemd reports no problem of the units, and rates the services as well protected, also with the drop-in."""
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


@pytest.mark.unmeasured
def test_a_deployed_server(site, serve, tmp_path, monkeypatch):
    """A server that is deployed with these files does what systemd, Docker and git-sync rely on.

    It notifies systemd of readiness, state and end (sd_notify). The image's health check succeeds with the server, and
    fails without it. With the catalog elsewhere, nothing is written into the site's folder. When git-sync replaces its
    symbolic link and deletes the old checkout, the new one is published.
    """
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("FEEDS__STATE", f"sqlite:///{state}/catalog.db")
    tree = site.content.rename(site.root / "one")
    site.content.symlink_to("one")
    site.article("a.md", title="a")
    before = {file.name for file in site.root.iterdir()}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(120)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        server = serve(site)
        assert systemd.recv(1000) == b"READY=1"
        while b"revision 1: 1 article published" not in systemd.recv(1000):
            pass
        assert server.titles() == ["a"]
        health_check = dict(instructions((DEPLOY / "Dockerfile").read_text("utf-8")))["HEALTHCHECK"]
        _, code = re.findall(r'"(-c|import [^"]*)"', health_check)
        for port, healthy in ((server.port, True), (free_port(), False)):
            command = [sys.executable, "-c", code.replace("8000", str(port)).replace("timeout=4", "timeout=60")]
            assert (subprocess.run(command, capture_output=True, check=False).returncode == 0) is healthy
        shutil.copytree(tree, site.root / "two")
        (site.root / "two" / "b.md").write_text("---\ntitle: b\ndate: 2026-05-02\n---\n")
        (site.root / "next").symlink_to("two")
        (site.root / "next").replace(site.content)
        shutil.rmtree(tree)
        while b"revision 2: 2 articles published" not in systemd.recv(1000):
            pass
        server.wait_for(lambda: server.titles() == ["b", "a"])
        assert server.stop(signal.SIGTERM) == 0
        while systemd.recv(1000) != b"STOPPING=1":
            pass
    assert {file.name for file in site.root.iterdir()} - before == {"config.yaml", "serve.log", "two"}
    assert (state / "catalog.db").exists()


@pytest.mark.integration
def test_the_crontab(site):
    """The crontab's times are valid, and its command, run by sh as cron does, builds the site and prints nothing."""
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
    """Yield the instructions of a Dockerfile as (name, rest)."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def test_the_image():
    """All copied files exist and are not ignored; no process is root, Ctrl-C reaches feeds, and health is checked."""
    found = instructions((DEPLOY / "Dockerfile").read_text("utf-8"))
    known = {
        "FROM",
        "ARG",
        "LABEL",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "CMD",
    }
    assert {name for name, _ in found} == known
    allowed = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    for name, rest in found:
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (REPOSITORY / source).exists()
                assert f"!{source.partition('/')[0]}" in allowed
    users = [rest for name, rest in found if name == "USER"]
    assert users == ["10001:10001"]  # a number, by which Kubernetes recognises that it is not root
    assert dict(found)["CMD"] == '["feeds", "serve"]'
    assert all("--require-hashes" in part or "--no-deps" in part
               for name, rest in found if name == "RUN"
               for part in rest.split("&&") if re.search(r"\bpip .*\b(install|wheel)\b", part))  # fmt: skip


def test_the_compose_file():
    """The container is read-only and has no capabilities; the site is read-only, and the state is in a volume."""
    (service,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"].values()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["${SITE:-..}:/site:ro", "state:/state"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


@contextlib.contextmanager
def caddy(folder, behind):
    """Run Caddy with the Caddyfile in front of a server."""
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    port = free_port()
    text = text.replace("feeds.example.org {", f"http://:{port} {{").replace(
        "127.0.0.1:8000", f"127.0.0.1:{behind.port}"
    )
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    program = shutil.which("caddy")
    given = subprocess.run([program, "validate", "--config", str(DEPLOY / "Caddyfile"), "--adapter", "caddyfile"],
                           env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert given.returncode == 0, given.stderr
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--config", "Caddyfile"], cwd=folder, env=environment, stdout=log, stderr=log
        )
    front = Server.__new__(Server)
    front.port, front.process, front.log = port, process, folder / "log"
    try:
        front.wait_for(lambda: front.ask("/rss.xml").body)
        yield front
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.needs("caddy")
def test_caddy_in_front(site, serve, tmp_path):
    """Caddy accepts the Caddyfile, and passes on validators, encodings and webhook calls unchanged."""
    site.configure(server={"client_header": "X-Real-IP"}, schedule={"webhook": "a-secret-of-the-owner"})
    site.article("a.md", title="a")
    behind = serve(site)
    with caddy(tmp_path, behind) as front:
        for coding in ("", "identity", "gzip", "br", "zstd"):
            wanted = [f"Accept-Encoding: {coding}"] if coding else []
            ours, through = behind.ask("/rss.xml", *wanted), front.ask("/rss.xml", *wanted)
            assert (through.status, through.body) == (200, ours.body), through
            for name in ("etag", "last-modified", "cache-control", "vary", "content-type", "content-encoding"):
                assert through.headers.get(name) == ours.headers.get(name)
            assert front.ask("/rss.xml", *wanted, f"If-None-Match: {ours.headers['etag']}").status == 304
        assert front.ask("/refresh", "Authorization: Bearer a-secret-of-the-owner", method="POST").status == 202
        right = hmac.new(b"a-secret-of-the-owner", b"", hashlib.sha256).hexdigest()
        for line, status in (
            ("X-Hub-Signature-256: sha256=00", 401),
            (f"X_Hub_Signature_256: sha256={right}", 401),
            (f"X-Hub-Signature-256: sha256={right}", 202),
        ):
            assert front.ask("/refresh", line, "Content-Length: 0", method="POST").status == status


@pytest.mark.needs("caddy")
@pytest.mark.parametrize("server", ["granian", "wsgiref"])
def test_the_client_is_known_behind_caddy(site, serve, tmp_path, server):
    """The rate limit applies to the address that Caddy saw, whatever headers a client sends, in either spelling.

    This also holds for a WSGI server that mistakes X_Real_IP for X-Real-IP.
    """
    site.configure(server={"client_header": "X-Real-IP", "limit": 20})
    site.article("a.md", title="a")
    site.publish()
    (site.root / "merging.py").write_text(WSGIREF)
    behind = serve(site) if server == "granian" else serve(site, command=("merging", "{port}"))
    said = iter(range(1, 250))

    def ask(front):
        lines = [f"{name}: 198.51.100.{next(said)}" for name in ("X-Real-IP", "X_Real_IP")]
        return front.ask("/atom.xml", *lines).status

    with caddy(tmp_path, behind) as front:
        assert statuses_until_limited(lambda: ask(front), 20) == {200}


WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from feeds.web import create_app
make_server("127.0.0.1", int(sys.argv[1]), create_app()).serve_forever()
"""


def test_the_workflow(site):
    """The workflow is valid, and its steps that run `feeds` succeed or fail according to the exit code."""
    workflow = yaml.safe_load((DEPLOY / "github-actions.yml").read_text("utf-8"))
    assert workflow[True]["schedule"]  # YAML 1.1 reads `on` as true; GitHub does not
    CronTrigger.from_crontab(workflow[True]["schedule"][0]["cron"])
    assert workflow["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    steps = {step.get("name", step.get("uses")): step for step in workflow["jobs"]["publish"]["steps"]}
    assert any(str(name).startswith("actions/deploy-pages@") for name in steps)
    for path in re.findall(r"vendor/feeds/(\S+)", steps["Install feeds"]["run"]):
        assert (REPOSITORY / path).exists()
    site.configure()
    site.article("a.md", title="a")
    site.write("bad.md", "no date")
    assert workflow[True]["workflow_dispatch"]["inputs"]["accept"]["type"] == "boolean"

    def step(name, *, accept=False):
        said = "${{ inputs.accept && '--accept' || '' }}"
        assert (said in steps[name]["run"]) == (name == "Build")
        command = steps[name]["run"].replace(said, "--accept" if accept else "")
        program, *arguments = shlex.split(command.partition("||")[0])
        assert program == "feeds"
        done = site.run(*arguments)
        script = f"feeds() {{ return {done.returncode}; }}\n{command}"  # the step handles the command's exit code
        done.returncode = subprocess.run(["bash", "-e", "-c", script], check=False).returncode
        return done

    for name, expected in (("Check", "::error file=content/bad.md,line=1,title=refused::no date"), ("Build", "")):
        done = step(name)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
    assert (site.root / "public" / "rss.xml").exists()
    (site.content / "a.md").unlink()  # all entries would disappear, so the guard stops the run
    site.write("bad.md", "not yet a date")
    assert step("Check").returncode == 0
    assert step("Build").returncode != 0
    assert step("Build", accept=True).returncode == 0
    site.configure(site={"language": "not a language"})
    assert step("Check").returncode != 0
    assert {step["with"]["path"] for step in steps.values() if "path" in step.get("with", {})} == {".feeds", "public"}


WORKFLOWS = [DEPLOY / "github-actions.yml", *sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_are_bounded_and_fixed(file):
    """Each job of a workflow has a time limit of an hour, only the permissions that it names, and pinned actions."""
    text = file.read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert "permissions" in workflow
    for job in workflow["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 60
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, version in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r"  # v\d+\.\d+\.\d+", version), action


RELEASE = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "release.yml").read_text("utf-8"))


def test_only_a_tag_publishes():
    """The jobs of a release have no more permissions than they need, and those that publish run only for a tag."""
    jobs = RELEASE["jobs"]
    assert RELEASE["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "install": {},
        "image": {"contents": "read", "packages": "write"},
        "index": {"id-token": "write"},
        "release": {"contents": "write"},
    }
    on_tags = "github.ref_type == 'tag'"
    assert [name for name, job in jobs.items() if job.get("if") == on_tags] == ["index", "release"]
    assert jobs["release"]["needs"] == "index"
    assert set(jobs["index"]["needs"]) == {"build", "install", "image"}
    for step in jobs["image"]["steps"]:
        if step.get("uses", "").startswith("docker/login-action@"):
            assert step["if"] == on_tags
        if "platforms" in step.get("with", {}):
            options = step["with"]
    assert options["push"] == f"${{{{ {on_tags} }}}}"
    assert (options["platforms"], options["sbom"], options["provenance"]) == (
        "linux/amd64,linux/arm64",
        True,
        "mode=max",
    )


@pytest.mark.parametrize(
    ("version", "variant", "tags"),
    [
        ("v1.20.3", 0, ["1.20.3", "latest"]),
        ("v1.20.3", 1, ["1.20.3-cluster", "cluster"]),
        ("v2.0.0rc1", 0, ["2.0.0rc1"]),
        ("rehearsal", 1, ["rehearsal-cluster"]),
    ],
)
def test_the_tags_of_images(tmp_path, version, variant, tags):
    """An image has the version as its tag, and the newest final version also `latest` or `cluster`."""
    job = RELEASE["jobs"]["image"]
    (step,) = [step for step in job["steps"] if step.get("id") == "names"]
    chosen = job["strategy"]["matrix"]["include"][variant]
    variables = {"GITHUB_REPOSITORY": "News/Feeds", "GITHUB_OUTPUT": str(tmp_path / "output"), "VERSION": version}
    variables |= {"SUFFIX": chosen["suffix"], "NEWEST": chosen["newest"]}
    script = "git() { echo 2026-01-01T00:00:00Z; }\n" + step["run"]
    subprocess.run(["bash", "-e", "-c", script], env=os.environ | variables, check=True)
    expected = [
        f"version={version.removeprefix('v')}",
        "tags<<END",
        *(f"ghcr.io/news/feeds:{tag}" for tag in tags),
        "END",
    ]
    assert (tmp_path / "output").read_text("utf-8").splitlines() == [*expected, "created=2026-01-01T00:00:00Z"]


def test_images_are_fixed():
    """Images are pinned by digests; for the one that is not, a comment explains how to pin it."""
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    images = [rest.split()[0] for name, rest in instructions(dockerfile) if name == "FROM"]
    services = yaml.safe_load(CLUSTER.read_text("utf-8"))["services"]
    images += [service["image"] for service in services.values() if "build" not in service]
    assert len(images) == 4
    for image in images:
        assert re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image)
    publisher = (KUBERNETES / "publisher.yaml").read_text("utf-8")
    (git_sync,) = re.findall(r"image: &git-sync (\S+)", publisher)
    assert f"`crane digest {git_sync}`" in publisher


def test_memory_and_tasks_are_limited():
    """Everything that runs feeds limits its memory and its processes."""
    for name in ("feeds.service", "feeds-build.service"):
        unit = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / name).read_text("utf-8"), flags=re.MULTILINE))
        assert {"MemoryMax", "TasksMax"} <= unit.keys()
        assert unit["OOMPolicy"] == "continue"  # only the process that used too much memory ends
    for name in ("compose.yaml", "compose.cluster.yaml"):
        for service in yaml.safe_load((DEPLOY / name).read_text("utf-8"))["services"].values():
            assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
            assert 0 < service["pids_limit"] <= 1024


def test_pods_reach_only_what_they_need():
    """Pods may connect only to name servers and the database, and publishers also to the repository."""
    allowed = {}
    for one in manifests("networkpolicy.yaml"):
        assert "Egress" in one["spec"]["policyTypes"]
        ports = {port["port"] for rule in one["spec"]["egress"] for port in rule["ports"]}
        allowed[one["metadata"]["name"]] = ports
    assert allowed == {"feeds": {53, 5432}, "feeds-publisher": {443}}


def manifests(*names):
    """Yield the objects in deploy/kubernetes, or in some of its files."""
    files = [KUBERNETES / name for name in names] or sorted(KUBERNETES.glob("*.yaml"))
    return [one for file in files for one in yaml.safe_load_all(file.read_text("utf-8"))]


def test_the_manifests_are_what_kubernetes_takes():
    """The manifests are valid for an old and a new Kubernetes, and the kustomization lists all of them."""
    for one in manifests():
        assert "namespace" not in one.get("metadata", {})
        if one["kind"] not in {"Kustomization", "PodMonitor"}:  # these kinds are not part of Kubernetes itself
            for version in ("1.29", kubernetes_validate.latest_version()):
                kubernetes_validate.validate(one, version, strict=True)
    broken = manifests("web.yaml")[0]
    broken["spec"]["replica"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.29", strict=True)
    (kustomization,) = manifests("kustomization.yaml")
    left_out = {"kustomization.yaml", "secret.yaml", "monitoring.yaml"}
    assert {file.name for file in KUBERNETES.glob("*.yaml")} == set(kustomization["resources"]) | left_out


@pytest.mark.needs("kubectl")
def test_kustomize_builds_them():
    """kubectl builds the kustomization, with the image that it names."""
    done = subprocess.run(["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pods = [one["spec"]["template"]["spec"] for one in yaml.safe_load_all(done.stdout) if one["kind"] == "Deployment"]
    (image,) = manifests("kustomization.yaml")[0]["images"]
    named = [container["image"] for pod in pods for container in pod["containers"] if "feeds" in container["image"]]
    assert named == [f"{image['newName']}:{image['newTag']}"] * 2


def pods():
    """Return the pods of the deployments, by component."""
    found = [one for one in manifests("publisher.yaml", "web.yaml") if one["kind"] == "Deployment"]
    return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"]["spec"] for one in found}


def test_the_manifests_know_each_other():
    """Labels, names, ports and volumes that manifests refer to exist; no pod is root or may write its image."""
    every = manifests()
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in every if one["kind"] == "Deployment"]
    selectors = [
        one["spec"]["selector"] for one in every if one["kind"] in {"Service", "PodDisruptionBudget", "PodMonitor"}
    ]
    selectors += [one["spec"]["podSelector"] for one in every if one["kind"] == "NetworkPolicy"]
    assert len(selectors) == 6
    for selector in selectors:
        wanted = selector.get("matchLabels", selector).items()
        assert any(wanted <= one.items() for one in labels), selector
    named = {(one["kind"], one["metadata"]["name"]) for one in every if "name" in one.get("metadata", {})}
    (scaler,) = [one["spec"] for one in every if one["kind"] == "HorizontalPodAutoscaler"]
    assert ("Deployment", scaler["scaleTargetRef"]["name"]) in named
    assert scaler["minReplicas"] == 3
    (ingress,) = [one["spec"] for one in every if one["kind"] == "Ingress"]
    (path,) = ingress["rules"][0]["http"]["paths"]
    assert ("Service", path["backend"]["service"]["name"]) in named
    (service,) = [one["spec"] for one in every if one["kind"] == "Service"]
    assert service["ports"][0]["name"] == path["backend"]["service"]["port"]["name"]
    open_ = {
        port["port"]
        for one in every
        if one["kind"] == "NetworkPolicy"
        for rule in one["spec"].get("ingress", [])
        for port in rule["ports"]
    }
    for component, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"] is True
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            inside = container["securityContext"]
            assert (inside["readOnlyRootFilesystem"], inside["capabilities"]) == (True, {"drop": ["ALL"]})
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys()
            assert "limits" in container["resources"]
            if "git-sync" in container["image"]:
                assert container["envFrom"] == [{"secretRef": {"name": "feeds-git", "optional": True}}]
        main = pod["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in main["ports"]}
        assert set(ports.values()) == open_
        probes = [main[name] for name in main if name.endswith("Probe")]
        assert {probe["httpGet"]["port"] for probe in probes} <= ports.keys()
        assert ports.keys() >= ({service["ports"][0]["targetPort"]} if component == "web" else set())
        assert ("Secret", main["envFrom"][0]["secretRef"]["name"]) in named
        assert ("ConfigMap", volumes["config"]["configMap"]["name"]) in named


def config_of_the_manifests(folder):
    """Return the configuration in the ConfigMap, with the values of the Secret, and both objects."""
    (file,) = [one["data"] for one in manifests("configmap.yaml")]
    (folder / "config.yaml").write_text(file["config.yaml"])
    (secret,) = [one["stringData"] for one in manifests("secret.yaml")]
    return config.load(folder / "config.yaml", secret), secret


def test_the_manifests_are_about_this_program(tmp_path):
    """The command lines, keys, variables, ports and folders in the manifests are those that `feeds` uses."""
    settings, secret = config_of_the_manifests(tmp_path)
    assert settings.state == secret["FEEDS__STATE"]
    roles = []
    for component, pod in pods().items():
        main = pod["containers"][0]
        program, command, *arguments = main["command"]
        assert program == "feeds"
        serve = cli.get_command(click.Context(cli), command)
        roles.append(serve.make_context("serve", [*arguments, "-c", str(tmp_path / "config.yaml")]).params["role"])
        assert roles[-1] == component
        ports = {port["containerPort"] for port in main["ports"]}
        assert ports == {settings.server.port, settings.server.metrics.port}
        mounts = {mount["mountPath"]: mount for mount in main["volumeMounts"]}
        assert mounts["/site"]["name"] == "config"
        assert {path for path, mount in mounts.items() if not mount.get("readOnly")} == {"/tmp"}
    publisher = pods()["publisher"]
    for container in (publisher["initContainers"][0], publisher["containers"][1]):
        said = {one["name"]: one["value"] for one in container["env"]}
        assert settings.content.path == f"{said['GITSYNC_ROOT']}/{said['GITSYNC_LINK']}"
    image = dict(instructions((DEPLOY / "Dockerfile").read_text("utf-8")))
    assert image["WORKDIR"] == "/site"


def test_probes_and_metrics_of_the_manifests(site, tmp_path, postgres, monkeypatch):
    """A replica without content is alive but not ready; with content it is ready, and exports the scaling metric."""
    web = pods()["web"]["containers"][0]
    config_of_the_manifests(tmp_path)
    metrics = free_port()
    monkeypatch.setenv("FEEDS__SERVER__METRICS", f"127.0.0.1:{metrics}")
    monkeypatch.setenv("FEEDS__STATE", postgres.schema(f"probes{os.getpid()}"))
    (tmp_path / "node").mkdir()
    shutil.copy(tmp_path / "config.yaml", tmp_path / "node")
    command = (*web["command"], "--host", "127.0.0.1", "--port", "{port}")
    server = Server(tmp_path / "node", command=command, ready=503)
    alive, ready = web["livenessProbe"]["httpGet"]["path"], web["readinessProbe"]["httpGet"]["path"]
    try:
        assert (server.get(alive).status, server.get(ready).status) == (200, 503)
        site.configure(state=os.environ["FEEDS__STATE"])
        site.article("a.md", title="a")
        site.publish()
        server.wait_for(lambda: server.get(ready).status == 200)
        server.wait_for(lambda: server.get("/rss.xml").status == 200)
        text = (KUBERNETES / "autoscaling.yaml").read_text("utf-8")
        (series,) = re.findall(r"seriesQuery: '(\w+)\{", text)
        front = Server.__new__(Server)
        front.port, front.process, front.log = metrics, server.process, server.log
        front.wait_for(lambda: f"\n{series}{{" in front.get("/metrics").body.decode())
        (name,) = re.findall(r"name: \{as: (\w+)\}", text)
        (scaler,) = manifests("autoscaling.yaml")
        assert [one["pods"]["metric"]["name"] for one in scaler["spec"]["metrics"] if "pods" in one] == [name]
    finally:
        server.stop()


CLUSTER = DEPLOY / "compose.cluster.yaml"


def test_the_cluster_compose_file():
    """The services of the compose file are restricted and pinned, its files exist, and it uses its own database."""
    services = yaml.safe_load(CLUSTER.read_text("utf-8"))["services"]
    assert {name: service.get("deploy", {}).get("replicas", 1) for name, service in services.items()} == {
        "database": 1, "publisher": 2, "web": 3, "nginx": 1,
    }  # fmt: skip
    for name, service in services.items():
        tag = service["image"].partition(":")[2]
        assert tag not in {"", "latest"}
        if name != "database":
            locked = (service["read_only"], service["cap_drop"], service["security_opt"])
            assert locked == (True, ["ALL"], ["no-new-privileges:true"])
        for volume in service.get("volumes", []):
            source = volume.rsplit(":", 1)[0] if volume.endswith(":ro") else volume
            source = source.rpartition(":")[0]
            assert source == "database" or source.startswith("${SITE:?") or (DEPLOY / source).is_file()
    for name in ("publisher", "web"):
        build = services[name]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
        assert (REPOSITORY / "requirements" / f"{build['args']['LOCK']}.txt").is_file()
        database = services["database"]["environment"]
        where = f"{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}@database/{database['POSTGRES_DB']}"
        assert services[name]["environment"]["FEEDS__STATE"] == f"postgresql://{where}"
    listens = re.findall(r"listen (\d+);", (DEPLOY / "nginx.cluster.conf").read_text("utf-8"))
    assert [port.rpartition(":")[2] for port in services["nginx"]["ports"]] == listens
    assert services["nginx"]["healthcheck"]["test"][-1].endswith(f":{listens[0]}/healthz")


def balancer(root, nodes):
    """Run nginx with the configuration in deploy/ in front of nodes that replace Docker's names and folders."""
    root.mkdir()
    text = (DEPLOY / "nginx.cluster.conf").read_text("utf-8").replace("/tmp/", f"{root}/")
    front = Server.__new__(Server)
    front.port, front.log = free_port(), root / "error.log"
    servers = "".join(f"server 127.0.0.1:{node.port} max_fails=2 fail_timeout=5s;" for node in nodes)
    for given, ours in [
        ("listen 8080;", f"listen 127.0.0.1:{front.port};"),
        ("resolver 127.0.0.11 valid=5s;", ""),
        ("server web:8000 resolve max_fails=2 fail_timeout=5s;", servers),
        ("worker_processes auto;", ("user root; " if os.geteuid() == 0 else "") + "worker_processes 1;"),
        ("/dev/stderr", str(front.log)),
    ]:
        assert text.count(given) == 1, given
        text = text.replace(given, ours)
    (root / "nginx.conf").write_text(text)
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(root), "-c", str(root / "nginx.conf")]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    front.process = subprocess.Popen([*command, "-g", "daemon off;"])
    return front


def polled(front):
    """Return the titles in each of twelve responses to polls; None for an error, as while a document is rendered."""
    answers = [front.get("/feed.json") for _ in range(12)]
    return [
        [item["title"] for item in json.loads(answer.body)["items"]] if answer.status == 200 else None
        for answer in answers
    ]


def refuses(port):
    """Return whether nothing listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.needs("nginx")
def test_the_cluster(site, postgres, tmp_path, monkeypatch):
    """The commands and settings of compose.cluster.yaml publish, and polls succeed when a replica fails.

    This test starts one publisher and two web replicas; test_roles tests publishers that stand by.
    """
    services = yaml.safe_load(CLUSTER.read_text("utf-8"))["services"]
    image = dict(re.findall(r"(FEEDS__\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text("utf-8")))
    state = postgres.schema(f"cluster{os.getpid()}")
    for name, value in (image | services["web"]["environment"] | {"FEEDS__STATE": state}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FEEDS__SERVER__HOST", "127.0.0.1")  # in the container: all addresses
    site.article("a.md", title="a")
    site.configure()

    def start(which):
        number, name = which
        root = tmp_path / f"{name}{number}"
        root.mkdir()
        if name == "web":  # a replica has only the configuration of the site
            shutil.copy(site.root / "config.yaml", root)
        config_file = [] if name == "web" else ["-c", str(site.root / "config.yaml")]
        return Server(root, *config_file, command=(*services[name]["command"], "--port", "{port}"))

    nodes, front = [], None
    try:
        with ThreadPoolExecutor() as pool:
            nodes = list(pool.map(start, [(0, "publisher"), (0, "web"), (1, "web")]))
        webs = nodes[1:]
        front = balancer(tmp_path / "nginx", webs)
        front.wait_for(lambda: polled(front) == [["a"]] * 12)
        front.wait_for(lambda: {front.ask("/rss.xml", "Accept-Encoding: br").status for _ in range(12)} == {200})
        first = front.ask("/rss.xml", "Accept-Encoding: br")
        assert first.headers["content-encoding"] == "br"
        unchanged = [
            front.ask("/rss.xml", "Accept-Encoding: br", f"If-None-Match: {first.headers['etag']}") for _ in webs
        ]
        assert [answer.status for answer in unchanged] == [304] * 2
        webs[0].stop(signal.SIGKILL)
        front.wait_for(lambda: refuses(webs[0].port))
        assert polled(front) == [["a"]] * 12  # without a failure in between
        site.article("b.md", title="b", date="2026-05-02")
        front.wait_for(lambda: polled(front) == [["b", "a"]] * 12)
    finally:
        for node in nodes:
            node.stop()
        if front:
            front.process.terminate()
            front.process.wait(60)
