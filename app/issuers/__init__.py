"""Where passes live.

An issuer makes a decided change true in the place where the pass really is. `issuer_for` says which issuer a
request goes to.
"""

from __future__ import annotations

from app.issuers.builtin import BuiltinIssuer
from app.issuers.protocol import ExistsAlready, Issuer
from app.issuers.simulated import OUTCOMES, SimulatedIssuer
from app.model import Mode

_BUILTIN = BuiltinIssuer()


def issuer_for(mode: Mode, external_id: str | None) -> Issuer:
    """Return the issuer of a request: the built-in one, or in test mode the one a magic external ID asks for."""
    if mode is Mode.TEST and external_id in OUTCOMES:
        return SimulatedIssuer(external_id)
    return _BUILTIN


__all__ = ["ExistsAlready", "Issuer", "issuer_for"]
