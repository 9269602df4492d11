"""What a load balancer or a container platform asks: is the process alive, may it get requests."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from app.errors import NotReady
from app.heartbeat import living
from app.service import current_service
from app.store.migrate import is_current


def init_app(app: Flask) -> None:
    """Add `GET /healthz` and `GET /readyz`; both are for operators and not part of the described API."""
    app.add_url_rule("/healthz", "healthz", alive)
    app.add_url_rule("/readyz", "readyz", ready)


def alive() -> Response:
    """Answer as long as the process answers at all; restarting it would not mend a database."""
    return jsonify(status="ok")


def ready() -> Response:
    """Answer 200 when the database is there, with the tables of this version; with `?worker` when a worker lives, too.

    Raises:
        NotReady: it is not so; the sentence says what to do.
    """
    try:
        current = is_current(current_service().store)
    except SQLAlchemyError as error:
        raise NotReady(
            "The database cannot be reached. Check that it is running and that DATABASE_URL is right."
        ) from error
    if not current:
        raise NotReady(
            "The tables in the database are not those of this version. Run `passrail migrate`; "
            "if a newer version has run already, start that one."
        )
    if "worker" in request.args:
        _check_worker()
    return jsonify(status="ok")


def _check_worker() -> None:
    number, since = living(current_service())
    if number:
        return
    raise NotReady(
        f"No worker has been alive {since}: events are not sent, expiries not told. Start the line `worker` of the "
        "Procfile, with the same DATABASE_URL."
    )
