"""What goes into the exactly-once runner, and what comes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.accounts.keys import Caller
from app.actions.action import Action
from app.issuers import Issuer, issuer_for
from app.service import Service


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets: the answer as JSON text, and whether it is the stored one of an earlier request."""

    operation_id: str
    body: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One request to do an action.

    `body` is what was sent, `data` the same after validation. `key` is None where the caller gave none.
    """

    service: Service
    caller: Caller
    action: Action
    body: Mapping[str, Any]
    data: Mapping[str, Any]
    key: str | None
    fingerprint: str

    @property
    def issuer(self) -> Issuer:
        """The issuer this request goes to as long as nothing is known of its program."""
        return issuer_for(self.caller.mode, self.data.get("external_id"))


def fingerprint_of(body: Mapping[str, Any]) -> str:
    """Return what makes two requests with the same key the same request: the SHA-256 of the body's values.

    The unique event ID is the key itself and does not count.
    """
    values = {name: value for name, value in body.items() if name != "unique_event_id"}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
