"""Receivers that behave badly, each in its own way: sockets on this machine."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
GIGABYTE = 1_000_000_000
PIECE = b"x" * 65_536

Behaviour = Callable[[socket.socket], None]


@dataclass
class Receiver:
    """A listening socket; `behave` answers each connection, `requests` is what came, head and body."""

    behave: Behaviour
    tls: ssl.SSLContext | None = None
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}/hook/4f9x"

    def close(self) -> None:
        """Stop listening."""
        self._open = False
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                request = read_request(connection)
                with self._lock:
                    self.requests.append(request)
                    self._at_once += 1
                    self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    self.behave(connection)
                finally:
                    with self._lock:
                        self._at_once -= 1


@contextmanager
def receiving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver(behave, tls)
    try:
        yield receiver
    finally:
        receiver.close()


def read_request(connection: socket.socket) -> tuple[dict[str, str], bytes]:
    """Read one request: its headers in lower case, and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            raise ConnectionError
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65_536)
    return headers, body


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Behaviour:
    """Answer properly."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    text = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return lambda connection: connection.sendall(text)


def late(seconds: float) -> Behaviour:
    """Answer 200 after a while."""

    def behave(connection: socket.socket) -> None:
        time.sleep(seconds)
        answer(200)(connection)

    return behave


def silent(connection: socket.socket) -> None:
    """Take the request and never answer; the connection stays open until the other side goes."""
    with suppress(OSError):
        connection.recv(1)


def drip_head(pause: float) -> Behaviour:
    """Send a header that never ends, a byte at a time."""
    return lambda connection: _drip(connection, b"HTTP/1.1 200 OK\r\nX-Long: ", pause)


def drip_body(pause: float) -> Behaviour:
    """Send a body a byte at a time."""
    return lambda connection: _drip(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", pause)


def _drip(connection: socket.socket, head: bytes, pause: float) -> None:
    connection.sendall(head)
    for _ in range(100_000):
        connection.sendall(b"x")
        time.sleep(pause)


def gigabyte(connection: socket.socket) -> None:
    """Send a body of a gigabyte, as long as somebody reads it."""
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n".encode())
    for _ in range(GIGABYTE // len(PIECE)):
        connection.sendall(PIECE)


BOMB = gzip.compress(b"\0" * 100_000_000, compresslevel=9)
gzip_bomb = answer(200, {"Content-Encoding": "gzip"}, BOMB)


def reset_in_body(connection: socket.socket) -> None:
    """Break off in the middle of the body."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def nobody_accepts() -> Iterator[int]:
    """A port where connections hang: its queue is full and nobody takes any."""
    listener = socket.socket()
    listener.bind((HOST, 0))
    listener.listen(0)
    port = int(listener.getsockname()[1])
    waiting = []
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect((HOST, port))
        waiting.append(client)
    time.sleep(0.05)
    try:
        yield port
    finally:
        for one in (*waiting, listener):
            one.close()


# --- certificates ----------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of the tests, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
        now = datetime.now(UTC)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key.public_key(), now - timedelta(days=1), now + timedelta(days=9))
        own = builder.add_extension(constraints, critical=True).sign(self._key, hashes.SHA256())
        self.path = folder / "authority.pem"
        self.path.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, *, host: str = HOST, days: int = 9, is_signed: bool = True) -> ssl.SSLContext:
        """Make a server's side of TLS: valid for a host, for some days from now, signed by the authority or itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key(), now - timedelta(days=10), now + timedelta(days=days))
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(host))]), critical=False
        )
        certificate = builder.sign(self._key if is_signed else key, hashes.SHA256())
        path = self._folder / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
