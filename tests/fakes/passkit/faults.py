"""Things that go wrong on purpose: a queue of faults, each for a route and a number of requests."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

Kind = Literal[
    "delay", "status", "reset", "truncated", "cut", "html", "wrong_type", "huge", "drip", "empty", "stream_error",
    "another_record", "only_id",
]  # fmt: skip
Effect = Literal["never", "first", "last"]
Try = Literal["every", "first", "last"]
ANY_ROUTE = "*"
KINDS: tuple[str, ...] = get_args(Kind)
EFFECTS: tuple[str, ...] = get_args(Effect)
TRIES: tuple[str, ...] = get_args(Try)
# These happen instead of the request, unless told otherwise; the others spoil the answer to what was carried out.
_INSTEAD = frozenset({"delay", "status", "reset"})


class UnknownFault(ValueError):
    """There is no such fault, or it does not make sense."""


@dataclass
class Fault:
    """One thing that goes wrong.

    Kinds: `delay` (silence), `status` (an error answer, or any other), `reset` (of the connection), `truncated` (JSON
    that ends in the middle), `cut` (the connection ends before the promised length; in a stream: in mid-line), `html`,
    `wrong_type` (JSON, but a list of the answer), `huge`, `drip` (byte by byte), `empty`, `stream_error` (an error
    line after status 200), `another_record` (the answer is about another pass), `only_id` (nothing else is answered).

    Attributes:
        kind: what goes wrong.
        route: for which route, `PUT /members/member/points/earn`, or `*` for any.
        times: for how many requests.
        effect: `never`: the request is not carried out. `first`: it is, and then things go wrong. `last`: only after
            the delay, even when the client has hung up by then. None: what is usual for the kind.
        on_try: which of the `times` requests have the effect: every, only the first, only the last.
        seconds: how long a delay takes; afterwards the connection is closed if the effect is `never`.
        status: of a `status` or a `stream_error` (503 unless given), or of `html` (200 unless given).
        text: of the error.
        body: of a `status`, as it stands: JSON, HTML or nothing. None: an error with the text.
        retry_after: header of a `status`, in seconds or as a date.
        location: header of a `status` 301.
        record_id: PassKit's ID of the pass that an answer with `another_record` is about.
        size: bytes of a `huge` answer.
        seconds_per_byte: how slowly a `drip` drips.
    """

    kind: Kind
    route: str = ANY_ROUTE
    times: int = 1
    effect: Effect | None = None
    on_try: Try = "every"
    seconds: float = 0.0
    status: int | None = None
    text: str = "this fault was asked for"
    body: str | None = None
    retry_after: int | str | None = None
    location: str | None = None
    record_id: str | None = None
    size: int = 11 * 1024 * 1024
    seconds_per_byte: float = 0.05
    tried: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownFault(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.effect is None:
            self.effect = "never" if self.kind in _INSTEAD else "first"
        if self.status is None:
            self.status = 200 if self.kind == "html" else 503
        if self.effect not in EFFECTS or (self.effect == "last" and self.kind != "delay"):
            raise UnknownFault(f"effect {self.effect!r} does not make sense with {self.kind}")
        if self.on_try not in TRIES:
            raise UnknownFault(f"on_try is one of {', '.join(TRIES)}, not {self.on_try!r}")
        if (self.record_id is not None) != (self.kind == "another_record"):
            raise UnknownFault("another_record needs a record_id, and only that")

    def next_effect(self) -> Effect:
        """Count a request, and return whether and when it is carried out."""
        self.tried += 1
        self.times -= 1
        has_effect = {"every": True, "first": self.tried == 1, "last": self.times == 0}[self.on_try]
        assert self.effect is not None
        return self.effect if has_effect else "never"


def read_fault(values: Any) -> Fault:
    """Make a fault of JSON.

    Raises:
        UnknownFault: there is no such fault.
    """
    known = {one.name for one in fields(Fault) if one.init}
    if not isinstance(values, dict) or not values.keys() <= known or "kind" not in values:
        raise UnknownFault(f"a fault is an object with a kind; its fields are {', '.join(sorted(known))}")
    return Fault(**values)


class Faults:
    """The faults that are still to come, oldest first."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let something go wrong."""
        self.waiting.append(fault)

    def clear(self) -> None:
        """Let everything go well."""
        self.waiting.clear()

    def take(self, route: str) -> tuple[Fault, Effect] | None:
        """Return the first fault for a route and what becomes of the request, and count the fault down."""
        for fault in self.waiting:
            if fault.route in (route, ANY_ROUTE):
                effect = fault.next_effect()
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault, effect
        return None
