"""Addresses of pass pages. PassKit answers create and update with an ID only, never with an address."""

from __future__ import annotations

from urllib.parse import quote

from app.issuers.passkit.credentials import Credentials


def pass_page(credentials: Credentials, pass_id: str) -> str:
    """Return the public page of a pass: `https://pub1.pskt.io/{id}`, or the account's own domain (documented)."""
    return f"{credentials.pass_url}/{quote(pass_id, safe='')}"


def apple_file(credentials: Credentials, pass_id: str) -> str:
    """Return the address of the file for Apple Wallet."""
    return f"{pass_page(credentials, pass_id)}.pkpass"


def google_page(credentials: Credentials, pass_id: str) -> str:
    """Return the address that leads into Google Wallet."""
    return f"{pass_page(credentials, pass_id)}.gpay"


def enrolment_page(credentials: Credentials, project_short_code: str) -> str:
    """Return the page where people enrol themselves in a program (documented for members; coupons: not known)."""
    return f"{credentials.pass_url}/c/{quote(project_short_code, safe='')}"
