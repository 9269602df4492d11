"""How a route is declared: decorators that act and document themselves.

Read from top to bottom, a route's decorators are its contract:

    @blueprint.route("/passes/<id:pass_id>")
    @blueprint.requires("read")                        authenticates, limits the rate; documents 401, 403, 429
    @blueprint.arguments(Query(), location="query")    checks; documents the parameters and 422
    @blueprint.answers(PassAnswer(), example)          documents the answer
    @blueprint.raises(NotFound)                        documents further errors
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from decimal import Decimal
from functools import wraps
from typing import Any, NoReturn, TypeVar

import flask_smorest
from flask import Response, g, request
from gunicorn.http.errors import ParseException
from marshmallow import Schema, ValidationError

from app import errors
from app.api.authentication import authenticate
from app.api.problems import from_validation, responses
from app.errors import PassrailError
from app.schema import Base
from app.service import current_service
from app.store.columns import to_json

View = TypeVar("View", bound=Callable[..., Any])

EVERYWHERE = (errors.Internal, errors.NotReady, errors.TooBusy)


def read_json(body: bytes) -> Any:
    """Read JSON with exact decimals.

    Raises:
        MalformedJson: it is none; the message says where.
    """
    try:
        data = json.loads(body.decode("utf-8"), parse_float=Decimal, parse_constant=_no_such_number)
        if rb"\u" in body:
            # Half of a surrogate pair is no text: no database takes it, and it cannot be repeated in an answer.
            json.dumps(data, ensure_ascii=False, default=str).encode("utf-8")
        return data
    except json.JSONDecodeError as error:
        raise errors.MalformedJson(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}. "
            "Send one JSON object."
        ) from None
    except (ValueError, RecursionError, ArithmeticError):
        raise errors.MalformedJson("The body is not valid JSON in UTF-8. Send one JSON object.") from None


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(name)


def read_body() -> dict[str, Any]:
    """Read the request's JSON object; it stays in `g.body` for the fingerprint.

    Raises:
        UnsupportedMediaType, MalformedJson, PayloadTooLarge: it cannot be read.
        ValidationFailed: it is not an object.
    """
    if request.mimetype != "application/json":
        raise errors.UnsupportedMediaType()
    g.body = read_json(_read_bytes())
    if not isinstance(g.body, dict):
        raise errors.ValidationFailed(errors=[errors.FieldError("", "Give one JSON object, in curly brackets.")])
    return g.body


def _read_bytes() -> bytes:
    """Read the body as it came.

    Raises:
        PayloadTooLarge: it is longer than allowed and did not say so beforehand.
        MalformedRequest: its chunks are none.
    """
    try:
        body = request.get_data(cache=False)
        # When a body's length is not given, Werkzeug reads as much as is allowed and silently drops the rest.
        is_cut = request.content_length is None and len(body) == request.max_content_length
        if is_cut and request.environ["wsgi.input"].read(1):
            raise errors.PayloadTooLarge()
    except ParseException:
        raise errors.MalformedRequest("The body could not be read: its chunks are not proper HTTP.") from None
    return body


def read_query() -> dict[str, str]:
    """Read the query string; of a parameter that is repeated the last counts."""
    return {name: values[-1] for name, values in request.args.lists()}


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """flask-smorest's blueprint with the cross-cutting rules of this service.

    Documentation is flask-smorest's work. Acting is not: bodies are read strictly and answers are made ready by the
    views, so its parser and serializer are left out of the request's path, where they cost as much as the rest.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_describe_errors)

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Register the view below; flask-smorest's own, with types."""
        register: Callable[[View], View] = super().route(rule, **options)
        return register

    def requires(self, scope: str) -> Callable[[View], View]:
        """Let only callers in whose key has the scope, at the rate they may; hand the caller to the view."""

        def decorator(view: View) -> View:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return view(authenticate(scope), *args, **kwargs)

            _note(wrapper, errors.Unauthorized, errors.KeyRevoked, errors.Forbidden, errors.RateLimited)
            _note(wrapper, *EVERYWHERE)
            _say(wrapper, security=[{"api_key": []}])
            return wrapper  # type: ignore[return-value]

        return decorator

    def arguments(self, schema: Base, *, location: str = "json", **kwargs: Any) -> Callable[[View], View]:
        """Check the body or the query against a schema and hand it to the view."""
        document = super().arguments(schema, location=location, **kwargs)
        read: Callable[[], dict[str, Any]] = read_body if location == "json" else read_query

        def decorator(view: View) -> View:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                try:
                    data = schema.load(read())
                except ValidationError as error:
                    raise from_validation(error) from None
                return view(*args, data, **kwargs)

            _take_documentation(wrapper, document, "arguments")
            _note(wrapper, errors.ValidationFailed)
            if location == "json":
                _note(wrapper, errors.MalformedJson, errors.PayloadTooLarge, errors.UnsupportedMediaType)
            return wrapper  # type: ignore[return-value]

        return decorator

    def answers(
        self, schema: Schema, example: Mapping[str, Any], *, status: int = 200, description: str = "Done."
    ) -> Callable[[View], View]:
        """Document the answer. Views return it ready-made, by `json_answer`."""
        document = self.response(status, schema, example=dict(example), description=description, headers=ANSWER_HEADERS)

        def decorator(view: View) -> View:
            _take_documentation(view, document, "response")
            return view

        return decorator

    def answers_nothing(self, description: str) -> Callable[[View], View]:
        """Document that the answer is empty (204)."""
        document = self.response(204, description=description, headers=ANSWER_HEADERS)

        def decorator(view: View) -> View:
            _take_documentation(view, document, "response")
            return view

        return decorator

    def raises(self, *kinds: type[PassrailError]) -> Callable[[View], View]:
        """Document errors the view raises itself."""

        def decorator(view: View) -> View:
            _note(view, *kinds)
            return view

        return decorator

    def says(self, **words: Any) -> Callable[[View], View]:
        """Document anything else of the operation: `operationId`, `summary`, `description`, `parameters`."""

        def decorator(view: View) -> View:
            _say(view, **words)
            return view

        return decorator


