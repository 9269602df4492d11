"""Lists of passes: the status that SQL says is the status the pass says, and pages cut between any two passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from random import Random

import pytest
from sqlalchemy import update

from app.model import InstallState, Mode, Pass, Status
from app.store import pages, pass_lists, passes
from app.store.pass_lists import PassFilter
from app.store.tables import passes as table
from tests.store.test_passes import NOW, new_pass
from tests.world import BRONZE, GOLD, MEMBERSHIP, World

MOMENT = timedelta(milliseconds=1)


def every_combination_of_facts(world: World) -> Iterator[Pass]:
    """Make a pass for each combination of revoked, redeemed, expired, each before, at and after `NOW`."""
    instants = (None, NOW - MOMENT, NOW, NOW + MOMENT)
    for revoked_at, redeemed_at, expires_at in product(instants, instants, instants):
        yield new_pass(world, revoked_at=revoked_at, redeemed_at=redeemed_at, expires_at=expires_at)
        if revoked_at is not None:
            yield new_pass(
                world, revoked_at=revoked_at, redeemed_at=redeemed_at, expires_at=expires_at, deleted_at=revoked_at
            )


def walk(world: World, wanted: PassFilter, *, limit: int = 3, now: datetime = NOW) -> tuple[list[Pass], int]:
    """Return what all pages of a list hold together, and how many of them were empty."""
    found: list[Pass] = []
    empty, cursor = 0, None
    with world.service.store.read() as connection:
        while True:
            one = pass_lists.page(connection, world.account.id, Mode.TEST, wanted, now=now, cursor=cursor, limit=limit)
            assert len(one.items) <= limit
            found += [item for item, _ in one.items]
            empty += not one.items
            cursor = one.next_cursor
            if cursor is None:
                return found, empty


def page(
    world: World, wanted: PassFilter, *, now: datetime = NOW, before: str | None = None, limit: int = 1000
) -> list[Pass]:
    with world.service.store.read() as connection:
        found = pass_lists.page(connection, world.account.id, Mode.TEST, wanted, now=now, cursor=before, limit=limit)
    return [one for one, _ in found.items]


def test_the_status_in_sql_is_the_status_of_the_pass(any_world: World) -> None:
    every = list(every_combination_of_facts(any_world))
    assert len(every) == 112
    with any_world.service.store.write() as connection:
        for one in every:
            passes.add(connection, one)
    for now in (NOW - MOMENT, NOW, NOW + MOMENT, NOW + 2 * MOMENT):
        for status in Status:
            expected = {one.id for one in every if one.status(now) is status}
            found = [one.id for one in page(any_world, PassFilter(status=status), now=now)]
            assert len(found) == len(set(found))
            assert set(found) == expected
            assert expected


def test_every_pass_has_exactly_one_status_in_sql(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        for one in every_combination_of_facts(any_world):
            passes.add(connection, one)
    by_status = [{one.id for one in page(any_world, PassFilter(status=status))} for status in Status]
    assert sum(len(found) for found in by_status) == len(set.union(*by_status)) == 112


def test_pages_of_any_size_hold_every_pass_once_newest_first(any_world: World) -> None:
    made = [new_pass(any_world) for _ in range(40)]
    # Several IDs of one millisecond: only the random part tells them apart.
    tied = [replace(one, id=one.id[:20] + f"{number % 5}" * 17) for number, one in enumerate(made[:5])]
    every = [*made[5:], *tied]
    Random(5).shuffle(every)
    with any_world.service.store.write() as connection:
        for one in every:
            passes.add(connection, one)
    expected = sorted((one.id for one in every), reverse=True)
    for limit in (1, 2, 3, 7, 39, 40, 41):
        found: list[str] = []
        while True:
            rows = page(any_world, PassFilter(), before=found[-1] if found else None, limit=limit)
            found += [one.id for one in rows]
            if len(rows) < limit:
                break
        assert found == expected


def test_filters_narrow_together(any_world: World) -> None:
    random = Random(3)
    every = [
        new_pass(
            any_world,
            tier_id=random.choice((BRONZE, GOLD)),
            email=random.choice((None, "ada@example.com", "bob@example.com")),
            external_id=None if random.random() < 0.5 else f"customer-{number}",
            install_state=random.choice(list(InstallState)),
            revoked_at=random.choice((None, NOW)),
            updated_at=NOW + random.choice((0, 1, 2)) * MOMENT,
        )
        for number in range(60)
    ]
    with any_world.service.store.write() as connection:
        for one in every:
            passes.add(connection, one)
    choices = product(
        (None, MEMBERSHIP, "prog_nowhere"),
        (None, GOLD),
        (None, Status.ACTIVE),
        (None, InstallState.INSTALLED),
        (None, "ada@example.com"),
        (None, NOW + MOMENT),
    )
    not_empty = 0
    for program_id, tier_id, status, install_state, email, since in choices:
        expected = [
            one.id
            for one in sorted(every, key=lambda one: (since and one.updated_at, one.id), reverse=True)
            if (program_id is None or one.program_id == program_id)
            and (tier_id is None or one.tier_id == tier_id)
            and (status is None or one.status(NOW) is status)
            and (install_state is None or one.install_state is install_state)
            and (email is None or one.email == email)
            and (since is None or one.updated_at >= since)
        ]
        wanted = PassFilter(program_id, tier_id, status, install_state, email, None, since)
        assert [one.id for one in page(any_world, wanted)] == expected
        not_empty += bool(expected)
    assert not_empty > 40
    for one in every:
        if one.external_id is not None:
            assert page(any_world, PassFilter(external_id=one.external_id)) == [one]


def told_of(world: World, every: list[Pass]) -> None:
    """Note that events have told of what has expired, as the worker does."""
    with world.service.store.write() as connection:
        for one in every:
            if one.expires_at is not None and one.expires_at <= NOW:
                connection.execute(update(table).where(table.c.id == one.id).values(expiry_told=table.c.expires_at))


@pytest.mark.parametrize("share_told", ["none", "half", "all"])
@pytest.mark.parametrize("most_looked_at", [5, 1_000])
def test_expired_and_active_passes_are_listed_whether_or_not_events_have_told_of_them(
    any_world: World, share_told: str, most_looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With fewer looked at than wait for their event, it is as if no worker ran.
    monkeypatch.setattr(pages, "SCANNED", most_looked_at)
    every = list(every_combination_of_facts(any_world))
    with any_world.service.store.write() as connection:
        for one in every:
            passes.add(connection, one)
    told_of(any_world, {"none": [], "half": every[::2], "all": every}[share_told])
    for program_id, status in product((None, MEMBERSHIP), Status):
        expected = sorted((one.id for one in every if one.status(NOW) is status), reverse=True)
        found, _ = walk(any_world, PassFilter(program_id=program_id, status=status))
        assert [one.id for one in found] == expected


def test_a_pass_that_is_made_valid_again_is_active_at_once_and_expires_once_more(any_world: World) -> None:
    one = new_pass(any_world, expires_at=NOW - MOMENT)
    with any_world.service.store.write() as connection:
        passes.add(connection, one)
    told_of(any_world, [one])
    assert [found.id for found in page(any_world, PassFilter(status=Status.EXPIRED))] == [one.id]
    longer = replace(one, expires_at=NOW + MOMENT)
    with any_world.service.store.write() as connection:
        passes.save(connection, one, longer)
    assert page(any_world, PassFilter(status=Status.EXPIRED)) == []
    assert page(any_world, PassFilter(status=Status.ACTIVE)) == [longer]
    assert page(any_world, PassFilter(status=Status.EXPIRED), now=NOW + MOMENT) == [longer]


@pytest.mark.parametrize("most_looked_at", [1, 4, 7])
def test_pages_that_stop_looking_hold_every_pass_once_though_some_are_empty(
    any_world: World, most_looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SCANNED", most_looked_at)
    every = [
        new_pass(
            any_world,
            tier_id=GOLD if number % 3 else BRONZE,
            install_state=InstallState.INSTALLED if number % 11 == 0 else InstallState.ISSUED,
            revoked_at=NOW if number % 2 else None,
            email="ada@example.com" if number % 5 == 0 else None,
            updated_at=NOW + (number % 4) * MOMENT,
        )
        for number in range(60)
    ]
    with any_world.service.store.write() as connection:
        for one in every:
            passes.add(connection, one)
    empty = 0
    for wanted in (
        PassFilter(program_id=MEMBERSHIP, install_state=InstallState.INSTALLED),
        PassFilter(tier_id=BRONZE, status=Status.REVOKED, install_state=InstallState.INSTALLED),
        PassFilter(email="ada@example.com", tier_id=GOLD),
        PassFilter(status=Status.REVOKED, updated_since=NOW + MOMENT, install_state=InstallState.INSTALLED),
    ):
        expected = {
            one.id
            for one in every
            if (wanted.tier_id in (None, one.tier_id))
            and (wanted.status is None or one.status(NOW) is wanted.status)
            and (wanted.install_state in (None, one.install_state))
            and (wanted.email in (None, one.email))
            and (wanted.updated_since is None or one.updated_at >= wanted.updated_since)
        }
        found, empty_pages = walk(any_world, wanted)
        assert len(found) == len(expected) > 0
        assert {one.id for one in found} == expected
        assert found == sorted(found, key=lambda one: (wanted.updated_since and one.updated_at, one.id), reverse=True)
        empty += empty_pages
    assert empty > 0


def test_a_program_of_somebody_else_has_no_passes_and_no_next_page(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SCANNED", 2)
    with any_world.service.store.write() as connection:
        for _ in range(9):
            passes.add(connection, new_pass(any_world))
    with any_world.service.store.read() as connection:
        for wanted in (
            PassFilter(program_id=MEMBERSHIP),
            PassFilter(program_id=MEMBERSHIP, status=Status.ACTIVE),
            PassFilter(program_id=MEMBERSHIP, tier_id=BRONZE, install_state=InstallState.INSTALLED),
            PassFilter(program_id=MEMBERSHIP, updated_since=NOW - MOMENT),
        ):
            found = pass_lists.page(connection, "acct_other", Mode.TEST, wanted, now=NOW, cursor=None, limit=3)
            assert (found.items, found.next_cursor) == ([], None)
