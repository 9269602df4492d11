"""What one running service consists of, handed to everything that needs a part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from app.accounts.keys import KeyRing
from app.accounts.vault import InvalidKeys, Vault
from app.clock import Clock, system_clock
from app.issuers.passkit.transport import Upstream
from app.settings import InvalidSetting, Settings
from app.store.engine import Store, leave_it_to_the_sweep


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that live as long as the process.

    `vault` is None where no VAULT_KEYS are set.
    """

    settings: Settings
    store: Store
    clock: Clock
    keys: KeyRing
    vault: Vault | None = None
    upstream: Upstream = field(default_factory=Upstream)


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
    upstream = Upstream(clock=clock, at_once=settings.passkit_at_once)
    return Service(settings, store, clock, KeyRing(store, clock), vault, upstream)


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
