"""Accounts: the tenants. Everything belongs to exactly one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from phonenumbers import SUPPORTED_REGIONS
from sqlalchemy import Connection, insert, select, update

from app.errors import Duplicate, FieldError, NotFound, ValidationFailed
from app.model import IdKind, new_id
from app.store.columns import instant, to_milliseconds
from app.store.tables import accounts

NAME_MAX = 60


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant and the name people know it by.

    `default_country` is the ISO 3166 code (`GB`) of the country that phone numbers without a country code are read as
    numbers of; None where the account has not said.
    """

    id: str
    name: str
    created_at: datetime
    default_country: str | None = None


def create_account(connection: Connection, name: str, now: datetime) -> Account:
    """Make an account.

    Raises:
        ValidationFailed: the name is blank, too long, or has characters that cannot be seen.
        Duplicate: the name is taken.
    """
    _refuse_name(connection, name)
    account = Account(new_id(IdKind.ACCOUNT), name, now)
    connection.execute(insert(accounts), {"id": account.id, "name": account.name, "created_at": to_milliseconds(now)})
    return account


def rename(connection: Connection, account_id: str, name: str) -> None:
    """Give an account another name.

    Raises:
        ValidationFailed, Duplicate: as `create_account`.
    """
    _refuse_name(connection, name)
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(name=name))


def delete(connection: Connection, account_id: str) -> None:
    """Delete the row of an account that has nothing any more (`app/sync/account_deletion.py`).

    Raises:
        sqlalchemy.exc.IntegrityError: it has something.
    """
    connection.execute(accounts.delete().where(accounts.c.id == account_id))


def _refuse_name(connection: Connection, name: str) -> None:
    if not name.strip() or len(name) > NAME_MAX or not name.isprintable():
        message = f"Give 1 to {NAME_MAX} characters, without line breaks and the like."
        raise ValidationFailed(errors=[FieldError("name", message)])
    if _find(connection, name) is not None:
        raise Duplicate(f"There is already an account named '{name}'. Choose another name.")


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


def set_default_country(connection: Connection, account_id: str, country: str | None) -> None:
    """Write down the country that phone numbers without a country code are read as numbers of; None: there is none.

    Raises:
        ValidationFailed: it is no country whose phone numbers are known.
    """
    if country is not None:
        country = country.upper()
        if country not in SUPPORTED_REGIONS:
            message = "Give the two letters that ISO 3166 has for the country, such as GB."
            raise ValidationFailed(errors=[FieldError("country", message)])
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(default_country=country))


def _find(connection: Connection, name: str) -> Account | None:
    row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
    return None if row is None else _from_row(*row)


def _from_row(account_id: str, name: str, created_at: int, default_country: str | None) -> Account:
    return Account(account_id, name, instant(created_at), default_country)
