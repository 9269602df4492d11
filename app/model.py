"""The plain values everybody speaks: what a pass and a program *are*, how things are named, what time it is.

No database, no HTTP.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

POINTS_MAX = Decimal("999999999.99")
POINTS_PLACES = Decimal("0.01")
# The issuer that is our own database. Every other one is a remote issuer.
BUILTIN = "builtin"
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
# What a pass says of its holder. A permanent revoke clears it.
HOLDER_FIELDS = ("email", "first_name", "last_name", "phone")


class Mode(StrEnum):
    """Two worlds of data in one account; an API key belongs to one of them."""

    TEST = "test"
    LIVE = "live"


class Kind(StrEnum):
    """What a program issues."""

    MEMBERSHIP = "membership"
    COUPON = "coupon"
    EVENT_TICKET = "event_ticket"

    @property
    def words(self) -> str:
        """The kind as it stands in a sentence."""
        return self.value.replace("_", " ")


class Status(StrEnum):
    """Where a pass is in its life. Never stored: it follows from the facts a pass carries (`Pass.status`)."""

    ACTIVE = "active"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVOKED = "revoked"


class InstallState(StrEnum):
    """What the holder did with the pass, as far as the wallet tells."""

    ISSUED = "issued"
    INSTALLED = "installed"
    UNINSTALLED = "uninstalled"


class EndsCardsBy(StrEnum):
    """How a revoke that can be undone ends a card at a remote issuer."""

    EXPIRY = "expiry"
    DELETE = "delete"


class FieldType(StrEnum):
    """What the text of a program's custom field must look like."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Tier:
    """The level inside a program: a membership's tier, a coupon's offer, a ticket's type."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CustomField:
    """A value of the caller's own that every pass of a program can carry."""

    name: str
    title: str
    type: FieldType = FieldType.TEXT
    required: bool = False


@dataclass(frozen=True, slots=True)
class Colors:
    """What a card looks like; each is `#rrggbb`."""

    background: str = "#1f2937"
    text: str = "#ffffff"
    label: str = "#cbd5e1"


@dataclass(frozen=True, slots=True)
class Program:
    """What passes are issued from. `tiers` is never empty; its first is the default of new passes.

    `upstream_id` is what a remote issuer calls it, `upstream` what only that issuer's code understands.
    """

    id: str
    account_id: str
    mode: Mode
    issuer: str
    kind: Kind
    name: str
    tiers: tuple[Tier, ...]
    created_at: datetime
    updated_at: datetime
    fields: tuple[CustomField, ...] = ()
    colors: Colors = Colors()
    logo_text: str | None = None
    terms: str | None = None
    upstream_id: str | None = None
    upstream: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What one should know before passes of this program are issued or revoked, in sentences."""
        return tuple(self.upstream.get("notes", ()))

    def tier(self, tier_id: str) -> Tier | None:
        """Return the tier with this ID, or None."""
        return next((tier for tier in self.tiers if tier.id == tier_id), None)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where an event ticket leads to, as far as its issuer tells. `event_starts_at` is ISO 8601 text."""

    order_number: str | None = None
    seat: str | None = None
    event_name: str | None = None
    event_starts_at: str | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """One holder's card, coupon or ticket.

    `points` is None unless the program is a membership. `revoked_at`, `redeemed_at` and `expires_at` are facts;
    `status` follows from them, so that undoing a revoke brings back exactly what was there before.
    `deleted_at` is set by a permanent revoke: the holder's data is gone and the external ID is free again.
    `upstream_id` is what a remote issuer calls it, None also where that issuer has no record of it (any more).
    `tier_points` is what a remote issuer counts towards the tier, `ticket` what it tells of an event ticket.
    """

    id: str
    account_id: str
    mode: Mode
    issuer: str
    program_id: str
    tier_id: str
    link_token: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    external_id: str | None = None
    email: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    points: Decimal | None = None
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    install_state: InstallState = InstallState.ISSUED
    expires_at: datetime | None = None
    redeemed_at: datetime | None = None
    revoked_at: datetime | None = None
    deleted_at: datetime | None = None
    upstream_id: str | None = None
    tier_points: int | None = None
    ticket: Ticket | None = field(default=None, repr=False)

    def status(self, now: datetime) -> Status:
        """Say where the pass is in its life at the instant `now`. Revoked wins over redeemed over expired."""
        if self.revoked_at is not None:
            return Status.REVOKED
        if self.redeemed_at is not None:
            return Status.REDEEMED
        if self.expires_at is not None and self.expires_at <= now:
            return Status.EXPIRED
        return Status.ACTIVE


# --- IDs ---


class IdKind(StrEnum):
    """What an ID names, by the prefix that it begins with."""

    ACCOUNT = "acct"
    DELIVERY = "dlv"
    EVENT = "evt"
    HOOK = "hook"
    IMPORT = "imp"
    KEY = "key"
    OPERATION = "op"
    PASS = "pass"
    PROGRAM = "prog"
    REQUEST = "req"
    SUBSCRIPTION = "sub"
    TEST_EVENT = "evt_test"
    TIER = "tier"
    WEBHOOK = "whk"
    WORKER = "wkr"


# What may stand where an ID is expected, in paths and fields alike; anything else cannot name a thing of ours.
ID_PATTERN = r"[A-Za-z0-9_-]{1,64}"


def new_id(kind: IdKind) -> str:
    """Return a fresh ID such as `pass_019ab3c4d5e6f708192a3b4c5d6e7f80`.

    An ID is a short prefix that says what it names, then 60 bits of time and 68 random bits, all in hexadecimal:
    sorting by ID is sorting by age (paging relies on it), and nobody guesses another one. The first 48 bits are
    milliseconds; the 12 after them divide the millisecond, because a batch does several things to one pass in one.
    """
    return f"{kind.value}_{time.time_ns() * 4096 // 1_000_000:015x}{secrets.randbits(68):017x}"


def new_event_id(at: datetime) -> str:
    """Return a fresh ID of an event that happened at the instant `at`: a range of times is a range of IDs.

    The first 48 bits are the event's own time in milliseconds, which may run ahead of the clock. The 40 bits after it
    are microseconds by the clock: events of one instant are in the order in which they were written. The rest is
    random.
    """
    return f"{first_event_id(at)}{time.time_ns() // 1000 % (1 << 40):010x}{secrets.randbits(40):010x}"


def first_event_id(at: datetime) -> str:
    """Return the lower bound of the IDs of events that happened at the instant `at`."""
    return f"{IdKind.EVENT.value}_{(at - _EPOCH) // _MILLISECOND:012x}"


def new_link_token() -> str:
    """Return the unguessable part of a pass page's address: 128 random bits, safe in a URL.

    It is not the pass ID on purpose: IDs travel through CRMs, spreadsheets and logs, the address of somebody's
    card should not follow from them.
    """
    return secrets.token_urlsafe(16)


# --- the time ---

# Everything that asks for the time is handed a `Clock`, so that tests can bring their own. Instants are timezone-aware
# UTC, cut to milliseconds because that is what the database keeps (`store/tables.py`).
Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present instant in UTC, cut to whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
