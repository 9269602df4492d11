"""The description is the contract: complete, up to date, true, and written for people."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.actions import ACTIONS
from app.answer import PassAnswer, describe
from app.api.actions import BATCH_MAX
from app.errors import catalogue
from app.model import Mode
from app.operations.action import Action
from app.store import passes
from tests.contract import document
from tests.contract.calls import FULL, Call, action_input, call_of, new_pass
from tests.contract.document import Operation
from tests.contract.problems import complaints
from tests.world import COUPON, MEMBERSHIP, TICKET, World

DOCUMENT = document.load()
STALE = "openapi/openapi.json is not what the service serves. Run `make openapi` and commit the file."
BY_ACTION = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
# Errors that belong to no operation, because they are about an address or a request that is none of ours.
OF_NO_OPERATION = {
    "method-not-allowed": "For a method that is not described; the description cannot have a place for it.",
    "malformed-request": "What cannot be read as HTTP reaches no operation.",
    "request-timeout": "What never arrives as a whole reaches no operation.",
}
# What may stand in a title beside words that begin with a capital.
SMALL_WORDS = {"per", "to", "at", "of", "if", "it"}
TITLE = re.compile(r"[A-Z][A-Za-z-]*( [A-Za-z]+)*")


# --- up to date ------------------------------------------------------------------------------------------------------


def test_the_committed_file_is_what_is_served_byte_for_byte(shared_world: World) -> None:
    served = shared_world.client.get("/openapi.json")
    assert served.content_type == document.JSON
    assert served.get_data() == document.PATH.read_bytes(), STALE


def test_it_is_openapi_3_1_without_a_mistake() -> None:
    raw = json.loads(document.PATH.read_text(encoding="utf-8"))
    assert raw["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(raw).iter_errors()] == []


def test_every_route_is_described_and_everything_described_is_a_route(shared_world: World) -> None:
    routes = {
        (method, re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule))
        for rule in shared_world.app.url_map.iter_rules()
        if rule.rule.startswith("/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == {(one.method.upper(), one.path) for one in DOCUMENT.operations}


@BY_ACTION
def test_an_action_has_its_route_and_its_batch(action: Action) -> None:
    single, batch = (DOCUMENT.operation(name) for name in (action.operation_id, f"{action.operation_id}_batch"))
    assert (single.method, single.path) == ("post", f"/v1/actions/{action.name}")
    assert (batch.method, batch.path) == ("post", f"/v1/actions/{action.name}/batch")
    assert single.body is not None
    assert set(DOCUMENT.resolve(single.body["schema"])["properties"]) == set(action.input.load_fields)
    assert batch.body is not None
    assert DOCUMENT.resolve(batch.body["schema"])["properties"]["items"]["maxItems"] == BATCH_MAX
    documented = {code for status in single.errors for code in _codes(single, status)}
    assert {kind.code for kind in action.errors} <= documented


def test_every_error_is_documented_where_it_can_happen() -> None:
    documented = {code for one in DOCUMENT.operations for status in one.errors for code in _codes(one, status)}
    assert documented.isdisjoint(OF_NO_OPERATION)
    assert documented | set(OF_NO_OPERATION) == {kind.code for kind in catalogue()}


# --- complete --------------------------------------------------------------------------------------------------------


def test_operation_ids_are_unique() -> None:
    assert max(Counter(one.id for one in DOCUMENT.operations).values()) == 1


def test_an_operation_has_a_name_words_and_a_place(operation: Operation) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation.id)
    assert re.fullmatch(r"[A-Z].*[^.]", operation.raw["summary"])
    _check_sentences(operation.raw["description"])
    [tag] = operation.raw["tags"]
    assert tag in {one["name"] for one in DOCUMENT.raw["tags"]}


# Requests that change something and have no body: the address says it all.
SAY_ALL_BY_ADDRESS = {"delete_hook", "forget_issuer", "replay_delivery"}


def test_the_example_of_a_body_is_right(operation: Operation) -> None:
    if operation.body is None:
        assert operation.method == "get" or operation.id in SAY_ALL_BY_ADDRESS
        return
    DOCUMENT.validator(operation.body["schema"]).validate(operation.body["example"])


def test_the_example_of_an_answer_is_right_and_complete(operation: Operation) -> None:
    status, answer = operation.success
    if status == 204:
        return
    DOCUMENT.validator(answer["schema"]).validate(answer["example"])
    assert set(answer["example"]) == set(DOCUMENT.resolve(answer["schema"])["properties"])


def test_every_error_lists_examples_that_are_right(operation: Operation) -> None:
    # Whatever else it does, an operation needs a key, has a limit, and can break.
    assert {"401", "403", "429", "500", "503"} <= set(operation.errors)
    for status in operation.errors:
        codes = _codes(operation, status)
        assert codes
        for code in codes:
            example = DOCUMENT.raw["components"]["examples"][code]["value"]
            assert example["code"] == code
            assert complaints(int(status), document.PROBLEM, json.dumps(example).encode()) == []


def _codes(operation: Operation, status: str) -> list[str]:
    """Return the codes of an operation's error answers of one status: they name its examples."""
    examples = operation.errors[status]["content"][document.PROBLEM]["examples"]
    assert {code: one["$ref"] for code, one in examples.items()} == {
        code: f"#/components/examples/{code}" for code in examples
    }
    return list(examples)


