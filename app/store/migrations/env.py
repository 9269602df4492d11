"""What Alembic runs to reach the database: the connection and its transaction come from `store/migrate.py`."""

from __future__ import annotations

from alembic import context

from app.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot change most things about a table; Alembic then copies it into a new one.
    render_as_batch=True,
)
context.run_migrations()
