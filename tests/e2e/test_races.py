"""Many requests at once, at the service as the Procfile starts it, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy import select

from app.store.tables import operations, passes
from tests.e2e.races import CROWD, race, sort_out
from tests.e2e.scenes import ALL, POINTS, SCENES, Scene
from tests.e2e.stage import Answer, Call, Stage, procfile_server
from tests.thorough import DATABASES, amount
from tests.world import MEMBERSHIP

pytestmark = pytest.mark.slow

_numbers = count(1)


@pytest.fixture(scope="module", params=amount(("postgresql",), thorough=DATABASES))
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The service as the Procfile starts it."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgresql" else ""
    with procfile_server(tmp_path_factory.mktemp("stage"), url) as running:
        yield running
        # Otherwise no race was ever one between two processes.
        assert running.processes_that_answered() >= 2


@pytest.fixture
def name() -> str:
    """A holder nobody has used yet."""
    return f"holder-{next(_numbers)}"


@pytest.mark.parametrize("scene", ALL, ids=lambda scene: scene.action)
def test_identical_requests_at_once_are_done_once_and_answered_alike(stage: Stage, scene: Scene, name: str) -> None:
    stage.prepare(scene, [name])
    call = Call(scene.action, scene.body(name), idempotency_key=f"key-{name}")
    outcome = race(stage, scene, name, call)
    assert outcome.is_exactly_once, str(outcome)
    afterwards = stage.send_at_once([call] * CROWD)
    assert all(answer.is_replay for answer in afterwards)
    assert {answer.body for answer in afterwards} == {outcome.firsts[0].body}
    assert stage.look(scene, name).effects == 1


@pytest.mark.parametrize(
    "extra",
    [{"if_exists": "error"}, {"if_exists": "update", "first_name": "Grace"}],
    ids=["error", "update"],
)
def test_whoever_asks_for_an_error_on_duplicates_is_no_duplicate_of_itself(
    stage: Stage, name: str, extra: dict[str, str]
) -> None:
    scene = SCENES["create-pass"]
    body = {**scene.body(name), "external_id": name, **extra}
    outcome = race(stage, scene, name, Call("create-pass", body, idempotency_key=f"key-{name}"))
    assert outcome.is_exactly_once, str(outcome)


def test_identical_requests_at_once_that_spend_all_points_are_one_purchase(stage: Stage, name: str) -> None:
    made = new_pass(stage, name, points=POINTS)
    body = {"pass_id": made["id"], "change": "subtract", "points": POINTS}
    call = Call("update-points", body, idempotency_key=f"key-{name}")
    answers = stage.send_at_once([call] * CROWD)
    assert statuses(answers).keys() <= {"200", "409 idempotency-in-progress"}, statuses(answers)
    assert sum(answer.status == 200 and not answer.is_replay for answer in answers) == 1
    assert balance(stage, name) == 0


@pytest.mark.parametrize("with_keys", [True, False], ids=["different keys", "no keys"])
def test_one_external_id_at_once_makes_one_pass(stage: Stage, name: str, with_keys: bool) -> None:
    body = {"program_id": MEMBERSHIP, "external_id": name, "email": f"{name}@example.com"}
    answers = stage.send_at_once(
        [Call("create-pass", body, f"key-{name}-{number}" if with_keys else None) for number in range(CROWD)]
    )
    assert statuses(answers) == {"200": CROWD}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert [answer.json["created"] for answer in answers].count(True) == 1
    seen = stage.look(SCENES["create-pass"], name)
    assert (seen.by_passes, seen.by_events) == (1, 1)


def test_points_of_different_events_at_once_all_count(stage: Stage, name: str) -> None:
    made = new_pass(stage, name)
    body = {"pass_id": made["id"], "change": "add", "points": "0.25"}
    answers = stage.send_at_once([Call("update-points", body, f"key-{name}-{number}") for number in range(CROWD)])
    assert statuses(answers) == {"200": CROWD}
    assert balance(stage, name) == CROWD * 25
    told = sorted(answer.json["points"] for answer in answers)
    assert told == [(number + 1) / 4 for number in range(CROWD)]


def test_points_are_never_spent_beyond_the_balance(stage: Stage, name: str) -> None:
    affordable = CROWD * 2 // 5
    made = new_pass(stage, name, points=affordable)
    body = {"pass_id": made["id"], "change": "subtract", "points": 1}
    answers = stage.send_at_once([Call("update-points", body, f"key-{name}-{number}") for number in range(CROWD)])
    assert statuses(answers) == {"200": affordable, "422 insufficient-points": CROWD - affordable}
    assert balance(stage, name) == 0


def test_a_coupon_presented_at_once_at_many_tills_is_redeemed_once(stage: Stage, name: str) -> None:
    scene = SCENES["redeem-pass"]
    stage.prepare(scene, [name])
    body = scene.body(name)
    answers = stage.send_at_once([Call("redeem-pass", body, f"key-{name}-{number}") for number in range(CROWD)])
    assert statuses(answers) == {"200": 1, "409 already-redeemed": CROWD - 1}
    seen = stage.look(scene, name)
    assert (seen.effects, seen.is_whole) == (1, True)


def test_two_accounts_with_the_same_key_at_once_never_meet(stage: Stage, name: str) -> None:
    mine = new_pass(stage, name)
    other_key = stage.world.make_key(account="other")
    theirs = new_pass_of_another(stage, name, other_key)
    calls = [
        Call("update-points", add_to(made), idempotency_key="shared", api_key=key)
        for made, key in [(mine, stage.world.key), (theirs, other_key)] * (CROWD // 2)
    ]
    answers = stage.send_at_once(calls)
    for half, made in ((answers[::2], mine), (answers[1::2], theirs)):
        assert statuses(half).keys() <= {"200", "409 idempotency-in-progress"}, statuses(half)
        assert {answer.json["id"] for answer in half if answer.status == 200} == {made["id"]}
        assert sum(answer.status == 200 and not answer.is_replay for answer in half) == 1
    assert balance(stage, name) == POINTS * 100
    assert balance(stage, f"{name}-other") == POINTS * 100


@pytest.mark.parametrize("scene", ALL, ids=lambda scene: scene.action)
def test_after_a_timeout_repeats_at_once_end_with_one_effect(stage: Stage, scene: Scene) -> None:
    """The issuer of forced outcomes has its work done at the first request and says so at the second."""
    forget_the_magic_pass(stage, scene)
    call = Call(scene.action, magic(stage, scene), idempotency_key=f"timeout-{scene.action}")
    first = stage.send(call)
    assert (first.status, first.code) == (504, "outcome-unknown")
    outcome = sort_out(stage, scene, "magic", stage.send_at_once([call] * CROWD))
    assert outcome.is_exactly_once, str(outcome)
    afterwards = stage.send_at_once([call] * CROWD)
    let_in = [answer for answer in afterwards if answer.code != "too-busy"]
    assert {(answer.is_replay, answer.body) for answer in let_in} == {(True, outcome.firsts[0].body)}
    with stage.world.service.store.read() as connection:
        rows = connection.execute(
            select(operations).where(operations.c.id == outcome.firsts[0].json["operation_id"])
        ).all()
    assert [row.status for row in rows] == ["succeeded"]


def test_a_timeout_met_by_many_at_once_ends_with_one_effect(stage: Stage) -> None:
    scene = SCENES["update-points"]
    forget_the_magic_pass(stage, scene)
    call = Call(scene.action, magic(stage, scene), idempotency_key="timeout-at-once")
    answers = stage.send_at_once([call] * CROWD)
    assert statuses(answers).keys() <= {
        "200",
        "409 idempotency-in-progress",
        "503 too-busy",
        "504 outcome-unknown",
    }
    assert statuses(answers)["504 outcome-unknown"] == 1
    stage.until_done(call)
    seen = stage.look(scene, "magic")
    assert (seen.effects, seen.is_whole) == (1, True)
    assert len({answer.body for answer in answers if answer.status == 200}) <= 1


def magic(stage: Stage, scene: Scene) -> dict[str, object]:
    """Make the body of a request whose external ID stands for a timeout, and the pass it is about."""
    body = {**scene.body("magic"), "external_id": "simulate_timeout"}
    for action, inputs in scene.preparation(["magic"]):
        call = Call(action, {**inputs[0], "external_id": "simulate_timeout"}, f"prepare-{action}-{next(_numbers)}")
        stage.until_done(call)
    return body


def forget_the_magic_pass(stage: Stage, scene: Scene) -> None:
    """Let the one pass with the magic external ID be one of the past, under another name."""
    number = next(_numbers)
    with stage.world.service.store.write() as connection:
        connection.execute(
            passes.update()
            .where(passes.c.external_id == "simulate_timeout")
            .values(external_id=f"past-{number}", email=f"past-{number}@example.com")
        )


def new_pass(stage: Stage, name: str, points: int = 0) -> dict[str, object]:
    body = {"program_id": MEMBERSHIP, "external_id": name, "email": f"{name}@example.com", "points": points}
    return stage.until_done(Call("create-pass", body)).json


def new_pass_of_another(stage: Stage, name: str, api_key: str) -> dict[str, object]:
    program = stage.world.request(
        "POST", "/v1/programs", key=api_key, json={"kind": "membership", "name": f"Club {name}"}
    ).get_json()
    body = {"program_id": program["id"], "external_id": name, "email": f"{name}-other@example.com"}
    return stage.until_done(Call("create-pass", body, api_key=api_key)).json


def add_to(made: dict[str, object]) -> dict[str, object]:
    return {"pass_id": made["id"], "change": "add", "points": POINTS}


def balance(stage: Stage, name: str) -> int:
    """Return the balance of the only pass with the address, in hundredths."""
    with stage.world.service.store.read() as connection:
        query = select(passes.c.points).where(passes.c.email == f"{name}@example.com")
        points: int = connection.execute(query).scalar_one()
    return points


def statuses(answers: list[Answer]) -> Counter[str]:
    """Count the answers by status and code."""
    return Counter(f"{answer.status} {answer.code}".strip() for answer in answers)