# --- written for people ----------------------------------------------------------------------------------------------


def _properties() -> Iterator[Any]:
    """Give every property of every schema there is."""
    for name, schema in DOCUMENT.raw["components"]["schemas"].items():
        for field, said in schema.get("properties", {}).items():
            yield pytest.param(said, id=f"{name}.{field}")


def _parameters() -> Iterator[Any]:
    for one in DOCUMENT.operations:
        for parameter in one.parameters:
            yield pytest.param(parameter, id=f"{one.id}.{parameter['name']}")


@pytest.mark.parametrize("said", list(_properties()))
def test_every_property_has_a_title_and_a_sentence(said: Mapping[str, Any]) -> None:
    _check_title(said["title"])
    _check_sentences(said["description"])


@pytest.mark.parametrize("parameter", list(_parameters()))
def test_every_parameter_has_a_sentence(parameter: Mapping[str, Any]) -> None:
    _check_sentences(parameter["description"])
    if parameter["in"] == "query":
        _check_title(parameter["schema"]["title"])


def test_every_schema_says_what_it_is_of_what_kind_and_takes_nothing_else() -> None:
    """Inputs refuse what they do not know, answers have nothing that is not described."""
    for name, schema in DOCUMENT.raw["components"]["schemas"].items():
        assert schema["type"] == "object", name
        # A problem may have members of its own kind (`pass_ids`), as RFC 9457 allows.
        assert name == "Problem" or schema["additionalProperties"] is False, name


def _check_title(title: str) -> None:
    assert TITLE.fullmatch(title), title
    for word in title.split()[1:]:
        assert word[0].isupper() or word in SMALL_WORDS, title


def _check_sentences(text: str) -> None:
    assert text == text.strip()
    assert text.endswith("."), text
    assert "  " not in text, text
    assert text[0].isupper() or text[0] in "`1", text


# --- true ------------------------------------------------------------------------------------------------------------


def test_an_answer_is_as_described(shared_world: World, operation: Operation) -> None:
    answer = call_of(shared_world, operation).send(shared_world)
    status, described = operation.success
    if status == 204:
        assert (answer.status_code, answer.get_data()) == (204, b"")
    else:
        assert (answer.status_code, answer.content_type) == (status, document.JSON), answer.text
        DOCUMENT.validator(described["schema"]).validate(answer.get_json())
    headers = DOCUMENT.raw["paths"][operation.path][operation.method]["responses"][str(status)]["headers"]
    assert set(headers) <= set(answer.headers.keys())


@BY_ACTION
@pytest.mark.parametrize("program_id", [MEMBERSHIP, COUPON, TICKET])
@pytest.mark.parametrize("holder", [FULL, {}], ids=["everything set", "nothing set"])
def test_an_action_answers_as_described_whatever_the_pass_is(
    shared_world: World, action: Action, program_id: str, holder: dict[str, Any]
) -> None:
    """What an action refuses for a kind of pass it answers with a problem, which is as described, too."""
    known = {**holder, "fields": {}} if program_id != MEMBERSHIP and holder else holder
    body = action_input(shared_world, action.operation_id)
    if action.creates:
        body = {"program_id": program_id, **known}
    else:
        body["pass_id"] = new_pass(shared_world, program_id, **known)["id"]
    operation = DOCUMENT.operation(action.operation_id)
    for _ in ("a change", "once more, and nothing is left to change"):
        answer = Call("POST", operation.path, body).send(shared_world)
        if answer.status_code == 200:
            DOCUMENT.validator(operation.success[1]["schema"]).validate(answer.get_json())
        else:
            assert answer.get_json()["code"] in _codes(operation, str(answer.status_code))


def test_an_updated_pass_tells_what_was_updated_as_described(shared_world: World) -> None:
    """The one way through create-pass that no other call here takes."""
    made = new_pass(shared_world)
    body = {"program_id": MEMBERSHIP, "external_id": made["external_id"], "phone": "1", "if_exists": "update"}
    answer = shared_world.act("create-pass", body).get_json()
    DOCUMENT.validator(DOCUMENT.operation("create_pass").success[1]["schema"]).validate(answer)
    assert (answer["created"], answer["changed"]) == (False, ["phone"])


def test_describe_says_exactly_what_the_schema_of_a_pass_has(shared_world: World) -> None:
    made = new_pass(shared_world)
    with shared_world.service.store.read() as connection:
        found = passes.get(connection, shared_world.account.id, Mode.TEST, made["id"])
    assert found is not None
    said = describe(*found, now=datetime(2026, 11, 20, tzinfo=UTC), public_url="https://pass.example.com")
    assert list(said) == list(PassAnswer().dump_fields)
    assert list(said) == list(DOCUMENT.raw["components"]["schemas"]["PassAnswer"]["properties"])
