"""The remote issuer in memory as a kind: what is registered with a service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.errors import FieldError, ValidationFailed
from app.issuers.remote import Access, Notification, Target
from app.model import Clock
from app.schema import Base, Choice, Text
from app.settings import Settings
from tests.issuers.memory.issuer import MemoryIssuer
from tests.issuers.memory.server import PASS_URL, MemoryServer

BASE_URL = "https://api.memory.example.com"


class MemoryForm(Base):
    """What connects an account to the remote issuer in memory."""

    issuer = Choice("Issuer", "Where the passes are to live.", choices=("memory",), required=True, example="memory")
    token = Text("Token", "What the issuer knows the account by.", max_length=100, required=True, example="right")


class MemoryKind:
    """The kind. Every address leads to a server of its own; `server` is the one of its own address."""

    name = "memory"
    title = "Memory"
    form: Base = MemoryForm()

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self.servers: dict[str, MemoryServer] = {}

    @property
    def server(self) -> MemoryServer:
        """The server that connections without an address lead to."""
        return self.server_at(BASE_URL)

    def server_at(self, base_url: str) -> MemoryServer:
        """Return the server at an address."""
        return self.servers.setdefault(base_url, MemoryServer(self._clock))

    def target(self, form: Mapping[str, Any]) -> Target:
        """Make a target of a form that was filled in."""
        return Target(region="here", secrets={"token": form["token"]})

    def complete(self, target: Target) -> Target:
        """Fill in the addresses."""
        if not target.secrets.get("token"):
            raise ValidationFailed(errors=[FieldError("token", "Give the token.")])
        base_url, pass_url = target.base_url or BASE_URL, target.pass_url or PASS_URL
        return Target(region=target.region, secrets=target.secrets, base_url=base_url, pass_url=pass_url)

    def open(self, access: Access, now: datetime, seconds: float) -> MemoryIssuer:
        """Return the issuer as this account sees it."""
        return MemoryIssuer(self.server_at(access.target.base_url), access, now)

    def notification(self, body: str) -> Notification | None:
        """Read a webhook."""
        try:
            told = json.loads(body)
            return Notification(str(told["id"]), bool(told["deleted"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def can_reach(self, public_url: str, base_url: str) -> bool:
        """Tell whether webhooks can reach an address: a public one."""
        return public_url.startswith("https://")

    def close(self) -> None:
        """Nothing is open."""
