"""Every module, RPC and the connection, run against the real service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from app.accounts import keys
from app.model import system_clock
from tests.make.conftest import ADDRESS, Listener, Service
from tests.make.iml.communication import ModuleError
from tests.make.iml.forms import ERASE, Mapped, Refused
from tests.make.iml.interface import differences
from tests.make.iml.project import Project
from tests.make.iml.runner import Runner
from tests.make.iml.wire import SANITIZED, Wire
from tests.world import BRONZE, COUPON, GOLD, MEMBERSHIP, TICKET

OPENAPI = json.loads((Path(__file__).parents[2] / "openapi/openapi.json").read_text(encoding="utf-8"))
PROBLEMS = [one["value"] for one in OPENAPI["components"]["examples"].values()]
NEW_YEAR = datetime(2028, 1, 1, tzinfo=UTC)
_numbers = count(1)

# What a scenario does about each kind of error: try again later, switch off, or show it.
BY_STATUS = {
    400: "DataError",
    401: "InvalidAccessTokenError",
    403: "InvalidAccessTokenError",
    404: "DataError",
    405: "DataError",
    408: "ConnectionError",
    409: "DuplicateDataError",
    413: "DataError",
    415: "DataError",
    422: "DataError",
    424: "ConnectionError",
    429: "RateLimitError",
    500: "ConnectionError",
    503: "ConnectionError",
    504: "ConnectionError",
}


def fresh() -> str:
    """Return an external ID nobody has."""
    return f"customer-{next(_numbers)}"


def issue(user: Runner, program: str = MEMBERSHIP, **values: Any) -> Any:
    """Issue a pass."""
    return user.one("createPass", {"programId": program, **values})


@pytest.fixture
def member(user: Runner) -> Any:
    """A pass of a membership with 20 points."""
    return issue(user, externalId=fresh(), email="ada@example.com", points=20)


def error_of(user: Runner, module: str, given: dict[str, Any]) -> ModuleError:
    """Run a module that must fail."""
    with pytest.raises(ModuleError) as caught:
        user.run(module, given)
    return caught.value


# The connection


def test_a_connection_shows_account_and_mode(service: Service) -> None:
    runner = Runner(Wire({ADDRESS: service.url}))
    assert runner.connect({"baseUrl": ADDRESS, "apiKey": service.world.key}) == "demo (test mode)"


def connection_error(runner: Runner, key: str) -> ModuleError:
    with pytest.raises(ModuleError) as caught:
        runner.connect({"baseUrl": ADDRESS, "apiKey": key})
    return caught.value


def test_a_bad_key_a_revoked_key_and_a_key_that_may_not_read_each_have_a_message(service: Service) -> None:
    runner, world = Runner(Wire({ADDRESS: service.url})), service.world
    revoked = world.make_key()
    with world.service.store.write() as connection:
        caller = world.service.keys.verify(revoked)
        keys.revoke_key(connection, caller.key_id, system_clock())
    said = [
        connection_error(runner, "not a key"),
        connection_error(runner, world.key[:-1] + ("a" if world.key[-1] != "a" else "b")),
        connection_error(runner, revoked),
        connection_error(runner, world.make_key(scopes=("write",))),
    ]
    assert {one.kind for one in said} == {"InvalidAccessTokenError"}
    assert said[0].message == said[1].message
    assert len({one.message for one in said}) == 3
    assert "typing error" in said[0].message
    assert "revoked" in said[2].message
    assert "'read'" in said[3].message


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [(200, "text/html", "InvalidConfigurationError"), (200, "application/json", "InvalidConfigurationError"),
     (404, "text/html", "InvalidConfigurationError"), (502, "text/html", "ConnectionError"),
     (401, "text/html", "InvalidAccessTokenError")],
)  # fmt: skip
def test_a_wrong_address_says_so(
    connected_to_stranger: Runner, stranger: Listener, status: int, kind: str, expected: str
) -> None:
    stranger.answer = lambda path, headers, body: (status, kind, b"{}")
    error = connection_error(connected_to_stranger, "pr_test_x")
    assert error.kind == expected
    assert "address" in error.message


def test_an_address_where_nobody_is_fails_as_make_itself_says() -> None:
    with pytest.raises(requests.ConnectionError):
        Runner(Wire({ADDRESS: "http://127.0.0.1:9"})).connect({"baseUrl": ADDRESS, "apiKey": "pr_test_x"})


@pytest.mark.parametrize(
    "address", ["http://a.example", "https://a.example/v1", "https://a.example/", "https://a@b", ""]
)
def test_the_form_refuses_what_is_no_plain_https_address(service: Service, address: str) -> None:
    with pytest.raises(Refused):
        Runner(Wire({})).connect({"baseUrl": address, "apiKey": "x"})


# Passes


def test_a_pass_is_created_with_everything(user: Runner, service: Service) -> None:
    external_id = fresh()
    made = issue(
        user, tierId=GOLD, fields={"member_since": "2026"}, externalId=external_id, email="ada@example.com",
        firstName="Ada", lastName="Lovelace", phone="+44 20 7946 0000", points=12.5, expiresAt=NEW_YEAR,
        uniqueEventId=fresh(), ifExists="error",
    )  # fmt: skip
    assert made["tier_id"] == GOLD
    assert made["fields"] == {"member_since": "2026"}
    assert made["points"] == 12.5
    assert made["expires_at"] == "2028-01-01T00:00:00.000Z"
    assert made["created"] is True


def test_a_pass_is_created_with_the_program_alone(user: Runner) -> None:
    made = issue(user)
    assert made["tier_id"] == BRONZE
    assert made["email"] is None


def test_a_blank_field_is_left_alone_and_erase_clears(user: Runner, member: Any) -> None:
    changed = user.one("updatePass", {"passId": member["id"], "firstName": "Ada", "phone": "", "expiresAt": NEW_YEAR})
    assert changed["changed"] == ["first_name", "expires_at"]
    assert changed["email"] == "ada@example.com"
    cleared = user.one("updatePass", {"passId": member["id"], "firstName": ERASE, "email": ERASE, "expiresAt": ERASE})
    assert (cleared["first_name"], cleared["email"], cleared["expires_at"]) == (None, None, None)


def test_custom_fields_are_those_of_the_program(user: Runner) -> None:
    ticket = issue(user, TICKET, fields={"seat": "A12"})
    changed = user.one(
        "updatePass", {"passId": ticket["id"], "programId": TICKET, "fields": {"doors_open": "19:00", "seat": ERASE}}
    )
    assert changed["fields"] == {"doors_open": "19:00"}
    with pytest.raises(Refused):
        issue(user, TICKET, fields={"member_since": "2026"})


def test_a_required_custom_field_is_required_to_create_but_not_to_update(user: Runner, service: Service) -> None:
    field = {"name": "code", "required": True, "type": "number"}
    program = service.call("POST", "/v1/programs", {"kind": "coupon", "name": fresh(), "fields": [field]})["id"]
    with pytest.raises(Refused, match="code is required"):
        issue(user, program, fields={})
    made = issue(user, program, fields={"code": "7"})
    user.one("updatePass", {"passId": made["id"], "programId": program, "fields": {}})
    assert user.rpc("listCustomFields", {"programId": program})[0]["help"] == "A number."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"change": "add", "points": 5}, 25),
        ({"change": "subtract", "points": 5.5}, 14.5),
        ({"change": "set", "points": 0}, 0),
        ({"change": "add", "amount": 49.9, "pointsPerUnit": 2}, 119),
        ({"change": "subtract", "points": 25, "allowNegative": True, "reason": "Refund"}, -5),
    ],
)
def test_points_are_updated(user: Runner, member: Any, given: dict[str, Any], expected: float) -> None:
    changed = user.one("updatePoints", {"passId": member["id"], **given})
    assert changed["points"] == expected
    assert changed["points_before"] == 20


def test_a_module_run_again_with_the_same_unique_event_id_adds_points_once(user: Runner, member: Any) -> None:
    given = {"passId": member["id"], "change": "add", "points": 5, "uniqueEventId": fresh()}
    first, again = user.one("updatePoints", given), user.one("updatePoints", given)
    assert first == again
    assert user.one("getPass", {"passId": member["id"]})["points"] == 25
    user.one("updatePoints", {**given, "uniqueEventId": fresh()})
    assert user.one("getPass", {"passId": member["id"]})["points"] == 30


@pytest.mark.parametrize(
    ("module", "program", "given"),
    [
        ("createPass", None, {"programId": MEMBERSHIP}),
        ("updatePass", MEMBERSHIP, {"firstName": "Grace"}),
        ("updatePoints", MEMBERSHIP, {"change": "add", "points": 5}),
        ("changeTier", MEMBERSHIP, {"programId": MEMBERSHIP, "tierId": GOLD}),
        ("redeemPass", COUPON, {"reference": "receipt-77"}),
        ("revokePass", MEMBERSHIP, {}),
        ("reinstatePass", MEMBERSHIP, {}),
    ],
)
def test_every_write_module_run_again_does_nothing_twice(
    user: Runner, service: Service, module: str, program: str | None, given: dict[str, Any]
) -> None:
    named = {"passId": issue(user, program)["id"]} if program else {}
    given = {**named, **given, "uniqueEventId": fresh()}
    first = user.one(module, given)
    events = service.call("GET", "/v1/events?limit=5")
    assert user.one(module, given) == first
    assert service.call("GET", "/v1/events?limit=5") == events


def test_a_pass_is_named_by_external_id_or_by_email(user: Runner) -> None:
    external_id, email = fresh(), f"{fresh()}@example.com"
    made = issue(user, externalId=external_id, email=email)
    named: list[dict[str, Any]] = [{"externalId": external_id}, {"email": email}]
    for one in named:
        assert (
            user.one("updatePoints", {"programId": MEMBERSHIP, **one, "change": "add", "points": 1})["id"] == made["id"]
        )


def test_a_tier_is_changed(user: Runner, member: Any) -> None:
    changed = user.one(
        "changeTier", {"programId": MEMBERSHIP, "tierId": GOLD, "passId": member["id"], "reason": "Spent"}
    )
    assert (changed["tier_id"], changed["tier_before"]) == (GOLD, BRONZE)


def test_a_coupon_is_redeemed_once(user: Runner) -> None:
    coupon = issue(user, COUPON)
    done = user.one("redeemPass", {"passId": coupon["id"], "reference": "receipt-77", "amount": 49.9})
    assert (done["status"], done["reference"], done["amount"]) == ("redeemed", "receipt-77", 49.9)
    error = error_of(user, "redeemPass", {"passId": coupon["id"]})
    assert error.kind == "DuplicateDataError"
    assert error.message.startswith("[409] This coupon was redeemed on ")


def test_a_pass_is_revoked_and_reinstated(user: Runner, member: Any) -> None:
    assert user.one("revokePass", {"passId": member["id"], "reason": "Refund"})["status"] == "revoked"
    back = user.one("reinstatePass", {"passId": member["id"], "expiresAt": NEW_YEAR, "reason": "Mistake"})
    assert (back["status"], back["expires_at"]) == ("active", "2028-01-01T00:00:00.000Z")
    gone = user.one("revokePass", {"passId": member["id"], "permanent": True})
    assert (gone["status"], gone["email"]) == ("revoked", None)


# Reading


def test_a_pass_and_the_operation_that_made_it_are_got(user: Runner, member: Any) -> None:
    found = user.one("getPass", {"passId": member["id"]})
    assert found == {name: value for name, value in member.items() if name in found}
    operation = user.one("getOperation", {"operationId": member["operation_id"]})
    assert (operation["action"], operation["status"], operation["answer"]["id"]) == (
        "create-pass", "succeeded", member["id"],
    )  # fmt: skip


@pytest.mark.parametrize(("module", "field"), [("getPass", "passId"), ("getOperation", "operationId")])
def test_what_does_not_exist_is_a_data_error(user: Runner, module: str, field: str) -> None:
    assert error_of(user, module, {field: "nothing_1"}).kind == "DataError"
    with pytest.raises(Refused):
        user.run(module, {field: "../me"})


@pytest.fixture(scope="module")
def many(service: Service) -> str:
    """A program with 250 passes: three pages."""
    program = service.call("POST", "/v1/programs", {"kind": "membership", "name": fresh()})["id"]
    for start in range(0, 250, 50):
        items = [{"program_id": program, "external_id": f"n-{n}"} for n in range(start, start + 50)]
        service.call("POST", "/v1/actions/create-pass/batch", {"items": items})
    return str(program)


@pytest.mark.parametrize(
    ("limit", "expected"), [({}, 10), ({"limit": 1}, 1), ({"limit": 150}, 150), ({"limit": 900}, 250)]
)
def test_a_search_goes_over_as_many_pages_as_its_limit_needs(
    user: Runner, many: str, limit: dict[str, int], expected: int
) -> None:
    found = user.run("searchPasses", {"programId": many, **limit})
    assert len({one["id"] for one in found}) == expected


def test_a_search_filters(user: Runner) -> None:
    external_id, email = fresh(), f"{fresh()}@example.com"
    made = issue(user, externalId=external_id, email=email, tierId=GOLD)
    everything = {
        "programId": MEMBERSHIP, "tierId": GOLD, "externalId": external_id, "email": email, "status": "active",
        "installState": "issued", "updatedSince": datetime(2026, 1, 1, tzinfo=UTC), "limit": 5,
    }  # fmt: skip
    assert [one["id"] for one in user.run("searchPasses", everything)] == [made["id"]]
    assert user.run("searchPasses", {**everything, "status": "revoked"}) == []
    assert user.run("searchPasses", {**everything, "updatedSince": NEW_YEAR}) == []


def test_programs_are_listed(user: Runner) -> None:
    found = user.run("listPrograms", {"limit": 100})
    assert {MEMBERSHIP, COUPON, TICKET} <= {one["id"] for one in found}
    assert len(user.run("listPrograms", {"limit": 1})) == 1


# The universal module


def test_any_call_can_be_made(user: Runner) -> None:
    got = user.one("makeApiCall", {"url": "/v1/passes", "method": "GET", "qs": [{"key": "limit", "value": "1"}]})
    assert got["statusCode"] == 200
    assert len(got["body"]["data"]) == 1
    assert got["headers"]["content-type"] == "application/json"
    body = json.dumps({"program_id": MEMBERSHIP, "first_name": "Ada"})
    key = [{"key": "content-type", "value": "application/json"}, {"key": "Idempotency-Key", "value": fresh()}]
    posted = [
        user.one("makeApiCall", {"url": "/v1/actions/create-pass", "method": "POST", "headers": key, "body": body})
        for _ in range(2)
    ]
    assert posted[0]["body"]["first_name"] == "Ada"
    assert posted[0]["body"] == posted[1]["body"]


def test_a_refused_call_ends_with_the_error(user: Runner) -> None:
    error = error_of(user, "makeApiCall", {"url": "/v1/passes/nothing", "method": "GET"})
    assert (error.kind, error.message[:5]) == ("DataError", "[404]")


@pytest.mark.parametrize(
    "address", ["https://evil.example/v1/me", "//evil.example/v1/me", "@evil.example/", ".evil.example/", "v1/me"]
)
def test_an_address_cannot_be_called(user: Runner, address: str) -> None:
    with pytest.raises(Refused):
        user.run("makeApiCall", {"url": address, "method": "GET"})


@pytest.mark.parametrize(
    "address", ["https://evil.example/v1/me", "//evil.example/me", "@evil.example/", ".evil.example/"]
)
def test_even_a_mapped_address_stays_with_the_service(user: Runner, address: str) -> None:
    before = len(user.wire.log)
    with pytest.raises(ModuleError):
        user.run("makeApiCall", {"url": Mapped(address), "method": "GET"})
    (entry,) = user.wire.log[before:]
    assert entry["request"]["url"].startswith(f"{ADDRESS}/")


# RPCs


def test_programs_tiers_and_custom_fields_can_be_chosen(user: Runner, many: str) -> None:
    programs = user.rpc("listPrograms", {})
    assert {"label": "Rosewater Club", "value": MEMBERSHIP} in programs
    memberships = user.rpc("listPrograms", {"kind": "membership"})
    assert MEMBERSHIP in {one["value"] for one in memberships}
    assert COUPON not in {one["value"] for one in memberships}
    assert [one["label"] for one in user.rpc("listTiers", {"programId": MEMBERSHIP})] == ["Bronze", "Silver", "Gold"]
    (field,) = user.rpc("listCustomFields", {"programId": MEMBERSHIP})
    assert field == {
        "name": "member_since",
        "label": "Member since",
        "type": "text",
        "required": False,
        "help": "Text.",
    }


def test_without_a_program_there_is_nothing_to_choose_and_nothing_is_asked(user: Runner) -> None:
    before = len(user.wire.log)
    assert user.rpc("listTiers", {}) == user.rpc("listCustomFields", {}) == []
    assert len(user.wire.log) == before


# Interfaces and samples


def bundles(user: Runner) -> Iterator[tuple[str, Any]]:
    """Run every module but the trigger once."""
    member = issue(
        user, externalId=fresh(), email="ada@example.com", expiresAt=NEW_YEAR, fields={"member_since": "2026"}
    )
    named = {"passId": member["id"]}
    yield "createPass", member
    yield "getPass", user.one("getPass", named)
    yield "searchPasses", user.run("searchPasses")[0]
    yield "updatePass", user.one("updatePass", {**named, "firstName": "Ada"})
    yield "updatePoints", user.one("updatePoints", {**named, "change": "add", "points": 1})
    yield "changeTier", user.one("changeTier", {**named, "programId": MEMBERSHIP, "tierId": GOLD})
    yield "redeemPass", user.one("redeemPass", {"passId": issue(user, COUPON)["id"], "amount": 1})
    yield "revokePass", user.one("revokePass", named)
    yield "reinstatePass", user.one("reinstatePass", named)
    yield "listPrograms", user.run("listPrograms")[0]
    yield "getOperation", user.one("getOperation", {"operationId": member["operation_id"]})
    refused = error_of(
        user, "createPass", {"programId": Mapped(MEMBERSHIP), "points": 1, "externalId": "simulate_rejected"}
    )
    assert refused.kind == "DataError"
    yield "makeApiCall", user.one("makeApiCall", {"url": "/v1/me", "method": "GET"})


def test_every_module_puts_out_what_its_interface_says(user: Runner, project: Project) -> None:
    found = dict(bundles(user))
    assert found.keys() == project.components("module").keys() - {"watchPassEvents"}
    wrong = {
        name: list(differences(bundle, project.component("module", name).code["interface"]))
        for name, bundle in found.items()
    }
    assert {name: said for name, said in wrong.items() if said} == {}


def test_every_sample_fits_its_interface(project: Project) -> None:
    for module in project.components("module").values():
        assert list(differences(module.code["samples"], module.code["interface"])) == [], module.id


# Errors

WRITE = ("createPass", "updatePass", "updatePoints", "changeTier", "redeemPass", "revokePass", "reinstatePass")
FILLED: dict[str, dict[str, Any]] = {
    "createPass": {"programId": Mapped("prog_1")},
    "changeTier": {"programId": Mapped("prog_1"), "tierId": Mapped("tier_1")},
    "updatePoints": {"change": "add", "points": 1},
    "getPass": {"passId": "pass_1"},
    "getOperation": {"operationId": "op_1"},
    "makeApiCall": {"url": "/v1/me", "method": "GET"},
}


@pytest.mark.parametrize("problem", PROBLEMS, ids=[problem["code"] for problem in PROBLEMS])
def test_every_module_turns_every_problem_into_its_error(
    connected_to_stranger: Runner, stranger: Listener, project: Project, problem: dict[str, Any]
) -> None:
    answer = json.dumps(problem).encode()
    stranger.answer = lambda path, headers, body: (problem["status"], "application/problem+json", answer)
    expected = BY_STATUS[problem["status"]]
    if problem["status"] == 409 and problem["retryable"]:
        expected = "ConnectionError"
    for module in project.components("module").keys() - {"watchPassEvents"}:
        error = error_of(connected_to_stranger, module, FILLED.get(module, {}))
        assert error.kind == expected, module
        assert error.message == f"[{problem['status']}] {problem['detail']}"
        assert problem["retryable"] is (error.kind in ("ConnectionError", "RateLimitError")) or problem["code"] in (
            "internal",
            "upstream-credentials-refused",
        )


@pytest.mark.parametrize("status", [*BY_STATUS, 502])
def test_an_answer_that_is_no_problem_document_has_a_message_too(
    connected_to_stranger: Runner, stranger: Listener, status: int
) -> None:
    stranger.answer = lambda path, headers, body: (status, "text/html", b"<h1>Oops</h1>")
    error = error_of(connected_to_stranger, "getPass", {"passId": "pass_1"})
    assert error.kind == {**BY_STATUS, 502: "ConnectionError"}[status]
    assert len(error.message) > 15


@pytest.mark.parametrize(
    ("external_id", "kind"),
    [("simulate_timeout", "ConnectionError"), ("simulate_rate_limited", "RateLimitError"),
     ("simulate_upstream_down", "ConnectionError"), ("simulate_rejected", "DataError")],
)  # fmt: skip
def test_a_simulated_failure_is_what_it_would_be(user: Runner, external_id: str, kind: str) -> None:
    given = {"programId": MEMBERSHIP, "externalId": external_id, "uniqueEventId": fresh()}
    error = error_of(user, "createPass", given)
    assert error.kind == kind
    if external_id == "simulate_timeout":
        assert user.one("createPass", given)["created"] is True


def test_the_real_service_is_told_apart(user: Runner, service: Service, member: Any) -> None:
    reader = service.user(service.world.make_key(scopes=("read",)))
    assert error_of(reader, "revokePass", {"passId": member["id"]}).kind == "InvalidAccessTokenError"
    assert error_of(user, "updatePoints", {"passId": member["id"], "change": "add"}).kind == "DataError"
    assert (
        error_of(user, "updatePoints", {"passId": member["id"], "change": "subtract", "points": 99}).kind == "DataError"
    )
    duplicate = {"programId": MEMBERSHIP, "externalId": member["external_id"], "ifExists": "error"}
    assert error_of(user, "createPass", duplicate).kind == "DuplicateDataError"


# Logs


def test_no_secret_is_in_the_logs_of_anything(user: Runner, service: Service) -> None:
    made = dict(bundles(user))["createPass"]
    log = json.dumps([entry for entry in user.wire.log if "/actions/" in entry["request"]["url"]])
    assert SANITIZED in log
    assert service.world.key not in json.dumps(user.wire.log)
    assert made["pass_url"] not in log


@pytest.mark.parametrize("module", ["searchPasses", "listPrograms"])
def test_a_search_goes_on_over_empty_pages(connected_to_stranger: Runner, stranger: Listener, module: str) -> None:
    """A page of the API may be empty and name a next one."""

    def answer(path: str, headers: Any, body: Any) -> tuple[int, str, bytes]:
        is_last = "cursor=next" in path
        page = {"data": [{"id": "found"}] if is_last else [], "next_cursor": None if is_last else "next"}
        return 200, "application/json", json.dumps(page).encode()

    stranger.answer = answer
    assert [bundle["id"] for bundle in connected_to_stranger.run(module, {"limit": 10})] == ["found"]
