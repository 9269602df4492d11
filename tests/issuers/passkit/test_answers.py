from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.issuers.passkit.answers import date_of, failure_of, parse_lines, parse_object
from app.issuers.passkit.failures import (
    Answered,
    Conflict,
    CredentialsRefused,
    Garbled,
    Lost,
    NotFound,
    PassKitFailure,
    RateLimited,
    Unavailable,
)
from app.issuers.passkit.retry import Outcome
from app.issuers.passkit.wire import Answer

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SAID = b'{"error":"it said no"}'
HTML = b"<html><body>Bad gateway</body></html>"


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-").title(): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (301, b"", Answered),
        (308, HTML, Answered),
        (400, SAID, Answered),
        (400, HTML, Answered),
        (401, SAID, CredentialsRefused),
        (401, b"", CredentialsRefused),
        (403, SAID, Answered),
        (404, SAID, NotFound),
        (404, HTML, Answered),
        (404, b"", Answered),
        (405, SAID, Answered),
        (408, SAID, Lost),
        (409, SAID, Conflict),
        (409, HTML, Answered),
        (413, HTML, Answered),
        (422, SAID, Answered),
        (429, SAID, RateLimited),
        (429, HTML, RateLimited),
        (499, SAID, Lost),
        (500, SAID, Answered),
        (500, b'{"message":"it said no"}', Answered),
        (500, HTML, Answered),
        (500, b"", Answered),
        (500, b"{}", Answered),
        (500, b'["x"]', Answered),
        (501, SAID, Answered),
        (502, SAID, Lost),
        (502, HTML, Lost),
        (503, SAID, Unavailable),
        (503, HTML, Unavailable),
        (504, SAID, Lost),
        (504, HTML, Lost),
        (520, HTML, Answered),
        (100, b"", Answered),
    ],
)
def test_every_status_has_its_failure_and_none_is_a_decision(
    status: int, body: bytes, kind: type[PassKitFailure]
) -> None:
    failure = failure_of(answer(status, body))
    assert type(failure) is kind
    assert failure.status == status
    assert failure.text
    assert not failure.is_certain
    assert failure.is_answered is (kind is not Lost)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (Answered, Outcome.FINAL),
        (RateLimited, Outcome.BUSY),
        (Unavailable, Outcome.BUSY),
        (Lost, Outcome.LOST),
        (Garbled, Outcome.FINAL),
    ],
)
def test_every_failure_tells_the_retry_rule_what_happened(kind: type[PassKitFailure], outcome: Outcome) -> None:
    assert kind("x").outcome is outcome


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"message": "first", "error": "second"}, "first"),
        ({"error": "second", "code": 3}, "second"),
        ({"error": {"code": 16, "message": "third"}}, "third"),
        ({"message": "", "error": {"message": "third"}}, "third"),
        ({"message": None, "error": None}, '{"message": null, "error": null}'),
        ({"error": {"code": 5}}, '{"error": {"code": 5}}'),
    ],
)
def test_the_text_is_found_in_every_form_of_an_error(body: Any, text: str) -> None:
    assert failure_of(answer(400, json.dumps(body).encode())).text == text


def test_a_text_without_form_is_cut_to_300_characters() -> None:
    text = failure_of(answer(500, b"word " * 1000)).text
    assert len(text) == 300
    assert text.endswith("...")
    assert failure_of(answer(500, b"\xff\xfe")).text == "��"
    assert failure_of(answer(500)).text == "PassKit answered with status 500 and no text."


def test_texts_are_scrubbed_before_they_are_cut() -> None:
    # Cut in the middle, a secret would no longer be known for one.
    body = json.dumps({"error": "x" * 280 + " canary@example.com and a secret with words"}).encode()
    text = failure_of(answer(400, body), ["a secret with words"]).text
    assert "canary" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("text", "is_about_time"),
    [
        ("Token used before issued", True),
        ("jwt was issued too long ago", True),
        ("Token is expired", True),
        ("illegal base64 data at input byte 6", False),
        ("signature is invalid", False),
    ],
)
def test_a_token_refused_for_its_times_is_told_apart(text: str, is_about_time: bool) -> None:
    failure = failure_of(answer(401, json.dumps({"error": text}).encode()))
    assert isinstance(failure, CredentialsRefused)
    assert failure.is_about_time is is_about_time
    assert not isinstance(failure_of(answer(403, json.dumps({"error": text}).encode())), CredentialsRefused)


