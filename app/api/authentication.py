"""Who is calling, what may they do, and how often."""

from __future__ import annotations

from flask import Flask, Response, current_app, g, request

from app.accounts.keys import Caller
from app.api.limits import RateLimiter, headers
from app.errors import Forbidden, PassrailError, RateLimited, Unauthorized
from app.service import Service


def init_app(app: Flask, limiter: RateLimiter) -> None:
    """Keep the limiter at hand, and tell every caller what is left of the limit."""
    app.extensions["passrail_limiter"] = limiter

    @app.after_request
    def tell_rate(response: Response) -> Response:
        if (decision := g.get("rate_decision")) is not None:
            for name, value in headers(decision).items():
                if decision.allowed or name not in response.headers:  # the refusal has a Retry-After already
                    response.headers.add(name, value)
        return response


def authenticate(scope: str) -> Caller:
    """Return the caller of the present request.

    Raises:
        Unauthorized, KeyRevoked: there is no valid key.
        Forbidden: the key lacks the scope.
        RateLimited: it was used too often.
    """
    try:
        service: Service = current_app.extensions["passrail"]
        caller = service.keys.verify(_key_of_request())
    except PassrailError as error:
        error.headers["WWW-Authenticate"] = 'Bearer realm="passrail"'
        raise
    g.caller = caller
    g.rate_decision = current_app.extensions["passrail_limiter"].take(caller.key_number)
    if not g.rate_decision.allowed:
        wait = g.rate_decision.retry_after
        raise RateLimited(f"Too many requests with this API key. Send it again in {wait} s.", retry_after=wait)
    if scope not in caller.scopes:
        raise Forbidden(f"This API key has no '{scope}' scope. Use a key that has it for this request.")
    return caller


def _key_of_request() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized()
    return key.strip()
