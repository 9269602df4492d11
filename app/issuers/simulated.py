"""Test mode's issuer of forced outcomes.

A caller who names one of the magic external IDs in test mode meets the outcome it stands for, so that a Zap, a
scenario or a script can be tried against every failure. The passes themselves live in our database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.effects import Effect
from app.errors import OutcomeUnknown, PassrailError, RateLimited, UpstreamRejected, UpstreamUnavailable
from app.issuers.protocol import Done, Outcome, Refused, Settled, Step, Unclear
from app.model import Mode

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


@dataclass(frozen=True, slots=True)
class SimulatedIssuer:
    """Fails every first try in one way. After a simulated time-out it turns out that the work was done."""

    external_id: str

    def _fail(self, effect: Effect, step: Step) -> Outcome:
        error = OUTCOMES[self.external_id]()
        return Unclear(error) if self.external_id == TIMEOUT else Refused(error)

    issue = update_holder = add_points = set_points = change_tier = _fail
    redeem = revoke = reinstate = set_expiry = _fail

    def settled(self, effect: Effect, step: Step) -> Settled:
        """Only a time-out leaves something to find out: nothing at the first look, and at the next that it was done."""
        if step.looks == 0:
            return Unclear(OUTCOMES[self.external_id]())
        return Done(step.subject, effect.on(step.subject, step.now))


def simulated_issuer(mode: Mode, external_id: str | None) -> SimulatedIssuer | None:
    """Return the issuer that a magic external ID asks for, None where it is none or not test mode."""
    if mode is not Mode.TEST or external_id is None or external_id not in OUTCOMES:
        return None
    return SimulatedIssuer(external_id)


def refusal_without_pass(mode: Mode, external_id: str | None) -> PassrailError | None:
    """Return how an action on a pass that is not there is refused, where a magic external ID asks for it.

    Only a time-out leaves a pass behind; one with another of the IDs can never be made, and must not be asked for.
    """
    if mode is not Mode.TEST or external_id not in OUTCOMES or external_id == TIMEOUT:
        return None
    return OUTCOMES[external_id]()