def test_passkits_clock_is_read() -> None:
    assert date_of(answer(200, date="Fri, 20 Nov 2026 09:30:00 GMT")) == NOW
    assert date_of(answer(200, date="soon")) is None
    assert date_of(answer(200)) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": " 0 "}, 0.0),
        ({"retry_after": "Fri, 20 Nov 2026 09:30:07 GMT"}, 7.0),
        ({"retry_after": "Fri, 20 Nov 2026 09:30:07 GMT", "date": "Fri, 20 Nov 2026 09:30:05 GMT"}, 2.0),
        ({"retry_after": "Fri, 20 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"retry_after": "9" * 50}, 999_999_999.0),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "1.5"}, None),
        ({"retry_after": "²"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_seconds_or_a_date(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert failure_of(answer(status, SAID, **headers), now=NOW).retry_after == seconds


def test_passkits_name_for_the_request_is_kept() -> None:
    assert "request ID r-17" in str(failure_of(answer(400, SAID, x_request_id="r-17")))


@pytest.mark.parametrize("status", [200, 201])
def test_an_object_is_read(status: int) -> None:
    assert parse_object(answer(status, b' {"id": "x"} ')) == {"id": "x"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", Garbled),
        (b"  \n", Garbled),
        (HTML, Garbled),
        (b"null", Garbled),
        (b'"text"', Garbled),
        (b"[1]", Garbled),
        (b"5", Garbled),
        (b'{"id": ', Lost),
        (b'{"id": "x"', Lost),
        (b'{"id": NaN}', Lost),
        (b"[" * 100_000, Lost),
        (b'{"id": ' + b"9" * 5000 + b"}", Lost),
        (b"\xff\xfe\x00", Garbled),
        (b'{"id": "\xff"}', Lost),
        (b'{"error": "it said no"}', Garbled),
        (b'{"code": 13, "message": "it said no"}', Garbled),
        (b'{"code": 13, "message": "", "details": []}', Garbled),
    ],
)
def test_a_success_that_is_no_object_or_an_error_is_not_believed(body: bytes, kind: type[PassKitFailure]) -> None:
    with pytest.raises(PassKitFailure) as caught:
        parse_object(answer(200, body))
    assert type(caught.value) is kind
    assert not caught.value.is_certain


def test_a_stream_is_one_result_a_line() -> None:
    body = b'{"result":{"id":"1"}}\n\r\n{"result":{"id":"2"},"error":null}\n'
    assert parse_lines(answer(200, body)) == [{"id": "1"}, {"id": "2"}]
    assert parse_lines(answer(200, body.rstrip())) == [{"id": "1"}, {"id": "2"}]


def test_an_empty_stream_is_an_empty_list() -> None:
    assert parse_lines(answer(200, b"")) == []
    assert parse_lines(answer(200, b"\n")) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"grpc_code": 14, "http_code": 503, "message": "back off", "http_status": "x", "details": []}, Unavailable),
        ({"grpc_code": 5, "http_code": 404, "message": "no program"}, NotFound),
        ({"code": 14, "message": "back off"}, Unavailable),
        ({"code": 8, "message": "slow down"}, RateLimited),
        ({"code": 16, "message": "token"}, CredentialsRefused),
        ({"code": 7, "message": "permission"}, Answered),
        ({"code": 4, "message": "too late"}, Lost),
        ({"code": 13, "message": "broken rule"}, Answered),
        ({"code": "13", "message": "broken rule"}, Answered),
        ({"code": 3, "http_code": "400", "message": "no"}, Answered),
        ("it said no", Answered),
    ],
)
def test_an_error_in_the_middle_of_a_stream_fails_the_list(error: Any, kind: type[PassKitFailure]) -> None:
    body = b'{"result":{"id":"1"}}\n' + json.dumps({"error": error}).encode() + b'\n{"result":{"id":"2"}}\n'
    with pytest.raises(PassKitFailure) as caught:
        parse_lines(answer(200, body))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"result":{"id":"1"}}\n{"result":{"id"', Lost),
        (b'{"result":{"id":"1"}}{"result":{"id":"2"}}', Lost),
        (b'{"result":5}', Garbled),
        (b'{"id":"1"}', Garbled),
        (b"[]", Garbled),
        (HTML, Garbled),
    ],
)
def test_a_stream_that_is_cut_or_garbled_is_no_shorter_list(body: bytes, kind: type[PassKitFailure]) -> None:
    with pytest.raises(PassKitFailure) as caught:
        parse_lines(answer(200, body))
    assert type(caught.value) is kind


@pytest.mark.parametrize("parse", [parse_object, parse_lines])
def test_a_failing_status_is_a_failure_in_both_forms(parse: Any) -> None:
    with pytest.raises(NotFound):
        parse(answer(404, SAID))
