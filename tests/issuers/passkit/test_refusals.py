"""Which answers of PassKit are believed to be decisions: the table, and nothing beside it."""

from __future__ import annotations

import json
import random
import re

import pytest

from app.issuers.passkit.answers import failure_of
from app.issuers.passkit.failures import Answered, Conflict, CredentialsRefused, NotEnoughPoints, NotFound
from app.issuers.passkit.refusals import KNOWN
from app.issuers.passkit.wire import Answer

# status, gRPC's code, text: as reported, documented, or the fake's.
SAMPLES = [
    (400, 3, "validation error: Key: 'X.Y' Error:Field validation for 'Y' failed on the 'required' tag", Answered),
    (400, 3, "proto: syntax error (line 1:2): unexpected token", Answered),
    (400, 3, "proto: (line 1:2): unknown field", Answered),
    (401, 16, "Token used before issued", CredentialsRefused),
    (401, 16, "jwt was issued too long ago", CredentialsRefused),
    (401, 16, "token is expired by 3m2s", CredentialsRefused),
    (401, 16, "signature is invalid", CredentialsRefused),
    (401, 16, "token contains an invalid number of segments", CredentialsRefused),
    (401, 16, "illegal base64 data at input byte 6", CredentialsRefused),
    (404, 5, "program [uuid:4f9x] does not exist", NotFound),
    (404, 5, "ticket with id[4f9x] does not exist", NotFound),
    (404, 5, "ticket type with id[4f9x] does not exist", NotFound),
    (409, 6, "member [c-1] already exists", Conflict),
    (500, 2, "insufficient points", NotEnoughPoints),
    (400, 9, "insufficient points", NotEnoughPoints),
    (500, 2, "pass template id cannot be empty", Answered),
    (501, 12, "Method Not Allowed", Answered),
]


def failure(status: int, text: str, code: int | None = None) -> Answered:
    body = {"error": text} if code is None else {"error": text, "code": code, "message": text, "details": []}
    found = failure_of(Answer(status, {}, json.dumps(body).encode()))
    assert isinstance(found, Answered)
    return found


@pytest.mark.parametrize(("status", "code", "text", "kind"), SAMPLES)
def test_what_is_in_the_table_is_a_decision(status: int, code: int, text: str, kind: type[Answered]) -> None:
    for found in (failure(status, text), failure(status, text, code)):
        assert isinstance(found, kind)
        assert found.is_certain
        assert found.text == text


@pytest.mark.parametrize(("status", "code", "text", "kind"), SAMPLES)
def test_with_another_status_code_or_text_it_is_none(status: int, code: int, text: str, kind: type[Answered]) -> None:
    assert not failure(status, text, 13).is_certain
    assert not failure(503, text).is_certain
    assert not failure(status, f"rpc error: {text}").is_certain
    assert not failure_of(Answer(status, {}, text.encode())).is_certain


def test_every_line_has_its_evidence_and_a_sample() -> None:
    for line in KNOWN:
        assert line.evidence
        assert any(
            status in line.statuses and code in line.codes and line.text.fullmatch(text)
            for status, code, text, _ in SAMPLES
        )


WORDS = """\
runtime error: invalid memory address or nil pointer dereference
index out of range
driver: bad connection
use of closed network connection
stream terminated by RST_STREAM with error code: INTERNAL_ERROR
apns: failed to push
googleapi: Error 503
internal error
unknown error
context deadline exceeded
insufficient
points
member
does not exist
already exists
already redeemed
not active
failed
cannot
rpc error: code = Unavailable desc =
transport is closing
EOF
panic:
[uuid:4f9x]
with id[4f9x]
sql: no rows in result set
duplicate key value violates unique constraint
validation error
proto
Method Not Allowed
after commit
while publishing
dial tcp: i/o timeout
""".splitlines()


def test_no_made_up_text_of_a_500_is_taken_for_a_decision() -> None:
    chance = random.Random(20_261_120)
    for number in range(500):
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 6)))
        if number % 5 == 0:
            text = re.sub(r"[a-z]+", lambda _: chance.choice(WORDS), text)
        code = chance.choice([None, 2, 13, 14, 4, 5])
        for status in (500, chance.choice([409, 422, 429, 502, 503, 504, 520])):
            found = failure_of(Answer(status, {}, json.dumps({"error": text, "code": code}).encode()))
            assert not found.is_certain, f"{status} {text}"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error":""}', b"null", b"<html>insufficient points</html>"])
def test_no_empty_body_of_a_500_is_one_either(body: bytes) -> None:
    assert not failure_of(Answer(500, {}, body)).is_certain
