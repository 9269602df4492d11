from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, g

from app import logs, observe, scrub
from app.model import IdKind, new_id
from app.service import make_service
from app.settings import Settings

# What must never be in a log, by the name of what it is.
CANARIES = {
    "live key": "pr_live_CaNaRy0123456789abcdefGHIJKLmnopqrst",
    "test key": "pr_test_CaNaRy0123456789abcdefGHIJKLmnopqrst",
    "part of a key": "pr_live_CaNaRy0123456789",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJDYU5hUnkifQ.c2lnbmF0dXJlQ2FOYVJ5",
    "signing secret": "whsec_CaNaRyMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw==",
    "e-mail": "canary@example.com",
    "e-mail with a tag": "ca.na+ry@mail.example.co.uk",
    "e-mail in a URL": "canary%40example.com",
    "e-mail beyond ASCII": "käthe.canary@bücher.example",
    "PEM": "-----BEGIN PRIVATE KEY-----\nCaNaRyMIIEvQIBADANBg\nkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
    "PEM cut off": "-----BEGIN RSA PRIVATE KEY-----\nCaNaRyMIIEvQIBADANBg",
    "base64": "Q2FOYVJ5Q2FOYVJ5Q2FOYVJ5Q2FOYVJ5Q2FOYVJ5Q2FOYVJ5Q2E9PQ==",
    "base64 for URLs": "Q2FOYVJ5_Q2FOYVJ5-Q2FOYVJ5Q2FOYVJ5Q2FOYVJ5",
    "hex digest": "00ca9a0deadbeef00ca9a0deadbeef00ca9a0deadbeef00ca9a0deadbeef0000",
    "hook address": "https://hooks.example.com/hooks/standard/1234/canary5678/",
    "pass address": "https://passes.example.com/p/CaNaRy-16_characters",
    "path of a pass": "/p/CaNaRy-16_characters",
    "database address": "postgresql://passrail:canary@db.example.com/passrail",
    "bearer": "Authorization: Bearer canary-token",
    "named in text": "password=canary&x=1",
    "named in JSON": '{"api_key": "canary words"}',
    "parameters of SQL": "[SQL: INSERT ...]\n[parameters: {'first': 'Canary'}]",
    "row of PostgreSQL": "DETAIL:  Key (name)=(Canary) already exists.",
}
WORDS = ("canary", "MIIEvQ", "Q2FOYVJ5", "eyJ", "00ca9a0d", "16_characters", "cGxlQ2FO")


def leaks(text: str) -> list[str]:
    return [word for word in WORDS if word.lower() in text.lower()]


