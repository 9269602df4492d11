"""Reading passes at PassKit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.issuers.passkit.desks import Desk, desk_of
from app.issuers.passkit.failures import NotFound
from app.issuers.passkit.mapping import new_pass, program_of, take_over
from app.issuers.passkit.transport import Transport
from app.model import Pass, Program


@dataclass(frozen=True, slots=True)
class PassKitReader:
    """One program's passes at PassKit. All methods raise `PassKitFailure`s.

    Args:
        transport: whose account.
        program: what the passes are issued from.
        now: the time.
    """

    transport: Transport
    program: Program
    now: datetime

    @property
    def _desk(self) -> Desk:
        return desk_of(self.transport, self.program)

    def find(self, external_id: str) -> Pass:
        """Return the program's pass of this external ID, which is not on record yet."""
        return new_pass(self._desk.find(external_id), self.program, self.now)

    def read_new(self, upstream_id: str) -> Pass:
        """Return a pass that is not on record yet, by PassKit's ID.

        Raises:
            NotFound: PassKit has it in another program.
        """
        record = self._desk.get(upstream_id)
        if program_of(record) != self.program.upstream_id:
            raise NotFound("The pass is of another program.")
        return new_pass(record, self.program, self.now)

    def read(self, known: Pass) -> Pass:
        """Return a pass as PassKit has it now."""
        assert known.upstream_id is not None
        return take_over(known, self._desk.get(known.upstream_id), self.now)
