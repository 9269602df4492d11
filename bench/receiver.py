"""Receivers of events for the bench: one process, as many addresses as wanted, one of them dead.

    python -m bench.receiver PORT

`POST /live/N` is answered at once, `POST /slow/N` after 200 ms, `POST /dead` never, `POST /broken` at once with 500.
A line for each delivery that is taken goes to standard output: the number of the address, the event's ID, and the
seconds between the event and its arrival.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from datetime import datetime

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
SLOW_SECONDS = 0.2


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take one request."""
    with suppress(OSError, asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ", 2)[1]
        if path == "/dead":
            await reader.read()
        elif path == "/broken":
            writer.write(BROKEN)
            await writer.drain()
        else:
            length = next(line for line in head.split("\r\n") if line.lower().startswith("content-length"))
            event = json.loads(await reader.readexactly(int(length.partition(":")[2])))
            delay = time.time() - datetime.fromisoformat(event["timestamp"]).timestamp()
            if path.startswith("/slow/"):
                await asyncio.sleep(SLOW_SECONDS)
            writer.write(ANSWER)
            await writer.drain()
            print(path.rpartition("/")[2], event["id"], f"{delay:.4f}", flush=True)
    writer.close()


async def main(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(receive, "127.0.0.1", port, backlog=1000)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
