"""A pass that was made at the remote issuer is found by program and external ID, by whatever names it first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.issuers.memory import Failure
from tests.sync.conftest import Connected

ACTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("update-pass", "club", {"first_name": "Grace"}),
    ("update-points", "club", {"change": "add", "points": 5}),
    ("change-tier", "club", {"tier_id": "green"}),
    ("redeem-pass", "campaign", {}),
    ("revoke-pass", "club", {}),
]
KIND_OF = {"club": "membership", "campaign": "coupon"}


@pytest.mark.parametrize(("action", "place", "values"), ACTIONS)
def test_an_action_finds_it(connected: Connected, action: str, place: str, values: dict[str, Any]) -> None:
    points = Decimal(20) if place == "club" else None
    connected.server.enrol(place, "c-7", points=points, holder={"first_name": "Ada"})
    body = {"program_id": connected.program_id(KIND_OF[place]), "external_id": "c-7", **values}
    answer = connected.world.act(action, body)
    assert answer.status_code == 200, answer.text
    told = answer.get_json()
    assert told["first_name"] == values.get("first_name", "Ada")
    assert told["points"] == (None if points is None else points + values.get("points", 0))
    assert "pass.created" not in [one["type"] for one in connected.world.events()]
    assert len(connected.server.records) == 1


def test_creating_it_answers_with_it(connected: Connected) -> None:
    record = connected.server.enrol("club", "c-7", points=Decimal(20))
    body = {"program_id": connected.program_id(), "external_id": "c-7"}
    told = connected.world.act("create-pass", body).get_json()
    assert (told["created"], told["points"]) == (False, 20)
    assert list(connected.server.records) == [record.id]


def test_a_list_that_asks_for_exactly_it_finds_it(connected: Connected) -> None:
    connected.server.enrol("club", "c-7", points=Decimal(20))
    query = {"program_id": connected.program_id(), "external_id": "c-7"}
    [found] = connected.world.get("/v1/passes", query_string=query).get_json()["data"]
    assert found["points"] == 20
    connected.asked()
    [again] = connected.world.get("/v1/passes", query_string=query).get_json()["data"]
    assert (again["id"], connected.asked()) == (found["id"], [])


def test_nobody_is_found_by_an_external_id_that_is_nobodys(connected: Connected) -> None:
    query = {"program_id": connected.program_id(), "external_id": "nobody"}
    assert connected.world.get("/v1/passes", query_string=query).get_json()["data"] == []
    answer = connected.world.act("update-points", {**query, "change": "add", "points": 5})
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not-found")


def test_by_email_only_passes_on_record_are_found(connected: Connected) -> None:
    connected.server.enrol("club", "c-7", holder={"email": "ada@example.com"})
    query = {"program_id": connected.program_id(), "email": "ada@example.com"}
    connected.asked()
    assert connected.world.get("/v1/passes", query_string=query).get_json()["data"] == []
    answer = connected.world.act("update-points", {**query, "change": "add", "points": 5})
    assert answer.get_json()["code"] == "not-found"
    assert "find" not in connected.asked()


def test_an_issuer_that_cannot_be_asked_is_told_and_nothing_is_made_up(connected: Connected) -> None:
    connected.server.enrol("club", "c-7")
    query = {"program_id": connected.program_id(), "external_id": "c-7"}
    connected.server.fail(Failure.AWAY, "find", times=2)
    assert connected.world.get("/v1/passes", query_string=query).status_code == 503
    answer = connected.world.act("update-points", {**query, "change": "add", "points": 5})
    assert answer.get_json()["code"] == "upstream-unavailable"
    assert connected.world.act("update-points", {**query, "change": "add", "points": 5}).status_code == 200
