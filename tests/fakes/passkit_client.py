"""A bare client for the tests of the fake. It shares nothing with the service's own client."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import requests

from tests.fakes.passkit import FakePassKit
from tests.fakes.passkit.seed import ADULT, BRONZE, CAMPAIGN, EVENT, OFFER_VARIABLE, PROGRAM
from tests.fakes.passkit.state import to_text

# PassKit's own code dates its tokens 10 seconds back and lets them live for 40.
BACKDATED_SECONDS, LIFETIME_SECONDS = 10, 40


def make_token(fake: FakePassKit, *, age: float = BACKDATED_SECONDS, lifetime: float = LIFETIME_SECONDS) -> str:
    """Make a JWT for a fake.

    Args:
        fake: whose credentials and true time to use.
        age: seconds that the token was issued before now.
        lifetime: seconds from its issue to its expiry.
    """
    issued = fake.state.true_now().timestamp() - age
    claims = {"uid": fake.credentials.key, "iat": int(issued), "exp": int(issued + lifetime)}
    return sign(claims, fake.credentials.secret)


def sign(claims: dict[str, Any], secret: str, algorithm: str = "HS256") -> str:
    """Write a JWT."""
    signed = _part({"alg": algorithm, "typ": "JWT"}) + "." + _part(claims)
    return signed + "." + _encode(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))


def _part(value: dict[str, Any]) -> str:
    return _encode(json.dumps(value).encode())


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def refused(answer: requests.Response, status: int, text: str) -> None:
    """Assert that an answer is an error with this status and text."""
    assert answer.status_code == status, answer.text
    assert text in answer.json()["error"]


def filter_by(name: str, value: str, operator: str = "eq") -> dict[str, Any]:
    """Make the filters of a list request."""
    one = {"filterField": name, "filterValue": value, "filterOperator": operator}
    return {"filterGroups": [{"condition": "AND", "fieldFilters": [one]}]}


@dataclass
class Client:
    """Talks to one fake, with a new token for every request."""

    fake: FakePassKit
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Send a request. Options are those of requests; `headers` may bring an Authorization of its own."""
        headers = {"Authorization": make_token(self.fake), **options.pop("headers", {})}
        options.setdefault("timeout", 120)
        return self.session.request(method, self.fake.url + path, json=body, headers=headers, **options)

    def right(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Send a request that must succeed, and return what the JSON means."""
        answer = self.ask(method, path, body, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def listed(self, path: str, body: Any = None) -> list[dict[str, Any]]:
        """Send a list request that must succeed, and return the records."""
        answer = self.ask("POST", path, {} if body is None else body)
        assert answer.status_code == 200, answer.text
        return [json.loads(line)["result"] for line in answer.text.splitlines()]

    def enrol(self, external_id: str = "c-17", **values: Any) -> str:
        """Make a member and return the ID."""
        body = {"programId": PROGRAM, "tierId": BRONZE, "externalId": external_id, **values}
        return str(self.right("POST", "/members/member", body)["id"])

    def enrol_by_form(self, **person: Any) -> str:
        """Let somebody enrol at the enrolment page with this data, of whatever form; return the ID."""
        return self.fake.enrol_by_form(PROGRAM, BRONZE, person)

    def member(self, member_id: str) -> Any:
        """Return a member."""
        return self.right("GET", f"/members/member/id/{member_id}")

    def expire(self, member_id: str, **time: float) -> None:
        """Set a member's expiry date, so many days or hours from now: `expire(member_id, days=-1)`."""
        date = to_text(self.fake.state.now() + timedelta(**time))
        self.right("PUT", "/members/member/updateExpiry", {"id": member_id, "expiryDate": date})

    def status(self, member_id: str) -> tuple[str, str]:
        """Return the status of a member and that of the pass."""
        member = self.member(member_id)
        return member["status"], member["passMetaData"]["status"]

    def coupon(self, coupon_id: str) -> Any:
        """Return a coupon."""
        return self.right("GET", f"/coupon/singleUse/coupon/{coupon_id}")

    def make_coupon(self, external_id: str = "c-17", **values: Any) -> str:
        """Make a coupon and return the ID."""
        body = {"campaignId": CAMPAIGN, "offerId": OFFER_VARIABLE, "externalId": external_id, **values}
        return str(self.right("POST", "/coupon/singleUse/coupon", body)["id"])

    def issue_ticket(self, number: str = "t-17", **values: Any) -> str:
        """Issue a ticket and return the ID."""
        body = {"eventId": EVENT, "ticketTypeId": ADULT, "ticketNumber": number, **values}
        return str(self.right("POST", "/eventTickets/ticket", body)["id"])
