"""What one running service consists of, handed to everything that needs a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from app.clock import Clock
from app.settings import Settings
from app.store.engine import Store


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that live as long as the process."""

    settings: Settings
    store: Store
    clock: Clock


def current_service() -> Service:
    """Return the service that answers the present request."""
    return cast(Service, current_app.extensions["passrail"])
