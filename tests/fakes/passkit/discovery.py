"""What there is to issue passes from: the account, its projects, and what each kind of project contains."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fakes.passkit import tickets
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import business, not_found
from tests.fakes.passkit.filters import page
from tests.fakes.passkit.links import project_url, tier_url
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record

PROJECT, PROGRAM, TIER = "io.Project", "members.Program", "members.Tier"
CAMPAIGN, OFFER = "single_use_coupons.CouponCampaign", "single_use_coupons.CouponOffer"
PRODUCTION, VENUE = "event_tickets.Production", "event_tickets.Venue"
EVENT, EVENT_LISTED, TICKET_TYPE = "event_tickets.Event", "event_tickets.EventListResponse", "event_tickets.TicketType"
TEMPLATE = "io.PassTemplateResponse"

PROGRAM_FIELDS = frozenset({"id", "name", "status", "created", "updated", "profileImageSettings"})
CAMPAIGN_FIELDS = frozenset({"name", "ianaTimezone", "created", "updated"})
OFFER_FIELDS = frozenset({"id", "offerTitle", "offerShortTitle", "issueStartDate", "issueEndDate", "created"})
NOTHING: frozenset[str] = frozenset()


@route("GET", "/user/profile", gives="io.GetUserResponse")
def profile(call: Call) -> Record:
    """Return whose credentials these are."""
    return call.state.account


@route("POST", "/projects/list", takes="io.Filters", gives=PROJECT, stream=True)
@route("POST", "/projects/user/list", takes="io.Filters", gives=PROJECT, stream=True)
def list_projects(call: Call) -> list[Record]:
    """List the projects of all protocols: the company's, or the user's, which are the same here."""
    return page(PROJECT, call.state.projects, call.body, NOTHING)


@route("GET", "/projects/{status}", takes="io.ProjectStatusFilter", gives=PROJECT, stream=True)
@route("GET", "/projects/user/{status}", takes="io.ProjectStatusFilter", gives=PROJECT, stream=True)
def list_projects_by_status(call: Call) -> list[Record]:
    """List the projects that have a status."""
    status = call.body.get("status")
    state = call.state
    tables = {"MEMBERSHIP": state.programs, "SINGLE_USE_COUPON": state.campaigns, "EVENT_TICKETING": state.productions}
    found = []
    for project in state.projects:
        content = tables[project["protocol"]].get(project["classId"]) or {}
        if status is None or status in content.get("status", []):
            found.append(project)
    return found


@route("GET", "/projects/id/{id}", takes="io.Id", gives=PROJECT)
def get_project(call: Call) -> Record:
    """Return the project of a program, campaign or production."""
    return call.known(call.state.projects, call.text("id"))


@route("GET", "/projects/sc/{id}", takes="io.Id", gives="io.ProjectByShortCodeResult")
def get_project_by_short_code(call: Call) -> Record:
    """Return the project with a short code, and a template of it."""
    for project in call.state.projects:
        if project["shortCode"] == call.text("id"):
            made = [one["template"] for one in call.state.templates if one["protocol"] == project["protocol"]]
            return {"project": project, "template": made[0]} if made else {"project": project}
    raise not_found("project", call.text("id"))


@route("POST", "/templates/list", takes="io.Filters", gives=TEMPLATE, stream=True)
def list_templates(call: Call) -> list[Record]:
    """List pass templates."""
    return page(TEMPLATE, call.state.templates, call.body, NOTHING)


@route("GET", "/template/data/{id}", takes="io.Id", gives=TEMPLATE)
def get_template(call: Call) -> Record:
    """Return a pass template with its fields, unless it is broken."""
    if call.text("id") in call.switches.broken_templates:
        raise business("runtime error: invalid memory address or nil pointer dereference")
    return call.known(call.state.templates, call.text("id"))


@route("POST", "/members/programs/list", takes="io.Filters", gives=PROGRAM, stream=True)
def list_programs(call: Call) -> list[Record]:
    """List membership programs."""
    return page(PROGRAM, call.state.programs, call.body, PROGRAM_FIELDS)


@route("GET", "/members/program/{id}", takes="io.Id", gives=PROGRAM)
def get_program(call: Call) -> Record:
    """Return a membership program."""
    return call.known(call.state.programs, call.text("id"))


@route("POST", "/members/tiers/list", takes="members.ListRequest", gives=TIER, stream=True, required="programId")
def list_tiers(call: Call) -> list[Record]:
    """List a program's tiers, lowest first."""
    program_id = call.known(call.state.programs, call.body["programId"])["id"]
    found = _of(call.state.tiers, "programId", program_id)
    return page(TIER, found, call.body.get("filters", {}), NOTHING)


def _of(records: Iterable[Record], field: str, value: str) -> list[Record]:
    return [record for record in records if record[field] == value]


