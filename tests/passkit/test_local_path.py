"""The built-in issuer pays nothing for PassKit: not a statement more, connected or not."""

from __future__ import annotations

import pytest

from tests.passkit.conftest import Joined
from tests.world import World

pytestmark = pytest.mark.only_sqlite

# Two look-ups, the pass, its event, whether a hook wants it, the operation.
ACTION = ["BEGIN", "SELECT", "SELECT", "UPDATE", "INSERT", "SELECT", "INSERT", "COMMIT"]


def statements(world: World) -> list[str]:
    """Return the verbs of the SQL that one action on a pass of our own runs."""
    made = world.make_pass(external_id="c-1")
    seen: list[str] = []
    writer = world.service.store._writer().connection.driver_connection
    assert writer is not None
    writer.set_trace_callback(lambda text: seen.append(text.split()[0]))
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    assert world.act("update-points", body, idempotency_key="k-1").status_code == 200
    writer.set_trace_callback(None)
    return seen


def test_an_action_of_the_builtin_issuer_runs_no_statement_more(lonely: World) -> None:
    assert statements(lonely) == ACTION


def test_nor_does_it_where_the_account_is_connected(joined: Joined) -> None:
    assert statements(joined.world) == ACTION
