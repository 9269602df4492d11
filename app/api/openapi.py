"""The description of the API: `/openapi.json`, made from routes, schemas and errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import flask_smorest
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask, Response
from marshmallow import fields
from werkzeug.routing import BaseConverter

from app import errors
from app.api import problems
from app.api.blueprint import Blueprint
from app.model import ID_PATTERN
from app.schema import Documented, field_schema
from app.service import Service

INTRODUCTION = """\
Wallet passes (membership cards, coupons, event tickets) as a handful of plain actions.

**Actions** are `POST /v1/actions/<action>`. Each takes an `Idempotency-Key` header or a `unique_event_id` field: a
repeat with the same value within 400 days is done once, and answered as the first time or, after 7 days, with the pass
as it is then. Answers are flat and complete: every field is always there, `null` where it is not set.

**Keys** belong to one account and one mode. `pr_test_...` keys see test data only, `pr_live_...` keys live data only.

**Errors** are `application/problem+json` with a stable `code`, a sentence on what to do, and `retryable`.
"""

TAGS = {
    "Actions": "What can be done to a pass.",
    "Batches": "The same actions, up to 100 at once.",
    "Passes": "Look passes up.",
    "Programs": "What passes are issued from.",
    "Operations": "What was asked for, and what came of it.",
    "Events": "What happened to passes.",
    "Event types": "What can happen.",
    "Hooks": "Have events sent to you.",
    "Issuer": "Where passes live.",
    "Imports": "Taking the passes of a remote issuer on record.",
    "People": "One person's data: exported, or erased everywhere.",
    "Account": "Who am I.",
}


class IdConverter(BaseConverter):
    """The part of a path that is an ID; what cannot be one is simply not found."""

    regex = ID_PATTERN


class Converter(OpenAPIConverter):
    """Lets schemas say rules about the whole object (`json_schema_extra`)."""

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        described: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        return {**described, **getattr(schema, "json_schema_extra", {})}


class Plugin(MarshmallowPlugin):
    """apispec's marshmallow plugin with our converter."""

    Converter = Converter


def documented2properties(self: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """Let our own kinds of field describe themselves."""
    return field_schema(field) if isinstance(field, Documented) else {}


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's Api with our errors instead of its own."""

    def _register_error_handlers(self) -> None:
        """Nothing: `problems.init_app` handles every error of the application."""

    def _register_responses(self) -> None:
        """Nothing: routes describe their errors themselves."""

    def _register_pagination_header(self) -> None:
        """Nothing: lists carry `next_cursor` in the body."""


def init_app(app: Flask, blueprints: Sequence[Blueprint]) -> None:
    """Serve the description, and give routes the converter of IDs. To be called before the routes are there.

    The description does not change while the process lives. It is written once, when somebody first asks for it: most
    processes are never asked, and it takes longer than everything else at a start.
    """
    app.url_map.converters["id"] = IdConverter

    @cache
    def text() -> str:
        return describe(app, blueprints)

    @app.get("/openapi.json")
    def openapi_json() -> Response:
        return Response(text(), content_type="application/json")


def describe(app: Flask, blueprints: Sequence[Blueprint]) -> str:
    """Return the description as it is served and as it is committed in `openapi/openapi.json`."""
    api = _make_api(app)
    for blueprint in blueprints:
        blueprint.register_views_in_doc(api, app, api.spec, name=blueprint.name, parameters=None)
    described = {"openapi": None, **api.spec.to_dict()}  # `openapi` is read first by people and tools alike
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _make_api(app: Flask) -> Api:
    """Make the Api that the blueprints describe themselves to."""
    service: Service = app.extensions["passrail"]
    app.config.update(
        API_TITLE="Passrail",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {"description": INTRODUCTION, "summary": "Wallet passes as plain actions."},
            "servers": [{"url": service.settings.base_path or "/", "description": "This service."}],
            "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        },
    )
    plugin = Plugin(schema_name_resolver=_schema_name)
    api = Api(app, spec_kwargs={"marshmallow_plugin": plugin})
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(documented2properties)  # type: ignore[no-untyped-call]
    api.register_converter(IdConverter, lambda converter: {"type": "string", "pattern": f"^{ID_PATTERN}$"})
    components = api.spec.components
    components.schema("Problem", problems.SCHEMA)
    for kind in errors.catalogue():
        components.example(kind.code, {"summary": kind.title, "value": problems.example(kind)})
    components.security_scheme(
        "api_key",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: `pr_test_...` or `pr_live_...`. `make run` prints one for the demo account.",
        },
    )
    components.parameter("IdempotencyKey", "header", IDEMPOTENCY_KEY)
    return api


IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "required": False,
    "description": "Makes a repeat harmless: 1 to 255 visible ASCII characters, unique for the event behind the "
    "request. The same key with the same body is done once, for 400 days at least. A repeat is answered as the "
    "first time, and after 7 days with the pass as it is then. The field `unique_event_id` means the same.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def _schema_name(schema: Any) -> str:
    cls = schema if isinstance(schema, type) else type(schema)
    return cls.__name__.removesuffix("Schema")
