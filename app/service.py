"""What one running service consists of, handed to everything that needs a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from flask import current_app

from app.accounts.keys import KeyRing
from app.accounts.secret import InstallationSecret
from app.accounts.vault import InvalidKeys, Vault
from app.issuers import make_remote_kinds
from app.issuers.remote import RemoteKind, Target
from app.model import Clock, Mode, system_clock
from app.settings import InvalidSetting, Settings
from app.store.engine import Store, post_nothing

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """What a process has found out and what never changes. It holds at most `size` values, and then begins anew."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[K, V] = {}
        self.get = self._values.get

    def put(self, key: K, value: V) -> None:
        """Remember a value."""
        if len(self._values) >= self._size:
            self._values.clear()
        self._values[key] = value


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that live as long as the process.

    Attributes:
        secret: makes keyed hashes that only this installation can make.
        public_url: address of the service in links, without a slash at its end.
        vault: None where no VAULT_KEYS are set.
        remote_kinds: the kinds of remote issuer, by name.
        issuer_names: the issuer of programs and passes, by account, mode and ID.
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
    issuer_names: Memory[tuple[str, Mode, str], str] = field(default_factory=lambda: Memory(20_000))
    targets: Memory[tuple[str, str], Target] = field(default_factory=lambda: Memory(1_000), repr=False)


def make_service(
    settings: Settings, clock: Clock = system_clock, post: Callable[[str, str], None] = post_nothing
) -> Service:
    """Put the parts together: for the web application, the jobs and the command line alike.

    Args:
        settings: see there.
        clock: the time.
        post: takes the name of a background job and the ID of the row it is about. Jobs may be lost: sweeps find the
            rows.

    Raises:
        app.settings.InvalidSetting: VAULT_KEYS cannot be used.
    """
    vault = make_vault(settings)
    store = Store(settings, post)
    kinds = make_remote_kinds(settings, clock)
    secret = InstallationSecret(store, vault)
    return Service(settings, store, clock, KeyRing(store, clock), secret, settings.public_url, vault, kinds)


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
