"""PassKit's programs, campaigns and productions as programs of ours.

    PassKit                 here
    program, tiers          membership, its tiers
    campaign, offers        coupon, its tiers
    production, types       event_ticket, its tiers: a plain ticket type is for the next event, and for each later
                            event there is one more tier, `<type>-<event>`

What cannot be read is left out and named in a note. All lists are read at the same time, each template once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.errors import PassrailError, UpstreamCredentialsRefused
from app.issuers.passkit import discovery
from app.issuers.passkit.credentials import REGIONS
from app.issuers.passkit.discovery import Event, Level, Project, TemplateField
from app.issuers.passkit.failures import CredentialsRefused, NotFound, PassKitFailure
from app.issuers.passkit.mapping import BY_OFFER, COMPUTED, NEVER_ENDS
from app.issuers.passkit.translate import credentials_sentence
from app.issuers.passkit.transport import Transport
from app.issuers.remote import Catalogue, FoundProgram, Profile
from app.model import CustomField, FieldType, Kind, Tier

REGION_WORDS = {"pub1": "EU", "pub2": "USA"}
NOTES = 20  # more of them nobody reads
_NEVER = datetime.max.replace(tzinfo=UTC)


def prove(transport: Transport, region: str) -> Profile:
    """Ask PassKit whose credentials these are.

    The wrong region takes the token and then knows nothing (field report), so the region is compared where PassKit
    tells it, and the list of projects must not be 404 either.

    Raises:
        UpstreamCredentialsRefused: wrong key, secret or token, wrong region, wrong clock: each in its own sentence.
        PassKitFailure: it cannot be found out now.
    """
    try:
        found = discovery.account(transport)
        if found.region in REGIONS and region in REGIONS and found.region != region:
            raise _wrong_region(region, found.region)
        discovery.need_projects(transport)
    except NotFound:
        other = next((name for name in REGIONS if name != region), "the other one")
        raise _wrong_region(region, other) from None
    except CredentialsRefused as failure:
        raise UpstreamCredentialsRefused(credentials_sentence(failure)) from None
    return Profile(found.company, found.username)


def _wrong_region(given: str, right: str) -> PassrailError:
    words = REGION_WORDS.get(right)
    return UpstreamCredentialsRefused(
        f"The key is right, but its account is not in the region {given}. Connect with the region {right}"
        + (f" ({words})." if words else ".")
    )


@dataclass(slots=True)
class _Work:
    """One program on its way: what was asked for it."""

    kind: Kind
    project: Project
    levels: Future[list[Level]]
    events: Future[list[Event]] | None = None
    tiers: list[Level] = field(default_factory=list)


class _Reading:
    """All that is read for one catalogue, and what could not be."""

    def __init__(self, transport: Transport, pool: ThreadPoolExecutor) -> None:
        self._transport, self._pool = transport, pool
        self.notes: list[str] = []
        self.unread: set[Kind] = set()
        self.failures: list[PassKitFailure] = []

    def ask(self, read: Callable[..., Any], *arguments: str) -> Future[Any]:
        """Begin to read."""
        return self._pool.submit(read, self._transport, *arguments)

    def result(self, asked: Future[Any], kind: Kind, what: str) -> Any:
        """Return what was read; None: it could not be, which is noted.

        Raises:
            CredentialsRefused: then nothing can be.
        """
        try:
            return asked.result()
        except CredentialsRefused:
            raise
        except PassKitFailure as failure:
            self.failures.append(failure)
            self.unread.add(kind)
            self.notes.append(f"{what} PassKit: {failure.text}")
            return None


def read(transport: Transport, now: datetime) -> Catalogue:
    """Read everything that passes can be issued from. What has no tier cannot issue, and is left out.

    Raises:
        PassKitFailure: none of it can be read.
    """
    # Half of the requests that may be under way at once are left to actions.
    at_once = min(transport.at_once, max(4, transport.at_once // 2))
    with ThreadPoolExecutor(at_once) as pool:
        reading = _Reading(transport, pool)
        works = _works(reading)
        if not works and len(reading.unread) == len(Kind):
            raise reading.failures[0]
        for work in works:
            what = f"The {work.kind.words} program {work.project.name} cannot be used: its tiers cannot be read."
            work.tiers = reading.result(work.levels, work.kind, what) or []
        templates = dict.fromkeys(level.template_id for work in works for level in work.tiers if level.template_id)
        fields = {template: reading.ask(discovery.template_fields, template) for template in templates}
        found = [_found(reading, work, fields, transport, now) for work in works if work.tiers]
    notes = reading.notes
    if len(notes) > NOTES:
        notes = [*notes[:NOTES], f"{len(notes) - NOTES} more could not be read."]
    return Catalogue(found, tuple(notes), frozenset(reading.unread))


def _works(reading: _Reading) -> list[_Work]:
    """Ask for the lists of all three kinds, then for the tiers of each of their programs."""
    lists = {
        Kind.MEMBERSHIP: (reading.ask(discovery.programs), discovery.tiers),
        Kind.COUPON: (reading.ask(discovery.campaigns), discovery.offers),
        Kind.EVENT_TICKET: (reading.ask(discovery.productions), discovery.ticket_types),
    }
    works = []
    for kind, (asked, levels) in lists.items():
        projects = reading.result(asked, kind, f"Programs of the kind {kind.words} cannot be used: no list of them.")
        for project in projects or ():
            work = _Work(kind, project, reading.ask(levels, project.id))
            if kind is Kind.EVENT_TICKET:
                work.events = reading.ask(discovery.events, project.id)
            works.append(work)
    return works


def _found(
    reading: _Reading,
    work: _Work,
    templates: Mapping[str, Future[list[TemplateField]]],
    transport: Transport,
    now: datetime,
) -> FoundProgram:
    project = work.project
    fields: dict[str, CustomField] = {}
    has_all_fields = True
    for template_id in dict.fromkeys(level.template_id for level in work.tiers if level.template_id):
        what = f"The program {project.name} lacks custom fields: one of its templates cannot be read."
        listed = reading.result(templates[template_id], work.kind, what)
        has_all_fields = has_all_fields and listed is not None
        for template_field in listed or ():
            kind = FieldType.NUMBER if template_field.is_number else FieldType.TEXT
            fields.setdefault(
                template_field.name,
                CustomField(template_field.name, template_field.label or template_field.name, kind, required=False),
            )
    tiers = [Tier(level.id, level.name or level.id) for level in work.tiers]
    expiry = {level.id: level.expiry for level in work.tiers if level.expiry is not None}
    facts: dict[str, Any] = {"pass_url": transport.credentials.pass_url, "is_draft": project.is_draft}
    if work.kind is Kind.MEMBERSHIP:
        facts |= {
            "overdraw": [level.id for level in work.tiers if level.may_overdraw],
            "auto_delete_days": project.auto_delete_days,
        }
    if work.events is not None:
        what = f"The production {project.name} has no events: they cannot be read."
        tiers, places = _places(work.tiers, _to_come(reading.result(work.events, work.kind, what) or (), now))
        facts["places"] = places
        expiry = {} if project.expiry is None else {tier.id: project.expiry for tier in tiers}
    facts |= {"expiry": expiry, "notes": _notes(work, expiry)}
    return FoundProgram(
        kind=work.kind,
        upstream_id=project.id,
        name=project.name,
        tiers=tuple(tiers),
        fields=tuple(fields.values()),
        has_all_fields=has_all_fields,
        upstream=facts,
    )


def _places(types: Sequence[Level], events: Sequence[Event]) -> tuple[list[Tier], dict[str, dict[str, str | None]]]:
    """Return a tier for each ticket type at each event, and what each stands for."""
    tiers, places = [], {}
    for kind in types:
        tiers.append(Tier(kind.id, kind.name or kind.id))
        places[kind.id] = {"type": kind.id, "event": events[0].id if events else None}
        for event in events[1:]:
            tier_id = f"{kind.id}-{event.id}"
            tiers.append(Tier(tier_id, f"{kind.name}, {_when(event)}"))
            places[tier_id] = {"type": kind.id, "event": event.id}
    return tiers, places


def _to_come(events: Iterable[Event], now: datetime) -> list[Event]:
    open_ones = [event for event in events if (event.ends_at or event.starts_at or _NEVER) > now]
    return sorted(open_ones, key=lambda event: event.starts_at or _NEVER)


def _when(event: Event) -> str:
    day = event.starts_at.date().isoformat() if event.starts_at else "later"
    return f"{day} {event.venue}".strip()


def _notes(work: _Work, expiry: Mapping[str, str]) -> list[str]:
    """Say what one should know before passes are issued or revoked."""

    def named(kind: str) -> str:
        return ", ".join(level.name or level.id for level in work.tiers if expiry.get(level.id) == kind)

    notes = []
    if work.project.is_draft:
        notes.append(
            "This is a draft in PassKit: its passes are marked as tests and stop working after 48 hours. Publish it in "
            "PassKit's portal."
        )
    if never := named(NEVER_ENDS):
        notes.append(
            f"Passes of {never} do not expire in PassKit, so that a revoke that can be undone does not end them there "
            "and is refused. Set an expiry for the tier in PassKit's portal, connect with ends_cards_by: delete, or "
            "revoke with permanent: true."
        )
    if computed := named(COMPUTED):
        notes.append(
            f"PassKit computes the expiry of new passes of {computed}; expires_at of a new pass does not count."
        )
    if by_offer := named(BY_OFFER):
        notes.append(
            f"The offers {by_offer} decide when their coupons expire: such a coupon is revoked with permanent: true, "
            "or with ends_cards_by: delete."
        )
    if work.kind is Kind.MEMBERSHIP:
        notes.append(
            f"PassKit deletes the record of a pass {work.project.auto_delete_days} days after it has expired or was "
            "revoked; then it cannot be reinstated any more."
        )
    return notes
