"""Backups: the whole database in one file, taken while the service runs, and put back into an empty one.

SQLite's is a database file of its own (SQLite's online backup), PostgreSQL's an archive of `pg_dump`, whose programs
must be installed. Both are a picture of one moment.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, inspect, make_url

from app.settings import Settings
from app.store.engine import Store

SQLITE_BEGINS, POSTGRESQL_BEGINS = b"SQLite format 3\x00", b"PGDMP"


class BackupFailed(Exception):
    """A backup could not be taken or put back; nothing was changed. The message says why, for operators."""


def take(settings: Settings, target: Path) -> None:
    """Write the database into a new file that only its owner can read.

    Raises:
        BackupFailed: the file is there already, there is no database, or `pg_dump` is missing or fails.
    """
    if target.exists():
        raise BackupFailed(f"{target} is there already. Name another file.")
    part = target.with_name(f"{target.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        url = make_url(settings.database)
        if url.get_backend_name() == "sqlite":
            _copy(_existing(url), part)
        else:
            _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={part}"], url)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def restore(settings: Settings, source: Path) -> None:
    """Put a backup into the database of the settings, which must be empty.

    Raises:
        BackupFailed: the file is no backup or one of the other database, the database is not empty, or `pg_restore`
            is missing or fails.
    """
    url = make_url(settings.database)
    is_sqlite = url.get_backend_name() == "sqlite"
    _check_kind(source, is_sqlite=is_sqlite)
    _check_empty(settings, url)
    if is_sqlite:
        _put_back(source, Path(url.database or ""))
    else:
        command = ["pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
        _run([*command, f"--dbname={url.database}", str(source)], url)


def _existing(url: URL) -> Path:
    path = Path(url.database or "")
    if not path.is_file():
        raise BackupFailed(f"There is no database {path}. Check DATA_DIR and DATABASE_URL.")
    return path


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        # In one go: a reader of a WAL database hinders no writer, while a copy by parts begins anew after each write.
        live.backup(copy)
        # A file of its own: it needs no second file beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        problem = copy.execute("PRAGMA quick_check").fetchone()[0]
    if problem != "ok":
        raise BackupFailed(f"The copy is damaged, and so may be the database. SQLite says: {problem}")


def _put_back(source: Path, target: Path) -> None:
    """Copy into a file beside the database, then take its place: a restore that stops half-way leaves nothing."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f"{target.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        _copy(source, part)
        for beside in ("-wal", "-shm"):  # of the empty database, they would be read as this one's
            target.with_name(target.name + beside).unlink(missing_ok=True)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _check_kind(source: Path, *, is_sqlite: bool) -> None:
    with source.open("rb") as file:
        begins = file.read(len(SQLITE_BEGINS))
    if not begins.startswith((SQLITE_BEGINS, POSTGRESQL_BEGINS)):
        raise BackupFailed(f"{source} is no backup of Passrail's.")
    if begins.startswith(SQLITE_BEGINS) is not is_sqlite:
        of, into = ("PostgreSQL", "SQLite") if is_sqlite else ("SQLite", "PostgreSQL")
        raise BackupFailed(f"{source} is a backup of a {of} database; DATABASE_URL names a {into} one.")


def _check_empty(settings: Settings, url: URL) -> None:
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return
    store = Store(settings)
    try:
        tables = inspect(store.engine).get_table_names()
    finally:
        store.close()
    if tables:
        name = url.database if url.get_backend_name() == "sqlite" else url.render_as_string()
        raise BackupFailed(f"The database {name} is not empty. Move it away, or name another one in DATABASE_URL.")


def _run(command: list[str], url: URL) -> None:
    """Run a program of PostgreSQL's; the password goes by the environment, where other users do not see it."""
    told = {
        "PGHOST": url.host,
        "PGPORT": str(url.port) if url.port else None,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        **{f"PG{name.upper()}": str(value) for name, value in url.query.items()},
    }
    environment = {**os.environ, **{name: value for name, value in told.items() if value}}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise BackupFailed(f"{command[0]} is not installed. It comes with PostgreSQL's client programs.") from None
    if done.returncode != 0:
        raise BackupFailed(f"{command[0]} failed. It says: {done.stderr.strip()}")
