"""What is said about `/v1/issuer`: its inputs and answers, and examples."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, cast

from marshmallow import ValidationError
from marshmallow import fields as ma

from app.answer import said
from app.issuers import FORMS
from app.model import EndsCardsBy, Mode
from app.schema import Base, Choice
from app.service import current_service

ENDS_CARDS_BY = (
    "How a revoke that can be undone ends a card at the remote issuer. `expiry`: the card expires, and its record "
    "stays. `delete`: its record is deleted, for issuers or programs whose cards do not end when they expire."
)
ENDS_CARDS_BY_CHOICES = tuple(way.value for way in EndsCardsBy)


class ConnectionSettings(Base):
    """What is said of a connection to any kind of remote issuer."""

    ends_cards_by = Choice(
        "Ends Cards By",
        f"{ENDS_CARDS_BY} Left out: as the connection was before, or `expiry`.",
        choices=ENDS_CARDS_BY_CHOICES,
    )


SETTINGS = ConnectionSettings()


class Connect(Base):
    """What connects an account: the fields of the kind of remote issuer that `issuer` names, and our own."""

    def load(self, data: Any, **options: Any) -> dict[str, Any]:
        """Check the kind's fields by the form of that kind, which the running service knows."""
        kinds = current_service().remote_kinds
        kind = kinds.get(data["issuer"]) if isinstance(data.get("issuer"), str) else None
        if kind is None:
            raise ValidationError({"issuer": [f"Give one of: {', '.join(kinds)}."]})
        ours = {name: value for name, value in data.items() if name in SETTINGS.fields}
        theirs = {name: value for name, value in data.items() if name not in ours}
        loaded: dict[str, Any] = {}
        wrong: dict[str, Any] = {}
        for schema, part in ((SETTINGS, ours), (kind.form, theirs)):
            try:
                loaded |= schema.load(part)
            except ValidationError as error:
                wrong |= error.messages_dict
        if wrong:
            raise ValidationError(wrong)
        return loaded


def connect_input(forms: Mapping[str, Base]) -> Base:
    """Describe what connects an account to any of several kinds of remote issuer.

    Args:
        forms: what each kind takes, by the name that stands in its field `issuer`.
    """
    every: dict[str, ma.Field[Any]] = {}
    for form in forms.values():
        for name, field in form.fields.items():
            every.setdefault(name, copy(field)).required = False
    every["issuer"] = Choice(
        "Issuer", "Where the passes are to live.", choices=tuple(forms), required=True, example=next(iter(forms))
    )
    described = Connect.from_dict({**every, **SETTINGS.fields}, name="ConnectInput")
    described.json_schema_extra = {"oneOf": [_rules(name, form) for name, form in forms.items()]}  # type: ignore[attr-defined]
    return cast(Base, described())


def _rules(name: str, form: Base) -> dict[str, Any]:
    """Say in JSON Schema what holds for one kind only."""
    required = [name for name, field in form.fields.items() if field.required]
    only = {"properties": {"issuer": {"enum": [name]}}, "required": required}
    return {**only, **getattr(form, "json_schema_extra", {})}


def example_of(form: Base) -> dict[str, Any]:
    """Make an example of a form that was filled in."""
    return {name: field.metadata["examples"][0] for name, field in form.fields.items() if "examples" in field.metadata}


class IssuerChanges(Base):
    """What to change of a connection."""

    ends_cards_by = Choice(
        "Ends Cards By", ENDS_CARDS_BY, choices=ENDS_CARDS_BY_CHOICES, required=True, example="delete"
    )


class IssuerAnswer(Base):
    """Where passes live. With the built-in issuer, all but issuer and mode is null or empty."""

    issuer = ma.String(required=True, metadata=said("Issuer", "Where passes of this mode live.", next(iter(FORMS))))
    mode = ma.String(
        required=True, metadata=said("Mode", "Mode of the API key.", "live", enum=[mode.value for mode in Mode])
    )
    region = ma.String(required=True, allow_none=True, metadata=said("Region", "The remote issuer's region.", "pub1"))
    company = ma.String(
        required=True, allow_none=True, metadata=said("Company", "Company of the account there.", "Rosewater Ltd")
    )
    ends_cards_by = ma.String(
        required=True,
        allow_none=True,
        metadata=said("Ends Cards By", ENDS_CARDS_BY, "expiry", enum=[*ENDS_CARDS_BY_CHOICES, None]),
    )
    connected_at = ma.DateTime(
        required=True, allow_none=True, metadata=said("Connected At", "When.", "2026-11-20T09:30:00.000Z")
    )
    last_worked_at = ma.DateTime(
        required=True,
        allow_none=True,
        metadata=said(
            "Last Worked At", "When the remote issuer last took the credentials.", "2026-11-20T09:30:00.000Z"
        ),
    )
    last_problem = ma.Dict(
        required=True,
        allow_none=True,
        metadata={
            "title": "Last Problem",
            "description": "`code`, `detail` and `at` of why the connection does not work; null while it does.",
        },
    )
    draft_programs = ma.List(
        ma.String(),
        required=True,
        metadata=said(
            "Draft Programs",
            "Programs that the remote issuer has as drafts: their passes are for tests and may not live long.",
            [],
        ),
    )
    notes = ma.List(
        ma.String(),
        required=True,
        metadata=said(
            "Notes",
            "Sentences on what could not be read at the remote issuer and why, and on what is special about a program.",
            ["Rosewater Club: passes on the tier 'gold' never expire."],
        ),
    )


CONNECT, CHANGES, ISSUER = connect_input(FORMS), IssuerChanges(), IssuerAnswer()
EXAMPLE = {name: field.metadata.get("examples", [None])[0] for name, field in ISSUER.fields.items()}
CONNECT_EXAMPLE = example_of(next(iter(FORMS.values())))
