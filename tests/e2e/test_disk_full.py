"""A full disk leaves reads and health working, answers writes with 503, and loses nothing.

The data lie on a small file system of their own, which needs root to be mounted. The server sees another /dev/shm than
the rest of the machine, so that it can be filled as well.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.e2e.faults import RowsOf
from tests.processes import running, wait_until
from tests.server.web import Web, serving
from tests.strict import unavailable

PROBES = 40
# A /dev/shm of its own, with room for the figures of two processes and a little more.
OWN_MEMORY = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=3m tmpfs /dev/shm && exec "$@"', "sh")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(24 * 1024 * 1024)
    steps = (["mkfs.ext4", "-q", "-m", "0", "-F", str(image)], ["mount", "-o", "loop", str(image), str(place)])
    for step in steps:
        if shutil.which(step[0]) is None or subprocess.run(step, capture_output=True).returncode != 0:
            unavailable("a file system of its own", "run as root, where loop devices can be mounted")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def fill(folder: Path) -> Path:
    """Take all the space that is left."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return path


def ask_much(web: Web) -> None:
    """Send requests that need figures nobody has counted yet."""
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "POST"):
        for path in ("/nowhere", "/v1/me", "/docs", "/p/x", "/healthz", "/readyz", "/v1/passes/x", "/openapi.json"):
            assert requests.request(method, f"{web.address}{path}", timeout=10).status_code < 500


def test_a_full_disk_leaves_reads_and_health_working(small_disk: Path, tmp_path: Path, rows_of: RowsOf) -> None:
    data = small_disk / "data"
    with (
        serving(tmp_path, data=data) as web,
        running("worker", {"DATA_DIR": str(data)}, tmp_path / "worker-log") as worker,
    ):
        rows = rows_of("disk full")
        made = {"before"}
        known = web.create("before").json()["id"]
        filler = fill(small_disk)
        workers = web.workers()
        for number in range(PROBES):
            if number == PROBES // 2:
                os.kill(workers[0], signal.SIGKILL)  # its successor meets a full disk from its first moment on
                wait_until(lambda: len(web.workers()) == 2 and workers[0] not in web.workers(), "its successor")
                ask_much(web)
            rows["health"].ask(lambda: requests.get(f"{web.address}/healthz", timeout=20))
            rows["read"].ask(lambda: requests.get(f"{web.address}/v1/passes/{known}", headers=web.headers, timeout=20))
            external_id = f"full-{number}"
            rows["write"].ask(partial(web.create, external_id))
            if rows["write"].answers[-1].status == "200":
                made.add(external_id)
        assert workers[1] in web.workers()
        assert worker.poll() is None
        filler.unlink()
        rows["health"].heal(lambda: requests.get(f"{web.address}/healthz", timeout=20))
        rows["read"].heal(lambda: requests.get(f"{web.address}/v1/passes/{known}", headers=web.headers, timeout=20))
        rows["write"].heal(lambda: web.create("afterwards"))
        listed = requests.get(f"{web.address}/v1/passes?limit=100", headers=web.headers, timeout=20).json()["data"]
        rows["write"].lost = len(made - {item["external_id"] for item in listed})
        assert rows["health"].statuses == rows["read"].statuses == {"200"}
        assert "503" in rows["write"].statuses <= {"200", "503"}
        assert rows["write"].lost == 0
        assert worker.poll() is None


@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_full_memory_costs_figures_only(tmp_path: Path, when: str) -> None:
    if os.geteuid() != 0 or subprocess.run([*OWN_MEMORY, "true"], capture_output=True).returncode != 0:
        unavailable("a /dev/shm of its own", "run as root, where mounts are allowed")
    filled_first = 'dd if=/dev/zero of=/dev/shm/filler bs=64k 2>/dev/null; exec "$@"'
    within = (*OWN_MEMORY, "sh", "-c", filled_first, "sh") if when == "before the start" else OWN_MEMORY
    with serving(tmp_path, within=within) as web:
        workers = web.workers()
        if when == "while it runs":
            fill(Path(f"/proc/{web.master}/root/dev/shm"))
        for number in range(5):
            ask_much(web)
            assert web.create(f"memory-{number}").status_code == 200
            assert requests.get(f"{web.address}/metrics", timeout=10).ok
        assert web.workers() == workers
