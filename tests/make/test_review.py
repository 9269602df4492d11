"""The app keeps the rules of a review, and each rule catches what breaks it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.make import review
from tests.make.iml.project import ROOT, Project

Breaking = Callable[[Project], Any]


def code(project: Project, kind: str, name: str, which: str) -> Any:
    """Return a file of a component, to break it."""
    return project.component(kind, name).code[which]


def module(project: Project, name: str) -> dict[str, Any]:
    """Return what the manifest says of a module, to break it."""
    return project.component("module", name).about


def form(project: Project, name: str, field: str) -> dict[str, Any]:
    """Return a field of a module, to break it."""
    return next(
        one for one in review.parameters(code(project, "module", name, "mappableParams")) if one["name"] == field
    )


def sent(project: Project, name: str) -> Any:
    """Return what a module says about its request, to break it."""
    return code(project, "module", name, "communication")


def regroup(project: Project) -> None:
    path = project.root / "modules/groups.json"
    path.write_text(json.dumps(json.loads(path.read_text())[::-1]))


def shrink_icon(project: Project) -> None:
    path = project.root / "icon.png"
    path.write_bytes(path.read_bytes()[:16] + b"\x00\x00\x01\x00" * 2 + path.read_bytes()[24:])


def connection(project: Project, which: str = "communication") -> Any:
    return code(project, "connection", "passrail", which)


PLANTED: list[tuple[Callable[[Project], review.Faults], Breaking]] = [
    (review.base_is_complete, lambda p: p.base["headers"].pop("authorization")),
    (review.base_is_complete, lambda p: p.base["response"]["error"].pop("429")),
    (review.base_is_complete, lambda p: p.base["response"]["error"]["404"].update(message="Not found.")),
    (review.connection_is_validated, lambda p: connection(p).update(url="{{parameters.baseUrl}}/healthz")),
    (review.connection_is_validated, lambda p: connection(p)["response"].pop("metadata")),
    (review.connection_is_validated, lambda p: connection(p)["response"]["error"].pop("401")),
    (review.connection_is_validated, lambda p: connection(p)["response"].update(output="{{body}}")),
    (review.connection_is_validated, lambda p: connection(p, "params")[1].update(type="text")),
    (review.connection_is_validated, lambda p: connection(p, "params")[0].update(editable=True)),
    (review.modules_are_described, lambda p: module(p, "getPass").update(label="Get a Pass")),
    (review.modules_are_described, lambda p: module(p, "createPass").update(label="Upsert a pass")),
    (review.modules_are_described, lambda p: module(p, "getPass").update(description="Get one pass.")),
    (review.modules_are_described, lambda p: module(p, "getPass").update(description="Gets one pass")),
    (review.modules_are_described, lambda p: code(p, "module", "getPass", "interface").clear()),
    (review.labels_are_in_sentence_case, lambda p: form(p, "createPass", "firstName").update(label="First Name")),
    (review.labels_are_in_sentence_case, lambda p: form(p, "createPass", "firstName").update(label="The first name")),
    (review.labels_are_in_sentence_case, lambda p: form(p, "createPass", "tierId").update(label="the tier")),
    (review.wording_is_american, lambda p: form(p, "createPass", "tierId").update(help="Of the programme.")),
    (review.searches_are_limited, lambda p: sent(p, "searchPasses").pop("pagination")),
    (review.searches_are_limited, lambda p: sent(p, "searchPasses")["response"].pop("limit")),
    (review.searches_are_limited, lambda p: sent(p, "searchPasses")["qs"].update(limit=25)),
    (review.searches_are_limited, lambda p: form(p, "searchPasses", "limit").update(default=100)),
    (review.searches_are_limited, lambda p: code(p, "module", "searchPasses", "mappableParams").reverse()),
    (review.lists_have_filters_only_if_they_search, lambda p: module(p, "searchPasses").update(label="List passes")),
    (review.actions_do_not_iterate, lambda p: sent(p, "getPass")["response"].update(iterate="{{body.data}}")),
    (review.rpcs_have_limits, lambda p: code(p, "rpc", "listTiers", "communication")["response"].pop("limit")),
    (review.nobody_is_asked_for_a_page, lambda p: form(p, "searchPasses", "email").update(name="nextPage")),
    (review.actions_say_what_they_do, lambda p: module(p, "updatePass").update(actionCrud="create")),
    (review.actions_say_what_they_do, lambda p: module(p, "revokePass").pop("actionCrud")),
    (review.triggers_are_instant_and_attached, lambda p: module(p, "watchPassEvents").update(label="New pass event")),
    (review.triggers_are_instant_and_attached, lambda p: code(p, "webhook", "passEvents", "detach").clear()),
    (
        review.triggers_are_instant_and_attached,
        lambda p: code(p, "webhook", "passEvents", "communication").pop("verification"),
    ),
    (review.required_fields_come_first, lambda p: form(p, "createPass", "email").update(required=True)),
    (review.required_fields_come_first, lambda p: form(p, "createPass", "email").update(advanced=True)),
    (review.fields_have_help, lambda p: form(p, "createPass", "email").pop("help")),
    (review.arrays_name_their_items, lambda p: form(p, "makeApiCall", "headers").pop("labels")),
    (review.parameters_are_in_camel_case, lambda p: form(p, "createPass", "firstName").update(name="first_name")),
    (review.dropdowns_are_labelled_by_what_is_chosen, lambda p: form(p, "getPass", "passId").update(label="Pass")),
    (
        review.dropdowns_are_labelled_by_what_is_chosen,
        lambda p: form(p, "createPass", "programId").update(label="Program ID"),
    ),
    (
        review.dependent_dropdowns_are_nested,
        lambda p: form(p, "createPass", "programId")["options"].update(store="rpc://listTiers"),
    ),
    (review.dates_are_dates, lambda p: form(p, "createPass", "expiresAt").update(type="text")),
    (review.dates_are_dates, lambda p: sent(p, "createPass")["body"].update(expires_at="{{parameters.expiresAt}}")),
    (review.dates_are_dates, lambda p: code(p, "module", "getPass", "interface")[-1].update(type="text")),
    (review.any_call_can_be_made_safely, lambda p: module(p, "makeApiCall").update(label="Make an API Call")),
    (review.any_call_can_be_made_safely, lambda p: sent(p, "makeApiCall").update(url="{{parameters.url}}")),
    (
        review.any_call_can_be_made_safely,
        lambda p: sent(p, "makeApiCall").update(url="{{connection.baseUrl}}{{parameters.url}}"),
    ),
    (review.any_call_can_be_made_safely, lambda p: module(p, "makeApiCall").update(moduleType="action")),
    (review.secrets_are_not_logged, lambda p: p.base["log"]["sanitize"].remove(review.AUTHORIZATION)),
    (review.secrets_are_not_logged, lambda p: p.base["log"]["sanitize"].remove("response.body.pass_url")),
    (review.secrets_are_not_logged, lambda p: connection(p).pop("log")),
    (review.secrets_are_not_logged, lambda p: code(p, "webhook", "passEvents", "attach")["log"]["sanitize"].pop()),
    (review.secrets_are_not_logged, lambda p: code(p, "webhook", "passEvents", "attach")["log"]["sanitize"].pop(1)),
    (review.groups_are_in_order, regroup),
    (review.writes_take_a_unique_event_id, lambda p: form(p, "revokePass", "uniqueEventId").update(name="eventId")),
    (review.writes_take_a_unique_event_id, lambda p: form(p, "revokePass", "uniqueEventId").update(help="An ID.")),
    (review.writes_take_a_unique_event_id, lambda p: sent(p, "revokePass")["body"].pop("unique_event_id")),
    (review.ids_in_addresses_have_a_form, lambda p: form(p, "getPass", "passId").pop("validate")),
    (review.the_icon_is_as_large_as_make_wants, shrink_icon),
]


@pytest.mark.parametrize("rule", review.RULES, ids=[rule.__name__ for rule in review.RULES])
def test_the_app_keeps_the_rule(project: Project, rule: Callable[[Project], review.Faults]) -> None:
    assert list(rule(project)) == []


@pytest.mark.parametrize("planted", PLANTED, ids=[f"{rule.__name__}-{n}" for n, (rule, _) in enumerate(PLANTED)])
def test_a_planted_violation_is_caught(tmp_path: Path, planted: tuple[Any, Breaking]) -> None:
    rule, break_it = planted
    shutil.copytree(ROOT, tmp_path / "app")
    project = Project(tmp_path / "app")
    break_it(project)
    assert list(rule(project))


def test_every_rule_is_tried() -> None:
    assert {rule for rule, _ in PLANTED} == set(review.RULES)
