"""The flat answer every action gives: the pass itself, and what the action adds.

`PassAnswer` is its description, `describe` makes it; a test holds the two against each other. `describe` builds
the object by hand because it runs in every request and is five times faster than a dump through the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from marshmallow import fields as ma

from app.model import InstallState, Kind, Mode, Pass, Program, Status, Ticket
from app.schema import Base


def said(title: str, description: str, example: Any, **more: Any) -> dict[str, Any]:
    """Put the words of an answer's field where OpenAPI finds them."""
    return {"title": title, "description": description, "examples": [example], **more}


class PassAnswer(Base):
    """A pass, flat, with every field always there; what is not set is null."""

    id = ma.String(required=True, metadata=said("Pass ID", "ID of the pass.", "pass_019ab3c4d5e6a71f695bc7f5dc3f5e86"))
    mode = ma.String(
        required=True,
        metadata=said("Mode", "World the pass lives in.", "test", enum=[mode.value for mode in Mode]),
    )
    issuer = ma.String(required=True, metadata=said("Issuer", "Where the pass lives.", "builtin"))
    kind = ma.String(
        required=True, metadata=said("Kind", "What it is.", "membership", enum=[kind.value for kind in Kind])
    )
    program_id = ma.String(
        required=True, metadata=said("Program ID", "Program the pass was issued from.", "prog_demo_membership")
    )
    program_name = ma.String(required=True, metadata=said("Program Name", "Name of the program.", "Rosewater Club"))
    tier_id = ma.String(required=True, metadata=said("Tier ID", "Tier the pass is on.", "tier_demo_bronze"))
    tier_name = ma.String(required=True, metadata=said("Tier Name", "Name of the tier.", "Bronze"))
    external_id = ma.String(
        required=True, allow_none=True, metadata=said("External ID", "Your own ID of the holder.", "customer-501")
    )
    status = ma.String(
        required=True,
        metadata=said("Status", "Where the pass is in its life.", "active", enum=[s.value for s in Status]),
    )
    install_state = ma.String(
        required=True,
        metadata=said(
            "Install State",
            "What the holder did with the pass, as far as the wallet tells.",
            "issued",
            enum=[state.value for state in InstallState],
        ),
    )
    email = ma.String(
        required=True, allow_none=True, metadata=said("Email", "The holder's e-mail address.", "ada@example.com")
    )
    first_name = ma.String(
        required=True, allow_none=True, metadata=said("First Name", "The holder's first name.", "Ada")
    )
    last_name = ma.String(
        required=True, allow_none=True, metadata=said("Last Name", "The holder's last name.", "Lovelace")
    )
    phone = ma.String(
        required=True, allow_none=True, metadata=said("Phone", "The holder's phone number.", "+44 20 7946 0000")
    )
    points = ma.Float(
        required=True,
        allow_none=True,
        metadata=said("Points", "Balance, with at most 2 decimal places; null unless a membership.", 120),
    )
    tier_points = ma.Integer(
        required=True,
        allow_none=True,
        metadata=said("Tier Points", "What the issuer counts towards the tier; null where it counts nothing.", None),
    )
    order_number = ma.String(
        required=True,
        allow_none=True,
        metadata=said("Order Number", "Order that an event ticket belongs to; null where the issuer tells none.", None),
    )
    seat = ma.String(
        required=True,
        allow_none=True,
        metadata=said("Seat", "Seat of an event ticket; null where the issuer tells none.", None),
    )
    event_name = ma.String(
        required=True,
        allow_none=True,
        metadata=said("Event Name", "Event that an event ticket is for; null where the issuer tells none.", None),
    )
    event_starts_at = ma.DateTime(
        required=True,
        allow_none=True,
        metadata=said(
            "Event Starts At", "When the event of an event ticket begins; null where the issuer does not tell.", None
        ),
    )
    fields = ma.Dict(  # type: ignore[assignment]
        keys=ma.String(),
        values=ma.String(),
        required=True,
        metadata=said("Custom Fields", "Values of the program's custom fields.", {"member_since": "2026"}),
    )
    expires_at = ma.DateTime(
        required=True,
        allow_none=True,
        metadata=said("Expires At", "When the pass expires.", "2027-12-31T23:59:59.000Z"),
    )
    pass_url = ma.String(
        required=True,
        metadata=said("Pass URL", "Address of the pass's page. Send it to the holder.", "https://pass.example.com/p/x"),
    )
    apple_url = ma.String(
        required=True,
        allow_none=True,
        metadata=said("Apple URL", "Address of the Apple Wallet file; null where the issuer makes none.", None),
    )
    google_url = ma.String(
        required=True,
        allow_none=True,
        metadata=said("Google URL", "Address that adds to Google Wallet; null where the issuer has none.", None),
    )
    qr_code_url = ma.String(
        required=True,
        metadata=said(
            "QR Code URL", "Picture of a QR code that opens the pass's page.", "https://pass.example.com/p/x/qr.png"
        ),
    )
    created_at = ma.DateTime(
        required=True, metadata=said("Created At", "When the pass was made.", "2026-11-20T09:30:00.000Z")
    )
    updated_at = ma.DateTime(
        required=True, metadata=said("Updated At", "When it last changed.", "2026-11-20T09:30:00.000Z")
    )


