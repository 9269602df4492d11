from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import jwt
import pytest
import requests
import responses
from responses import matchers

from app.issuers.passkit.answers import Json, MalformedAnswer
from app.issuers.passkit.credentials import Credentials
from app.issuers.passkit.failures import (
    Conflict,
    CredentialsRefused,
    Garbled,
    InvalidRequest,
    NotFound,
    NotSent,
    PassKitFailure,
    RateLimited,
    Refused,
    Unavailable,
    Unclear,
)
from app.issuers.passkit.records import new_id
from app.issuers.passkit.retry import Effect
from app.issuers.passkit.transport import Transport
from tests.issuers.passkit.conftest import API, KEY, SECRET, Bench

THING = f"{API}/thing"
SAID = '{"error":"it said no"}'
Mock = responses.RequestsMock


def send(transport: Transport, effect: Effect = Effect.IDEMPOTENT, body: Json | None = None) -> str:
    return transport.send(effect, "PUT", "/thing", new_id, body or {"id": "x"})


def prepare(http: Mock, *answers: tuple[int, str] | Exception, **headers: str) -> None:
    for answer in answers:
        if isinstance(answer, Exception):
            http.put(THING, body=answer)
        else:
            http.put(THING, status=answer[0], body=answer[1], headers=headers)


def failing(transport: Transport, effect: Effect = Effect.IDEMPOTENT) -> PassKitFailure:
    with pytest.raises(PassKitFailure) as caught:
        send(transport, effect)
    return caught.value


OK = (200, '{"id":"x"}')
LOST = requests.ReadTimeout("canary")
NOT_SENT = requests.ConnectTimeout("canary")


def claims(http: Mock, call: int = 0) -> dict[str, Any]:
    token = http.calls[call].request.headers["Authorization"]
    return jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})


def test_a_request_is_signed_json(bench: Bench, transport: Transport, http: Mock) -> None:
    http.put(
        f"{API}/things/a%20b/x?q=1%2B1",
        json={"id": "x"},
        match=[matchers.json_params_matcher({"name": "Käthe"})],
    )
    path, query = {"id": "a b"}, {"q": "1+1"}
    body = {"name": "Käthe"}
    assert transport.send(Effect.NONE, "PUT", "/things/{id}/x", new_id, body, path=path, query=query) == "x"
    headers = http.calls[0].request.headers
    assert headers["Content-Type"] == headers["Accept"] == "application/json"
    now = int(bench.clock().timestamp())
    assert claims(http) == {"uid": KEY, "iat": now - 10, "exp": now + 30}


def test_every_request_has_a_token_of_its_own(bench: Bench, transport: Transport, http: Mock) -> None:
    prepare(http, (503, SAID), OK)
    bench.upstream.sleep = lambda _seconds: bench.clock.advance(seconds=7)
    send(transport)
    assert claims(http, 1)["iat"] - claims(http, 0)["iat"] == 7


@pytest.mark.parametrize("skew", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_a_wrong_clock_is_set_once_and_stays_set(bench: Bench, http: Mock, skew: timedelta) -> None:
    theirs = bench.clock() + skew
    text = "Token used before issued" if skew < timedelta(0) else "jwt was issued too long ago"
    prepare(http, (401, json.dumps({"error": text})), Date=format_datetime(theirs, usegmt=True))
    prepare(http, OK, OK, OK)
    assert send(bench.transport(), Effect.EVERY_TIME) == "x"
    send(bench.transport())
    send(bench.transport(connection="conn_2"))
    expected = [0, skew.total_seconds(), skew.total_seconds(), 0]
    now = int(bench.clock().timestamp())
    assert [claims(http, call)["iat"] - (now - 10) for call in range(4)] == expected
    assert bench.slept == []


def test_a_clock_that_does_not_help_is_set_only_once(bench: Bench, transport: Transport, http: Mock) -> None:
    date = format_datetime(bench.clock(), usegmt=True)
    prepare(
        http, (401, '{"error":"Token used before issued"}'), (401, '{"error":"Token used before issued"}'), Date=date
    )
    failure = failing(transport)
    assert isinstance(failure, CredentialsRefused)
    assert failure.tries == 2


@pytest.mark.parametrize(
    ("status", "text", "headers"),
    [
        (401, "signature is invalid", {"Date": "Fri, 20 Nov 2026 09:30:00 GMT"}),
        (401, "Token used before issued", {}),
        (401, "Token used before issued", {"Date": "soon"}),
        (403, "Token used before issued", {"Date": "Fri, 20 Nov 2026 09:30:00 GMT"}),
    ],
)
def test_credentials_that_are_refused_are_not_tried_again(
    transport: Transport, http: Mock, status: int, text: str, headers: dict[str, str]
) -> None:
    prepare(http, (status, json.dumps({"error": text})), **headers)
    assert isinstance(failing(transport), CredentialsRefused)


def test_a_long_lived_token_has_no_clock(bench: Bench, http: Mock) -> None:
    prepare(http, (401, '{"error":"token expired"}'), Date="Fri, 20 Nov 2026 09:30:00 GMT")
    transport = bench.transport(Credentials.of_region("pub1", long_lived_token="opaque"))
    assert isinstance(failing(transport), CredentialsRefused)
    assert http.calls[0].request.headers["Authorization"] == "Bearer opaque"


@pytest.mark.parametrize("effect", [Effect.NONE, Effect.IDEMPOTENT])
@pytest.mark.parametrize("first", [LOST, NOT_SENT, (429, ""), (502, ""), (503, SAID), (503, "<html>"), (504, "")])
def test_what_is_harmless_is_repeated(
    bench: Bench, transport: Transport, http: Mock, effect: Effect, first: Any
) -> None:
    prepare(http, first, first, OK)
    assert send(transport, effect) == "x"
    assert bench.slept == [0.25, 0.5]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (LOST, Unclear),
        (requests.ConnectionError("canary"), Unclear),
        ((502, ""), Unclear),
        ((504, SAID), Unclear),
        ((500, "<html>"), Garbled),
        ((200, ""), Garbled),
        ((200, "<html>"), Garbled),
        ((200, '{"id":'), Unclear),
        ((200, '{"id":5}'), Garbled),
        ((200, "{}"), Garbled),
        ((503, "<html>"), Unclear),
        ((503, SAID), Unavailable),
        ((429, SAID), RateLimited),
        ((500, SAID), Refused),
    ],
)
def test_what_counts_every_time_is_sent_once(
    bench: Bench, transport: Transport, http: Mock, answer: Any, kind: type[PassKitFailure]
) -> None:
    prepare(http, answer)
    failure = failing(transport, Effect.EVERY_TIME)
    assert type(failure) is kind
    assert failure.request == "PUT /thing"
    assert "canary" not in str(failure)
    assert bench.slept == []


