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
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlencode

import requests

from app.clock import Clock, system_clock
from app.issuers.passkit.answers import Json, MalformedAnswer, parse_lines, parse_object
from app.issuers.passkit.credentials import Credentials, authorization
from app.issuers.passkit.failures import (
    Conflict,
    CredentialsRefused,
    Garbled,
    InvalidRequest,
    NotDone,
    NotFound,
    NotSent,
    PassKitFailure,
    Unavailable,
    Unclear,
)
from app.issuers.passkit.retry import Effect, Outcome, next_wait
from app.issuers.passkit.values import path_value
from app.issuers.passkit.wire import ANSWER_SECONDS, Answer, Wire

AT_ONCE = 5  # PassKit's own examples use a pool of 5; no limit is published
ACTION_SECONDS = 40.0  # below the 60 s after which an operation is taken for crashed (setting `lease_seconds`)
SHORTEST_TRY = 1.0  # seconds; with less left there is no use in asking
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
class Lane:
    """What the requests of one connection (one account's credentials) have in common.

    `clock_offset` is what must be added to our clock to have PassKit's, in seconds; learned when a token was refused
    for its times.
    """

    slots: threading.BoundedSemaphore
    clock_offset: float = 0.0


@dataclass(slots=True)
class Upstream:
    """PassKit as one process sees it: its connections, and the lanes of all accounts. Make one, share it.

    Args:
        wire: the connections.
        clock: our time.
        at_once: requests at once for one account, in this process; each process of the service counts for itself.
        sleep, chance, monotonic: for tests.
    """

    wire: Wire = field(default_factory=Wire)
    clock: Clock = system_clock
    at_once: int = AT_ONCE
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def transport(self, connection: str, credentials: Credentials, seconds: float = ACTION_SECONDS) -> Transport:
        """Return a transport for one action.

        Args:
            connection: names the account's connection; requests of one name share the slots and the clock offset.
            credentials: cleartext, for as long as the transport lives.
            seconds: everything done through this transport together, waits included, ends about then.
        """
        with self._lock:
            lane = self._lanes.setdefault(connection, Lane(threading.BoundedSemaphore(self.at_once)))
        return Transport(self, lane, credentials, self.monotonic() + seconds)


