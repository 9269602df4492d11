"""What people look at: the page of a pass, the documentation, the front page.

Plain Flask, rendered on the server, and not part of OpenAPI. Every page but `/docs` works without JavaScript. The
pages are made for a strict Content-Security-Policy: no inline style, no inline script, nothing from elsewhere.
"""

from __future__ import annotations

from flask import Blueprint, Flask

from app.service import Service
from app.web import assets, docs, error_pages, guides, home, pass_page, qr, words

ROUTES = (
    ("/", home.home),
    ("/robots.txt", home.robots),
    ("/favicon.ico", home.favicon),
    ("/static/<path:name>", assets.static),
    ("/p/<token>", pass_page.show),
    ("/p/<token>/card.css", pass_page.stylesheet),
    ("/p/<token>/qr.svg", qr.svg),
    ("/p/<token>/qr.png", qr.png),
    ("/docs", docs.show),
    ("/docs/assets/<name>", docs.asset),
    ("/docs/errors", error_pages.index),
    ("/docs/errors/<code>", error_pages.show),
    ("/docs/test-mode", guides.test_mode),
    ("/docs/revoke", guides.revoke),
)


def init_app(app: Flask) -> None:
    """Register every page."""
    blueprint = Blueprint("web", __name__, template_folder="templates")
    service: Service = app.extensions["passrail"]
    for_all = {
        "static_url": assets.static_url,
        "to_html": words.to_html,
        "base_path": service.settings.base_path,
    }
    blueprint.context_processor(lambda: for_all)
    for path, view in ROUTES:
        endpoint = f"{view.__module__.rpartition('.')[2]}_{view.__name__}"
        blueprint.add_url_rule(path, endpoint=endpoint, view_func=view, strict_slashes=False)
    app.register_blueprint(blueprint)
