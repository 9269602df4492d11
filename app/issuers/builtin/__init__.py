"""The built-in issuer: passes live in our own database and need no account anywhere."""

from __future__ import annotations

from app.model import Change


class BuiltinIssuer:
    """The record in our database *is* the pass: once it is written, everything is done."""

    name = "builtin"
    is_local = True

    def apply(self, change: Change, operation_id: str) -> None:
        """Nothing is left to do beyond writing the record, which the operation's transaction does."""

    def reconcile(self, change: Change, operation_id: str) -> bool:
        """Never in doubt: effect and operation are one transaction, and both are there or neither is."""
        return False
