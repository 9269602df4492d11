"""What many tests of actions look at: everything that is stored, and a refusal that changed none of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.answer import PassAnswer
from app.store.tables import events, passes
from tests.world import World

PASS_FIELDS = tuple(PassAnswer().dump_fields)
Stored = dict[str, list[tuple[Any, ...]]]


def stored(world: World) -> Stored:
    """Return every row of passes and of events."""
    with world.service.store.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(table.c.id))]
            for table in (passes, events)
        }


def refused(world: World, action: str, body: dict[str, Any], status: int, code: str, **options: Any) -> dict[str, Any]:
    """Do what must be refused with this status and code and change nothing; return the problem."""
    before = stored(world)
    answer = world.act(action, body, **options)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code), answer.text
    assert answer.content_type == "application/problem+json"
    assert stored(world) == before
    problem: dict[str, Any] = answer.get_json()
    return problem


def wrong_fields(world: World, action: str, body: dict[str, Any]) -> list[str]:
    """Do what must be refused because of its fields and change nothing; return the names of the fields."""
    return [one["field"] for one in refused(world, action, body, 422, "validation-failed")["errors"]]


def done(world: World, action: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Do what must succeed and return the answer."""
    answer = world.act(action, body, **options)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.get_json()
    return result


def unchanged(world: World, action: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do what must succeed and change nothing; return the answer."""
    before = stored(world)
    answer = done(world, action, body)
    assert stored(world) == before
    return answer


def with_event(world: World, event_type: str, action: str, body: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Do what must write exactly one event, of this type; return the answer and the event's data."""
    before = len(stored(world)["events"])
    answer = done(world, action, body)
    assert len(stored(world)["events"]) == before + 1
    newest = world.events()[0]
    assert (newest["type"], newest["operation_id"]) == (event_type, answer["operation_id"])
    return answer, newest["data"]


def differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the names of what is different about the pass itself in two answers."""
    return {name for name in PASS_FIELDS if before[name] != after[name]}
