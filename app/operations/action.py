"""What an action is: one verb that changes a pass, with its input, its words and its decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.answer import PassAnswer
from app.effects import Effect
from app.errors import PassrailError
from app.model import Pass
from app.operations.lookup import Case
from app.schema import Base


@dataclass(frozen=True, slots=True)
class Decision:
    """What an action decided: effects to be made true, in this order; none where the pass is already as asked.

    `details` is what the answer tells beside the pass where no effect tells it.
    """

    effects: tuple[Effect, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def _nothing(_subject: Pass) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Action:
    """A verb that changes a pass. Its route, documentation, idempotency and audit follow from this value.

    `decide` is pure: it says what is to become true, or raises why that cannot be. It neither writes nor calls
    anything.
    `unchanged` is what the answer tells beside a pass that the action leaves as it is.
    `errors` are those it can raise itself; what every action can meet is added where routes are made.
    """

    name: str
    title: str
    summary: str
    description: str
    input: Base
    answer: PassAnswer
    decide: Callable[[Case], Decision]
    errors: tuple[type[PassrailError], ...]
    example_input: Mapping[str, Any]
    example_details: Mapping[str, Any]
    unchanged: Callable[[Pass], Mapping[str, Any]] = _nothing
    creates: bool = False
    # `email` is a new value in update-pass, and only names the pass where nothing else does.
    email_names_pass: bool = True

    @property
    def operation_id(self) -> str:
        """The action's name where dashes are not allowed (OpenAPI, Zapier and Make keys)."""
        return self.name.replace("-", "_")
