"""The front page, and the small files every browser and crawler asks for."""

from __future__ import annotations

from flask import Response

from app.actions import ACTIONS
from app.service import current_service
from app.web.assets import STATIC, send_file_of
from app.web.pages import html_page

FIND = ("Find Pass", "Look one up by ID, external ID or e-mail.")


def home() -> Response:
    """Say what this is and where to go."""
    actions = [(action.title, f"{action.summary}.") for action in ACTIONS]
    return html_page("home.html", actions=[*actions, FIND], public_url=current_service().settings.public_url)


def robots() -> Response:
    """Ask crawlers to leave people's passes alone."""
    base_path = current_service().settings.base_path
    rules = f"User-agent: *\nDisallow: {base_path}/p/\nDisallow: {base_path}/v1/\n"
    return Response(rules, mimetype="text/plain")


def favicon() -> Response:
    """Answer the address that browsers try unasked; today's take an SVG there."""
    return send_file_of(STATIC, "favicon.svg")
