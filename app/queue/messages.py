"""What lies in the queue: signed JSON, nothing that could run code.

Who can write to the queue (Redis without a password, say) must not thereby run code in the worker, nor have it do jobs.
Huey's own messages are pickles, which run code when they are read. Ours name a job and the IDs of rows, and carry a
keyed hash that only this installation can make.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from huey.registry import Message
from huey.serializer import Serializer


class UnusableMessage(Exception):
    """A message that this installation has not written in this form; it is never executed."""


class SignedJson(Serializer):  # type: ignore[misc]
    """Writes and reads messages as `HASH.JSON`."""

    def __init__(self, sign: Callable[[str], str]) -> None:
        """Keep what signs.

        Args:
            sign: returns the keyed hash of a text, without a dot in it.
        """
        super().__init__()
        self._sign = sign

    def serialize(self, data: Message) -> bytes:
        """Write a message.

        Raises:
            TypeError: it is about something else than IDs.
        """
        _check_ids(data.args)
        eta = data.eta.isoformat() if data.eta is not None else None
        body = orjson.dumps({"id": data.id, "job": data.name, "eta": eta, "ids": data.args}).decode()
        return f"{self._sign(body)}.{body}".encode()

    def deserialize(self, data: bytes) -> Message:
        """Read a message; its hash is compared before anything in it is looked at.

        Raises:
            UnusableMessage: it is not signed, was altered, or is a pickle of an earlier version.
        """
        try:
            signature, dot, body = bytes(data).decode("ascii").partition(".")
        except UnicodeDecodeError:
            raise UnusableMessage from None
        if not dot or not hmac.compare_digest(signature, self._sign(body)):
            raise UnusableMessage
        said: dict[str, Any] = orjson.loads(body)
        eta = datetime.fromisoformat(said["eta"]) if said["eta"] is not None else None
        return Message(id=said["id"], name=said["job"], eta=eta, args=tuple(said["ids"]))


def _check_ids(ids: tuple[Any, ...]) -> None:
    if not all(isinstance(given, str) and given.isascii() for given in ids):
        raise TypeError("jobs carry IDs only")
