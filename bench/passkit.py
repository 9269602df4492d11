"""Points at PassKit: the service against a bare route that makes the same one call, and nothing else.

Both call the same upstream (`upstream.py`), in turn. Three questions: how much of the bare route's throughput is left
when the upstream costs nothing; does the service keep many callers' requests under way when it takes its time; and how
much longer does one caller wait then.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from statistics import median

from app.accounts import connections
from app.accounts.connections import IssuerConnection
from app.accounts.vault import Vault, generate_key
from app.demo import demo_programs
from app.issuers.passkit import PassKit
from app.model import Mode, Pass, system_clock
from app.operations.plan import issuer_id
from app.store import passes, programs
from bench import bare
from bench.actions import Stored, Subject, measure_pair, measure_rounds, show_latency
from bench.databases import TITLES, Database, databases
from bench.figures import BenchFailed, Pair, Spread, cpu_ratio, spread, throughput_ratio
from bench.load import PASS, UNIQUE, Load, generator
from bench.report import judged, ranged, say, show_table
from bench.servers import BARE_CALLING, SERVICE, serving
from bench.upstream import EARN, Members, Upstream, running_upstream
from tests.processes import wait_until

PASSES = 500
PASS_IDS = tuple(f"pass_{number:032x}" for number in range(PASSES))
PROGRAM = "prog_bench_passkit"
WARM_UP_SECONDS = 1.0
DELAY_SECONDS = 0.15
FEW, MANY = 8, 32  # connections
# All of them are of one account here. What the service allows by itself is fewer, out of caution.
AT_ONCE = str(MANY)

THROUGHPUT_GOAL = 0.50  # of the bare route, upstream at once
KEPT_GOAL = 0.92  # of what so many callers can have at most, upstream slow
ADDED_GOAL_MS = 5.0  # half of the answers, upstream slow


@dataclass(frozen=True, slots=True)
class Measured:
    """Rounds with a few callers and an upstream that answers at once; and with few and many while it is slow."""

    at_once: list[Pair]
    few: list[Pair]
    many: list[Pair]

    @property
    def kept(self) -> Spread:
        """Requests a second of `MANY` callers, 1 being that each waits for the upstream alone."""
        return spread([pair.subject.per_second / (MANY / DELAY_SECONDS) for pair in self.many])

    @property
    def added(self) -> Spread:
        """Milliseconds that half of the answers take longer than the bare route's."""
        return spread([pair.subject.p50_ms - pair.bare.p50_ms for pair in self.few])


def run(kind: str, *, seconds: float, rounds: int) -> None:
    """Measure on one kind of database and print the tables.

    Raises:
        BenchFailed: a request failed, or what was acknowledged is not stored, or was not done just once upstream.
    """
    say(f"PassKit on {TITLES[kind]}: load by {generator()}, {rounds} rounds of {seconds:g} s for bare and for subject.")
    with databases(kind) as new_database, running_upstream() as upstream:
        database = connect(new_database(), upstream)
        folder = database.folder / "bare"
        folder.mkdir()
        calling = {"DATA_DIR": str(folder), bare.UPSTREAM_VARIABLE: f"{upstream.url}{EARN}"}
        stored, subject = Stored(database), update_points(database)
        with ExitStack() as servers:
            baseline = servers.enter_context(serving(BARE_CALLING, calling, folder, bare.PATH))
            service = servers.enter_context(serving(SERVICE, database.environment, database.folder, "/healthz"))
            warm_up = measure_pair(baseline, service, subject, FEW, WARM_UP_SECONDS)

            def measure(connections: int) -> list[Pair]:
                return measure_rounds(baseline, service, [subject], connections, seconds, rounds)[subject.name]

            at_once = measure(FEW)
            say(f"  The upstream now takes {DELAY_SECONDS * 1000:g} ms.")
            upstream.delay(DELAY_SECONDS)
            found = Measured(at_once, measure(FEW), measure(MANY))
            wait_until(lambda: not open_operations(database), "requests that were cut off at the end of a run")
        for pair in [warm_up, *found.at_once, *found.few, *found.many]:
            stored.expect(subject, pair.subject)
        stored.check()
        check_effects(database, upstream.counted())
        _show(kind, subject, found)
        say(f"{stored.summary()} The upstream did each of them just once.")


def connect(database: Database, upstream: Upstream) -> Database:
    """Store what connecting to PassKit leaves behind: a connection, a program of PassKit's, and members."""
    now, account_id = system_clock(), database.account.id
    settings = replace(database.settings, vault_keys=f"bench:{generate_key()}", passkit_at_once=int(AT_ONCE))
    vault = Vault.from_setting(settings.vault_keys)
    facts = {"protocol": "MEMBERSHIP", "pass_url": upstream.url, "is_draft": False, "overdraw": []}
    like = replace(demo_programs(account_id, now)[0], fields=())
    program = replace(like, id=PROGRAM, name="Bench", issuer=PassKit.name, upstream_id=PROGRAM, upstream=facts)
    connection_to_passkit = IssuerConnection(
        account_id=account_id,
        mode=Mode.TEST,
        issuer=PassKit.name,
        region="pub1",
        base_url=upstream.url,
        pass_url=upstream.url,
        sealed=connections.seal(vault, account_id, Mode.TEST, {"api_key": "bench-key", "secret": "bench-secret"}),
        company="Bench",
        username="bench",
        connected_at=now,
        last_worked_at=now,
        refreshed_at=now + timedelta(days=1),
    )
    with database.store() as store, store.write() as connection:
        connections.put(connection, connection_to_passkit)
        programs.add(connection, program)
        for number in range(PASSES):
            passes.add(connection, _member(account_id, number))
    return replace(database, settings=settings)


