"""Background work, run by `huey_consumer app.jobs.huey` (the `worker` of the Procfile).

Jobs carry IDs only. The database is the truth: a job that is lost is found by the next sweep over the rows, so the
queue may live in a plain file of this machine, or in a Redis that forgets.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huey import Huey, crontab
from huey.storage import RedisStorage, SqliteStorage

from app import logs, sweeps
from app.events import maintenance
from app.service import Service, make_service, make_vault
from app.settings import InvalidSetting, load_settings
from app.store.troubles import Kind

if TYPE_CHECKING:
    from app.events.delivering import DeliveryWorker

_log = logging.getLogger(__name__)
try:
    _settings = load_settings()
    make_vault(_settings)
except InvalidSetting as error:
    raise SystemExit(f"Error: {error}") from None
# What is due within this time gets a job of its own at the exact moment; the sweep that finds the rest is not rarer.
SWEEP = timedelta(minutes=1)


class Jobs(Huey):  # type: ignore[misc]
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
        delivery_worker()  # made before there are threads that would each make one
        self.enqueue(sweep.s())
        return super().create_consumer(**options)


def _make_queue() -> Jobs:
    if _settings.redis_url:
        from redis import ConnectionPool

        pool = ConnectionPool.from_url(_settings.redis_url, socket_timeout=5, socket_connect_timeout=2)
        return Jobs("passrail", storage_class=RedisStorage, connection_pool=pool, results=False)
    folder = Path(_settings.data_dir).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    # Nothing waits for the disk: what a power cut takes from the queue, the sweep finds.
    file = str(folder / "jobs.db")
    return Jobs("passrail", storage_class=SqliteStorage, filename=file, fsync=False, results=False)


huey = _make_queue()


@lru_cache(maxsize=1)
def service() -> Service:
    """Return the parts the jobs work with, made when the first job needs them."""
    return make_service(_settings, post=post)


@huey.periodic_task(crontab(minute="7"))  # type: ignore[untyped-decorator]
def purge() -> None:
    """Once an hour: forget the stored answers and free the idempotency keys that are older than promised."""
    from app.events.delivering import forget_old as forget_deliveries
    from app.operations.purge import purge as purge_operations
    from app.sync.webhooks import forget_old as forget_webhooks

    forgotten = {
        "operations": purge_operations(service()),
        "webhooks": forget_webhooks(service()),
        "deliveries": forget_deliveries(service().store, service().clock()),
        "troubles": sweeps.forget_stale(service()),
    }
    # What was erased or overwritten since the last time stands in SQLite's log no more.
    service().store.empty_log()
    _log.info("purged", extra=forgotten)


@huey.periodic_task(crontab(minute="*"))  # type: ignore[untyped-decorator]
@huey.lock_task("reconcile")  # type: ignore[untyped-decorator]
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
@huey.lock_task("webhooks")  # type: ignore[untyped-decorator]
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
@huey.lock_task("imports")  # type: ignore[untyped-decorator]
def sweep_imports() -> None:
    """Once a minute: go on with imports whose job was lost, or that had to wait for the issuer."""
    from app.sync.imports import take_all

    take_all(service())


@huey.periodic_task(crontab(minute="37"))  # type: ignore[untyped-decorator]
def keep_up() -> None:
    """Once an hour: look at the programs of every connection, and subscribe to those that are new."""
    from app.sync.subscriptions import keep_up as keep_connections_up

    keep_connections_up(service())


@lru_cache(maxsize=1)
def delivery_worker() -> DeliveryWorker:
    """Return who takes events to hooks. Its libraries are the worker's alone: the web server only posts."""
    from app.events.delivering import DeliveryWorker
    from app.events.sending import Sender
    from app.events.targets import allowed_hosts

    return DeliveryWorker(service().store, service().clock, Sender(allowed_hosts(_settings.hook_allowed_hosts)))


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
        deliver(hook_id)
    elif when <= now + SWEEP:
        deliver.schedule(args=(hook_id,), eta=when)


def post(job: str, row_id: str) -> None:
    """Put a job on a row into the queue. Loses nothing when the queue does: the sweeps look at the rows."""
    try:
        {"deliver": deliver, "read_webhook": read_webhook, "take_page": take_page}[job](row_id)
    except Exception:  # the change is made: nothing the queue says may make it look otherwise
        _log.warning("the queue does not take a job", exc_info=True)
