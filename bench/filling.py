"""Fills a database with passes and their events as an account has them that has been at work for two years.

What the lists are asked for comes in two kinds: the common, a fixed share of all passes, and the rare, `RARE` passes
however many there are. So a rare filter's answer is the same full page whether it is looked for among a thousand
passes or among a million.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import text

from app.answer import example
from app.demo import demo_programs
from app.model import InstallState, Mode, Pass, Program, Tier, system_clock
from app.store import passes, programs
from app.store.columns import to_json, to_milliseconds
from app.store.engine import Store

RARE = 120  # more than a page of 100
CHUNK = 100_000  # rows in a transaction

MEMBERSHIP, COUPON, TICKET, SMALL = "prog_demo_membership", "prog_demo_coupon", "prog_demo_ticket", "prog_bench_small"
COMMON_TIER, RARE_TIER = "tier_demo_bronze", "tier_demo_gold"
SOMEBODY = "somebody@example.com"

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
_SPAN = timedelta(days=730)
DAY_MS = 86_400_000
# What happened to each pass, and how many days after it was made.
HAPPENED = (("pass.created", 0), ("pass.updated", 1), ("points.changed", 2))
_DATA = to_json(example({"points": 120, "points_before": 95, "points_change": 25}))
_OPERATIONS = (
    "INSERT INTO operations (id, account_id, mode, action, status, fingerprint, program_id, pass_id, created_at, looks)"
    " SELECT 'op_' || substr(id, 6), account_id, mode, 'create-pass', 'succeeded', :fingerprint, program_id, id,"
    " created_at, 0 FROM passes ORDER BY id"
)
_FUTURE = datetime(2099, 12, 31, tzinfo=UTC)


def pass_id(number: int) -> str:
    """Return the ID of a pass: they sort by age, as real ones do."""
    return f"pass_{number:032x}"


def changed_after() -> datetime:
    """Return an instant after which the rare recent passes changed, and no other."""
    return system_clock() - timedelta(hours=1)


def fill(store: Store, account_id: str, total: int) -> None:
    """Store `total` passes, at least 1 000, in the account's test mode, each with three events and an operation."""
    with store.write() as connection:
        programs.add(connection, _small_program(account_id))
    rows = (_row(account_id, number, total) for number in range(total))
    while chunk := list(islice(rows, CHUNK)):
        _insert(store, chunk)
    _tell_of_expiries(store)
    for place, (event_type, days) in enumerate(HAPPENED):
        with store.write() as connection:
            connection.execute(text(_events(store, place)), {"type": event_type, "after": days * DAY_MS, "data": _DATA})
    with store.write() as connection:
        connection.execute(text(_OPERATIONS), {"fingerprint": "f" * 64})


def _tell_of_expiries(store: Store) -> None:
    """Note that events have told of the passes that have expired, as the worker does."""
    now = to_milliseconds(system_clock())
    with store.write() as connection:
        connection.execute(text("UPDATE passes SET expiry_told = expires_at WHERE expires_at <= :now"), {"now": now})


def _events(store: Store, place: int) -> str:
    """Write the statement that stores one event for each pass. IDs begin with their times, as real ones do."""
    hexadecimal = "printf('%012x', {})" if store.is_sqlite else "lpad(to_hex({}), 12, '0')"
    at = "created_at + :after"
    event_id = f"'evt_' || {hexadecimal.format(at)} || '{place:02x}' || substr(id, 20)"
    # Those that were redeemed tell of that instead: a rare type.
    event_type = "CASE WHEN redeemed_at IS NOT NULL THEN 'pass.redeemed' ELSE :type END" if place == 2 else ":type"
    return (
        "INSERT INTO events (id, account_id, mode, type, program_id, pass_id, operation_id, data, created_at)"
        f" SELECT {event_id}, account_id, mode, {event_type}, program_id, id, NULL, :data, {at} FROM passes ORDER BY id"
    )


def _small_program(account_id: str) -> Program:
    like = demo_programs(account_id, system_clock())[0]
    return replace(like, id=SMALL, name="Small Club", tiers=(Tier("tier_bench_small", "Standard"),))


def _insert(store: Store, rows: list[tuple[Any, ...]]) -> None:
    names = ", ".join(passes.WRITTEN)
    with store.write() as connection:
        cursor = connection.connection.cursor()
        if store.is_sqlite:
            cursor.executemany(f"INSERT INTO passes ({names}) VALUES ({', '.join('?' * len(passes.WRITTEN))})", rows)
            return
        with cursor.copy(f"COPY passes ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def _row(account_id: str, number: int, total: int) -> tuple[Any, ...]:
    columns = passes.to_row(_pass(account_id, number, total))
    return tuple(columns[name] for name in passes.WRITTEN)


def _pass(account_id: str, number: int, total: int) -> Pass:
    """Make the pass of a number. Every `step` passes there is one of each rare kind."""
    step = total // RARE
    kind = number % step if number < step * RARE else -1
    share = random.Random(number).random()
    program_id, tier_id = _program(share)
    made_at = LONG_AGO + _SPAN * (number / total)
    new = Pass(
        id=pass_id(number),
        account_id=account_id,
        mode=Mode.TEST,
        issuer="builtin",
        program_id=program_id,
        tier_id=tier_id,
        link_token=f"{random.Random(-number).getrandbits(128):032x}"[:22],
        created_at=made_at,
        updated_at=made_at,
        external_id=f"customer-{number}",
        email=f"holder-{number}@example.com",
        first_name="Ada",
        last_name="Lovelace",
        points=Decimal(number % 1000) if program_id == MEMBERSHIP else None,
        install_state=InstallState.INSTALLED if share * 10 % 1 < 0.6 else InstallState.ISSUED,
        expires_at=_FUTURE if program_id == COUPON else None,
    )
    match kind:
        case 0:
            return replace(new, program_id=SMALL, tier_id="tier_bench_small")
        case 1:
            return replace(new, program_id=MEMBERSHIP, tier_id=RARE_TIER)
        case 2:
            return replace(new, redeemed_at=made_at)
        case 3:
            return replace(new, revoked_at=made_at)
        case 4:
            return replace(new, expires_at=made_at)
        case 5:
            return replace(new, install_state=InstallState.UNINSTALLED)
        case 6:
            return replace(new, updated_at=system_clock())
        case 7:
            return replace(new, email=SOMEBODY)
    return new


def _program(share: float) -> tuple[str, str]:
    """Return program and tier: half are memberships, three of ten coupons, the rest tickets."""
    if share < 0.5:
        return MEMBERSHIP, COMMON_TIER if share < 0.3 else "tier_demo_silver"
    return (COUPON, "tier_demo_welcome") if share < 0.8 else (TICKET, "tier_demo_standing")


def all_passes(account_id: str, total: int) -> Iterator[Pass]:
    """Give what `fill` stores, for tests."""
    return (_pass(account_id, number, total) for number in range(total))
