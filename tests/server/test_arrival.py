"""When a request is whole, wherever the network cuts it into pieces."""

from __future__ import annotations

import pytest
from gunicorn.http.errors import LimitRequestHeaders

from app.server.arrival import LARGEST_BODY, LARGEST_CHUNKED, LARGEST_HEAD, Arrival, Stage

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\n"
WITH_LENGTH = POST + b"Content-LENGTH:  5 \r\n\r\nhello"
CHUNKED = POST + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n1;a=b\r\nd\r\n0\r\n\r\n"
WITH_TRAILER = POST + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: b\r\n\r\n"
BARE = b"GET / HTTP/1.0\r\n\r\n"
AFTER_EMPTY_LINE = b"\r\n" + GET
WHOLE = {
    "get": GET,
    "length": WITH_LENGTH,
    "chunked": CHUNKED,
    "trailer": WITH_TRAILER,
    "bare": BARE,
    "empty line": AFTER_EMPTY_LINE,
    "empty body": POST + b"Content-Length: 0\r\n\r\n",
}
CUT = {
    "too large": POST + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1),
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "length and coding": POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "no number": POST + b"Content-Length: x\r\n\r\n",
    "a number that is too long for one": POST + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "no chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk without its end": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX",
    "endless chunks": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n" + b"a" * LARGEST_CHUNKED,
    "a bare line feed": b"GET / HTTP/1.1\nHost: a\r\n",
    "a long line": b"GET /" + b"a" * 9000,
    "another expectation": POST + b"Expect: miracles\r\nContent-Length: 5\r\n\r\n",
}


def arrival() -> Arrival:
    return Arrival(longest_line=8190)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_request_is_whole_with_its_last_byte_and_not_before(kind: str, size: int) -> None:
    data, expected = WHOLE[kind], arrival()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    stages = [expected.add(piece) for piece in pieces]
    assert stages == [Stage.PART] * (len(pieces) - 1) + [Stage.WHOLE]
    assert expected.take() == data
    assert not expected.has_begun


@pytest.mark.parametrize("first", WHOLE)
@pytest.mark.parametrize("second", WHOLE)
def test_requests_that_come_together_are_taken_apart(first: str, second: str) -> None:
    both = arrival()
    assert both.add(WHOLE[first] + WHOLE[second] + b"GET") is Stage.WHOLE
    assert both.take() == WHOLE[first]
    assert both.look() is Stage.WHOLE
    assert both.take() == WHOLE[second]
    assert both.look() is Stage.PART
    assert both.has_begun


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.parametrize("size", [1, 4096, 10_000_000])
def test_what_cannot_become_a_good_request_is_not_waited_for(kind: str, size: int) -> None:
    data, cut = CUT[kind], arrival()
    if len(data) > 20_000 and size == 1:
        size = 64
    stages = [cut.add(data[start : start + size]) for start in range(0, len(data), size)]
    assert Stage.CUT in stages
    assert Stage.WHOLE not in stages


@pytest.mark.parametrize("ending", [b"", b"\r\n\r\n"])
def test_a_head_that_is_too_large_is_refused(ending: bytes) -> None:
    with pytest.raises(LimitRequestHeaders):
        arrival().add(b"GET / HTTP/1.1\r\n" + b"X-A: aaaa\r\n" * (LARGEST_HEAD // 11 + 1) + ending)


@pytest.mark.parametrize(("version", "waits"), [("1.1", True), ("1.0", False)])
def test_a_client_that_waits_for_a_word_is_given_it_once(version: str, waits: bool) -> None:
    waiting = arrival()
    head = f"POST / HTTP/{version}\r\nexpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
    assert waiting.add(head.encode()) is Stage.PART
    assert waiting.take_wait() is waits
    assert waiting.take_wait() is False
    assert waiting.add(b"hello") is Stage.WHOLE
