"""Accounts that are not like the demo: without tickets or coupons, with something broken, or with very much."""

from __future__ import annotations

import pytest

from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.fakes.passkit.seed import CAMPAIGN, COUPON_TEMPLATE, MEMBER_TEMPLATE, PROGRAM
from tests.fakes.passkit.state import State
from tests.fakes.passkit_client import Client, refused
from tests.world import FakeClock

PRODUCTIONS = "/eventTickets/productions"
CAMPAIGNS = "/coupon/singleUse/campaigns/list"


@pytest.mark.parametrize(("status", "text"), [(403, "Forbidden"), (404, "Not Found"), (501, "Not Implemented")])
def test_an_account_may_have_no_tickets_or_no_coupons(client: Client, status: int, text: str) -> None:
    client.fake.switches.tickets_status = status
    refused(client.ask("POST", PRODUCTIONS, {}), status, text)
    assert [campaign["id"] for campaign in client.listed(CAMPAIGNS)] == [CAMPAIGN]
    client.fake.switches.change({"tickets_status": None, "coupons_status": status})
    refused(client.ask("POST", CAMPAIGNS, {}), status, text)
    refused(client.ask("POST", "/coupon/singleUse/coupon", {"campaignId": CAMPAIGN, "offerId": "x"}), status, text)
    assert len(client.listed(PRODUCTIONS)) == 1


def test_one_template_may_be_broken(client: Client) -> None:
    client.fake.switches.change({"broken_templates": [MEMBER_TEMPLATE]})
    refused(client.ask("GET", f"/template/data/{MEMBER_TEMPLATE}"), 500, "nil pointer")
    assert client.right("GET", f"/template/data/{COUPON_TEMPLATE}")["template"]["id"] == COUPON_TEMPLATE


def test_an_account_may_have_very_many_programs(descriptors: Descriptors) -> None:
    def fill(state: State) -> None:
        seed.demo(state)
        seed.many(state, programs=120, tiers=2)

    with FakePassKit(FakeClock(), fill, contract=descriptors).running() as fake:
        client = Client(fake)
        programs = client.listed("/members/programs/list", {"limit": 1000})
        assert (len(programs), programs[0]["id"]) == (121, PROGRAM)
        assert len({program["name"] for program in programs}) == 121
        assert len(client.listed("/projects/list", {"limit": -1})) == 123
        last = programs[-1]["id"]
        tiers = client.listed("/members/tiers/list", {"programId": last})
        assert [tier["id"] for tier in tiers] == ["tier-1", "tier-2"]
        templates = {tier["passTemplateId"] for tier in tiers}
        assert {client.right("GET", f"/template/data/{one}")["template"]["id"] for one in templates} == templates
        assert len(templates) == 2
        assert len(client.enrol(programId=last, tierId="tier-2")) == len(last) == 22
