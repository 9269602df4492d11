"""What an issuer must be able to do."""

from __future__ import annotations

from typing import Protocol

from app.model import Change


class Issuer(Protocol):
    """A place where passes live.

    `is_local` says how the operation runner (`actions/operation.py`) works with it. A local issuer keeps its
    passes in our database: the effect is part of the operation's one transaction and cannot be in doubt. Any
    other is called between two transactions, and may answer late, not at all, or not clearly.

    `needs_pass` is False for an issuer that answers even about a pass that is not there (test mode's refusals).
    """

    name: str
    is_local: bool
    needs_pass: bool

    def apply(self, change: Change | None, operation_id: str) -> None:
        """Make the change true.

        Args:
            change: what was decided; None where the pass is not there and is not needed.
            operation_id: given along, so that `reconcile` can find the effect again.

        Raises:
            RateLimited, UpstreamUnavailable: it was certainly not done and may be tried again later.
            UpstreamRejected: it was certainly not done and never will be.
            OutcomeUnknown: nobody can tell; `reconcile` must find out before anything is tried again.
        """
        ...

    def reconcile(self, change: Change | None, operation_id: str) -> bool:
        """Find out whether an earlier `apply` with this operation ID took effect.

        Returns:
            True: it did. False: it certainly did not, and may be applied now.

        Raises:
            OutcomeUnknown, UpstreamUnavailable: it is still unclear.
        """
        ...
