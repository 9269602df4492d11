"""What receivers can do to us: each kind of misbehaviour, at the first try and at a retry.

For each: the attempt ends in time, memory stays as it was, the next try is at the promised moment, and the delivery and
its hook are in the right state. Limits are a fifth of the real ones, and so are the receivers' delays;
`PASSRAIL_FULL_TIME=1` runs the real ones.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.events import sending
from app.events.schedule import Outcome
from app.events.sending import Sender
from tests.events.receivers import (
    Authority,
    Receiver,
    answer,
    drip_body,
    drip_head,
    gigabyte,
    gzip_bomb,
    late,
    nobody_accepts,
    receiving,
    reset_in_body,
    silent,
)
from tests.events.workers import delivery_worker, told
from tests.processes import free_port
from tests.world import World, make_world

SCALE = 1.0 if os.environ.get("PASSRAIL_FULL_TIME") == "1" else 0.2
CONNECT, TOTAL = 5 * SCALE, 15 * SCALE
LONGEST = TOTAL + 20  # what nothing ends would go on for ever
MEMORY_KB = 20_000
FIRST, SECOND = 5, 300  # seconds until the second and until the third try


@dataclass(frozen=True)
class Expected:
    """What must come of an attempt."""

    status: str
    code: int | None = None
    error: str = ""
    asked: int | None = None
    hook: str = "active"


def fails(code: int | None = None, error: str = "", asked: int | None = None) -> Expected:
    return Expected("pending", code, error, asked)


REDIRECTS = {
    f"{code} to {place}": fails(code)
    for code in (301, 302, 307, 308)
    for place in ("a public address", "an internal address")
}
NO_ANSWER = fails(error="No complete answer")
MATRIX: dict[str, Expected] = {
    "refused": fails(error="refused the connection"),
    "DNS failure": fails(error="could not be found"),
    "bad certificate": fails(error="certificate"),
    "certificate of another host": fails(error="certificate"),
    "expired certificate": fails(error="certificate"),
    "connect hang": fails(error="No connection"),
    "TLS hang": fails(error="No"),
    "header hang": NO_ANSWER,
    "header at a drip": NO_ANSWER,
    "body at 1 byte/s": NO_ANSWER,
    "body of 1 GB": Expected("delivered", 200),
    "gzip bomb": Expected("delivered", 200),
    **REDIRECTS,
    "400": fails(400),
    "401": fails(401),
    "404": fails(404),
    "410": Expected("failed", 410, hook="disabled"),
    "429 + Retry-After": fails(429, asked=120),
    "500": fails(500),
    "502": fails(502),
    "503 + Retry-After": fails(503, asked=90),
    "200 after 16 s": NO_ANSWER,
    "reset in mid-body": fails(error="broke"),
    "200": Expected("delivered", 200),
    "200 over TLS": Expected("delivered", 200),
    "204": Expected("delivered", 204),
}


class Stage:
    """Receivers of every kind, and a trap that nobody may be led into."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self.authority = Authority(folder)
        self.trap: Receiver = stack.enter_context(receiving(answer(200)))

    def url(self, kind: str) -> str:
        """Start the receiver of a kind and return its address."""
        authority, code = self.authority, kind.partition(" ")[0]
        match kind:
            case "refused":
                return f"http://127.0.0.1:{free_port()}/"
            case "DNS failure":
                return "http://nobody.test:8080/"
            case "connect hang":
                return f"http://127.0.0.1:{self._stack.enter_context(nobody_accepts())}/"
            case "TLS hang":
                return self._start(silent).replace("http://", "https://")
            case "bad certificate":
                return self._start(answer(200), authority.server("self-signed", is_signed=False))
            case "certificate of another host":
                return self._start(answer(200), authority.server("other", host="127.0.0.2"))
            case "expired certificate":
                return self._start(answer(200), authority.server("expired", days=-1))
            case "200 over TLS":
                return self._start(answer(200), authority.server("good"))
            case "header hang":
                return self._start(silent)
            case "header at a drip":
                return self._start(drip_head(SCALE))
            case "body at 1 byte/s":
                return self._start(drip_body(SCALE))
            case "body of 1 GB":
                return self._start(gigabyte)
            case "gzip bomb":
                return self._start(gzip_bomb)
            case "200 after 16 s":
                return self._start(late(16 * SCALE))
            case "reset in mid-body":
                return self._start(reset_in_body)
            case "429 + Retry-After" | "503 + Retry-After":
                return self._start(answer(int(code), {"Retry-After": str(MATRIX[kind].asked)}))
        if "public" in kind:
            return self._start(answer(int(code), {"Location": "https://93.184.216.34/"}))
        if "internal" in kind:
            return self._start(answer(int(code), {"Location": self.trap.url}))
        return self._start(answer(int(code), body=b"words"))

    def _start(self, *arguments: object) -> str:
        receiver: Receiver = self._stack.enter_context(receiving(*arguments))  # type: ignore[arg-type]
        return receiver.url


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack, tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("world"), hook_allowed_hosts="127.0.0.1,nobody.test")
    yield made
    made.service.store.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "CONNECT_SECONDS", CONNECT)
    monkeypatch.setattr(sending, "TOTAL_SECONDS", TOTAL)
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
        if host == "nobody.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def memory_kb(name: str) -> int:
    """Read a figure of this process: VmRSS (now) or VmHWM (at most, since it was reset)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


@pytest.mark.matrix
@pytest.mark.parametrize("tries_before", [0, 1], ids=["first try", "retry"])
@pytest.mark.parametrize("kind", MATRIX)
def test_a_receiver_that(own_world: World, stage: Stage, kind: str, tries_before: int) -> None:
    expected = MATRIX[kind]
    hook = own_world.make_hook("pass.created", target_url=stage.url(kind))
    own_world.make_pass()
    if tries_before:
        delivery_worker(own_world, told(Outcome(500))).deliver_due(hook["id"])
        own_world.clock.advance(seconds=FIRST)
    sender = Sender(frozenset({"127.0.0.1", "nobody.test"}), str(stage.authority.path))
    Path("/proc/self/clear_refs").write_text("5")
    memory, started = memory_kb("VmRSS"), time.monotonic()
    delivery_worker(own_world, sender).deliver_due(hook["id"])
    took, grown = time.monotonic() - started, memory_kb("VmHWM") - memory

    [delivery] = own_world.deliveries(hook["id"])
    attempt = delivery["attempts"][-1]
    assert took < LONGEST
    assert grown < MEMORY_KB
    assert len(delivery["attempts"]) == tries_before + 1
    assert (delivery["status"], attempt["status_code"]) == (expected.status, expected.code)
    assert expected.error in (attempt["error"] or "")
    assert (attempt["error"] is None) == (expected.code is not None)
    if expected.status == "pending":
        wait = expected.asked or (FIRST, SECOND)[tries_before]
        due = own_world.clock() + timedelta(seconds=wait)
        shortest, longest = due - timedelta(seconds=wait * 0.1), due + timedelta(seconds=wait * 0.1)
        assert shortest.isoformat() <= delivery["next_attempt_at"].replace("Z", "+00:00") <= longest.isoformat()
    else:
        assert delivery["next_attempt_at"] is None
    assert own_world.get(f"/v1/hooks/{hook['id']}").get_json()["status"] == expected.hook
    assert stage.trap.requests == []
    own_world.request("DELETE", f"/v1/hooks/{hook['id']}")


def test_the_matrix_has_every_kind_there_is_to_have() -> None:
    assert len(MATRIX) - len(REDIRECTS) + 1 >= 20
