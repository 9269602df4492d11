"""Points and amounts are exact decimals: on the way in, in the sum, in the database and on the way out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from marshmallow import ValidationError

from app.actions.update_points import ACTION
from app.answer import number
from app.api.blueprint import read_json
from app.demo import demo_programs
from app.errors import InsufficientPoints, PassrailError
from app.model import BUILTIN, POINTS_MAX, Mode, Pass
from app.operations.lookup import Case
from app.schema import Number
from app.store.columns import from_hundredths, to_hundredths
from tests.actions.checks import done, refused, wrong_fields
from tests.world import World

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PROGRAM = demo_programs("acct_1", NOW)[0]
POINTS = Number("Points", "", places=2)


def decided(before: str, request: str) -> Decimal:
    """Return the balance that follows when a request, given as JSON text, meets a balance."""
    data = ACTION.input.load({"pass_id": "pass_1", **read_json(request.encode())})
    member = Pass(
        id="pass_1",
        account_id="acct_1",
        mode=Mode.TEST,
        issuer=BUILTIN,
        program_id=PROGRAM.id,
        tier_id=PROGRAM.tiers[0].id,
        link_token="token",
        created_at=NOW,
        updated_at=NOW,
        points=Decimal(before),
    )
    after = member
    for effect in ACTION.decide(Case(data, PROGRAM, member, NOW)).effects:
        after = effect.on(after, NOW)
    assert after.points is not None
    return after.points


@pytest.mark.parametrize(
    ("before", "change", "points", "after"),
    [
        ("0.10", "add", "0.2", "0.30"),
        ("0.30", "subtract", "0.1", "0.20"),
        ("1.10", "add", "2.2", "3.30"),
        ("4.35", "subtract", "4.34", "0.01"),
        ("0", "add", "999999999.99", "999999999.99"),
        ("999999999.98", "add", "0.01", "999999999.99"),
        ("999999999.99", "subtract", "999999999.99", "0"),
        ("-999999999.99", "add", "999999999.99", "0"),
        ("5", "set", "0.07", "0.07"),
        ("5", "set", "-0.0", "0"),
        ("5", "add", "1e2", "105"),
        ("5", "add", "1.50E1", "20"),
        ("5", "add", '"0.05"', "5.05"),
        ("5", "add", '"0025.50"', "30.50"),
        ("5", "add", "1.1000", "6.10"),
    ],
)
def test_sums_are_exact(before: str, change: str, points: str, after: str) -> None:
    assert decided(before, f'{{"change": "{change}", "points": {points}}}') == Decimal(after)


@pytest.mark.parametrize(
    ("amount", "rate", "points"),
    [
        ("49.90", "1.5", 74),  # 74.85
        ("0.07", "100", 7),  # 7.000000000000001 in binary
        ("1.15", "100", 115),  # 114.99999999999999 in binary
        ("0.57", "100", 57),  # 56.99999999999999 in binary
        ("0.29", "100", 29),  # 28.999999999999996 in binary
        ("99.99", "1", 99),
        ("0.99", "1", 0),
        ("0.3333", "3", 0),  # 0.9999
        ("0.3334", "3", 1),
        ("100", "0.0001", 0),
        ("10000", "0.0001", 1),
        ("999", "1000000", 999000000),
        ("999999999.99", "1", 999999999),
        ("1234567.89", "0.8", 987654),  # 987654.312
    ],
)
def test_money_times_rate_is_rounded_down_from_the_exact_product(amount: str, rate: str, points: int) -> None:
    for one, other in ((amount, rate), (f'"{amount}"', f'"{rate}"')):
        request = f'{{"change": "set", "amount": {one}, "points_per_unit": {other}}}'
        assert decided("0", request) == points


@pytest.mark.parametrize(
    "given",
    [
        "0.001",
        "12.345",
        "1e-3",
        "0.1000000000000000000000000000000000001",
        "25.00000000000000000000000000000000001",
        "999999999.991",
        "1000000000",
        "999999999.990000000000000000000000000001",
        "1e9",
        "1e400",
        "-0.01",
        "-1e-400",
        "1e-400",
        "true",
        "null",
        "[]",
        '"12.345"',
        '"1000000000"',
        '"9999999999"',
        '"-1"',
        '"+1"',
        '"1e2"',
        '"1,5"',
        '"1 000"',
        '" 1"',
        '"1."',
        '".5"',
        '"NaN"',
        '"Infinity"',
        '"0x10"',
        '"1_000"',
        '"１２"',
        '""',
    ],
)
def test_what_is_no_such_number_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        POINTS.deserialize(read_json(given.encode()))


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e", "01", "1.", "1e99999999999999999999"])
def test_what_is_no_json_number_is_no_json(shared_world: World, literal: str) -> None:
    made = shared_world.make_pass()
    answer = shared_world.request(
        "POST",
        "/v1/actions/update-points",
        data=f'{{"pass_id": "{made["id"]}", "change": "add", "points": {literal}}}',
        content_type="application/json",
    )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed-json")


def test_a_refusal_says_what_would_be_right() -> None:
    for given, words in ((Decimal("0.001"), "at most 2 decimal places"), (10**9, "at most 999999999.99")):
        with pytest.raises(ValidationError, match=words):
            POINTS.deserialize(given)


def test_a_balance_beyond_the_limits_is_refused(world: World) -> None:
    made = world.make_pass(points="999999999.99")
    body = {"pass_id": made["id"], "change": "add", "points": "0.01"}
    assert wrong_fields(world, "update-points", body) == ["points"]
    other = world.make_pass()
    most = {"pass_id": other["id"], "change": "subtract", "points": "999999999.99", "allow_negative": True}
    assert done(world, "update-points", most)["points"] == -999999999.99
    assert wrong_fields(world, "update-points", {**most, "points": "0.01"}) == ["points"]
    refused(world, "update-points", {**most, "allow_negative": False}, 422, "insufficient-points")


def test_every_balance_comes_out_of_database_and_json_as_it_went_in() -> None:
    random = Random(7)
    limit = int(POINTS_MAX * 100)
    edges = [0, 1, -1, 10, 99, 100, -limit, limit, limit - 1]
    for hundredths in edges + [random.randint(-limit, limit) for _ in range(2000)]:
        points = Decimal(hundredths) / 100
        assert to_hundredths(points) == hundredths
        assert from_hundredths(hundredths) == points
        written = json.dumps(number(points))
        assert Decimal(written) == points
        assert json.loads(written, parse_float=Decimal) == points


def test_random_walks_of_the_decision_stay_on_the_exact_sum() -> None:
    random = Random(11)
    balance, refusals = Decimal(0), 0
    for _ in range(3000):
        change = random.choice(("add", "subtract", "add", "subtract", "set"))
        points = Decimal(random.choice((random.randint(0, 99999), random.randint(0, 10**11 - 1)))) / 100
        wanted = {"add": balance + points, "subtract": balance - points, "set": points}[change]
        allow = random.random() < 0.5
        body = f'{{"change": "{change}", "points": {points}, "allow_negative": {json.dumps(allow)}}}'
        if abs(wanted) > POINTS_MAX or (change == "subtract" and points and wanted < 0 and not allow):
            with pytest.raises(PassrailError) as caught:
                decided(str(balance), body)
            assert isinstance(caught.value, InsufficientPoints) is (wanted < 0 and not allow)
            refusals += 1
        else:
            balance = decided(str(balance), body)
            assert balance == wanted
    assert 100 < refusals < 2000


def test_a_random_walk_through_the_api_ends_at_the_exact_sum(any_world: World) -> None:
    random = Random(13)
    made = any_world.make_pass()
    steps = [Decimal(random.randint(1, 9999)) / 100 for _ in range(100)]
    items: list[dict[str, Any]] = [{"pass_id": made["id"], "change": "add", "points": str(step)} for step in steps]
    results = any_world.act("update-points/batch", {"items": items}).get_json()["results"]
    told = [Decimal(str(result["answer"]["points"])) for result in results]
    assert told == [sum(steps[: index + 1]) for index in range(100)]
    assert any_world.get(f"/v1/passes/{made['id']}").get_json()["points"] == float(sum(steps))
