"""The baselines: the least a Flask JSON route can do under our gunicorn settings.

`create_app`: one route for GET and POST that answers `jsonify(ok=True)`. It reads neither headers nor body, checks
nothing, stores nothing, logs nothing, and has no hooks around it. What it costs is what gunicorn and Flask cost.

`create_calling_app`: the same, and each request makes one call to the address in `BENCH_UPSTREAM`, as update-points
does at PassKit, and answers what came. What it costs besides is what `requests` costs.
"""

from __future__ import annotations

import os
from typing import Any

import requests
from flask import Flask, Response, jsonify
from requests.adapters import HTTPAdapter

PATH = "/"
UPSTREAM_VARIABLE = "BENCH_UPSTREAM"
AT_ONCE = 32  # connections kept, as many as a process has threads
CALLER = "bare"


def create_app() -> Flask:
    """Make the application."""
    app = Flask(__name__, static_folder=None)

    @app.route(PATH, methods=["GET", "POST"])
    def bare() -> Response:
        return jsonify(ok=True)

    return app


def create_calling_app() -> Flask:
    """Make the application that calls on."""
    app = Flask(__name__, static_folder=None)
    url = os.environ[UPSTREAM_VARIABLE]
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=AT_ONCE))
    body: dict[str, Any] = {"id": CALLER, "points": 1, "eventDetails": {"externalEventId": CALLER}}

    @app.get(PATH)
    def lives() -> Response:
        return jsonify(ok=True)

    @app.post(PATH)
    def calling() -> Response:
        return jsonify(session.put(url, json=body, timeout=20).json())

    return app
