"""`passrail doctor`: looks at everything an operator is responsible for, and says how to cure what is wrong.

Each check is a function from the service to a finding. One that raises an exception has found something, too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app import sweeps
from app.accounts import sealed
from app.answer import to_text
from app.events.hooks import HookStatus
from app.heartbeat import living
from app.service import Service
from app.store import migrate
from app.store.columns import instant
from app.store.tables import accounts, connections, deliveries, hooks, operations

LEAST_FREE = 500 * 1024 * 1024  # bytes on the disk of DATA_DIR; an action takes about 4 kB
CLOCK_TOLERANCE = timedelta(seconds=5)
LATE = timedelta(minutes=5)
REDIS_SECONDS = 2.0


class Level(StrEnum):
    """How good or bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: a sentence, and where something is wrong what to do about it."""

    level: Level
    says: str
    cure: str = ""


def examine(service: Service) -> Iterator[tuple[str, Finding]]:
    """Make every check, and give its name and finding. Where the database is wrong, what needs it is left out."""
    reachable = True
    for name, check, needs_database in CHECKS:
        if needs_database and not reachable:
            continue
        try:
            finding = check(service)
        except Exception as error:
            finding = Finding(Level.WRONG, f"It could not be looked at: {error}", "Mend this first.")
        reachable = reachable and not (name == "database" and finding.level is Level.WRONG)
        yield name, finding


def _settings(service: Service) -> Finding:
    settings = service.settings
    if not settings.base_url:
        return Finding(
            Level.WARNING, "BASE_URL is not set: links lead to this machine.", "Set it to the public address."
        )
    if settings.base_url.startswith("https://") and not settings.trusted_proxies:
        return Finding(
            Level.WARNING,
            "BASE_URL is https, and no proxy is trusted.",
            "Set TRUSTED_PROXIES to the number of proxies in front.",
        )
    return Finding(Level.OK, f"The public address is {service.public_url}.")


def _files(service: Service) -> Finding:
    folder = Path(service.settings.data_dir).absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            Level.WRONG,
            f"DATA_DIR {folder} cannot be written.",
            "Give it to the user that runs the service, with chown.",
        )
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        return Finding(Level.WRONG, f"Only {free // 1024**2} MB are free for DATA_DIR {folder}.", "Make room there.")
    return Finding(Level.OK, f"DATA_DIR {folder} can be written; {free // 1024**2} MB are free.")


def _database(service: Service) -> Finding:
    kind = "SQLite" if service.store.is_sqlite else "PostgreSQL"
    try:
        is_current = migrate.is_current(service.store)
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", error)).strip()
        return Finding(Level.WRONG, f"The database cannot be used: {cause}", "Check that it runs, and DATABASE_URL.")
    if not is_current:
        return Finding(Level.WRONG, f"The tables in {kind} are not those of this version.", "Run 'passrail migrate'.")
    return Finding(Level.OK, f"{kind} answers and has the tables of this version.")


def _queue(service: Service) -> Finding:
    if not service.settings.redis_url:
        return Finding(Level.OK, "Jobs are handed on by a file in DATA_DIR: web server and worker must share it.")
    from redis import Redis
    from redis.exceptions import RedisError

    client = Redis.from_url(
        service.settings.redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
    )
    with closing(client):
        try:
            client.ping()
        except RedisError as error:
            return Finding(
                Level.WRONG,
                f"Redis does not answer: {error}",
                "Check that it runs, and REDIS_URL. Until then events leave with the worker's sweep, a minute late.",
            )
    return Finding(Level.OK, "Redis answers.")


def _worker(service: Service) -> Finding:
    alive, since = living(service)
    if not alive:
        return Finding(
            Level.WRONG,
            f"No worker has been alive {since}: no event is sent, nothing expires.",
            "Start the line 'worker' of the Procfile, with the same settings as the web server.",
        )
    return Finding(Level.OK, f"Workers are alive ({alive}).")


def _clock(service: Service) -> Finding:
    now = service.clock()
    with service.store.read() as connection:
        if service.store.is_sqlite:
            newest = connection.execute(
                select(operations.c.created_at).order_by(operations.c.id.desc()).limit(1)
            ).scalar()
            there = max(now, instant(newest)) if newest is not None else now
        else:
            told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            there = told.astimezone(UTC)
    apart = abs(there - now)
    if apart > CLOCK_TOLERANCE:
        other = "The newest operation is from" if service.store.is_sqlite else "The database's clock says"
        return Finding(
            Level.WRONG,
            f"This machine's clock says {to_text(now)}. {other} {to_text(there)}.",
            "Set the clock, and keep it right with an NTP service.",
        )
    return Finding(Level.OK, f"The clock says {to_text(now)}, as the database does.")


def _keys(service: Service) -> Finding:
    with service.store.read() as connection:
        needed, missing = sealed.key_ids(connection), sealed.missing_key_ids(connection, service.vault)
    known = service.vault.key_ids if service.vault else ()
    if missing:
        return Finding(
            Level.WRONG,
            f"VAULT_KEYS lacks {', '.join(missing)}: what was sealed with it cannot be used.",
            "Put it back into VAULT_KEYS, for web server, worker and command line alike.",
        )
    if not known:
        return Finding(
            Level.WARNING,
            "VAULT_KEYS is not set: no issuer can be connected, and secrets of hooks are kept unsealed.",
            "Make a key with 'passrail vault new-key', then run 'passrail vault rotate'.",
        )
    if needed - {known[0]}:
        return Finding(Level.WARNING, "Some secrets are sealed with an older key.", "Run 'passrail vault rotate'.")
    return Finding(Level.OK, f"Secrets are sealed with the key {known[0]}.")


def _connections(service: Service) -> Finding:
    query = (
        select(accounts.c.name, connections.c.mode)
        .join(accounts, accounts.c.id == connections.c.account_id)
        .where(connections.c.last_problem.is_not(None))
        .order_by(accounts.c.name)
    )
    with service.store.read() as connection:
        number = connection.execute(select(func.count()).select_from(connections)).scalar_one()
        failing = [f"{name} ({mode})" for name, mode in connection.execute(query)]
    if failing:
        return Finding(
            Level.WRONG,
            f"These connections to an issuer do not work: {_some(failing)}.",
            "'passrail issuer show' says why.",
        )
    return Finding(Level.OK, f"All connections to issuers work ({number}).")


def _parked(service: Service) -> Finding:
    parked = sweeps.list_parked(service)
    if parked:
        return Finding(
            Level.WRONG, f"Work waits for a person ({len(parked)}).", "'passrail parked list' shows it, and why."
        )
    return Finding(Level.OK, "No work waits for a person.")


def _hooks(service: Service) -> Finding:
    active = hooks.c.status == HookStatus.ACTIVE.value
    first_due = (
        select(func.min(deliveries.c.next_attempt_at))
        .join(hooks, hooks.c.id == deliveries.c.hook_id)
        .where(text("deliveries.status = 'pending'"), active)
    )
    with service.store.read() as connection:
        disabled = connection.execute(
            select(func.count()).select_from(hooks).where(hooks.c.status == HookStatus.DISABLED.value)
        ).scalar_one()
        due = connection.execute(first_due).scalar()
    late = service.clock() - instant(due) if due is not None else timedelta()
    if late > LATE:
        return Finding(
            Level.WRONG,
            f"An event has waited for {int(late.total_seconds())} s to be sent.",
            "Is a worker running? Look at its log.",
        )
    if disabled:
        return Finding(
            Level.WARNING,
            f"Hooks were disabled because their receivers are gone or failed for days ({disabled}).",
            "Their accounts see them with GET /v1/hooks, and can resume or delete them.",
        )
    return Finding(Level.OK, "Events are sent in time.")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


CHECKS: tuple[tuple[str, Callable[[Service], Finding], bool], ...] = (
    ("settings", _settings, False),
    ("files", _files, False),
    ("database", _database, False),
    ("queue", _queue, False),
    ("worker", _worker, True),
    ("clock", _clock, True),
    ("keys", _keys, True),
    ("connections", _connections, True),
    ("parked work", _parked, True),
    ("hooks", _hooks, True),
)
