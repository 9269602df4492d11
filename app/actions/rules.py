"""Rules that several actions share: which state a pass must be in, and how holder data is taken over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from app.actions.action import Case
from app.clock import to_text
from app.errors import FieldError, NotApplicable, ValidationFailed
from app.model import CustomField, FieldType, Kind, Pass, Program

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
HOLDER_FIELDS = ("email", "first_name", "last_name", "phone")


def refuse_deleted(subject: Pass) -> None:
    """Nothing can be done to a pass that was revoked for good.

    Raises:
        NotApplicable: it was.
    """
    if subject.deleted_at is not None:
        raise NotApplicable(
            f"This pass was permanently revoked on {to_text(subject.deleted_at)}. Create a new pass instead."
        )


def refuse_revoked(subject: Pass) -> None:
    """A revoked pass must be reinstated before its value changes.

    Raises:
        NotApplicable: it is revoked.
    """
    refuse_deleted(subject)
    if subject.revoked_at is not None:
        raise NotApplicable(
            f"This pass was revoked on {to_text(subject.revoked_at)}. Reinstate it first, then try again."
        )


def refuse_kind(case: Case, *, allowed: tuple[Kind, ...], sentence: str) -> None:
    """Refuse kinds of program that the action does not exist for.

    Raises:
        NotApplicable: with `sentence`, which says what the action works for.
    """
    if case.program.kind not in allowed:
        raise NotApplicable(f"This pass is a {case.program.kind.words}. {sentence}")


def refuse_unknown_tier(program: Program, tier_id: str) -> None:
    """A tier must be one of the pass's own program.

    Raises:
        ValidationFailed: it is not; the message lists those there are.
    """
    if program.tier(tier_id) is None:
        tiers = ", ".join(f"{tier.id} ({tier.name})" for tier in program.tiers)
        raise ValidationFailed(errors=[FieldError("tier_id", f"This program has no such tier. It has: {tiers}.")])


def check_custom_fields(program: Program, texts: Mapping[str, str | None], *, complete: bool) -> None:
    """Hold values against the program's custom fields.

    Args:
        program: says which fields there are.
        texts: the values by name; None clears.
        complete: required fields must be there, too (a new pass).

    Raises:
        ValidationFailed: naming every field that is unknown, missing or of the wrong type.
    """
    known = {field.name: field for field in program.fields}
    wrong = []
    for name, text in texts.items():
        if name not in known:
            names = ", ".join(known) or "none"
            wrong.append(FieldError(f"fields.{name}", f"This program has no such field. It has: {names}."))
        elif text is None:
            if known[name].required:
                wrong.append(FieldError(f"fields.{name}", "This program requires the field; give a value."))
        elif (message := _type_error(known[name], text)) is not None:
            wrong.append(FieldError(f"fields.{name}", message))
    if complete:
        missing = [field.name for field in program.fields if field.required and field.name not in texts]
        wrong += [FieldError(f"fields.{name}", "This program requires the field; give a value.") for name in missing]
    if wrong:
        raise ValidationFailed(errors=wrong)


def _type_error(field: CustomField, text: str) -> str | None:
    if field.type is FieldType.NUMBER and not _NUMBER.fullmatch(text):
        return "Give a number such as 25 or 12.50."
    if field.type is FieldType.DATE and not _is_date(text):
        return "Give a date such as 2027-01-31."
    return None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DATE.fullmatch(text) is not None


def take_over(subject: Pass, program: Program, data: Mapping[str, Any]) -> tuple[Pass, list[str]]:
    """Write what `data` says of holder, custom fields and expiry onto the pass.

    A value of None clears, an absent one leaves alone. Custom fields are merged one by one.

    Returns:
        The pass as it shall be (the same object when nothing differs) and the names of what changed.
    """
    texts: Mapping[str, str | None] = data.get("fields", {})
    check_custom_fields(program, texts, complete=False)
    wanted: dict[str, Any] = {name: data[name] for name in (*HOLDER_FIELDS, "expires_at") if name in data}
    wanted = {name: value for name, value in wanted.items() if getattr(subject, name) != value}
    changed = list(wanted)
    merged = {name: text for name, text in {**subject.fields, **texts}.items() if text is not None}
    if merged != subject.fields:
        names = {*merged, *subject.fields}
        changed += sorted(f"fields.{name}" for name in names if merged.get(name) != subject.fields.get(name))
        wanted["fields"] = merged
    return (replace(subject, **wanted), changed) if changed else (subject, [])