ANSWER_HEADERS = {
    "X-Request-ID": {"description": "ID of the request, for the log.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of the rate limit.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The rate limit.", "schema": {"type": "string"}},
}


def location(path: str) -> dict[str, str]:
    """Return the header field that says where the thing is that was made."""
    return {"Location": f"{current_service().settings.base_path}{path}"}


def json_answer(body: Mapping[str, Any] | str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Make an answer from an object, or from JSON text that is ready."""
    text = body if isinstance(body, str) else to_json(body)
    return Response(text, status, headers, content_type="application/json")


def read_idempotency_key(data: Mapping[str, Any]) -> str | None:
    """Return the key of a request: the header, or the body's `unique_event_id`.

    Raises:
        InvalidIdempotencyKey: the header cannot be a key.
        ValidationFailed: both are there and differ.
    """
    header, from_body = request.headers.get("Idempotency-Key"), data.get("unique_event_id")
    if header is None:
        return from_body
    key = header[1:-1] if len(header) >= 2 and header[0] == header[-1] == '"' else header
    if not 1 <= len(key) <= 255 or not all("!" <= character <= "~" for character in key):
        raise errors.InvalidIdempotencyKey()
    if from_body is not None and from_body != key:
        raise errors.ValidationFailed(
            errors=[errors.FieldError("unique_event_id", "It differs from the header Idempotency-Key. Give only one.")]
        )
    return key


def _take_documentation(view: Any, document: Callable[[Any], Any], part: str) -> None:
    """Take from one of flask-smorest's decorators what it documents, without what it does."""
    documented = document(lambda: None)._apidoc[part]
    if part == "arguments":
        # Our own list of errors says it better.
        documented.pop("responses")
    _apidoc(view)[part] = documented


def _note(view: Any, *kinds: type[PassrailError]) -> None:
    _apidoc(view).setdefault("errors", []).extend(kinds)


def _say(view: Any, **words: Any) -> None:
    _apidoc(view).setdefault("manual_doc", {}).update(words)


def _apidoc(view: Any) -> dict[str, Any]:
    """Give the view documentation of its own; `wraps` shares it with the function inside."""
    view._apidoc = deepcopy(getattr(view, "_apidoc", {}))
    apidoc: dict[str, Any] = view._apidoc
    return apidoc


def _describe_errors(doc: dict[str, Any], info: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    doc.setdefault("responses", {}).update(responses(info.get("errors", ())))
    doc["responses"].pop("default", None)
    return doc
