"""Every error, of every operation and of the layers below it, is the one kind of document that is promised.

What is sent wrongly here is sent to every operation of the description: an error that one view answers in its own way
shows, and so does a new route that forgets something.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from app import create_app, errors
from app.api import MAX_BODY_BYTES, problems
from app.errors import PassrailError, catalogue
from app.settings import Settings
from tests.contract import document
from tests.contract.calls import call_of
from tests.contract.document import Operation
from tests.contract.fuzzing import serving, set_stage
from tests.contract.problems import complaints
from tests.passkit.conftest import VAULT_KEYS
from tests.world import MEMBERSHIP, World, make_world

DOCUMENT = document.load()
PUBLIC_URL = "https://pass.example.com"
CHANGING = [one for one in DOCUMENT.operations if one.body is not None]
WITH_BODY = pytest.mark.parametrize("changing", CHANGING, ids=[one.id for one in CHANGING])
READING = [one for one in DOCUMENT.operations if one.is_safe]
READS = pytest.mark.parametrize("reading", READING, ids=[one.id for one in READING])
PATHS = pytest.mark.parametrize("path", DOCUMENT.raw["paths"])
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "BREW")
CREATE = "/v1/actions/create-pass"


def check(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Hold an answer against all that is promised of an error, and return the document."""
    assert complaints(answer.status_code, answer.content_type, answer.get_data()) == [], answer.text
    problem: dict[str, Any] = answer.get_json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert problem["type"] == f"{PUBLIC_URL}/docs/errors/{code}"
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    return problem


def address(path: str) -> str:
    """Give a path of the description with an ID in it that could be one."""
    return re.sub(r"{\w+}", "some_id", path)


# --- the documents themselves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", catalogue(), ids=lambda kind: kind.code)
def test_every_kind_of_error_makes_a_complete_document_with_a_page_about_it(
    shared_world: World, kind: type[PassrailError]
) -> None:
    body = json.dumps(problems.document(kind(), PUBLIC_URL, "req_1")).encode()
    assert complaints(kind.status, document.PROBLEM, body) == []
    page = shared_world.client.get(f"/docs/errors/{kind.code}")
    assert page.status_code == 200
    assert kind.title in page.text


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"status": 400}, "status"),
        ({"title": "Oops"}, "title"),
        ({"retryable": True}, "retryable"),
        ({"instance": "urn:passrail:req_2"}, "instance"),
        ({"type": "https://pass.example.com/docs/errors/internal"}, "code"),
        ({"detail": "no sentence"}, "detail"),
        ({"code": "made-up"}, "made-up"),
        ({"request_id": None}, "None"),
        ({"detail": 'File "app/x.py", line 5'}, "traceback"),
    ],
)
def test_the_test_itself_sees_what_is_wrong(change: dict[str, Any], complaint: str) -> None:
    """`complaints` judges thousands of answers; here it has to find something."""
    right = problems.document(errors.NotFound(), PUBLIC_URL, "req_1")
    assert complaints(404, document.PROBLEM, json.dumps(right).encode()) == []
    [found] = complaints(404, document.PROBLEM, json.dumps({**right, **change}).encode())
    assert complaint in found
    assert complaints(404, "application/json", json.dumps(right).encode()) != []


# --- addresses and methods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/actions/explode-pass",
        "/v1/actions/create-pass/batch/more",
        "/v1/passes/",
        "/v1/passes/not%20an%20id",
        "/v1/passes/%00",
        "/v1/passes/..%2F..%2Fetc%2Fpasswd",
        f"/v1/passes/{'x' * 65}",
        "/v1/programs/é",
        "/v1/operations/1;drop",
    ],
)
def test_an_address_that_is_not_there(shared_world: World, path: str, method: str) -> None:
    check(shared_world.request(method, path), 404, "not-found")


@pytest.mark.matrix
@PATHS
@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_is_not_described_is_refused_with_those_that_are(
    shared_world: World, path: str, method: str
) -> None:
    described = {name.upper() for name in DOCUMENT.raw["paths"][path] if name in document.METHODS}
    if method in described:
        assert shared_world.request(method, address(path)).status_code != 405
        return
    answer = shared_world.request(method, address(path), json={})
    problem = check(answer, 405, "method-not-allowed")
    also = {"HEAD"} if "GET" in described else set()
    assert set(answer.headers["Allow"].split(", ")) == described | also | {"OPTIONS"}
    assert method in problem["detail"]


@PATHS
def test_options_tells_the_methods_and_nothing_else(shared_world: World, path: str) -> None:
    described = {name.upper() for name in DOCUMENT.raw["paths"][path] if name in document.METHODS}
    answer = shared_world.client.options(address(path))
    assert (answer.status_code, answer.get_data()) == (200, b"")
    assert described < set(answer.headers["Allow"].split(", "))


