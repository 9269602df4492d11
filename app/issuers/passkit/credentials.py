"""Who we are at PassKit: where to call, and how a request is signed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import jwt

# (REST, pass pages). The wrong region takes the token and then answers 404 for every object (field report).
REGIONS = {
    "pub1": ("https://api.pub1.passkit.io", "https://pub1.pskt.io"),
    "pub2": ("https://api.pub2.passkit.io", "https://pub2.pskt.io"),
}
# `iat` lies this far back, `exp` this far ahead (documented); -5 to -59 and up to +60 are taken (field report).
BACKDATE_SECONDS = 10
LIFETIME_SECONDS = 30
# A token is used for this long: both limits above stay far away, also for a clock that is a few seconds off.
TOKEN_SECONDS = 15
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# HMAC fills a short key up with zeros itself (RFC 2104), so the signature is the same; PyJWT then does not warn of
# secrets that somebody else chose.
HMAC_LENGTH = 32

_HEADER_VALUE = re.compile(r"[!-~]+")


class InvalidCredentials(ValueError):
    """Something is missing or cannot be used. The message never repeats the value."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key with its secret, or a long-lived token, and the region they are for. `repr` shows no secret.

    Args:
        base_url: where the REST API is. https, or http on this machine; somebody who may choose it freely can make
            the service call any host, so leave that to operators and offer `REGIONS` to everybody else.
        pass_url: where the pass pages are; a custom domain of the account stands here.
        api_key, secret: from the portal (Developer Tools, REST credentials).
        long_lived_token: instead of these two: opaque, with access to the whole account. PassKit advises against it.

    Raises:
        InvalidCredentials: an address or a combination that cannot be used.
    """

    base_url: str
    pass_url: str
    api_key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    long_lived_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for name in ("base_url", "pass_url"):
            object.__setattr__(self, name, getattr(self, name).rstrip("/"))
            _check_address(name, getattr(self, name))
        if bool(self.long_lived_token) == bool(self.api_key or self.secret):
            raise InvalidCredentials("Give either an API key with its secret, or a long-lived token.")
        if not self.long_lived_token and not (self.api_key and self.secret):
            raise InvalidCredentials("An API key and its secret belong together; one of them is missing.")
        if self.long_lived_token and not _HEADER_VALUE.fullmatch(self.long_lived_token):
            raise InvalidCredentials("The long-lived token has characters that no token has. Copy it again.")
        for value in (self.api_key, self.secret):
            if not value.isprintable() or value != value.strip():
                raise InvalidCredentials("The API key or secret has a space or sign that no key has. Copy them again.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be repeated to anybody, however PassKit came to echo it."""
        return tuple(value for value in (self.secret, self.api_key, self.long_lived_token) if value)


def _check_address(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidCredentials(f"{name} is not an address.") from None
    if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname or port == 0:
        raise InvalidCredentials(f"{name} must be a plain address such as https://api.pub1.passkit.io.")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise InvalidCredentials(f"{name} must begin with https://.")


def authorization(credentials: Credentials, now: int) -> str:
    """Return the value of the `Authorization` header for one request.

    Args:
        credentials: whose request.
        now: PassKit's time in whole seconds since 1970: ours, plus the offset learned from it.
    """
    if credentials.long_lived_token:
        return f"Bearer {credentials.long_lived_token}"
    claims = {"uid": credentials.api_key, "iat": now - BACKDATE_SECONDS, "exp": now + LIFETIME_SECONDS}
    key = credentials.secret.encode().ljust(HMAC_LENGTH, b"\0")
    return jwt.encode(claims, key, algorithm="HS256")  # alone, as PassKit's own code sends it (documented)
