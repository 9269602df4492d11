"""Fault matrix A: each of 21 things that go wrong at PassKit, in each of five write actions.

Each cell: the right problem, never a 500 of our own, and the same request with the same key ends correctly with the
effect there once. The table is printed at the end of the run.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import update

from app.store.tables import connections
from tests.fakes.passkit import seed
from tests.passkit.conftest import MATRIX, Joined, passkit_of, upstream_id

pytestmark = pytest.mark.only_sqlite

KEY = "event-1"
TRIES = 4  # of the client, so that the fault outlasts all of them
DONE, REFUSED, UNCLEAR = "done", "upstream-rejected", "outcome-unknown"
CREDENTIALS, AWAY, BUSY = "upstream-credentials-refused", "upstream-unavailable", "rate-limited"


@dataclass(frozen=True)
class Write:
    """One write action: the request, PassKit's route for it, and whether its effect is there exactly once."""

    action: str
    route: str
    body: Mapping[str, Any]
    is_done: Callable[[Joined, dict[str, Any]], bool]

    def make(self, joined: Joined) -> dict[str, Any]:
        """Return the body, with the pass it is about where there is one."""
        if self.action == "create-pass":
            return {"program_id": joined.program_id(), **self.body}
        return {"pass_id": joined.make(external_id="c-1", points=10, first_name="Ada")["id"], **self.body}


def members(joined: Joined) -> list[Any]:
    return [one for one in joined.fake.state.members if one.get("externalId") == "c-1"]


def member(joined: Joined) -> Any:
    return members(joined)[0]


WRITES = (
    Write("create-pass", "POST /members/member", {"external_id": "c-1"}, lambda joined, _: len(members(joined)) == 1),
    Write(
        "update-pass",
        "PUT /members/member",
        {"first_name": "Grace"},
        lambda joined, _: bool(member(joined)["person"]["forename"] == "Grace"),
    ),
    Write(
        "update-points",
        "PUT /members/member/points/earn",
        {"change": "add", "points": 5},
        lambda joined, _: bool(member(joined)["points"] == 15),
    ),
    Write(
        "change-tier",
        "PUT /members/member/tier",
        {"tier_id": seed.GOLD},
        lambda joined, _: bool(member(joined)["tierId"] == seed.GOLD),
    ),
    Write("revoke-pass", "DELETE /members/member", {"permanent": True}, lambda joined, _: not members(joined)),
)


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong for as long as the first request lasts."""

    name: str
    code: str
    begin: Callable[[Joined, str], AbstractContextManager[None]]
    otherwise: Mapping[str, str] = field(default_factory=dict)


def _queued(kind: str, **options: Any) -> Callable[[Joined, str], AbstractContextManager[None]]:
    @contextmanager
    def begin(joined: Joined, route: str) -> Iterator[None]:
        joined.fake.fail(kind, route, times=TRIES, **options)
        yield
        joined.fake.faults.clear()

    return begin


def _switched(name: str, value: Any, normal: Any) -> Callable[[Joined, str], AbstractContextManager[None]]:
    @contextmanager
    def begin(joined: Joined, route: str) -> Iterator[None]:
        setattr(joined.fake.switches, name, value)
        yield
        setattr(joined.fake.switches, name, normal)

    return begin


def _elsewhere(address: str) -> Callable[[Joined, str], AbstractContextManager[None]]:
    """The connection leads somewhere else for a while."""

    @contextmanager
    def begin(joined: Joined, route: str) -> Iterator[None]:
        _lead_to(joined, address)
        yield
        _lead_to(joined, joined.fake.url)

    return begin


@contextmanager
def _without_tls(joined: Joined, route: str) -> Iterator[None]:
    """Who answers there speaks no TLS."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _PlainAnswer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        _lead_to(joined, f"https://127.0.0.1:{server.server_address[1]}")
        yield
        _lead_to(joined, joined.fake.url)
        server.shutdown()


class _PlainAnswer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _lead_to(joined: Joined, address: str) -> None:
    with joined.world.service.store.write() as connection:
        connection.execute(update(connections).values(base_url=address))


