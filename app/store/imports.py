"""Imports in the database: taking the passes of a remote issuer on record."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from app.store.tables import UNFINISHED, imports
from app.store.values import to_json, to_milliseconds


def give_up(connection: Connection, import_id: str, now: datetime) -> None:
    """End an import that did not finish as failed. What it took on record stays."""
    problem = {"code": "internal", "detail": "Whoever runs the service gave this import up after it failed too often."}
    values = {"status": "failed", "problem": to_json(problem), "finished_at": to_milliseconds(now)}
    connection.execute(update(imports).where(imports.c.id == import_id, UNFINISHED).values(values))
