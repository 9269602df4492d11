"""What one running service consists of, handed to everything that needs a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from app.accounts.keys import KeyRing
from app.clock import Clock, system_clock
from app.settings import Settings
from app.store.engine import Store


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that live as long as the process."""

    settings: Settings
    store: Store
    clock: Clock
    keys: KeyRing


def make_service(settings: Settings, clock: Clock = system_clock) -> Service:
    """Put the parts together: for the web application, the jobs and the command line alike."""
    store = Store(settings)
    return Service(settings, store, clock, KeyRing(store, clock))


def current_service() -> Service:
    """Return the service that answers the present request."""
    return cast(Service, current_app.extensions["passrail"])
