"""What one running service consists of, handed to everything that needs a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from app.accounts.keys import KeyRing
from app.accounts.vault import InvalidKeys, Vault
from app.clock import Clock, system_clock
from app.issuers import make_remote_kinds
from app.issuers.protocol import RemoteKind
from app.model import Mode
from app.settings import InvalidSetting, Settings
from app.store.engine import Store, leave_it_to_the_sweep


class IssuerNames:
    """Which issuer programs and passes live at, as far as it was asked for: it never changes."""

    SIZE = 20_000

    def __init__(self) -> None:
        self._names: dict[tuple[str, Mode, str], str] = {}
        self.get = self._names.get

    def put(self, place: tuple[str, Mode, str], name: str) -> None:
        """Remember the issuer of a program or pass: `place` is account, mode and ID."""
        if len(self._names) >= self.SIZE:
            self._names.clear()
        self._names[place] = name


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that live as long as the process.

    Attributes:
        public_url: address of the service in links, without a slash at its end.
        vault: None where no VAULT_KEYS are set.
        remote_kinds: the kinds of remote issuer, by name.
        issuer_names: where programs and passes live, as far as it is known.
    """

    settings: Settings
    store: Store
    clock: Clock
    keys: KeyRing
    public_url: str
    vault: Vault | None = None
    remote_kinds: Mapping[str, RemoteKind] = field(default_factory=dict)
    issuer_names: IssuerNames = field(default_factory=IssuerNames)


def make_service(
    settings: Settings, clock: Clock = system_clock, post: Callable[[str, str], None] = leave_it_to_the_sweep
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
    return Service(settings, store, clock, KeyRing(store, clock), settings.public_url, vault, kinds)


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
