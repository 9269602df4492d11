"""The service as a server that can be killed at a named moment of one request.

Product code knows nothing of this. The module imports the service, puts *seams* around the functions an operation
passes through, and serves the result:

    gunicorn --config python:app.gunicorn_conf --preload "tests.e2e.killable:application()"

A request with the header `X-Kill-At: <seam>` ends the process with SIGKILL when it arrives at that seam for the first
time; the master makes a new one. Beside the built-in issuer there is one more, `LedgerIssuer`: a place outside of our
database whose effects cannot be undone and can be counted.

`PASSRAIL_PLANT` names a fault to build in, so that tests can show that they would notice it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection

from app import create_app
from app.accounts.keys import Caller
from app.effects import Effect
from app.events import outbox
from app.issuers.protocol import Done, Issuer, NotDone, Outcome, Settled, Step
from app.model import Mode, system_clock
from app.operations import runner, steps
from app.operations.record import EVENT_OF
from app.service import Service
from app.store import operations, passes
from app.store.engine import Store

HEADER = "X-Kill-At"
FOLDER, PLANT = "PASSRAIL_STAGE", "PASSRAIL_PLANT"
REMOTE = "remote-"
AT_SOME_MOMENT = "moment:"


class Armed(threading.local):
    """Where the request of this thread shall die, how many transactions it has begun, and whether this one has an
    event.
    """

    seam: str = ""
    writes: int = 0
    is_telling: bool = False


_armed = Armed()


def die(seam: str) -> None:
    """Write down that it happened, and end this process as a crash would: at once, with nothing tidied up."""
    file = os.open(_folder() / "kills", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{seam}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


def reach(seam: str) -> None:
    """Die if this is where the present request shall."""
    if _armed.seam == seam:
        die(seam)


def shifted_clock() -> datetime:
    """Return the time, moved by the seconds in a file: leases lapse when a test wants it."""
    try:
        seconds = float((_folder() / "clock").read_text())
    except (OSError, ValueError):
        seconds = 0.0
    return system_clock() + timedelta(seconds=seconds)


class LedgerIssuer:
    """A remote issuer whose effects are lines in a file, there for good once written."""

    def _apply(self, effect: Effect, step: Step) -> Outcome:
        """Have the effect, between two seams."""
        reach("effect:before")
        file = os.open(_folder() / "ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(file, f"{step.id} {step.subject.external_id} {EVENT_OF[type(effect)]}\n".encode())
        finally:
            os.close(file)
        reach("effect:after")
        return Done(step.subject, effect.on(step.subject, step.now))

    issue = update_holder = add_points = set_points = change_tier = _apply
    redeem = revoke = reinstate = set_expiry = _apply

    def settled(self, effect: Effect, step: Step) -> Settled:
        """Look whether the effect is there."""
        try:
            lines = (_folder() / "ledger").read_text().splitlines()
        except FileNotFoundError:
            return NotDone()
        if any(line.startswith(f"{step.id} ") for line in lines):
            return Done(step.subject, effect.on(step.subject, step.now))
        return NotDone()


class Own:
    """Gives each process a store of its own.

    The application is made once, before the processes are forked, because that makes a new one quick. As the Procfile
    has it each process makes its own, and shares neither connections nor the opening of a file that is locked.
    """

    def __init__(self, app: Flask) -> None:
        self._service: Service = app.extensions["passrail"]
        self._one_at_a_time = threading.Lock()
        self._process = 0

    def make(self) -> None:
        """Make the store anew at the first request of a process."""
        with self._one_at_a_time:
            if self._process != os.getpid():
                Store.__init__(self._service.store, self._service.settings)
                for kind in self._service.remote_kinds.values():
                    kind.close()
                self._process = os.getpid()


def application() -> Flask:
    """Make the service with its seams, and with the planted fault if there is one."""
    put_seams()
    plant(os.environ.get(PLANT, ""))
    app = create_app(clock=shifted_clock)
    inner = app.wsgi_app

    own = Own(app)

    def killable(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        own.make()
        _arm(environ.get("HTTP_X_KILL_AT", ""))
        try:
            answer = inner(environ, start_response)
            reach("answer:before")
        finally:
            _arm("")
        return answer

    app.wsgi_app = killable  # type: ignore[method-assign]
    return app


def put_seams() -> None:
    """Wrap what an operation passes through."""
    setattr(Store, "write", _write_with_seams(Store.write))  # noqa: B010 - mypy would compare the signatures
    for module, name, seam in (
        (passes, "add", "pass"),
        (passes, "save", "pass"),
        (outbox, "record", "event"),
        (operations, "add", "operation"),
        (operations, "save", "operation"),
    ):
        setattr(module, name, _between_seams(getattr(module, name), seam))
    setattr(steps, "perform", _between_seams(steps.perform, "effect", but=LedgerIssuer))  # noqa: B010
    # Imported there, not exported.
    real_issuer: Callable[[Mode, str | None], Issuer | None] = getattr(steps, "simulated_issuer")  # noqa: B009
    real_name: Callable[[Service, Caller, Mapping[str, Any]], str] = getattr(runner, "issuer_of")  # noqa: B009

    def issuer(mode: Mode, external_id: str | None) -> Issuer | None:
        return LedgerIssuer() if _is_remote(external_id) else real_issuer(mode, external_id)

    def issuer_name(service: Service, caller: Caller, data: Mapping[str, Any]) -> str:
        return "ledger" if _is_remote(data.get("external_id")) else real_name(service, caller, data)

    setattr(steps, "simulated_issuer", issuer)  # noqa: B010
    setattr(runner, "issuer_of", issuer_name)  # noqa: B010


def _is_remote(external_id: str | None) -> bool:
    return external_id is not None and external_id.startswith(REMOTE)


def plant(fault: str) -> None:
    """Break one promise on purpose."""
    match fault:
        case "forget-keys":
            _forget_keys()
        case "effect-before-record":
            _commit_before("add")
        case "blind-retry":
            setattr(LedgerIssuer, "settled", lambda *_: NotDone())  # noqa: B010
        case "answer-before-commit":
            _never_commit()
        case "":
            pass
        case _:
            raise ValueError(fault)


def _forget_keys() -> None:
    """Every request is new: what the whole runner is there to prevent."""
    from dataclasses import replace

    setattr(runner, "earlier_of", lambda *_: None)  # noqa: B010
    add = operations.add
    setattr(operations, "add", lambda connection, row: add(connection, replace(row, key_digest=None)))  # noqa: B010


def _commit_before(name: str) -> None:
    """The operation is recorded in a transaction of its own, after the one of its effect."""
    record = getattr(operations, name)

    def late(connection: Connection, row: operations.Operation) -> None:
        _end_sqlite_transaction(connection, "COMMIT")
        record(connection, row)

    setattr(operations, name, late)


def _never_commit() -> None:
    """The caller is told that it is done, and nothing is."""
    write = Store.write

    @contextmanager
    def forgetful(store: Store) -> Iterator[Connection]:
        with write(store) as connection:
            yield connection
            _end_sqlite_transaction(connection, "ROLLBACK")

    setattr(Store, "write", forgetful)  # noqa: B010


def _end_sqlite_transaction(connection: Connection, how: str) -> None:
    """End the transaction behind SQLAlchemy's back, and begin the one it believes to be in."""
    cursor = connection.connection.cursor()
    cursor.execute(how)
    cursor.execute("BEGIN IMMEDIATE")