class Output:
    """What was written to standard output since the test began."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().out
        return self._text


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Iterator[Output]:
    root = logging.getLogger()
    level = root.level
    logs.configure("INFO")
    yield Output(capsys)
    root.setLevel(level)


@pytest.fixture
def app(tmp_path: Path, output: Output) -> Flask:
    app = Flask("toy")
    app.extensions["passrail"] = make_service(Settings(data_dir=str(tmp_path)))
    observe.init_app(app)
    logs.init_app(app)

    @app.get("/p/<token>")
    def show(token: str) -> dict[str, str | None]:
        g.caller = SimpleNamespace(account_id="acct_1", mode="test")
        g.operation_id = "op_1"
        return {"request_id": logs.current_request_id()}

    @app.get("/break/<token>")
    def fail(token: str) -> str:
        raise RuntimeError(f"cannot work with {CANARIES['live key']}")

    return app


def lines(output: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


log = logging.getLogger("tests.logs")


@pytest.mark.parametrize("kind", CANARIES)
def test_secrets_stay_out_of_messages(kind: str, output: Output) -> None:
    log.info("it was " + CANARIES[kind] + " that came")
    assert leaks(output.getvalue()) == []
    assert "redacted" in output.getvalue() or "[email]" in output.getvalue()


@pytest.mark.parametrize("kind", CANARIES)
def test_secrets_stay_out_of_arguments(kind: str, output: Output) -> None:
    canary = CANARIES[kind]
    log.info("it was %s, in %r and %s", canary, {"deep": [canary]}, SimpleNamespace(value=canary))
    log.info("named: %(value)s", {"value": canary})
    assert leaks(output.getvalue()) == []
    assert len(lines(output)) == 2


@pytest.mark.parametrize("kind", CANARIES)
def test_secrets_stay_out_of_extras(kind: str, output: Output) -> None:
    canary = CANARIES[kind]
    extra = {"what": canary, "deep": {"er": [canary, (canary,)], canary: 1}, "raw": canary.encode(), "any": {canary}}
    log.info("an extra", extra=extra)
    assert leaks(output.getvalue()) == []


@pytest.mark.parametrize("kind", CANARIES)
def test_secrets_stay_out_of_tracebacks(kind: str, output: Output) -> None:
    try:
        try:
            raise KeyError(CANARIES[kind])
        except KeyError as error:
            raise ValueError(f"it was {CANARIES[kind]}") from error
    except ValueError:
        log.exception("it broke", stack_info=True)
    assert leaks(output.getvalue()) == []
    assert "Traceback" in lines(output)[0]["exception"]


@pytest.mark.parametrize(
    "name",
    ["Authorization", "client_secret", "token", "password", "api_key", "X-API-Key", "hook_url", "email", "phone"],
)
def test_what_a_secret_name_holds_is_not_logged(name: str, output: Output) -> None:
    log.info("got %s and %s", {name: "canary"}, f"{name}: canary", extra={name: "canary", "deep": {name: ["canary"]}})
    assert leaks(output.getvalue()) == []


def test_what_is_no_secret_stays_readable(output: Output) -> None:
    text = (
        f"{new_id(IdKind.PASS)} of {new_id(IdKind.PROGRAM)}: 3 points at 12:30, "
        "code insufficient-points, file /usr/lib/python3.11/site-packages/sqlalchemy/engine/default.py, "
        "host http://localhost:8000/"
    )
    log.info(text, extra={"count": 3, "share": 0.5, "ok": True, "none": None, "list": [1, "two"]})
    (line,) = lines(output)
    assert line["message"] == text
    assert (line["count"], line["share"], line["ok"], line["none"], line["list"]) == (3, 0.5, True, None, [1, "two"])
    assert (line["level"], line["logger"]) == ("info", "tests.logs")
    assert line["time"].endswith("Z")


def test_arguments_that_do_not_fit_are_no_error(output: Output) -> None:
    log.info("two %s %s", "one")
    assert lines(output)[0]["message"].startswith("two")


def test_long_texts_are_cut_and_cost_little(output: Output) -> None:
    for nasty in ("a-" * 500_000, "@" * 1_000_000, "a" * 1_000_000, "a@" * 500_000, "://" * 300_000, "a." * 500_000):
        log.info("%s", nasty)
    assert all(len(line["message"]) <= scrub.LONGEST + 3 for line in lines(output))


def test_a_request_is_one_line_without_its_address(app: Flask, output: Output) -> None:
    answer = app.test_client().get("/p/SecretTokenOfAPass?key=canary", headers={"Authorization": "Bearer canary"})
    (line,) = lines(output)
    assert "SecretTokenOfAPass" not in output.getvalue()
    assert leaks(output.getvalue()) == []
    assert line.pop("duration_ms") >= 0
    assert line.pop("time")
    assert line == {
        "level": "info",
        "logger": "passrail.request",
        "message": "request",
        "request_id": answer.headers["X-Request-ID"],
        "method": "GET",
        "route": "/p/<token>",
        "status": 200,
        "account_id": "acct_1",
        "mode": "test",
        "operation_id": "op_1",
    }


def test_every_answer_carries_the_id_of_its_own_request(app: Flask, output: Output) -> None:
    client = app.test_client()
    first, second = client.get("/p/1"), client.get("/p/2", headers={"X-Request-ID": "chosen-by-the-caller"})
    ids = [first.headers["X-Request-ID"], second.headers["X-Request-ID"]]
    assert [first.get_json()["request_id"], second.get_json()["request_id"]] == ids
    assert len(set(ids)) == 2
    assert all(request_id.startswith("req_") for request_id in ids)
    assert [line["request_id"] for line in lines(output)] == ids
    assert logs.current_request_id() is None


def test_unknown_addresses_and_methods_are_logged_without_their_names(app: Flask, output: Output) -> None:
    app.test_client().open("/no/SecretTokenOfAPass", method="CANARY")
    (line,) = lines(output)
    assert (line["route"], line["method"], line["status"]) == (None, "other", 404)
    assert "SecretTokenOfAPass" not in output.getvalue()


def test_an_unexpected_exception_is_logged_once_with_its_request(app: Flask, output: Output) -> None:
    answer = app.test_client().get("/break/SecretTokenOfAPass")
    assert answer.status_code == 500
    error, request = lines(output)
    assert error["level"] == "error"
    assert "RuntimeError: cannot work with [redacted]" in error["exception"]
    assert error["request_id"] == request["request_id"] == answer.headers["X-Request-ID"]
    assert request["status"] == 500
    assert "SecretTokenOfAPass" not in output.getvalue()


def test_lines_within_a_request_carry_its_id(app: Flask, output: Output) -> None:
    with app.test_request_context("/p/1"):
        app.preprocess_request()
        log.warning("half-way")
        assert lines(output)[0]["request_id"] == logs.current_request_id()


def test_many_applications_log_each_line_once(tmp_path: Path, output: Output) -> None:
    for number in range(5):
        app = Flask(f"toy{number}")
        app.extensions["passrail"] = make_service(Settings(data_dir=str(tmp_path)))
        observe.init_app(app)
        logs.init_app(app)
    app.test_client().get("/nowhere")
    assert len(lines(output)) == 1


def test_the_least_level_is_a_setting(tmp_path: Path, output: Output) -> None:
    app = Flask("toy")
    app.extensions["passrail"] = make_service(Settings(data_dir=str(tmp_path), log_level="ERROR"))
    observe.init_app(app)
    logs.init_app(app)
    assert "X-Request-ID" in app.test_client().get("/nowhere").headers
    log.warning("not this")
    assert lines(output) == []
