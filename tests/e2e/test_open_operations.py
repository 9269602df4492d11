"""Operations that are not finished: still running, crashed, or of unknown outcome. In one process, step by step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.effects import Effect
from app.errors import OutcomeUnknown, UpstreamUnavailable
from app.issuers.protocol import Done, NotDone, Outcome, Settled, Step, Unclear
from app.operations import runner, steps
from app.store import passes
from app.store.tables import operations
from tests.processes import wait_until
from tests.world import MEMBERSHIP, World

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 30
ADD = {"program_id": MEMBERSHIP, "external_id": "customer-501", "change": "add", "points": 25}
NEW = {"program_id": MEMBERSHIP, "external_id": "customer-502"}


@dataclass
class FakeIssuer:
    """A remote issuer that does as it is told, and remembers the IDs that it was given with each effect."""

    applied: list[str] = field(default_factory=list)
    looked_into: list[str] = field(default_factory=list)
    on_apply: Callable[[], Outcome | None] = lambda: None
    on_look: Callable[[], Settled | None] = lambda: None

    def _apply(self, effect: Effect, step: Step) -> Outcome:
        self.applied.append(step.id)
        return self.on_apply() or done(effect, step)

    issue = update_holder = add_points = set_points = change_tier = _apply
    redeem = revoke = reinstate = set_expiry = _apply

    def settled(self, effect: Effect, step: Step) -> Settled:
        self.looked_into.append(step.id)
        return self.on_look() or done(effect, step)


def done(effect: Effect, step: Step) -> Done:
    """Return the effect as one that is true."""
    return Done(step.subject, effect.on(step.subject, step.now))


class Gate:
    """Where a call to the issuer waits until the test lets it through."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self._open = threading.Event()

    def wait(self) -> None:
        self.arrived.set()
        assert self._open.wait(PATIENCE_SECONDS)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def issuer(any_world: World, monkeypatch: pytest.MonkeyPatch) -> FakeIssuer:
    """All passes live at this one, from the first pass of the test on."""
    any_world.make_pass(external_id="customer-501")
    fake = FakeIssuer()
    monkeypatch.setattr(runner, "issuer_of", lambda *_: "fake")
    monkeypatch.setattr(steps, "simulated_issuer", lambda *_: fake)
    return fake


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for requests that wait."""
    with ThreadPoolExecutor(4) as made:
        yield made


def send(world: World, body: dict[str, object] = ADD, action: str = "update-points", key: str = "1") -> TestResponse:
    """Send a request from a client of its own, as another thread must."""
    headers = {"Authorization": f"Bearer {world.key}", "Idempotency-Key": key}
    return world.app.test_client().post(f"/v1/actions/{action}", json=body, headers=headers)


def crash() -> Outcome:
    """End as nobody expected: the operation stays as it was, like after a crash of the process."""
    raise RuntimeError("crash")


def points_and_events(world: World) -> tuple[float, int]:
    """Return the balance, and how often it changed."""
    found = world.get("/v1/passes", query_string={"external_id": "customer-501"}).get_json()["data"][0]
    return found["points"], len(world.events(type="points.changed"))


def statuses(world: World, action: str) -> list[str]:
    """Return the statuses of the action's operations, oldest first."""
    query = select(operations.c.status).where(operations.c.action == action).order_by(operations.c.id)
    with world.service.store.read() as connection:
        return list(connection.execute(query).scalars())


def is_in_progress(answer: TestResponse) -> bool:
    return (answer.status_code, answer.get_json()["code"]) == (409, "idempotency-in-progress")


def test_while_the_first_request_runs_a_repeat_is_told_to_wait(
    any_world: World, issuer: FakeIssuer, pool: ThreadPoolExecutor
) -> None:
    gate = Gate()
    issuer.on_apply = gate.wait
    first = pool.submit(send, any_world)
    assert gate.arrived.wait(PATIENCE_SECONDS)
    meanwhile = send(any_world)
    assert is_in_progress(meanwhile)
    assert 1 <= int(meanwhile.headers["Retry-After"]) <= 5
    assert meanwhile.get_json()["retryable"] is True
    gate.open()
    done = first.result(PATIENCE_SECONDS)
    again = send(any_world)
    assert done.status_code == again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_data() == done.get_data()
    assert (len(issuer.applied), issuer.looked_into) == (1, [])
    assert points_and_events(any_world) == (25, 1)


def test_other_requests_are_answered_while_an_issuer_is_slow(
    any_world: World, issuer: FakeIssuer, pool: ThreadPoolExecutor
) -> None:
    gate = Gate()
    issuer.on_apply = gate.wait
    slow = pool.submit(send, any_world)
    assert gate.arrived.wait(PATIENCE_SECONDS)
    issuer.on_apply = lambda: None
    assert send(any_world, key="2").get_json()["points"] == 25
    gate.open()
    assert slow.result(PATIENCE_SECONDS).get_json()["points"] == 50


def test_after_a_crash_the_key_waits_for_the_lease(any_world: World, issuer: FakeIssuer) -> None:
    issuer.on_apply = crash
    assert send(any_world).status_code == 500
    any_world.clock.advance(seconds=59)
    assert is_in_progress(send(any_world))
    assert (len(issuer.applied), issuer.looked_into) == (1, [])


def test_after_a_crash_an_effect_that_is_there_is_not_done_again(any_world: World, issuer: FakeIssuer) -> None:
    issuer.on_apply = crash
    send(any_world)
    any_world.clock.advance(seconds=61)
    answer = send(any_world)
    assert (answer.status_code, answer.get_json()["points"]) == (200, 25)
    assert issuer.looked_into == issuer.applied
    assert len(issuer.applied) == 1
    assert points_and_events(any_world) == (25, 1)
    assert send(any_world).get_data() == answer.get_data()


