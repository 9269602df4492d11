"""What an issuer must be able to do."""

from __future__ import annotations

from typing import Protocol

from app.model import Change, Pass


class ExistsAlready(Exception):
    """The issuer has a pass of this external ID that we knew nothing of. `found` is that pass, not yet on record."""

    def __init__(self, found: Pass) -> None:
        super().__init__(found.upstream_id)
        self.found = found


class Issuer(Protocol):
    """A place where passes live.

    `is_local` says how the operation runner (`actions/operation.py`) works with it. A local issuer keeps its
    passes in our database: the effect is part of the operation's one transaction and cannot be in doubt. Any
    other is called between two transactions, and may answer late, not at all, or not clearly.
    """

    name: str
    is_local: bool

    def apply(self, change: Change, operation_id: str) -> Change | None:
        """Make the change true.

        Args:
            change: what was decided.
            operation_id: given along, so that `reconcile` can find the effect again.

        Returns:
            The change as it came out, which is what gets recorded; None where our own record is the truth, so that it
            can be decided once more on what is there when it is written.

        Raises:
            ExistsAlready: a pass that was to be made is there, and it is not one this operation made.
            RateLimited, UpstreamUnavailable: it was certainly not done and may be tried again later.
            UpstreamRejected: it was certainly not done and never will be.
            OutcomeUnknown: nobody can tell; `reconcile` must find out before anything is tried again.
        """
        ...

    def reconcile(self, change: Change, operation_id: str) -> Change | bool:
        """Find out whether an earlier `apply` with this operation ID took effect.

        Returns:
            True: it did. A change: it did, and this came out. False: it certainly did not, and may be applied now.

        Raises:
            ExistsAlready: as for `apply`.
            OutcomeUnknown, UpstreamUnavailable: it is still unclear.
        """
        ...
