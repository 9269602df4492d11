"""`GET /v1/me`: who a key belongs to. Connections test themselves with it."""

from __future__ import annotations

from flask import Response
from marshmallow import fields

from app.accounts.keys import Caller
from app.answer import said
from app.api.blueprint import Blueprint, json_answer
from app.model import BUILTIN, Mode
from app.schema import Base
from app.service import current_service
from app.sync import connections


class MeAnswer(Base):
    """Who the caller is."""

    account_id = fields.String(
        required=True, metadata=said("Account ID", "ID of the account.", "acct_019ab3c4d5e6002535671256e449359a")
    )
    account_name = fields.String(required=True, metadata=said("Account Name", "Name of the account.", "demo"))
    mode = fields.String(
        required=True, metadata=said("Mode", "Mode of the API key.", "test", enum=[mode.value for mode in Mode])
    )
    issuer = fields.String(required=True, metadata=said("Issuer", "Where passes of this mode live.", "builtin"))
    scopes = fields.List(
        fields.String(), required=True, metadata=said("Scopes", "What the key may do.", ["read", "write"])
    )
    key_id = fields.String(
        required=True, metadata=said("Key ID", "ID of the API key.", "key_019ab3c4d5e66c3830431015840e33e1")
    )


ME = MeAnswer()
EXAMPLE = {name: field.metadata["examples"][0] for name, field in ME.fields.items()}


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Account", __name__, url_prefix="/v1")

    @blueprint.route("/me")
    @blueprint.requires("read")
    @blueprint.says(
        operationId="get_me",
        summary="Who am I",
        description="Account, mode and scopes of the API key. Use it to test a connection.",
    )
    @blueprint.answers(ME, EXAMPLE, description="Who the key belongs to.")
    def get_me(caller: Caller) -> Response:
        return json_answer(
            {
                "account_id": caller.account_id,
                "account_name": caller.account_name,
                "mode": caller.mode.value,
                "issuer": _issuer(caller),
                "scopes": sorted(caller.scopes),
                "key_id": caller.key_id,
            }
        )

    return [blueprint]


def _issuer(caller: Caller) -> str:
    connection = connections.find(current_service(), caller.account_id, caller.mode)
    return connection.issuer if connection is not None else BUILTIN
