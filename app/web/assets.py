"""Files as they are: this package's own (`/static/...`) and how long a browser may keep one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Response, request, send_from_directory
from werkzeug.exceptions import NotFound

from app.service import current_service
from app.web.pages import not_found_page

STATIC = Path(__file__).parent / "static"
SHORT = 300
LONG = 365 * 24 * 3600


def static(name: str) -> Response:
    """Serve a file of this package."""
    return send_file_of(STATIC, name)


def send_file_of(folder: Path, name: str) -> Response:
    """Serve a file. Under an address that carries its fingerprint (`?v=...`) it may be kept for a year."""
    try:
        response = send_from_directory(folder, name)
    except NotFound:
        return not_found_page()
    kept = LONG if request.args.get("v") else SHORT
    response.headers["Cache-Control"] = f"public, max-age={kept}"
    return response


def static_url(name: str) -> str:
    """Return the address of a file of this package; it changes when the file does."""
    return f"{current_service().settings.base_path}/static/{name}?v={fingerprint(STATIC / name)}"


@cache
def fingerprint(path: Path) -> str:
    """Return a few characters that stand for the file's content. Read once: files change with a new version only."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
