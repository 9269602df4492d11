"""Looking passes up: a list, one, and what happened to it."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import Connection

from app.accounts.keys import Caller
from app.answer import PassAnswer, describe, example
from app.api.blueprint import Blueprint, json_answer
from app.api.events import EVENT_EXAMPLE, EVENT_PAGE, show_event
from app.api.paging import PageQuery, page_answer, show_page
from app.errors import NotFound, UpstreamCredentialsRefused, UpstreamRejected, UpstreamUnavailable
from app.events import outbox
from app.model import InstallState, Status
from app.schema import Choice, Email, Identifier, Instant, Text
from app.service import current_service
from app.store import pass_lists, passes
from app.store.passes import Found
from app.sync.refresh import fetch_if_missing


class PassQuery(PageQuery):
    """What a list of passes is narrowed to."""

    program_id = Identifier("Program", "Only passes of this program.")
    tier_id = Identifier("Tier", "Only passes on this tier.")
    status = Choice("Status", "Only passes with this status.", choices=tuple(status.value for status in Status))
    install_state = Choice(
        "Install State",
        "Only passes with this install state.",
        choices=tuple(state.value for state in InstallState),
    )
    email = Email("Email", "Only passes of the holder with this e-mail address.")
    external_id = Text("External ID", "Only passes with this external ID.", max_length=120)
    updated_since = Instant("Updated Since", "Only passes that changed at this time or later.")


# A pass named by program and external ID is looked for at the remote issuer of the account, if it has one.
UPSTREAM = (UpstreamCredentialsRefused, UpstreamRejected, UpstreamUnavailable)
PASS = PassAnswer()
PASS_EXAMPLE = example({}, PassAnswer)
PASS_PAGE = page_answer("PassPage", PASS)
PASS_ID = {"in": "path", "name": "pass_id", "description": "ID of the pass."}


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Passes", __name__, url_prefix="/v1/passes")

    @blueprint.route("")
    @blueprint.requires("read")
    @blueprint.says(
        operationId="list_passes",
        summary="List and find passes",
        description="All passes of the account in the key's mode, newest first; with `updated_since` the last changed "
        "first. Filters can be combined. One filter alone, and a program with a status, tier, email, external ID or "
        "`updated_since`, is found at once however many passes there are. Of other combinations a page looks at 2000 "
        "passes at most: it may hold fewer than `limit`, or none, and still name a next page.",
    )
    @blueprint.arguments(PassQuery(), location="query")
    @blueprint.answers(PASS_PAGE, {"data": [PASS_EXAMPLE], "next_cursor": None}, description="A page of passes.")
    @blueprint.raises(*UPSTREAM)
    def list_passes(caller: Caller, query: dict[str, Any]) -> Response:
        return json_answer(_list(caller, query))

    @blueprint.route("/<id:pass_id>", parameters=[PASS_ID])
    @blueprint.requires("read")
    @blueprint.says(operationId="get_pass", summary="Get a pass", description="One pass, as it is now.")
    @blueprint.answers(PASS, PASS_EXAMPLE, description="The pass.")
    @blueprint.raises(NotFound)
    def get_pass(caller: Caller, pass_id: str) -> Response:
        service = current_service()
        with service.store.read() as connection:
            found, program = find_pass(connection, caller, pass_id)
        public_url = service.public_url
        return json_answer(describe(found, program, now=service.clock(), public_url=public_url))

    @blueprint.route("/<id:pass_id>/history", parameters=[PASS_ID])
    @blueprint.requires("read")
    @blueprint.says(
        operationId="get_pass_history",
        summary="List what happened to a pass",
        description="The events of one pass, newest first.",
    )
    @blueprint.arguments(PageQuery(), location="query")
    @blueprint.answers(EVENT_PAGE, {"data": [EVENT_EXAMPLE], "next_cursor": None}, description="A page of events.")
    @blueprint.raises(NotFound)
    def get_pass_history(caller: Caller, query: dict[str, Any], pass_id: str) -> Response:
        service = current_service()
        with service.list_reads, service.store.read() as connection:
            find_pass(connection, caller, pass_id)
            found = outbox.page(
                connection,
                caller.account_id,
                caller.mode,
                pass_id=pass_id,
                before=query.get("cursor"),
                limit=query["limit"],
            )
        return json_answer(show_page(found, show_event))

    return [blueprint]


def find_pass(connection: Connection, caller: Caller, pass_id: str) -> Found:
    """Return the caller's pass, and its program.

    Raises:
        NotFound: the caller has none of this ID.
    """
    found = passes.get(connection, caller.account_id, caller.mode, pass_id)
    if found is None:
        raise NotFound(f"There is no pass '{pass_id}' in {caller.mode.value} mode.")
    return found


def _list(caller: Caller, query: dict[str, Any], *, has_looked: bool = False) -> dict[str, Any]:
    service = current_service()
    now = service.clock()
    wanted = pass_lists.PassFilter(
        program_id=query.get("program_id"),
        tier_id=query.get("tier_id"),
        status=Status(query["status"]) if "status" in query else None,
        install_state=InstallState(query["install_state"]) if "install_state" in query else None,
        email=query.get("email"),
        external_id=query.get("external_id"),
        updated_since=query.get("updated_since"),
    )
    with service.list_reads, service.store.read() as connection:
        found = pass_lists.page(
            connection,
            caller.account_id,
            caller.mode,
            wanted,
            now=now,
            cursor=query.get("cursor"),
            limit=query["limit"],
        )
    if not found.items and not has_looked and _names_one(query) and fetch_if_missing(service, caller, query):
        return _list(caller, query, has_looked=True)
    public_url = service.public_url
    return show_page(found, lambda row: describe(*row, now=now, public_url=public_url))


def _names_one(query: dict[str, Any]) -> bool:
    """Tell whether exactly one pass is asked for, which may be at a remote issuer and not on record yet."""
    return query.keys() - {"limit"} == {"program_id", "external_id"}
