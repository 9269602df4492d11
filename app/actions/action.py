"""What an action is: one verb that changes a pass, with its input, its words and its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.answer import PassAnswer
from app.errors import PassrailError
from app.model import Change, Pass, Program
from app.schema import Base


@dataclass(frozen=True, slots=True)
class Case:
    """What an action's function decides on: the input, and the program and pass it is about.

    `found` is None only for an action that `creates`, when there is no such pass yet.
    """

    data: Mapping[str, Any]
    program: Program
    found: Pass | None
    now: datetime

    @property
    def subject(self) -> Pass:
        """The pass that an action on an existing pass is about."""
        assert self.found is not None
        return self.found


@dataclass(frozen=True, slots=True)
class Action:
    """A verb that changes a pass. Its route, documentation, idempotency and audit follow from this value.

    `decide` is pure: it says what shall change or raises why not, and neither writes nor calls anything.
    `errors` are those it can raise itself; what every action can meet is added where routes are made.
    """

    name: str
    title: str
    summary: str
    description: str
    input: Base
    answer: PassAnswer
    decide: Callable[[Case], Change]
    errors: tuple[type[PassrailError], ...]
    example_input: Mapping[str, Any]
    example_details: Mapping[str, Any]
    creates: bool = False
    # `email` is a new value in update-pass, and only names the pass where nothing else does.
    email_names_pass: bool = True

    @property
    def operation_id(self) -> str:
        """The action's name where dashes are not allowed (OpenAPI, Zapier and Make keys)."""
        return self.name.replace("-", "_")
