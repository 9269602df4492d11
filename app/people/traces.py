"""Where data of a person stands beside the person's passes and what is stored of those.

An operation whose pass was never made, or that named its pass without the ID, is found by what it was to do or by what
it was refused with; what a remote issuer sent, by its text. All of it is read without locks, a part at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from app.accounts.keys import Caller
from app.effects import Issue
from app.events import outbox
from app.model import HOLDER_FIELDS
from app.operations.plan import CannotGoOn, plan_of
from app.people.person import Person
from app.store import people
from app.store.columns import to_json
from app.store.operations import Operation, OperationStatus
from app.store.people import Received, Remark

OPEN = (OperationStatus.RUNNING, OperationStatus.UNKNOWN)
# A shorter external ID counts only where it stands in quotes: a `7` stands in many a sentence.
LONG_ENOUGH = 8
SHORTEST_NAME = 2


@dataclass(frozen=True, slots=True)
class Traces:
    """What was found.

    Attributes:
        open_operations: on the person's passes, or about to make one; they have no outcome yet.
        operations: others that have ended, and name the person.
        webhooks: what a remote issuer sent of the person.
        remarks: on imports, connections and parked work, that name the person.
    """

    open_operations: tuple[Operation, ...]
    operations: tuple[Operation, ...]
    webhooks: tuple[Received, ...] = field(repr=False)
    remarks: tuple[Remark, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Names:
    """By what a text tells that it is about the person: `ids` are the issuer's, and are nobody else's."""

    ids: frozenset[str]
    pattern: re.Pattern[str] = field(repr=False)

    def are_in(self, text: str) -> bool:
        """Tell whether a text, which may be JSON, names the person."""
        return self.pattern.search(_plain(text)) is not None


def names_of(connection: Connection, person: Person) -> Names:
    """Gather all names that the person has or had, from passes and events."""
    ids = {subject.upstream_id for subject in person.passes if subject.upstream_id is not None}
    words = set(person.emails)
    for subject in person.passes:
        words |= {value for name in HOLDER_FIELDS if (value := getattr(subject, name)) is not None}
        for _, data in outbox.of_pass(connection, subject.id):
            described = json.loads(data)
            words |= {value for name in HOLDER_FIELDS if (value := described.get(name)) is not None}
    return Names(frozenset(ids), _pattern(person.external_ids, words | ids))


def _pattern(external_ids: Iterable[str], words: Iterable[str]) -> re.Pattern[str]:
    forms = [rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(words) if len(word) >= SHORTEST_NAME]
    for name in sorted(external_ids):
        forms.append(rf"['\"]{re.escape(name)}['\"]")
        if len(name) >= LONG_ENOUGH:
            forms.append(rf"(?<!\w){re.escape(name)}(?!\w)")
    return re.compile("|".join(forms) or r"(?!)", re.IGNORECASE)


def _plain(text: str) -> str:
    """Return JSON text with its letters as they are read, other text as it is."""
    try:
        return to_json(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return text


def search(connection: Connection, caller: Caller, person: Person, names: Names) -> Traces:
    """Look for traces of the person in the caller's account and mode."""
    place = caller.account_id, caller.mode
    known = {subject.id for subject in person.passes}
    blocking, ended = list[Operation](), list[Operation]()
    for operation in people.operations_with_texts(connection, *place):
        if operation.status in OPEN:
            if operation.pass_id in known or _makes(operation, person):
                blocking.append(operation)
        elif operation.pass_id not in known and (_makes(operation, person) or _is_told_of(operation, names)):
            ended.append(operation)
    webhooks = tuple(found for found in people.webhooks(connection, *place) if _is_from(found, names))
    remarks = tuple(remark for remark in people.remarks(connection, *place) if names.are_in(remark.text))
    return Traces(tuple(blocking), tuple(ended), webhooks, remarks)


def _makes(operation: Operation, person: Person) -> bool:
    """Tell whether an operation makes or was to make a pass of the person."""
    try:
        effects = plan_of(operation).effects if operation.request is not None else ()
    except CannotGoOn:
        return False
    return any(_is_for(effect, person) for effect in effects if isinstance(effect, Issue))


def _is_for(effect: Issue, person: Person) -> bool:
    if effect.external_id is not None:
        return effect.external_id in person.external_ids
    return effect.holder.get("email") in person.emails


def _is_told_of(operation: Operation, names: Names) -> bool:
    return operation.problem is not None and names.are_in(operation.problem)


def _is_from(found: Received, names: Names) -> bool:
    """Tell whether a webhook is about the person. One that waits is still needed, unless it is so for certain."""
    if found.is_waiting:
        return any(upstream_id in found.body for upstream_id in names.ids)
    return names.are_in(found.body)
