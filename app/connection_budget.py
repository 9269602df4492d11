"""How many connections to PostgreSQL the service may need, and whether there are so many."""

from __future__ import annotations

import logging

import psycopg
from sqlalchemy import make_url

from app.settings import Settings
from app.store.engine import web_connections

WORKER_THREADS = 24  # as the Procfile says
# One for each thread, for the heartbeat, and for what posts jobs.
WORKER_CONNECTIONS = WORKER_THREADS + 2
CONNECT_SECONDS = 2
ASK = "SELECT current_setting('max_connections')::integer, current_setting('superuser_reserved_connections')::integer"

_log = logging.getLogger(__name__)


def warn_if_too_few(settings: Settings) -> None:
    """Log a warning where one web server and one worker may need more connections than PostgreSQL has.

    Where the database cannot be asked nothing is said: whoever needs it will say that.
    """
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite":
        return
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(address, connect_timeout=CONNECT_SECONDS) as connection:
            found = connection.execute(ASK).fetchone()
    except psycopg.Error:
        return
    assert found is not None
    most, reserved = found
    if (warning := too_few(settings, most, reserved)) is not None:
        _log.warning(warning)


def too_few(settings: Settings, most: int, reserved: int) -> str | None:
    """Say what is wrong with the numbers, None where they fit.

    Args:
        settings: with the numbers of processes and threads.
        most: PostgreSQL's `max_connections`.
        reserved: how many of them are kept for superusers.
    """
    processes, each = settings.web_concurrency, web_connections(settings)
    needed, there_are = processes * each + WORKER_CONNECTIONS, most - reserved
    if needed <= there_are:
        return None
    return (
        f"PostgreSQL has too few connections: {processes} web processes x {each} (half of WEB_THREADS) + "
        f"{WORKER_CONNECTIONS} of the worker = {needed}, and there are {most} (max_connections) - {reserved} "
        f"(superuser_reserved_connections) = {there_are}. "
        "Lower WEB_CONCURRENCY or WEB_THREADS, or raise max_connections."
    )
