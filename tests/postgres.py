"""A private PostgreSQL server for the tests: started when the first test asks, gone when the last one ended."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest

from app.settings import Settings
from app.store.migrate import migrate
from tests.processes import free_port
from tests.strict import unavailable

NewDatabase = Callable[[], str]

SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300", "jit=off")
START_SECONDS = 180


@dataclass(frozen=True)
class Server:
    """A running server that makes databases."""

    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_database(self, template: str = "template1") -> str:
        """Make a database with what the template holds and return its SQLAlchemy address."""
        name = f"passrail_{next(self._numbers)}"
        address = f"host=127.0.0.1 port={self.port} user=passrail dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return f"postgresql+psycopg://passrail@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Server]:
    binaries = find_binaries()
    if binaries is None:
        unavailable("postgresql", "apt-get install postgresql")
    with running_server(binaries) as cluster:
        yield Server(cluster.port)


@pytest.fixture(scope="session")
def empty_postgres_url(_postgres: Server) -> NewDatabase:
    """Give a function that makes a database without tables and returns its SQLAlchemy address."""
    return _postgres.new_database


@pytest.fixture(scope="session")
def postgres_url(_postgres: Server) -> NewDatabase:
    """Give a function that makes a database with the tables of this version and returns its SQLAlchemy address."""
    address = _postgres.new_database()
    migrate(Settings(database_url=address))
    template = address.rpartition("/")[2]
    return lambda: _postgres.new_database(template)


def find_binaries() -> Path | None:
    """Return the folder with `initdb` and `postgres`; Debian keeps them off the PATH."""
    for program in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True):
        return program.parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Cluster:
    """A server over a temporary folder, which can be stopped and started again."""

    def __init__(self, binaries: Path, folder: Path, as_user: Sequence[str], settings: Sequence[str]) -> None:
        self.port = free_port()
        options = [text for setting in (*SETTINGS, *settings) for text in ("-c", setting)]
        place = ["-D", folder / "data", "-h", "127.0.0.1", "-p", self.port, "-k", folder]
        self._command = [*as_user, *map(str, [binaries / "postgres", *place, *options])]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=subprocess.STDOUT)
        _wait_for(self._process, self.port, self._folder / "log")

    def stop(self) -> None:
        """Stop the server at once: whatever it is doing is broken off, and recovered at its next start."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)


@contextmanager
def running_server(binaries: Path, *settings: str) -> Iterator[Cluster]:
    """Run a server on a free local port over a temporary folder."""
    # PostgreSQL refuses to run as root: a container's root becomes the user of Debian's package. The folder is not
    # pytest's, because those let nobody else in.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="passrail-postgres-"))
    try:
        if as_user:
            shutil.chown(folder, "postgres", "postgres")
        data = folder / "data"
        make = [binaries / "initdb", "-D", data, "-U", "passrail", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
        _run([*as_user, *map(str, make)], folder)
        cluster = Cluster(binaries, folder, as_user, settings)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed as {getpass.getuser()}:\n{done.stdout}\n{done.stderr}")


def _wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=passrail dbname=postgres").close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{text}") from error
        time.sleep(0.05)
