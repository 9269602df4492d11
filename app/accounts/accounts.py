"""Accounts: the tenants. Everything belongs to exactly one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from app import identifiers
from app.errors import Duplicate, FieldError, NotFound, ValidationFailed
from app.store.tables import accounts
from app.store.values import from_milliseconds, to_milliseconds

NAME_MAX = 60


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant and the name people know it by."""

    id: str
    name: str
    created_at: datetime


def create_account(connection: Connection, name: str, now: datetime) -> Account:
    """Make an account.

    Raises:
        ValidationFailed: the name is blank, too long, or has characters that cannot be seen.
        Duplicate: the name is taken.
    """
    if not name.strip() or len(name) > NAME_MAX or not name.isprintable():
        message = f"Give 1 to {NAME_MAX} characters, without line breaks and the like."
        raise ValidationFailed(errors=[FieldError("name", message)])
    if _find(connection, name) is not None:
        raise Duplicate(f"There is already an account named '{name}'. Choose another name.")
    account = Account(identifiers.new_id(identifiers.ACCOUNT), name, now)
    connection.execute(insert(accounts), {"id": account.id, "name": account.name, "created_at": to_milliseconds(now)})
    return account


def find_account(connection: Connection, name: str) -> Account:
    """Return the account of this name.

    Raises:
        NotFound: there is none.
    """
    account = _find(connection, name)
    if account is None:
        raise NotFound(f"There is no account named '{name}'. 'passrail account list' shows them all.")
    return account


def list_accounts(connection: Connection) -> list[Account]:
    """Return every account, oldest first."""
    return [_from_row(*row) for row in connection.execute(select(accounts).order_by(accounts.c.id))]


def _find(connection: Connection, name: str) -> Account | None:
    row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
    return None if row is None else _from_row(*row)


def _from_row(account_id: str, name: str, created_at: int) -> Account:
    created = from_milliseconds(created_at)
    assert created is not None
    return Account(account_id, name, created)
