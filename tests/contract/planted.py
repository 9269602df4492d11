"""The service with a bug planted in it: what the fuzz run must find, or it proves nothing about the service without.

`PASSRAIL_PLANTED` names the bug. Each is one of those that reviews overlook, and put in from outside: nothing in the
service knows of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Flask, Response, request
from marshmallow import EXCLUDE

from app import create_app as real_app
from app.accounts import accounts, keys
from app.actions import update_pass
from app.api.blueprint import json_answer
from app.errors import FieldError, ValidationFailed
from app.model import Mode
from app.schema import Number
from app.service import Service

PASS_PATH = re.compile(r"/v1/passes/[^/]+")


@dataclass(frozen=True)
class Bug:
    """A bug: how it gets in, the operations to look at, and the failure that must be among those found."""

    plant: Callable[[Flask], None]
    operations: tuple[str, ...]
    found_as: str


def create_app() -> Flask:
    """Make the application with the bug that the environment names."""
    app = real_app()
    BUGS[os.environ["PASSRAIL_PLANTED"]].plant(app)
    return app


def _no_authentication(app: Flask) -> None:
    """A pass is shown to whoever asks: the key is put in for those who have none."""
    key, inner = _key(app), app.wsgi_app

    def with_key(environ: dict[str, Any], start_response: Any) -> Any:
        if PASS_PATH.fullmatch(environ["PATH_INFO"]):
            environ["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        return inner(environ, start_response)

    app.wsgi_app = with_key  # type: ignore[method-assign]


def _foreign_pass(app: Flask) -> None:
    """A pass is shown to every account: what one does not find is looked up with another's key."""
    key = _key(app)

    @app.after_request
    def look_again(response: Response) -> Response:
        is_foreign = PASS_PATH.fullmatch(request.path) and response.status_code == 404
        if not is_foreign or request.headers["Authorization"] == f"Bearer {key}":
            return response
        again = app.test_client().get(request.path, headers={"Authorization": f"Bearer {key}"})
        return Response(again.get_data(), again.status_code, content_type=again.content_type)


def _missing_field(app: Flask) -> None:
    """A pass has lost a field that is promised."""

    @app.after_request
    def lose_field(response: Response) -> Response:
        if PASS_PATH.fullmatch(request.path) and response.status_code == 200 and response.is_json:
            body = response.get_json()
            del body["install_state"]
            response.data = json_answer(body).get_data()
        return response


def _beyond_the_basic_plane(app: Flask) -> None:
    """Characters of more than two bytes in UTF-16, most emoji among them, are too much for something."""

    @app.before_request
    def break_on_emoji() -> None:
        if request.path == "/v1/actions/update-pass":
            text = str(request.get_json(silent=True))
            if any(character > "\uffff" and character < "\U00020000" for character in text):
                raise RuntimeError("Incorrect string value")


def _extra_fields(app: Flask) -> None:
    """A misspelt field is dropped without a word."""
    update_pass.ACTION.input.unknown = EXCLUDE


def _negative_points(app: Flask) -> None:
    """Adding less than nothing takes points away."""
    real = Number._deserialize

    def without_limit(self: Number, value: Any, attr: str | None, data: Any, **more: Any) -> Decimal:
        if isinstance(value, int) and value < 0:
            return Decimal(value)
        return real(self, value, attr, data, **more)

    Number._deserialize = without_limit  # type: ignore[method-assign]


def _error_page(app: Flask) -> None:
    """A proxy answers with its own page where the service said 404."""

    @app.after_request
    def replace_by_page(response: Response) -> Response:
        if response.status_code == 404:
            return Response("<!doctype html><h1>Not Found</h1>", 404, content_type="text/html")
        return response


def _secret_rule(app: Flask) -> None:
    """There is a limit that the description does not mention."""

    @app.before_request
    def refuse_long_numbers() -> None:
        body = request.get_json(silent=True) if request.path == "/v1/actions/update-pass" else None
        phone = body.get("phone") if isinstance(body, dict) else None
        if isinstance(phone, str) and 20 < len(phone) <= 40:
            raise ValidationFailed(errors=[FieldError("phone", "Give at most 20 characters.")])


def _lost_item(app: Flask) -> None:
    """A batch has nothing to say of an item that failed."""

    @app.after_request
    def lose_problem(response: Response) -> Response:
        if request.path.endswith("/batch") and response.status_code == 200 and response.is_json:
            body = response.get_json()
            for result in body["results"]:
                result["problem"] = None
            response.data = json_answer(body).get_data()
        return response


def _key(app: Flask) -> str:
    service: Service = app.extensions["passrail"]
    with service.store.write() as connection:
        account = accounts.find_account(connection, "demo")
        return keys.create_key(connection, account, Mode.TEST, keys.SCOPES, service.clock())[1]


BUGS = {
    "no-authentication": Bug(_no_authentication, ("get_pass",), "API accepts requests without authentication"),
    "foreign-pass": Bug(_foreign_pass, ("list_passes", "get_pass", "create_pass"), "Object-level authorization bypass"),
    "missing-field": Bug(_missing_field, ("get_pass",), "Response violates schema"),
    "beyond-the-basic-plane": Bug(_beyond_the_basic_plane, ("update_pass",), "Server error"),
    "extra-fields": Bug(_extra_fields, ("update_pass",), "Schema-violating request accepted"),
    "negative-points": Bug(_negative_points, ("update_points",), "Schema-violating request accepted"),
    "error-page": Bug(_error_page, ("get_program",), "Custom check failed: `errors_are_problems`"),
    "secret-rule": Bug(_secret_rule, ("update_pass",), "Custom check failed: `refusals_have_a_reason`"),
    "lost-item": Bug(_lost_item, ("redeem_pass_batch",), "Custom check failed: `batches_hold_what_they_promise`"),
}
