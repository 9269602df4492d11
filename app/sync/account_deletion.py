"""Deleting an account with everything that belongs to it.

Its keys, hooks and connections end first. Then its rows go, in chunks, and the account's own row goes last. A deletion
that dies is gone on with by deleting the account again.
"""

from __future__ import annotations

import logging

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.accounts import accounts, keys
from app.errors import NotApplicable
from app.events import hooks
from app.model import Mode
from app.service import Service
from app.store import operations
from app.store.ownership import delete_owned, owned_by
from app.sync import connecting

# Requests that were under way when the keys ended may write once more.
TRIES = 5

_log = logging.getLogger(__name__)


def refuse_open_operations(service: Service, account_id: str) -> None:
    """An operation without an outcome is better settled first: afterwards nobody can tell what is true at the issuer.

    Raises:
        NotApplicable: the account has some.
    """
    with service.store.read() as connection:
        number = operations.count_open(connection, account_id)
    if number:
        raise NotApplicable(
            f"{number} operations of this account have no outcome yet: what they asked a remote issuer for may be true "
            "there or not. Wait until the worker has found out, or settle what 'passrail parked list' shows with "
            "'passrail operation resolve'. --force deletes the account all the same."
        )


def contents(service: Service, account_id: str) -> dict[str, int]:
    """Return how many rows the account has, by table; tables without any are left out."""
    found = {}
    with service.store.read() as connection:
        for table, is_its in owned_by(account_id).items():
            found[table.name] = connection.execute(select(func.count()).select_from(table).where(is_its)).scalar_one()
    return {name: number for name, number in sorted(found.items()) if number}


def delete_account(service: Service, account_id: str) -> None:
    """Delete the account. What it has at a remote issuer stays there, beside the subscriptions to its webhooks.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody keeps writing for it; it can be deleted again in a moment.
    """
    with service.store.write() as connection:
        keys.revoke_all(connection, account_id, service.clock())
        hooks.delete_all(connection, account_id)
    for mode in Mode:
        connecting.forget(service, account_id, mode)
    for tries_left in reversed(range(TRIES)):
        try:
            delete_owned(service.store, account_id)
            with service.store.write() as connection:
                accounts.delete(connection, account_id)
            break
        except IntegrityError:
            if not tries_left:
                raise
    _log.info("account deleted", extra={"account_id": account_id})
