"""Passrail: wallet passes as a handful of plain actions."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import api, health, logs, metrics, security, web
from app.clock import Clock, system_clock
from app.service import make_service
from app.settings import Settings, load_settings


def create_app(settings: Settings | None = None, clock: Clock = system_clock) -> Flask:
    """Wire the parts into a WSGI application.

    Args:
        settings: default: read from the environment.
        clock: the time; tests bring their own.

    Raises:
        app.settings.InvalidSetting: the environment holds a value that cannot be used.
    """
    settings = settings or load_settings()
    app = Flask(__name__, static_folder=None)
    # No view here is a coroutine; Flask would look into that a dozen times a request.
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]
    app.extensions["passrail"] = make_service(settings, clock)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    logs.init_app(app)
    metrics.init_app(app)
    health.init_app(app)
    security.init_app(app)
    api.init_app(app)
    web.init_app(app)
    return app