class ActionAnswer(PassAnswer):
    """The pass after the action, the operation that did it, and what it did differently."""

    operation_id = ma.String(
        required=True,
        metadata=said("Operation ID", "ID of what was done, for the log.", "op_019ab3c4d5e6e65641363d619b3891f3"),
    )
    notes = ma.List(
        ma.String(),
        required=True,
        metadata=said(
            "Notes",
            "What the service did differently from what was asked, in sentences; empty as a rule.",
            [],
        ),
    )


def to_text(instant: datetime) -> str:
    """Write an instant as RFC 3339 with milliseconds and `Z`, the one form of every answer and event."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number(value: Decimal | None) -> int | float | None:
    """Give an exact decimal the shape JSON has for it: 120, not 120.0. Two places always survive a float."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def describe(subject: Pass, program: Program, *, now: datetime, public_url: str) -> dict[str, Any]:
    """Make the flat answer of a pass, as `PassAnswer` describes it.

    Args:
        subject: the pass.
        program: its program, for the names.
        now: decides between active and expired.
        public_url: address of the service, which those of the pass begin with.
    """
    tier = program.tier(subject.tier_id)
    ticket = subject.ticket or Ticket()
    return {
        "id": subject.id,
        "mode": subject.mode.value,
        "issuer": subject.issuer,
        "kind": program.kind.value,
        "program_id": subject.program_id,
        "program_name": program.name,
        "tier_id": subject.tier_id,
        "tier_name": tier.name if tier is not None else subject.tier_id,
        "external_id": subject.external_id,
        "status": subject.status(now).value,
        "install_state": subject.install_state.value,
        "email": subject.email,
        "first_name": subject.first_name,
        "last_name": subject.last_name,
        "phone": subject.phone,
        "points": number(subject.points),
        "tier_points": subject.tier_points,
        "order_number": ticket.order_number,
        "seat": ticket.seat,
        "event_name": ticket.event_name,
        "event_starts_at": ticket.event_starts_at,
        "fields": dict(subject.fields),
        "expires_at": to_text(subject.expires_at) if subject.expires_at else None,
        "pass_url": page_url(subject, program, public_url),
        "apple_url": apple_url(subject, program),
        "google_url": google_url(subject, program),
        "qr_code_url": qr_code_url(public_url, subject.link_token),
        "created_at": to_text(subject.created_at),
        "updated_at": to_text(subject.updated_at),
    }


def example(details: Mapping[str, Any], answer: type[PassAnswer] = ActionAnswer) -> dict[str, Any]:
    """Make an example answer from the examples of the fields, with details on top, such as an action's."""
    plain = {name: field.metadata["examples"][0] for name, field in answer().dump_fields.items()}
    return {**plain, **details}


# --- addresses ---


def pass_url(public_url: str, link_token: str) -> str:
    """Return the address of the pass's page with us."""
    return f"{public_url}/p/{link_token}"


def qr_code_url(public_url: str, link_token: str) -> str:
    """Return the address of a picture (PNG) of a QR code that leads to the pass's page."""
    return f"{public_url}/p/{link_token}/qr.png"


def page_url(subject: Pass, program: Program, public_url: str) -> str:
    """Return the address of the pass's page: with us, or with the issuer it lives at."""
    return upstream_url(subject, program) or pass_url(public_url, subject.link_token)


def upstream_url(subject: Pass, program: Program) -> str | None:
    """Return the address of the pass's page with a remote issuer; that issuer's own answers never tell it."""
    host = program.upstream.get("pass_url")
    if host is None or subject.upstream_id is None:
        return None
    return f"{host}/{quote(subject.upstream_id, safe='')}"


def apple_url(subject: Pass, program: Program) -> str | None:
    """Return the address of the Apple Wallet file, None where there is none."""
    page = upstream_url(subject, program)
    return f"{page}.pkpass" if page else None


def google_url(subject: Pass, program: Program) -> str | None:
    """Return the address that adds to Google Wallet, None where there is none."""
    page = upstream_url(subject, program)
    return f"{page}.gpay" if page else None
