"""Everything about the fake that can be set otherwise. The defaults are what is reported of the live service."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tests.fakes.passkit.errors import ErrorStyle


class UnknownSwitch(ValueError):
    """There is no such switch, or the value has the wrong type."""


@dataclass
class Switches:
    """How the fake behaves. May be changed while it runs."""

    # --- requests ---
    strict_fields: bool = False
    """Refuse fields that no message has, with 400. The live service drops them without a word."""
    wrong_method_status: int = 501
    """Answer to a known path with another method: 501 as reported, or 405."""

    # --- answers ---
    omit_unset: bool = False
    """Leave fields out that are not set, instead of printing null, "" and 0."""
    error_style: ErrorStyle = "text"
    """Form of error bodies: "text" {"error": "..."}, "model" (older clients), "nested" (one report)."""
    delay_seconds: float = 0.0
    """Time every answer takes. The effect happens at once, the answer comes later."""
    route_delays: dict[str, float] = field(default_factory=dict)
    """Time the answers of single routes take, instead: {"POST /members/tiers/list": 0.2}."""

    # --- authentication ---
    accept_bare: bool = True
    """Accept a JWT alone in the header Authorization, as PassKit's own code sends it."""
    accept_bearer: bool = True
    """Accept a JWT after the word Bearer."""
    longest_expiry: int | None = None
    """Seconds from now beyond which `exp` is refused. One team reports 60, others none."""
    clock_offset: float = 0.0
    """Seconds that the server's clock is ahead of the true time. Its Date header tells the same time. Passes age by the
    true time: `FakePassKit.advance` moves theirs, in either direction."""
    requests_until_expiry: int | None = None
    """Authenticated requests after which every credential is refused as expired; None: never."""

    # --- the account ---
    tickets_status: int | None = None
    """Status of all routes for event tickets (403, 404, 501): an account without tickets. None: it has them."""
    coupons_status: int | None = None
    """The same for coupons."""
    broken_templates: list[str] = field(default_factory=list)
    """IDs of templates that cannot be read (500)."""
    data_collection: bool = False
    """Refuse PUT /members/member without `person`, with 400: one report says so of programs that collect data."""

    # --- lists of events that do not tell everything ---
    event_types_not_kept: list[str] = field(default_factory=list)
    """Types of member events that the program does not keep: ["EVENT_MEMBER_POINTS_EARNED"]."""
    seconds_until_events_are_listed: float = 0.0
    """How old an event must be to be listed and counted."""
    lose_last_event: bool = False
    """Leave the last event of every list out, without a word."""
    list_no_events: bool = False
    """Answer every list of events with nothing: 200 and an empty body."""
    most_events_listed: int | None = None
    """The most events that one answer lists, whatever limit was asked for; None: as many as were asked for."""

    # --- what is unknown of the live service ---
    email_filter: bool = False
    """Whether members can be filtered by person.emailAddress."""
    coupon_void: bool = True
    """Whether DELETE /coupon/singleUse/coupon works; one team reports that it does not (501)."""
    voided_coupons_stay: bool = True
    """Whether a voided coupon can still be read, invalidated; else it is gone and answers 404."""
    voided_coupons_free_ids: bool = False
    """Whether the external ID of a voided coupon may be used again, as that of an expired one may (documented)."""
    messages: bool = False
    """Whether POST /message is there; one report says 404."""
    reactivation: bool = True
    """Whether a later expiry date brings an expired pass back."""
    soft_dates_end_passes: bool = False
    """Whether a past expiry date ends a pass even in a tier that does not expire, where the portal calls it soft."""
    overdrawn_status: int = 500
    """Status of a burn below zero where the tier forbids it."""
    refuse_repeated_event_ids: bool = False
    """Answer 409 to an externalEventId that was seen before."""

    # --- deliveries to sinks ---
    hold_deliveries: bool = False
    """Keep deliveries back until they are released."""
    duplicate_deliveries: bool = False
    """Deliver everything twice."""
    delivery_repeats: int = 0
    """How often a delivery that is not answered with 2xx is sent again, at once."""
    signature_header: str | None = None
    """Header to sign deliveries in, "x-passkit-signature"; None: unsigned. The live scheme is unknown: this one is
    the hexadecimal HMAC-SHA256 of the body under the text of the sink's signingSecret."""

    def change(self, values: dict[str, Any]) -> None:
        """Set several at once, by name.

        Raises:
            UnknownSwitch: one of them does not exist or has a value of another type; nothing was changed.
        """
        known = {one.name: one.type for one in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise UnknownSwitch(f"there is no switch {name!r}")
            if not _fits(str(known[name]), value):
                raise UnknownSwitch(f"{name} must be of type {known[name]}")
        for name, value in values.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """Return all of them."""
        return asdict(self)


def _fits(type_text: str, value: Any) -> bool:
    if value is None:
        return type_text.endswith("| None")
    kind = type_text.removesuffix(" | None")
    if kind == "list[str]":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind == "dict[str, float]":
        return isinstance(value, dict) and all(_fits("float", one) for one in value.values())
    if kind == "bool":
        return isinstance(value, bool)
    if kind in {"int", "float"}:
        return isinstance(value, int if kind == "int" else int | float) and not isinstance(value, bool)
    if kind == "ErrorStyle":
        return value in {"text", "model", "nested"}
    return isinstance(value, str)