def test_what_never_left_is_sent_again_even_if_it_counts(transport: Transport, http: Mock) -> None:
    prepare(http, NOT_SENT, NOT_SENT, OK)
    assert send(transport, Effect.EVERY_TIME) == "x"


def test_the_fourth_try_is_the_last(bench: Bench, transport: Transport, http: Mock) -> None:
    prepare(http, NOT_SENT)
    failure = failing(transport)
    assert isinstance(failure, NotSent)
    assert (failure.tries, bench.slept) == (4, [0.25, 0.5, 1.0])
    assert "4 tries" in str(failure)


@pytest.mark.parametrize("answer", [LOST, (502, ""), (504, "")])
def test_a_read_that_fails_unclearly_is_certainly_not_done(transport: Transport, http: Mock, answer: Any) -> None:
    prepare(http, answer)
    failure = failing(transport, Effect.NONE)
    assert type(failure) is Unavailable
    assert failure.tries == 4


def test_a_read_that_cannot_be_understood_is_not_repeated(transport: Transport, http: Mock) -> None:
    prepare(http, (200, "<html>"))
    failure = failing(transport, Effect.NONE)
    assert (type(failure), failure.tries, failure.status) == (Unavailable, 1, 200)


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (NOT_SENT, Unclear),
        ((429, ""), Unclear),
        ((401, SAID), Unclear),
        ((400, SAID), Unclear),
        ((500, SAID), Unclear),
        ((200, "<html>"), Garbled),
        ((404, SAID), NotFound),
        ((409, SAID), Conflict),
    ],
)
def test_after_an_unclear_try_only_the_object_itself_can_tell(
    transport: Transport, http: Mock, second: Any, kind: type[PassKitFailure]
) -> None:
    prepare(http, LOST, second)
    failure = failing(transport)
    assert type(failure) is kind
    assert failure.after_unclear


def test_after_a_try_that_never_left_everything_is_certain(transport: Transport, http: Mock) -> None:
    prepare(http, NOT_SENT, (404, SAID))
    failure = failing(transport)
    assert type(failure) is NotFound
    assert not failure.after_unclear


def test_retry_after_is_waited_for(bench: Bench, transport: Transport, http: Mock) -> None:
    prepare(http, (429, ""), **{"Retry-After": "3"})
    prepare(http, OK)
    send(transport)
    assert bench.slept == [3.0]


def test_a_long_retry_after_is_handed_on(bench: Bench, transport: Transport, http: Mock) -> None:
    prepare(http, (429, ""), **{"Retry-After": "60"})
    failure = failing(transport)
    assert (type(failure), failure.retry_after, bench.slept) == (RateLimited, 60.0, [])


def test_answers_are_validated_before_they_are_believed(transport: Transport, http: Mock) -> None:
    def read(found: Json) -> str:
        raise MalformedAnswer("points is not a number")

    prepare(http, OK)
    with pytest.raises(Garbled, match="points is not a number"):
        transport.send(Effect.EVERY_TIME, "PUT", "/thing", read, {})


@pytest.mark.parametrize("body", [{"points": float("nan")}, {"points": float("inf")}, {"name": "\ud800canary"}])
def test_what_is_no_json_is_not_sent(transport: Transport, http: Mock, body: Json) -> None:
    with pytest.raises(InvalidRequest) as caught:
        send(transport, body=body)
    assert "canary" not in str(caught.value)


def test_an_id_that_breaks_the_path_is_not_sent(transport: Transport, http: Mock) -> None:
    with pytest.raises(InvalidRequest):
        transport.send(Effect.NONE, "GET", "/things/{id}", new_id, path={"id": "a/b"})


def test_a_list_is_all_or_nothing(transport: Transport, http: Mock) -> None:
    url = f"{API}/things/P/list"
    lines = '{"result":{"id":"1"}}\n{"result":{"id":"2"}}\n'
    http.post(url, body=lines + '{"error":{"http_code":503,"message":"back off"}}\n')
    http.post(url, body=lines + '{"result":{"id"')
    http.post(url, body=lines)
    assert transport.ask_list("/things/{id}/list", new_id, {}, path={"id": "P"}) == ["1", "2"]
    http.post(url, body=lines + '{"result":{"id":5}}\n')
    with pytest.raises(Unavailable, match="id is not text"):
        transport.ask_list("/things/{id}/list", new_id, {}, path={"id": "P"})
