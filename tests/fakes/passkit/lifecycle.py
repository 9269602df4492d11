"""What time and wallets do to passes: ending, coming back, deletion some time later, being installed.

Nothing runs in the background: a pass is brought up to date whenever it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fakes.passkit import expiry
from tests.fakes.passkit.errors import not_found
from tests.fakes.passkit.shapes import Record
from tests.fakes.passkit.state import State, Table, to_text

INSTALLED, UNINSTALLED, INVALIDATED = "PASS_INSTALLED", "PASS_UNINSTALLED", "PASS_INVALIDATED"
_BEFORE_EXPIRY = "_before_expiry"  # a field of the fake's own; never printed


def get(state: State, table: Table, identity: str) -> Record:
    """Return a pass as it is now.

    Raises:
        Refusal: 404, there is none, or no longer.
    """
    return _up_to_date(state, table, table.get(identity), identity)


def find(state: State, table: Table, *key: str) -> Record:
    """Return a pass by its unique fields as it is now.

    Raises:
        Refusal: 404, there is none, or no longer.
    """
    return _up_to_date(state, table, table.find(*key), key[-1])


def every(state: State, table: Table) -> Iterator[Record]:
    """Yield all passes of a table as they are now."""
    for record in table:
        if not _is_gone(state, table, record):
            _age(state, record)
            yield record


def _up_to_date(state: State, table: Table, record: Record | None, identity: str) -> Record:
    if record is None or _is_gone(state, table, record):
        raise not_found(table.what, identity)
    _age(state, record)
    return record


def is_invalidated(record: Record) -> bool:
    """Tell whether the pass has lost its barcode and cannot change any more."""
    return bool(record.get("passMetaData", {}).get("status") == INVALIDATED)


def has_expired(state: State, record: Record) -> bool:
    """Tell whether a pass is over because of a date, and not because it was taken out of use."""
    _age(state, record)
    return _BEFORE_EXPIRY in record


def invalidate(state: State, record: Record) -> None:
    """Take a pass out of use for good."""
    record.setdefault("passMetaData", {}).update(status=INVALIDATED, invalidatedAt=state.now_text())


def _is_gone(state: State, table: Table, record: Record) -> bool:
    end = expiry.end_of(state, record)
    if end is None or state.now() < end + expiry.time_kept(state, record):
        return False
    table.remove(record["id"])
    return True


def _age(state: State, record: Record) -> None:
    end = expiry.end_of(state, record)
    before: dict[str, Any] | None = record.get(_BEFORE_EXPIRY)
    meta = record.setdefault("passMetaData", {})
    if end is not None and end <= state.now():
        if before is None and not is_invalidated(record):
            record[_BEFORE_EXPIRY] = {"status": record.get("status"), "pass": meta.get("status")}
            meta.update(status=INVALIDATED, invalidatedAt=to_text(end))
            if "programId" in record:
                record["status"] = "EXPIRED"
    elif before is not None and state.switches.reactivation:
        del record[_BEFORE_EXPIRY]
        _put(meta, "status", before["pass"])
        meta.pop("invalidatedAt", None)
        if "programId" in record:
            _put(record, "status", before["status"])


def _put(record: Record, name: str, value: Any) -> None:
    """Set a field, or unset it."""
    if value is None:
        record.pop(name, None)
    else:
        record[name] = value


def install(state: State, record: Record) -> None:
    """The holder puts the pass into a wallet. A new member becomes active by it."""
    now = state.now_text()
    meta = record.setdefault("passMetaData", {})
    meta.setdefault("firstInstalledAt", now)
    meta.update(status=INSTALLED, lastInstalledAt=now)
    meta.setdefault("lifecycleEvents", []).append("INSTALLED_APPLE")
    if "programId" in record and "status" not in record:
        record["status"] = "ACTIVE"


def uninstall(state: State, record: Record) -> None:
    """The holder takes the pass out of the wallet, or switches its updates off: Apple cannot tell the two apart."""
    now = state.now_text()
    meta = record.setdefault("passMetaData", {})
    meta.setdefault("firstUninstalledAt", now)
    meta.update(status=UNINSTALLED, lastUninstalledAt=now)
    meta.setdefault("lifecycleEvents", []).append("UNINSTALLED_APPLE")
