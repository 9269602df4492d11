"""What an action at PassKit asks of our database: short transactions before and after the call, no statement more."""

from __future__ import annotations

import pytest

from tests.passkit.conftest import Joined

LOOK = ["BEGIN", "SELECT", "SELECT", "ROLLBACK"]  # the pass turns out not to be ours
RESERVE = ["BEGIN", "SELECT", "SELECT", "INSERT", "COMMIT"]
FINISH = ["BEGIN", "UPDATE", "SELECT", "UPDATE", "INSERT", "SELECT", "UPDATE", "COMMIT"]  # the event, who wants it

pytestmark = pytest.mark.only_sqlite


def test_points_are_reserved_in_one_transaction_and_written_in_another(joined: Joined) -> None:
    made = joined.make()
    seen: list[str] = []
    writer = joined.world.service.store._writer().connection.driver_connection
    assert writer is not None
    writer.set_trace_callback(lambda text: seen.append(text.split()[0]))
    body = {"pass_id": made["id"], "change": "add", "points": 5}
    assert joined.act("update-points", body, idempotency_key="k-1").status_code == 200
    writer.set_trace_callback(None)
    assert seen == LOOK + RESERVE + FINISH
