"""What Schemathesis loads into its process: where requests are aimed, what is noted, and checks of our own.

The checks stand beside Schemathesis's own under `--checks all`. They say precisely what its configuration can only say
by status: which refusals of valid data are right, which failures of a server are meant, what an error looks like.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

from tests.contract import document
from tests.contract.aim import LOG_VARIABLE, SIMULATED, TARGETS_VARIABLE, Aim, Targets
from tests.contract.problems import complaints

DOCUMENT = document.load()
AIM = Aim(Targets.load(Path(os.environ[TARGETS_VARIABLE])), DOCUMENT)
NOTES = Path(os.environ[LOG_VARIABLE]).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - for the whole run

# Refusals of data that the description allows: rules about more than the data, by code.
ABOUT_STATE = {
    "idempotency-key-reused": "What a key was used for before is not in the request.",
    "not-applicable": "The state of the pass, the operation or the connection is not in the request.",
    "insufficient-points": "The balance is not in the request.",
    "upstream-rejected": "The issuer's refusal, here forced by `simulate_rejected`.",
}
# And rules about the data that JSON Schema cannot say, by message.
ABOUT_DATA = {
    r"This date does not exist in the calendar\.": "A pattern knows no lengths of months.",
    r"Give a year from 1970 to 2999\.": "With its offset taken off, an instant of 1970 can lie in 1969.",
    r"Give a time in the future, or null for never\.": "JSON Schema has no clock.",
    r"Give at most [24] decimal places\.": "`multipleOf` is not exact for decimal fractions in most validators.",
    r"Give some text, or leave the field out\.": "What Unicode calls blank differs between languages' patterns.",
    r"Give an e-mail address such as .*": "`format: email` allows addresses that nobody has, such as quoted ones.",
    r"It differs from the header Idempotency-Key\..*": "A schema of the body sees no header.",
    r"It stands in the list twice; .*": "`uniqueItems` compares whole items, not one of their fields.",
    r"This program has no such (tier|field)\. .*": "Which tiers and fields there are is the program's to say.",
    r"This program has no tier of this ID\. .*": "The same.",
    r"This program requires the field; .*": "The same.",
    r"These tiers have passes and cannot be left out: .*": "Which tiers have passes is not in the request.",
    r"Give a number that is .*": "Limits of numbers do not hold for numbers written as text.",
    r"The balance would be beyond .*": "The balance is not in the request.",
    r"Give either external_id or email\.": "That one of two fields is given is said in words only.",
    r"Give an address .*": "A pattern does not say what a proper host is.",
}


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Turn the request at something that exists."""
    operation = AIM.operation(case.method, case.operation.path)
    if operation is None or _is_probe(case):
        return
    if isinstance(case.path_parameters, dict):
        AIM.path(operation, case.path_parameters)
    only_examples = _phase(case) in ("examples", "coverage")
    case.body = AIM.body(operation, case.body, only_examples=only_examples)
    AIM.headers(operation, case.body, case.headers, only_examples=only_examples)


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Note what came of it, for the figures of the run."""
    operation = AIM.operation(case.method, case.operation.path)
    note = {
        "operation": operation.id if operation else None,
        "phase": _phase(case),
        "is_valid": _is_valid(case),
        "status": response.status_code,
    }
    NOTES.write(json.dumps(note) + "\n")


@schemathesis.check
def errors_are_problems(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Every 4xx and 5xx is a problem document with all that is promised of one."""
    if response.status_code >= 400:
        content_type = ",".join(response.headers.get("content-type", []))
        found = complaints(response.status_code, content_type, response.content)
        assert not found, "; ".join(found)


@schemathesis.check
def only_simulated_failures(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """The service fails, or has the caller wait, only where a magic external ID asks for it."""
    if response.status_code >= 500 or response.status_code == 429:
        sent = case.body.get("external_id") if isinstance(case.body, dict) else None
        assert sent in SIMULATED, f"{response.status_code} without simulation"


@schemathesis.check
def refusals_have_a_reason(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Data that the description allows is refused only by a rule that a description cannot say."""
    if response.status_code != 422 or not _is_valid(case) or _is_probe(case):
        return
    problem: Any = response.json()
    if problem["code"] in ABOUT_STATE:
        return
    said = [error["message"] for error in problem.get("errors", [])]
    unknown = [text for text in said if not any(re.fullmatch(rule, text, re.DOTALL) for rule in ABOUT_DATA)]
    assert said, "refused without a reason"
    assert not unknown, f"refused although the description allows it: {unknown}"


@schemathesis.check
def batches_hold_what_they_promise(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Each item of a batch has an answer as the action gives it, or a problem; never both, never neither."""
    operation = AIM.operation(case.method, case.operation.path)
    if operation is None or not operation.id.endswith("_batch") or response.status_code != 200:
        return
    single = DOCUMENT.operation(operation.id.removesuffix("_batch"))
    items: Any = case.body["items"] if isinstance(case.body, dict) else []
    answer: Any = response.json()
    assert [result["index"] for result in answer["results"]] == list(range(len(items)))
    assert answer["succeeded"] + answer["failed"] == len(items)
    for item, result in zip(items, answer["results"], strict=True):
        _check_result(single, item, result)


def _check_result(single: document.Operation, item: Any, result: dict[str, Any]) -> None:
    assert (result["answer"] is None) == (result["problem"] is not None) == (not result["succeeded"])
    if result["answer"] is not None:
        DOCUMENT.validator(single.success[1]["schema"]).validate(result["answer"])
        return
    problem = result["problem"]
    found = complaints(problem["status"], document.PROBLEM, json.dumps(problem).encode())
    assert not found, "; ".join(found)
    assert problem["status"] < 500 or item.get("external_id") in SIMULATED, problem


def _is_probe(case: Case[Any]) -> bool:
    """Tell a request whose form, not whose data, is being tried."""
    data = case.meta.phase.data if case.meta is not None else None
    scenario = getattr(data, "scenario", None)
    return scenario in ("unspecified_http_method", "malformed_content_type", "unsupported_content_type")


def _is_valid(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def _phase(case: Case[Any]) -> str | None:
    return case.meta.phase.name.value if case.meta is not None else None
