"""The API reference: Swagger UI out of the installed package, started by a script of our own."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Response

from app.service import current_service
from app.web.assets import fingerprint, send_file_of
from app.web.pages import html_page, not_found_page

# Swagger UI sets style attributes from its script. That is allowed on this page alone, which shows no data of ours.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; script-src 'self'; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DISTRIBUTION = Path(flask_swagger_ui.__file__).parent / "dist"
_SERVED = ("swagger-ui.css", "swagger-ui-bundle.js")


def show() -> Response:
    """Show the interactive reference of `/openapi.json`."""
    page = html_page("docs.html", asset_url=_asset_url)
    page.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return page


def asset(name: str) -> Response:
    """Serve one of the two files of Swagger UI that the page needs."""
    return send_file_of(_DISTRIBUTION, name) if name in _SERVED else not_found_page()


def _asset_url(name: str) -> str:
    return f"{current_service().settings.base_path}/docs/assets/{name}?v={fingerprint(_DISTRIBUTION / name)}"
