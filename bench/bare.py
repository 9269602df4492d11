"""The baseline: the least a Flask JSON route can do under our gunicorn settings.

One route for GET and POST that answers `jsonify(ok=True)`. It reads neither headers nor body, checks nothing, stores
nothing, logs nothing, and has no hooks around it. What it costs is what gunicorn and Flask cost.
"""

from __future__ import annotations

from flask import Flask, Response, jsonify

PATH = "/"


def create_app() -> Flask:
    """Make the application."""
    app = Flask(__name__, static_folder=None)

    @app.route(PATH, methods=["GET", "POST"])
    def bare() -> Response:
        return jsonify(ok=True)

    return app
