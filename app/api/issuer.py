"""`/v1/issuer`: where an account's passes live, and connecting it to PassKit. Credentials come in and never out."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import fields as ma

from app import errors
from app.accounts.connections import IssuerConnection
from app.accounts.keys import Caller
from app.answer import said
from app.api.blueprint import Blueprint, json_answer
from app.clock import to_text
from app.issuers.passkit.form import ConnectForm
from app.model import Mode
from app.schema import Base
from app.service import current_service
from app.store import programs
from app.sync import connections
from app.sync.connecting import connect, forget


class IssuerAnswer(Base):
    """Where passes live. Everything but issuer and mode is null for the built-in issuer."""

    issuer = ma.String(required=True, metadata=said("Issuer", "Where passes of this mode live.", "passkit"))
    mode = ma.String(
        required=True, metadata=said("Mode", "Mode of the API key.", "live", enum=[mode.value for mode in Mode])
    )
    region = ma.String(required=True, allow_none=True, metadata=said("Region", "PassKit's region.", "pub1"))
    company = ma.String(
        required=True, allow_none=True, metadata=said("Company", "Company of the PassKit account.", "Rosewater Ltd")
    )
    connected_at = ma.DateTime(
        required=True, allow_none=True, metadata=said("Connected At", "When.", "2026-11-20T09:30:00.000Z")
    )
    last_worked_at = ma.DateTime(
        required=True,
        allow_none=True,
        metadata=said("Last Worked At", "When PassKit last took the credentials.", "2026-11-20T09:30:00.000Z"),
    )
    last_problem = ma.Dict(
        required=True,
        allow_none=True,
        metadata={
            "title": "Last Problem",
            "description": "`code`, `detail` and `at` of why the connection does not work; null while it does.",
        },
    )
    draft_programs = ma.List(
        ma.String(),
        required=True,
        metadata=said(
            "Draft Programs",
            "Programs that PassKit has as drafts: their passes are marked as tests and die after 48 hours.",
            [],
        ),
    )


ISSUER_INPUT, ISSUER = ConnectForm(), IssuerAnswer()
EXAMPLE = {name: field.metadata.get("examples", [None])[0] for name, field in ISSUER.fields.items()}
INPUT_EXAMPLE = {"issuer": "passkit", "region": "pub1", "api_key": "key", "api_secret": "secret"}


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Issuer", __name__, url_prefix="/v1/issuer")

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

    @blueprint.route("", methods=["PUT"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="connect_issuer",
        summary="Connect to PassKit",
        description="Connects the account, in the mode of the key, to PassKit. The credentials are tried first, and "
        "kept encrypted. Programs of the PassKit account then appear under `/v1/programs`; passes made before stay.",
    )
    @blueprint.arguments(ISSUER_INPUT, example=INPUT_EXAMPLE)
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
        made = connect(service, caller.account_id, caller.mode, kind.name, kind.target(data))
        return json_answer(_show(caller, made))

    @blueprint.route("", methods=["DELETE"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="forget_issuer",
        summary="Forget the connection",
        description="Forgets the connection and its credentials; a repeat does no harm. Programs and passes stay on "
        "record, and cannot be changed until the account is connected again.",
    )
    @blueprint.answers(ISSUER, {**EXAMPLE, "issuer": "builtin"}, description="The issuer from now on.")
    def forget_issuer(caller: Caller) -> Response:
        forget(current_service(), caller.account_id, caller.mode)
        return json_answer(_show(caller, None))

    return [blueprint]


def _show(caller: Caller, one: IssuerConnection | None) -> dict[str, Any]:
    with current_service().store.read() as connection:
        drafts = [] if one is None else programs.drafts(connection, caller.account_id, caller.mode)
    return {
        "issuer": one.issuer if one else "builtin",
        "mode": caller.mode.value,
        "region": one.region if one else None,
        "company": one.company if one else None,
        "connected_at": to_text(one.connected_at) if one else None,
        "last_worked_at": to_text(one.last_worked_at) if one else None,
        "last_problem": dict(one.last_problem) if one and one.last_problem else None,
        "draft_programs": drafts,
    }
