"""Says in a sentence when the web server could not listen: `python scripts/check_port.py HOST PORT`."""

from __future__ import annotations

import errno
import socket
import sys

FIRST_TO_SUGGEST = 8080


def trouble(host: str, port: int) -> OSError | None:
    """Try whether a server could listen there; return what is in its way."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error
    return None


def main(host: str, port: str) -> str | None:
    """Return what to say, if there is something."""
    if not port.isdecimal() or int(port) > 65535:
        return None  # the settings say what is wrong with it
    found = trouble(host, int(port))
    if found is None:
        return None
    if found.errno != errno.EADDRINUSE:
        return f"The server cannot listen at port {port} of {host}: {found.strerror}."
    free = next(one for one in range(FIRST_TO_SUGGEST, 65536) if trouble(host, one) is None)
    return f"Another program uses port {port}: choose a port that is free, as in PORT={free} make run."


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
