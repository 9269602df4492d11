"""Which addresses a hook may have. A user-supplied URL is the most dangerous input there is.

The rules are checked twice: when somebody subscribes, so that they hear of it, and at every send, because a name can
lead elsewhere by then. That second check is also the guard's (`sending.py`), which connects to the very address it
has checked.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES

LONGEST = 2048
PORTS = (443, 8443)
# What a URL is made of in ASCII (RFC 3986). A backslash is not in it, on which parsers disagree.
PATTERN = r"^https?://[A-Za-z0-9.\[\]:-]+([/?]([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?$"
_FORM = re.compile(PATTERN)
_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.?")


class InvalidTarget(Exception):
    """The address cannot be a hook's; the message names the rule."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that keeps the rules. `is_allowed`: the operator named it, so it may be private and plain http."""

    url: str
    host: str
    port: int
    is_allowed: bool


def allowed_hosts(setting: str) -> frozenset[str]:
    """Read the setting HOOK_ALLOWED_HOSTS: `host` or `host:port`, with commas between."""
    return frozenset(entry.strip().lower() for entry in setting.split(",") if entry.strip())


def read_target(url: str, allowed: frozenset[str]) -> Target:
    """Check an address without asking anybody.

    Raises:
        InvalidTarget: it breaks a rule.
    """
    if len(url) > LONGEST:
        raise InvalidTarget(f"Give an address of at most {LONGEST} characters.")
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise InvalidTarget("Give an address without user name and password.")
    if not _FORM.fullmatch(url):
        raise InvalidTarget("Give an address such as https://example.com/hook, in ASCII and without a fragment (#).")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidTarget("Give an address with a proper host and port.") from None
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    written = f"[{host}]" if ":" in host else host
    if allowed & {written, f"{written}:{port}"}:
        return Target(url, host, port, is_allowed=True)
    if parts.scheme != "https":
        raise InvalidTarget("Give an address that begins with https://.")
    if port not in PORTS:
        raise InvalidTarget("Give an address on port 443 or 8443.")
    if ":" not in host and not _NAME.fullmatch(host):
        raise InvalidTarget("Give an address with a proper host name.")
    return Target(url, host, port, is_allowed=False)


def check_public(target: Target) -> None:
    """Ask the name service where the address leads, and refuse what is not public.

    Raises:
        InvalidTarget: the name is unknown, or one of its addresses is not public.
    """
    if target.is_allowed:
        return
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InvalidTarget("Give an address whose host name can be found; this one is unknown.") from None
    if not all(is_public(str(address[0])) for *_, address in found):
        raise InvalidTarget("Give a public address; this one leads into a private network.")


def is_public(text: str) -> bool:
    """Tell whether an IP address is reached over the internet. Stricter than `requests-hardened` alone, which lets
    old site-local and IPv4-compatible IPv6 addresses through.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in EXTRA_BLOCKED_NET_RANGES):
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def shown(url: str) -> str:
    """Return what may be shown of an address: its host and last 4 characters. The rest is as good as a password."""
    return f"{urlsplit(url).netloc}/…{url[-4:]}"
