"""Background work, run by `huey_consumer app.jobs.huey` (the `worker` of the Procfile).

Jobs carry IDs only. The database is the truth: a job that is lost is found by the next sweep over the rows, so the
queue may live in a plain file of this machine, or in a Redis that forgets.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any

from huey import crontab
from sqlalchemy.exc import SQLAlchemyError

from app import data_dir, heartbeat, logs, retention, sweeps
from app.accounts import sealed
from app.accounts.secret import Purpose
from app.connection_budget import WORKER_CONNECTIONS, warn_if_too_few
from app.events import maintenance
from app.queue.posting import Poster
from app.queue.queue import Queue, make_queue
from app.service import Service, make_service, make_vault
from app.settings import InvalidSetting, load_settings
from app.store.troubles import Kind

if TYPE_CHECKING:
    from app.events.delivering import DeliveryWorker

_log = logging.getLogger(__name__)
# When this process has a job scheduled for a hook.
_deliver_times: dict[str, datetime] = {}
try:
    _settings = load_settings()
    make_vault(_settings)
    data_dir.prepare_once(_settings.data_dir)
except InvalidSetting as error:
    raise SystemExit(f"Error: {error}") from None
# What is due within this time gets a job of its own at the exact moment; the sweep that finds the rest is not rarer.
SWEEP = timedelta(minutes=1)


class Jobs(Queue):
    """The queue; its consumer logs as the rest of the service does, and begins with what the last one left."""

    def create_consumer(self, **options: Any) -> Any:
        """Make the consumer, after its command line has given the logger `huey` a handler of another form."""
        logger = logging.getLogger("huey")
        logger.handlers = []
        # Two lines a job are too many where a job is one of thousands.
        logger.setLevel(logging.WARNING)
        logging.getLogger("huey.consumer").setLevel(logging.INFO)
        logging.getLogger("huey.consumer.Scheduler").setLevel(logging.WARNING)
        logs.configure(_settings.log_level)
        warn_if_too_few(_settings)
        _check_keys()
        delivery_worker()  # made before there are threads that would each make one
        post("sweep", "")
        heartbeat.start(service())
        return super().create_consumer(**options)


def _sign(message: str) -> str:
    return service().secret.digest(Purpose.QUEUE, message)


huey = make_queue(Jobs, _settings, _sign)


@lru_cache(maxsize=1)
def service() -> Service:
    """Return the parts the jobs work with, made when the first job needs them."""
    # A connection to the database for each of the worker's threads, however many the web server has.
    return make_service(_settings, post=post, connections=WORKER_CONNECTIONS)


def _alone(do: Callable[[], None]) -> Callable[[], None]:
    """Skip a sweep while an earlier one of this process is at it. Other workers' sweeps claim rows in the database."""
    turn = threading.Lock()

    @wraps(do)
    def do_alone() -> None:
        if turn.acquire(blocking=False):
            try:
                do()
            finally:
                turn.release()

    return do_alone


@huey.periodic_task(crontab(minute="7"))  # type: ignore[untyped-decorator]
@_alone
def purge() -> None:
    """Once an hour: forget what is older than it is kept."""
    forgotten = retention.purge(service())
    # What was erased or overwritten since the last time stands in SQLite's log no more.
    service().store.empty_log()
    _log.info("purged", extra=forgotten)


@huey.periodic_task(crontab(minute="*"))  # type: ignore[untyped-decorator]
@_alone
def reconcile() -> None:
    """Once a minute: finish operations at remote issuers that crashed or whose outcome is unknown."""
    from app.operations.resume import resume_all

    finished = resume_all(service())
    if finished:
        _log.info("reconciled", extra={"operations": finished})


@huey.task()  # type: ignore[untyped-decorator]
def read_webhook(webhook_id: str) -> None:
    """Read a webhook that has just come from a remote issuer."""
    from app.sync.webhooks import read_each

    read_each(service(), [webhook_id])


@huey.periodic_task(crontab(minute="*"))  # type: ignore[untyped-decorator]
@_alone
def sweep_webhooks() -> None:
    """Once a minute: read webhooks whose job was lost, or that had to wait."""
    from app.sync.webhooks import read_all

    read_all(service())


