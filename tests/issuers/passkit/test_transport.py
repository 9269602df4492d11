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
from app.issuers.passkit.failures import (
    Answered,
    CredentialsRefused,
    Garbled,
    InvalidRequest,
    Lost,
    NotFound,
    NotSent,
    PassKitFailure,
    RateLimited,
    Unavailable,
)
from app.issuers.passkit.reading import required
from app.issuers.passkit.transport import Transport
from tests.issuers.passkit.conftest import API, KEY, SECRET, Bench, make_credentials

THING = f"{API}/thing"
SAID = '{"error":"it said no"}'
KNOWN = '{"error":"member with id[x] does not exist"}'
Mock = responses.RequestsMock


def new_id(found: Json) -> str:
    return required(found, "id")


def send(transport: Transport, *, is_read: bool = False, body: Json | None = None) -> str:
    if is_read:
        return transport.read("/thing", new_id)
    return transport.write("PUT", "/thing", new_id, body or {"id": "x"})


def prepare(http: Mock, *answers: tuple[int, str] | Exception, is_read: bool = False, **headers: str) -> None:
    method = "GET" if is_read else "PUT"
    for answer in answers:
        if isinstance(answer, Exception):
            http.add(method, THING, body=answer)
        else:
            http.add(method, THING, status=answer[0], body=answer[1], headers=headers)


def failing(transport: Transport, *, is_read: bool = False) -> PassKitFailure:
    with pytest.raises(PassKitFailure) as caught:
        send(transport, is_read=is_read)
    return caught.value


OK = (200, '{"id":"x"}')
SILENT = requests.ReadTimeout("canary")
NOT_SENT = requests.ConnectTimeout("canary")


def claims(http: Mock, call: int = 0) -> dict[str, Any]:
    token = http.calls[call].request.headers["Authorization"]
    return jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})


def test_a_request_is_signed_json(bench: Bench, transport: Transport, http: Mock) -> None:
    http.put(f"{API}/things/a%20b/x", json={"id": "x"}, match=[matchers.json_params_matcher({"name": "Käthe"})])
    assert transport.write("PUT", "/things/{id}/x", new_id, {"name": "Käthe"}, path={"id": "a b"}) == "x"
    headers = http.calls[0].request.headers
    assert headers["Content-Type"] == headers["Accept"] == "application/json"
    now = int(bench.clock().timestamp())
    assert claims(http) == {"uid": KEY, "iat": now - 10, "exp": now + 30}


def test_a_query_is_encoded(transport: Transport, http: Mock) -> None:
    http.get(f"{API}/things?q=1%2B1", json={"id": "x"})
    assert transport.read("/things", new_id, query={"q": "1+1"}) == "x"


def test_a_token_is_used_while_it_is_young(bench: Bench, http: Mock) -> None:
    prepare(http, *[OK] * 4)
    transport = bench.transport()
    for seconds in (0, 14, 1, -1):
        bench.clock.advance(seconds=seconds)
        send(transport)
    first = claims(http, 0)["iat"]
    # The last one: our clock was set back.
    assert [claims(http, call)["iat"] - first for call in range(4)] == [0, 0, 15, 14]


