"""What a case of `test_routes` is, and the values that many of them use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from app.issuers.passkit.loyalty import EventDetails
from app.issuers.passkit.records import Person

LATER = datetime(2026, 12, 24, 18, tzinfo=UTC)
LATER_TEXT = "2026-12-24T18:00:00.000Z"
ADA = Person("Ada", "Lovelace", "Ada L.", "ada@example.com", "+441234567", "Ms", date(1815, 12, 10))
ADA_JSON = {
    "forename": "Ada",
    "surname": "Lovelace",
    "displayName": "Ada L.",
    "emailAddress": "ada@example.com",
    "mobileNumber": "+441234567",
    "salutation": "Ms",
    "dateOfBirth": {"year": 1815, "month": 12, "day": 10},
}
DETAILS = EventDetails("op_1", "a note", {"a": "b"})
DETAILS_JSON = {"externalEventId": "op_1", "notes": "a note", "metaData": {"a": "b"}}
PAGE = {"limit": 100, "offset": 0}
EVENTS = [
    "PASS_EVENT_RECORD_CREATED",
    "PASS_EVENT_INSTALLED",
    "PASS_EVENT_RECORD_UPDATED",
    "PASS_EVENT_UNINSTALLED",
    "PASS_EVENT_INVALIDATED",
    "PASS_EVENT_RECORD_DELETED",
]
SINK = {"classId": "P", "protocol": "MEMBERSHIP", "status": "INTEGRATION_ACTIVE", "configType": "WEBHOOK"}
HOOK = '{"targetUrl": "https://example.com/hook"}'

# What fits every function's answer: plain and as a line of a stream.
ID = {"id": "x"}
ISSUED = {"ticketId": "x", "productionId": "p", "venueId": "v", "ticketTypeId": "t", "eventId": "e"}
PROJECT = {"classId": "x", "protocol": "MEMBERSHIP"}


@dataclass(frozen=True)
class Case:
    """A call and the request that must come of it. `is_list`: the answer is a stream."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    request: str
    body: Any = None
    options: dict[str, Any] | None = None
    answer: Any = None
    is_list: bool = False


def listed(function: Callable[..., Any], *arguments: Any, request: str, body: Any, answer: Any = None) -> Case:
    return Case(function, arguments, f"POST {request}", body, answer=answer or ID, is_list=True)
