"""QR codes: the one on the card (the pass ID, for staff) and the one for print and e-mail (the page's address)."""

from __future__ import annotations

import io

import segno
from flask import Response

from app.answer import page_url
from app.service import current_service
from app.web.lookup import find
from app.web.pages import keep_private, not_found_page

_QUIET_ZONE = 4


def data_uri(text: str) -> str:
    """Return the QR code of the text as an SVG image for an `img` element."""
    return str(segno.make(text, error="m", micro=False).svg_data_uri(scale=6, border=2, light="#ffffff"))


def svg(token: str) -> Response:
    """Answer the QR code of the page's address as SVG."""
    return _image(token, "svg", "image/svg+xml")


def png(token: str) -> Response:
    """Answer the QR code of the page's address as PNG."""
    return _image(token, "png", "image/png")


def _image(token: str, form: str, mimetype: str) -> Response:
    found = find(token)
    if found is None:
        return not_found_page()
    address = page_url(*found, current_service().settings.public_url)
    image = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(image, kind=form, scale=10, border=_QUIET_ZONE, light="#ffffff")
    return keep_private(Response(image.getvalue(), mimetype=mimetype))
