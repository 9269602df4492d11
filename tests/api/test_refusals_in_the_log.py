"""The log says why a request was refused: the code, the fields that were wrong, the operation; never what was sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from app import logs
from tests.world import MEMBERSHIP, World

SENT = "ada@example.com"


@pytest.fixture(autouse=True)
def logged_at_info() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    logs.configure("INFO")
    yield
    root.setLevel(level)


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    line: dict[str, Any] = next(line for line in reversed(written) if line["message"] == "request")
    assert SENT not in json.dumps(line)
    return line


@pytest.mark.parametrize(
    ("action", "body", "code", "fields"),
    [
        ("create-pass", {"program_id": MEMBERSHIP, "emial": SENT}, "validation-failed", ["emial"]),
        ("create-pass", {"program_id": MEMBERSHIP, "email": 7, "phone": 8}, "validation-failed", ["email", "phone"]),
        ("create-pass", {"program_id": MEMBERSHIP, SENT: 1}, "validation-failed", ["(no field name)"]),
        ("create-pass", {"program_id": MEMBERSHIP, "fields": {"x": SENT}}, "validation-failed", ["fields.x"]),
        ("update-points", {"points": 1, "change": "add"}, "validation-failed", ["pass_id"]),
        ("create-pass", [SENT], "validation-failed", ["(body)"]),
    ],
)
def test_a_request_that_is_not_understood_names_its_fields(
    world: World, capsys: pytest.CaptureFixture[str], action: str, body: Any, code: str, fields: list[str]
) -> None:
    answer = world.act(action, body)
    line = last_line(capsys)
    assert (line["status"], line["code"], line["fields"]) == (422, code, fields)
    assert line["request_id"] == answer.get_json()["request_id"]


def test_however_many_fields_are_wrong_the_line_is_short(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.act("create-pass", {"program_id": MEMBERSHIP, **{f"field_{number}": 1 for number in range(500)}})
    assert len(last_line(capsys)["fields"]) == 10


def test_what_a_field_is_called_leaks_no_secret(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "whsec_" + "a" * 40
    world.act("create-pass", {"program_id": MEMBERSHIP, secret: 1})
    assert last_line(capsys)["fields"] == ["[redacted]"]


def test_other_refusals_have_their_code(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.get("/v1/nothing")
    assert last_line(capsys)["code"] == "not-found"
    world.get("/v1/me", key="pr_test_nobody")
    assert last_line(capsys)["code"] == "unauthorized"
    world.request("POST", "/v1/actions/create-pass", data="{", headers={"Content-Type": "application/json"})
    assert last_line(capsys)["code"] == "malformed-json"
    world.request("DELETE", "/v1/me")
    assert last_line(capsys)["code"] == "method-not-allowed"
    world.get("/v1/me")
    assert "code" not in last_line(capsys)


def test_a_refused_operation_is_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    answer = world.act("update-points", {"pass_id": "pass_nobody", "change": "add", "points": 1})
    line = last_line(capsys)
    assert line["code"] == "not-found"
    assert line["operation_id"] == answer.get_json()["operation_id"]


def test_a_key_that_was_used_for_something_else_leads_to_that(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    first = world.act("create-pass", {"program_id": MEMBERSHIP}, idempotency_key="k1").get_json()
    answer = world.act("create-pass", {"program_id": MEMBERSHIP, "email": SENT}, idempotency_key="k1").get_json()
    assert (answer["code"], answer["operation_id"]) == ("idempotency-key-reused", first["operation_id"])
    assert last_line(capsys)["operation_id"] == first["operation_id"]


def test_a_batch_tells_why_items_were_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"program_id": MEMBERSHIP}, {"program_id": "prog_nobody"}, {"emial": SENT}]
    assert world.act("create-pass/batch", {"items": items}).get_json()["failed"] == 2
    line = last_line(capsys)
    assert (line["status"], line["codes"]) == (200, ["not-found", "validation-failed"])
    assert "emial" in line["fields"]
