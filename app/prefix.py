"""A service that lies under a path: `BASE_URL=https://example.com/passes`.

The proxy in front may take the path away before it passes a request on, or leave it; both are understood. Whatever the
service writes itself (pages, redirects, links) has the path, from `settings.base_path`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.routing import RequestRedirect

from app.service import Service


def init_app(app: Flask) -> None:
    """Find the routes under the path, and keep redirects of the router within it."""
    service: Service = app.extensions["passrail"]
    base_path = service.settings.base_path
    if base_path:
        inner = app.wsgi_app

        def below(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            if path == base_path or path.startswith(f"{base_path}/"):
                environ["PATH_INFO"] = path[len(base_path) :] or "/"
            environ["SCRIPT_NAME"] = base_path
            return inner(environ, start_response)

        app.wsgi_app = below  # type: ignore[method-assign]
    app.before_request(redirect_within)


def redirect_within() -> Response | None:
    """Answer what the router redirects (`/v1//me`) with a path; the router repeats the host that the caller claims."""
    redirect = request.routing_exception
    if not isinstance(redirect, RequestRedirect):
        return None
    target = urlsplit(redirect.new_url)
    location = f"/{target.path.lstrip('/')}" + (f"?{target.query}" if target.query else "")
    return Response(status=redirect.code, headers={"Location": location})
