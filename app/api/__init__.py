"""The HTTP interface: authentication, limits, errors, and the routes."""

from __future__ import annotations

from functools import cache
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
from app.api.blueprint import Blueprint
from app.api.shared_limit import SharedRateLimiter
from app.service import Service

MAX_BODY_BYTES = 64 * 1024


def init_app(app: Flask) -> None:
    """Give the application its API."""
    service: Service = app.extensions["passrail"]
    settings = service.settings
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    of_machine = RateLimiter(
        Path(settings.data_dir) / "ratelimit",
        settings.rate_limit_per_minute,
        settings.rate_limit_burst,
        service.clock,
    )
    limiter = SharedRateLimiter(settings.redis_url, of_machine) if settings.redis_url else of_machine
    problems.init_app(app)
    authentication.init_app(app, limiter)
    issuer_webhooks.init_app(app)
    openapi.init_app(app, blueprints())
    for blueprint in blueprints():
        app.register_blueprint(blueprint)


@cache
def blueprints() -> tuple[Blueprint, ...]:
    """Return the routes and what they document. They hold nothing of an application, so that they are made once."""
    modules = (actions, passes, programs, operations, events, event_types, hooks, issuer, imports, people, account)
    return tuple(blueprint for module in modules for blueprint in module.blueprints())
