"""What PassKit tells: whose credentials these are, programs, passes, subscriptions. Changes no pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from app.errors import PassrailError, UpstreamRejected
from app.issuers.passkit import catalogue, sinks
from app.issuers.passkit.failures import NotFound, PassKitFailure
from app.issuers.passkit.mapping import OWN_PREFIX, new_pass, updated_from
from app.issuers.passkit.passes import routes_of
from app.issuers.passkit.translate import UNKNOWN_PROGRAM, to_error
from app.issuers.passkit.transport import Transport
from app.issuers.remote import Catalogue, Profile
from app.model import Pass, Program


@dataclass(frozen=True, slots=True)
class PassKitReader:
    """PassKit as one account sees it, for the time of one action.

    Args:
        transport: whose account.
        region: of the connection.
        now: the time.
    """

    transport: Transport
    region: str
    now: datetime

    def profile(self) -> Profile:
        """Prove the credentials."""
        with _in_our_words():
            return catalogue.prove(self.transport, self.region)

    def catalogue(self) -> Catalogue:
        """Read the programs."""
        with _in_our_words():
            return catalogue.read(self.transport, self.now)

    def find(self, program: Program, external_id: str) -> Pass | None:
        """Return the program's pass of this external ID. External IDs of our own making are nobody's."""
        if external_id.startswith(OWN_PREFIX):
            return None
        with _in_our_words():
            try:
                record = routes_of(program).find(self.transport, _id_of(program), external_id)
            except NotFound:
                self._need_program(program)
                return None
            return new_pass(record, program, self.now)

    def read(self, program: Program, known: Pass) -> Pass | None:
        """Return a pass as PassKit has it now. One whose record was deleted to revoke it has none to read."""
        if known.upstream_id is None:
            return known
        with _in_our_words():
            try:
                record = routes_of(program).get(self.transport, known.upstream_id)
            except NotFound:
                self._need_program(program)
                return None
            return updated_from(known, record, program, self.now)

    def read_new(self, program: Program, upstream_id: str) -> Pass | None:
        """Return a pass that is not on record here, by PassKit's ID."""
        with _in_our_words():
            try:
                record = routes_of(program).get(self.transport, upstream_id)
            except NotFound:
                self._need_program(program)
                return None
            return new_pass(record, program, self.now) if record.program_id == program.upstream_id else None

    def passes(self, program: Program, offset: int, limit: int, known: Callable[[str], Pass | None]) -> Sequence[Pass]:
        """Return a page of the program's passes, those made first first."""
        with _in_our_words():
            found = routes_of(program).page(self.transport, _id_of(program), offset, limit)
        records = [(record, known(record.id)) for record in found]
        return [
            new_pass(record, program, self.now) if known is None else updated_from(known, record, program, self.now)
            for record, known in records
        ]

    def subscribe(self, program: Program, url: str) -> str:
        """Have webhooks of the program sent to the address."""
        with _in_our_words():
            return sinks.create(self.transport, program.kind, _id_of(program), url)

    def find_subscription(self, program: Program, url: str) -> str | None:
        """Return the ID of the subscription that sends to the address."""
        with _in_our_words():
            return sinks.find(self.transport, program.kind, _id_of(program), url)

    def unsubscribe(self, program: Program, subscription_id: str) -> None:
        """End a subscription."""
        with _in_our_words():
            sinks.delete(self.transport, program.kind, subscription_id)

    def why_missing(self, program: Program) -> PassrailError | None:
        """Say why a record is not there: None where PassKit knows the program, so that it was deleted.

        The wrong region or account answers 404 for everything (field report).

        Raises:
            PassKitFailure: it cannot be asked.
        """
        try:
            routes_of(program).need_program(self.transport, _id_of(program))
        except NotFound as failure:
            return UpstreamRejected(f"{UNKNOWN_PROGRAM} PassKit says: {failure.text}")
        return None

    def _need_program(self, program: Program) -> None:
        error = self.why_missing(program)
        if error is not None:
            raise error


def _id_of(program: Program) -> str:
    assert program.upstream_id is not None
    return program.upstream_id


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn PassKit's failures into errors of ours."""
    try:
        yield
    except PassKitFailure as failure:
        raise to_error(failure) from failure
