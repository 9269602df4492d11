"""Connections: which remote issuer an account's passes of a mode live at, and the credentials for it, sealed.

The credentials are opened only where a request to the issuer is made. No value of this module shows them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from app.accounts.vault import Place, Vault
from app.answer import to_text
from app.model import EndsCardsBy, Mode
from app.store import troubles
from app.store.columns import Statement, from_milliseconds, instant, to_json, to_milliseconds
from app.store.tables import accounts, connections

# The country that phone numbers are read as numbers of is the account's.
_EVERY = select(connections, accounts.c.default_country).join(accounts, accounts.c.id == connections.c.account_id)
_MINE = Statement(
    _EVERY.where(connections.c.account_id == bindparam("account_id"), connections.c.mode == bindparam("mode"))
)


@dataclass(frozen=True, slots=True)
class IssuerConnection:
    """One account's way to a remote issuer, in one mode.

    `base_url` is where its API is, `pass_url` where its pass pages are. `last_problem` says why it does not work, None
    while it does: `{"code", "detail", "at"}`. `refreshed_at` is when its programs were last read, `notes` says what of
    them cannot be used and why.
    """

    account_id: str
    mode: Mode
    issuer: str
    region: str
    base_url: str
    pass_url: str
    sealed: str = field(repr=False)
    company: str
    username: str = field(repr=False)
    connected_at: datetime
    last_worked_at: datetime
    last_problem: Mapping[str, str] | None = None
    refreshed_at: datetime | None = None
    ends_cards_by: EndsCardsBy = EndsCardsBy.EXPIRY
    notes: tuple[str, ...] = ()
    default_country: str | None = None

    @property
    def name(self) -> str:
        """What its requests have in common (slots and the learned clock), and what operators call it."""
        return name_of(self.account_id, self.mode.value)

    def secrets(self, vault: Vault) -> dict[str, str]:
        """Open the credentials.

        Raises:
            app.accounts.vault.VaultError: they were sealed with another key or for another row.
        """
        opened: dict[str, str] = json.loads(vault.open(self.sealed, place_of(self.account_id, self.mode)))
        return opened


def name_of(account_id: str, mode: str) -> str:
    """Return the name of a connection."""
    return f"{account_id}/{mode}"


def place_of(account_id: str, mode: Mode) -> Place:
    """Return the place that the credentials are sealed for."""
    return Place(account_id, "connections", "credentials", mode.value)


def seal(vault: Vault, account_id: str, mode: Mode, secrets: Mapping[str, str]) -> str:
    """Seal credentials for their row."""
    return vault.seal(json.dumps(dict(secrets)), place_of(account_id, mode))


def get(connection: Connection, account_id: str, mode: Mode) -> IssuerConnection | None:
    """Return the account's connection in this mode."""
    row = _MINE.first(connection, {"account_id": account_id, "mode": mode.value})
    return None if row is None else _from_columns(row)


def list_names(connection: Connection) -> list[str]:
    """Return the names of the connections of all accounts."""
    query = select(connections.c.account_id, connections.c.mode).order_by(connections.c.account_id)
    return [name_of(account_id, mode) for account_id, mode in connection.execute(query)]


def put(connection: Connection, connected: IssuerConnection) -> None:
    """Write the connection; one that was there before is gone."""
    forget(connection, connected.account_id, connected.mode)
    connection.execute(insert(connections), _to_row(connected))


def forget(connection: Connection, account_id: str, mode: Mode) -> bool:
    """Delete the connection with its credentials and its trouble; say whether there was one."""
    troubles.forget(connection, troubles.Kind.CONNECTION, name_of(account_id, mode.value))
    return connection.execute(_only(delete(connections), account_id, mode)).rowcount == 1


def set_ends_cards_by(connection: Connection, account_id: str, mode: Mode, ends_cards_by: EndsCardsBy) -> bool:
    """Write down how a revoke ends a card. False: there is no connection."""
    values = {"ends_cards_by": ends_cards_by.value}
    return connection.execute(_only(update(connections), account_id, mode).values(values)).rowcount == 1


