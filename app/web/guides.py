"""Two short guides that errors, help texts and no-code users are sent to."""

from __future__ import annotations

from typing import NamedTuple

from flask import Response

from app.service import current_service
from app.web.pages import html_page


class Simulation(NamedTuple):
    """An external ID that forces an outcome in test mode."""

    external_id: str
    status: int
    code: str
    effect: str


SIMULATIONS = (
    Simulation(
        "simulate_timeout",
        504,
        "outcome-unknown",
        "The first try with an idempotency key ends with an unknown outcome. The same request with the same key "
        "then succeeds, and the effect is there exactly once.",
    ),
    Simulation(
        "simulate_rate_limited",
        429,
        "rate-limited",
        "The issuer asks to slow down. Nothing is changed and the answer carries `Retry-After`.",
    ),
    Simulation(
        "simulate_upstream_down", 503, "upstream-unavailable", "The issuer cannot be reached. Nothing is changed."
    ),
    Simulation(
        "simulate_rejected",
        422,
        "upstream-rejected",
        "The issuer refuses the request and would refuse it again. Nothing is changed.",
    ),
)


def test_mode() -> Response:
    """Explain test mode and how to force an outcome in it."""
    return html_page("test_mode.html", simulations=SIMULATIONS, public_url=current_service().settings.public_url)


def revoke() -> Response:
    """Explain the two ways to revoke a pass."""
    return html_page("revoke.html")
