"""A server that answers with bytes a test wrote, at the pace the test wants: what mocked HTTP cannot do."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator

Handler = Callable[[socket.socket], None]


class RawServer:
    """Takes whole requests and lets a function write the answer. `requests` are what came, `connections` how many."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := read_request(connection):
                self.requests.append(request)
                self._handler(connection)

    def stop(self) -> None:
        self.stopping.set()
        self._listener.close()


def read_request(connection: socket.socket) -> bytes:
    """Return one whole request, or nothing when the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    length = re.search(rb"(?i)content-length: (\d+)", data)
    missing = int(length[1]) - len(data.split(b"\r\n\r\n", 1)[1]) if length else 0
    while missing > 0:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data, missing = data + piece, missing - len(piece)
    return data


def whole(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    """Write a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def serving(handler: Handler) -> Iterator[RawServer]:
    """Run a server for the length of a block."""
    server = RawServer(handler)
    try:
        yield server
    finally:
        server.stop()
