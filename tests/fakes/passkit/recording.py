"""What the fake remembers of its requests, and what makes a test fail because of them."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

KEPT_REQUESTS = 20_000


@dataclass(slots=True)
class Recorded:
    """A request that came. `route` is "" when there is no such route; `status` is 0 until it is carried out."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    body: bytes
    route: str = ""
    status: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, without the credentials in its headers."""
        headers = {name: value for name, value in self.headers.items() if name != "authorization"}
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": headers,
            "body": self.body.decode("utf-8", "replace"),
            "route": self.route,
            "status": self.status,
        }


class WrongRequests(AssertionError):
    """A client sent what PassKit would have lost or refused."""


class Recording:
    """Requests (the last 20 000), effects and mistakes.

    `effects` counts what was really done, by route and by the caller's own ID of it (external event ID, external ID,
    ticket number): more than 1 is a double effect. `writes` counts the same by PassKit's ID of the record, so that
    several events of a record are several writes. `unknown_fields` are fields that the live service would drop
    without a word; `contract_errors` are requests and answers that do not fit PassKit's own description;
    `breakdowns` are mistakes of the fake itself.
    """

    def __init__(self) -> None:
        self.requests: deque[Recorded] = deque(maxlen=KEPT_REQUESTS)
        self.effects: Counter[tuple[str, str]] = Counter()
        self.writes: Counter[tuple[str, str]] = Counter()
        self.unknown_fields: list[str] = []
        self.unknown_routes: list[str] = []
        self.contract_errors: list[str] = []
        self.breakdowns: list[str] = []

    def count(self, route: str, key: str, record_id: str) -> None:
        """Count an effect.

        Args:
            route: what was asked, `PUT /members/member/points/earn`.
            key: the caller's own ID of the event or, without one, of the record.
            record_id: PassKit's ID of the record.
        """
        self.effects[route, key] += 1
        self.writes[route, record_id] += 1

    def check(self) -> None:
        """Fail when a request was wrong in a way that the live service hides.

        Raises:
            WrongRequests: one was.
        """
        wrong = [
            *(f"unknown field: {one}" for one in self.unknown_fields),
            *(f"unknown route: {one}" for one in self.unknown_routes),
            *(f"against the contract: {one}" for one in self.contract_errors),
            *(f"the fake itself broke down: {one}" for one in self.breakdowns),
        ]
        if wrong:
            raise WrongRequests("\n".join(wrong))

    def clear(self) -> None:
        """Forget everything."""
        self.requests.clear()
        self.effects.clear()
        self.writes.clear()
        self.unknown_fields.clear()
        self.unknown_routes.clear()
        self.contract_errors.clear()
        self.breakdowns.clear()
