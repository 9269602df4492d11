"""What an action asks of our database. The built-in issuer pays nothing for PassKit, whose transactions are short.

Where a pass lives is known before the first transaction: one at PassKit takes two, and the calls lie between them.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.passkit.conftest import Joined
from tests.world import World

# Two look-ups, the pass, its event, whether a hook wants it, the operation.
BUILTIN = ["BEGIN", "SELECT", "SELECT", "UPDATE", "INSERT", "SELECT", "INSERT", "COMMIT"]
# The operation of this key, the pass with its program, the operation.
RESERVE = ["BEGIN", "SELECT", "SELECT", "INSERT", "COMMIT"]
# The pass as it is now, the lease, the pass, its event, whether a hook wants it, the operation.
FINISH = ["BEGIN", "SELECT", "UPDATE", "UPDATE", "INSERT", "SELECT", "UPDATE", "COMMIT"]

pytestmark = pytest.mark.only_sqlite


def statements(world: World, made: dict[str, Any]) -> list[str]:
    """Return the verbs of the SQL that one action on the pass runs."""
    seen: list[str] = []
    assert world.service.store._writing is not None
    writer = world.service.store._writing.connection.driver_connection
    assert writer is not None
    writer.set_trace_callback(lambda text: seen.append(text.split()[0]))
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    assert world.act("update-points", body, idempotency_key="k-1").status_code == 200
    writer.set_trace_callback(None)
    return seen


def test_an_action_of_the_builtin_issuer_runs_no_statement_more(lonely: World) -> None:
    assert statements(lonely, lonely.make_pass(external_id="c-1")) == BUILTIN


def test_nor_does_it_where_the_account_is_connected(joined: Joined) -> None:
    assert statements(joined.world, joined.world.make_pass(external_id="c-1")) == BUILTIN


def test_points_at_passkit_are_reserved_in_one_transaction_and_written_in_another(joined: Joined) -> None:
    assert statements(joined.world, joined.make()) == RESERVE + FINISH
