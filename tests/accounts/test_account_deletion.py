"""An account that is deleted leaves nothing behind, and takes nothing of another one with it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import BigInteger, Connection, Integer, Table, insert, select, update

from app.errors import NotApplicable
from app.store.chunks import MOST
from app.store.ownership import NOT_OWNED, delete_owned, owned_by
from app.store.tables import accounts, events, metadata, operations, secrets, troubles, workers
from app.store.troubles import Kind
from app.sync import account_deletion
from tests.world import World

LEAVING, STAYING = "leaving", "staying"
# What a value must look like for the code that reads it on the way.
READ = {
    "mode": "test",
    "kind": "membership",
    "issuer": "passkit",
    "status": "succeeded",
    "tiers": "[]",
    "fields": "[]",
    "colors": '{"background": "#000000", "text": "#ffffff", "label": "#ffffff"}',
    "ends_cards_by": "expiry",
    "last_problem": None,
    "notes": None,
    "upstream": None,
}


def plant(connection: Connection, owner: str) -> None:
    """Write a row of an account into every table; the account's name stands in each."""
    for table in metadata.sorted_tables:
        if table in (secrets, troubles, workers):
            continue
        connection.execute(insert(table), {**row_of(table, owner), **names_of(table, owner)})
    for kind, item_id in names_in_trouble(owner).items():
        trouble = {"kind": kind.value, "item_id": item_id, "tries": 1, "why": owner, "first_at": 1, "next_at": 1}
        connection.execute(insert(troubles), trouble)


def row_of(table: Table, owner: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.computed is not None or column.name == "number":
            continue
        is_number = isinstance(column.type, BigInteger | Integer)
        value = READ.get(column.name, 1 if is_number else f"{owner}_{table.name}")
        length = getattr(column.type, "length", None)
        values[column.name] = value[:length] if isinstance(value, str) else value
    return values


def names_of(table: Table, owner: str) -> dict[str, str]:
    """Return what leads from this row to other rows of the account."""
    ways = {"account_id": "accounts", "program_id": "programs", "hook_id": "hooks", "sink_id": "sinks"}
    return {column: f"{owner}_{target}" for column, target in ways.items() if column in table.c}


def names_in_trouble(owner: str) -> dict[Kind, str]:
    return {
        Kind.OPERATION: f"{owner}_operations",
        Kind.WEBHOOK: f"{owner}_inbox",
        Kind.EXPIRY: f"{owner}_passes",
        Kind.CONNECTION: f"{owner}_accounts/test",
        Kind.HOOK: f"{owner}_hooks",
        Kind.IMPORT: f"{owner}_imports",
    }


def rows(world: World, owner: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows that name an account, by table."""
    found = {}
    with world.service.store.read() as connection:
        for table in metadata.sorted_tables:
            every = [tuple(row) for row in connection.execute(select(table))]
            found[table.name] = [row for row in every if owner in str(row)]
    return found


def test_nothing_is_left_of_it_and_another_account_is_as_before(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        plant(connection, LEAVING)
        plant(connection, STAYING)
    before = rows(any_world, STAYING)
    assert {name for name, found in before.items() if not found} == {"secrets", "workers"}
    account_deletion.delete_account(any_world.service, f"{LEAVING}_accounts")
    assert not any(rows(any_world, LEAVING).values())
    assert rows(any_world, STAYING) == before


def test_every_table_says_whose_its_rows_are() -> None:
    """A new table has a column `account_id`, or its owner is found in `app/store/ownership.py`."""
    assert {*owned_by("acct_1"), *NOT_OWNED} == set(metadata.tables.values())


def test_there_can_be_trouble_with_no_row_that_outlives_it() -> None:
    """Every kind of trouble goes with what it is about; `purge` is nobody's."""
    assert {*names_in_trouble(LEAVING), Kind.PURGE} == set(Kind)


def test_more_rows_than_a_transaction_takes_are_deleted_too(any_world: World) -> None:
    with any_world.service.store.write() as connection:
        plant(connection, LEAVING)
        more = row_of(events, LEAVING) | names_of(events, LEAVING)
        connection.execute(insert(events), [{**more, "id": f"{LEAVING}_{number}"} for number in range(2 * MOST)])
    assert account_deletion.contents(any_world.service, f"{LEAVING}_accounts")["events"] == 2 * MOST + 1
    account_deletion.delete_account(any_world.service, f"{LEAVING}_accounts")
    assert not any(rows(any_world, LEAVING).values())


def test_its_keys_end_within_a_second_in_every_process(any_world: World) -> None:
    other = any_world.make_key(account="other")
    assert any_world.get("/v1/me").status_code == any_world.get("/v1/me", key=other).status_code == 200
    account_deletion.delete_account(any_world.service, any_world.account.id)
    any_world.clock.advance(seconds=1)
    assert any_world.get("/v1/me").status_code == 401
    assert any_world.get("/v1/me", key=other).status_code == 200


def test_what_a_request_under_way_still_writes_is_deleted_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(store: Any, account_id: str) -> None:
        delete_owned(store, account_id)
        monkeypatch.undo()
        with store.write() as connection:
            connection.execute(insert(operations), row_of(operations, LEAVING) | {"account_id": account_id})

    monkeypatch.setattr("app.sync.account_deletion.delete_owned", late)
    account_deletion.delete_account(world.service, world.account.id)
    assert not any(rows(world, LEAVING).values())
    with world.service.store.read() as connection:
        assert connection.execute(select(accounts)).all() == []


def test_an_operation_without_an_outcome_stands_in_the_way(any_world: World) -> None:
    made = any_world.make_pass()
    account_deletion.refuse_open_operations(any_world.service, any_world.account.id)
    with any_world.service.store.write() as connection:
        row = update(operations).where(operations.c.id == made["operation_id"])
        connection.execute(row.values(status="unknown"))
    with pytest.raises(NotApplicable, match="1 operations of this account have no outcome"):
        account_deletion.refuse_open_operations(any_world.service, any_world.account.id)


def test_a_deletion_that_died_is_gone_on_with(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    any_world.make_pass(external_id=LEAVING)

    def die(*_: object) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr("app.accounts.accounts.delete", die)
    with pytest.raises(RuntimeError, match="the power went out"):
        account_deletion.delete_account(any_world.service, any_world.account.id)
    monkeypatch.undo()
    account_deletion.delete_account(any_world.service, any_world.account.id)
    assert not any(rows(any_world, any_world.account.id).values())
