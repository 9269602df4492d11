"""Addresses of what people open: pass pages, enrolment pages."""

from __future__ import annotations


def _host(region: str) -> str:
    return f"https://{region}.pskt.io"


def pass_url(region: str, pass_id: str) -> str:
    """Return the address of a pass page."""
    return f"{_host(region)}/{pass_id}"


def project_url(region: str, short_code: str) -> str:
    """Return the address where people enrol in a project."""
    return f"{_host(region)}/c/{short_code}"


def tier_url(region: str, short_code: str) -> str:
    """Return the address where people enrol in a tier."""
    return f"{_host(region)}/t/{short_code}"
