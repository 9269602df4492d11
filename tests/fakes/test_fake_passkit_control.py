"""The fake's remote control."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.fakes.passkit_client import Client


def test_everything_can_be_done_over_http(careless: Client) -> None:
    url = f"{careless.fake.url}/_fake"

    def remote(method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, url + path, json=body, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    identity = careless.enrol(nickname="Al")
    assert remote("GET", "/mistakes")["unknown_fields"] == ["POST /members/member: nickname"]
    assert remote("GET", "/effects") == [{"route": "POST /members/member", "key": "c-17", "count": 1}]
    (request,) = remote("GET", "/requests")
    assert (request["route"], request["status"]) == ("POST /members/member", 200)
    assert "authorization" not in request["headers"]
    remote("POST", "/faults", {"kind": "status", "status": 429, "retry_after": 3})
    assert remote("GET", "/faults")[0]["status"] == 429
    assert careless.ask("GET", "/user/profile").status_code == 429
    remote("PATCH", "/switches", {"clock_offset": 300})
    assert careless.ask("GET", "/user/profile").status_code == 401
    remote("PATCH", "/switches", {"clock_offset": 0})
    before = careless.fake.state.now()
    remote("POST", "/clock", {"advance_seconds": 60})
    assert remote("GET", "/clock")["passes"] > remote("GET", "/clock")["server"]
    assert careless.fake.state.now() - before == timedelta(seconds=60)
    remote("POST", f"/passes/{identity}/install")
    assert remote("GET", f"/passes/{identity}")["status"] == "ACTIVE"
    assert "GET    /_fake/requests" in "\n".join(remote("GET", "")["help"])
    remote("DELETE", "/requests")
    assert remote("GET", "/requests") == []
    remote("POST", "/reset")
    assert requests.get(f"{url}/passes/{identity}", timeout=120).status_code == 404
    assert requests.get(f"{url}/nonsense", timeout=120).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"kind": "earthquake"}),
        ("POST", "/faults", {"kind": "status", "effect": "last"}),
        ("POST", "/faults", {}),
        ("PATCH", "/switches", {"nonsense": 1}),
        ("POST", "/faults", {"kind": "status", "tried": 1}),
        ("PATCH", "/switches", {"strict_fields": "yes"}),
        ("PATCH", "/switches", {"broken_templates": "all"}),
        ("PATCH", "/switches", {"broken_templates": [1]}),
        ("PATCH", "/switches", {"route_delays": {"GET /user/profile": "long"}}),
        ("PATCH", "/switches", {"tickets_status": "403"}),
    ],
)
def test_the_remote_control_refuses_nonsense(client: Client, method: str, path: str, body: Any) -> None:
    assert requests.request(method, f"{client.fake.url}/_fake{path}", json=body, timeout=120).status_code == 400


def test_malformed_http_is_refused(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", int(client.fake.url.rpartition(":")[2]))) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
