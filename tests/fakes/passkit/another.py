"""The answer to a request as it would be about another pass: what a server tells that mixes two up."""

from __future__ import annotations

from tests.fakes.passkit import tickets
from tests.fakes.passkit.member_events import EVENT
from tests.fakes.passkit.shapes import Record, show
from tests.fakes.passkit.state import State

_MEMBER_IN_EVENT = "members.MemberMininmal"
_TICKET_FORMS = {tickets.TICKET: tickets.nested, tickets.LIMITED: tickets.limited}


def about(state: State, gives: str, record: Record, answer: Record) -> Record:
    """Return an answer in which another pass stands.

    Args:
        state: where the pass comes from.
        gives: full name of the message answered; an event keeps its own fields and names another member.
        record: the other pass.
        answer: the true answer, or nothing when the request was not carried out.
    """
    if gives == EVENT:
        return {**answer, "member": show(_MEMBER_IN_EVENT, record)}
    form = _TICKET_FORMS.get(gives)
    return {**answer, **show(gives, record if form is None else form(state, record))}
