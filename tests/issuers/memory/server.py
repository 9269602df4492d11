"""The issuer's side of the remote issuer in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any

from app.issuers.protocol import Done
from app.issuers.remote import FoundProgram
from app.model import Clock, CustomField, InstallState, Kind, Tier

PASS_URL = "https://cards.memory.example.com"
PROGRAMS = (
    FoundProgram(
        kind=Kind.MEMBERSHIP,
        upstream_id="club",
        name="Memory club",
        tiers=(Tier("blue", "Blue"), Tier("green", "Green")),
        fields=(CustomField("colour", "Colour"),),
        upstream={"pass_url": PASS_URL},
    ),
    FoundProgram(
        kind=Kind.COUPON,
        upstream_id="campaign",
        name="Memory coupons",
        tiers=(Tier("offer", "Offer"),),
        upstream={"pass_url": PASS_URL},
    ),
    FoundProgram(
        kind=Kind.EVENT_TICKET,
        upstream_id="concerts",
        name="Memory concerts",
        tiers=(Tier("seat", "Seat"),),
        upstream={"pass_url": PASS_URL},
    ),
)


class Failure(Enum):
    """What becomes of a request: the second word says whether the effect is there."""

    AWAY = "the issuer cannot be reached"
    CREDENTIALS = "it does not take the credentials"
    REFUSED = "it refuses"
    LOST = "no answer comes, nothing was done"
    LOST_AFTER = "no answer comes, it was done"
    UNCLEAR = "an answer comes that says nothing, nothing was done"
    UNCLEAR_AFTER = "an answer comes that says nothing, it was done"


HAPPENS_ALL_THE_SAME = (Failure.LOST_AFTER, Failure.UNCLEAR_AFTER)


@dataclass(kw_only=True)
class Record:
    """A pass as the issuer has it. It knows no "revoked": a card ends when it expires."""

    id: str
    program_id: str
    tier_id: str
    created_at: datetime
    external_id: str | None = None
    holder: dict[str, str | None] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    points: Decimal | None = None
    tier_points: int | None = None
    expires_at: datetime | None = None
    redeemed_at: datetime | None = None
    install_state: InstallState = InstallState.ISSUED


@dataclass
class MemoryServer:
    """One issuer: what it has, what was asked of it, and how it fails next.

    Attributes:
        done: what came of each effect that was made, by the ID of its step.
        subscriptions: program and address of each, by ID.
        outgoing: webhooks on their way, address and body.
        requests: the methods that were asked, in their order.
    """

    clock: Clock
    token: str = "right"
    company: str = "Memory Ltd"
    programs: list[FoundProgram] = field(default_factory=lambda: list(PROGRAMS))
    records: dict[str, Record] = field(default_factory=dict)
    done: dict[str, Done] = field(default_factory=dict)
    subscriptions: dict[str, tuple[str, str]] = field(default_factory=dict)
    outgoing: list[tuple[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _failures: list[tuple[str, Failure]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def fail(self, failure: Failure, method: str, times: int = 1) -> None:
        """Have the next requests of this method fail."""
        self._failures += [(method, failure)] * times

    def mend(self) -> None:
        """Forget all failures that were asked for."""
        self._failures.clear()

    def take_failure(self, method: str) -> Failure | None:
        """Note a request, and return how it fails."""
        self.requests.append(method)
        for place, (name, failure) in enumerate(self._failures):
            if name == method:
                del self._failures[place]
                return failure
        return None

    def enrol(self, program_id: str, external_id: str | None = None, **values: Any) -> Record:
        """Make a record, for us or for somebody else."""
        tier_id = next(one.tiers[0].id for one in self.programs if one.upstream_id == program_id)
        made = Record(
            **{"tier_id": tier_id, **values},
            id=f"rec{next(self._numbers):06}",
            program_id=program_id,
            external_id=external_id,
            created_at=self.clock(),
        )
        self.records[made.id] = made
        self._tell(made)
        return made

    def change(self, record_id: str, **values: Any) -> None:
        """Change a record, for us or for somebody else."""
        record = self.records[record_id]
        for name, value in values.items():
            setattr(record, name, value)
        self._tell(record)

    def delete(self, record_id: str) -> None:
        """Delete a record."""
        self._tell(self.records.pop(record_id), is_deleted=True)

    def by_external_id(self, program_id: str, external_id: str | None) -> Record | None:
        """Return the program's record of this external ID."""
        every = (one for one in self.records.values() if one.program_id == program_id)
        return next((one for one in every if external_id is not None and one.external_id == external_id), None)

    def subscribe(self, program_id: str, url: str) -> str:
        """Send webhooks of the program to the address."""
        subscription_id = f"subscription{next(self._numbers)}"
        self.subscriptions[subscription_id] = program_id, url
        return subscription_id

    def _tell(self, record: Record, *, is_deleted: bool = False) -> None:
        body: Mapping[str, Any] = {"id": record.id, "deleted": is_deleted}
        for program_id, url in self.subscriptions.values():
            if program_id == record.program_id:
                self.outgoing.append((url, json.dumps(body)))
