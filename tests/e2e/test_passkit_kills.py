"""A server killed before and after it asked PassKit for something leaves nothing double and nothing lost.

"Sent" is the moment after PassKit has done it and before anything of that is written down here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app import upstream
from app.clock import system_clock
from app.model import Kind, Mode
from app.service import make_service
from app.store import programs
from tests.contract.passkit_descriptors import Descriptors
from tests.e2e.kills import KILLS, TALLY, kill_with_key
from tests.e2e.scenes import SCENES, Scene
from tests.e2e.stage import Stage, killable_server
from tests.fakes.passkit import FakePassKit, seed

VAULT_KEYS = "k1:bWFkZSBvZiAzMiBieXRlcyBmb3IgYSB0ZXN0IG9ubHk="
POINTS = {
    "before the row": ("write-2:before", False),
    "before sending": ("effect:before", False),
    "sent": ("effect:after", False),
    "before the answer": ("answer:before", True),
}
# What PassKit would do a second time without noticing.
COUNTING = (
    "POST /members/member",
    "PUT /members/member/points/earn",
    "PUT /coupon/singleUse/coupon/redeem",
    "DELETE /members/member",
)


class Joined:
    """The stage, the PassKit it is connected to, and our programs at it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        # PassKit's time is the server's, which tests move to let leases lapse.
        self.fake = FakePassKit(self._now, seed.demo, contract=Descriptors())
        self.programs: dict[Kind, str] = {}

    def _now(self) -> datetime:
        return system_clock() + timedelta(seconds=self.stage.offset)

    def connect(self) -> None:
        """Connect the demo account, as `passrail issuer connect` does."""
        world = self.stage.world
        service = make_service(replace(world.service.settings, vault_keys=VAULT_KEYS))
        secrets = {"api_key": self.fake.credentials.key, "secret": self.fake.credentials.secret}
        target = upstream.Target("pub1", secrets, self.fake.url, "https://pub1.pskt.io")
        self.fake.switches.hold_deliveries = True
        upstream.connect(service, world.account.id, Mode.TEST, target)
        with service.store.read() as connection:
            found = programs.page(connection, world.account.id, Mode.TEST, kind=None, before=None, limit=100)
        self.programs = {one.kind: one.id for one in found if one.issuer == "passkit"}
        service.store.close()

    def scene(self, action: str) -> Scene:
        """Return the scene of an action, played at PassKit."""
        scene = SCENES[action]
        kind = Kind.COUPON if action == "redeem-pass" else Kind.MEMBERSHIP
        if action == "change-tier":
            count = lambda row: int(row.tier_id == seed.GOLD)  # noqa: E731
            return replace(scene, program=self.programs[kind], extra={"tier_id": seed.GOLD}, count=count)
        return replace(scene, program=self.programs[kind])


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """A server that can be killed, connected to a PassKit that checks every request."""
    with killable_server(tmp_path_factory.mktemp("stage"), VAULT_KEYS=VAULT_KEYS) as stage:
        made = Joined(stage)
        with made.fake.running():
            made.connect()
            yield made


@pytest.mark.parametrize("action", list(SCENES))
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_action_at_passkit_is_done_once(joined: Joined, action: str, point: str) -> None:
    counted = kill_with_key(joined.stage, joined.scene(action), POINTS[point], KILLS)
    effects = joined.fake.recording.effects
    double = {key: number for key, number in effects.items() if key[0] in COUNTING and number > 1}
    counted.doubles += len(double)
    TALLY.put("PassKit over HTTP, SQLite", action, point, counted)
    assert counted.kills == KILLS
    assert counted.is_clean, (counted, double)


def test_points_were_counted_once_by_passkits_own_record(joined: Joined) -> None:
    events = [one for one in joined.fake.state.member_events if one["eventType"] == "EVENT_MEMBER_POINTS_EARNED"]
    named = [one["externalId"] for one in events]
    assert len(named) == len(set(named)) > 0
    assert {one["points"] for one in joined.fake.state.members if one.get("points")} == {25}
