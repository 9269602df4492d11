"""A remote issuer in memory: the second kind there is, so that nothing outside `app/issuers/passkit` needs PassKit.

server.py    the issuer's side: programs, records, subscriptions, and the failures a test asks for
mapping.py   its records as passes of ours
issuer.py    the effects and questions, one method each
kind.py      what is registered
"""

from __future__ import annotations

from tests.issuers.memory.issuer import MemoryIssuer
from tests.issuers.memory.kind import MemoryKind
from tests.issuers.memory.server import Failure, MemoryServer, Record

__all__ = ["Failure", "MemoryIssuer", "MemoryKind", "MemoryServer", "Record"]
