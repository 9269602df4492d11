"""How a page is answered: the few headers and the "not found" that several views share."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, render_template


def html_page(template: str, status: int = 200, **values: Any) -> Response:
    """Render a template of this package as an answer."""
    return make_response(render_template(f"web/{template}", **values), status)


def not_found_page() -> Response:
    """Answer 404 with a page for people. It never says why: a wrong address teaches nobody anything."""
    return keep_private(html_page("not_found.html", status=404))


def keep_private(response: Response) -> Response:
    """Keep an answer out of caches and search engines, and its address out of `Referer` headers.

    The address of a pass page is all that is needed to see the card.
    """
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
