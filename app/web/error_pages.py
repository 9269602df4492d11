"""A page for every error, where the `type` of a problem document leads to."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from app.errors import PassrailError, ValidationFailed, catalogue
from app.service import current_service
from app.web.pages import html_page, not_found_page

_REQUEST_ID = "req_019ab3c4d5e665b137a60beb497b6e66"


def index() -> Response:
    """List every error."""
    return html_page("errors.html", errors=catalogue())


def show(code: str) -> Response:
    """Explain one error."""
    errors = catalogue()
    place = next((place for place, error in enumerate(errors) if error.code == code), None)
    if place is None:
        return not_found_page()
    return html_page(
        "error.html",
        error=errors[place],
        problem=json.dumps(example_problem(errors[place]), indent=2, ensure_ascii=False),
        previous=errors[place - 1] if place else None,
        next=errors[place + 1] if place + 1 < len(errors) else None,
    )


def example_problem(error: type[PassrailError]) -> dict[str, Any]:
    """Return what an answer with this error looks like."""
    problem: dict[str, Any] = {
        "type": f"{current_service().settings.public_url}/docs/errors/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.example,
        "instance": f"urn:passrail:{_REQUEST_ID}",
        "code": error.code,
        "retryable": error.retryable,
        "request_id": _REQUEST_ID,
    }
    if error is ValidationFailed:
        problem["errors"] = [{"field": "email", "message": "Not a valid email address."}]
    return problem
