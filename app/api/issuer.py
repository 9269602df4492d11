"""`/v1/issuer`: where an account's passes live, and connecting it to PassKit. Credentials come in and never out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Response
from marshmallow import ValidationError, validates_schema
from marshmallow import fields as ma

from app import errors, upstream
from app.accounts.connections import IssuerConnection
from app.accounts.keys import Caller
from app.answer import said
from app.api.blueprint import Blueprint, json_answer
from app.clock import to_text
from app.model import Mode
from app.schema import Base, Choice, Text
from app.service import current_service
from app.store import programs

SECRET_MAX = 4000
ADDRESS_PATTERN = r"https://api\.([a-z]{1,10}[0-9]{1,3})\.passkit\.io/?"
PASSKIT_ADDRESS = re.compile(ADDRESS_PATTERN)


class Address(Text):
    """An address of PassKit's own: with any other, everybody could have this service call any host."""

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "pattern": f"^{ADDRESS_PATTERN}$"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not PASSKIT_ADDRESS.fullmatch(text):
            raise ValidationError("Give it as PassKit shows it, such as https://api.pub1.passkit.io.")
        return text


class IssuerInput(Base):
    """What connects an account to an issuer elsewhere."""

    json_schema_extra: ClassVar[dict[str, Any]] = {
        "allOf": [
            {"oneOf": [{"required": ["region"]}, {"required": ["base_url"]}]},
            {
                "oneOf": [
                    {"required": ["api_key", "api_secret"], "not": {"required": ["long_lived_token"]}},
                    {
                        "required": ["long_lived_token"],
                        "not": {"anyOf": [{"required": ["api_key"]}, {"required": ["api_secret"]}]},
                    },
                ]
            },
        ]
    }

    issuer = Choice("Issuer", "Where the passes shall live.", choices=("passkit",), required=True, example="passkit")
    region = Choice(
        "Region",
        "PassKit's region of the account: pub1 is the EU, pub2 the USA. It stands in the address of the portal's API "
        "settings.",
        choices=("pub1", "pub2"),
        example="pub1",
    )
    base_url = Address(
        "REST Prefix",
        "Instead of the region: the address that PassKit's Developer Tools show, such as https://api.pub1.passkit.io.",
        max_length=100,
    )
    api_key = Text("API Key", "From app.passkit.com, Developer Tools, REST credentials.", max_length=200, example="key")
    api_secret = Text("API Secret", "Belongs to the API key.", max_length=SECRET_MAX, example="secret")
    long_lived_token = Text(
        "Long-Lived Token", "Instead of key and secret; PassKit advises against it.", max_length=SECRET_MAX
    )

    @validates_schema
    def region_or_address(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """One of the two says where to call."""
        if ("region" in data) == ("base_url" in data):
            raise ValidationError({"region": ["Give either region or base_url."]})

    @validates_schema
    def key_or_token(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Key and secret, or the token: never both, never neither."""
        if ("api_key" in data) != ("api_secret" in data):
            raise ValidationError({"api_secret": ["Give the API key together with its secret."]})
        if ("api_key" in data) == ("long_lived_token" in data):
            raise ValidationError({"api_key": ["Give either api_key with api_secret, or long_lived_token."]})


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


ISSUER_INPUT, ISSUER = IssuerInput(), IssuerAnswer()
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
        return json_answer(_show(caller, upstream.find(current_service(), caller.account_id, caller.mode)))

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
        made = upstream.connect(current_service(), caller.account_id, caller.mode, _target(data))
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
        upstream.forget(current_service(), caller.account_id, caller.mode)
        return json_answer(_show(caller, None))

    return [blueprint]


def _target(data: Mapping[str, Any]) -> upstream.Target:
    if "region" in data:
        return upstream.Target(data["region"], _secrets(data))
    address = PASSKIT_ADDRESS.fullmatch(data["base_url"])
    assert address is not None
    region = address[1]
    return upstream.Target(region, _secrets(data), f"https://api.{region}.passkit.io", f"https://{region}.pskt.io")


def _secrets(data: Mapping[str, Any]) -> dict[str, str]:
    if "long_lived_token" in data:
        return {"long_lived_token": data["long_lived_token"]}
    return {"api_key": data["api_key"], "secret": data["api_secret"]}


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
