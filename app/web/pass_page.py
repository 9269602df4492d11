"""The page of a pass: what its holder opens, prints and shows at the till."""

from __future__ import annotations

from typing import cast

from flask import Response, redirect

from app.answer import upstream_url
from app.service import current_service
from app.web.card import make_card
from app.web.colors import readable_colors
from app.web.lookup import find
from app.web.pages import html_page, keep_private, not_found_page
from app.web.qr import data_uri


def show(token: str) -> Response:
    """Show the pass as a wallet card."""
    found = find(token)
    if found is None:
        return not_found_page()
    shown, program = found
    if (at_issuer := upstream_url(shown, program)) is not None:
        return keep_private(cast(Response, redirect(at_issuer)))
    card = make_card(shown, program, current_service().clock())
    colors = readable_colors(program.colors)
    # The colours are in the stylesheet's address, so that it may be kept and still follows a change of them.
    version = f"{colors.background}{colors.text}{colors.label}".replace("#", "")
    code = None if card.is_erased else data_uri(card.code)
    stylesheet = f"{current_service().settings.base_path}/p/{token}/card.css?v={version}"
    page = html_page("pass.html", card=card, code=code, background=colors.background, stylesheet=stylesheet)
    return keep_private(page)


def stylesheet(token: str) -> Response:
    """Give the program's colours as custom properties; a strict policy allows no style inside the page."""
    found = find(token)
    if found is None:
        return not_found_page()
    colors = readable_colors(found[1].colors)
    css = (
        f".card {{\n  --card-background: {colors.background};\n"
        f"  --card-text: {colors.text};\n  --card-label: {colors.label};\n}}\n"
    )
    response = keep_private(Response(css, mimetype="text/css"))
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response
