"""One request to PassKit: its token, a place among the few at once, a deadline, retries, a validated answer."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

import requests

from app.issuers.passkit.answers import Json, MalformedAnswer, date_of, parse_lines, parse_object
from app.issuers.passkit.credentials import TOKEN_SECONDS, Credentials, authorization
from app.issuers.passkit.failures import CredentialsRefused, Garbled, InvalidRequest, NotSent, PassKitFailure
from app.issuers.passkit.retry import next_wait
from app.issuers.passkit.values import path_value
from app.issuers.passkit.wire import ANSWER_SECONDS, Answer, Wire
from app.model import Clock

SHORTEST_TRY = 1.0  # seconds; with less left there is no use in asking
TOLD_CLOCK_DIFFERENCE = 30.0  # seconds that our clock may differ from PassKit's before the log says so
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "passrail",
}

T = TypeVar("T")
_log = logging.getLogger("passrail.passkit")
_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@dataclass(slots=True)
class Pool:
    """PassKit as one process sees it. Make one, share it.

    Args:
        wire: the connections.
        clock: our time.
        at_once: requests at once for one account, in this process; each process of the service counts for itself.
        sleep, jitter, monotonic: for tests.
    """

    at_once: int
    clock: Clock
    wire: Wire = field(default_factory=Wire)
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic


class ConnectionState:
    """What the requests of one connection (one account's credentials) have in common.

    `clock_offset` is what must be added to our clock to have PassKit's, in seconds. Every answer tells it by its `Date`
    header, in whole seconds and a moment late: PassKit's true time is never behind what is computed with it.
    """

    def __init__(self, pool: Pool, credentials: Credentials) -> None:
        self.pool, self.credentials = pool, credentials
        self.slots = threading.BoundedSemaphore(pool.at_once)
        self.clock_offset = 0.0
        self._signed: tuple[int, str] = (0, "")

    def now(self) -> datetime:
        """Return PassKit's time."""
        return self.pool.clock() + timedelta(seconds=self.clock_offset)

    def authorization(self) -> str:
        """Return the `Authorization` header for a request now. A token is used again for as long as it is young."""
        now = int(self.now().timestamp())
        made_at, token = self._signed
        if not made_at <= now < made_at + TOKEN_SECONDS:
            token = authorization(self.credentials, now)
            self._signed = now, token
        return token

    def learn_clock(self, answer: Answer) -> None:
        """Take PassKit's time over from an answer."""
        date = date_of(answer)
        if date is None:
            return
        offset = (date - self.pool.clock()).total_seconds()
        if abs(offset) > TOLD_CLOCK_DIFFERENCE and abs(offset - self.clock_offset) > TOLD_CLOCK_DIFFERENCE:
            _log.warning("our clock differs from PassKit's", extra={"seconds": round(offset)})
        self.clock_offset = offset


class Transport:
    """Sends requests with one account's credentials, for one action.

    Attributes:
        writes: how many requests that write have been answered well.
    """

    def __init__(self, state: ConnectionState, seconds: float) -> None:
        """Everything done through this transport together, waits included, ends after about `seconds`."""
        self._state, self._pool = state, state.pool
        self._until = state.pool.monotonic() + seconds
        self.writes = 0

    def __repr__(self) -> str:
        return f"Transport({self._state.credentials.base_url})"

    @property
    def credentials(self) -> Credentials:
        """Whose requests these are."""
        return self._state.credentials

    @property
    def at_once(self) -> int:
        """How many requests of the account may be under way at once."""
        return self._pool.at_once

    def now(self) -> datetime:
        """Return PassKit's time."""
        return self._state.now()

    def offset(self) -> timedelta:
        """Return what must be added to our time to have PassKit's."""
        return timedelta(seconds=self._state.clock_offset)

    def wait(self, seconds: float) -> bool:
        """Wait, if there is time for a further request after it; say whether there was."""
        if self._left() - seconds < SHORTEST_TRY:
            return False
        self._pool.sleep(seconds)
        return True

    def read(
        self,
        route: str,
        read: Callable[[Json], T],
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Ask by GET and return what `read` makes of the JSON object that comes back.

        Args:
            route: `/members/member/id/{id}`; only this goes into logs and failures.
            read: makes a value of the object, or raises MalformedAnswer.
            path: values for the braces of the route.
            query: parameters behind the question mark.

        Raises:
            PassKitFailure: see `failures`.
        """
        request = self._prepare("GET", route, None, path, query)
        return self._run(request, f"GET {route}", lambda answer: read(self._object(answer)), is_read=True)

    def read_list(
        self, route: str, read: Callable[[Json], T], body: Json, *, path: Mapping[str, str] | None = None
    ) -> list[T]:
        """Ask for a list by POST and return all its items.

        All or nothing: an error in the middle of the stream, or an item that cannot be read, fails the whole list,
        and reading it again is harmless. So no slot is held while somebody works through the items.

        Raises:
            PassKitFailure: see `failures`.
        """
        request = self._prepare("POST", route, body, path, None)
        return self._run(request, f"POST {route}", lambda answer: self._items(answer, read), is_read=True)

    def write(
        self,
        method: str,
        route: str,
        read: Callable[[Json], T],
        body: Json | None = None,
        *,
        path: Mapping[str, str] | None = None,
    ) -> T:
        """Send what changes something, and return what `read` makes of the JSON object that comes back.

        Args:
            method, route: `PUT`, `/members/member`; only these go into logs and failures.
            read: makes a value of the object, or raises MalformedAnswer.
            body: the JSON object to send; also DELETE has one.
            path: values for the braces of the route.

        Raises:
            PassKitFailure: see `failures`; it says whether there was certainly no effect.
        """
        request = self._prepare(method, route, body, path, None)
        made = self._run(request, f"{method} {route}", lambda answer: read(self._object(answer)), is_read=False)
        self.writes += 1
        return made

    def _object(self, answer: Answer) -> Json:
        return parse_object(answer, self.credentials.secrets, self._pool.clock())

    def _items(self, answer: Answer, read: Callable[[Json], T]) -> list[T]:
        return [read(item) for item in parse_lines(answer, self.credentials.secrets, self._pool.clock())]

    def _run(self, request: requests.PreparedRequest, name: str, read: Callable[[Answer], T], *, is_read: bool) -> T:
        tries, clock_was_wrong = 0, False
        while True:
            tries += 1
            if tries > 1:
                request = request.copy()
            try:
                return self._try(request, read)
            except PassKitFailure as caught:
                failure = caught
            failure.request, failure.tries, failure.is_read = name, tries, is_read
            if isinstance(failure, CredentialsRefused):
                failure.is_long_lived = bool(self.credentials.long_lived_token)
                if failure.is_about_time and not failure.is_long_lived and not clock_was_wrong:
                    clock_was_wrong = True  # by now PassKit's is known
                    continue
            wait = next_wait(
                tries, failure.outcome, is_read=is_read, retry_after=failure.retry_after, jitter=self._pool.jitter()
            )
            if wait is None or not self.wait(wait):
                raise failure
            _log.info("trying again", extra={"request": name, "tries": tries, "why": type(failure).__name__})

    def _try(self, request: requests.PreparedRequest, read: Callable[[Answer], T]) -> T:
        with self._slot():
            request.headers["Authorization"] = self._state.authorization()
            seconds = max(SHORTEST_TRY, min(ANSWER_SECONDS, self._left()))
            answer = self._pool.wire.exchange(request, seconds)
        self._state.learn_clock(answer)
        try:
            return read(answer)
        except MalformedAnswer as error:
            raise Garbled(f"The answer is not as PassKit describes it: {error}.", status=answer.status) from None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        left = self._left()
        if left <= 0:
            raise NotSent("The time for this action was used up.")
        if not self._state.slots.acquire(timeout=left):
            raise NotSent("Too many requests of this account were under way.")
        try:
            yield
        finally:
            self._state.slots.release()

    def _left(self) -> float:
        return self._until - self._pool.monotonic()

    def _prepare(
        self,
        method: str,
        route: str,
        body: Json | None,
        path: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
    ) -> requests.PreparedRequest:
        values = {name: path_value(text) for name, text in (path or {}).items()}
        url = self.credentials.base_url + route.format_map(values)
        if query:
            url = f"{url}?{urlencode(query)}"
        request = requests.PreparedRequest()
        request.prepare(method=method, url=url, headers=HEADERS, data=None if body is None else _bytes(body))
        return request


def _bytes(body: Json) -> bytes:
    try:
        return _write(body).encode("utf-8")
    except ValueError:  # NaN, infinity, half of a surrogate pair
        raise InvalidRequest("A value of the request cannot be written as JSON.") from None
