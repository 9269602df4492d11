"""PassKit's programs, campaigns and productions as programs of ours, read anew when what we have is old.

    PassKit                 here
    program, tiers          membership, its tiers
    campaign, offers        coupon, its tiers
    production, types       event_ticket, its tiers: a plain ticket type is for the next event, and for each later
                            event there is one more tier, `<type>-<event>`

Our program keeps its own ID; tiers have PassKit's. What only PassKit's side of the house needs stands in
`Program.upstream`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from app import identifiers
from app.issuers.passkit import discovery
from app.issuers.passkit.choices import Event, TemplateField
from app.issuers.passkit.filters import pages
from app.issuers.passkit.transport import Transport
from app.model import CustomField, FieldType, Kind, Mode, Program, Tier
from app.store import programs as store
from app.store.tables import passes, sinks
from app.store.tables import programs as table

NAME = "passkit"
NAME_MAX = 80
PROTOCOLS = {
    Kind.MEMBERSHIP: "MEMBERSHIP",
    Kind.COUPON: "SINGLE_USE_COUPON",
    Kind.EVENT_TICKET: "EVENT_TICKETING",
}
_META = "meta."
_NUMBERS = frozenset({"INT", "NUMBER", "CURRENCY"})
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """A program as PassKit has it."""

    kind: Kind
    upstream_id: str
    name: str
    tiers: tuple[Tier, ...]
    fields: tuple[CustomField, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def read_all(transport: Transport, now: datetime) -> list[Found]:
    """Ask PassKit for everything that passes can be issued from. What has no tier cannot issue, and is left out.

    Raises:
        PassKitFailure: some of it could not be read; then nothing is known.
    """
    found = [*_memberships(transport), *_coupons(transport), *_tickets(transport, now)]
    return [one for one in found if one.tiers]


def _memberships(transport: Transport) -> Iterable[Found]:
    for program in pages(lambda filters: discovery.list_programs(transport, filters)):
        tiers = sorted(
            pages(lambda filters, of=program.id: discovery.list_tiers(transport, of, filters)),  # type: ignore[misc]
            key=lambda tier: tier.index,
        )
        facts = {"is_draft": program.is_draft, "overdraw": [tier.id for tier in tiers if tier.may_overdraw]}
        fields = _fields(transport, [tier.template_id for tier in tiers])
        named = tuple(Tier(tier.id, tier.name or tier.id) for tier in tiers)
        yield Found(Kind.MEMBERSHIP, program.id, program.name, named, fields, facts)


def _coupons(transport: Transport) -> Iterable[Found]:
    for campaign in pages(lambda filters: discovery.list_campaigns(transport, filters)):
        offers = [
            offer
            for offer in pages(lambda filters, of=campaign.id: discovery.list_offers(transport, of, filters))  # type: ignore[misc]
            if not offer.is_disabled
        ]
        own_expiry = [offer.id for offer in offers if offer.expiry_type == "EXPIRE_ON_VARIABLE_DATE_TIME"]
        facts = {"is_draft": campaign.is_draft, "own_expiry": own_expiry}
        fields = _fields(transport, [offer.template_id for offer in offers])
        named = tuple(Tier(offer.id, offer.title or offer.id) for offer in offers)
        yield Found(Kind.COUPON, campaign.id, campaign.name, named, fields, facts)


def _tickets(transport: Transport, now: datetime) -> Iterable[Found]:
    for production in pages(lambda filters: discovery.list_productions(transport, filters)):
        types = discovery.list_ticket_types(transport, production.id)
        events = _to_come(discovery.list_events(transport, production.id), now)
        tiers, places = [], {}
        for kind in types:
            tiers.append(Tier(kind.id, kind.name or kind.id))
            places[kind.id] = {"type": kind.id, "event": events[0].id if events else None}
            for event in events[1:]:
                tier_id = f"{kind.id}-{event.id}"
                tiers.append(Tier(tier_id, f"{kind.name}, {_when(event)}"))
                places[tier_id] = {"type": kind.id, "event": event.id}
        facts = {"is_draft": "PROJECT_DRAFT" in production.status, "places": places}
        fields = _fields(transport, [kind.template_id for kind in types])
        yield Found(Kind.EVENT_TICKET, production.id, production.name, tuple(tiers), fields, facts)


def _to_come(events: Iterable[Event], now: datetime) -> list[Event]:
    open_ones = [event for event in events if (event.ends_at or event.starts_at or _NEVER) > now]
    return sorted(open_ones, key=lambda event: event.starts_at or _NEVER)


def _when(event: Event) -> str:
    day = event.starts_at.date().isoformat() if event.starts_at else "later"
    return f"{day} {event.venue_name}".strip()


def _fields(transport: Transport, template_ids: Iterable[str]) -> tuple[CustomField, ...]:
    """Return the custom fields of all templates: what can be written into a pass's `metaData`."""
    fields: dict[str, CustomField] = {}
    for template_id in dict.fromkeys(filter(None, template_ids)):
        for one in discovery.get_template_fields(transport, template_id):
            if one.unique_name.startswith(_META):
                name = one.unique_name.removeprefix(_META)
                fields.setdefault(name, CustomField(name, one.label or name, _type_of(one), required=False))
    return tuple(fields.values())


def _type_of(one: TemplateField) -> FieldType:
    return FieldType.NUMBER if one.data_type in _NUMBERS else FieldType.TEXT


def write_all(
    connection: Connection, account_id: str, mode: Mode, found: Sequence[Found], pass_url: str, now: datetime
) -> None:
    """Bring our rows in line with what PassKit has. What is gone there goes here too, unless it has passes.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody else wrote the same at the same moment.
    """
    mine = _rows(connection, account_id, mode)
    known = {one.upstream_id: one for one in mine if one.issuer == NAME}
    taken = {one.name for one in mine if one.issuer != NAME}
    for one in found:
        name = _free_name(one, taken)
        taken.add(name)
        facts = {"protocol": PROTOCOLS[one.kind], "pass_url": pass_url, **one.facts}
        before = known.pop(one.upstream_id, None)
        if before is None:
            made = _made(account_id, mode, one, now)
            store.add(connection, replace(made, name=name, upstream=facts))
            continue
        after = replace(before, name=name, tiers=one.tiers, fields=one.fields, upstream=facts)
        if after != before:
            store.save(connection, replace(after, updated_at=now))
    for gone in known.values():
        if connection.execute(select(passes.c.id).where(passes.c.program_id == gone.id).limit(1)).first() is None:
            connection.execute(delete(sinks).where(sinks.c.program_id == gone.id))
            connection.execute(delete(table).where(table.c.id == gone.id))


def _rows(connection: Connection, account_id: str, mode: Mode) -> list[Program]:
    query = select(table).where(table.c.account_id == account_id, table.c.mode == mode.value)
    return [store.from_columns(tuple(row)) for row in connection.execute(query)]


def _free_name(one: Found, taken: set[str]) -> str:
    """PassKit lets two programs have one name; here it must be unique."""
    name = (one.name or one.upstream_id)[:NAME_MAX]
    if name in taken:
        name = f"{name[: NAME_MAX - 9]} ({one.upstream_id[-6:]})"
    return name


def _made(account_id: str, mode: Mode, one: Found, now: datetime) -> Program:
    return Program(
        id=identifiers.new_id(identifiers.PROGRAM),
        account_id=account_id,
        mode=mode,
        issuer=NAME,
        kind=one.kind,
        name=one.name,
        tiers=one.tiers,
        fields=one.fields,
        created_at=now,
        updated_at=now,
        upstream_id=one.upstream_id,
    )