@READS
def test_head_answers_as_get_does_without_the_body(shared_world: World, reading: Operation) -> None:
    call = call_of(shared_world, reading)
    for path in (call.path, f"{call.path}/nothing"):
        got, asked = shared_world.get(path), shared_world.request("HEAD", path)
        assert (asked.status_code, asked.content_type) == (got.status_code, got.content_type)
        assert asked.get_data() == b""


@pytest.mark.parametrize("host", ["other.example.com", "localhost:1", "a b", "x/y", "x'y", "[::1", "", "é", "x" * 300])
def test_a_host_that_is_not_ours_changes_no_address_and_breaks_nothing(shared_world: World, host: str) -> None:
    """Links are made from the setting, never from the request: else a stranger's host would stand in them."""
    answer = shared_world.get("/v1/nothing", headers={"Host": host})
    if answer.status_code == 400:
        check(answer, 400, "malformed-request")
    else:
        check(answer, 404, "not-found")
    assert not host or host not in answer.text


# --- bodies ----------------------------------------------------------------------------------------------------------

MALFORMED = {
    "nothing": b"",
    "blank": b"  \n",
    "cut off": b'{"program_id": "prog',
    "trailing comma": b'{"program_id": "x",}',
    "single quotes": b"{'program_id': 'x'}",
    "bare word": b'{"program_id": prog}',
    "comment": b'{"program_id": "x" /* hello */}',
    "two values": b"{} {}",
    "NaN": b'{"points": NaN}',
    "Infinity": b'{"points": Infinity}',
    "minus Infinity": b'{"points": -Infinity}',
    "deep arrays": b"[" * 60_000,
    "deep objects": b'{"a":' * 12_000,
    "deep inside": b'{"fields": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "not UTF-8": b'{"first_name": "\xff\xfe"}',
    "UTF-16": '{"first_name": "Ada"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "lone surrogate in a value": rb'{"first_name": "\ud800"}',
    "lone surrogate in a name": rb'{"\udfff": 1}',
    "lone surrogate in a list": rb'{"items": [{"\ud800": "\ud800"}]}',
    "control character": b'{"first_name": "a\x01b"}',
    "an integer of 5000 digits": b'{"points": ' + b"9" * 5000 + b"}",
    "an exponent of 20 digits": b'{"points": 1e99999999999999999999}',
}


@pytest.mark.matrix
@WITH_BODY
@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_no_json(shared_world: World, changing: Operation, kind: str) -> None:
    answer = _send(shared_world, changing, MALFORMED[kind])
    problem = check(answer, 400, "malformed-json")
    assert "JSON" in problem["detail"]


@pytest.mark.matrix
@WITH_BODY
@pytest.mark.parametrize("body", [b"[]", b"[{}]", b'"text"', b"5", b"1e5", b"null", b"true"])
def test_json_that_is_no_object(shared_world: World, changing: Operation, body: bytes) -> None:
    check(_send(shared_world, changing, body), 422, "validation-failed")


@pytest.mark.parametrize("number", ["1e999999", "1e-999999", "-1e999999", "1" + "0" * 4000, "0." + "0" * 4000 + "1"])
@pytest.mark.parametrize("name", ["points", "program_id", "nonsense"])
def test_a_number_out_of_all_proportion_is_a_wrong_field(shared_world: World, name: str, number: str) -> None:
    body = f'{{"program_id": "{MEMBERSHIP}", "{name}": {number}}}'.encode()
    answer = shared_world.request("POST", CREATE, data=body, content_type=document.JSON)
    problem = check(answer, 422, "validation-failed")
    assert [error["field"] for error in problem["errors"]] == [name]


def test_of_a_name_that_comes_twice_the_last_counts(shared_world: World) -> None:
    body = f'{{"program_id": "nobody", "first_name": "Eve", "program_id": "{MEMBERSHIP}", "first_name": "Ada"}}'
    answer = shared_world.request("POST", CREATE, data=body.encode(), content_type=document.JSON)
    assert (answer.status_code, answer.get_json()["first_name"]) == (200, "Ada")


@WITH_BODY
def test_a_body_above_the_limit_whether_its_length_is_told_or_not(shared_world: World, changing: Operation) -> None:
    """What fits into the limit would be a whole object: to drop the rest would do what was not asked for."""
    body = b"{}".ljust(MAX_BODY_BYTES + 1)
    for chunked in (False, True):
        check(_send(shared_world, changing, body, chunked=chunked), 413, "payload-too-large")
        at_the_limit = _send(shared_world, changing, body[:MAX_BODY_BYTES], chunked=chunked)
        assert at_the_limit.get_json()["code"] in ("validation-failed", "not-found", "not-applicable")