@route("GET", "/members/tier/{programId}/{tierId}", takes="members.TierRequestInput", gives=TIER)
def get_tier(call: Call) -> Record:
    """Return a tier."""
    tier = call.state.tiers.get(f"{call.text('programId')}/{call.text('tierId')}")
    if tier is None:
        raise not_found("tier", call.text("tierId"))
    return tier


@route("GET", "/members/enrol/url/program/{id}", takes="io.Id", gives="io.EnrolmentUrls")
def enrolment_urls(call: Call) -> Record:
    """Return the addresses where people can enrol by themselves."""
    state = call.state
    program_id = call.known(state.programs, call.text("id"))["id"]
    page_url = project_url(state.region, call.known(state.projects, program_id)["shortCode"])
    urls = {tier["id"]: tier_url(state.region, tier["shortCode"]) for tier in _of(state.tiers, "programId", program_id)}
    return {
        "pageUrl": page_url,
        "qrCodeUrl": f"{page_url}.png",
        "tierEnrolmentUrls": urls,
        "tierEnrolmentQRs": {tier: f"{url}.png" for tier, url in urls.items()},
    }


@route("POST", "/coupon/singleUse/campaigns/list", takes="io.Filters", gives=CAMPAIGN, stream=True)
def list_campaigns(call: Call) -> list[Record]:
    """List coupon campaigns."""
    return page(CAMPAIGN, call.state.campaigns, call.body, CAMPAIGN_FIELDS)


@route("GET", "/coupon/singleUse/campaign/{id}", takes="io.Id", gives=CAMPAIGN)
def get_campaign(call: Call) -> Record:
    """Return a coupon campaign."""
    return call.known(call.state.campaigns, call.text("id"))


@route(
    "POST", "/coupon/singleUse/offers/list",
    takes="single_use_coupons.CouponOffersListRequest", gives=OFFER, stream=True, required="campaignId",
)  # fmt: skip
def list_offers(call: Call) -> list[Record]:
    """List a campaign's offers."""
    campaign_id = call.known(call.state.campaigns, call.body["campaignId"])["id"]
    return page(OFFER, _of(call.state.offers, "campaignId", campaign_id), call.body.get("filters", {}), OFFER_FIELDS)


@route("GET", "/coupon/singleUse/offer/{id}", takes="io.Id", gives=OFFER)
def get_offer(call: Call) -> Record:
    """Return an offer."""
    return call.known(call.state.offers, call.text("id"))


@route("POST", "/eventTickets/productions", takes="io.Filters", gives=PRODUCTION, stream=True)
def list_productions(call: Call) -> list[Record]:
    """List productions."""
    return page(PRODUCTION, call.state.productions, call.body, NOTHING)


@route("GET", "/eventTickets/production/{id}", takes="io.Id", gives=PRODUCTION)
def get_production(call: Call) -> Record:
    """Return a production."""
    return call.known(call.state.productions, call.text("id"))


@route("POST", "/eventTickets/venues", takes="io.Filters", gives=VENUE, stream=True)
def list_venues(call: Call) -> list[Record]:
    """List venues."""
    return page(VENUE, call.state.venues, call.body, NOTHING)


@route("POST", "/eventTickets/events/list", takes="event_tickets.EventListRequest", gives=EVENT_LISTED, stream=True)
def list_events(call: Call) -> list[Record]:
    """List a production's events."""
    production_id = tickets.production_id(call, call.body)
    venue_id = call.text("venueId")
    found = [
        _with_places(call, event)
        for event in _of(call.state.events, "productionId", production_id)
        if venue_id in ("", event["venueId"])
    ]
    return page(EVENT_LISTED, found, call.body.get("filters", {}), NOTHING)


def _with_places(call: Call, event: Record) -> Record:
    production, venue = call.state.productions.get(event["productionId"]), call.state.venues.get(event["venueId"])
    return {**event, "production": production or {}, "venue": venue or {}}


@route("GET", "/eventTickets/event/id/{id}", takes="io.Id", gives=EVENT)
def get_event(call: Call) -> Record:
    """Return an event."""
    return _with_places(call, call.known(call.state.events, call.text("id")))


@route(
    "POST", "/eventTickets/ticketTypes/{productionId}",
    takes="event_tickets.TicketTypeListRequest", gives=TICKET_TYPE, stream=True,
)  # fmt: skip
def list_ticket_types(call: Call) -> list[Record]:
    """List a production's ticket types."""
    production_id = call.known(call.state.productions, call.text("productionId"))["id"]
    found = _of(call.state.ticket_types, "productionId", production_id)
    return page(TICKET_TYPE, found, call.body.get("filters", {}), NOTHING)


@route("GET", "/eventTickets/ticketType/id/{id}", takes="io.Id", gives=TICKET_TYPE)
def get_ticket_type(call: Call) -> Record:
    """Return a ticket type."""
    return call.known(call.state.ticket_types, call.text("id"))
