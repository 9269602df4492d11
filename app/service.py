"""What one running service consists of, handed to everything that needs a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar, cast

from flask import current_app

from app.accounts.connections import IssuerConnection
from app.accounts.keys import KeyRing
from app.accounts.secret import InstallationSecret
from app.accounts.vault import InvalidKeys, Vault
from app.concurrency import ConcurrencyLimit
from app.issuers import make_remote_kinds
from app.issuers.remote import RemoteKind, Target
from app.model import Clock, Mode, system_clock
from app.settings import InvalidSetting, Settings
from app.store.engine import Store, post_nothing

LIST_WAIT_SECONDS = 1.0  # that a list may wait while others are read

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """What a process has found out. It holds at most `size` values, and then begins anew."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[K, V] = {}
        self.get = self._values.get

    def put(self, key: K, value: V) -> None:
        """Remember a value."""
        if len(self._values) >= self._size:
            self._values.clear()
        self._values[key] = value

    def forget(self, key: K) -> None:
        """Forget a value, if there is one."""
        self._values.pop(key, None)


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that live as long as the process.

    Attributes:
        secret: makes keyed hashes that only this installation can make.
        public_url: address of the service in links, without a slash at its end.
        vault: None where no VAULT_KEYS are set.
        remote_kinds: the kinds of remote issuer, by name.
        issuer_names: the issuer of programs and passes, by account, mode and ID.
        remote_work: entered by whatever waits for a remote issuer.
        list_reads: entered by reads that may be long.
        connections: to remote issuers, by account and mode, each with the time when it was read.
        targets: where and with what connections lead to their issuers, by name and sealed credentials.
    """

    settings: Settings
    store: Store
    clock: Clock
    keys: KeyRing
    secret: InstallationSecret
    public_url: str
    vault: Vault | None = None
    remote_kinds: Mapping[str, RemoteKind] = field(default_factory=dict)
    remote_work: AbstractContextManager[None] = field(default_factory=nullcontext)
    list_reads: AbstractContextManager[None] = field(default_factory=nullcontext)
    issuer_names: Memory[tuple[str, Mode, str], str] = field(default_factory=lambda: Memory(20_000))
    connections: Memory[tuple[str, Mode], tuple[datetime, IssuerConnection]] = field(
        default_factory=lambda: Memory(1_000), repr=False
    )
    targets: Memory[tuple[str, str], Target] = field(default_factory=lambda: Memory(1_000), repr=False)


def make_service(
    settings: Settings,
    clock: Clock = system_clock,
    post: Callable[[str, str], None] = post_nothing,
    *,
    connections: int | None = None,
    answers_requests: bool = False,
) -> Service:
    """Put the parts together: for the web application, the jobs and the command line alike.

    Args:
        settings: see there.
        clock: the time.
        post: takes the name of a background job and the ID of the row it is about. Jobs may be lost: sweeps find the
            rows.
        connections: how many to PostgreSQL at once, see `Store`.
        answers_requests: everything has a bound on time then, because somebody waits for it.

    Raises:
        app.settings.InvalidSetting: VAULT_KEYS cannot be used.
    """
    vault = make_vault(settings)
    store = Store(settings, post, connections=connections, bounds_statements=answers_requests)
    kinds = make_remote_kinds(settings, clock)
    secret = InstallationSecret(store, vault)
    service = Service(settings, store, clock, KeyRing(store, clock), secret, settings.public_url, vault, kinds)
    return _with_limits(service) if answers_requests else service


def _with_limits(service: Service) -> Service:
    """Leave a quarter of the threads, at least, to what is quick: half may wait for issuers, a quarter read lists."""
    threads = service.settings.web_threads
    few = max(2, threads // 16)
    return replace(
        service,
        remote_work=ConcurrencyLimit(max(1, threads // 2)),
        list_reads=ConcurrencyLimit(few, waiting=max(2, threads // 4 - few), seconds=LIST_WAIT_SECONDS),
    )


def make_vault(settings: Settings) -> Vault | None:
    """Make the vault of the setting VAULT_KEYS, None where it is not set.

    Raises:
        app.settings.InvalidSetting: it cannot be used.
    """
    try:
        return Vault.from_setting(settings.vault_keys) if settings.vault_keys else None
    except InvalidKeys as error:
        raise InvalidSetting(str(error)) from None


def current_service() -> Service:
    """Return the service that answers the present request."""
    return cast(Service, current_app.extensions["passrail"])