@pytest.mark.matrix
@WITH_BODY
@pytest.mark.parametrize(
    "content_type",
    [None, "", "nonsense", "text/plain", "text/json", "multipart/form-data", "application/x-www-form-urlencoded"],
)
def test_a_body_that_is_not_declared_as_json(
    shared_world: World, changing: Operation, content_type: str | None
) -> None:
    answer = _send(shared_world, changing, b"{}", content_type=content_type)
    check(answer, 415, "unsupported-media-type")


def _send(
    world: World,
    operation: Operation,
    body: bytes,
    *,
    content_type: str | None = document.JSON,
    chunked: bool = False,
) -> TestResponse:
    method, path = operation.method.upper(), address(operation.path)
    if not chunked:
        return world.request(method, path, data=body, content_type=content_type)
    # What a server hands on that has decoded `Transfer-Encoding: chunked`: a stream that ends, of no told length.
    headers = [("Authorization", f"Bearer {world.key}")]
    builder = EnvironBuilder(path=path, method=method, headers=headers, data=body, content_type=content_type)
    environ = {**builder.get_environ(), "wsgi.input_terminated": True}
    del environ["CONTENT_LENGTH"]
    # Not by the client: it would tell the length again.
    content, status, answer_headers = run_wsgi_app(world.app, environ, buffered=True)
    return TestResponse(content, status, answer_headers, Request(environ))


# --- failures of the service -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service in which every view does what nobody expected, with something in the message that must not get out."""
    world = make_world(tmp_path_factory.mktemp("broken"))

    def break_down(*_arguments: object, **_more: object) -> str:
        raise RuntimeError("secret of /srv/app")

    for endpoint in world.app.view_functions:
        world.app.view_functions[endpoint] = break_down
    yield world
    world.service.store.close()


def test_an_unexpected_failure_tells_nothing_of_itself(broken: World, operation: Operation) -> None:
    answer = broken.request(operation.method.upper(), address(operation.path))
    problem = check(answer, 500, "internal")
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert not problem["retryable"]


@pytest.fixture(scope="module")
def without_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A service whose database server is away."""
    folder = tmp_path_factory.mktemp("away")
    away = "postgresql://nobody@127.0.0.1:1/none"
    app: Flask = create_app(Settings(data_dir=str(folder), database_url=away, base_url=PUBLIC_URL))
    yield app.test_client()
    app.extensions["passrail"].store.close()


def test_a_database_that_is_away_is_no_failure_of_the_caller(
    without_server: FlaskClient, shared_world: World, operation: Operation
) -> None:
    headers = {"Authorization": f"Bearer {shared_world.key}"}
    path = address(operation.path)
    answer = without_server.open(path, method=operation.method.upper(), json={}, headers=headers)
    problem = check(answer, 503, "not-ready")
    assert problem["retryable"]
    assert int(answer.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in answer.text


# What reads no table.
WITHOUT_TABLES = {"list_event_types"}


def test_a_database_that_fails_amid_the_work_is_no_failure_of_the_caller(tmp_path: Path, operation: Operation) -> None:
    """Other than the connection that is refused above: here the statements of the request itself fail."""
    world = make_world(tmp_path, vault_keys=VAULT_KEYS)
    call = call_of(world, operation)
    with world.service.store.write() as connection:
        for table in ("connections", "deliveries", "events", "hooks", "imports", "operations", "passes", "programs"):
            connection.execute(text(f"ALTER TABLE {table} RENAME TO gone_{table}"))
    answer = call.send(world)
    world.service.store.close()
    if operation.id in WITHOUT_TABLES:
        assert answer.status_code == 200
        return
    problem = check(answer, 503, "not-ready")
    assert "SELECT" not in answer.text
    assert problem["retryable"]


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service that allows little: one request a second, three at once."""
    world = make_world(tmp_path_factory.mktemp("limited"), rate_limit_per_minute=60, rate_limit_burst=3)
    yield world
    world.service.store.close()


def test_the_limit_is_told_before_it_is_reached_and_in_all_places_alike(limited: World) -> None:
    key = limited.make_key()
    allowed = [limited.get("/v1/me", key=key) for _ in range(3)]
    assert [answer.headers["RateLimit"] for answer in allowed] == [
        f'"default";r={left};t={wait}' for left, wait in ((2, 1), (1, 2), (0, 3))
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in allowed} == {'"default";q=60;w=60'}
    assert all("Retry-After" not in answer.headers for answer in allowed)
    refused = limited.get("/v1/me", key=key)
    problem = check(refused, 429, "rate-limited")
    wait = int(refused.headers["Retry-After"])
    assert refused.headers["RateLimit"] == f'"default";r=0;t={wait}'
    assert refused.headers["RateLimit-Policy"] == '"default";q=60;w=60'
    assert f"in {wait} s" in problem["detail"]
    assert problem["retryable"]
    limited.clock.advance(seconds=wait)
    assert limited.get("/v1/me", key=key).status_code == 200


