"""What the fake knows: its tables, its clock and how it makes IDs. One instance is one account in one region."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.passkit.errors import duplicate
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.switches import Switches

Clock = Callable[[], datetime]

ID_LENGTH = 22
_ID_LETTERS = string.digits + string.ascii_letters


def to_text(instant: datetime) -> str:
    """Write a time as the live service does: UTC, to the microsecond, no trailing zeros."""
    instant = instant.astimezone(UTC)
    fraction = f".{instant.microsecond:06}".rstrip("0").rstrip(".")
    return instant.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def to_time(text: str) -> datetime:
    """Read a time that the fake has written."""
    return datetime.fromisoformat(text)


class Table:
    """Records by ID, in the order they were made.

    Args:
        what: what one of them is called in error texts, "member".
        unique: fields that are unique together when the last of them is set, ("programId", "externalId").
    """

    def __init__(self, what: str, *unique: str) -> None:
        self.what = what
        self._unique = unique
        self._records: dict[str, Record] = {}
        self._by_key: dict[tuple[Any, ...], str] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def add(self, identity: str, record: Record) -> Record:
        """Store a record under an ID.

        Raises:
            Refusal: 409, its unique fields are taken.
        """
        key = self._key(record)
        if key is not None:
            if key in self._by_key:
                raise duplicate(self.what, str(key[-1]))
            self._by_key[key] = identity
        self._records[identity] = record
        return record

    def get(self, identity: str) -> Record | None:
        """Return the record with this ID, or None."""
        return self._records.get(identity)

    def find(self, *key: str) -> Record | None:
        """Return the record with these unique fields, or None."""
        identity = self._by_key.get(key)
        return None if identity is None else self._records[identity]

    def rename(self, record: Record, field: str, value: str) -> None:
        """Change a unique field.

        Raises:
            Refusal: 409, the new value is taken.
        """
        old, new = self._key(record), self._key({**record, field: value})
        if new != old and new in self._by_key:
            raise duplicate(self.what, value)
        self.release(record)
        record[field] = value
        if new is not None:
            self._by_key[new] = record["id"]

    def remove(self, identity: str) -> None:
        """Forget a record; its unique fields are free again."""
        self.release(self._records.pop(identity))

    def release(self, record: Record) -> None:
        """Free a record's unique fields for another one, if they still mean this one. The record itself stays."""
        key = self._key(record)
        if key is not None and self._by_key.get(key) == record["id"]:
            del self._by_key[key]

    def _key(self, record: Record) -> tuple[Any, ...] | None:
        if not self._unique or not record.get(self._unique[-1]):
            return None
        return tuple(record.get(name, "") for name in self._unique)


class State:
    """The tables. Members, coupons and tickets are the passes; `passes` lists their tables by protocol."""

    def __init__(self, clock: Clock, region: str, switches: Switches) -> None:
        self._clock = clock
        self._random = random.Random()
        self.region = region
        self.switches = switches
        self.ahead = timedelta()
        self.account: Record = {}
        self.projects = Table("project")
        self.templates = Table("template")
        self.programs = Table("program")
        self.tiers = Table("tier")
        self.members = Table("member", "programId", "externalId")
        self.member_events = Table("member event")
        self.campaigns = Table("campaign")
        self.offers = Table("offer")
        self.coupons = Table("coupon", "campaignId", "externalId")
        self.productions = Table("production", "uid")
        self.venues = Table("venue", "uid")
        self.events = Table("event", "productionId", "venueId", "scheduledStartDate")
        self.ticket_types = Table("ticket type", "productionId", "uid")
        self.tickets = Table("ticket", "productionId", "ticketNumber")
        self.sinks = Table("sink")
        self.messages = Table("message")
        self.passes = {"MEMBERSHIP": self.members, "SINGLE_USE_COUPON": self.coupons, "EVENT_TICKETING": self.tickets}

    def now(self) -> datetime:
        """Return the present instant for passes: the clock's, and what tests have let pass."""
        return self._clock() + self.ahead

    def true_now(self) -> datetime:
        """Return the present instant for credentials: the clock's."""
        return self._clock()

    def now_text(self) -> str:
        """Return the present instant as it stands in records."""
        return to_text(self.now())

    def new_id(self) -> str:
        """Make an ID such as PassKit makes: 22 letters and digits, case matters."""
        return "".join(self._random.choices(_ID_LETTERS, k=ID_LENGTH))
