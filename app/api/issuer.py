"""`/v1/issuer`: where an account's passes live, and its connection to a remote issuer. Credentials never come out."""

from __future__ import annotations

from typing import Any

from flask import Response

from app import errors
from app.accounts.connections import IssuerConnection
from app.accounts.keys import Caller
from app.answer import to_text
from app.api.blueprint import Blueprint, json_answer
from app.api.issuer_schemas import CHANGES, CONNECT, CONNECT_EXAMPLE, EXAMPLE, ISSUER
from app.model import BUILTIN, EndsCardsBy
from app.service import current_service
from app.sync import connections
from app.sync.connecting import connect, forget, set_ends_cards_by
from app.sync.programs import notes_of, programs_of


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Issuer", __name__, url_prefix="/v1/issuer")
    _add_looking(blueprint)
    _add_connecting(blueprint)
    return [blueprint]


def _add_looking(blueprint: Blueprint) -> None:
    @blueprint.route("")
    @blueprint.requires("read")
    @blueprint.says(
        operationId="get_issuer",
        summary="Where passes live",
        description="The issuer of the key's mode, and whether its connection works. Credentials are never shown.",
    )
    @blueprint.answers(ISSUER, EXAMPLE, description="The issuer.")
    def get_issuer(caller: Caller) -> Response:
        return json_answer(_show(caller, connections.find(current_service(), caller.account_id, caller.mode)))


def _add_connecting(blueprint: Blueprint) -> None:
    @blueprint.route("", methods=["PUT"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="connect_issuer",
        summary="Connect to a remote issuer",
        description="Connects the account, in the mode of the key, to a remote issuer. The credentials are tried "
        "first, and kept encrypted; nothing is kept of credentials that fail. Programs of the account there then "
        "appear under `/v1/programs`; passes made before stay. Look at `notes`: they say what could not be read.",
    )
    @blueprint.arguments(CONNECT, example=CONNECT_EXAMPLE)
    @blueprint.answers(ISSUER, EXAMPLE, description="The connection.")
    @blueprint.raises(
        errors.NotApplicable,
        errors.UpstreamCredentialsRefused,
        errors.UpstreamUnavailable,
        errors.UpstreamRejected,
        errors.OutcomeUnknown,
    )
    def connect_issuer(caller: Caller, data: dict[str, Any]) -> Response:
        service = current_service()
        kind = service.remote_kinds[data["issuer"]]
        way = EndsCardsBy(data["ends_cards_by"]) if "ends_cards_by" in data else None
        with service.remote_work:
            made = connect(service, caller.account_id, caller.mode, kind.name, kind.target(data), way)
        return json_answer(_show(caller, made))

    @blueprint.route("", methods=["PATCH"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="change_issuer",
        summary="Change the connection",
        description="Changes how a revoke ends cards at the remote issuer, without credentials. It counts from the "
        "next revoke on.",
    )
    @blueprint.arguments(CHANGES, example={"ends_cards_by": "delete"})
    @blueprint.answers(ISSUER, EXAMPLE, description="The connection after the change.")
    @blueprint.raises(errors.NotApplicable)
    def change_issuer(caller: Caller, data: dict[str, Any]) -> Response:
        way = EndsCardsBy(data["ends_cards_by"])
        return json_answer(_show(caller, set_ends_cards_by(current_service(), caller.account_id, caller.mode, way)))

    @blueprint.route("", methods=["DELETE"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="forget_issuer",
        summary="Forget the connection",
        description="Forgets the connection and its credentials; a repeat does no harm. Programs and passes stay on "
        "record, and cannot be changed until the account is connected again.",
    )
    @blueprint.answers(ISSUER, _shown(BUILTIN, "live", None), description="The issuer from now on.")
    def forget_issuer(caller: Caller) -> Response:
        service = current_service()
        with service.remote_work:
            forget(service, caller.account_id, caller.mode)
        return json_answer(_show(caller, None))


def _show(caller: Caller, connected: IssuerConnection | None) -> dict[str, Any]:
    if connected is None:
        return _shown(BUILTIN, caller.mode.value, None)
    service = current_service()
    drafts = [program.name for program in programs_of(service, connected) if program.upstream.get("is_draft")]
    return {
        **_shown(connected.issuer, caller.mode.value, connected),
        "draft_programs": drafts,
        "notes": notes_of(service, connected),
    }


def _shown(issuer: str, mode: str, connected: IssuerConnection | None) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "mode": mode,
        "region": connected.region if connected else None,
        "company": connected.company if connected else None,
        "ends_cards_by": connected.ends_cards_by.value if connected else None,
        "connected_at": to_text(connected.connected_at) if connected else None,
        "last_worked_at": to_text(connected.last_worked_at) if connected else None,
        "last_problem": dict(connected.last_problem) if connected and connected.last_problem else None,
        "draft_programs": [],
        "notes": [],
    }
