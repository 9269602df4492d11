"""Hooks: who wants to hear of what, and how that fares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, text, update

from app.accounts.vault import Vault
from app.answer import to_text
from app.events import hook_secrets
from app.events.backlog import Backlog
from app.events.pace import Pace
from app.events.schedule import Health
from app.events.targets import shown
from app.model import IdKind, Mode, new_id
from app.store.columns import Statement, from_milliseconds, instant, to_json, to_milliseconds
from app.store.tables import hooks

EVERYTHING = "*"
OLD_SECRET_SIGNS = timedelta(hours=24)
GONE, FAILING = "gone", "failing"

_BY_ID = Statement(select(hooks).where(hooks.c.id == bindparam("id")))
_HOLD = Statement(select(hooks).where(hooks.c.id == bindparam("id")).with_for_update(key_share=True))


class HookStatus(StrEnum):
    """Where a hook is in its life. `deleted` is seen by nobody: its deliveries are forgotten first."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Hook:
    """A subscription of a URL to types of event.

    `disabled_reason` is `gone` (the receiver answered 410) or `failing` (five days without a success). The two secrets
    are as the row keeps them, `secrets` gives them as they are.
    """

    id: str
    account_id: str
    mode: Mode
    target_url: str = field(repr=False)
    event_types: tuple[str, ...]
    program_id: str | None
    status: HookStatus
    kept_secret: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    disabled_reason: str | None = None
    kept_old_secret: str | None = field(default=None, repr=False)
    old_secret_until: datetime | None = None
    health: Health = field(default_factory=Health)
    pace: Pace = field(default_factory=Pace)

    def secrets(self, vault: Vault | None, now: datetime) -> list[str]:
        """Return what a delivery is signed with: the secret, and for a day after it changed the one before, too.

        Raises:
            app.accounts.vault.VaultError: the service lacks the key they were sealed with.
        """
        kept = [self.kept_secret]
        if self.kept_old_secret is not None and self.old_secret_until is not None and now < self.old_secret_until:
            kept.append(self.kept_old_secret)
        return [hook_secrets.unseal(vault, self.account_id, self.id, text) for text in kept]


def create(
    connection: Connection,
    vault: Vault | None,
    account_id: str,
    mode: Mode,
    target_url: str,
    event_types: Sequence[str],
    program_id: str | None,
    now: datetime,
) -> tuple[Hook, str]:
    """Write a new hook; return it and its secret."""
    hook_id, secret = new_id(IdKind.HOOK), hook_secrets.generate()
    hook = Hook(
        id=hook_id,
        account_id=account_id,
        mode=mode,
        target_url=target_url,
        event_types=tuple(dict.fromkeys(event_types)),
        program_id=program_id,
        status=HookStatus.ACTIVE,
        kept_secret=hook_secrets.seal(vault, account_id, hook_id, secret),
        created_at=now,
        updated_at=now,
    )
    connection.execute(insert(hooks), _to_row(hook))
    return hook, secret


def get(connection: Connection, account_id: str, mode: Mode, hook_id: str) -> Hook | None:
    """Return the caller's hook of this ID."""
    row = connection.execute(_mine(account_id, mode).where(hooks.c.id == hook_id)).first()
    return None if row is None else _from_columns(row)


def find(connection: Connection, hook_id: str) -> Hook | None:
    """Return a hook of any account, for the worker."""
    row = _BY_ID.first(connection, {"id": hook_id})
    return None if row is None else _from_columns(row)


def lock(connection: Connection, hook_id: str) -> Hook | None:
    """Return a hook of any account, locked: until the transaction ends nobody else changes it or claims for it.

    Deliveries can be added meanwhile (`key_share`): an action does not wait for a worker.
    """
    row = _HOLD.first(connection, {"id": hook_id})
    return None if row is None else _from_columns(row)


def page(connection: Connection, account_id: str, mode: Mode, *, before: str | None, limit: int) -> list[Hook]:
    """Return at most `limit` hooks, newest first, those older than the ID `before`."""
    query = _mine(account_id, mode)
    if before is not None:
        query = query.where(hooks.c.id < before)
    return [_from_columns(row) for row in connection.execute(query.order_by(hooks.c.id.desc()).limit(limit))]


def save(connection: Connection, hook: Hook) -> None:
    """Write the hook over its row."""
    connection.execute(update(hooks).where(hooks.c.id == hook.id).values(_to_row(hook)))


