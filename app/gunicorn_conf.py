"""How gunicorn runs the service: `gunicorn --config python:app.gunicorn_conf "app:create_app()"`.

The names without underscore are gunicorn's settings and hooks; our own settings come from `app/settings.py`.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Any

from gunicorn import util
from gunicorn.glogging import Logger

from app import data_dir, logs
from app.api.problems import CONTENT_TYPE, document
from app.connection_budget import warn_if_too_few
from app.errors import Internal, MalformedRequest, PassrailError, RequestTimeout
from app.model import IdKind, new_id
from app.server import figures
from app.server.port import check_addresses
from app.server.seats import seats
from app.server.worker import Worker
from app.service import make_vault
from app.settings import InvalidSetting, load_settings
from app.store.columns import to_json

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.config import Config

# What cannot be used ends gunicorn here with a sentence; in its workers it would be a traceback from each.
_settings = load_settings()
make_vault(_settings)
data_dir.prepare_once(_settings.data_dir)


class JsonLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own lines in the one form that all our lines have."""

    def setup(self, cfg: Config) -> None:
        """Take gunicorn's handlers away and put ours in their place."""
        super().setup(cfg)
        self.error_log.handlers = [logs.configure(_settings.log_level)]
        self.error_log.setLevel(_settings.log_level)


def write_problem(connection: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer what is no proper HTTP, and so never reaches the application, in the form of all our errors.

    Gunicorn has no setting for this; the function stands in for `gunicorn.util.write_error`.
    """
    # The request is not trusted to be repeated back: what was wrong with it is in the log, under the same ID.
    if status == 408:
        error: PassrailError = RequestTimeout()
    elif status >= 500:
        error = Internal()
    else:
        error = MalformedRequest(f"The web server refused the request: {reason}.")
    request_id = new_id(IdKind.REQUEST)
    logging.getLogger("gunicorn.error").warning(
        "refused", extra={"request_id": request_id, "code": error.code, "reason": message}
    )
    body = to_json({**document(error, _settings.public_url, request_id), "status": status}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"X-Request-ID: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(connection, head.encode("latin1") + body)


# Before anything imports prometheus_client, which is why the workers do that and not this process (`app/metrics.py`).
figures.make_folder()
util.write_error = write_problem
logger_class = JsonLogger
accesslog = None  # `app/logs.py` writes a line for each request, without the addresses

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = Worker
worker_connections = 800  # in each process, so that with files and databases it stays below the usual 1024 descriptors
workers = _settings.web_concurrency
threads = _settings.web_threads
proc_name = "passrail"

timeout = 60
graceful_timeout = 25  # container platforms kill 30 seconds after they asked to stop
keepalive = 75  # longer than the usual 60 seconds of a load balancer, which would else meet closed connections

limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190

# The heartbeat of a worker is a file; on a busy disk writing it can take long enough to be taken for dead.
worker_tmp_dir = str(figures.MEMORY) if figures.MEMORY.is_dir() else None
control_socket_disable = True  # else a file in the home folder, which two services would share
forwarder_headers = ""  # else a header named SCRIPT_NAME from this machine would say where the service lies


def on_starting(server: Arbiter) -> None:
    """Stop before anything is touched where the port is taken."""
    is_handed_over = "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ
    if not is_handed_over:
        try:
            check_addresses(server.address)
        except InvalidSetting as error:
            figures.remove_folder()
            raise SystemExit(f"Error: {error}") from None


def post_fork(_server: Arbiter, worker: Any) -> None:
    """Make room for the figures of a process before it has any."""
    figures.prepare_files(os.getpid())


def when_ready(_server: Arbiter) -> None:
    """Say beforehand where PostgreSQL will run out of connections."""
    warn_if_too_few(_settings)


def post_worker_init(_worker: Any) -> None:
    """Import what posts jobs before the first request needs it: it takes a quarter of a second."""
    from app import jobs  # noqa: F401


def child_exit(_server: Arbiter, worker: Any) -> None:
    """Forget what only a living process can say, when a worker ends."""
    from prometheus_client.multiprocess import mark_process_dead

    seats.leave(worker.seat)
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    figures.shrink_files(worker.pid)


def on_exit(_server: Arbiter) -> None:
    """Leave nothing in memory."""
    figures.remove_folder()
