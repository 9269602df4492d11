"""Turns generated requests at things that exist, because a 404 hides every bug behind it.

A request with a random ID is answered before the interesting code runs. Most requests are therefore given the ID of a
pass, program or operation that is there, in whichever of the ways a pass can be named; the rest stay as generated.
What is being tested stays what it was: a body that the description allows still is allowed afterwards, and one that it
forbids still is forbidden.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, cast

from tests.contract.document import Document, Operation
from tests.world import RECEIVER_HOST

TARGETS_VARIABLE, LOG_VARIABLE, KEYS_VARIABLE = "PASSRAIL_FUZZ_TARGETS", "PASSRAIL_FUZZ_LOG", "PASSRAIL_FUZZ_KEYS"
NAMES = ("pass_id", "program_id", "external_id", "email")
SIMULATED = ("simulate_timeout", "simulate_rate_limited", "simulate_upstream_down", "simulate_rejected")
PLACES = {"points": 2, "amount": 4, "points_per_unit": 4}
ONCE = {"unique_event_id": 240, "name": 70}
KEY = re.compile(r"[!-~]{1,255}")
RATE = re.compile(r"[0-9]{1,7}(\.[0-9]{1,4})?")
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
HOST = re.compile(r"[^/?]*")
KEEP_EVERY = 4
SIMULATE_EVERY = 10
BATCH_ITEMS = 5
REMEMBERED = 40

Body = dict[str, Any]


@dataclass(frozen=True)
class Targets:
    """What is there to be hit: passes by action, programs with a tier and a field of theirs, IDs for paths.

    `examples` is what the document's examples call the pass they are about.
    """

    passes: Mapping[str, list[Mapping[str, str]]]
    programs: list[Mapping[str, str]]
    tiers: list[str]
    paths: Mapping[str, Mapping[str, list[str]]]
    examples: Mapping[str, str]

    def save(self, path: Path) -> None:
        """Write them down for the process that fuzzes."""
        path.write_text(json.dumps(vars(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Targets:
        """Read them there."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


