"""Connecting an account to a remote issuer, changing how it is used, and forgetting the connection."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.exc import IntegrityError

from app.accounts import connections as rows
from app.accounts.connections import IssuerConnection
from app.errors import NotApplicable
from app.issuers.remote import Catalogue, Target
from app.model import EndsCardsBy, Mode
from app.service import Service
from app.sync import connections
from app.sync.programs import write_catalogue
from app.sync.subscriptions import subscribe, unsubscribe

# Proving credentials and reading the programs may take this long: nobody's lease waits for it.
CONNECT_SECONDS = 120.0


def connect(
    service: Service,
    account_id: str,
    mode: Mode,
    issuer: str,
    target: Target,
    ends_cards_by: EndsCardsBy | None = None,
) -> IssuerConnection:
    """Prove the credentials, read the programs, keep both, and ask for webhooks.

    Nothing is kept of credentials that fail, or with which no program can be read.

    Args:
        service: the parts of the service.
        account_id, mode: who connects.
        issuer: name of the kind of remote issuer.
        target: where to, and with what.
        ends_cards_by: how a revoke ends a card there; None: as the connection before, or by its expiry.

    Raises:
        ValidationFailed: something is missing.
        NotApplicable: the service has no VAULT_KEYS.
        UpstreamCredentialsRefused: the issuer does not take them.
        UpstreamUnavailable, UpstreamRejected, RateLimited: the issuer cannot be asked now.
    """
    vault, now = connections.vault_of(service), service.clock()
    target = service.remote_kinds[issuer].complete(target)
    before = connections.find(service, account_id, mode)
    wanted = IssuerConnection(
        account_id=account_id,
        mode=mode,
        issuer=issuer,
        region=target.region,
        base_url=target.base_url,
        pass_url=target.pass_url,
        sealed=rows.seal(vault, account_id, mode, target.secrets),
        company="",
        username="",
        connected_at=now,
        last_worked_at=now,
        ends_cards_by=ends_cards_by or (before.ends_cards_by if before is not None else EndsCardsBy.EXPIRY),
    )
    remote = connections.open_target(service, wanted, target, CONNECT_SECONDS)
    profile = remote.profile()
    catalogue = remote.catalogue()
    made = replace(wanted, company=profile.company, username=profile.username)
    if before is not None and _place(before) != _place(made):
        unsubscribe(service, before)
    try:
        made = _keep(service, made, catalogue)
    except IntegrityError:  # somebody else connected it at the same moment; who comes last counts
        made = _keep(service, made, catalogue)
    subscribe(service, made)
    return made


def _place(connected: IssuerConnection) -> tuple[str, str, str]:
    """Return what tells whether two connections see the same programs and subscriptions."""
    return connected.issuer, connected.base_url, connected.company


def _keep(service: Service, made: IssuerConnection, catalogue: Catalogue) -> IssuerConnection:
    with service.store.write() as connection:
        rows.put(connection, made)
        written = write_catalogue(connection, made, catalogue, made.connected_at)
    connections.forget_kept(service, made.account_id, made.mode)
    return written


def set_ends_cards_by(service: Service, account_id: str, mode: Mode, ends_cards_by: EndsCardsBy) -> IssuerConnection:
    """Change how a revoke that can be undone ends a card at the remote issuer.

    Raises:
        NotApplicable: the account is not connected.
    """
    with service.store.write() as connection:
        if not rows.set_ends_cards_by(connection, account_id, mode, ends_cards_by):
            raise not_connected()
        changed = rows.get(connection, account_id, mode)
    connections.forget_kept(service, account_id, mode)
    assert changed is not None
    return changed


def not_connected() -> NotApplicable:
    """Return the refusal of what needs a connection to a remote issuer where there is none."""
    return NotApplicable(
        "This account is not connected to a remote issuer: its passes live with this service. Connect first, with "
        "PUT /v1/issuer or 'passrail issuer connect'."
    )


def forget(service: Service, account_id: str, mode: Mode) -> bool:
    """Forget the connection with its credentials. Programs and passes stay on record. False: there was none."""
    connected = connections.find(service, account_id, mode)
    if connected is not None:
        unsubscribe(service, connected)
    with service.store.write() as connection:
        is_forgotten = rows.forget(connection, account_id, mode)
    connections.forget_kept(service, account_id, mode)
    return is_forgotten