class Transport:
    """Sends requests with one account's credentials, for one action. Made by `Upstream.transport`."""

    def __init__(self, upstream: Upstream, lane: Lane, credentials: Credentials, until: float) -> None:
        self._upstream, self._lane, self._credentials, self._until = upstream, lane, credentials, until

    def __repr__(self) -> str:
        return f"Transport({self._credentials.base_url})"

    @property
    def credentials(self) -> Credentials:
        """Whose requests these are."""
        return self._credentials

    def send(
        self,
        effect: Effect,
        method: str,
        route: str,
        read: Callable[[Json], T],
        body: Json | None = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """Send a request and return what `read` makes of the JSON object that comes back.

        Args:
            effect: what it does, which decides about repeats.
            method, route: `PUT`, `/members/member/id/{id}`; only these go into logs and failures.
            read: makes a value of the object, or raises MalformedAnswer.
            body: the JSON object to send; also DELETE has one.
            path: values for the braces of the route.
            query: parameters behind the question mark.

        Raises:
            PassKitFailure: see `failures`; it says whether there was an effect.
        """
        return self._run(effect, method, route, body, path, query, lambda answer: read(self._object(answer)))

    def ask_list(
        self, route: str, read: Callable[[Json], T], body: Json, *, path: Mapping[str, str] | None = None
    ) -> list[T]:
        """Ask for a list by POST and return all its items.

        All or nothing: an error in the middle of the stream, or an item that cannot be read, fails the whole list,
        and reading it again is harmless. So no slot is held while somebody works through the items.

        Raises:
            PassKitFailure: as `send`; a list has no effect, so always a NotDone.
        """
        return self._run(Effect.NONE, "POST", route, body, path, None, lambda answer: self._items(answer, read))

    def _object(self, answer: Answer) -> Json:
        return parse_object(answer, self._credentials.secrets, self._upstream.clock())

    def _items(self, answer: Answer, read: Callable[[Json], T]) -> list[T]:
        return [read(item) for item in parse_lines(answer, self._credentials.secrets, self._upstream.clock())]

    def _run(
        self,
        effect: Effect,
        method: str,
        route: str,
        body: Json | None,
        path: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        read: Callable[[Answer], T],
    ) -> T:
        request = self._prepare(method, route, body, path or {}, query)
        tries, lost, clock_was_set = 0, False, False
        while True:
            tries += 1
            if tries > 1:
                request = request.copy()
            try:
                return self._try(request, read)
            except PassKitFailure as caught:
                failure = caught
            failure.request, failure.tries, failure.after_unclear = f"{method} {route}", tries, lost
            if isinstance(failure, CredentialsRefused) and not clock_was_set and self._set_clock(failure):
                clock_was_set = True
                continue
            lost = lost or failure.outcome is Outcome.LOST
            wait = next_wait(tries, failure.outcome, effect, failure.retry_after, self._upstream.chance())
            if wait is None or self._left() - wait < SHORTEST_TRY:
                raise _as_a_whole(failure, effect) from None
            _log.info("trying again", extra={"request": failure.request, "tries": tries, "why": type(failure).__name__})
            self._upstream.sleep(wait)

    def _try(self, request: requests.PreparedRequest, read: Callable[[Answer], T]) -> T:
        with self._slot():
            now = self._upstream.clock() + timedelta(seconds=self._lane.clock_offset)
            request.headers["Authorization"] = authorization(self._credentials, int(now.timestamp()))
            seconds = max(SHORTEST_TRY, min(ANSWER_SECONDS, self._left()))
            answer = self._upstream.wire.exchange(request, seconds)
        try:
            return read(answer)
        except MalformedAnswer as error:
            raise Garbled(f"The answer is not as PassKit describes it: {error}.", status=answer.status) from None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        left = self._left()
        if left <= 0:
            raise NotSent("The time for this action was used up.")
        if not self._lane.slots.acquire(timeout=left):
            raise NotSent("Too many requests of this account were under way.")
        try:
            yield
        finally:
            self._lane.slots.release()

    def _left(self) -> float:
        return self._until - self._upstream.monotonic()

    def _set_clock(self, failure: CredentialsRefused) -> bool:
        """Take PassKit's time over when it refused a token for its times; say whether to try again with it."""
        if self._credentials.long_lived_token or not failure.is_about_time or failure.date is None:
            return False
        self._lane.clock_offset = (failure.date - self._upstream.clock()).total_seconds()
        _log.warning("our clock differs from PassKit's", extra={"seconds": round(self._lane.clock_offset)})
        return True

    def _prepare(
        self, method: str, route: str, body: Json | None, path: Mapping[str, str], query: Mapping[str, str] | None
    ) -> requests.PreparedRequest:
        url = self._credentials.base_url + route.format_map({name: path_value(text) for name, text in path.items()})
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


def _as_a_whole(failure: PassKitFailure, effect: Effect) -> PassKitFailure:
    """Say of all tries together what the last one cannot know of those before."""
    whole: PassKitFailure
    if effect is Effect.NONE:
        if isinstance(failure, NotDone):
            return failure
        whole = Unavailable(failure.text)
    elif failure.after_unclear and isinstance(failure, NotDone) and not isinstance(failure, (NotFound, Conflict)):
        whole = Unclear(f"An earlier try had no clear outcome; the last one: {failure.text}")
    else:
        return failure
    whole.status, whole.retry_after = failure.status, failure.retry_after
    whole.upstream_request_id = failure.upstream_request_id
    whole.request, whole.tries, whole.after_unclear = failure.request, failure.tries, failure.after_unclear
    return whole
