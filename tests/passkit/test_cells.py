"""Every fault of PassKit's in every write: done or not done, once or nine times in a row.

A cell is one fault, one write, and whether the effect was there although the answer was spoiled. In each the same
request is sent again with the same key until it succeeds: the effect is there once, nothing is lost, and nothing that
was done is ever told to be refused. The table is printed at the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from app.events import types
from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.passkit.conftest import VAULT_KEYS, Joined, join, passkit_of, upstream_id
from tests.tables import Tally
from tests.world import make_world

pytestmark = [pytest.mark.only_sqlite, pytest.mark.slow]

# The effect was there or not, and how often in a row the answer was spoiled.
WAYS = {
    f"{'done' if is_done else 'not done'}, {'once' if times == 1 else 'nine times'}": (is_done, times)
    for is_done in (True, False)
    for times in (1, 9)
}
UNKNOWN = "outcome-unknown"
_numbers = count(1)


@dataclass(frozen=True)
class Write:
    """One write: how it is asked for, PassKit's route for it, and how often its effect is there."""

    name: str
    action: str
    route: str
    count: Callable[[Any], int]
    event: str
    body: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "membership"
    before: tuple[str, ...] = ()

    def prepare(self, joined: Joined, name: str) -> dict[str, Any]:
        """Make the pass, if there has to be one, and return the body of the request."""
        if self.action == "create-pass":
            return {"program_id": joined.program_id(self.kind), "external_id": name, **self.body}
        values = {"points": 10} if self.kind == "membership" else {}
        made = joined.make(self.kind, external_id=name, first_name="Ada", **values)
        for action in self.before:
            assert joined.act(action, {"pass_id": made["id"]}).status_code == 200
        return {"pass_id": made["id"], **self.body}


def points_moved(by: int) -> Callable[[Any], int]:
    return lambda record: round((record["points"] - 10) / by)


def is_expired(record: Any) -> int:
    return int(record is not None and bool(record.get("expiryDate")) and record["expiryDate"] < "2026-12")


WRITES = (
    Write("create", "create-pass", "POST /members/member", lambda record: 1, types.PASS_CREATED),
    Write(
        "create coupon",
        "create-pass",
        "POST /coupon/singleUse/coupon",
        lambda record: 1,
        types.PASS_CREATED,
        kind="coupon",
    ),
    Write(
        "update",
        "update-pass",
        "PUT /members/member",
        lambda record: int(record["person"]["forename"] == "Grace"),
        types.PASS_UPDATED,
        {"first_name": "Grace"},
    ),
    Write(
        "add",
        "update-points",
        "PUT /members/member/points/earn",
        points_moved(5),
        types.POINTS_CHANGED,
        {"change": "add", "points": 5},
    ),
    Write(
        "subtract",
        "update-points",
        "PUT /members/member/points/burn",
        points_moved(-3),
        types.POINTS_CHANGED,
        {"change": "subtract", "points": 3},
    ),
    Write(
        "set",
        "update-points",
        "PUT /members/member/points/set",
        lambda record: int(record["points"] == 40),
        types.POINTS_CHANGED,
        {"change": "set", "points": 40},
    ),
    Write(
        "tier",
        "change-tier",
        "PUT /members/member/tier",
        lambda record: int(record["tierId"] == seed.GOLD),
        types.TIER_CHANGED,
        {"tier_id": seed.GOLD},
    ),
    Write(
        "redeem",
        "redeem-pass",
        "PUT /coupon/singleUse/coupon/redeem",
        lambda record: int(record.get("status") == "REDEEMED"),
        types.PASS_REDEEMED,
        {"reference": "receipt-77", "amount": "49.90"},
        kind="coupon",
    ),
    Write("revoke", "revoke-pass", "PUT /members/member/updateExpiry", is_expired, types.PASS_REVOKED),
    Write(
        "delete",
        "revoke-pass",
        "DELETE /members/member",
        lambda record: int(record is None),
        types.PASS_REVOKED,
        {"permanent": True},
    ),
    Write(
        "reinstate",
        "reinstate-pass",
        "PUT /members/member/updateExpiry",
        lambda record: int(record["expiryDate"] > "2030"),
        types.PASS_REINSTATED,
        before=("revoke-pass",),
    ),
    Write(
        "expiry",
        "update-pass",
        "PUT /members/member/updateExpiry",
        lambda record: int((record.get("expiryDate") or "").startswith("2027-12-31")),
        types.PASS_UPDATED,
        {"expires_at": "2027-12-31"},
    ),
)

HTML = "<html><head><title>Error</title></head><body><h1>Sorry</h1></body></html>"


def answered(status: int, body: str | None = None, **more: Any) -> dict[str, Any]:
    return {"kind": "status", "status": status, **({} if body is None else {"body": body}), **more}


