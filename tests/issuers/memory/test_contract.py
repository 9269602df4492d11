"""The remote issuer in memory keeps the contract of remote issuers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.issuers.remote import Target
from app.model import InstallState, Kind
from app.settings import Settings
from tests.issuers.contract import Place, RemoteIssuerContract
from tests.issuers.memory import Failure, MemoryKind, MemoryServer
from tests.world import FakeClock

CHANGES = (
    "issue",
    "update_holder",
    "add_points",
    "set_points",
    "change_tier",
    "redeem",
    "revoke",
    "reinstate",
    "set_expiry",
    "subscribe",
)
EVERYTHING = (*CHANGES, "settled", "profile", "catalogue", "find", "read", "read_new", "passes")
MANY = 100


class MemoryPlace(Place):
    """The remote issuer in memory."""

    @property
    def server(self) -> MemoryServer:
        """The issuer's side."""
        assert isinstance(self.kind, MemoryKind)
        return self.kind.server

    def lose_answer(self, *, has_effect: bool) -> None:
        for method in CHANGES:
            self.server.fail(Failure.LOST_AFTER if has_effect else Failure.LOST, method)

    def go_away(self) -> None:
        for method in EVERYTHING:
            self.server.fail(Failure.AWAY, method, times=MANY)

    def break_coupons(self) -> None:
        self.server.fail(Failure.REFUSED, "catalogue of coupon", times=MANY)

    def delete(self, upstream_id: str) -> None:
        self.server.delete(upstream_id)

    def install(self, upstream_id: str) -> None:
        self.server.change(upstream_id, install_state=InstallState.INSTALLED)

    def webhooks(self) -> list[str]:
        sent = [body for _, body in self.server.outgoing]
        self.server.outgoing.clear()
        return sent


class TestMemory(RemoteIssuerContract):
    """Held against it."""

    @pytest.fixture
    def place(self) -> Iterator[Place]:
        clock = FakeClock()
        kind = MemoryKind(Settings(), clock)
        yield MemoryPlace(
            kind=kind,
            target=Target(region="here", secrets={"token": "right"}),
            wrong_target=Target(region="here", secrets={"token": "wrong"}),
            programs={Kind.MEMBERSHIP: "club", Kind.COUPON: "campaign", Kind.EVENT_TICKET: "concerts"},
            custom_field="colour",
            clock=clock,
        )
        kind.close()
