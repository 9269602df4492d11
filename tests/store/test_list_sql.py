"""The SQL of a list is built once: to build it anew for each page takes longer than to read the page."""

from __future__ import annotations

import sys
from types import FrameType

from sqlalchemy import Connection
from sqlalchemy.sql import coercions

from tests.store.test_plans import List, every_flat_list
from tests.world import World


def expressions_built(listed: List, connection: Connection, account_id: str) -> int:
    """Count how often SQLAlchemy takes a value for a part of an expression, as whatever composes one has it do."""
    count = 0

    def watch(frame: FrameType, what: str, _argument: object) -> None:
        nonlocal count
        count += what == "call" and frame.f_code is coercions.expect.__code__

    sys.setprofile(watch)
    try:
        listed(connection, account_id)
    finally:
        sys.setprofile(None)
    return count


def test_a_list_that_was_asked_for_before_builds_no_sql(any_world: World) -> None:
    built = {}
    with any_world.service.store.read() as connection:
        for name, listed, _ in every_flat_list():
            if name == "operation":  # no list: one row, of a short statement
                continue
            for _ in range(2):  # what SQLAlchemy itself keeps of a statement, it makes when it runs the first time
                listed(connection, any_world.account.id)
            built[name] = expressions_built(listed, connection, any_world.account.id)
    assert not any(built.values()), {name: times for name, times in built.items() if times}
