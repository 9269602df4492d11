"""Lists: pages, filters, and what is done to many at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.passkit.seed import BRONZE, CAMPAIGN, GOLD, PRODUCTION, PROGRAM, SILVER
from tests.fakes.passkit_client import Client, filter_by, refused

SET = "/members/member/points/set"
MEMBERS = f"/members/member/list/{PROGRAM}"
COUPONS = f"/coupon/singleUse/coupons/list/{CAMPAIGN}"
TICKETS = "/eventTickets/tickets/list"


def test_a_list_is_one_object_a_line_and_25_long(client: Client) -> None:
    for number in range(30):
        client.enrol(f"c-{number}")
    answer = client.ask("POST", MEMBERS, {})
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.text.count("\n") == 25
    assert answer.text.endswith("}\n")
    assert len(client.listed(MEMBERS, {"filters": {"limit": -1}})) == 30
    page = client.listed(MEMBERS, {"filters": {"limit": 10, "offset": 25}})
    assert [member["externalId"] for member in page] == [f"c-{number}" for number in range(25, 30)]
    assert client.right("POST", f"/members/count/{PROGRAM}", {}) == {"total": 30}


def test_an_empty_list_has_no_body(client: Client) -> None:
    answer = client.ask("POST", MEMBERS, {})
    assert (answer.status_code, answer.content) == (200, b"")


MAKERS = {MEMBERS: Client.enrol, COUPONS: Client.make_coupon, TICKETS: Client.issue_ticket}
COUNTS = {
    MEMBERS: f"/members/count/{PROGRAM}",
    COUPONS: f"/coupon/singleUse/coupons/count/{CAMPAIGN}",
    TICKETS: "/eventTickets/tickets/count",
}


@pytest.mark.parametrize("path", [MEMBERS, COUPONS, TICKETS])
def test_all_passes_can_be_read_page_by_page(client: Client, path: str) -> None:
    names = [f"n-{number}" for number in range(7)]
    for name in names:
        MAKERS[path](client, name)
        client.fake.advance(seconds=1)
    key, body = ("ticketNumber", {"productionId": PRODUCTION}) if path == TICKETS else ("externalId", {})

    def pages(**order: Any) -> list[list[str]]:
        filters = [{"limit": 3, "offset": offset, "orderBy": "created", **order} for offset in (0, 3, 6, 9)]
        return [[one[key] for one in client.listed(path, {**body, "filters": each})] for each in filters]

    assert pages(orderAsc=True) == [names[:3], names[3:6], names[6:], []]
    assert pages() == [names[6:3:-1], names[3:0:-1], names[:1], []]
    assert client.right("POST", COUNTS[path], body) == {"total": 7}


def test_members_are_filtered_by_few_fields_only(client: Client) -> None:
    client.enrol("a")
    identity = client.enrol("b", tierId=GOLD)
    client.fake.install(identity)
    for filters in (
        filter_by("tierId", GOLD),
        filter_by("id", identity),
        filter_by("status", "ACTIVE"),
        filter_by("passStatus", "PASS_INSTALLED"),
        filter_by("tierId", "go%", "like"),
        filter_by("created", "2026-11-20T10:30:00+01:00", "gte") | {"offset": 1},
        {"orderBy": "tierId", "limit": 1},
        {"orderBy": "tierId", "orderAsc": True, "offset": 1},
    ):
        assert [member["externalId"] for member in client.listed(MEMBERS, {"filters": filters})] == ["b"], filters
    refused(client.ask("POST", MEMBERS, {"filters": filter_by("externalId", "b")}), 400, "externalId")
    refused(client.ask("POST", MEMBERS, {"filters": filter_by("tierId", "")}), 400, "filterValue is required")
    refused(client.ask("POST", MEMBERS, {"filters": filter_by("tierId", GOLD, "is")}), 400, "operator")


def test_the_groups_of_a_filter_say_and_or_or(client: Client) -> None:
    for tier in (BRONZE, SILVER, GOLD):
        client.enrol(tier, tierId=tier)
    either = [{"filterField": "tierId", "filterValue": tier, "filterOperator": "eq"} for tier in (SILVER, GOLD)]
    filters = {"filterGroups": [{"condition": "OR", "fieldFilters": either}]}
    assert [member["tierId"] for member in client.listed(MEMBERS, {"filters": filters})] == [SILVER, GOLD]
    filters = {"filterGroups": [{"condition": "AND", "fieldFilters": either}]}
    assert client.listed(MEMBERS, {"filters": filters}) == []


def test_the_email_filter_is_not_dependable(client: Client) -> None:
    client.enrol(person={"emailAddress": "alma@example.com"})
    filters = filter_by("person.emailAddress", "alma@example.com")
    refused(client.ask("POST", MEMBERS, {"filters": filters}), 400, "person.emailAddress")
    client.fake.switches.email_filter = True
    assert len(client.listed(MEMBERS, {"filters": filters})) == 1


def test_a_list_by_mail_answers_nothing(client: Client) -> None:
    client.enrol()
    assert client.listed(MEMBERS, {"emailAsCsv": True}) == []


def test_the_email_address_can_be_the_external_id(client: Client) -> None:
    program = client.fake.state.programs.get(PROGRAM)
    assert program is not None
    program["applyFieldToExternalIdOnEnrol"] = {"fieldUniqueName": "person.emailAddress"}
    client.enrol("", person={"emailAddress": "alma@example.com"})
    found = client.right("GET", f"/members/member/externalId/{PROGRAM}/alma%40example.com")
    assert found["externalId"] == "alma@example.com"


def test_many_members_are_changed_and_deleted_at_once(client: Client) -> None:
    identity, other = client.enrol("a", tierId=GOLD, points=5), client.enrol("b")
    groups = filter_by("tierId", GOLD)["filterGroups"]
    entries = [
        {"field": "points", "value": "2.5", "updateType": "INCREASE"},
        {"field": "metaData.colour", "value": "red", "updateType": "SET"},
    ]
    client.right(
        "POST", "/members/batch-update", {"classId": PROGRAM, "filterGroups": groups, "updateEntries": entries}
    )
    assert client.member(identity)["points"] == 7.5
    assert client.right("GET", f"/members/member/meta/{PROGRAM}") == {"response": ["favouriteColour", "colour"]}
    client.right("DELETE", "/members/bulk", {"classId": PROGRAM, "protocol": "MEMBERSHIP", "filterGroups": groups})
    assert client.ask("GET", f"/members/member/id/{identity}").status_code == 404
    assert client.member(other)["points"] == 0
