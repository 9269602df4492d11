"""The runner itself: forms, requests, pages, errors, and that it knows nothing it was not told."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.make.conftest import ADDRESS, Listener
from tests.make.iml.communication import ModuleError, perform
from tests.make.iml.forms import ERASE, Mapped, Refused, fill_in
from tests.make.iml.interface import differences
from tests.make.iml.project import read_jsonc
from tests.make.iml.values import Unknown
from tests.make.iml.wire import SANITIZED, Wire

OPTIONS = [{"label": "A", "value": "a"}]
FORM: list[Any] = [
    {"name": "text", "type": "text", "required": True, "validate": {"max": 3, "pattern": "^[a-z]+$"}},
    {"name": "number", "type": "number", "validate": {"min": 0, "max": 10}},
    {"name": "choice", "type": "select", "options": OPTIONS, "default": "a"},
    {"name": "date", "type": "date"},
    {"name": "program", "type": "select", "options": {"store": "rpc://programs?kind=x", "nested": [
        {"name": "fields", "type": "collection", "spec": ["rpc://fields"]}]}},
]  # fmt: skip


def rpc(name: str, given: Any) -> list[Any]:
    assert given.get("kind") == "x" if name == "programs" else given["program"] == "p1"
    return [{"label": "P", "value": "p1"}] if name == "programs" else [{"name": "seat", "type": "text"}]


def fill(may_erase: bool = True, **given: Any) -> dict[str, Any]:
    return fill_in(FORM, given, rpc, may_erase=may_erase)


def test_what_is_not_filled_in_is_undefined_and_defaults_are_there() -> None:
    assert fill(text="abc") == {"text": "abc", "choice": "a"}
    assert fill(text="abc", number="") == {"text": "abc", "choice": "a"}


def test_nested_fields_come_from_the_rpc_of_what_was_chosen() -> None:
    assert fill(text="a", program="p1", fields={"seat": "12"})["fields"] == {"seat": "12"}
    assert fill(text="a", program=Mapped("p1"))["program"] == "p1"


def test_erase_is_null() -> None:
    assert fill(text="a", number=ERASE)["number"] is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"text": ""},
        {"text": "abcd"},
        {"text": "ABC"},
        {"text": 1},
        {"text": ERASE},
        {"text": "a", "number": "1"},
        {"text": "a", "number": 11},
        {"text": "a", "number": True},
        {"text": "a", "choice": "b"},
        {"text": "a", "date": "2026-01-01"},
        {"text": "a", "unknown": 1},
        {"text": "a", "program": "p2"},
        {"text": "a", "fields": {}},
        {"text": "a", "program": "p1", "fields": {"row": "1"}},
    ],
)
def test_a_form_refuses(given: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        fill(**given)


def test_only_modules_that_update_can_erase() -> None:
    with pytest.raises(Refused):
        fill(may_erase=False, text="a", number=ERASE)


@pytest.mark.parametrize(
    "parameter", [{"name": "a", "type": "secret"}, {"name": "a", "type": "text", "placeholder": "x"},
                  {"name": "a", "type": "text", "validate": {"enum": []}}]
)  # fmt: skip
def test_an_unknown_kind_of_parameter_raises(parameter: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        fill_in([parameter], {"a": "x"}, rpc, may_erase=False)


def pages(path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
    page = int(path.partition("cursor=")[2] or 0)
    data = [{"id": page * 2}, {"id": page * 2 + 1}]
    return 200, "application/json", json.dumps({"data": data, "next": page + 1 if page < 2 else None}).encode()


def listing(**more: Any) -> dict[str, Any]:
    return {
        "url": ADDRESS + "/things", "method": "GET", "qs": {"size": 2, "none": "{{parameters.none}}"},
        "response": {"iterate": "{{body.data}}", "output": "{{item.id}}", "limit": "{{parameters.limit}}"},
        "pagination": {"condition": "{{body.next}}", "qs": {"cursor": "{{body.next}}"}}, **more,
    }  # fmt: skip


def run(listener: Listener, communication: dict[str, Any], **parameters: Any) -> list[Any]:
    return perform(communication, {"parameters": parameters}, Wire({ADDRESS: f"http://{listener.host}"})).bundles


def test_pages_are_followed_up_to_the_limit(stranger: Listener) -> None:
    stranger.answer = pages
    assert run(stranger, listing()) == [0, 1, 2, 3, 4, 5]
    assert run(stranger, listing(), limit=3) == [0, 1, 2]
    assert len(stranger.got) == 3 + 2


def test_items_are_filtered(stranger: Listener) -> None:
    stranger.answer = pages
    response = {"iterate": {"container": "{{body.data}}", "condition": "{{item.id > 2}}"}, "output": "{{item.id}}"}
    assert run(stranger, listing(response=response)) == [3, 4, 5]


def test_pages_end_at_fifty(stranger: Listener) -> None:
    stranger.answer = lambda path, headers, body: (200, "application/json", b'{"data": [{"id": 1}], "next": 1}')
    assert len(run(stranger, listing())) == 50


@pytest.mark.parametrize(
    "more", [{"repeat": {}}, {"response": {"wrapper": "x"}}, {"type": "multipart/form-data"},
             {"pagination": {"condition": True, "url": "/x"}}]
)  # fmt: skip
def test_an_unknown_directive_raises(stranger: Listener, more: dict[str, Any]) -> None:
    stranger.answer = pages
    communication = {"url": ADDRESS, "method": "POST", "body": {}, **more}
    with pytest.raises(Unknown):
        run(stranger, communication)


ERRORS = {
    "url": ADDRESS,
    "method": "GET",
    "response": {
        "type": {"400-499": "json", "*": "automatic"},
        "error": {
            "type": "RuntimeError",
            "message": "{{ifempty(body.detail, 'No reason.')}}",
            "404": {"type": "DataError", "message": "[{{statusCode}}] {{body.detail}}"},
        },
    },
}


@pytest.mark.parametrize(
    ("status", "kind", "body", "expected"),
    [
        (404, "application/problem+json", b'{"detail": "Gone."}', "DataError: [404] Gone."),
        (410, "application/problem+json", b'{"detail": "Gone."}', "RuntimeError: Gone."),
        (410, "text/html", b"<p>", "RuntimeError: No reason."),
        # Make is not known to take this type for JSON, unless it is told to.
        (500, "application/problem+json", b'{"detail": "Gone."}', "RuntimeError: No reason."),
        (500, "application/json", b'{"detail": "Gone."}', "RuntimeError: Gone."),
    ],
)
def test_an_error_is_chosen_by_status(stranger: Listener, status: int, kind: str, body: bytes, expected: str) -> None:
    stranger.answer = lambda path, headers, sent: (status, kind, body)
    with pytest.raises(ModuleError) as caught:
        run(stranger, ERRORS)
    assert str(caught.value) == expected


def test_an_error_type_that_make_does_not_have_raises() -> None:
    with pytest.raises(Unknown):
        ModuleError("PaymentError", "")


def test_an_answer_that_is_not_valid_is_an_error(stranger: Listener) -> None:
    valid = {"condition": "{{if(body.id, true, false)}}", "message": "No ID.", "type": "DataError"}
    with pytest.raises(ModuleError, match=r"DataError: No ID\."):
        run(stranger, {"url": ADDRESS, "method": "GET", "response": {"valid": valid}})


def test_a_condition_that_is_not_met_sends_nothing(stranger: Listener) -> None:
    condition = {"condition": "{{if(parameters.id, true, false)}}", "default": []}
    assert run(stranger, {"url": ADDRESS, "method": "GET", "condition": condition}) == []
    assert stranger.got == []


def test_another_host_is_not_reached(stranger: Listener) -> None:
    with pytest.raises(requests.ConnectionError):
        run(stranger, {"url": "https://evil.example/x", "method": "GET"})


def test_what_shall_be_sanitised_is_not_in_the_log(stranger: Listener) -> None:
    stranger.answer = lambda path, headers, body: (200, "application/json", b'{"secret": "s3cret", "id": 1}')
    wire = Wire({ADDRESS: f"http://{stranger.host}"})
    communication = {
        "url": ADDRESS, "method": "GET", "headers": {"authorization": "Bearer k3y"},
        "log": {"sanitize": ["request.headers.authorization", "response.body.secret", "response.body.not.there"]},
    }  # fmt: skip
    perform(communication, {}, wire)
    assert stranger.got[0][1]["authorization"] == "Bearer k3y"
    assert SANITIZED in str(wire.log)
    assert "s3cret" not in str(wire.log)
    assert "k3y" not in str(wire.log)


def test_an_interface_is_held_against_a_bundle() -> None:
    interface: list[dict[str, Any]] = [
        {"name": "a", "type": "text"},
        {"name": "when", "type": "date"},
        {"name": "tags", "type": "array", "spec": {"type": "text"}},
        {"name": "in", "type": "collection", "spec": [{"name": "n", "type": "number"}]},
    ]
    right = {"a": "x", "when": "2026-11-20T09:30:00.000Z", "tags": ["t"], "in": {"n": 1}}
    assert list(differences(right, interface)) == []
    wrong = {"a": 1, "when": "yesterday", "tags": [1], "in": {"m": 1}, "more": 1}
    assert len(list(differences(wrong, interface))) == 6
    with pytest.raises(Unknown):
        list(differences({"a": 1}, [{"name": "a", "type": "secret"}]))


def test_comments_are_read_over() -> None:
    assert read_jsonc('{ // one\n "a": "http://x", /* two */ "b": "/* no */" }') == {"a": "http://x", "b": "/* no */"}
