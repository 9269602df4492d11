"""Connecting an account to a remote issuer, and forgetting the connection."""

from __future__ import annotations

from app.accounts import connections as rows
from app.accounts.connections import IssuerConnection
from app.issuers.protocol import Access, Target
from app.model import Mode
from app.service import Service
from app.sync import connections
from app.sync.programs import refresh_programs
from app.sync.subscriptions import subscribe, unsubscribe

# Proving credentials and reading the programs may take this long: nobody's lease waits for it.
CONNECT_SECONDS = 120.0


def connect(service: Service, account_id: str, mode: Mode, issuer: str, target: Target) -> IssuerConnection:
    """Prove the credentials, keep them sealed, read the programs, and ask for webhooks.

    Nothing is kept of credentials that fail.

    Raises:
        ValidationFailed: something is missing.
        NotApplicable: the service has no VAULT_KEYS.
        UpstreamCredentialsRefused: the issuer does not take them.
        UpstreamUnavailable, RateLimited: the issuer cannot be asked now.
    """
    vault, now, kind = connections.vault_of(service), service.clock(), service.remote_kinds[issuer]
    target = kind.complete(target)
    access = Access(name=f"{account_id}/{mode.value}", target=target)
    profile = kind.open(access, now, CONNECT_SECONDS).profile()
    made = IssuerConnection(
        account_id=account_id,
        mode=mode,
        issuer=issuer,
        region=target.region,
        base_url=target.base_url,
        pass_url=target.pass_url,
        sealed=rows.seal(vault, account_id, mode, target.secrets),
        company=profile.company,
        username=profile.username,
        connected_at=now,
        last_worked_at=now,
    )
    with service.store.write() as connection:
        rows.put(connection, made)
    made = refresh_programs(service, made, CONNECT_SECONDS)
    subscribe(service, made)
    return made


def forget(service: Service, account_id: str, mode: Mode) -> bool:
    """Forget the connection with its credentials. Programs and passes stay on record. False: there was none."""
    one = connections.find(service, account_id, mode)
    if one is not None:
        unsubscribe(service, one)
    with service.store.write() as connection:
        return rows.forget(connection, account_id, mode)
