"""An account, and a mode of it, is a world of its own: made from the description, for every input that names a thing.

A request of one world names things of another one: another account's, and those of the same account's other mode.
Nothing may come of it, nothing may be said of them, and they must be as before. Which inputs there are is read from
the description; one that this module has not decided on fails it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.accounts import keys
from app.actions import ACTIONS
from app.model import Mode
from app.store import operations
from app.store.operations import OperationStatus
from app.store.tables import metadata
from tests.contract import document
from tests.contract.calls import MORE, Call, action_input, call_of, connect, new_pass, with_query
from tests.contract.document import Operation
from tests.contract.problems import complaints
from tests.world import COUPON, MEMBERSHIP, World

DOCUMENT = document.load()
ACTION_IDS = tuple(action.operation_id for action in ACTIONS)
NUMBERS = count(1)
SECRET = "Ulyana-Zarubina"  # stands in everything the foreign worlds hold; no answer to a stranger may have it

ANY_NAME = re.compile(r"(pass|prog|tier|op|evt|hook|dlv|imp)_[0-9a-f]{32}|(own|new|foreign|nobodys)-[0-9]+")
HOLDER = {"first_name": SECRET, "last_name": SECRET, "phone": SECRET}

# Inputs that name nothing: values, limits, words to choose from.
PLAIN = {
    "allow_negative", "also_at_issuer", "amount", "api_key", "api_secret", "background_color", "base_url", "change",
    "dry_run", "ends_cards_by", "event_type", "event_types", "expires_at", "fields", "fields[].name",
    "fields[].required", "fields[].title", "fields[].type", "first_name", "happened", "if_exists", "install_state",
    "issuer", "kind", "label_color", "last_name", "limit", "logo_text", "long_lived_token", "permanent", "phone",
    "points", "points_per_unit", "reason", "reference", "region", "rotate_secret", "since", "status", "target_url",
    "terms", "text_color", "tiers", "tiers[].name", "type", "until", "updated_since",
}  # fmt: skip

GONE = "404, and in a batch an item that failed with it"
EMPTY = "an empty list: nothing of ours fits, and that it exists elsewhere is not told"
OWN = "only things of the caller's own: the same name means nothing in another world"
REFUSED = "422: it must be one of the program's own, and the message lists only those"


@dataclass(frozen=True)
class Foreign:
    """A world that the caller must not reach, and the names of what is in it."""

    title: str
    key: str
    account_id: str
    mode: Mode
    program_id: str
    tier_id: str
    pass_id: str
    external_id: str
    email: str
    operation_id: str
    unknown_operation_id: str
    import_id: str
    event_id: str
    hook_id: str
    delivery_id: str
    coupon_program_id: str


@dataclass(frozen=True)
class Stage:
    """The caller's world and the two that are foreign to it."""

    world: World
    foreign: dict[str, Foreign]


Build = Callable[[World, Foreign], Call]


@pytest.fixture(scope="module")
def stage(shared_world: World) -> Stage:
    """Put something into each world."""
    other_account = _fill(shared_world, "another account", shared_world.make_key(account="other"), Mode.TEST)
    other_mode = _fill(shared_world, "the other mode", shared_world.make_key(mode=Mode.LIVE), Mode.LIVE)
    return Stage(shared_world, {one.title: one for one in (other_account, other_mode)})


def _fill(world: World, title: str, key: str, mode: Mode) -> Foreign:
    program, coupon = (_new_program(world, key, f"{SECRET} {title} {kind}", kind) for kind in ("membership", "coupon"))
    number = next(NUMBERS)
    names = {"external_id": f"foreign-{number}", "email": f"foreign-{number}@example.com"}
    hook = {"target_url": f"https://{SECRET}.example.com/{number}", "event_types": ["*"]}
    hook_id = world.request("POST", "/v1/hooks", key=key, json=hook).get_json()["id"]
    made = _do(world, key, "create-pass", {"program_id": program["id"], **names, **HOLDER})
    return Foreign(
        title=title,
        key=key,
        account_id=world.get("/v1/me", key=key).get_json()["account_id"],
        mode=mode,
        program_id=program["id"],
        tier_id=program["tiers"][0]["id"],
        pass_id=made["id"],
        operation_id=made["operation_id"],
        unknown_operation_id=_new_unknown_operation(world, key, program["id"]),
        import_id=_new_import(world, key),
        event_id=world.get("/v1/events", key=key).get_json()["data"][0]["id"],
        hook_id=hook_id,
        delivery_id=world.get(f"/v1/hooks/{hook_id}/deliveries", key=key).get_json()["data"][0]["id"],
        coupon_program_id=coupon["id"],
        **names,
    )


