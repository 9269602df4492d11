"""What an operation at an issuer elsewhere is about, kept in its row so that anybody can finish it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.model import Change, Pass, Program
from app.store import passes
from app.store.operations import Operation
from app.store.values import to_json


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to carry an operation out.

    `change` is what was decided when the operation began: a later decision would take the operation's own effect, which
    a webhook may have told of, for somebody else's. `tried_at` is when it was tried before, None on the first try.
    `is_unattended`: nobody waits for the answer, it is the sweep that finishes it.
    """

    operation: Operation
    program: Program
    change: Change
    tried_at: datetime | None = None
    is_unattended: bool = False

    @property
    def is_only_looked_into(self) -> bool:
        """Tell whether what was not done shall stay undone.

        Without a key the caller cannot come back to this operation, and may have sent another one since: what would
        then count a second time is not done late and unasked.
        """
        if not self.is_unattended or self.operation.idempotency_key is not None:
            return False
        before, after = self.change.before, self.change.after
        return before is None or before.points != after.points or before.redeemed_at != after.redeemed_at

    @property
    def balance(self) -> Decimal | None:
        """The points before the first try."""
        return self.change.before.points if self.change.before is not None else None


def to_request(body: Mapping[str, Any], change: Change) -> str:
    """Write what is kept in `operations.request`."""
    return to_json(
        {
            "input": json.loads(json.dumps(dict(body), default=_exactly)),
            "before": passes.to_row(change.before) if change.before is not None else None,
            "after": passes.to_row(change.after),
            "event": change.event,
            "details": dict(change.details),
        }
    )


def _exactly(value: Any) -> str:
    """Numbers with places are texts, which inputs take as well, and never in the form 1E+2."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def input_of(operation: Operation) -> dict[str, Any]:
    """Return the body of the request."""
    assert operation.request is not None
    body: dict[str, Any] = json.loads(operation.request)["input"]
    return body


def change_of(operation: Operation) -> Change:
    """Return what was decided."""
    assert operation.request is not None
    kept = json.loads(operation.request)
    before = kept["before"]
    return Change(
        passes.from_row(before) if before is not None else None,
        passes.from_row(kept["after"]),
        kept["event"],
        kept["details"],
    )


def carried_over(change: Change, now: Pass) -> Pass:
    """Make the change on a pass that somebody else has written meanwhile: the same difference, not the same values."""
    before, after = change.before, change.after
    assert before is not None
    names = [name for name in Pass.__slots__ if getattr(before, name) != getattr(after, name)]
    values = {name: getattr(after, name) for name in names}
    if "points" in values and now.points is not None and before.points is not None:
        values["points"] = now.points + (values["points"] - before.points)
    return replace(now, **values)
