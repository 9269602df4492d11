"""The battery of addresses that must not be reached, run in a network where every address is this machine.

    unshare -rn sh -c "ip link set lo up && exec python -m tests.events.ssrf"

In a network namespace of its own all IPv4 and IPv6 addresses lead to `lo`, so that whatever is connected to is heard
by one listener, which writes down at which address. Where there are no namespaces, `--patched` writes down what a
socket would connect to instead. `--unguarded` runs the same without the guard, to show that the battery bites.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from app.events import sending
from app.events.sending import Sender
from app.events.targets import InvalidTarget, check_public, is_public, read_target

PUBLIC, PUBLIC_6 = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"
RELAY = "relay.test:8080"
PORTS = (22, 80, 443, 6379, 8080, 8443)
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SECRET = "whsec_" + "A" * 43 + "="

LITERALS = {
    "loopback": "127.0.0.1",
    "short": "127.1",
    "three parts": "127.0.1",
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "dotted hexadecimal": "0x7f.1",
    "each part hexadecimal": "0x7f.0x0.0x0.0x1",
    "octal": "0177.0.0.1",
    "long octal": "017700000001",
    "zero": "0",
    "all zeros": "0.0.0.0",
    "trailing dot": "127.0.0.1.",
    "another loopback": "127.255.255.254",
    "v6 loopback": "[::1]",
    "v6 loopback in full": "[0:0:0:0:0:0:0:1]",
    "v6 unspecified": "[::]",
    "mapped": "[::ffff:127.0.0.1]",
    "mapped in hexadecimal": "[::ffff:7f00:1]",
    "mapped private": "[::ffff:10.0.0.1]",
    "compatible": "[::127.0.0.1]",
    "NAT64": "[64:ff9b::7f00:1]",
    "local NAT64": "[64:ff9b:1::7f00:1]",
    "6to4": "[2002:7f00:1::]",
    "Teredo": "[2001:0:7f00:1::1]",
    "unique local": "[fd00::1]",
    "link local": "[fe80::1]",
    "link local with a zone": "[fe80::1%25lo]",
    "site local": "[fec0::1]",
    "v6 multicast": "[ff02::1]",
    "v6 documentation": "[2001:db8::1]",
    "metadata": "169.254.169.254",
    "metadata as a number": "2852039166",
    "ten": "10.0.0.1",
    "172.16": "172.16.0.1",
    "192.168": "192.168.0.1",
    "carrier": "100.64.0.1",
    "alibaba's metadata": "100.100.100.200",
    "documentation": "192.0.2.1",
    "protocol assignments": "192.0.0.1",
    "benchmark": "198.18.0.1",
    "6to4 relay": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "localhost": "localhost",
    "localhost in capitals": "LOCALHOST",
    "localhost with a dot": "localhost.",
    "circled digits": "①②⑦.⓪.⓪.①",
    "ideographic stops": "127。0。0。1",
    "full width": "１２７.0.0.1",
    "user name": "public.test@127.0.0.1",
    "user name and password": "public.test:443@127.0.0.1",
    "backslash": "public.test\\@127.0.0.1",
    "encoded stop": "127%2e0%2e0%2e1",
}
URLS = {
    "fragment before the host": "https://public.test#@127.0.0.1/",
    "backslash instead of a slash": "https:\\\\127.0.0.1/",
    "question mark before the host": "https://public.test?@127.0.0.1/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "plain http": "http://127.0.0.1/",
    "plain http, public": "http://public.test/",
    "port of a database": "https://public.test:6379/",
    "port of ssh": "https://127.0.0.1:22/",
    "port 0": "https://127.0.0.1:0/",
    "port out of range": "https://127.0.0.1:70000/",
    "no host": "https:///127.0.0.1/",
    "blank in front": " https://127.0.0.1/",
    "line break": "https://public.test/\r\nHost: 127.0.0.1",
    "tab in the host": "https://127.0.\t0.1/",
}
# What a name leads to, at each question the next entry; the last stays.
NAMES: dict[str, list[list[str]]] = {
    "public.test": [[PUBLIC]],
    "loopback.test": [["127.0.0.1"]],
    "metadata.test": [["169.254.169.254"]],
    "private.test": [["10.1.2.3"]],
    "carrier.test": [["100.64.1.1"]],
    "v6.test": [["::1"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "nat64.test": [["64:ff9b::7f00:1"]],
    "sitelocal.test": [["fec0::1"]],
    "mixed.test": [["127.0.0.1", PUBLIC]],
    "many.test": [["10.0.0.1", *[f"93.184.216.{number}" for number in range(40)]]],
    "rebinds-second.test": [[PUBLIC], ["127.0.0.1"]],
    "rebinds-third.test": [[PUBLIC], [PUBLIC], ["127.0.0.1"]],
    "rebinds-fourth.test": [[PUBLIC], [PUBLIC], [PUBLIC], ["169.254.169.254"]],
}
REDIRECTS = {
    "redirect to loopback": "http://127.0.0.1:80/",
    "redirect to metadata": "http://169.254.169.254/latest/meta-data/",
    "redirect to a name": "https://loopback.test/",
    "redirect to a public place": f"http://{PUBLIC}/",
}
CONTROLS = {"a public name": "https://public.test/", "a public literal": f"https://{PUBLIC}/"}
CONTROLS["a public v6 literal"] = f"https://[{PUBLIC_6}]/"


def cases() -> Iterator[tuple[str, str]]:
    """Give the name and the URL of every case."""
    yield from ((name, f"https://{host}/") for name, host in LITERALS.items())
    yield from URLS.items()
    yield from ((name, f"https://{name}/") for name in NAMES if name != "public.test")
    yield from ((name, f"http://{RELAY}/{place}") for place, name in enumerate(REDIRECTS))


class Network:
    """What was connected to, and the faked name service."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self._asked: dict[str, int] = {}
        self._real = socket.getaddrinfo

    def fake_names(self) -> None:
        """Answer for the names of the battery; literals go to the real function, in whichever notation."""
        setattr(socket, "getaddrinfo", self._getaddrinfo)  # noqa: B010

    def _getaddrinfo(self, host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        answers = NAMES.get(str(name).rstrip(".").lower())
        if answers is None:
            literal = "127.0.0.1" if name == "relay.test" else name
            return self._real(literal, port, *rest, **more)
        turn = self._asked.get(name, 0)
        self._asked[name] = turn + 1
        found = answers[min(turn, len(answers) - 1)]
        return [entry for address in found for entry in self._real(address, port, type=socket.SOCK_STREAM)]

    def listen(self) -> None:
        """Hear everything: all addresses are this machine's."""
        for command in ("route add local default dev lo", "-6 route add local default dev lo"):
            subprocess.run(["ip", *command.split()], check=True)
        for port in PORTS:
            listener = socket.socket(socket.AF_INET6)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(("::", port))
            listener.listen(50)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            address, port = connection.getsockname()[:2]
            if port == 8080:
                _redirect(connection)
            else:
                self.reached.append(address.removeprefix("::ffff:"))
            connection.close()

    def patch(self) -> None:
        """Write down what would be connected to."""
        network = self

        def connect(_self: socket.socket, address: Any) -> None:
            if address[1] != 8080:
                network.reached.append(str(address[0]).removeprefix("::ffff:"))
            raise ConnectionRefusedError

        setattr(socket.socket, "connect", connect)  # noqa: B010


def _redirect(connection: socket.socket) -> None:
    path = connection.recv(65536).split()[1].decode()
    target = list(REDIRECTS.values())[int(path.strip("/"))]
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
    connection.sendall(head.encode())


def run(network: Network, sender: Sender) -> dict[str, Any]:
    """Try every case: the check at subscribing, then three sends, whatever the check says."""
    leaks: dict[str, list[str]] = {}
    accepted = []
    names = list(cases())
    for name, url in names:
        if _is_accepted(url):
            accepted.append(name)
        network.reached.clear()
        for _ in range(3):
            sender.send(url, "evt_1", "{}", [SECRET], NOW)
        time.sleep(0.002)
        found = [address for address in network.reached if not is_public(address) or name in REDIRECTS]
        if found:
            leaks[name] = found
    controls = {}
    for name, url in CONTROLS.items():
        network.reached.clear()
        sender.send(url, "evt_1", "{}", [SECRET], NOW)
        time.sleep(0.02)
        controls[name] = _is_accepted(url) and len(network.reached) == 1
    return {"cases": len(names), "leaks": leaks, "accepted": accepted, "controls": controls}


def _is_accepted(url: str) -> bool:
    try:
        check_public(read_target(url, frozenset({RELAY})))
    except InvalidTarget:
        return False
    return True


def _without_guard() -> None:
    """Take the guard away: any address is taken, and connected to."""
    setattr(sending, "read_target", lambda url, _allowed: type("Any", (), {"is_allowed": True})())  # noqa: B010


if __name__ == "__main__":
    stage = Network()
    if "--patched" in sys.argv:
        stage.patch()
    else:
        stage.listen()
    stage.fake_names()
    if "--unguarded" in sys.argv:
        _without_guard()
    # No certificate is good here: that a connection is begun is what counts.
    print(json.dumps(run(stage, Sender(frozenset({RELAY}), os.fspath(ssl.get_default_verify_paths().openssl_cafile)))))
