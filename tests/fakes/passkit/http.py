"""A small HTTP/1.1 server: one thread with an event loop, so that hundreds of slow answers cost nothing.

It knows what well-behaved servers cannot do: answer late, byte by byte, with less than was promised, or not at all.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 32 * 1024 * 1024
JSON = "application/json"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """A request as it came; header names in lower case, the path still encoded."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """An answer, or a way not to answer.

    `lines` makes it a chunked stream. `missing_bytes` are promised and never sent. `seconds_per_byte` makes the body
    drip. `ending` says what becomes of the connection: kept, closed afterwards, or reset instead of an answer.
    """

    status: int = 200
    body: bytes = b""
    lines: Sequence[bytes] | None = None
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    missing_bytes: int = 0
    seconds_per_byte: float = 0.0
    ending: Literal["keep", "close", "reset"] = "keep"


@dataclass(slots=True)
class Later:
    """An answer that takes time. `even_if_gone`: `make` is called although the client has hung up."""

    seconds: float
    make: Callable[[], Reply]
    even_if_gone: bool = False


@dataclass(slots=True)
class Load:
    """How many requests are being answered: now, and at most."""

    now: int = 0
    most: int = 0

    def begin(self) -> None:
        """One more."""
        self.now += 1
        self.most = max(self.most, self.now)

    def end(self) -> None:
        """One less."""
        self.now -= 1


Handler = Callable[[Request], Reply | Later]
DateHeader = Callable[[], str]
CLOSING_STEPS = 3  # turns of the event loop after which closed connections have let go of their sockets


class Connection(asyncio.Protocol):
    """One client. Requests are answered one after the other."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._load = server.load
        self._loop = loop
        self._buffer = bytearray()
        self._head: tuple[Request, int, int] | None = None
        self._is_busy = False
        self._is_gone = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write to, and send small pieces at once: the lines of a stream."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop dripping. What must happen even then has no timer here."""
        self._is_gone = True
        self._server.connections.discard(self)
        if self._is_busy:
            self._load.end()
        if self._timer is not None:
            self._timer.cancel()

    def hang_up(self) -> None:
        """End the connection now."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect, and answer when a request is complete."""
        self._buffer += data
        if not self._is_busy:
            self._next()

    def _next(self) -> None:
        try:
            request = self._read()
        except ValueError:
            self._write(Reply(400, b'{"error":"malformed request"}', ending="close"))
            return
        if request is not None:
            self._is_busy = True
            self._load.begin()
            self._answer(self._server.handler(request))

    def _read(self) -> Request | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > LARGEST_HEAD:
                    raise ValueError("head too large")
                return None
            self._head = _read_head(self._buffer[:end].decode("latin-1"), end + 4)
        request, start, length = self._head
        if len(self._buffer) < start + length:
            return None
        request.body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        self._head = None
        return request

    def _answer(self, answer: Reply | Later) -> None:
        if isinstance(answer, Reply):
            self._write(answer)
            return
        timer = self._loop.call_later(answer.seconds, lambda: self._answer(answer.make()))
        if not answer.even_if_gone:
            self._timer = timer

    def _write(self, reply: Reply) -> None:
        if self._is_gone:
            return
        if reply.ending == "reset":
            self._reset()
            return
        head = self._head_of(reply)
        if reply.seconds_per_byte:
            self._transport.write(head)
            self._drip(reply, 0)
            return
        if reply.lines is None:
            self._transport.write(head + reply.body)
        else:
            self._transport.write(head)
            for line in reply.lines:
                self._transport.write(b"%x\r\n%b\r\n" % (len(line), line))
            if not reply.missing_bytes:
                self._transport.write(b"0\r\n\r\n")
        self._finish(reply)

    def _finish(self, reply: Reply) -> None:
        if reply.ending == "close" or reply.missing_bytes:
            self._transport.close()
            return
        self._is_busy = False
        self._load.end()
        if self._buffer:
            self._next()

    def _drip(self, reply: Reply, sent: int) -> None:
        if sent == len(reply.body):
            self._finish(reply)
            return
        self._transport.write(reply.body[sent : sent + 1])
        self._timer = self._loop.call_later(reply.seconds_per_byte, self._drip, reply, sent + 1)

    def _reset(self) -> None:
        """Hang up with a TCP reset, as a crashed process or a load balancer does."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _head_of(self, reply: Reply) -> bytes:
        reason = _REASONS.get(reply.status, "Unknown")
        lines = [
            f"HTTP/1.1 {reply.status} {reason}",
            f"Date: {self._server.date()}",
            f"Content-Type: {reply.content_type}",
        ]
        if reply.lines is None:
            lines.append(f"Content-Length: {len(reply.body) + reply.missing_bytes}")
        else:
            lines.append("Transfer-Encoding: chunked")
        lines += [f"{name}: {value}" for name, value in reply.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _read_head(text: str, start: int) -> tuple[Request, int, int]:
    """Return the request without its body, where the body starts and how long it is.

    Raises:
        ValueError: this is not HTTP as clients of a JSON API speak it.
    """
    first, *others = text.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {}
    for line in others:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", 0))
    if "transfer-encoding" in headers or not 0 <= length <= LARGEST_BODY:
        raise ValueError("a body without a length, or too long")
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, b""), start, length


@dataclass
class Server:
    """Runs connections in a thread of its own. Port 0 takes any free one; `port` says which it was."""

    handler: Handler
    date: DateHeader
    port: int = 0
    host: str = "127.0.0.1"
    load: Load = field(default_factory=Load, init=False)
    connections: set[Connection] = field(default_factory=set, init=False, repr=False)
    _is_ready: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _thread: threading.Thread | None = field(default=None, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Listen. Returns when the server accepts connections.

        Raises:
            OSError: the port is taken.
        """
        listener = socket.create_server((self.host, self.port), backlog=1024)
        self.port = listener.getsockname()[1]
        self._loop = loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(loop, listener), name="fake-passkit", daemon=True)
        self._thread.start()
        self._is_ready.wait()

    def _run(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        server = loop.run_until_complete(loop.create_server(lambda: Connection(self, loop), sock=listener))
        self._is_ready.set()
        try:
            loop.run_forever()
        finally:
            server.close()
            for connection in list(self.connections):
                connection.hang_up()
            for _ in range(CLOSING_STEPS):
                loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    def stop(self) -> None:
        """Hang up and free the port."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._thread = None

    def wait(self) -> None:
        """Wait until somebody stops the server."""
        if self._thread is not None:
            self._thread.join()