def delete_all(connection: Connection, account_id: str) -> None:
    """Delete all hooks of an account: nothing is sent to them any more."""
    connection.execute(update(hooks).where(hooks.c.account_id == account_id).values(status=HookStatus.DELETED.value))


def rotate(hook: Hook, vault: Vault | None, now: datetime) -> tuple[Hook, str]:
    """Give the hook a new secret and return both. The old one signs too for a day: receivers can change over."""
    secret = hook_secrets.generate()
    rotated = replace(
        hook,
        kept_secret=hook_secrets.seal(vault, hook.account_id, hook.id, secret),
        kept_old_secret=hook.kept_secret,
        old_secret_until=now + OLD_SECRET_SIGNS,
        updated_at=now,
    )
    return rotated, secret


def set_status(hook: Hook, status: HookStatus, now: datetime, reason: str | None = None) -> Hook:
    """Pause, resume, disable or delete the hook. Who resumes a disabled one starts with a clean record; none rests."""
    health = hook.health if hook.status is HookStatus.PAUSED or status is HookStatus.DISABLED else Health()
    return replace(hook, status=status, disabled_reason=reason, health=health, pace=Pace(), updated_at=now)


def wake(connection: Connection, hook_id: str, now: datetime) -> None:
    """End the hook's rest, because somebody asks for a delivery now."""
    connection.execute(
        update(hooks)
        .where(hooks.c.id == hook_id, hooks.c.rests_until > to_milliseconds(now))
        .values(rests_until=to_milliseconds(now))
    )


def show(hook: Hook, backlog: Backlog) -> dict[str, Any]:
    """Make the answer of a hook. Its address is as good as a password at receivers that check no signature."""
    since, rests_until = hook.health.failing_since, hook.pace.rests_until
    return {
        "id": hook.id,
        "mode": hook.mode.value,
        "target": shown(hook.target_url),
        "event_types": list(hook.event_types),
        "program_id": hook.program_id,
        "status": hook.status.value,
        "disabled_reason": hook.disabled_reason,
        "failing_since": to_text(since) if since else None,
        "rests_until": to_text(rests_until) if rests_until else None,
        "backlog": backlog.pending,
        "backlog_age_seconds": backlog.age_seconds,
        "created_at": to_text(hook.created_at),
        "updated_at": to_text(hook.updated_at),
    }


def _mine(account_id: str, mode: Mode) -> Select[Any]:
    return select(hooks).where(
        hooks.c.account_id == account_id, hooks.c.mode == mode.value, text("status <> 'deleted'")
    )


def _from_columns(columns: Sequence[Any]) -> Hook:
    (
        hook_id,
        account_id,
        mode,
        target_url,
        event_types,
        program_id,
        status,
        disabled_reason,
        secret,
        old_secret,
        old_secret_until,
        failures,
        first_failure_at,
        failing_since,
        at_once,
        failures_in_row,
        rests_until,
        created_at,
        updated_at,
    ) = columns
    return Hook(
        id=hook_id,
        account_id=account_id,
        mode=Mode(mode),
        target_url=target_url,
        event_types=tuple(json.loads(event_types)),
        program_id=program_id,
        status=HookStatus(status),
        kept_secret=secret,
        created_at=instant(created_at),
        updated_at=instant(updated_at),
        disabled_reason=disabled_reason,
        kept_old_secret=old_secret,
        old_secret_until=from_milliseconds(old_secret_until),
        health=Health(failures, from_milliseconds(first_failure_at), from_milliseconds(failing_since)),
        pace=Pace(at_once, failures_in_row, from_milliseconds(rests_until)),
    )


def _to_row(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "account_id": hook.account_id,
        "mode": hook.mode.value,
        "target_url": hook.target_url,
        "event_types": to_json(list(hook.event_types)),
        "program_id": hook.program_id,
        "status": hook.status.value,
        "disabled_reason": hook.disabled_reason,
        "secret": hook.kept_secret,
        "old_secret": hook.kept_old_secret,
        "old_secret_until": to_milliseconds(hook.old_secret_until),
        "failures": hook.health.failures,
        "first_failure_at": to_milliseconds(hook.health.first_failure_at),
        "failing_since": to_milliseconds(hook.health.failing_since),
        "at_once": hook.pace.at_once,
        "failures_in_row": hook.pace.failures_in_row,
        "rests_until": to_milliseconds(hook.pace.rests_until),
        "created_at": to_milliseconds(hook.created_at),
        "updated_at": to_milliseconds(hook.updated_at),
    }
