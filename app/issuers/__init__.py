"""Where passes live.

The built-in issuer is our own database. Remote issuers are registered here: one folder and one line each.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.clock import Clock
from app.issuers import passkit
from app.issuers.protocol import RemoteKind
from app.settings import Settings


def make_remote_kinds(settings: Settings, clock: Clock) -> Mapping[str, RemoteKind]:
    """Make what a process needs of each kind of remote issuer, by its name."""
    kinds: tuple[RemoteKind, ...] = (passkit.PassKit(settings, clock),)
    return {kind.name: kind for kind in kinds}
