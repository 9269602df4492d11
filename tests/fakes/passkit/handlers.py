"""Importing this registers every route."""

from __future__ import annotations

from tests.fakes.passkit import (
    authentication,
    bulk,
    coupons,
    discovery,
    distribution,
    event_lists,
    member_events,
    members,
    sinks,
    ticket_use,
    tickets,
)

MODULES = (
    authentication,
    bulk,
    coupons,
    discovery,
    distribution,
    event_lists,
    member_events,
    members,
    sinks,
    ticket_use,
    tickets,
)
