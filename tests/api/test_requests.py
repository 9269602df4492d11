"""Requests that cannot be read are refused in words, and every refusal has the one form."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api import MAX_BODY_BYTES
from tests.world import MEMBERSHIP, World

PATH = "/v1/actions/create-pass"


def send(world: World, body: bytes, content_type: str | None = "application/json") -> TestResponse:
    return world.request("POST", PATH, data=body, content_type=content_type)


def code_of(answer: TestResponse) -> tuple[int, str]:
    problem: dict[str, Any] = answer.get_json()
    assert answer.content_type == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "retryable", "request_id"} <= set(problem)
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"https://pass.example.com/docs/errors/{problem['code']}"
    assert answer.headers["X-Request-ID"] == problem["request_id"]
    assert problem["instance"] == f"urn:passrail:{problem['request_id']}"
    return answer.status_code, problem["code"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'program_id': 'x'}",
        b'{"program_id": "x",}',
        b'{"program_id": "x"} {}',
        b'{"points": NaN}',
        b'{"points": -Infinity}',
        b'{"first_name": "\xff"}',
        b'{"first_name": "a\nb"}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000 + b"]" * 0,
        b'{"points": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_is_no_json_is_refused(shared_world: World, body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        body = body[: MAX_BODY_BYTES - 1]
    assert code_of(send(shared_world, body)) == (400, "malformed-json")


def test_the_place_of_the_mistake_is_told(shared_world: World) -> None:
    answer = send(shared_world, b'{"program_id": "x",\n "email": }')
    assert "line 2, column 11" in answer.get_json()["detail"]


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true"])
def test_json_that_is_no_object_is_refused(shared_world: World, body: bytes) -> None:
    answer = send(shared_world, body)
    assert code_of(answer) == (422, "validation-failed")
    assert "curly brackets" in answer.get_json()["detail"]


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_a_body_not_declared_as_json_is_refused(shared_world: World, content_type: str | None) -> None:
    body = f'{{"program_id": "{MEMBERSHIP}"}}'.encode()
    assert code_of(send(shared_world, body, content_type)) == (415, "unsupported-media-type")
    assert send(shared_world, body, "application/json; charset=utf-8").status_code == 200


def test_a_body_of_64_kb_is_read_and_a_larger_one_refused(world: World) -> None:
    start = f'{{"program_id": "{MEMBERSHIP}"}}'.encode()
    assert send(world, start.ljust(MAX_BODY_BYTES)).status_code == 200
    assert code_of(send(world, start.ljust(MAX_BODY_BYTES + 1))) == (413, "payload-too-large")


def test_an_address_that_is_not_there_is_a_problem_too(shared_world: World) -> None:
    for path in ("/v1/nothing", "/v1/actions/explode-pass", "/v1/passes/a%20b", "/v1/passes/" + "x" * 65):
        assert code_of(shared_world.get(path)) == (404, "not-found")


def test_a_wrong_method_is_told_the_right_ones(shared_world: World) -> None:
    answer = shared_world.request("DELETE", f"/v1/programs/{MEMBERSHIP}")
    assert code_of(answer) == (405, "method-not-allowed")
    assert {"GET", "PATCH"} <= set(answer.headers["Allow"].split(", "))
    assert answer.get_json()["detail"].startswith("DELETE does not work here. Use one of: GET")


def test_all_wrong_fields_are_listed_and_the_first_are_named_in_the_sentence(shared_world: World) -> None:
    body = {"program_id": MEMBERSHIP, "email": "x", "points": -1, "expires_at": "x", "phone": 5, "nonsense": 1}
    problem = shared_world.act("create-pass", body).get_json()
    fields = {error["field"] for error in problem["errors"]}
    assert fields == {"email", "points", "expires_at", "phone", "nonsense"}
    assert problem["detail"].startswith("5 fields are not right: ")
    assert problem["detail"].endswith(" And 2 more.")


def test_an_unknown_query_parameter_is_refused(shared_world: World) -> None:
    answer = shared_world.get("/v1/passes", query_string={"stauts": "active"})
    assert code_of(answer) == (422, "validation-failed")
    assert answer.get_json()["errors"][0]["field"] == "stauts"


def test_half_a_character_is_no_text_in_names_and_values_alike(shared_world: World) -> None:
    for body in (rb'{"\ud800": 1}', rb'{"first_name": "\udfff"}', rb'{"fields": {"a": "\ud83d"}}'):
        assert code_of(send(shared_world, body)) == (400, "malformed-json")
    whole = rb'{"program_id": "prog_demo_membership", "first_name": "\ud83c\udf9f"}'
    assert send(shared_world, whole).get_json()["first_name"] == "🎟"


def test_field_names_of_any_kind_come_back_in_the_problem(shared_world: World) -> None:
    answer = send(shared_world, '{"<b>é\\u0000🎟</b>": 1, "program_id": "x"}'.encode())
    assert code_of(answer) == (422, "validation-failed")
    assert answer.get_json()["errors"][0]["field"] == "<b>é\x00🎟</b>"


def test_an_unexpected_failure_is_a_problem_without_details(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr("app.api.passes.pass_lists.page", broken)
    answer = world.get("/v1/passes")
    assert code_of(answer) == (500, "internal")
    assert "secret" not in answer.text