@pytest.mark.parametrize("skew", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_a_wrong_clock_is_set_and_stays_set(bench: Bench, http: Mock, skew: timedelta) -> None:
    date = format_datetime(bench.clock() + skew, usegmt=True)
    text = "Token used before issued" if skew < timedelta(0) else "jwt was issued too long ago"
    prepare(http, (401, json.dumps({"error": text})), OK, OK, Date=date)
    prepare(http, OK)
    assert send(bench.transport()) == "x"
    send(bench.transport())
    send(bench.transport(connection="conn_2"))
    expected = [0, skew.total_seconds(), skew.total_seconds(), 0]
    now = int(bench.clock().timestamp())
    assert [claims(http, call)["iat"] - (now - 10) for call in range(4)] == expected
    assert bench.slept == []


@pytest.mark.parametrize("status", [200, 400, 503])
def test_every_answer_tells_passkits_clock(bench: Bench, http: Mock, status: int) -> None:
    theirs = bench.clock() - timedelta(seconds=90)
    prepare(http, (status, OK[1] if status == 200 else SAID), Date=format_datetime(theirs, usegmt=True))
    transport = bench.transport()
    if status == 200:
        send(transport)
    else:
        failing(transport)
    assert (transport.now(), transport.offset()) == (theirs, timedelta(seconds=-90))


@pytest.mark.parametrize("date", ["soon", ""])
def test_an_answer_without_a_date_tells_none(bench: Bench, http: Mock, date: str) -> None:
    prepare(http, OK, Date=date)
    transport = bench.transport()
    send(transport)
    assert transport.now() == bench.clock()


def test_a_clock_that_does_not_help_is_tried_only_once_more(bench: Bench, transport: Transport, http: Mock) -> None:
    refused = (401, '{"error":"Token used before issued"}')
    prepare(http, refused, refused, Date=format_datetime(bench.clock(), usegmt=True))
    failure = failing(transport)
    assert isinstance(failure, CredentialsRefused)
    assert failure.tries == 2


@pytest.mark.parametrize(
    ("status", "text"), [(401, "signature is invalid"), (401, "who are you"), (403, "Token used before issued")]
)
def test_credentials_that_are_refused_are_not_tried_again(
    transport: Transport, http: Mock, status: int, text: str
) -> None:
    prepare(http, (status, json.dumps({"error": text})), Date="Fri, 20 Nov 2026 09:30:00 GMT")
    failure = failing(transport)
    assert isinstance(failure, CredentialsRefused if status == 401 else Answered)
    assert failure.tries == 1


def test_a_long_lived_token_has_no_clock(bench: Bench, http: Mock) -> None:
    prepare(http, (401, '{"error":"Token is expired"}'), Date="Fri, 20 Nov 2026 09:30:00 GMT")
    failure = failing(bench.transport(make_credentials(long_lived_token="opaque")))
    assert isinstance(failure, CredentialsRefused)
    assert (failure.tries, failure.is_long_lived) == (1, True)
    assert http.calls[0].request.headers["Authorization"] == "Bearer opaque"


@pytest.mark.parametrize("first", [SILENT, NOT_SENT, (429, ""), (502, ""), (503, SAID), (503, "<html>"), (504, "")])
def test_what_only_reads_is_repeated(bench: Bench, transport: Transport, http: Mock, first: Any) -> None:
    prepare(http, first, first, OK, is_read=True)
    assert send(transport, is_read=True) == "x"
    assert bench.slept == [0.25, 0.5]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (SILENT, Lost),
        (requests.ConnectionError("canary"), Lost),
        ((502, ""), Lost),
        ((504, SAID), Lost),
        ((500, "<html>"), Answered),
        ((200, ""), Garbled),
        ((200, "<html>"), Garbled),
        ((200, '{"id":'), Lost),
        ((200, '{"id":5}'), Garbled),
        ((200, "{}"), Garbled),
        ((503, "<html>"), Unavailable),
        ((503, SAID), Unavailable),
        ((429, SAID), RateLimited),
        ((500, SAID), Answered),
    ],
)
def test_what_writes_is_sent_once(
    bench: Bench, transport: Transport, http: Mock, answer: Any, kind: type[PassKitFailure]
) -> None:
    prepare(http, answer)
    failure = failing(transport)
    assert type(failure) is kind
    assert failure.request == "PUT /thing"
    assert "canary" not in str(failure)
    assert bench.slept == []


def test_what_never_left_is_sent_again_also_if_it_writes(transport: Transport, http: Mock) -> None:
    prepare(http, NOT_SENT, NOT_SENT, OK)
    assert send(transport) == "x"


def test_the_fourth_try_is_the_last(bench: Bench, transport: Transport, http: Mock) -> None:
    prepare(http, NOT_SENT)
    failure = failing(transport)
    assert isinstance(failure, NotSent)
    assert (failure.tries, bench.slept) == (4, [0.25, 0.5, 1.0])
    assert "4 tries" in str(failure)


