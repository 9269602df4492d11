"""An HTTP answer with one time limit for all of it.

A read timeout of the libraries counts between two packets, so that a server that drips a byte a second holds a thread
for ever. Here it counts for the whole answer, its headers included.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

UNLESS_SET = 20.0  # seconds, where the socket has no timeout


class TimedReader(io.RawIOBase):
    """Reads from a socket until a fixed instant, whatever the pace of the other side."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        seconds = sock.gettimeout()
        self._until = time.monotonic() + (UNLESS_SET if seconds is None else seconds)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class TimedResponse(http.client.HTTPResponse):
    """An answer whose every byte must come within the timeout that the socket has when it begins."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(TimedReader(self.fp.detach(), sock))
