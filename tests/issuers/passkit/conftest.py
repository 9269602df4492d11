"""PassKit's client with nothing real around it (`bench`), and an account at a fake PassKit over HTTP (`account`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import responses

from app.effects import AddPoints, Effect, Issue
from app.issuers.passkit import PassKit
from app.issuers.passkit.credentials import REGIONS, Credentials
from app.issuers.passkit.issuer import PassKitIssuer
from app.issuers.passkit.transport import ConnectionState, Pool, Transport
from app.issuers.passkit.wire import Wire
from app.issuers.protocol import Basis, Done, Outcome, Refused, Settled, Step, Unclear
from app.issuers.remote import Access, Target
from app.model import EndsCardsBy, IdKind, Kind, Mode, Pass, Program, new_id, new_link_token
from app.operations.steps import perform
from app.settings import Settings
from tests.contract.passkit_descriptors import Descriptors
from tests.fakes.passkit import FakePassKit, seed
from tests.world import FakeClock

API = REGIONS["pub1"][0]
KEY = "key-of-the-account"
SECRET = "a secret that is long enough for anybody"
ACTION_SECONDS = 40.0


@dataclass
class Bench:
    """A pool to try things with. `slept` are the waits it asked for; they pass at once."""

    clock: FakeClock = field(default_factory=FakeClock)
    slept: list[float] = field(default_factory=list)
    passed: float = 0.0
    pool: Pool = field(init=False)
    states: dict[str, ConnectionState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pool = Pool(5, self.clock, Wire(4), self.sleep, lambda: 0.0, lambda: self.passed)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds

    def state(self, credentials: Credentials | None = None, connection: str = "conn_1") -> ConnectionState:
        return self.states.setdefault(connection, ConnectionState(self.pool, credentials or make_credentials()))

    def transport(self, credentials: Credentials | None = None, *, connection: str = "conn_1") -> Transport:
        return Transport(self.state(credentials, connection), ACTION_SECONDS)


def make_credentials(**rest: str) -> Credentials:
    return Credentials(*REGIONS["pub1"], **(rest or {"api_key": KEY, "secret": SECRET}))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.pool.wire.close()


@pytest.fixture
def transport(bench: Bench) -> Transport:
    return bench.transport()


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    """HTTP that is mocked; every answer that was prepared must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture(scope="session")
def descriptors() -> Descriptors:
    """PassKit's own description of its API."""
    return Descriptors()


@dataclass
class Account:
    """An account at the fake. Waits pass at once: `slept`."""

    fake: FakePassKit
    clock: FakeClock
    kind: PassKit
    programs: dict[Kind, Program] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)
    ends_cards_by: EndsCardsBy = EndsCardsBy.EXPIRY

    def access(self, **secrets: str) -> Access:
        given = secrets or {"api_key": self.fake.credentials.key, "secret": self.fake.credentials.secret}
        target = Target(region="pub1", secrets=given, base_url=self.fake.url, pass_url=REGIONS["pub1"][1])
        return Access(name="acct_1/test", target=target, ends_cards_by=self.ends_cards_by)

    @property
    def issuer(self) -> PassKitIssuer:
        """PassKit for one more action."""
        return self.kind.open(self.access(), self.clock(), ACTION_SECONDS)

    def read_programs(self) -> None:
        """Read the programs, as connecting does."""
        found = self.issuer.catalogue().programs
        self.programs = {one.kind: made(one, self.clock()) for one in found}
        self.fake.recording.requests.clear()

    def step(self, subject: Pass, **values: Any) -> Step:
        """Make a step: an operation that begins now."""
        basis = Basis(points=subject.points, tier_id=subject.tier_id, expires_at=subject.expires_at)
        program = next(one for one in self.programs.values() if one.id == subject.program_id)
        now = self.clock()
        given: dict[str, Any] = {"id": "step-1", "basis": basis, "began_at": now, "now": now, **values}
        return Step(program=program, subject=subject, **given)

    def do(self, effect: Effect, subject: Pass, **values: Any) -> Outcome:
        """Have an effect made true."""
        return perform(self.issuer, effect, self.step(subject, **values))

    def settle(self, effect: Effect, subject: Pass, **values: Any) -> Settled:
        """Find out what became of an effect that was tried now."""
        step = self.step(subject, **values)
        return self.issuer.settled(effect, step if "tried_at" in values else replace(step, tried_at=step.now))

    def issuing(self, kind: Kind = Kind.MEMBERSHIP, **values: Any) -> tuple[Issue, Pass]:
        """Return an effect that makes a pass, and the pass."""
        program = self.programs[kind]
        given: dict[str, Any] = {"tier_id": program.tiers[0].id, **values}
        effect = Issue(pass_id=new_id(IdKind.PASS), link_token=new_link_token(), **given)
        return effect, effect.make(program, self.clock())

    def make(self, kind: Kind = Kind.MEMBERSHIP, **values: Any) -> Pass:
        """Make a pass at PassKit, and forget what was asked for that."""
        effect, subject = self.issuing(kind, **values)
        outcome = self.do(effect, subject, id=f"issue-{subject.id}")
        self.fake.recording.requests.clear()
        return done(outcome).after

    def record(self, subject: Pass) -> Any:
        """Return a pass as PassKit has it."""
        return self.fake.record(str(subject.upstream_id))

    def routes(self) -> list[str]:
        """Return what was asked of PassKit since the last look."""
        asked = [one.route for one in self.fake.requests]
        self.fake.recording.requests.clear()
        return asked


def made(found: Any, now: datetime) -> Program:
    """Return a program of ours for one that was found."""
    return Program(
        id=f"prog_{found.upstream_id}",
        account_id="acct_1",
        mode=Mode.TEST,
        issuer="passkit",
        kind=found.kind,
        name=found.name,
        tiers=found.tiers,
        fields=found.fields,
        created_at=now,
        updated_at=now,
        upstream_id=found.upstream_id,
        upstream=found.upstream,
    )


def done(outcome: Outcome | Settled) -> Done:
    """Return an outcome that must be Done."""
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(outcome: Outcome | Settled, match: str = "") -> Refused:
    """Return an outcome that must be Refused, with this in its sentence."""
    assert isinstance(outcome, Refused), outcome
    assert match in outcome.error.detail, outcome.error.detail
    return outcome


def unclear(outcome: Outcome | Settled, match: str = "") -> Unclear:
    """Return an outcome that must be Unclear, with this in its sentence."""
    assert isinstance(outcome, Unclear), outcome
    assert match in outcome.error.detail, outcome.error.detail
    return outcome


def add(points: str, floor: str | None = None) -> AddPoints:
    """Return the effect of adding points."""
    return AddPoints(points=Decimal(points), floor=None if floor is None else Decimal(floor))


@pytest.fixture
def account(descriptors: Descriptors) -> Iterator[Account]:
    """An account whose every request and answer is checked against PassKit's own description."""
    clock = FakeClock()
    with FakePassKit(clock, seed.demo, contract=descriptors).running() as fake:
        yield from account_at(fake, clock)


def account_at(fake: FakePassKit, clock: FakeClock) -> Iterator[Account]:
    """Make an account at a fake that runs."""
    kind = PassKit(Settings(), clock)
    made = Account(fake, clock, kind)
    kind.pool.sleep = made.slept.append
    made.read_programs()
    yield made
    kind.close()


def later(account: Account, **time: float) -> datetime:
    """Return an instant from now."""
    return account.clock() + timedelta(**time)
