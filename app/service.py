"""What one running service consists of, handed to everything that needs a part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import current_app

from app.accounts.keys import KeyRing
from app.clock import Clock, system_clock
from app.settings import Settings
from app.store.engine import Store, leave_it_to_the_sweep


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that live as long as the process."""

    settings: Settings
    store: Store
    clock: Clock
    keys: KeyRing


def make_service(
    settings: Settings, clock: Clock = system_clock, post: Callable[[str, str], None] = leave_it_to_the_sweep
) -> Service:
    """Put the parts together: for the web application, the jobs and the command line alike.

    Args:
        settings: see there.
        clock: the time.
        post: takes the name of a background job and the ID of the row it is about. Jobs may be lost: sweeps find the
            rows.
    """
    store = Store(settings, post)
    return Service(settings, store, clock, KeyRing(store, clock))


def current_service() -> Service:
    """Return the service that answers the present request."""
    return cast(Service, current_app.extensions["passrail"])
