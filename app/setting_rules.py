"""What the text of a setting must look like, beyond its first letters. A rule returns what is wrong, None if nothing.

No rule repeats an address: it may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

Rule = Callable[[str], str | None]

LARGEST_PORT = 65_535
# The first words of the service's own addresses. With one of these as its path in BASE_URL nobody could tell whether
# the proxy in front takes the path away.
OWN_PATHS = ("v1", "p", "docs", "static", "openapi.json", "healthz", "readyz", "metrics")

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")


def host(text: str) -> str | None:
    """Take the name or IP address of a machine."""
    if _is_host(text):
        return None
    return "it must be an IP address or the name of a machine, without a port."


def public_address(text: str) -> str | None:
    """Take the address that people and machines reach the service at."""
    parts = _parts(text)
    if parts is None or not _is_host(parts.hostname or ""):
        return "it must have a proper host and port, as in https://pass.example.com."
    if parts.username is not None or parts.query or parts.fragment or text[-1] in "?#":
        return "it must have no user name, no '?' and no '#'."
    if not _PATH.fullmatch(parts.path):
        return "its path may have letters, digits, '-', '_', '.', '~' and single slashes."
    first = parts.path.strip("/").partition("/")[0]
    if first in OWN_PATHS:
        return f"its path must not begin with /{first}, which is an address of the service itself."
    return None


def database_address(text: str) -> str | None:
    """Take an SQLAlchemy address of PostgreSQL, or of an SQLite file."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return "it must have the form postgresql://user:password@host:port/name; special characters need %XX."
    if url.get_backend_name() == "sqlite":
        is_file = url.database not in (None, "", ":memory:") and not url.host
        return None if is_file else "it must name a file: sqlite:////folder/file.db, with four slashes."
    if url.port is not None and not 0 < url.port <= LARGEST_PORT:
        return f"its port must be from 1 to {LARGEST_PORT}."
    return "its host must have no spaces." if re.search(r"\s", url.host or "") else None


def redis_address(text: str) -> str | None:
    """Take the address of a Redis server."""
    parts = _parts(text)
    if parts is None:
        return "it must have a proper host and port, as in redis://host:6379/0."
    if parts.scheme == "unix":
        return None if len(parts.path) > 1 else "it must name a socket: unix:///folder/redis.sock."
    if not _is_host(parts.hostname or ""):
        return "it must have a proper host and port, as in redis://host:6379/0."
    return None if re.fullmatch(r"(/\d*)?", parts.path) else "it may end with the number of a database only: /0."


def hosts(text: str) -> str | None:
    """Take a list of `host` or `host:port`."""
    for number, entry in enumerate(text.split(","), start=1):
        parts = _parts(f"//{entry.strip()}")
        bare = parts is not None and parts.netloc == entry.strip() and "@" not in entry
        if parts is None or not bare or not _is_host(parts.hostname or ""):
            return f"entry {number} must be host or host:port, without https:// and without a path."
    return None


def _parts(text: str) -> SplitResult | None:
    """Split an address; None where its host or port cannot be."""
    try:
        parts = urlsplit(text)
        is_right = parts.port != 0 and not re.search(r"[\s\\\x00-\x1f]", text)
    except ValueError:
        return None
    return parts if is_right and not parts.netloc.endswith(":") else None


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # What is made of digits and dots only and is no IP address was meant as one.
        return _NAME.fullmatch(text) is not None and not re.fullmatch(r"[0-9.]+", text)
    return True
