"""PassKit (https://passkit.com), asked over its REST API.

    kind                    what one process has of PassKit; `open` gives an account's issuer for one action
    form                    what people fill in to connect
    issuer, reader          the issuer: one method an effect; and what it only reads
    evidence, balance       what became of an effect whose answer says nothing certain
    validity                ending passes, and making them valid again
    catalogue, discovery    what an account has to issue from
    sinks                   PassKit's webhooks
    points, passes          the routes of points and tiers, and of passes of each kind
    mapping, holders        records as passes of ours; holders as PassKit's persons
    records, filters        what comes back, and what lists are narrowed by
    translate               which error of ours a failure is
    transport               one request: token, slot, deadline, retries, validated answer
    answers, refusals       what an HTTP answer means, and which of them are decisions
    values, reading         how single values are written, and read
    wire                    bytes: the pool of connections, limits of time and size
    failures                every way a request can fail
    credentials, retry      how a request is signed; whether a failed try is repeated

A module imports from those below it. Which routes exist, and what PassKit does with them, is known from its published
SDK ("documented" in docstrings) or from what other developers published ("field report").
"""

from __future__ import annotations

from app.issuers.passkit.kind import PassKit

__all__ = ["PassKit"]
