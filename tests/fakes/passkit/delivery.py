"""Sends what sinks subscribed to. One thread, so that deliveries keep their order unless a switch says otherwise."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from tests.fakes.passkit import sinks
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import State
from tests.fakes.passkit.switches import Switches

TIMEOUT_SECONDS = 10.0
# "Created" comes by POST, everything else by PUT, unless the sink's configuration names a method.
_METHODS = {"CREATED": "POST"}


@dataclass
class Delivery:
    """One request to a sink. `status` is the answer's, or 0 when there was none; None until it was sent."""

    method: str
    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has answered with 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Deliveries:
    """What goes to the sinks, and what went: `sent` holds every attempt.

    What the live service does when it is not answered with 2xx is unknown; the switch `delivery_repeats` decides.
    """

    def __init__(self, state: State, switches: Switches) -> None:
        self._state = state
        self._switches = switches
        self._waiting: queue.Queue[Delivery | None] = queue.Queue()
        self._held: list[Delivery] = []
        self._thread: threading.Thread | None = None
        self.sent: list[Delivery] = []

    def publish(self, protocol: str, what: str, record: Record) -> None:
        """Tell the sinks what happened to a record: CREATED, UPDATED, INSTALLED ..."""
        for sink, configuration, number in sinks.targets(self._state, protocol, what, record):
            body = json.dumps(sinks.payload(protocol, number, record), separators=(",", ":")).encode()
            method = configuration.get("actionMethod") or _METHODS.get(what, "PUT")
            delivery = Delivery(method, configuration["targetUrl"], body, {"Content-Type": "application/json"})
            if self._switches.signature_header:
                secret = sinks_secret(sink)
                delivery.headers[self._switches.signature_header] = sign(secret, body)
            for _ in range(2 if self._switches.duplicate_deliveries else 1):
                self._send(delivery)

    def _send(self, delivery: Delivery) -> None:
        if self._switches.hold_deliveries:
            self._held.append(delivery)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="fake-passkit-deliveries", daemon=True)
            self._thread.start()
        self._waiting.put(delivery)

    def release(self, *, newest_first: bool = False) -> None:
        """Send what was held back, in order or in the opposite order."""
        self._switches.hold_deliveries = False
        held, self._held = self._held, []
        for delivery in reversed(held) if newest_first else held:
            self._send(delivery)

    def wait(self) -> None:
        """Wait until everything that is not held back was sent."""
        self._waiting.join()

    def stop(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while True:
            delivery = self._waiting.get()
            try:
                if delivery is None:
                    return
                self._deliver(delivery)
            finally:
                self._waiting.task_done()

    def _deliver(self, delivery: Delivery) -> None:
        for _ in range(1 + self._switches.delivery_repeats):
            attempt = replace(delivery, status=_request(delivery))
            self.sent.append(attempt)
            if attempt.is_accepted:
                return


def sinks_secret(sink: Record) -> str:
    """Return the secret that the server made for a sink."""
    secret: str = json.loads(sink["configuration"])["signingSecret"]
    return secret


def sign(secret: str, body: bytes) -> str:
    """Sign a delivery. The live scheme is unknown; this is the plainest of those that receivers have tried."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _request(delivery: Delivery) -> int:
    url = urlsplit(delivery.url)
    connection_type = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = connection_type(url.netloc, timeout=TIMEOUT_SECONDS)
    try:
        target = url.path + (f"?{url.query}" if url.query else "")
        connection.request(delivery.method, target or "/", delivery.body, delivery.headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()
