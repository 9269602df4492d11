"""PassKit keeps the contract of remote issuers, over the fake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.issuers.passkit import PassKit
from app.issuers.remote import Target
from app.model import Kind
from app.settings import Settings
from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.fakes.passkit_client import Client
from tests.issuers.contract import Place, RemoteIssuerContract
from tests.world import FakeClock

WRITES = (
    "POST /members/member",
    "PUT /members/member",
    "DELETE /members/member",
    "PUT /members/member/points/earn",
    "PUT /members/member/points/burn",
    "PUT /members/member/points/set",
    "PUT /members/member/tier",
    "PUT /members/member/updateExpiry",
    "PATCH /members/member/person",
    "POST /integrations/sink",
)
MANY = 1000


@dataclass(kw_only=True)
class PassKitPlace(Place):
    """A fake PassKit."""

    fake: FakePassKit

    def lose_answer(self, *, has_effect: bool) -> None:
        for route in WRITES:
            self.fake.fail("reset", route, effect="first" if has_effect else "never")

    def go_away(self) -> None:
        self.fake.fail("status", status=503, times=MANY)

    def break_coupons(self) -> None:
        self.fake.switches.coupons_status = 403

    def delete(self, upstream_id: str) -> None:
        Client(self.fake).right("DELETE", "/members/member", {"id": upstream_id})

    def install(self, upstream_id: str) -> None:
        self.fake.install(upstream_id)

    def webhooks(self) -> list[str]:
        held = self.fake.deliveries._held
        sent = [one.body.decode() for one in held]
        held.clear()
        return sent


class TestPassKit(RemoteIssuerContract):
    """Held against it."""

    @pytest.fixture
    def place(self, descriptors: Descriptors) -> Iterator[Place]:
        clock = FakeClock()
        kind = PassKit(Settings(), clock)
        kind.pool.sleep = lambda seconds: None
        with FakePassKit(clock, seed.demo, contract=descriptors).running() as fake:
            fake.switches.hold_deliveries = True
            key, secret = fake.credentials.key, fake.credentials.secret
            right = Target(region="pub1", secrets={"api_key": key, "secret": secret}, base_url=fake.url)
            wrong = Target(region="pub1", secrets={"api_key": key, "secret": f"not {secret}"}, base_url=fake.url)
            yield PassKitPlace(
                kind=kind,
                target=right,
                wrong_target=wrong,
                programs={
                    Kind.MEMBERSHIP: seed.PROGRAM,
                    Kind.COUPON: seed.CAMPAIGN,
                    Kind.EVENT_TICKET: seed.PRODUCTION,
                },
                custom_field="favouriteColour",
                clock=clock,
                fake=fake,
            )
        kind.close()
