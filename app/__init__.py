"""Passrail: wallet passes as a handful of plain actions."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import api, health, logs, metrics, observe, prefix, security, web
from app.model import Clock, system_clock
from app.service import make_service
from app.settings import Settings, load_settings
from app.store.engine import post_nothing


def create_app(settings: Settings | None = None, clock: Clock = system_clock) -> Flask:
    """Wire the parts into a WSGI application.

    Args:
        settings: default: read from the environment.
        clock: the time; tests bring their own.

    Raises:
        app.settings.InvalidSetting: the environment holds a value that cannot be used.
    """
    # The queue is made from the environment's settings. With other settings (tests) no job is posted: sweeps do it all.
    post = _post if settings is None else post_nothing
    settings = settings or load_settings()
    app = Flask(__name__, static_folder=None)
    app.extensions["passrail"] = make_service(settings, clock, post, answers_requests=True)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    prefix.init_app(app)
    observe.init_app(app)
    logs.init_app(app)
    metrics.init_app(app)
    health.init_app(app)
    security.init_app(app)
    api.init_app(app)
    web.init_app(app)
    return app


def _post(job: str, row_id: str) -> None:
    from app import jobs

    jobs.post(job, row_id)
