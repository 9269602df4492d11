"""What the worker does: send what is due to a hook, and write down what came of it.

A job names a hook. It claims the hook's deliveries one after another until none is due; a job that finds as many under
way as the hook may have (`pace.py`) ends at once, because whoever finishes takes the next. Receivers that fail hold no
more than half of the worker's threads, and the longer they fail the less they are tried.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.vault import Vault
from app.events import deliveries, hooks, outbox, pace, schedule
from app.events.backlog import Backlog
from app.events.deliveries import Delivery, DeliveryStatus
from app.events.hooks import Hook, HookStatus
from app.events.schedule import Health, Outcome
from app.events.sending import Sender, host_of
from app.events.types import HOOK_DISABLED
from app.model import Clock
from app.store.columns import to_json
from app.store.engine import Store

# A job that has more to do than this ends and has itself posted anew: others get their turn though a hook with much to
# do may hold most of the threads, and a worker that is to stop is not held up.
TURN = timedelta(seconds=1)
FAILING_AT_ONCE = 12  # half of the worker's threads (Procfile)
FAILING_WAIT = timedelta(seconds=5)
NOT_SENT = "The service could not make this request, its log says why. Nothing was sent."

_log = logging.getLogger("passrail.delivery")


@dataclass(frozen=True, slots=True)
class Task:
    """A delivery that was claimed, with what is needed to send it."""

    hook: Hook
    delivery: Delivery
    secrets: list[str]


class DeliveryWorker:
    """Takes events to hooks. One a worker process; its threads share it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sender: Sender,
        vault: Vault | None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._clock, self._sender, self._vault, self._jitter = store, clock, sender, vault, jitter
        self._failing = threading.BoundedSemaphore(FAILING_AT_ONCE)

    def deliver_due(self, hook_id: str) -> datetime | None:
        """Send what is due to a hook, one after another; return when to call again, None where nothing waits.

        Raises:
            app.accounts.vault.VaultError: the service lacks the key of the hook's secret; nothing was tried.
        """
        end = self._clock() + TURN
        task = self._first(hook_id)
        while task is not None:
            outcome = self._send(task)
            now = self._clock()
            with self._store.write() as connection:
                if outcome is None:
                    deliveries.put_back(connection, task.delivery)
                    return now + FAILING_WAIT
                self._write_down(connection, task.delivery, outcome)
                if now >= end:
                    return now
                task = self._claim(connection, hook_id)
        with self._store.read() as connection:
            return self._again_at(connection, hook_id)

    def _first(self, hook_id: str) -> Task | None:
        """Claim the first delivery, after a look that makes no other writer wait: most jobs find nothing to do."""
        with self._store.read() as connection:
            hook, now = hooks.find(connection, hook_id), self._clock()
            if hook is None or not deliveries.can_claim(connection, hook_id, hook.pace.limit(now), now):
                return None
        with self._store.write() as connection:
            return self._claim(connection, hook_id)

    def _claim(self, connection: Connection, hook_id: str) -> Task | None:
        hook, now = hooks.lock(connection, hook_id), self._clock()
        if hook is None or hook.status is not HookStatus.ACTIVE:
            return None
        secrets = hook.secrets(self._vault, now)
        delivery = deliveries.claim(connection, hook_id, hook.pace.limit(now), now)
        return None if delivery is None else Task(hook, delivery, secrets)

    def _again_at(self, connection: Connection, hook_id: str) -> datetime | None:
        now = self._clock()
        hook = hooks.find(connection, hook_id)
        if hook is None or hook.pace.rests_until is None or hook.pace.rests_until <= now:
            return deliveries.next_due(connection, hook_id, now)
        first = deliveries.first_due(connection, hook_id)
        return None if first is None else max(first, hook.pace.rests_until)

    def _send(self, task: Task) -> Outcome | None:
        """Try once. None: not tried, because too many failing hooks are being tried already."""
        is_failing = task.hook.health.failures > 0
        if is_failing and not self._failing.acquire(blocking=False):
            return None
        try:
            return self._try(task)
        finally:
            if is_failing:
                self._failing.release()

    def _try(self, task: Task) -> Outcome:
        try:
            with self._store.read() as connection:
                body = _body_of(connection, task.delivery)
            url, event_id = task.hook.target_url, task.delivery.event_id
            return self._sender.send(url, event_id, body, task.secrets, self._clock())
        except SQLAlchemyError:
            raise
        except Exception:  # whatever is wrong with this delivery, the hook's next ones are not to blame for it
            _log.exception("a delivery cannot be sent", extra={"delivery_id": task.delivery.id})
            return Outcome(error=NOT_SENT, is_ours=True)

    def _write_down(self, connection: Connection, delivery: Delivery, outcome: Outcome) -> None:
        """Write the attempt, and what follows from it for the hook."""
        now = self._clock()
        hook = hooks.lock(connection, delivery.hook_id)
        assert hook is not None
        status, again_at = _what_next(delivery, outcome, now, self._jitter())
        if not deliveries.finish(connection, delivery, outcome, now, status, again_at):
            return
        _log_attempt(hook, delivery, outcome, status)
        judged = _judged(hook, delivery, outcome, now)
        if outcome.is_gone:
            disable(connection, hook, hooks.GONE, now)
        elif judged.health.is_hopeless(now) and not outcome.is_ours:
            disable(connection, judged, hooks.FAILING, now)
        elif judged != hook:
            hooks.save(connection, judged)


def disable(connection: Connection, hook: Hook, reason: str, now: datetime) -> None:
    """End a hook: nothing waits for it any more, and an event tells the account's other hooks."""
    disabled = hooks.set_status(hook, HookStatus.DISABLED, now, reason)
    hooks.save(connection, disabled)
    deliveries.drop_pending(connection, hook.id, now)
    body = to_json(hooks.show(disabled, Backlog()))
    outbox.record_of_hook(connection, HOOK_DISABLED, hook.account_id, hook.mode, body, now)
    _log.warning("hook disabled", extra={"hook_id": hook.id, "reason": reason})


def _body_of(connection: Connection, delivery: Delivery) -> str:
    """Read what is sent from the event itself, so that a holder who was forgotten meanwhile is not in it."""
    if delivery.test_body is not None:
        return delivery.test_body
    event = outbox.get(connection, delivery.event_id)
    assert event is not None  # the purge deletes deliveries before their events
    return outbox.payload(event)


def _judged(hook: Hook, delivery: Delivery, outcome: Outcome, now: datetime) -> Hook:
    """Return the hook with what the attempt says of its receiver."""
    if outcome.is_ours:
        return hook
    if outcome.is_success:
        return replace(hook, health=Health(), pace=pace.after_success(hook.pace, outcome.duration_ms))
    health = hook.health if delivery.is_test else schedule.after_failure(hook.health, now)
    return replace(hook, health=health, pace=pace.after_failure(hook.pace, outcome, now))


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
