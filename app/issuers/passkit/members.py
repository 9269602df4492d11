"""Members of a program: every route the actions need, one function each. Points and tiers are in `loyalty`.

A member is named by PassKit's `id`; by `externalId` only where it is looked up. All functions raise
`failures.PassKitFailure`; what is said under Raises is only what a caller should expect in particular. A program that
does not exist, and everything in the wrong region, is a NotFound. A draft program's passes die after 48 hours
(documented).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from app.issuers.passkit import values
from app.issuers.passkit.failures import NotFound
from app.issuers.passkit.filters import Filters
from app.issuers.passkit.reading import texts_of
from app.issuers.passkit.records import (
    Member,
    Person,
    member,
    new_id,
    nothing,
    total,
)
from app.issuers.passkit.retry import Effect
from app.issuers.passkit.transport import Transport
from app.issuers.passkit.values import given, without_none

MEMBER = "/members/member"


def enrol(
    transport: Transport,
    program_id: str,
    tier_id: str,
    *,
    external_id: str | None = None,
    person: Person | None = None,
    meta_data: Mapping[str, str] | None = None,
    points: Decimal | None = None,
    expires_at: datetime | None = None,
    opted_out: bool | None = None,
) -> str:
    """`POST /members/member` {programId, tierId, externalId, person, metaData, points, expiryDate, optOut} -> ID.

    With an external ID it may be repeated, because the second is refused; without one it never is.

    Raises:
        Conflict: the program has a member of this external ID (field report: 409). With `after_unclear` it may be
            the one made by an earlier try: get it by its external ID.
        Refused: program or tier do not exist, the e-mail address is none, the program is disabled ...
        InvalidRequest: the external ID has a slash, or the points do not survive (`values.points`).
    """
    body = without_none(
        programId=program_id,
        tierId=tier_id,
        externalId=given(external_id, values.external_id),
        person=given(person, Person.to_json),
        metaData=given(meta_data, values.meta_data),
        points=given(points, values.points),
        expiryDate=given(expires_at, values.instant),
        optOut=opted_out,
    )
    effect = Effect.EVERY_TIME if external_id is None else Effect.IDEMPOTENT
    return transport.send(effect, "POST", MEMBER, new_id, body)


def get(transport: Transport, member_id: str) -> Member:
    """`GET /members/member/id/{id}` -> Member. NotFound also when it was deleted."""
    return transport.send(Effect.NONE, "GET", f"{MEMBER}/id/{{id}}", member, path={"id": member_id})


def get_by_external_id(transport: Transport, program_id: str, external_id: str) -> Member:
    """`GET /members/member/externalId/{programId}/{externalId}` -> Member. NotFound also when it was deleted."""
    path = {"programId": program_id, "externalId": external_id}
    return transport.send(Effect.NONE, "GET", f"{MEMBER}/externalId/{{programId}}/{{externalId}}", member, path=path)


def update(
    transport: Transport,
    member_id: str,
    *,
    meta_data: Mapping[str, str] | None = None,
    person: Person | None = None,
    tier_id: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    """`PUT /members/member` {id, metaData, person, tierId, expiryDate, operation: OPERATION_PATCH} -> ID.

    A patch: what is absent, zero or false stays as it is (documented), so nothing can be cleared by it. `meta_data`
    however is replaced as a whole (field report): give the result of `values.merge_meta_data`.
    """
    body = without_none(
        id=member_id,
        metaData=given(meta_data, values.meta_data),
        person=given(person, Person.to_json),
        tierId=tier_id,
        expiryDate=given(expires_at, values.instant),
        operation="OPERATION_PATCH",
    )
    transport.send(Effect.IDEMPOTENT, "PUT", MEMBER, new_id, body)


def patch_person(transport: Transport, member_id: str, person: Person) -> None:
    """`PATCH /members/member/person` {id, person} -> ID."""
    body = {"id": member_id, "person": person.to_json()}
    transport.send(Effect.IDEMPOTENT, "PATCH", f"{MEMBER}/person", new_id, body)


def set_expiry(transport: Transport, member_id: str, expires_at: datetime) -> None:
    """`PUT /members/member/updateExpiry` {id, expiryDate} -> ID.

    A past instant expires the pass, a later one brings it back (documented; elsewhere PassKit says that an
    invalidated pass does not change any more). PassKit deletes the record 90 days after expiry (documented).
    """
    body = {"id": member_id, "expiryDate": values.instant(expires_at)}
    transport.send(Effect.IDEMPOTENT, "PUT", f"{MEMBER}/updateExpiry", new_id, body)


def delete(transport: Transport, member_id: str) -> None:
    """`DELETE /members/member` {id} -> {}. Irreversible; it alone ends billing for the pass (field report).

    Raises:
        NotFound: it does not exist. Not raised when an earlier try of this call may have deleted it.
    """
    try:
        transport.send(Effect.IDEMPOTENT, "DELETE", MEMBER, nothing, {"id": member_id})
    except NotFound as failure:
        if not failure.after_unclear:
            raise


def list_members(transport: Transport, program_id: str, filters: Filters | None = None) -> list[Member]:
    """`POST /members/member/list/{programId}` {filters} -> stream of Member.

    Fields to filter by: tierId, id, status, passStatus, created, updated (documented). `externalId` is refused with
    400, `person.emailAddress` may be (field report).
    """
    body = {"filters": (filters or Filters()).to_json()}
    return transport.ask_list(f"{MEMBER}/list/{{programId}}", member, body, path={"programId": program_id})


def count(transport: Transport, program_id: str, filters: Filters | None = None) -> int:
    """`POST /members/count/{programId}` {filters} -> {total}."""
    body = {"filters": (filters or Filters()).to_json()}
    return transport.send(
        Effect.NONE, "POST", "/members/count/{programId}", total, body, path={"programId": program_id}
    )


def meta_keys(transport: Transport, program_id: str) -> tuple[str, ...]:
    """`GET /members/member/meta/{programId}` -> names in use in `metaData`."""
    route = f"{MEMBER}/meta/{{id}}"
    return transport.send(Effect.NONE, "GET", route, lambda found: texts_of(found, "response"), path={"id": program_id})
