"""How sweeps and jobs go through their items: each by itself, so that one that fails never stops the others.

An item that raises an exception is tried again after a growing pause. After `MOST_TRIES` it is parked: nothing tries
it any more until an operator says so (`passrail parked`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from traceback import extract_tb

from app.errors import NotFound
from app.service import Service
from app.store import troubles
from app.store.troubles import Kind, Trouble
from app.store.unavailable import DatabaseUnavailable

MOST_TRIES = 10
LONGEST_PAUSE = timedelta(hours=1)
# Sweeps come at least once an hour: a try that was due this long ago is one that no sweep will make.
STALE = timedelta(days=1)
PLACES_SHOWN = 3  # the innermost lines of our own code that an exception came through

_HERE = Path(__file__).parent
_log = logging.getLogger(__name__)


def each(service: Service, kind: Kind, item_ids: Iterable[str], do: Callable[[str], bool]) -> int:
    """Do every item that does not rest, whatever happens to the others.

    Args:
        service: the parts of the service.
        kind: what the items are.
        item_ids: their IDs.
        do: does one item. True: the item came to an end; False: it waits for something, which is no failure.

    Returns:
        How many items came to an end.
    """
    return sum(_try(service, kind, item_id, do) for item_id in item_ids)


def park(service: Service, kind: Kind, item_id: str, why: str) -> None:
    """Leave an item to people though nothing failed: nobody can tell its outcome, for example.

    Args:
        service: the parts of the service.
        kind: what the item is.
        item_id: its ID.
        why: a sentence for operators, without any person's data.
    """
    now = service.clock()
    with service.store.write() as connection:
        known = troubles.get(connection, kind, item_id) or _fresh(kind, item_id, now)
        troubles.put(connection, replace(known, why=why, parked_at=now))
    _log.error("parked", extra={"kind": kind.value, "item_id": item_id, "why": why})


def list_parked(service: Service) -> list[Trouble]:
    """Return what waits for people, what was parked first at the top."""
    with service.store.read() as connection:
        return troubles.list_parked(connection)


def retry(service: Service, kind: Kind, item_id: str) -> None:
    """Let the next sweep take an item, with all its tries before it.

    Raises:
        NotFound: there is no trouble with it.
    """
    with service.store.write() as connection:
        if not troubles.forget(connection, kind, item_id):
            raise _unknown(kind, item_id)


def drop(service: Service, kind: Kind, item_id: str, drop_item: Callable[[str], None]) -> None:
    """Give an item up.

    Args:
        service: the parts of the service.
        kind: what the item is.
        item_id: its ID.
        drop_item: ends the item itself. Where it raises, the item stays parked.

    Raises:
        NotFound: there is no trouble with it.
    """
    with service.store.read() as connection:
        if troubles.get(connection, kind, item_id) is None:
            raise _unknown(kind, item_id)
    drop_item(item_id)
    with service.store.write() as connection:
        troubles.forget(connection, kind, item_id)


def forget_stale(service: Service) -> int:
    """Forget troubles with items that were done or deleted since; return how many."""
    with service.store.write() as connection:
        return troubles.forget_stale(connection, service.clock() - STALE)


def pause_after(tries: int) -> timedelta:
    """Return how long an item rests after so many failed tries: 1, 2, 4 ... minutes."""
    return min(timedelta(minutes=2 ** (tries - 1)), LONGEST_PAUSE)


def _try(service: Service, kind: Kind, item_id: str, do: Callable[[str], bool]) -> bool:
    try:
        with service.store.read() as connection:
            trouble = troubles.get(connection, kind, item_id)
        if trouble is not None and trouble.rests(service.clock()):
            return False
        has_ended = do(item_id)
        if trouble is not None:
            with service.store.write() as connection:
                if troubles.get(connection, kind, item_id) == trouble:  # else `do` has parked it
                    troubles.forget(connection, kind, item_id)
        return has_ended
    except DatabaseUnavailable as failure:  # that is not the item's failure: the next sweep takes it
        _log.warning(
            "an item waits for the database", extra={"kind": kind.value, "item_id": item_id, "why": failure.why}
        )
        return False
    except Exception as failure:  # whatever it is, the next items are not to blame for it
        _log.exception("an item failed", extra={"kind": kind.value, "item_id": item_id})
        _note_failure(service, kind, item_id, failure)
        return False


def _note_failure(service: Service, kind: Kind, item_id: str, failure: Exception) -> None:
    """Write down when to try again, or park the item. Where even that fails the next sweep tries it at once."""
    now = service.clock()
    try:
        with service.store.write() as connection:
            known = troubles.get(connection, kind, item_id) or _fresh(kind, item_id, now)
            noted = _after_failure(known, _place_of(failure), now)
            troubles.put(connection, noted)
    except Exception:
        _log.exception("a failure cannot be written down", extra={"kind": kind.value, "item_id": item_id})
        return
    if noted.parked_at is not None:
        _log.error("parked", extra={"kind": kind.value, "item_id": item_id, "why": noted.why})


def _fresh(kind: Kind, item_id: str, now: datetime) -> Trouble:
    return Trouble(kind, item_id, tries=0, why="", first_at=now, next_at=now)


def _after_failure(known: Trouble, why: str, now: datetime) -> Trouble:
    tries = known.tries + 1
    parked_at = now if tries >= MOST_TRIES else None
    return replace(
        known, tries=tries, why=why, next_at=now + pause_after(tries), parked_at=known.parked_at or parked_at
    )


def _place_of(failure: Exception) -> str:
    """Say what was raised and where. Its message stays in the log, which is scrubbed: it may hold a person's data."""
    frames = [(Path(frame.filename), frame.lineno) for frame in extract_tb(failure.__traceback__)]
    ours = [f"{file.relative_to(_HERE.parent)}:{line}" for file, line in frames if file.is_relative_to(_HERE)]
    return f"{type(failure).__name__} at {' > '.join(ours[-PLACES_SHOWN:])}"


def _unknown(kind: Kind, item_id: str) -> NotFound:
    return NotFound(
        f"There is no trouble with the {kind.value} '{item_id}'. 'passrail parked list' shows what is parked."
    )
