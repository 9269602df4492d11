"""One attempt: sign, send, read what comes back. Nothing here knows of the database.

The address is checked by `targets.py`, and once more by requests-hardened, which resolves the name itself and connects
to exactly the address it has checked. Redirects are answers like others, so that nobody is led past the check.
Connections are not kept, whatever the receiver says: one that it closed meanwhile would look like a failed attempt.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from standardwebhooks import Webhook
from urllib3 import Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from app.events.schedule import Outcome
from app.events.targets import InvalidTarget, is_public, read_target
from app.timed import TimedResponse

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
LARGEST_ANSWER = 64 * 1024
NOT_PUBLIC = "The address leads into a private network; nothing was sent."


class _PlainConnection(HTTPConnection):
    response_class = TimedResponse


class _SecureConnection(HTTPSConnection):
    response_class = TimedResponse


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class Adapter(HTTPAdapter):
    """requests' own, with one time limit for the whole answer and certificates that are loaded once."""

    def __init__(self, certificates: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
        self._certificates = certificates
        super().__init__(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, "ssl_context": self._certificates})
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Ask for a good certificate. The inherited method would load all authorities for every connection."""
        conn.cert_reqs = "CERT_REQUIRED"


class GuardedAdapter(Adapter, IPFilterAdapter):  # type: ignore[misc]
    """The same for addresses that nobody vouches for: connects to public addresses only."""

    def __init__(self, certificates: ssl.SSLContext) -> None:
        super().__init__(certificates, is_https_proto=True)

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        host, options = super().build_connection_pool_key_attributes(*args, **kwargs)
        if not is_public(host["host"].strip("[]")):
            raise InvalidIPAddress(host["host"])
        return host, options


class Sender:
    """Sends signed requests to receivers. One a process; threads share it.

    Args:
        allowed: hosts that may be private, from the setting HOOK_ALLOWED_HOSTS.
        authorities: file of the certificate authorities that are believed; for tests.
    """

    def __init__(self, allowed: frozenset[str], authorities: str = DEFAULT_CA_BUNDLE_PATH) -> None:
        self._allowed = allowed
        certificates = ssl.create_default_context(cafile=authorities)
        self._guarded, self._trusting = GuardedAdapter(certificates), Adapter(certificates)

    def send(self, url: str, event_id: str, body: str, secrets: Sequence[str], now: datetime) -> Outcome:
        """Try once. Never raises because of the receiver; takes at most about 20 seconds."""
        started = time.monotonic()
        outcome = self._try(url, event_id, body, secrets, now)
        duration = round((time.monotonic() - started) * 1000)
        return Outcome(outcome.status_code, outcome.error, outcome.retry_after, duration)

    def _try(self, url: str, event_id: str, body: str, secrets: Sequence[str], now: datetime) -> Outcome:
        try:
            target = read_target(url, self._allowed)
            request = requests.PreparedRequest()
            request.prepare(method="POST", url=url, headers=headers(event_id, body, secrets, now), data=body.encode())
            adapter = self._trusting if target.is_allowed else self._guarded
            timeout = Timeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS)
            response = adapter.send(request, stream=True, timeout=timeout)  # type: ignore[arg-type]
            try:
                _read(response)
                return Outcome(response.status_code, retry_after=response.headers.get("Retry-After"))
            finally:
                response.close()
        except InvalidTarget as error:
            return Outcome(error=f"{error} Nothing was sent.")
        except InvalidIPAddress:
            return Outcome(error=NOT_PUBLIC)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return Outcome(error=_words(error))


def headers(event_id: str, body: str, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """Return the headers of a delivery (Standard Webhooks 1.0.0), with a signature by each secret.

    `passrail-sender-signature` is for receivers that see headers but never the body as it was sent, as in Make: the
    HMAC-SHA256 in hex of `<webhook-id>.<webhook-timestamp>`, with the whole text of the secret as its key. It says who
    sends, not what.
    """
    timestamp = str(int(now.timestamp()))
    signatures = [Webhook(secret).sign(event_id, now, body) for secret in secrets]
    sender = [hmac.new(secret.encode(), f"{event_id}.{timestamp}".encode(), hashlib.sha256) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Passrail",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
        "passrail-sender-signature": " ".join(digest.hexdigest() for digest in sender),
    }


def host_of(url: str) -> str:
    """Return what a log line may say of an address."""
    return urlsplit(url).hostname or ""


def _read(response: requests.Response) -> None:
    """Read the answer as far as anybody may make us, undecoded; what it says is of no interest."""
    left = LARGEST_ANSWER
    while left > 0:
        piece = response.raw.read(min(left, 8192), decode_content=False)
        if not piece:
            return
        left -= len(piece)


def _words(error: Exception) -> str:
    """Say what went wrong without the address, which the libraries' own texts hold."""
    text = str(error)
    if "Failed to resolve" in text or "NameResolutionError" in text:
        return "The host name could not be found."
    if isinstance(error, requests.ConnectTimeout):
        return f"No connection within {CONNECT_SECONDS:.0f} seconds."
    if isinstance(error, requests.Timeout | TimeoutError) or "timed out" in text or "took too long" in text:
        return f"No complete answer within {TOTAL_SECONDS:.0f} seconds."
    if isinstance(error, requests.exceptions.SSLError):
        return "The receiver's certificate is not valid, or it does not speak TLS."
    if "refused" in text:
        return "The receiver refused the connection."
    return "The connection broke before the answer was complete."
