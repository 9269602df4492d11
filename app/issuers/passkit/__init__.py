"""PassKit (https://passkit.com), spoken to over its REST API.

    members, coupons, tickets     passes: one function a route, PassKit's own field names
    loyalty                       a member's points, tier, visits, and the events that tell of them
    discovery, sinks, links       what an account has to choose from; PassKit's webhooks; addresses of pass pages
    records, choices, filters     what comes back, and what lists are narrowed by
    reading, names                how single values of answers are read, and those that come as numbers
    transport                     one request: token, slot, deadline, retries, validated answer
    answers                       what an HTTP answer means
    wire                          bytes: the connection pool, time and size limits
    values                        how single values are written, and which are refused
    failures                      every way a request can fail, the certain ways apart from the unclear ones
    credentials                   how a request is signed
    retry                         whether and when a failed try is repeated, as one pure function

A module imports only from those below it. Which routes exist, and what PassKit does with them, is known from its
published SDK ("documented" in docstrings) or from what other developers published ("field report").
"""

from __future__ import annotations

from app.issuers.passkit.kind import PassKit

__all__ = ["PassKit"]
