"""PassKit as a kind of remote issuer: what one process has of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.clock import Clock
from app.issuers.passkit.form import ConnectForm, target_of
from app.issuers.protocol import Access, Notification, RemoteIssuer, Target
from app.schema import Base
from app.settings import Settings


class PassKit:
    """PassKit for this process."""

    name = "passkit"
    title = "PassKit"
    form: Base = ConnectForm()

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock

    def target(self, form: Mapping[str, Any]) -> Target:
        """Make a target of a form that was filled in."""
        return target_of(form)

    def complete(self, target: Target) -> Target:
        """Fill in the addresses that the target leaves to us."""
        raise NotImplementedError

    def open(self, access: Access, now: datetime, seconds: float) -> RemoteIssuer:
        """Return PassKit as this account sees it."""
        raise NotImplementedError

    def notification(self, body: str) -> Notification | None:
        """Read a webhook; None: it is not understood."""
        raise NotImplementedError

    def can_reach(self, public_url: str, base_url: str) -> bool:
        """Tell whether PassKit's webhooks can reach this service."""
        raise NotImplementedError

    def close(self) -> None:
        """Close what is open."""
