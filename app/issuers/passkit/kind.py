"""PassKit as a kind of remote issuer: what one process has of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from app.errors import FieldError, ValidationFailed
from app.issuers.passkit import sinks
from app.issuers.passkit.credentials import LOOPBACK, REGIONS, Credentials, InvalidCredentials
from app.issuers.passkit.form import ConnectForm, target_of
from app.issuers.passkit.issuer import PassKitIssuer
from app.issuers.passkit.transport import ConnectionState, Pool, Transport
from app.issuers.remote import Access, Notification, Target
from app.model import Clock
from app.schema import Base
from app.settings import Settings

# Connections whose credentials are kept opened; beyond that, all are opened again.
KEPT = 1000


class PassKit:
    """PassKit for this process: the pool of connections to it, and what was learned of each account's."""

    name = "passkit"
    title = "PassKit"
    form: Base = ConnectForm()

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.pool = Pool(settings.passkit_at_once, clock)
        self._states: dict[str, tuple[Target, ConnectionState]] = {}
        self._lock = threading.Lock()

    def target(self, form: Mapping[str, Any]) -> Target:
        """Make a target of a form that was filled in."""
        return target_of(form)

    def complete(self, target: Target) -> Target:
        """Fill in the addresses that the target leaves to us.

        Raises:
            ValidationFailed: something is missing or cannot be used.
        """
        base_url, pass_url = REGIONS.get(target.region, ("", ""))
        whole = replace(target, base_url=target.base_url or base_url, pass_url=target.pass_url or pass_url)
        made = _credentials(whole)
        return replace(whole, base_url=made.base_url, pass_url=made.pass_url)

    def open(self, access: Access, now: datetime, seconds: float) -> PassKitIssuer:
        """Return PassKit as this account sees it."""
        transport = Transport(self._state(access), seconds)
        return PassKitIssuer(transport, access.target.region, now, access.ends_cards_by)

    def _state(self, access: Access) -> ConnectionState:
        """Return what the account's requests share; for other credentials or another host it begins anew."""
        kept = self._states.get(access.name)
        if kept is not None and kept[0] == access.target:
            return kept[1]
        made = ConnectionState(self.pool, _credentials(access.target))
        with self._lock:
            if len(self._states) >= KEPT:
                self._states.clear()
            self._states[access.name] = access.target, made
        return made

    def notification(self, body: str) -> Notification | None:
        """Read a webhook; None: it is not understood."""
        return sinks.notification(body)

    def can_reach(self, public_url: str, base_url: str) -> bool:
        """Tell whether PassKit can reach this service: over https, or on this machine as its fake does."""
        here, there = urlsplit(public_url), urlsplit(base_url)
        return here.scheme == "https" or (here.hostname in LOOPBACK and there.hostname in LOOPBACK)

    def close(self) -> None:
        """Close what is open."""
        self.pool.wire.close()


def _credentials(target: Target) -> Credentials:
    try:
        return Credentials(target.base_url, target.pass_url, **target.secrets)
    except InvalidCredentials as error:
        raise ValidationFailed(errors=[FieldError("api_key", str(error))]) from None
