"""Lists of what happened to members. The live service keeps types of events for different times, and nobody says how
soon a new one is listed: the absence of an event proves nothing. Switches make the lists as forgetful.
"""

from __future__ import annotations

from datetime import timedelta

from tests.fakes.passkit import members
from tests.fakes.passkit.call import Call
from tests.fakes.passkit.filters import DEFAULT_LIMIT, matching, page
from tests.fakes.passkit.member_events import EVENT
from tests.fakes.passkit.routes import route
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import to_time

FILTER_FIELDS = frozenset({"member.id"})


@route("POST", "/members/program/list/events/{programId}", takes="members.ListRequest", gives=EVENT, stream=True)
def list_events(call: Call) -> list[Record]:
    """List what happened in a program."""
    return _told(call, page(EVENT, _of_program(call), call.body.get("filters", {}), FILTER_FIELDS))


@route("POST", "/members/program/count/events/{programId}", takes="members.ListRequest", gives="io.Count")
def count_events(call: Call) -> Record:
    """Count what happened in a program."""
    groups = call.body.get("filters", {}).get("filterGroups", [])
    return {"total": len(matching(EVENT, _of_program(call), groups, FILTER_FIELDS))}


@route("POST", "/members/member/list/events/{id}", takes="io.Id", gives=EVENT, stream=True)
def list_events_of_member(call: Call) -> list[Record]:
    """List the first 25 things that happened to a member, oldest first; there is no way to see more."""
    record = members.by_id(call, call.text("id"))
    found = [event for event in _kept(call) if event["member"]["id"] == record["id"]]
    return _told(call, sorted(found, key=lambda event: to_time(event["created"]))[:DEFAULT_LIMIT])


def _of_program(call: Call) -> list[Record]:
    program_id = call.known(call.state.programs, call.text("programId"))["id"]
    return [event for event in _kept(call) if event["member"]["programId"] == program_id]


def _kept(call: Call) -> list[Record]:
    """Return the events that are there to be listed: of a type that is kept, and old enough."""
    switches = call.switches
    newest = call.state.now() - timedelta(seconds=switches.seconds_until_events_are_listed)
    return [
        event
        for event in call.state.member_events
        if event["eventType"] not in switches.event_types_not_kept and to_time(event["created"]) <= newest
    ]


def _told(call: Call, found: list[Record]) -> list[Record]:
    """Return what an answer tells of the events that it should tell."""
    switches = call.switches
    if switches.list_no_events:
        return []
    if switches.lose_last_event:
        found = found[:-1]
    return found[: switches.most_events_listed]
