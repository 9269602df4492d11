"""Programs in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from app.model import Colors, CustomField, FieldType, Kind, Mode, Program, Tier
from app.store.columns import Statement, instant, to_json, to_milliseconds
from app.store.tables import passes, programs, sinks

_BY_ID = Statement(
    select(programs).where(
        programs.c.id == bindparam("id"),
        programs.c.account_id == bindparam("account_id"),
        programs.c.mode == bindparam("mode"),
    )
)

# Selects the ID `program_id` where it is one of the account's own; nothing where it is not.
OWN_ID = (
    select(programs.c.id)
    .where(
        programs.c.id == bindparam("program_id"),
        programs.c.account_id == bindparam("account_id"),
        programs.c.mode == bindparam("mode"),
    )
    .scalar_subquery()
)


def get(connection: Connection, account_id: str, mode: Mode, program_id: str) -> Program | None:
    """Return the program, or None where this account has none of that ID in that mode."""
    row = _BY_ID.first(connection, {"id": program_id, "account_id": account_id, "mode": mode.value})
    return None if row is None else from_columns(row)


def issuer_of(connection: Connection, account_id: str, mode: Mode, program_id: str) -> str | None:
    """Return the name of the issuer that the program's passes live at; None where the account has no such program."""
    row = _BY_ID.first(connection, {"id": program_id, "account_id": account_id, "mode": mode.value})
    return None if row is None else from_columns(row).issuer


def get_by_name(connection: Connection, account_id: str, mode: Mode, name: str) -> Program | None:
    """Return the account's program of this name."""
    query = select(programs).where(
        programs.c.account_id == account_id, programs.c.mode == mode.value, programs.c.name == name
    )
    row = connection.execute(query).first()
    return None if row is None else from_columns(tuple(row))


def page(
    connection: Connection, account_id: str, mode: Mode, *, kind: Kind | None, before: str | None, limit: int
) -> list[Program]:
    """Return at most `limit` programs, newest first, those older than the ID `before`."""
    query = select(programs).where(programs.c.account_id == account_id, programs.c.mode == mode.value)
    if kind is not None:
        query = query.where(programs.c.kind == kind.value)
    if before is not None:
        query = query.where(programs.c.id < before)
    return [from_columns(tuple(row)) for row in connection.execute(query.order_by(programs.c.id.desc()).limit(limit))]


def all_of(connection: Connection, account_id: str, mode: Mode) -> list[Program]:
    """Return every program of the account in this mode."""
    query = select(programs).where(programs.c.account_id == account_id, programs.c.mode == mode.value)
    return [from_columns(tuple(row)) for row in connection.execute(query)]


def remove_unless_used(connection: Connection, gone: Program) -> None:
    """Delete a program that has no passes, and the subscriptions to its webhooks."""
    if connection.execute(select(passes.c.id).where(passes.c.program_id == gone.id).limit(1)).first() is None:
        connection.execute(delete(sinks).where(sinks.c.program_id == gone.id))
        connection.execute(delete(programs).where(programs.c.id == gone.id))


def add(connection: Connection, program: Program) -> None:
    """Insert the program."""
    connection.execute(insert(programs), to_row(program))


def save(connection: Connection, program: Program) -> None:
    """Write the program over its row."""
    connection.execute(update(programs).where(programs.c.id == program.id), to_row(program))


def tiers_in_use(connection: Connection, program: Program, tier_ids: Iterable[str]) -> set[str]:
    """Return those of the tiers that passes of the program are on."""
    on_tier = (
        select(passes.c.id)
        .where(
            passes.c.account_id == program.account_id,
            passes.c.mode == program.mode.value,
            passes.c.tier_id == bindparam("tier_id"),
            passes.c.program_id == program.id,
        )
        .limit(1)
    )
    return {tier_id for tier_id in tier_ids if connection.execute(on_tier, {"tier_id": tier_id}).first()}


@lru_cache(maxsize=1024)
def from_columns(columns: tuple[Any, ...]) -> Program:
    """Make the value from the table's columns, in their order. The same columns give the same object."""
    (
        program_id,
        account_id,
        mode,
        issuer,
        kind,
        name,
        tiers,
        fields,
        colors,
        logo_text,
        terms,
        created_at,
        updated_at,
        upstream_id,
        upstream,
    ) = columns
    return Program(
        id=program_id,
        account_id=account_id,
        mode=Mode(mode),
        issuer=issuer,
        kind=Kind(kind),
        name=name,
        tiers=tuple(Tier(**tier) for tier in json.loads(tiers)),
        fields=tuple(CustomField(**{**field, "type": FieldType(field["type"])}) for field in json.loads(fields)),
        colors=Colors(**json.loads(colors)),
        logo_text=logo_text,
        terms=terms,
        created_at=instant(created_at),
        updated_at=instant(updated_at),
        upstream_id=upstream_id,
        upstream=json.loads(upstream) if upstream else {},
    )


def to_row(program: Program) -> dict[str, Any]:
    """Make a row of the table from the value."""
    return {
        "id": program.id,
        "account_id": program.account_id,
        "mode": program.mode.value,
        "issuer": program.issuer,
        "kind": program.kind.value,
        "name": program.name,
        "tiers": to_json([{"id": tier.id, "name": tier.name} for tier in program.tiers]),
        "fields": to_json(
            [{"name": f.name, "title": f.title, "type": f.type.value, "required": f.required} for f in program.fields]
        ),
        "colors": to_json(
            {
                "background": program.colors.background,
                "text": program.colors.text,
                "label": program.colors.label,
            }
        ),
        "logo_text": program.logo_text,
        "terms": program.terms,
        "created_at": to_milliseconds(program.created_at),
        "updated_at": to_milliseconds(program.updated_at),
        "upstream_id": program.upstream_id,
        "upstream": to_json(dict(program.upstream)) if program.upstream else None,
    }
