"""The pages about the service."""

from __future__ import annotations

import html
import json
import re

import pytest
from werkzeug.routing import Rule

from app.actions import ACTIONS
from app.api.problems import document
from app.errors import PassrailError, catalogue
from app.issuers.simulated import OUTCOMES
from app.web.guides import SIMULATIONS
from app.web.words import to_html
from tests.world import World

PAGES = ("/", "/docs", "/docs/errors", "/docs/errors/not-found", "/docs/test-mode", "/docs/revoke")


def rules_of(world: World) -> list[Rule]:
    return [rule for rule in world.app.url_map.iter_rules() if rule.endpoint.startswith("web.")]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_html_without_inline_script_or_style(world: World, path: str) -> None:
    answer = world.client.get(path)
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert '<html lang="en">' in answer.text
    assert answer.text.count("<h1") == (0 if path == "/docs" else 1)
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_and_file_of_every_page_is_there(world: World, path: str) -> None:
    page = world.client.get(path).text
    addresses = {html.unescape(found) for found in re.findall(r'(?:href|src)="([^"]+)"', page)}
    for address in addresses - {"#content"}:
        assert address.startswith("/"), "nothing is loaded from elsewhere"
        assert world.client.get(address).status_code == 200, address


def test_the_front_page_names_every_action_in_its_own_words(world: World) -> None:
    page = world.client.get("/").text
    for action in ACTIONS:
        assert f"<h3>{action.title}</h3><p>{action.summary}.</p>" in page
    assert "$PASSRAIL_KEY" in page


@pytest.mark.parametrize("error", catalogue(), ids=lambda error: error.code)
def test_every_error_has_its_page(world: World, error: type[PassrailError]) -> None:
    page = world.client.get(f"/docs/errors/{error.code}").text
    assert error.title in html.unescape(page)
    assert f"<code>{error.code}</code>" in page
    assert to_html(error.explanation) in page
    assert ("Yes: send the same request again" in page) is error.retryable
    assert f'href="/docs/errors/{error.code}"' in world.client.get("/docs/errors").text


def test_the_example_problem_has_the_members_of_a_real_one(world: World) -> None:
    for error in catalogue():
        page = world.client.get(f"/docs/errors/{error.code}").text
        found = re.search(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
        assert found is not None
        shown = json.loads(html.unescape(found[1]))
        real = document(error(), "https://pass.example.com", shown["request_id"])
        assert {name: shown[name] for name in real} == real


def test_the_type_of_a_problem_leads_to_its_page(world: World) -> None:
    problem = world.get("/v1/passes/pass_unknown").get_json()
    path = problem["type"].removeprefix(world.service.settings.public_url)
    assert problem["title"] in html.unescape(world.client.get(path).text)


@pytest.mark.parametrize(
    "path", ["/docs/errors/nothing-like-it", "/static/missing.css", "/static/../__init__.py", "/docs/assets/LICENSE"]
)
def test_what_is_not_there_is_a_page_for_people(world: World, path: str) -> None:
    answer = world.client.get(path)
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.text


def test_the_guide_lists_exactly_the_outcomes_that_can_be_forced(world: World) -> None:
    told = {simulation.external_id: (simulation.status, simulation.code) for simulation in SIMULATIONS}
    errors = {external_id: make() for external_id, make in OUTCOMES.items()}
    assert told == {external_id: (error.status, error.code) for external_id, error in errors.items()}
    page = world.client.get("/docs/test-mode").text
    for external_id in OUTCOMES:
        assert f"<code>{external_id}</code>" in page


def test_the_reference_alone_allows_inline_styles(world: World) -> None:
    policies = {path: world.client.get(path).headers["Content-Security-Policy"] for path in PAGES}
    assert [path for path, policy in policies.items() if "'unsafe-inline'" in policy] == ["/docs"]
    assert "script-src 'self';" in policies["/docs"]


def test_files_under_a_fingerprinted_address_are_kept_for_a_year(world: World) -> None:
    addresses = re.findall(r'(?:href|src)="(/(?:static|docs/assets)/[^"]+)"', world.client.get("/docs").text)
    assert len(addresses) >= 5
    for address in addresses:
        assert world.client.get(address).headers["Cache-Control"] == "public, max-age=31536000"
        assert world.client.get(address.partition("?")[0]).headers["Cache-Control"] == "public, max-age=300"


def test_crawlers_are_asked_to_leave_passes_alone(world: World) -> None:
    answer = world.client.get("/robots.txt")
    assert answer.mimetype == "text/plain"
    assert "Disallow: /p/" in answer.text.splitlines()


def test_the_favicon_is_answered(world: World) -> None:
    assert world.client.get("/favicon.ico").mimetype == "image/svg+xml"


def test_the_pages_are_not_part_of_openapi(world: World) -> None:
    described = world.client.get("/openapi.json").get_json()["paths"]
    assert not [rule.rule for rule in rules_of(world) if rule.rule in described]
