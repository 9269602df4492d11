"""The way from an account to its issuer elsewhere: connecting, asking, keeping its programs fresh, forgetting.

Everything here that calls PassKit does so without a database transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from app.accounts import connections
from app.accounts.connections import IssuerConnection
from app.accounts.vault import Vault, VaultError
from app.errors import NotApplicable, PassrailError, UpstreamCredentialsRefused, ValidationFailed
from app.issuers.passkit import programs as passkit_programs
from app.issuers.passkit.connecting import make_credentials, prove
from app.issuers.passkit.failures import PassKitFailure
from app.issuers.passkit.translate import to_error
from app.issuers.passkit.transport import ACTION_SECONDS, Transport
from app.model import Mode
from app.service import Service

FRESH = timedelta(seconds=60)
WORKED_EVERY = timedelta(seconds=60)
# Seconds that must be left of an operation's lease when PassKit has been asked for the last time.
LEASE_MARGIN = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to. `base_url` and `pass_url` replace the region's own; for operators only."""

    region: str
    secrets: Mapping[str, str]
    base_url: str = ""
    pass_url: str = ""


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
            f"This pass or program lives at PassKit, and the account has no connection to it in {mode.value} mode any "
            "more. Connect with PUT /v1/issuer or 'passrail issuer connect'."
        )
    return found


def transport_of(service: Service, one: IssuerConnection) -> Transport:
    """Return a transport for one action, with the credentials opened.

    Raises:
        UpstreamCredentialsRefused: the credentials cannot be opened with the keys of this service.
    """
    try:
        secrets = one.secrets(_vault(service))
    except (VaultError, ValidationFailed) as error:
        _log.error("credentials cannot be opened", extra={"why": str(error)})
        raise UpstreamCredentialsRefused(
            "The credentials of this connection cannot be opened: VAULT_KEYS of the service lacks the key they were "
            "sealed with. Put that key back, or connect again."
        ) from None
    credentials = make_credentials(one.region, secrets, base_url=one.base_url, pass_url=one.pass_url)
    seconds = max(LEASE_MARGIN, min(ACTION_SECONDS, service.settings.lease_seconds - LEASE_MARGIN))
    return service.upstream.transport(one.name, credentials, seconds)


def _vault(service: Service) -> Vault:
    if service.vault is None:
        raise ValidationFailed(
            "This service has no keys to keep credentials with. Whoever runs it makes one with 'passrail vault "
            "new-key' and puts it into the setting VAULT_KEYS."
        )
    return service.vault


def connect(service: Service, account_id: str, mode: Mode, target: Target) -> IssuerConnection:
    """Prove the credentials, keep them sealed, and read the programs. Nothing is kept of credentials that fail.

    Raises:
        ValidationFailed: something is missing, or the service has no VAULT_KEYS.
        UpstreamCredentialsRefused: PassKit does not take them.
        UpstreamUnavailable, RateLimited: PassKit cannot be asked now.
    """
    vault, now = _vault(service), service.clock()
    credentials = make_credentials(
        target.region, dict(target.secrets), base_url=target.base_url, pass_url=target.pass_url
    )
    # A lane of its own: what the clock of an old connection taught may be wrong for a new host.
    profile = prove(service.upstream.transport(f"{account_id}/{mode.value}", credentials), target.region)
    made = IssuerConnection(
        account_id=account_id,
        mode=mode,
        issuer=passkit_programs.NAME,
        region=target.region,
        base_url=credentials.base_url,
        pass_url=credentials.pass_url,
        sealed=connections.seal(vault, account_id, mode, target.secrets),
        company=profile.company_name,
        username=profile.username,
        connected_at=now,
        last_worked_at=now,
    )
    with service.store.write() as connection:
        connections.put(connection, made)
    refresh_programs(service, made)
    return made


def forget(service: Service, account_id: str, mode: Mode) -> bool:
    """Forget the connection with its credentials. Programs and passes stay on record. False: there was none."""
    with service.store.write() as connection:
        return connections.forget(connection, account_id, mode)


def refresh_programs(service: Service, one: IssuerConnection) -> IssuerConnection:
    """Read the programs from PassKit unless that was done in the last minute.

    Raises:
        UpstreamCredentialsRefused, UpstreamUnavailable, RateLimited: they cannot be read, and never were.
    """
    now = service.clock()
    if one.refreshed_at is not None and now - one.refreshed_at < FRESH:
        return one
    try:
        with asking(service, one) as transport:
            found = passkit_programs.read_all(transport, now)
    except PassrailError as error:
        if one.refreshed_at is None:
            raise
        _log.warning("programs are shown as they were", extra={"why": error.code})
        return one
    try:
        with service.store.write() as connection:
            passkit_programs.write_all(connection, one.account_id, one.mode, found, one.pass_url, now)
            connections.note_refreshed(connection, one.account_id, one.mode, now)
    except IntegrityError:
        _log.info("the programs were refreshed by somebody else at the same moment")
    return replace(one, refreshed_at=now)


@contextmanager
def asking(service: Service, one: IssuerConnection) -> Iterator[Transport]:
    """Give a transport; turn PassKit's failures into errors of ours, and keep note of whether the connection works.

    Raises:
        PassrailError: whatever PassKit's failure is in our words.
    """
    try:
        yield transport_of(service, one)
    except PassKitFailure as failure:
        error = to_error(failure)
        if isinstance(error, UpstreamCredentialsRefused):
            note_refused(service, one, error)
        raise error from failure
    note_worked(service, one)


def note_refused(service: Service, one: IssuerConnection, error: PassrailError) -> None:
    """Write down that PassKit does not let us in any more."""
    with service.store.write() as connection:
        connections.note_problem(connection, one.account_id, one.mode, error.code, error.detail, service.clock())


def note_worked(service: Service, one: IssuerConnection) -> None:
    """Write down that it works, once a minute at most."""
    now = service.clock()
    if one.last_problem is None and now - one.last_worked_at < WORKED_EVERY:
        return
    with service.store.write() as connection:
        connections.note_worked(connection, one.account_id, one.mode, now)


def refuse_own_programs(service: Service, account_id: str, mode: Mode) -> None:
    """Programs of a connected account are made at PassKit.

    Raises:
        NotApplicable: this account is connected.
    """
    if find(service, account_id, mode) is not None:
        raise NotApplicable(
            "This account's passes live at PassKit. Make or change the program in PassKit's portal; it then appears "
            "here within a minute."
        )
