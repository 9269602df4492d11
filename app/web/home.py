"""The front page, and the small files every browser and crawler asks for."""

from __future__ import annotations

from flask import Response

from app.service import current_service
from app.web.assets import STATIC, send_file_of
from app.web.pages import html_page

ACTIONS = (
    ("Create pass", "Give somebody a card, coupon or ticket."),
    ("Update pass", "Change a name, a custom field or the expiry date."),
    ("Update points", "Add, subtract or set the balance."),
    ("Change tier", "Move a member up or down."),
    ("Redeem pass", "Use up a coupon, or let a ticket in."),
    ("Revoke pass", "Take a pass out of use, for now or for good."),
    ("Reinstate pass", "Bring a revoked pass back as it was."),
    ("Find pass", "Look one up by ID, external ID or e-mail."),
)


def home() -> Response:
    """Say what this is and where to go."""
    return html_page("home.html", actions=ACTIONS, public_url=current_service().settings.public_url)


def robots() -> Response:
    """Ask crawlers to leave people's passes alone."""
    return Response("User-agent: *\nDisallow: /p/\nDisallow: /v1/\n", mimetype="text/plain")


def favicon() -> Response:
    """Answer the address that browsers try unasked; today's take an SVG there."""
    return send_file_of(STATIC, "favicon.svg")