def _new_program(world: World, key: str, name: str, kind: str) -> dict[str, Any]:
    body = {"kind": kind, "name": name, "terms": SECRET, "fields": [{"name": "member_since", "title": SECRET}]}
    made: dict[str, Any] = world.request("POST", "/v1/programs", key=key, json=body).get_json()
    return made


def _new_unknown_operation(world: World, key: str, program_id: str) -> str:
    """Leave an operation of unknown outcome. Its row is put back by hand: live mode knows no simulated time-out."""
    made = _do(world, key, "create-pass", {"program_id": program_id, **HOLDER})
    operation_id = str(made["operation_id"])
    with world.service.store.write() as connection:
        before = operations.get_any(connection, operation_id)
        assert before is not None
        unknown = replace(before, status=OperationStatus.UNKNOWN, answer=None, finished_at=None)
        operations.save(connection, before, unknown)
    return operation_id


def _new_import(world: World, key: str) -> str:
    connect(world, key=key)
    begun = world.request("POST", "/v1/issuer/import", key=key, json={})
    world.request("DELETE", "/v1/issuer", key=key)
    return str(begun.get_json()["id"])


def _do(world: World, key: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = world.act(action, body, key=key)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.get_json()
    return done


# --- what is tried: one way for every input that names a thing -------------------------------------------------------


def _in_path(operation_id: str, name: str) -> Build:
    def build(world: World, foreign: Foreign) -> Call:
        operation = DOCUMENT.operation(operation_id)
        call = call_of(world, operation)
        words = zip(operation.path.split("/"), call.path.split("/"), strict=True)
        path = "/".join(getattr(foreign, name) if word == f"{{{name}}}" else own for word, own in words)
        return Call(call.method, path, call.json)

    return build


def _in_query(operation_id: str, name: str, attribute: str) -> Build:
    return lambda world, foreign: with_query(
        call_of(world, DOCUMENT.operation(operation_id)), **{name: getattr(foreign, attribute)}
    )


def _own_names(world: World, operation_id: str) -> dict[str, str]:
    made = new_pass(world, COUPON if operation_id == "redeem_pass" else MEMBERSHIP)
    return {"pass_id": made["id"], **{name: made[name] for name in ("program_id", "external_id", "email")}}


def _in_action(operation_id: str, foreign_names: tuple[str, ...], own_names: tuple[str, ...] = ()) -> Build:
    """An action on a pass that is named by things of the foreign world, and perhaps of the own one."""

    def build(world: World, foreign: Foreign) -> Call:
        own = _own_names(world, operation_id)
        body = {
            **MORE.get(operation_id, {}),
            **{name: own[name] for name in own_names},
            **{name: getattr(foreign, name) for name in foreign_names},
        }
        return _act(operation_id, body)

    return build


def _in_own_input(operation_id: str, name: str) -> Build:
    """An action on something of the own world, with one value that is a name in the foreign one."""
    return lambda world, foreign: _act(
        operation_id, {**action_input(world, operation_id), name: getattr(foreign, name)}
    )


def _act(operation_id: str, body: dict[str, Any]) -> Call:
    return Call("POST", DOCUMENT.operation(operation_id).path, body)


def _of_another_pass(build: Build) -> Build:
    """The same with a foreign pass of its own: the caller then has one of the same name, which would disturb others."""

    def build_anew(world: World, foreign: Foreign) -> Call:
        number = next(NUMBERS)
        external_id, email = f"foreign-{number}", f"foreign-{number}@example.com"
        body = {"program_id": foreign.program_id, "external_id": external_id, "email": email, **HOLDER}
        made = _do(world, foreign.key, "create-pass", body)
        return build(world, replace(foreign, pass_id=made["id"], external_id=external_id, email=email))

    return build_anew


def _with_used_key(operation_id: str, *, in_header: bool) -> Build:
    """The action with a key that the foreign world has just used for the same action."""

    def build(world: World, foreign: Foreign) -> Call:
        used = _use_key(world, foreign, operation_id)
        body = action_input(world, operation_id)
        path = DOCUMENT.operation(operation_id).path
        if in_header:
            return Call("POST", path, body, headers={"Idempotency-Key": used})
        return Call("POST", path, {**body, "unique_event_id": used})

    return build


def _use_key(world: World, foreign: Foreign, operation_id: str) -> str:
    key, program_id = f"event-{next(NUMBERS)}", foreign.program_id
    if operation_id == "redeem_pass":
        program_id = foreign.coupon_program_id
    body: dict[str, Any] = {"program_id": program_id, **HOLDER}
    if operation_id != "create_pass":
        made = _do(world, foreign.key, "create-pass", body)
        body = {"pass_id": made["id"], **MORE.get(operation_id, {})}
        if "tier_id" in body:
            body["tier_id"] = foreign.tier_id
    _do(world, foreign.key, operation_id.replace("_", "-"), {**body, "unique_event_id": key})
    return key


def _in_batch(build: Build) -> Build:
    def build_batch(world: World, foreign: Foreign) -> Call:
        call = build(world, foreign)
        return Call(call.method, f"{call.path}/batch", {"items": [call.json]})

    return build_batch


def _with_foreign_tiers(world: World, foreign: Foreign) -> Call:
    call = call_of(world, DOCUMENT.operation("update_program"))
    return Call(call.method, call.path, {"tiers": [{"id": foreign.tier_id, "name": "Mine now"}]})


def _with_foreign_program(world: World, foreign: Foreign) -> Call:
    call = call_of(world, DOCUMENT.operation("create_hook"))
    return Call(call.method, call.path, {**call.json, "program_id": foreign.program_id})


def _resolve_foreign_operation(world: World, foreign: Foreign) -> Call:
    return Call("POST", f"/v1/operations/{foreign.unknown_operation_id}/resolve", {"happened": False})


def _import_foreign_program(world: World, foreign: Foreign) -> Call:
    call = call_of(world, DOCUMENT.operation("import_passes"))
    return Call(call.method, call.path, {"program_id": foreign.program_id})


def _of_person(operation_id: str, *foreign_names: str, **own: str) -> Build:
    """A person who is named by things of the foreign world."""

    def build(world: World, foreign: Foreign) -> Call:
        body = {**own, **{name: getattr(foreign, name) for name in foreign_names}}
        return Call("POST", DOCUMENT.operation(operation_id).path, body)

    return build


def _of_foreign_hook(world: World, foreign: Foreign) -> Call:
    return Call("POST", f"/v1/hooks/{foreign.hook_id}/deliveries/{foreign.delivery_id}/replay")


def _with_program_name(operation_id: str) -> Build:
    """A program of a name that the foreign world has just taken: names are unique in one world only."""

    def build(world: World, foreign: Foreign) -> Call:
        name = f"Taken elsewhere {next(NUMBERS)}"
        made = _new_program(world, foreign.key, name, "membership")
        assert made["name"] == name
        call = call_of(world, DOCUMENT.operation(operation_id))
        return Call(call.method, call.path, {**call.json, "name": name})

    return build


class Case(NamedTuple):
    """One thing to try, and what must come of it.

    `theirs`: all names in it are of one foreign world, so that its own key must get somewhere with it.
    """

    build: Build
    expected: str
    theirs: bool = False


def _cases_of_action(operation_id: str) -> dict[str, list[Case]]:
    cases: dict[str, list[Case]] = {
        "pass_id": [Case(_in_action(operation_id, ("pass_id",)), GONE, theirs=True)],
        "program_id": [
            Case(_in_action(operation_id, ("program_id",), ("external_id",)), GONE),
            Case(_in_action(operation_id, ("program_id",), ("pass_id",)), GONE),
            Case(_in_action(operation_id, ("program_id",), ("email",)), GONE),
        ],
        "external_id": [
            Case(_in_action(operation_id, ("external_id",), ("program_id",)), GONE),
            Case(_in_action(operation_id, ("external_id", "program_id")), GONE, theirs=True),
            Case(_in_action(operation_id, ("external_id",), ("pass_id",)), GONE),
        ],
        "email": [
            Case(_in_action(operation_id, ("email",), ("program_id",)), GONE),
            Case(_in_action(operation_id, ("email", "program_id")), GONE, theirs=True),
            Case(_in_action(operation_id, ("email",), ("pass_id",)), GONE),
        ],
        "unique_event_id": [Case(_with_used_key(operation_id, in_header=False), OWN)],
        "Idempotency-Key": [Case(_with_used_key(operation_id, in_header=True), OWN)],
    }
    if operation_id == "update_pass":
        # Here the address is what the pass shall have; for every other action it must be the pass's.
        cases["email"][-1] = Case(_of_another_pass(_in_action(operation_id, ("email",), ("pass_id",))), OWN)
    if operation_id == "change_tier":
        cases["tier_id"] = [Case(_in_own_input(operation_id, "tier_id"), REFUSED)]
    return cases


def _cases_of_person(operation_id: str) -> dict[str, list[Case]]:
    cases = {
        name: [Case(_of_another_pass(_of_person(operation_id, name)), OWN, theirs=True)]
        for name in ("external_id", "email")
    }
    if operation_id == "export_person":
        cases["program_id"] = [Case(_of_person(operation_id, "external_id", "program_id"), GONE, theirs=True)]
        cases["cursor"] = [Case(_of_person(operation_id, cursor="pass_0", external_id="nobodys-0"), OWN)]
    else:  # of nobody, so that the foreign world itself loses nothing by it
        cases["program_id"] = [Case(_of_person(operation_id, "program_id", external_id="nobodys-0"), GONE, theirs=True)]
    return cases


CASES: dict[str, dict[str, list[Case]]] = {
    "list_passes": {
        **{
            name: [Case(_in_query("list_passes", name, name), EMPTY, theirs=True)]
            for name in ("program_id", "tier_id", "email", "external_id")
        },
        "cursor": [Case(_in_query("list_passes", "cursor", "pass_id"), OWN)],
    },
    "get_pass": {"pass_id": [Case(_in_path("get_pass", "pass_id"), GONE, theirs=True)]},
    "get_pass_history": {
        "pass_id": [Case(_in_path("get_pass_history", "pass_id"), GONE, theirs=True)],
        "cursor": [Case(_in_query("get_pass_history", "cursor", "event_id"), OWN)],
    },
    "list_programs": {"cursor": [Case(_in_query("list_programs", "cursor", "program_id"), OWN)]},
    "create_program": {"name": [Case(_with_program_name("create_program"), OWN)]},
    "get_program": {"program_id": [Case(_in_path("get_program", "program_id"), GONE, theirs=True)]},
    "update_program": {
        "program_id": [Case(_in_path("update_program", "program_id"), GONE, theirs=True)],
        "name": [Case(_with_program_name("update_program"), OWN)],
        "tiers[].id": [Case(_with_foreign_tiers, REFUSED)],
    },
    "list_tiers": {"program_id": [Case(_in_path("list_tiers", "program_id"), GONE, theirs=True)]},
    "list_fields": {"program_id": [Case(_in_path("list_fields", "program_id"), GONE, theirs=True)]},
    "get_operation": {"operation_id": [Case(_in_path("get_operation", "operation_id"), GONE, theirs=True)]},
    "resolve_operation": {"operation_id": [Case(_resolve_foreign_operation, GONE, theirs=True)]},
    "list_events": {
        "program_id": [Case(_in_query("list_events", "program_id", "program_id"), EMPTY, theirs=True)],
        "pass_id": [Case(_in_query("list_events", "pass_id", "pass_id"), EMPTY, theirs=True)],
        "cursor": [Case(_in_query("list_events", "cursor", "event_id"), OWN)],
    },
    "list_event_types": {},
    "list_hooks": {"cursor": [Case(_in_query("list_hooks", "cursor", "hook_id"), OWN)]},
    "create_hook": {"program_id": [Case(_with_foreign_program, GONE, theirs=True)]},
    "get_hook": {"hook_id": [Case(_in_path("get_hook", "hook_id"), GONE, theirs=True)]},
    "update_hook": {"hook_id": [Case(_in_path("update_hook", "hook_id"), GONE, theirs=True)]},
    "delete_hook": {"hook_id": [Case(_in_path("delete_hook", "hook_id"), OWN)]},
    "test_hook": {"hook_id": [Case(_in_path("test_hook", "hook_id"), GONE, theirs=True)]},
    "list_deliveries": {
        "hook_id": [Case(_in_path("list_deliveries", "hook_id"), GONE, theirs=True)],
        "cursor": [Case(_in_query("list_deliveries", "cursor", "delivery_id"), OWN)],
    },
    "replay_delivery": {
        "hook_id": [Case(_in_path("replay_delivery", "hook_id"), GONE)],
        "delivery_id": [
            Case(_in_path("replay_delivery", "delivery_id"), GONE),
            Case(_of_foreign_hook, GONE, theirs=True),
        ],
    },
    "replay_deliveries": {"hook_id": [Case(_in_path("replay_deliveries", "hook_id"), GONE, theirs=True)]},
    "get_me": {},
    "get_issuer": {},
    "connect_issuer": {},
    "change_issuer": {},
    "forget_issuer": {},
    "import_passes": {"program_id": [Case(_import_foreign_program, GONE)]},
    **{operation_id: _cases_of_person(operation_id) for operation_id in ("export_person", "erase_person")},
    "get_import": {"import_id": [Case(_in_path("get_import", "import_id"), GONE, theirs=True)]},
    "create_pass": {
        "program_id": [Case(_in_own_input("create_pass", "program_id"), GONE, theirs=True)],
        "tier_id": [Case(_in_own_input("create_pass", "tier_id"), REFUSED)],
        "external_id": [Case(_of_another_pass(_in_own_input("create_pass", "external_id")), OWN)],
        "email": [Case(_of_another_pass(_in_own_input("create_pass", "email")), OWN)],
        "unique_event_id": [Case(_with_used_key("create_pass", in_header=False), OWN)],
        "Idempotency-Key": [Case(_with_used_key("create_pass", in_header=True), OWN)],
    },
    **{operation_id: _cases_of_action(operation_id) for operation_id in ACTION_IDS if operation_id != "create_pass"},
}


def _inputs(operation: Operation) -> set[str]:
    """Every input of an operation that is no mere value; those of a batch's items are its action's."""
    single = operation.id.removesuffix("_batch")
    body = DOCUMENT.operation(single).body
    names = {parameter["name"] for parameter in operation.parameters}
    if body is not None:
        names |= {name for name, _ in DOCUMENT.fields(body["schema"])}
    return names - PLAIN


def _cases(operation_id: str) -> dict[str, list[Case]]:
    if not operation_id.endswith("_batch"):
        return CASES[operation_id]
    single = CASES[operation_id.removesuffix("_batch")]
    return {
        name: [Case(_in_batch(case.build), case.expected, case.theirs) for case in cases]
        for name, cases in single.items()
        if name != "Idempotency-Key"
    }


def _parameters(wanted: Callable[[Case], bool]) -> list[Any]:
    return [
        pytest.param(operation, case, id=f"{operation.id}-{name}-{number}")
        for operation in DOCUMENT.operations
        for name, cases in _cases(operation.id).items()
        for number, case in enumerate(cases)
        if wanted(case)
    ]


IN_BOTH = pytest.mark.parametrize("title", ["another account", "the other mode"])

# --- the tests -------------------------------------------------------------------------------------------------------


def test_every_input_is_decided_on(operation: Operation) -> None:
    """A new route, or a new field that may name a thing, has to be given a way to be tried, or put among `PLAIN`."""
    assert set(_cases(operation.id)) == _inputs(operation)


def test_nothing_is_decided_on_that_is_not_there() -> None:
    assert set(CASES) == {one.id for one in DOCUMENT.operations if not one.id.endswith("_batch")}
    named = {name for one in DOCUMENT.operations for name, _ in _all_inputs(one)}
    assert named >= PLAIN


def _all_inputs(operation: Operation) -> Iterator[tuple[str, Any]]:
    yield from ((parameter["name"], parameter) for parameter in operation.parameters)
    if operation.body is not None:
        yield from DOCUMENT.fields(operation.body["schema"])


@pytest.mark.matrix("title", "case")
@IN_BOTH
@pytest.mark.parametrize(("tried", "case"), _parameters(lambda case: True))
def test_a_foreign_name_leads_nowhere(stage: Stage, title: str, tried: Operation, case: Case) -> None:
    foreign = stage.foreign[title]
    call = case.build(stage.world, foreign)
    before = _rows(stage.world, foreign)
    answer = call.send(stage.world)
    if tried.id.endswith("_batch"):
        _check_batch(answer, case.expected)
    else:
        is_done = answer.status_code == tried.success[0]
        _check(answer, 200 if is_done else answer.status_code, answer.get_json(), case.expected)
    assert SECRET not in answer.text
    _check_ids(answer, call, foreign)
    assert _rows(stage.world, foreign) == before


WHOLE = [
    one
    for one in DOCUMENT.operations
    if "cursor" in {parameter["name"] for parameter in one.parameters} and "{" not in one.path
]


@pytest.mark.parametrize("listing", WHOLE, ids=[one.id for one in WHOLE])
def test_a_whole_list_has_only_ones_own(stage: Stage, listing: Operation) -> None:
    """Page by page: a filter or a cursor cannot leave out what should not be there in the first place."""
    for foreign in stage.foreign.values():
        listed = list(_pages(stage.world, listing.path, foreign.key))
        assert any(SECRET in page for page in listed)
    for _ in range(3):
        new_pass(stage.world)
        stage.world.make_hook()
    own = list(_pages(stage.world, listing.path, stage.world.key))
    assert len(own) > 1
    assert not any(SECRET in page for page in own)


def _pages(world: World, path: str, key: str) -> Iterator[str]:
    query = {"limit": "2"}
    while True:
        answer = world.get(path, key=key, query_string=query)
        yield answer.text
        cursor = answer.get_json()["next_cursor"]
        if cursor is None:
            return
        query["cursor"] = cursor


@pytest.mark.matrix("title", "case")
@IN_BOTH
@pytest.mark.parametrize(("tried", "case"), _parameters(lambda case: case.theirs))
def test_the_same_request_reaches_its_own_world(stage: Stage, title: str, tried: Operation, case: Case) -> None:
    """The request is right and the thing is there: a 404 for a stranger would prove nothing otherwise."""
    foreign = stage.foreign[title]
    answer = case.build(stage.world, foreign).send(stage.world, key=foreign.key)
    body = answer.get_json()
    if tried.id.endswith("_batch"):
        [result] = body["results"]
        body = result["problem"] or result["answer"]
    assert body.get("code") != "not-found", answer.text
    assert body.get("data") != [], answer.text


@pytest.mark.matrix("title", "case")
@IN_BOTH
@pytest.mark.parametrize(("tried", "case"), _parameters(lambda case: case.expected == GONE))
def test_a_foreign_name_is_answered_like_one_of_nobody(stage: Stage, title: str, tried: Operation, case: Case) -> None:
    """Otherwise the answer would tell which IDs exist."""
    foreign = stage.foreign[title]
    said = [_said(case.build(stage.world, named).send(stage.world)) for named in (foreign, _nobody(foreign))]
    assert said[0] == said[1]


def _check(answer: TestResponse, status: int, body: dict[str, Any], expected: str) -> None:
    if expected == GONE:
        assert (status, body["code"]) == (404, "not-found"), answer.text
    elif expected == EMPTY:
        assert (status, body) == (200, {"data": [], "next_cursor": None})
    elif expected == REFUSED:
        assert (status, body["code"]) == (422, "validation-failed"), answer.text
    else:
        assert expected == OWN
        assert status == 200, answer.text
        assert "Idempotent-Replayed" not in answer.headers


def _check_batch(answer: TestResponse, expected: str) -> None:
    assert answer.status_code == 200
    [result] = answer.get_json()["results"]
    assert not result["replayed"]
    problem = result["problem"]
    _check(answer, problem["status"] if problem else 200, problem or result["answer"], expected)


def _check_ids(answer: TestResponse, call: Call, foreign: Foreign) -> None:
    """An answer may repeat the names it was asked for, and no other of the foreign world."""
    asked = json.dumps(call.__dict__)
    ids = {foreign.program_id, foreign.tier_id, foreign.pass_id, foreign.operation_id, foreign.event_id}
    ids |= {foreign.hook_id, foreign.delivery_id, foreign.unknown_operation_id, foreign.import_id}
    told = {name for name in (*ids, foreign.external_id, foreign.email) if name in answer.text and name not in asked}
    assert told == set()


def _rows(world: World, foreign: Foreign) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that belongs to the foreign world."""
    with world.service.store.read() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(
                    select(table)
                    .where(table.c.account_id == foreign.account_id, table.c.mode == foreign.mode.value)
                    .order_by(*table.primary_key.columns)
                )
            ]
            for table in metadata.sorted_tables
            if {"account_id", "mode"} <= set(table.c.keys())
        }


def _nobody(foreign: Foreign) -> Foreign:
    """Names of the same form that nobody has."""
    names = {
        name: value.replace("foreign", "nobodys").translate(str.maketrans("0123456789", "9876543210"))
        for name, value in _names(foreign).items()
    }
    return Foreign(title=foreign.title, key=foreign.key, account_id="", mode=foreign.mode, **names)


def _names(foreign: Foreign) -> dict[str, str]:
    """The names of things in a foreign world."""
    skipped = {"title", "key", "account_id", "mode"}
    return {name: value for name, value in foreign.__dict__.items() if name not in skipped}


def _said(answer: TestResponse) -> Any:
    """What was answered, without the names it repeats and without what differs in every answer."""
    body = json.loads(ANY_NAME.sub("<name>", answer.text))
    problems = [result["problem"] for result in body["results"]] if "results" in body else [body]
    return [
        {name: value for name, value in problem.items() if name not in ("instance", "request_id", "operation_id")}
        for problem in problems
    ]


# --- scopes and keys -------------------------------------------------------------------------------------------------


def test_a_key_without_the_scope_is_refused_and_changes_nothing(shared_world: World, operation: Operation) -> None:
    lacking, scope = ("write", "read") if operation.is_safe else ("read", "write")
    key = shared_world.make_key(scopes=(lacking,))
    call = call_of(shared_world, operation)
    before = _everything(shared_world)
    refused = call.send(shared_world, key=key)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "forbidden"), refused.text
    assert f"'{scope}'" in refused.get_json()["detail"]
    assert _everything(shared_world) == before
    allowed = call.send(shared_world, key=shared_world.make_key(scopes=(scope,)))
    assert allowed.status_code == operation.success[0], allowed.text


def _mistyped(key: str) -> str:
    """Two letters the wrong way round, as it happens when a key is typed."""
    place = next(place for place in range(8, len(key) - 1) if key[place] != key[place + 1])
    return f"{key[:place]}{key[place + 1]}{key[place]}{key[place + 2 :]}"


BAD: dict[str, Callable[[str], str | None]] = {
    "none": lambda key: None,
    "empty": lambda key: "",
    "no scheme": lambda key: key,
    "scheme alone": lambda key: "Bearer",
    "another scheme": lambda key: f"Basic {key}",
    "mistyped": lambda key: f"Bearer {_mistyped(key)}",
    "cut off": lambda key: f"Bearer {key[:-1]}",
    "with more behind it": lambda key: f"Bearer {key}x",
    "of the other mode by its name": lambda key: f"Bearer {key.replace('_test_', '_live_')}",
    "well-formed and unknown": lambda key: f"Bearer {keys.make_key(Mode.TEST)}",
    "not ASCII": lambda key: "Bearer schlüssel",
    "too long": lambda key: f"Bearer {key * 100}",
}


@pytest.mark.matrix
@pytest.mark.parametrize("kind", BAD)
def test_without_a_valid_key_nothing_is_answered(shared_world: World, operation: Operation, kind: str) -> None:
    call = call_of(shared_world, operation)
    before = _everything(shared_world)
    _check_unauthorized(call.send_bare(shared_world, BAD[kind](shared_world.key)), "unauthorized")
    assert _everything(shared_world) == before


def test_a_revoked_key_opens_nothing(shared_world: World, operation: Operation) -> None:
    secret = shared_world.make_key()
    call = call_of(shared_world, operation)
    with shared_world.service.store.write() as connection:
        newest = keys.list_keys(connection, shared_world.account)[-1]
        keys.revoke_key(connection, newest.id, shared_world.clock())
    before = _everything(shared_world)
    _check_unauthorized(call.send_bare(shared_world, f"Bearer {secret}"), "key-revoked")
    assert _everything(shared_world) == before


def test_every_operation_says_that_it_needs_a_key(operation: Operation) -> None:
    [requirement] = operation.raw["security"]
    schemes = [DOCUMENT.raw["components"]["securitySchemes"][name] for name in requirement]
    assert [(scheme["type"], scheme["scheme"]) for scheme in schemes] == [("http", "bearer")]


def _check_unauthorized(answer: TestResponse, code: str) -> None:
    assert complaints(answer.status_code, answer.content_type, answer.get_data()) == []
    assert (answer.status_code, answer.get_json()["code"]) == (401, code), answer.text
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="passrail"'


def _everything(world: World) -> dict[str, list[tuple[Any, ...]]]:
    with world.service.store.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))] for table in metadata.sorted_tables
        }
