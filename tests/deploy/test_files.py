"""The files an operator starts from: each is what its own program accepts, and says what the Procfile says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from app.heartbeat import Heartbeat
from tests.processes import ROOT, command_of
from tests.strict import unavailable
from tests.world import World

DEPLOY = ROOT / "deploy"
Checked = Callable[..., subprocess.CompletedProcess[str]]


def program(name: str, install: str) -> str:
    """Return the path of a program: of this environment, or of the machine."""
    folders = f"{Path(sys.executable).parent}:/usr/sbin:/usr/local/bin:/usr/bin:/bin"
    return shutil.which(name, path=folders) or unavailable(name, install)


def check(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **environment})


def planted(path: Path, old: str, new: str, folder: Path) -> Path:
    """Write the file with a fault in it."""
    text = path.read_text()
    assert old in text
    copy = folder / path.name
    copy.write_text(text.replace(old, new, 1))
    return copy


COMPOSE_FILES = [ROOT / "compose.yaml", DEPLOY / "compose.yaml"]


@pytest.mark.parametrize("file", COMPOSE_FILES, ids=["one container", "PostgreSQL and Redis"])
def test_compose_files_fit_the_specification(file: Path, tmp_path: Path) -> None:
    checker = program("check-jsonschema", "make .venv/.development")
    schema = ["--builtin-schema", "vendor.compose-spec"]
    accepted = check(checker, *schema, str(file))
    assert accepted.returncode == 0, accepted.stdout
    wrong = planted(file, "restart:", "restarts:", tmp_path)
    assert check(checker, *schema, str(wrong)).returncode != 0


def test_containers_are_started_with_lines_of_the_procfile() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name in ("web", "worker"):
        assert services[name]["command"] == ["honcho", "start", name]
        command_of(name)  # raises where the Procfile has no such line


def test_the_dockerfile_has_no_findings(tmp_path: Path) -> None:
    linter = program("hadolint", "make .venv/.development")
    clean = check(linter, "Dockerfile")
    assert (clean.returncode, clean.stdout) == (0, "")
    wrong = planted(ROOT / "Dockerfile", "WORKDIR /srv", "WORKDIR srv", tmp_path)
    assert check(linter, str(wrong)).returncode != 0


@pytest.mark.parametrize("name", ["web", "worker"])
def test_units_run_the_lines_of_the_procfile_and_are_valid(name: str, tmp_path: Path) -> None:
    unit = DEPLOY / f"passrail-{name}.service"
    started = re.search(r"^ExecStart=/opt/passrail/\.venv/bin/(.+)$", unit.read_text(), re.M)
    assert started is not None
    assert f"exec {started[1]}".replace('"', "") == command_of(name)[2].replace('"', "")
    verify = program("systemd-analyze", "apt-get install systemd")
    # Programs are looked for, so the ones of this environment stand for those of /opt/passrail.
    here = planted(unit, "/opt/passrail/.venv/bin", str(Path(sys.executable).parent), tmp_path)
    here.write_text(here.read_text().replace("/opt/passrail/.venv/bin", str(Path(sys.executable).parent)))
    here.write_text(here.read_text().replace("/opt/passrail", str(ROOT)))
    assert check(verify, "verify", str(here)).stderr == ""
    assert check(verify, "verify", str(planted(here, "ExecStart=", "ExecStarted=", tmp_path))).returncode != 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    words = ["-subj", "/CN=pass.example.com", "-keyout", "privkey.pem", "-out", "fullchain.pem"]
    make = [program("openssl", "apt-get install openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", *words]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)
    return folder


def test_the_nginx_sample_is_valid(certificate: Path, tmp_path: Path) -> None:
    nginx = program("nginx", "apt-get install nginx-light")
    site = tmp_path / "passrail.conf"
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; include {site}; }}")
    sample = (DEPLOY / "nginx.conf").read_text()

    def tried(text: str) -> subprocess.CompletedProcess[str]:
        site.write_text(text.replace("/etc/letsencrypt/live/pass.example.com", str(certificate)))
        return check(nginx, "-t", "-c", str(whole), "-p", str(tmp_path), "-e", "stderr")

    accepted = tried(sample)
    assert accepted.returncode == 0, accepted.stderr
    assert tried(sample.replace("proxy_pass", "proxy_past")).returncode != 0


def test_the_caddy_sample_is_valid(tmp_path: Path) -> None:
    caddy = program("caddy", "apt-get install caddy")
    validate = [caddy, "validate", "--adapter", "caddyfile", "--config"]
    environment = {"DOMAIN": "pass.example.com", "HOME": str(tmp_path)}
    accepted = check(*validate, str(DEPLOY / "Caddyfile"), **environment)
    assert accepted.returncode == 0, accepted.stderr
    wrong = planted(DEPLOY / "Caddyfile", "reverse_proxy", "reverse_proxies", tmp_path)
    assert check(*validate, str(wrong), **environment).returncode != 0


def test_alert_rules_are_valid_and_raise_what_they_say(tmp_path: Path) -> None:
    promtool = program("promtool", "apt-get install prometheus")
    assert check(promtool, "check", "rules", "deploy/alerts.yml").returncode == 0
    tested = check(promtool, "test", "rules", "deploy/alerts_test.yml")
    assert tested.returncode == 0, tested.stderr
    for file in ("alerts.yml", "alerts_test.yml"):
        shutil.copy(DEPLOY / file, tmp_path)
    planted(DEPLOY / "alerts.yml", 'status="unknown"} > 0', 'status="unknown"} > 9', tmp_path)
    assert check(promtool, "test", "rules", str(tmp_path / "alerts_test.yml")).returncode != 0


def test_every_alert_is_tested_on_a_quiet_and_a_troubled_service() -> None:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    for case in yaml.safe_load((DEPLOY / "alerts_test.yml").read_text())["tests"]:
        assert {rule["alert"] for rule in rules} == {test["alertname"] for test in case["alert_rule_test"]}


def test_alerts_name_figures_that_the_service_has(world: World) -> None:
    world.make_hook("pass.created")
    world.make_pass()
    Heartbeat(world.service).beat()
    figures = world.client.get("/metrics").text
    rules = (DEPLOY / "alerts.yml").read_text()
    named = set(re.findall(r"\bpassrail_\w+", rules))
    assert len(named) >= 5
    for name in named:
        assert re.search(rf"^{name}(\{{| )", figures, re.M), name


def test_every_alert_is_explained() -> None:
    explained = (ROOT / "docs" / "operating.md").read_text()
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    assert [rule["alert"] for rule in rules if f"`{rule['alert']}`" not in explained] == []
