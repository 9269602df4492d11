"""The image is built from the Dockerfile and passes the README's first minute. No container engine is needed.

`mmdebstrap` makes the base, `buildah` builds on it and runs it in a changed root, as root and in the machine's own
network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.processes import ROOT, free_port, wait_until
from tests.strict import unavailable

pytestmark = pytest.mark.only_thorough

PACKAGES = "python3,python3-venv,ca-certificates"
# What this machine's pip and TLS are set up with; the build asks the same package index.
LENT = [Path("/etc/pip.conf"), Path("/etc/xdg/pip"), Path("/etc/ssl/certs")]


@dataclass(frozen=True)
class Image:
    """A built image, in a store of its own."""

    folder: Path

    def buildah(self, *words: str) -> str:
        done = subprocess.run(self.command(*words), cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def command(self, *words: str) -> list[str]:
        places = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        return ["buildah", *places, "--storage-driver", "vfs", *words]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    for name in ("buildah", "mmdebstrap"):
        if shutil.which(name) is None or os.getuid() != 0:
            unavailable(f"{name}, as root", "apt-get install buildah mmdebstrap")
    folder = tmp_path_factory.mktemp("image")
    base = folder / "base.tar"
    make = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(base)]
    subprocess.run(make, check=True, capture_output=True)
    made = Image(folder)
    scratch = made.buildah("from", "scratch")
    made.buildah("add", "--quiet", scratch, str(base), "/")
    made.buildah("commit", "--quiet", "--rm", scratch, "localhost/base")
    lent = [word for path in LENT if path.exists() for word in ("--volume", f"{path}:{path}:ro")]
    options = ["--quiet", "--format", "docker", "--isolation", "chroot", "--build-arg", "BASE=localhost/base"]
    made.buildah("build", *options, *lent, "--tag", "localhost/passrail", ".")
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Running:
    """A running container: where it listens, and how to run a command in it."""

    image: Image
    container: str
    port: int

    def command(self, *words: str) -> list[str]:
        settings = [f"PORT={self.port}", "HOST=127.0.0.1", f"BASE_URL=http://localhost:{self.port}"]
        told = [word for setting in settings for word in ("--env", setting)]
        run = ["run", "--isolation", "chroot", "--user", "10001", *told]
        return self.image.command(*run, self.container, "--", *words)

    def run(self, *words: str) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answers(self, path: str) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=2).ok
        except requests.RequestException:
            return False


@pytest.fixture(scope="module")
def running(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("container") / "log"
    made = Running(image, image.buildah("from", "localhost/passrail"), free_port())
    # What the image runs by itself, so that the Dockerfile's own words are tried.
    command = json.loads(image.buildah("inspect", "--type", "image", "localhost/passrail"))["Docker"]["config"]["Cmd"]
    with log.open("wb") as output:
        process = subprocess.Popen(made.command(*command), stdout=output, stderr=output, start_new_session=True)
    try:
        wait_until(lambda: made.answers("/readyz") or process.poll() is not None, "the container")
        assert process.poll() is None, log.read_text(errors="replace")
        yield made
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def first_minute() -> list[str]:
    """Return the curl commands of the README's first minute."""
    section = (ROOT / "README.md").read_text().partition("## The first minute")[2].partition("\n## ")[0]
    block = section.partition("```sh")[2].partition("```")[0]
    commands = [part.strip() for part in re.split(r"\n(?=#|curl)", block) if part.strip().startswith("curl")]
    assert len(commands) >= 3
    return commands


def test_the_built_image_passes_the_first_minute_of_the_readme(running: Running) -> None:
    assert "create-pass" in running.run("passrail", "demo")
    key = running.run("cat", "/data/demo-key").strip()
    answers = []
    for command in first_minute():
        here = command.replace("localhost:8000", f"127.0.0.1:{running.port}")
        done = subprocess.run(
            ["bash", "-c", here], capture_output=True, text=True, env={**os.environ, "PASSRAIL_KEY": key}
        )
        answers.append(done.stdout)
    assert '"status":"active"' in answers[0].replace(" ", "")
    assert '"points_change":49' in answers[1].replace(" ", "")
    assert '"status":"revoked"' in answers[2].replace(" ", "")


def test_the_container_runs_as_nobody_in_particular_and_keeps_its_data_to_itself(running: Running) -> None:
    assert running.run("id", "-u").strip() == "10001"
    assert running.run("stat", "--format=%u", "/data/passrail.db").strip() == "10001"


def test_the_image_holds_no_tests_no_tools_of_development_and_no_secrets(running: Running) -> None:
    listed = running.run("sh", "-c", "ls /srv /opt/venv/bin; pip list 2>/dev/null || true")
    assert "gunicorn" in listed
    for word in ("pytest", "ruff", "mypy", "schemathesis"):
        assert word not in listed
