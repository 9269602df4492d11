"""Who is meant: one person is every pass of an external ID, or of the holder of an e-mail address."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from app.accounts.keys import Caller
from app.errors import AmbiguousPass
from app.model import Pass, Program
from app.operations.lookup import AMBIGUOUS_SHOWN, find_program
from app.store import people
from app.store.passes import Found


@dataclass(frozen=True, slots=True)
class Locator:
    """How a caller names a person: by external ID or e-mail address, in one program or in all (None)."""

    external_id: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    program_id: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A person as far as we know: the passes with their programs, and the names they were found by."""

    found: tuple[Found, ...] = field(repr=False)
    external_ids: frozenset[str] = field(repr=False)
    emails: frozenset[str] = field(repr=False)

    @property
    def passes(self) -> tuple[Pass, ...]:
        """The passes, oldest first; also those that were revoked for good."""
        return tuple(subject for subject, _ in self.found)

    @property
    def programs(self) -> dict[str, Program]:
        """The programs of the passes, by ID."""
        return {program.id: program for _, program in self.found}


def find(connection: Connection, caller: Caller, locator: Locator) -> Person:
    """Return whom the locator names; without passes where nobody of that name is known.

    Raises:
        NotFound: the caller has no such program.
        AmbiguousPass: several people, who have external IDs of their own, share the e-mail address.
    """
    place = caller.account_id, caller.mode, locator.program_id
    if locator.program_id is not None:
        find_program(connection, caller, locator.program_id)
    if locator.email is None:
        assert locator.external_id is not None
        found = people.passes_of_external_id(connection, *place, locator.external_id)
        return Person(tuple(found), frozenset({locator.external_id}), frozenset())
    found = people.passes_of_email(connection, *place, locator.email)
    names = {subject.external_id for subject, _ in found if subject.external_id is not None}
    if len(names) > 1:
        raise _several(found, names)
    by_id = {subject.id: (subject, program) for subject, program in found}
    for name in names:
        also = people.passes_of_external_id(connection, *place, name)
        by_id |= {subject.id: (subject, program) for subject, program in also}
    return Person(tuple(by_id[pass_id] for pass_id in sorted(by_id)), frozenset(names), frozenset({locator.email}))


def _several(found: list[Found], names: set[str]) -> AmbiguousPass:
    return AmbiguousPass(
        f"{len(names)} people have this e-mail address. Use external_id to name the one you mean.",
        extra={
            "pass_ids": [subject.id for subject, _ in found[:AMBIGUOUS_SHOWN]],
            "external_ids": sorted(names)[:AMBIGUOUS_SHOWN],
        },
    )