@pytest.mark.parametrize("answer", [SILENT, (502, ""), (504, "")])
def test_a_read_that_fails_has_certainly_done_nothing(transport: Transport, http: Mock, answer: Any) -> None:
    prepare(http, answer, is_read=True)
    failure = failing(transport, is_read=True)
    assert (type(failure), failure.tries, failure.is_certain) == (Lost, 4, True)


def test_a_read_that_cannot_be_understood_is_not_repeated(transport: Transport, http: Mock) -> None:
    prepare(http, (200, "<html>"), is_read=True)
    failure = failing(transport, is_read=True)
    assert (type(failure), failure.tries, failure.status) == (Garbled, 1, 200)


@pytest.mark.parametrize(
    ("answer", "is_certain", "is_answered"),
    [
        (NOT_SENT, True, True),
        ((404, KNOWN), True, True),
        ((404, SAID), False, True),
        ((409, SAID), False, True),
        ((400, SAID), False, True),
        ((500, SAID), False, True),
        ((200, "<html>"), False, True),
        (SILENT, False, False),
        ((504, SAID), False, False),
    ],
)
def test_of_a_write_only_what_is_known_is_certain(
    transport: Transport, http: Mock, answer: Any, is_certain: bool, is_answered: bool
) -> None:
    prepare(http, answer)
    failure = failing(transport)
    assert (failure.is_certain, failure.is_answered) == (is_certain, is_answered)


def test_after_a_try_that_never_left_an_answer_is_as_certain(transport: Transport, http: Mock) -> None:
    prepare(http, NOT_SENT, (404, KNOWN))
    failure = failing(transport)
    assert (type(failure), failure.is_certain, failure.tries) == (NotFound, True, 2)


def test_writes_that_were_answered_well_are_counted(transport: Transport, http: Mock) -> None:
    prepare(http, OK, is_read=True)
    send(transport, is_read=True)
    assert transport.writes == 0
    prepare(http, OK, (500, SAID))
    send(transport)
    failing(transport)
    assert transport.writes == 1


def test_retry_after_is_waited_for(bench: Bench, transport: Transport, http: Mock) -> None:
    prepare(http, (429, ""), is_read=True, **{"Retry-After": "3"})
    prepare(http, OK, is_read=True)
    send(transport, is_read=True)
    assert bench.slept == [3.0]


def test_a_long_retry_after_is_handed_on(bench: Bench, transport: Transport, http: Mock) -> None:
    prepare(http, (429, ""), is_read=True, **{"Retry-After": "60"})
    failure = failing(transport, is_read=True)
    assert (type(failure), failure.retry_after, bench.slept) == (RateLimited, 60.0, [])


def test_answers_are_validated_before_they_are_believed(transport: Transport, http: Mock) -> None:
    def read(found: Json) -> str:
        raise MalformedAnswer("points is not a number")

    prepare(http, OK)
    with pytest.raises(Garbled, match="points is not a number"):
        transport.write("PUT", "/thing", read, {})


@pytest.mark.parametrize("body", [{"points": float("nan")}, {"points": float("inf")}, {"name": "\ud800canary"}])
def test_what_is_no_json_is_not_sent(transport: Transport, http: Mock, body: Json) -> None:
    with pytest.raises(InvalidRequest) as caught:
        send(transport, body=body)
    assert "canary" not in str(caught.value)


def test_an_id_that_breaks_the_path_is_not_sent(transport: Transport, http: Mock) -> None:
    with pytest.raises(InvalidRequest):
        transport.read("/things/{id}", new_id, path={"id": "a/b"})


def test_a_list_is_all_or_nothing(transport: Transport, http: Mock) -> None:
    url = f"{API}/things/P/list"
    lines = '{"result":{"id":"1"}}\n{"result":{"id":"2"}}\n'
    http.post(url, body=lines + '{"error":{"http_code":503,"message":"back off"}}\n')
    http.post(url, body=lines + '{"result":{"id"')
    http.post(url, body=lines)
    assert transport.read_list("/things/{id}/list", new_id, {}, path={"id": "P"}) == ["1", "2"]
    http.post(url, body=lines + '{"result":{"id":5}}\n')
    with pytest.raises(Garbled, match="id is not text"):
        transport.read_list("/things/{id}/list", new_id, {}, path={"id": "P"})