class Aim:
    """Redirects requests; which one goes where depends on their order alone."""

    def __init__(self, targets: Targets, document: Document) -> None:
        self._targets = targets
        self._operations = {(one.method.upper(), one.path): one for one in document.operations}
        self._validators = {
            one.id: document.validator(one.body["schema"]) for one in document.operations if one.body is not None
        }
        self._counters: dict[str, Any] = defaultdict(count)
        self._sent: dict[str, deque[Body]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._lock = threading.Lock()

    def operation(self, method: str, path: str) -> Operation | None:
        """Return the described operation; None for a method that is tried although it is not there."""
        return self._operations.get((method.upper(), path))

    def path(self, operation: Operation, values: MutableMapping[str, Any]) -> None:
        """Put IDs that exist into the path."""
        turn = self._turn(f"{operation.id} path")
        if turn % KEEP_EVERY == 0:
            return
        for name, known in self._targets.paths.get(operation.id, {}).items():
            if ID.fullmatch(str(values.get(name, ""))):
                values[name] = known[turn % len(known)]

    def body(self, operation: Operation, body: Any, *, only_examples: bool) -> Any:
        """Return the body with names of things that exist in it.

        Args:
            operation: what the body is for.
            body: as it was generated.
            only_examples: redirect only what names the pass of the document's example, because every other name may
                be the very value that is tried.
        """
        if not isinstance(body, dict):
            return body
        if operation.id == "create_hook":
            return self._received(operation, body)
        if operation.id.endswith("_batch"):
            return self._batch(operation, body)
        turn = self._turn(operation.id)
        keep = not self._names_example(operation, body) if only_examples else turn % KEEP_EVERY == 0
        changed = body if keep else self._redirected(operation, body, turn)
        if "/actions/" in operation.path and is_json(changed):
            self._sent[operation.id].append(changed)
        return changed

    def headers(
        self, operation: Operation, body: Any, headers: MutableMapping[str, str], *, only_examples: bool
    ) -> None:
        """Make a key one that was not used before; drop it where it would hide what the body has to show."""
        key, turn = headers.get("Idempotency-Key"), self._turn(f"{operation.id} key")
        if key is None or (turn % KEEP_EVERY == 0 and not only_examples):
            return
        is_key = KEY.fullmatch(key) is not None
        is_invalid = isinstance(body, dict) and not self._is_valid(operation, body)
        if is_invalid or (is_key and isinstance(body, dict) and "unique_event_id" in body):
            if is_key or not only_examples:
                del headers["Idempotency-Key"]
        elif is_key and len(key) < ONCE["unique_event_id"]:
            headers["Idempotency-Key"] = f"{key}-{turn}"

    def _turn(self, name: str) -> int:
        with self._lock:
            return cast(int, next(self._counters[name]))

    def _names_example(self, operation: Operation, body: Body) -> bool:
        given = [(name, body[name]) for name in NAMES if name in body]
        known = self._targets.examples
        return operation.id in self._targets.passes and all(known.get(name) == value for name, value in given)

    def _redirected(self, operation: Operation, body: Body, turn: int) -> Body:
        change: Callable[[Operation, Body, int], Body] = self._named
        if operation.id == "create_pass":
            change = self._issued
        changed = _unused(_rounded(change(operation, body, turn)), turn)
        return changed if self._is_valid(operation, changed) == self._is_valid(operation, body) else body

    def _is_valid(self, operation: Operation, body: Any) -> bool:
        return is_json(body) and self._validators[operation.id].is_valid(body)

    def _named(self, operation: Operation, body: Body, turn: int) -> Body:
        known = self._targets.passes.get(operation.id)
        if known is None:
            return body
        one = known[turn % len(known)]
        # In update-pass the address is a new value, so it does not name the pass.
        names = NAMES[:3] if operation.id == "update_pass" else NAMES
        ways = (("pass_id",), ("program_id", "external_id"), (names[1], names[-1]))
        way = ways[turn % len(ways)]
        changed = {name: value for name, value in body.items() if name not in names}
        changed |= {name: one[name] for name in way}
        if "tier_id" in body:
            changed["tier_id"] = self._targets.tiers[turn % len(self._targets.tiers)]
        return _with_field(changed, one["field"])

    def _issued(self, operation: Operation, body: Body, turn: int) -> Body:
        program = self._targets.programs[turn % len(self._targets.programs)]
        changed = {**body, "program_id": program["id"]}
        if "tier_id" in body:
            changed["tier_id"] = program["tier_id"]
        if program["kind"] != "membership":
            changed.pop("points", None)
        if turn % SIMULATE_EVERY == 1:
            changed["external_id"] = SIMULATED[turn // SIMULATE_EVERY % len(SIMULATED)]
        return _with_field(changed, program["field"])

    def _received(self, operation: Operation, body: Body) -> Body:
        """Name the receiver that needs no name service, and a program that is there.

        Always: a test has nothing to ask of the world's name servers.
        """
        if not self._is_valid(operation, body):
            return body
        rest = body["target_url"].partition("://")[2]
        path = rest[len(HOST.match(rest).group()) :]  # type: ignore[union-attr]
        changed = {**body, "target_url": f"https://{RECEIVER_HOST}{path}"}
        if changed.get("program_id") is not None:
            changed["program_id"] = self._targets.programs[0]["id"]
        return changed if len(changed["target_url"]) <= 2048 else {**changed, "target_url": f"https://{RECEIVER_HOST}/"}

    def _batch(self, operation: Operation, body: Body) -> Body:
        """Send in a batch what was sent alone: generated items know nothing of what the action takes."""
        items, sent = body.get("items"), self._sent[operation.id.removesuffix("_batch")]
        turn = self._turn(operation.id)
        if turn % KEEP_EVERY == 0 or not sent or not self._is_valid(operation, body):
            return body
        assert isinstance(items, list)
        number = 1 + turn % BATCH_ITEMS
        return {**body, "items": [sent[(turn + place) % len(sent)] for place in range(number)]}


def is_json(value: Any) -> bool:
    """Tell whether a generated value can be written as JSON."""
    try:
        json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _with_field(body: Body, name: str) -> Body:
    """Give a generated value of a custom field the name of one that the program has."""
    texts = body.get("fields")
    if not isinstance(texts, dict) or not texts:
        return body
    return {**body, "fields": {name: next(iter(texts.values()))}}


def _unused(body: Body, turn: int) -> Body:
    """Make values different that can be used only once, where they are not at their longest."""
    return {
        name: f"{value}-{turn}" if name in ONCE and isinstance(value, str) and len(value) < ONCE[name] else value
        for name, value in body.items()
    }


def _rounded(body: Body) -> Body:
    """Give numbers the decimal places there are; the description cannot ask for them (`multipleOf` is not exact).

    Nor can it say for numbers in text what `exclusiveMinimum` and `maximum` say for the others.
    """
    changed = {
        name: round(value, PLACES[name]) if name in PLACES and isinstance(value, float) else value
        for name, value in body.items()
    }
    rate = changed.get("points_per_unit")
    if isinstance(rate, str) and RATE.fullmatch(rate):
        changed["points_per_unit"] = f"1{rate[1:7]}"
    return changed