@huey.task()  # type: ignore[untyped-decorator]
def take_page(import_id: str) -> None:
    """Take the next page of an import on record; that asks for the page after it."""
    from app.sync.imports import take_each

    take_each(service(), [import_id])


@huey.periodic_task(crontab(minute="*"))  # type: ignore[untyped-decorator]
@_alone
def sweep_imports() -> None:
    """Once a minute: go on with imports whose job was lost, or that had to wait for the issuer."""
    from app.sync.imports import take_all

    take_all(service())


@huey.periodic_task(crontab(minute="37"))  # type: ignore[untyped-decorator]
def keep_up() -> None:
    """Once an hour: look at the programs of every connection, and subscribe to those that are new."""
    from app.sync.subscriptions import keep_up as keep_connections_up

    keep_connections_up(service())


def _check_keys() -> None:
    """End with a sentence where secrets were sealed with keys that this worker lacks: it could sign nothing."""
    try:
        with service().store.read() as connection:
            missing = sealed.missing_key_ids(connection, service().vault)
    except SQLAlchemyError:
        _log.warning("the keys of secrets cannot be checked: the database does not answer", exc_info=True)
        return
    if missing:
        raise SystemExit(f"Error: VAULT_KEYS lacks keys that secrets were sealed with: {', '.join(missing)}.")


@lru_cache(maxsize=1)
def delivery_worker() -> DeliveryWorker:
    """Return who takes events to hooks. Its libraries are the worker's alone: the web server only posts."""
    from app.events.delivering import DeliveryWorker
    from app.events.sending import Sender
    from app.events.targets import allowed_hosts

    sender = Sender(allowed_hosts(_settings.hook_allowed_hosts))
    return DeliveryWorker(service().store, service().clock, sender, service().vault)


@huey.task()  # type: ignore[untyped-decorator]
def deliver(hook_id: str) -> None:
    """Send what is due to a hook. What is due soon gets a job then; what is due later is found by the sweep."""
    sweeps.each(service(), Kind.HOOK, [hook_id], _deliver_due)


def _deliver_due(hook_id: str) -> bool:
    again_at = delivery_worker().deliver_due(hook_id)
    if again_at is not None:
        _deliver_at(hook_id, again_at)
    return again_at is None


@huey.periodic_task(crontab(minute="*"))  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Once a minute, and when the worker starts: find deliveries whose job was lost, or whose time comes."""
    now = service().clock()
    with service().store.write() as connection:
        maintenance.drop_of_ended_hooks(connection, now)
    with service().store.read() as connection:
        waiting = maintenance.waiting(connection, now + SWEEP)
    for hook_id, when in waiting:
        _deliver_at(hook_id, when)


@huey.periodic_task(crontab(minute="*"))  # type: ignore[untyped-decorator]
def expire() -> None:
    """Once a minute: tell of passes that have expired."""
    from app.sync.expiry import tell_expired

    expired = tell_expired(service())
    if expired:
        _log.info("expired", extra={"passes": expired})


def _deliver_at(hook_id: str, when: datetime) -> None:
    now = service().clock()
    if when <= now:
        post("deliver", hook_id)
    elif when <= now + SWEEP and not now < _deliver_times.get(hook_id, now) <= when:
        # Every job of a hook ends with the same next time; one is enough. A double one, or one too few where a job is
        # lost, does no harm: jobs find nothing to do, or the sweep finds the rows.
        _deliver_times[hook_id] = when
        _poster.post("deliver", hook_id, when)


def post(job: str, row_id: str) -> None:
    """Post a job on a row, without waiting for the queue. Loses nothing when the queue does: sweeps find the rows."""
    _poster.post(job, row_id)


def _put(name: str, row_id: str, at: datetime | None) -> None:
    job = {"deliver": deliver, "read_webhook": read_webhook, "take_page": take_page, "sweep": sweep}[name]
    ids = (row_id,) if row_id else ()
    if at is None:
        job(*ids)
    else:
        job.schedule(args=ids, eta=at)


_poster = Poster(_put)