def lock(connection: Connection, account_id: str, mode: Mode) -> IssuerConnection | None:
    """Return the account's connection; nobody else who locks it goes on before the transaction ends."""
    row = connection.execute(_only(_EVERY, account_id, mode).with_for_update(of=connections)).first()
    return None if row is None else _from_columns(row)


def note_worked(connection: Connection, account_id: str, mode: Mode, now: datetime) -> None:
    """Write down that the issuer took our credentials."""
    values = {"last_worked_at": to_milliseconds(now), "last_problem": None}
    connection.execute(_only(update(connections), account_id, mode).values(values))


def note_problem(connection: Connection, account_id: str, mode: Mode, code: str, detail: str, now: datetime) -> None:
    """Write down why the connection does not work."""
    problem = to_json({"code": code, "detail": detail, "at": to_text(now)})
    connection.execute(_only(update(connections), account_id, mode).values(last_problem=problem))


def note_refreshed(connection: Connection, account_id: str, mode: Mode, notes: Sequence[str], now: datetime) -> None:
    """Write down that the programs were read, and what of them could not be."""
    values = {"refreshed_at": to_milliseconds(now), "notes": to_json(list(notes)) if notes else None}
    connection.execute(_only(update(connections), account_id, mode).values(values))


def reseal_all(connection: Connection, vault: Vault) -> int:
    """Seal every row's credentials with the vault's first key; return how many were sealed with another.

    Raises:
        app.accounts.vault.VaultError: a row cannot be opened; nothing was changed then.
    """
    changed = 0
    for row in connection.execute(_EVERY).all():
        connected = _from_columns(row)
        if vault.is_current(connected.sealed):
            continue
        sealed = vault.reseal(connected.sealed, place_of(connected.account_id, connected.mode))
        connection.execute(_only(update(connections), connected.account_id, connected.mode).values(credentials=sealed))
        changed += 1
    return changed


def _only(statement: Any, account_id: str, mode: Mode) -> Any:
    return statement.where(connections.c.account_id == account_id, connections.c.mode == mode.value)


def _from_columns(columns: Sequence[Any]) -> IssuerConnection:
    account_id, mode, issuer, region, base_url, pass_url, sealed, company, username, *rest = columns
    connected_at, last_worked_at, last_problem, refreshed_at, ends_cards_by, notes, default_country = rest
    return IssuerConnection(
        account_id=account_id,
        mode=Mode(mode),
        issuer=issuer,
        region=region,
        base_url=base_url,
        pass_url=pass_url,
        sealed=sealed,
        company=company,
        username=username,
        connected_at=instant(connected_at),
        last_worked_at=instant(last_worked_at),
        last_problem=json.loads(last_problem) if last_problem else None,
        refreshed_at=from_milliseconds(refreshed_at),
        ends_cards_by=EndsCardsBy(ends_cards_by),
        notes=tuple(json.loads(notes)) if notes else (),
        default_country=default_country,
    )


def _to_row(connected: IssuerConnection) -> dict[str, Any]:
    return {
        "account_id": connected.account_id,
        "mode": connected.mode.value,
        "issuer": connected.issuer,
        "region": connected.region,
        "base_url": connected.base_url,
        "pass_url": connected.pass_url,
        "credentials": connected.sealed,
        "company": connected.company,
        "username": connected.username,
        "connected_at": to_milliseconds(connected.connected_at),
        "last_worked_at": to_milliseconds(connected.last_worked_at),
        "last_problem": to_json(dict(connected.last_problem)) if connected.last_problem else None,
        "refreshed_at": to_milliseconds(connected.refreshed_at),
        "ends_cards_by": connected.ends_cards_by.value,
        "notes": to_json(list(connected.notes)) if connected.notes else None,
    }
