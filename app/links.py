"""The public addresses of a pass. Everybody who writes one asks here, so that a change is made once."""

from __future__ import annotations


def pass_url(public_url: str, link_token: str) -> str:
    """Return the address of the pass's page."""
    return f"{public_url}/p/{link_token}"


def qr_code_url(public_url: str, link_token: str) -> str:
    """Return the address of a picture (PNG) of a QR code that leads to the pass's page."""
    return f"{public_url}/p/{link_token}/qr.png"
