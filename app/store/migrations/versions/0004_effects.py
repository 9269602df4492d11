"""Operations keep effects by name; what a remote issuer tells of passes; parked work; imports."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("accounts", sa.Column("default_country", sa.String(length=2), nullable=True))
    op.add_column("passes", sa.Column("tier_points", sa.BigInteger(), nullable=True))
    op.add_column("passes", sa.Column("ticket", sa.Text(), nullable=True))
    _connections()
    _operations()
    _troubles()
    _imports()


def _connections() -> None:
    ends_cards_by = sa.Column("ends_cards_by", sa.String(length=10), nullable=False, server_default="expiry")
    op.add_column("connections", ends_cards_by)
    op.add_column("connections", sa.Column("notes", sa.Text(), nullable=True))
    op.drop_column("sinks", "protocol")


def _operations() -> None:
    op.add_column("operations", sa.Column("tried_at", sa.BigInteger(), nullable=True))
    op.add_column("operations", sa.Column("look_at", sa.BigInteger(), nullable=True))
    op.add_column("operations", sa.Column("looks", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("operations", sa.Column("resolution", sa.Text(), nullable=True))
    op.create_index("ix_operations_pass", "operations", ["pass_id", "id"])
    _write_plans()


def _write_plans() -> None:
    """Write what open operations keep in its new form: effects by name instead of a pass before and after.

    One that turns out to have nothing to do has changed nothing: it ends, and its key is free.
    """
    connection = op.get_bind()
    found = connection.execute(
        sa.text(
            "SELECT id, status, request, lease_until, created_at FROM operations"
            " WHERE status IN ('running', 'unknown') AND request IS NOT NULL"
        )
    )
    kept = sa.text(
        "UPDATE operations SET request = :request, tried_at = :tried_at, look_at = :look_at,"
        " lease_until = :lease_until WHERE id = :id"
    )
    ended = sa.text(
        "UPDATE operations SET status = 'failed', request = NULL, idempotency_key = NULL, lease_until = NULL,"
        " finished_at = created_at, problem = :problem WHERE id = :id"
    )
    problem = {"code": "upstream-unavailable", "detail": "Nothing was changed. Send the same request again."}
    for operation_id, status, request, lease_until, created_at in found.all():
        plan = plan_from(operation_id, json.loads(request))
        if plan is None:
            connection.execute(ended, {"id": operation_id, "problem": json.dumps(problem)})
            continue
        values = {
            "id": operation_id,
            "request": json.dumps(plan),
            # Where the outcome was unknown, the column told when it was last tried.
            "tried_at": lease_until if status == "unknown" and lease_until else created_at,
            "look_at": created_at if status == "unknown" else None,
            "lease_until": lease_until if status == "running" else None,
        }
        connection.execute(kept, values)


def plan_from(operation_id: str, kept: dict[str, Any]) -> dict[str, Any] | None:
    """Return the plan (version 2) of what an operation kept until now; None where there is nothing to do."""
    before, after, given = kept["before"] or {}, kept["after"], kept["input"]
    effects = _effects(kept["event"], before, after, given)
    if not effects:
        return None
    return {
        "version": 2,
        "effects": effects,
        # What was written at the issuer beside the effect.
        "ids": [operation_id, *(f"{operation_id}-{number}" for number in range(1, len(effects)))],
        "basis": {
            "points": _points(before.get("points")),
            "tier_id": before.get("tier_id"),
            "expires_at": _instant(before.get("expires_at")),
        },
        "done": 0,
        "details": kept["details"],
        "notes": [],
        "reason": given.get("reason"),
        "refusal": None,
    }


def _effects(
    event: str | None, before: dict[str, Any], after: dict[str, Any], given: dict[str, Any]
) -> list[dict[str, Any]]:
    match event:
        case "pass.created":
            return [_issue(after, given)]
        case "pass.updated":
            return _updates(before, after)
        case "points.changed":
            return [_points_effect(before, after, given)]
        case "tier.changed":
            return [{"effect": "change_tier", "tier_id": after["tier_id"]}]
        case "pass.redeemed":
            told = {"reference": given.get("reference"), "amount": given.get("amount")}
            return [{"effect": "redeem", "at": _instant(after["redeemed_at"]), **told}]
        case "pass.revoked":
            permanent = bool(after["deleted_at"])
            return [{"effect": "revoke", "at": _instant(after["revoked_at"]), "permanent": permanent}]
        case "pass.reinstated":
            return [{"effect": "reinstate", "expires_at": _instant(after["expires_at"])}]
    return []


def _issue(after: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return {
        "effect": "issue",
        "pass_id": after["id"],
        "link_token": after["link_token"],
        "tier_id": after["tier_id"],
        "external_id": after["external_id"],
        "points": _points(after["points"]),
        "holder": {name: after[name] for name in ("email", "first_name", "last_name", "phone")},
        "fields": json.loads(after["fields"]),
        "expires_at": _instant(after["expires_at"]),
        "gives_expiry": "expires_at" in given,
        "if_exists": given.get("if_exists", "return"),
    }


def _updates(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("email", "first_name", "last_name", "phone")
    holder = {name: after[name] for name in names if after[name] != before[name]}
    had, has = json.loads(before["fields"]), json.loads(after["fields"])
    fields = {name: has.get(name) for name in {*had, *has} if had.get(name) != has.get(name)}
    effects: list[dict[str, Any]] = []
    if holder or fields:
        effects.append({"effect": "update_holder", "holder": holder, "fields": fields})
    if before["expires_at"] != after["expires_at"]:
        effects.append({"effect": "set_expiry", "expires_at": _instant(after["expires_at"])})
    return effects


def _points_effect(before: dict[str, Any], after: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    if given.get("change") == "set":
        return {"effect": "set_points", "points": _points(after["points"])}
    floor = "0" if given.get("change") == "subtract" and not given.get("allow_negative") else None
    return {"effect": "add_points", "points": _points(after["points"] - (before["points"] or 0)), "floor": floor}


def _points(hundredths: int | None) -> str | None:
    return None if hundredths is None else format(Decimal(hundredths).scaleb(-2), "f")


def _instant(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _troubles() -> None:
    op.create_table(
        "troubles",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("item_id", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("parked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "item_id", name=op.f("pk_troubles")),
    )


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("program_id", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_imports_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_world", "imports", ["account_id", "mode", "id"])
    unfinished = sa.text("finished_at IS NULL")
    op.create_index("ix_imports_unfinished", "imports", ["id"], sqlite_where=unfinished, postgresql_where=unfinished)


def downgrade() -> None:
    """Take the step back."""
    op.add_column("sinks", sa.Column("protocol", sa.String(length=30), nullable=False, server_default=""))
    op.drop_table("imports")
    op.drop_table("troubles")
    op.drop_index("ix_operations_pass", "operations")
    for table, columns in (
        ("operations", ("tried_at", "look_at", "looks", "resolution")),
        ("connections", ("ends_cards_by", "notes")),
        ("passes", ("tier_points", "ticket")),
        ("accounts", ("default_country",)),
    ):
        for column in columns:
            op.drop_column(table, column)
