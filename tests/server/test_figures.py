"""A start touches nothing of a service that runs, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import requests

from app.server import figures
from tests.processes import wait_until
from tests.server.web import Web, serving


def counted(web: Web) -> str:
    """Return the line that counts the requests to nowhere."""
    lines = requests.get(f"{web.address}/metrics", timeout=10).text.splitlines()
    return next((line for line in lines if line.startswith('passrail_requests_total{method="GET",route="none"')), "")


def folder_of(web: Web) -> Path:
    """Return where the figures of a running server lie, by the lock that its processes hold."""
    open_ = (os.readlink(link) for link in Path(f"/proc/{web.master}/fd").iterdir())
    return next(Path(path) for path in open_ if Path(path).name.startswith(figures.PREFIX))


def test_a_second_start_is_told_that_the_port_is_taken_and_touches_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as web:
        for _ in range(3):
            requests.get(f"{web.address}/nowhere", timeout=10)
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
        environ = Path(f"/proc/{web.master}/environ").read_text().split("\0")
        second = subprocess.run(
            Path(f"/proc/{web.master}/cmdline").read_text().split("\0")[:-1],
            env=dict(entry.split("=", 1) for entry in environ if "=" in entry),
            cwd=os.readlink(f"/proc/{web.master}/cwd"),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert second.returncode == 1
        taken = f"Error: PORT {web.port} is taken: another program listens there. Stop it, or set PORT to another one."
        assert second.stderr.strip() == taken
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()} == before
        assert counted(web).endswith(" 3.0")
        assert folder_of(web).is_dir()


def test_a_second_service_beside_the_first_has_figures_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    with serving(tmp_path / "1") as first:
        requests.get(f"{first.address}/nowhere", timeout=10)
        with serving(tmp_path / "2") as second:
            assert counted(second) == ""
            assert folder_of(first) != folder_of(second)
        assert counted(first).endswith(" 1.0")


def test_the_folder_goes_with_the_service_and_after_a_crash_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    with serving(tmp_path / "1") as first:
        crashed = folder_of(first)
        workers = first.workers()
        os.kill(first.master, signal.SIGKILL)
        wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "the end of its processes")
    crashed.mkdir(exist_ok=True)  # another test's service that started since may have removed it
    with serving(tmp_path / "2") as second:
        ended = folder_of(second)
        assert not crashed.exists()
    wait_until(lambda: not ended.exists(), "the end of the folder")


def test_everything_in_the_data_folder_is_private_while_the_service_runs(tmp_path: Path) -> None:
    with serving(tmp_path) as web:
        web.create("private")
        folder = tmp_path / "data"
        assert folder.stat().st_mode & 0o077 == 0
        paths = (*folder.iterdir(), *folder_of(web).iterdir())
        assert [path for path in paths if path.stat().st_mode & 0o077] == []