def test_after_a_crash_an_effect_that_is_not_there_is_done(any_world: World, issuer: FakeIssuer) -> None:
    issuer.on_apply = crash
    send(any_world)
    issuer.on_apply, issuer.on_look = lambda: None, NotDone
    any_world.clock.advance(seconds=61)
    answer = send(any_world)
    assert (answer.status_code, answer.get_json()["points"]) == (200, 25)
    assert len(issuer.looked_into) == 1
    # The same ID: whatever the issuer keeps of the first try can be found by it.
    assert issuer.applied == [issuer.looked_into[0]] * 2
    assert points_and_events(any_world) == (25, 1)


@pytest.mark.parametrize("unclear", [OutcomeUnknown, UpstreamUnavailable])
def test_an_outcome_that_stays_unclear_is_asked_for_again_and_not_tried_again(
    any_world: World, issuer: FakeIssuer, unclear: type[OutcomeUnknown | UpstreamUnavailable]
) -> None:
    issuer.on_apply = lambda: Unclear(OutcomeUnknown("Too late."))
    issuer.on_look = lambda: Unclear(unclear("Not now."))
    assert send(any_world).get_json()["code"] == "outcome-unknown"
    # "Not reachable" would say that nothing was changed and the key is free, which nobody knows.
    assert send(any_world).get_json()["code"] == "outcome-unknown"
    assert statuses(any_world, "update-points") == ["unknown"]
    issuer.on_look = lambda: None
    assert send(any_world).status_code == 200
    assert len(issuer.applied) == 1
    assert len(issuer.looked_into) == 3
    assert points_and_events(any_world) == (25, 1)


def test_of_many_repeats_one_asks_the_issuer(any_world: World, issuer: FakeIssuer, pool: ThreadPoolExecutor) -> None:
    gate = Gate()

    issuer.on_apply, issuer.on_look = crash, gate.wait
    send(any_world)
    any_world.clock.advance(seconds=61)
    first = pool.submit(send, any_world)
    assert gate.arrived.wait(PATIENCE_SECONDS)
    assert all(is_in_progress(send(any_world)) for _ in range(5))
    gate.open()
    assert first.result(PATIENCE_SECONDS).status_code == 200
    assert len(issuer.looked_into) == 1


def test_whoever_comes_back_after_the_lease_does_not_count_twice(
    any_world: World, issuer: FakeIssuer, pool: ThreadPoolExecutor
) -> None:
    """The first request hung for longer than its lease, and another one has finished the operation meanwhile."""
    gate = Gate()
    issuer.on_apply = gate.wait
    late = pool.submit(send, any_world)
    assert gate.arrived.wait(PATIENCE_SECONDS)
    any_world.clock.advance(seconds=61)
    taken_over = send(any_world)
    assert taken_over.status_code == 200
    gate.open()
    answer = late.result(PATIENCE_SECONDS)
    assert points_and_events(any_world) == (25, 1)
    assert (answer.status_code, answer.get_data()) == (200, taken_over.get_data())


def test_a_late_failure_does_not_undo_what_another_request_finished(
    any_world: World, issuer: FakeIssuer, pool: ThreadPoolExecutor
) -> None:
    gate = Gate()

    def fail_late() -> Outcome:
        gate.wait()
        return Unclear(OutcomeUnknown("Too late."))

    issuer.on_apply = fail_late
    late = pool.submit(send, any_world)
    assert gate.arrived.wait(PATIENCE_SECONDS)
    any_world.clock.advance(seconds=61)
    taken_over = send(any_world)
    gate.open()
    late.result(PATIENCE_SECONDS)
    assert statuses(any_world, "update-points") == ["succeeded"]
    again = send(any_world)
    assert again.get_data() == taken_over.get_data()
    assert points_and_events(any_world) == (25, 1)


@pytest.mark.parametrize("keys", [("1", "2"), (None, None)], ids=["two keys", "no keys"])
def test_two_requests_that_create_the_same_pass_at_an_issuer_both_get_it(
    any_world: World,
    issuer: FakeIssuer,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    keys: tuple[str | None, str | None],
) -> None:
    """Both are at the issuer at once, so each believes that the pass is new, and both write it at the same moment."""
    gate = Gate()
    issuer.on_apply = gate.wait
    monkeypatch.setattr(passes, "add", meet_first(passes.add))
    waiting = [pool.submit(create, any_world, key) for key in keys]
    wait_until(lambda: len(issuer.applied) == 2, "both at the issuer")
    gate.open()
    answers = [one.result(PATIENCE_SECONDS) for one in waiting]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert sorted(answer.get_json()["created"] for answer in answers) == [False, True]
    assert len(issuer.applied) == 2
    assert statuses(any_world, "create-pass")[1:] == ["succeeded", "succeeded"]


def meet_first(add: Callable[..., None]) -> Callable[..., None]:
    """Let the first two wait for each other. SQLite lets only one in: it waits in vain for a moment."""
    barrier = threading.Barrier(2)

    def wrapper(*args: object) -> None:
        with suppress(threading.BrokenBarrierError):
            barrier.wait(1)
        add(*args)

    return wrapper


def create(world: World, key: str | None) -> TestResponse:
    headers = {"Authorization": f"Bearer {world.key}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return world.app.test_client().post("/v1/actions/create-pass", json=NEW, headers=headers)
