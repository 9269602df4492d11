"""What an account has to choose from: programs, tiers, campaigns, offers, productions, events, ticket types, fields.

Everything here reads. Lists come page by page; `filters.pages` walks through them. All functions raise
`failures.PassKitFailure`, and only those that are NotDone.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.issuers.passkit.answers import Json
from app.issuers.passkit.choices import (
    Campaign,
    Event,
    Offer,
    Production,
    Profile,
    Program,
    Project,
    TemplateField,
    TicketType,
    Tier,
    Venue,
    campaign,
    event,
    offer,
    production,
    profile,
    program,
    project,
    template_field,
    ticket_type,
    tier,
    venue,
)
from app.issuers.passkit.filters import Filters
from app.issuers.passkit.reading import object_of, objects_of
from app.issuers.passkit.retry import Effect
from app.issuers.passkit.transport import Transport


def get_profile(transport: Transport) -> Profile:
    """`GET /user/profile` -> whose credentials these are.

    The connection test. Compare `region_id` with the chosen region where it is set, and ask for one project as the
    second proof: the wrong region takes the token.

    Raises:
        CredentialsRefused: key, secret or token are wrong.
    """
    return transport.send(Effect.NONE, "GET", "/user/profile", profile)


def list_projects(transport: Transport, filters: Filters | None = None) -> list[Project]:
    """`POST /projects/list` Filters -> stream of Project: all of the company, of every protocol, in one call.

    The answers also hold the project's link keys (`secret`, `key`, `encryptedClassId`); they are not read.
    """
    return transport.ask_list("/projects/list", project, (filters or Filters()).to_json())


def list_programs(transport: Transport, filters: Filters | None = None) -> list[Program]:
    """`POST /members/programs/list` Filters -> stream of Program.

    Fields to filter by: id, name, status, created, updated, profileImageSettings (documented).
    """
    return transport.ask_list("/members/programs/list", program, (filters or Filters()).to_json())


def get_program(transport: Transport, program_id: str) -> Program:
    """`GET /members/program/{id}` -> Program."""
    return transport.send(Effect.NONE, "GET", "/members/program/{id}", program, path={"id": program_id})


def list_tiers(transport: Transport, program_id: str, filters: Filters | None = None) -> list[Tier]:
    """`POST /members/tiers/list` {programId, filters} -> stream of Tier."""
    return transport.ask_list("/members/tiers/list", tier, _within("programId", program_id, filters))


def list_campaigns(transport: Transport, filters: Filters | None = None) -> list[Campaign]:
    """`POST /coupon/singleUse/campaigns/list` Filters -> stream of Campaign.

    Fields to filter by: name, ianaTimezone, created, updated (documented).
    """
    return transport.ask_list("/coupon/singleUse/campaigns/list", campaign, (filters or Filters()).to_json())


def list_offers(transport: Transport, campaign_id: str, filters: Filters | None = None) -> list[Offer]:
    """`POST /coupon/singleUse/offers/list` {campaignId, filters} -> stream of Offer.

    Fields to filter by: id, offerTitle, offerShortTitle, issueStartDate, issueEndDate, created (documented).
    """
    return transport.ask_list("/coupon/singleUse/offers/list", offer, _within("campaignId", campaign_id, filters))


def list_productions(transport: Transport, filters: Filters | None = None) -> list[Production]:
    """`POST /eventTickets/productions` Filters -> stream of Production."""
    return transport.ask_list("/eventTickets/productions", production, (filters or Filters()).to_json())


def list_venues(transport: Transport, filters: Filters | None = None) -> list[Venue]:
    """`POST /eventTickets/venues` Filters -> stream of Venue."""
    return transport.ask_list("/eventTickets/venues", venue, (filters or Filters()).to_json())


def list_events(transport: Transport, production_id: str, filters: Filters | None = None) -> list[Event]:
    """`POST /eventTickets/events/list` {productionId, filters} -> stream of Event."""
    return transport.ask_list("/eventTickets/events/list", event, _within("productionId", production_id, filters))


def list_ticket_types(transport: Transport, production_id: str, filters: Filters | None = None) -> list[TicketType]:
    """`POST /eventTickets/ticketTypes/{productionId}` {filters} -> stream of TicketType."""
    body = {"filters": (filters or Filters()).to_json()}
    route = "/eventTickets/ticketTypes/{productionId}"
    return transport.ask_list(route, ticket_type, body, path={"productionId": production_id})


def get_template_fields(transport: Transport, template_id: str) -> list[TemplateField]:
    """`GET /template/data/{id}` -> the fields of a template: `template.data.dataFields`.

    The template of a program's passes is `Tier.template_id`, `Offer.template_id` or `TicketType.template_id`.
    """
    return transport.send(Effect.NONE, "GET", "/template/data/{id}", _template_fields, path={"id": template_id})


def get_form_fields(
    transport: Transport, protocol: str, object_id: str, program_id: str | None = None
) -> list[TemplateField]:
    """`GET /distribution/fields?protocol=&objectId=&classId=` -> the fields of the enrolment form only.

    Args:
        transport: whose account.
        protocol: MEMBERSHIP, SINGLE_USE_COUPON or EVENT_TICKETING.
        object_id: tier, offer or ticket type.
        program_id: for a tier only, whose ID is unique in its program alone.
    """
    query: Mapping[str, str] = {"protocol": protocol, "objectId": object_id}
    if program_id is not None:
        query = {**query, "classId": program_id}
    return transport.send(Effect.NONE, "GET", "/distribution/fields", _form_fields, query=query)


def _within(name: str, identifier: str, filters: Filters | None) -> Json:
    return {name: identifier, "filters": (filters or Filters()).to_json()}


def _template_fields(found: Json) -> list[TemplateField]:
    data = object_of(object_of(found, "template"), "data")
    return [template_field(one) for one in objects_of(data, "dataFields")]


def _form_fields(found: Json) -> list[TemplateField]:
    return [template_field(one) for one in objects_of(found, "fields")]
