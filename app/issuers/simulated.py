"""Test mode's issuer of forced outcomes.

A caller who names one of the magic external IDs in test mode meets the outcome it stands for, so that a Zap, a
scenario or a script can be tried against every failure. Apart from that it is the built-in issuer.
"""

from __future__ import annotations

from collections.abc import Callable

from app.errors import OutcomeUnknown, PassrailError, RateLimited, UpstreamRejected, UpstreamUnavailable
from app.model import Change, Mode

TIMEOUT = "simulate_timeout"
OUTCOMES: dict[str, Callable[[], PassrailError]] = {
    TIMEOUT: lambda: OutcomeUnknown(
        "Simulated: the issuer did not answer in time. Send the same request with the same key: it then succeeds."
    ),
    "simulate_rate_limited": lambda: RateLimited(
        "Simulated: the issuer asks to slow down. Send the same request again in 2 seconds.", retry_after=2
    ),
    "simulate_upstream_down": lambda: UpstreamUnavailable(
        "Simulated: the issuer is not reachable. Send the same request again in 30 seconds.", retry_after=30
    ),
    "simulate_rejected": lambda: UpstreamRejected(
        "Simulated: the issuer refused the request. Another external ID is needed to succeed."
    ),
}


class SimulatedIssuer:
    """Fails every first try in one way. After a simulated timeout it turns out that the work was done."""

    name = "builtin"
    is_local = False

    def __init__(self, external_id: str) -> None:
        self._outcome = OUTCOMES[external_id]

    def apply(self, change: Change, operation_id: str) -> None:
        """Raise the outcome this issuer stands for."""
        raise self._outcome()

    def reconcile(self, change: Change, operation_id: str) -> bool:
        """Only a timeout leaves something to find out, and it always turns out well."""
        return True


def refusal_without_pass(mode: Mode, external_id: str | None) -> PassrailError | None:
    """Return how an action on a pass that is not there is refused, where a magic external ID asks for it.

    Only a time-out leaves a pass behind; one with another of the IDs can never be made, and must not be asked for.
    """
    if mode is not Mode.TEST or external_id not in OUTCOMES or external_id == TIMEOUT:
        return None
    return OUTCOMES[external_id]()