def _member(account_id: str, number: int) -> Pass:
    now = system_clock()
    return Pass(
        id=PASS_IDS[number],
        account_id=account_id,
        mode=Mode.TEST,
        issuer=PassKit.name,
        program_id=PROGRAM,
        tier_id="tier_demo_bronze",
        link_token=f"{number:022x}",
        created_at=now,
        updated_at=now,
        external_id=f"customer-{number}",
        email=f"holder-{number}@example.com",
        first_name="Ada",
        last_name="Lovelace",
        points=Decimal(0),
        upstream_id=f"benchMember{number:011d}",
    )


def update_points(database: Database) -> Subject:
    """Return what is measured: a point more for each member in turn."""
    headers = {
        "Authorization": f"Bearer {database.key}",
        "Content-Type": "application/json",
        "Idempotency-Key": UNIQUE,
    }
    body = f'{{"pass_id": "{PASS}", "change": "add", "points": 1}}'
    load = Load("POST", "/v1/actions/update-points", headers, body, PASS_IDS)
    return Subject("update-points", load, THROUGHPUT_GOAL, "points.changed")


def open_operations(database: Database) -> int:
    """Count operations without an outcome."""
    query = "SELECT status, count(*) FROM operations WHERE status IN ('running', 'unknown') GROUP BY status"
    return sum(database.counts(query).values())


def check_effects(database: Database, done: Members) -> None:
    """Hold what the upstream did against what is stored.

    Raises:
        BenchFailed: an operation was not done there just once, or something was done that no operation tells of, or a
            balance on record is another one than the upstream's.
    """
    query = "SELECT coalesce(key_digest, id), 1 FROM operations WHERE status = 'succeeded' AND action = 'update-points'"
    recorded = {issuer_id(key): number for key, number in database.counts(query).items()}
    effects = {step_id: number for step_id, number in done.effects.items() if step_id != bare.CALLER}
    if effects != recorded:
        twice = sum(number > 1 for number in effects.values())
        lost, more = len(recorded.keys() - effects.keys()), len(effects.keys() - recorded.keys())
        raise BenchFailed(f"Of the upstream's effects {lost} are missing, {more} too many, {twice} were done twice.")
    balances = database.counts("SELECT upstream_id, points / 100 FROM passes WHERE points <> 0")
    if balances != {member: number for member, number in done.balances.items() if member != bare.CALLER}:
        raise BenchFailed("Balances on record are not those of the upstream.")
    if done.unknown:
        raise BenchFailed(f"The upstream was asked for something else: {dict(done.unknown)}.")


def _show(kind: str, subject: Subject, found: Measured) -> None:
    has_goal = kind == "sqlite"
    ratio = throughput_ratio(found.at_once)
    rows: Sequence[tuple[str, str, str, bool]] = (
        (f"upstream at once, {FEW} callers: requests/s, ratio to bare", ranged(ratio), f">= {THROUGHPUT_GOAL:.2f}",
         ratio.middle >= THROUGHPUT_GOAL),
        (f"upstream at once, {FEW} callers: CPU a request, ratio to bare", ranged(cpu_ratio(found.at_once)), "-", True),
        (f"upstream at 150 ms, {MANY} callers: requests/s, 1 is {MANY / DELAY_SECONDS:.0f}", ranged(found.kept),
         f">= {KEPT_GOAL:.2f}", found.kept.middle >= KEPT_GOAL),
        (f"upstream at 150 ms, {FEW} callers: ms more at p50", ranged(found.added), f"<= {ADDED_GOAL_MS:g}",
         found.added.middle <= ADDED_GOAL_MS),
    )  # fmt: skip
    cells = [[name, figure, goal, judged(met) if has_goal and goal != "-" else "-"] for name, figure, goal, met in rows]
    show_table(f"{TITLES[kind]}: points at PassKit", ["", "figure", "goal", ""], cells)
    for title, pairs in (("at once", found.at_once), ("at 150 ms", found.few)):
        show_latency(f"{TITLES[kind]}: upstream {title}, {FEW} connections", [subject], {subject.name: pairs})
    show_latency(f"{TITLES[kind]}: upstream at 150 ms, {MANY} connections", [subject], {subject.name: found.many})
    bare_kept = median(pair.bare.per_second for pair in found.many) / (MANY / DELAY_SECONDS)
    say(f"The bare route itself keeps {bare_kept:.2f} of what {MANY} callers can have.")
