"""Programs of the built-in issuer: made and changed here, because nowhere else keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.errors import Duplicate, FieldError, ValidationFailed
from app.model import BUILTIN, Colors, CustomField, FieldType, IdKind, Kind, Mode, Program, Tier, new_id
from app.store import programs

FIRST_TIER = "Standard"


def create_program(
    connection: Connection, account_id: str, mode: Mode, data: Mapping[str, Any], now: datetime
) -> Program:
    """Make a program from what the caller said; `data` follows the schema of POST /v1/programs.

    Raises:
        Duplicate: the account has a program of this name in this mode.
        ValidationFailed: two tiers or fields have one name.
    """
    _refuse_taken_name(connection, account_id, mode, data["name"], None)
    program = Program(
        id=new_id(IdKind.PROGRAM),
        account_id=account_id,
        mode=mode,
        issuer=BUILTIN,
        kind=Kind(data["kind"]),
        name=data["name"],
        tiers=_tiers(data.get("tiers") or [{"name": FIRST_TIER}], ()),
        fields=_fields(data.get("fields", [])),
        colors=_colors(Colors(), data),
        logo_text=data.get("logo_text"),
        terms=data.get("terms"),
        created_at=now,
        updated_at=now,
    )
    programs.add(connection, program)
    return program


def change_program(connection: Connection, program: Program, data: Mapping[str, Any], now: datetime) -> Program:
    """Change what `data` names; what is absent stays. `tiers` and `fields` are replaced as whole lists.

    Raises:
        Duplicate: the new name is taken.
        ValidationFailed: a tier that is left out has passes, an ID is none of this program's, a name comes twice.
    """
    if "name" in data:
        _refuse_taken_name(connection, program.account_id, program.mode, data["name"], program.id)
    tiers = _tiers(data["tiers"], program.tiers) if "tiers" in data else program.tiers
    gone = {tier.id for tier in program.tiers} - {tier.id for tier in tiers}
    if used := programs.tiers_in_use(connection, program, gone):
        message = f"These tiers have passes and cannot be left out: {', '.join(sorted(used))}."
        raise ValidationFailed(errors=[FieldError("tiers", message)])
    changed = replace(
        program,
        name=data.get("name", program.name),
        tiers=tiers,
        fields=_fields(data["fields"]) if "fields" in data else program.fields,
        colors=_colors(program.colors, data),
        logo_text=data.get("logo_text", program.logo_text),
        terms=data.get("terms", program.terms),
        updated_at=now,
    )
    programs.save(connection, changed)
    return changed


def _refuse_taken_name(connection: Connection, account_id: str, mode: Mode, name: str, own_id: str | None) -> None:
    taken = programs.get_by_name(connection, account_id, mode, name)
    if taken is not None and taken.id != own_id:
        raise Duplicate(
            f"There is a program named '{name}' already: {taken.id}. Choose another name.",
            extra={"program_id": taken.id},
        )


def _tiers(given: Sequence[Mapping[str, Any]], known: tuple[Tier, ...]) -> tuple[Tier, ...]:
    """Keep the IDs of tiers that name theirs; give new ones to the rest."""
    known_ids = {tier.id for tier in known}
    wrong = [
        FieldError(f"tiers.{index}.id", "This program has no tier of this ID. Leave the ID out for a new tier.")
        for index, tier in enumerate(given)
        if "id" in tier and tier["id"] not in known_ids
    ]
    wrong += _repeated("tiers", "name", given) + _repeated("tiers", "id", given)
    if wrong:
        raise ValidationFailed(errors=wrong)
    return tuple(Tier(tier.get("id") or new_id(IdKind.TIER), tier["name"]) for tier in given)


def _fields(given: Sequence[Mapping[str, Any]]) -> tuple[CustomField, ...]:
    if wrong := _repeated("fields", "name", given):
        raise ValidationFailed(errors=wrong)
    return tuple(
        CustomField(field["name"], field.get("title") or field["name"], FieldType(field["type"]), field["required"])
        for field in given
    )


def _repeated(where: str, what: str, given: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    seen: set[str] = set()
    wrong = []
    for index, item in enumerate(given):
        value = item.get(what)
        if value is not None and value in seen:
            wrong.append(FieldError(f"{where}.{index}.{what}", "It stands in the list twice; each must be different."))
        seen.add(value or "")
    return wrong


def _colors(now: Colors, data: Mapping[str, Any]) -> Colors:
    return Colors(
        background=data.get("background_color", now.background),
        text=data.get("text_color", now.text),
        label=data.get("label_color", now.label),
    )