def test_every_operation_is_limited(limited: World, operation: Operation) -> None:
    key = limited.make_key()
    left = [limited.get("/v1/me", key=key).status_code for _ in range(3)]
    answer = limited.request(operation.method.upper(), address(operation.path), key=key, json={})
    assert left == [200, 200, 200]
    check(answer, 429, "rate-limited")


# --- on the wire -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wire:
    """The real server, because what it makes of bytes is its own."""

    url: str
    authorization: str

    def send(self, head: str, body: bytes = b"") -> tuple[int, str, bytes]:
        """Send a request as it stands, and return status, media type and body of the answer."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=120) as connection:
            connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status, answer.headers["Content-Type"], answer.read()

    def post(self, headers: str, body: bytes) -> tuple[int, str, bytes]:
        """Create a pass, with these headers beside the usual ones."""
        usual = f"Host: localhost\nAuthorization: {self.authorization}\nContent-Type: {document.JSON}"
        return self.send(f"POST {CREATE} HTTP/1.1\n{usual}\nConnection: close\n{headers}", body)


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """Run the server of the Procfile."""
    stage = set_stage(tmp_path_factory.mktemp("wire"))
    [identity, *_] = json.loads(stage.keys.read_text(encoding="utf-8"))["auth"]
    with serving(stage) as url:
        yield Wire(url, identity["fixedHeaders"][0]["value"])


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


@pytest.mark.parametrize(
    ("length", "status"), [(100, 200), (MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413), (4 * MAX_BODY_BYTES, 413)]
)
@pytest.mark.parametrize("pieces", [1, 7])
def test_chunks_are_put_together_up_to_the_limit(wire: Wire, length: int, status: int, pieces: int) -> None:
    body = f'{{"program_id": "{MEMBERSHIP}"}}'.encode().ljust(length)
    size = len(body) // pieces + 1
    chunks = b"".join(_chunk(body[start : start + size]) for start in range(0, len(body), size)) + _chunk(b"")
    answered, content_type, content = wire.post("Transfer-Encoding: chunked", chunks)
    assert answered == status
    if status != 200:
        assert complaints(answered, content_type, content) == []


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"2\r\n{}XX", b"-1\r\n{}\r\n0\r\n\r\n"])
def test_chunks_that_are_none_are_the_callers_mistake(wire: Wire, chunks: bytes) -> None:
    status, content_type, content = wire.post("Transfer-Encoding: chunked", chunks)
    assert complaints(status, content_type, content) == []
    assert (status, json.loads(content)["code"]) == (400, "malformed-request")


NO_HTTP = {
    "no request line": ("GET", 400),
    "no such version": ("GET /v1/me HTTP/9.9\nHost: localhost", 400),
    "a header without a colon": ("GET /v1/me HTTP/1.1\nHost: localhost\nNonsense", 400),
    "two lengths": (f"POST {CREATE} HTTP/1.1\nHost: localhost\nContent-Length: 5\nContent-Length: 6", 400),
    "a negative length": (f"POST {CREATE} HTTP/1.1\nHost: localhost\nContent-Length: -1", 400),
    "an address of 9 kB": (f"GET /v1/me?{'a' * 9000} HTTP/1.1\nHost: localhost", 414),
    "a header of 9 kB": (f"GET /v1/me HTTP/1.1\nHost: localhost\nX-A: {'a' * 9000}", 431),
    "80 headers": ("GET /v1/me HTTP/1.1\nHost: localhost\n" + "\n".join(f"X-{n}: a" for n in range(80)), 431),
    "an expectation nobody meets": (f"POST {CREATE} HTTP/1.1\nHost: localhost\nExpect: miracles", 417),
}


@pytest.mark.parametrize("kind", NO_HTTP)
def test_what_is_no_http_is_refused_without_giving_anything_away(wire: Wire, kind: str) -> None:
    head, expected = NO_HTTP[kind]
    status, _, content = wire.send(head)
    assert status == expected
    assert b"Traceback" not in content
    assert b".py" not in content


@pytest.mark.parametrize("kind", NO_HTTP)
def test_what_is_no_http_is_a_problem_too(wire: Wire, kind: str) -> None:
    _, content_type, _ = wire.send(NO_HTTP[kind][0])
    assert content_type == document.PROBLEM