FAULTS: Mapping[str, dict[str, Any]] = {
    "301 to HTML": answered(301, HTML, location="/login"),
    "400 in no words we know": answered(400, '{"error":"bad request"}'),
    "401 in no words we know": answered(401, '{"error":"unauthorised"}'),
    "403": answered(403, '{"error":"permission denied"}'),
    "404 HTML": answered(404, HTML),
    "404 in no words we know": answered(404, '{"error":"not found"}'),
    "408": answered(408, HTML),
    "409 in no words we know": answered(409, '{"error":"conflict"}'),
    "429": answered(429, '{"error":"slow down"}', retry_after=1),
    "500 nil pointer": answered(500, '{"error":"runtime error: invalid memory address or nil pointer dereference"}'),
    "500 bad connection": answered(500, '{"error":"driver: bad connection","code":14}'),
    "500 internal": answered(500, '{"error":"internal error","code":13}'),
    "500 deadline": answered(500, '{"error":"context deadline exceeded","code":4}'),
    "500 without a word": answered(500, '{"error":""}'),
    "500 HTML": answered(500, HTML),
    "501 HTML": answered(501, HTML),
    "502": answered(502, HTML),
    "503 of the gateway": answered(503, '{"error":"unexpected HTTP status code received from server: 502"}'),
    "503 HTML": answered(503, HTML),
    "504": answered(504, HTML),
    "200 with code 13": answered(200, '{"code":13,"message":"internal"}'),
    "200 HTML": {"kind": "html"},
    "200 empty": {"kind": "empty"},
    "204": answered(204, ""),
    "200 of another shape": {"kind": "wrong_type"},
    "200 about another pass": {"kind": "another_record"},
    "200 with an ID only": {"kind": "only_id"},
    "cut JSON": {"kind": "truncated"},
    "cut answer": {"kind": "cut"},
    "endless answer": {"kind": "huge"},
    "slow answer": {"kind": "drip", "seconds_per_byte": 0.2},
    "reset": {"kind": "reset"},
    "silence": {"kind": "delay", "seconds": 0.5},
}

# What the record cannot tell, because PassKit shows nobody's name on it and no event is kept of it: none of these. A
# cell that may stay unknown is listed here as (fault, write) with the reason.
MAY_STAY_UNKNOWN: Mapping[tuple[str, str], str] = {}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """One world for all cells: each has passes of its own."""
    world = make_world(tmp_path_factory.mktemp("cells") / "data", vault_keys=VAULT_KEYS)
    with (
        pytest.MonkeyPatch.context() as patched,
        FakePassKit(world.clock, seed.demo, contract=Descriptors()).running() as fake,
    ):
        patched.setattr("app.issuers.passkit.transport.ANSWER_SECONDS", 0.15)
        patched.setattr("app.issuers.passkit.transport.SHORTEST_TRY", 0.1)
        passkit_of(world).pool.sleep = lambda seconds: None
        fake.switches.hold_deliveries = True
        yield join(world, fake)
    world.service.store.close()


@pytest.mark.matrix("fault,way", "write,way")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.name)
def test_a_spoiled_answer_never_counts_twice_nor_loses_anything(
    tally: Tally, shared: Joined, fault: str, write: Write, way: str
) -> None:
    ended = "wrong"
    try:
        ended = play(shared, fault, write, way)
    finally:
        tally("PassKit: faults x writes, done and not done, once and nine times", fault, write.name, **count_of(ended))
    assert ended == "done" or (fault, write.name) in MAY_STAY_UNKNOWN


def count_of(ended: str) -> dict[str, int]:
    """Return how a cell ended as figures of the table."""
    return {"done once": int(ended == "done"), "unknown": int(ended == UNKNOWN), "wrong": int(ended == "wrong")}


def play(joined: Joined, fault: str, write: Write, way: str) -> str:
    """Play one cell; return how it ended: `done`, or `outcome-unknown`."""
    is_done, times = WAYS[way]
    name, key = f"cell-{next(_numbers)}", f"key-{next(_numbers)}"
    body = write.prepare(joined, name)
    options = dict(FAULTS[fault])
    if options["kind"] == "another_record":
        options["record_id"] = upstream_id(joined.make(write.kind, external_id=f"other-{name}"))
    before = dict(joined.fake.recording.effects)
    joined.fake.fail(route=write.route, times=times, effect="first" if is_done else "never", **options)
    answer, told = None, []
    for turn in range(times + 6):
        if turn == times + 2:
            joined.fake.faults.clear()
        answer = joined.act(write.action, body, idempotency_key=key)
        if answer.status_code == 200:
            break
        code = answer.get_json()["code"]
        told.append(code)
        # What is told to be refused, or to be not done, is not there.
        assert code == UNKNOWN or effects(joined, write, name) == 0, (told, answer.text)
        joined.world.clock.advance(seconds=61)
    joined.fake.faults.clear()
    assert answer is not None
    assert effects(joined, write, name) <= 1, told
    written = {done: n - before.get(done, 0) for done, n in joined.fake.recording.effects.items()}
    assert {done: n for done, n in written.items() if n > 1} == {}, told
    if answer.status_code != 200:
        assert told[-1] == UNKNOWN, told
        return UNKNOWN
    assert effects(joined, write, name) == 1, told
    again = joined.act(write.action, body, idempotency_key=key)
    assert (again.get_data(), again.headers["Idempotent-Replayed"]) == (answer.get_data(), "true")
    pass_id = answer.get_json()["id"]
    assert len(joined.world.events(pass_id=pass_id, type=write.event)) == 1
    return "done"


def effects(joined: Joined, write: Write, name: str) -> int:
    """Return how often the effect is there, by PassKit's own records."""
    state = joined.fake.state
    records = [one for one in (*state.members, *state.coupons) if one.get("externalId") == name]
    assert len(records) <= 1
    if write.action == "create-pass":
        return len(records)
    return write.count(records[0] if records else None)
