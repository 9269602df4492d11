"""A PassKit account in one region, as a real HTTP server in this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeVar

from tests.fakes.passkit import another, control, lifecycle, members
from tests.fakes.passkit.authentication import Credentials
from tests.fakes.passkit.delivery import Deliveries
from tests.fakes.passkit.errors import not_found
from tests.fakes.passkit.faults import Fault, Faults
from tests.fakes.passkit.http import Later, Reply, Request, Server
from tests.fakes.passkit.pipeline import Contract, Pipeline
from tests.fakes.passkit.recording import Recorded, Recording
from tests.fakes.passkit.routes import EMPTY, find
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.spoiling import strike
from tests.fakes.passkit.state import Clock, State
from tests.fakes.passkit.switches import Switches

Seed = Callable[[State], None]
Answer = TypeVar("Answer", bound=Reply | Later)
HOME_REGION = "pub1"


class FakePassKit:
    """The fake: start it, point a client at `url`, look at what came.

    Everything public may be used from any thread while it runs.

    Args:
        clock: the true time; tests pass their own.
        seed: fills the tables (`seed.demo`); None leaves them empty, as an account without programs, or the wrong
            region.
        port: where to listen on this machine; 0 takes any free port.
        region: "pub1" (EU) or "pub2" (USA).
        credentials: what opens the account.
        contract: PassKit's own description, to check every request and answer with.
    """

    def __init__(
        self,
        clock: Clock,
        seed: Seed | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        region: str = HOME_REGION,
        credentials: Credentials | None = None,
        contract: Contract | None = None,
    ) -> None:
        self._clock = clock
        self._seed = seed
        self._contract = contract
        self._lock = threading.RLock()
        self._date = (0, "")
        self.region = region
        self.credentials = credentials or Credentials()
        self.switches = Switches()
        self.faults = Faults()
        self.recording = Recording()
        self._server = Server(self._handle, self._date_header, port, host)
        self._begin()

    # --- running ---

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://{self._server.host}:{self._server.port}"

    def start(self) -> None:
        """Listen, in a thread."""
        self._server.start()

    def stop(self) -> None:
        """Stop listening and delivering."""
        self._server.stop()
        self.deliveries.stop()

    def wait(self) -> None:
        """Wait until somebody stops it."""
        self._server.wait()

    @contextmanager
    def running(self) -> Iterator[FakePassKit]:
        """Run it for a test, which fails when a request was wrong in a way that the live service hides."""
        self.start()
        try:
            yield self
        finally:
            self.stop()
        self.recording.check()

    def reset(self) -> None:
        """Begin anew: the seed's objects, nothing recorded, no faults. Switches and credentials stay."""
        with self._lock:
            self.deliveries.stop()
            self.recording.clear()
            self.faults.clear()
            self._begin()

    def _begin(self) -> None:
        self.state = State(self._clock, self.region, self.switches)
        self.state.account = {
            "email": "owner@example.com", "username": self.credentials.username, "userId": "demo-user",
            "companyId": "demo-company", "companyName": "Passrail Demo", "regionId": HOME_REGION,
        }  # fmt: skip
        self.deliveries = Deliveries(self.state, self.switches)
        if self._seed is not None:
            self._seed(self.state)
        self._pipeline = Pipeline(
            self.state, self.switches, self.credentials, self.recording, self.deliveries.publish, self._contract
        )

    def other_region(self) -> FakePassKit:
        """Return the other region's server: it accepts the same credentials and knows none of the objects."""
        other = "pub2" if self.region == "pub1" else "pub1"
        return FakePassKit(self._clock, region=other, credentials=self.credentials, contract=self._contract)

    # --- what tests look at ---

    @property
    def requests(self) -> list[Recorded]:
        """Every request so far."""
        with self._lock:
            return list(self.recording.requests)

    @property
    def most_at_once(self) -> int:
        """The most requests that were being answered at the same time."""
        return self._server.load.most

    @property
    def unknown_fields(self) -> list[str]:
        """Fields that were sent and that no message has: the live service drops them without a word."""
        return self.recording.unknown_fields

    def effects(self, route: str, key: str) -> int:
        """Count how often something was really done.

        Args:
            route: `PUT /members/member/points/earn`.
            key: the external event ID when there was one, else the pass's external ID or ticket number; or PassKit's
                ID of the pass, for all that was done to it by this route.
        """
        return self.recording.effects[route, key] or self.recording.writes[route, key]

    @property
    def doubles(self) -> dict[tuple[str, str], int]:
        """What was done more than once: how often, by route and by the key that `effects` takes first."""
        return {done: times for done, times in self.recording.effects.items() if times > 1}

    # --- what tests do ---

    def fail(self, kind: str, route: str = "*", **options: Any) -> Fault:
        """Let the next request to a route go wrong (`faults.Fault`)."""
        fault = Fault(kind, route, **options)  # type: ignore[arg-type]
        with self._lock:
            self.faults.add(fault)
        return fault

    def enrol_by_form(self, program_id: str, tier_id: str, person: Record) -> str:
        """Let somebody enrol at the enrolment page, which takes person's data that the API would refuse.

        Returns:
            PassKit's ID of the new member.

        Raises:
            Refusal: 404, the program has no such tier.
        """
        with self._lock:
            tier = self.state.tiers.get(f"{program_id}/{tier_id}")
            if tier is None:
                raise not_found("tier", tier_id)
            values = {"programId": program_id, "tierId": tier_id, "person": person}
            record = members.add(self.state, tier, values)
            self.deliveries.publish(members.PROTOCOL, "CREATED", record)
            return str(record["id"])

    def advance(self, **time: float) -> None:
        """Let time pass for passes: `advance(days=91)`. Credentials and the Date header stay with the clock."""
        with self._lock:
            self.state.ahead += timedelta(**time)

    def server_time(self) -> datetime:
        """Return what the server takes for the true time, its clock being wrong as `clock_offset` says."""
        return self.state.true_now() + timedelta(seconds=self.switches.clock_offset)

    def record(self, pass_id: str) -> Record:
        """Return a pass as it is stored.

        Raises:
            Refusal: 404, there is none.
        """
        return self._pass(pass_id)[1]

    def install(self, pass_id: str) -> None:
        """The holder puts a pass into a wallet."""
        with self._lock:
            protocol, record = self._pass(pass_id)
            lifecycle.install(self.state, record)
            self.deliveries.publish(protocol, "INSTALLED", record)

    def uninstall(self, pass_id: str) -> None:
        """The holder takes a pass out of the wallet."""
        with self._lock:
            protocol, record = self._pass(pass_id)
            lifecycle.uninstall(self.state, record)
            self.deliveries.publish(protocol, "UNINSTALLED", record)

    def _pass(self, pass_id: str) -> tuple[str, Record]:
        for protocol, table in self.state.passes.items():
            if table.get(pass_id) is not None:
                return protocol, lifecycle.get(self.state, table, pass_id)
        raise not_found("pass", pass_id)

    # --- answering ---

    def _handle(self, request: Request) -> Reply | Later:
        with self._lock:
            if request.path.startswith(control.PREFIX):
                return self._guarded(request, lambda: control.answer(self, request))
            return self._serve(request)

    def _serve(self, request: Request) -> Reply | Later:
        match = find(request.method, request.path)
        found = match.route if match is not None else None
        route, gives = ("", EMPTY) if found is None else (found.name, found.gives)
        recorded = Recorded(request.method, request.path, request.query, request.headers, request.body, route)
        self.recording.requests.append(recorded)

        def carry_out() -> Reply:
            with self._lock:
                return self._guarded(request, lambda: self._pipeline.carry_out(request, match, recorded))

        def about_another(answer: Record) -> Record:
            return another.about(self.state, gives, self.record(fault.record_id or ""), answer)

        taken = self.faults.take(route) if self.faults.waiting else None
        if taken is None:
            return self._slowed(carry_out(), route)
        fault, effect = taken
        answer = self._guarded(request, lambda: strike(fault, effect, carry_out, self.switches, about_another))
        return self._slowed(answer, route)

    def _guarded(self, request: Request, answer: Callable[[], Answer]) -> Answer | Reply:
        """Answer even when the fake has a mistake of its own, which then fails the test."""
        try:
            return answer()
        except Exception as error:
            self.recording.breakdowns.append(f"{request.method} {request.path}: {error!r}")
            logging.getLogger(__name__).exception("the fake itself broke down: %s %s", request.method, request.path)
            return Reply(500, b'{"error":"the fake itself broke down"}')

    def _slowed(self, answer: Reply | Later, route: str) -> Reply | Later:
        delay = self.switches.route_delays.get(route, self.switches.delay_seconds)
        if not delay or isinstance(answer, Later):
            return answer
        return Later(delay, lambda: answer)

    def _date_header(self) -> str:
        now = self.server_time()
        second = int(now.timestamp())
        if self._date[0] != second:
            self._date = (second, format_datetime(now, usegmt=True))
        return self._date[1]
