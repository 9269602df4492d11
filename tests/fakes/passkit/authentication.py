"""Who is asking: a short-lived JWT of the client's own making, or a long-lived token from the portal.

Verified by hand, so that the fake shares no code with the client it tests. The window and the texts are those of a
field report: a token whose `iat` lies 60 seconds or more back is refused, one from the future too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.passkit.call import Call
from tests.fakes.passkit.errors import Refusal
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.switches import Switches

OLDEST_SECONDS = 59
EXPIRED = "token is expired"
PUBLIC_ROUTES = frozenset({"POST /login"})
_BASE64_LETTERS = frozenset(string.ascii_letters + string.digits + "-_")


@dataclass
class Credentials:
    """What opens this account: key and secret, tokens that live long, name and password of its user.

    A long-lived token that expires moves from `long_lived_tokens` to `expired_tokens`.
    """

    key: str = "demo-key"
    secret: str = "demo-secret-of-the-fake-passkit-server"
    long_lived_tokens: set[str] = field(default_factory=set)
    expired_tokens: set[str] = field(default_factory=set)
    username: str = "demo"
    password: str = "demo-password"


def check(authorization: str | None, credentials: Credentials, switches: Switches, now: float) -> None:
    """Let a request in or not.

    Args:
        authorization: the header, if there is one.
        credentials: what is right.
        switches: how strict to be.
        now: the time by the server's own clock, in seconds since 1970.

    Raises:
        Refusal: 401, in the words of the live service as far as they are known.
    """
    if not authorization:
        raise Refusal(401, "missing authorization header")
    token = _token(authorization, credentials, switches)
    if token is not None:
        _check_jwt(token, credentials, switches, now)
    _count_down(switches)


def _token(authorization: str, credentials: Credentials, switches: Switches) -> str | None:
    """Return the JWT, or None when a long-lived token was shown instead."""
    prefix, _, rest = authorization.partition(" ")
    if prefix == "Bearer" and rest in credentials.long_lived_tokens:
        return None
    if prefix == "Bearer" and rest in credentials.expired_tokens:
        raise Refusal(401, EXPIRED)
    if prefix == "Bearer" and switches.accept_bearer:
        return rest
    if not rest and not switches.accept_bare:
        raise Refusal(401, "missing bearer prefix")
    return authorization


def _count_down(switches: Switches) -> None:
    if switches.requests_until_expiry is None:
        return
    if switches.requests_until_expiry <= 0:
        raise Refusal(401, EXPIRED)
    switches.requests_until_expiry -= 1


def _check_jwt(token: str, credentials: Credentials, switches: Switches, now: float) -> None:
    header, payload, signature = _parts(token)
    claims = _json(payload)
    if _json(header).get("alg") != "HS256":
        raise Refusal(401, "signing method is invalid")
    if claims.get("uid") != credentials.key:
        raise Refusal(401, "api key not found")
    signed = token.rpartition(".")[0].encode()
    if not hmac.compare_digest(hmac.digest(credentials.secret.encode(), signed, hashlib.sha256), _decode(signature)):
        raise Refusal(401, "signature is invalid")
    _check_window(claims, switches, int(now))


def _check_window(claims: Mapping[str, Any], switches: Switches, now: int) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        raise Refusal(401, "token has invalid claims")
    if issued > now:
        raise Refusal(401, "Token used before issued")
    if now - issued > OLDEST_SECONDS:
        raise Refusal(401, "jwt was issued too long ago")
    if expires <= now:
        raise Refusal(401, "Token is expired")
    if switches.longest_expiry is not None and expires - now > switches.longest_expiry:
        raise Refusal(401, "jwt expires too far in the future")


def _parts(token: str) -> tuple[str, str, str]:
    parts = token.split(".")
    if len(parts) != 3:
        raise Refusal(401, "token contains an invalid number of segments")
    return parts[0], parts[1], parts[2]


def _json(part: str) -> dict[str, Any]:
    try:
        read = json.loads(_decode(part))
    except ValueError:
        raise Refusal(401, "token is malformed") from None
    if not isinstance(read, dict):
        raise Refusal(401, "token is malformed")
    return read


def _decode(part: str) -> bytes:
    """Decode base64 without padding. An unexpected word before the token is found here, at its first space."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
    except ValueError:
        position = next((index for index, letter in enumerate(part) if letter not in _BASE64_LETTERS), len(part))
        raise Refusal(401, f"illegal base64 data at input byte {position}") from None


@route("POST", "/login", takes="io.Credentials", gives="io.JWT", required="username password")
def login(call: Call) -> Record:
    """Make a long-lived token for the user; without the header that asks for it there is none."""
    credentials: Credentials = call.credentials
    if (call.text("username"), call.text("password")) != (credentials.username, credentials.password):
        raise Refusal(401, "invalid username or password")
    if call.headers.get("x-passkit-longlived-token") != "true":
        raise Refusal(401, "the fake makes long-lived tokens only")
    token = call.state.new_id() + call.state.new_id()
    credentials.long_lived_tokens.add(token)
    return {"token": token}
