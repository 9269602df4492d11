"""Where passes live.

The built-in issuer is our own database. Remote issuers are registered here: one folder and one line each.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.issuers import passkit
from app.issuers.remote import RemoteKind
from app.model import Clock
from app.schema import Base
from app.settings import Settings

REMOTE_KINDS: tuple[type[RemoteKind], ...] = (passkit.PassKit,)
# What connects an account to each of them, for whoever describes it before there is a service.
FORMS: Mapping[str, Base] = {kind.name: kind.form for kind in REMOTE_KINDS}


def make_remote_kinds(settings: Settings, clock: Clock) -> dict[str, RemoteKind]:
    """Make what a process needs of each kind of remote issuer, by its name."""
    return {kind.name: kind(settings, clock) for kind in REMOTE_KINDS}
