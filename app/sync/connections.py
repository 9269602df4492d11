"""An account's connection to a remote issuer: made, opened, noted whether it works, forgotten.

Everything here that asks the issuer does so without a database transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from app.accounts import connections
from app.accounts.connections import IssuerConnection
from app.accounts.vault import Vault, VaultError
from app.errors import NotApplicable, PassrailError, UpstreamCredentialsRefused
from app.issuers.remote import Access, RemoteIssuer, Target
from app.model import Mode
from app.service import Service

# A connection that another process has changed or deleted may be used for this long.
KEPT_FOR = timedelta(seconds=2)
WORKED_EVERY = timedelta(seconds=60)
# Seconds that everything asked in one action may take, and those that must be left of the operation's lease then.
ACTION_SECONDS, LEASE_MARGIN = 40.0, 10.0

_log = logging.getLogger(__name__)


def find(service: Service, account_id: str, mode: Mode) -> IssuerConnection | None:
    """Return the account's connection in this mode."""
    with service.store.read() as connection:
        return connections.get(connection, account_id, mode)


def need(service: Service, account_id: str, mode: Mode) -> IssuerConnection:
    """Return the account's connection.

    Raises:
        UpstreamCredentialsRefused: there is none (any more).
    """
    found = find(service, account_id, mode)
    if found is None:
        raise UpstreamCredentialsRefused(
            f"This pass or program lives at a remote issuer, and the account has no connection to it in {mode.value} "
            "mode any more. Connect with PUT /v1/issuer or 'passrail issuer connect'."
        )
    return found


def kept(service: Service, account_id: str, mode: Mode) -> IssuerConnection:
    """Return the account's connection as it was at most `KEPT_FOR` ago: for an action, which is all it costs less by.

    What this process changes it forgets at once (`forget_kept`). What others change is seen a moment later.

    Raises:
        UpstreamCredentialsRefused: there is none (any more).
    """
    now, place = service.clock(), (account_id, mode)
    known = service.connections.get(place)
    if known is not None and known[0] <= now < known[0] + KEPT_FOR:
        return known[1]
    found = need(service, account_id, mode)
    service.connections.put(place, (now, found))
    return found


def forget_kept(service: Service, account_id: str, mode: Mode) -> None:
    """Forget a connection that has changed."""
    service.connections.forget((account_id, mode))


def is_replaced(service: Service, connected: IssuerConnection) -> bool:
    """Tell whether there is a connection with other credentials by now."""
    forget_kept(service, connected.account_id, connected.mode)
    fresh = find(service, connected.account_id, connected.mode)
    return fresh is not None and fresh.sealed != connected.sealed


def open_issuer(service: Service, connected: IssuerConnection, seconds: float | None = None) -> RemoteIssuer:
    """Return the remote issuer as this account sees it, for one action.

    Args:
        service: the parts of the service.
        one: the connection.
        seconds: how long everything asked through it may take; by default what fits into an operation's lease.

    Raises:
        UpstreamCredentialsRefused: the credentials cannot be opened with the keys of this service.
    """
    target = service.targets.get((connected.name, connected.sealed)) or _open_target(service, connected)
    if seconds is None:
        seconds = max(LEASE_MARGIN, min(ACTION_SECONDS, service.settings.lease_seconds - LEASE_MARGIN))
    return open_target(service, connected, target, seconds)


def _open_target(service: Service, connected: IssuerConnection) -> Target:
    try:
        secrets = connected.secrets(vault_of(service))
    except (VaultError, NotApplicable) as error:
        _log.error("credentials cannot be opened", extra={"why": str(error)})
        raise UpstreamCredentialsRefused(
            "The credentials of this connection cannot be opened: VAULT_KEYS of the service lacks the key they were "
            "sealed with. Put that key back, or connect again."
        ) from None
    target = Target(
        region=connected.region,
        secrets=secrets,
        base_url=connected.base_url,
        pass_url=connected.pass_url,
    )
    service.targets.put((connected.name, connected.sealed), target)
    return target


def open_target(service: Service, connected: IssuerConnection, target: Target, seconds: float) -> RemoteIssuer:
    """Return the remote issuer that is reached with what `target` says, be it kept already or not."""
    access = Access(name=connected.name, target=target, ends_cards_by=connected.ends_cards_by)
    return service.remote_kinds[connected.issuer].open(access, service.clock(), seconds)


def vault_of(service: Service) -> Vault:
    """Return what credentials are sealed with.

    Raises:
        NotApplicable: the service has no VAULT_KEYS.
    """
    if service.vault is None:
        raise NotApplicable(
            "This service has no keys to keep credentials with. Whoever runs it makes one with 'passrail vault "
            "new-key' and puts it into the setting VAULT_KEYS."
        )
    return service.vault


def note(service: Service, connected: IssuerConnection, error: PassrailError | None) -> None:
    """Keep note of what the last request to the issuer says of the connection."""
    account_id, mode, now = connected.account_id, connected.mode, service.clock()
    if isinstance(error, UpstreamCredentialsRefused):
        with service.store.write() as connection:
            current = connections.lock(connection, account_id, mode)
            if current is not None and current.sealed == connected.sealed:  # else these were not its credentials
                connections.note_problem(connection, account_id, mode, error.code, error.detail, now)
        forget_kept(service, account_id, mode)
    elif error is None and (connected.last_problem is not None or now - connected.last_worked_at >= WORKED_EVERY):
        with service.store.write() as connection:
            connections.note_worked(connection, account_id, mode, now)
        forget_kept(service, account_id, mode)


@contextmanager
def asking(service: Service, connected: IssuerConnection, seconds: float | None = None) -> Iterator[RemoteIssuer]:
    """Give the remote issuer to ask, and keep note of whether the connection works.

    Raises:
        PassrailError: it cannot be asked, or whatever it refuses with.
    """
    with service.remote_work:
        issuer = open_issuer(service, connected, seconds)
        try:
            yield issuer
        except PassrailError as error:
            note(service, connected, error)
            raise
    note(service, connected, None)


def refuse_own_programs(service: Service, account_id: str, mode: Mode) -> None:
    """Programs of a connected account are made at its remote issuer.

    Raises:
        NotApplicable: this account is connected.
    """
    connected = find(service, account_id, mode)
    if connected is not None:
        title = service.remote_kinds[connected.issuer].title
        raise NotApplicable(
            f"This account's passes live at {title}. Make or change the program there; it then appears here within a "
            "minute."
        )
