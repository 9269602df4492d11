"""What every error of the service promises, as one function: used by the fuzz run and by the tests of errors alike."""

from __future__ import annotations

import json
import re
from typing import Any

from app.errors import PassrailError, catalogue
from tests.contract import document

KINDS: dict[str, type[PassrailError]] = {kind.code: kind for kind in catalogue()}
# What an error page or a traceback looks like, wherever it stands in a body.
GIVEAWAYS = re.compile(rb"<!doctype|<html|Traceback \(most recent|File \\?\"[^\"]+\\?\", line \d+", re.IGNORECASE)


def complaints(status: int, content_type: str, body: bytes) -> list[str]:
    """Return what is wrong with an error answer; nothing is what every error answer must give."""
    if content_type != document.PROBLEM:
        return [f"its media type is {content_type!r}"]
    if GIVEAWAYS.search(body):
        return ["it shows a page or a traceback"]
    try:
        problem = json.loads(body)
    except ValueError:
        return ["it is no JSON"]
    schema = document.load().raw["components"]["schemas"]["Problem"]
    wrong = [error.message for error in document.load().validator(schema).iter_errors(problem)]
    return wrong or list(_contradictions(status, problem))


def _contradictions(status: int, problem: dict[str, Any]) -> list[str]:
    kind = KINDS[problem["code"]]
    said = {
        "status": (problem["status"], status, kind.status),
        "title": (problem["title"], kind.title),
        "retryable": (problem["retryable"], kind.retryable),
        "code": (problem["type"].rpartition("/docs/errors/")[2], kind.code),
        "instance": (problem["instance"], f"urn:passrail:{problem['request_id']}"),
    }
    wrong = [f"{name} contradicts itself: {values}" for name, values in said.items() if len(set(values)) != 1]
    if not problem["detail"].strip().endswith((".", "!", "?")) and not problem.get("errors"):
        wrong.append(f"detail is no sentence: {problem['detail']!r}")
    return wrong
