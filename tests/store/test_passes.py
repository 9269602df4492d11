"""Passes in the database come out as they went in, and belong to one account and mode."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from app.model import POINTS_MAX, IdKind, InstallState, Mode, Pass, Ticket, new_id, new_link_token
from app.store import pass_lists, passes
from app.store.columns import from_milliseconds, to_milliseconds
from tests.world import GOLD, MEMBERSHIP, World

NOW = datetime(2026, 11, 20, 9, 30, 0, 123000, tzinfo=UTC)


def new_pass(world: World, **values: object) -> Pass:
    plain = Pass(
        id=new_id(IdKind.PASS),
        account_id=world.account.id,
        mode=Mode.TEST,
        issuer="builtin",
        program_id=MEMBERSHIP,
        tier_id=GOLD,
        link_token=new_link_token(),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def full_pass(world: World) -> Pass:
    return new_pass(
        world,
        external_id="клиент-1 '; DROP TABLE passes; --",
        email="ada@example.com",
        first_name="Ada 李",
        last_name='O\'Brien "X" \\',
        phone="+44 20 7946 0000",
        points=POINTS_MAX,
        fields={"member_since": "a\nb", "é": "🎟"},
        install_state=InstallState.INSTALLED,
        expires_at=datetime(2999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        redeemed_at=NOW + timedelta(milliseconds=1),
        revoked_at=NOW + timedelta(milliseconds=2),
        deleted_at=NOW + timedelta(milliseconds=3),
        updated_at=NOW + timedelta(milliseconds=4),
        upstream_id="20tDNDWjawWwnqygGvFhL1",
        tier_points=70,
        ticket=Ticket("o-1", "B 12", "Hamlet", "2026-12-01T19:30:00.000Z"),
    )


def kept(world: World, one: Pass) -> Pass:
    with world.service.store.read() as connection:
        found = passes.get(connection, one.account_id, one.mode, one.id)
    assert found is not None
    assert found[1].id == one.program_id
    return found[0]


def test_a_pass_comes_out_as_it_went_in(any_world: World) -> None:
    bare, full = new_pass(any_world), full_pass(any_world)
    unset = {field.name for field in fields(Pass) if getattr(full, field.name) in (None, {})}
    assert unset == set()
    with any_world.service.store.write() as connection:
        passes.add(connection, bare)
        passes.add(connection, full)
    assert kept(any_world, bare) == bare
    assert kept(any_world, full) == full


def test_a_pass_that_is_saved_is_as_it_was_saved(any_world: World) -> None:
    before = new_pass(any_world)
    same = {name: getattr(before, name) for name in ("id", "link_token", "external_id", "upstream_id")}
    after = replace(full_pass(any_world), **same)
    with any_world.service.store.write() as connection:
        passes.add(connection, before)
        passes.add(connection, other := new_pass(any_world))
        passes.save(connection, before, after)
    assert kept(any_world, after) == after
    assert kept(any_world, other) == other


def test_points_are_exact_in_both_databases(any_world: World) -> None:
    for points in ("0", "0.01", "-0.01", "0.10", "1.1", "-999999999.99", "999999999.99"):
        with any_world.service.store.write() as connection:
            passes.add(connection, one := new_pass(any_world, points=Decimal(points)))
        assert kept(any_world, one).points == Decimal(points)


def test_instants_are_kept_to_the_millisecond() -> None:
    for instant in (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(2026, 11, 20, 9, 30, 0, 1000, tzinfo=UTC),
        datetime(2999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    ):
        assert from_milliseconds(to_milliseconds(instant)) == instant
    assert to_milliseconds(None) is None
    assert from_milliseconds(None) is None


def test_a_program_has_one_pass_of_an_external_id(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        passes.add(connection, new_pass(any_world, external_id="customer-501"))
    with pytest.raises(IntegrityError), any_world.service.store.write() as connection:
        passes.add(connection, new_pass(any_world, external_id="customer-501"))


def test_any_number_of_passes_have_no_external_id(world: World) -> None:
    with world.service.store.write() as connection:
        for _ in range(3):
            passes.add(connection, new_pass(world))


def test_an_address_belongs_to_one_pass(world: World) -> None:
    with world.service.store.write() as connection:
        passes.add(connection, new_pass(world, link_token="token"))
    with pytest.raises(IntegrityError), world.service.store.write() as connection:
        passes.add(connection, new_pass(world, link_token="token"))


def test_of_several_passes_of_an_external_id_the_one_in_use_is_found(any_world: World) -> None:
    gone = [
        new_pass(any_world, external_id="customer-501", revoked_at=NOW, deleted_at=NOW + timedelta(days=day))
        for day in (1, 2)
    ]
    used = new_pass(any_world, external_id="customer-501")
    account_id = any_world.account.id

    def found() -> str | None:
        with any_world.service.store.read() as connection:
            one = passes.get_by_external_id(connection, account_id, Mode.TEST, MEMBERSHIP, "customer-501")
        return None if one is None else one[0].id

    assert found() is None
    with any_world.service.store.write() as connection:
        passes.add(connection, gone[0])
    assert found() == gone[0].id
    with any_world.service.store.write() as connection:
        passes.add(connection, used)
        passes.add(connection, gone[1])
    assert found() == used.id


def test_a_pass_belongs_to_one_account_and_mode(any_world: World) -> None:
    one = new_pass(any_world, external_id="customer-501", email="ada@example.com")
    with any_world.service.store.write() as connection:
        passes.add(connection, one)
    with any_world.service.store.read() as connection:
        for account_id, mode, mine in (
            (one.account_id, Mode.TEST, True),
            (one.account_id, Mode.LIVE, False),
            ("acct_other", Mode.TEST, False),
        ):
            by_id = passes.get(connection, account_id, mode, one.id)
            by_external_id = passes.get_by_external_id(connection, account_id, mode, MEMBERSHIP, "customer-501")
            by_email = passes.get_by_email(connection, account_id, mode, MEMBERSHIP, "ada@example.com")
            wanted = pass_lists.PassFilter()
            page = pass_lists.page(connection, account_id, mode, wanted, now=NOW, cursor=None, limit=10)
            assert [by_id is not None, by_external_id is not None, bool(by_email), bool(page.items)] == [mine] * 4


def test_a_pass_is_found_by_its_address_alone(world: World) -> None:
    one = new_pass(world)
    with world.service.store.write() as connection:
        passes.add(connection, one)
        found = passes.get_by_link_token(connection, one.link_token)
        assert passes.get_by_link_token(connection, one.link_token[:-1]) is None
    assert found is not None
    assert found[0] == one


def test_a_locked_pass_is_read_anew(any_world: World) -> None:
    one = new_pass(any_world, points=Decimal("5.00"))
    with any_world.service.store.write() as connection:
        passes.add(connection, one)
    with any_world.service.store.write() as connection:
        passes.save(connection, one, later := replace(one, points=Decimal("7.00")))
    with any_world.service.store.write() as connection:
        locked = passes.get(connection, one.account_id, one.mode, one.id, lock=True)
    assert locked is not None
    assert locked[0] == later


def test_a_transaction_that_fails_leaves_nothing(any_world: World) -> None:
    one = new_pass(any_world)
    with suppress(RuntimeError), any_world.service.store.write() as connection:
        passes.add(connection, one)
        raise RuntimeError("the power went out")
    with any_world.service.store.read() as connection:
        assert passes.get(connection, one.account_id, one.mode, one.id) is None


def test_what_is_shown_of_a_pass_in_a_log_names_nobody(world: World) -> None:
    shown = repr(full_pass(world))
    for secret in ("ada@example.com", "Ada 李", "7946", "🎟"):
        assert secret not in shown
    assert full_pass(world).link_token not in shown