def _write_with_seams(write: Callable[[Store], Any]) -> Callable[[Store], Any]:
    @contextmanager
    def wrapper(store: Store) -> Iterator[Connection]:
        _armed.writes += 1
        names = [f"write-{_armed.writes}"]
        _armed.is_telling = False
        reach(f"{names[0]}:before")
        with write(store) as connection:
            yield connection
            # At PassKit the number of the transaction that has the event depends on what was noted before.
            names += ["telling"] * _armed.is_telling
            for name in names:
                reach(f"{name}:before-commit")
        for name in names:
            reach(f"{name}:after-commit")

    return wrapper


def _between_seams(function: Callable[..., Any], seam: str, but: type | None = None) -> Callable[..., Any]:
    """Put a seam before and after the function; not where its first argument is of the type `but`."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if but is not None and isinstance(args[0], but):
            return function(*args, **kwargs)
        reach(f"{seam}:before")
        result = function(*args, **kwargs)
        _armed.is_telling = _armed.is_telling or seam == "event"
        reach(f"{seam}:after")
        return result

    return wrapper


def _arm(seam: str) -> None:
    _armed.seam, _armed.writes = seam, 0
    if seam.startswith(AT_SOME_MOMENT):
        threading.Timer(float(seam.removeprefix(AT_SOME_MOMENT)), die, [seam]).start()


def _folder() -> Path:
    return Path(os.environ[FOLDER])
