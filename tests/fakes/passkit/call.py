"""One request on its way to its handler: what it asks for, and what the handler may want to do with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.passkit.errors import Refusal, invalid, not_found
from tests.fakes.passkit.routes import Route
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import State, Table
from tests.fakes.passkit.switches import Switches

if TYPE_CHECKING:
    from tests.fakes.passkit.authentication import Credentials

Publish = Callable[[str, str, Record], None]


@dataclass(slots=True)
class Call:
    """A request that is authenticated and has the right shape.

    `body` is the message that path, query and body make together. `publish` tells the sinks: protocol, what
    happened, record. `note` remembers an effect: the key to count it under, PassKit's ID of the record.
    """

    state: State
    switches: Switches
    credentials: Credentials
    route: Route
    body: Record
    headers: Mapping[str, str]
    publish: Publish
    note: Callable[[str, str], None]

    def count(self, record: Record, event_id: str = "") -> None:
        """Count something that was really done to a record, under the caller's own ID of the event or of the record."""
        key = event_id or record.get("externalId") or record.get("ticketNumber") or record["id"]
        self.note(key, record["id"])

    def text(self, name: str) -> str:
        """Return a text field, or "" when it is not set."""
        value: str = self.body.get(name, "")
        return value

    def invalid(self, field: str, tag: str = "required") -> Refusal:
        """Refuse a field of this request."""
        return invalid(self.route.takes, field, tag)

    def known(self, table: Table, identity: str) -> Record:
        """Return a record, or refuse with 404."""
        record = table.get(identity)
        if record is None:
            raise not_found(table.what, identity)
        return record
