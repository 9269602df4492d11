"""The HTTP interface: authentication, limits, errors, and the routes."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.api import (
    account,
    actions,
    authentication,
    event_types,
    events,
    hooks,
    imports,
    issuer,
    issuer_webhooks,
    openapi,
    operations,
    passes,
    people,
    problems,
    programs,
)
from app.api.authentication import RateLimiter
from app.service import Service

MAX_BODY_BYTES = 64 * 1024


def init_app(app: Flask) -> None:
    """Give the application its API."""
    service: Service = app.extensions["passrail"]
    settings = service.settings
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    limiter = RateLimiter(
        Path(settings.data_dir) / "ratelimit",
        settings.rate_limit_per_minute,
        settings.rate_limit_burst,
        service.clock,
    )
    problems.init_app(app)
    authentication.init_app(app, limiter)
    issuer_webhooks.init_app(app)
    api = openapi.make_api(app)
    for module in (actions, passes, programs, operations, events, event_types, hooks, issuer, imports, people, account):
        for blueprint in module.blueprints():
            api.register_blueprint(blueprint)
    app.extensions["passrail_api"] = api
    openapi.serve(app, api)
