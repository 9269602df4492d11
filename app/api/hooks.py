"""Hooks: who is told of events, what became of it, and sending it again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response
from sqlalchemy import Connection

from app.accounts.keys import Caller
from app.answer import to_text
from app.api import hook_schemas as say
from app.api.blueprint import Blueprint, json_answer, location
from app.api.event_types import sample_of
from app.api.paging import PageQuery, page_of, show_page
from app.errors import FieldError, HookNotActive, NotFound, ValidationFailed
from app.events import backlog, deliveries, hooks, maintenance
from app.events.backlog import Backlog
from app.events.deliveries import Delivery, DeliveryStatus
from app.events.hooks import EVERYTHING, Hook, HookStatus
from app.events.targets import InvalidTarget, allowed_hosts, check_public, read_target
from app.events.types import DESCRIPTIONS
from app.model import IdKind, new_id
from app.operations.lookup import find_program
from app.service import current_service
from app.store.columns import to_json
from app.store.engine import post_after_commit


def blueprints() -> list[Blueprint]:
    """Make the blueprint."""
    blueprint = Blueprint("Hooks", __name__, url_prefix="/v1/hooks")
    _add_collection(blueprint)
    _add_single(blueprint)
    _add_test(blueprint)
    _add_deliveries(blueprint)
    return [blueprint]


def _add_collection(blueprint: Blueprint) -> None:
    @blueprint.route("")
    @blueprint.requires("read")
    @blueprint.says(
        operationId="list_hooks",
        summary="List hooks",
        description="All hooks of the account in the key's mode, newest first.",
    )
    @blueprint.arguments(PageQuery(), location="query")
    @blueprint.answers(say.HOOK_PAGE, {"data": [say.HOOK_EXAMPLE], "next_cursor": None}, description="A page of hooks.")
    def list_hooks(caller: Caller, query: dict[str, Any]) -> Response:
        with current_service().store.read() as connection:
            found = hooks.page(
                connection, caller.account_id, caller.mode, before=query.get("cursor"), limit=query["limit"] + 1
            )
            backlogs = backlog.of_each(connection, [hook.id for hook in found], current_service().clock())
        return json_answer(
            page_of(found, query["limit"], lambda hook: hooks.show(hook, backlogs[hook.id]), lambda hook: hook.id)
        )

    @blueprint.route("", methods=["POST"])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="create_hook",
        summary="Create a hook",
        description="Has events sent to an address, signed, and again until the receiver takes them. The answer holds "
        "the secret that signatures are verified with; it is shown this once.",
    )
    @blueprint.arguments(say.HookInput(), example=say.INPUT_EXAMPLE)
    @blueprint.answers(say.NEW_HOOK, say.NEW_HOOK_EXAMPLE, status=201, description="The new hook and its secret.")
    @blueprint.raises(NotFound)
    def create_hook(caller: Caller, data: dict[str, Any]) -> Response:
        service = current_service()
        program_id = data.get("program_id")
        _check_target(data["target_url"])
        with service.store.write() as connection:
            if program_id is not None:
                find_program(connection, caller, program_id)
            hook, secret = hooks.create(
                connection,
                service.vault,
                caller.account_id,
                caller.mode,
                data["target_url"],
                data["event_types"],
                program_id,
                service.clock(),
            )
        answer = {**hooks.show(hook, Backlog()), "secret": secret}
        return json_answer(answer, 201, location(f"/v1/hooks/{hook.id}"))


def _add_single(blueprint: Blueprint) -> None:
    @blueprint.route("/<id:hook_id>", parameters=[say.HOOK_ID])
    @blueprint.requires("read")
    @blueprint.says(operationId="get_hook", summary="Get a hook", description="One hook.")
    @blueprint.answers(say.HOOK, say.HOOK_EXAMPLE, description="The hook.")
    @blueprint.raises(NotFound)
    def get_hook(caller: Caller, hook_id: str) -> Response:
        service = current_service()
        with service.store.read() as connection:
            return json_answer(_shown(connection, _find(connection, caller, hook_id), service.clock()))

    @blueprint.route("/<id:hook_id>", methods=["PATCH"], parameters=[say.HOOK_ID])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="update_hook",
        summary="Pause, resume, rotate the secret",
        description="Changes a hook. While it is paused its events are kept.",
    )
    @blueprint.arguments(say.HookChanges(), example={"rotate_secret": True})
    @blueprint.answers(say.CHANGED_HOOK, say.NEW_HOOK_EXAMPLE, description="The hook after the change.")
    @blueprint.raises(NotFound)
    def update_hook(caller: Caller, data: dict[str, Any], hook_id: str) -> Response:
        service = current_service()
        now = service.clock()
        with service.store.write() as connection:
            hook = _hold(connection, caller, hook_id)
            if "status" in data and data["status"] != hook.status.value:
                hook = hooks.set_status(hook, HookStatus(data["status"]), now)
                post_after_commit(connection, deliveries.JOB, hook.id)
            shown = {}
            if data.get("rotate_secret"):
                hook, shown["secret"] = hooks.rotate(hook, service.vault, now)
            hooks.save(connection, hook)
            return json_answer({**_shown(connection, hook, now), **shown})

    @blueprint.route("/<id:hook_id>", methods=["DELETE"], parameters=[say.HOOK_ID])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="delete_hook",
        summary="Delete a hook",
        description="Ends a hook; what still waits for it is dropped. A hook that is gone already is no error.",
    )
    @blueprint.answers_nothing("It is gone.")
    @blueprint.raises(NotFound)
    def delete_hook(caller: Caller, hook_id: str) -> Response:
        service = current_service()
        now = service.clock()
        with service.store.write() as connection:
            if hooks.get(connection, caller.account_id, caller.mode, hook_id) is not None:
                hook = _hold(connection, caller, hook_id)
                hooks.save(connection, hooks.set_status(hook, HookStatus.DELETED, now))
                deliveries.drop_pending(connection, hook_id, now)
        return Response(status=204)


def _add_test(blueprint: Blueprint) -> None:
    @blueprint.route("/<id:hook_id>/test", methods=["POST"], parameters=[say.HOOK_ID])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="test_hook",
        summary="Send a test",
        description="Sends the sample of a type of event, once and without retries. Its event ID begins with evt_test.",
    )
    @blueprint.arguments(say.TestInput(), example={"event_type": "points.changed"})
    @blueprint.answers(say.DELIVERY, say.PENDING_EXAMPLE, status=202, description="The delivery, on its way.")
    @blueprint.raises(NotFound, HookNotActive)
    def test_hook(caller: Caller, data: dict[str, Any], hook_id: str) -> Response:
        service = current_service()
        now = service.clock()
        with service.store.write() as connection:
            hook = _active(_find(connection, caller, hook_id))
            first = hook.event_types[0]
            event_type = data.get("event_type") or (next(iter(DESCRIPTIONS)) if first == EVERYTHING else first)
            event_id = new_id(IdKind.TEST_EVENT)
            body = to_json({**sample_of(event_type), "id": event_id, "timestamp": to_text(now)})
            delivery_id = deliveries.add(connection, hook_id, event_id, event_type, now, body)
            hooks.wake(connection, hook_id, now)
            post_after_commit(connection, deliveries.JOB, hook_id)
            delivery = _delivery(connection, hook_id, delivery_id)
        return json_answer(deliveries.show(delivery), 202)


def _add_deliveries(blueprint: Blueprint) -> None:
    @blueprint.route("/<id:hook_id>/deliveries", parameters=[say.HOOK_ID])
    @blueprint.requires("read")
    @blueprint.says(
        operationId="list_deliveries",
        summary="List the deliveries of a hook",
        description="What was sent to a hook or waits for it, newest first, with every attempt. Kept for 30 days.",
    )
    @blueprint.arguments(say.DeliveryQuery(), location="query")
    @blueprint.answers(
        say.DELIVERY_PAGE, {"data": [say.DELIVERY_EXAMPLE], "next_cursor": None}, description="A page of deliveries."
    )
    @blueprint.raises(NotFound)
    def list_deliveries(caller: Caller, query: dict[str, Any], hook_id: str) -> Response:
        status = DeliveryStatus(query["status"]) if "status" in query else None
        service = current_service()
        with service.list_reads, service.store.read() as connection:
            _find(connection, caller, hook_id)
            found = deliveries.page(
                connection, hook_id, status=status, before=query.get("cursor"), limit=query["limit"]
            )
        return json_answer(show_page(found, deliveries.show))

    @blueprint.route(
        "/<id:hook_id>/deliveries/<id:delivery_id>/replay",
        methods=["POST"],
        parameters=[say.HOOK_ID, say.DELIVERY_ID],
    )
    @blueprint.requires("write")
    @blueprint.says(
        operationId="replay_delivery",
        summary="Send a delivery again",
        description="Sends an event to the hook again, whatever came of it. Its `webhook-id` stays the same.",
    )
    @blueprint.answers(say.DELIVERY, say.PENDING_EXAMPLE, status=202, description="The delivery, on its way.")
    @blueprint.raises(NotFound, HookNotActive)
    def replay_delivery(caller: Caller, hook_id: str, delivery_id: str) -> Response:
        service = current_service()
        with service.store.write() as connection:
            _not_disabled(_find(connection, caller, hook_id))
            hooks.wake(connection, hook_id, service.clock())
            maintenance.replay(connection, _delivery(connection, hook_id, delivery_id), service.clock())
            return json_answer(deliveries.show(_delivery(connection, hook_id, delivery_id)), 202)

    @blueprint.route("/<id:hook_id>/replay", methods=["POST"], parameters=[say.HOOK_ID])
    @blueprint.requires("write")
    @blueprint.says(
        operationId="replay_deliveries",
        summary="Send a range of deliveries again",
        description="Sends the events of a time to the hook again, whatever came of them; tests and what still waits "
        "are left out.",
    )
    @blueprint.arguments(say.ReplayInput(), example={"since": "2026-11-20T09:00:00Z"})
    @blueprint.answers(say.ReplayAnswer(), {"deliveries": 12}, status=202, description="How many are on their way.")
    @blueprint.raises(NotFound, HookNotActive)
    def replay_deliveries(caller: Caller, data: dict[str, Any], hook_id: str) -> Response:
        service = current_service()
        now = service.clock()
        total = 0
        after: str | None = ""
        while after is not None:
            with service.store.write() as connection:
                _not_disabled(_find(connection, caller, hook_id))
                hooks.wake(connection, hook_id, now)
                number, after = maintenance.replay_range(
                    connection, hook_id, data["since"], data.get("until", now), after, now
                )
            total += number
        return json_answer({"deliveries": total}, 202)


def _check_target(url: str) -> None:
    """Refuse an address that breaks a rule.

    Raises:
        ValidationFailed: it does; the message names the rule.
    """
    try:
        check_public(read_target(url, allowed_hosts(current_service().settings.hook_allowed_hosts)))
    except InvalidTarget as error:
        raise ValidationFailed(errors=[FieldError("target_url", str(error))]) from None


def _shown(connection: Connection, hook: Hook, now: datetime) -> dict[str, Any]:
    return hooks.show(hook, backlog.of_each(connection, [hook.id], now)[hook.id])


def _find(connection: Connection, caller: Caller, hook_id: str) -> Hook:
    hook = hooks.get(connection, caller.account_id, caller.mode, hook_id)
    if hook is None:
        raise NotFound(f"There is no hook '{hook_id}' in {caller.mode.value} mode.")
    return hook


def _hold(connection: Connection, caller: Caller, hook_id: str) -> Hook:
    _find(connection, caller, hook_id)
    hook = hooks.lock(connection, hook_id)
    assert hook is not None
    return hook


def _delivery(connection: Connection, hook_id: str, delivery_id: str) -> Delivery:
    delivery = deliveries.get(connection, hook_id, delivery_id)
    if delivery is None:
        raise NotFound(f"There is no delivery '{delivery_id}' of this hook.")
    return delivery


def _active(hook: Hook) -> Hook:
    if hook.status is not HookStatus.ACTIVE:
        raise HookNotActive(f"This hook is {hook.status.value}. Make it active first (PATCH, status: active).")
    return hook


def _not_disabled(hook: Hook) -> None:
    if hook.status is HookStatus.DISABLED:
        raise HookNotActive("This hook is disabled. Make it active first (PATCH, status: active).")