NOT_ON_DELETE = {"revoke-pass": DONE}  # a record that is not there is as deleted as can be
FAULTS = (
    Fault("timeout before", UNCLEAR, _queued("delay", effect="never", seconds=0.5)),
    Fault("timeout after", UNCLEAR, _queued("delay", effect="first", seconds=0.5)),
    Fault("401", CREDENTIALS, _queued("status", status=401)),
    Fault("403", CREDENTIALS, _queued("status", status=403)),
    Fault("404", REFUSED, _queued("status", status=404), NOT_ON_DELETE),
    Fault("409", REFUSED, _queued("status", status=409)),
    Fault("429", BUSY, _queued("status", status=429, retry_after=7)),
    Fault("500", REFUSED, _queued("status", status=500)),
    Fault("502", UNCLEAR, _queued("status", status=502)),
    Fault("503", AWAY, _queued("status", status=503)),
    Fault("truncated JSON", UNCLEAR, _queued("truncated", effect="first")),
    Fault("HTML", UNCLEAR, _queued("html", effect="first")),
    Fault("wrong type", UNCLEAR, _queued("wrong_type", effect="first")),
    Fault("huge body", UNCLEAR, _queued("huge", effect="first")),
    Fault("slow drip", UNCLEAR, _queued("drip", effect="first", seconds_per_byte=0.2)),
    Fault("reset", UNCLEAR, _queued("reset", effect="first")),
    Fault("DNS failure", AWAY, _elsewhere("https://passkit.invalid")),
    Fault("TLS failure", AWAY, _without_tls),
    Fault("clock off by 5 min", DONE, _switched("clock_offset", -300.0, 0.0)),
    Fault("token expires", CREDENTIALS, _switched("requests_until_expiry", 0, None)),
    Fault("empty 200", UNCLEAR, _queued("empty", effect="first")),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.action)
def test_a_fault_has_the_right_name_and_the_repeat_ends_it(
    joined: Joined, fault: Fault, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    MATRIX.setdefault(fault.name, {})[write.action] = "wrong"
    monkeypatch.setattr("app.issuers.passkit.transport.ANSWER_SECONDS", 0.15)
    monkeypatch.setattr("app.issuers.passkit.transport.SHORTEST_TRY", 0.1)
    passkit_of(joined.world).pool.sleep = lambda seconds: None
    body = write.make(joined)
    before = len(joined.world.events())
    with fault.begin(joined, write.route):
        first = joined.act(write.action, body, idempotency_key=KEY)
    expected = fault.otherwise.get(write.action, fault.code)
    outcome = DONE if first.status_code == 200 else first.get_json()["code"]
    assert outcome == expected, first.text
    if outcome != DONE:
        assert first.content_type == "application/problem+json"
        assert len(joined.world.events()) == before
    joined.world.clock.advance(seconds=61)
    second = joined.act(write.action, body, idempotency_key=KEY)
    if expected == REFUSED:  # a definite refusal is the answer, and stays it
        assert (second.get_json()["code"], second.headers["Idempotent-Replayed"]) == (REFUSED, "true")
        assert len(joined.world.events()) == before
    else:
        assert second.status_code == 200, second.text
        assert second.headers.get("Idempotent-Replayed") == ("true" if expected == DONE else None)
        assert fault.name == "404" or write.is_done(joined, second.get_json())
        assert len(joined.world.events()) == before + 1
        again = joined.act(write.action, body, idempotency_key=KEY)
        assert again.get_data() == second.get_data()
        assert fault.name == "404" or write.is_done(joined, again.get_json())
    counted = [number for (route, _), number in joined.fake.recording.effects.items() if route == WRITES[2].route]
    assert all(number == 1 for number in counted)
    MATRIX[fault.name][write.action] = outcome


def test_the_matrix_is_whole() -> None:
    assert len(FAULTS) * len(WRITES) == 105


def test_a_clock_that_is_ahead_is_no_fault_either(joined: Joined) -> None:
    joined.fake.switches.clock_offset = 300.0
    made = joined.make()
    assert upstream_id(made)
