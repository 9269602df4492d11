"""Headers that tell browsers to be careful, on every answer.

A view that needs more (the documentation page's styles) sets the header itself; what is set is left alone.
"""

from __future__ import annotations

from flask import Flask, Response, request

from app.service import Service

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# For programs: nothing is ever shown, framed or cached.
FOR_API = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
FOR_PAGES = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def init_app(app: Flask) -> None:
    """Put the headers on every answer."""
    service: Service = app.extensions["passrail"]
    https = {"Strict-Transport-Security": "max-age=31536000"}
    always = https if service.settings.public_url.startswith("https://") else {}
    for_api, for_pages = [*FOR_API.items(), *always.items()], [*FOR_PAGES.items(), *always.items()]

    @app.after_request
    def harden(response: Response) -> Response:
        if request.path.startswith("/v1/"):
            for name, value in for_api:
                response.headers.add(name, value)
        else:
            for name, value in for_pages:
                response.headers.setdefault(name, value)
        return response
