"""Background work, run by `huey_consumer app.jobs.huey` (the `worker` of the Procfile).

Jobs carry IDs only. The database is the truth: a job that is lost is found by the next sweep over the rows, so the
queue may live in a plain file of this machine.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from huey import SqliteHuey, crontab

from app import logs
from app.service import Service, make_service, make_vault
from app.settings import InvalidSetting, load_settings

_log = logging.getLogger(__name__)
try:
    _settings = load_settings()
    make_vault(_settings)
except InvalidSetting as error:
    raise SystemExit(f"Error: {error}") from None


class Jobs(SqliteHuey):  # type: ignore[misc]
    """The queue; its consumer logs as the rest of the service does."""

    def create_consumer(self, **options: Any) -> Any:
        """Make the consumer, after its command line has given the logger `huey` a handler of another form."""
        logger = logging.getLogger("huey")
        logger.handlers = []
        logger.setLevel(logging.NOTSET)
        logs.configure(_settings.log_level)
        return super().create_consumer(**options)


def _queue_file() -> str:
    folder = Path(_settings.data_dir).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / "jobs.db")


huey = Jobs("passrail", filename=_queue_file(), results=False)


@lru_cache(maxsize=1)
def service() -> Service:
    """Return the parts the jobs work with, made when the first job needs them."""
    return make_service(_settings)


@huey.periodic_task(crontab(minute="7"))  # type: ignore[untyped-decorator]
def purge() -> None:
    """Once an hour: forget the stored answers and free the idempotency keys that are older than promised."""
    from app.actions.inbox import forget_old
    from app.actions.operation import purge as purge_operations

    _log.info("purged", extra={"operations": purge_operations(service()), "webhooks": forget_old(service())})


@huey.periodic_task(crontab(minute="*"))  # type: ignore[untyped-decorator]
@huey.lock_task("reconcile")  # type: ignore[untyped-decorator]
def reconcile() -> None:
    """Once a minute: finish operations at issuers elsewhere that crashed or whose outcome is unknown."""
    from app.actions.resume import resume_all

    finished = resume_all(service())
    if finished:
        _log.info("reconciled", extra={"operations": finished})


@huey.task()  # type: ignore[untyped-decorator]
def read_inbox(hint_id: str) -> None:
    """Look into a webhook that has just come."""
    from app.actions.inbox import read

    read(service(), hint_id)


@huey.periodic_task(crontab(minute="*"))  # type: ignore[untyped-decorator]
@huey.lock_task("inbox")  # type: ignore[untyped-decorator]
def sweep_inbox() -> None:
    """Once a minute: look into webhooks whose job was lost, or that had to wait."""
    from app.actions.inbox import read_all

    read_all(service())


@huey.periodic_task(crontab(minute="37"))  # type: ignore[untyped-decorator]
def keep_up() -> None:
    """Once an hour: look at the programs of every connection, and subscribe to those that are new."""
    from app import upstream

    upstream.keep_up(service())


def post(job: str, row_id: str) -> None:
    """Put a job on a row into the queue. Loses nothing when the queue does: the sweeps look at the rows."""
    try:
        {"read_inbox": read_inbox}[job](row_id)
    except OSError:
        _log.warning("the queue does not take a job", exc_info=True)
