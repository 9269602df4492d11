"""The public addresses of a pass. Everybody who writes one asks here, so that a change is made once."""

from __future__ import annotations

from urllib.parse import quote

from app.model import Pass, Program


def pass_url(public_url: str, link_token: str) -> str:
    """Return the address of the pass's page with us."""
    return f"{public_url}/p/{link_token}"


def qr_code_url(public_url: str, link_token: str) -> str:
    """Return the address of a picture (PNG) of a QR code that leads to the pass's page."""
    return f"{public_url}/p/{link_token}/qr.png"


def page_url(subject: Pass, program: Program, public_url: str) -> str:
    """Return the address of the pass's page: with us, or with the issuer it lives at."""
    return upstream_url(subject, program) or pass_url(public_url, subject.link_token)


def upstream_url(subject: Pass, program: Program) -> str | None:
    """Return the address of the pass's page with an issuer elsewhere; that issuer's own answers never tell it."""
    host = program.upstream.get("pass_url")
    if host is None or subject.upstream_id is None:
        return None
    return f"{host}/{quote(subject.upstream_id, safe='')}"


def apple_url(subject: Pass, program: Program) -> str | None:
    """Return the address of the Apple Wallet file, None where there is none."""
    page = upstream_url(subject, program)
    return f"{page}.pkpass" if page else None


def google_url(subject: Pass, program: Program) -> str | None:
    """Return the address that adds to Google Wallet, None where there is none."""
    page = upstream_url(subject, program)
    return f"{page}.gpay" if page else None
