"""The way from an account to its issuer elsewhere: connecting, asking, keeping its programs fresh, forgetting.

Everything here that calls PassKit does so without a database transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from secrets import token_urlsafe
from urllib.parse import urlsplit

from sqlalchemy.exc import IntegrityError

from app.accounts import connections
from app.accounts.connections import IssuerConnection
from app.accounts.vault import Vault, VaultError
from app.errors import NotApplicable, PassrailError, UpstreamCredentialsRefused
from app.issuers.passkit import programs as passkit_programs
from app.issuers.passkit import sinks
from app.issuers.passkit.connecting import make_credentials, prove
from app.issuers.passkit.credentials import LOOPBACK
from app.issuers.passkit.failures import PassKitFailure
from app.issuers.passkit.translate import to_error
from app.issuers.passkit.transport import ACTION_SECONDS, Transport
from app.model import Mode, Program
from app.service import Service
from app.store import inbox, programs
from app.store.troubles import Kind
from app.sweeps import each

INBOX_PATH = "/in/passkit/"
MANY = 1000
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
    except (VaultError, NotApplicable) as error:
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
        raise NotApplicable(
            "This service has no keys to keep credentials with. Whoever runs it makes one with 'passrail vault "
            "new-key' and puts it into the setting VAULT_KEYS."
        )
    return service.vault


def connect(service: Service, account_id: str, mode: Mode, target: Target) -> IssuerConnection:
    """Prove the credentials, keep them sealed, and read the programs. Nothing is kept of credentials that fail.

    Raises:
        ValidationFailed: something is missing.
        NotApplicable: the service has no VAULT_KEYS.
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
    made = refresh_programs(service, made)
    subscribe(service, made)
    return made


def forget(service: Service, account_id: str, mode: Mode) -> bool:
    """Forget the connection with its credentials. Programs and passes stay on record. False: there was none."""
    one = find(service, account_id, mode)
    if one is not None:
        unsubscribe(service, one)
    with service.store.write() as connection:
        return connections.forget(connection, account_id, mode)


def can_hear(service: Service, one: IssuerConnection) -> bool:
    """Tell whether PassKit can reach us: over https, or on this machine as its fake does."""
    here, there = urlsplit(service.settings.public_url), urlsplit(one.base_url)
    return here.scheme == "https" or (here.hostname in LOOPBACK and there.hostname in LOOPBACK)


def subscribe(service: Service, one: IssuerConnection) -> int:
    """Ask PassKit for webhooks of every program that has none yet; return how many it is now.

    Where PassKit refuses (it may have none for tickets), passes are still right after every action, and older than
    PassKit's until then.
    """
    with service.store.read() as connection:
        known = {sink.program_id for sink in inbox.list_sinks(connection, one.account_id, one.mode)}
        found = programs.page(connection, one.account_id, one.mode, kind=None, before=None, limit=MANY)
    wanting = [program for program in found if program.issuer == one.issuer and program.id not in known]
    if not wanting or not can_hear(service, one):
        return len(known)
    made = 0
    for program in wanting:
        try:
            made += _subscribe_to(service, one, program)
        except (PassKitFailure, PassrailError) as failure:
            _log.warning("no webhooks of a program", extra={"program": program.id, "why": type(failure).__name__})
    return len(known) + made


def _subscribe_to(service: Service, one: IssuerConnection, program: Program) -> int:
    token, protocol = token_urlsafe(24), str(program.upstream["protocol"])
    assert program.upstream_id is not None
    with service.store.write() as connection:
        sink_id = inbox.add_sink(connection, one.account_id, one.mode, program.id, protocol, token, service.clock())
    url = f"{service.settings.public_url}{INBOX_PATH}{token}"
    try:
        upstream_id = sinks.create(transport_of(service, one), program.upstream_id, protocol, url)
    except (PassKitFailure, PassrailError):
        with service.store.write() as connection:
            inbox.drop_sink(connection, sink_id)
        raise
    with service.store.write() as connection:
        inbox.name_sink(connection, sink_id, upstream_id)
    return 1


def unsubscribe(service: Service, one: IssuerConnection) -> None:
    """End all webhooks. Where PassKit cannot be told, what it sends finds nobody here."""
    with service.store.read() as connection:
        mine = inbox.list_sinks(connection, one.account_id, one.mode)
    for sink in mine:
        with suppress(PassKitFailure, PassrailError):
            if sink.upstream_id is not None:
                sinks.delete(transport_of(service, one), sink.protocol, sink.upstream_id)
        with service.store.write() as connection:
            inbox.drop_sink(connection, sink.id)


def keep_up(service: Service) -> None:
    """Look at the programs of every connection, and subscribe to those that are new."""
    with service.store.read() as connection:
        names = connections.list_names(connection)
    each(service, Kind.CONNECTION, names, lambda name: _keep_up_with(service, name))


def _keep_up_with(service: Service, name: str) -> bool:
    account_id, mode = name.split("/")
    try:
        subscribe(service, refresh_programs(service, need(service, account_id, Mode(mode))))
    except PassrailError as error:
        _log.warning("a connection does not work", extra={"connection": name, "why": error.code})
        return False
    return True


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
    """Give a transport for what is `told`.

    Raises:
        PassrailError: whatever PassKit's failure is in our words.
    """
    with told(service, one):
        yield transport_of(service, one)


@contextmanager
def told(service: Service, one: IssuerConnection) -> Iterator[None]:
    """Turn PassKit's failures into errors of ours, and keep note of whether the connection works.

    Raises:
        PassrailError: whatever PassKit's failure is in our words.
    """
    try:
        yield
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
