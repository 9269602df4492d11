"""What a load balancer or a container platform asks: is the process alive, may it get requests."""

from __future__ import annotations

from flask import Flask, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from app.errors import NotReady
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
    """Answer 200 when the database is there and has the tables of this version.

    Raises:
        NotReady: it is not; the sentence says what to do.
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
    return jsonify(status="ok")
