"""Bytes to PassKit and back: one pool of connections for the process, with limits on time and size.

Three things the libraries leave open are closed here. A read timeout counts between two packets: here it counts for the
whole answer (`app/timed.py`). An error does not tell whether the request had left: here one that was raised while
connecting says so. An answer without a length can be cut off unnoticed: here it is refused.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from app.issuers.passkit.failures import Garbled, Lost, NotSent, PassKitFailure
from app.timed import TimedResponse

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0  # from the last byte sent to the last byte received
LARGEST_ANSWER = 10_000_000  # bytes
HOSTS = 10  # pools of connections kept; PassKit has two regions
PIECE = 65_536


class NotConnected(HTTPError):
    """Raised while connecting (DNS, TCP, TLS), so that no byte of the request was sent."""


class _WholeResponse(TimedResponse):
    def begin(self) -> None:
        """Read the head; refuse an answer that ends where the connection does.

        Cut off, it would look whole: an empty list, or one that is shorter than it is, tells that something is not
        there and may then be done again. PassKit's server (HTTP/1.1) sends a length or chunks.
        """
        super().begin()
        if self.length is None and not self.chunked:
            raise http.client.HTTPException("the answer has no end")


class _PlainConnection(HTTPConnection):
    response_class = _WholeResponse

    def connect(self) -> None:
        try:
            super().connect()
        except Exception as error:
            raise NotConnected(_reason(error)) from None


class _SecureConnection(HTTPSConnection):
    response_class = _WholeResponse

    def connect(self) -> None:
        try:
            super().connect()
        except Exception as error:
            raise NotConnected(_reason(error)) from None


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _reason(error: Exception) -> str:
    """Name the kind of an error. Its text may name addresses or hold a request with its token."""
    return type(error).__name__


class _Adapter(HTTPAdapter):
    """requests' own, on connections of ours."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. `repr` shows no body: bodies echo the holder's data in full."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"


class Wire:
    """The connections of one process. Threads share it.

    Args:
        connections: kept open to one host; the number of threads that may call at once. More are opened when needed,
            and closed again.
    """

    def __init__(self, connections: int = 32) -> None:
        self.session = requests.Session()
        # No proxies, no .netrc, no certificate bundles from the environment, none of it read for each request.
        self.session.trust_env = False
        adapter = _Adapter(pool_connections=HOSTS, pool_maxsize=connections, max_retries=0)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, adapter)

    def close(self) -> None:
        """Close every connection."""
        self.session.close()

    def exchange(self, request: requests.PreparedRequest, answer_seconds: float = ANSWER_SECONDS) -> Answer:
        """Send the request and read the whole answer. Redirects are answers like others; cookies are not kept.

        The session's adapter is called directly: `Session.send` would store cookies, which one account's requests
        would then carry for another, follow redirects, and take twice the time.

        Raises:
            NotSent: no connection came about.
            Lost: the request was sent, or part of it, and no whole answer came in time.
            Garbled: the answer is larger than 10 MB.
        """
        failure, status = None, None
        try:
            adapter = self.session.get_adapter(request.url or "")
            response = adapter.send(request, stream=True, timeout=(CONNECT_SECONDS, answer_seconds), verify=True)
            status = response.status_code
            try:
                return Answer(status, response.headers, _read(response))
            finally:
                response.close()
        except (requests.RequestException, HTTPError, OSError) as error:
            failure = _failure(error, status)
        # Raised out here, it does not carry the error along, in which the request stands with its token.
        raise failure


def _read(response: requests.Response) -> bytes:
    pieces, size = [], 0
    for piece in response.iter_content(PIECE):
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise Garbled("The answer is larger than 10 MB.", status=response.status_code)
        pieces.append(piece)
    return b"".join(pieces)


def _failure(error: Exception, status: int | None = None) -> PassKitFailure:
    """Say what an error of the libraries means."""
    if isinstance(error, (NotConnected, requests.ConnectTimeout)):
        reason = str(error) if isinstance(error, NotConnected) else _reason(error)
        return NotSent(f"No connection to PassKit ({reason}).")
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)) or "timed out" in str(error):
        return Lost("PassKit did not answer in time.", status=status)
    return Lost(f"The connection broke before the whole answer was there ({_reason(error)}).", status=status)
