"""What the worker does: send what is due to a hook, and write down what came of it.

A job names a hook. It claims the hook's deliveries one after another until none is due; a job that finds two others at
the same hook ends at once, because whoever finishes takes the next. So a dead receiver holds two threads at most, and
all receivers that fail hold no more than half of the worker's.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.events import deliveries, hooks, outbox, schedule
from app.events.deliveries import Delivery, DeliveryStatus
from app.events.hooks import Hook, HookStatus
from app.events.schedule import Health, Outcome
from app.events.sending import Sender, host_of
from app.events.types import HOOK_DISABLED
from app.model import Clock
from app.store.columns import to_json
from app.store.engine import Store

# A job that has more to do than this ends and has itself posted anew: others get their turn, and a worker that is to
# stop is not held up.
TURN = timedelta(seconds=5)
FAILING_AT_ONCE = 12  # half of the worker's threads (Procfile)

_log = logging.getLogger("passrail.delivery")


@dataclass(frozen=True, slots=True)
class Task:
    """A delivery that was claimed, with what is needed to send it."""

    hook: Hook
    delivery: Delivery
    body: str


class DeliveryWorker:
    """Takes events to hooks. One a worker process; its threads share it."""

    def __init__(self, store: Store, clock: Clock, sender: Sender, jitter: Callable[[], float] = random.random) -> None:
        self._store, self._clock, self._sender, self._jitter = store, clock, sender, jitter
        self._failing = threading.BoundedSemaphore(FAILING_AT_ONCE)

    def deliver_due(self, hook_id: str) -> datetime | None:
        """Send what is due to a hook, one after another; return when to call again, None where nothing waits."""
        end = self._clock() + TURN
        with self._store.write() as connection:
            task = self._claim(connection, hook_id)
        while task is not None:
            outcome = self._send(task)
            now = self._clock()
            with self._store.write() as connection:
                if outcome is None:
                    deliveries.put_back(connection, task.delivery)
                    return now + TURN
                self._write_down(connection, task.delivery, outcome)
                if now >= end:
                    return now
                task = self._claim(connection, hook_id)
        with self._store.read() as connection:
            return deliveries.next_due(connection, hook_id, self._clock())

    def _claim(self, connection: Connection, hook_id: str) -> Task | None:
        hook = hooks.lock(connection, hook_id)
        if hook is None or hook.status is not HookStatus.ACTIVE:
            return None
        delivery = deliveries.claim(connection, hook_id, self._clock())
        return None if delivery is None else Task(hook, delivery, _body_of(connection, delivery))

    def _send(self, task: Task) -> Outcome | None:
        """Try once. None: not tried, because too many failing hooks are being tried already."""
        is_failing = task.hook.health.failures > 0
        if is_failing and not self._failing.acquire(blocking=False):
            return None
        try:
            now = self._clock()
            return self._sender.send(
                task.hook.target_url, task.delivery.event_id, task.body, task.hook.secrets(now), now
            )
        finally:
            if is_failing:
                self._failing.release()

    def _write_down(self, connection: Connection, delivery: Delivery, outcome: Outcome) -> None:
        """Write the attempt, and what follows from it for the hook."""
        now = self._clock()
        hook = hooks.lock(connection, delivery.hook_id)
        assert hook is not None
        status, again_at = _what_next(delivery, outcome, now, self._jitter())
        if not deliveries.finish(connection, delivery, outcome, now, status, again_at):
            return
        _log_attempt(hook, delivery, outcome, status)
        if outcome.is_success:
            if hook.health != Health():
                hooks.save(connection, replace(hook, health=Health()))
        elif outcome.is_gone:
            disable(connection, hook, hooks.GONE, now)
        elif not delivery.is_test:
            health = schedule.after_failure(hook.health, now)
            hook = replace(hook, health=health)
            if health.is_hopeless(now):
                disable(connection, hook, hooks.FAILING, now)
            else:
                hooks.save(connection, hook)


def disable(connection: Connection, hook: Hook, reason: str, now: datetime) -> None:
    """End a hook: nothing waits for it any more, and an event tells the account's other hooks."""
    disabled = hooks.set_status(hook, HookStatus.DISABLED, now, reason)
    hooks.save(connection, disabled)
    deliveries.drop_pending(connection, hook.id, now)
    outbox.record_of_hook(connection, HOOK_DISABLED, hook.account_id, hook.mode, to_json(hooks.show(disabled)), now)
    _log.warning("hook disabled", extra={"hook_id": hook.id, "reason": reason})


def _body_of(connection: Connection, delivery: Delivery) -> str:
    """Read what is sent from the event itself, so that a holder who was forgotten meanwhile is not in it."""
    if delivery.test_body is not None:
        return delivery.test_body
    event = outbox.get(connection, delivery.event_id)
    assert event is not None  # the purge deletes deliveries before their events
    return outbox.payload(event)


def _what_next(
    delivery: Delivery, outcome: Outcome, now: datetime, jitter: float
) -> tuple[DeliveryStatus, datetime | None]:
    """Say where the delivery stands after an attempt, and when to try again. A test is tried once."""
    if outcome.is_success:
        return DeliveryStatus.DELIVERED, None
    again_at = None
    if not outcome.is_gone and not delivery.is_test:
        again_at = schedule.next_attempt(delivery.tries + 1, outcome, now, jitter)
    return (DeliveryStatus.FAILED, None) if again_at is None else (DeliveryStatus.PENDING, again_at)


def _log_attempt(hook: Hook, delivery: Delivery, outcome: Outcome, status: DeliveryStatus) -> None:
    _log.info(
        "attempt",
        extra={
            "hook_id": hook.id,
            "delivery_id": delivery.id,
            "host": host_of(hook.target_url),
            "event_type": delivery.event_type,
            "status_code": outcome.status_code,
            "problem": outcome.error,
            "duration_ms": outcome.duration_ms,
            "state": status.value,
        },
    )
