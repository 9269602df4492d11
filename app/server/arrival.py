"""Telling when a request has arrived as a whole, so that no thread waits for a client.

Nothing here decides what a request says: gunicorn's parser does that, from the very bytes that came. Should the two
ever disagree about where a request ends, the connection is closed (`worker.py`).
"""

from __future__ import annotations

import re
from enum import Enum, auto

from gunicorn.http.errors import LimitRequestHeaders

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 256 * 1024  # as much as any route takes
# Chunks may be small, and each has a line that tells its size.
LARGEST_CHUNKED = 2 * LARGEST_BODY

_END_OF_HEAD = b"\r\n\r\n"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)")
_CODING = re.compile(rb"\r\ntransfer-encoding:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)")
_EXPECTATION = re.compile(rb"\r\nexpect:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?", re.DOTALL)


class Stage(Enum):
    """How much of a request is there."""

    PART = auto()
    WHOLE = auto()
    # What came is too large or no HTTP: an answer can be given now, and then the connection must end.
    CUT = auto()


class Arrival:
    """The bytes that a connection has brought and that are not answered yet."""

    def __init__(self, longest_line: int) -> None:
        """Expect a request whose first line has at most so many bytes; a longer one is `CUT`."""
        self._longest_line = longest_line
        self._bytes = bytearray()
        self._start_over()

    def _start_over(self) -> None:
        self._searched = 0
        self._body = 0  # where the body begins, 0 while the head is not there
        self._end = 0  # where the request ends, 0 while that is not known
        self._chunk = 0  # where the next chunk begins
        self._waits = False

    @property
    def has_begun(self) -> bool:
        """Tell whether there is a part of a request."""
        return bool(self._bytes)

    def add(self, data: bytes) -> Stage:
        """Add what came.

        Raises:
            gunicorn.http.errors.LimitRequestHeaders: the head of the request is too large.
        """
        self._bytes += data
        return self.look()

    def look(self) -> Stage:
        """Tell how much of the next request is there. Raises as `add`."""
        if not self._body and (stage := self._look_at_head()) is not None:
            return stage
        if not self._end:
            return self._look_at_chunks()
        return Stage.WHOLE if len(self._bytes) >= self._end else Stage.PART

    def take(self) -> bytes:
        """Take out the request: as a whole, or what came of one that is cut."""
        end = self._end or len(self._bytes)
        taken = bytes(self._bytes[:end])
        del self._bytes[:end]
        self._start_over()
        return taken

    def take_wait(self) -> bool:
        """Tell once whether the client waits for `100 Continue` before it sends the body."""
        waits, self._waits = self._waits, False
        return waits

    def _look_at_head(self) -> Stage | None:
        """Find the end of the head and what it says about the body; None once that is known."""
        end = self._bytes.find(_END_OF_HEAD, max(0, self._searched - 3))
        if end < 0:
            return self._look_at_part_of_head()
        if end > LARGEST_HEAD:
            raise LimitRequestHeaders("max buffer headers")
        self._body = end + len(_END_OF_HEAD)
        head = bytes(self._bytes[: end + 2]).lower()
        lengths, codings = _LENGTH.findall(head), _CODING.findall(head)
        if codings:
            if lengths or not codings[-1].endswith(b"chunked"):
                return Stage.CUT
            self._chunk = self._body
        elif lengths:
            if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18 or int(lengths[0]) > LARGEST_BODY:
                return Stage.CUT
            self._end = self._body + int(lengths[0])
        else:
            self._end = self._body
        expectation = _EXPECTATION.search(head)
        if expectation is not None and self._end != self._body:
            if expectation[1] != b"100-continue":
                return Stage.CUT  # it is refused, and the client may wait for that before it sends the body
            self._waits = head.partition(b"\r\n")[0].endswith(b" http/1.1")  # HTTP/1.0 does not wait
        return None

    def _look_at_part_of_head(self) -> Stage:
        """Find what can be refused before all of the head is there."""
        if len(self._bytes) > LARGEST_HEAD:
            raise LimitRequestHeaders("max buffer headers")
        line_is_too_long = len(self._bytes) > self._longest_line + 2 and (
            b"\r\n" not in self._bytes[: self._longest_line + 2]
        )
        if line_is_too_long or _BARE_LINE_FEED.search(self._bytes, max(0, self._searched - 1)):
            return Stage.CUT
        self._searched = len(self._bytes)
        return Stage.PART

    def _look_at_chunks(self) -> Stage:
        """Go from chunk to chunk, as far as they are there, to the last one, which is empty."""
        # What stands before a chunk ends a line, as far as it is there.
        while b"\r\n".startswith(bytes(self._bytes[self._chunk - 2 : self._chunk])):
            line_end = self._bytes.find(b"\r\n", self._chunk)
            if line_end < 0:
                return self._look_at_part_of_body()
            size = _CHUNK_SIZE.fullmatch(self._bytes, self._chunk, line_end)
            if size is None:
                return Stage.CUT
            length = int(size[1], 16)
            if length == 0:
                end = self._bytes.find(_END_OF_HEAD, line_end)
                self._end = end + len(_END_OF_HEAD) if end >= 0 else 0
                return Stage.WHOLE if self._end else self._look_at_part_of_body()
            self._chunk = line_end + 2 + length + 2
        return Stage.CUT

    def _look_at_part_of_body(self) -> Stage:
        return Stage.CUT if len(self._bytes) - self._body > LARGEST_CHUNKED else Stage.PART
