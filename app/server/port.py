"""Saying in a sentence why the server cannot listen where it should."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Any

from app.settings import InvalidSetting


def check_addresses(addresses: Iterable[Any]) -> None:
    """Try to listen at each TCP address.

    Raises:
        app.settings.InvalidSetting: it is taken, not allowed, or none of this machine.
    """
    for address in addresses:
        if isinstance(address, tuple):
            _check(str(address[0]), int(address[1]))


def _check(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sentence = f"PORT {port} is taken: another program listens there. Stop it, or set PORT to another one."
        elif error.errno == errno.EACCES:
            sentence = f"PORT {port} is not allowed for this user. Set PORT to one above 1023."
        else:
            sentence = f"HOST {host} is no address of this machine. Set HOST to one, or to 0.0.0.0 for all."
        raise InvalidSetting(sentence) from None
