"""A server killed at any point of an operation at PassKit leaves nothing double, nothing lost and nothing half done.

"After the effect" is the moment after PassKit has done it and before anything of that is written down here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.model import Kind, Mode, system_clock
from app.service import make_service
from app.store import programs
from app.sync.connecting import connect
from tests.contract.passkit_descriptors import Descriptors
from tests.e2e.killable import AT_SOME_MOMENT
from tests.e2e.kills import KILLS, SOME_MOMENT, kill_with_key, show
from tests.e2e.scenes import SCENES, Scene
from tests.e2e.stage import Stage, killable_server
from tests.fakes.passkit import FakePassKit, seed
from tests.passkit.conftest import VAULT_KEYS, target_of
from tests.tables import Tally

pytestmark = pytest.mark.slow

# Points as those of `kills.py`. What is decided after a look at the record takes a transaction more before the row.
POINTS = {
    "before the row": ("write-1:before", False),
    "after the row": ("operation:after", False),
    "before the effect": ("effect:before", False),
    "after the effect": ("effect:after", False),
    "before the commit": ("telling:before-commit", False),
    "after the commit": ("telling:after-commit", True),
    "before the answer": ("answer:before", True),
    SOME_MOMENT: (AT_SOME_MOMENT, None),
}
# What PassKit would do a second time without noticing.
COUNTING = (
    "POST /members/member",
    "PUT /members/member/points/earn",
    "PUT /coupon/singleUse/coupon/redeem",
    "DELETE /members/member",
)
# As in `test_kills.py`: two actions are killed at every point, the others at one that chance chooses. Half as often.
EVERYWHERE = ("create-pass", "update-points")
OTHERS = [action for action in SCENES if action not in EVERYWHERE]
FEWER_KILLS = max(1, KILLS // 2)


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
        self.fake.switches.hold_deliveries = True
        connect(service, world.account.id, Mode.TEST, "passkit", target_of(self.fake))
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


@contextmanager
def joined_server(folder: Path, database_url: str = "") -> Iterator[Joined]:
    """Run a server that can be killed, connected to a PassKit that checks every request."""
    with killable_server(folder, database_url, VAULT_KEYS=VAULT_KEYS) as stage:
        made = Joined(stage)
        with made.fake.running():
            made.connect()
            yield made


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """The server on SQLite."""
    with joined_server(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def joined_on_postgresql(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Joined]:
    """The same on PostgreSQL."""
    with joined_server(tmp_path_factory.mktemp("stage"), request.getfixturevalue("postgres_url")()) as made:
        yield made


def kill(tally: Tally, joined: Joined, database: str, action: str, point: str) -> None:
    """Kill at a point, and see that nothing is double, lost or torn, here and at PassKit."""
    counted = kill_with_key(joined.stage, joined.scene(action), POINTS[point], FEWER_KILLS)
    double = {done: times for done, times in joined.fake.doubles.items() if done[0] in COUNTING}
    counted.doubles += len(double)
    show(tally, f"PassKit over HTTP, {database}", action, point, counted)
    assert counted.kills == FEWER_KILLS
    assert counted.is_clean, (counted, double)


@pytest.mark.matrix
@pytest.mark.parametrize("action", EVERYWHERE)
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_action_at_passkit_is_done_once(tally: Tally, joined: Joined, action: str, point: str) -> None:
    kill(tally, joined, "SQLite", action, point)


@pytest.mark.parametrize("action", OTHERS)
def test_every_other_action_at_passkit_too_at_one_point(tally: Tally, joined: Joined, action: str) -> None:
    kill(tally, joined, "SQLite", action, random.choice(list(POINTS)))


@pytest.mark.parametrize("point", POINTS)
def test_on_postgresql_points_at_passkit_are_counted_once(
    tally: Tally, joined_on_postgresql: Joined, point: str
) -> None:
    kill(tally, joined_on_postgresql, "PostgreSQL", "update-points", point)


def test_points_were_counted_once_by_passkits_own_record(joined: Joined, joined_on_postgresql: Joined) -> None:
    for one in (joined, joined_on_postgresql):
        events = [done for done in one.fake.state.member_events if done["eventType"] == "EVENT_MEMBER_POINTS_EARNED"]
        named = [done["externalId"] for done in events]
        assert len(named) == len(set(named)) > 0
        assert {member["points"] for member in one.fake.state.members if member.get("points")} == {25}
