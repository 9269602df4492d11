"""From the token in an address to the pass it stands for."""

from __future__ import annotations

import re

from app.model import ID_PATTERN
from app.service import current_service
from app.store import passes
from app.store.passes import Found


def find(token: str) -> Found | None:
    """Return the pass whose address carries this token, with its program; None for any token that is nobody's.

    What cannot be a token never reaches the database: PostgreSQL refuses some characters with an error.
    """
    if not re.fullmatch(ID_PATTERN, token):
        return None
    with current_service().store.read() as connection:
        return passes.get_by_link_token(connection, token)
