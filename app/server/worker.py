"""The server process: gunicorn's threads, with clients that cannot hold one.

Gunicorn's own worker gives a connection to a thread at its first byte, and the thread then waits for the rest: a
hundred slow clients are the whole service. Here a thread takes what has come and lets go; it answers once a request is
there as a whole. Every request must be so within `REQUEST_SECONDS`.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http import RequestParser
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import ThreadWorker

from app.server.arrival import Arrival, Stage
from app.server.seats import seats

REQUEST_SECONDS = 15.0  # from the first byte of a request to its last
ANSWER_SECONDS = 30.0  # for the client to take an answer
# After the last answer of a connection: so long, and so much, is still taken from a client that has not read it yet.
# Closing at once would make the kernel reset the connection, and the client might never see the answer.
LINGER_SECONDS = 5.0
LINGER_BYTES = 16 * 1024 * 1024
STOP_SECONDS = 2.0  # for a request that may be under way on a kept connection when the process is asked to stop
GIVE_WAY_SECONDS = 0.05  # longer than a busy machine leaves a process without a processor
LOOK_AGAIN_SECONDS = 0.001  # until then another process may have taken the connection
START_SECONDS = 10.0  # a process waits at most so long for the others that start with it

_CHUNK = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)


@dataclass(slots=True, eq=False)
class Connection:
    """A client's connection.

    Attributes:
        deadline: when what it waits for must have come: a request, the rest of one, or its end.
        is_leaving: the last answer is given; what still comes is thrown away.
        thrown_away: how many bytes that were.
    """

    sock: socket.socket
    client: Any
    server: Any
    arrival: Arrival
    deadline: float
    is_leaving: bool = False
    thrown_away: int = 0


class Worker(ThreadWorker):  # type: ignore[misc]
    """Reads requests whole before a thread answers them, ends slow ones, and leaves connections to emptier workers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alive: bool
        self.seat = seats.take()  # in the master, before the process is forked
        self._waiting: dict[Connection, None] = {}  # the one that has been silent for longest comes first
        self._next_check = 0.0
        self._is_offered = False  # a connection, since the last look
        self._looks_again_at = 0.0
        self._gives_way_until: float | None = None
        self._times_in_vain = 0  # that it gave way, one after the other
        self._takes = 0  # connections, without giving way

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what this worker does not do."""
        if cfg.is_ssl:
            raise SystemExit("Error: The web server speaks plain HTTP only. Let a proxy in front of it do TLS.")

    def run(self) -> None:
        """Serve until asked to stop, then bring to an end what has begun."""
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        self._wait_for_the_others()
        while self.alive and self.is_parent_alive():
            self.set_accept_enabled(time.monotonic() >= self._looks_again_at)
            self._is_offered = False
            self._work()
            if self._accepting and not self._is_offered:
                self._start_over()  # another process took the connection, or there is none
        self.alive = False
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()  # else the kernel goes on to take connections that nobody will answer
        now = time.monotonic()
        for connection in self._waiting:
            self._hurry(connection, now)
        while self.nr_conns > 0 and time.monotonic() < now + self.cfg.graceful_timeout:
            self._work()
        self.tpool.shutdown(wait=False)
        for resource in (self.poller, self.method_queue):
            resource.close()

    def _wait_for_the_others(self) -> None:
        """Let no process have all the connections because it was ready first."""
        seats.tell(self.seat, 0)
        until = time.monotonic() + START_SECONDS
        while self.alive and seats.any_is_starting() and time.monotonic() < until:
            self.notify()
            self.wait_for_and_dispatch_events(timeout=0.05)

    def _work(self) -> None:
        """Do what there is to do, for a second at most."""
        self.notify()
        seats.tell(self.seat, self.nr_conns)
        is_taking = self._accepting or not self.alive
        self.wait_for_and_dispatch_events(timeout=1.0 if is_taking else LOOK_AGAIN_SECONDS)
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + 1.0
            for connection in [waiting for waiting in self._waiting if waiting.deadline <= now]:
                self._end_late(connection)

    def accept(self, listener: Any) -> None:
        self._is_offered, now = True, time.monotonic()
        if self._gives_way(now):
            self._looks_again_at = now + LOOK_AGAIN_SECONDS
            self.set_accept_enabled(False)
            return
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._end_longest_silent()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        if self.nr_conns >= self.worker_connections:
            self._end_longest_silent()
        self.nr_conns += 1
        seats.tell(self.seat, self.nr_conns)
        sock.settimeout(ANSWER_SECONDS)
        arrival = Arrival(self.cfg.limit_request_line)
        self._wait(Connection(sock, client, listener.getsockname(), arrival, now + REQUEST_SECONDS))

    def _gives_way(self, now: float) -> bool:
        """Tell whether an emptier process may have the connection that is offered. One that does not come is busy."""
        if not seats.another_has_fewer(self.nr_conns):
            self._start_over()
            return False
        if self._takes > 0:
            self._takes -= 1
            return False
        if self._gives_way_until is None:
            self._gives_way_until = now + GIVE_WAY_SECONDS
        if now < self._gives_way_until:
            return True
        # The longer nobody comes, the more it takes: a connection, two more, four more.
        self._gives_way_until, self._takes = None, (1 << self._times_in_vain) - 1
        self._times_in_vain += 1
        return False

    def _start_over(self) -> None:
        self._gives_way_until, self._times_in_vain, self._takes = None, 0, 0

    # --- connections that wait ---

    def _wait(self, connection: Connection) -> None:
        """Wait for what a client sends next, without a thread."""
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._on_readable, connection))
        self._waiting[connection] = None

    def _stop_waiting(self, connection: Connection) -> None:
        self.poller.unregister(connection.sock)
        del self._waiting[connection]

    def _on_readable(self, connection: Connection, _socket: object) -> None:
        if connection.is_leaving:
            self._throw_away(connection)
        else:
            self._stop_waiting(connection)
            self.enqueue_req(connection)

    def _end_late(self, connection: Connection) -> None:
        """End a connection that did not do in time what it had to."""
        if connection.is_leaving or not connection.arrival.has_begun:
            self._end(connection)
            return
        self._stop_waiting(connection)
        try:
            message = f"The request did not arrive whole within {REQUEST_SECONDS:.0f} s."
            util.write_error(connection.sock, 408, "Request Timeout", message)
        except OSError:
            self.log.debug("a slow client took no answer")
        self._leave(connection)

    def _end_longest_silent(self) -> None:
        """Make room: of all connections without a request in work, the one that was silent for longest goes."""
        if self._waiting:
            self._end(next(iter(self._waiting)))

    def _leave(self, connection: Connection) -> None:
        """Tell the client that nothing more comes, and wait a little for it to go."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        connection.is_leaving = True
        connection.deadline = time.monotonic() + LINGER_SECONDS
        self._wait(connection)

    def _throw_away(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(_CHUNK)
        except OSError:
            data = b""
        connection.thrown_away += len(data)
        if not data or connection.thrown_away > LINGER_BYTES:
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        self.nr_conns -= 1
        util.close(connection.sock)

    def _hurry(self, connection: Connection, now: float) -> None:
        """When the process stops: kept connections have a moment, requests under way their time."""
        if not connection.arrival.has_begun:
            connection.deadline = min(connection.deadline, now + STOP_SECONDS)

    # --- connections that a thread has ---

    def handle(self, conn: Connection) -> bool:
        """Take what has come and answer every request that is whole. Tell whether the connection goes on."""
        try:
            data = conn.sock.recv(_CHUNK)  # there is something to read, so that this does not wait
            if not data:
                return False
            if not conn.arrival.has_begun:
                conn.deadline = time.monotonic() + REQUEST_SECONDS
            stage = conn.arrival.add(data)
            while stage is not Stage.PART:
                if not self._answer(conn, stage):
                    return False
                conn.deadline = time.monotonic() + (REQUEST_SECONDS if conn.arrival.has_begun else self.cfg.keepalive)
                stage = conn.arrival.look() if conn.arrival.has_begun else Stage.PART
            if conn.arrival.take_wait():
                conn.sock.sendall(_CONTINUE)
            return True
        except (NoMoreData, StopIteration):
            self.log.debug("a client went away")
        except OSError as error:
            # A time-out is the client's doing too: it did not take its answer.
            if not isinstance(error, TimeoutError) and error.errno not in _GONE:
                self.log.exception("a connection failed")
        except Exception as error:
            self.handle_error(None, conn.sock, conn.client, error)
        return False

    def _answer(self, conn: Connection, stage: Stage) -> bool:
        """Have a request parsed and answered. Tell whether the connection may be used for another."""
        # The parser has these bytes and never asks the socket for more.
        parser = RequestParser(self.cfg, [conn.arrival.take()], conn.client)
        request = next(parser)
        request._expected_100_continue = False  # that was answered while the body was awaited
        if stage is Stage.CUT:
            request.force_close()
        return (
            bool(self.handle_request(request, conn))
            and parser.finish_body()
            and not parser.unreader.take_buffered()  # else it does not see the end where `Arrival` does
        )

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Take a connection back from its thread."""
        if not fs.cancelled() and fs.exception() is None and fs.result():
            if not self.alive:
                self._hurry(conn, time.monotonic())
            self._wait(conn)
        else:
            self._leave(conn)
