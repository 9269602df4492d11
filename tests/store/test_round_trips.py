"""An action takes few trips to a PostgreSQL server: each costs as long as the network between the two is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError

from app.model import IdKind, Pass, new_id
from app.store import passes
from app.store.engine import Store
from tests.postgres import NewDatabase
from tests.world import BRONZE, COUPON, GOLD, MEMBERSHIP, World, make_world

MOST_TRIPS = 8
ROUNDS = 8  # the driver prepares a statement when it has seen it several times, which is a trip of its own
READY = b"Z"


class Wire:
    """Stands between the service and PostgreSQL, and counts how often the server says that it is ready again.

    It says so at the end of each trip, whatever was sent together.
    """

    def __init__(self, port: int) -> None:
        self.trips = 0
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no further connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=_carry, args=(client, server, lambda _data: None), daemon=True).start()
                threading.Thread(target=_carry, args=(server, client, self._counter()), daemon=True).start()

    def _counter(self) -> Callable[[bytes], None]:
        """Return what counts in the messages of one server: each is a letter, its length, and so many bytes less 4."""
        unread = bytearray()

        def count(data: bytes) -> None:
            unread.extend(data)
            while len(unread) >= 5 and len(unread) > (length := int.from_bytes(unread[1:5], "big")):
                self.trips += unread[:1] == READY
                del unread[: length + 1]

        return count


def _carry(source: socket.socket, target: socket.socket, look: Callable[[bytes], None]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            look(data)
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def wired(postgres_url: NewDatabase, tmp_path: Path) -> Iterator[tuple[World, Wire]]:
    url = make_url(postgres_url())
    assert url.port is not None
    wire = Wire(url.port)
    world = make_world(tmp_path, url.set(port=wire.port, query={"sslmode": "disable"}).render_as_string())
    yield world, wire
    world.service.store.close()
    wire.close()


def trips_of(wired: tuple[World, Wire], action: str, body: dict[str, Any], key: str) -> int:
    world, wire = wired
    before = wire.trips
    answer = world.act(action, body, idempotency_key=key)
    assert answer.status_code == 200, answer.text
    return wire.trips - before


def test_every_action_takes_few_trips_to_the_database(wired: tuple[World, Wire]) -> None:
    world = wired[0]
    world.make_hook()
    world.make_hook("points.changed")
    for number in range(ROUNDS):
        made = world.make_pass(external_id=f"c-{number}", email=f"{number}@example.com", tier_id=BRONZE)
        coupon = world.make_pass(COUPON)
        named = {"program_id": MEMBERSHIP, "external_id": f"c-{number}"}
        everything = {"first_name": "Grace", "tier_id": GOLD, "points": 7}
        for action, body in (
            ("create-pass", {"program_id": MEMBERSHIP, "external_id": f"d-{number}"}),
            ("create-pass", {**named, "if_exists": "update", **everything}),
            ("update-points", {"pass_id": made["id"], "change": "add", "points": 5}),
            ("update-points", {**named, "change": "subtract", "points": 1}),
            ("update-points", {"program_id": MEMBERSHIP, "email": made["email"], "change": "set", "points": 3}),
            ("update-pass", {"pass_id": made["id"], "first_name": "Ada", "expires_at": "2030-01-01T00:00:00Z"}),
            ("change-tier", {"pass_id": made["id"], "tier_id": BRONZE}),
            ("redeem-pass", {"pass_id": coupon["id"]}),
            ("revoke-pass", {"pass_id": made["id"]}),
            ("reinstate-pass", {"pass_id": made["id"]}),
            ("revoke-pass", {"pass_id": made["id"], "permanent": True}),
        ):
            key = f"{action}-{number}-{len(body)}-{body.get('change')}"
            trips = trips_of(wired, action, body, key)
            assert trips <= MOST_TRIPS or number < ROUNDS - 1, (action, body)


def test_an_ordinary_action_and_a_look_up_take_as_few_trips_as_there_can_be(wired: tuple[World, Wire]) -> None:
    world, wire = wired
    made = world.make_pass(external_id="c-1")
    add = {"pass_id": made["id"], "change": "add", "points": 5}
    for number in range(10):
        trips_of(wired, "update-points", add, f"warm-{number}")
        world.get(f"/v1/passes/{made['id']}")
    # The key, the pass, the hooks that listen, COMMIT: what is written goes with these.
    assert trips_of(wired, "update-points", add, "k-1") == 4
    before = wire.trips
    world.get(f"/v1/passes/{made['id']}")
    assert wire.trips - before == 1


def test_a_statement_that_waited_and_fails_undoes_all_of_its_transaction(wired: tuple[World, Wire]) -> None:
    store, made = wired[0].service.store, wired[0].make_pass(external_id="c-1")
    with store.read() as connection:
        found = passes.get_by_link_token(connection, made["pass_url"].rpartition("/")[2])
    assert found is not None
    fresh = replace(found[0], id=new_id(IdKind.PASS), link_token="t-1", external_id="c-2")
    twin = replace(fresh, id=new_id(IdKind.PASS), link_token="t-2")
    with pytest.raises(IntegrityError):
        add_both(store, fresh, twin)
    with store.read() as connection:
        assert passes.get_by_link_token(connection, "t-1") is None


def add_both(store: Store, one: Pass, other: Pass) -> None:
    with store.write() as connection:
        passes.add(connection, one)
        passes.add(connection, other)
